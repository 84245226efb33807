//! Responses to our requests, and what becomes of a request without one.

use super::outgoing::{Failure, Machine, Outcome, Purpose, copy_for_hop, transport_of};
use super::timer_queue::TimerOwner;
use super::{Drop, UserAgent};
use crate::sip::transaction::{ClientTimeout, ResponseVerdict};
use crate::sip::{HeaderName, Host, Method, Request, Response, Via};
use crate::switch::Output;
use crate::transport::Flow;
use std::time::Instant;

impl UserAgent {
    pub(super) fn receive_response(&mut self, now: Instant, flow: Flow, response: Response) {
        let Some(id) = self.outgoing_of(&response) else {
            return self.drops.count(Drop::StrayResponse);
        };
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        let Some(sent) = outgoing.sent.as_mut() else { return };
        let verdict = match &mut sent.machine {
            Machine::Invite(machine) => machine.receive(now, response.status),
            Machine::NonInvite(machine) => machine.receive(now, response.status),
            Machine::Ack(_) => ResponseVerdict::Absorb,
        };
        sent.heard();
        self.servers.answered(&sent.destination);
        outgoing.answered_on = Some(flow);
        outgoing.reached |= response.is_provisional() && response.status > 100;
        self.timers.set(TimerOwner::Outgoing(id), sent.next_timeout());
        match verdict {
            ResponseVerdict::Absorb => self.drops.count(Drop::Retransmission),
            ResponseVerdict::Ack => self.acknowledge_failure(id, None),
            ResponseVerdict::Pass => self.take_response(now, id, response),
            ResponseVerdict::PassAndAck => {
                self.acknowledge_failure(id, Some(&response));
                self.take_response(now, id, response);
            }
        }
    }

    /// RFC 3261 section 17.1.3: the branch and the method of CSeq tell the transaction. More than one Via means that the
    /// response is not for us (section 8.1.3.3).
    fn outgoing_of(&self, response: &Response) -> Option<u64> {
        let (via, (_, method)) = (response.headers.via().ok()?, response.headers.cseq().ok()?);
        if response.headers.all(HeaderName::Via).count() > 1 {
            return None;
        }
        let key = (via.branch()?.to_owned(), method.to_string());
        self.outgoing_by_branch.get(&key).copied()
    }

    /// The ACK to a final response of 300 and above (RFC 3261 section 17.1.1.3).
    fn acknowledge_failure(&mut self, id: u64, response: Option<&Response>) {
        let Some(outgoing) = self.outgoing.get(&id) else { return };
        let Some(sent) = outgoing.sent.as_ref() else { return };
        let bytes = match (response, &sent.ack) {
            (None, Some(ack)) => ack.clone(),
            (None, None) => return,
            (Some(response), _) => {
                let invite = &outgoing.draft.request;
                let mut ack = Request::new(Method::Ack, invite.uri.clone());
                let address = self.advertised(&sent.destination);
                let host = Host::from(address.ip());
                let via = Via::new(transport_of(&sent.destination), host, Some(address.port()), &sent.branch);
                ack.headers.push(HeaderName::Via, via);
                copy_for_hop(invite, &mut ack, Method::Ack);
                if let Some(to) = response.headers.get(HeaderName::To) {
                    ack.headers.set(HeaderName::To, to);
                }
                ack.to_bytes()
            }
        };
        let (destination, tls_name, key) = (sent.destination, sent.tls_name.clone(), sent.key);
        if let Some(sent) = self.outgoing.get_mut(&id).and_then(|outgoing| outgoing.sent.as_mut()) {
            sent.ack = Some(bytes.clone());
        }
        self.outputs.push_back(Output::Sip { destination, tls_name, key, bytes });
    }

    fn take_response(&mut self, now: Instant, id: u64, response: Response) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        if response.is_provisional() {
            self.send_cancel(now, id);
            return self.tell(now, id, Outcome::Response(response));
        }
        // RFC 3263 section 4.3: a 503 is a failure of this server alone.
        if response.status == 503 {
            let retry_after = response.headers.retry_after().ok().flatten();
            if let Some(sent) = &outgoing.sent {
                self.servers.failed(now, &sent.destination, retry_after);
            }
            if !outgoing.targets.is_empty() {
                return self.try_next_target(now, id, Failure::Transport);
            }
        }
        if matches!(response.status, 401 | 407) && self.answer_challenge(now, id, &response) {
            return;
        }
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.targets.clear();
        }
        self.tell(now, id, Outcome::Response(response));
    }

    /// An attempt failed: the next server is tried, unless the callee was reached or the caller gave up.
    pub(super) fn outgoing_failed(&mut self, now: Instant, id: u64, failure: Failure) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        if outgoing.sent.as_ref().is_some_and(super::outgoing::Sent::is_completed)
            && outgoing.draft.request.method != Method::Ack
        {
            // The outcome was told; what failed was an ACK or a late report.
            return;
        }
        if let Some(sent) = outgoing.sent.as_ref().filter(|_| outgoing.answered_on.is_none()) {
            self.servers.failed(now, &sent.destination, None);
        }
        if outgoing.reached || outgoing.is_cancelled() {
            outgoing.targets.clear();
        }
        self.try_next_target(now, id, failure);
    }

    /// A request ended without a response.
    pub(super) fn finish_outgoing(&mut self, now: Instant, id: u64, outcome: Outcome) {
        self.tell(now, id, outcome);
        self.remove_outgoing(id);
    }

    fn tell(&mut self, now: Instant, id: u64, outcome: Outcome) {
        let Some(outgoing) = self.outgoing.get(&id) else { return };
        match outgoing.draft.purpose {
            Purpose::Invite(call) => self.invite_outcome(now, id, call, outcome),
            Purpose::Offer(call) => self.offer_outcome(now, id, call, outcome),
            Purpose::Refresh(call) => self.refresh_outcome(now, id, call, outcome),
            Purpose::InDialog(call) => self.end_if_gone(now, call, &outcome),
            Purpose::Info(call) => self.info_outcome(now, call, &outcome),
            Purpose::Digit(call, digit) => self.digit_outcome(now, call, digit, &outcome),
            Purpose::Referral(call) => self.referral_outcome(now, id, call, &outcome),
            Purpose::Farewell => {}
            Purpose::Message(handle) => self.message_outcome(handle, &outcome),
            Purpose::Notify(subscriber) => self.notify_outcome(now, subscriber, &outcome),
            Purpose::Register(handle) => self.register_outcome(now, id, handle, outcome),
            Purpose::KeepAlive(handle) => self.keep_alive_outcome(now, handle, &outcome),
        }
    }

    pub(super) fn outgoing_timeout(&mut self, now: Instant, id: u64) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        let Some(sent) = outgoing.sent.as_mut() else {
            return self.outgoing_failed(now, id, Failure::Unresolved);
        };
        let due = sent.handle_timeout(now);
        self.timers.set(TimerOwner::Outgoing(id), sent.next_timeout());
        match due {
            Some(ClientTimeout::Retransmit) => self.resend(id),
            Some(ClientTimeout::TimedOut) => self.outgoing_failed(now, id, Failure::Timeout),
            Some(ClientTimeout::Terminated) => self.remove_outgoing(id),
            None => {}
        }
    }
}
