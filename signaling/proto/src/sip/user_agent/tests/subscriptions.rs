use super::*;
use crate::transport::ConnectionId;

const STATE: &str = "application/dialog-info+xml";

fn subscribe(branch: &str, number: u32, to_tag: &str, expires: u32) -> String {
    let to = format!("To: <sip:alice@example.org>{to_tag}\r\nCSeq: {number} SUBSCRIBE\r\n");
    request_text("SUBSCRIBE", branch, &format!("{to}Event: dialog;id=7\r\nExpires: {expires}\r\n"), "")
}

/// The peer subscribes; what it is told first.
fn subscribed(bench: &mut Bench, expires: u32) -> (SubscriptionHandle, String) {
    bench.receive(&subscribe("s1", 1, "", expires));
    let [UaEvent::Request { handle, .. }] = bench.events()[..] else { panic!("no request") };
    let limit = Duration::from_secs(600);
    let subscriber = bench.agent.accept_subscription(bench.now, handle, limit, "alice").unwrap();
    let responses = bench.responses();
    let [response] = responses.as_slice() else { panic!("{responses:?}") };
    assert_eq!((response.status, response.headers.expires()), (200, Ok(Some(expires.min(600)))));
    assert!(response.headers.get(HeaderName::Contact).is_some());
    let tag = response.headers.to().unwrap().tag().unwrap().to_owned();
    assert!(wants(bench));
    (subscriber, format!(";tag={tag}"))
}

/// Whether the state is asked for.
fn wants(bench: &mut Bench) -> bool {
    bench.events().iter().any(|event| matches!(event, UaEvent::StateWanted { .. }))
}

fn ended(bench: &mut Bench) -> bool {
    bench.events().iter().any(|event| matches!(event, UaEvent::SubscriptionEnded { .. }))
}

fn notify(bench: &mut Bench, subscriber: SubscriptionHandle, body: &str) -> Request {
    bench.agent.notify(bench.now, subscriber, STATE, body.as_bytes().to_vec());
    let request = bench.request();
    assert_eq!((&request.method, request.body.as_slice()), (&Method::Notify, body.as_bytes()));
    assert_eq!(request.headers.get(HeaderName::Event), Some("dialog;id=7"));
    request
}

fn state(request: &Request) -> &str {
    request.headers.get(HeaderName::SubscriptionState).unwrap()
}

#[test]
fn a_subscriber_is_told_the_state_and_each_change_at_most_once_a_second() {
    let mut bench = Bench::new();
    let (subscriber, _) = subscribed(&mut bench, 3_600);
    let first = notify(&mut bench, subscriber, "1");
    assert_eq!(state(&first), "active;expires=600");
    assert_eq!(first.headers.to().unwrap().tag(), Some("bob"));
    // One at a time, whatever happens.
    bench.agent.state_changed(bench.now, subscriber);
    bench.agent.state_changed(bench.now, subscriber);
    assert!(!wants(&mut bench));
    bench.reply(&first, 200, "", &[], None);
    assert!(!wants(&mut bench), "the second has not passed");
    bench.pass(Duration::from_secs(1));
    assert!(wants(&mut bench));
    bench.agent.state_changed(bench.now, subscriber);
    assert!(!wants(&mut bench), "it is asked for already");
    let second = notify(&mut bench, subscriber, "2");
    assert_eq!(second.headers.cseq().unwrap().0, first.headers.cseq().unwrap().0 + 1);
    bench.reply(&second, 200, "", &[], None);
    bench.pass(Duration::from_secs(5));
    assert!(!wants(&mut bench), "nothing has changed");
}

