mod bench;
mod identity;
mod lines;
mod media;
mod messages;
mod phone;
mod resume;
mod streams;
mod subscriptions;
mod tokens;
mod transfers;
mod wcs;

use super::*;
use crate::sdp::samples;
use crate::sip::{HeaderName, Method, Request, Response};
use crate::transport::Transport;
use bench::*;
use phone::*;
use serde_json::{Value, json};
use tandem_control::{EventKind, Refusal, Security, Side};

fn browser_answer() -> String {
    samples::CHROMIUM.replace("setup:actpass", "setup:active")
}

/// Two telephones, registered.
fn phones(bench: &mut Bench) -> (Phone, Phone) {
    let mut alice = Phone::new("alice", Transport::Udp, 20, samples::BARESIP);
    let mut bob = Phone::new("bob", Transport::Udp, 30, samples::SIPP);
    alice.register(bench);
    bob.register(bench);
    (alice, bob)
}

/// A call from alice to bob that is answered: the INVITE that bob got, and the 2xx that alice got.
fn talking(bench: &mut Bench, alice: &mut Phone, bob: &Phone) -> (Request, Response) {
    alice.call(bench, "bob");
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(bench, &invite, 200, Some(&bob.sdp));
    let ok = responses(&bench.take(alice.flow.remote)).pop().unwrap();
    assert_eq!(ok.status, 200);
    alice.acknowledge(bench, &ok, None);
    bench.take(bob.flow.remote);
    (invite, ok)
}

#[test]
fn a_call_between_telephones_from_ringing_to_hang_up() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let (_, got) = alice.call(&mut bench, "bob");
    assert_eq!(statuses(&got), [100]);
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    assert!(text(&invite.body).contains("m=audio 31002 RTP/AVP 111 0 8 9 "), "{}", text(&invite.body));
    assert_eq!(invite.headers.from().unwrap().uri.to_string(), "sip:alice@tandem.test");
    bob.answer(&mut bench, &invite, 180, None);
    assert_eq!(statuses(&bench.take(alice.flow.remote)), [180]);
    let got = bob.answer(&mut bench, &invite, 200, Some(samples::SIPP));
    request_of(&got, Method::Ack);
    let ok = responses(&bench.take(alice.flow.remote)).pop().unwrap();
    assert!(text(&ok.body).contains("m=audio 31000 RTP/AVP 0 101"), "{}", text(&ok.body));
    alice.acknowledge(&mut bench, &ok, None);
    let legs = bench.sessions.values().next().unwrap();
    assert!(legs.iter().all(|leg| leg.audio.may_send && leg.audio.may_receive));

    let bye = alice.inside(Method::Bye, &ok, None);
    assert_eq!(statuses(&alice.send(&mut bench, bye)), [200]);
    let bye = request_of(&bench.take(bob.flow.remote), Method::Bye);
    bob.answer(&mut bench, &bye, 200, None);
    bench.assert_clean();
    assert_eq!(bench.counter("calls_answered"), 1);
}

#[test]
fn a_session_that_a_busy_dataplane_did_not_delete_is_deleted_later() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let (_, ok) = talking(&mut bench, &mut alice, &bob);
    bench.busy_deletions = 2;
    let bye = alice.inside(Method::Bye, &ok, None);
    alice.send(&mut bench, bye);
    let bye = request_of(&bench.take(bob.flow.remote), Method::Bye);
    bob.answer(&mut bench, &bye, 200, None);
    bench.pass(Duration::from_secs(6));
    assert_eq!((bench.busy_deletions, bench.sessions.len()), (0, 1), "it is still busy");
    bench.assert_clean();
}

