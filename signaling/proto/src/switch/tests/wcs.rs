//! What the WCS protocol has beside calls and messages: codecs, OPTIONS, balance, documents, and offers without answers.

use super::*;
use crate::settings::XcapRoot;
use crate::sip::reply;
use tandem_control::{PictureSize, SessionId};

const PROVIDER: &str = "192.0.2.50";

fn provider() -> Phone {
    Phone::new("provider", Transport::Udp, 50, samples::SIPP)
}

/// Logs in at the provider, which says so much of the user's money; the page, and the Contact that was registered.
fn log_in(bench: &mut Bench, balance: &str) -> (ConnectionId, String) {
    let page = bench.browser(1, "1001", "secret", PROVIDER);
    bench.take_frames(page);
    let contact = registered(bench, balance);
    (page, contact)
}

/// The provider accepts the REGISTER that comes next; its Contact.
fn registered(bench: &mut Bench, balance: &str) -> String {
    let mut sent = bench.take(provider().flow.remote);
    while sent.is_empty() {
        bench.pass(Duration::from_secs(1));
        sent = bench.take(provider().flow.remote);
    }
    let register = request_of(&sent, Method::Register);
    let mut response = reply(&register, 200, "OK");
    response.headers.push(HeaderName::Expires, 600);
    response.headers.push(HeaderName::Other("X-Balance".to_owned()), balance);
    provider().send(bench, response);
    let contact = register.headers.get(HeaderName::Contact).unwrap().to_owned();
    contact.trim_start_matches('<').split('>').next().unwrap().to_owned()
}

/// Two pages that talk to each other; bob's knows the call as the returned identifier, alice's as `c1`.
fn talking_pages(bench: &mut Bench) -> (ConnectionId, ConnectionId, Value) {
    let [alice, bob] = [(1, "alice"), (2, "bob")].map(|(number, user)| {
        let page = bench.open(number, None);
        let login = json!({ "sipLogin": user, "sipPassword": PASSWORD, "remoteOffers": true });
        bench.say(page, "connection", login);
        page
    });
    bench.say(alice, "call", json!({ "callId": "c1", "callee": "bob", "sdp": samples::CHROMIUM }));
    let call_id = bench.take_frames(bob).last().unwrap()["data"][0]["callId"].clone();
    bench.say(bob, "answer", json!({ "callId": call_id, "sdp": browser_answer() }));
    assert_eq!(names(&bench.take_frames(bob)), ["notifyAudioCodec", "talk"]);
    assert_eq!(names(&bench.take_frames(alice)).last().unwrap(), "talk");
    (alice, bob, call_id)
}

#[test]
fn a_page_is_told_the_codec_once_and_again_when_it_changes() {
    let mut bench = Bench::new();
    let (_, bob) = phones(&mut bench);
    let page = bench.browser(1, "carol", PASSWORD, "");
    bench.take_frames(page);
    bench.say(page, "call", json!({ "callId": "c1", "callee": "bob", "sdp": samples::CHROMIUM }));
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &invite, 183, Some(samples::SIPP));
    let frames = bench.take_frames(page);
    let told = frames.iter().find(|frame| frame["message"] == "notifyAudioCodec").unwrap();
    assert_eq!(told["data"], json!(["c1", { "name": "pcmu" }]));
    bob.answer(&mut bench, &invite, 200, Some(samples::SIPP));
    assert_eq!(names(&bench.take_frames(page)), ["talk"], "it is no news");
    // A new offer without it.
    let offer = samples::CHROMIUM.replace("a=rtpmap:0 PCMU/8000\r\n", "").replace(" 0 8 ", " 8 ");
    bench.say(page, "changeMediaRequest", json!({ "callId": "c1", "sdp": offer }));
    let frames = bench.take_frames(page);
    assert_eq!(names(&frames), ["notifyAudioCodec", "setRemoteSDP"]);
    assert_ne!(frames[0]["data"][1]["name"], "pcmu");
}

