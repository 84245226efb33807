use super::*;
use crate::sdp::{Description, Kind, LegAddresses, samples};
use crate::settings::MediaProfile;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;
use tandem_control::Latch;

const ALL: [CodecName; 7] = [
    CodecName::Opus,
    CodecName::G722,
    CodecName::Pcmu,
    CodecName::Pcma,
    CodecName::G729,
    CodecName::SpeexWide,
    CodecName::SpeexNarrow,
];

fn leg(profile: MediaProfile) -> Leg {
    let addresses = LegAddresses {
        rtp: "198.51.100.1:31002".parse().unwrap(),
        rtcp: "198.51.100.1:31003".parse().unwrap(),
    };
    let profile = MediaProfile { codecs: ALL.to_vec(), ..profile };
    Leg::new(Kind::Rtp, Arc::new(profile), addresses, [0xAB; 32], &mut |bytes: &mut [u8]| bytes.fill(1))
}

/// A leg whose peer offered this.
fn called(profile: MediaProfile, offer: &str) -> Leg {
    let mut leg = leg(profile);
    let offer = Description::parse(offer.as_bytes()).unwrap();
    leg.receive_offer(&offer, &mut |bytes: &mut [u8]| bytes.fill(2)).unwrap();
    leg
}

fn answered(leg: &mut Leg, codec: CodecName, far: &FarSide) -> String {
    String::from_utf8(leg.write_answer(codec, far).unwrap()).unwrap()
}

fn offered(leg: &mut Leg, far: &FarSide) -> String {
    let offer = leg.write_offer(&ALL, far, &mut |bytes: &mut [u8]| bytes.fill(3));
    String::from_utf8(offer).unwrap()
}

fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|each| each == *line), "{line} in {text}");
    }
}

#[test]
fn an_offer_names_every_codec_with_its_number_clock_and_parameters() {
    let offer = offered(&mut leg(MediaProfile::default()), &FarSide::default());
    let lines = [
        "m=audio 31002 RTP/AVP 111 9 0 8 18 97 98 101 102 110",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:18 G729/8000",
        "a=fmtp:18 annexb=no",
        "a=rtpmap:97 speex/16000",
        "a=rtpmap:98 speex/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtpmap:102 telephone-event/16000",
        "a=rtpmap:110 telephone-event/48000",
        "a=ptime:20",
    ];
    has(&offer, &lines);
    let read = Description::parse(offer.as_bytes()).unwrap().audio.unwrap();
    assert_eq!(read.payloads.iter().filter_map(codecs::name_of).collect::<Vec<_>>(), ALL);
}

#[test]
fn answers_have_the_peers_numbers_and_the_events_of_the_codecs_clock() {
    for (codec, formats, lines) in [
        (CodecName::G729, "18 101", ["a=rtpmap:18 G729/8000", "a=fmtp:18 annexb=no"]),
        (CodecName::SpeexWide, "112 103", ["a=rtpmap:112 speex/16000", "a=fmtp:112 vbr=off;mode=\"8,any\""]),
        (CodecName::SpeexNarrow, "113 101", ["a=rtpmap:113 speex/8000", "a=fmtp:113 vbr=off;mode=\"5,any\""]),
    ] {
        let mut leg = called(MediaProfile::default(), samples::LOW_RATES);
        assert_eq!(leg.codecs(), [CodecName::G729, CodecName::SpeexWide, CodecName::SpeexNarrow]);
        let answer = answered(&mut leg, codec, &FarSide::default());
        has(&answer, &[&format!("m=audio 31002 RTP/AVP {formats}")]);
        has(&answer, &lines);
        assert!(leg.has_events());
    }
}

#[test]
fn a_peer_that_does_not_decode_our_mode_of_speex_is_not_sent_speex() {
    let offer = samples::LOW_RATES.replace("\"6,any\"", "\"6,7\"");
    let leg = called(MediaProfile::default(), &offer);
    assert_eq!(leg.codecs(), [CodecName::G729, CodecName::SpeexNarrow]);
}

#[test]
fn the_wishes_of_who_hears_an_opus_stream_reach_who_sends_it() {
    let wishes = "useinbandfec=1;usedtx=1;maxaveragebitrate=20000;maxplaybackrate=16000";
    let far = called(MediaProfile::default(), &samples::BARESIP.replace("stereo=1;sprop-stereo=1", wishes));
    let offer = offered(&mut leg(MediaProfile::default()), &far.far_side());
    has(&offer, &[&format!("a=fmtp:111 minptime=10;{wishes};stereo=0")]);
    let silent = called(MediaProfile::default(), samples::BARESIP);
    let offer = offered(&mut leg(MediaProfile::default()), &silent.far_side());
    has(&offer, &["a=fmtp:111 minptime=10;stereo=0"]);
}

