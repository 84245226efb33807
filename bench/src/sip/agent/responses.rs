//! What responses to our requests bring.

use super::{Agent, Cause, Event, Purpose, State, message};
use crate::sip::transaction::{Datagram, Matched};
use rsip::{Method, Response};
use std::time::Instant;

impl Agent {
    pub(super) fn on_response(&mut self, now: Instant, response: &Response) {
        let Some(matched) = self.transactions.on_response(now, response, &mut self.datagrams) else {
            self.acknowledge_again(response);
            return;
        };
        let status = response.status_code.code();
        if matches!(status, 401 | 407) && self.answer_challenge(now, response, &matched) {
            return;
        }
        match (matched.purpose, status) {
            (Purpose::Invite(call), 100..=199) => self.on_progress(now, call, status, response),
            (Purpose::Invite(call), 200..=299) => self.on_answer(now, call, response),
            (Purpose::Invite(call), _) => {
                let cancelled = self.calls.get(&call).is_some_and(|call| call.cancelled);
                self.end(call, if cancelled && status == 487 { Cause::Cancelled } else { refusal(status) });
            }
            (Purpose::Reinvite(call), 200..=299) => {
                self.acknowledge(call, response);
                let sdp = message::body(&response.body);
                self.events.push_back(Event::Reanswered { call, sdp });
            }
            // RFC 3261 section 15.1.2: whatever a BYE is answered with, the call is over.
            (Purpose::Bye(call), 200..) => {
                let fine = matches!(status, 200..=299 | 481);
                self.end(call, if fine { Cause::LocalBye } else { refusal(status) });
            }
            (Purpose::Refer(call), 200..=299) => self.events.push_back(Event::Referred { call }),
            (Purpose::Register(user), 200..=299) => self.events.push_back(Event::Registered { user }),
            (Purpose::Unregister(user), 200..=299) => self.events.push_back(Event::Unregistered { user }),
            (Purpose::Message(user), 200..=299) => self.events.push_back(Event::Delivered { user }),
            (_, 100..=199) => {}
            (purpose, _) => self.give_up(purpose, refusal(status)),
        }
    }

    /// Sends the request once more with credentials; whether it could.
    fn answer_challenge(&mut self, now: Instant, response: &Response, matched: &Matched) -> bool {
        let was_authorized = matched.request.headers.iter().any(|header| {
            matches!(header, rsip::Header::Authorization(_) | rsip::Header::ProxyAuthorization(_))
        });
        if was_authorized {
            return false;
        }
        let Some((number, _)) = message::cseq(&matched.request) else { return false };
        let (user, cseq) = match matched.purpose {
            Purpose::Register(user) | Purpose::Unregister(user) | Purpose::Message(user) => {
                (user, number + 1)
            }
            Purpose::Invite(call) | Purpose::Reinvite(call) | Purpose::Bye(call) | Purpose::Refer(call) => {
                let Some(call) = self.calls.get_mut(&call) else { return false };
                call.cseq += 1;
                (call.user, call.cseq)
            }
            Purpose::Cancel => return false,
        };
        let Some(user) = self.user(user) else { return false };
        let Some(request) = message::authorized(&matched.request, response, cseq, user) else { return false };
        if let Purpose::Invite(call) | Purpose::Reinvite(call) = matched.purpose
            && let Some(call) = self.calls.get_mut(&call)
        {
            call.invite = Some(request.clone());
        }
        self.send(now, request, matched.to, matched.purpose);
        true
    }

    fn on_progress(&mut self, now: Instant, number: u32, status: u16, response: &Response) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if call.state == State::Calling {
            call.state = State::Proceeding;
            if call.cancelled {
                self.cancel(now, number);
            }
        }
        if status > 100 {
            self.events.push_back(Event::Progress { call: number, sdp: message::body(&response.body) });
        }
    }

    fn on_answer(&mut self, now: Instant, number: u32, response: &Response) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.state = State::Up;
        call.learn(response);
        let lost = call.cancelled;
        self.acknowledge(number, response);
        if lost {
            // Section 9.1: a CANCEL that met a final response changes nothing; the caller must hang up.
            self.bye(now, number);
        }
        self.events.push_back(Event::Answered { call: number, sdp: message::body(&response.body) });
    }

    /// ACKs a 2xx: a request of its own in the dialog, with the INVITE's number (section 13.2.2.4).
    fn acknowledge(&mut self, number: u32, response: &Response) {
        let Some((cseq, _)) = message::cseq(response) else { return };
        let Some(call) = self.calls.get_mut(&number) else { return };
        let next = call.cseq;
        call.cseq = cseq - 1;
        let Some(ack) = self.in_dialog(number, Method::Ack, Vec::new(), None) else { return };
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.cseq = next;
        let bytes = ack.to_string().into_bytes();
        call.ack = Some((cseq, bytes.clone()));
        self.datagrams.push_back(Datagram { to: call.peer, bytes });
    }

    /// A 2xx that came again: our ACK was lost.
    fn acknowledge_again(&mut self, response: &Response) {
        let key = message::call_id(response).zip(message::from_tag(response));
        let Some(number) = key.and_then(|key| self.by_dialog.get(&key)) else { return };
        let Some(call) = self.calls.get(number) else { return };
        let Some((cseq, ack)) = &call.ack else { return };
        if message::cseq(response) == Some((*cseq, Method::Invite)) && response.status_code.code() / 100 == 2
        {
            self.datagrams.push_back(Datagram { to: call.peer, bytes: ack.clone() });
        }
    }
}

fn refusal(status: u16) -> Cause {
    if matches!(status, 401 | 407) { Cause::Credentials } else { Cause::Status(status) }
}
