//! Several servers of one name, and accounts with a port of their own.

use super::registrations::{CHALLENGE, credentials, register};
use super::*;

fn target(last: u8) -> Target {
    let address = SocketAddr::from(([198, 51, 100, last], 5060));
    Target { transport: Transport::Udp, address, name: "example.org".to_owned() }
}

/// The look-up that was asked for is answered by these servers.
fn resolve(bench: &mut Bench, servers: &[u8]) {
    match bench.agent.poll_output() {
        Some(Output::Resolve { query, .. }) => {
            let targets = servers.iter().map(|last| target(*last)).collect();
            bench.agent.resolved(bench.now, query, targets);
        }
        other => panic!("{other:?}"),
    }
}

/// The requests that were sent, each with the last byte of its server's address.
fn sent(bench: &mut Bench) -> Vec<(u8, Request)> {
    let mut sent = Vec::new();
    while let Some(output) = bench.agent.poll_output() {
        let Output::Sip { destination, bytes, .. } = output else { panic!("{output:?}") };
        let std::net::IpAddr::V4(ip) = remote_of(&destination).ip() else { panic!("IPv4 only") };
        if let Message::Request(request) = Message::parse(&bytes).unwrap() {
            sent.push((ip.octets()[3], request));
        }
    }
    sent
}

fn call(bench: &mut Bench) -> CallHandle {
    let invite = Invite { credentials: Some(credentials()), ..call_to("sip:bob@example.org") };
    bench.agent.invite(bench.now, invite)
}

#[test]
fn a_silent_server_is_left_for_the_next_within_seconds_and_asked_last_afterwards() {
    let mut bench = Bench::new();
    call(&mut bench);
    resolve(&mut bench, &[1, 2]);
    bench.pass(Duration::from_millis(3_900));
    assert_eq!(sent(&mut bench).iter().map(|(server, _)| *server).collect::<Vec<_>>(), [1, 1, 1, 1]);
    bench.pass(Duration::from_millis(100));
    let second = sent(&mut bench);
    assert_eq!((second.len(), second[0].0), (1, 2));
    // The challenge is answered to the server that made it.
    bench.reply(&second[0].1, 407, "p", &[(HeaderName::ProxyAuthenticate, CHALLENGE)], None);
    let proven = sent(&mut bench).into_iter().find(|(_, request)| request.method == Method::Invite).unwrap();
    assert!(proven.0 == 2 && proven.1.headers.get(HeaderName::ProxyAuthorization).is_some());

    call(&mut bench);
    resolve(&mut bench, &[1, 2]);
    assert_eq!(sent(&mut bench)[0].0, 2);
    bench.pass(Duration::from_secs(120));
    sent(&mut bench);
    call(&mut bench);
    resolve(&mut bench, &[1, 2]);
    assert_eq!(sent(&mut bench)[0].0, 1, "it has rested");
}

#[test]
fn the_only_server_has_the_whole_time_of_a_transaction() {
    let mut bench = Bench::new();
    call(&mut bench);
    resolve(&mut bench, &[1]);
    bench.pass(Duration::from_millis(31_900));
    assert!(bench.signals().is_empty());
    bench.pass(Duration::from_millis(200));
    assert!(matches!(bench.signals().as_slice(), [Signal::Reject(Cause { status: 408, .. })]));
}

#[test]
fn a_server_that_was_heard_of_is_not_left() {
    let mut bench = Bench::new();
    call(&mut bench);
    resolve(&mut bench, &[1, 2]);
    let (_, invite) = sent(&mut bench).remove(0);
    bench.reply(&invite, 100, "", &[], None);
    bench.pass(Duration::from_secs(60));
    assert!(sent(&mut bench).is_empty());
}

