use super::*;
use crate::party::DigitFormat;

#[test]
fn a_call_is_made_answered_and_hung_up() {
    let mut network = Network::calm();
    let (a, b) = network.ringing();
    network.signal(B, b, Signal::Answer { sdp: Some(b"answer".to_vec()) });
    network.ms(50);
    assert_eq!(
        network.signals(A),
        [Signal::Progress { status: 180, sdp: None }, Signal::Answer { sdp: Some(b"answer".to_vec()) }]
    );
    network.signal(A, a, Signal::Hangup(Cause::normal()));
    network.ms(50);
    assert_eq!(network.signals(B), [Signal::Hangup(Cause::normal())]);
    assert_eq!((network.sent("0 ACK"), network.sent("0 BYE"), network.sent("0 INVITE")), (1, 1, 1));
    network.assert_nothing_left();
}

#[test]
fn the_callee_hangs_up_and_says_why() {
    let mut network = Network::calm();
    let (_, b) = network.established();
    let cause = Cause::new(480, "Lost the media");
    network.signal(B, b, Signal::Hangup(cause.clone()));
    network.ms(50);
    assert_eq!(network.signals(A), [Signal::Hangup(cause)]);
    network.assert_nothing_left();
}

#[test]
fn a_rejection_carries_its_cause() {
    let mut network = Network::calm();
    let (_, b) = network.invited(call_to("sip:bob@192.0.2.2"));
    network.signal(B, b, Signal::Reject(Cause::new(486, "Busy Here")));
    network.ms(50);
    assert_eq!(network.signals(A), [Signal::Reject(Cause::new(486, "Busy Here"))]);
    network.assert_nothing_left();
}

#[test]
fn a_cancelled_call_ends_on_both_sides() {
    let mut network = Network::calm();
    let (a, _) = network.ringing();
    network.signal(A, a, Signal::Hangup(Cause::new(487, "Caller gave up")));
    network.ms(50);
    assert_eq!(network.signals(B), [Signal::Hangup(Cause::new(487, "Caller gave up"))]);
    assert_eq!(network.sent("1 SIP/2.0 487"), 1);
    network.assert_nothing_left();
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut network = Network::calm();
    let (a, b) = network.ringing();
    network.signal(A, a, Signal::Hangup(Cause::normal()));
    network.signal(B, b, Signal::Answer { sdp: Some(b"answer".to_vec()) });
    network.ms(100);
    assert_eq!(network.signals(B), [Signal::Hangup(Cause::normal())]);
    assert_eq!((network.sent("0 ACK"), network.sent("0 BYE")), (1, 1));
    network.assert_nothing_left();
}

#[test]
fn an_empty_invite_gets_the_offer_in_the_answer() {
    let mut network = Network::calm();
    let (a, b) = network.invited(Invite { sdp: None, ..call_to("sip:bob@192.0.2.2") });
    network.signal(B, b, Signal::Answer { sdp: offer_sdp() });
    network.ms(50);
    assert_eq!(network.signals(A), [Signal::Answer { sdp: offer_sdp() }]);
    assert_eq!(network.sent("0 ACK"), 0);
    network.signal(A, a, Signal::LateAnswer { sdp: b"late".to_vec() });
    network.ms(50);
    assert_eq!(network.signals(B), [Signal::LateAnswer { sdp: b"late".to_vec() }]);
    network.signal(B, b, Signal::Hangup(Cause::normal()));
    network.assert_nothing_left();
}

#[test]
fn early_media_goes_reliably_and_the_answer_is_not_repeated() {
    let mut network = Network::calm();
    let (a, b) = network.invited(call_to("sip:bob@192.0.2.2"));
    network.signal(B, b, Signal::Progress { status: 183, sdp: Some(b"early".to_vec()) });
    // The 200 must wait for the PRACK.
    network.signal(B, b, Signal::Answer { sdp: Some(b"early".to_vec()) });
    network.ms(200);
    assert_eq!(network.sent("0 PRACK"), 1);
    let early = Signal::Progress { status: 183, sdp: Some(b"early".to_vec()) };
    assert_eq!(network.signals(A), [early, Signal::Answer { sdp: None }]);
    network.signal(A, a, Signal::Hangup(Cause::normal()));
    network.assert_nothing_left();
}

