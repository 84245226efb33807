//! One browser-like client: a WebSocket, a UDP socket, a page, a media transport, one call.

use super::board::Board;
use super::description::{Local, Remote, Setup};
use super::peer::{Arrival, CONNECT_TIMEOUT, Identity, Peer};
use super::signaling::{Page, Signal};
use crate::media::Codec;
use crate::sip::event::Cause;
use crate::sip::media::{PTIME_MS, Reception, payload};
use crate::stamp;
use futures_util::{SinkExt, StreamExt};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// The packet time.
const PTIME: Duration = Duration::from_millis(PTIME_MS as u64);
/// Datagrams read before the WebSocket has its turn.
const BUDGET: usize = 32;
/// How long a page may take to log off.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest sleep.
const NAP: Duration = Duration::from_secs(1);
const HEADER: usize = 12;

pub(crate) type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What all clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    LogIn,
    /// Callers call, one after the other from this time on.
    Call {
        from: Instant,
        interval: Duration,
    },
    HangUp,
    Leave,
}

/// What one client is to be.
pub(crate) struct Plan {
    /// Its place among the callers.
    pub(crate) index: u32,
    /// Whom it calls; `None`: it is called.
    pub(crate) target: Option<String>,
    pub(crate) codec: Codec,
    pub(crate) identity: Arc<Identity>,
}

/// A client under way.
pub(crate) struct Client {
    plan: Plan,
    page: Box<dyn Page>,
    socket: UdpSocket,
    local: SocketAddr,
    board: Rc<RefCell<Board>>,
    orders: watch::Receiver<Order>,
    opened: Instant,
    peer: Option<Peer>,
    /// When the call began; it is over once `over` is true.
    called: Option<Instant>,
    described: Option<Instant>,
    was_up: bool,
    was_connected: bool,
    over: bool,
    leaving: Option<Instant>,
    left: bool,
    next_packet: Option<Instant>,
    packet: Vec<u8>,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    sent: u64,
    reception: Reception,
}

impl Client {
    pub(crate) fn new(
        plan: Plan,
        page: Box<dyn Page>,
        socket: UdpSocket,
        board: Rc<RefCell<Board>>,
        orders: watch::Receiver<Order>,
    ) -> std::io::Result<Client> {
        let mut packet = vec![0; HEADER];
        packet.extend(payload(plan.codec));
        Ok(Client {
            local: socket.local_addr()?,
            plan,
            page,
            socket,
            board,
            orders,
            opened: Instant::now(),
            peer: None,
            called: None,
            described: None,
            was_up: false,
            was_connected: false,
            over: false,
            leaving: None,
            left: false,
            next_packet: None,
            packet,
            sequence: fastrand::u16(..),
            timestamp: fastrand::u32(..),
            ssrc: fastrand::u32(..),
            sent: 0,
            reception: Reception::default(),
        })
    }

    /// Lives until it is told to leave, or the WebSocket breaks.
    pub(crate) async fn run(mut self, mut socket: WebSocket) {
        self.page.open(Instant::now());
        let mut orders = self.orders.clone();
        while !self.left {
            if self.flush(&mut socket).await.is_err() {
                self.board.borrow_mut().fail("WebSocket", Cause::Transport);
                break;
            }
            let sleep = tokio::time::sleep_until(self.next_timeout().into());
            tokio::select! {
                message = socket.next() => {
                    if !self.on_message(message) {
                        break;
                    }
                }
                _ = self.socket.readable() => self.receive(),
                () = sleep => {}
                changed = orders.changed() => {
                    if changed.is_err() {
                        break;
                    }
                }
            }
            self.advance(Instant::now());
        }
        self.finish();
        socket.close(None).await.ok();
    }

