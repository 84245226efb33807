//! Files that are played, digits, recordings.

use super::*;
use serde_json::Value;
use tandem_control::{
    DigitSound, EventKind, PlayOutcome, RecordingFormat, RecordingOutcome, Refusal, Request, Side, Source,
    ToneStep,
};

/// A call that is answered.
fn answered() -> (Bench, SessionId) {
    let mut bench = Bench::new();
    bench.offer(samples::BARESIP, json!({ "label": "caller" }));
    bench.answer_with(samples::SIPP, json!({}));
    let session = *bench.sessions.keys().next().unwrap();
    (bench, session)
}

fn control(command: &str, more: Value) -> Value {
    request(command, "", more)
}

/// Asks to play; the ids that the dataplane was told.
fn play(bench: &mut Bench, more: Value) -> Vec<u32> {
    let before = bench.said.len();
    bench.send(&control("play media", more));
    let ids = |request: &Request| match request {
        Request::Play { id, .. } => *id,
        other => panic!("{other:?}"),
    };
    bench.said[before..].iter().map(ids).collect()
}

fn started(side: Side, id: u32, duration_ms: Option<u64>) -> EventKind {
    EventKind::PlayStarted { side, id, duration_ms }
}

#[test]
fn a_file_is_played_to_who_is_named_and_the_reply_says_how_long_it_is() {
    let (mut bench, session) = answered();
    let ids = play(&mut bench, json!({ "from-tag": "b", "file": "/sounds/en/hello.wav", "repeat-times": 2 }));
    let expected = Request::Play {
        session,
        side: Side::B,
        source: Source::File("en/hello.wav".to_owned()),
        times: 2,
        id: ids[0],
    };
    assert_eq!(bench.said, [expected]);
    assert!(bench.replies.is_empty(), "it is not known yet whether the file is there");
    bench.event(session, started(Side::B, ids[0], Some(1_500)));
    assert_eq!(bench.replies.pop().unwrap().1, json!({ "result": "ok", "duration": 1500 }));
    // What comes later changes nothing.
    bench.event(session, started(Side::B, ids[0], Some(1)));
    bench.event(session, EventKind::PlayEnded { side: Side::B, id: ids[0], outcome: PlayOutcome::Finished });
    assert!(bench.replies.is_empty());
    assert_eq!(bench.ask(&control("stop media", json!({ "from-tag": "b" })))["result"], "ok");
    assert_eq!(bench.said.pop(), Some(Request::StopPlay { session, side: Side::B }));
    bench.ask(&control("delete", json!({})));
    bench.assert_clean();
}

#[test]
fn a_file_that_cannot_be_played_is_an_error() {
    let (mut bench, session) = answered();
    let ids = play(&mut bench, json!({ "file": "x.wav" }));
    bench.event(session, EventKind::PlayEnded { side: Side::A, id: ids[0], outcome: PlayOutcome::BadFile });
    let reply = bench.replies.pop().unwrap().1;
    assert!(reply["error-reason"].as_str().unwrap().contains("not there"), "{reply}");
    bench.refusal = Some(Refusal::Busy);
    let reply = bench.ask(&control("play media", json!({ "file": "x.wav" })));
    assert_eq!(reply["result"], "error");
    for (more, words) in [
        (json!({ "file": "/etc/passwd" }), "not below"),
        (json!({ "file": "x.wav", "from-tag": "c" }), "no party"),
        (json!({ "file": "x.wav", "call-id": "other" }), "Unknown call-id"),
    ] {
        let reply = bench.ask(&control("play media", more));
        assert!(reply["error-reason"].as_str().unwrap().contains(words), "{reply}");
    }
    bench.ask(&control("delete", json!({})));
    bench.assert_clean();
}

