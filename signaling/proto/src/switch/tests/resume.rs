//! Browsers that lose their connection and come back.

use super::*;

/// Logs carol in on a page that comes back; returns its connection and its token.
fn log_in(bench: &mut Bench) -> (ConnectionId, String) {
    let page = bench.open(1, Some("https://tandem.example"));
    let login = json!({ "sipLogin": "carol", "sipPassword": PASSWORD, "resume": true, "remoteOffers": true });
    bench.say(page, "connection", login);
    let token = token_of(&bench.take_frames(page));
    (page, token)
}

fn token_of(frames: &[Value]) -> String {
    assert_eq!(frames[0]["message"], "getUserData");
    frames[0]["data"][0]["resumeToken"].as_str().unwrap().to_owned()
}

fn come_back(
    bench: &mut Bench,
    number: u64,
    origin: &str,
    token: &str,
    received: u64,
) -> (ConnectionId, Vec<Value>) {
    let page = bench.open(number, Some(origin));
    bench.say(page, "connection", json!({ "resumeToken": token, "received": received }));
    let frames = bench.take_frames(page);
    (page, frames)
}

const HOME: &str = "https://tandem.example";

/// A call of the page's to bob, who has answered.
fn call(bench: &mut Bench, page: ConnectionId) -> (Phone, u64) {
    let (_, bob) = phones(bench);
    bench.say(page, "call", json!({ "callId": "c1", "callee": "bob", "sdp": samples::CHROMIUM }));
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(bench, &invite, 200, Some(samples::SIPP));
    let frames = bench.take_frames(page);
    assert_eq!(frames.last().unwrap()["message"], "talk");
    let received = u64::try_from(frames.len()).unwrap();
    (bob, received)
}

#[test]
fn a_call_outlives_its_page_s_connection() {
    let mut bench = Bench::new();
    let (page, token) = log_in(&mut bench);
    let (bob, received) = call(&mut bench, page);
    bench.take(bob.flow.remote);
    bench.input(Input::WcsClosed { connection: page });
    bench.pass(Duration::from_secs(20));
    assert!(bench.take(bob.flow.remote).is_empty(), "nobody hung up");
    let (page, frames) = come_back(&mut bench, 2, HOME, &token, received);
    assert_eq!(names(&frames), ["getUserData", "getVersion", "registered", "resumed"]);
    let calls = &frames[3]["data"][0]["calls"];
    assert_eq!((&calls[0]["callId"], &calls[0]["status"]), (&json!("c1"), &json!("ESTABLISHED")));
    let offer = samples::CHROMIUM.replace("a=ice-ufrag:", "a=ice-ufrag:new");
    bench.say(page, "changeMediaRequest", json!({ "callId": "c1", "sdp": offer }));
    let frames = bench.take_frames(page);
    assert_eq!((names(&frames), &frames[0]["data"][2]), (vec!["setRemoteSDP".to_owned()], &json!(true)));
    bench.pass(Duration::from_secs(120));
    bench.say(page, "hangup", json!({ "callId": "c1" }));
    let bye = request_of(&bench.take(bob.flow.remote), Method::Bye);
    bob.answer(&mut bench, &bye, 200, None);
    bench.assert_clean();
}

#[test]
fn what_the_lost_connection_swallowed_is_said_again() {
    let mut bench = Bench::new();
    let (page, token) = log_in(&mut bench);
    let (_, bob) = phones(&mut bench);
    bench.say(page, "call", json!({ "callId": "c1", "callee": "bob", "sdp": samples::CHROMIUM }));
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &invite, 180, None);
    let received = u64::try_from(bench.take_frames(page).len()).unwrap();
    // The answer goes to a connection whose other end is gone, and more after it is known to be lost.
    bob.answer(&mut bench, &invite, 200, Some(samples::SIPP));
    assert_eq!(names(&bench.take_frames(page)), ["notifyAudioCodec", "setRemoteSDP", "talk"]);
    bench.input(Input::WcsClosed { connection: page });
    let (page, frames) = come_back(&mut bench, 2, HOME, &token, received);
    let missed = ["notifyAudioCodec", "setRemoteSDP", "talk"];
    let expected = [&["getUserData", "getVersion", "registered"], missed.as_slice(), &["resumed"]].concat();
    assert_eq!(names(&frames), expected);
    // The client never had this: it shows the token that it has.
    bench.input(Input::WcsClosed { connection: page });
    let (_, frames) = come_back(&mut bench, 3, HOME, &token, received);
    assert_eq!(names(&frames), expected);
    // Once it shows the newer one, the older is worth nothing.
    let newer = token_of(&frames);
    let (_, frames) = come_back(&mut bench, 4, HOME, &newer, received + 3);
    assert_eq!(names(&frames).last().unwrap(), "resumed");
    let (_, frames) = come_back(&mut bench, 5, HOME, &token, received + 3);
    assert_eq!(frames[0]["data"][0]["status"], "RESUME_FAIL");
}

