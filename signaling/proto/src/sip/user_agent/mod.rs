//! The user agent: transactions, dialogs and registrations tied together, sans-IO. It is all that the switch knows of
//! SIP: what a peer sends becomes a [`UaEvent`], and a [`Signal`] becomes requests and responses.
//!
//! Architecture invariant: the user agent never decides who may call whom. Requests outside dialogs go to the switch.

mod api;
mod call;
mod challenge;
mod in_dialog;
mod incoming;
mod info;
mod keep_alive;
mod locate;
mod message;
mod offer;
mod outgoing;
mod redirect;
mod refer;
mod registration;
mod reliable;
mod replaces;
mod responses;
mod servers;
mod session_timer;
mod source_limit;
mod subscription;
#[cfg(test)]
mod tests;
mod timer_queue;
mod uac;
mod uas;

pub use crate::sip::auth::{Credentials, Secret};
pub use api::{
    CallHandle, Drop, Drops, Invite, KeepAlive, KeepAliveMethod, MessageHandle, Register, RegistrationHandle,
    RequestHandle, SubscriptionHandle, UaError, UaEvent, UaSettings,
};
pub use info::Digit;
pub use message::PageMessage;
pub use refer::Refer;
pub use replaces::{Named, Replaces};

use crate::party::{Cause, Signal};
use crate::sip::{HeaderName, Headers, Host, Message, NameAddr, SipUri};
use crate::switch::{Output, RandomSource, SendKey};
use crate::table::shrink;
use crate::transport::{ConnectionId, Destination, Flow, Target, Transport};
use call::Call;
use incoming::{Incoming, IncomingKeys};
use outgoing::{Failure, Outgoing, remote_of, transport_of};
use registration::Registration;
use servers::Servers;
use source_limit::SourceLimit;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;
use subscription::Subscription;
use timer_queue::{TimerOwner, TimerQueue};

/// The methods that are understood.
const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REGISTER, MESSAGE, SUBSCRIBE, REFER";
/// The bodies that are understood.
pub(crate) const ACCEPT: &str = "application/sdp, application/dtmf-relay, application/dtmf";
/// The extensions that are understood (RFC 3262, RFC 4028, RFC 3891, RFC 4488).
pub(crate) const SUPPORTED: &str = "100rel, timer, replaces, norefersub";

/// See the module.
pub struct UserAgent {
    settings: UaSettings,
    /// For what nobody may guess: tags, Call-IDs, branches, cnonces.
    random: RandomSource,
    /// For delays, and where sequence numbers begin.
    dice: fastrand::Rng,
    last_id: u64,
    timers: TimerQueue,
    outputs: VecDeque<Output>,
    events: VecDeque<UaEvent>,
    drops: Drops,
    sources: SourceLimit,
    servers: Servers,
    outgoing: HashMap<u64, Outgoing>,
    /// By branch and method.
    outgoing_by_branch: HashMap<(String, String), u64>,
    outgoing_by_key: HashMap<SendKey, u64>,
    outgoing_by_query: HashMap<u64, u64>,
    incoming: HashMap<u64, Incoming>,
    incoming_by_key: IncomingKeys,
    calls: HashMap<CallHandle, Call>,
    /// By Call-ID and our tag.
    calls_by_dialog: HashMap<(String, String), CallHandle>,
    registrations: HashMap<RegistrationHandle, Registration>,
    subscriptions: HashMap<SubscriptionHandle, Subscription>,
    /// By Call-ID and our tag.
    subscriptions_by_dialog: HashMap<(String, String), SubscriptionHandle>,
}

impl UserAgent {
    /// A user agent with nothing in it. `random` makes its tags, branches and delays: the operating system in production,
    /// something fixed in tests.
    pub fn new(settings: UaSettings, mut random: RandomSource) -> UserAgent {
        let mut seed = [0; 8];
        random(&mut seed);
        UserAgent {
            sources: SourceLimit::new(settings.requests_per_source),
            settings,
            random,
            dice: fastrand::Rng::with_seed(u64::from_ne_bytes(seed)),
            last_id: 0,
            timers: TimerQueue::default(),
            outputs: VecDeque::new(),
            events: VecDeque::new(),
            drops: Drops::default(),
            servers: Servers::default(),
            outgoing: HashMap::new(),
            outgoing_by_branch: HashMap::new(),
            outgoing_by_key: HashMap::new(),
            outgoing_by_query: HashMap::new(),
            incoming: HashMap::new(),
            incoming_by_key: IncomingKeys::default(),
            calls: HashMap::new(),
            calls_by_dialog: HashMap::new(),
            registrations: HashMap::new(),
            subscriptions: HashMap::new(),
            subscriptions_by_dialog: HashMap::new(),
        }
    }