#[test]
fn pages_are_told_how_large_pictures_are_and_when_that_changes() {
    let mut bench = Bench::new();
    let alice = bench.browser(1, "alice", PASSWORD, "");
    let bob = bench.browser(2, "bob", PASSWORD, "");
    let offer = format!("{}{}", samples::CHROMIUM, samples::CHROMIUM_VIDEO).replace("BUNDLE 0", "BUNDLE 0 1");
    bench.say(alice, "call", json!({ "callId": "c1", "callee": "bob", "sdp": offer }));
    let call_id = bench.take_frames(bob).last().unwrap()["data"][0]["callId"].clone();
    let answer = offer.replace("setup:actpass", "setup:active");
    bench.say(bob, "answer", json!({ "callId": call_id, "sdp": answer }));
    bench.take_frames(bob);
    assert_eq!(names(&bench.take_frames(alice)).last().unwrap(), "talk");
    let session = *bench.sessions.keys().next().unwrap();
    let shows = |bench: &mut Bench, session, side, (width, height)| {
        let kind = EventKind::PictureSize { side, size: PictureSize { width, height } };
        let event = tandem_control::Event { session, kind };
        bench.input(Input::Dataplane(tandem_control::Message::Event(event)));
        [alice, bob].map(|page| bench.take_frames(page))
    };
    let format = |id: &Value, player: [u16; 2], streamer: [u16; 2]| {
        let data = json!([{
            "mediaSessionId": id, "status": "RESIZE",
            "playerVideoWidth": player[0], "playerVideoHeight": player[1],
            "streamerVideoWidth": streamer[0], "streamerVideoHeight": streamer[1],
        }]);
        vec![json!({ "message": "notifyVideoFormat", "data": data })]
    };
    let (small, large) = ([320, 180], [640, 480]);
    let (of_alice, nothing) = (json!("c1"), [const { Vec::<Value>::new() }; 2]);
    let told = shows(&mut bench, session, Side::B, (640, 480));
    assert_eq!(told, [format(&of_alice, large, [0, 0]), format(&call_id, [0, 0], large)]);
    assert_eq!(shows(&mut bench, session, Side::B, (640, 480)), nothing, "it is no news");
    let told = shows(&mut bench, session, Side::A, (320, 180));
    assert_eq!(told, [format(&of_alice, large, small), format(&call_id, small, large)]);
    let other = SessionId(session.0 ^ 1);
    assert_eq!(shows(&mut bench, other, Side::A, (1, 1)), nothing, "of nobody's session");
    // Without pictures nothing is said of them.
    let offer = format!("{}{}", samples::CHROMIUM, samples::CHROMIUM_VIDEO.replace("sendrecv", "recvonly"));
    let offer = offer.replace("BUNDLE 0", "BUNDLE 0 1");
    bench.say(alice, "changeMediaRequest", json!({ "callId": "c1", "sdp": offer }));
    for page in [alice, bob] {
        bench.take_frames(page);
    }
    let [told, _] = shows(&mut bench, session, Side::A, (160, 90));
    assert_eq!(told, [] as [Value; 0]);
}

#[test]
fn a_page_is_told_that_its_provider_asked_for_it() {
    let mut bench = Bench::new();
    let (page, contact) = log_in(&mut bench, "");
    assert_eq!(names(&bench.take_frames(page)), ["registered"]);
    let request = provider().request(Method::Options, &contact, &format!("<{contact}>"), None);
    assert_eq!(statuses(&provider().send(&mut bench, request)), [200]);
    assert_eq!(bench.take_frames(page), [json!({ "message": "notifyOptions", "data": [""] })]);
    // An address of nobody's.
    let request = provider().request(Method::Options, "sip:198.51.100.1", "<sip:198.51.100.1>", None);
    provider().send(&mut bench, request);
    assert!(bench.take_frames(page).is_empty());
}

