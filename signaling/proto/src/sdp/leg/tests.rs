use super::*;
use crate::sdp::samples;
use CodecName::{Opus, Pcma, Pcmu};
use tandem_control::SrtpSuite;

/// Bytes that differ from call to call.
fn counting() -> impl FnMut(&mut [u8]) {
    let mut next = 0u8;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            next = next.wrapping_add(1);
            *byte = next;
        }
    }
}

fn leg(kind: Kind) -> Leg {
    let addresses = LegAddresses {
        rtp: "198.51.100.1:31002".parse().unwrap(),
        rtcp: "198.51.100.1:31003".parse().unwrap(),
    };
    Leg::new(kind, Arc::default(), addresses, [0xAB; 32], &mut counting())
}

fn parse(text: &str) -> Description {
    Description::parse(text.as_bytes()).unwrap()
}

fn answered(offer: &str, codec: CodecName) -> (Leg, String) {
    let offer = parse(offer);
    let mut leg = leg(Kind::of_offer(&offer).unwrap());
    leg.receive_offer(&offer, &mut counting()).unwrap();
    let answer = leg.write_answer(codec, &FarSide::default()).unwrap();
    (leg, String::from_utf8(answer).unwrap())
}

fn offered(leg: &mut Leg, codecs: &[CodecName]) -> String {
    let offer = leg.write_offer(codecs, &FarSide::default(), &mut counting());
    String::from_utf8(offer).unwrap()
}

fn numbers(payloads: &[PayloadType]) -> Vec<u8> {
    payloads.iter().map(|payload| payload.number).collect()
}

#[test]
fn chromium_is_answered_with_one_codec_and_its_own_numbers() {
    let (leg, answer) = answered(samples::CHROMIUM, Opus);
    for line in [
        "m=audio 31002 UDP/TLS/RTP/SAVPF 111 110",
        "a=group:BUNDLE 0",
        "a=ice-lite",
        "a=mid:0",
        "a=setup:passive",
        "a=rtcp-mux",
        "a=end-of-candidates",
        "a=rtpmap:110 telephone-event/48000",
        "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1;stereo=0",
    ] {
        assert!(answer.contains(&format!("{line}\r\n")), "{line} in {answer}");
    }
    let config = leg.config(Latch::Exact);
    assert_eq!(numbers(&config.audio.receive), [111, 110]);
    assert_eq!(numbers(&config.audio.send), [111, 110]);
    assert!(config.audio.may_receive && config.audio.may_send);
    assert_eq!(config.ice.unwrap().remote.unwrap().ufrag, "abcd");
}

#[test]
fn video_is_refused_in_its_place() {
    let offer = samples::CHROMIUM.replace("BUNDLE 0", "BUNDLE 0 1") + samples::CHROMIUM_VIDEO;
    let (_, answer) = answered(&offer, Pcma);
    assert!(answer.contains("a=group:BUNDLE 0\r\n"));
    let sections: Vec<&str> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(sections, ["m=audio 31002 UDP/TLS/RTP/SAVPF 8 126", "m=video 0 UDP/TLS/RTP/SAVPF 96 97"]);
    assert!(answer.contains("a=mid:1\r\n"));
}

#[test]
fn our_offer_to_a_browser_is_one_that_we_understand_ourselves() {
    let mut leg = leg(Kind::WebRtc);
    let offer = offered(&mut leg, &[Pcmu, Opus]);
    let read = parse(&offer);
    assert_eq!(Kind::of_offer(&read).unwrap(), Kind::Dtls, "we are a lite agent: {offer}");
    let audio = read.audio.unwrap();
    assert!(audio.transport.ice.unwrap().lite);
    assert_eq!(numbers(&audio.payloads), [0, 111, 101, 110]);
    assert_eq!(audio.transport.setup, Some(Setup::ActPass));
    assert_eq!(read.bundle, ["0"]);
}

#[test]
fn what_an_answer_leaves_out_is_neither_sent_nor_taken() {
    let mut leg = leg(Kind::Rtp);
    offered(&mut leg, &[Opus, Pcmu, Pcma]);
    leg.receive_answer(&parse(samples::SIPP)).unwrap();
    let config = leg.config(Latch::SameAddress);
    assert_eq!(numbers(&config.audio.receive), [0]);
    assert_eq!(numbers(&config.audio.send), [0]);
    assert_eq!(config.security, Security::None);
    assert_eq!(config.remote.unwrap().rtcp, "192.0.2.30:6001".parse().unwrap());
}