    /// Whether the WebSocket is still there.
    fn on_message(&mut self, message: Option<Result<Message, tungstenite::Error>>) -> bool {
        match message {
            Some(Ok(Message::Text(text))) => self.page.on_text(Instant::now(), &text),
            Some(Ok(Message::Binary(bytes))) => {
                if let Ok(text) = std::str::from_utf8(&bytes) {
                    self.page.on_text(Instant::now(), text);
                }
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => {
                if self.leaving.is_none() {
                    self.board.borrow_mut().fail("WebSocket", Cause::Transport);
                }
                return false;
            }
            Some(Ok(_)) => {}
        }
        true
    }

    async fn flush(&mut self, socket: &mut WebSocket) -> Result<(), tungstenite::Error> {
        while let Some(text) = self.page.poll_text() {
            socket.send(Message::text(text)).await?;
        }
        while let Some((to, bytes)) = self.peer.as_mut().and_then(Peer::poll_datagram) {
            // What the kernel does not take is lost as on any network.
            self.socket.try_send_to(&bytes, to).ok();
        }
        Ok(())
    }

    fn next_timeout(&mut self) -> Instant {
        let call = match (*self.orders.borrow(), self.called) {
            (Order::Call { from, interval }, None) if !self.over && self.plan.target.is_some() => {
                Some(from + interval * self.plan.index)
            }
            _ => None,
        };
        let peer = self.peer.as_mut().and_then(Peer::next_timeout);
        let times = [call, peer, self.page.next_timeout(), self.next_packet];
        times.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + NAP)
    }

    fn receive(&mut self) {
        let mut buffer = [0; 2048];
        for _ in 0..BUDGET {
            let Ok((length, from)) = self.socket.try_recv_from(&mut buffer) else { return };
            let now = Instant::now();
            let Some(peer) = &mut self.peer else { continue };
            match peer.handle(now, from, &mut buffer[..length]) {
                Arrival::Rtp { sequence, payload } => {
                    let mut board = self.board.borrow_mut();
                    if self.reception.received == 0 {
                        board.heard += 1;
                        self.called.into_iter().for_each(|called| board.media.record(now - called));
                    }
                    self.reception.count(sequence);
                    stamp::age(&payload, now).into_iter().for_each(|age| board.latency.record(age));
                }
                Arrival::Unauthentic => self.board.borrow_mut().unauthentic += 1,
                Arrival::Other => {}
            }
        }
    }

    /// Does what is due.
    fn advance(&mut self, now: Instant) {
        self.page.on_time(now);
        while let Some(signal) = self.page.poll_signal() {
            self.on_signal(now, signal);
        }
        self.follow_orders(now);
        if let Some(peer) = &mut self.peer {
            peer.handle_timeout(now);
            if let (Some(connected), false) = (peer.connected, self.was_connected) {
                self.was_connected = true;
                self.described
                    .into_iter()
                    .for_each(|at| self.board.borrow_mut().transport.record(connected - at));
                // Clients that connect together do not send together.
                self.next_packet = Some(now + PTIME.mul_f64(fastrand::f64()));
            }
            let is_late = self.called.is_some_and(|called| now > called + CONNECT_TIMEOUT);
            if !self.over && self.reception.received == 0 && (peer.has_failed() || is_late) {
                let cause = if self.was_connected { Cause::NoMedia } else { Cause::Transport };
                self.page.hang_up(now);
                self.end("call", cause);
            }
        }
        self.send_due(now);
    }

    fn follow_orders(&mut self, now: Instant) {
        let order = *self.orders.borrow();
        match order {
            Order::LogIn => {}
            Order::Call { from, interval } => {
                let Some(target) = self.plan.target.clone().filter(|_| self.called.is_none() && !self.over)
                else {
                    return;
                };
                if now >= from + interval * self.plan.index {
                    self.called = Some(now);
                    let offer = self.describe(now, Setup::ActPass, true, "0");
                    self.page.call(now, &target, &offer);
                }
            }
            Order::HangUp => {
                if !self.over {
                    // The caller hangs up; a callee that nobody called has nothing to wait for.
                    if self.plan.target.is_some() || self.called.is_none() {
                        self.page.hang_up(now);
                        self.next_packet = None;
                        self.over = true;
                        self.board.borrow_mut().over += 1;
                    }
                }
            }
            Order::Leave => {
                let until = *self.leaving.get_or_insert_with(|| {
                    self.page.close(now);
                    now + CLOSE_TIMEOUT
                });
                self.left |= now >= until;
            }
        }
    }

