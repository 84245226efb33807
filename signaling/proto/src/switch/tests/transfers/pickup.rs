//! Calls that ring, and that somebody picks up by an INVITE with Replaces (RFC 3891 section 3).

use super::super::subscriptions::subscribe;
use super::*;

/// Bob's telephone rings: alice calls. Carol may answer, if the rules say so.
struct Ringing {
    bench: Bench,
    alice: Phone,
    bob: Phone,
    carol: Phone,
    /// The INVITEs that alice sent and bob got.
    calling: Request,
    rung: Request,
}

impl Ringing {
    fn with_rule(pickup: bool) -> Ringing {
        Ringing::by(pickup, Some(samples::BARESIP))
    }

    /// Alice's INVITE has this offer.
    fn by(pickup: bool, offer: Option<&str>) -> Ringing {
        let mut bench = Bench::changed(|settings| settings.presence.pickup = pickup);
        let (mut alice, bob) = phones(&mut bench);
        let mut carol = Phone::new("carol", Transport::Udp, 40, samples::SIPP);
        carol.register(&mut bench);
        let (calling, _) = alice.call_with(&mut bench, "bob", offer);
        let rung = request_of(&bench.take(bob.flow.remote), Method::Invite);
        bob.answer(&mut bench, &rung, 180, None);
        bench.take(alice.flow.remote);
        Ringing { bench, alice, bob, carol, calling, rung }
    }

    /// What names bob's early dialog to us.
    fn replaces(&self) -> String {
        let call_id = self.rung.headers.call_id().unwrap();
        format!("{call_id};to-tag={};from-tag=t-bob", self.rung.headers.from().unwrap().tag().unwrap())
    }

    fn carol_replaces(&mut self, replaces: &str) -> Vec<Message> {
        carol_replaces(&mut self.bench, &mut self.carol, replaces, Some(samples::SIPP))
    }

    /// Carol picks the call up, and alice is answered; the 2xx of both.
    fn picked_up(&mut self, replaces: &str) -> [Response; 2] {
        let to_carol = responses(&self.carol_replaces(replaces)).pop().unwrap();
        let to_alice = responses(&self.bench.take(self.alice.flow.remote)).pop().unwrap();
        assert_eq!((to_carol.status, to_alice.status), (200, 200));
        self.carol.acknowledge(&mut self.bench, &to_carol, None);
        self.alice.acknowledge(&mut self.bench, &to_alice, None);
        [to_carol, to_alice]
    }

    fn bob_is_cancelled(&mut self) {
        let cancel = request_of(&self.bench.take(self.bob.flow.remote), Method::Cancel);
        let reason = cancel.headers.get(HeaderName::Reason).unwrap();
        assert!(reason.contains("cause=200") && reason.contains("Call completed elsewhere"), "{reason}");
        self.bob.answer(&mut self.bench, &cancel, 200, None);
        self.bob.answer(&mut self.bench, &self.rung, 487, None);
    }

    /// Alice and carol hear each other, until alice hangs up.
    fn assert_talking(mut self, to_alice: &Response) {
        assert_eq!(self.bench.sessions.len(), 1);
        let legs = self.bench.sessions.values().next().unwrap();
        assert!(legs.iter().all(|leg| leg.audio.may_send && leg.audio.may_receive), "{legs:?}");
        self.bench.take(self.carol.flow.remote);
        let bye = self.alice.inside(Method::Bye, to_alice, None);
        assert_eq!(statuses(&self.alice.send(&mut self.bench, bye)), [200]);
        let bye = request_of(&self.bench.take(self.carol.flow.remote), Method::Bye);
        self.carol.answer(&mut self.bench, &bye, 200, None);
        self.bench.assert_clean();
    }
}

/// Carol sends an INVITE; what she got.
fn carol_replaces(bench: &mut Bench, carol: &mut Phone, replaces: &str, offer: Option<&str>) -> Vec<Message> {
    carol.new_call();
    let uri = format!("sip:bob@{DOMAIN}");
    let mut invite = carol.request(Method::Invite, &uri, &format!("<{uri}>"), offer);
    invite.headers.push(HeaderName::Replaces, replaces);
    let (_, got) = carol.authenticated(bench, invite);
    got
}

#[test]
fn a_call_is_picked_up_by_what_the_dialog_package_says() {
    let mut ringing = Ringing::with_rule(true);
    let replaces = told_name(&mut ringing.bench, &mut ringing.carol);
    let [_, to_alice] = ringing.picked_up(&format!("{replaces};early-only"));
    ringing.bob_is_cancelled();
    ringing.assert_talking(&to_alice);
}

