use super::*;
use crate::party::Cause;
use proptest::prelude::*;
use serde_json::{Value, json};
use tandem_control::PictureSize;

/// What `@flashphoner/websdk` 2.0.276 sends first, as captured from its source's shapes.
const CONNECTION: &str = r#"{"message":"connection","data":[{"appKey":"defaultApp","mediaProviders":["WebRTC"],
    "keepAlive":true,"clientVersion":"2.0","clientOSVersion":"5.0","clientBrowserVersion":"Mozilla/5.0",
    "msePacketizationVersion":2,"clientInfo":{"mobile":false},"sipLogin":"alice","sipAuthenticationName":"alice1",
    "sipPassword":"hunter2","sipDomain":"example.com","sipOutboundProxy":"proxy.example.com","sipPort":"5062",
    "sipRegisterRequired":true}]}"#;

const CONNECT: &str = r#"{"message":"connect","data":[{"login":"alice","password":"hunter2","authenticationName":"",
    "domain":"example.com","outboundProxy":"","port":5060,"useProxy":true,"visibleName":"Alice"}]}"#;

fn connected(first: &str) -> (Connection, ClientMessage) {
    let mut connection = Connection::new();
    let message = connection.receive(first).unwrap();
    (connection, message)
}

fn outgoing() -> Call {
    Call {
        id: "c1".to_owned(),
        incoming: false,
        caller: "alice".to_owned(),
        callee: "1001".to_owned(),
        visible_name: "Bob".to_owned(),
        video: VideoState::Inactive,
        sizes: PictureSizes::default(),
    }
}

