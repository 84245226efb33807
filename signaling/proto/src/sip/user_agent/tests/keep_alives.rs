//! Registrations that last: back-off, redirections, keep-alives, connections that close.

use super::registrations::{CHALLENGE, credentials, register};
use super::*;
use crate::sip::limits;

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// A registration with keep-alives.
fn kept(method: KeepAliveMethod) -> Register {
    Register { keep_alive: KeepAlive { method, interval: None }, ..register() }
}

/// Registers, and the registrar grants ten minutes.
fn registered(bench: &mut Bench, register: Register, more: &[(HeaderName, &str)]) -> RegistrationHandle {
    let handle = bench.agent.register(bench.now, register);
    let request = bench.request();
    let granted = [&[(HeaderName::Expires, "600")], more].concat();
    bench.reply(&request, 200, "r", &granted, None);
    assert!(matches!(bench.events().as_slice(), [UaEvent::Registered { .. }]));
    handle
}

/// Lets time pass and tells when what was sent went, in seconds, and what it was.
fn timeline(bench: &mut Bench, time: Duration) -> Vec<(f64, Destination, Vec<u8>)> {
    let (begin, end) = (bench.now, bench.now + time);
    let mut line = Vec::new();
    loop {
        while let Some(output) = bench.agent.poll_output() {
            if let Output::Sip { destination, bytes, .. } = output {
                line.push((bench.now.duration_since(begin).as_secs_f64(), destination, bytes));
            }
        }
        match bench.agent.next_timeout().filter(|at| *at <= end) {
            Some(at) => {
                bench.now = at;
                bench.agent.handle_timeout(at);
            }
            None => break,
        }
    }
    bench.now = end;
    line
}

/// Lets time pass until a request goes, and tells how long it took.
fn next_request(bench: &mut Bench) -> (Duration, Request) {
    let begin = bench.now;
    loop {
        if let Some(request) = bench.requests().into_iter().next() {
            return (bench.now.duration_since(begin), request);
        }
        bench.now = bench.agent.next_timeout().expect("something is due");
        bench.agent.handle_timeout(bench.now);
    }
}

#[test]
fn empty_lines_keep_a_nat_binding_open_until_the_log_off() {
    let mut bench = Bench::new();
    let handle = registered(&mut bench, kept(KeepAliveMethod::Lines), &[]);
    let sent = timeline(&mut bench, minutes(5));
    let mut before = 0.0;
    for (at, destination, bytes) in &sent {
        assert_eq!((bytes.as_slice(), remote_of(destination)), (b"\r\n\r\n".as_slice(), bench.flow.remote));
        assert!((23.0..=29.0).contains(&(at - before)), "{at} after {before}");
        before = *at;
    }
    assert!((10..=13).contains(&sent.len()), "{}", sent.len());
    bench.agent.unregister(bench.now, handle);
    let last = bench.request();
    bench.reply(&last, 200, "r", &[], None);
    assert!(timeline(&mut bench, minutes(5)).is_empty());
    assert_empty(&bench.agent);
}

#[test]
fn the_interval_is_the_settings_or_the_registrars_where_that_is_shorter() {
    let mut bench = Bench::new();
    let interval = Some(Duration::from_secs(10));
    let register = Register { keep_alive: KeepAlive { interval, ..Default::default() }, ..register() };
    registered(&mut bench, register, &[]);
    assert!((10..=13).contains(&timeline(&mut bench, Duration::from_secs(102)).len()));
    let mut bench = Bench::new();
    registered(&mut bench, kept(KeepAliveMethod::Lines), &[(HeaderName::FlowTimer, "20")]);
    assert!((5..=6).contains(&timeline(&mut bench, Duration::from_secs(101)).len()));
}

