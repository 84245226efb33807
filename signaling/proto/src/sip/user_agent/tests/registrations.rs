use super::*;

pub(super) const CHALLENGE: &str = "Digest realm=\"example.org\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";

pub(super) fn credentials() -> Credentials {
    let secret = Secret::Password("secret".to_owned().into());
    Credentials { username: "alice".to_owned(), realm: None, secret }
}

pub(super) fn register() -> Register {
    Register {
        aor: uri("sip:alice@192.0.2.9"),
        route: None,
        contact_user: "alice".to_owned(),
        port: None,
        expires: Duration::from_secs(600),
        keep_alive: KeepAlive { method: KeepAliveMethod::Off, interval: None },
        credentials: credentials(),
    }
}

#[test]
fn a_registration_answers_the_challenge_is_kept_and_removed() {
    let mut bench = Bench::new();
    let handle = bench.agent.register(bench.now, register());
    let first = bench.request();
    assert_eq!(first.uri, uri("sip:192.0.2.9"));
    bench.reply(&first, 401, "r", &[(HeaderName::WwwAuthenticate, CHALLENGE)], None);
    let second = bench.request();
    assert!(second.headers.get(HeaderName::Authorization).unwrap().contains("nc=00000001"));
    assert_eq!(second.headers.cseq().unwrap().0, first.headers.cseq().unwrap().0 + 1);
    bench.reply(&second, 200, "r", &[(HeaderName::Expires, "600")], None);
    assert!(
        matches!(bench.events().as_slice(), [UaEvent::Registered { expires, .. }] if expires.as_secs() == 600)
    );
    bench.pass(Duration::from_secs(540));
    let renewal = bench.request();
    assert!(renewal.headers.get(HeaderName::Authorization).unwrap().contains("nc=00000002"));
    bench.reply(&renewal, 200, "r", &[(HeaderName::Expires, "600")], None);
    bench.agent.unregister(bench.now, handle);
    let last = bench.request();
    assert_eq!(last.headers.expires().unwrap(), Some(0));
    bench.reply(&last, 200, "r", &[], None);
    bench.pass(Duration::from_secs(100));
    assert_empty(&bench.agent);
}

#[test]
fn a_wrong_password_is_tried_once() {
    let mut bench = Bench::new();
    bench.agent.register(bench.now, register());
    let first = bench.request();
    bench.reply(&first, 401, "r", &[(HeaderName::WwwAuthenticate, CHALLENGE)], None);
    let second = bench.request();
    let again = CHALLENGE.replace("n1", "n2");
    bench.reply(&second, 401, "r", &[(HeaderName::WwwAuthenticate, &again)], None);
    assert!(bench.requests().is_empty());
    assert!(matches!(bench.events().as_slice(), [UaEvent::RegistrationFailed { will_retry: false, .. }]));
    bench.pass(Duration::from_secs(100));
    assert_empty(&bench.agent);
}

#[test]
fn a_failed_registration_is_tried_again_later() {
    let mut bench = Bench::new();
    bench.agent.register(bench.now, register());
    let first = bench.request();
    bench.reply(&first, 503, "r", &[(HeaderName::RetryAfter, "300")], None);
    assert!(matches!(bench.events().as_slice(), [UaEvent::RegistrationFailed { will_retry: true, .. }]));
    bench.pass(Duration::from_secs(299));
    assert!(bench.requests().is_empty());
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.request().method, Method::Register);
}

#[test]
fn a_longer_lifetime_is_asked_for_where_the_registrar_wants_it() {
    let mut bench = Bench::new();
    bench.agent.register(bench.now, register());
    let first = bench.request();
    bench.reply(&first, 423, "r", &[(HeaderName::MinExpires, "900")], None);
    assert_eq!(bench.request().headers.expires().unwrap(), Some(900));
}

#[test]
fn challenges_are_answered_only_for_the_provider() {
    let mut bench = Bench::new();
    let invite = Invite { credentials: Some(credentials()), ..call_to("sip:bob@192.0.2.9") };
    let call = bench.agent.invite(bench.now, invite);
    let first = bench.request();
    bench.reply(&first, 407, "p", &[(HeaderName::ProxyAuthenticate, CHALLENGE)], None);
    let second = bench.requests().into_iter().find(|request| request.method == Method::Invite).unwrap();
    assert!(second.headers.get(HeaderName::ProxyAuthorization).is_some());
    // The callee answers with a Contact of its own and then challenges our BYE: attacks.md row 11.
    let contact = (HeaderName::Contact, "<sip:thief@203.0.113.5>");
    bench.reply(&second, 200, "t", &[contact], Some("answer"));
    let ack = bench.request();
    assert_eq!(ack.headers.get(HeaderName::ProxyAuthorization), None);
    bench.agent.signal(bench.now, call, Signal::Offer { sdp: offer_sdp(), update: false }).unwrap();
    let offer = bench.request();
    bench.reply(&offer, 407, "t", &[(HeaderName::ProxyAuthenticate, CHALLENGE)], None);
    assert!(bench.requests().iter().all(|request| request.method == Method::Ack));
    bench.agent.signal(bench.now, call, Signal::Hangup(Cause::normal())).unwrap();
    let bye = bench.request();
    bench.reply(&bye, 407, "t", &[(HeaderName::ProxyAuthenticate, CHALLENGE)], None);
    assert!(bench.requests().is_empty());
}

#[test]
fn a_challenge_after_ringing_is_the_callees() {
    let mut bench = Bench::new();
    let invite = Invite { credentials: Some(credentials()), ..call_to("sip:bob@192.0.2.9") };
    bench.agent.invite(bench.now, invite);
    let first = bench.request();
    bench.reply(&first, 180, "t", &[CONTACT], None);
    bench.reply(&first, 407, "t", &[(HeaderName::ProxyAuthenticate, CHALLENGE)], None);
    assert!(bench.requests().iter().all(|request| request.method == Method::Ack));
    assert!(matches!(bench.signals().last(), Some(Signal::Reject(Cause { status: 407, .. }))));
}
