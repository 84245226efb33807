//! Requests of ours: finding their servers, sending, failing over, and taking the responses to what sent them.

use super::challenge::Guard;
use super::info::Digit;
use super::timer_queue::TimerOwner;
use super::{
    ALLOW, CallHandle, MessageHandle, RegistrationHandle, SUPPORTED, SubscriptionHandle, UserAgent,
    reason_value,
};
use crate::party::Cause;
use crate::sip::transaction::{Client, ClientTimeout, InviteClient, earliest};
use crate::sip::{HeaderName, Host, Method, Request, Response, Uri, Via};
use crate::switch::{Output, SendKey};
use crate::transport::{ConnectionId, Destination, Flow, Target, Transport};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

/// How many T1 a server may be silent while others wait: copies go after 1, 3 and 7.
const SERVER_PATIENCE: u32 = 8;

/// What a request is for: who hears of its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The INVITE that makes a call.
    Invite(CallHandle),
    /// A re-INVITE or UPDATE with an offer of the switch's.
    Offer(CallHandle),
    /// A session refresh (RFC 4028).
    Refresh(CallHandle),
    /// PRACK.
    InDialog(CallHandle),
    /// An INFO that is passed on.
    Info(CallHandle),
    /// An INFO with a digit.
    Digit(CallHandle, Digit),
    /// A NOTIFY of a transfer.
    Referral(CallHandle),
    /// ACK has no response; BYE's and CANCEL's change nothing.
    Farewell,
    Register(RegistrationHandle),
    Message(MessageHandle),
    /// A NOTIFY of one of our subscribers.
    Notify(SubscriptionHandle),
    /// An OPTIONS that shows whether the way to a registrar is open.
    KeepAlive(RegistrationHandle),
}

/// How a request finds its way.
#[derive(Clone, Debug)]
pub(super) enum Hop {
    /// Along a known path.
    Flow(Flow),
    /// To the servers of this URI (RFC 3263).
    Uri(Uri),
    /// To these servers, over UDP from a port of the account's own.
    UriFrom(Uri, u16),
    /// Where and under which branch the INVITE went that this CANCEL cancels (RFC 3261 section 9.1).
    Same { destination: Destination, tls_name: Option<String>, branch: String },
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) purpose: Purpose,
    /// Without Via and Contact.
    pub(super) request: Request,
    pub(super) hop: Hop,
    /// The user part of our Contact, where the request has one.
    pub(super) contact_user: Option<String>,
    /// Answers challenges.
    pub(super) guard: Option<Guard>,
}

#[derive(Debug)]
pub(super) enum Machine {
    Invite(InviteClient),
    NonInvite(Client),
    /// An ACK to a 2xx is sent again for each retransmission of it, which may come until then.
    Ack(Instant),
}

/// One attempt at one server.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) branch: String,
    pub(super) destination: Destination,
    pub(super) tls_name: Option<String>,
    pub(super) key: SendKey,
    bytes: Vec<u8>,
    /// The ACK to a final response of 300 and above.
    pub(super) ack: Option<Vec<u8>>,
    pub(super) machine: Machine,
    /// Until when the server must be heard of, while others wait that may be asked instead.
    patience: Option<Instant>,
}

/// A request that is on its way.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) draft: Draft,
    pub(super) targets: VecDeque<Target>,
    pub(super) query: Option<u64>,
    pub(super) sent: Option<Sent>,
    /// The caller gave up: CANCEL goes with the first provisional response (RFC 3261 section 9.1).
    cancel: Option<Cause>,
    /// A response above 100 came: the callee was reached, and a challenge may be its own.
    pub(super) reached: bool,
    /// How many challenges were answered before this attempt.
    pub(super) challenges: u8,
    /// The path that the last response of this server came on.
    pub(super) answered_on: Option<Flow>,
    /// The ACKs of the 2xx responses to this INVITE, by the To tag.
    pub(super) acks: Vec<(String, u64)>,
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Response(Response),
    /// Without a response: 408 for a time-out, 503 where it could not be sent.
    Failed(Cause),
}

/// Why one attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Timeout,
    Transport,
    Unresolved,
}

impl Hop {
    /// To the servers of this URI, from a port where there is one.
    pub(super) fn to(uri: Uri, port: Option<u16>) -> Hop {
        match port {
            Some(port) => Hop::UriFrom(uri, port),
            None => Hop::Uri(uri),
        }
    }
}

impl Outcome {
    pub(super) fn cause(&self) -> Cause {
        match self {
            Outcome::Response(response) => {
                let phrase = Some(response.reason.as_str()).filter(|phrase| !phrase.is_empty());
                let phrase = phrase.unwrap_or(crate::sip::default_reason(response.status));
                Cause::new(response.status, phrase)
            }
            Outcome::Failed(cause) => cause.clone(),
        }
    }
}

