//! Transfers, and what lets them be carried out.

mod pickup;
mod provider;
mod refused;
mod replacing;

use super::*;
use crate::sip::Message;
use tandem_control::{Near, SessionId};

/// Alice talks to bob; carol and her telephone are there.
struct Three {
    bench: Bench,
    alice: Phone,
    bob: Phone,
    carol: Phone,
    /// The INVITE that bob got, and the 2xx that alice got.
    invite: Request,
    ok: Response,
    /// What alice got when she answered.
    to_alice: Vec<Message>,
}

impl Three {
    fn talking() -> Three {
        let mut bench = Bench::new();
        let (mut alice, bob) = phones(&mut bench);
        let mut carol = Phone::new("carol", Transport::Udp, 40, samples::SIPP);
        carol.register(&mut bench);
        let (invite, ok) = talking(&mut bench, &mut alice, &bob);
        Three { bench, alice, bob, carol, invite, ok, to_alice: Vec::new() }
    }

    /// Alice sends a REFER; what she got.
    fn alice_refers(&mut self, refer_to: &str) -> Vec<Message> {
        let mut refer = self.alice.inside(Method::Refer, &self.ok, None);
        refer.headers.push(HeaderName::ReferTo, refer_to);
        self.alice.send(&mut self.bench, refer)
    }

    fn carol_is_rung(&mut self) -> Request {
        request_of(&self.bench.take(self.carol.flow.remote), Method::Invite)
    }

    /// Alice answers what is sent to her: NOTIFYs with these fragments. What else she got before she answered.
    fn alice_is_notified(&mut self, got: Vec<Message>, fragments: &[&str]) -> Vec<Message> {
        let mut got = got;
        got.extend(self.bench.take(self.alice.flow.remote));
        let is_notify = |message: &Message| matches!(message, Message::Request(request) if request.method == Method::Notify);
        let (notifies, rest): (Vec<Message>, Vec<Message>) = got.into_iter().partition(is_notify);
        let bodies: Vec<String> =
            notifies.iter().map(|notify| text(notify.body()).trim_end().to_owned()).collect();
        assert_eq!(bodies, fragments);
        for notify in &notifies {
            let Message::Request(notify) = notify else { unreachable!("they are requests") };
            assert!(notify.headers.get(HeaderName::Event).unwrap().starts_with("refer"));
            let then = self.alice.answer(&mut self.bench, notify, 200, None);
            self.to_alice.extend(then);
        }
        rest
    }

    /// Alice gets a BYE and answers it.
    fn alice_is_hung_up(&mut self) {
        let mut got = std::mem::take(&mut self.to_alice);
        got.extend(self.bench.take(self.alice.flow.remote));
        let bye = request_of(&got, Method::Bye);
        self.alice.answer(&mut self.bench, &bye, 200, None);
    }

    fn carol_hangs_up(&mut self, invite: &Request) {
        let bye = self.carol.inside_of(Method::Bye, invite, None);
        assert_eq!(statuses(&self.carol.send(&mut self.bench, bye)), [200]);
    }

    fn bob_is_hung_up(&mut self) {
        let bye = request_of(&self.bench.take(self.bob.flow.remote), Method::Bye);
        self.bob.answer(&mut self.bench, &bye, 200, None);
    }

    /// The only session joins two legs that hear each other.
    fn assert_joined(&self) {
        assert_eq!(self.bench.sessions.len(), 1);
        let legs = self.bench.sessions.values().next().unwrap();
        assert!(legs.iter().all(|leg| leg.audio.may_send && leg.audio.may_receive), "{legs:?}");
    }
}

#[test]
fn calls_of_one_user_share_a_worker() {
    let mut three = Three::talking();
    assert_eq!(three.bench.near, None, "the first call may be anywhere");
    three.alice.call(&mut three.bench, "carol");
    assert_eq!(three.bench.near, Some(Near::Session(SessionId(1))), "the caller's other call");
    three.carol.call(&mut three.bench, "bob");
    assert!(matches!(three.bench.near, Some(Near::Session(_))), "the callee's other call");
}

#[test]
fn a_call_waits_and_says_so() {
    let mut three = Three::talking();
    assert_eq!(three.invite.headers.get(HeaderName::AlertInfo), None, "bob was free");
    three.carol.call(&mut three.bench, "bob");
    let waiting = request_of(&three.bench.take(three.bob.flow.remote), Method::Invite);
    assert_eq!(waiting.headers.get(HeaderName::AlertInfo), Some("<urn:alert:service:call-waiting>"));
    let sdp = three.bob.sdp.clone();
    three.bob.answer(&mut three.bench, &waiting, 200, Some(&sdp));
    assert_eq!(statuses(&three.bench.take(three.carol.flow.remote)), [200], "bob has both calls");
    assert_eq!(three.bench.sessions.len(), 2);
    three.alice.call(&mut three.bench, "bob");
    assert_eq!(three.bench.take(three.bob.flow.remote).len(), 0, "and no more than he may have");
}