#[test]
fn an_answer_with_other_dynamic_numbers_is_sent_to_with_them() {
    let mut leg = leg(Kind::Rtp);
    offered(&mut leg, &[Opus]);
    leg.receive_answer(&parse(samples::BARESIP)).unwrap();
    let config = leg.config(Latch::Exact);
    assert_eq!(numbers(&config.audio.receive), [111]);
    assert_eq!(numbers(&config.audio.send), [96]);
}

#[test]
fn optional_srtp_on_rtp_avp_is_answered_with_a_key_on_rtp_avp() {
    let (leg, answer) = answered(&format!("{}{}", samples::BARESIP, samples::BARESIP_CRYPTO), Pcma);
    assert!(answer.contains("m=audio 31002 RTP/AVP 8 101\r\n"), "{answer}");
    assert_eq!(answer.matches("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:").count(), 1);
    let Security::Sdes { send, receive } = leg.config(Latch::Exact).security else { panic!("not SDES") };
    assert_eq!(send.suite, SrtpSuite::AesCm128HmacSha1_80);
    assert_ne!(Some(send), receive);
    assert!(answer.contains("a=rtcp:31003\r\n"));
}

#[test]
fn an_answer_chooses_one_of_our_keys_by_its_tag() {
    let mut leg = leg(Kind::Sdes);
    let offer = offered(&mut leg, &[Pcmu]);
    assert_eq!(offer.matches("a=crypto:").count(), 4);
    assert!(offer.contains("RTP/SAVP 0 101"));
    let crypto = samples::BARESIP_CRYPTO.lines().next().unwrap().replace("crypto:1", "crypto:4");
    let wrong_suite = format!("{}{crypto}\r\n", samples::SIPP);
    assert_eq!(leg.clone().receive_answer(&parse(&wrong_suite)).unwrap_err().status(), 488);
    let right = format!("{}{}", samples::SIPP, samples::BARESIP_CRYPTO.lines().next().unwrap());
    leg.receive_answer(&parse(&right)).unwrap();
    assert!(matches!(leg.config(Latch::Exact).security, Security::Sdes { receive: Some(_), .. }));
    let again = offered(&mut leg, &[Pcmu]);
    assert_eq!(again.matches("a=crypto:1 ").count(), 1, "a new offer keeps the agreed key");
    assert_eq!(again.matches("a=crypto:").count(), 1);
}

#[test]
fn a_leg_that_must_be_protected_is_idle_until_it_has_a_key() {
    let mut leg = leg(Kind::Sdes);
    offered(&mut leg, &[Pcmu]);
    assert_eq!(leg.receive_answer(&parse(samples::SIPP)).unwrap_err().status(), 488);
    assert_eq!(leg.config(Latch::Exact), LegConfig::idle());
}

#[test]
fn dtls_without_ice_takes_the_role_that_the_answer_leaves() {
    let mut leg = leg(Kind::Dtls);
    assert!(offered(&mut leg, &[Pcmu]).contains("a=setup:actpass\r\n"));
    leg.receive_answer(&parse(samples::BARESIP_DTLS)).unwrap();
    let config = leg.config(Latch::SameAddress);
    assert!(matches!(config.security, Security::Dtls { role: DtlsRole::Server, .. }));
    assert!(!config.rtcp_mux, "the answer has no rtcp-mux");
    let passive = samples::BARESIP_DTLS.replace("setup:active", "setup:passive");
    leg.receive_answer(&parse(&passive)).unwrap();
    assert!(matches!(leg.config(Latch::Exact).security, Security::Dtls { role: DtlsRole::Client, .. }));
}

#[test]
fn holdconn_is_answered_with_holdconn_and_opens_no_dtls() {
    let (leg, answer) = answered(&samples::CHROMIUM.replace("setup:actpass", "setup:holdconn"), Opus);
    assert!(answer.contains("a=setup:holdconn\r\n"));
    let Security::Dtls { fingerprints, .. } = leg.config(Latch::Exact).security else { panic!("not DTLS") };
    assert!(fingerprints.is_empty());
}

