mod telephones;

use super::offering::TRANSPORT_CC_ID;
use super::*;
use crate::sdp::{Description, FarSide, samples};
use crate::settings::{CodecName, MediaProfile};
use std::sync::Arc;
use tandem_control::LegConfig;

fn random() -> impl FnMut(&mut [u8]) {
    let mut next = 0u8;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            next = next.wrapping_add(1);
            *byte = next;
        }
    }
}

fn addresses(port: u16) -> LegAddresses {
    let at = |port| SocketAddr::new("198.51.100.1".parse().unwrap(), port);
    LegAddresses { rtp: at(port), rtcp: at(port + 1) }
}

fn leg_with(kind: Kind, profile: MediaProfile) -> Leg {
    let mut leg = Leg::new(kind, Arc::new(profile), addresses(31_002), [0xAB; 32], &mut random());
    if kind != Kind::WebRtc {
        leg.set_video_addresses(addresses(31_006));
    }
    leg
}

fn leg(kind: Kind) -> Leg {
    leg_with(kind, MediaProfile::default())
}

fn browser() -> String {
    samples::CHROMIUM.replace("BUNDLE 0", "BUNDLE 0 1") + samples::CHROMIUM_CAMERA
}

fn telephone() -> String {
    format!("{}{}", samples::BARESIP, samples::BARESIP_CAMERA)
}

fn parse(text: &str) -> Description {
    Description::parse(text.as_bytes()).unwrap()
}

/// One side that has offered, the other side that we have offered what it has.
fn offered(offer: &str, kind: Kind) -> (Leg, Leg, String) {
    let offer = parse(offer);
    let mut caller = leg(Kind::of_offer(&offer).unwrap());
    caller.receive_offer(&offer, &mut random()).unwrap();
    let mut callee = leg(kind);
    let offer = callee.write_offer(&[CodecName::Opus, CodecName::Pcmu], &caller.far_side(), &mut random());
    (caller, callee, String::from_utf8(offer).unwrap())
}

fn answered(caller: &mut Leg, callee: &mut Leg, answer: &str) -> (LegConfig, LegConfig, String) {
    callee.receive_answer(&parse(answer)).unwrap();
    let codec = caller.codecs()[0];
    let text = String::from_utf8(caller.write_answer(codec, &callee.far_side()).unwrap()).unwrap();
    (caller.config(Latch::SameAddress), callee.config(Latch::SameAddress), text)
}

fn video_of(text: &str) -> &str {
    &text[text.find("m=video").unwrap_or_else(|| panic!("no video in {text}"))..]
}

fn has_line(text: &str, line: &str) -> bool {
    text.contains(&format!("{line}\r\n"))
}

#[test]
fn a_browsers_camera_is_offered_to_a_telephone_and_h264_goes_end_to_end() {
    let (mut caller, mut callee, offer) = offered(&browser(), Kind::Rtp);
    let video = video_of(&offer);
    assert!(video.starts_with("m=video 31006 RTP/AVP 127 126 125\r\n"), "{video}");
    for line in [
        "a=fmtp:127 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=rtcp:31007",
        "a=rtcp-fb:* nack pli",
        "a=sendrecv",
    ] {
        assert!(has_line(video, line), "{line} in {video}");
    }
    assert!(!video.contains("rtx") && !video.contains("transport-cc") && !video.contains("ice-"));

    let (browser, telephone, answer) = answered(&mut caller, &mut callee, &telephone());
    let video = video_of(&answer);
    assert!(video.starts_with("m=video 31002 UDP/TLS/RTP/SAVPF 108 109 96 97 114 115\r\n"), "{video}");
    for line in ["a=mid:1", "b=AS:512", "a=rtcp-fb:* transport-cc", "a=rtcp-fb:* nack", "a=setup:passive"] {
        assert!(has_line(video, line), "{line} in {video}");
    }
    assert!(has_line(&answer, "a=group:BUNDLE 0 1"));
    assert!(video.contains("a=ssrc-group:FID "));

    let (browser, telephone) = (browser.video.unwrap(), telephone.video.unwrap());
    for received in &browser.receive {
        assert!(telephone.send.iter().any(|sent| sent.codec == received.codec), "{received:?} has a way");
    }
    assert_eq!((browser.receive[0].number, browser.receive[0].rtx), (108, Some(109)));
    assert!(telephone.send.iter().any(|each| (each.number, each.rtx) == (97, None)));
    // Of two numbers for one coding only that of our answer is sent.
    assert_eq!(browser.send, browser.receive);
    assert_eq!(telephone.send.len(), 3);
    assert_eq!((browser.feedback.transport_cc, telephone.feedback.transport_cc), (Some(3), None));
    assert!(browser.feedback.nack && !telephone.feedback.nack && telephone.feedback.pli);
    assert_eq!(telephone.max_bitrate, 512_000);
    assert!(browser.transport.is_none());
    let transport = telephone.transport.unwrap();
    assert_eq!(transport.remote.unwrap().rtp, "192.0.2.20:48406".parse().unwrap());
    assert!(browser.may_send && browser.may_receive && telephone.may_send && telephone.may_receive);
}