#[test]
fn the_callee_hangs_up() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let (invite, _) = talking(&mut bench, &mut alice, &bob);
    let mut bye = Request::new(
        Method::Bye,
        invite.headers.get(HeaderName::Contact).unwrap()[1..].split('>').next().unwrap().parse().unwrap(),
    );
    bye.headers.push(HeaderName::Via, format!("SIP/2.0/UDP {};branch=z9hG4bKbye", bob.flow.remote));
    bye.headers.push(HeaderName::MaxForwards, 70);
    bye.headers.push(HeaderName::From, format!("{};tag=t-bob", invite.headers.get(HeaderName::To).unwrap()));
    bye.headers.push(HeaderName::To, invite.headers.get(HeaderName::From).unwrap());
    bye.headers.push(HeaderName::CallId, invite.headers.call_id().unwrap());
    bye.headers.push(HeaderName::CSeq, "7 BYE");
    assert_eq!(statuses(&bob.send(&mut bench, bye)), [200]);
    let bye = request_of(&bench.take(alice.flow.remote), Method::Bye);
    alice.answer(&mut bench, &bye, 200, None);
    bench.assert_clean();
}

#[test]
fn a_browser_and_a_telephone_of_the_same_user_ring_together() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let mut tablet = Phone::new("bob", Transport::Ws, 31, "");
    tablet.register(&mut bench);
    alice.call(&mut bench, "bob");
    let at_phone = request_of(&bench.take(bob.flow.remote), Method::Invite);
    let at_tablet = request_of(&bench.take(tablet.flow.remote), Method::Invite);
    assert!(text(&at_phone.body).contains("RTP/AVP") && text(&at_tablet.body).contains("UDP/TLS/RTP/SAVPF"));
    bob.answer(&mut bench, &at_phone, 180, None);
    tablet.answer(&mut bench, &at_tablet, 200, Some(&browser_answer()));
    let cancel = request_of(&bench.take(bob.flow.remote), Method::Cancel);
    bob.answer(&mut bench, &cancel, 200, None);
    bob.answer(&mut bench, &at_phone, 487, None);
    assert!(statuses(&bench.take(alice.flow.remote)).contains(&200));
    assert_eq!(bench.sessions.len(), 1);
    let legs = bench.sessions.values().next().unwrap();
    assert!(matches!(legs[1].security, Security::Dtls { .. }));
}

#[test]
fn a_page_calls_a_telephone() {
    let mut bench = Bench::new();
    let (_, bob) = phones(&mut bench);
    let page = bench.browser(1, "carol", PASSWORD, "");
    assert_eq!(names(&bench.take_frames(page)), ["getUserData", "getVersion", "registered"]);
    bench.say(page, "call", json!({ "callId": "c1", "callee": "bob", "sdp": samples::CHROMIUM }));
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &invite, 180, None);
    assert_eq!(names(&bench.take_frames(page)), ["notifyTryingResponse", "ring"]);
    bob.answer(&mut bench, &invite, 200, Some(samples::SIPP));
    let frames = bench.take_frames(page);
    assert_eq!(names(&frames), ["notifyAudioCodec", "setRemoteSDP", "talk"]);
    assert!(frames[1]["data"][1].as_str().unwrap().contains("UDP/TLS/RTP/SAVPF 0 126"));
    let legs = bench.sessions.values().next().unwrap();
    assert_eq!(legs[0].ice.as_ref().unwrap().remote.as_ref().unwrap().ufrag, "abcd");

    bench.say(page, "sendDtmf", json!({ "callId": "c1", "dtmf": "5", "type": "RFC2833" }));
    assert_eq!(bench.digits, [(Side::B, 5)]);
    bench.say(page, "hangup", json!({ "callId": "c1" }));
    assert_eq!(names(&bench.take_frames(page)), ["finish"]);
    let bye = request_of(&bench.take(bob.flow.remote), Method::Bye);
    bob.answer(&mut bench, &bye, 200, None);
    bench.assert_clean();
}