#[test]
fn a_blind_transfer_by_the_caller() {
    let mut three = Three::talking();
    let got = three.alice_refers("<sip:carol@tandem.test>");
    assert_eq!(statuses(&got), [202]);
    three.alice_is_notified(got, &["SIP/2.0 100 Trying"]);
    assert_eq!(three.bench.near, Some(Near::Session(SessionId(1))));
    let rung = three.carol_is_rung();
    assert_eq!(rung.headers.from().unwrap().uri.to_string(), "sip:bob@tandem.test", "it is bob who calls");
    assert_eq!(rung.headers.get(HeaderName::ReferredBy), Some("<sip:alice@tandem.test>"));
    assert_eq!(three.bench.take(three.bob.flow.remote).len(), 0, "bob is told nothing");
    three.carol.answer(&mut three.bench, &rung, 180, None);
    assert_eq!(three.bench.tones, [Side::B], "bob hears that somebody is called");
    three.alice_is_notified(Vec::new(), &["SIP/2.0 180 Ringing"]);
    let carol = samples::SIPP.to_owned();
    three.carol.answer(&mut three.bench, &rung, 200, Some(&carol));
    let rest = three.alice_is_notified(Vec::new(), &["SIP/2.0 200 OK"]);
    assert!(rest.is_empty(), "the BYE waits for the answer to the NOTIFY: {rest:?}");
    three.alice_is_hung_up();
    let place = ((SessionId(1), Side::B), (SessionId(2), Side::A));
    assert_eq!(three.bench.swaps, [place]);
    three.assert_joined();
    three.bench.take(three.carol.flow.remote);
    three.carol_hangs_up(&rung);
    three.bob_is_hung_up();
    three.bench.assert_clean();
    assert_eq!((three.bench.counter("transfers_done"), three.bench.counter("transfers_failed")), (1, 0));
}

#[test]
fn a_blind_transfer_by_the_callee_of_a_held_caller() {
    let mut three = Three::talking();
    let hold = three.bob.sdp.clone() + "a=sendonly\r\n";
    let hold = three.bob.inside_of(Method::Invite, &three.invite, Some(&hold));
    three.bob.send(&mut three.bench, hold);
    let held = request_of(&three.bench.take(three.alice.flow.remote), Method::Invite);
    let recvonly = three.alice.sdp.replace("a=sendrecv", "a=recvonly");
    three.alice.answer(&mut three.bench, &held, 200, Some(&recvonly));
    three.bench.take(three.bob.flow.remote);
    let mut refer = three.bob.inside_of(Method::Refer, &three.invite, None);
    refer.headers.push(HeaderName::ReferTo, "sip:carol@tandem.test");
    refer.headers.push(HeaderName::ReferSub, "false");
    let got = three.bob.send(&mut three.bench, refer);
    assert_eq!(statuses(&got), [202]);
    assert_eq!(got.len(), 1, "no NOTIFY is wanted");
    three.bench.take(three.alice.flow.remote);
    let rung = three.carol_is_rung();
    assert!(!text(&rung.body).contains("only"), "the target is not offered a hold: {}", text(&rung.body));
    let carol = samples::SIPP.to_owned();
    three.carol.answer(&mut three.bench, &rung, 200, Some(&carol));
    let resumed = request_of(&three.bench.take(three.alice.flow.remote), Method::Invite);
    assert!(!text(&resumed.body).contains("only"), "{}", text(&resumed.body));
    let alice = three.alice.sdp.clone();
    three.alice.answer(&mut three.bench, &resumed, 200, Some(&alice));
    three.bob_is_hung_up();
    three.assert_joined();
    three.bench.take(three.carol.flow.remote);
    three.carol_hangs_up(&rung);
    three.alice_is_hung_up();
    three.bench.assert_clean();
}

