//! Requests of our peers: matching them to their transactions (RFC 3261 section 17.2.3), the checks of section 8.2, and
//! the way of the responses (section 18.2.2).

use super::timer_queue::TimerOwner;
use super::{ALLOW, CallHandle, Drop, RequestHandle, SUPPORTED, UaEvent, UserAgent};
use crate::party::Cause;
use crate::sip::transaction::{InviteServer, RequestVerdict, Server, ServerTimeout, earliest};
use crate::sip::{HeaderName, Method, ParseError, Request, Response, Uri, Via, default_reason, reply};
use crate::table::shrink;
use crate::transport::{Destination, Flow, Transport};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

/// Seconds after which a client may come again when there are too many transactions.
const OVERLOAD_RETRY_AFTER: u32 = 5;

#[derive(Debug)]
enum Machine {
    Invite(InviteServer),
    NonInvite(Server),
}

/// A request that was received, until its transaction is over.
#[derive(Debug)]
pub(super) struct Incoming {
    machine: Machine,
    pub(super) request: Request,
    pub(super) flow: Flow,
    /// The To tag of our responses.
    pub(super) to_tag: String,
    /// The call that answers it; without one the switch does.
    pub(super) call: Option<CallHandle>,
    key: String,
    merge_key: Option<String>,
    last_response: Option<Vec<u8>>,
    /// Until when an INVITE must have its final response; `None`: it has.
    answer_by: Option<Instant>,
}

/// How to find a transaction.
#[derive(Debug, Default)]
pub(super) struct IncomingKeys {
    by_key: HashMap<String, u64>,
    /// Call-ID, From tag and CSeq of requests outside dialogs: the same with another branch is the same request that
    /// came by another path (RFC 3261 section 8.2.2.2).
    by_merge: HashMap<String, u64>,
}

impl IncomingKeys {
    /// See [`UserAgent::shrink`].
    pub(super) fn shrink(&mut self) {
        shrink(&mut self.by_key);
        shrink(&mut self.by_merge);
    }
}

/// A refusal by section 8.2, before anyone looks at what the request wants.
struct Refusal {
    status: u16,
    header: Option<(HeaderName, String)>,
}

impl Machine {
    fn respond(&mut self, now: Instant, status: u16) -> bool {
        match self {
            Machine::Invite(machine) => machine.respond(now, status),
            Machine::NonInvite(machine) => machine.respond(now, status),
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        match self {
            Machine::Invite(machine) => machine.next_timeout(),
            Machine::NonInvite(machine) => machine.next_timeout(),
        }
    }
}

impl Incoming {
    /// Whether no final response went yet to this INVITE.
    pub(super) fn is_pending_invite(&self) -> bool {
        matches!(&self.machine, Machine::Invite(machine) if machine.is_pending())
    }

    fn next_timeout(&self) -> Option<Instant> {
        earliest(self.machine.next_timeout(), self.answer_by)
    }
}

/// Section 17.2.3; the method of the ACK and of the CANCEL is their INVITE's.
fn transaction_key(request: &Request, via: &Via) -> Option<String> {
    let (number, method) = request.headers.cseq().ok()?;
    let method = if matches!(method, Method::Ack | Method::Cancel) { Method::Invite } else { method };
    let port = via.port.unwrap_or_default();
    match via.branch().filter(|branch| branch.starts_with("z9hG4bK")) {
        Some(branch) => Some(format!("{branch} {}:{port} {method}", via.host)),
        None => {
            // A client of RFC 2543: the ACK's To tag differs from its INVITE's, so the tag is left out.
            let from = request.headers.from().ok()?;
            let (tag, call_id) = (from.tag().unwrap_or_default(), request.headers.call_id().ok()?);
            Some(format!("{call_id} {tag} {number} {} {}:{port} {method}", request.uri, via.host))
        }
    }
}

fn merge_key(request: &Request) -> Option<String> {
    if request.headers.to().ok()?.tag().is_some() {
        return None;
    }
    let from = request.headers.from().ok()?;
    let (number, method) = request.headers.cseq().ok()?;
    Some(format!("{} {} {number} {method}", request.headers.call_id().ok()?, from.tag()?))
}

/// RFC 3261 section 18.2.1 and RFC 3581 section 4: the topmost Via tells where the request really came from.
fn note_source(via: &mut Via, flow: &Flow) {
    let source = flow.remote.ip();
    let has_rport = via.params.has("rport");
    if has_rport {
        via.params.set("rport", Some(&flow.remote.port().to_string()));
    }
    if has_rport || via.host.ip() != Some(source) {
        via.params.set("received", Some(&source.to_string()));
    } else {
        via.params.remove("received");
    }
}

/// The path back to who sent a request (RFC 3261 section 18.2.2). A peer that does not ask for `rport` may listen at
/// another port than it sends from. `maddr` is not followed: it would let anyone send our responses to a third party.
fn response_flow(via: &Via, flow: &Flow) -> Flow {
    if flow.transport != Transport::Udp || via.params.has("rport") {
        return *flow;
    }
    let remote = SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(5060));
    Flow { remote, ..*flow }
}

