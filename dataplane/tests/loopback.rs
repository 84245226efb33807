//! The whole dataplane on the loopback interface: the real driver, the real control socket.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Client, create, plain_leg, rtp, settings, start};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use tandem_control::*;
use tandem_dataplane::settings::Settings;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn peer() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn wait_for(client: &mut Client, counter: &str, value: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while client.counter(counter) != value {
        assert!(Instant::now() < deadline, "{counter} never became {value}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The kernel lets go of a ring's sockets in the background.
fn wait_until_free(address: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while UdpSocket::bind(address).is_err() {
        assert!(Instant::now() < deadline, "{address} is never free again");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends `count` packets one way and checks that they come out in order with their payload.
fn exchange(from: &UdpSocket, into: SocketAddr, to: &UdpSocket, out_of: SocketAddr, ssrc: u32, count: u16) {
    let mut first = None;
    for sequence in 0..count {
        let sent = rtp(sequence, ssrc);
        from.send_to(&sent, into).unwrap();
        let mut received = [0; 1500];
        let (length, source) = to.recv_from(&mut received).unwrap();
        assert_eq!((length, source), (sent.len(), out_of));
        assert_eq!(received[12..length], sent[12..]);
        let number = u16::from_be_bytes([received[2], received[3]]);
        assert_eq!(number.wrapping_sub(*first.get_or_insert(number)), sequence);
    }
}

#[test]
fn calls_are_carried_and_leave_nothing_behind() {
    let settings = settings("calls", 2, 8);
    let dataplane = start(&settings);
    let (mut client, hello) = Client::connect(&settings.control);
    assert_eq!((hello.workers, hello.sessions), (2, 0));
    let idle_sockets = client.counter("sockets");
    let idle_pairs = client.counter("port_pairs_free");

    let mut calls = Vec::new();
    for number in 0..4u8 {
        let (session, local) = client.create(&[number]);
        let peers = [peer(), peer()];
        for (side, (_, address)) in [Side::A, Side::B].into_iter().zip(&peers) {
            let configure = Request::configure(session, side, plain_leg(*address));
            assert_eq!(client.ask(configure), Ok(Reply::Done));
        }
        calls.push((session, local, peers));
    }
    let workers: Vec<usize> = calls.iter().map(|(session, ..)| session.worker()).collect();
    assert_eq!(workers.iter().filter(|&&worker| worker == 0).count(), 2, "both workers take their share");

    for (_, local, peers) in &calls {
        let [(a, _), (b, _)] = peers;
        exchange(a, local[0].rtp, b, local[1].rtp, 1, 50);
        exchange(b, local[1].rtp, a, local[0].rtp, 2, 50);
    }
    let (session, ..) = calls[0];
    let Ok(Reply::Stats(stats)) = client.ask(Request::Query { session }) else { panic!("no stats") };
    assert_eq!((stats.legs[0].received.packets, stats.legs[1].sent.packets), (50, 50));

    for (session, ..) in &calls {
        assert!(matches!(client.ask(Request::Delete { session: *session }), Ok(Reply::Stats(_))));
        assert_eq!(client.ask(Request::Delete { session: *session }), Err(Refusal::UnknownSession));
    }
    wait_for(&mut client, "sockets", idle_sockets);
    assert_eq!(client.counter("sessions"), 0);
    assert_eq!(client.counter("port_pairs_free") + client.counter("port_pairs_resting"), idle_pairs);
    for (_, local, _) in &calls {
        local.iter().for_each(|ports| wait_until_free(ports.rtp));
    }
    dataplane.stop();
    assert!(!settings.control.exists());
    wait_until_free(SocketAddr::new(LOCALHOST, settings.media_ports.first()));
}

#[test]
fn legs_stand_on_the_addresses_that_were_asked_for() {
    let [inside, outside] = [Ipv4Addr::new(127, 0, 78, 1), Ipv4Addr::new(127, 0, 78, 2)].map(IpAddr::V4);
    let settings = Settings { addresses: vec![inside, outside], ..settings("interfaces", 2, 8) };
    let dataplane = start(&settings);
    let (mut client, hello) = Client::connect(&settings.control);
    assert_eq!(hello.addresses, [inside, outside]);
    let [(a, at_a), (b, at_b)] = [peer(), peer()];
    let ports = [outside, inside].map(|address| PortRequest { address, kind: PortKind::Own, video: false });
    let legs = Box::new([plain_leg(at_a), plain_leg(at_b)]);
    let both = Request::Create { ports, legs, note: Vec::new(), media_timeout_seconds: 0, near: None };
    let Ok(Reply::Created { session, local }) = client.ask(both) else { panic!("not created") };
    assert_eq!(local.map(|ports| (ports.rtp.ip(), ports.rtcp.ip())), [(outside, outside), (inside, inside)]);
    exchange(&a, local[0].rtp, &b, local[1].rtp, 1, 10);
    exchange(&b, local[1].rtp, &a, local[0].rtp, 2, 10);
    let shared = PortRequest { address: outside, kind: PortKind::Shared, video: false };
    let Ok(Reply::Created { local, .. }) = client.ask(create([shared, shared], b"")) else { panic!() };
    assert_eq!(local[0].rtp.ip(), outside);
    let bad = Box::new([plain_leg(at_a), plain_leg("[::1]:9".parse().unwrap())]);
    let refused =
        Request::Create { ports, legs: bad, note: Vec::new(), media_timeout_seconds: 0, near: None };
    assert!(matches!(client.ask(refused), Err(Refusal::Invalid(_))));
    assert_eq!(client.counter("sessions"), 2, "what is refused leaves no session");
    assert!(matches!(client.ask(Request::Delete { session }), Ok(Reply::Stats(_))));
    dataplane.stop();
}

#[test]
fn legs_change_places_with_their_ports_and_only_on_one_worker() {
    let settings = settings("swap", 2, 8);
    let dataplane = start(&settings);
    let (mut client, _) = Client::connect(&settings.control);
    let peers = [peer(), peer(), peer(), peer()];
    let port = PortRequest { address: LOCALHOST, kind: PortKind::Own, video: false };
    let mut create = |a: usize, b: usize, near| {
        let legs = Box::new([plain_leg(peers[a].1), plain_leg(peers[b].1)]);
        let ports = [port; 2];
        match client.ask(Request::Create { ports, legs, note: Vec::new(), media_timeout_seconds: 0, near }) {
            Ok(Reply::Created { session, local }) => (session, local),
            other => panic!("not created: {other:?}"),
        }
    };
    let (one, at_one) = create(0, 1, None);
    let (other, at_other) = create(2, 3, Some(Near::Session(one)));
    let (elsewhere, _) = create(2, 3, None);
    let port_of = [at_one[0].rtp, at_one[1].rtp, at_other[0].rtp, at_other[1].rtp];
    let talk = |from: usize, to: usize, ssrc| {
        exchange(&peers[from].0, port_of[from], &peers[to].0, port_of[to], ssrc, 10);
    };
    talk(0, 1, 1);
    talk(2, 3, 2);
    let swap = |first, second| Request::Swap { first: (first, Side::B), second: (second, Side::A) };
    assert!(matches!(client.ask(swap(one, elsewhere)), Err(Refusal::Invalid(_))));
    assert!(matches!(client.ask(swap(one, one)), Err(Refusal::Invalid(_))));
    assert_eq!(client.ask(swap(one, other)), Ok(Reply::Done));
    talk(0, 2, 3);
    talk(2, 0, 4);
    talk(1, 3, 5);
    assert!(matches!(client.ask(Request::Delete { session: one }), Ok(Reply::Stats(_))));
    talk(3, 1, 6);
    wait_until_free(port_of[2]);
    dataplane.stop();
}

#[test]
fn sessions_survive_their_client_and_are_listed() {
    let settings = settings("survive", 2, 8);
    let dataplane = start(&settings);
    let (mut client, _) = Client::connect(&settings.control);
    let mut expected: Vec<(SessionId, Vec<u8>)> =
        (0..8u8).map(|number| (client.create(&[number]).0, vec![number])).collect();
    let port = PortRequest { address: LOCALHOST, kind: PortKind::Own, video: false };
    assert_eq!(client.ask(create([port; 2], b"")), Err(Refusal::TooManySessions));
    drop(client);

    let (mut client, hello) = Client::connect(&settings.control);
    assert_eq!(hello.sessions, 8);
    let mut listed = Vec::new();
    loop {
        let after = listed.last().map(|&(session, _)| session);
        let Ok(Reply::Sessions { sessions, more }) = client.ask(Request::List { after }) else {
            panic!("no list")
        };
        listed.extend(sessions.into_iter().map(|session| (session.session, session.note)));
        if !more {
            break;
        }
    }
    expected.sort();
    assert_eq!(listed, expected);
    dataplane.stop();
}

#[test]
fn impossible_requests_are_refused() {
    let settings = settings("refused", 2, 8);
    let dataplane = start(&settings);
    let (mut client, _) = Client::connect(&settings.control);
    let own = PortRequest { address: LOCALHOST, kind: PortKind::Own, video: false };
    let shared = PortRequest { kind: PortKind::Shared, ..own };
    let elsewhere = PortRequest { address: Ipv6Addr::LOCALHOST.into(), ..own };
    assert_eq!(client.ask(create([own, elsewhere], b"")), Err(Refusal::NoAddress));
    let created = client.ask(create([shared, shared], b""));
    let Ok(Reply::Created { session, local }) = created else { panic!() };
    assert_eq!(local[0].rtp, local[1].rtp);
    let without_ice = plain_leg("127.0.0.1:9".parse().unwrap());
    let refused = client.ask(Request::configure(session, Side::A, without_ice));
    assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
    let long = Some(vec![0; MAX_NOTE + 1]);
    let long = Request::Configure { session, legs: Box::new([None, None]), note: long };
    assert!(matches!(client.ask(long), Err(Refusal::Invalid(_))));
    let unknown = SessionId(session.0 ^ 1);
    assert_eq!(client.ask(Request::Query { session: unknown }), Err(Refusal::UnknownSession));
    dataplane.stop();
}
