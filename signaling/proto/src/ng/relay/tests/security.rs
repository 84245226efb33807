//! Profiles and keys: RTP in the clear, SDES, DTLS with ICE, and from each into each.

use super::*;
use tandem_control::{DtlsRole, PortKind, Security, SrtpSuite};

const TO_SAVP: &str = "RTP/SAVP";
const PLAIN: &str = samples::SIPP;

/// The lines of an SDP that begin so.
fn lines<'a>(sdp: &'a str, start: &str) -> Vec<&'a str> {
    sdp.lines().filter(|line| line.starts_with(start)).collect()
}

/// SIPp's SDP with a key for each of the offered suites that is named.
fn with_keys(offer: &str, suite: &str) -> String {
    let line = lines(offer, "a=crypto").into_iter().find(|line| line.contains(suite)).unwrap();
    let tag = line.strip_prefix("a=crypto:").unwrap().split(' ').next().unwrap();
    let length = if suite.contains("256") { 60 } else { 40 };
    let key = if suite.contains("GCM") && length == 40 { 38 } else { length };
    let padding = if key == 38 { "==" } else { "" };
    let keys = format!("a=crypto:{tag} {suite} inline:{}{padding}\r\n", "A".repeat(key));
    samples::SIPP.replace("RTP/AVP", TO_SAVP) + &keys
}

fn savp_of_baresip() -> String {
    samples::BARESIP.replace("RTP/AVP", TO_SAVP) + samples::BARESIP_CRYPTO
}

fn security(bench: &Bench, side: usize) -> Security {
    bench.session().legs[side].security.clone()
}

#[test]
fn rtp_to_sdes_and_back() {
    let mut bench = Bench::new();
    let offer = bench.offer(samples::SIPP, json!({ "transport-protocol": TO_SAVP, "DTLS": "off" }));
    assert!(offer.contains(" RTP/SAVP 0\r\n"));
    assert_eq!(lines(&offer, "a=crypto").len(), 4);
    assert!(lines(&offer, "a=fingerprint").is_empty());
    let answer = bench.answer_with(&with_keys(&offer, "AES_CM_128_HMAC_SHA1_32"), json!({}));
    assert!(answer.contains(" RTP/AVP 0\r\n") && !answer.contains("crypto"), "{answer}");
    assert_eq!(security(&bench, 0), Security::None);
    let Security::Sdes { send, receive: Some(receive) } = security(&bench, 1) else { panic!() };
    assert_eq!((send.suite, receive.suite), (SrtpSuite::AesCm128HmacSha1_32, SrtpSuite::AesCm128HmacSha1_32));

    // The next offer repeats the key that was agreed on.
    let again = bench.offer(samples::SIPP, json!({ "to-tag": "b", "DTLS": "off" }));
    let [key] = lines(&again, "a=crypto")[..] else { panic!("{again}") };
    assert!(offer.contains(key), "{key}");
    bench.answer_with(&with_keys(&again, "AES_CM_128_HMAC_SHA1_32"), json!({}));
    let Security::Sdes { send: after, .. } = security(&bench, 1) else { panic!() };
    assert_eq!(after, send);
}

#[test]
fn sdes_to_rtp_keeps_its_key_as_long_as_the_offerers_stays() {
    let mut bench = Bench::new();
    let offer = bench.offer(&savp_of_baresip(), json!({ "transport-protocol": "RTP/AVP" }));
    assert!(offer.contains("RTP/AVP 96 0 8 101") && !offer.contains("crypto"), "{offer}");
    let answer = bench.answer_with(samples::SIPP, json!({}));
    let [key] = lines(&answer, "a=crypto")[..] else { panic!("{answer}") };
    assert!(key.starts_with("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:") && answer.contains("RTP/SAVP 0"));
    bench.offer(&savp_of_baresip(), json!({ "to-tag": "b", "transport-protocol": "RTP/AVP" }));
    assert!(bench.answer_with(samples::SIPP, json!({})).contains(key));
    let other = savp_of_baresip().replace("inline:Lk7Z", "inline:Lk7Y");
    bench.offer(&other, json!({ "to-tag": "b", "transport-protocol": "RTP/AVP" }));
    assert!(!bench.answer_with(samples::SIPP, json!({})).contains(key));
}

