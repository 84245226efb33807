use super::*;
use crate::buffers::MAX_DATAGRAM;
use std::net::UdpSocket;

fn driver() -> UringDriver {
    UringDriver::new(8, Waker::new().unwrap(), Duration::ZERO).unwrap()
}

fn loopback() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn free_port() -> SocketAddr {
    loopback().1
}

fn wait_for_one(driver: &mut UringDriver) -> Received {
    for _ in 0..1000 {
        if let Some(received) = driver.receive() {
            return received;
        }
        driver.wait(Some(Instant::now() + Duration::from_millis(10))).unwrap();
    }
    panic!("nothing was received");
}

fn wait_until_closed(driver: &mut UringDriver, left_open: usize) {
    for _ in 0..1000 {
        assert!(driver.receive().is_none());
        if driver.open_sockets() == left_open {
            return;
        }
        driver.wait(Some(Instant::now() + Duration::from_millis(10))).unwrap();
    }
    panic!("the socket was never closed");
}

#[test]
fn echoes_from_the_buffer_that_it_received_in() {
    let mut driver = driver();
    let local = free_port();
    let socket = driver.open(local, false).unwrap();
    let (peer, peer_address) = loopback();
    for round in 0..10_000u32 {
        peer.send_to(&round.to_be_bytes(), local).unwrap();
        let received = wait_for_one(&mut driver);
        assert_eq!((received.socket, received.source), (socket, peer_address));
        assert_eq!(&received.buffer[received.datagram.clone()], round.to_be_bytes());
        driver.send(socket, received.buffer, received.datagram, peer_address);
        driver.wait(Some(Instant::now())).unwrap();
        let mut answer = [0; 8];
        assert_eq!(peer.recv_from(&mut answer).unwrap(), (4, local));
        assert_eq!(answer[..4], round.to_be_bytes());
    }
    assert_eq!(driver.counters(), DriverCounters::default());
}

#[test]
fn echoes_over_ipv6() {
    // A host without IPv6 cannot show it.
    let Ok(peer) = UdpSocket::bind("[::1]:0") else { return };
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut driver = driver();
    let local = UdpSocket::bind("[::1]:0").unwrap().local_addr().unwrap();
    let socket = driver.open(local, false).unwrap();
    peer.send_to(b"six", local).unwrap();
    let received = wait_for_one(&mut driver);
    assert_eq!(received.source, peer.local_addr().unwrap());
    driver.send(socket, received.buffer, received.datagram, received.source);
    driver.wait(Some(Instant::now())).unwrap();
    let mut answer = [0; 8];
    assert_eq!(peer.recv_from(&mut answer).unwrap(), (3, local));
}

#[test]
fn a_closed_socket_frees_its_port_after_what_was_queued() {
    let mut driver = driver();
    let local = free_port();
    let (peer, peer_address) = loopback();
    for round in 0..20 {
        let socket = driver.open(local, false).unwrap();
        let mut buffer = driver.take_buffer().unwrap();
        buffer[0] = round;
        driver.send(socket, buffer, 0..1, peer_address);
        driver.close(socket);
        wait_until_closed(&mut driver, 0);
        let mut last_words = [0; 4];
        assert_eq!(peer.recv_from(&mut last_words).unwrap(), (1, local));
        assert_eq!(last_words[0], round);
    }
}