/// The path on which requests of ours reach who sent a request: where its responses go, but through a NAT always where
/// it sent from, with or without `rport`.
pub(super) fn return_path(via: &Via, flow: &Flow) -> Flow {
    let is_behind_nat = via.host.ip().is_some_and(|host| host != flow.remote.ip());
    if is_behind_nat { *flow } else { response_flow(via, flow) }
}

impl UserAgent {
    pub(super) fn receive_request(&mut self, now: Instant, flow: Flow, mut request: Request) {
        if !self.sources.admit(now, flow.remote.ip()) {
            return self.drops.count(Drop::RateLimited);
        }
        let Ok(mut via) = request.headers.via() else {
            return self.drops.count(Drop::Malformed);
        };
        note_source(&mut via, &flow);
        request.headers.set_first(HeaderName::Via, &via);
        let Some(key) = transaction_key(&request, &via) else {
            return self.drops.count(Drop::Malformed);
        };
        let known = self.incoming_by_key.by_key.get(&key).copied();
        match (known, &request.method) {
            (Some(id), Method::Cancel) => self.receive_cancel(now, id, &flow, &request),
            (None, Method::Cancel) => self.reply_stateless(&flow, &reply(&request, 481, default_reason(481))),
            (Some(id), Method::Ack) => self.receive_transaction_ack(now, id, &request),
            (None, Method::Ack) => self.receive_dialog_ack(now, &request),
            (Some(id), _) => self.receive_again(id),
            (None, _) if self.transactions() >= self.settings.transactions => {
                let mut response = reply(&request, 503, default_reason(503));
                response.headers.push(HeaderName::RetryAfter, OVERLOAD_RETRY_AFTER);
                self.reply_stateless(&flow, &response);
            }
            (None, _) => self.receive_new(now, flow, request, key),
        }
    }

    fn receive_new(&mut self, now: Instant, flow: Flow, request: Request, key: String) {
        let refusal = self.check(&request).err();
        let id = self.next_id();
        let (timers, reliable) = (self.settings.timers, flow.transport.is_reliable());
        let is_invite = request.method == Method::Invite;
        let machine = if is_invite {
            Machine::Invite(InviteServer::new(now, timers, reliable))
        } else {
            Machine::NonInvite(Server::new(now, timers, reliable))
        };
        let merge_key = merge_key(&request).filter(|_| refusal.is_none());
        let to_tag = request.headers.to().ok().and_then(|to| to.tag().map(str::to_owned));
        let in_dialog = to_tag.is_some();
        let to_tag = to_tag.unwrap_or_else(|| self.token());
        self.incoming_by_key.by_key.insert(key.clone(), id);
        if let Some(merge_key) = &merge_key {
            self.incoming_by_key.by_merge.insert(merge_key.clone(), id);
        }
        let incoming = Incoming {
            machine,
            request: request.clone(),
            flow,
            to_tag,
            call: None,
            key,
            merge_key,
            last_response: None,
            // The switch gives up before, unless it forgot the request.
            answer_by: is_invite.then(|| now + self.settings.ring + timers.transaction_timeout()),
        };
        self.timers.set(TimerOwner::Incoming(id), incoming.next_timeout());
        self.incoming.insert(id, incoming);
        if let Some(refusal) = refusal {
            let headers = refusal.header.into_iter().collect();
            return self.refuse(now, id, refusal.status, headers);
        }
        if in_dialog {
            return self.receive_in_dialog(now, id);
        }
        match request.method {
            Method::Register | Method::Options | Method::Message | Method::Subscribe | Method::Invite => {
                let flow = request.headers.via().map_or(flow, |via| return_path(&via, &flow));
                self.events.push_back(UaEvent::Request {
                    handle: RequestHandle(id),
                    flow,
                    request: Box::new(request),
                });
            }
            // attacks.md row 12: nobody makes us call somebody who is in no call with us.
            Method::Refer => self.refuse(now, id, 403, Vec::new()),
            // BYE, PRACK, UPDATE and INFO live in dialogs only.
            _ => self.refuse(now, id, 481, Vec::new()),
        }
    }