#[test]
fn a_telephone_calls_a_page_that_answers_or_declines() {
    let mut bench = Bench::new();
    let (mut alice, _) = phones(&mut bench);
    let page = bench.browser(1, "carol", PASSWORD, DOMAIN);
    bench.take_frames(page);
    let (_, got) = alice.call(&mut bench, "carol");
    assert_eq!(statuses(&got), [100, 180]);
    let frames = bench.take_frames(page);
    assert_eq!(names(&frames), ["setRemoteSDP", "notifyIncomingCall", "ring"]);
    let call = frames[1]["data"][0].clone();
    assert_eq!(call["caller"], "alice");
    let answer = json!({ "callId": call["callId"], "sdp": browser_answer() });
    bench.say(page, "answer", answer);
    assert_eq!(names(&bench.take_frames(page)), ["notifyAudioCodec", "talk"]);
    let ok = responses(&bench.take(alice.flow.remote)).pop().unwrap();
    alice.acknowledge(&mut bench, &ok, None);
    let bye = alice.inside(Method::Bye, &ok, None);
    alice.send(&mut bench, bye);
    assert_eq!(names(&bench.take_frames(page)), ["finish"]);

    alice.call(&mut bench, "carol");
    let call = bench.take_frames(page)[1]["data"][0].clone();
    bench.say(page, "hangup", json!({ "callId": call["callId"], "sipStatus": 486 }));
    let (got, frames) = (bench.take(alice.flow.remote), bench.take_frames(page));
    assert_eq!((statuses(&got), names(&frames)), (vec![486], vec!["finish".to_owned()]));
    bench.assert_clean();
}

#[test]
fn two_pages_call_each_other_and_busy_is_told() {
    let mut bench = Bench::new();
    let (one, other) = (bench.browser(1, "alice", PASSWORD, ""), bench.browser(2, "bob", PASSWORD, ""));
    bench.take_frames(one);
    bench.take_frames(other);
    bench.say(one, "call", json!({ "callId": "c", "callee": "bob", "sdp": samples::CHROMIUM }));
    let id = bench.take_frames(other)[1]["data"][0]["callId"].clone();
    bench.say(other, "hangup", json!({ "callId": id, "sipStatus": 486 }));
    let frames = bench.take_frames(one);
    assert_eq!(frames.last().unwrap()["data"][0]["status"], "BUSY");
    bench.assert_clean();
}

#[test]
fn a_page_that_goes_away_ends_its_calls() {
    let mut bench = Bench::new();
    let (_, bob) = phones(&mut bench);
    let page = bench.browser(1, "carol", PASSWORD, "");
    bench.say(page, "call", json!({ "callId": "c1", "callee": "bob", "sdp": samples::CHROMIUM }));
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &invite, 180, None);
    bench.input(Input::WcsClosed { connection: page });
    let cancel = request_of(&bench.take(bob.flow.remote), Method::Cancel);
    bob.answer(&mut bench, &cancel, 200, None);
    bob.answer(&mut bench, &invite, 487, None);
    bench.assert_clean();
}

#[test]
fn cancel_decline_and_no_answer() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let (invite, _) = alice.call(&mut bench, "bob");
    let at_bob = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &at_bob, 180, None);
    bench.take(alice.flow.remote);
    let mut cancel = Request::new(Method::Cancel, invite.uri.clone());
    for name in
        [HeaderName::Via, HeaderName::MaxForwards, HeaderName::From, HeaderName::To, HeaderName::CallId]
    {
        cancel.headers.push(name.clone(), invite.headers.get(name).unwrap());
    }
    cancel.headers.push(HeaderName::CSeq, format!("{} CANCEL", invite.headers.cseq().unwrap().0));
    let got = alice.send(&mut bench, cancel);
    assert_eq!(statuses(&got), [200, 487]);
    alice.acknowledge_failure(&mut bench, &invite, &responses(&got)[1]);
    let cancel = request_of(&bench.take(bob.flow.remote), Method::Cancel);
    bob.answer(&mut bench, &cancel, 200, None);
    bob.answer(&mut bench, &at_bob, 487, None);
    bench.assert_clean();

    let (invite, _) = alice.call(&mut bench, "bob");
    let at_bob = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &at_bob, 603, None);
    let got = bench.take(alice.flow.remote);
    assert_eq!(statuses(&got), [603]);
    alice.acknowledge_failure(&mut bench, &invite, &responses(&got)[0]);

    let (invite, _) = alice.call(&mut bench, "bob");
    let at_bob = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &at_bob, 180, None);
    bench.take(alice.flow.remote);
    bench.pass(Duration::from_secs(30));
    let got = bench.take(alice.flow.remote);
    assert_eq!(statuses(&got), [408]);
    alice.acknowledge_failure(&mut bench, &invite, &responses(&got)[0]);
    bob.answer(&mut bench, &at_bob, 487, None);
    bench.assert_clean();
    assert_eq!(bench.counter("calls_failed.603"), 1);
}

