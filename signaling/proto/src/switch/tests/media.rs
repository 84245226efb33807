//! Digits and tones, from the message to the dataplane.

use super::*;
use crate::settings::MediaProfile;

/// Alice talks to bob, whose telephone has no telephone events; it allows INFO if that is said.
fn alice_talks(bench: &mut Bench, allows_info: bool) -> (Phone, Phone, Response) {
    let (mut alice, bob) = phones(bench);
    alice.call(bench, "bob");
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    if allows_info {
        let mut ringing = crate::sip::reply(&invite, 180, "");
        let mut to = ringing.headers.to().unwrap();
        to.set_tag("t-bob");
        ringing.headers.set(HeaderName::To, to);
        ringing.headers.push(HeaderName::Allow, "INVITE, ACK, BYE, INFO");
        bob.send(bench, ringing);
        bench.take(alice.flow.remote);
    }
    bob.answer(bench, &invite, 200, Some(samples::SIPP));
    let ok = responses(&bench.take(alice.flow.remote)).pop().unwrap();
    alice.acknowledge(bench, &ok, None);
    bench.take(bob.flow.remote);
    (alice, bob, ok)
}

fn info(alice: &mut Phone, ok: &Response, kind: &str, body: &str) -> Request {
    let mut info = alice.inside(Method::Info, ok, None);
    info.headers.set(HeaderName::ContentType, kind);
    info.body = body.as_bytes().to_vec();
    info
}

#[test]
fn a_telephone_that_allows_info_and_has_no_events_is_sent_info() {
    let mut bench = Bench::new();
    let (mut alice, bob, ok) = alice_talks(&mut bench, true);
    let message = info(&mut alice, &ok, "application/dtmf", "9\r\n");
    assert_eq!(statuses(&alice.send(&mut bench, message)), [200]);
    bench.pass(Duration::from_millis(250));
    let got = request_of(&bench.take(bob.flow.remote), Method::Info);
    assert_eq!(got.headers.get(HeaderName::ContentType), Some("application/dtmf"));
    assert_eq!(text(&got.body), "9\r\n");
    assert!(bench.digits.is_empty());
    let session = *bench.sessions.keys().next().unwrap();
    let pressed = EventKind::Digit { side: Side::A, event: 11, duration_ms: 120 };
    let event = tandem_control::Event { session, kind: pressed };
    bench.input(Input::Dataplane(tandem_control::Message::Event(event)));
    let got = request_of(&bench.take(bob.flow.remote), Method::Info);
    assert_eq!(text(&got.body), "Signal=#\r\nDuration=120\r\n");
}

#[test]
fn a_telephone_that_does_not_say_so_hears_tones() {
    let mut bench = Bench::new();
    let (mut alice, bob, ok) = alice_talks(&mut bench, false);
    let message = info(&mut alice, &ok, "application/dtmf-relay", "Signal=4\r\nDuration=160\r\n");
    assert_eq!(statuses(&alice.send(&mut bench, message)), [200]);
    bench.pass(Duration::from_millis(250));
    assert_eq!(bench.digits, [(Side::B, 4)]);
    assert!(bench.take(bob.flow.remote).is_empty());
    let message = info(&mut alice, &ok, "application/dtmf-relay", "Signal=x");
    assert_eq!(statuses(&alice.send(&mut bench, message)), [400]);
    let message = info(&mut alice, &ok, "application/media_control+xml", "<x/>");
    assert_eq!(statuses(&alice.send(&mut bench, message)), [0; 0]);
    // What is no digit is for the other party to take or to refuse.
    let passed = request_of(&bench.take(bob.flow.remote), Method::Info);
    assert_eq!(text(&passed.body), "<x/>");
    bob.answer(&mut bench, &passed, 405, None);
    assert_eq!(statuses(&bench.take(alice.flow.remote)), [405]);
}

#[test]
fn a_page_hears_ring_back_and_then_busy() {
    let tones =
        MediaProfile { ring_back: true, failure_tone: Duration::from_secs(4), ..MediaProfile::default() };
    let mut bench = Bench::with_media(MediaProfile::default(), tones);
    let (_, bob) = phones(&mut bench);
    let page = bench.browser(1, "carol", PASSWORD, "");
    bench.take_frames(page);
    bench.say(page, "call", json!({ "callId": "c1", "callee": "bob", "sdp": samples::CHROMIUM }));
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &invite, 180, None);
    let frames = bench.take_frames(page);
    assert_eq!(names(&frames), ["notifyTryingResponse", "notifyAudioCodec", "setRemoteSDP", "ring"]);
    assert_eq!(frames[3]["data"][0]["status"], "SESSION_PROGRESS");
    assert_eq!(bench.tones, [Side::A]);
    bob.answer(&mut bench, &invite, 486, None);
    assert_eq!(bench.tones, [Side::A, Side::A], "one takes the place of the other");
    bench.pass(Duration::from_millis(3_999));
    assert!(bench.take_frames(page).is_empty());
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.take_frames(page).last().unwrap()["data"][0]["status"], "BUSY");
    bench.assert_clean();
}
