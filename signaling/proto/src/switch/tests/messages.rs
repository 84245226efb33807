use super::*;
use crate::messaging::{Cpim, KeptMessage, Notification, Status, UnixSeconds};
use crate::settings::MessageRules;
use crate::sip::Message;
use std::time::SystemTime;

const TEXT: &str = "text/plain;charset=utf-8";

fn phone(name: &str, host: u8) -> Phone {
    Phone::new(name, Transport::Udp, host, samples::BARESIP)
}

/// Sends a message as a telephone does; the statuses that came back at once.
fn send(bench: &mut Bench, from: &mut Phone, to: &str, kind: &str, body: &str) -> Vec<u16> {
    let uri = format!("sip:{to}@{DOMAIN}");
    let mut request = from.request(Method::Message, &uri, &format!("<{uri}>"), None);
    request.headers.remove(HeaderName::Contact);
    request.headers.push(HeaderName::ContentType, kind);
    request.body = body.as_bytes().to_vec();
    let (_, got) = from.authenticated(bench, request);
    statuses(&got)
}

/// The messages that reached a telephone since the last look.
fn got(bench: &mut Bench, phone: &Phone) -> Vec<Request> {
    messages(bench.take(phone.flow.remote))
}

/// A telephone answers a message; the messages that come then.
fn answer(bench: &mut Bench, phone: &Phone, request: &Request, status: u16) -> Vec<Request> {
    messages(phone.answer(bench, request, status, None))
}

fn messages(all: Vec<Message>) -> Vec<Request> {
    let message = |message| match message {
        Message::Request(request) if request.method == Method::Message => Some(request),
        _ => None,
    };
    all.into_iter().filter_map(message).collect()
}

fn bodies(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| text(&request.body)).collect()
}

/// The first argument of each message of this name.
fn arguments(frames: &[Value], name: &str) -> Vec<Value> {
    frames.iter().filter(|frame| frame["message"] == name).map(|frame| frame["data"][0].clone()).collect()
}

/// What a browser was told of messages: `state` or body.
fn told(bench: &mut Bench, browser: ConnectionId) -> Vec<String> {
    let message = |message: Value| match message["state"].as_str() {
        Some("RECEIVED") | None => message["body"].as_str().unwrap_or_default().to_owned(),
        Some(state) => format!("{} {state}", message["id"].as_str().unwrap_or_default()),
    };
    arguments(&bench.take_frames(browser), "notifyMessage").into_iter().map(message).collect()
}

fn write(bench: &mut Bench, browser: ConnectionId, to: &str, body: &str, notify: bool) {
    let message = json!({
        "id": "m1", "from": "alice", "to": to, "body": body, "contentType": "text/plain",
        "deliveryNotification": notify,
    });
    bench.say(browser, "sendInstantMessage", message);
}

/// The browser takes what it was shown.
fn take(bench: &mut Bench, browser: ConnectionId) -> Vec<Value> {
    let shown = arguments(&bench.take_frames(browser), "notifyMessage");
    for message in &shown {
        let result = json!({ "id": message["id"], "status": "OK" });
        bench.say(browser, "notificationResult", result);
    }
    shown
}

#[test]
fn a_message_reaches_a_telephone_and_its_answer_is_the_senders() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    for (answer, status) in [(200, 200), (202, 200), (415, 415), (603, 603)] {
        assert_eq!(send(&mut bench, &mut alice, "bob", TEXT, "Grüße, 日本"), [0; 0]);
        let requests = got(&mut bench, &bob);
        let [request] = requests.as_slice() else { panic!("{requests:?}") };
        assert_eq!(text(&request.body), "Grüße, 日本");
        assert_eq!(request.headers.get(HeaderName::ContentType), Some(TEXT));
        assert_eq!(request.headers.from().unwrap().uri.to_string(), "sip:alice@tandem.test");
        assert_eq!(request.headers.to().unwrap().uri.to_string(), "sip:bob@tandem.test");
        bob.answer(&mut bench, request, answer, None);
        assert_eq!(statuses(&bench.take(alice.flow.remote)), [status]);
    }
    assert!(bench.kept.is_empty());
    assert_eq!(bench.counter("messages_waiting"), 0);
    bench.assert_clean();
}

