//! Codecs: passed on, left out, added, transcoded.

use super::*;
use tandem_control::{Codec, Digits, PayloadType};

const PCMU_ONLY: &str = samples::SIPP;

/// The payload types of the audio line.
fn formats(sdp: &str) -> String {
    let line = sdp.lines().find(|line| line.starts_with("m=audio")).unwrap();
    line.splitn(4, ' ').nth(3).unwrap().to_owned()
}

/// A telephone's description, with telephone events.
fn with_events(sdp: &str) -> String {
    format!("{sdp}a=rtpmap:101 telephone-event/8000\r\n").replace("AVP 0", "AVP 0 101")
}

fn offered(sdp: &str, codec: serde_json::Value) -> String {
    let mut bench = Bench::new();
    formats(&bench.offer(sdp, json!({ "codec": codec })))
}

fn numbers(payloads: &[PayloadType]) -> Vec<u8> {
    payloads.iter().map(|payload| payload.number).collect()
}

#[test]
fn codecs_are_left_out_kept_and_put_in_order() {
    // baresip offers 96 opus, 0 PCMU, 8 PCMA, 101 telephone-event.
    let cases = [
        (json!({}), "96 0 8 101"),
        (json!({ "strip": ["opus"] }), "0 8 101"),
        (json!({ "strip": ["opus/48000/2", "8"] }), "0 101"),
        (json!({ "strip": ["opus/8000"] }), "96 0 8 101"),
        (json!({ "strip": ["all"], "except": ["PCMA", "telephone-event"] }), "8 101"),
        (json!({ "strip": ["all"], "offer": ["PCMA", "PCMU"] }), "8 0"),
        (json!({ "offer": ["PCMA"] }), "8 96 0 101"),
        (json!({ "mask": ["opus"] }), "0 8 101"),
        (json!({ "consume": ["opus", "PCMU"] }), "8 101"),
        // Who strips everything strips nothing.
        (json!({ "strip": ["all"] }), "96 0 8 101"),
        (json!({ "strip": ["all"], "transcode": ["PCMA"] }), "8"),
    ];
    for (codec, expected) in cases {
        assert_eq!(offered(samples::BARESIP, codec.clone()), expected, "{codec}");
    }
}

#[test]
fn the_lines_of_a_codec_that_is_left_out_go_with_it() {
    let mut bench = Bench::new();
    let offer = bench.offer(samples::BARESIP, json!({ "codec": { "strip": ["opus"] } }));
    assert!(!offer.contains("opus") && !offer.contains("a=fmtp:96"), "{offer}");
    let answer = bench.answer_with(PCMU_ONLY, json!({}));
    assert_eq!(formats(&answer), "0");
}

#[test]
fn a_codec_is_added_and_transcoded() {
    let mut bench = Bench::new();
    let phone = with_events(PCMU_ONLY);
    let offer = bench.offer(&phone, json!({ "codec": { "transcode": ["opus"] } }));
    assert_eq!(formats(&offer), "0 111 101 110");
    assert!(offer.contains("a=rtpmap:111 opus/48000/2\r\n"), "{offer}");
    assert!(offer.contains("a=rtpmap:110 telephone-event/48000\r\n"), "{offer}");
    let answer = PCMU_ONLY
        .replace("AVP 0", "AVP 111 110")
        .replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000");
    let answer = bench.answer_with(&answer, json!({}));
    assert_eq!(formats(&answer), "0 101", "{answer}");
    assert!(answer.contains("a=rtpmap:0 PCMU/8000") && !answer.contains("opus"), "{answer}");
    let [a, b] = &bench.session().legs;
    assert_eq!((numbers(&a.audio.receive), numbers(&a.audio.send)), (vec![0, 101], vec![0, 101]));
    assert_eq!((numbers(&b.audio.receive), numbers(&b.audio.send)), (vec![111, 110], vec![111, 110]));
    // The codec that is in use stays in what the other side is offered.
    let again = bench.offer(&phone, json!({ "to-tag": "b" }));
    assert_eq!(formats(&again), "111 0 101 110");
}

#[test]
fn every_codec_is_offered_with_its_map_parameters_and_events() {
    let all = ["G729", "G722", "speex/8000", "speex/16000", "opus", "PCMA"];
    let mut bench = Bench::new();
    let offer = bench.offer(&with_events(PCMU_ONLY), json!({ "codec": { "transcode": all } }));
    assert_eq!(formats(&offer), "0 18 9 98 97 111 8 101 102 110");
    for line in [
        "a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n",
        "a=rtpmap:9 G722/8000\r\n",
        "a=rtpmap:98 speex/8000\r\n",
        "a=rtpmap:97 speex/16000\r\n",
        "a=rtpmap:102 telephone-event/16000\r\na=fmtp:102 0-15\r\n",
        "a=rtpmap:110 telephone-event/48000\r\n",
    ] {
        assert!(offer.contains(line), "{line}: {offer}");
    }
    let answer = PCMU_ONLY
        .replace("AVP 0", "AVP 97 102")
        .replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:97 speex/16000\r\na=rtpmap:102 telephone-event/16000");
    assert_eq!(formats(&bench.answer_with(&answer, json!({}))), "0 101");
    let b = &bench.session().legs[1].audio;
    assert_eq!((numbers(&b.receive), numbers(&b.send)), (vec![97, 102], vec![97, 102]));
    assert_eq!((b.send[0].codec, b.send[0].clock), (Codec::Speex, 16_000));
}