#[test]
fn all_hear_a_file_even_if_one_cannot() {
    let (mut bench, session) = answered();
    let ids = play(&mut bench, json!({ "blob64": "UklGRg==", "flags": ["all"] }));
    assert_eq!(ids.len(), 2);
    let outcome = PlayOutcome::NoCodec;
    bench.event(session, EventKind::PlayEnded { side: Side::A, id: ids[0], outcome });
    assert!(bench.replies.is_empty());
    bench.event(session, started(Side::B, ids[1], None));
    assert_eq!(bench.replies.pop().unwrap().1, json!({ "result": "ok" }));
}

#[test]
fn a_slow_disk_does_not_delay_the_reply_for_long() {
    let (mut bench, session) = answered();
    let ids = play(&mut bench, json!({ "file": "x.wav", "label": "caller" }));
    bench.send(&control("query", json!({})));
    assert!(bench.replies.is_empty());
    bench.pass(Duration::from_millis(200));
    let results: Vec<_> = bench.replies.drain(..).map(|(_, reply)| reply["result"].clone()).collect();
    assert_eq!(results, ["ok", "ok"], "and what has waited goes on");
    bench.event(session, started(Side::A, ids[0], Some(1)));
    assert!(bench.replies.is_empty());
    // A call that is deleted meanwhile leaves nothing behind.
    play(&mut bench, json!({ "file": "x.wav" }));
    bench.send(&control("delete", json!({})));
    bench.pass(Duration::from_millis(200));
    bench.assert_clean();
}

#[test]
fn a_digit_is_heard_by_the_other_side() {
    let (mut bench, session) = answered();
    let more = json!({ "code": "#", "duration": 300, "volume": -20, "pause": 700 });
    let reply = bench.ask(&control("play DTMF", more));
    assert_eq!(reply["result"], "ok");
    let sound = DigitSound { volume: 20, pause_ms: 700 };
    let expected = Request::PlayDigit { session, side: Side::B, event: 11, duration_ms: 300, sound };
    assert_eq!(bench.said, [expected]);
}

#[test]
fn what_is_heard_in_the_place_of_blocked_digits() {
    let (mut bench, session) = answered();
    let mut heard = |security: Value| {
        bench.said.clear();
        bench.ask(&control("block DTMF", security));
        assert!(bench.session().legs.iter().all(|leg| leg.audio.events_blocked));
        bench.event(session, EventKind::Digit { side: Side::A, event: 5, duration_ms: 120 });
        bench.said.pop()
    };
    let sound = DigitSound::default();
    let digit = |event| Some(Request::PlayDigit { session, side: Side::B, event, duration_ms: 120, sound });
    assert_eq!(heard(json!({})), None);
    assert_eq!(heard(json!({ "DTMF-security": "zero" })), digit(0));
    assert_eq!(heard(json!({ "DTMF-security": "DTMF", "digit": "9" })), digit(9));
    for _ in 0..50 {
        let random = heard(json!({ "DTMF-security": "random" }));
        let Some(Request::PlayDigit { event, .. }) = random else { panic!("{random:?}") };
        assert!(event < 16 && event != 5, "{event}");
    }
    let tone = heard(json!({ "DTMF-security": "tone" }));
    let Some(Request::Play { side: Side::B, source: Source::Tone(tones), times: 1, .. }) = tone else {
        panic!("{tone:?}")
    };
    assert_eq!(tones.steps, [ToneStep { hertz: [400, 0], on_ms: 120, off_ms: 0 }]);
    bench.ask(&control("unblock DTMF", json!({})));
    bench.event(session, EventKind::Digit { side: Side::A, event: 5, duration_ms: 120 });
    assert!(bench.said.is_empty() && !bench.session().legs[0].audio.events_blocked);
}

fn record(session: SessionId, path: &str, format: RecordingFormat) -> Request {
    Request::Record { session, path: path.to_owned(), format }
}

