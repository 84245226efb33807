//! The other options: addresses, interfaces, what is replaced, media that is blocked.

use super::*;
use serde_json::Value;
use tandem_control::{Latch, Treatment};

/// A call with these keys in its offer: the offer as the other side is told it.
fn told(sdp: &str, more: Value) -> String {
    Bench::new().offer(sdp, more)
}

#[test]
fn interfaces_by_name_and_family() {
    let connection = |sdp: &str, more: Value| {
        let told = told(sdp, more);
        told.lines().find(|line| line.starts_with("c=")).unwrap().to_owned()
    };
    assert_eq!(connection(samples::SIPP, json!({})), "c=IN IP4 198.51.100.1");
    assert_eq!(connection(samples::SIPP, json!({ "direction": ["pub", "priv"] })), "c=IN IP4 10.0.0.2");
    assert_eq!(connection(samples::SIPP, json!({ "address-family": "IP6" })), "c=IN IP6 2001:db8::1");
    assert_eq!(connection(samples::IPV6, json!({})), "c=IN IP6 2001:db8::1");
    assert_eq!(connection(samples::SIPP, json!({ "media-address": "203.0.113.9" })), "c=IN IP4 203.0.113.9");
    assert_eq!(connection(samples::SIPP, json!({ "direction": ["x", "y"] })), "c=IN IP4 198.51.100.1");
    let mut bench = Bench::new();
    let reply = bench.ask(&request("offer", samples::SIPP, json!({ "direction": ["priv", "external"] })));
    assert!(reply["warning"].as_str().unwrap().contains("\"external\""), "{reply}");
    let mut bench = Bench::new();
    bench.offer(samples::SIPP, json!({ "direction": ["priv", "pub"] }));
    let addresses = bench.session().ports.map(|port| port.address.to_string());
    assert_eq!(addresses, ["10.0.0.2", "10.0.0.1"]);
    // The answer and later offers need not name them again.
    assert!(bench.answer_with(samples::SIPP, json!({})).contains("c=IN IP4 10.0.0.2\r\n"));
}

#[test]
fn where_media_goes_and_who_may_send_it() {
    let latch = |sdp: &str, more: Value| {
        let mut bench = Bench::new();
        bench.offer(sdp, more);
        bench.answer_with(samples::SIPP, json!({}));
        let leg = &bench.session().legs[0];
        (leg.latch, leg.remote.unwrap().rtp.ip().to_string(), leg.asymmetric)
    };
    let private = samples::SIPP.replace("192.0.2.30", "192.168.1.7");
    let from = |ip: &str, flags: &[&str]| json!({ "received-from": ["IP4", ip], "flags": flags });
    let (public, home, beside) = ("192.0.2.30".to_owned(), "192.168.1.7".to_owned(), "10.0.0.9");
    let natted = from("203.0.113.5", &[]);
    assert_eq!(latch(samples::SIPP, natted.clone()), (Latch::SameAddress, public.clone(), false));
    assert_eq!(latch(&private, natted), (Latch::Any, home.clone(), false));
    let either = Latch::Either(beside.parse().unwrap());
    assert_eq!(latch(&private, from(beside, &["trust-address"])), (either, home, false));
    let by_sip = from("203.0.113.5", &["SIP-source-address"]);
    assert_eq!(latch(&private, by_sip), (Latch::SameAddress, "203.0.113.5".to_owned(), false));
    assert_eq!(latch(samples::SIPP, from(beside, &["asymmetric"])), (Latch::Any, public.clone(), true));
    assert_eq!(latch(samples::SIPP, from(beside, &["symmetric"])), (Latch::Any, public.clone(), false));
    assert_eq!(latch(samples::SIPP, from(beside, &["strict-source"])).0, Latch::SameAddress);
    assert_eq!(latch(samples::SIPP, from(beside, &["media-handover"])).0, Latch::Handover);
    assert_eq!(latch(samples::SIPP, from(beside, &["port-latching"])).0, Latch::SameAddress);
}