#[test]
fn a_page_is_told_its_balance_where_the_registrar_says_it_and_when_it_changes() {
    let header = || Some("x-balance".to_owned());
    let mut bench = Bench::changed(|settings| settings.providers.balance_header = header());
    let (page, _) = log_in(&mut bench, "12.50 EUR");
    let balance = |amount: f64| json!({ "message": "notifyBalance", "data": [amount, ""] });
    assert_eq!(bench.take_frames(page)[1..], [balance(12.5)]);
    for (said, told) in [("12.5", None), ("-1", Some(-1.0)), ("much", None)] {
        registered(&mut bench, said);
        assert_eq!(bench.take_frames(page), told.map(balance).into_iter().collect::<Vec<_>>(), "{said}");
    }
    // Where no header field is configured, nothing is believed to be one.
    let mut bench = Bench::new();
    let (page, _) = log_in(&mut bench, "12.50");
    assert_eq!(names(&bench.take_frames(page)), ["registered"]);
}

#[test]
fn a_page_gets_its_users_documents_and_no_others() {
    let root =
        |domain: &str| XcapRoot { domain: domain.to_owned(), root: format!("https://xcap.{domain}/root") };
    let mut bench = Bench::changed(|settings| settings.xcap = vec![root(DOMAIN)]);
    let page = bench.browser(1, "carol", PASSWORD, "");
    bench.take_frames(page);
    let own = format!("https://xcap.{DOMAIN}/root/resource-lists/users/sip:carol@{DOMAIN}/index");
    let asks = |bench: &mut Bench, url: &str| {
        let text = json!({ "message": "sendXcapRequest", "data": [url] }).to_string();
        bench.input(Input::Wcs { connection: page, text });
        bench.take_frames(page)
    };
    assert!(asks(&mut bench, &own).is_empty());
    let (query, [domain, selector, user]) = bench.documents.pop().unwrap();
    assert_eq!((domain.as_str(), user.as_str()), (DOMAIN, "sip:carol@tandem.test"));
    assert_eq!(selector, format!("/resource-lists/users/sip:carol@{DOMAIN}/index"));
    bench.input(Input::XcapAnswered { query, document: Ok("<list/>".to_owned()) });
    let frames = bench.take_frames(page);
    assert_eq!(frames, [json!({ "message": "notifyXcapResponse", "data": ["<list/>"] })]);
    for url in [own.replace("carol", "bob"), own.replace("xcap.", "evil.")] {
        assert_eq!(asks(&mut bench, &url)[0]["data"][0]["apiMethod"], "sendXcapRequest");
    }
    // Not too many at once; one that failed makes room.
    assert!(asks(&mut bench, &own).is_empty() && asks(&mut bench, &own).is_empty());
    assert_eq!(asks(&mut bench, &own)[0]["data"][0]["sipStatus"], 503);
    let (query, _) = bench.documents.pop().unwrap();
    bench.input(Input::XcapAnswered { query, document: Err(Cause::new(404, "There is no such document")) });
    assert_eq!(bench.take_frames(page)[0]["data"][0]["sipStatus"], 404);
    assert!(asks(&mut bench, &own).is_empty());
}