#[test]
fn a_connection_is_pinged_itself_and_made_anew_when_it_closes() {
    let mut bench = Bench::with(UaSettings {
        sip: [Transport::Udp, Transport::Tcp].map(|each| (each, "192.0.2.1:5060".parse().unwrap())).to_vec(),
        ..settings("192.0.2.1:5060".parse().unwrap())
    });
    bench.flow.transport = Transport::Tcp;
    bench.flow.connection = Some(ConnectionId(7));
    let aor = uri("sip:alice@192.0.2.9;transport=tcp");
    registered(&mut bench, Register { aor, ..kept(KeepAliveMethod::Lines) }, &[]);
    let sent = timeline(&mut bench, minutes(4));
    assert_eq!(sent.len(), 2, "each 96 to 120 seconds");
    assert!(sent.iter().all(|(_, to, bytes)| *to == Destination::Flow(bench.flow) && bytes == b"\r\n\r\n"));

    bench.agent.closed(bench.now, ConnectionId(8));
    assert!(bench.requests().is_empty());
    bench.agent.closed(bench.now, ConnectionId(7));
    let again = bench.request();
    assert_eq!(again.method, Method::Register, "RFC 5626 section 4.5: the first attempt goes at once");
    bench.flow.connection = Some(ConnectionId(9));
    bench.reply(&again, 200, "r", &[(HeaderName::Expires, "600")], None);
    // A server that closes each connection at once is not asked again and again.
    bench.agent.closed(bench.now, ConnectionId(9));
    assert!(timeline(&mut bench, Duration::from_secs(29)).is_empty());
    assert_eq!(timeline(&mut bench, Duration::from_secs(31)).len(), 1);
}

#[test]
fn options_show_that_the_way_is_open_and_from_where_we_are_seen() {
    let mut bench = Bench::new();
    registered(&mut bench, kept(KeepAliveMethod::Options), &[]);
    for _ in 0..4 {
        let options = next_request(&mut bench).1;
        assert_eq!((&options.method, options.uri.to_string().as_str()), (&Method::Options, "sip:192.0.2.9"));
        // The challenge of a keep-alive is an answer like any other.
        bench.reply(&options, 401, "r", &[(HeaderName::WwwAuthenticate, CHALLENGE)], None);
    }
    let mut options = next_request(&mut bench).1;
    let mut via = options.headers.via().unwrap();
    via.params.set("rport", Some("1024"));
    options.headers.set_first(HeaderName::Via, via);
    bench.reply(&options, 200, "r", &[], None);
    assert_eq!(bench.request().method, Method::Register, "the NAT has another port for us");
}

#[test]
fn a_registrar_that_is_silent_is_found_out_by_options() {
    let mut bench = Bench::new();
    registered(&mut bench, kept(KeepAliveMethod::Options), &[]);
    for _ in 0..6 {
        let options = next_request(&mut bench).1;
        bench.reply(&options, 200, "r", &[], None);
    }
    let sent = timeline(&mut bench, Duration::from_secs(63));
    let registers: Vec<_> = sent.iter().filter(|(_, _, bytes)| bytes.starts_with(b"REGISTER")).collect();
    // 23 to 29 s, and 64*T1 of the OPTIONS.
    assert!((55.0..61.5).contains(&registers[0].0), "{}", registers[0].0);
}

#[test]
fn retries_back_off_as_rfc_5626_section_4_5_has_it() {
    let mut bench = Bench::new();
    bench.agent.register(bench.now, register());
    let mut request = bench.request();
    for (low, high) in [(30, 60), (60, 120), (120, 240), (240, 480), (480, 960), (900, 1800), (900, 1800)] {
        bench.reply(&request, 500, "r", &[], None);
        assert!(matches!(bench.events().as_slice(), [UaEvent::RegistrationFailed { will_retry: true, .. }]));
        let (delay, next) = next_request(&mut bench);
        assert!((low..=high).contains(&delay.as_secs()), "{delay:?} is not from {low} to {high} s");
        request = next;
    }
    bench.reply(&request, 200, "r", &[(HeaderName::Expires, "600")], None);
    let (_, request) = next_request(&mut bench);
    bench.reply(&request, 500, "r", &[], None);
    let (delay, _) = next_request(&mut bench);
    assert!(delay <= minutes(1), "a success forgives");
}

#[test]
fn a_registrar_elsewhere_gets_no_credentials() {
    for (named, is_trusted) in
        [("<sip:203.0.113.5>", false), ("<sip:registrar@192.0.2.9:5080>", true), ("<sip:1192.0.2.9>", false)]
    {
        let mut bench = Bench::new();
        bench.agent.register(bench.now, register());
        let first = bench.request();
        bench.reply(&first, 401, "r", &[(HeaderName::WwwAuthenticate, CHALLENGE)], None);
        let second = bench.request();
        bench.reply(&second, 302, "r", &[(HeaderName::Contact, named)], None);
        while let Some(output) = bench.agent.poll_output() {
            match output {
                Output::Resolve { query, .. } => {
                    let address = "203.0.113.5:5060".parse().unwrap();
                    let target = Target { transport: Transport::Udp, address, name: String::new() };
                    bench.agent.resolved(bench.now, query, vec![target]);
                }
                Output::Sip { bytes, .. } => {
                    let Message::Request(third) = Message::parse(&bytes).unwrap() else {
                        panic!("a request")
                    };
                    assert_eq!(third.method, Method::Register);
                    assert!(third.headers.cseq().unwrap().0 > second.headers.cseq().unwrap().0);
                    assert_eq!(third.headers.get(HeaderName::Authorization).is_some(), is_trusted, "{named}");
                    let again = CHALLENGE.replace("n1", "n2");
                    bench.reply(&third, 401, "r", &[(HeaderName::WwwAuthenticate, &again)], None);
                    break;
                }
                _ => {}
            }
        }
        assert!(bench.requests().iter().all(|request| is_trusted || request.method != Method::Register));
    }
}