    /// What came on a flow: a datagram, a WebSocket frame, or a message cut out of a stream. Malformed requests are
    /// answered where they can be; keep-alives are answered as RFC 5626 section 4.4.1 wants.
    pub fn receive_bytes(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            self.drops.count(Drop::KeepAlive);
            if flow.connection.is_some() && bytes.starts_with(b"\r\n\r\n") {
                self.send_bytes(Destination::Flow(flow), b"\r\n".to_vec());
            }
            return;
        }
        match Message::parse(bytes) {
            Ok(message) => self.receive(now, flow, message),
            Err(error) => self.refuse_malformed(now, flow, &error),
        }
    }

    /// A message that was parsed already.
    pub fn receive(&mut self, now: Instant, flow: Flow, message: Message) {
        match message {
            Message::Request(request) => self.receive_request(now, flow, request),
            Message::Response(response) => self.receive_response(now, flow, response),
        }
    }

    /// The message with this key could not be sent (RFC 3261 section 8.1.3.1).
    pub fn send_failed(&mut self, now: Instant, key: SendKey) {
        if let Some(&id) = self.outgoing_by_key.get(&key) {
            self.outgoing_failed(now, id, Failure::Transport);
        }
    }

    /// The answer to an [`Output::Resolve`].
    pub fn resolved(&mut self, now: Instant, query: u64, targets: Vec<Target>) {
        if let Some(id) = self.outgoing_by_query.remove(&query) {
            self.outgoing_resolved(now, id, targets);
        }
    }

    /// A connection closed: what was sent on it and not answered has failed, and calls that had no other path end.
    pub fn closed(&mut self, now: Instant, connection: ConnectionId) {
        let mut failed: Vec<u64> = self
            .outgoing
            .iter()
            .filter(|(_, outgoing)| outgoing.waits_on(connection))
            .map(|(id, _)| *id)
            .collect();
        failed.sort_unstable();
        for id in failed {
            self.outgoing_failed(now, id, Failure::Transport);
        }
        self.registrations_lost_connection(now, connection);
        self.calls_lost_connection(now, connection);
        self.subscriptions_lost_connection(connection);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(owner) = self.timers.pop_due(now) {
            match owner {
                TimerOwner::Outgoing(id) => self.outgoing_timeout(now, id),
                TimerOwner::Incoming(id) => self.incoming_timeout(now, id),
                TimerOwner::Call(id) => self.call_timeout(now, CallHandle(id)),
                TimerOwner::Registration(id) => self.registration_timeout(now, RegistrationHandle(id)),
                TimerOwner::Subscription(id) => self.subscription_timeout(now, SubscriptionHandle(id)),
            }
        }
    }

    /// Gives back memory that was needed in busier times. Called now and then.
    pub fn shrink(&mut self) {
        self.timers.shrink();
        shrink(&mut self.outgoing);
        shrink(&mut self.outgoing_by_branch);
        shrink(&mut self.outgoing_by_key);
        shrink(&mut self.outgoing_by_query);
        shrink(&mut self.incoming);
        self.incoming_by_key.shrink();
        shrink(&mut self.calls);
        shrink(&mut self.calls_by_dialog);
        shrink(&mut self.subscriptions);
        shrink(&mut self.subscriptions_by_dialog);
    }

    /// When to call [`UserAgent::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next thing to be done: [`Output::Sip`] or [`Output::Resolve`].
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next thing for the switch.
    pub fn poll_event(&mut self) -> Option<UaEvent> {
        self.events.pop_front()
    }

    /// How many messages were dropped, and why.
    pub fn drops(&self) -> &Drops {
        &self.drops
    }

    /// How many transactions there are.
    pub fn transactions(&self) -> usize {
        self.outgoing.len() + self.incoming.len()
    }

    /// How many calls it keeps dialogs for, those included that only wait for an ACK before their BYE.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A token of 96 random bits: tags, Call-IDs, branches. RFC 3261 section 19.3 asks for at least 32, and that nobody can
    /// guess them: who knows a dialog's tags can end it.
    fn token(&mut self) -> String {
        let mut bytes = [0; 12];
        (self.random)(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn signal_up(&mut self, call: CallHandle, signal: Signal) {
        self.events.push_back(UaEvent::Signal { call, signal });
    }

    fn send_bytes(&mut self, destination: Destination, bytes: Vec<u8>) -> SendKey {
        let key = SendKey(self.next_id());
        self.outputs.push_back(Output::Sip { destination, tls_name: None, key, bytes });
        key
    }

    /// The address of ours that a peer is told: one of its family where there is one, and the port that is sent from.
    fn advertised(&self, toward: &Destination) -> SocketAddr {
        let (transport, remote) = (transport_of(toward), remote_of(toward));
        let of_transport = || self.settings.sip.iter().filter(|(each, _)| *each == transport);
        of_transport()
            .find(|(_, address)| address.is_ipv4() == remote.is_ipv4())
            .or_else(|| of_transport().next())
            .or_else(|| self.settings.sip.first())
            .map(|(_, address)| {
                SocketAddr::new(address.ip(), self.own_port(toward).unwrap_or(address.port()))
            })
            .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    /// The port that an account has for itself, if what goes this way goes from it.
    fn own_port(&self, toward: &Destination) -> Option<u16> {
        match toward {
            Destination::Address { transport: Transport::Udp, port, .. } => *port,
            Destination::Flow(flow) => self.own_port_of(flow),
            Destination::Address { .. } => None,
        }
    }

    /// The port that an account has for itself, if this came to it.
    fn own_port_of(&self, flow: &Flow) -> Option<u16> {
        let (first, last) = self.settings.user_ports.filter(|_| flow.transport == Transport::Udp)?;
        Some(flow.local.port()).filter(|port| (first..=last).contains(port))
    }

    /// Our Contact toward a peer.
    fn contact(&self, user: &str, toward: &Destination) -> NameAddr {
        let (transport, address) = (transport_of(toward), self.advertised(toward));
        let user = Some(user).filter(|user| !user.is_empty());
        let mut uri = SipUri::new(user, Host::from(address.ip()), Some(address.port()));
        let parameter = match transport {
            Transport::Udp => None,
            Transport::Tcp => Some("tcp"),
            Transport::Tls => Some("tls"),
            // RFC 7118 section 5.2: one parameter for both.
            Transport::Ws | Transport::Wss => Some("ws"),
        };
        if let Some(parameter) = parameter {
            uri.params.set("transport", Some(parameter));
        }
        NameAddr::new(uri)
    }
}

/// The cause in a Reason header field (RFC 3326), or else this one.
fn reason(headers: &Headers, otherwise: Cause) -> Cause {
    for value in headers.all(HeaderName::Reason) {
        let mut parts = value.split(';').map(str::trim);
        let protocol = parts.next().unwrap_or_default();
        let (mut status, mut text) = (None, None);
        for part in parts {
            match part.split_once('=') {
                Some((name, number)) if name.trim().eq_ignore_ascii_case("cause") => {
                    status = number.trim().parse::<u16>().ok();
                }
                Some((name, words)) if name.trim().eq_ignore_ascii_case("text") => {
                    text = Some(words.trim().trim_matches('"').to_owned());
                }
                _ => {}
            }
        }
        match status {
            Some(status) if protocol.eq_ignore_ascii_case("SIP") && (200..700).contains(&status) => {
                return Cause::new(status, text.unwrap_or_else(|| otherwise.text.clone()));
            }
            // Q.850 16 is normal call clearing; other causes keep their words.
            Some(16) if protocol.eq_ignore_ascii_case("Q.850") => return Cause::normal(),
            Some(_) if protocol.eq_ignore_ascii_case("Q.850") => {
                return Cause::new(otherwise.status, text.unwrap_or_else(|| otherwise.text.clone()));
            }
            _ => {}
        }
    }
    otherwise
}

/// A cause as a Reason header field's value.
fn reason_value(cause: &Cause) -> String {
    let text: String = cause.text.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect();
    format!("SIP;cause={};text=\"{text}\"", cause.status)
}