#[test]
fn media_does_not_go_to_this_host() {
    let mut bench = Bench::new();
    let local = samples::SIPP.replace("192.0.2.30", "127.0.0.1");
    let reply = bench.ask(&request("offer", &local, json!({})));
    assert_eq!(reply["error-reason"], "media may not be sent to 127.0.0.1");
    bench.assert_clean();
    // But where the party itself is here.
    bench.offer(&local, json!({ "received-from": ["IP4", "127.0.0.1"] }));
}

#[test]
fn hold_by_address_zero_passes_unless_it_is_to_be_replaced() {
    let zero = samples::SIPP.replace("c=IN IP4 192.0.2.30", "c=IN IP4 0.0.0.0");
    assert!(told(&zero, json!({})).contains("c=IN IP4 0.0.0.0\r\n"));
    assert!(told(&zero, json!({ "replace": ["zero-address"] })).contains("c=IN IP4 198.51.100.1\r\n"));
    let mut bench = Bench::new();
    bench.offer(samples::SIPP, json!({}));
    bench.answer_with(samples::SIPP, json!({}));
    bench.offer(&zero, json!({ "to-tag": "b" }));
    bench.answer_with(samples::SIPP, json!({}));
    let a = &bench.session().legs[0];
    assert!(!a.audio.may_send && a.audio.may_receive && a.remote.is_some());
}

#[test]
fn what_is_replaced_in_the_origin() {
    let origin = |bench: &mut Bench, sdp: &str, replace: &[&str]| {
        let told = bench.offer(sdp, json!({ "replace": replace }));
        told.lines().find(|line| line.starts_with("o=")).unwrap().to_owned()
    };
    let other = samples::SIPP.replace("o=user1 53655765 2353687637", "o=user2 1 2353687640");
    let run = |sdp: &str, replace: &[&str]| origin(&mut Bench::new(), sdp, replace);
    assert_eq!(run(samples::SIPP, &[]), "o=user1 53655765 2353687637 IN IP4 192.0.2.30");
    assert_eq!(run(samples::SIPP, &["origin"]), "o=user1 53655765 2353687637 IN IP4 198.51.100.1");
    let mut bench = Bench::new();
    origin(&mut bench, samples::SIPP, &["username"]);
    assert_eq!(origin(&mut bench, &other, &["username"]), "o=user1 1 2353687640 IN IP4 192.0.2.30");
    let mut bench = Bench::new();
    let first = origin(&mut bench, samples::SIPP, &["SDP-version"]);
    assert_eq!(origin(&mut bench, samples::SIPP, &["SDP-version"]), first);
    let changed = samples::SIPP.replace("a=rtpmap", "a=sendonly\r\na=rtpmap");
    let second = origin(&mut bench, &changed, &["SDP-version"]);
    assert_eq!(second, first.replace("2353687637", "2353687638"));
    assert_eq!(origin(&mut bench, &changed, &["SDP-version"]), second);
    let forced = origin(&mut bench, &changed, &["SDP-version", "force-increment-sdp-ver"]);
    assert_eq!(forced, first.replace("2353687637", "2353687639"));
}

#[test]
fn attributes_by_flags() {
    let has = |flags: &[&str], line: &str| {
        let told = told(samples::BARESIP, json!({ "flags": flags }));
        told.lines().any(|one| one == line)
    };
    assert!(has(&[], "a=rtcp:30007"));
    assert!(!has(&["no-rtcp-attribute"], "a=rtcp:30007"));
    assert!(has(&["full-rtcp-attribute"], "a=rtcp:30007 IN IP4 198.51.100.1"));
    assert!(has(&["generate-mid"], "a=mid:0") && !has(&[], "a=mid:0"));
    let told = told(samples::CHROMIUM, json!({ "flags": ["strip-extmap", "original-sendrecv"] }));
    assert!(!told.contains("extmap") && told.contains("a=sendrecv\r\n"), "{told}");
}