#[test]
fn a_page_and_the_application_talk() {
    let mut bench = Bench::changed(|settings| settings.has_application = true);
    let page = bench.browser(1, "carol", PASSWORD, "");
    bench.take_frames(page);
    let says = |bench: &mut Bench, payload: Value| {
        bench.say(page, "sendData", json!({ "operationId": "o1", "payload": payload }));
        bench.take_frames(page)
    };
    let status = |status: &str, info: Value| json!({ "message": "DataStatusEvent", "data": [{ "operationId": "o1", "status": status, "info": info }] });
    assert!(says(&mut bench, json!({ "room": [1, "Grüße"] })).is_empty());
    let (query, post) = bench.posts.pop().unwrap();
    let expected =
        json!({ "user": "sip:carol@tandem.test", "operationId": "o1", "payload": { "room": [1, "Grüße"] } });
    assert_eq!(post, expected);
    bench.input(Input::DataAnswered { query, answer: Ok(br#"["welcome"]"#.to_vec()) });
    let answer =
        json!({ "message": "OnDataEvent", "data": [{ "operationId": "o1", "payload": ["welcome"] }] });
    assert_eq!(bench.take_frames(page), [status("ACCEPTED", Value::Null), answer]);
    // Taken without a word, refused, and too long.
    for (answer, word) in [
        (Ok(Vec::new()), "ACCEPTED"),
        (Err(Cause::new(403, "No")), "FAILED"),
        (Ok(b"no JSON".to_vec()), "FAILED"),
    ] {
        assert!(says(&mut bench, Value::Null).is_empty());
        let (query, _) = bench.posts.pop().unwrap();
        bench.input(Input::DataAnswered { query, answer });
        assert_eq!(bench.take_frames(page)[0]["data"][0]["status"], word);
    }
    assert_eq!(says(&mut bench, json!("x".repeat(20_000)))[0]["data"][0]["status"], "FAILED");
    // Not too much at once; the answer to what is gone is nobody's.
    assert!(says(&mut bench, json!(1)).is_empty() && says(&mut bench, json!(2)).is_empty());
    assert_eq!(says(&mut bench, json!(3))[0]["data"][0]["status"], "FAILED");
    bench.input(Input::DataAnswered { query, answer: Ok(Vec::new()) });
    assert!(bench.take_frames(page).is_empty());
}

#[test]
fn nothing_is_said_to_an_application_that_is_not_there_or_by_nobody() {
    let mut bench = Bench::new();
    let page = bench.browser(1, "carol", PASSWORD, "");
    bench.take_frames(page);
    let refused = |bench: &mut Bench, page, words: &str| {
        bench.say(page, "sendData", json!({ "operationId": "o1", "payload": 1 }));
        let frames = bench.take_frames(page);
        assert_eq!(
            (&frames[0]["data"][0]["status"], &frames[0]["data"][0]["info"]),
            (&json!("FAILED"), &json!(words))
        );
        assert!(bench.posts.is_empty());
    };
    refused(&mut bench, page, "There is no application behind this server");
    let mut bench = Bench::changed(|settings| settings.has_application = true);
    let page = bench.open(1, None);
    let login = json!({ "sipLogin": "1001", "sipDomain": PROVIDER, "sipRegisterRequired": false });
    bench.say(page, "connection", login);
    bench.take_frames(page);
    refused(&mut bench, page, "Log in first");
}

#[test]
fn a_user_whom_no_provider_has_registered_gets_no_documents() {
    let root = XcapRoot { domain: PROVIDER.to_owned(), root: "https://xcap.example".to_owned() };
    let mut bench = Bench::changed(|settings| settings.xcap = vec![root]);
    let page = bench.open(1, None);
    let login = json!({ "sipLogin": "1001", "sipDomain": PROVIDER, "sipRegisterRequired": false });
    bench.say(page, "connection", login);
    bench.take_frames(page);
    bench.say(page, "sendXcapRequest", json!({ "url": "https://xcap.example/a/users/1001@192.0.2.50/x" }));
    assert_eq!(bench.take_frames(page)[0]["data"][0]["sipStatus"], 403);
    assert!(bench.documents.is_empty());
}

#[test]
fn an_offer_that_a_page_does_not_answer_is_given_up() {
    let mut bench = Bench::new();
    let (alice, bob, call_id) = talking_pages(&mut bench);
    let held = samples::CHROMIUM.replace("a=sendrecv", "a=sendonly");
    bench.say(alice, "changeMediaRequest", json!({ "callId": "c1", "sdp": held }));
    assert_eq!(names(&bench.take_frames(bob)), ["setRemoteSDP"]);
    bench.pass(Duration::from_secs(29));
    assert!(bench.take_frames(alice).is_empty());
    bench.pass(Duration::from_secs(1));
    let refused = bench.take_frames(alice);
    assert_eq!(refused[0]["data"][0]["status"], "MEDIA_CHANGE_FAIL");
    // It is too late now; the next offer goes through.
    bench.say(bob, "answer", json!({ "callId": call_id, "sdp": browser_answer() }));
    assert!(bench.take_frames(alice).is_empty());
    bench.say(alice, "changeMediaRequest", json!({ "callId": "c1", "sdp": held }));
    assert_eq!(names(&bench.take_frames(bob)), ["setRemoteSDP"]);
    let answer = browser_answer().replace("a=sendrecv", "a=recvonly");
    bench.say(bob, "answer", json!({ "callId": call_id, "sdp": answer }));
    assert!(names(&bench.take_frames(alice)).contains(&"setRemoteSDP".to_owned()));
    bench.pass(Duration::from_secs(60));
    assert!(bench.take_frames(alice).is_empty(), "it was answered");
    bench.say(alice, "hangup", json!({ "callId": "c1" }));
    bench.assert_clean();
}

#[test]
fn a_page_that_wants_video_without_an_offer_is_offered_what_the_other_one_takes() {
    let mut bench = Bench::new();
    let (alice, bob, call_id) = talking_pages(&mut bench);
    bench.say(alice, "updateCallToVideo", json!("c1"));
    let offer = bench.take_frames(bob).pop().unwrap();
    assert_eq!((&offer["message"], &offer["data"][2]), (&json!("setRemoteSDP"), &json!(false)));
    let offer = offer["data"][1].as_str().unwrap();
    assert!(offer.contains("VP8/90000") && offer.contains("H264/90000"), "{offer}");
    assert!(bench.take_frames(alice).is_empty(), "the other one is asked first");
    // Bob's browser answers with its camera, in VP8.
    let number = offer.lines().find_map(|line| line.strip_suffix(" VP8/90000")?.strip_prefix("a=rtpmap:"));
    let camera = samples::CHROMIUM_CAMERA.replace(" 96 97", &format!(" {} 97", number.unwrap()));
    let camera = camera.replace("actpass", "active").replace(":96 ", &format!(":{} ", number.unwrap()));
    let answer = browser_answer().replace("BUNDLE 0", "BUNDLE 0 1") + &camera;
    bench.say(bob, "answer", json!({ "callId": call_id, "sdp": answer }));
    let offer = bench.take_frames(alice).pop().unwrap();
    assert_eq!((&offer["message"], &offer["data"][2]), (&json!("setRemoteSDP"), &json!(false)));
    assert!(offer["data"][1].as_str().unwrap().contains("m=video"));
    bench.say(alice, "hangup", json!({ "callId": "c1" }));
    bench.assert_clean();
}

#[test]
fn a_page_that_wants_video_is_told_that_there_is_none() {
    let mut bench = Bench::new();
    let (alice, bob, call_id) = talking_pages(&mut bench);
    let wants = |bench: &mut Bench, call: &str| {
        bench.say(alice, "updateCallToVideo", json!(call));
        bench.take_frames(alice)
    };
    assert_eq!(wants(&mut bench, "c2")[0]["data"][0]["sipStatus"], 481);
    assert!(wants(&mut bench, "c1").is_empty());
    assert_eq!(wants(&mut bench, "c1")[0]["data"][0]["sipStatus"], 491);
    let refused = browser_answer() + "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n";
    bench.take_frames(bob);
    bench.say(bob, "answer", json!({ "callId": call_id, "sdp": refused }));
    assert_eq!(bench.take_frames(alice)[0]["data"][0]["status"], "MEDIA_CHANGE_FAIL");
    // One that never answers.
    assert!(wants(&mut bench, "c1").is_empty());
    bench.pass(Duration::from_secs(31));
    assert_eq!(bench.take_frames(alice)[0]["data"][0]["status"], "MEDIA_CHANGE_FAIL");
    bench.say(alice, "hangup", json!({ "callId": "c1" }));
    bench.assert_clean();
}
