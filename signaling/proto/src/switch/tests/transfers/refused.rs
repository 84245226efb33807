//! Transfers that fail: the call goes on as it was, and the transferor is told why.

use super::*;

impl Three {
    /// Alice transfers bob to carol, whose telephone is called: by this INVITE.
    fn alice_transfers_bob(&mut self) -> Request {
        let got = self.alice_refers("<sip:carol@tandem.test>");
        self.alice_is_notified(got, &["SIP/2.0 100 Trying"]);
        self.carol_is_rung()
    }

    fn carol_rings(&mut self, rung: &Request) {
        self.carol.answer(&mut self.bench, rung, 180, None);
        self.alice_is_notified(Vec::new(), &["SIP/2.0 180 Ringing"]);
    }

    fn carol_refuses(&mut self, rung: &Request, status: u16) {
        self.carol.answer(&mut self.bench, rung, status, None);
        self.bench.take(self.carol.flow.remote);
    }

    /// Carol's telephone is told that nobody calls any more.
    fn carol_is_cancelled(&mut self, rung: &Request) {
        let cancel = request_of(&self.bench.take(self.carol.flow.remote), Method::Cancel);
        self.carol.answer(&mut self.bench, &cancel, 200, None);
        self.carol_refuses(rung, 487);
    }

    fn alice_hangs_up(&mut self) {
        let bye = self.alice.inside(Method::Bye, &self.ok, None);
        assert_eq!(statuses(&self.alice.send(&mut self.bench, bye)), [200]);
    }

    /// Alice and bob can still hang up, and nothing is left then.
    fn assert_goes_on(mut self) {
        assert_eq!(self.bench.tones, [], "nobody hears a tone any more");
        self.alice_hangs_up();
        self.bob_is_hung_up();
        self.bench.assert_clean();
    }
}

#[test]
fn a_target_that_is_busy_is_told_and_the_call_goes_on() {
    let mut three = Three::talking();
    let rung = three.alice_transfers_bob();
    three.carol_rings(&rung);
    three.carol_refuses(&rung, 486);
    let rest = three.alice_is_notified(Vec::new(), &["SIP/2.0 486 Busy Here"]);
    assert!(rest.is_empty(), "{rest:?}");
    assert_eq!(three.bench.sessions.len(), 1);
    assert_eq!(three.bench.counter("transfers_failed"), 1);
    // Another try is another subscription, with an identifier.
    let got = three.alice_refers("<sip:carol@tandem.test>");
    let notify = request_of(&got, Method::Notify);
    assert!(notify.headers.get(HeaderName::Event).unwrap().starts_with("refer;id="));
    three.alice_is_notified(got, &["SIP/2.0 100 Trying"]);
    let rung = three.carol_is_rung();
    three.carol_refuses(&rung, 603);
    three.alice_is_notified(Vec::new(), &["SIP/2.0 603 Decline"]);
    three.assert_goes_on();
}

#[test]
fn a_target_that_does_not_answer() {
    let mut three = Three::talking();
    let rung = three.alice_transfers_bob();
    three.carol_rings(&rung);
    three.bench.pass(Duration::from_secs(30));
    three.carol_is_cancelled(&rung);
    three.alice_is_notified(Vec::new(), &["SIP/2.0 408 No answer"]);
    three.assert_goes_on();
}

#[test]
fn who_may_not_be_called_may_not_be_transferred_to() {
    let mut three = Three::talking();
    for (refer_to, status) in [
        ("<sip:nobody@tandem.test>", 404),
        ("<sip:+19005551234@premium.example>", 403),
        ("tel:+19005551234", 404),
        ("<sip:carol@tandem.test?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>", 481),
        ("<sip:carol@tandem.test;method=BYE>", 400),
        ("<http://tandem.test>", 403),
    ] {
        let got = three.alice_refers(refer_to);
        assert_eq!(statuses(&got), [status], "{refer_to}");
        assert_eq!(got.len(), 1, "a REFER that is refused makes no subscription");
    }
    three.assert_goes_on();
}

#[test]
fn a_refer_outside_a_call_or_of_a_stranger_is_refused() {
    let mut three = Three::talking();
    let mut outside =
        three.carol.request(Method::Refer, "sip:bob@tandem.test", "<sip:bob@tandem.test>", None);
    outside.headers.push(HeaderName::ReferTo, "sip:alice@tandem.test");
    assert_eq!(statuses(&three.carol.send(&mut three.bench, outside)), [403]);
    // The dialog's tags are not carol's to know, and a wrong one is no dialog.
    let mut inside = three.carol.inside(Method::Refer, &three.ok, None);
    inside.headers.push(HeaderName::ReferTo, "sip:carol@tandem.test");
    assert_eq!(statuses(&three.carol.send(&mut three.bench, inside)), [481]);
    three.assert_goes_on();
}

