//! Many user agents behind one address, without I/O: they register, call, answer and hang up as they are told.
//!
//! Everything goes to one server, or back to where a peer's request came from: load needs no DNS.

mod requests;
mod responses;

use super::call::{Call, State};
use super::event::{Cause, Event};
use super::message::{self, Credentials, Outline};
use super::transaction::{Datagram, Expired, Purpose, Transactions};
use rsip::headers::UntypedHeader;
use rsip::{Header, Method, Request, Uri};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

/// Calls of one agent at once.
pub(crate) const MAX_CALLS: usize = 50_000;
const SDP: &str = "application/sdp";

/// Where an agent stands.
#[derive(Clone)]
pub(crate) struct Settings {
    /// The server: registrar and proxy.
    pub(crate) server: SocketAddr,
    /// `UDP` or `WS`, as `Via` names it.
    pub(crate) transport: &'static str,
    /// What `Via` and `Contact` show: host and port.
    pub(crate) host: String,
    pub(crate) domain: String,
    pub(crate) users: Vec<Credentials>,
}

/// User agents that share one transport.
pub(crate) struct Agent {
    settings: Settings,
    by_name: HashMap<String, usize>,
    calls: HashMap<u32, Call>,
    by_dialog: HashMap<(String, String), u32>,
    next_call: u32,
    transactions: Transactions,
    datagrams: VecDeque<Datagram>,
    events: VecDeque<Event>,
    /// Messages that `rsip` refused.
    pub(crate) unreadable: u64,
}

impl Agent {
    pub(crate) fn new(settings: Settings) -> Agent {
        let by_name =
            settings.users.iter().enumerate().map(|(index, user)| (user.name.clone(), index)).collect();
        Agent {
            transactions: Transactions::new(settings.transport != "UDP"),
            settings,
            by_name,
            calls: HashMap::new(),
            by_dialog: HashMap::new(),
            next_call: 0,
            datagrams: VecDeque::new(),
            events: VecDeque::new(),
            unreadable: 0,
        }
    }

    /// The next message to send.
    pub(crate) fn poll_datagram(&mut self) -> Option<Datagram> {
        self.datagrams.pop_front()
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.transactions.next_timeout()
    }