#[test]
fn a_subscription_is_refreshed_and_ended_by_its_subscriber() {
    let mut bench = Bench::new();
    let (subscriber, tag) = subscribed(&mut bench, 60);
    let first = notify(&mut bench, subscriber, "1");
    bench.reply(&first, 200, "", &[], None);
    bench.pass(Duration::from_secs(50));
    bench.receive(&subscribe("s2", 2, &tag, 60));
    assert_eq!(bench.statuses(), [200]);
    assert!(wants(&mut bench), "RFC 6665 section 4.2.1.2");
    let second = notify(&mut bench, subscriber, "2");
    assert_eq!(state(&second), "active;expires=60");
    bench.reply(&second, 200, "", &[], None);
    bench.receive(&subscribe("s3", 3, &tag, 0));
    assert!(wants(&mut bench));
    let last = notify(&mut bench, subscriber, "3");
    assert_eq!(state(&last), "terminated;reason=timeout");
    assert!(ended(&mut bench));
    bench.receive(&subscribe("s4", 4, &tag, 60));
    assert!(bench.statuses().contains(&481));
    bench.pass(Duration::from_secs(100));
    assert_empty(&bench.agent);
}

#[test]
fn a_subscription_that_is_not_refreshed_ends() {
    let mut bench = Bench::new();
    let (subscriber, _) = subscribed(&mut bench, 60);
    let first = notify(&mut bench, subscriber, "1");
    bench.reply(&first, 200, "", &[], None);
    bench.pass(Duration::from_secs(60));
    assert!(wants(&mut bench));
    assert_eq!(state(&notify(&mut bench, subscriber, "2")), "terminated;reason=timeout");
    assert!(ended(&mut bench));
    bench.pass(Duration::from_secs(100));
    assert_empty(&bench.agent);
}

#[test]
fn a_lifetime_of_zero_fetches_the_state() {
    let mut bench = Bench::new();
    let (subscriber, _) = subscribed(&mut bench, 0);
    assert_eq!(state(&notify(&mut bench, subscriber, "1")), "terminated;reason=timeout");
    assert!(ended(&mut bench));
}

#[test]
fn a_subscriber_that_knows_nothing_of_it_is_told_nothing_more() {
    let mut bench = Bench::new();
    let (subscriber, _) = subscribed(&mut bench, 600);
    let first = notify(&mut bench, subscriber, "1");
    bench.reply(&first, 481, "", &[], None);
    assert!(ended(&mut bench));
}

#[test]
fn a_subscriber_that_does_not_answer_gets_one_more_chance() {
    let mut bench = Bench::new();
    let (subscriber, _) = subscribed(&mut bench, 600);
    notify(&mut bench, subscriber, "1");
    bench.pass(Duration::from_secs(40));
    bench.requests();
    assert!(wants(&mut bench));
    notify(&mut bench, subscriber, "1");
    bench.pass(Duration::from_secs(40));
    bench.requests();
    assert!(ended(&mut bench));
    bench.pass(Duration::from_secs(100));
    assert_empty(&bench.agent);
}

#[test]
fn a_challenge_to_a_notification_is_not_answered() {
    let mut bench = Bench::new();
    let (subscriber, _) = subscribed(&mut bench, 600);
    let first = notify(&mut bench, subscriber, "1");
    let challenge = "Digest realm=\"tandem.test\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";
    bench.reply(&first, 401, "", &[(HeaderName::WwwAuthenticate, challenge)], None);
    assert!(bench.requests().is_empty());
    assert!(ended(&mut bench));
}

#[test]
fn a_browser_whose_connection_closed_is_told_nothing_more() {
    let mut bench = Bench::new();
    bench.flow.transport = Transport::Ws;
    bench.flow.connection = Some(ConnectionId(5));
    let (subscriber, _) = subscribed(&mut bench, 600);
    let first = notify(&mut bench, subscriber, "1");
    bench.reply(&first, 200, "", &[], None);
    bench.agent.closed(bench.now, ConnectionId(5));
    assert!(ended(&mut bench));
    bench.pass(Duration::from_secs(100));
    assert_empty(&bench.agent);
}

#[test]
fn whoever_guesses_at_a_dialog_does_not_reach_its_subscription() {
    let mut bench = Bench::new();
    let (_, tag) = subscribed(&mut bench, 600);
    let forged = subscribe("s2", 2, &tag, 0).replace("tag=bob", "tag=mallory");
    bench.receive(&forged);
    assert_eq!(bench.statuses(), [481]);
    bench.receive(&subscribe("s3", 1, &tag, 0));
    assert_eq!(bench.statuses(), [500], "an old number");
    assert!(!wants(&mut bench));
}
