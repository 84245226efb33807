use super::*;
use crate::party::DigitFormat;

const INVITE: &str = "To: <sip:alice@example.org>\r\nCSeq: 1 INVITE\r\n";

#[test]
fn the_first_fork_wins_and_the_second_is_ended() {
    let mut bench = Bench::new();
    bench.agent.invite(bench.now, call_to("sip:bob@192.0.2.9"));
    let invite = bench.request();
    bench.reply(&invite, 183, "one", &[CONTACT], Some("early one"));
    bench.reply(&invite, 183, "two", &[CONTACT], Some("early two"));
    bench.reply(&invite, 200, "one", &[CONTACT], Some("answer one"));
    assert_eq!(bench.request().method, Method::Ack);
    bench.reply(&invite, 200, "two", &[CONTACT], Some("answer two"));
    let farewell: Vec<Method> = bench.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(farewell, [Method::Ack, Method::Bye]);
    // Every retransmission of a 2xx is acknowledged again, and only that.
    bench.reply(&invite, 200, "two", &[CONTACT], Some("answer two"));
    bench.reply(&invite, 200, "one", &[CONTACT], Some("answer one"));
    let again = bench.requests();
    assert!(again.len() == 2 && again.iter().all(|request| request.method == Method::Ack));
    let answers = bench.signals().into_iter().filter(|signal| matches!(signal, Signal::Answer { .. }));
    assert_eq!(answers.collect::<Vec<_>>(), [Signal::Answer { sdp: Some(b"answer one".to_vec()) }]);
}

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let mut bench = Bench::new();
    let call = bench.agent.invite(bench.now, call_to("sip:bob@192.0.2.9"));
    let invite = bench.request();
    bench.agent.signal(bench.now, call, Signal::Hangup(Cause::normal())).unwrap();
    assert!(bench.requests().is_empty());
    bench.reply(&invite, 100, "", &[], None);
    let cancel = bench.request();
    assert_eq!(cancel.method, Method::Cancel);
    assert_eq!(cancel.headers.via().unwrap().branch(), invite.headers.via().unwrap().branch());
    bench.reply(&cancel, 200, "x", &[], None);
    bench.reply(&invite, 487, "x", &[], None);
    assert_eq!(bench.request().method, Method::Ack);
    bench.pass(Duration::from_secs(100));
    assert_empty(&bench.agent);
}

#[test]
fn redirections_are_followed_and_loops_are_not() {
    let mut bench = Bench::new();
    bench.agent.invite(bench.now, call_to("sip:bob@192.0.2.9"));
    let invite = bench.request();
    let contact = (HeaderName::Contact, "<sip:carol@192.0.2.9>");
    bench.reply(&invite, 302, "x", &[contact], None);
    let second = bench.requests().into_iter().find(|request| request.method == Method::Invite).unwrap();
    assert_eq!(second.uri, uri("sip:carol@192.0.2.9"));
    let contact = (HeaderName::Contact, "<sip:bob@192.0.2.9>");
    bench.reply(&second, 302, "y", &[contact], None);
    assert!(bench.requests().iter().all(|request| request.method == Method::Ack));
    assert!(matches!(bench.signals().as_slice(), [Signal::Reject(Cause { status: 302, .. })]));
}

#[test]
fn servers_are_tried_in_order() {
    let mut bench = Bench::new();
    bench.agent.invite(bench.now, call_to("sip:bob@example.net"));
    let Some(Output::Resolve { query, host, .. }) = bench.agent.poll_output() else { panic!("no look-up") };
    assert_eq!(host, "example.net");
    let target = |address: &str| Target {
        transport: Transport::Udp,
        address: address.parse().unwrap(),
        name: "example.net".to_owned(),
    };
    bench.agent.resolved(bench.now, query, vec![target("192.0.2.7:5060"), target("192.0.2.8:5060")]);
    let first = bench.request();
    bench.reply(&first, 503, "x", &[], None);
    let requests = bench.requests();
    let second = requests.iter().find(|request| request.method == Method::Invite).unwrap();
    assert_ne!(first.headers.via().unwrap().branch(), second.headers.via().unwrap().branch());
    bench.reply(&second.clone(), 486, "y", &[], None);
    assert!(matches!(bench.signals().as_slice(), [Signal::Reject(Cause { status: 486, .. })]));
}

