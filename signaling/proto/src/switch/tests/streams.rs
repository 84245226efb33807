//! Streams: published by one browser, played by others of its domain.

use super::*;
use crate::settings::{Domain, OfferSecurity, User};
use crate::sip::auth::ha1;
use crate::switch::streams::MAX_EVENTS_PER_SECOND;
use proptest::prelude::*;
use tandem_control::{LegConfig, Near, PictureSize, SessionId};

const OTHER_DOMAIN: &str = "other.test";

fn camera() -> String {
    samples::CHROMIUM.replace("BUNDLE 0", "BUNDLE 0 1") + samples::CHROMIUM_CAMERA
}

fn viewer() -> String {
    camera().replace("a=sendrecv", "a=recvonly")
}

fn page(bench: &mut Bench, number: u64, user: &str) -> ConnectionId {
    let page = bench.browser(number, user, PASSWORD, "");
    bench.take_frames(page);
    page
}

/// The npm client has no streams in a session that was told so.
#[test]
fn who_does_not_want_to_be_registered_is_not_told_that_it_is() {
    let mut bench = Bench::new();
    let alice = bench.open(1, None);
    let login = json!({ "sipLogin": "alice", "sipPassword": PASSWORD, "sipRegisterRequired": false });
    bench.say(alice, "connection", login);
    assert_eq!(names(&bench.take_frames(alice)), ["getUserData", "getVersion"]);
    assert_eq!(told(&publish(&mut bench, alice, "p", "cam")).0, "PUBLISHING");
}

fn publish(bench: &mut Bench, page: ConnectionId, id: &str, name: &str) -> Vec<Value> {
    bench.say(page, "publishStream", json!({ "mediaSessionId": id, "name": name, "sdp": camera() }));
    bench.take_frames(page)
}

fn play(bench: &mut Bench, page: ConnectionId, id: &str, name: &str) -> Vec<Value> {
    bench.say(page, "playStream", json!({ "mediaSessionId": id, "name": name, "sdp": viewer() }));
    bench.take_frames(page)
}

/// The status of a stream, and the words beside it.
fn told(frames: &[Value]) -> (&str, &str) {
    let frame = frames.iter().find(|frame| frame["message"] == "notifyStreamStatusEvent").unwrap();
    let stream = &frame["data"][0];
    (stream["status"].as_str().unwrap(), stream["info"].as_str().unwrap_or_default())
}

/// The session whose side A is configured so.
fn session(bench: &Bench, is_it: impl Fn(&LegConfig) -> bool) -> SessionId {
    *bench.sessions.iter().find(|(_, legs)| is_it(&legs[0])).unwrap().0
}

#[test]
fn one_publishes_others_play_and_are_told_of_the_end() {
    let mut bench = Bench::new();
    let (alice, bob, carol) =
        (page(&mut bench, 1, "alice"), page(&mut bench, 2, "bob"), page(&mut bench, 3, "carol"));
    let frames = publish(&mut bench, alice, "p", "Küche");
    assert_eq!(names(&frames), ["setRemoteSDP", "notifyStreamStatusEvent"]);
    assert_eq!((&frames[0]["data"][0], told(&frames).0), (&json!("p"), "PUBLISHING"));
    assert_eq!(frames[1]["data"][0]["published"], true);
    assert!(frames[0]["data"][1].as_str().unwrap().contains("a=recvonly"));
    let publisher = session(&bench, |leg| leg.audio.may_receive && !leg.audio.may_send);
    assert_eq!(bench.near, None);

    for (page, id) in [(bob, "b"), (carol, "c")] {
        let frames = play(&mut bench, page, id, "Küche");
        assert_eq!(names(&frames), ["setRemoteSDP", "notifyStreamStatusEvent"]);
        assert_eq!((&frames[0]["data"][0], told(&frames).0), (&json!(id), "PLAYING"));
        assert_eq!(frames[1]["data"][0]["hasVideo"], true);
        assert_eq!(bench.near, Some(Near::Session(publisher)));
    }
    assert_eq!(bench.watches.len(), 2);
    for (player, side, source) in &bench.watches {
        assert_eq!((*side, *source), (Side::A, (publisher, Side::A)));
        let [leg, watched] = &bench.sessions[player];
        assert!(leg.audio.may_send && !leg.audio.may_receive && leg.video.as_ref().unwrap().may_send);
        assert_eq!(watched.audio.receive, bench.sessions[&publisher][0].audio.receive);
        assert_eq!(watched.video.as_ref().unwrap().receive.len(), 1);
    }
    assert_eq!((bench.counter("streams_published"), bench.counter("streams_played")), (1, 2));

    bench.say(carol, "stopStream", json!({ "mediaSessionId": "c", "name": "Küche" }));
    assert_eq!(told(&bench.take_frames(carol)), ("STOPPED", "Stopped by user"));
    bench.say(alice, "unPublishStream", json!({ "mediaSessionId": "p", "name": "Küche" }));
    assert_eq!(told(&bench.take_frames(alice)), ("UNPUBLISHED", "Stopped by user"));
    assert_eq!(told(&bench.take_frames(bob)), ("STOPPED", "Stopped by publisher stop"));
    assert!(bench.take_frames(carol).is_empty());
    bench.assert_clean();
}

