use super::*;
use crate::settings::MediaProfile;
use crate::tones::{Country, Progress};
use std::sync::Arc;

const LENGTH: Duration = Duration::from_secs(5);

/// A caller that hears every tone.
pub(super) fn caller_of_tones() -> PartyMedia {
    let profile = MediaProfile { ring_back: true, failure_tone: LENGTH, ..MediaProfile::default() };
    PartyMedia { profile: Arc::new(profile), ..party(Kind::Rtp) }
}

/// A call that one telephone is rung for.
fn ringing() -> Bench {
    let mut bench = Bench::of(Some(samples::CHROMIUM), caller_of_tones(), &[party(Kind::Rtp)]);
    bench.actions();
    bench.create(0);
    bench
}

fn alerting() -> Signal {
    Signal::Progress { status: 180, sdp: None }
}

fn tone(progress: Progress) -> Action {
    let tones = Country::default().tones(progress);
    Action::PlayTone { session: SessionId(1), side: Side::A, tones }
}

fn stopped() -> Action {
    Action::StopTone { session: SessionId(1), side: Side::A }
}

#[test]
fn the_caller_hears_ring_back_until_the_answer() {
    let mut bench = ringing();
    let actions = bench.signal(Who::Callee(0), alerting());
    let Some(Action::Configure { side: Side::A, leg, .. }) = actions.first() else { panic!("{actions:?}") };
    assert!(leg.audio.may_send && !leg.audio.may_receive && !leg.audio.send.is_empty());
    assert!(actions.contains(&tone(Progress::RingBack)));
    let told = signals_to(Who::Caller, &actions);
    let [Signal::Progress { status: 183, sdp: Some(early) }] = &told[..] else { panic!("{told:?}") };
    assert!(text(early).contains("UDP/TLS/RTP/SAVPF 111 "), "the codec that is preferred: {}", text(early));

    let again = bench.signal(Who::Callee(0), alerting());
    assert_eq!(again, [Action::Signal(Who::Caller, Signal::Progress { status: 183, sdp: None })]);

    let actions = bench.signal(Who::Callee(0), Signal::Answer { sdp: Some(samples::SIPP.into()) });
    assert!(actions.contains(&stopped()));
    let told = signals_to(Who::Caller, &actions);
    let [Signal::Answer { sdp: Some(answer) }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(text(answer), text(early), "the answer does not change any more");
    let both = bench.call.media().unwrap();
    assert!(both.config(Side::A).audio.may_receive && both.config(Side::B).audio.may_send);
}

#[test]
fn early_media_takes_the_place_of_ring_back() {
    let mut bench = ringing();
    bench.signal(Who::Callee(0), alerting());
    let early = Signal::Progress { status: 183, sdp: Some(samples::SIPP.into()) };
    assert!(bench.signal(Who::Callee(0), early.clone()).contains(&stopped()));
    assert!(!bench.signal(Who::Callee(0), early).contains(&stopped()), "once");
    let refused = bench.signal(Who::Callee(0), Signal::Reject(Cause::new(486, "Busy Here")));
    assert_eq!(signals_to(Who::Caller, &refused), [Signal::Reject(Cause::new(486, "Busy Here"))]);
}

#[test]
fn an_answer_without_a_description_is_none_although_the_caller_has_one() {
    let mut bench = ringing();
    bench.signal(Who::Callee(0), alerting());
    let told = bench.signal(Who::Callee(0), Signal::Answer { sdp: None });
    assert!(matches!(&signals_to(Who::Caller, &told)[..], [Signal::Reject(cause)] if cause.status == 488));
}

#[test]
fn the_caller_hears_why_before_it_is_refused() {
    for (status, progress) in [(486, Progress::Busy), (603, Progress::Busy), (503, Progress::Congestion)] {
        for rings_first in [false, true] {
            let mut bench = ringing();
            if rings_first {
                bench.signal(Who::Callee(0), alerting());
            }
            let cause = Cause::new(status, "no");
            let actions = bench.signal(Who::Callee(0), Signal::Reject(cause.clone()));
            assert!(actions.contains(&tone(progress)), "{actions:?}");
            let opened = signals_to(Who::Caller, &actions);
            assert_eq!(opened.len(), usize::from(!rings_first), "an answer is given once");
            assert_eq!(bench.call.next_timeout(), Some(bench.now + LENGTH));
            assert_eq!(bench.signal(Who::Callee(0), Signal::Hangup(Cause::normal())), []);
            let end = bench.wait(LENGTH);
            assert_eq!(signals_to(Who::Caller, &end), [Signal::Reject(cause)]);
            assert!(bench.sessions.is_empty() && bench.call.ended().is_some());
        }
    }
}

#[test]
fn who_hangs_up_while_it_hears_why_is_gone_at_once() {
    let mut bench = ringing();
    bench.signal(Who::Callee(0), Signal::Reject(Cause::new(486, "Busy Here")));
    assert_eq!(signals_to(Who::Caller, &bench.signal(Who::Caller, Signal::Hangup(Cause::normal()))), []);
    assert!(bench.sessions.is_empty() && bench.call.ended().is_some());
}

#[test]
fn who_is_not_configured_for_tones_or_offers_nothing_hears_none() {
    let mut silent = Bench::new(Some(samples::SIPP), &[Kind::Rtp]);
    let mut late = Bench::of(None, caller_of_tones(), &[party(Kind::Rtp)]);
    let mut several =
        Bench::of(Some(samples::SIPP), caller_of_tones(), &[party(Kind::Rtp), party(Kind::Rtp)]);
    for bench in [&mut silent, &mut late, &mut several] {
        bench.actions();
        bench.create(0);
        let ringing = Action::Signal(Who::Caller, alerting());
        assert_eq!(bench.signal(Who::Callee(0), alerting()), [ringing]);
        let refused = bench.signal(Who::Callee(0), Signal::Reject(Cause::new(486, "Busy Here")));
        assert!(!refused.contains(&tone(Progress::Busy)));
    }
}