/// What names the call that rings at bob's, as this watcher of his is told.
fn told_name(bench: &mut Bench, watcher: &mut Phone) -> String {
    let (_, first) = subscribe(bench, watcher, "bob", "dialog", 0);
    let document = text(&first[0].body).to_owned();
    let attribute = |name: &str| {
        let (_, rest) = document.split_once(&format!(" {name}=\"")).expect(name);
        rest.split('"').next().unwrap().to_owned()
    };
    let [call_id, local, remote] = ["call-id", "local-tag", "remote-tag"].map(attribute);
    watcher.answer(bench, &first[0], 200, None);
    format!("{call_id};to-tag={remote};from-tag={local}")
}

#[test]
fn a_call_that_rings_at_a_page_only_is_picked_up() {
    let mut bench = Bench::changed(|settings| settings.presence.pickup = true);
    let mut alice = Phone::new("alice", Transport::Udp, 20, samples::BARESIP);
    let mut carol = Phone::new("carol", Transport::Udp, 40, samples::SIPP);
    let bob = bench.browser(1, "bob", PASSWORD, "");
    bench.take_frames(bob);
    alice.call(&mut bench, "bob");
    assert!(names(&bench.take_frames(bob)).contains(&"notifyIncomingCall".to_owned()));
    bench.take(alice.flow.remote);
    let replaces = told_name(&mut bench, &mut carol);
    let (call_id, tags) = replaces.split_once(';').unwrap();
    let offer = Some(samples::SIPP);
    for wrong in [format!("{call_id};to-tag=a;from-tag=b"), format!("x{call_id};{tags}")] {
        assert_eq!(statuses(&carol_replaces(&mut bench, &mut carol, &wrong, offer)), [481]);
    }
    let to_carol = responses(&carol_replaces(&mut bench, &mut carol, &replaces, offer)).pop().unwrap();
    let to_alice = responses(&bench.take(alice.flow.remote)).pop().unwrap();
    assert_eq!((to_carol.status, to_alice.status), (200, 200));
    carol.acknowledge(&mut bench, &to_carol, None);
    alice.acknowledge(&mut bench, &to_alice, None);
    let frames = bench.take_frames(bob);
    assert_eq!(names(&frames), ["finish"], "it was answered elsewhere: {frames:?}");
    let again = carol_replaces(&mut bench, &mut carol, &replaces, offer);
    assert_eq!(statuses(&again), [481], "it rings no more");
    assert_eq!(bench.sessions.len(), 1);
    let bye = alice.inside(Method::Bye, &to_alice, None);
    assert_eq!(statuses(&alice.send(&mut bench, bye)), [200]);
    let bye = request_of(&bench.take(carol.flow.remote), Method::Bye);
    carol.answer(&mut bench, &bye, 200, None);
    bench.assert_clean();
}

#[test]
fn who_picks_up_gets_a_session_beside_that_of_the_call() {
    let mut ringing = Ringing::with_rule(true);
    // Wherever other calls of hers may be: parties change places on one worker only.
    ringing.carol.call(&mut ringing.bench, "bob");
    ringing.bench.take(ringing.bob.flow.remote);
    ringing.picked_up(&ringing.replaces());
    assert_eq!(ringing.bench.near, Some(Near::Session(SessionId(1))));
    assert_eq!(ringing.bench.swaps, [((SessionId(1), Side::A), (SessionId(3), Side::B))]);
}

#[test]
fn every_telephone_that_rings_is_cancelled() {
    let mut bench = Bench::changed(|settings| settings.presence.pickup = true);
    let (mut alice, bob) = phones(&mut bench);
    let mut second = Phone::new("bob", Transport::Udp, 31, samples::SIPP);
    second.register(&mut bench);
    let carol = Phone::new("carol", Transport::Udp, 40, samples::SIPP);
    let (calling, _) = alice.call(&mut bench, "bob");
    let rung = request_of(&bench.take(bob.flow.remote), Method::Invite);
    let beside = request_of(&bench.take(second.flow.remote), Method::Invite);
    bob.answer(&mut bench, &rung, 180, None);
    second.answer(&mut bench, &beside, 180, None);
    bench.take(alice.flow.remote);
    let mut ringing = Ringing { bench, alice, bob, carol, calling, rung };
    let [_, to_alice] = ringing.picked_up(&ringing.replaces());
    ringing.bob_is_cancelled();
    let cancel = request_of(&ringing.bench.take(second.flow.remote), Method::Cancel);
    second.answer(&mut ringing.bench, &cancel, 200, None);
    second.answer(&mut ringing.bench, &beside, 487, None);
    ringing.assert_talking(&to_alice);
}