#[test]
fn a_telephones_camera_is_offered_to_a_browser_in_its_bundle() {
    let (mut caller, mut callee, offer) = offered(&telephone(), Kind::WebRtc);
    assert!(has_line(&offer, "a=group:BUNDLE 0 1"), "{offer}");
    let video = video_of(&offer);
    assert!(has_line(video, "a=mid:1") && has_line(video, "a=setup:actpass"), "{video}");
    let audio = &offer[..offer.find("m=video").unwrap()];
    let numbers = |section: &str| -> Vec<u8> {
        let line = section[section.find("m=").unwrap()..].lines().next().unwrap();
        line.split(' ').skip(3).map(|number| number.parse().unwrap()).collect()
    };
    assert!(numbers(video).iter().all(|number| !numbers(audio).contains(number)), "one bundle: {offer}");
    assert_eq!(numbers(video).len(), 6, "three formats, each with retransmissions");
    assert!(video.contains(&format!("extmap:{TRANSPORT_CC_ID} ")));

    // Chromium answers with our numbers.
    let read = parse(&offer).video.unwrap();
    let lines: String = read.formats.iter().map(answered_format).collect();
    let list: Vec<String> = numbers(video).iter().map(u8::to_string).collect();
    let camera = format!(
        "m=video 9 UDP/TLS/RTP/SAVPF {}\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:0123456789abcdefghijklmn\r\na=setup:active\r\na=recvonly\r\n{lines}",
        list.join(" ")
    );
    let answer = samples::CHROMIUM.replace("setup:actpass", "setup:active").replace("BUNDLE 0", "BUNDLE 0 1")
        + &camera;
    let (telephone, browser, answer) = answered(&mut caller, &mut callee, &answer);
    let video = video_of(&answer);
    assert!(video.starts_with("m=video 31006 RTP/AVP 97 100 96\r\n"), "mode 1 is wanted: {video}");
    assert!(has_line(video, "a=recvonly"), "the browser only watches: {video}");
    let (telephone, browser) = (telephone.video.unwrap(), browser.video.unwrap());
    assert!(telephone.may_receive && !telephone.may_send && browser.may_send && !browser.may_receive);
    assert_eq!(telephone.receive[0].codec, browser.send[0].codec);
}

fn answered_format(format: &VideoFormat) -> String {
    let VideoFormat { number, rtx, codec, .. } = *format;
    let map = match codec {
        VideoCodec::Vp8 => format!("a=rtpmap:{number} VP8/90000\r\n"),
        VideoCodec::H264 { packetization_mode, .. } => format!(
            "a=rtpmap:{number} H264/90000\r\n\
             a=fmtp:{number} packetization-mode={packetization_mode};profile-level-id=42e01f\r\n"
        ),
    };
    let rtx = rtx.map(|rtx| format!("a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={number}\r\n"));
    map + &rtx.unwrap_or_default()
}