fn sent(connection: &Connection, message: &ServerMessage<'_>) -> Vec<Value> {
    connection.send(message).iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[test]
fn reads_the_login_of_wcs_5() {
    let (connection, message) = connected(CONNECTION);
    assert_eq!(connection.generation(), Some(Generation::V5));
    let ClientMessage::Connect(login) = message else { panic!("{message:?}") };
    let account = login.account.as_ref().unwrap();
    assert_eq!((account.login.as_str(), account.authentication_name.as_str()), ("alice", "alice1"));
    assert_eq!((account.password.as_str(), account.port), ("hunter2", Some(5062)));
    assert_eq!(account.outbound_proxy.as_deref(), Some("proxy.example.com"));
    assert!(account.register);
    assert!(!format!("{login:?}").contains("hunter2"));
    let version = "Tandem 0.1";
    let frames = sent(&connection, &ServerMessage::UserData { login: &login, version, resume_token: None });
    assert_eq!(frames[0]["message"], "getUserData");
    assert_eq!(frames[0]["data"][0]["sipLogin"], "alice");
    assert_eq!(frames[1], json!({ "message": "getVersion", "data": [version] }));
    assert!(!frames[0].to_string().contains("hunter2"));
}

#[test]
fn reads_the_login_of_wcs_3() {
    let (connection, message) = connected(CONNECT);
    assert_eq!(connection.generation(), Some(Generation::V3));
    let ClientMessage::Connect(login) = message else { panic!("{message:?}") };
    let account = login.account.as_ref().unwrap();
    assert_eq!((account.authentication_name.as_str(), account.outbound_proxy.as_deref()), ("alice", None));
    assert_eq!(login.visible_name.as_deref(), Some("Alice"));
    let frames =
        sent(&connection, &ServerMessage::UserData { login: &login, version: "", resume_token: None });
    let user = json!({ "login": "alice", "password": "", "outboundProxy": null, "domain": "example.com", "port": 5060,
        "regRequired": true });
    assert_eq!(frames[0], json!({ "message": "getUserData", "data": [user] }));
}

#[test]
fn a_token_takes_the_place_of_an_account() {
    let (_, message) =
        connected(r#"{"message":"connect","data":[{"token":"t1","pageUrl":"http://shop.example/"}]}"#);
    let ClientMessage::Connect(login) = message else { panic!("{message:?}") };
    assert!(login.account.is_none());
    assert_eq!(
        (login.token.as_deref(), login.page_url.as_deref()),
        (Some("t1"), Some("http://shop.example/"))
    );
}

#[test]
fn reads_the_calls_of_the_npm_client() {
    let (mut connection, _) = connected(CONNECTION);
    let call = r#"{"message":"call","data":[{"callId":"c1","incoming":false,"hasVideo":false,"hasAudio":true,
        "status":"PENDING","mediaProvider":"WebRTC","sdp":"v=0\r\n","caller":"alice","callee":"1001",
        "visibleName":"alice","localMediaInfo":{"deviceName":"x"}}]}"#;
    let ClientMessage::Call(call) = connection.receive(call).unwrap() else { panic!("a call") };
    assert_eq!((call.call_id.as_deref(), call.callee.as_deref()), (Some("c1"), Some("1001")));
    assert_eq!((call.sdp.as_deref(), call.has_video), (Some("v=0\r\n"), false));
    let answer = r#"{"message":"answer","data":[{"callId":"c2","incoming":true,"hasVideo":true,"hasAudio":true,
        "status":"PENDING","mediaProvider":"WebRTC","sdp":"v=0\r\n","callee":"alice"}]}"#;
    let answer = connection.receive(answer).unwrap();
    assert!(matches!(answer, ClientMessage::Answer { call_id, sdp } if call_id == "c2" && sdp == "v=0\r\n"));
    let dtmf = r#"{"message":"sendDtmf","data":[{"callId":"c1","type":"INFO","dtmf":"1#a"}]}"#;
    let dtmf = connection.receive(dtmf).unwrap();
    assert!(matches!(dtmf, ClientMessage::Dtmf { digits, method: DtmfMethod::Info, .. } if digits == "1#A"));
    let pong = connection.receive(r#"{"message":"pong","data":[null]}"#).unwrap();
    assert!(matches!(pong, ClientMessage::Pong));
    let hangup =
        connection.receive(r#"{"message":"hangup","data":[{"callId":"c1","sipStatus":486}]}"#).unwrap();
    assert!(matches!(hangup, ClientMessage::Hangup { call_id, sip_status: Some(486) } if call_id == "c1"));
}

#[test]
fn reads_the_calls_of_wcs_3() {
    let (mut connection, _) = connected(CONNECT);
    let call = r#"{"message":"call","data":[{"callee":"1001","visibleName":"Alice","hasVideo":false,
        "inviteParameters":{},"isMsrp":false,"sdp":"v=0\r\n"}]}"#;
    let ClientMessage::Call(call) = connection.receive(call).unwrap() else { panic!("a call") };
    assert_eq!((call.call_id, call.visible_name.as_deref()), (None, Some("Alice")));
    let hangup = connection.receive(r#"{"message":"hangup","data":["c1"]}"#).unwrap();
    assert!(matches!(hangup, ClientMessage::Hangup { call_id, sip_status: None } if call_id == "c1"));
    let dtmf = connection.receive(r#"{"message":"sendDtmf","data":[{"callId":"c1","dtmf":5}]}"#).unwrap();
    assert!(matches!(dtmf, ClientMessage::Dtmf { digits, method: DtmfMethod::Rfc2833, .. } if digits == "5"));
}

#[test]
fn the_first_message_must_connect() {
    let mut connection = Connection::new();
    let hangup = r#"{"message":"hangup","data":["c1"]}"#;
    assert_eq!(connection.receive(hangup).unwrap_err(), FrameError::NotConnected);
    connection.receive(CONNECT).unwrap();
    connection.receive(hangup).unwrap();
    assert!(matches!(connection.receive(CONNECTION), Err(FrameError::Malformed(_))));
    assert_eq!(connection.generation(), Some(Generation::V3));
}

#[test]
fn refuses_what_is_no_message() {
    let (mut connection, _) = connected(CONNECTION);
    let long = format!(r#"{{"message":"hangup","data":[{{"callId":"{}"}}]}}"#, "x".repeat(MAX_NAME + 1));
    let cases = [
        ("", FrameError::NoMessage),
        ("[]", FrameError::NoMessage),
        (r#"{"data":[]}"#, FrameError::NoMessage),
        (r#"{"message":"answer","data":[]}"#, FrameError::Malformed("callId is missing")),
        (r#"{"message":"answer","data":[{"callId":"1"}]}"#, FrameError::Malformed("sdp is missing")),
        (long.as_str(), FrameError::Malformed("a field is no text, or too long")),
    ];
    for (text, error) in cases {
        assert_eq!(connection.receive(text).unwrap_err(), error, "{text}");
    }
    assert_eq!(connection.receive(&" ".repeat(MAX_FRAME + 1)).unwrap_err(), FrameError::TooLarge);
    assert_eq!(connection.receive(&"[".repeat(100_000)).unwrap_err(), FrameError::NoMessage);
}

#[test]
fn tells_a_call_in_wcs_5() {
    let (connection, _) = connected(CONNECTION);
    let call = outgoing();
    let (busy, normal) = (Cause::new(486, "Busy Here"), Cause::normal());
    let status = |status| ServerMessage::Status { call: &call, status };
    let messages = [
        (status(CallStatus::Trying), "notifyTryingResponse", "TRYING"),
        (status(CallStatus::Ring), "ring", "RING"),
        (status(CallStatus::Progress { ringing: true }), "ring", "RING_MEDIA"),
        (status(CallStatus::Progress { ringing: false }), "ring", "SESSION_PROGRESS"),
        (status(CallStatus::Established), "talk", "ESTABLISHED"),
        (status(CallStatus::Hold), "hold", "HOLD"),
        (ServerMessage::Busy { call: &call, cause: &busy }, "finish", "BUSY"),
        (ServerMessage::Finish { call: &call, cause: &normal }, "finish", "FINISH"),
        (ServerMessage::Failed { call: &call, cause: &busy }, "finish", "FAILED"),
    ];
    for (message, name, status) in messages {
        let frames = sent(&connection, &message);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0]["message"], name);
        assert_eq!(frames[0]["data"][0]["callId"], "c1");
        assert_eq!(frames[0]["data"][0]["status"], status);
    }
    let failed = sent(&connection, &ServerMessage::Failed { call: &call, cause: &busy });
    assert_eq!(failed[0]["data"][0]["sipStatus"], 486);
    let sdp = ServerMessage::RemoteSdp { call: &call, sdp: "v=0", is_answer: true };
    assert_eq!(sent(&connection, &sdp), [json!({ "message": "setRemoteSDP", "data": ["c1", "v=0", true] })]);
    assert_eq!(sent(&connection, &ServerMessage::Ping), [json!({ "message": "ping", "data": [] })]);
}

/// The npm client's `answer` finds no description that comes after `notifyIncomingCall`.
#[test]
fn a_description_precedes_its_incoming_call() {
    let call = Call { incoming: true, ..outgoing() };
    let names = |first: &str| {
        let frames = sent(&connected(first).0, &ServerMessage::Incoming { call: &call, sdp: Some("v=0") });
        frames.iter().map(|frame| frame["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(CONNECTION), ["setRemoteSDP", "notifyIncomingCall", "ring"]);
    assert_eq!(names(CONNECT), ["setRemoteSDP", "ring"]);
}

#[test]
fn tells_a_call_in_wcs_3() {
    let (connection, _) = connected(CONNECT);
    let call = outgoing();
    let cause = Cause::new(404, "Not Found");
    let frames = sent(&connection, &ServerMessage::Failed { call: &call, cause: &cause });
    assert_eq!(frames[0], json!({ "message": "fail", "data": ["USER_NOT_AVAILABLE", "Not Found"] }));
    assert_eq!(frames[1]["message"], "finish");
    let object = &frames[1]["data"][0];
    assert_eq!((&object["id"], &object["state"]), (&json!("c1"), &json!("FINISH")));
    assert_eq!((&object["anotherSideUser"], &object["visibleNameCallee"]), (&json!("1001"), &json!("Bob")));
    let sdp = ServerMessage::RemoteSdp { call: &call, sdp: "v=0", is_answer: true };
    let frames = sent(&connection, &sdp);
    assert_eq!((&frames[0]["data"][1], &frames[0]["data"][2]), (&json!("v=0"), &json!(true)));
    let failed = sent(&connection, &ServerMessage::RegisterFailed(&Cause::new(403, "Forbidden")));
    assert_eq!(failed, [json!({ "message": "fail", "data": ["AUTHENTICATION_FAIL", "Forbidden"] })]);
}

#[test]
fn refuses_in_the_words_that_settle_the_request() {
    let (mut connection, _) = connected(CONNECTION);
    let cases = [
        (r#"{"message":"sessionDebug","data":[{"command":"start"}]}"#, "fail"),
        (r#"{"message":"<script>","data":[]}"#, "fail"),
    ];
    for (text, answer) in cases {
        let ClientMessage::Unsupported(unsupported) = connection.receive(text).unwrap() else {
            panic!("{text}")
        };
        let frames = sent(&connection, &ServerMessage::Refuse(&unsupported));
        assert_eq!(frames[0]["message"], answer);
        assert!(!frames[0].to_string().contains("script"));
        // With a callId it would end the call.
        assert_eq!(frames[0]["data"][0]["callId"], Value::Null);
    }
}

#[test]
fn reads_what_is_asked_of_streams() {
    let (mut connection, _) = connected(CONNECTION);
    let mut read = |text: &str| match connection.receive(text) {
        Ok(ClientMessage::Stream(request)) => Ok((request.id, request.verb)),
        other => Err(format!("{other:?}")),
    };
    let publish = r#"{"message":"publishStream","data":[{"mediaSessionId":"m","name":"cam","sdp":"v=0","record":false}]}"#;
    let (name, sdp) = ("cam".to_owned(), Some("v=0".to_owned()));
    assert_eq!(read(publish), Ok(("m".to_owned(), StreamVerb::Publish { name, sdp })));
    let event = r#"{"message":"sendStreamEvent","data":[{"mediaSessionId":"m","type":"audioMuted"}]}"#;
    let muted = StreamEvent { kind: StreamEventKind::AudioMuted(true), payload: None };
    assert_eq!(read(event), Ok(("m".to_owned(), StreamVerb::Event(muted))));
    let wrong = [
        r#"{"message":"playStream","data":[{"name":"cam","sdp":"v=0"}]}"#.to_owned(),
        r#"{"message":"sendStreamEvent","data":[{"mediaSessionId":"m","type":"resize"}]}"#.to_owned(),
        json!({ "message": "sendStreamEvent", "data": [
            { "mediaSessionId": "m", "type": "data", "payload": "x".repeat(MAX_STREAM_EVENT) },
        ] })
        .to_string(),
    ];
    for text in wrong {
        assert!(read(&text).is_err_and(|error| error.contains("Malformed")), "{text}");
    }
}

/// Its streams are RTMFP's.
#[test]
fn a_client_of_the_third_generation_is_refused_streams() {
    let (mut connection, _) = connected(CONNECT);
    let text = r#"{"message":"playStream","data":[{"mediaSessionId":"m","name":"cam"}]}"#;
    let ClientMessage::Unsupported(unsupported) = connection.receive(text).unwrap() else { panic!() };
    let frames = sent(&connection, &ServerMessage::Refuse(&unsupported));
    assert_eq!(frames[0]["data"][0], "NOT_SUPPORTED");
}

#[test]
fn callees_are_addresses_numbers_or_names() {
    let uri =
        |callee| callee_uri(callee, "example.com".parse().unwrap(), Some(5062)).map(|uri| uri.to_string());
    assert_eq!(uri("sip:bob@other.example").unwrap(), "sip:bob@other.example");
    assert_eq!(uri("bob@other.example").unwrap(), "sip:bob@other.example");
    assert_eq!(uri(" +49 (30) 12-34 ").unwrap(), "sip:+493012 34@example.com:5062".replace(' ', ""));
    assert_eq!(uri("bob").unwrap(), "sip:bob@example.com:5062");
    assert_eq!(uri("b ob").unwrap(), "sip:b%20ob@example.com:5062");
    assert!(uri("").is_err() && uri("sip:").is_err() && uri("bob>@x").is_err());
}

/// The oldest clients send values by their positions, not one object.
#[test]
fn reads_arguments_by_their_positions() {
    let (mut connection, _) = connected(CONNECT);
    let call = r#"{"message":"call","data":["1001","Alice",true,"t1",{}]}"#;
    let ClientMessage::Call(call) = connection.receive(call).unwrap() else { panic!("a call") };
    assert_eq!((call.callee.as_deref(), call.has_video, call.sdp), (Some("1001"), true, None));
    assert_eq!(call.token.as_deref(), Some("t1"));
    let call = connection.receive(r#"{"message":"call","data":[null,"Alice",false,"t1",{},"v=0"]}"#).unwrap();
    assert!(
        matches!(call, ClientMessage::Call(call) if call.callee.is_none() && call.sdp.as_deref() == Some("v=0"))
    );
    let dtmf = connection.receive(r#"{"message":"sendDtmf","data":["5","c1"]}"#).unwrap();
    assert!(
        matches!(dtmf, ClientMessage::Dtmf { call_id, digits, .. } if (call_id.as_str(), digits.as_str()) == ("c1", "5"))
    );
    let hold = connection.receive(r#"{"message":"hold","data":["c1",false]}"#).unwrap();
    assert!(matches!(hold, ClientMessage::Hold { call_id, on: false } if call_id == "c1"));
    let transfer = connection.receive(r#"{"message":"transfer","data":["c1","bob"]}"#).unwrap();
    assert!(matches!(transfer, ClientMessage::Transfer { target, .. } if target.as_deref() == Some("bob")));
}

#[test]
fn reads_hold_transfer_messages_and_subscriptions() {
    let (mut connection, _) = connected(CONNECTION);
    let mut read = |name: &str, argument: Value| {
        connection.receive(&json!({ "message": name, "data": [argument] }).to_string())
    };
    let call = || json!({ "callId": "c1" });
    assert!(matches!(read("hold", call()), Ok(ClientMessage::Hold { on: true, .. })));
    assert!(matches!(read("unhold", call()), Ok(ClientMessage::Hold { on: false, .. })));
    let attended = read("transfer", json!({ "callId": "c1", "target": null, "replaces": "c2" }));
    let Ok(ClientMessage::Transfer { target: None, replaces, .. }) = attended else { panic!("{attended:?}") };
    assert_eq!(replaces.as_deref(), Some("c2"));
    assert!(read("transfer", call()).is_err());
    let message = json!({ "id": 7, "to": "bob", "body": "Hi", "deliveryNotification": true, "recipients": "carol, dave" });
    let Ok(ClientMessage::Message(message)) = read("sendInstantMessage", message) else {
        panic!("a message")
    };
    assert_eq!((message.id.as_str(), message.content_type.as_str()), ("7", "text/plain"));
    assert_eq!(message.recipients, ["carol", "dave"]);
    let many = vec!["x"; MAX_RECIPIENTS + 1];
    assert!(read("sendInstantMessage", json!({ "id": "1", "recipients": many })).is_err());
    assert!(
        read("sendInstantMessage", json!({ "id": "1", "to": "bob", "body": "x".repeat(MAX_BODY + 1) }))
            .is_err()
    );
    let Ok(ClientMessage::Subscribe(subscribe)) = read("subscribe", json!({ "event": "reg" })) else {
        panic!("one")
    };
    assert_eq!((subscribe.expires, subscribe.to), (3600, None));
    let result = read("notificationResult", json!({ "id": "m1", "status": "OK" }));
    assert!(matches!(result, Ok(ClientMessage::NotificationResult { id, is_ok: true }) if id == "m1"));
}

#[test]
fn tells_holds_transfers_and_messages() {
    let (v3, v5) = (connected(CONNECT).0, connected(CONNECTION).0);
    let (call, cause) = (outgoing(), Cause::new(603, "Decline"));
    let names = |connection: &Connection, message: &ServerMessage<'_>| {
        let frames = sent(connection, message);
        frames.iter().map(|frame| frame["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let held = ServerMessage::HoldResult { call: &call, on: true };
    assert_eq!(
        (names(&v3, &held), names(&v5, &held)),
        (vec!["callbackHold".to_owned(), "hold".to_owned()], vec!["hold".to_owned()])
    );
    let taken_back = ServerMessage::HoldResult { call: &call, on: false };
    assert_eq!(names(&v3, &taken_back), ["callbackHold", "talk"]);
    let done = ServerMessage::TransferEvent { call: &call, status: TransferStatus::Completed };
    assert_eq!(
        sent(&v5, &done),
        [json!({ "message": "notifyTransferEvent", "data": [{ "callId": "c1", "status": "COMPLETED" }] })]
    );
    let failed = sent(&v5, &ServerMessage::TransferFailed { call: &call, cause: &cause });
    // With a callId it would end the call.
    assert_eq!(
        (&failed[0]["data"][0]["call"], &failed[0]["data"][0]["callId"]),
        (&json!("c1"), &Value::Null)
    );
    let states = [
        (MessageState::Sent, "SENT"),
        (MessageState::Accepted, "ACCEPTED"),
        (MessageState::Failed, "FAILED"),
        (MessageState::Delivered, "IMDN_DELIVERED"),
        (MessageState::DeliveryFailed, "IMDN_FAILED"),
        (MessageState::DeliveryForbidden, "IMDN_FORBIDDEN"),
        (MessageState::DeliveryError, "IMDN_ERROR"),
    ];
    for (state, word) in states {
        let frames = sent(&v3, &ServerMessage::MessageState { id: "m1", to: "bob", state, cause: None });
        assert_eq!(
            (&frames[0]["data"][0]["id"], &frames[0]["data"][0]["state"]),
            (&json!("m1"), &json!(word))
        );
    }
    let message = IncomingMessage {
        id: "s1".to_owned(),
        from: "bob".to_owned(),
        to: "alice".to_owned(),
        body: "Hi".to_owned(),
        content_type: "text/plain".to_owned(),
        sent_at: Some(2),
    };
    for connection in [&v3, &v5] {
        let frames = sent(connection, &ServerMessage::IncomingMessage(&message));
        assert_eq!(
            (&frames[0]["data"][0]["state"], &frames[0]["data"][1]["id"]),
            (&json!("RECEIVED"), &json!("s1"))
        );
        assert_eq!(frames[0]["data"][0]["date"], 2_000);
    }
    let codec = sent(&v5, &ServerMessage::AudioCodec { call: &call, name: "speex" });
    assert_eq!(codec[0]["data"], json!(["c1", { "name": "speex" }]));
}

#[test]
fn the_sizes_of_pictures_are_said_while_they_go() {
    let (v3, _) = connected(CONNECT);
    let (v5, _) = connected(CONNECTION);
    let sizes = PictureSizes { player: PictureSize::new(640, 480), streamer: PictureSize::new(320, 180) };
    for (video, [player, streamer]) in [
        (VideoState::SendRecv, [[640, 480], [320, 180]]),
        (VideoState::SendOnly, [[0, 0], [320, 180]]),
        (VideoState::RecvOnly, [[640, 480], [0, 0]]),
        (VideoState::Inactive, [[0, 0], [0, 0]]),
    ] {
        let call = Call { video, sizes, ..outgoing() };
        let status = CallStatus::Established;
        for message in [
            ServerMessage::VideoFormat { call: &call, status },
            ServerMessage::Status { call: &call, status },
        ] {
            let object = &sent(&v3, &message)[0]["data"][0];
            assert_eq!((&object["id"], &object["state"]), (&json!("c1"), &json!("TALK")));
            assert_eq!([&object["playerVideoWidth"], &object["playerVideoHeight"]], [player[0], player[1]]);
            assert_eq!(
                [&object["streamerVideoWidth"], &object["streamerVideoHeight"]],
                [streamer[0], streamer[1]]
            );
        }
        let frames = sent(&v5, &ServerMessage::VideoFormat { call: &call, status });
        let told = json!({
            "mediaSessionId": "c1",
            "status": "RESIZE",
            "playerVideoWidth": player[0],
            "playerVideoHeight": player[1],
            "streamerVideoWidth": streamer[0],
            "streamerVideoHeight": streamer[1],
        });
        assert_eq!(frames, [json!({ "message": "notifyVideoFormat", "data": [told] })]);
    }
    let call = outgoing();
    let frames = sent(&v3, &ServerMessage::VideoFormat { call: &call, status: CallStatus::Hold });
    assert_eq!(
        (&frames[0]["message"], &frames[0]["data"][0]["state"]),
        (&json!("notifyVideoFormat"), &json!("HOLD"))
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = Connection::new().receive(&text);
    }

    #[test]
    fn no_fields_panic(
        name in prop::sample::select(vec!["connect", "connection", "call", "answer", "hangup", "sendDtmf", "sendData",
            "publishStream", "playStream", "availableStream", "sendStreamEvent", "snapshot"]),
        fields in prop::collection::hash_map("callId|sdp|login|sipLogin|port|sipPort|dtmf|type|sipStatus|mediaSessionId|name|payload",
            prop_oneof![any::<i64>().prop_map(Value::from), any::<bool>().prop_map(Value::from),
                "\\PC{0,8}".prop_map(Value::from), Just(Value::Null)], 0..6),
    ) {
        let (mut connection, _) = connected(CONNECTION);
        let text = json!({ "message": name, "data": [fields] }).to_string();
        if let Ok(ClientMessage::Unsupported(unsupported)) = connection.receive(&text) {
            prop_assert_eq!(connection.send(&ServerMessage::Refuse(&unsupported)).len(), 1);
        }
    }
}