#[test]
fn hold_passes_through() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let (_, ok) = talking(&mut bench, &mut alice, &bob);
    let hold = alice.sdp.replace("a=sendrecv", "a=sendonly");
    let again = alice.inside(Method::Invite, &ok, Some(&hold));
    alice.send(&mut bench, again);
    let at_bob = request_of(&bench.take(bob.flow.remote), Method::Invite);
    assert!(text(&at_bob.body).contains("a=sendonly"));
    bob.answer(&mut bench, &at_bob, 200, Some(&format!("{}a=recvonly\r\n", bob.sdp)));
    let ok = responses(&bench.take(alice.flow.remote)).pop().unwrap();
    assert!(text(&ok.body).contains("a=recvonly"));
    let legs = bench.sessions.values().next().unwrap();
    assert!(!legs[0].audio.may_send && legs[1].audio.may_send && !legs[1].audio.may_receive);
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    alice.call_with(&mut bench, "bob", None);
    let at_bob = request_of(&bench.take(bob.flow.remote), Method::Invite);
    assert!(!at_bob.body.is_empty());
    bob.answer(&mut bench, &at_bob, 200, Some(samples::SIPP));
    let ok = responses(&bench.take(alice.flow.remote)).pop().unwrap();
    assert!(text(&ok.body).contains("RTP/AVP 0 "));
    alice.acknowledge(&mut bench, &ok, Some(samples::SIPP));
    let legs = bench.sessions.values().next().unwrap();
    assert!(legs.iter().all(|leg| leg.remote.is_some()));
}

#[test]
fn who_cannot_be_called() {
    let mut bench = Bench::new();
    let (mut alice, _) = phones(&mut bench);
    for (callee, status) in [("nobody", 404), ("carol", 480)] {
        let (invite, got) = alice.call(&mut bench, callee);
        assert_eq!(statuses(&got), [status]);
        alice.acknowledge_failure(&mut bench, &invite, &responses(&got)[0]);
    }
    let uri = "sip:someone@elsewhere.example";
    let request = alice.request(Method::Invite, uri, &format!("<{uri}>"), Some(samples::SIPP));
    let (_, got) = alice.authenticated(&mut bench, request);
    assert_eq!(statuses(&got), [403]);
}

#[test]
fn strangers_are_challenged_alike_and_guessers_locked_out() {
    let mut bench = Bench::new();
    for user in ["alice", "nobody"] {
        let mut phone = Phone::new(user, Transport::Udp, 40, samples::SIPP);
        phone.password = "wrong".to_owned();
        for _ in 0..3 {
            let (invite, got) = phone.call(&mut bench, "bob");
            assert_eq!(statuses(&got), [407], "{user}");
            phone.acknowledge_failure(&mut bench, &invite, &responses(&got)[0]);
        }
        phone.password = PASSWORD.to_owned();
        let (_, got) = phone.call(&mut bench, "bob");
        assert_eq!(statuses(&got), [403], "{user} must wait even with the right password");
    }
    assert_eq!(bench.counter("wrong_passwords"), 6);
    let mut elsewhere = Phone::new("alice", Transport::Udp, 41, samples::SIPP);
    elsewhere.register(&mut bench);
}

