//! Client and server transactions of RFC 3261 section 17, without I/O: as much as a load generator needs.

use super::message;
use rsip::message::HeadersExt;
use rsip::{Method, Request, Response};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// RFC 3261 section 17.1.1.1: the estimate of the round trip.
const T1: Duration = Duration::from_millis(500);
/// The longest wait between retransmissions, but for INVITE.
const T2: Duration = Duration::from_secs(4);
/// Timers B, F, H: how long a transaction waits for its other side.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(32);
/// After a provisional response an INVITE waits this long for its final one.
const RINGING: Duration = Duration::from_secs(180);
/// Transactions of each kind at once; what comes beyond is refused.
pub(crate) const MAX_TRANSACTIONS: usize = 200_000;

/// A message to be sent.
pub(crate) struct Datagram {
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// What a request of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Register(usize),
    Unregister(usize),
    Invite(u32),
    Reinvite(u32),
    Bye(u32),
    Refer(u32),
    Message(usize),
    Cancel,
}

/// A request and the response that ended or advanced it.
pub(crate) struct Matched {
    pub(crate) purpose: Purpose,
    pub(crate) request: Request,
    pub(crate) to: SocketAddr,
}

struct Client {
    request: Request,
    bytes: Vec<u8>,
    to: SocketAddr,
    purpose: Purpose,
    /// When to send again and the wait after that; `None` once a final response or, for INVITE, any response came.
    repeat: Option<(Instant, Duration)>,
    deadline: Instant,
    /// A final response came; for INVITE the ACK that answers its retransmissions.
    ended: Option<Vec<u8>>,
}

struct Server {
    bytes: Vec<u8>,
    to: SocketAddr,
    repeat: Option<(Instant, Duration)>,
    deadline: Instant,
    call: Option<u32>,
}

/// All transactions of one agent.
pub(crate) struct Transactions {
    reliable: bool,
    clients: HashMap<String, Client>,
    servers: HashMap<String, Server>,
    timers: BinaryHeap<Reverse<(Instant, bool, String)>>,
}

/// What time brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    /// Timers B and F: nothing answered.
    Unanswered(Purpose),
    /// Timer H: nobody acknowledged the answer of this call.
    Unacknowledged(u32),
}

impl Transactions {
    /// `reliable`: the transport retransmits by itself (section 17.1.1.2, 17.1.2.2).
    pub(crate) fn new(reliable: bool) -> Transactions {
        Transactions { reliable, clients: HashMap::new(), servers: HashMap::new(), timers: BinaryHeap::new() }
    }

