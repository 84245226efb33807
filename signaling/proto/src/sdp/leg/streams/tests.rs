use crate::sdp::{Description, Kind, Leg, LegAddresses, SdpError, samples};
use crate::settings::{CodecName, MediaProfile, VideoCodecName, VideoProfile};
use std::sync::Arc;
use tandem_control::{Latch, LegConfig, VideoCodec};

fn browser() -> String {
    samples::CHROMIUM.replace("BUNDLE 0", "BUNDLE 0 1") + samples::CHROMIUM_CAMERA
}

/// As a browser offers that only wants to see.
fn viewer() -> String {
    browser().replace("a=sendrecv", "a=recvonly")
}

fn leg(profile: MediaProfile, offer: &str) -> Leg {
    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    let address = |port| std::net::SocketAddr::new("198.51.100.1".parse().unwrap(), port);
    let addresses = LegAddresses { rtp: address(31_000), rtcp: address(31_000) };
    let mut leg = Leg::new(Kind::WebRtc, Arc::new(profile), addresses, [0xAB; 32], &mut random);
    leg.receive_offer(&Description::parse(offer.as_bytes()).unwrap(), &mut random).unwrap();
    leg
}

fn publisher(profile: MediaProfile, offer: &str) -> (Leg, String) {
    let mut leg = leg(profile, offer);
    let answer = leg.write_publisher_answer().unwrap();
    (leg, String::from_utf8(answer).unwrap())
}

fn player(source: &Leg, offer: &str) -> Result<(LegConfig, String), SdpError> {
    let mut leg = leg(MediaProfile::default(), offer);
    let answer = leg.write_player_answer(source)?;
    Ok((leg.config(Latch::Exact), String::from_utf8(answer).unwrap()))
}

#[test]
fn a_publisher_is_answered_one_codec_of_each_and_only_sends() {
    let (leg, answer) = publisher(MediaProfile::default(), &browser());
    assert_eq!(answer.matches("a=recvonly").count(), 2, "{answer}");
    let config = leg.config(Latch::Exact);
    let video = config.video.unwrap();
    assert_eq!(video.receive.len(), 1);
    assert!(matches!(video.receive[0].codec, VideoCodec::H264 { packetization_mode: 1, .. }));
    assert!((video.may_receive, video.may_send) == (true, false));
    assert!((config.audio.may_receive, config.audio.may_send) == (true, false));
}

#[test]
fn a_player_is_described_what_is_published_with_its_own_numbers() {
    let vp8 = VideoProfile { codecs: vec![VideoCodecName::Vp8], ..VideoProfile::default() };
    let (source, _) = publisher(MediaProfile { video: vp8, ..MediaProfile::default() }, &browser());
    let other_numbers =
        viewer().replace(" 96 ", " 106 ").replace(":96 ", ":106 ").replace("apt=96", "apt=106");
    let (config, answer) = player(&source, &other_numbers).unwrap();
    assert_eq!(answer.matches("a=sendonly").count(), 2, "{answer}");
    let video = config.video.unwrap();
    assert_eq!((video.send.len(), video.send[0].number, video.send[0].codec), (1, 106, VideoCodec::Vp8));
    assert!((video.may_receive, video.may_send) == (false, true));
    assert!((config.audio.may_receive, config.audio.may_send) == (false, true));
}

#[test]
fn who_wants_sound_only_gets_it_and_sound_is_transcoded() {
    let (source, _) = publisher(MediaProfile::default(), &browser());
    let (config, _) = player(&source, &samples::CHROMIUM.replace("a=sendrecv", "a=recvonly")).unwrap();
    assert!(config.video.is_none() && config.audio.may_send);
    let pcma = MediaProfile { codecs: vec![CodecName::Pcma], ..MediaProfile::default() };
    let (source, _) = publisher(pcma, &browser());
    let without = viewer().replace("a=rtpmap:8 PCMA/8000\r\n", "").replace(" 0 8 ", " 0 ");
    let (_, answer) = player(&source, &without).unwrap();
    assert!(answer.contains("opus"), "{answer}");
}

#[test]
fn pictures_that_cannot_be_shown_are_refused_to_who_wants_them() {
    let vp8 = VideoProfile { codecs: vec![VideoCodecName::Vp8], ..VideoProfile::default() };
    let (source, _) = publisher(MediaProfile { video: vp8, ..MediaProfile::default() }, &browser());
    let without = viewer().replace("VP8/90000", "VP9/90000");
    let refused = player(&source, &without).unwrap_err();
    assert_eq!(refused.to_string(), "No common codecs");
}

#[test]
fn a_publisher_without_a_camera_has_players_with_and_without_video() {
    let (source, _) = publisher(MediaProfile::default(), samples::CHROMIUM);
    let (config, answer) = player(&source, &viewer()).unwrap();
    assert!(config.video.is_none() && answer.contains("m=video 0 "), "{answer}");
}