    /// The checks of RFC 3261 section 8.2, in its order.
    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let refuse = |status, header| Err(Refusal { status, header });
        let allowed = ALLOW.split(", ").any(|method| method == request.method.as_str());
        if !allowed {
            return refuse(405, Some((HeaderName::Allow, ALLOW.to_owned())));
        }
        if matches!(request.uri, Uri::Other(_)) {
            return refuse(416, None);
        }
        if request.headers.max_forwards() == Ok(Some(0)) && request.method != Method::Options {
            return refuse(483, None);
        }
        if merge_key(request).is_some_and(|key| self.incoming_by_key.by_merge.contains_key(&key)) {
            return refuse(482, None);
        }
        let Ok(required) = request.headers.require() else { return refuse(400, None) };
        let supported = |tag: &str| SUPPORTED.split(", ").any(|each| each.eq_ignore_ascii_case(tag));
        let unsupported: Vec<&str> = required.into_iter().filter(|tag| !supported(tag)).collect();
        if !unsupported.is_empty() {
            return refuse(420, Some((HeaderName::Unsupported, unsupported.join(", "))));
        }
        if request.method == Method::Invite {
            self.check_invite(request)?;
        }
        Ok(())
    }

    fn check_invite(&self, request: &Request) -> Result<(), Refusal> {
        let is_sdp =
            matches!(request.headers.content_type(), Ok(Some(kind)) if kind.media_type == "application/sdp");
        let encoded =
            request.headers.get(HeaderName::ContentEncoding).is_some_and(|encoding| encoding != "identity");
        if !request.body.is_empty() && (!is_sdp || encoded) {
            let header = (HeaderName::Accept, "application/sdp".to_owned());
            return Err(Refusal { status: 415, header: Some(header) });
        }
        // RFC 4028 section 9: only a client that knows the extension understands a 422.
        let interval = request.headers.session_expires().ok().flatten();
        let minimum = self.settings.min_session_expires.as_secs();
        if interval.is_some_and(|each| u64::from(each.seconds) < minimum) && request.headers.supports("timer")
        {
            return Err(Refusal { status: 422, header: Some((HeaderName::MinSe, minimum.to_string())) });
        }
        Ok(())
    }

    fn receive_again(&mut self, id: u64) {
        self.drops.count(Drop::Retransmission);
        let Some(incoming) = self.incoming.get_mut(&id) else { return };
        let verdict = match &mut incoming.machine {
            Machine::Invite(machine) => machine.receive_invite(),
            Machine::NonInvite(machine) => machine.receive(),
        };
        if verdict == RequestVerdict::Retransmit {
            self.send_last_response(id);
        }
    }

    fn receive_transaction_ack(&mut self, now: Instant, id: u64, request: &Request) {
        let Some(incoming) = self.incoming.get_mut(&id) else { return };
        let Machine::Invite(machine) = &mut incoming.machine else { return };
        let verdict = machine.receive_ack(now);
        self.timers.set(TimerOwner::Incoming(id), incoming.next_timeout());
        if verdict == RequestVerdict::Pass {
            self.receive_dialog_ack(now, request);
        }
    }

    /// RFC 3261 section 9.2.
    fn receive_cancel(&mut self, now: Instant, id: u64, flow: &Flow, request: &Request) {
        let Some(incoming) = self.incoming.get(&id) else { return };
        let mut response = reply(request, 200, default_reason(200));
        if let Ok(mut to) = response.headers.to()
            && to.tag().is_none()
        {
            to.set_tag(&incoming.to_tag);
            response.headers.set(HeaderName::To, to);
        }
        let (pending, call) = (incoming.is_pending_invite(), incoming.call);
        self.reply_stateless(flow, &response);
        if !pending {
            return;
        }
        match call {
            Some(call) => self.invite_cancelled(now, id, call, &request.headers),
            None => {
                self.refuse(now, id, 487, Vec::new());
                self.events.push_back(UaEvent::RequestGone { handle: RequestHandle(id) });
            }
        }
    }

    /// Answers a request of [`UaEvent::Request`], provisionally or finally. The response comes from
    /// [`crate::sip::reply`]; the To tag and Server are added. Nothing happens where the request is over already.
    pub fn respond(&mut self, now: Instant, handle: RequestHandle, response: Response) {
        if self.incoming.get(&handle.0).is_some_and(|incoming| incoming.call.is_none()) {
            self.send_response(now, handle.0, response);
        }
    }

    /// Sends a response of a transaction. False: a final one went already.
    pub(super) fn send_response(&mut self, now: Instant, id: u64, mut response: Response) -> bool {
        let Some(incoming) = self.incoming.get_mut(&id) else { return false };
        if response.status > 100
            && let Ok(mut to) = response.headers.to()
            && to.tag().is_none()
        {
            to.set_tag(&incoming.to_tag);
            response.headers.set(HeaderName::To, to);
        }
        response.headers.set(HeaderName::Server, &self.settings.product);
        if !incoming.machine.respond(now, response.status) {
            return false;
        }
        incoming.last_response = Some(response.to_bytes());
        incoming.answer_by.take_if(|_| response.status >= 200);
        self.timers.set(TimerOwner::Incoming(id), incoming.next_timeout());
        self.send_last_response(id);
        true
    }

    /// A response without a body.
    pub(super) fn refuse(&mut self, now: Instant, id: u64, status: u16, headers: Vec<(HeaderName, String)>) {
        let Some(incoming) = self.incoming.get(&id) else { return };
        let mut response = reply(&incoming.request, status, default_reason(status));
        for (name, value) in headers {
            response.headers.push(name, value);
        }
        self.send_response(now, id, response);
    }

    fn send_last_response(&mut self, id: u64) {
        let Some(incoming) = self.incoming.get(&id) else { return };
        let (Some(bytes), Ok(via)) = (incoming.last_response.clone(), incoming.request.headers.via()) else {
            return;
        };
        let flow = response_flow(&via, &incoming.flow);
        self.send_bytes(Destination::Flow(flow), bytes);
    }

    /// Sends a 2xx or a reliable provisional response again, which is no affair of the transaction.
    pub(super) fn send_outside_transaction(&mut self, request: &Request, flow: &Flow, bytes: Vec<u8>) {
        if let Ok(via) = request.headers.via() {
            self.send_bytes(Destination::Flow(response_flow(&via, flow)), bytes);
        }
    }

    /// Answers without keeping anything.
    fn reply_stateless(&mut self, flow: &Flow, response: &Response) {
        let mut response = response.clone();
        if let Ok(mut to) = response.headers.to()
            && to.tag().is_none()
        {
            to.set_tag(&self.token());
            response.headers.set(HeaderName::To, to);
        }
        if let Ok(via) = response.headers.via() {
            self.send_bytes(Destination::Flow(response_flow(&via, flow)), response.to_bytes());
        }
    }

    pub(super) fn refuse_malformed(&mut self, now: Instant, flow: Flow, error: &ParseError) {
        self.drops.count(Drop::Malformed);
        let Some(mut response) = error.response() else { return };
        if !self.sources.admit(now, flow.remote.ip()) {
            return;
        }
        if let Ok(mut via) = response.headers.via() {
            note_source(&mut via, &flow);
            response.headers.set_first(HeaderName::Via, via);
        }
        self.reply_stateless(&flow, &response);
    }

    pub(super) fn incoming_timeout(&mut self, now: Instant, id: u64) {
        let Some(incoming) = self.incoming.get_mut(&id) else { return };
        if incoming.answer_by.take_if(|at| now >= *at).is_some() {
            return self.unanswered(now, id);
        }
        let due = match &mut incoming.machine {
            Machine::Invite(machine) => machine.handle_timeout(now),
            Machine::NonInvite(machine) => machine.handle_timeout(now),
        };
        self.timers.set(TimerOwner::Incoming(id), incoming.next_timeout());
        match due {
            Some(ServerTimeout::Trying) => self.refuse(now, id, 100, Vec::new()),
            Some(ServerTimeout::Retransmit) => self.send_last_response(id),
            Some(ServerTimeout::TimedOut | ServerTimeout::Terminated) => self.remove_incoming(id),
            None => {}
        }
    }

    /// The switch never answered an INVITE: whoever waits for it, here and at the peer, is let go.
    fn unanswered(&mut self, now: Instant, id: u64) {
        let call = self.incoming.get(&id).and_then(|incoming| incoming.call);
        self.refuse(now, id, 408, Vec::new());
        match call.map(|call| (call, self.calls.get_mut(&call))) {
            None => self.events.push_back(UaEvent::RequestGone { handle: RequestHandle(id) }),
            Some((call, Some(each))) if each.invite == id => {
                self.hung_up(call, Cause::new(408, default_reason(408)));
            }
            // A re-INVITE: the session goes on as it was.
            Some((_, Some(each))) => each.offers.forget_remote(id),
            Some((_, None)) => {}
        }
    }

    fn remove_incoming(&mut self, id: u64) {
        self.timers.set(TimerOwner::Incoming(id), None);
        if let Some(incoming) = self.incoming.remove(&id) {
            // An UPDATE that was never answered must not keep later offers away.
            if let Some(each) = incoming.call.and_then(|call| self.calls.get_mut(&call)) {
                each.offers.forget_remote(id);
            }
            self.incoming_by_key.by_key.remove(&incoming.key);
            if let Some(merge_key) = incoming.merge_key {
                self.incoming_by_key.by_merge.remove(&merge_key);
            }
        }
    }
}