#[test]
fn nobody_calls_or_registers_as_somebody_else() {
    let mut bench = Bench::new();
    let (mut alice, _) = phones(&mut bench);
    let mut request =
        alice.request(Method::Invite, "sip:bob@tandem.test", "<sip:bob@tandem.test>", Some(samples::SIPP));
    request.headers.set(HeaderName::From, "<sip:carol@tandem.test>;tag=x");
    let (_, got) = alice.authenticated(&mut bench, request);
    assert_eq!(statuses(&got), [403]);
    let request = alice.request(Method::Register, "sip:tandem.test", "<sip:carol@tandem.test>", None);
    let (_, got) = alice.authenticated(&mut bench, request);
    assert_eq!(statuses(&got), [403]);
}

#[test]
fn options_is_answered() {
    let mut bench = Bench::new();
    let (mut alice, _) = phones(&mut bench);
    let request = alice.request(Method::Options, "sip:tandem.test", "<sip:tandem.test>", None);
    let got = responses(&alice.send(&mut bench, request));
    assert_eq!(got[0].status, 200);
    assert!(got[0].headers.get(HeaderName::Allow).unwrap().contains("INVITE"));
}

#[test]
fn limits_hold() {
    let mut bench = Bench::new();
    let (mut alice, mut bob) = phones(&mut bench);
    let mut carol = Phone::new("carol", Transport::Udp, 33, samples::SIPP);
    carol.register(&mut bench);
    carol.call(&mut bench, "bob");
    alice.call(&mut bench, "bob");
    let (_, got) = bob.call(&mut bench, "alice");
    assert_eq!(statuses(&got), [403], "bob has two calls");
    let (_, got) = alice.call(&mut bench, "bob");
    assert_eq!(statuses(&got), [486]);
}

#[test]
fn without_media_there_is_503_with_words() {
    let mut bench = Bench::new();
    let (mut alice, _) = phones(&mut bench);
    bench.refuse_sessions = Some(Refusal::OutOfPorts);
    let (_, got) = alice.call(&mut bench, "bob");
    assert_eq!(statuses(&got), [100, 503]);
    bench.input(Input::DataplaneDown);
    let (_, got) = alice.call(&mut bench, "bob");
    assert_eq!(statuses(&got), [503]);
    assert!(responses(&got)[0].reason.contains("media server"));
}

#[test]
fn a_silent_call_ends_on_both_sides() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    talking(&mut bench, &mut alice, &bob);
    let session = *bench.sessions.keys().next().unwrap();
    let event = tandem_control::Event { session, kind: EventKind::MediaTimeout };
    bench.input(Input::Dataplane(tandem_control::Message::Event(event)));
    for phone in [&alice, &bob] {
        let bye = request_of(&bench.take(phone.flow.remote), Method::Bye);
        assert!(bye.headers.get(HeaderName::Reason).unwrap().contains("No media"));
        phone.answer(&mut bench, &bye, 200, None);
    }
    bench.assert_clean();
}

#[test]
fn calls_survive_a_dataplane_that_comes_back_with_their_sessions() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    talking(&mut bench, &mut alice, &bob);
    bench.input(Input::DataplaneDown);
    bench.dataplane_up();
    bench.pass(Duration::from_secs(40));
    assert_eq!((bench.sessions.len(), bench.counter("calls_active")), (1, 1));

    bench.input(Input::DataplaneDown);
    bench.sessions.clear();
    bench.dataplane_up();
    let bye = request_of(&bench.take(alice.flow.remote), Method::Bye);
    assert!(bye.headers.get(HeaderName::Reason).unwrap().contains("session is lost"));
    assert_eq!(bench.counter("calls_active"), 0);
}