#[test]
fn what_is_refused_is_told_in_words_and_counted() {
    let mut bench = Bench::new();
    let (alice, bob) = (page(&mut bench, 1, "alice"), page(&mut bench, 2, "bob"));
    publish(&mut bench, alice, "p", "cam");
    let long = "x".repeat(129);
    let cases = [
        ("playStream", json!({ "mediaSessionId": "1", "name": "none", "sdp": viewer() }), "Stream not found"),
        (
            "publishStream",
            json!({ "mediaSessionId": "2", "name": "cam", "sdp": camera() }),
            "Stream name is already in use",
        ),
        ("publishStream", json!({ "mediaSessionId": "3", "sdp": camera() }), "The name of a stream is"),
        (
            "publishStream",
            json!({ "mediaSessionId": "4", "name": long, "sdp": camera() }),
            "The name of a stream is",
        ),
        ("playStream", json!({ "mediaSessionId": "5", "name": "cam", "sdp": "" }), "Only WebRTC"),
        ("playStream", json!({ "mediaSessionId": "6", "name": "cam", "sdp": samples::SIPP }), "Only WebRTC"),
        (
            "playStream",
            json!({ "mediaSessionId": "7", "name": "cam", "sdp": viewer().replace("H264/90000", "H265/90000") }),
            "No common codecs",
        ),
        ("stopStream", json!({ "mediaSessionId": "8", "name": "cam" }), "Stream not found"),
    ];
    for (message, data, words) in cases {
        bench.say(bob, message, data);
        let frames = bench.take_frames(bob);
        let (status, info) = told(&frames);
        assert!(status == "FAILED" && info.starts_with(words), "{message}: {status} {info}");
    }
    assert_eq!(bench.counter("streams_refused.BadName"), 2);
    assert_eq!((bench.counter("streams_published"), bench.counter("streams_played")), (1, 0));
    assert_eq!(told(&publish(&mut bench, alice, "p", "other")).1, "MediaSessionId is already in use");
}

#[test]
fn only_users_that_are_proven_have_streams_and_only_those_of_their_domain() {
    let mut bench = Bench::changed(|settings| {
        let dave = User {
            name: "dave".to_owned(),
            display_name: None,
            ha1: ha1("dave", OTHER_DOMAIN, PASSWORD),
            offer_security: OfferSecurity::None,
        };
        settings.domains.push(Domain { name: OTHER_DOMAIN.to_owned(), users: vec![dave] });
    });
    let alice = page(&mut bench, 1, "alice");
    publish(&mut bench, alice, "p", "cam");
    let stranger = bench.browser(2, "alice", "wrong", "");
    bench.take_frames(stranger);
    assert_eq!(told(&play(&mut bench, stranger, "s", "cam")), ("FAILED", "Log in first"));
    assert_eq!(told(&publish(&mut bench, stranger, "s", "other")), ("FAILED", "Log in first"));
    let dave = bench.browser(3, "dave", PASSWORD, OTHER_DOMAIN);
    bench.take_frames(dave);
    assert_eq!(told(&play(&mut bench, dave, "d", "cam")), ("FAILED", "Stream not found"));
    assert_eq!(told(&publish(&mut bench, dave, "d", "cam")).0, "PUBLISHING", "each domain has its own names");
    // Nobody ends what is another's.
    bench.say(dave, "unPublishStream", json!({ "mediaSessionId": "p", "name": "cam" }));
    assert_eq!(told(&bench.take_frames(dave)).1, "Stream not found");
    assert_eq!(bench.counter("streams_published"), 2);
}