#[test]
fn strangers_and_forgers_send_nothing() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let uri = format!("sip:bob@{DOMAIN}");
    let stranger = phone("mallory", 66).request(Method::Message, &uri, "<sip:bob@tandem.test>", None);
    assert_eq!(statuses(&phone("mallory", 66).send(&mut bench, stranger)), [407]);
    let mut forged = alice.request(Method::Message, &uri, "<sip:bob@tandem.test>", None);
    forged.headers.set(HeaderName::From, "<sip:carol@tandem.test>;tag=f");
    forged.headers.push(HeaderName::ContentType, TEXT);
    let (_, answer) = alice.authenticated(&mut bench, forged);
    assert_eq!(statuses(&answer), [403]);
    assert_eq!(send(&mut bench, &mut alice, "nobody", TEXT, "x"), [404]);
    assert_eq!(send(&mut bench, &mut alice, "bob", "nonsense", "x"), [400]);
    assert_eq!(send(&mut bench, &mut alice, "bob", "text/plain; format=", "x"), [400]);
    assert_eq!(send(&mut bench, &mut alice, "bob", TEXT, &"x".repeat(20_000)), [413]);
    assert!(got(&mut bench, &bob).is_empty());
}

#[test]
fn that_somebody_types_is_taken_and_goes_no_further() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let kind = "application/im-iscomposing+xml";
    assert_eq!(send(&mut bench, &mut alice, "bob", kind, "<isComposing/>"), [200]);
    let wrapped = format!("From: <sip:a@b>\r\n\r\nContent-Type: {kind}\r\n\r\n<isComposing/>");
    assert_eq!(send(&mut bench, &mut alice, "carol", "message/cpim", &wrapped), [200]);
    assert!(got(&mut bench, &bob).is_empty() && bench.kept.is_empty());
}

#[test]
fn messages_to_a_user_who_is_away_are_kept_and_delivered_in_order_at_the_login() {
    let mut bench = Bench::new();
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_207_311_409);
    bench.switch.restore_messages(bench.now, wall, Vec::new());
    let (mut alice, _) = phones(&mut bench);
    for body in ["one", "two"] {
        assert_eq!(send(&mut bench, &mut alice, "carol", TEXT, body), [202]);
    }
    assert_eq!(bench.kept.len(), 2);
    let mut carol = phone("carol", 40);
    carol.register(&mut bench);
    let mut requests = got(&mut bench, &carol);
    for body in ["one", "two"] {
        assert_eq!(bodies(&requests), [body], "one after the other");
        assert_eq!(requests[0].headers.get(HeaderName::Date), Some("Fri, 04 Apr 2008 12:16:49 GMT"));
        requests = answer(&mut bench, &carol, &requests[0], 200);
    }
    assert!(bench.kept.is_empty() && requests.is_empty());
    assert_eq!((bench.counter("messages_kept"), bench.counter("messages_delivered")), (2, 2));
}

#[test]
fn what_was_kept_survives_the_process() {
    let mut bench = Bench::new();
    let (mut alice, _) = phones(&mut bench);
    for body in ["one", "two"] {
        send(&mut bench, &mut alice, "carol", TEXT, body);
    }
    let kept: Vec<KeptMessage> = bench.kept.values().rev().cloned().collect();
    let mut bench = Bench::new();
    bench.kept = kept.iter().map(|message| (message.id, message.clone())).collect();
    bench.switch.restore_messages(bench.now, SystemTime::UNIX_EPOCH, kept);
    let mut carol = phone("carol", 40);
    carol.register(&mut bench);
    let mut heard = Vec::new();
    let mut requests = got(&mut bench, &carol);
    while let [request] = requests.as_slice() {
        heard.push(text(&request.body).to_owned());
        requests = answer(&mut bench, &carol, request, 200);
    }
    heard.sort();
    assert_eq!(heard, ["one", "two"], "they came in the same second");
    assert!(bench.kept.is_empty());
}

#[test]
fn a_telephone_that_does_not_answer_does_not_keep_the_sender_waiting_nor_lose_the_message() {
    let mut bench = Bench::new();
    let (mut alice, mut bob) = phones(&mut bench);
    assert_eq!(send(&mut bench, &mut alice, "bob", TEXT, "one"), [0; 0]);
    bench.pass(Duration::from_secs(4));
    assert_eq!(statuses(&bench.take(alice.flow.remote)), [0; 0]);
    bench.pass(Duration::from_secs(2));
    assert_eq!(statuses(&bench.take(alice.flow.remote)), [202]);
    assert_eq!(bench.kept.len(), 1);
    // The telephone answers after all.
    let late = got(&mut bench, &bob).remove(0);
    bob.answer(&mut bench, &late, 200, None);
    assert!(bench.kept.is_empty(), "it is not delivered twice");
    // Now it never does; the next login brings it.
    send(&mut bench, &mut alice, "bob", TEXT, "two");
    bench.pass(Duration::from_secs(40));
    assert_eq!(bench.kept.len(), 1);
    got(&mut bench, &bob);
    bob.register(&mut bench);
    let again = got(&mut bench, &bob);
    assert_eq!(bodies(&again), ["two"]);
    bob.answer(&mut bench, &again[0], 200, None);
    assert!(bench.kept.is_empty());
}

