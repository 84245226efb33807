use super::*;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Runs a machine to its end; gives the times (ms) of retransmissions, and how and when it ended.
fn drain<T: PartialEq + Copy>(
    start: Instant,
    retransmit: T,
    mut next: impl FnMut() -> Option<Instant>,
    mut fire: impl FnMut(Instant) -> Option<T>,
) -> (Vec<u128>, T, u128) {
    let mut times = Vec::new();
    loop {
        let at = next().unwrap();
        match fire(at) {
            Some(event) if event == retransmit => times.push((at - start).as_millis()),
            Some(event) => return (times, event, (at - start).as_millis()),
            None => {}
        }
    }
}

#[test]
fn non_invite_client_retransmits_with_timer_e_until_timer_f() {
    let start = Instant::now();
    let client = std::cell::RefCell::new(Client::new(start, BaseTimers::default(), false));
    let (times, end, at) = drain(
        start,
        ClientTimeout::Retransmit,
        || client.borrow().next_timeout(),
        |now| client.borrow_mut().handle_timeout(now),
    );
    assert_eq!(times, [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!((end, at), (ClientTimeout::TimedOut, 32000));
}

#[test]
fn invite_client_doubles_timer_a_until_timer_b() {
    let start = Instant::now();
    let client = std::cell::RefCell::new(InviteClient::new(start, BaseTimers::default(), false));
    let (times, end, at) = drain(
        start,
        ClientTimeout::Retransmit,
        || client.borrow().next_timeout(),
        |now| client.borrow_mut().handle_timeout(now),
    );
    assert_eq!(times, [500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!((end, at), (ClientTimeout::TimedOut, 32000));
}

#[test]
fn reliable_transports_never_retransmit() {
    let start = Instant::now();
    let mut client = InviteClient::new(start, BaseTimers::default(), true);
    assert_eq!(client.next_timeout(), Some(start + ms(32000)));
    assert_eq!(client.receive(start, 180), ResponseVerdict::Pass);
    assert_eq!(client.next_timeout(), None);
    assert_eq!(client.receive(start, 486), ResponseVerdict::PassAndAck);
    assert_eq!(client.handle_timeout(start), Some(ClientTimeout::Terminated));
}

#[test]
fn every_2xx_passes_and_every_failure_is_acknowledged() {
    let start = Instant::now();
    let mut client = InviteClient::new(start, BaseTimers::default(), false);
    assert_eq!(client.receive(start, 200), ResponseVerdict::Pass);
    assert_eq!(client.receive(start, 200), ResponseVerdict::Pass);
    assert_eq!(client.receive(start, 486), ResponseVerdict::Absorb);
    assert_eq!(client.handle_timeout(start + ms(32000)), Some(ClientTimeout::Terminated));

    let mut client = InviteClient::new(start, BaseTimers::default(), false);
    assert_eq!(client.receive(start, 486), ResponseVerdict::PassAndAck);
    assert_eq!(client.receive(start, 486), ResponseVerdict::Ack);
    assert_eq!(client.receive(start, 200), ResponseVerdict::Absorb);
}

#[test]
fn a_cancelled_invite_ends_after_64_t1() {
    let start = Instant::now();
    let mut client = InviteClient::new(start, BaseTimers::default(), false);
    client.receive(start, 100);
    client.cancelled(start);
    assert_eq!(client.handle_timeout(start + ms(32000)), Some(ClientTimeout::TimedOut));
}

#[test]
fn invite_server_retransmits_failures_with_timer_g_until_timer_h() {
    let start = Instant::now();
    let server = std::cell::RefCell::new(InviteServer::new(start, BaseTimers::default(), false));
    assert!(server.borrow_mut().respond(start, 486));
    assert!(!server.borrow_mut().respond(start, 200));
    let (times, end, at) = drain(
        start,
        ServerTimeout::Retransmit,
        || server.borrow().next_timeout(),
        |now| server.borrow_mut().handle_timeout(now),
    );
    assert_eq!(times, [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!((end, at), (ServerTimeout::TimedOut, 32000));
}

#[test]
fn invite_server_sends_trying_after_200_ms_and_absorbs_the_ack() {
    let start = Instant::now();
    let mut server = InviteServer::new(start, BaseTimers::default(), false);
    assert_eq!(server.receive_invite(), RequestVerdict::Absorb);
    assert_eq!(server.handle_timeout(start + ms(200)), Some(ServerTimeout::Trying));
    server.respond(start + ms(200), 100);
    assert_eq!(server.receive_invite(), RequestVerdict::Retransmit);
    assert_eq!(server.next_timeout(), None);
    server.respond(start + ms(300), 404);
    assert_eq!(server.receive_ack(start + ms(400)), RequestVerdict::Absorb);
    assert_eq!(server.receive_invite(), RequestVerdict::Absorb);
    assert_eq!(server.handle_timeout(start + ms(5400)), Some(ServerTimeout::Terminated));
}

#[test]
fn invite_server_passes_the_ack_of_a_2xx() {
    let start = Instant::now();
    let mut server = InviteServer::new(start, BaseTimers::default(), false);
    server.respond(start, 200);
    assert_eq!(server.receive_ack(start), RequestVerdict::Pass);
    assert_eq!(server.receive_invite(), RequestVerdict::Absorb);
}

#[test]
fn non_invite_server_answers_retransmissions_until_timer_j() {
    let start = Instant::now();
    let mut server = Server::new(start, BaseTimers::default(), false);
    assert_eq!(server.receive(), RequestVerdict::Absorb);
    assert!(server.respond(start, 200));
    assert!(!server.respond(start, 200));
    assert_eq!(server.receive(), RequestVerdict::Retransmit);
    assert_eq!(server.handle_timeout(start + ms(32000)), Some(ServerTimeout::Terminated));
}