    fn on_signal(&mut self, now: Instant, signal: Signal) {
        match signal {
            Signal::Ready => {
                let mut board = self.board.borrow_mut();
                board.ready += 1;
                board.login.record(now - self.opened);
            }
            Signal::Failed { cause } => {
                self.board.borrow_mut().ready += 1;
                self.end("login", cause);
            }
            Signal::Incoming { sdp } => self.on_incoming(now, &sdp),
            Signal::Answer { sdp } => match (Remote::read(&sdp, self.plan.codec), &mut self.peer) {
                (Some(remote), Some(peer)) => {
                    peer.set_remote(now, &remote);
                    self.described.get_or_insert(now);
                }
                _ => {
                    self.page.hang_up(now);
                    self.end("call", Cause::Description);
                }
            },
            Signal::Up => {
                if let (Some(called), false) = (self.called, self.was_up) {
                    self.board.borrow_mut().up.record(now - called);
                }
                self.was_up = true;
            }
            Signal::Ended { cause } => {
                let cause = if cause == Cause::RemoteBye && self.plan.target.is_some() && !self.over {
                    // The callers hang up: a call that ends before is a failure.
                    Cause::Status(0)
                } else {
                    cause
                };
                self.end("call", cause);
            }
            Signal::Ringing => {}
            Signal::Closed => self.left = self.leaving.is_some(),
        }
    }

    fn on_incoming(&mut self, now: Instant, offer: &str) {
        self.called = Some(now);
        let Some(remote) = Remote::read(offer, self.plan.codec) else {
            self.page.hang_up(now);
            return self.end("call", Cause::Description);
        };
        // Who answers `actpass` begins the handshake (RFC 8842 section 5.3).
        let setup = if remote.setup == Setup::Active { Setup::Passive } else { Setup::Active };
        let answer = self.describe(now, setup, false, &remote.mid);
        if let Some(peer) = &mut self.peer {
            peer.set_remote(now, &remote);
            self.described = Some(now);
        }
        self.page.answer(now, &answer);
    }

    /// Makes the call's transport; its description.
    fn describe(&mut self, now: Instant, setup: Setup, controlling: bool, mid: &str) -> String {
        let peer = Peer::new(now, self.local, Arc::clone(&self.plan.identity), controlling);
        let description = Local {
            address: self.local,
            credentials: peer.credentials(),
            fingerprint: &self.plan.identity.fingerprint,
            setup,
            codec: self.plan.codec,
            payload_type: self.plan.codec.payload_type(),
            ssrc: self.ssrc,
            mid,
        }
        .write();
        self.peer = Some(peer);
        description
    }

    /// The call is over, or never was.
    fn end(&mut self, what: &str, cause: Cause) {
        if self.over {
            return;
        }
        self.over = true;
        self.next_packet = None;
        let mut board = self.board.borrow_mut();
        board.over += 1;
        if !cause.is_success() {
            board.fail(what, cause);
        }
    }

    fn send_due(&mut self, now: Instant) {
        while let (Some(due), Some(peer)) = (self.next_packet.filter(|due| *due <= now), &mut self.peer) {
            self.next_packet = Some(due + PTIME);
            let marker = if self.sent == 0 { 0x80 } else { 0 };
            self.packet[..2].copy_from_slice(&[0x80, marker | peer.payload_type]);
            self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
            self.packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
            self.packet[8..HEADER].copy_from_slice(&self.ssrc.to_be_bytes());
            stamp::put(&mut self.packet[HEADER..], Instant::now());
            self.sequence = self.sequence.wrapping_add(1);
            self.timestamp = self.timestamp.wrapping_add(PTIME_MS * self.plan.codec.ticks_per_ms());
            self.sent += u64::from(peer.send_rtp(&self.packet));
            self.board.borrow_mut().lateness.record(now - due);
        }
    }

    /// Adds this client's figures to the board's.
    fn finish(&mut self) {
        self.end("client", Cause::LocalBye);
        let mut board = self.board.borrow_mut();
        board.left += 1;
        board.sent += self.sent;
        board.received += self.reception.received;
        board.lost += self.reception.lost();
        board.reordered += self.reception.reordered;
        if self.called.is_some() {
            board.least =
                Some(board.least.map_or(self.reception.received, |least| least.min(self.reception.received)));
            board.most = board.most.max(self.reception.received);
        }
    }
}
