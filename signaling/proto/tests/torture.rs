//! The torture tests of RFC 4475 and RFC 5118: every message, and what is read from it.
//!
//! A message that a layer above the parser refuses is accepted here, and the test shows what that layer needs for it.
#![allow(clippy::panic, clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::path::PathBuf;
use tandem_sip::sip::{
    Contacts, Frame, HeaderName, Headers, Host, Message, Method, ParseError, Request, Response, StreamBuffer,
    StreamError, Uri,
};
use tandem_sip::transport::Transport;

fn bytes(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/torture/{name}.dat"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads a message that must be accepted; what is printed must read the same.
fn accepted(name: &str) -> Message {
    let message = Message::parse(&bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let again =
        Message::parse(&message.to_bytes()).unwrap_or_else(|error| panic!("{name}, printed: {error}"));
    assert_eq!(again, message, "{name}");
    message
}

fn request(name: &str) -> Request {
    match accepted(name) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("{name} is a request"),
    }
}

fn response(name: &str) -> Response {
    match accepted(name) {
        Message::Response(response) => response,
        Message::Request(_) => panic!("{name} is a response"),
    }
}

fn refused(name: &str) -> ParseError {
    match Message::parse(&bytes(name)) {
        Ok(_) => panic!("{name} must be refused"),
        Err(error) => error,
    }
}

fn contacts(headers: &Headers) -> Vec<String> {
    match headers.contacts().unwrap() {
        Contacts::All => vec!["*".to_owned()],
        Contacts::List(list) => list.iter().map(|contact| contact.uri.to_string()).collect(),
    }
}

/// RFC 4475 section 3.1.1.1.
#[test]
fn wsinv() {
    let invite = request("wsinv");
    let headers = &invite.headers;
    assert_eq!(invite.method, Method::Invite);
    assert_eq!(invite.uri.to_string(), "sip:vivekg@chair-dnrc.example.com;unknownparam");
    let to = headers.to().unwrap();
    assert_eq!(
        (to.uri.to_string().as_str(), to.tag()),
        ("sip:vivekg@chair-dnrc.example.com", Some("1918181833n"))
    );
    let from = headers.from().unwrap();
    assert_eq!((from.display_name.as_deref(), from.tag()), (Some("J Rosenberg \\\""), Some("98asjd8")));
    assert_eq!(headers.max_forwards().unwrap(), Some(68));
    assert_eq!(headers.cseq().unwrap(), (9, Method::Invite));
    let vias = headers.vias().unwrap();
    let read: Vec<_> =
        vias.iter().map(|via| (via.transport.as_str(), via.host.to_string(), via.branch())).collect();
    assert_eq!(
        read,
        [
            ("UDP", "192.0.2.2".to_owned(), Some("390skdjuw")),
            ("TCP", "spindle.example.com".to_owned(), Some("z9hG4bK9ikj8")),
            ("UDP", "192.168.255.111".to_owned(), Some("z9hG4bK30239")),
        ]
    );
    assert_eq!(headers.get(HeaderName::Subject), Some(""));
    assert_eq!(headers.get("NewFangledHeader".into()), Some("newfangled value continued newfangled value"));
    assert_eq!(headers.get("unknownheaderwithunusualvalue".into()), Some(";;,,;;,;"));
    let route = &headers.routes().unwrap()[0];
    assert!(route.uri.as_sip().unwrap().is_loose_router());
    let Contacts::List(contacts) = headers.contacts().unwrap() else { panic!("addresses") };
    assert_eq!(contacts[0].display_name.as_deref(), Some("Quoted string \"\""));
    let params: Vec<_> = contacts[0].params.iter().collect();
    assert_eq!(params, [("newparam", Some("newvalue")), ("secondparam", None), ("q", Some("0.33"))]);
    assert_eq!(invite.body.len(), 150);
}

/// RFC 4475 section 3.1.1.2.
#[test]
fn intmeth() {
    let message = request("intmeth");
    assert_eq!(message.method.as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    let uri = message.uri.as_sip().unwrap();
    assert_eq!(uri.user.as_deref(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(uri.password.as_deref(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(message.headers.to().unwrap().display_name.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    let from = message.headers.from().unwrap();
    assert_eq!(from.display_name.as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(from.params.get("fromParam''~+*_!.-%"), Some("работающий"));
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(message.headers.call_id().unwrap(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert_eq!(message.headers.get("extensionHeader-!.%*+_`'~".into()), Some("\u{feff}大停電"));
}

/// RFC 4475 sections 3.1.1.3 to 3.1.1.5: what an escape means, and where there is none.
#[test]
fn escapes() {
    let invite = request("esc01");
    let uri = invite.uri.as_sip().unwrap();
    assert_eq!(uri.user_name().as_deref(), Some("sips:user@example.com"));
    assert_eq!(uri.host, Host::Name("example.net".to_owned()));
    assert_eq!(invite.headers.to().unwrap().uri, "sip:user@example.com".parse::<Uri>().unwrap());
    let from = invite.headers.from().unwrap();
    assert_eq!(from.uri.as_sip().unwrap().user_name().as_deref(), Some("I have spaces"));
    let Contacts::List(list) = invite.headers.contacts().unwrap() else { panic!("addresses") };
    let contact = list[0].uri.as_sip().unwrap();
    assert!(contact.is_loose_router());
    assert_eq!((contact.user.as_deref(), contact.params.get("name")), (Some("caller"), Some("value%2541")));

    let nulls = request("escnull");
    assert_eq!(contacts_and_users(&nulls), [Some("\0".to_owned()), Some("\0\0".to_owned())]);

    let register = request("esc02");
    assert_eq!(register.method.as_str(), "RE%47IST%45R");
    assert_eq!(register.headers.to().unwrap().display_name.as_deref(), Some("%Z%45"));
    assert_eq!(contacts(&register.headers), ["sip:alias1@host1.example.com", "sip:alias3@host3.example.com"]);
    assert_eq!(register.headers.get("C%6Fntact".into()), Some("<sip:alias2@host2.example.com>"));
}

fn contacts_and_users(request: &Request) -> Vec<Option<String>> {
    let Contacts::List(list) = request.headers.contacts().unwrap() else { panic!("addresses") };
    list.iter().map(|contact| contact.uri.as_sip().unwrap().user_name()).collect()
}

/// RFC 4475 sections 3.1.1.6 and 3.1.1.7.
#[test]
fn lwsdisp_and_longreq() {
    let from = request("lwsdisp").headers.from().unwrap();
    assert_eq!((from.display_name.as_deref(), from.tag()), (Some("caller"), Some("323")));
    let long = request("longreq");
    let vias = long.headers.vias().unwrap();
    assert_eq!(vias.len(), 34);
    assert_eq!(vias[0].host.to_string(), "sip33.example.com");
    assert!(vias[33].branch().unwrap().starts_with("verylong"));
    assert_eq!(vias[33].received(), Some("192.0.2.5".parse().unwrap()));
    let to = long.headers.to().unwrap();
    assert_eq!((to.uri.as_sip().unwrap().port, to.params.len()), (Some(6000), 0));
    assert_eq!(to.uri.as_sip().unwrap().params.len(), 3);
}

/// RFC 4475 section 3.1.1.8: on a stream two messages; in a datagram the second is no part of the first.
#[test]
fn dblreq() {
    let register = request("dblreq");
    assert_eq!((register.method, register.body.len()), (Method::Register, 0));
    let mut stream = StreamBuffer::new();
    stream.push(&bytes("dblreq"));
    let mut methods = Vec::new();
    while let Ok(Some(Frame::Message(message))) = stream.next_frame() {
        match Message::parse(&message).unwrap() {
            Message::Request(request) => methods.push((request.method, request.body.len())),
            Message::Response(_) => panic!("two requests"),
        }
    }
    assert_eq!(methods, [(Method::Register, 0), (Method::Invite, 150)]);
    // The second body is longer than its Content-Length.
    assert_eq!(stream.next_frame(), Err(StreamError::NoLength(b"C\r\n\r\n".to_vec())));
}

/// RFC 4475 sections 3.1.1.9 and 3.1.1.10.
#[test]
fn semiuri_and_transports() {
    let options = request("semiuri");
    let uri = options.uri.as_sip().unwrap();
    assert_eq!((uri.user_name().as_deref(), uri.params.len()), (Some("user;par=u@example.net"), 0));
    let accept = options.headers.get(HeaderName::Accept).unwrap();
    assert_eq!(accept.split(',').count(), 6);
    let vias = request("transports").headers.vias().unwrap();
    let transports: Vec<_> = vias.iter().map(|via| (via.transport.as_str(), via.known_transport())).collect();
    let expected = [
        ("UDP", Some(Transport::Udp)),
        ("SCTP", None),
        ("TLS", Some(Transport::Tls)),
        ("UNKNOWN", None),
        ("TCP", Some(Transport::Tcp)),
    ];
    assert_eq!(transports, expected);
}

/// RFC 4475 section 3.1.1.11: a binary body, and an Identity value that is no token.
#[test]
fn mpart01() {
    let message = request("mpart01");
    assert_eq!((message.method, message.body.len()), (Method::Message, 553));
    let kind = message.headers.content_type().unwrap().unwrap();
    assert_eq!(
        (kind.media_type.as_str(), kind.params.get("boundary")),
        ("multipart/mixed", Some("7a9cbec02ceef655"))
    );
    assert!(message.body.ends_with(b"--7a9cbec02ceef655--\r\n"));
    assert!(message.headers.get(HeaderName::Identity).unwrap().ends_with("UhkMWYUA="));
}

/// RFC 4475 sections 3.1.1.12 and 3.1.1.13.
#[test]
fn reason_phrases() {
    let response_1 = response("unreason");
    assert_eq!(
        (response_1.status, response_1.reason.as_str()),
        (200, "= 2**3 * 5**2 но сто девяносто девять - простое")
    );
    let response_2 = response("noreason");
    assert_eq!((response_2.status, response_2.reason.as_str()), (100, ""));
}

/// RFC 4475 section 3.1.2: each of these is refused, and can be answered where it is a request with a Via.
#[test]
fn invalid_requests_are_answered() {
    let cases = [
        ("clerr", 400),
        ("ncl", 400),
        ("scalar02", 400),
        ("quotbal", 400),
        ("ltgtruri", 400),
        ("lwsruri", 400),
        ("lwsstart", 400),
        ("trws", 400),
        ("escruri", 400),
        ("regbadct", 400),
        ("badaspec", 400),
        ("baddn", 400),
        ("badvers", 505),
        ("mismatch01", 400),
        ("mismatch02", 400),
        ("multi01", 400),
        ("mcl01", 400),
        ("insuf", 400),
        ("ipv6-bad", 400),
    ];
    for (name, status) in cases {
        let error = refused(name);
        assert_eq!(error.status, status, "{name}: {error}");
        let response = error.response().unwrap_or_else(|| panic!("{name}: {error}"));
        assert_eq!(response.status, status, "{name}");
        assert!(response.headers.via().is_ok(), "{name}");
    }
}

/// RFC 4475 sections 3.1.2.1, 3.1.2.5 and 3.1.2.19.
#[test]
fn without_a_via_or_as_responses_they_are_dropped() {
    for name in ["badinv01", "bigcode", "scalarlg"] {
        assert!(refused(name).response().is_none(), "{name}");
    }
}

/// RFC 4475 section 3.1.2.12: an element that needs no Date may go on.
#[test]
fn baddate() {
    assert_eq!(request("baddate").headers.get(HeaderName::Date), Some("Fri, 01 Jan 2010 16:00:00 EST"));
}

/// RFC 4475 section 3.2.1: for the transaction layer, a branch of RFC 2543.
#[test]
fn badbranch() {
    assert_eq!(request("badbranch").headers.via().unwrap().branch(), Some("z9hG4bK"));
}

/// RFC 4475 section 3.3: for the user agent.
#[test]
fn application_layer() {
    // 416.
    assert_eq!(request("unkscm").uri, Uri::Other("nobodyKnowsThisScheme:totallyopaquecontent".to_owned()));
    assert_eq!(request("novelsc").uri, Uri::Other("soap.beep://192.0.2.103:3002".to_owned()));
    let register = request("unksm2");
    assert_eq!(register.headers.to().unwrap().uri, Uri::Other("isbn:2983792873".to_owned()));
    assert_eq!(register.headers.from().unwrap().tag(), Some("3234233"));
    assert_eq!(contacts(&register.headers), ["name:John_Smith"]);
    // 420.
    let require = request("bext01");
    assert_eq!(require.headers.require().unwrap(), ["nothingSupportsThis", "nothingSupportsThisEither"]);
    assert_eq!(require.headers.tokens(HeaderName::ProxyRequire).unwrap().len(), 2);
    // 415.
    let unknown = request("invut").headers.content_type().unwrap().unwrap();
    assert_eq!(unknown.media_type, "application/unknownformat");
    // 401.
    assert!(
        request("regaut01")
            .headers
            .get(HeaderName::Authorization)
            .unwrap()
            .starts_with("NoOneKnowsThisScheme")
    );
    // 483 from a proxy; an endpoint answers.
    assert_eq!(request("zeromf").headers.max_forwards().unwrap(), Some(0));
    // 406.
    assert_eq!(request("sdp01").headers.get(HeaderName::Accept), Some("text/nobodyKnowsThis"));
    // Dropped by the transaction layer: the second Via is not ours.
    assert_eq!(response("bcast").headers.vias().unwrap().len(), 2);
}

/// RFC 4475 sections 3.3.11 to 3.3.13: the parameter of the header field, that of the URI, and an escaped header.
#[test]
fn contact_parameters() {
    let read = |name| match request(name).headers.contacts().unwrap() {
        Contacts::List(list) => list[0].clone(),
        Contacts::All => panic!("an address"),
    };
    let (outside, inside) = (read("cparam01"), read("cparam02"));
    assert!(outside.params.has("unknownparam") && !outside.uri.as_sip().unwrap().params.has("unknownparam"));
    assert!(!inside.params.has("unknownparam") && inside.uri.as_sip().unwrap().params.has("unknownparam"));
    let escaped = read("regescrt");
    assert_eq!(
        escaped.uri.as_sip().unwrap().headers,
        [("Route".to_owned(), "%3Csip:sip.example.com%3E".to_owned())]
    );
}

/// RFC 4475 section 3.4.1: a client of RFC 2543.
#[test]
fn inv2543() {
    let invite = request("inv2543");
    assert_eq!(invite.headers.via().unwrap().branch(), None);
    assert_eq!(invite.headers.max_forwards().unwrap(), None);
    assert_eq!(invite.headers.from().unwrap().tag(), None);
    assert!(invite.body.starts_with(b"v=0"));
}

/// RFC 5118 sections 4.1 to 4.5 and 4.7.
#[test]
fn ipv6_references() {
    let good = request("ipv6-good");
    assert_eq!(good.uri.as_sip().unwrap().host, Host::V6("2001:db8::10".parse().unwrap()));
    assert_eq!(good.headers.via().unwrap().host, Host::V6("2001:db8::9:1".parse().unwrap()));
    assert_eq!(contacts(&good.headers), ["sip:caller@[2001:db8::1]"]);
    let ambiguous = request("port-ambiguous");
    let ambiguous = ambiguous.uri.as_sip().unwrap();
    assert_eq!((&ambiguous.host, ambiguous.port), (&Host::V6("2001:db8::10:5070".parse().unwrap()), None));
    let unambiguous = request("port-unambiguous");
    let unambiguous = unambiguous.uri.as_sip().unwrap();
    assert_eq!(
        (&unambiguous.host, unambiguous.port),
        (&Host::V6("2001:db8::10".parse().unwrap()), Some(5070))
    );
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        assert_eq!(
            request(name).headers.via().unwrap().received(),
            Some("2001:db8::9:255".parse().unwrap()),
            "{name}"
        );
    }
    let vias = request("mult-ip-in-header").headers.vias().unwrap();
    assert_eq!((vias.len(), vias[0].port), (3, Some(6050)));
    assert_eq!(vias[2].received(), Some("192.0.2.200".parse().unwrap()));
}

/// RFC 5118 sections 4.6 and 4.8 to 4.10.
#[test]
fn ipv6_bodies_mapped_addresses_and_the_grammars_bug() {
    assert_eq!(request("ipv6-in-sdp").body.len(), 251);
    assert_eq!(request("mult-ip-in-sdp").body.len(), 189);
    let mapped = request("ipv4-mapped-ipv6").headers.via().unwrap();
    assert_eq!((mapped.host, mapped.port), (Host::V6("::ffff:192.0.2.10".parse().unwrap()), Some(19823)));
    let (bug, correct) = (request("ipv6-bug-abnf-3-colons"), request("ipv6-correct-abnf-2-colons"));
    assert_eq!(bug.uri, correct.uri);
    assert_eq!(bug.headers.to().unwrap(), correct.headers.to().unwrap());
}

/// No file is forgotten.
#[test]
fn every_file_is_read_by_a_test() {
    let source = include_str!("torture.rs");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut count = 0;
    for path in names.filter(|path| path.extension().is_some_and(|extension| extension == "dat")) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(source.contains(&format!("\"{name}\"")), "{name}");
        count += 1;
    }
    assert_eq!(count, 49 + 12);
}