#[test]
fn without_a_shared_codec_the_call_goes_on_with_its_audio() {
    let (mut caller, mut callee, offer) = offered(&browser(), Kind::Rtp);
    assert!(offer.contains("m=video 31006 "));
    let only_h263 = format!("{}m=video 0 RTP/AVP 34\r\n", samples::BARESIP);
    let (browser, telephone, answer) = answered(&mut caller, &mut callee, &only_h263);
    assert!(answer.contains("m=audio 31002 ") && answer.contains("m=video 0 "), "{answer}");
    assert!(has_line(&answer, "a=group:BUNDLE 0"));
    assert!(browser.video.is_none() && telephone.video.is_none());
    assert!(browser.audio.may_send && telephone.audio.may_send);
    assert!(!caller.has_video() && !callee.has_video());
}

#[test]
fn the_level_of_an_answer_is_what_the_far_side_decodes() {
    let (mut caller, mut callee, _) = offered(&browser(), Kind::Rtp);
    let small = telephone().replace(
        "packetization-mode=1;profile-level-id=42e01f",
        "packetization-mode=1;profile-level-id=42800d",
    );
    let (_, _, answer) = answered(&mut caller, &mut callee, &small);
    // The browser's Baseline stands nearer to what the telephone wrote than its Constrained Baseline.
    let line = "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42000d";
    assert!(has_line(&answer, line), "{answer}");
}

#[test]
fn two_legs_share_video_where_one_coding_is_in_the_descriptions_of_both() {
    let answered_with = |section: &str| {
        let (mut caller, mut callee, _) = offered(&browser(), Kind::Rtp);
        answered(&mut caller, &mut callee, &format!("{}{section}", samples::BARESIP));
        assert!(caller.shares_video(&callee));
        caller
    };
    let vp8 = answered_with("m=video 48406 RTP/AVP 125\r\na=rtpmap:125 VP8/90000\r\n");
    let h264 = answered_with(samples::BARESIP_CAMERA.replace("a=rtpmap:100 VP8/90000\r\n", "").as_str());
    assert!(vp8.has_video() && h264.has_video() && !vp8.shares_video(&h264));
    assert!(!vp8.shares_video(&leg(Kind::Rtp)));
}

#[test]
fn a_telephone_that_repeats_only_our_number_means_what_was_offered() {
    let (mut caller, mut callee, _) = offered(&browser(), Kind::Rtp);
    let bare = format!("{}m=video 48406 RTP/AVP 127\r\na=rtpmap:127 H264/90000\r\n", samples::BARESIP);
    let (browser, telephone, _) = answered(&mut caller, &mut callee, &bare);
    assert_eq!(browser.video.unwrap().receive[0].number, 108);
    let telephone = telephone.video.unwrap();
    assert_eq!((telephone.send[0].number, telephone.send[0].codec), (127, telephone.receive[0].codec));
    assert!(telephone.feedback.fir, "it said nothing of feedback");
}

#[test]
fn video_is_protected_like_the_audio_with_keys_of_its_own() {
    let protocol = |text: &str| text.replace("RTP/AVP", "RTP/SAVP");
    let (_, mut callee, offer) = offered(&browser(), Kind::Sdes);
    let keys: Vec<&str> = offer.lines().filter(|line| line.starts_with("a=crypto:1 ")).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
    let answer = protocol(&format!(
        "{}{}{}{}",
        samples::BARESIP,
        samples::BARESIP_CRYPTO,
        samples::BARESIP_CAMERA,
        samples::BARESIP_CRYPTO.lines().next().map(|line| format!("{line}\r\n")).unwrap(),
    ));
    callee.receive_answer(&parse(&answer)).unwrap();
    let transport = callee.config(Latch::SameAddress).video.unwrap().transport.unwrap();
    assert!(matches!(transport.security, tandem_control::Security::Sdes { receive: Some(_), .. }));
    // Without keys the video is not taken; the call goes on.
    let (_, mut callee, _) = offered(&browser(), Kind::Sdes);
    let bare =
        protocol(&format!("{}{}{}", samples::BARESIP, samples::BARESIP_CRYPTO, samples::BARESIP_CAMERA));
    callee.receive_answer(&parse(&bare)).unwrap();
    assert!(!callee.has_video());
}