#[test]
fn a_registration_goes_to_the_next_server_at_503_and_to_none_after_the_last() {
    let mut bench = Bench::new();
    bench.agent.register(bench.now, Register { aor: uri("sip:alice@example.org"), ..register() });
    resolve(&mut bench, &[1, 2, 3]);
    let (_, first) = sent(&mut bench).remove(0);
    bench.reply(&first, 503, "r", &[(HeaderName::RetryAfter, "600")], None);
    let (server, second) = sent(&mut bench).remove(0);
    assert_eq!(server, 2);
    bench.reply(&second, 401, "r", &[(HeaderName::WwwAuthenticate, CHALLENGE)], None);
    let (server, proven) = sent(&mut bench).remove(0);
    assert_eq!(server, 2);
    // The servers behind the one that challenged are still there.
    bench.reply(&proven, 503, "r", &[], None);
    let (server, third) = sent(&mut bench).remove(0);
    assert_eq!(server, 3);
    bench.reply(&third, 200, "r", &[(HeaderName::Expires, "600")], None);
    bench.events();
    bench.pass(Duration::from_secs(540));
    resolve(&mut bench, &[1, 2, 3]);
    let (server, renewal) = sent(&mut bench).remove(0);
    assert_eq!(server, 2, "the first one wants ten minutes");
    bench.reply(&renewal, 200, "r", &[(HeaderName::Expires, "600")], None);
}

/// The transport that the next request goes by, that request, and what names it where it cannot be sent.
fn next(bench: &mut Bench) -> (Transport, Request, SendKey) {
    loop {
        let Some(Output::Sip { destination, key, bytes, .. }) = bench.agent.poll_output() else {
            panic!("nothing is sent")
        };
        let Message::Request(request) = Message::parse(&bytes).unwrap() else { continue };
        if request.method != Method::Ack {
            return (transport_of(&destination), request, key);
        }
    }
}

#[test]
fn a_server_that_takes_no_tcp_is_not_asked_by_it_each_time() {
    let mut settings = settings("192.0.2.1:5060".parse().unwrap());
    settings.sip.push((Transport::Tcp, "192.0.2.1:5060".parse().unwrap()));
    let mut bench = Bench::with(settings);
    let call = |bench: &mut Bench| {
        let (sdp, credentials) = (Some(vec![b'x'; 1400]), Some(credentials()));
        bench.agent.invite(bench.now, Invite { sdp, credentials, ..call_to("sip:bob@192.0.2.9") });
        next(bench)
    };
    let (transport, _, key) = call(&mut bench);
    assert_eq!(transport, Transport::Tcp);
    bench.agent.send_failed(bench.now, key);
    let (transport, invite, _) = next(&mut bench);
    assert_eq!(transport, Transport::Udp);
    bench.reply(&invite, 407, "p", &[(HeaderName::ProxyAuthenticate, CHALLENGE)], None);
    let (transport, proven, _) = next(&mut bench);
    assert_eq!(transport, Transport::Udp, "what is larger by the proof too");
    bench.reply(&proven, 486, "p", &[], None);
    assert_eq!(call(&mut bench).0, Transport::Udp);
    bench.pass(Duration::from_secs(120));
    while bench.agent.poll_output().is_some() {}
    assert_eq!(call(&mut bench).0, Transport::Tcp, "it has rested");
}

/// Accounts may have ports from 30000 to 30009.
fn with_ports() -> Bench {
    let settings = settings("192.0.2.1:5060".parse().unwrap());
    Bench::with(UaSettings { user_ports: Some((30000, 30009)), ..settings })
}

fn outputs(bench: &mut Bench) -> Vec<(Destination, Message)> {
    let output = |output| match output {
        Output::Sip { destination, bytes, .. } => (destination, Message::parse(&bytes).unwrap()),
        other => panic!("{other:?}"),
    };
    std::iter::from_fn(|| bench.agent.poll_output()).map(output).collect()
}

/// A request that went from a port of an account's own, and names it.
fn from_port(destination: &Destination, message: &Message) -> Request {
    let Message::Request(request) = message else { panic!("{message:?}") };
    assert!(matches!(destination, Destination::Address { port: Some(30003), .. }), "{destination:?}");
    assert_eq!(request.headers.via().unwrap().port, Some(30003));
    if request.headers.get(HeaderName::Contact).is_some() {
        assert!(request.headers.get(HeaderName::Contact).unwrap().contains("@192.0.2.1:30003"));
    }
    request.clone()
}