#[test]
fn an_offer_in_a_reliable_response_is_answered_in_the_prack() {
    let mut network = Network::calm();
    let (a, b) = network.invited(Invite { sdp: None, ..call_to("sip:bob@192.0.2.2") });
    network.signal(B, b, Signal::Progress { status: 183, sdp: offer_sdp() });
    network.ms(50);
    assert_eq!(network.signals(A), [Signal::Progress { status: 183, sdp: offer_sdp() }]);
    network.signal(A, a, Signal::LateAnswer { sdp: b"late".to_vec() });
    network.ms(50);
    assert_eq!(network.signals(B), [Signal::LateAnswer { sdp: b"late".to_vec() }]);
    network.signal(B, b, Signal::Answer { sdp: None });
    network.ms(50);
    assert_eq!(network.signals(A), [Signal::Answer { sdp: None }]);
    network.signal(A, a, Signal::Hangup(Cause::normal()));
    network.assert_nothing_left();
}

#[test]
fn digits_go_by_info() {
    let mut network = Network::calm();
    let (a, b) = network.established();
    let digit = Signal::Digit { digit: '#', duration_ms: 160, format: DigitFormat::Relay };
    network.signal(A, a, digit.clone());
    network.signal(B, b, digit.clone());
    network.ms(50);
    assert_eq!(network.signals(B), std::slice::from_ref(&digit));
    assert_eq!(network.signals(A), std::slice::from_ref(&digit));
    network.signal(A, a, Signal::Hangup(Cause::normal()));
    network.assert_nothing_left();
}

#[test]
fn an_unreachable_callee_times_out_with_408() {
    let mut network = Network::new(1, Weather { loss: 100, ..Weather::default() });
    network.invite(call_to("sip:bob@192.0.2.2"));
    network.run(Duration::from_secs(31));
    assert!(network.signals(A).is_empty());
    network.run(Duration::from_secs(2));
    assert!(matches!(network.signals(A).as_slice(), [Signal::Reject(Cause { status: 408, .. })]));
    assert_eq!(network.sent("0 INVITE"), 7);
    network.assert_nothing_left();
}

#[test]
fn a_callee_that_never_answers_is_cancelled() {
    let mut network = Network::calm();
    let (_, b) = network.invited(call_to("sip:bob@192.0.2.2"));
    network.signal(B, b, Signal::Progress { status: 180, sdp: None });
    network.run(Duration::from_secs(201));
    assert!(matches!(network.signals(A).last(), Some(Signal::Reject(Cause { status: 408, .. }))));
    assert!(matches!(network.signals(B).as_slice(), [Signal::Hangup(_)]));
    network.assert_nothing_left();
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut network = Network::calm();
    let (_, b) = network.invited(call_to("sip:bob@192.0.2.2"));
    network.signal(B, b, Signal::Answer { sdp: Some(b"answer".to_vec()) });
    network.signal(B, b, Signal::Hangup(Cause::normal()));
    network.drain();
    assert_eq!(network.sent("1 BYE"), 0);
    network.ms(100);
    assert_eq!(network.sent("1 BYE"), 1);
    assert_eq!(network.signals(A).last(), Some(&Signal::Hangup(Cause::normal())));
    network.assert_nothing_left();
}

/// Calls in bad weather: whatever is lost, doubled or late, each call is made and ended, and nothing is left.
#[test]
fn calls_survive_loss_duplication_and_reordering() {
    for seed in 0..60 {
        let weather = Weather { loss: 20, duplication: 15, jitter_ms: 300 };
        let mut network = Network::new(seed, weather);
        let a = network.invite(call_to("sip:bob@192.0.2.2"));
        network.run(Duration::from_secs(20));
        let b = network.accept();
        network.signal(B, b, Signal::Progress { status: 183, sdp: Some(b"early".to_vec()) });
        network.run(Duration::from_secs(10));
        network.signal(B, b, Signal::Answer { sdp: Some(b"answer".to_vec()) });
        network.run(Duration::from_secs(20));
        let answered = network.signals(A).iter().any(|signal| matches!(signal, Signal::Answer { .. }));
        assert!(answered, "seed {seed}: {:#?}", network.trace);
        network.signal(A, a, Signal::Offer { sdp: Some(b"again".to_vec()), update: false });
        network.run(Duration::from_secs(20));
        if network.signals(B).contains(&Signal::Offer { sdp: Some(b"again".to_vec()), update: false }) {
            network.signal(B, b, Signal::OfferAnswer { sdp: b"yes".to_vec() });
        }
        network.run(Duration::from_secs(20));
        assert_eq!(network.signals(A), [Signal::OfferAnswer { sdp: b"yes".to_vec() }], "seed {seed}");
        network.signal(B, b, Signal::Hangup(Cause::normal()));
        network.run(Duration::from_secs(60));
        assert!(matches!(network.signals(A).as_slice(), [Signal::Hangup(_)]), "seed {seed}");
        network.assert_nothing_left();
    }
}
