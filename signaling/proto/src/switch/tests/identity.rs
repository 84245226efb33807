use super::*;
use crate::settings::Trusted;

/// Alice calls bob with these header fields; what bob is told.
fn called_with(bench: &mut Bench, alice: &mut Phone, bob: &Phone, fields: &[(HeaderName, &str)]) -> Request {
    let uri = format!("sip:bob@{DOMAIN}");
    let mut request = alice.request(Method::Invite, &uri, &format!("<{uri}>"), Some(samples::BARESIP));
    request.headers.set(HeaderName::CallId, format!("call-{}", request.headers.cseq().unwrap().0));
    for (name, value) in fields {
        request.headers.push(name.clone(), value);
    }
    alice.authenticated(bench, request);
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(bench, &invite, 486, None);
    bench.take(bob.flow.remote);
    bench.take(alice.flow.remote);
    invite
}

const PRIVATE: (HeaderName, &str) = (HeaderName::Privacy, "id");

#[test]
fn who_wants_privacy_is_anonymous_to_all_but_trusted_sides() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let invite = called_with(&mut bench, &mut alice, &bob, &[PRIVATE]);
    let from = invite.headers.from().unwrap();
    assert_eq!(from.uri.to_string(), "sip:anonymous@anonymous.invalid");
    assert!(invite.headers.get(HeaderName::PAssertedIdentity).is_none());
    assert_eq!(invite.headers.get(HeaderName::Privacy), Some("id"));
    assert!(!String::from_utf8_lossy(&invite.to_bytes()).contains("alice@"), "nowhere else either");

    bench.switch.settings.trusted = vec![Trusted::parse("192.0.2.30").unwrap()];
    let invite = called_with(&mut bench, &mut alice, &bob, &[PRIVATE]);
    assert_eq!(invite.headers.from().unwrap().uri.to_string(), "sip:anonymous@anonymous.invalid");
    let asserted = invite.headers.addresses(HeaderName::PAssertedIdentity).unwrap().remove(0);
    assert_eq!(asserted.uri.to_string(), "sip:alice@tandem.test");
}

#[test]
fn only_a_trusted_sides_word_on_who_calls_counts() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let asserted = (HeaderName::PAssertedIdentity, "\"王小明\" <sip:+4930123@pstn.example>");
    let invite = called_with(&mut bench, &mut alice, &bob, std::slice::from_ref(&asserted));
    assert_eq!(invite.headers.from().unwrap().uri.to_string(), "sip:alice@tandem.test");
    assert!(invite.headers.get(HeaderName::PAssertedIdentity).is_none());

    bench.switch.settings.trusted = vec![Trusted::parse("192.0.2.20").unwrap()];
    let invite = called_with(&mut bench, &mut alice, &bob, &[asserted]);
    let from = invite.headers.from().unwrap();
    assert_eq!(
        (from.uri.to_string().as_str(), from.display_name.as_deref()),
        ("sip:+4930123@pstn.example", Some("王小明"))
    );
}

#[test]
fn who_wants_privacy_has_it_after_transfers_too() {
    let mut bench = Bench::new();
    let (mut alice, mut bob) = phones(&mut bench);
    let mut carol = Phone::new("carol", Transport::Udp, 40, samples::SIPP);
    carol.register(&mut bench);
    let uri = format!("sip:bob@{DOMAIN}");
    alice.new_call();
    let mut request = alice.request(Method::Invite, &uri, &format!("<{uri}>"), Some(samples::BARESIP));
    request.headers.push(PRIVATE.0, PRIVATE.1);
    alice.authenticated(&mut bench, request);
    let invite = request_of(&bench.take(bob.flow.remote), Method::Invite);
    bob.answer(&mut bench, &invite, 200, Some(samples::SIPP));
    let ok = responses(&bench.take(alice.flow.remote)).pop().unwrap();
    alice.acknowledge(&mut bench, &ok, None);
    bench.take(bob.flow.remote);

    // Bob hands her over: carol is not told who she is.
    let mut refer = bob.inside_of(Method::Refer, &invite, None);
    refer.headers.push(HeaderName::ReferTo, format!("sip:carol@{DOMAIN}"));
    bob.send(&mut bench, refer);
    let rung = request_of(&bench.take(carol.flow.remote), Method::Invite);
    assert_eq!(rung.headers.from().unwrap().uri.to_string(), "sip:anonymous@anonymous.invalid");
    assert!(!String::from_utf8_lossy(&rung.to_bytes()).contains("alice@"));
    carol.answer(&mut bench, &rung, 486, None);
    bench.take(carol.flow.remote);

    // She hands bob over: that it was she is not told.
    let mut refer = alice.inside(Method::Refer, &ok, None);
    refer.headers.push(HeaderName::ReferTo, format!("sip:carol@{DOMAIN}"));
    alice.send(&mut bench, refer);
    let rung = request_of(&bench.take(carol.flow.remote), Method::Invite);
    assert_eq!(rung.headers.from().unwrap().uri.to_string(), format!("sip:bob@{DOMAIN}"));
    assert!(!String::from_utf8_lossy(&rung.to_bytes()).contains("alice@"));
}