#[test]
fn an_opus_stream_that_is_transcoded_is_asked_for_as_configured_at_the_far_sides_rate() {
    let opus = tandem_control::OpusEncoding { bitrate: 16_000, dtx: false, ..Default::default() };
    let profile = MediaProfile { opus, ..MediaProfile::default() };
    let far = called(MediaProfile::default(), samples::SIPP).far_side();
    let mut leg = called(profile.clone(), samples::BARESIP);
    let answer = answered(&mut leg, CodecName::Opus, &far);
    let wishes = "minptime=10;useinbandfec=1;maxaveragebitrate=16000;maxplaybackrate=8000;stereo=0";
    has(&answer, &[&format!("a=fmtp:96 {wishes}")]);
    let audio = leg.config(Latch::Exact).audio;
    assert_eq!(audio.opus, profile.opus);
    assert_eq!(audio.send[0].codec, Codec::Opus(OpusParameters::DEFAULT), "as the peer wants it");
}

#[test]
fn comfort_noise_is_described_where_it_is_switched_on() {
    let on = || MediaProfile { comfort_noise: true, ..MediaProfile::default() };
    let mut called = called(on(), samples::LOW_RATES);
    let narrow = answered(&mut called, CodecName::G729, &FarSide::default());
    has(&narrow, &["m=audio 31002 RTP/AVP 18 13 101"]);
    let wide = answered(&mut called, CodecName::SpeexWide, &FarSide::default());
    has(&wide, &["m=audio 31002 RTP/AVP 112 103"]);
    let offer = offered(&mut leg(on()), &FarSide::default());
    has(&offer, &["a=rtpmap:13 CN/8000"]);
}

#[test]
fn packets_are_as_long_as_the_peer_asks_and_at_most_as_long_as_it_takes() {
    let sent = |profile: &MediaProfile, lines: &str| {
        called(profile.clone(), &format!("{}{lines}", samples::SIPP)).packets_sent()
    };
    let usual = MediaProfile::default();
    let configured = MediaProfile { ptime: Some(40), ..MediaProfile::default() };
    for (lines, expected) in [
        ("", 20),
        ("a=ptime:30\r\n", 30),
        ("a=ptime:25\r\n", 20),
        ("a=ptime:5\r\n", 10),
        ("a=ptime:200\r\n", 60),
        ("a=maxptime:10\r\n", 10),
        ("a=ptime:60\r\na=maxptime:30\r\n", 30),
    ] {
        assert_eq!(sent(&usual, lines), expected, "{lines}");
    }
    assert_eq!((sent(&configured, ""), sent(&configured, "a=ptime:30\r\n")), (40, 30));
}

#[test]
fn the_peer_is_asked_for_what_is_configured_else_for_what_the_far_side_asks() {
    let far = FarSide { ptime: Some(30), maxptime: Some(40), ..FarSide::default() };
    has(&offered(&mut leg(MediaProfile::default()), &far), &["a=ptime:30", "a=maxptime:40"]);
    let profile = MediaProfile { ptime: Some(60), maxptime: Some(60), ..MediaProfile::default() };
    has(&offered(&mut leg(profile), &far), &["a=ptime:40", "a=maxptime:40"]);
    let profile = MediaProfile { ptime: Some(10), ..MediaProfile::default() };
    let mut near = leg(profile);
    has(&offered(&mut near, &FarSide::default()), &["a=ptime:10"]);
    let far = called(MediaProfile::default(), samples::SIPP);
    assert!(near.repacks_for(&far), "10 ms packets do not go to who is sent 20 ms ones");
    assert!(!leg(MediaProfile::default()).repacks_for(&far));
}

proptest! {
    /// Whatever an offer says of its codecs: what parses is answered with each of them, by what parses too.
    #[test]
    fn a_damaged_offer_is_answered_by_what_parses(
        sample in select(vec![samples::LOW_RATES, samples::BARESIP, samples::SIPP]),
        at in 0usize..600, text in "[ -~]{0,12}", cut in 0usize..12,
    ) {
        let mut bytes = sample.as_bytes().to_vec();
        let start = at.min(bytes.len());
        let end = (start + cut).min(bytes.len());
        bytes.splice(start..end, text.into_bytes());
        let Ok(offer) = Description::parse(&bytes) else { return Ok(()) };
        let mut leg = leg(MediaProfile { comfort_noise: true, ..MediaProfile::default() });
        if leg.receive_offer(&offer, &mut |bytes: &mut [u8]| bytes.fill(2)).is_err() {
            return Ok(());
        }
        for codec in leg.codecs() {
            let answer = answered(&mut leg, codec, &FarSide::default());
            let read = Description::parse(answer.as_bytes());
            let audio = read.as_ref().ok().and_then(|read| read.audio.as_ref());
            prop_assert!(audio.is_some(), "{} to {}", answer, String::from_utf8_lossy(&bytes));
            prop_assert!(PACKET_TIMES.contains(&leg.config(Latch::Exact).audio.ptime_ms));
        }
    }
}
