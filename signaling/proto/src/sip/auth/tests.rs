use super::*;
use crate::sip::{HeaderName, Message, Request, Response, reply};
use std::time::{Duration, Instant};

fn register() -> Request {
    let text = "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
        From: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\r\n";
    match Message::parse(text.as_bytes()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request was written"),
    }
}

fn challenge(values: &[&str]) -> Response {
    let mut response = reply(&register(), 401, "Unauthorized");
    values.iter().for_each(|value| response.headers.push(HeaderName::WwwAuthenticate, value));
    response
}

fn client(password: &str) -> DigestClient {
    let secret = Secret::Password(Zeroizing::new(password.to_owned()));
    DigestClient::new(Credentials {
        username: "alice".to_owned(),
        secret,
        realm: Some("example.com".to_owned()),
    })
}

fn server(now: Instant) -> Authenticator {
    Authenticator::new(&Zeroizing::new([7; 32]), Duration::from_secs(300), now)
}

/// RFC 7616 section 3.9.1, with both algorithms.
#[test]
fn computes_the_vectors_of_rfc_7616() {
    let method = Method::Other("GET".to_owned());
    for (hash, expected) in [
        (Hash::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Hash::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let computation = Computation {
            algorithm: Algorithm { hash, session: false },
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop: Some((Qop::Auth, "00000001")),
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            method: &method,
            uri: "/dir/index.html",
            body: b"",
        };
        let ha1 = hash_password(hash, "Mufasa", "http-auth@example.org", "Circle of Life");
        assert_eq!(computation.response(&ha1).as_str(), expected);
    }
}

/// RFC 2069's own example does not verify (its errata); this is RFC 2617's with qop left out, by hand.
#[test]
fn leaves_cnonce_out_without_qop() {
    let method = Method::Other("GET".to_owned());
    let computation = Computation {
        algorithm: Algorithm { hash: Hash::Md5, session: false },
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        qop: None,
        cnonce: "",
        method: &method,
        uri: "/dir/index.html",
        body: b"",
    };
    let ha1 = hash_password(Hash::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
    assert_eq!(ha1.as_str(), "939e7578ed9e3c518a452acee763bce9");
    assert_eq!(computation.response(&ha1).as_str(), "670fd8c2df070c60b045671b8b24ff02");
}

#[test]
fn a_client_and_a_server_agree() {
    let now = Instant::now();
    let stored = ha1("alice", "example.com", "secret");
    let realm = Realm::new("example.com", [&stored]);
    for challenger in [Challenger::Server, Challenger::Proxy] {
        let (mut server, mut client) = (server(now), client("secret"));
        let mut request = register();
        assert_eq!(server.verify(challenger, &request, &realm, now, |_| Some(&stored)), Verdict::Missing);
        let response = server.challenge(challenger, &request, &realm, false, now);
        assert_eq!(response.headers.all(challenger.challenge_header()).count(), 2);
        client.challenged(&response).unwrap();
        client.authorize(&mut request, "abc");
        let header = request.headers.get(challenger.credentials_header()).unwrap();
        assert!(header.contains("algorithm=SHA-256") && header.contains("nc=00000001"), "{header}");
        let authenticated = Verdict::Authenticated { username: "alice".to_owned() };
        assert_eq!(server.verify(challenger, &request, &realm, now, |_| Some(&stored)), authenticated);
        // The very same request again is a replay.
        assert_eq!(server.verify(challenger, &request, &realm, now, |_| Some(&stored)), Verdict::Stale);
        client.authorize(&mut request, "abd");
        assert_eq!(server.verify(challenger, &request, &realm, now, |_| Some(&stored)), authenticated);
        let later = now + Duration::from_secs(301);
        client.authorize(&mut request, "abe");
        assert_eq!(server.verify(challenger, &request, &realm, later, |_| Some(&stored)), Verdict::Stale);
        let response = server.challenge(challenger, &request, &realm, true, later);
        client.challenged(&response).unwrap();
        client.authorize(&mut request, "abf");
        assert_eq!(server.verify(challenger, &request, &realm, later, |_| Some(&stored)), authenticated);
    }
}

#[test]
fn wrong_passwords_and_unknown_users_look_alike() {
    let now = Instant::now();
    let stored = ha1("alice", "example.com", "secret");
    let realm = Realm::new("example.com", [&stored]);
    let (mut server, mut client) = (server(now), client("guess"));
    let mut request = register();
    client.challenged(&server.challenge(Challenger::Server, &request, &realm, false, now)).unwrap();
    client.authorize(&mut request, "abc");
    let wrong = Verdict::Wrong { username: "alice".to_owned() };
    assert_eq!(server.verify(Challenger::Server, &request, &realm, now, |_| Some(&stored)), wrong);
    assert_eq!(server.verify(Challenger::Server, &request, &realm, now, |_| None), wrong);
    // The server challenges again, and the client does not try the same password for ever.
    let again = server.challenge(Challenger::Server, &request, &realm, false, now);
    assert_eq!(client.challenged(&again), Err(ChallengeError::Rejected));
}

#[test]
fn a_nonce_of_another_server_is_stale() {
    let now = Instant::now();
    let stored = ha1("alice", "example.com", "secret");
    let realm = Realm::new("example.com", [&stored]);
    let mut client = client("secret");
    let mut request = register();
    let mut other = Authenticator::new(&Zeroizing::new([8; 32]), Duration::from_secs(300), now);
    client.challenged(&other.challenge(Challenger::Server, &request, &realm, false, now)).unwrap();
    client.authorize(&mut request, "abc");
    let verdict = server(now).verify(Challenger::Server, &request, &realm, now, |_| Some(&stored));
    assert_eq!(verdict, Verdict::Stale);
}

#[test]
fn credentials_of_another_request_are_refused() {
    let now = Instant::now();
    let stored = ha1("alice", "example.com", "secret");
    let realm = Realm::new("example.com", [&stored]);
    let (mut server, mut client) = (server(now), client("secret"));
    let mut request = register();
    request.uri = "sip:bob@example.com".parse().unwrap();
    client.challenged(&server.challenge(Challenger::Server, &request, &realm, false, now)).unwrap();
    client.authorize(&mut request, "abc");
    request.uri = "sip:expensive@example.com".parse().unwrap();
    let verdict = server.verify(Challenger::Server, &request, &realm, now, |_| Some(&stored));
    assert!(matches!(verdict, Verdict::Malformed(_)), "{verdict:?}");
}

/// As SIPp does: the digest's uri is the server's address.
#[test]
fn the_uri_of_credentials_may_be_the_server_itself() {
    let now = Instant::now();
    let stored = ha1("alice", "example.com", "secret");
    let realm = Realm::new("example.com", [&stored]);
    let (mut server, mut client) = (server(now), client("secret"));
    let mut request = register();
    request.uri = "sip:192.0.2.1:5060".parse().unwrap();
    client.challenged(&server.challenge(Challenger::Server, &request, &realm, false, now)).unwrap();
    client.authorize(&mut request, "abc");
    request.uri = "sip:bob@example.com".parse().unwrap();
    let verdict = server.verify(Challenger::Server, &request, &realm, now, |_| Some(&stored));
    assert_eq!(verdict, Verdict::Authenticated { username: "alice".to_owned() });
}

/// attacks.md row 11.
#[test]
fn a_foreign_realm_gets_no_answer() {
    let mut client = client("secret");
    let leak = challenge(&["Digest realm=\"attacker\", nonce=\"1\", algorithm=MD5"]);
    assert_eq!(client.challenged(&leak), Err(ChallengeError::ForeignRealm));
    let mut request = register();
    client.authorize(&mut request, "abc");
    assert_eq!(request.headers.get(HeaderName::Authorization), None);
}

#[test]
fn takes_the_strongest_algorithm_it_can_satisfy() {
    let offers = [
        "Digest realm=\"example.com\", nonce=\"m\", algorithm=MD5, qop=\"auth\"",
        "Digest realm=\"example.com\", nonce=\"s\", algorithm=SHA-512-256, qop=\"auth-int,auth\"",
        "Digest realm=\"example.com\", nonce=\"u\", algorithm=SHA3, qop=\"auth\"",
        "Basic realm=\"example.com\"",
    ];
    let mut request = register();
    let mut by_password = client("secret");
    by_password.challenged(&challenge(&offers)).unwrap();
    by_password.authorize(&mut request, "abc");
    assert!(request.headers.get(HeaderName::Authorization).unwrap().contains("nonce=\"s\""));
    let secret = Secret::Ha1(ha1("alice", "example.com", "secret"));
    let mut by_hash = DigestClient::new(Credentials { username: "alice".to_owned(), secret, realm: None });
    by_hash.challenged(&challenge(&offers)).unwrap();
    by_hash.authorize(&mut request, "abc");
    assert!(request.headers.get(HeaderName::Authorization).unwrap().contains("nonce=\"m\""));
    let unsupported = challenge(&offers[2..3]);
    assert_eq!(client("secret").challenged(&unsupported), Err(ChallengeError::Unsupported));
    assert_eq!(client("secret").challenged(&challenge(&[])), Err(ChallengeError::Missing));
}

#[test]
fn quotes_are_escaped_and_secrets_are_not_shown() {
    let secret = Secret::Password(Zeroizing::new("hunter2".to_owned()));
    let mut client = DigestClient::new(Credentials { username: "a\"b\\c".to_owned(), secret, realm: None });
    client.challenged(&challenge(&["Digest realm=\"x\\\"y\", nonce=\"n\""])).unwrap();
    let mut request = register();
    client.authorize(&mut request, "abc");
    let value = request.headers.get(HeaderName::Authorization).unwrap();
    assert!(value.starts_with("Digest username=\"a\\\"b\\\\c\", realm=\"x\\\"y\", nonce=\"n\""), "{value}");
    assert!(!value.contains("cnonce") && !value.contains("algorithm"), "{value}");
    let response = request.headers.credentials(HeaderName::Authorization).unwrap();
    assert_eq!(response[0].params.get("username"), Some("a\"b\\c"));
    assert!(!format!("{client:?} {:?}", client.clone()).contains("hunter2"));
}

#[test]
fn a_realm_offers_what_all_its_users_can_satisfy() {
    let both = ha1("alice", "example.com", "secret");
    let old = Ha1 { sha256: None, ..both.clone() };
    assert_eq!(Realm::new("example.com", [&both]).hashes(), [Hash::Sha256, Hash::Md5]);
    assert_eq!(Realm::new("example.com", [&both, &old]).hashes(), [Hash::Md5]);
    assert_eq!(Realm::for_telephones("example.com", [&both]).hashes(), [Hash::Md5]);
}
