use super::*;

fn phone(name: &str, host: u8) -> Phone {
    Phone::new(name, Transport::Udp, host, samples::BARESIP)
}

/// Subscribes; the final response, and the requests that came with it.
pub(super) fn subscribe(
    bench: &mut Bench,
    phone: &mut Phone,
    to: &str,
    event: &str,
    expires: u32,
) -> (Response, Vec<Request>) {
    let uri = format!("sip:{to}@{DOMAIN}");
    let mut request = phone.request(Method::Subscribe, &uri, &format!("<{uri}>"), None);
    let call_id = format!("{to}-{event}-{}", request.headers.cseq().unwrap().0);
    request.headers.set(HeaderName::CallId, call_id);
    request.headers.push(HeaderName::Event, event);
    request.headers.push(HeaderName::Expires, expires);
    let (_, got) = phone.authenticated(bench, request);
    (responses(&got).pop().unwrap(), notifications(&got))
}

fn notifications(messages: &[crate::sip::Message]) -> Vec<Request> {
    let notify = |message: &crate::sip::Message| match message {
        crate::sip::Message::Request(request) if request.method == Method::Notify => Some(request.clone()),
        _ => None,
    };
    messages.iter().filter_map(notify).collect()
}

/// What a telephone was told since the last look, each answered.
fn told(bench: &mut Bench, phone: &Phone) -> Vec<String> {
    bench.pass(Duration::from_secs(1));
    let mut requests = notifications(&bench.take(phone.flow.remote));
    // Meanwhile they may have been sent again.
    requests.dedup();
    requests
        .iter()
        .map(|request| {
            phone.answer(bench, request, 200, None);
            lamps(&request.body)
        })
        .collect()
}

/// `direction state` of each dialog.
fn lamps(body: &[u8]) -> String {
    let dialogs = text(body).split("<dialog id=").skip(1);
    let lamp = |dialog: &str| {
        let part = |start: &str, end: char| {
            dialog.split_once(start).and_then(|(_, rest)| rest.split(end).next()).unwrap_or("").to_owned()
        };
        format!("{} {}", part("direction=\"", '"'), part("<state>", '<'))
    };
    dialogs.map(lamp).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_lamp_follows_the_calls_of_the_user_it_stands_for() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let mut carol = phone("carol", 40);
    let (response, first) = subscribe(&mut bench, &mut carol, "bob", "dialog", 600);
    assert_eq!((response.status, response.headers.expires()), (200, Ok(Some(600))));
    assert_eq!(lamps(&first[0].body), "");
    assert_eq!(first[0].headers.get(HeaderName::Event), Some("dialog"));
    carol.answer(&mut bench, &first[0], 200, None);

    alice.call(&mut bench, "bob");
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    assert_eq!(told(&mut bench, &carol), ["recipient early"]);
    bob.answer(&mut bench, &invite, 200, Some(&bob.sdp));
    let ok = responses(&bench.take(alice.flow.remote)).pop().unwrap();
    alice.acknowledge(&mut bench, &ok, None);
    assert_eq!(told(&mut bench, &carol), ["recipient confirmed"]);
    assert!(told(&mut bench, &carol).is_empty(), "nothing has changed");
    let bye = alice.inside(Method::Bye, &ok, None);
    alice.send(&mut bench, bye);
    let bye = request_of(&bench.take(bob.flow.remote), Method::Bye);
    bob.answer(&mut bench, &bye, 200, None);
    assert_eq!(told(&mut bench, &carol), [""]);
}

#[test]
fn whoever_watches_asks_first_and_in_bounds() {
    let mut bench = Bench::new();
    phones(&mut bench);
    let mut carol = phone("carol", 40);
    let status = |bench: &mut Bench, phone: &mut Phone, to: &str, event: &str| {
        let (response, notifications) = subscribe(bench, phone, to, event, 600);
        for request in notifications {
            phone.answer(bench, &request, 200, None);
        }
        response.status
    };
    let uri = format!("sip:bob@{DOMAIN}");
    let stranger = phone("mallory", 66).request(Method::Subscribe, &uri, "<sip:bob@tandem.test>", None);
    assert_eq!(statuses(&phone("mallory", 66).send(&mut bench, stranger)), [407]);
    let (response, _) = subscribe(&mut bench, &mut carol, "bob", "message-summary", 600);
    let known = Some("dialog, presence, reg");
    assert_eq!((response.status, response.headers.get(HeaderName::AllowEvents)), (489, known));
    assert_eq!(status(&mut bench, &mut carol, "nobody", "dialog"), 404);
    assert_eq!(status(&mut bench, &mut carol, "bob", "reg"), 403, "where bob is is bob's affair");
    assert_eq!(status(&mut bench, &mut carol, "bob", "dialog"), 200);
    assert_eq!(status(&mut bench, &mut carol, "carol", "reg"), 200);
    assert_eq!(status(&mut bench, &mut carol, "alice", "dialog"), 403, "two for each user");
    assert_eq!(bench.counter("subscriptions"), 2);
    bench.switch.settings.presence.busy_lamp = false;
    let mut alice = phone("alice", 41);
    assert_eq!(status(&mut bench, &mut alice, "bob", "dialog"), 403);
    assert_eq!(status(&mut bench, &mut alice, "alice", "dialog"), 200);
    // They end, and make room.
    bench.pass(Duration::from_secs(620));
    assert_eq!(bench.counter("subscriptions"), 0);
}