#[test]
fn a_caller_with_early_media_is_answered_as_it_was_told() {
    let mut ringing = Ringing::with_rule(true);
    ringing.bob.answer(&mut ringing.bench, &ringing.rung, 183, Some(samples::SIPP));
    let early = responses(&ringing.bench.take(ringing.alice.flow.remote)).pop().unwrap();
    assert!(early.status == 183 && !early.body.is_empty());
    let [_, to_alice] = ringing.picked_up(&ringing.replaces());
    assert_eq!(text(&to_alice.body), text(&early.body), "RFC 3261 section 13.2.1");
    ringing.bob_is_cancelled();
    ringing.assert_talking(&to_alice);
}

#[test]
fn who_picks_up_without_an_offer_is_made_one() {
    let mut ringing = Ringing::with_rule(true);
    let replaces = ringing.replaces();
    let got = carol_replaces(&mut ringing.bench, &mut ringing.carol, &replaces, None);
    let to_carol = responses(&got).pop().unwrap();
    let to_alice = responses(&ringing.bench.take(ringing.alice.flow.remote)).pop().unwrap();
    assert_eq!((to_carol.status, to_alice.status), (200, 200));
    ringing.carol.acknowledge(&mut ringing.bench, &to_carol, Some(samples::SIPP));
    ringing.alice.acknowledge(&mut ringing.bench, &to_alice, None);
    ringing.bob_is_cancelled();
    ringing.assert_talking(&to_alice);
}

#[test]
fn who_may_not_pick_up_is_told_no_names_and_refused() {
    let mut ringing = Ringing::with_rule(false);
    let (_, first) = subscribe(&mut ringing.bench, &mut ringing.carol, "bob", "dialog", 600);
    assert!(text(&first[0].body).contains("<state>early</state>"));
    assert!(!text(&first[0].body).contains("tag"), "{}", text(&first[0].body));
    ringing.carol.answer(&mut ringing.bench, &first[0], 200, None);
    assert_eq!(statuses(&ringing.carol_replaces(&ringing.replaces())), [403]);
    // Bob himself may, at another telephone of his.
    ringing.carol = Phone::new("bob", Transport::Udp, 50, samples::SIPP);
    let [_, to_alice] = ringing.picked_up(&ringing.replaces());
    ringing.bob_is_cancelled();
    ringing.assert_talking(&to_alice);
}

#[test]
fn what_does_not_ring_cannot_be_picked_up() {
    let mut ringing = Ringing::with_rule(true);
    let wrong = ringing.replaces().replace("t-bob", "t-eve");
    assert_eq!(statuses(&ringing.carol_replaces(&wrong)), [481]);
    let mut cancel = Request::new(Method::Cancel, ringing.calling.uri.clone());
    for name in
        [HeaderName::Via, HeaderName::MaxForwards, HeaderName::From, HeaderName::To, HeaderName::CallId]
    {
        cancel.headers.push(name.clone(), ringing.calling.headers.get(name).unwrap());
    }
    let (number, _) = ringing.calling.headers.cseq().unwrap();
    cancel.headers.push(HeaderName::CSeq, format!("{number} CANCEL"));
    ringing.alice.send(&mut ringing.bench, cancel);
    assert_eq!(statuses(&ringing.carol_replaces(&ringing.replaces())), [481]);
}

#[test]
fn a_caller_who_wants_an_offer_is_left_to_who_makes_it() {
    let mut ringing = Ringing::by(true, None);
    let refused = responses(&ringing.carol_replaces(&ringing.replaces())).pop().unwrap();
    assert_eq!(refused.status, 488);
    assert!(ringing.bench.take(ringing.bob.flow.remote).is_empty(), "it rings on");
}

#[test]
fn a_pickup_that_fails_changes_nothing() {
    let mut ringing = Ringing::with_rule(true);
    ringing.bench.refuse_swaps = true;
    let refused = responses(&ringing.carol_replaces(&ringing.replaces())).pop().unwrap();
    assert_eq!(refused.status, 503);
    assert!(ringing.bench.take(ringing.bob.flow.remote).is_empty(), "bob's telephone rings on");
    ringing.bob.answer(&mut ringing.bench, &ringing.rung, 200, Some(samples::SIPP));
    let ok = responses(&ringing.bench.take(ringing.alice.flow.remote)).pop().unwrap();
    assert_eq!(ok.status, 200);
    assert_eq!(ringing.bench.sessions.len(), 1);
}