#[test]
fn a_large_request_goes_by_tcp_and_by_udp_where_tcp_fails() {
    let address = "192.0.2.1:5060".parse().unwrap();
    let mut settings = settings(address);
    settings.sip.push((Transport::Tcp, address));
    let mut bench = Bench::with(settings);
    let invite = Invite { sdp: Some(vec![b'x'; 1400]), ..call_to("sip:bob@192.0.2.9") };
    bench.agent.invite(bench.now, invite);
    let Some(Output::Sip { destination, key, .. }) = bench.agent.poll_output() else {
        panic!("nothing sent")
    };
    assert!(matches!(destination, Destination::Address { transport: Transport::Tcp, .. }));
    bench.agent.send_failed(bench.now, key);
    let Some(Output::Sip { destination, .. }) = bench.agent.poll_output() else { panic!("nothing sent") };
    assert!(matches!(destination, Destination::Address { transport: Transport::Udp, .. }));
}

#[test]
fn what_cannot_be_served_is_refused_as_section_8_2_says() {
    let cases = [
        ("PUBLISH", "CSeq: 1 PUBLISH\r\nTo: <sip:a@b>\r\n", 405),
        ("INVITE", "CSeq: 1 INVITE\r\nTo: <sip:a@b>\r\nRequire: foo\r\n", 420),
        ("BYE", "CSeq: 1 BYE\r\nTo: <sip:a@b>;tag=none\r\n", 481),
        ("UPDATE", "CSeq: 1 UPDATE\r\nTo: <sip:a@b>\r\n", 481),
        ("CANCEL", "CSeq: 1 CANCEL\r\nTo: <sip:a@b>\r\n", 481),
        ("INVITE", "CSeq: 1 INVITE\r\nTo: <sip:a@b>\r\nSupported: timer\r\nSession-Expires: 60\r\n", 422),
    ];
    for (method, fields, status) in cases {
        let mut bench = Bench::new();
        bench.receive(&request_text(method, "1", fields, ""));
        assert_eq!(bench.statuses(), [status], "{method}");
        assert!(bench.events().is_empty());
    }
    let mut bench = Bench::new();
    let text = request_text("INVITE", "1", INVITE, "");
    bench.receive(&text.replace("Max-Forwards: 70", "Max-Forwards: 0"));
    bench.receive(&text.replace("sip:alice@192.0.2.1 ", "http://x ").replace("bK1", "bK2"));
    assert_eq!(bench.statuses(), [483, 416]);
}

#[test]
fn the_same_request_by_another_path_is_merged() {
    let mut bench = Bench::new();
    bench.receive(&request_text("INVITE", "1", INVITE, ""));
    bench.receive(&request_text("INVITE", "1", INVITE, ""));
    bench.receive(&request_text("INVITE", "2", INVITE, ""));
    assert_eq!(bench.events().len(), 1);
    assert_eq!(bench.statuses(), [482]);
}

#[test]
fn a_cancelled_request_that_nobody_took_is_gone() {
    let mut bench = Bench::new();
    bench.receive(&request_text("INVITE", "1", INVITE, ""));
    bench.receive(&request_text("CANCEL", "1", &INVITE.replace("INVITE", "CANCEL"), ""));
    assert_eq!(bench.statuses(), [200, 487]);
    assert!(matches!(bench.events().as_slice(), [UaEvent::Request { .. }, UaEvent::RequestGone { .. }]));
}

#[test]
fn responses_go_where_rport_says() {
    let mut bench = Bench::new();
    bench.flow.remote = "198.51.100.4:40000".parse().unwrap();
    bench.receive(&request_text("CANCEL", "1", "CSeq: 1 CANCEL\r\nTo: <sip:a@b>\r\n", ""));
    let Some(Output::Sip { destination: Destination::Flow(flow), bytes, .. }) = bench.agent.poll_output()
    else {
        panic!("no response")
    };
    assert_eq!(flow.remote, bench.flow.remote);
    let via = Message::parse(&bytes).unwrap().headers().via().unwrap();
    assert_eq!((via.received(), via.rport()), (Some(flow.remote.ip()), Some(40000)));
}