#[test]
fn a_taken_port_is_an_error() {
    let mut driver = driver();
    let (_holder, taken) = loopback();
    assert_eq!(driver.open(taken, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    assert_eq!(driver.open_sockets(), 0);
}

#[test]
fn a_waker_ends_a_sleep_each_time() {
    let waker = Waker::new().unwrap();
    let mut driver = UringDriver::new(1, waker.clone(), Duration::ZERO).unwrap();
    for _ in 0..3 {
        let waker = waker.clone();
        let thread = std::thread::spawn(move || waker.wake());
        driver.wait(None).unwrap();
        assert!(driver.receive().is_none());
        thread.join().unwrap();
    }
}

#[test]
fn survives_running_out_of_buffers() {
    let mut driver = driver();
    let local = free_port();
    driver.open(local, false).unwrap();
    driver.wait(Some(Instant::now())).unwrap();
    let (peer, _) = loopback();
    let mut held = Vec::new();
    for _ in 0..usize::from(RECEIVE_BUFFERS) + SPARE_BUFFERS {
        peer.send_to(b"x", local).unwrap();
        driver.wait(Some(Instant::now())).unwrap();
        held.extend(std::iter::from_fn(|| driver.receive()));
    }
    assert!(driver.counters().receive_starved > 0);
    held.drain(..).for_each(|received| driver.release(received.buffer));
    driver.wait(Some(Instant::now())).unwrap();
    while driver.receive().is_some_and(|received| &received.buffer[received.datagram.clone()] == b"x") {}
    peer.send_to(b"after", local).unwrap();
    loop {
        let received = wait_for_one(&mut driver);
        if &received.buffer[received.datagram.clone()] == b"after" {
            break;
        }
    }
}

#[test]
fn an_oversized_datagram_is_counted_and_dropped() {
    let mut driver = driver();
    let local = free_port();
    driver.open(local, false).unwrap();
    let (peer, _) = loopback();
    peer.send_to(&[1; MAX_DATAGRAM + 1], local).unwrap();
    peer.send_to(&[2; MAX_DATAGRAM], local).unwrap();
    let received = wait_for_one(&mut driver);
    assert_eq!(received.datagram.len(), MAX_DATAGRAM);
    assert_eq!(driver.counters().malformed, 1);
}

/// Waits until the kernel has confirmed the connection, or its end.
fn wait_until_connected(driver: &mut UringDriver, socket: SocketId, peer: Option<SocketAddr>) {
    for _ in 0..1000 {
        let slot = driver.sockets[socket.0 as usize];
        if (slot.connected, slot.unconfirmed) == (peer, 0) {
            return;
        }
        driver.wait(Some(Instant::now())).unwrap();
        assert!(driver.receive().is_none());
    }
    panic!("the socket was never connected");
}

#[test]
fn a_connected_socket_hears_its_peer_alone_until_it_is_let_go() {
    let mut driver = driver();
    let local = free_port();
    let socket = driver.open(local, false).unwrap();
    let ((peer, peer_address), (stranger, stranger_address)) = (loopback(), loopback());
    driver.connect(socket, Some(peer_address));
    wait_until_connected(&mut driver, socket, Some(peer_address));
    stranger.send_to(b"stranger", local).unwrap();
    peer.send_to(b"peer", local).unwrap();
    let received = wait_for_one(&mut driver);
    assert_eq!((received.source, &received.buffer[received.datagram.clone()]), (peer_address, &b"peer"[..]));
    driver.send(socket, received.buffer, received.datagram, peer_address);
    let mut answer = [0; 8];
    driver.wait(Some(Instant::now())).unwrap();
    assert_eq!(peer.recv_from(&mut answer).unwrap(), (4, local));
    let buffer = driver.take_buffer().unwrap();
    driver.send(socket, buffer, 0..3, stranger_address);
    driver.wait(Some(Instant::now())).unwrap();
    assert_eq!(stranger.recv_from(&mut answer).unwrap(), (3, local), "what is sent may still go elsewhere");
    driver.connect(socket, None);
    wait_until_connected(&mut driver, socket, None);
    stranger.send_to(b"again", local).unwrap();
    assert_eq!(wait_for_one(&mut driver).source, stranger_address);
    assert_eq!(driver.counters(), DriverCounters::default());
}

#[test]
fn a_peer_that_refuses_costs_the_connection_and_nothing_else() {
    let mut driver = driver();
    let local = free_port();
    let socket = driver.open(local, false).unwrap();
    let (peer, peer_address) = loopback();
    driver.connect(socket, Some(peer_address));
    wait_until_connected(&mut driver, socket, Some(peer_address));
    drop(peer);
    let buffer = driver.take_buffer().unwrap();
    driver.send(socket, buffer, 0..3, peer_address);
    wait_until_connected(&mut driver, socket, None);
    assert_eq!(driver.counters().receive_errors + driver.counters().send_errors, 1);
    let peer = UdpSocket::bind(peer_address).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for _ in 0..3 {
        peer.send_to(b"back", local).unwrap();
        let received = wait_for_one(&mut driver);
        driver.send(socket, received.buffer, received.datagram, peer_address);
        driver.wait(Some(Instant::now())).unwrap();
        assert_eq!(peer.recv_from(&mut [0; 8]).unwrap(), (4, local));
    }
}

#[test]
fn a_sleep_ends_in_time_also_where_the_one_before_would_have_been_longer() {
    let waker = Waker::new().unwrap();
    let mut driver = UringDriver::new(1, waker.clone(), Duration::ZERO).unwrap();
    let far = Instant::now() + Duration::from_secs(3600);
    waker.wake();
    driver.wait(Some(far)).unwrap();
    assert!(driver.receive().is_none());
    for _ in 0..3 {
        let near = Instant::now() + Duration::from_millis(5);
        while Instant::now() < near {
            driver.wait(Some(near)).unwrap();
            assert!(driver.receive().is_none());
        }
    }
}
