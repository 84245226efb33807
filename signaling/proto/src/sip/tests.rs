use super::*;
use proptest::prelude::*;

const OPTIONS: &str = "OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
    From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

/// A request with these further header fields, and this after the empty line.
fn parse(fields: &str, body: &str) -> Result<Request, ParseError> {
    match Message::parse(format!("{OPTIONS}{fields}\r\n{body}").as_bytes())? {
        Message::Request(request) => Ok(request),
        Message::Response(_) => panic!("a request was written"),
    }
}

#[test]
fn content_length_cuts_a_datagram() {
    assert_eq!(parse("l: 2\r\n", "abcd").unwrap().body, b"ab");
    assert_eq!(parse("", "abcd").unwrap().body, b"abcd");
    let short = parse("Content-Length: 5\r\n", "abcd").unwrap_err();
    assert_eq!((short.status, short.response().unwrap().status), (400, 400));
    for value in ["", "-1", "1 1", "+1", "99999999999999999999999"] {
        assert_eq!(parse(&format!("Content-Length: {value}\r\n"), "a").unwrap_err().status, 400, "{value}");
    }
    assert_eq!(parse("l: 1\r\nContent-Length: 1\r\n", "a").unwrap_err().status, 400);
}

#[test]
fn line_ends_before_a_message_are_skipped() {
    let message = format!("\r\n\r\n{OPTIONS}\r\n");
    assert!(Message::parse(message.as_bytes()).is_ok());
}

/// attacks.md row 13: what another parser might take for a line end is none here, and is not passed on.
#[test]
fn bare_line_ends_are_refused() {
    for fields in ["Subject: a\nVia: x\r\n", "Subject: a\rVia: x\r\n", "Subject : a\n\r\n"] {
        let error = parse(fields, "").unwrap_err();
        assert_eq!(error.reason, "a header field holds a bare CR or LF", "{fields:?}");
    }
    assert!(Message::parse(OPTIONS.replace("\r\n", "\n").as_bytes()).is_err());
}

#[test]
fn nothing_written_ends_its_line() {
    let mut request = parse("", "").unwrap();
    request.headers.push(HeaderName::Subject, "a\r\nEvil: yes");
    request.headers.set(HeaderName::Organization, "b\nEvil: yes");
    request.uri = Uri::Other("x:y\r\nEvil: yes".to_owned());
    let text = String::from_utf8(request.to_bytes()).unwrap();
    assert!(!text.contains("\nEvil"), "{text}");
    let mut name = NameAddr::new("sip:a@b.example".parse::<Uri>().unwrap());
    name.display_name = Some("x\"\r\nEvil: \\".to_owned());
    assert_eq!(name.to_string(), "\"x\\\"  Evil: \\\\\" <sip:a@b.example>");
}

#[test]
fn limits_are_refusals() {
    let many = "X-a: 1\r\n".repeat(limits::HEADERS);
    assert_eq!(parse(&many, "").unwrap_err().reason, "there are too many header fields");
    let elements = format!("Contact: {}\r\n", "<sip:a@b>,".repeat(700).trim_end_matches(','));
    assert_eq!(parse(&elements, "").unwrap_err().reason, "there are too many header fields");
    let long = format!("X-a: {}\r\n", "a".repeat(limits::HEADER_FIELD));
    assert_eq!(parse(&long, "").unwrap_err().reason, "a header field is too long");
    let vias = "v: SIP/2.0/UDP h\r\n".repeat(limits::VIAS);
    assert_eq!(parse(&vias, "").unwrap_err().reason, "there are too many Via header fields");
    let params = format!("Contact: <sip:a@b>{}\r\n", (0..65).map(|n| format!(";p{n}")).collect::<String>());
    assert_eq!(parse(&params, "").unwrap_err().reason, "Contact: too many parameters");
    assert_eq!(Message::parse(&vec![b'a'; limits::MESSAGE + 1]).unwrap_err().status, 513);
    let line = format!("OPTIONS sip:{} SIP/2.0\r\n\r\n", "a".repeat(limits::START_LINE));
    assert_eq!(Message::parse(line.as_bytes()).unwrap_err().reason, "the start line is too long");
}