#[test]
fn sessions_of_nobody_are_deleted_after_a_grace() {
    let mut bench = Bench::without_dataplane();
    let idle = tandem_control::LegConfig::idle();
    bench.sessions.insert(tandem_control::SessionId(99), [idle.clone(), idle]);
    bench.dataplane_up();
    bench.pass(Duration::from_secs(20));
    assert_eq!(bench.sessions.len(), 1);
    bench.pass(Duration::from_secs(20));
    assert!(bench.sessions.is_empty());
}

#[test]
fn a_page_logs_in_at_a_provider_calls_through_it_and_is_called() {
    let mut bench = Bench::new();
    let page = bench.browser(1, "1001", "secret", "provider.example");
    bench.take_frames(page);
    let (query, host) = bench.resolves.pop().unwrap();
    assert_eq!(host, "provider.example");
    let provider = Phone::new("provider", Transport::Udp, 50, samples::SIPP);
    let target = |address| Target { transport: Transport::Udp, address, name: host.clone() };
    bench.input(Input::Resolved { query, targets: vec![target(provider.flow.remote)] });
    let register = request_of(&bench.take(provider.flow.remote), Method::Register);
    let contact = register.headers.get(HeaderName::Contact).unwrap().to_owned();
    let mut response = crate::sip::reply(&register, 200, "OK");
    response.headers.push(HeaderName::Contact, format!("{};expires=600", contact.split(';').next().unwrap()));
    provider.send(&mut bench, response);
    assert_eq!(names(&bench.take_frames(page)), ["registered"]);

    bench.say(page, "call", json!({ "callId": "c", "callee": "5551234", "sdp": samples::CHROMIUM }));
    let (query, _) = bench.resolves.pop().unwrap();
    bench.input(Input::Resolved { query, targets: vec![target(provider.flow.remote)] });
    let invite = request_of(&bench.take(provider.flow.remote), Method::Invite);
    assert_eq!(invite.uri.to_string(), "sip:5551234@provider.example");
    provider.answer(&mut bench, &invite, 486, None);
    assert_eq!(bench.take_frames(page).last().unwrap()["data"][0]["status"], "BUSY");

    let mut provider = provider;
    let uri = contact.trim_start_matches('<').split('>').next().unwrap().to_owned();
    let request = provider.request(Method::Invite, &uri, "<sip:1001@provider.example>", Some(samples::SIPP));
    assert_eq!(statuses(&provider.send(&mut bench, request)), [100, 180]);
    assert_eq!(names(&bench.take_frames(page)), ["setRemoteSDP", "notifyIncomingCall", "ring"]);
}

#[test]
fn a_provider_must_not_lead_to_private_addresses() {
    let mut bench = Bench::new();
    let page = bench.browser(1, "1001", "secret", "10.0.0.9");
    let frames = bench.take_frames(page);
    assert_eq!(frames.last().unwrap()["message"], "fail");
    let page = bench.browser(2, "1001", "secret", "provider.example");
    let (query, host) = bench.resolves.pop().unwrap();
    let address = "127.0.0.1:5060".parse().unwrap();
    bench.input(Input::Resolved {
        query,
        targets: vec![Target { transport: Transport::Udp, address, name: host }],
    });
    assert!(bench.take(address).is_empty());
    assert_eq!(bench.counter("forbidden_targets"), 1);
    assert_eq!(bench.take_frames(page).last().unwrap()["message"], "fail");
}

#[test]
fn a_wrong_password_and_an_unknown_user_sound_the_same_to_a_page() {
    let mut bench = Bench::new();
    let said = |bench: &mut Bench, number, user: &str| -> Value {
        let page = bench.browser(number, user, "wrong", "");
        bench.take_frames(page).pop().unwrap()
    };
    let (known, unknown) = (said(&mut bench, 1, "alice"), said(&mut bench, 2, "nobody"));
    assert_eq!(known, unknown);
    assert_eq!(known["message"], "fail");
}
