mod digits;
mod hold;
mod info;
mod tones;
mod video;

use super::*;
use crate::party::DigitFormat;
use crate::sdp::samples;
use std::net::{IpAddr, Ipv4Addr};
use tandem_control::{EventKind, Latch, PortKind, Security};

fn random() -> impl FnMut(&mut [u8]) {
    let mut next = 0u8;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            next = next.wrapping_add(1);
            *byte = next;
        }
    }
}

fn party(kind: Kind) -> PartyMedia {
    let source = Some("192.0.2.7".parse().unwrap());
    PartyMedia { kind, profile: Default::default(), source, takes_offers: true, info: TakesInfo::Unsaid }
}

fn local(port: u16) -> LocalPorts {
    let at = |port| format!("10.0.0.1:{port}").parse().unwrap();
    LocalPorts { rtp: at(port), rtcp: at(port + 1), video: None }
}

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

struct Bench {
    call: Call,
    now: Instant,
    random: crate::switch::RandomSource,
    sessions: Vec<SessionId>,
}

impl Bench {
    fn new(offer: Option<&str>, callees: &[Kind]) -> Bench {
        let callees: Vec<PartyMedia> = callees.iter().map(|kind| party(*kind)).collect();
        Bench::of(offer, party(Kind::Rtp), &callees)
    }

    fn of(offer: Option<&str>, caller: PartyMedia, callees: &[PartyMedia]) -> Bench {
        let now = Instant::now();
        let setup = Setup {
            rules: MediaRules {
                advertised: vec!["198.51.100.1".parse().unwrap()],
                local: vec![LOCAL],
                allow_local: false,
                fingerprint: [7; 32],
                tones: Default::default(),
            },
            caller,
            offer: offer.map(|offer| offer.as_bytes().to_vec()),
            callees: callees.to_vec(),
            ring: Duration::from_secs(60),
            awaited: None,
        };
        Bench { call: Call::new(now, setup).unwrap(), now, random: Box::new(random()), sessions: Vec::new() }
    }

    fn actions(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(action) = self.call.poll_action() {
            if let Action::Delete { session } = &action {
                let at = self.sessions.iter().position(|each| each == session).expect("deleted once");
                self.sessions.remove(at);
            }
            actions.push(action);
        }
        actions
    }

    fn create(&mut self, branch: usize) -> Vec<Action> {
        let session = SessionId(branch as u64 + 1);
        self.sessions.push(session);
        let ports = [local(40_000), local(41_000)];
        self.call.created(branch, session, ports, &mut *self.random);
        self.actions()
    }

    /// Time passes.
    fn wait(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.call.handle_timeout(self.now, &mut *self.random);
        self.actions()
    }

    fn signal(&mut self, from: Who, signal: Signal) -> Vec<Action> {
        self.call.signal(self.now, from, signal, &mut *self.random);
        self.actions()
    }

    /// A call that is answered, with what the caller was told.
    fn talking(offer: &str, kind: Kind, answer: &str) -> (Bench, String) {
        Bench::new(Some(offer), &[kind]).answered(answer)
    }

    fn answered(self, answer: &str) -> (Bench, String) {
        let mut bench = self;
        bench.actions();
        bench.create(0);
        let actions = bench.signal(Who::Callee(0), Signal::Answer { sdp: Some(answer.into()) });
        let answer = actions.iter().find_map(|action| match action {
            Action::Signal(Who::Caller, Signal::Answer { sdp: Some(sdp) }) => Some(text(sdp)),
            _ => None,
        });
        (bench, answer.unwrap_or_else(|| panic!("no answer in {actions:?}")))
    }
}

fn text(sdp: &[u8]) -> String {
    String::from_utf8(sdp.to_vec()).unwrap()
}

fn signals_to(who: Who, actions: &[Action]) -> Vec<Signal> {
    let to = |action: &Action| match action {
        Action::Signal(to, signal) if *to == who => Some(signal.clone()),
        _ => None,
    };
    actions.iter().filter_map(to).collect()
}