#[test]
fn a_login_while_a_message_waits_for_a_dead_telephone_brings_it_there_too() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    send(&mut bench, &mut alice, "bob", TEXT, "one");
    let mut second = phone("bob", 31);
    second.register(&mut bench);
    let requests = got(&mut bench, &second);
    assert_eq!(bodies(&requests), ["one"]);
    second.answer(&mut bench, &requests[0], 200, None);
    assert_eq!(statuses(&bench.take(alice.flow.remote)), [200]);
    bench.pass(Duration::from_secs(60));
    assert!(bench.kept.is_empty() && !got(&mut bench, &bob).is_empty(), "it was tried to the end");
}

#[test]
fn mailboxes_are_bounded_and_what_waits_for_too_long_is_dropped() {
    let mut bench = Bench::new();
    let (mut alice, _) = phones(&mut bench);
    for _ in 0..3 {
        assert_eq!(send(&mut bench, &mut alice, "carol", TEXT, "x"), [202]);
    }
    assert_eq!(send(&mut bench, &mut alice, "carol", TEXT, "x"), [480]);
    assert_eq!(bench.counter("messages_refused"), 1);
    bench.pass(MessageRules::default().keep + Duration::from_secs(20));
    assert_eq!((bench.kept.len(), bench.counter("messages_expired")), (0, 3));
}

#[test]
fn a_message_is_worth_no_more_than_it_says() {
    let mut bench = Bench::new();
    let (mut alice, _) = phones(&mut bench);
    let uri = format!("sip:carol@{DOMAIN}");
    let mut expires = |bench: &mut Bench, seconds: u32| {
        let mut request = alice.request(Method::Message, &uri, &format!("<{uri}>"), None);
        request.headers.push(HeaderName::ContentType, TEXT);
        request.headers.push(HeaderName::Expires, seconds);
        let (_, got) = alice.authenticated(bench, request);
        statuses(&got)
    };
    assert_eq!(expires(&mut bench, 0), [480], "now or never");
    assert_eq!(expires(&mut bench, 30), [202]);
    bench.pass(Duration::from_secs(60));
    assert!(bench.kept.is_empty());
}

#[test]
fn a_full_disk_is_told_the_sender() {
    let mut bench = Bench::new();
    bench.disk_is_full = true;
    let (mut alice, _) = phones(&mut bench);
    assert_eq!(send(&mut bench, &mut alice, "carol", TEXT, "x"), [500]);
    assert_eq!(bench.counter("messages_waiting"), 0);
}

#[test]
fn browsers_write_to_telephones_and_are_told_what_becomes_of_it() {
    let mut bench = Bench::new();
    let (_, bob) = phones(&mut bench);
    let browser = bench.browser(1, "alice", PASSWORD, DOMAIN);
    write(&mut bench, browser, "bob", "Grüße", false);
    assert_eq!(told(&mut bench, browser), ["m1 SENT"]);
    let requests = got(&mut bench, &bob);
    assert_eq!(bodies(&requests), ["Grüße"]);
    assert_eq!(requests[0].headers.get(HeaderName::ContentType), Some(TEXT));
    bob.answer(&mut bench, &requests[0], 200, None);
    assert_eq!(told(&mut bench, browser), ["m1 ACCEPTED"]);
    write(&mut bench, browser, "nobody", "x", false);
    assert_eq!(told(&mut bench, browser), ["m1 SENT", "m1 FAILED"]);
    write(&mut bench, browser, "bob@elsewhere.example", "x", false);
    assert_eq!(told(&mut bench, browser), ["m1 FAILED"]);
}

#[test]
fn telephones_write_to_browsers_which_say_that_they_took_it() {
    let mut bench = Bench::new();
    let (mut alice, _) = phones(&mut bench);
    let browser = bench.browser(1, "carol", PASSWORD, DOMAIN);
    assert_eq!(send(&mut bench, &mut alice, "carol", TEXT, "Grüße"), [0; 0]);
    let shown = take(&mut bench, browser);
    assert_eq!((&shown[0]["body"], &shown[0]["from"]), (&json!("Grüße"), &json!("alice")));
    assert_eq!(statuses(&bench.take(alice.flow.remote)), [200]);
    // What is no text is refused, by this browser.
    assert_eq!(send(&mut bench, &mut alice, "carol", "image/png", "x"), [415]);
    // One that says nothing has not taken it, and gets it again.
    send(&mut bench, &mut alice, "carol", TEXT, "two");
    bench.pass(Duration::from_secs(6));
    assert_eq!(statuses(&bench.take(alice.flow.remote)), [202]);
    assert_eq!(told(&mut bench, browser), ["two"]);
    let again = bench.browser(2, "carol", PASSWORD, DOMAIN);
    let shown = take(&mut bench, again);
    assert_eq!(shown[0]["body"], "two");
    assert!(bench.kept.is_empty());
}