#[test]
fn video_is_added_dropped_and_added_again_in_one_section() {
    let (mut caller, mut callee, _) = offered(samples::CHROMIUM, Kind::Rtp);
    let (_, _, answer) = answered(&mut caller, &mut callee, samples::BARESIP);
    assert!(!answer.contains("m=video"));
    let sections = |text: &str| -> Vec<String> {
        text.lines()
            .filter_map(|line| line.strip_prefix("m="))
            .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
            .collect()
    };
    let mut ssrcs = Vec::new();
    for _ in 0..2 {
        caller.receive_offer(&parse(&browser()), &mut random()).unwrap();
        let offer = callee.write_offer(&[CodecName::Opus], &caller.far_side(), &mut random());
        assert_eq!(sections(std::str::from_utf8(&offer).unwrap()), ["audio 31002", "video 31006"]);
        let (browser, telephone, _) = answered(&mut caller, &mut callee, &telephone());
        ssrcs.push((browser.video.unwrap().ssrc, telephone.video.unwrap().ssrc));

        let dropped = browser_without_camera();
        caller.receive_offer(&parse(&dropped), &mut random()).unwrap();
        let offer = callee.write_offer(&[CodecName::Opus], &caller.far_side(), &mut random());
        assert_eq!(sections(std::str::from_utf8(&offer).unwrap()), ["audio 31002", "video 0"]);
        let line = std::str::from_utf8(&offer).unwrap().lines().find(|line| line.starts_with("m=video"));
        assert_eq!(line, Some("m=video 0 RTP/AVP 127 126 125"), "a refused section names formats too");
        let refused = format!("{}m=video 0 RTP/AVP 97\r\n", samples::BARESIP);
        let (browser, telephone, answer) = answered(&mut caller, &mut callee, &refused);
        assert_eq!(sections(&answer), ["audio 31002", "video 0"]);
        assert!(browser.video.is_none() && telephone.video.is_none());
    }
    assert_eq!(ssrcs[0], ssrcs[1], "an SSRC lives as long as its leg");
}

fn browser_without_camera() -> String {
    let refused = samples::CHROMIUM_CAMERA.replace("m=video 9", "m=video 0");
    samples::CHROMIUM.to_owned() + &refused
}

#[test]
fn a_side_whose_video_is_switched_off_refuses_it() {
    let mut profile = MediaProfile::default();
    profile.video.codecs.clear();
    let mut leg = leg_with(Kind::WebRtc, profile);
    leg.receive_offer(&parse(&browser()), &mut random()).unwrap();
    assert_eq!(leg.far_side().video, None);
    let far = FarSide {
        video: Some(FarVideo {
            direction: Direction::SendRecv,
            formats: Vec::new(),
            max_bitrate: 0,
            parameter_sets: Vec::new(),
        }),
        ..FarSide::default()
    };
    let answer = leg.write_answer(CodecName::Opus, &far).unwrap();
    assert!(String::from_utf8(answer).unwrap().contains("m=video 0 "));
}

#[test]
fn a_browsers_video_outside_its_bundle_is_refused() {
    let offer = samples::CHROMIUM.to_owned() + samples::CHROMIUM_CAMERA;
    let mut leg = leg(Kind::WebRtc);
    leg.receive_offer(&parse(&offer), &mut random()).unwrap();
    assert_eq!(leg.far_side().video, None);
}