impl Outgoing {
    /// Whether it waits for a response on this connection.
    pub(super) fn waits_on(&self, connection: ConnectionId) -> bool {
        self.sent.as_ref().is_some_and(|sent| {
            let ours =
                matches!(sent.destination, Destination::Flow(flow) if flow.connection == Some(connection));
            ours && !sent.is_completed()
        })
    }

    /// Whether the caller gave up.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.is_some()
    }

    /// The address that it was sent to.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.sent.as_ref().map(|sent| remote_of(&sent.destination))
    }
}

impl Sent {
    pub(super) fn is_completed(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_completed(),
            Machine::NonInvite(machine) => machine.is_completed(),
            Machine::Ack(_) => true,
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let machine = match &self.machine {
            Machine::Invite(machine) => machine.next_timeout(),
            Machine::NonInvite(machine) => machine.next_timeout(),
            Machine::Ack(until) => Some(*until),
        };
        earliest(machine, self.patience)
    }

    /// The server was heard of: from now on only the transaction's own timers count.
    pub(super) fn heard(&mut self) {
        self.patience = None;
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<ClientTimeout> {
        if self.patience.is_some_and(|until| now >= until) {
            return Some(ClientTimeout::TimedOut);
        }
        match &mut self.machine {
            Machine::Invite(machine) => machine.handle_timeout(now),
            Machine::NonInvite(machine) => machine.handle_timeout(now),
            Machine::Ack(until) => (now >= *until).then_some(ClientTimeout::Terminated),
        }
    }
}

pub(super) fn remote_of(destination: &Destination) -> SocketAddr {
    match destination {
        Destination::Flow(flow) => flow.remote,
        Destination::Address { remote, .. } => *remote,
    }
}

pub(super) fn transport_of(destination: &Destination) -> Transport {
    match destination {
        Destination::Flow(flow) => flow.transport,
        Destination::Address { transport, .. } => *transport,
    }
}

impl UserAgent {
    /// Sends a request, as soon as its servers are found. Its outcome goes to its purpose.
    pub(super) fn send_request(&mut self, now: Instant, draft: Draft) -> u64 {
        let hop = draft.hop.clone();
        let id = self.insert_outgoing(draft);
        match hop {
            Hop::Flow(flow) => self.transmit(now, id, Destination::Flow(flow), None, None),
            Hop::Same { destination, tls_name, branch } => {
                self.transmit(now, id, destination, tls_name, Some(branch));
            }
            Hop::Uri(uri) | Hop::UriFrom(uri, _) => self.locate(now, id, &uri),
        }
        id
    }

    pub(super) fn insert_outgoing(&mut self, draft: Draft) -> u64 {
        let id = self.next_id();
        let outgoing = Outgoing {
            draft,
            targets: VecDeque::new(),
            query: None,
            sent: None,
            cancel: None,
            reached: false,
            challenges: 0,
            answered_on: None,
            acks: Vec::new(),
        };
        self.outgoing.insert(id, outgoing);
        id
    }

    pub(super) fn transmit(
        &mut self,
        now: Instant,
        id: u64,
        destination: Destination,
        tls_name: Option<String>,
        branch: Option<String>,
    ) {
        self.forget_sent(id);
        let branch = branch.unwrap_or_else(|| format!("z9hG4bK{}", self.token()));
        let Some(outgoing) = self.outgoing.get(&id) else { return };
        let method = outgoing.draft.request.method.clone();
        let bytes = self.complete(&outgoing.draft, &destination, &branch).to_bytes();
        let key = SendKey(self.next_id());
        let timers = self.settings.timers;
        let reliable = transport_of(&destination).is_reliable();
        let machine = match method {
            Method::Invite => Machine::Invite(InviteClient::new(now, timers, reliable)),
            Method::Ack => Machine::Ack(now + timers.transaction_timeout()),
            _ => Machine::NonInvite(Client::new(now, timers, reliable)),
        };
        self.outputs.push_back(Output::Sip {
            destination,
            tls_name: tls_name.clone(),
            key,
            bytes: bytes.clone(),
        });
        self.outgoing_by_key.insert(key, id);
        if method != Method::Ack {
            self.outgoing_by_branch.insert((branch.clone(), method.to_string()), id);
        }
        // RFC 3263 section 4.3 waits for the transaction's time-out, 32 s. Nobody waits so long for a call: while there is
        // another server, one that is silent is given up after the fourth copy of the request.
        let others = self.outgoing.get(&id).is_some_and(|outgoing| !outgoing.targets.is_empty());
        let patience = others.then(|| now + timers.t1 * SERVER_PATIENCE);
        let sent = Sent { branch, destination, tls_name, key, bytes, ack: None, machine, patience };
        self.timers.set(TimerOwner::Outgoing(id), sent.next_timeout());
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.sent = Some(sent);
            outgoing.answered_on = None;
        }
    }