#[test]
fn suites_by_options() {
    let offered = |options: serde_json::Value| {
        let mut bench = Bench::new();
        let mut more = json!({ "transport-protocol": TO_SAVP, "DTLS": "off" });
        more["SDES"] = options;
        let offer = bench.offer(samples::SIPP, more);
        let suite = |line: &&str| line.split(' ').nth(1).unwrap().to_owned();
        lines(&offer, "a=crypto").iter().map(suite).collect::<Vec<_>>()
    };
    assert_eq!(offered(json!(["only-AEAD_AES_256_GCM"])), ["AEAD_AES_256_GCM"]);
    let without = offered(json!(["no-AES_CM_128_HMAC_SHA1_80", "no-AES_CM_128_HMAC_SHA1_32"]));
    assert_eq!(without, ["AEAD_AES_128_GCM", "AEAD_AES_256_GCM"]);
    assert_eq!(offered(json!(["order:AEAD_AES_256_GCM"]))[0], "AEAD_AES_256_GCM");
    assert_eq!(offered(json!(["off"])), [] as [&str; 0]);
    assert_eq!(offered(json!(["nonew"])), [] as [&str; 0]);
}

#[test]
fn keys_are_written_with_padding_and_lifetime_where_that_is_asked_for() {
    let mut bench = Bench::new();
    let more =
        |sdes: serde_json::Value| json!({ "transport-protocol": TO_SAVP, "DTLS": "off", "SDES": sdes });
    let plain = bench.offer(samples::SIPP, more(json!(["only-AEAD_AES_128_GCM"])));
    assert!(!lines(&plain, "a=crypto")[0].ends_with('='));
    let mut bench = Bench::new();
    let padded = bench.offer(samples::SIPP, more(json!(["only-AEAD_AES_128_GCM", "pad", "lifetime"])));
    assert!(lines(&padded, "a=crypto")[0].ends_with("==|2^31"), "{padded}");
}

#[test]
fn an_answer_without_a_key_is_refused() {
    let mut bench = Bench::new();
    bench.offer(samples::SIPP, json!({ "transport-protocol": TO_SAVP }));
    let answer = samples::SIPP.replace("RTP/AVP", TO_SAVP);
    let reply = bench.ask(&request("answer", &answer, json!({})));
    assert_eq!(reply["result"], "error", "{reply}");
    bench.ask(&request("delete", "", json!({})));
    bench.assert_clean();
}

#[test]
fn a_secure_profile_offers_both_kinds_of_keys_and_tls_only_dtls() {
    let mut bench = Bench::new();
    let both = bench.offer(samples::SIPP, json!({ "transport-protocol": "RTP/SAVPF" }));
    assert_eq!((lines(&both, "a=crypto").len(), lines(&both, "a=fingerprint").len()), (4, 1));
    let mut bench = Bench::new();
    let tls = bench.offer(samples::SIPP, json!({ "transport-protocol": "UDP/TLS/RTP/SAVP" }));
    assert_eq!((lines(&tls, "a=crypto").len(), lines(&tls, "a=setup")), (0, vec!["a=setup:actpass"]));
    bench.answer_with(samples::BARESIP_DTLS, json!({}));
    let Security::Dtls { role, fingerprints } = security(&bench, 1) else { panic!() };
    assert_eq!((role, fingerprints.len()), (DtlsRole::Server, 1));
}