#[test]
fn above_the_limit_the_answer_is_503_and_nothing_is_kept() {
    let mut settings = settings("192.0.2.1:5060".parse().unwrap());
    settings.transactions = 1;
    let mut bench = Bench::with(settings);
    bench.receive(&request_text("INVITE", "1", INVITE, ""));
    bench.receive(&request_text("INVITE", "2", &INVITE.replace("1 I", "2 I"), ""));
    let responses = bench.responses();
    assert_eq!(responses.len(), 1);
    assert_eq!(responses[0].status, 503);
    assert!(responses[0].headers.retry_after().unwrap().is_some());
    assert_eq!(bench.agent.transactions(), 1);
}

#[test]
fn a_source_that_floods_is_dropped() {
    let mut settings = settings("192.0.2.1:5060".parse().unwrap());
    settings.requests_per_source = 5;
    let mut bench = Bench::with(settings);
    for branch in 0..50 {
        bench.receive(&request_text(
            "CANCEL",
            &branch.to_string(),
            "CSeq: 1 CANCEL\r\nTo: <sip:a@b>\r\n",
            "",
        ));
    }
    assert_eq!(bench.responses().len(), 10);
    assert_eq!(bench.agent.drops().get(Drop::RateLimited), 40);
}

#[test]
fn an_answer_without_an_ack_ends_in_a_bye() {
    let mut bench = Bench::new();
    bench.receive(&request_text("INVITE", "1", INVITE, ""));
    let Some(UaEvent::Request { handle, .. }) = bench.agent.poll_event() else { panic!("no request") };
    let call = bench.agent.accept_invite(bench.now, handle, "alice").unwrap();
    bench.agent.signal(bench.now, call, Signal::Answer { sdp: offer_sdp() }).unwrap();
    assert_eq!(bench.statuses(), [100, 200]);
    bench.pass(Duration::from_secs(33));
    let sent = bench.sent();
    let repeats =
        sent.iter().filter(|each| matches!(each, Message::Response(response) if response.status == 200));
    assert_eq!(repeats.count(), 10);
    assert!(
        sent.iter().any(|each| matches!(each, Message::Request(request) if request.method == Method::Bye))
    );
    assert!(matches!(bench.signals().as_slice(), [Signal::Hangup(Cause { status: 408, .. })]));
    bench.pass(Duration::from_secs(100));
    assert_empty(&bench.agent);
}

#[test]
fn a_browser_is_reached_along_its_websocket_and_lost_with_it() {
    let mut bench = Bench::new();
    let flow = Flow { transport: Transport::Ws, connection: Some(ConnectionId(5)), ..bench.flow };
    let invite = Invite { via: Some(flow), ..call_to("sip:x@df7jal23ls0d.invalid;transport=ws") };
    bench.agent.invite(bench.now, invite);
    let Some(Output::Sip { destination, bytes, .. }) = bench.agent.poll_output() else {
        panic!("nothing sent")
    };
    assert_eq!(destination, Destination::Flow(flow));
    let Ok(Message::Request(request)) = Message::parse(&bytes) else { panic!("no request") };
    assert_eq!(request.headers.via().unwrap().transport, "WS");
    bench.reply(
        &request,
        200,
        "b",
        &[(HeaderName::Contact, "<sip:x@df7jal23ls0d.invalid;transport=ws>")],
        Some("a"),
    );
    let Some(Output::Sip { destination, .. }) = bench.agent.poll_output() else { panic!("no ACK") };
    assert_eq!(destination, Destination::Flow(flow));
    bench.signals();
    bench.agent.closed(bench.now, ConnectionId(5));
    assert!(matches!(bench.signals().as_slice(), [Signal::Hangup(Cause { status: 480, .. })]));
    bench.pass(Duration::from_secs(100));
    assert_empty(&bench.agent);
}

#[test]
fn strict_and_loose_routes_are_followed() {
    for (route, request_uri, routes) in [
        ("<sip:192.0.2.9;lr>", "sip:bob@192.0.2.44", vec!["<sip:192.0.2.9;lr>"]),
        ("<sip:192.0.2.9>", "sip:192.0.2.9", vec!["<sip:bob@192.0.2.44>"]),
    ] {
        let mut bench = Bench::new();
        bench.agent.invite(bench.now, call_to("sip:bob@192.0.2.9"));
        let invite = bench.request();
        let fields = [(HeaderName::Contact, "<sip:bob@192.0.2.44>"), (HeaderName::RecordRoute, route)];
        bench.reply(&invite, 200, "x", &fields, Some("answer"));
        let Some(Output::Sip { destination, bytes, .. }) = bench.agent.poll_output() else {
            panic!("no ACK")
        };
        assert_eq!(remote_of(&destination), "192.0.2.9:5060".parse().unwrap());
        let Ok(Message::Request(ack)) = Message::parse(&bytes) else { panic!("no ACK") };
        assert_eq!(ack.uri, uri(request_uri));
        assert_eq!(ack.headers.all(HeaderName::Route).collect::<Vec<_>>(), routes);
    }
}