#[test]
fn the_direction_of_the_far_side_is_passed_on_within_what_was_offered() {
    let hold = samples::CHROMIUM.replace("a=sendrecv", "a=sendonly");
    let (leg, answer) = answered(&hold, Opus);
    assert!(answer.contains("a=recvonly\r\n"));
    let audio = leg.config(Latch::Exact).audio;
    assert!(audio.may_receive && !audio.may_send);
}

#[test]
fn an_ice_restart_is_answered_with_new_credentials_and_a_new_version() {
    let (mut leg, first) = answered(samples::CHROMIUM, Opus);
    let before = leg.config(Latch::Exact).ice.unwrap();
    let mut random = |bytes: &mut [u8]| bytes.fill(9);
    let mut again = |leg: &mut Leg, offer: &str| {
        leg.receive_offer(&parse(offer), &mut random).unwrap();
        leg.write_answer(Opus, &FarSide::default()).unwrap()
    };
    assert_eq!(again(&mut leg, samples::CHROMIUM), first.as_bytes(), "nothing changed: the same version");
    let restarted = samples::CHROMIUM.replace("ice-ufrag:abcd", "ice-ufrag:efgh");
    let second = String::from_utf8(again(&mut leg, &restarted)).unwrap();
    let version = |text: &str| text.lines().nth(1).unwrap().split(' ').nth(2).unwrap().to_owned();
    assert_eq!((version(&first).as_str(), version(&second).as_str()), ("1", "2"));
    assert_ne!(leg.config(Latch::Exact).ice.unwrap().local, before.local);
}

#[test]
fn a_new_offer_to_who_offered_first_keeps_sections_mids_and_numbers() {
    let offer = samples::CHROMIUM.replace("BUNDLE 0", "BUNDLE 0 1") + samples::CHROMIUM_VIDEO;
    let (mut leg, _) = answered(&offer.replace("111", "96"), Opus);
    let again = offered(&mut leg, &[Opus, Pcmu]);
    assert!(again.contains("m=audio 31002 UDP/TLS/RTP/SAVPF 96 0 126 110\r\n"), "{again}");
    assert!(again.contains("m=video 0 "));
}

#[test]
fn a_number_that_the_peer_uses_otherwise_is_not_given_again() {
    let offer = samples::BARESIP.replace("96", "111").replace("101", "110").replace("111 opus", "110 opus");
    let offer = offer
        .replace("RTP/AVP 111 0 8 110", "RTP/AVP 0 110")
        .replace("rtpmap:110 telephone", "rtpmap:111 telephone");
    let (mut leg, _) = answered(&offer.replace("RTP/AVP 0 110", "RTP/AVP 0 111"), Pcmu);
    let again = parse(&offered(&mut leg, &[Opus, Pcmu])).audio.unwrap();
    let mut given = numbers(&again.payloads);
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), again.payloads.len());
}

#[test]
fn ipv6_and_packet_times_are_written() {
    let offer = parse(samples::IPV6);
    let addresses = LegAddresses {
        rtp: "[2001:db8::1]:31002".parse().unwrap(),
        rtcp: "[2001:db8::1]:31003".parse().unwrap(),
    };
    let mut leg = Leg::new(Kind::Rtp, Arc::default(), addresses, [0; 32], &mut counting());
    leg.receive_offer(&offer, &mut counting()).unwrap();
    let far = FarSide { ptime: Some(30), maxptime: Some(60), ..FarSide::default() };
    let answer = String::from_utf8(leg.write_answer(Pcma, &far).unwrap()).unwrap();
    for line in ["c=IN IP6 2001:db8::1", "a=ptime:30", "a=maxptime:60"] {
        assert!(answer.contains(line), "{line} in {answer}");
    }
    assert_eq!(leg.config(Latch::Exact).audio.ptime_ms, 30);
}

#[test]
fn savp_without_a_key_is_not_acceptable() {
    let offer = parse(&samples::SIPP.replace("RTP/AVP", "RTP/SAVP"));
    assert_eq!(Kind::of_offer(&offer).unwrap_err().status(), 488);
}