fn digit(digit: char) -> Signal {
    Signal::Digit { digit, duration_ms: 100, format: DigitFormat::Relay }
}

/// A browser's answer to any of our offers.
fn browser_answer() -> String {
    samples::CHROMIUM.replace("setup:actpass", "setup:active")
}

#[test]
fn each_side_gets_the_ports_that_its_kind_needs() {
    let mut bench = Bench::new(Some(samples::CHROMIUM), &[Kind::Rtp]);
    let ports = [
        PortRequest { address: LOCAL, kind: PortKind::Shared, video: false },
        PortRequest { address: LOCAL, kind: PortKind::Own, video: false },
    ];
    assert_eq!(bench.actions(), [Action::Create { branch: 0, ports }]);
}

#[test]
fn both_sides_are_configured_before_the_answer_goes_on() {
    let mut bench = Bench::new(Some(samples::CHROMIUM), &[Kind::Rtp]);
    bench.actions();
    bench.create(0);
    let actions = bench.signal(Who::Callee(0), Signal::Answer { sdp: Some(samples::BARESIP.into()) });
    let kinds: Vec<&str> = actions
        .iter()
        .map(|action| match action {
            Action::Configure { side: Side::A, .. } => "A",
            Action::Configure { side: Side::B, .. } => "B",
            Action::Signal(Who::Caller, Signal::Answer { .. }) => "answer",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["A", "B", "answer"]);
    let Action::Configure { leg, .. } = &actions[1] else { panic!() };
    assert_eq!((&leg.security, leg.latch), (&Security::None, Latch::SameAddress));
}

#[test]
fn a_browsers_checks_are_answered_before_its_answer() {
    let mut bench = Bench::new(Some(samples::SIPP), &[Kind::WebRtc]);
    bench.actions();
    let actions = bench.create(0);
    let [Action::Configure { side: Side::B, leg, .. }, Action::Invite { .. }] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert!(leg.ice.as_ref().is_some_and(|ice| ice.remote.is_none()) && leg.rtcp_mux);
    assert!(matches!(&leg.security, Security::Dtls { fingerprints, .. } if fingerprints.is_empty()));
    assert!(!leg.audio.may_send && !leg.audio.may_receive);
}

#[test]
fn one_codec_goes_end_to_end_where_both_have_it() {
    let (_, answer) = Bench::talking(samples::CHROMIUM, Kind::Rtp, samples::BARESIP);
    assert!(answer.contains("RTP/SAVPF 111 110"));
    let (_, answer) = Bench::talking(samples::CHROMIUM, Kind::Rtp, samples::SIPP);
    assert!(answer.contains("RTP/SAVPF 0 126"), "PCMU needs no transcoding: {answer}");
}

#[test]
fn the_answer_after_early_media_is_the_early_one() {
    let mut bench = Bench::new(Some(samples::CHROMIUM), &[Kind::Rtp]);
    bench.actions();
    bench.create(0);
    let early = Signal::Progress { status: 183, sdp: Some(samples::SIPP.into()) };
    let early = signals_to(Who::Caller, &bench.signal(Who::Callee(0), early));
    let late = Signal::Answer { sdp: Some(samples::BARESIP.into()) };
    let late = signals_to(Who::Caller, &bench.signal(Who::Callee(0), late));
    let [Signal::Progress { sdp: Some(early), .. }] = early.as_slice() else { panic!("{early:?}") };
    let [Signal::Answer { sdp: Some(late) }] = late.as_slice() else { panic!("{late:?}") };
    assert_eq!(text(early), text(late));
}

#[test]
fn the_first_to_answer_wins_and_the_others_leave_nothing() {
    let mut bench = Bench::new(Some(samples::CHROMIUM), &[Kind::Rtp, Kind::WebRtc, Kind::Rtp]);
    bench.actions();
    bench.create(0);
    bench.create(1);
    let actions = bench.signal(Who::Callee(1), Signal::Answer { sdp: Some(browser_answer().into()) });
    assert!(matches!(signals_to(Who::Callee(0), &actions)[..], [Signal::Hangup(_)]));
    assert_eq!(signals_to(Who::Callee(2), &actions), [], "it never rang");
    bench.create(2);
    assert_eq!(bench.sessions, [SessionId(2)]);
    bench.signal(Who::Callee(1), Signal::Hangup(Cause::normal()));
    assert!(bench.sessions.is_empty());
}

#[test]
fn the_best_cause_is_told_when_nobody_takes_the_call() {
    let mut bench = Bench::new(Some(samples::SIPP), &[Kind::Rtp, Kind::Rtp]);
    bench.actions();
    bench.create(0);
    bench.create(1);
    assert_eq!(
        signals_to(Who::Caller, &bench.signal(Who::Callee(0), Signal::Reject(Cause::new(503, "")))),
        []
    );
    let actions = bench.signal(Who::Callee(1), Signal::Reject(Cause::new(486, "Busy Here")));
    assert_eq!(signals_to(Who::Caller, &actions), [Signal::Reject(Cause::new(486, "Busy Here"))]);
    assert!(bench.sessions.is_empty());
}

#[test]
fn a_caller_that_gives_up_cancels_everything() {
    let mut bench = Bench::new(Some(samples::SIPP), &[Kind::Rtp]);
    bench.actions();
    bench.create(0);
    let actions = bench.signal(Who::Caller, Signal::Hangup(Cause::new(487, "")));
    assert!(matches!(signals_to(Who::Callee(0), &actions)[..], [Signal::Hangup(_)]));
    assert!(bench.call.ended().is_some() && bench.sessions.is_empty());
}

#[test]
fn nobody_answers() {
    let mut bench = Bench::new(Some(samples::SIPP), &[Kind::Rtp]);
    bench.actions();
    bench.create(0);
    let at = bench.call.next_timeout().unwrap();
    assert_eq!(at, bench.now + Duration::from_secs(60));
    bench.call.handle_timeout(at, &mut *bench.random);
    let actions = bench.actions();
    assert_eq!(signals_to(Who::Caller, &actions), [Signal::Reject(Cause::new(408, "No answer"))]);
}

#[test]
fn no_ports_is_503() {
    let mut bench = Bench::new(Some(samples::SIPP), &[Kind::Rtp]);
    bench.actions();
    bench.call.refused(0, &Refusal::OutOfPorts);
    let signals = signals_to(Who::Caller, &bench.actions());
    assert!(matches!(&signals[..], [Signal::Reject(cause)] if cause.status == 503));
}

#[test]
fn a_late_offer_is_made_to_the_caller_from_what_the_callee_chose() {
    let mut bench = Bench::new(None, &[Kind::Rtp]);
    bench.actions();
    let actions = bench.create(0);
    assert!(matches!(&actions[..], [Action::Invite { sdp, .. }] if text(sdp).contains("RTP/AVP 111 9 0 8 ")));
    let actions = bench.signal(Who::Callee(0), Signal::Answer { sdp: Some(samples::SIPP.into()) });
    let signals = signals_to(Who::Caller, &actions);
    let [Signal::Answer { sdp: Some(offer) }] = &signals[..] else { panic!("{signals:?}") };
    assert!(text(offer).contains("RTP/AVP 0 111 9 8 "), "{}", text(offer));
    let actions = bench.signal(Who::Caller, Signal::LateAnswer { sdp: samples::SIPP.into() });
    assert!(actions.iter().any(|action| matches!(action, Action::Configure { side: Side::A, .. })));
}

#[test]
fn hold_is_passed_on_and_refresh_is_not() {
    let (mut bench, _) = Bench::talking(samples::SIPP, Kind::WebRtc, &browser_answer());
    let refresh = Signal::Offer { sdp: Some(samples::SIPP.into()), update: false };
    let actions = bench.signal(Who::Caller, refresh);
    assert!(matches!(signals_to(Who::Caller, &actions)[..], [Signal::OfferAnswer { .. }]));
    assert_eq!(signals_to(Who::Callee(0), &actions), []);

    let hold = format!("{}a=sendonly\r\n", samples::SIPP);
    let actions = bench.signal(Who::Caller, Signal::Offer { sdp: Some(hold.into()), update: false });
    let signals = signals_to(Who::Callee(0), &actions);
    let [Signal::Offer { sdp: Some(offer), .. }] = &signals[..] else { panic!("{signals:?}") };
    assert!(text(offer).contains("a=sendonly"));
    assert_eq!(signals_to(Who::Caller, &actions), [], "not before the callee agreed");

    let held = browser_answer().replace("a=sendrecv", "a=recvonly");
    let actions = bench.signal(Who::Callee(0), Signal::OfferAnswer { sdp: held.into() });
    let signals = signals_to(Who::Caller, &actions);
    assert!(matches!(&signals[..], [Signal::OfferAnswer { sdp }] if text(sdp).contains("a=recvonly")));
    bench.call.media_event(bench.now, SessionId(1), &EventKind::MediaTimeout);
    assert!(bench.call.ended().is_none(), "silence on hold is no fault");
}

#[test]
fn a_refused_offer_changes_nothing() {
    let (mut bench, answer) = Bench::talking(samples::SIPP, Kind::Rtp, samples::SIPP);
    let hold = format!("{}a=inactive\r\n", samples::SIPP);
    bench.signal(Who::Caller, Signal::Offer { sdp: Some(hold.into()), update: false });
    let actions = bench.signal(Who::Callee(0), Signal::OfferReject(Cause::new(491, "Request Pending")));
    assert_eq!(signals_to(Who::Caller, &actions), [Signal::OfferReject(Cause::new(491, "Request Pending"))]);
    let again = bench.signal(Who::Caller, Signal::Offer { sdp: Some(samples::SIPP.into()), update: false });
    let signals = signals_to(Who::Caller, &again);
    assert!(matches!(&signals[..], [Signal::OfferAnswer { sdp }] if text(sdp) == answer));
}

#[test]
fn a_second_offer_meanwhile_is_491() {
    let (mut bench, _) = Bench::talking(samples::SIPP, Kind::Rtp, samples::SIPP);
    let hold = format!("{}a=inactive\r\n", samples::SIPP);
    bench.signal(Who::Caller, Signal::Offer { sdp: Some(hold.clone().into()), update: false });
    let actions = bench.signal(Who::Callee(0), Signal::Offer { sdp: Some(hold.into()), update: true });
    let signals = signals_to(Who::Callee(0), &actions);
    assert!(matches!(&signals[..], [Signal::OfferReject(cause)] if cause.status == 491));
}

#[test]
fn media_events_end_the_call_with_a_cause_that_says_why() {
    for (kind, words) in [
        (EventKind::MediaTimeout, "No media"),
        (EventKind::DtlsFailed { side: Side::A }, "DTLS handshake with the caller"),
        (EventKind::ConsentLost { side: Side::B }, "browser of the callee"),
    ] {
        let (mut bench, _) = Bench::talking(samples::SIPP, Kind::Rtp, samples::SIPP);
        bench.call.media_event(bench.now, SessionId(1), &kind);
        let actions = bench.actions();
        for who in [Who::Caller, Who::Callee(0)] {
            let signals = signals_to(who, &actions);
            assert!(matches!(&signals[..], [Signal::Hangup(cause)] if cause.text.contains(words)));
        }
        assert!(bench.sessions.is_empty());
    }
}

#[test]
fn media_to_loopback_is_refused_to_who_is_elsewhere() {
    let mut bench = Bench::new(Some(&samples::SIPP.replace("192.0.2.30", "127.0.0.1")), &[Kind::Rtp]);
    bench.actions();
    let signals = signals_to(Who::Caller, &bench.create(0));
    assert!(matches!(&signals[..], [Signal::Reject(cause)] if cause.status == 488));
    assert!(bench.sessions.is_empty());
}

mod invariant {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Create(usize),
        Refuse(usize),
        Signal(bool, usize, Signal),
        Media(u64, EventKind),
        Timeout,
    }

    fn sdp() -> impl Strategy<Value = Vec<u8>> {
        let hold = format!("{}a=sendonly\r\n", samples::SIPP);
        let all = vec![
            samples::SIPP.to_owned(),
            samples::BARESIP.to_owned(),
            browser_answer(),
            hold,
            "x".to_owned(),
        ];
        proptest::sample::select(all).prop_map(String::into_bytes)
    }

    fn signal() -> impl Strategy<Value = Signal> {
        let cause = || Cause::new(486, "Busy Here");
        prop_oneof![
            1 => proptest::option::of(sdp()).prop_map(|sdp| Signal::Progress { status: 180, sdp }),
            3 => proptest::option::of(sdp()).prop_map(|sdp| Signal::Answer { sdp }),
            1 => sdp().prop_map(|sdp| Signal::LateAnswer { sdp }),
            1 => Just(Signal::Reject(cause())),
            3 => proptest::option::of(sdp()).prop_map(|sdp| Signal::Offer { sdp, update: false }),
            2 => sdp().prop_map(|sdp| Signal::OfferAnswer { sdp }),
            1 => Just(Signal::OfferReject(cause())),
            1 => Just(Signal::Hangup(cause())),
            1 => Just(digit('5')),
            2 => any::<bool>().prop_map(|on| Signal::Hold { on }),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0usize..3).prop_map(Step::Create),
            1 => (0usize..3).prop_map(Step::Refuse),
            9 => (any::<bool>(), 0usize..3, signal()).prop_map(|(caller, branch, signal)| Step::Signal(caller, branch, signal)),
            1 => (1u64..4).prop_map(|session| Step::Media(session, EventKind::MediaTimeout)),
            1 => Just(Step::Timeout),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: at the end no session is left, each was deleted once, and every party
        /// that was rung or answered was told the end.
        #[test]
        fn every_call_leaves_nothing_behind(
            late in any::<bool>(), tones in any::<bool>(), one in any::<bool>(),
            steps in proptest::collection::vec(step(), 0..40),
        ) {
            let offer = if late { None } else { Some(samples::BARESIP) };
            let caller = if tones { tones::caller_of_tones() } else { party(Kind::Rtp) };
            let mut callees = [Kind::Rtp, Kind::WebRtc, Kind::Sdes].map(party).to_vec();
            callees.truncate(if one { 1 } else { 3 });
            let mut creating: Vec<usize> = (0..callees.len()).collect();
            let mut bench = Bench::of(offer, caller, &callees);
            bench.actions();
            for step in steps {
                match step {
                    Step::Create(branch) | Step::Refuse(branch) if !creating.contains(&branch) => {}
                    Step::Create(branch) => {
                        creating.retain(|each| *each != branch);
                        bench.create(branch);
                    }
                    Step::Refuse(branch) => {
                        creating.retain(|each| *each != branch);
                        bench.call.refused(branch, &Refusal::Busy);
                    }
                    Step::Signal(true, _, signal) => drop(bench.signal(Who::Caller, signal)),
                    Step::Signal(false, branch, signal) => drop(bench.signal(Who::Callee(branch), signal)),
                    Step::Media(session, kind) => bench.call.media_event(bench.now, SessionId(session), &kind),
                    Step::Timeout => drop(bench.wait(Duration::from_secs(61))),
                }
                bench.actions();
            }
            bench.call.hang_up(None, Cause::normal());
            bench.actions();
            for branch in creating {
                bench.create(branch);
            }
            prop_assert!(bench.call.ended().is_some());
            prop_assert!(bench.sessions.is_empty());
            prop_assert_eq!(bench.call.next_timeout(), None);
        }
    }
}