#[test]
fn without_update_the_session_is_refreshed_by_the_same_description() {
    let mut bench = Bench::new();
    bench.agent.invite(bench.now, call_to("sip:bob@192.0.2.9"));
    let invite = bench.request();
    let fields = [
        CONTACT,
        (HeaderName::Allow, "INVITE, ACK, BYE, CANCEL"),
        (HeaderName::SessionExpires, "600;refresher=uac"),
    ];
    bench.reply(&invite, 200, "x", &fields, Some("answer"));
    bench.sent();
    bench.signals();
    bench.pass(Duration::from_secs(300));
    let refresh = bench.requests().pop().unwrap();
    assert_eq!((refresh.method.clone(), refresh.body.as_slice()), (Method::Invite, b"offer".as_slice()));
    bench.reply(&refresh, 200, "x", &fields, Some("answer"));
    assert_eq!(bench.request().method, Method::Ack);
    // The next one is not answered: the call is over before the session expires.
    bench.pass(Duration::from_secs(595));
    assert!(matches!(bench.signals().as_slice(), [Signal::Hangup(Cause { status: 408, .. })]));
    assert_eq!(bench.requests().pop().unwrap().method, Method::Bye);
}

#[test]
fn a_ping_gets_its_pong_on_connections_only() {
    let mut bench = Bench::new();
    bench.receive("\r\n\r\n");
    assert!(bench.agent.poll_output().is_none());
    bench.flow = Flow { transport: Transport::Tcp, connection: Some(ConnectionId(1)), ..bench.flow };
    bench.receive("\r\n\r\n");
    let Some(Output::Sip { bytes, .. }) = bench.agent.poll_output() else { panic!("no pong") };
    assert_eq!(bytes, b"\r\n");
}

#[test]
fn a_request_out_of_order_and_one_of_another_dialog_are_refused() {
    let mut bench = Bench::new();
    bench.receive(&request_text("INVITE", "1", INVITE, ""));
    let Some(UaEvent::Request { handle, .. }) = bench.agent.poll_event() else { panic!("no request") };
    let call = bench.agent.accept_invite(bench.now, handle, "alice").unwrap();
    bench.agent.signal(bench.now, call, Signal::Progress { status: 180, sdp: None }).unwrap();
    let to = bench.responses().pop().unwrap().headers.to().unwrap();
    let bye = |branch: &str, number: u32, from: &str| {
        request_text("BYE", branch, &format!("To: {to}\r\nCSeq: {number} BYE\r\n"), "")
            .replace("tag=bob", from)
    };
    bench.receive(&bye("2", 1, "tag=bob"));
    bench.receive(&bye("3", 2, "tag=eve"));
    assert_eq!(bench.statuses(), [500, 481]);
    bench.receive(&bye("4", 2, "tag=bob"));
    assert_eq!(bench.statuses(), [200, 487]);
    assert!(matches!(bench.signals().as_slice(), [Signal::Hangup(_)]));
}

#[test]
fn an_invite_that_the_switch_never_answers_ends() {
    for accepted in [false, true] {
        let mut bench = Bench::new();
        bench.receive(&request_text("INVITE", "1", INVITE, ""));
        if accepted {
            let Some(UaEvent::Request { handle, .. }) = bench.events().pop() else { panic!("no request") };
            bench.agent.accept_invite(bench.now, handle, "alice").unwrap();
        }
        bench.pass(Duration::from_secs(230));
        assert!(bench.statuses().iter().all(|status| *status == 100), "the switch had its time");
        bench.pass(Duration::from_secs(100));
        assert!(bench.statuses().contains(&408));
        let gone = bench.events().into_iter().any(|event| match event {
            UaEvent::RequestGone { .. } => !accepted,
            UaEvent::Signal { signal: Signal::Hangup(cause), .. } => accepted && cause.status == 408,
            _ => false,
        });
        assert!(gone);
        assert_empty(&bench.agent);
    }
}

