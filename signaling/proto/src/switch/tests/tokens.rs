//! Click to call.

use super::*;
use crate::settings::{Origin, Origins, TokenAccount, Tokens};
use crate::wcs::Account;

const SHOP: &str = "https://shop.example";
/// What no frame may hold.
const SECRETS: [&str; 4] = ["bob", "carol", DOMAIN, "secret"];

fn grant() -> Grant {
    Grant {
        token: "t1".to_owned(),
        callee: "bob".to_owned(),
        account: TokenAccount::Local { user: "carol".to_owned(), domain: DOMAIN.to_owned() },
        origins: Origins::Of(vec![Origin::of(SHOP).unwrap()]),
        expires: None,
        calls: 1,
        calls_per_hour: 3,
        video: false,
        label: Some("A visitor".to_owned()),
    }
}

fn bench() -> Bench {
    Bench::with_tokens(&Tokens { grants: vec![Arc::new(grant())], asks: false })
}

/// Logs in by the token and returns what the page is told.
fn log_in(bench: &mut Bench, number: u64, origin: &str, request: Value) -> (ConnectionId, Vec<Value>) {
    let page = bench.open(number, Some(origin));
    let message = if request.get("appKey").is_some() { "connection" } else { "connect" };
    bench.say(page, message, request);
    let frames = bench.take_frames(page);
    (page, frames)
}