#[test]
fn an_attended_transfer() {
    let mut three = Three::talking();
    three.alice.call(&mut three.bench, "carol");
    let rung = three.carol_is_rung();
    let sdp = samples::SIPP.to_owned();
    three.carol.answer(&mut three.bench, &rung, 200, Some(&sdp));
    let second = responses(&three.bench.take(three.alice.flow.remote)).pop().unwrap();
    three.alice.acknowledge(&mut three.bench, &second, None);
    three.bench.take(three.carol.flow.remote);
    // The REFER goes to bob's call, the first: its Call-ID and tags.
    let replaces = replaces_of(&second);
    let mut refer = three.alice.inside(Method::Refer, &three.ok, None);
    refer.headers.set(HeaderName::From, three.ok.headers.get(HeaderName::From).unwrap());
    refer.headers.set(HeaderName::CallId, three.ok.headers.call_id().unwrap());
    refer.headers.push(HeaderName::ReferTo, format!("<sip:carol@tandem.test?Replaces={replaces}>"));
    let got = three.alice.send(&mut three.bench, refer);
    assert_eq!(statuses(&got), [202]);
    let rest = three.alice_is_notified(got, &["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]);
    let bye = request_of(&rest, Method::Bye);
    assert_eq!(bye.headers.call_id(), second.headers.call_id(), "the consultation is over at once");
    three.alice.answer(&mut three.bench, &bye, 200, None);
    three.alice_is_hung_up();
    three.assert_joined();
    assert!(
        three.bench.take(three.bob.flow.remote).is_empty()
            && three.bench.take(three.carol.flow.remote).is_empty()
    );
    three.carol_hangs_up(&rung);
    three.bob_is_hung_up();
    three.bench.assert_clean();
}

#[test]
fn an_attended_transfer_while_the_target_still_rings() {
    let mut three = Three::talking();
    let (_, got) = three.alice.call(&mut three.bench, "carol");
    assert_eq!(statuses(&got), [100]);
    let rung = three.carol_is_rung();
    three.carol.answer(&mut three.bench, &rung, 180, None);
    let ringing = responses(&three.bench.take(three.alice.flow.remote)).pop().unwrap();
    let replaces = replaces_of(&ringing);
    let mut refer = three.alice.inside(Method::Refer, &three.ok, None);
    refer.headers.set(HeaderName::From, three.ok.headers.get(HeaderName::From).unwrap());
    refer.headers.set(HeaderName::CallId, three.ok.headers.call_id().unwrap());
    refer.headers.push(HeaderName::ReferTo, format!("<sip:carol@tandem.test?Replaces={replaces}>"));
    let got = three.alice.send(&mut three.bench, refer);
    assert_eq!(statuses(&got), [202, 487], "her own call to carol is over");
    three.alice_is_notified(got, &["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing"]);
    let sdp = samples::SIPP.to_owned();
    three.carol.answer(&mut three.bench, &rung, 200, Some(&sdp));
    three.alice_is_notified(Vec::new(), &["SIP/2.0 200 OK"]);
    three.alice_is_hung_up();
    three.assert_joined();
    three.bench.take(three.carol.flow.remote);
    three.carol_hangs_up(&rung);
    three.bob_is_hung_up();
}

/// As a client writes the dialog that it called in: its own tag is the From tag.
fn replaces_of(response: &Response) -> String {
    let tag = |address: crate::sip::NameAddr| address.tag().unwrap().to_owned();
    let (to, from) = (tag(response.headers.to().unwrap()), tag(response.headers.from().unwrap()));
    let call_id = response.headers.call_id().unwrap().replace('@', "%40");
    format!("{call_id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}")
}

#[test]
fn a_page_transfers_a_telephone_to_a_page() {
    let mut bench = Bench::new();
    let (_, bob) = phones(&mut bench);
    let (page, target) = (bench.browser(1, "carol", PASSWORD, ""), bench.browser(2, "alice", PASSWORD, ""));
    bench.take_frames(target);
    bench.say(page, "call", json!({ "callId": "c1", "callee": "bob", "sdp": samples::CHROMIUM }));
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &invite, 200, Some(samples::SIPP));
    bench.take_frames(page);
    bench.take(bob.flow.remote);
    bench.say(page, "transfer", json!({ "callId": "c1", "target": "alice" }));
    let frames = bench.take_frames(target);
    let call =
        frames.iter().find(|frame| frame["message"] == "notifyIncomingCall").unwrap()["data"][0].clone();
    assert_eq!(call["caller"], "bob");
    bench.say(target, "answer", json!({ "callId": call["callId"], "sdp": browser_answer() }));
    assert!(names(&bench.take_frames(target)).contains(&"talk".to_owned()));
    let told = names(&bench.take_frames(page));
    assert!(told.contains(&"notifyTransferEvent".to_owned()) && told.last().unwrap() == "finish", "{told:?}");
    assert_eq!(bench.sessions.len(), 1);
    bench.say(target, "hangup", json!({ "callId": call["callId"] }));
    let bye = request_of(&bench.take(bob.flow.remote), Method::Bye);
    bob.answer(&mut bench, &bye, 200, None);
    bench.assert_clean();
}

#[test]
fn a_page_joins_its_two_calls() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let page = bench.browser(1, "carol", PASSWORD, "");
    bench.say(page, "call", json!({ "callId": "c1", "callee": "bob", "sdp": samples::CHROMIUM }));
    let at_bob = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &at_bob, 200, Some(samples::SIPP));
    bench.take_frames(page);
    // The other call came in.
    alice.call(&mut bench, "carol");
    let frames = bench.take_frames(page);
    let call =
        frames.iter().find(|frame| frame["message"] == "notifyIncomingCall").unwrap()["data"][0].clone();
    bench.say(page, "answer", json!({ "callId": call["callId"], "sdp": browser_answer() }));
    let ok = responses(&bench.take(alice.flow.remote)).pop().unwrap();
    alice.acknowledge(&mut bench, &ok, None);
    bench.take_frames(page);
    bench.say(page, "transfer", json!({ "callId": "c1", "target": null, "replaces": call["callId"] }));
    let told = names(&bench.take_frames(page));
    assert_eq!(told.iter().filter(|name| *name == "finish").count(), 2, "{told:?}");
    assert_eq!(bench.sessions.len(), 1);
    let bye = alice.inside(Method::Bye, &ok, None);
    assert_eq!(statuses(&alice.send(&mut bench, bye)), [200]);
    let bye = request_of(&bench.take(bob.flow.remote), Method::Bye);
    bob.answer(&mut bench, &bye, 200, None);
    bench.assert_clean();
}