#[test]
fn acks_and_responses_get_no_answer() {
    let ack = OPTIONS.replace("OPTIONS", "ACK").replace("To: <", "To: \"<");
    assert!(Message::parse(format!("{ack}\r\n").as_bytes()).unwrap_err().response().is_none());
    let response =
        OPTIONS.replace("OPTIONS sip:bob@example.com SIP/2.0", "SIP/2.0 200 OK").replace("1 OPTIONS", "x");
    assert!(Message::parse(format!("{response}\r\n").as_bytes()).unwrap_err().response().is_none());
}

#[test]
fn a_reply_copies_what_the_rfc_says() {
    let request = parse("Via: SIP/2.0/TCP h2, SIP/2.0/TLS h3\r\nSubject: s\r\nTimestamp: 5\r\n", "").unwrap();
    let response = reply(&request, 404, default_reason(404));
    assert_eq!(response.headers.vias().unwrap().len(), 3);
    assert_eq!(response.headers.to().unwrap(), request.headers.to().unwrap());
    assert_eq!((response.headers.len(), response.reason.as_str()), (7, "Not Found"));
    assert_eq!(reply(&request, 100, "Trying").headers.get(HeaderName::Timestamp), Some("5"));
}

#[test]
fn header_fields_are_set_and_taken_in_their_places() {
    let mut headers = parse("k: a\r\nSupported: b, c\r\n", "").unwrap().headers;
    assert_eq!(headers.supported().unwrap(), ["a", "b", "c"]);
    assert!(headers.supports("C") && !headers.supports("d"));
    headers.set(HeaderName::Supported, "d");
    assert_eq!(headers.all(HeaderName::Supported).collect::<Vec<_>>(), ["d"]);
    headers.push_front(HeaderName::Via, "SIP/2.0/TCP proxy");
    assert_eq!(headers.via().unwrap().transport, "TCP");
    assert_eq!(headers.remove_first(HeaderName::Via).as_deref(), Some("SIP/2.0/TCP proxy"));
    assert!(
        headers.set_first(HeaderName::Via, "SIP/2.0/WS other") && !headers.set_first(HeaderName::Path, "")
    );
    assert_eq!(headers.vias().unwrap().len(), 1);
    assert!(headers.remove("cALL-iD".into()) && !headers.remove(HeaderName::CallId));
}

#[test]
fn typed_values() {
    let fields = "Session-Expires: 1800;refresher=UAS\r\nMin-SE: 90\r\nRSeq: 7\r\nRAck: 7  1 INVITE\r\n\
        Expires: 99999999999\r\nRetry-After: 18 (in a meeting);duration=3600\r\n\
        WWW-Authenticate: Digest realm=\"a, b\", nonce=\"n\",qop=\"auth,auth-int\", algorithm=MD5\r\n";
    let headers = parse(fields, "").unwrap().headers;
    let refresher = Some(Refresher::Uas);
    assert_eq!(headers.session_expires().unwrap(), Some(SessionExpires { seconds: 1800, refresher }));
    assert_eq!((headers.min_se().unwrap(), headers.rseq().unwrap()), (Some(90), Some(7)));
    assert_eq!(headers.rack().unwrap(), Some(RAck { rseq: 7, cseq: 1, method: Method::Invite }));
    assert_eq!((headers.expires().unwrap(), headers.retry_after().unwrap()), (Some(u32::MAX), Some(18)));
    let challenges = headers.www_authenticate().unwrap();
    assert_eq!(challenges[0].params.get("Realm"), Some("a, b"));
    assert_eq!(challenges[0].params.get("qop"), Some("auth,auth-int"));
    assert_eq!(parse("Contact: *\r\n", "").unwrap().headers.contacts().unwrap(), Contacts::All);
    let error = parse("Contact: *, <sip:a@b>\r\n", "").unwrap_err();
    assert!(error.reason.starts_with("Contact: "), "{error}");
}

#[test]
fn via_of_rfc_3581_and_7118() {
    let fields =
        "Via: SIP/2.0/WSS df7jal23ls0d.invalid;rport=5061;received=[2001:db8::1];branch=z9hG4bK2\r\n";
    let via = parse(fields, "").unwrap().headers.vias().unwrap().remove(1);
    assert_eq!(via.known_transport(), Some(crate::transport::Transport::Wss));
    assert_eq!((via.rport(), via.received()), (Some(5061), Some("2001:db8::1".parse().unwrap())));
    let ours =
        Via::new(crate::transport::Transport::Udp, "192.0.2.1".parse().unwrap(), Some(5060), "z9hG4bKx");
    assert_eq!(ours.to_string(), "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport");
}