#[test]
fn an_offer_that_the_switch_never_answers_is_refused_and_the_next_one_is_taken() {
    let mut bench = Bench::new();
    bench.receive(&request_text("INVITE", "1", INVITE, ""));
    let Some(UaEvent::Request { handle, .. }) = bench.events().pop() else { panic!("no request") };
    let call = bench.agent.accept_invite(bench.now, handle, "alice").unwrap();
    let answer = Signal::Answer { sdp: Some(b"offer".to_vec()) };
    bench.agent.signal(bench.now, call, answer).unwrap();
    let answered = bench.responses().into_iter().find(Response::is_success).unwrap();
    let to = format!("To: {}\r\n", answered.headers.get(HeaderName::To).unwrap());
    let sdp = "Content-Type: application/sdp\r\n";
    bench.receive(&request_text("ACK", "2", &format!("{to}CSeq: 1 ACK\r\n{sdp}"), "answer"));
    bench.signals();
    for (method, number, expected) in
        [("UPDATE", 2, None), ("INVITE", 3, Some(408)), ("INVITE", 4, Some(408))]
    {
        let more = format!("{to}CSeq: {number} {method}\r\n{sdp}");
        bench.receive(&request_text(method, &format!("offer{number}"), &more, "offer"));
        assert!(matches!(bench.signals().as_slice(), [Signal::Offer { .. }]), "{method} {number}");
        bench.pass(Duration::from_secs(235));
        assert_eq!(bench.statuses().into_iter().find(|status| *status >= 200), expected);
    }
}

#[test]
fn a_peer_that_asks_for_no_rport_is_answered_and_called_back_where_it_listens() {
    let mut bench = Bench::new();
    bench.flow.remote = "192.0.2.9:51234".parse().unwrap();
    bench.receive(&request_text("INVITE", "1", INVITE, "").replace(";rport", ""));
    let Some(UaEvent::Request { handle, flow, .. }) = bench.events().pop() else { panic!("no request") };
    assert_eq!(flow.remote, "192.0.2.9:5060".parse().unwrap());
    let call = bench.agent.accept_invite(bench.now, handle, "alice").unwrap();
    assert_eq!(bench.agent.calls[&call].flow, None, "its Contact is where it can be reached");
    while let Some(output) = bench.agent.poll_output() {
        let Output::Sip { destination, .. } = output else { continue };
        assert_eq!(remote_of(&destination), flow.remote);
    }
}

#[test]
fn behind_a_nat_the_source_is_the_way_back_though_no_rport_was_asked_for() {
    let mut bench = Bench::new();
    bench.flow.remote = "198.51.100.7:51234".parse().unwrap();
    bench.receive(&request_text("INVITE", "1", INVITE, "").replace(";rport", ""));
    let Some(UaEvent::Request { handle, flow, .. }) = bench.events().pop() else { panic!("no request") };
    assert_eq!(flow, bench.flow);
    let call = bench.agent.accept_invite(bench.now, handle, "alice").unwrap();
    assert_eq!(bench.agent.calls[&call].flow, Some(bench.flow));
}

#[test]
fn a_digit_that_is_refused_for_its_format_is_sent_in_the_other() {
    let mut bench = Bench::new();
    let call = bench.agent.invite(bench.now, call_to("sip:bob@192.0.2.9"));
    let invite = bench.request();
    bench.reply(&invite, 200, "one", &[CONTACT], Some("answer"));
    bench.requests();
    let press = |bench: &mut Bench, digit| {
        let signal = Signal::Digit { digit, duration_ms: 100, format: DigitFormat::Relay };
        bench.agent.signal(bench.now, call, signal).unwrap();
        bench.request()
    };
    let kind = |request: &Request| request.headers.get(HeaderName::ContentType).unwrap().to_owned();
    let (first, second) = (press(&mut bench, '1'), press(&mut bench, '2'));
    assert_eq!(kind(&first), "application/dtmf-relay");
    for (refused, body) in [(first, "1\r\n"), (second, "2\r\n")] {
        bench.reply(&refused, 415, "one", &[], None);
        let again = bench.request();
        assert_eq!((kind(&again).as_str(), again.body.as_slice()), ("application/dtmf", body.as_bytes()));
        bench.reply(&again, 415, "one", &[], None);
        assert!(bench.requests().is_empty(), "there is no third format");
    }
    assert_eq!(kind(&press(&mut bench, '3')), "application/dtmf");
}
