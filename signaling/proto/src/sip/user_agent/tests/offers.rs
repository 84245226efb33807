use super::*;

fn offer(sdp: &str, update: bool) -> Signal {
    Signal::Offer { sdp: Some(sdp.as_bytes().to_vec()), update }
}

fn answer(sdp: &str) -> Signal {
    Signal::OfferAnswer { sdp: sdp.as_bytes().to_vec() }
}

#[test]
fn offers_go_by_reinvite_and_update_in_both_directions() {
    for update in [false, true] {
        for (offerer, answerer) in [(A, B), (B, A)] {
            let mut network = Network::calm();
            let (a, b) = network.established();
            let calls = [a, b];
            network.signal(offerer, calls[offerer], offer("hold", update));
            network.ms(50);
            assert_eq!(network.signals(answerer), [offer("hold", update)]);
            network.signal(answerer, calls[answerer], answer("held"));
            network.ms(50);
            assert_eq!(network.signals(offerer), [answer("held")]);
            network.signal(A, a, Signal::Hangup(Cause::normal()));
            network.assert_nothing_left();
        }
    }
}

#[test]
fn a_refused_offer_leaves_the_call() {
    let mut network = Network::calm();
    let (a, b) = network.established();
    network.signal(A, a, offer("video", false));
    network.ms(50);
    network.signal(B, b, Signal::OfferReject(Cause::new(488, "Not Acceptable Here")));
    network.ms(50);
    assert_eq!(network.signals(A), [Signal::OfferReject(Cause::new(488, "Not Acceptable Here"))]);
    network.signals(B);
    network.signal(A, a, offer("audio", false));
    network.ms(50);
    assert_eq!(network.signals(B), [offer("audio", false)]);
    network.signal(B, b, Signal::Hangup(Cause::normal()));
    network.assert_nothing_left();
}

#[test]
fn an_empty_reinvite_asks_for_an_offer() {
    let mut network = Network::calm();
    let (a, b) = network.established();
    network.signal(A, a, Signal::Offer { sdp: None, update: false });
    network.ms(50);
    assert_eq!(network.signals(B), [Signal::Offer { sdp: None, update: false }]);
    network.signal(B, b, answer("their offer"));
    network.ms(50);
    assert_eq!(network.signals(A), [answer("their offer")]);
    network.signal(A, a, Signal::LateAnswer { sdp: b"late".to_vec() });
    network.ms(50);
    assert_eq!(network.signals(B), [Signal::LateAnswer { sdp: b"late".to_vec() }]);
    network.signal(A, a, Signal::Hangup(Cause::normal()));
    network.assert_nothing_left();
}

#[test]
fn glare_is_resolved_by_491_and_a_later_retry() {
    let mut network = Network::calm();
    let (a, b) = network.established();
    network.signal(A, a, offer("from a", false));
    network.signal(B, b, offer("from b", false));
    network.ms(50);
    assert_eq!((network.sent("0 SIP/2.0 491"), network.sent("1 SIP/2.0 491")), (1, 1));
    // B does not own the Call-ID and comes again within 2 s.
    network.ms(2050);
    assert_eq!(network.signals(A), [offer("from b", false)]);
    network.signal(A, a, answer("to b"));
    network.ms(2500);
    assert_eq!(network.signals(B), [answer("to b"), offer("from a", false)]);
    network.signal(B, b, answer("to a"));
    network.ms(50);
    assert_eq!(network.signals(A), [answer("to a")]);
    network.signal(A, a, Signal::Hangup(Cause::normal()));
    network.assert_nothing_left();
}

#[test]
fn an_offer_while_the_peers_is_open_is_refused_at_once() {
    let mut network = Network::calm();
    let (a, b) = network.established();
    network.signal(A, a, offer("first", false));
    network.ms(50);
    network.signals(B);
    network.signal(B, b, offer("second", false));
    network.drain();
    assert!(matches!(network.signals(B).as_slice(), [Signal::OfferReject(Cause { status: 491, .. })]));
    network.signal(A, a, Signal::Hangup(Cause::normal()));
    network.assert_nothing_left();
}

#[test]
fn an_update_changes_early_media() {
    let mut network = Network::calm();
    let (a, b) = network.invited(call_to("sip:bob@192.0.2.2"));
    network.signal(B, b, Signal::Progress { status: 183, sdp: Some(b"early".to_vec()) });
    network.ms(100);
    network.signals(A);
    network.signal(A, a, offer("other", true));
    network.ms(50);
    assert!(network.signals(B).contains(&offer("other", true)));
    network.signal(B, b, answer("fine"));
    network.ms(50);
    assert_eq!(network.signals(A), [answer("fine")]);
    network.signal(B, b, Signal::Answer { sdp: None });
    network.ms(50);
    assert_eq!(network.signals(A), [Signal::Answer { sdp: None }]);
    network.signal(A, a, Signal::Hangup(Cause::normal()));
    network.assert_nothing_left();
}

#[test]
fn the_session_is_refreshed_and_ends_when_the_peer_is_gone() {
    let mut network = Network::calm();
    network.established();
    network.run(Duration::from_secs(3600));
    assert!(network.sent("0 UPDATE") + network.sent("1 UPDATE") >= 3);
    assert!(network.signals(A).is_empty() && network.signals(B).is_empty());
    network.weather.loss = 100;
    network.run(Duration::from_secs(2000));
    assert!(matches!(network.signals(A).as_slice(), [Signal::Hangup(Cause { status: 408, .. })]));
    assert!(matches!(network.signals(B).as_slice(), [Signal::Hangup(Cause { status: 408, .. })]));
    network.assert_nothing_left();
}

#[test]
fn a_session_that_is_too_short_is_asked_for_again() {
    let mut network = Network::calm();
    network.sides[A].agent.settings.session_expires = Duration::from_secs(100);
    network.sides[B].agent.settings.min_session_expires = Duration::from_secs(500);
    network.established();
    assert_eq!((network.sent("1 SIP/2.0 422"), network.sent("0 INVITE")), (1, 2));
}