#[test]
fn everything_of_an_account_with_a_port_goes_from_it_and_names_it() {
    let mut bench = with_ports();
    bench.agent.register(bench.now, Register { port: Some(30003), ..register() });
    let sent = outputs(&mut bench);
    let request = from_port(&sent[0].0, &sent[0].1);
    bench.reply(&request, 401, "r", &[(HeaderName::WwwAuthenticate, CHALLENGE)], None);
    let sent = outputs(&mut bench);
    let request = from_port(&sent[0].0, &sent[0].1);
    bench.reply(&request, 200, "r", &[(HeaderName::Expires, "600")], None);

    let invite = Invite { port: Some(30003), ..call_to("sip:bob@192.0.2.9") };
    let call = bench.agent.invite(bench.now, invite);
    let sent = outputs(&mut bench);
    let request = from_port(&sent[0].0, &sent[0].1);
    bench.reply(&request, 302, "p", &[(HeaderName::Contact, "<sip:carol@192.0.2.9>")], None);
    let sent = outputs(&mut bench);
    from_port(&sent[0].0, &sent[0].1);
    let request = from_port(&sent[1].0, &sent[1].1);
    assert_eq!(sent[0].1.headers().cseq().unwrap().1, Method::Ack);
    bench.reply(&request, 200, "t", &[CONTACT], Some("answer"));
    let sent = outputs(&mut bench);
    from_port(&sent[0].0, &sent[0].1);
    bench.agent.signal(bench.now, call, Signal::Offer { sdp: offer_sdp(), update: false }).unwrap();
    bench.agent.signal(bench.now, call, Signal::Hangup(Cause::normal())).unwrap();
    let sent = outputs(&mut bench);
    assert_eq!(sent.len(), 2);
    sent.iter().for_each(|(destination, message)| drop(from_port(destination, message)));

    let invite = Invite { port: Some(30003), ..call_to("sip:bob@192.0.2.9") };
    let call = bench.agent.invite(bench.now, invite);
    let sent = outputs(&mut bench);
    let request = from_port(&sent[0].0, &sent[0].1);
    bench.reply(&request, 180, "t", &[CONTACT], None);
    bench.agent.signal(bench.now, call, Signal::Hangup(Cause::normal())).unwrap();
    let sent = outputs(&mut bench);
    assert_eq!(from_port(&sent[0].0, &sent[0].1).method, Method::Cancel);
}

#[test]
fn a_call_to_an_accounts_port_is_answered_from_it() {
    let mut bench = with_ports();
    bench.flow.local = "192.0.2.1:30003".parse().unwrap();
    bench.receive(&request_text("INVITE", "a", "To: <sip:alice@192.0.2.1>\r\nCSeq: 1 INVITE\r\n", ""));
    let handle = match bench.events().pop() {
        Some(UaEvent::Request { handle, .. }) => handle,
        other => panic!("{other:?}"),
    };
    let call = bench.agent.accept_invite(bench.now, handle, "alice").unwrap();
    bench.agent.signal(bench.now, call, Signal::Answer { sdp: offer_sdp() }).unwrap();
    let sent = outputs(&mut bench);
    assert!(sent.iter().all(|(to, _)| *to == Destination::Flow(bench.flow)));
    let Some((_, Message::Response(ok))) = sent.last() else { panic!("{sent:?}") };
    assert!(ok.headers.get(HeaderName::Contact).unwrap().contains("@192.0.2.1:30003"));
    let to = ok.headers.get(HeaderName::To).unwrap();
    let ack = request_text("ACK", "b", &format!("To: {to}\r\nCSeq: 1 ACK\r\n"), "answer");
    bench.receive(&ack.replace("\r\n\r\n", "\r\nContent-Type: application/sdp\r\n\r\n"));
    bench.agent.signal(bench.now, call, Signal::Hangup(Cause::normal())).unwrap();
    let sent = outputs(&mut bench);
    assert_eq!(from_port(&sent[0].0, &sent[0].1).method, Method::Bye);
}