#[test]
fn a_proxy_that_a_page_names_proves_nothing_of_a_domain() {
    for (proxy, host, words) in [(None, 50, "Stream not found"), (Some("192.0.2.51"), 51, "Log in first")] {
        let mut bench = Bench::new();
        let page = bench.open(1, None);
        let login = json!({
            "sipLogin": "1001", "sipPassword": "x", "sipDomain": "192.0.2.50", "sipOutboundProxy": proxy,
        });
        bench.say(page, "connection", login);
        let registrar = Phone::new("registrar", Transport::Udp, host, samples::SIPP);
        let register = request_of(&bench.take(registrar.flow.remote), Method::Register);
        let mut response = crate::sip::reply(&register, 200, "OK");
        response.headers.push(HeaderName::Expires, 600);
        registrar.send(&mut bench, response);
        assert_eq!(names(&bench.take_frames(page)).last().unwrap(), "registered");
        assert_eq!(told(&play(&mut bench, page, "p", "cam")), ("FAILED", words));
    }
}

#[test]
fn the_operator_may_switch_streams_off() {
    let mut bench = Bench::changed(|settings| settings.streams = false);
    let alice = page(&mut bench, 1, "alice");
    let frames = publish(&mut bench, alice, "p", "cam");
    assert_eq!(told(&frames), ("FAILED", "Streams are switched off on this server"));
    bench.assert_clean();
}

#[test]
fn limits_of_a_stream_a_user_and_the_server_hold() {
    let mut bench = Bench::new();
    let (alice, bob, carol) =
        (page(&mut bench, 1, "alice"), page(&mut bench, 2, "bob"), page(&mut bench, 3, "carol"));
    publish(&mut bench, alice, "p", "cam");
    publish(&mut bench, carol, "q", "other");
    for id in ["1", "2", "3"] {
        assert_eq!(told(&play(&mut bench, bob, id, "cam")).0, "PLAYING");
    }
    assert_eq!(told(&play(&mut bench, bob, "4", "cam")).1, "The stream has as many players as it may have");
    assert_eq!(told(&play(&mut bench, bob, "4", "other")).0, "PLAYING");
    assert_eq!(told(&play(&mut bench, bob, "5", "other")).1, "The server's limit of streams is reached");
    bench.say(carol, "unPublishStream", json!({ "mediaSessionId": "q" }));
    publish(&mut bench, bob, "6", "mine");
    assert_eq!(told(&publish(&mut bench, bob, "7", "more")).1, "Your limit of streams is reached");
}

#[test]
fn whether_a_stream_is_there_is_told_as_the_npm_client_reads_it() {
    let mut bench = Bench::new();
    let (alice, bob) = (page(&mut bench, 1, "alice"), page(&mut bench, 2, "bob"));
    let asks = |bench: &mut Bench| {
        bench.say(bob, "availableStream", json!({ "mediaSessionId": "a", "name": "cam" }));
        bench.take_frames(bob).pop().unwrap()["data"][0].clone()
    };
    assert_eq!(asks(&mut bench), json!({ "id": "a", "status": "false", "info": "Stream not found" }));
    publish(&mut bench, alice, "p", "cam");
    assert_eq!(asks(&mut bench), json!({ "id": "a", "status": "true", "info": null }));
}