    /// Retransmits and gives up as the timers say.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(expired) = self.transactions.handle_timeout(now, &mut self.datagrams) {
            match expired {
                Expired::Unanswered(purpose) => self.give_up(purpose, Cause::Timeout),
                Expired::Unacknowledged(call) => {
                    self.end(call, Cause::NoAck);
                }
            }
        }
    }

    /// Registers `user` for `expires` seconds; 0 takes the registration away.
    pub(crate) fn register(&mut self, now: Instant, user: usize, expires: u32) {
        let contact = self.contact(user);
        let address = self.address(user);
        let from = format!("{address};tag={}", message::token());
        let Ok(target) = Uri::try_from(format!("sip:{}", self.settings.domain)) else { return };
        let request = message::request(Outline {
            method: Method::Register,
            target,
            transport: self.settings.transport,
            sent_by: &self.settings.host,
            from: &from,
            to: &address,
            call_id: &message::token(),
            cseq: 1,
            routes: &[],
            contact: Some(&contact),
            more: vec![Header::Expires(rsip::headers::Expires::new(expires.to_string()))],
            body: None,
        });
        let purpose = if expires == 0 { Purpose::Unregister(user) } else { Purpose::Register(user) };
        self.send(now, request, self.settings.server, purpose);
    }

    /// Calls `target`, a URI, or a name in the domain. The number is the call's in all events.
    pub(crate) fn call(&mut self, now: Instant, user: usize, target: &str, sdp: &str) -> Result<u32, Cause> {
        if self.calls.len() >= MAX_CALLS {
            return Err(Cause::Full);
        }
        let target = self.uri(target).ok_or(Cause::Description)?;
        let call = Call::outgoing(user, &self.address(user), target, self.settings.server);
        let number = self.add(call);
        self.invite(now, number, sdp, Purpose::Invite(number));
        Ok(number)
    }

    /// The number that the next call will have.
    pub(crate) fn upcoming_call(&self) -> u32 {
        self.next_call.wrapping_add(1)
    }

    fn add(&mut self, call: Call) -> u32 {
        self.next_call = self.upcoming_call();
        self.by_dialog.insert(call.key(), self.next_call);
        self.calls.insert(self.next_call, call);
        self.next_call
    }

    fn invite(&mut self, now: Instant, number: u32, sdp: &str, purpose: Purpose) {
        let Some(request) = self.in_dialog(number, Method::Invite, Vec::new(), Some((SDP, sdp))) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.invite = Some(request.clone());
        let peer = call.peer;
        self.send(now, request, peer, purpose);
    }

    /// Offers anew within the call.
    pub(crate) fn reinvite(&mut self, now: Instant, number: u32, sdp: &str) {
        self.invite(now, number, sdp, Purpose::Reinvite(number));
    }

    /// Says that the user is alerted.
    pub(crate) fn ring(&mut self, now: Instant, number: u32) {
        self.respond_offered(now, number, 180, None);
    }

    /// Answers an INVITE or UPDATE of the peer.
    pub(crate) fn answer(&mut self, now: Instant, number: u32, sdp: &str) {
        self.respond_offered(now, number, 200, Some(sdp));
    }

    fn respond_offered(&mut self, now: Instant, number: u32, status: u16, sdp: Option<&str>) {
        let Some(user) = self.calls.get(&number).map(|call| call.user) else { return };
        let contact = self.contact(user);
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Some((request, from)) = call.offered.clone() else { return };
        let response = message::response(&request, status, &call.local_tag, Some(&contact), sdp);
        if status >= 200 {
            call.offered = None;
            if status < 300 && request.method == Method::Invite {
                call.state = State::Up;
                call.unacknowledged = super::transaction::server_key(&request);
            }
        }
        self.transactions.respond(now, &request, &response, from, Some(number), &mut self.datagrams);
    }

    /// Gives up a call that we began and that is not answered yet (section 9.1).
    pub(crate) fn cancel(&mut self, now: Instant, number: u32) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.cancelled = true;
        if call.state != State::Proceeding {
            return;
        }
        let Some(invite) = &call.invite else { return };
        let (cancel, peer) = (message::companion(invite, Method::Cancel, None), call.peer);
        self.send(now, cancel, peer, Purpose::Cancel);
    }

    /// Hangs up.
    pub(crate) fn bye(&mut self, now: Instant, number: u32) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        match call.state {
            State::Up => {
                call.state = State::Leaving;
                let peer = call.peer;
                if let Some(request) = self.in_dialog(number, Method::Bye, Vec::new(), None) {
                    self.send(now, request, peer, Purpose::Bye(number));
                }
            }
            State::Calling | State::Proceeding => self.cancel(now, number),
            State::Offered => {
                self.respond_offered(now, number, 486, None);
                self.end(number, Cause::LocalBye);
            }
            State::Leaving => {}
        }
    }

    /// Asks the peer to call `target` instead (RFC 3515).
    pub(crate) fn refer(&mut self, now: Instant, number: u32, target: &str) {
        let Some(target) = self.uri(target) else { return };
        let more = vec![Header::Other("Refer-To".into(), format!("<{target}>"))];
        let Some(request) = self.in_dialog(number, Method::Refer, more, None) else { return };
        let Some(peer) = self.calls.get(&number).map(|call| call.peer) else { return };
        self.send(now, request, peer, Purpose::Refer(number));
    }

    /// Sends a text (RFC 3428).
    pub(crate) fn message(&mut self, now: Instant, user: usize, target: &str, text: &str) {
        let Some(target) = self.uri(target) else { return };
        let from = format!("{};tag={}", self.address(user), message::token());
        let to = format!("<{target}>");
        let request = message::request(Outline {
            method: Method::Message,
            target,
            transport: self.settings.transport,
            sent_by: &self.settings.host,
            from: &from,
            to: &to,
            call_id: &message::token(),
            cseq: 1,
            routes: &[],
            contact: None,
            more: Vec::new(),
            body: Some(("text/plain", text)),
        });
        self.send(now, request, self.settings.server, Purpose::Message(user));
    }

    fn in_dialog(
        &mut self,
        number: u32,
        method: Method,
        more: Vec<Header>,
        body: Option<(&str, &str)>,
    ) -> Option<Request> {
        let contact = self.contact(self.calls.get(&number)?.user);
        let call = self.calls.get_mut(&number)?;
        call.cseq += 1;
        Some(message::request(Outline {
            method,
            target: call.target.clone(),
            transport: self.settings.transport,
            sent_by: &self.settings.host,
            from: &call.local,
            to: &call.remote,
            call_id: &call.call_id,
            cseq: call.cseq,
            routes: &call.routes,
            contact: (method != Method::Bye).then_some(contact.as_str()),
            more,
            body,
        }))
    }

    fn send(&mut self, now: Instant, request: Request, to: SocketAddr, purpose: Purpose) {
        if !self.transactions.start(now, request, to, purpose, &mut self.datagrams) {
            self.give_up(purpose, Cause::Full);
        }
    }

    /// A request of ours has come to nothing.
    fn give_up(&mut self, purpose: Purpose, cause: Cause) {
        match purpose {
            Purpose::Register(user) => self.events.push_back(Event::RegistrationFailed { user, cause }),
            Purpose::Unregister(user) => self.events.push_back(Event::Unregistered { user }),
            Purpose::Invite(call) => self.end(call, cause),
            Purpose::Reinvite(call) | Purpose::Refer(call) => {
                self.events.push_back(Event::Refused { call, cause });
            }
            Purpose::Bye(call) => self.end(call, cause),
            Purpose::Message(user) => self.events.push_back(Event::NotDelivered { user, cause }),
            Purpose::Cancel => {}
        }
    }

    /// Forgets a call and says so.
    fn end(&mut self, number: u32, cause: Cause) {
        if let Some(call) = self.calls.remove(&number) {
            self.by_dialog.remove(&call.key());
            self.events.push_back(Event::Ended { call: number, cause });
        }
    }

    fn uri(&self, target: &str) -> Option<Uri> {
        if target.starts_with("sip:") {
            return Uri::try_from(target).ok();
        }
        Uri::try_from(format!("sip:{target}@{}", self.settings.domain)).ok()
    }

    fn user(&self, user: usize) -> Option<&Credentials> {
        self.settings.users.get(user)
    }

    fn name(&self, user: usize) -> &str {
        self.user(user).map_or("anonymous", |user| user.name.as_str())
    }

    fn address(&self, user: usize) -> String {
        format!("<sip:{}@{}>", self.name(user), self.settings.domain)
    }

    fn contact(&self, user: usize) -> String {
        let parameter = if self.settings.transport == "WS" { ";transport=ws" } else { "" };
        format!("<sip:{}@{}{parameter}>", self.name(user), self.settings.host)
    }
}

#[cfg(test)]
mod tests;