    /// Adds what depends on the transport: Via (RFC 3261 section 18.1.1) and Contact.
    fn complete(&self, draft: &Draft, destination: &Destination, branch: &str) -> Request {
        let mut request = draft.request.clone();
        let (transport, address) = (transport_of(destination), self.advertised(destination));
        let via = Via::new(transport, Host::from(address.ip()), Some(address.port()), branch);
        request.headers.push_front(HeaderName::Via, via);
        if let Some(user) = &draft.contact_user {
            request.headers.push(HeaderName::Contact, self.contact(user, destination));
        }
        if !matches!(request.method, Method::Ack | Method::Cancel) {
            request.headers.push(HeaderName::Allow, ALLOW);
            // Reliable provisional responses make sense to the first INVITE only.
            let is_reinvite = request.headers.to().is_ok_and(|to| to.tag().is_some());
            request.headers.push(HeaderName::Supported, if is_reinvite { "timer" } else { SUPPORTED });
        }
        request.headers.push(HeaderName::UserAgent, &self.settings.product);
        request
    }

    /// Sends the same bytes again.
    pub(super) fn resend(&mut self, id: u64) {
        if let Some(sent) = self.outgoing.get(&id).and_then(|outgoing| outgoing.sent.as_ref()) {
            self.outputs.push_back(Output::Sip {
                destination: sent.destination,
                tls_name: sent.tls_name.clone(),
                key: sent.key,
                bytes: sent.bytes.clone(),
            });
        }
    }

    /// One attempt is over: its indices go.
    fn forget_sent(&mut self, id: u64) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        if let Some(sent) = outgoing.sent.take() {
            self.outgoing_by_key.remove(&sent.key);
            let method = outgoing.draft.request.method.to_string();
            self.outgoing_by_branch.remove(&(sent.branch, method));
        }
    }

    /// Forgets a request wholly.
    pub(super) fn remove_outgoing(&mut self, id: u64) {
        self.forget_sent(id);
        self.timers.set(TimerOwner::Outgoing(id), None);
        if let Some(query) = self.outgoing.remove(&id).and_then(|outgoing| outgoing.query) {
            self.outgoing_by_query.remove(&query);
        }
    }

    /// The caller gives up an INVITE: CANCEL goes now, or with the first provisional response (RFC 3261 section 9.1).
    pub(super) fn cancel_invite(&mut self, now: Instant, id: u64, cause: &Cause) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        if outgoing.cancel.is_some() {
            return;
        }
        outgoing.cancel = Some(cause.clone());
        outgoing.targets.clear();
        if outgoing.sent.is_none() {
            return self.remove_outgoing(id);
        }
        self.send_cancel(now, id);
    }

    /// Sends the CANCEL of an INVITE that is to be cancelled and has a provisional response.
    pub(super) fn send_cancel(&mut self, now: Instant, id: u64) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        let (Some(cause), Some(sent)) = (outgoing.cancel.clone(), outgoing.sent.as_mut()) else { return };
        let Machine::Invite(machine) = &mut sent.machine else { return };
        if !machine.is_proceeding() {
            return;
        }
        machine.cancelled(now);
        let deadline = machine.next_timeout();
        let invite = &outgoing.draft.request;
        // Section 9.1: Request-URI, Call-ID, To, the number of CSeq, From, Route and the topmost Via are the INVITE's.
        let mut request = Request::new(Method::Cancel, invite.uri.clone());
        copy_for_hop(invite, &mut request, Method::Cancel);
        request.headers.push(HeaderName::Reason, reason_value(&cause));
        let hop = Hop::Same {
            destination: sent.destination,
            tls_name: sent.tls_name.clone(),
            branch: sent.branch.clone(),
        };
        self.timers.set(TimerOwner::Outgoing(id), deadline);
        self.send_request(
            now,
            Draft { purpose: Purpose::Farewell, request, hop, contact_user: None, guard: None },
        );
    }
}

/// What CANCEL and the ACK of a failure have in common with their INVITE (RFC 3261 sections 9.1 and 17.1.1.3).
pub(super) fn copy_for_hop(invite: &Request, request: &mut Request, method: Method) {
    use HeaderName as H;
    for (name, value) in invite.headers.iter() {
        if [H::MaxForwards, H::Route, H::From, H::To, H::CallId].contains(name) {
            request.headers.push(name.clone(), value);
        }
    }
    let number = invite.headers.cseq().map_or(1, |(number, _)| number);
    request.headers.push(H::CSeq, format_args!("{number} {method}"));
}