    /// Sends `request` and waits for its responses; whether there was room.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        request: Request,
        to: SocketAddr,
        purpose: Purpose,
        out: &mut VecDeque<Datagram>,
    ) -> bool {
        let Some(key) = client_key(&request, request.method) else { return false };
        if self.clients.len() >= MAX_TRANSACTIONS {
            return false;
        }
        let bytes = request.to_string().into_bytes();
        out.push_back(Datagram { to, bytes: bytes.clone() });
        let repeat = (!self.reliable).then_some((now + T1, T1));
        let deadline = now + TIMEOUT;
        self.wake(repeat.map_or(deadline, |(at, _)| at), true, &key);
        self.clients.insert(key, Client { request, bytes, to, purpose, repeat, deadline, ended: None });
        true
    }

    /// Takes a response. `None`: it belongs to nothing, or repeats what was said.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        response: &Response,
        out: &mut VecDeque<Datagram>,
    ) -> Option<Matched> {
        let (_, method) = message::cseq(response)?;
        let key = client_key(response, method)?;
        let client = self.clients.get_mut(&key)?;
        let status = response.status_code.code();
        if let Some(ack) = &client.ended {
            if method == Method::Invite && status >= 300 {
                out.push_back(Datagram { to: client.to, bytes: ack.clone() });
            }
            return None;
        }
        if status < 200 {
            if method == Method::Invite {
                client.repeat = None;
                client.deadline = now + RINGING;
            }
        } else {
            client.repeat = None;
            let mut ack = Vec::new();
            if method == Method::Invite && status >= 300 {
                let to = response.to_header().ok()?;
                use rsip::headers::UntypedHeader;
                ack = message::companion(&client.request, Method::Ack, Some(to.value()))
                    .to_string()
                    .into_bytes();
                out.push_back(Datagram { to: client.to, bytes: ack.clone() });
            }
            client.ended = Some(ack);
            // Timers D and K: retransmitted responses are still absorbed.
            client.deadline = now + TIMEOUT;
        }
        let deadline = client.deadline;
        let matched = Matched { purpose: client.purpose, request: client.request.clone(), to: client.to };
        self.wake(deadline, true, &key);
        Some(matched)
    }

    /// A request that was seen before is answered as before; whether it was one.
    pub(crate) fn is_repeated(&self, request: &Request, out: &mut VecDeque<Datagram>) -> bool {
        let Some(server) = server_key(request).and_then(|key| self.servers.get(&key)) else { return false };
        out.push_back(Datagram { to: server.to, bytes: server.bytes.clone() });
        true
    }

    /// Answers a request. The 2xx of an INVITE repeats until `acknowledged` (section 13.3.1.4), other final answers of
    /// an INVITE too (17.2.1).
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        request: &Request,
        response: &Response,
        to: SocketAddr,
        call: Option<u32>,
        out: &mut VecDeque<Datagram>,
    ) {
        let bytes = response.to_string().into_bytes();
        out.push_back(Datagram { to, bytes: bytes.clone() });
        let Some(key) = server_key(request).filter(|_| self.servers.len() < MAX_TRANSACTIONS) else { return };
        let is_final = response.status_code.code() >= 200;
        let is_invite = request.method == Method::Invite;
        // A 2xx is repeated over reliable transports too.
        let repeat = (is_final && is_invite).then_some((now + T1, T1));
        let deadline = now + if is_final { TIMEOUT } else { RINGING };
        self.wake(repeat.map_or(deadline, |(at, _)| at), false, &key);
        self.servers.insert(key, Server { bytes, to, repeat, deadline, call });
    }

    /// An ACK came for the INVITE that `key` names (of [`server_key`]).
    pub(crate) fn acknowledged(&mut self, key: &str) {
        if let Some(server) = self.servers.get_mut(key) {
            server.repeat = None;
            server.call = None;
        }
    }

    fn wake(&mut self, at: Instant, client: bool, key: &str) {
        self.timers.push(Reverse((at, client, key.to_owned())));
    }

    /// When [`Transactions::handle_timeout`] is due.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, ..))| *at)
    }

    /// Retransmits what is due, and gives what was given up.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut VecDeque<Datagram>) -> Option<Expired> {
        while let Some(Reverse((at, is_client, key))) = self.timers.peek().cloned() {
            if at > now {
                return None;
            }
            self.timers.pop();
            let expired =
                if is_client { self.client_due(now, &key, out) } else { self.server_due(now, &key, out) };
            if expired.is_some() {
                return expired;
            }
        }
        None
    }

    fn client_due(&mut self, now: Instant, key: &str, out: &mut VecDeque<Datagram>) -> Option<Expired> {
        let client = self.clients.get_mut(key)?;
        if now >= client.deadline {
            let client = self.clients.remove(key)?;
            return client.ended.is_none().then_some(Expired::Unanswered(client.purpose));
        }
        // A timer that an earlier state set is stale: the transaction's own figures say what is due.
        let (at, wait) = client.repeat?;
        if at <= now {
            out.push_back(Datagram { to: client.to, bytes: client.bytes.clone() });
            // Timer A doubles without bound (17.1.1.2), timer E up to T2 (17.1.2.2).
            let longer = wait * 2;
            let wait = if client.request.method == Method::Invite { longer } else { longer.min(T2) };
            client.repeat = Some((now + wait, wait));
            let next = (now + wait).min(client.deadline);
            self.wake(next, true, key);
        }
        None
    }

    fn server_due(&mut self, now: Instant, key: &str, out: &mut VecDeque<Datagram>) -> Option<Expired> {
        let server = self.servers.get_mut(key)?;
        if now >= server.deadline {
            let server = self.servers.remove(key)?;
            return server.repeat.and(server.call).map(Expired::Unacknowledged);
        }
        match server.repeat {
            Some((at, wait)) if at <= now => {
                out.push_back(Datagram { to: server.to, bytes: server.bytes.clone() });
                let wait = (wait * 2).min(T2);
                server.repeat = Some((now + wait, wait));
                let next = (now + wait).min(server.deadline);
                self.wake(next, false, key);
            }
            // Timers I and J.
            _ => {
                let deadline = server.deadline;
                self.wake(deadline, false, key);
            }
        }
        None
    }
}

/// RFC 3261 section 17.1.3: the branch and the method of `CSeq`.
fn client_key(message: &impl HeadersExt, method: Method) -> Option<String> {
    Some(format!("{} {method}", message::branch(message)?))
}

/// RFC 3261 section 17.2.3; an ACK has its INVITE's key.
pub(crate) fn server_key(request: &Request) -> Option<String> {
    let method = if request.method == Method::Ack { Method::Invite } else { request.method };
    client_key(request, method)
}