#[test]
fn a_loop_is_noticed() {
    let mut bench = Bench::new();
    let flags = json!({ "flags": ["loop-protect"] });
    let once = bench.offer(samples::SIPP, flags.clone());
    let mut twice = flags.clone();
    twice["call-id"] = "the same call, again".into();
    assert_eq!(bench.offer(&once, twice), once);
    assert_eq!(bench.sessions.len(), 1);
    // Without the flag it is an SDP like any other, and is not marked again.
    let other = bench.offer(&once, json!({ "call-id": "another" }));
    assert!(other != once && !other.contains("tandem"), "{other}");
}

#[test]
fn sections_that_are_no_audio_are_refused_and_logged_once() {
    let video = format!("{}{}", samples::SIPP, samples::CHROMIUM_VIDEO);
    let mut bench = Bench::new();
    let reply = bench.ask(&request("offer", &video, json!({})));
    let told = sdp_of(&reply);
    assert!(
        told.contains("m=audio 30006 ") && told.contains("m=video 0 UDP/TLS/RTP/SAVPF 96 97\r\n"),
        "{told}"
    );
    assert!(reply["warning"].as_str().unwrap().contains("video"), "{reply}");
    assert!(!told.contains("a=ice-pwd") && told.contains("a=mid:1\r\n"), "{told}");
    bench.offer(&video, json!({}));
    assert_eq!(bench.warnings.len(), 1, "{:?}", bench.warnings);
    let refused = samples::CHROMIUM_VIDEO.replace("m=video 9", "m=video 0");
    let answer = bench.answer_with(&format!("{}{refused}", samples::SIPP), json!({}));
    assert!(answer.contains("m=video 0 "), "{answer}");
    let fax =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=image 9 udptl t38\r\n";
    let reply = bench.ask(&request("offer", fax, json!({ "call-id": "fax" })));
    assert_eq!(reply["error-reason"], "no section of the offer is audio over RTP");
}

#[test]
fn a_section_of_port_zero_stays_as_it_is() {
    let video = "m=video 0 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n";
    let both = format!("{}{video}", samples::SIPP);
    let mut bench = Bench::new();
    let reply = bench.ask(&request("offer", &both, json!({})));
    assert!(sdp_of(&reply).contains(video) && reply["warning"].is_null(), "{reply}");
    assert!(bench.answer_with(&both, json!({})).contains(video));
    let closed = samples::SIPP.replace("m=audio 6000", "m=audio 0");
    let again = bench.offer(&format!("{closed}{video}"), json!({ "to-tag": "b" }));
    assert!(again.contains("m=audio 0 ") && again.contains(video), "{again}");
    assert_eq!(bench.sessions.len(), 1);
}

#[test]
fn fragments_of_trickle_ice_are_consumed() {
    let fragment = json!({ "flags": ["fragment"] });
    let mut bench = Bench::new();
    let lines = "a=ice-ufrag:8hhY\r\na=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n";
    let reply = bench.ask(&request("offer", lines, fragment.clone()));
    assert_eq!(reply["error-reason"], "Unknown call-id \"call\"");
    bench.offer(samples::CHROMIUM, json!({}));
    assert_eq!(bench.ask(&request("offer", lines, fragment)), json!({ "result": "ok" }));
    assert_eq!(bench.sessions.len(), 1);
}

#[test]
fn a_section_that_is_closed_and_opened_again() {
    let mut bench = Bench::new();
    bench.offer(samples::SIPP, json!({}));
    bench.answer_with(samples::SIPP, json!({}));
    let closed = samples::SIPP.replace("m=audio 6000", "m=audio 0");
    bench.offer(&closed, json!({ "to-tag": "b" }));
    bench.answer_with(&closed, json!({}));
    assert!(bench.session().legs.iter().all(|leg| leg.audio.receive.is_empty()));
    let again = bench.offer(samples::SIPP, json!({ "to-tag": "b" }));
    assert!(again.contains("m=audio 30006 "), "{again}");
    bench.answer_with(samples::SIPP, json!({}));
    assert!(bench.session().legs.iter().all(|leg| leg.audio.may_send && !leg.audio.receive.is_empty()));
}