#[test]
fn a_browser_that_asks_is_told_of_the_delivery_whatever_the_recipient_knows_of_it() {
    let mut bench = Bench::new();
    let (_, bob) = phones(&mut bench);
    let browser = bench.browser(1, "alice", PASSWORD, DOMAIN);
    write(&mut bench, browser, "bob", "hello", true);
    let wrapped = got(&mut bench, &bob).remove(0);
    let message = Cpim::parse(&wrapped.body).unwrap();
    assert_eq!((message.content, message.wanted.delivered), (b"hello".as_slice(), true));
    // A telephone that does not know the wrapper gets the text, and the server speaks for it.
    let plain = answer(&mut bench, &bob, &wrapped, 415).remove(0);
    assert_eq!((text(&plain.body), plain.headers.get(HeaderName::ContentType)), ("hello", Some(TEXT)));
    bob.answer(&mut bench, &plain, 200, None);
    let mut states = told(&mut bench, browser);
    states.sort();
    assert_eq!(states, ["m1 ACCEPTED", "m1 IMDN_DELIVERED", "m1 SENT"]);

    // One that knows it says so itself.
    write(&mut bench, browser, "bob", "again", true);
    let wrapped = got(&mut bench, &bob).remove(0);
    bob.answer(&mut bench, &wrapped, 200, None);
    assert_eq!(told(&mut bench, browser), ["m1 SENT", "m1 ACCEPTED"]);
    let message_id = Cpim::parse(&wrapped.body).unwrap().message_id.unwrap().to_owned();
    let mut bob = bob;
    for (status, expected) in [(Status::Failed, "m1 IMDN_FAILED"), (Status::Forbidden, "m1 IMDN_FORBIDDEN")] {
        let notification = Notification { message_id: message_id.clone(), status };
        let document = notification.write("sip:bob@tandem.test", UnixSeconds::new(0));
        let body = format!("From: <sip:bob@b>\r\n\r\nContent-Type: message/imdn+xml\r\n\r\n{document}");
        assert_eq!(send(&mut bench, &mut bob, "alice", "message/cpim", &body), [200]);
        assert_eq!(told(&mut bench, browser), [expected]);
    }
}

#[test]
fn a_telephone_that_asks_is_told_of_the_delivery_to_a_browser_and_of_none() {
    let mut bench = Bench::new();
    let (mut alice, _) = phones(&mut bench);
    let asks = "From: <sip:alice@tandem.test>\r\nTo: <sip:carol@tandem.test>\r\n\
                NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 34jk\r\n\
                imdn.Disposition-Notification: positive-delivery, negative-delivery\r\n\r\n\
                Content-Type: text/plain\r\n\r\nhello";
    let browser = bench.browser(1, "carol", PASSWORD, DOMAIN);
    send(&mut bench, &mut alice, "carol", "message/cpim", asks);
    assert_eq!(take(&mut bench, browser)[0]["body"], "hello");
    let notified = |bench: &mut Bench, alice: &Phone| {
        let taken = bench.take(alice.flow.remote);
        let request = request_of(&taken, Method::Message);
        alice.answer(bench, &request, 200, None);
        let wrapper = Cpim::parse(&request.body).unwrap();
        assert_eq!(wrapper.media_type(), "message/imdn+xml");
        (statuses(&taken), Notification::parse(wrapper.content).unwrap())
    };
    let (answered, notification) = notified(&mut bench, &alice);
    assert_eq!((answered.as_slice(), notification.status), ([200].as_slice(), Status::Delivered));
    assert_eq!(notification.message_id, "34jk");
    // Nobody fetches it in time.
    bench.input(Input::WcsClosed { connection: browser });
    let uri = format!("sip:carol@{DOMAIN}");
    let mut request = alice.request(Method::Message, &uri, &format!("<{uri}>"), None);
    request.headers.push(HeaderName::ContentType, "message/cpim");
    request.headers.push(HeaderName::Expires, 30);
    request.body = asks.into();
    assert_eq!(statuses(&alice.authenticated(&mut bench, request).1), [202]);
    bench.pass(Duration::from_secs(60));
    assert_eq!(notified(&mut bench, &alice).1.status, Status::Failed);
}

#[test]
fn a_message_inside_a_call_is_routed_as_one_outside() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let (_, ok) = talking(&mut bench, &mut alice, &bob);
    let mut request = alice.inside(Method::Message, &ok, None);
    request.headers.push(HeaderName::ContentType, TEXT);
    request.body = b"in the call".to_vec();
    alice.authenticated(&mut bench, request);
    let requests = got(&mut bench, &bob);
    assert_eq!(bodies(&requests), ["in the call"]);
    bob.answer(&mut bench, &requests[0], 200, None);
    assert_eq!(statuses(&bench.take(alice.flow.remote)), [200]);
}