#[test]
fn a_user_is_told_of_its_registrations() {
    let mut bench = Bench::new();
    let (mut alice, _) = phones(&mut bench);
    let (_, first) = subscribe(&mut bench, &mut alice, "alice", "reg", 600);
    assert!(text(&first[0].body).contains("<uri>sip:alice@192.0.2.20:5060</uri>"));
    alice.answer(&mut bench, &first[0], 200, None);
    phone("alice", 21).register(&mut bench);
    bench.pass(Duration::from_secs(1));
    let second = notifications(&bench.take(alice.flow.remote)).remove(0);
    assert!(text(&second.body).contains("version=\"1\"") && text(&second.body).contains("192.0.2.21"));
}

#[test]
fn a_browser_watches_too() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let browser = bench.browser(1, "carol", PASSWORD, DOMAIN);
    bench.say(browser, "subscribe", json!({ "event": "dialog", "to": "bob", "expires": 60 }));
    let states = |bench: &mut Bench| {
        let frames = bench.take_frames(browser);
        let told = frames.iter().filter(|frame| frame["message"] == "notifySubscription");
        told.map(|frame| {
            let state = &frame["data"][0];
            let lamps = lamps(state["requestBody"].as_str().unwrap().as_bytes());
            format!("{} [{lamps}]", state["status"].as_str().unwrap())
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(states(&mut bench), ["active []"]);
    talking(&mut bench, &mut alice, &bob);
    assert_eq!(
        states(&mut bench),
        ["active [recipient trying]", "active [recipient early]", "active [recipient confirmed]"]
    );
    bench.say(browser, "subscribe", json!({ "event": "dialog", "to": "bob", "expires": 0 }));
    assert_eq!(states(&mut bench), ["terminated [recipient confirmed]"]);
    bench.say(browser, "subscribe", json!({ "event": "dialog", "to": "bob", "expires": 60 }));
    bench.pass(Duration::from_secs(80));
    assert_eq!(states(&mut bench).last().unwrap(), "terminated [recipient confirmed]");
    assert_eq!(bench.counter("subscriptions"), 0);
    bench.say(browser, "subscribe", json!({ "event": "reg", "to": "bob", "expires": 60 }));
    assert_eq!(states(&mut bench), ["terminated []"], "it is refused");
}

#[test]
fn presence_tells_whether_a_user_is_there_and_talks() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let mut carol = phone("carol", 40);
    let seen = |body: &[u8]| {
        let is_open = text(body).contains("<basic>open</basic>");
        (is_open, text(body).contains("<rpid:on-the-phone/>"))
    };
    // Answers as she would.
    let watcher = phone("carol", 40);
    let told = |bench: &mut Bench| {
        bench.pass(Duration::from_secs(1));
        let mut requests = notifications(&bench.take(watcher.flow.remote));
        requests.dedup();
        for request in &requests {
            assert_eq!(request.headers.get(HeaderName::ContentType), Some("application/pidf+xml"));
            watcher.answer(bench, request, 200, None);
        }
        requests.iter().map(|request| seen(&request.body)).collect::<Vec<_>>()
    };
    let (response, first) = subscribe(&mut bench, &mut carol, "alice", "presence", 600);
    assert_eq!((response.status, seen(&first[0].body)), (200, (true, false)));
    carol.answer(&mut bench, &first[0], 200, None);

    alice.call(&mut bench, "bob");
    assert_eq!(told(&mut bench), [(true, true)], "whoever calls is busy");
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &invite, 486, None);
    let busy = responses(&bench.take(alice.flow.remote)).pop().unwrap();
    assert_eq!((busy.status, told(&mut bench)), (486, vec![(true, false)]));
    // She logs in at a page, and leaves her telephone and the page.
    let page = bench.browser(1, "alice", PASSWORD, DOMAIN);
    let uri = format!("sip:alice@{DOMAIN}");
    let mut leave = alice.request(Method::Register, &uri, &format!("<{uri}>"), None);
    leave.headers.push(HeaderName::Expires, 0);
    let (_, got) = alice.authenticated(&mut bench, leave);
    assert_eq!((statuses(&got), told(&mut bench)), (vec![200], vec![]), "the page is left");
    bench.input(Input::WcsClosed { connection: page });
    assert_eq!(told(&mut bench), [(false, false)]);
    bench.browser(2, "alice", PASSWORD, DOMAIN);
    assert_eq!(told(&mut bench), [(true, false)]);
}