#[test]
fn a_page_takes_its_login_over_from_a_connection_that_the_server_believes_in() {
    let mut bench = Bench::new();
    let (old, token) = log_in(&mut bench);
    let (_, received) = call(&mut bench, old);
    let (new, _) = come_back(&mut bench, 2, HOME, &token, received);
    bench.input(Input::WcsClosed { connection: old });
    bench.say(new, "hangup", json!({ "callId": "c1" }));
    assert_eq!(names(&bench.take_frames(new)), ["finish"]);
    assert_eq!(bench.counter("browsers"), 1);
}

#[test]
fn a_page_that_stays_away_or_says_bye_is_logged_off() {
    for says_bye in [false, true] {
        let mut bench = Bench::new();
        let (page, token) = log_in(&mut bench);
        let (bob, received) = call(&mut bench, page);
        bench.take(bob.flow.remote);
        if says_bye {
            bench.say(page, "bye", json!({}));
        }
        bench.input(Input::WcsClosed { connection: page });
        bench.pass(Duration::from_secs(if says_bye { 0 } else { 31 }));
        let bye = request_of(&bench.take(bob.flow.remote), Method::Bye);
        bob.answer(&mut bench, &bye, 200, None);
        let (page, frames) = come_back(&mut bench, 2, HOME, &token, received);
        assert_eq!(frames[0]["data"][0]["status"], "RESUME_FAIL");
        // It may log in on the same connection.
        bench.say(page, "connection", json!({ "sipLogin": "carol", "sipPassword": PASSWORD }));
        assert_eq!(names(&bench.take_frames(page)).last().unwrap(), "registered");
        bench.assert_clean();
    }
}

#[test]
fn a_token_is_worth_nothing_to_another_page_and_others_do_not_come_back() {
    let mut bench = Bench::new();
    let (page, token) = log_in(&mut bench);
    bench.input(Input::WcsClosed { connection: page });
    for (origin, token) in
        [("https://evil.example", token.as_str()), (HOME, "00000000000000000000000000000000")]
    {
        let (_, frames) = come_back(&mut bench, 3, origin, token, 0);
        assert_eq!(frames[0]["data"][0]["status"], "RESUME_FAIL");
    }
    let other = bench.browser(4, "carol", PASSWORD, "");
    assert_eq!(bench.take_frames(other)[0]["data"][0]["resumeToken"], Value::Null);
}

#[test]
fn lost_consent_ends_a_call_only_while_its_page_is_there() {
    for is_silent in [true, false] {
        let mut bench = Bench::new();
        let (page, token) = log_in(&mut bench);
        let (_, received) = call(&mut bench, page);
        bench.pass(Duration::from_secs(26));
        if !is_silent {
            bench.say(page, "ping", Value::Null);
        }
        let session = *bench.sessions.keys().next().unwrap();
        let event = tandem_control::Event { session, kind: EventKind::ConsentLost { side: Side::A } };
        bench.input(Input::Dataplane(tandem_control::Message::Event(event)));
        assert_eq!(bench.sessions.is_empty(), !is_silent);
        let (_, frames) = come_back(&mut bench, 2, HOME, &token, received);
        let calls = frames.last().unwrap()["data"][0]["calls"].as_array().unwrap().len();
        assert_eq!(calls, usize::from(is_silent));
    }
}

#[test]
fn messages_that_came_meanwhile_are_delivered_at_once_and_once() {
    let mut bench = Bench::new();
    let (page, token) = log_in(&mut bench);
    let received = 0;
    bench.take_frames(page);
    // One is swallowed by a connection whose other end is gone, one comes when it is known to be lost.
    let writer = bench.browser(9, "alice", PASSWORD, DOMAIN);
    let write = |bench: &mut Bench, body: &str| {
        let message = json!({ "id": body, "to": "carol", "body": body, "contentType": "text/plain" });
        bench.say(writer, "sendInstantMessage", message);
    };
    write(&mut bench, "one");
    bench.pass(Duration::from_secs(6));
    bench.input(Input::WcsClosed { connection: page });
    write(&mut bench, "two");
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.kept.len(), 2, "they wait on disk");
    let (page, frames) = come_back(&mut bench, 2, HOME, &token, received);
    let mut heard = Vec::new();
    let mut frames = frames;
    loop {
        let shown: Vec<Value> =
            frames.drain(..).filter(|frame| frame["message"] == "notifyMessage").collect();
        if shown.is_empty() {
            break;
        }
        for frame in shown {
            heard.push(frame["data"][0]["body"].as_str().unwrap().to_owned());
            bench.say(page, "notificationResult", json!({ "id": frame["data"][0]["id"], "status": "OK" }));
        }
        frames = bench.take_frames(page);
    }
    assert_eq!(heard, ["one", "two"]);
    assert!(bench.kept.is_empty());
    bench.pass(Duration::from_secs(60));
    assert!(bench.take_frames(page).is_empty());
}