/// RFC 3261 section 19.1.4's own examples.
#[test]
fn uri_equality() {
    let uri = |text: &str| text.parse::<Uri>().unwrap();
    let equal = [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("tel:+1-201-555-0123", "tel:+12015550123"),
    ];
    for (left, right) in equal {
        assert_eq!(uri(left), uri(right));
    }
    let different = [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a%3Bb@c", "sip:a;b@c"),
        ("sips:a@b", "sip:a@b"),
    ];
    for (left, right) in different {
        assert_ne!(uri(left), uri(right));
    }
}

#[test]
fn uris_are_read_and_escaped() {
    let text = "sips:alice:secret@[2001:db8::1]:5061;transport=tcp;lr?a=b&c=d";
    assert_eq!(text.parse::<Uri>().unwrap().to_string(), text);
    let made = SipUri::new(Some("a b@c#"), "Example.COM".parse().unwrap(), None);
    assert_eq!(made.to_string(), "sip:a%20b%40c%23@example.com");
    assert_eq!(made.user_name().as_deref(), Some("a b@c#"));
    assert_eq!("sip:*97#@h".parse::<Uri>().unwrap().to_string(), "sip:*97%23@h");
    let bad = [
        "",
        "sip",
        "sip:",
        ":a",
        "sip:@h",
        "sip:a@",
        "sip:a@h:",
        "sip:a@h:x",
        "sip:a@h:65536",
        "sip:a@[::1",
        "sip:a@h;;b",
        "sip:a%2@h",
        "sip:a%zz@h",
        "sip:a b@h",
        "sip:a@h o",
        "sip:a@h?b",
        "tel:",
        "tel:+",
        "tel:abcx",
        "sip:a@h_-.-_!",
    ];
    for text in bad {
        assert!(text.parse::<Uri>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Message::parse(&bytes);
    }

    /// Almost a message: what is read prints to something that reads the same.
    #[test]
    fn what_is_printed_reads_the_same(
        start in prop_oneof![Just("OPTIONS sip:b@h SIP/2.0".to_owned()), Just("SIP/2.0 200 \u{e9}".to_owned()),
            "OPTIONS [a-z]{1,4}:[ -~]{0,12} SIP/2.0"],
        from in "[ -~\u{e9}\\\\\"]{0,6}<sip:a@h>(;[a-z]{1,2}(=[!-~]{1,3})?){0,2}",
        fields in prop::collection::vec(
            ("(Via|v|Contact|m|Route|Subject|X-y|Expires|k|Content-Type|WWW-Authenticate)", "[ -~\\t\u{e9}]{0,30}"), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut text = format!("{start}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: {from}\r\nTo: <sip:b@h>\r\n\
            Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n");
        fields.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        let bytes = [text.as_bytes(), b"\r\n", &body].concat();
        if let Ok(message) = Message::parse(&bytes) {
            prop_assert_eq!(Message::parse(&message.to_bytes()).unwrap(), message);
        }
    }

    #[test]
    fn a_changed_message_never_panics(index in 0usize..260, byte: u8, cut in 0usize..300) {
        let mut bytes = format!("{OPTIONS}Contact: \"B \\\" b\" <sip:b@[::1]:5060;lr?a=b>;q=1\r\nl: 2\r\n\r\nab").into_bytes();
        if let Some(place) = bytes.get_mut(index) {
            *place = byte;
        }
        bytes.truncate(cut);
        match Message::parse(&bytes) {
            Ok(message) => prop_assert_eq!(Message::parse(&message.to_bytes()).unwrap(), message),
            Err(error) => { let _ = error.response().map(|response| response.to_bytes()); }
        }
    }

    #[test]
    fn uris_print_what_they_read(text in "(sip|sips|tel|x):[ -~]{0,40}") {
        if let Ok(uri) = text.parse::<Uri>() {
            prop_assert_eq!(uri.to_string().parse::<Uri>().unwrap().to_string(), uri.to_string());
            prop_assert_eq!(uri.to_string().parse::<Uri>().unwrap(), uri);
        }
    }

    #[test]
    fn display_names_come_back(name in "\\PC{0,20}", parameter in "\\PC{0,20}") {
        let mut address = NameAddr::new("sip:a@h".parse::<Uri>().unwrap());
        address.display_name = Some(name);
        address.params.set("p", Some(&parameter));
        let mut headers = Headers::new();
        headers.push(HeaderName::From, &address);
        prop_assert_eq!(headers.from().unwrap(), address);
    }
}
