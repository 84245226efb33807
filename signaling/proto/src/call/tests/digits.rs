use super::*;
use crate::settings::{DtmfMethod, MediaProfile};
use std::sync::Arc;
use tandem_control::Digits;

/// A telephone that digits are sent to like this.
fn telephone(dtmf: DtmfMethod, info: TakesInfo) -> PartyMedia {
    let profile = Arc::new(MediaProfile { dtmf, ..MediaProfile::default() });
    PartyMedia { profile, info, ..party(Kind::Rtp) }
}

/// The callee's leg in a call that a telephone without a wish of its own made.
fn callee(offer: &str, callee: PartyMedia, answer: &str) -> (Bench, LegConfig) {
    let bench = Bench::of(Some(offer), party(Kind::Rtp), &[callee]);
    let (bench, _) = bench.answered(answer);
    let leg = bench.call.media().unwrap().config(Side::B);
    (bench, leg)
}

fn play(side: Side, event: u8) -> Action {
    Action::PlayDigit { session: SessionId(1), side, event, duration_ms: 100 }
}

const WAIT: Duration = Duration::from_millis(250);

#[test]
fn each_party_gets_digits_as_configured_or_as_it_can_have_them() {
    use DtmfMethod::{Auto, Inband, Info, Rfc4733};
    use TakesInfo::{Allowed, Never, Unsaid};
    let (with, without) = (samples::BARESIP, samples::SIPP);
    for (method, info, answer, expected) in [
        (Auto, Allowed, with, Digits::Events),
        (Auto, Allowed, without, Digits::Told),
        // The dataplane makes tones where there are no events.
        (Auto, Unsaid, without, Digits::Events),
        (Rfc4733, Allowed, without, Digits::Events),
        (Info, Unsaid, with, Digits::Told),
        (Info, Never, with, Digits::Events),
        (Inband, Allowed, with, Digits::Tones),
    ] {
        let (_, leg) = callee(samples::BARESIP, telephone(method, info), answer);
        assert_eq!(leg.audio.digits, expected, "{method:?} {info:?}");
    }
}

#[test]
fn tones_are_looked_for_where_events_cannot_come_and_tones_do_not_do() {
    use DtmfMethod::{Auto, Inband, Info};
    for (method, offer, answer, expected) in [
        (Auto, samples::BARESIP, samples::SIPP, true),
        (Auto, samples::BARESIP, samples::BARESIP, false),
        (Auto, samples::SIPP, samples::SIPP, false),
        (Auto, samples::CHROMIUM, samples::SIPP, false),
        (Inband, samples::CHROMIUM, samples::SIPP, true),
        (Inband, samples::BARESIP, samples::BARESIP, true),
        (Info, samples::BARESIP, samples::SIPP, false),
    ] {
        let (_, leg) = callee(offer, telephone(method, TakesInfo::Unsaid), answer);
        assert_eq!(leg.audio.detect_tones, expected, "{method:?}");
    }
}

#[test]
fn messages_become_what_the_other_side_takes() {
    let told = telephone(DtmfMethod::Info, TakesInfo::Unsaid);
    let (mut bench, _) = callee(samples::BARESIP, told, samples::SIPP);
    assert_eq!(bench.signal(Who::Caller, digit('#')), [], "the same may come in the media");
    assert_eq!(signals_to(Who::Callee(0), &bench.wait(WAIT)), [digit('#')]);
    assert_eq!(bench.signal(Who::Callee(0), digit('#')), [play(Side::A, 11)], "no media can have it");
    let plain = Signal::Digit { digit: '7', duration_ms: 1, format: DigitFormat::Plain };
    let shortest = Action::PlayDigit { session: SessionId(1), side: Side::A, event: 7, duration_ms: 40 };
    assert_eq!(bench.signal(Who::Callee(0), plain), [shortest]);
}

#[test]
fn digits_in_the_media_are_told_to_who_takes_messages_only() {
    let told = telephone(DtmfMethod::Auto, TakesInfo::Allowed);
    let (mut bench, _) = callee(samples::BARESIP, told, samples::SIPP);
    let pressed = |side| EventKind::Digit { side, event: 10, duration_ms: 100 };
    bench.call.media_event(bench.now, SessionId(1), &pressed(Side::A));
    assert_eq!(signals_to(Who::Callee(0), &bench.actions()), [digit('*')]);
    bench.call.media_event(bench.now, SessionId(1), &pressed(Side::B));
    assert_eq!(bench.actions(), [], "the dataplane passed it on");
}

#[test]
fn a_key_press_that_comes_as_event_and_as_message_is_passed_once() {
    let (mut bench, _) = Bench::talking(samples::BARESIP, Kind::Rtp, samples::BARESIP);
    let pressed = EventKind::Digit { side: Side::A, event: 5, duration_ms: 100 };
    bench.signal(Who::Caller, digit('5'));
    bench.call.media_event(bench.now, SessionId(1), &pressed);
    assert_eq!(bench.wait(WAIT), [], "the dataplane passed the event on");
    bench.call.media_event(bench.now, SessionId(1), &pressed);
    bench.signal(Who::Caller, digit('5'));
    assert_eq!(bench.wait(WAIT), []);
    bench.signal(Who::Caller, digit('5'));
    assert_eq!(bench.call.next_timeout(), Some(bench.now + WAIT));
    assert_eq!(bench.wait(WAIT), [play(Side::B, 5)], "by message only");
}

#[test]
fn a_party_that_says_that_it_takes_info_is_sent_info() {
    let (mut bench, leg) =
        callee(samples::BARESIP, telephone(DtmfMethod::Auto, TakesInfo::Unsaid), samples::SIPP);
    assert_eq!(leg.audio.digits, Digits::Events);
    bench.call.note_info(Who::Callee(0), TakesInfo::Allowed);
    let told = |action: &Action| matches!(action, Action::Configure { side: Side::B, leg, .. } if leg.audio.digits == Digits::Told);
    assert!(bench.actions().iter().any(told), "the dataplane is told at once");
    bench.call.note_info(Who::Callee(0), TakesInfo::Allowed);
    assert_eq!(bench.actions(), [], "nothing new");
}

#[test]
fn digits_before_anything_is_heard_go_nowhere() {
    let mut bench = Bench::of(Some(samples::SIPP), party(Kind::Rtp), &[party(Kind::Rtp)]);
    bench.actions();
    bench.create(0);
    assert_eq!(bench.signal(Who::Caller, digit('1')), []);
    bench.signal(Who::Callee(0), Signal::Progress { status: 183, sdp: Some(samples::SIPP.into()) });
    assert_eq!(bench.signal(Who::Caller, digit('1')), [play(Side::B, 1)], "an announcement asks");
}

#[test]
fn a_page_chooses_messages_where_they_can_be_sent() {
    let (mut bench, _) = Bench::talking(samples::BARESIP, Kind::Rtp, samples::BARESIP);
    bench.call.send_digit(Who::Caller, '1', 100, None);
    bench.call.send_digit(Who::Caller, '2', 100, Some(DigitFormat::Plain));
    let plain = Signal::Digit { digit: '2', duration_ms: 100, format: DigitFormat::Plain };
    assert_eq!(bench.actions(), [play(Side::B, 1), Action::Signal(Who::Callee(0), plain)]);
    bench.call.note_info(Who::Callee(0), TakesInfo::Never);
    bench.call.send_digit(Who::Caller, '2', 100, Some(DigitFormat::Relay));
    assert_eq!(bench.actions(), [play(Side::B, 2)]);
}