#[test]
fn media_is_blocked_and_silenced_for_all_or_for_one() {
    let mut bench = Bench::new();
    bench.offer(samples::BARESIP, json!({ "label": "caller" }));
    bench.answer_with(samples::BARESIP, json!({}));
    let speech = |bench: &Bench| bench.session().legs.clone().map(|leg| leg.audio.speech);
    let events = |bench: &Bench| bench.session().legs.clone().map(|leg| leg.audio.events_blocked);
    let (passed, blocked, silenced) = (Treatment::Passed, Treatment::Blocked, Treatment::Silenced);
    let mut run = |command: &str, more: Value| {
        let mut control = json!({ "command": command, "call-id": "call" });
        for (key, value) in more.as_object().unwrap() {
            control[key] = value.clone();
        }
        assert_eq!(bench.ask(&control)["result"], "ok", "{control}");
        (speech(&bench), events(&bench))
    };
    assert_eq!(run("block media", json!({})).0, [blocked, blocked]);
    assert_eq!(run("unblock media", json!({})).0, [passed, passed]);
    assert_eq!(run("silence media", json!({ "from-tag": "b", "flags": ["directional"] })).0[1], silenced);
    assert_eq!(run("unsilence media", json!({})).0[1], silenced, "it was asked for one party alone");
    assert_eq!(run("unsilence media", json!({ "all": "all" })).0, [passed, passed]);
    assert_eq!(run("block media", json!({ "label": "caller" })).0, [blocked, passed]);
    assert_eq!(run("block DTMF", json!({})).1, [true, true]);
    assert_eq!(run("unblock DTMF", json!({})).1, [false, false]);
    assert_eq!(run("block DTMF", json!({ "label": "caller" })).1, [true, false]);
    assert_eq!(run("unblock DTMF", json!({})).1, [true, false]);
    assert_eq!(run("unblock DTMF", json!({ "label": "caller" })).1, [false, false]);
    let reply = bench.ask(&json!({ "command": "block media", "call-id": "call", "label": "nobody" }));
    assert_eq!(reply["result"], "error");
    let reply = bench.ask(&json!({ "command": "block media", "call-id": "other" }));
    assert_eq!(reply["result"], "error");
}

#[test]
fn questions() {
    let mut bench = Bench::new();
    assert_eq!(bench.ask(&json!({ "command": "ping" })), json!({ "result": "pong" }));
    bench.offer(samples::BARESIP, json!({ "label": "caller" }));
    let reply = bench.ask(&json!({ "command": "query", "call-id": "call" }));
    assert_eq!((&reply["created"], &reply["tags"]["a"]["label"]), (&json!(1_000_000), &json!("caller")));
    let media = &reply["tags"]["a"]["medias"][0];
    assert_eq!((&media["protocol"], &media["streams"][0]["local port"]), (&json!("RTP/AVP"), &json!(30_004)));
    let reply = bench.ask(&json!({ "command": "list" }));
    assert_eq!(reply["calls"], json!(["call"]));
    let reply = bench.ask(&json!({ "command": "statistics" }));
    assert_eq!(reply["statistics"]["currentstatistics"]["sessionsown"], 1, "{reply}");
    let reply = bench.ask(&json!({ "command": "query", "call-id": "other" }));
    assert_eq!(reply["result"], "error");
    let reply = bench.ask(&json!({ "command": "publish", "call-id": "call" }));
    assert!(reply["error-reason"].as_str().unwrap().contains("not supported"), "{reply}");
}

#[test]
fn what_is_not_carried_out_is_said() {
    for (key, value) in [
        ("ICE", json!("force-relay")),
        ("TOS", json!(184)),
        ("codec", json!({ "set": ["speex/16000/1/24600"] })),
        ("SDES", json!(["unencrypted_srtp"])),
    ] {
        let mut bench = Bench::new();
        let mut more = json!({});
        more[key] = value;
        let reply = bench.ask(&request("offer", samples::SIPP, more));
        assert!(reply["warning"].is_string() && bench.warnings.len() == 1, "{key}: {reply}");
    }
}