#[test]
fn an_offer_of_g729_alone_meets_any_codec() {
    let g729 = PCMU_ONLY.replace("AVP 0", "AVP 18").replace("0 PCMU/8000", "18 G729/8000");
    let mut bench = Bench::new();
    let offer = bench.offer(&g729, json!({ "codec": { "mask": ["all"], "transcode": ["PCMU"] } }));
    assert_eq!(formats(&offer), "0");
    let answer = bench.answer_with(PCMU_ONLY, json!({}));
    assert_eq!(formats(&answer), "18");
    assert!(answer.contains("a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n"), "{answer}");
    assert_eq!(bench.session().legs[0].audio.receive[0].codec, Codec::G729);
}

#[test]
fn how_a_codec_is_encoded_is_told_with_it() {
    let mut bench = Bench::new();
    let transcode = "opus/48000/2/24000/40/useinbandfec--0;maxplaybackrate--16000/compression_level--3";
    let codec =
        json!({ "transcode": [transcode], "set": ["opus/48000/1///useinbandfec--1", "opus/48000/2/20000"] });
    let offer = bench.offer(PCMU_ONLY, json!({ "codec": codec }));
    assert!(offer.contains("a=fmtp:111 useinbandfec=0;maxplaybackrate=16000\r\n"), "{offer}");
    let answer = PCMU_ONLY
        .replace("AVP 0", "AVP 111")
        .replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 maxaveragebitrate=30000");
    bench.answer_with(&answer, json!({}));
    let [a, b] = &bench.session().legs;
    assert_eq!((b.audio.opus.bitrate, b.audio.opus.complexity, b.audio.opus.inband_fec), (24_000, 3, false));
    assert_eq!((a.audio.opus.bitrate, a.audio.opus.inband_fec), (20_000, true));
    assert_eq!((b.audio.ptime_ms, a.audio.ptime_ms), (40, 20));
    let Codec::Opus(wanted) = b.audio.send[0].codec else { panic!() };
    assert_eq!(wanted.max_bitrate, 30_000);
    // Later offers need not say it again.
    bench.offer(PCMU_ONLY, json!({ "to-tag": "b" }));
    bench.answer_with(&answer, json!({}));
    assert_eq!(bench.session().legs[1].audio.opus.bitrate, 24_000);
}

#[test]
fn digits_are_looked_for_where_that_is_asked_for() {
    let mut bench = Bench::new();
    bench.offer(PCMU_ONLY, json!({ "flags": ["detect-DTMF", "inject DTMF"] }));
    bench.answer_with(PCMU_ONLY, json!({}));
    assert!(bench.warnings.is_empty(), "{:?}", bench.warnings);
    assert_eq!(bench.session().legs.clone().map(|leg| leg.audio.detect_tones), [true, false]);
}

#[test]
fn digits_become_events_or_tones_where_only_one_side_has_events() {
    let mut bench = Bench::new();
    let offer = bench.offer(PCMU_ONLY, json!({ "codec": { "transcode": ["telephone-event"] } }));
    assert_eq!(formats(&offer), "0 101");
    let phone = with_events(PCMU_ONLY);
    assert_eq!(formats(&bench.answer_with(&phone, json!({}))), "0");
    assert_eq!(numbers(&bench.session().legs[1].audio.send), [0, 101]);

    let mut bench = Bench::new();
    bench.offer(&phone, json!({ "codec": { "accept": ["telephone-event"] } }));
    assert_eq!(formats(&bench.answer_with(PCMU_ONLY, json!({}))), "0 101");
    let [a, b] = &bench.session().legs;
    assert_eq!((numbers(&a.audio.receive), numbers(&b.audio.send)), (vec![0, 101], vec![0]));
    assert_eq!((a.audio.digits, b.audio.digits), (Digits::Events, Digits::Tones));
}

#[test]
fn a_codec_that_was_offered_needs_no_transcoding() {
    let mut bench = Bench::new();
    let offer = bench.offer(samples::BARESIP, json!({ "codec": { "transcode": ["PCMA", "AMR"] } }));
    assert_eq!(formats(&offer), "96 0 8 101");
}