#[test]
fn a_recording_begins_pauses_goes_on_and_ends() {
    let (mut bench, session) = answered();
    let mut run = |command: &str, more: Value| {
        let reply = bench.ask(&control(command, more));
        (reply, std::mem::take(&mut bench.said))
    };
    let (reply, said) = run("start recording", json!({ "recording-file": "/recordings/a/b.wav" }));
    assert_eq!(reply, json!({ "result": "ok", "recordings": ["/recordings/a/b.wav"] }));
    assert_eq!(said, [record(session, "a/b.wav", RecordingFormat::Wav)]);
    assert_eq!(run("start recording", json!({})).1, [], "it is recorded already");
    assert_eq!(run("pause recording", json!({})).1, [Request::PauseRecording { session }]);
    assert_eq!(run("pause recording", json!({})).1, []);
    assert_eq!(run("start recording", json!({})).1, [Request::ResumeRecording { session }]);
    let (reply, _) = run("query", json!({}));
    assert_eq!(reply["recordings"], json!(["/recordings/a/b.wav"]));
    let (reply, said) = run("stop recording", json!({}));
    assert_eq!((reply, said), (json!({ "result": "ok" }), vec![Request::StopRecording { session }]));
    assert_eq!(run("stop recording", json!({})).1, []);
    let (_, said) = run("start recording", json!({}));
    let Request::Record { path, .. } = &said[0] else { panic!("{said:?}") };
    assert!(path.starts_with("call-") && path.ends_with(".ogg"), "{path}");
    let (reply, _) = run("start recording", json!({ "call-id": "other" }));
    assert_eq!(reply["result"], "error");
}

#[test]
fn a_call_is_recorded_from_its_answer_on_where_the_offer_asks_for_it() {
    let mut bench = Bench::new();
    bench.offer(samples::SIPP, json!({ "record-call": "yes", "recording-file": "c.ogg" }));
    assert!(bench.said.is_empty());
    let reply = bench.ask(&request("answer", samples::SIPP, json!({ "record-call": "yes" })));
    assert_eq!(reply["recordings"], json!(["/recordings/c.ogg"]));
    let first = *bench.sessions.keys().next().unwrap();
    assert_eq!(bench.said, [record(first, "c.ogg", RecordingFormat::OggOpus)]);
    // A re-INVITE does not begin it anew; another branch is recorded too, into another file.
    bench.offer(samples::SIPP, json!({ "to-tag": "b" }));
    bench.answer_with(samples::SIPP, json!({}));
    bench.offer(samples::SIPP, json!({ "via-branch": "other" }));
    bench.answer_with(samples::SIPP, json!({ "via-branch": "other", "to-tag": "b2" }));
    let second = *bench.sessions.keys().find(|session| **session != first).unwrap();
    assert_eq!(bench.said[1..], [record(second, "c-2.ogg", RecordingFormat::OggOpus)]);
    bench.said.clear();
    bench.offer(samples::SIPP, json!({ "to-tag": "b", "record-call": "off" }));
    assert_eq!(bench.said.len(), 2, "{:?}", bench.said);
    bench.ask(&control("delete", json!({})));
    bench.assert_clean();
}

#[test]
fn a_recording_that_fails_never_harms_the_call() {
    let mut bench = Bench::new();
    let more = json!({ "record-call": "yes", "recording-file": "/etc/c.ogg" });
    let reply = bench.ask(&request("offer", samples::SIPP, more));
    assert!(reply["warning"].as_str().unwrap().contains("not below"), "{reply}");
    bench.offer(samples::SIPP, json!({ "record-call": "yes" }));
    bench.answer_with(samples::SIPP, json!({}));
    let session = *bench.sessions.keys().next().unwrap();
    let warnings = bench.warnings.len();
    bench.event(
        session,
        EventKind::RecordingEnded { outcome: RecordingOutcome::DiskFull, duration_ms: 1_000 },
    );
    assert!(bench.warnings[warnings].contains("disk is full"), "{:?}", bench.warnings);
    let counters = bench.relay.counters();
    assert!(counters.contains(&("ng_recordings_failed", 1)), "{counters:?}");
    bench.refusal = Some(Refusal::Invalid("no directory".to_owned()));
    let reply = bench.ask(&control("start recording", json!({})));
    assert_eq!(reply["error-reason"], "bad request: no directory");
    assert_eq!(bench.sessions.len(), 1);
}