fn tells_no_secret(frames: &[Value]) {
    let text = serde_json::to_string(frames).unwrap();
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn a_token_calls_its_callee_and_tells_the_page_nothing() {
    for generation in ["WCS 3", "WCS 5"] {
        let mut bench = bench();
        let (_, bob) = phones(&mut bench);
        let url = format!("{SHOP}/contact");
        let (page, mut frames) = match generation {
            "WCS 3" => log_in(&mut bench, 1, SHOP, json!({ "token": "t1", "pageUrl": url })),
            _ => log_in(
                &mut bench,
                1,
                SHOP,
                json!({ "appKey": "a", "authToken": "t1", "custom": { "pageUrl": url } }),
            ),
        };
        assert_eq!(names(&frames), ["getUserData", "getVersion", "registered"]);
        let call = json!({ "token": "t1", "callee": null, "visibleName": "The president", "sdp": samples::CHROMIUM });
        bench.say(page, "call", call);
        let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
        let from = invite.headers.from().unwrap();
        assert_eq!(from.uri.to_string(), format!("sip:carol@{DOMAIN}"));
        assert_eq!(
            from.display_name.as_deref(),
            Some("A visitor"),
            "{generation}: visitors cannot name themselves"
        );
        bob.answer(&mut bench, &invite, 180, None);
        let mut busy = crate::sip::reply(&invite, 486, "bob@inner.provider is busy");
        busy.headers.push(HeaderName::Warning, "399 inner \"secret\"");
        bob.send(&mut bench, busy);
        frames.extend(bench.take_frames(page));
        tells_no_secret(&frames);
        bench.assert_clean();
    }
}

#[test]
fn who_is_not_there_is_not_named() {
    let mut bench = bench();
    let (page, mut frames) = log_in(&mut bench, 1, SHOP, json!({ "token": "t1", "pageUrl": SHOP }));
    bench.say(page, "call", json!({ "token": "t1", "callee": null, "sdp": samples::CHROMIUM }));
    frames.extend(bench.take_frames(page));
    assert_eq!(names(&frames).last().unwrap(), "finish");
    tells_no_secret(&frames);
}

#[test]
fn a_token_is_refused_in_words_elsewhere_and_when_it_is_unknown() {
    let mut bench = bench();
    let refused = |bench: &mut Bench, number, origin: &str, request| {
        let frames = log_in(bench, number, origin, request).1;
        assert_eq!(names(&frames).last().unwrap(), "fail");
        frames.last().unwrap()["data"][1].as_str().unwrap().to_owned()
    };
    let evil = "https://evil.example";
    let not_here = "This call button may not be used on this page";
    assert_eq!(refused(&mut bench, 1, evil, json!({ "token": "t1", "pageUrl": SHOP })), not_here);
    assert_eq!(refused(&mut bench, 2, SHOP, json!({ "token": "t1", "pageUrl": evil })), not_here);
    let unknown = refused(&mut bench, 3, SHOP, json!({ "token": "t2", "pageUrl": SHOP }));
    assert_eq!(unknown, "This call button is not known");
}

#[test]
fn a_token_calls_nobody_else_and_does_nothing_else() {
    let mut bench = bench();
    let (page, _) = log_in(&mut bench, 1, SHOP, json!({ "token": "t1", "pageUrl": SHOP }));
    bench.say(page, "call", json!({ "callee": "alice", "sdp": samples::CHROMIUM }));
    assert_eq!(bench.take_frames(page)[0]["data"][1], "This call button calls one number only");
    bench.say(page, "sendInstantMessage", json!({ "id": "1", "to": "alice", "body": "x" }));
    bench.say(page, "transfer", json!({ "callId": "1", "callee": "alice" }));
    assert_eq!(names(&bench.take_frames(page)), ["fail", "fail"]);
    // Nor is it reached as the user whose account it has.
    let (mut alice, _) = phones(&mut bench);
    let (_, got) = alice.call(&mut bench, "carol");
    assert_eq!(statuses(&got).last(), Some(&480));
}

#[test]
fn calls_of_a_token_are_limited_over_all_pages() {
    let mut bench = bench();
    let (_, bob) = phones(&mut bench);
    let request = || json!({ "token": "t1", "pageUrl": SHOP });
    let (one, _) = log_in(&mut bench, 1, SHOP, request());
    let (other, _) = log_in(&mut bench, 2, SHOP, request());
    let call = || json!({ "token": "t1", "callee": null, "sdp": samples::CHROMIUM });
    bench.say(one, "call", call());
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bench.say(other, "call", call());
    assert_eq!(bench.take_frames(other)[0]["data"][1], "All lines of this button are busy; try again later");
    bob.answer(&mut bench, &invite, 486, None);
    for _ in 0..2 {
        bench.say(other, "call", call());
        let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
        bob.answer(&mut bench, &invite, 486, None);
    }
    bench.take_frames(one);
    bench.say(one, "call", call());
    let words = bench.take_frames(one)[0]["data"][1].as_str().unwrap().to_owned();
    assert!(words.contains("too often"), "{words}");
    bench.pass(Duration::from_secs(3_600));
    bench.say(one, "call", call());
    // The callee's registration has lapsed meanwhile.
    assert_eq!(bench.take_frames(one)[0]["data"][1], crate::sip::default_reason(480));
}

#[test]
fn a_token_of_a_provider_is_not_registered_and_is_asked_for_elsewhere() {
    let mut bench = Bench::with_tokens(&Tokens { grants: Vec::new(), asks: true });
    let (page, frames) = log_in(&mut bench, 1, SHOP, json!({ "token": "t9", "pageUrl": SHOP }));
    assert_eq!(names(&frames), ["getUserData", "getVersion"]);
    let (query, token) = bench.asked.pop().unwrap();
    assert_eq!(token, "t9");
    let account = Account {
        login: "carol".to_owned(),
        password: "secret".to_owned().into(),
        authentication_name: "carol".to_owned(),
        domain: "provider.example".to_owned(),
        outbound_proxy: None,
        port: None,
        register: false,
    };
    let grant = Grant { token, account: TokenAccount::Provider(Box::new(account)), ..grant() };
    bench.input(Input::TokenAnswered { query, grant: Some(Arc::new(grant)) });
    let frames = bench.take_frames(page);
    assert_eq!(names(&frames), ["registered"]);
    assert!(bench.resolves.is_empty(), "nothing is registered");
    bench.say(page, "call", json!({ "token": "t9", "callee": null, "sdp": samples::CHROMIUM }));
    assert_eq!(bench.resolves.pop().unwrap().1, "provider.example");
    tells_no_secret(&bench.take_frames(page));

    let (page, _) = log_in(&mut bench, 2, SHOP, json!({ "token": "t8", "pageUrl": SHOP }));
    let (query, _) = bench.asked.pop().unwrap();
    bench.input(Input::TokenAnswered { query, grant: None });
    assert_eq!(names(&bench.take_frames(page)), ["fail"]);
}