#[test]
fn a_registrar_of_the_same_domain_is_trusted_and_loops_end() {
    let mut bench = Bench::new();
    let aor = uri("sip:alice@example.org");
    let handle = bench.agent.register(bench.now, Register { aor, ..register() });
    let mut asked = Vec::new();
    for hop in 0..20 {
        let Some(Output::Resolve { query, host, .. }) = bench.agent.poll_output() else { break };
        asked.push(host.clone());
        let target = Target { transport: Transport::Udp, address: bench.flow.remote, name: host };
        bench.agent.resolved(bench.now, query, vec![target]);
        let request = bench.request();
        if hop == 1 {
            bench.reply(&request, 401, "r", &[(HeaderName::WwwAuthenticate, CHALLENGE)], None);
            let proven = bench.request();
            assert!(proven.headers.get(HeaderName::Authorization).is_some(), "{}", proven.uri);
            let back = ["<sip:example.org>;q=0.2", "<sip:two.example.org>;q=0.1"];
            bench.reply(&proven, 302, "r", &back.map(|contact| (HeaderName::Contact, contact)), None);
        } else {
            let next =
                format!("<sip:{}.example.org>", ["one", "two", "three", "four", "five", "six"][hop.min(5)]);
            bench.reply(&request, 301, "r", &[(HeaderName::Contact, &next)], None);
        }
    }
    assert_eq!(asked[..3], ["example.org", "one.example.org", "two.example.org"]);
    assert_eq!(asked.len(), 1 + limits::REDIRECTS);
    assert!(matches!(bench.events().as_slice(), [UaEvent::RegistrationFailed { will_retry: false, .. }]));
    bench.agent.unregister(bench.now, handle);
    bench.pass(minutes(2));
    assert_empty(&bench.agent);
}

#[test]
fn the_registrar_that_accepted_is_asked_again_and_the_first_one_when_it_fails() {
    let mut bench = Bench::new();
    bench.agent.register(bench.now, register());
    for _ in 0..3 {
        let first = next_request(&mut bench).1;
        assert_eq!(first.uri, uri("sip:192.0.2.9"));
        bench.reply(&first, 302, "r", &[(HeaderName::Contact, "<sip:192.0.2.9:5080>")], None);
        for _ in 0..limits::REDIRECTS {
            let second = next_request(&mut bench).1;
            assert_eq!(second.uri, uri("sip:192.0.2.9:5080"));
            bench.reply(&second, 200, "r", &[(HeaderName::Expires, "600")], None);
        }
        let renewal = next_request(&mut bench).1;
        bench.reply(&renewal, 500, "r", &[], None);
    }
}

#[test]
fn a_server_that_calls_each_answer_stale_is_not_answered_for_ever() {
    let mut bench = Bench::new();
    bench.agent.register(bench.now, register());
    let mut count = 0;
    while let Some(request) = bench.requests().pop() {
        count += 1;
        let challenge = format!("{}, stale=true", CHALLENGE.replace("n1", &format!("n{count}")));
        bench.reply(&request, 401, "r", &[(HeaderName::WwwAuthenticate, &challenge)], None);
    }
    assert_eq!(count, 1 + usize::from(limits::CHALLENGES));
}

#[test]
fn an_account_of_a_configured_realm_answers_no_other() {
    let mut bench = Bench::new();
    let credentials = Credentials { realm: Some("example.net".to_owned()), ..credentials() };
    bench.agent.register(bench.now, Register { credentials, ..register() });
    let request = bench.request();
    bench.reply(&request, 401, "r", &[(HeaderName::WwwAuthenticate, CHALLENGE)], None);
    assert!(bench.requests().is_empty());
}