#[test]
fn a_browser_calls_a_telephone() {
    let mut bench = Bench::new();
    let more = json!({ "transport-protocol": "RTP/AVP", "ICE": "remove", "rtcp-mux": ["demux"] });
    let offer = bench.offer(samples::CHROMIUM, more);
    assert!(offer.contains(" RTP/AVP 111 63 9 0 8 13 110 126\r\n"), "{offer}");
    for gone in ["a=candidate", "a=ice-", "a=fingerprint", "a=setup", "a=rtcp-mux", "a=rtcp-fb", "a=group"] {
        assert!(lines(&offer, gone).is_empty(), "{gone}: {offer}");
    }
    assert!(offer.contains("a=msid:") && offer.contains("a=extmap:1"), "what is not ours stays: {offer}");
    assert_eq!(bench.session().ports.map(|port| port.kind), [PortKind::Shared, PortKind::Own]);
    let answer = bench.answer_with(samples::SIPP, json!({}));
    assert!(answer.contains(" UDP/TLS/RTP/SAVPF 0\r\n") && answer.contains("a=setup:passive"), "{answer}");
    assert!(answer.contains("a=rtcp-mux\r\n") && answer.contains("a=mid:0\r\n"), "{answer}");
    assert!(answer.contains("a=ice-lite\r\n") && answer.contains(" 198.51.100.1 30004 typ host\r\n"));
    let [a, b] = &bench.session().legs;
    let ice = a.ice.as_ref().unwrap();
    assert!(answer.contains(&format!("a=ice-ufrag:{}\r\n", ice.local.ufrag)));
    assert_eq!(ice.remote.as_ref().unwrap().ufrag, "abcd");
    assert!(a.rtcp_mux && !b.rtcp_mux && b.ice.is_none());

    // Other credentials restart ICE, the same ones do not.
    let again = |bench: &mut Bench, sdp: &str| {
        bench.offer(sdp, json!({ "to-tag": "b" }));
        bench.answer_with(samples::SIPP, json!({}));
        bench.session().legs[0].ice.clone().unwrap().local
    };
    let local = ice.local.clone();
    assert_eq!(again(&mut bench, samples::CHROMIUM), local);
    assert_ne!(again(&mut bench, &samples::CHROMIUM.replace("ufrag:abcd", "ufrag:efgh")), local);
}

#[test]
fn a_telephone_calls_a_browser() {
    let mut bench = Bench::new();
    let more = json!({
        "transport-protocol": "UDP/TLS/RTP/SAVPF", "ICE": "force", "rtcp-mux": ["require"],
        "flags": ["generate-mid", "trickle-ICE"],
    });
    let offer = bench.offer(samples::BARESIP, more);
    for line in ["a=ice-lite", "a=setup:actpass", "a=rtcp-mux", "a=mid:0", "a=ice-options:trickle"] {
        assert_eq!(lines(&offer, line), [line], "{offer}");
    }
    assert_eq!(lines(&offer, "a=rtcp:"), ["a=rtcp:30006"], "one port: {offer}");
    assert_eq!(bench.session().ports.map(|port| port.kind), [PortKind::Own, PortKind::Shared]);
    let browser = samples::CHROMIUM.replace("setup:actpass", "setup:active");
    let answer = bench.answer_with(&browser, json!({ "ICE": "remove" }));
    assert!(answer.contains(" RTP/AVP 96 0 8 101\r\n"), "the offerer's numbers: {answer}");
    assert!(
        answer.contains("a=rtpmap:96 opus/48000/2\r\n") && answer.contains("a=fmtp:96 minptime"),
        "{answer}"
    );
    let b = &bench.session().legs[1];
    assert!(b.ice.is_some() && b.rtcp_mux);
    assert!(matches!(b.security, Security::Dtls { role: DtlsRole::Server, .. }));
}

#[test]
fn ice_by_options() {
    let has_ice = |sdp: &str, ice: Option<&str>| {
        let mut bench = Bench::new();
        let mut more = json!({});
        if let Some(ice) = ice {
            more["ICE"] = ice.into();
        }
        !lines(&bench.offer(sdp, more), "a=candidate").is_empty()
    };
    assert!(!has_ice(samples::SIPP, None) && has_ice(samples::CHROMIUM, None));
    assert!(has_ice(samples::SIPP, Some("force")) && has_ice(samples::SIPP, Some("optional")));
    assert!(!has_ice(samples::SIPP, Some("default")) && has_ice(samples::CHROMIUM, Some("default")));
    assert!(!has_ice(samples::CHROMIUM, Some("remove")));

    let mut bench = Bench::new();
    bench.offer(samples::CHROMIUM, json!({ "transport-protocol": "RTP/AVP", "flags": ["reject-ICE"] }));
    assert!(!bench.answer_with(samples::SIPP, json!({})).contains("candidate"));
}