#[test]
fn only_calls_of_the_same_user_can_be_joined() {
    let mut three = Three::talking();
    // Carol calls a second telephone of bob's; alice learns the dialog somehow.
    three.carol.call(&mut three.bench, "bob");
    let at_bob = request_of(&three.bench.take(three.bob.flow.remote), Method::Invite);
    let sdp = three.bob.sdp.clone();
    three.bob.answer(&mut three.bench, &at_bob, 200, Some(&sdp));
    let ok = responses(&three.bench.take(three.carol.flow.remote)).pop().unwrap();
    three.carol.acknowledge(&mut three.bench, &ok, None);
    let got = three.alice_refers(&format!("<sip:bob@tandem.test?Replaces={}>", replaces_of(&ok)));
    assert_eq!(statuses(&got), [403]);
    let bye = three.carol.inside(Method::Bye, &ok, None);
    three.carol.send(&mut three.bench, bye);
    three.bob_is_hung_up();
    three.assert_goes_on();
}

#[test]
fn one_transfer_at_a_time() {
    let mut three = Three::talking();
    let rung = three.alice_transfers_bob();
    assert_eq!(statuses(&three.alice_refers("<sip:carol@tandem.test>")), [491]);
    let mut refer = three.bob.inside_of(Method::Refer, &three.invite, None);
    refer.headers.push(HeaderName::ReferTo, "sip:carol@tandem.test");
    assert_eq!(statuses(&three.bob.send(&mut three.bench, refer)), [491], "nor by the other party");
    three.carol_refuses(&rung, 486);
    three.alice_is_notified(Vec::new(), &["SIP/2.0 486 Busy Here"]);
    three.assert_goes_on();
}

#[test]
fn media_that_cannot_be_joined_is_told() {
    let mut three = Three::talking();
    three.bench.refuse_swaps = true;
    let rung = three.alice_transfers_bob();
    let sdp = three.carol.sdp.clone();
    let got = three.carol.answer(&mut three.bench, &rung, 200, Some(&sdp));
    let bye = request_of(&got, Method::Bye);
    three.carol.answer(&mut three.bench, &bye, 200, None);
    let notify = request_of(&three.bench.take(three.alice.flow.remote), Method::Notify);
    assert!(
        text(&notify.body).starts_with("SIP/2.0 503 The media cannot be joined"),
        "{}",
        text(&notify.body)
    );
    three.alice.answer(&mut three.bench, &notify, 200, None);
    three.assert_goes_on();
}

#[test]
fn a_transferor_that_hangs_up_at_once_leaves_the_others_to_it() {
    let mut three = Three::talking();
    let rung = three.alice_transfers_bob();
    three.alice_hangs_up();
    assert_eq!(three.bench.tones, [Side::B], "bob hears that somebody is called");
    assert!(three.bench.take(three.bob.flow.remote).is_empty(), "bob is still in the call");
    let sdp = three.carol.sdp.clone();
    three.carol.answer(&mut three.bench, &rung, 200, Some(&sdp));
    three.assert_joined();
    three.bench.take(three.carol.flow.remote);
    three.carol_hangs_up(&rung);
    three.bob_is_hung_up();
    three.bench.assert_clean();
}

#[test]
fn a_transferor_that_is_gone_cannot_take_the_call_back() {
    let mut three = Three::talking();
    let rung = three.alice_transfers_bob();
    three.alice_hangs_up();
    three.carol_refuses(&rung, 486);
    three.bob_is_hung_up();
    three.bench.assert_clean();
}

#[test]
fn a_transferee_that_hangs_up_ends_the_call_to_the_target() {
    let mut three = Three::talking();
    let rung = three.alice_transfers_bob();
    three.carol_rings(&rung);
    let bye = three.bob.inside_of(Method::Bye, &three.invite, None);
    three.bob.send(&mut three.bench, bye);
    three.carol_is_cancelled(&rung);
    three.alice_is_hung_up();
    three.bench.assert_clean();
}

#[test]
fn a_page_is_told_why_its_transfer_failed() {
    let mut bench = Bench::new();
    let (_, bob) = phones(&mut bench);
    let page = bench.browser(1, "carol", PASSWORD, "");
    bench.say(page, "call", json!({ "callId": "c1", "callee": "bob", "sdp": samples::CHROMIUM }));
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &invite, 200, Some(samples::SIPP));
    bench.take_frames(page);
    for target in ["nobody", "x@elsewhere.example"] {
        bench.say(page, "transfer", json!({ "callId": "c1", "target": target }));
        let frames = bench.take_frames(page);
        assert!(!frames.is_empty() && !names(&frames).contains(&"finish".to_owned()), "{target}: {frames:?}");
    }
    bench.say(page, "transfer", json!({ "callId": "c1", "target": null, "replaces": "c1" }));
    bench.say(page, "transfer", json!({ "callId": "c2", "target": "alice" }));
    assert_eq!(bench.counter("transfers_failed"), 4);
    bench.say(page, "hangup", json!({ "callId": "c1" }));
    let bye = request_of(&bench.take(bob.flow.remote), Method::Bye);
    bob.answer(&mut bench, &bye, 200, None);
    bench.assert_clean();
}