#[test]
fn what_a_publisher_says_goes_to_its_players_and_to_nobody_else() {
    let mut bench = Bench::new();
    let (alice, bob, carol) =
        (page(&mut bench, 1, "alice"), page(&mut bench, 2, "bob"), page(&mut bench, 3, "carol"));
    publish(&mut bench, alice, "p", "cam");
    play(&mut bench, bob, "b", "cam");
    let payload = json!({ "count": 23 });
    bench.say(alice, "sendStreamEvent", json!({ "mediaSessionId": "p", "type": "data", "payload": payload }));
    let event = json!({ "mediaSessionId": "b", "type": "data", "payload": payload });
    assert_eq!(bench.take_frames(bob), [json!({ "message": "notifyStreamEvent", "data": [event] })]);
    assert!(bench.take_frames(carol).is_empty());
    bench.say(alice, "sendStreamEvent", json!({ "mediaSessionId": "p", "type": "videoMuted" }));
    assert_eq!(bench.take_frames(bob)[0]["data"][0]["type"], "videoMuted");
    let frames = play(&mut bench, carol, "c", "cam");
    assert_eq!(frames[1]["data"][0]["videoState"], json!({ "muted": true }), "who comes later is told too");
    assert_eq!(frames[1]["data"][0]["audioState"], json!({ "muted": false }));
    bench.say(bob, "sendStreamEvent", json!({ "mediaSessionId": "b", "type": "data" }));
    let refused = bench.take_frames(bob);
    assert_eq!(refused[0]["data"][0]["apiMethod"], "sendStreamEvent");
    assert!(bench.take_frames(alice).is_empty() && bench.take_frames(carol).is_empty());
    bench.say(bob, "snapshot", json!({ "mediaSessionId": "n", "name": "cam" }));
    let failed = bench.take_frames(bob)[0]["data"][0].clone();
    assert_eq!((&failed["type"], &failed["mediaSessionId"]), (&json!("snapshotFailed"), &json!("n")));
    assert!(failed["payload"]["info"].as_str().unwrap().contains("no image"));
}

#[test]
fn a_publisher_says_so_much_in_a_second_and_no_more() {
    let mut bench = Bench::new();
    let (alice, bob) = (page(&mut bench, 1, "alice"), page(&mut bench, 2, "bob"));
    publish(&mut bench, alice, "p", "cam");
    play(&mut bench, bob, "b", "cam");
    let says = |bench: &mut Bench| {
        bench.say(alice, "sendStreamEvent", json!({ "mediaSessionId": "p", "type": "data" }));
    };
    for _ in 0..MAX_EVENTS_PER_SECOND + 1 {
        says(&mut bench);
    }
    assert_eq!(bench.take_frames(bob).len(), MAX_EVENTS_PER_SECOND as usize);
    assert_eq!(bench.take_frames(alice)[0]["data"][0]["info"], "Too many events");
    bench.pass(Duration::from_secs(1));
    says(&mut bench);
    assert_eq!(bench.take_frames(bob).len(), 1);
}

#[test]
fn players_are_told_the_size_of_the_pictures() {
    let mut bench = Bench::new();
    let (alice, bob, carol) =
        (page(&mut bench, 1, "alice"), page(&mut bench, 2, "bob"), page(&mut bench, 3, "carol"));
    publish(&mut bench, alice, "p", "cam");
    let publisher = session(&bench, |leg| leg.audio.may_receive);
    play(&mut bench, bob, "b", "cam");
    let kind = EventKind::PictureSize { side: Side::A, size: PictureSize { width: 640, height: 360 } };
    let event = tandem_control::Event { session: publisher, kind };
    bench.input(Input::Dataplane(tandem_control::Message::Event(event)));
    let size = |id: &str| {
        let size = json!({ "mediaSessionId": id, "status": "RESIZE", "streamerVideoWidth": 640, "streamerVideoHeight": 360 });
        json!({ "message": "notifyVideoFormat", "data": [size] })
    };
    assert_eq!(bench.take_frames(bob), [size("b")]);
    assert_eq!(play(&mut bench, carol, "c", "cam").last(), Some(&size("c")), "who comes later is told too");
    assert!(bench.take_frames(alice).is_empty());
}

#[test]
fn streams_end_with_their_browser_unless_it_comes_back() {
    let mut bench = Bench::new();
    let (alice, bob) = (page(&mut bench, 1, "alice"), page(&mut bench, 2, "bob"));
    publish(&mut bench, alice, "p", "cam");
    play(&mut bench, bob, "b", "cam");
    bench.input(Input::WcsClosed { connection: alice });
    assert_eq!(told(&bench.take_frames(bob)), ("STOPPED", "Stopped by session disconnect"));

    let carol = bench.open(3, None);
    bench.say(carol, "connection", json!({ "sipLogin": "carol", "sipPassword": PASSWORD, "resume": true }));
    bench.take_frames(carol);
    publish(&mut bench, carol, "q", "cam");
    play(&mut bench, bob, "c", "cam");
    bench.input(Input::WcsClosed { connection: carol });
    assert!(bench.take_frames(bob).is_empty(), "it may come back");
    bench.pass(Duration::from_secs(40));
    assert_eq!(told(&bench.take_frames(bob)).0, "STOPPED");
    bench.assert_clean();
}

