use super::*;
use crate::sip::user_agent::PageMessage;

fn message() -> PageMessage {
    PageMessage {
        target: uri("sip:bob@192.0.2.9"),
        route: None,
        via: None,
        port: None,
        from: NameAddr::new(uri("sip:alice@example.org")),
        to: NameAddr::new(uri("sip:bob@example.org")),
        content_type: "text/plain;charset=utf-8".to_owned(),
        body: "Grüße".as_bytes().to_vec(),
        credentials: None,
        headers: vec![(HeaderName::Date, "Fri, 04 Apr 2008 12:16:49 GMT".to_owned())],
    }
}

fn done(bench: &mut Bench) -> Vec<u16> {
    let status =
        |event| if let UaEvent::MessageDone { cause, .. } = event { Some(cause.status) } else { None };
    bench.events().into_iter().filter_map(status).collect()
}

#[test]
fn a_message_goes_outside_any_dialog_and_its_outcome_is_told_once() {
    let mut bench = Bench::new();
    bench.agent.send_message(bench.now, message());
    let request = bench.request();
    assert_eq!((&request.method, request.body.as_slice()), (&Method::Message, "Grüße".as_bytes()));
    // RFC 3428 section 4: no Contact, no dialog.
    assert!(request.headers.get(HeaderName::Contact).is_none());
    assert!(request.headers.to().unwrap().tag().is_none());
    assert!(request.headers.get(HeaderName::Date).is_some());
    bench.reply(&request, 100, "b", &[], None);
    assert_eq!(done(&mut bench), [0; 0]);
    bench.reply(&request, 202, "b", &[], None);
    bench.reply(&request, 202, "b", &[], None);
    assert_eq!(done(&mut bench), [202]);
    bench.pass(Duration::from_secs(100));
    assert_empty(&bench.agent);
}

#[test]
fn a_message_that_nobody_answers_times_out() {
    let mut bench = Bench::new();
    bench.agent.send_message(bench.now, message());
    bench.pass(Duration::from_secs(40));
    assert!(bench.requests().len() > 5, "it was sent again and again");
    assert_eq!(done(&mut bench), [408]);
    assert_empty(&bench.agent);
}

#[test]
fn a_message_answers_its_providers_challenge_and_nobody_elses() {
    let challenge = "Digest realm=\"example.org\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";
    for has_credentials in [true, false] {
        let mut bench = Bench::new();
        let secret = Secret::Password("secret".to_owned().into());
        let credentials = Credentials { username: "alice".to_owned(), realm: None, secret };
        let credentials = Some(credentials).filter(|_| has_credentials);
        bench.agent.send_message(bench.now, PageMessage { credentials, ..message() });
        let first = bench.request();
        bench.reply(&first, 407, "b", &[(HeaderName::ProxyAuthenticate, challenge)], None);
        if !has_credentials {
            assert_eq!((bench.requests().len(), done(&mut bench)), (0, vec![407]));
            continue;
        }
        let second = bench.request();
        assert!(second.headers.get(HeaderName::ProxyAuthorization).is_some());
        assert_eq!(second.headers.cseq().unwrap().0, first.headers.cseq().unwrap().0 + 1);
        assert_eq!(second.body, first.body);
        bench.reply(&second, 200, "b", &[], None);
        assert_eq!(done(&mut bench), [200]);
    }
}