#[test]
fn masked_and_accepted_codecs_are_answered_whatever_the_other_side_takes() {
    let answered = |more: serde_json::Value| {
        let mut bench = Bench::new();
        bench.offer(samples::BARESIP, more);
        let answer = bench.answer_with(PCMU_ONLY, json!({}));
        formats(&answer)
    };
    assert_eq!(answered(json!({})), "0");
    assert_eq!(answered(json!({ "codec": { "mask": ["opus"] } })), "0 96");
    assert_eq!(answered(json!({ "codec": { "accept": ["PCMA"] } })), "0 8");
    assert_eq!(answered(json!({ "codec": { "consume": ["opus"], "strip": ["PCMA"] } })), "0 96");
    assert_eq!(answered(json!({ "flags": ["always-transcode"] })), "0 96 8");
}

#[test]
fn a_masked_codec_alone_is_transcoded() {
    let mut bench = Bench::new();
    let more = json!({ "codec": { "mask": ["all"], "transcode": ["PCMU"] } });
    let opus = samples::BARESIP.replace("AVP 96 0 8 101", "AVP 96 101");
    assert_eq!(formats(&bench.offer(&opus, more)), "0 101");
    assert_eq!(formats(&bench.answer_with(PCMU_ONLY, json!({}))), "96");
    let a = &bench.session().legs[0].audio;
    assert!(matches!(a.receive[0].codec, Codec::Opus(_)));
}

#[test]
fn unknown_codecs_pass() {
    let g729 = samples::SIPP
        .replace("AVP 0", "AVP 18 97 0")
        .replace("a=rtpmap:0", "a=rtpmap:97 AMR-WB/16000\r\na=fmtp:97 octet-align=1\r\na=rtpmap:0");
    let mut bench = Bench::new();
    let offer = bench.offer(&g729, json!({}));
    assert_eq!(formats(&offer), "18 97 0");
    let answer = samples::SIPP
        .replace("AVP 0", "AVP 104 18")
        .replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:104 amr-wb/16000/1\r\na=fmtp:104 octet-align=1");
    let answer = bench.answer_with(&answer, json!({}));
    assert_eq!(formats(&answer), "97 18");
    assert!(answer.contains("a=rtpmap:97 amr-wb/16000/1\r\na=fmtp:97 octet-align=1\r\n"), "{answer}");
    let [a, b] = &bench.session().legs;
    let codecs = |payloads: &[PayloadType]| payloads.iter().map(|one| one.codec).collect::<Vec<_>>();
    assert_eq!(codecs(&b.audio.send), [Codec::Other(0), Codec::G729]);
    assert_eq!(codecs(&a.audio.receive), codecs(&b.audio.send));
}

#[test]
fn one_codec_is_answered_where_that_is_asked_for() {
    let mut bench = Bench::new();
    bench.offer(samples::BARESIP, json!({}));
    let answer = bench.answer_with(samples::BARESIP, json!({ "flags": ["single-codec"] }));
    assert_eq!(formats(&answer), "96");
    assert!(!answer.contains("a=rtpmap:0 "), "{answer}");
}

#[test]
fn without_a_common_codec_the_answer_is_refused() {
    let mut bench = Bench::new();
    bench.offer(&samples::SIPP.replace("AVP 0", "AVP 18"), json!({}));
    let reply = bench.ask(&request("answer", PCMU_ONLY, json!({})));
    assert_eq!(reply["error-reason"], "no common codec");
}

#[test]
fn packet_times() {
    let mut bench = Bench::new();
    let offer = bench.offer(samples::BARESIP, json!({ "ptime": 40, "ptime-reverse": 10 }));
    assert!(offer.contains("a=ptime:40\r\n") && !offer.contains("a=ptime:20"), "{offer}");
    let answer = bench.answer_with(samples::SIPP, json!({ "ptime": 30 }));
    assert!(answer.contains("a=ptime:10\r\n"), "{answer}");
    let [a, b] = &bench.session().legs;
    assert_eq!((a.audio.ptime_ms, b.audio.ptime_ms), (10, 40));
    assert!(a.audio.always_transcode && b.audio.always_transcode, "packets are made anew");
    let mut bench = Bench::new();
    let short = samples::SIPP.replace("a=rtpmap", "a=ptime:40\r\na=maxptime:30\r\na=rtpmap");
    bench.offer(&short, json!({}));
    bench.answer_with(&samples::SIPP.replace("a=rtpmap", "a=maxptime:10\r\na=rtpmap"), json!({}));
    assert_eq!(bench.session().legs.clone().map(|leg| leg.audio.ptime_ms), [30, 10]);
    let mut bench = Bench::new();
    bench.offer(samples::BARESIP, json!({ "flags": ["force-transcoding"] }));
    bench.answer_with(samples::SIPP, json!({}));
    assert!(bench.session().legs.iter().all(|leg| leg.audio.always_transcode));
}