#[test]
fn reset_forgets_keys_and_ice() {
    let mut bench = Bench::new();
    let more = json!({ "transport-protocol": TO_SAVP, "DTLS": "off", "ICE": "force" });
    let offer = bench.offer(samples::SIPP, more);
    let ours = |offer: &str| lines(offer, "a=ice-ufrag")[0].to_owned();
    assert_eq!(ours(&bench.offer(samples::SIPP, json!({ "ICE": "force" }))), ours(&offer));
    let reset = bench.offer(samples::SIPP, json!({ "ICE": "force", "flags": ["reset"] }));
    assert_ne!(ours(&reset), ours(&offer));
    assert_ne!(lines(&reset, "a=crypto")[0], lines(&offer, "a=crypto")[0]);
}

#[test]
fn rtcp_mux_by_options() {
    let mux_sdp = format!("{}a=rtcp-mux\r\n", samples::SIPP);
    let run = |sdp: &str, mux: &[&str]| {
        let mut bench = Bench::new();
        let offer = bench.offer(sdp, json!({ "rtcp-mux": mux }));
        let answer = bench.answer_with(samples::SIPP, json!({}));
        (offer.contains("a=rtcp-mux"), answer.contains("a=rtcp-mux"))
    };
    assert_eq!(run(samples::SIPP, &[]), (false, false));
    assert_eq!(run(samples::SIPP, &["offer"]), (true, false));
    assert_eq!(run(&mux_sdp, &[]), (true, true));
    assert_eq!(run(&mux_sdp, &["accept"]), (true, true));
    assert_eq!(run(&mux_sdp, &["demux"]), (false, true));
    assert_eq!(run(&mux_sdp, &["reject"]), (false, false));
    assert_eq!(run(&mux_sdp, &["reject", "offer"]), (true, false));

    let rtcp = |mux: &[&str]| {
        let mut bench = Bench::new();
        bench.offer(&mux_sdp, json!({ "rtcp-mux": mux }));
        bench.answer_with(PLAIN, json!({}));
        bench.session().legs[0].remote.unwrap().rtcp.port()
    };
    assert_eq!((rtcp(&["demux"]), rtcp(&["reject"])), (6000, 6001));
}

#[test]
fn an_answer_may_bring_another_profile() {
    let avpf = samples::SIPP.replace("RTP/AVP", "RTP/AVPF");
    let answer = |more: serde_json::Value| {
        let mut bench = Bench::new();
        bench.offer(samples::SIPP, json!({}));
        bench.answer_with(&avpf, more)
    };
    assert!(answer(json!({})).contains(" RTP/AVP 0"));
    assert!(answer(json!({ "transport-protocol": "accept" })).contains(" RTP/AVPF 0"));
}

#[test]
fn opportunistic_srtp_is_offered_and_accepted_where_that_is_asked_for() {
    let accept = json!({ "OSRTP": ["accept"], "DTLS": "off" });
    let offered = samples::BARESIP.to_owned() + samples::BARESIP_CRYPTO;
    let mut bench = Bench::new();
    let offer = bench.offer(&offered, accept);
    assert!(offer.contains(" RTP/AVP ") && !offer.contains("crypto"), "{offer}");
    let answer = bench.answer_with(PLAIN, json!({}));
    assert!(answer.contains(" RTP/AVP ") && lines(&answer, "a=crypto").len() == 1, "{answer}");
    assert!(matches!(security(&bench, 0), Security::Sdes { receive: Some(_), .. }));
    // Without the option the keys mean nothing.
    let mut bench = Bench::new();
    bench.offer(&offered, json!({}));
    assert!(!bench.answer_with(PLAIN, json!({})).contains("crypto"));

    let offer_it = json!({ "flags": ["OSRTP-offer"], "DTLS": "off" });
    let mut bench = Bench::new();
    let offer = bench.offer(PLAIN, offer_it.clone());
    assert!(offer.contains(" RTP/AVP 0\r\n") && lines(&offer, "a=crypto").len() == 4, "{offer}");
    let taken = with_keys(&offer, "AES_CM_128_HMAC_SHA1_80").replace(TO_SAVP, "RTP/AVP");
    assert!(!bench.answer_with(&taken, json!({})).contains("crypto"));
    assert!(matches!(security(&bench, 1), Security::Sdes { receive: Some(_), .. }));
    let mut bench = Bench::new();
    bench.offer(PLAIN, offer_it);
    bench.answer_with(PLAIN, json!({}));
    assert_eq!(security(&bench, 1), Security::None);
}