#[test]
fn a_stream_whose_media_fails_ends_with_the_words_of_the_npm_client() {
    let mut bench = Bench::new();
    let (alice, bob) = (page(&mut bench, 1, "alice"), page(&mut bench, 2, "bob"));
    publish(&mut bench, alice, "p", "cam");
    bench.refuse_watches = true;
    assert_eq!(told(&play(&mut bench, bob, "b", "cam")), ("FAILED", "the dataplane is overloaded"));
    bench.refuse_watches = false;
    play(&mut bench, bob, "c", "cam");
    let tell = |bench: &mut Bench, session, kind| {
        let event = tandem_control::Event { session, kind };
        bench.input(Input::Dataplane(tandem_control::Message::Event(event)));
    };
    let (player, ..) = *bench.watches.last().unwrap();
    tell(&mut bench, player, EventKind::ConsentLost { side: Side::A });
    assert_eq!(told(&bench.take_frames(bob)), ("FAILED", "Failed by ICE keep alive"));
    play(&mut bench, bob, "d", "cam");
    let (player, ..) = *bench.watches.last().unwrap();
    tell(&mut bench, player, EventKind::WatchEnded { side: Side::A });
    assert_eq!(told(&bench.take_frames(bob)), ("STOPPED", "Stopped by publisher stop"));
    play(&mut bench, bob, "e", "cam");
    let publisher = session(&bench, |leg| leg.audio.may_receive);
    tell(&mut bench, publisher, EventKind::MediaTimeout);
    assert_eq!(told(&bench.take_frames(alice)), ("FAILED", "Failed by RTP activity"));
    assert_eq!(told(&bench.take_frames(bob)).0, "STOPPED");

    publish(&mut bench, alice, "q", "cam");
    bench.input(Input::DataplaneDown);
    bench.dataplane_up();
    bench.pass(Duration::from_secs(40));
    assert_eq!(bench.sessions.len(), 1, "it is no orphan");
    bench.input(Input::DataplaneDown);
    assert_eq!(told(&publish(&mut bench, bob, "f", "x")).1, "The media server is not available");
    bench.sessions.clear();
    bench.dataplane_up();
    assert_eq!(told(&bench.take_frames(alice)), ("FAILED", "The media session is lost"));
    bench.refuse_sessions = Some(Refusal::TooManySessions);
    assert_eq!(told(&publish(&mut bench, bob, "g", "x")), ("FAILED", "the limit of sessions is reached"));
    bench.assert_clean();
}

proptest! {
    /// In whatever order streams begin and end, nothing is left of them, here or in the dataplane.
    #[test]
    fn nothing_is_left_of_streams(
        steps in prop::collection::vec((0..3u64, 0..5usize, 0..3usize, 0..2usize), 0..40),
    ) {
        let mut bench = Bench::new();
        let users = ["alice", "bob", "carol"];
        let mut next = 10;
        let mut pages: Vec<ConnectionId> = (0..3).map(|n| page(&mut bench, n + 1, users[n as usize])).collect();
        for (who, verb, id, name) in steps {
            let at = pages[who as usize];
            let (id, name) = (["x", "y", "z"][id], ["cam", "desk"][name]);
            match verb {
                0 => drop(publish(&mut bench, at, id, name)),
                1 => drop(play(&mut bench, at, id, name)),
                2 => bench.say(at, "unPublishStream", json!({ "mediaSessionId": id })),
                3 => bench.say(at, "stopStream", json!({ "mediaSessionId": id })),
                _ => {
                    bench.input(Input::WcsClosed { connection: at });
                    next += 1;
                    pages[who as usize] = page(&mut bench, next, users[who as usize]);
                }
            }
            let count = bench.counter("streams_published") + bench.counter("streams_played");
            prop_assert_eq!(bench.sessions.len() as u64, count);
            prop_assert!(count <= 6);
        }
        for connection in pages {
            bench.input(Input::WcsClosed { connection });
        }
        bench.assert_clean();
    }
}
