//! What requests of peers bring.

use super::{Agent, Call, Cause, Event, MAX_CALLS, State, message};
use crate::sip::transaction;
use rsip::{Method, Request, SipMessage};
use std::net::SocketAddr;
use std::time::Instant;

impl Agent {
    /// Takes what came from `from`.
    pub(crate) fn handle(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        match message::parse(bytes) {
            Some(SipMessage::Request(request)) => self.on_request(now, from, &request),
            Some(SipMessage::Response(response)) => self.on_response(now, &response),
            // Keep-alives (RFC 5626 section 3.5.1) are no messages.
            None if bytes.iter().all(u8::is_ascii_whitespace) => {}
            None => self.unreadable += 1,
        }
    }

    fn on_request(&mut self, now: Instant, from: SocketAddr, request: &Request) {
        if request.method == Method::Ack {
            self.on_ack(request);
            return;
        }
        if self.transactions.is_repeated(request, &mut self.datagrams) {
            return;
        }
        let dialog = message::call_id(request)
            .zip(message::to_tag(request))
            .and_then(|key| self.by_dialog.get(&key).copied());
        match (request.method, dialog) {
            (Method::Cancel, _) => self.on_cancel(now, from, request),
            (Method::Invite, None) if message::to_tag(request).is_none() => self.on_call(now, from, request),
            (Method::Invite | Method::Update, Some(call)) => self.on_offer(now, from, request, call),
            (Method::Bye, Some(call)) => {
                self.respond(now, from, request, 200);
                self.end(call, Cause::RemoteBye);
            }
            (Method::Message, None) => {
                self.respond(now, from, request, 200);
                let user = self.called(request).unwrap_or_default();
                self.events.push_back(Event::Message { user });
            }
            (Method::Options, _) | (Method::Info | Method::Notify | Method::Message, Some(_)) => {
                self.respond(now, from, request, 200);
            }
            (Method::Refer, Some(_)) => self.respond(now, from, request, 603),
            (_, None) => self.respond(now, from, request, 481),
            (_, Some(_)) => self.respond(now, from, request, 501),
        }
    }

    fn called(&self, request: &Request) -> Option<usize> {
        self.by_name.get(request.uri.user()?).copied()
    }

    fn respond(&mut self, now: Instant, from: SocketAddr, request: &Request, status: u16) {
        let response = message::response(request, status, &message::token(), None, None);
        self.transactions.respond(now, request, &response, from, None, &mut self.datagrams);
    }

    fn on_call(&mut self, now: Instant, from: SocketAddr, request: &Request) {
        if self.calls.len() >= MAX_CALLS {
            return self.respond(now, from, request, 503);
        }
        let Some(user) = self.called(request) else { return self.respond(now, from, request, 404) };
        let Some(call) = Call::incoming(user, request, from) else {
            return self.respond(now, from, request, 400);
        };
        let number = self.add(call);
        let sdp = message::body(&request.body);
        // What is retransmitted from now on finds this response (section 17.2.1).
        let trying = message::response(request, 100, "", None, None);
        self.transactions.respond(now, request, &trying, from, Some(number), &mut self.datagrams);
        self.events.push_back(Event::Incoming { call: number, user, sdp });
    }

    /// An offer of the peer in a call; an UPDATE or INVITE without one is answered at once.
    fn on_offer(&mut self, now: Instant, from: SocketAddr, request: &Request, number: u32) {
        let sdp = message::body(&request.body);
        if request.method == Method::Update && sdp.is_none() {
            return self.respond(now, from, request, 200);
        }
        let Some(call) = self.calls.get_mut(&number) else { return };
        if call.state != State::Up || call.offered.is_some() {
            // RFC 3261 section 14.2.
            return self.respond(now, from, request, 491);
        }
        call.offered = Some((request.clone(), from));
        self.events.push_back(Event::Offered { call: number, sdp });
    }

    fn on_cancel(&mut self, now: Instant, from: SocketAddr, request: &Request) {
        self.respond(now, from, request, 200);
        let branch = message::branch(request);
        let number = self.calls.iter().find_map(|(number, call)| {
            let (invite, _) = call.offered.as_ref()?;
            (call.state == State::Offered && message::branch(invite) == branch).then_some(*number)
        });
        if let Some(number) = number {
            self.respond_offered(now, number, 487, None);
            self.end(number, Cause::Cancelled);
        }
    }

    /// The ACK of a 2xx names the dialog, that of another final response the transaction.
    fn on_ack(&mut self, request: &Request) {
        let key = message::call_id(request).zip(message::to_tag(request));
        let number = key.and_then(|key| self.by_dialog.get(&key).copied());
        let call = number.and_then(|number| self.calls.get_mut(&number));
        match call.and_then(|call| call.unacknowledged.take()) {
            Some(key) => {
                self.transactions.acknowledged(&key);
                self.events.extend(number.map(|call| Event::Acknowledged { call }));
            }
            None => {
                if let Some(key) = transaction::server_key(request) {
                    self.transactions.acknowledged(&key);
                }
            }
        }
    }

    /// Answers a call with a refusal.
    pub(crate) fn refuse(&mut self, now: Instant, number: u32, status: u16) {
        self.respond_offered(now, number, status, None);
        self.end(number, Cause::Status(status));
    }
}
