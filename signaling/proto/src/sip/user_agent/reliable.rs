//! Reliable provisional responses (RFC 3262).

use super::call::{Stage, sdp_of, set_sdp};
use super::outgoing::Purpose;
use super::{CallHandle, UaError, UserAgent};
use crate::party::{Cause, Signal};
use crate::sip::transaction::Backoff;
use crate::sip::{HeaderName, Method, RAck, limits};
use std::collections::VecDeque;
use std::time::Instant;

/// A response that waits for its PRACK.
#[derive(Debug)]
struct Pending {
    rseq: u32,
    bytes: Vec<u8>,
    has_sdp: bool,
    backoff: Backoff,
    until: Instant,
}

/// The callee's side of a call.
#[derive(Debug, Default)]
pub(super) struct Reliable {
    last_rseq: Option<u32>,
    pending: Option<Pending>,
    /// Section 3: the next one is not sent before the first is acknowledged.
    queue: VecDeque<(u16, Option<Vec<u8>>)>,
    /// A description went reliably: offer and answer are, or will be, complete before the 2xx.
    answered: bool,
    /// The switch answered; the 2xx waits.
    answer: Option<Option<Vec<u8>>>,
}

impl Reliable {
    pub(super) fn is_answered(&self) -> bool {
        self.answered
    }

    /// Whether the 2xx must wait (section 3).
    pub(super) fn must_wait(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.has_sdp)
            || self.queue.iter().any(|(_, sdp)| sdp.is_some())
    }

    pub(super) fn answer_later(&mut self, sdp: Option<Vec<u8>>) {
        self.answer = Some(sdp);
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.pending.as_ref().map(|pending| pending.backoff.at.min(pending.until))
    }
}

impl UserAgent {
    pub(super) fn progress_reliably(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: u16,
        sdp: Option<Vec<u8>>,
    ) -> Result<(), UaError> {
        let each = self.calls.get_mut(&call).ok_or(UaError::Over)?;
        each.reliable.answered |= sdp.is_some();
        if each.reliable.queue.len() >= limits::RELIABLE_QUEUE {
            return Err(UaError::OutOfState);
        }
        each.reliable.queue.push_back((status, sdp));
        self.send_next_reliable(now, call);
        Ok(())
    }

    fn send_next_reliable(&mut self, now: Instant, call: CallHandle) {
        let first_rseq = self.dice.u32(1..1 << 30);
        let timers = self.settings.timers;
        let Some(each) = self.calls.get_mut(&call).filter(|each| each.reliable.pending.is_none()) else {
            return;
        };
        let Some((status, sdp)) = each.reliable.queue.pop_front() else { return };
        let rseq = each.reliable.last_rseq.map_or(first_rseq, |last| last.wrapping_add(1));
        each.reliable.last_rseq = Some(rseq);
        let id = each.invite;
        let Some(mut response) = self.dialog_response(call, id, status) else { return };
        response.headers.push(HeaderName::Require, "100rel");
        response.headers.push(HeaderName::RSeq, rseq);
        let has_sdp = sdp.is_some();
        if let Some(sdp) = sdp {
            set_sdp(&mut response.headers, &mut response.body, sdp);
        }
        let bytes = response.to_bytes();
        if !self.send_response(now, id, response) {
            return;
        }
        if let Some(each) = self.calls.get_mut(&call) {
            let backoff = Backoff::new(now, timers.t1, timers.transaction_timeout());
            let until = now + timers.transaction_timeout();
            each.reliable.pending = Some(Pending { rseq, bytes, has_sdp, backoff, until });
        }
    }

    pub(super) fn reliable_timeout(&mut self, now: Instant, call: CallHandle) {
        let Some(each) = self.calls.get_mut(&call) else { return };
        let invite = each.invite;
        if each.stage != Stage::Ringing {
            each.reliable.pending = None;
            return;
        }
        let Some(pending) = each.reliable.pending.as_mut() else { return };
        if now >= pending.until {
            // Section 3: "the UAS SHOULD reject the original request with a 5xx response".
            self.refuse(now, invite, 504, Vec::new());
            self.hung_up(call, Cause::new(504, "A provisional response was not acknowledged"));
        } else if now >= pending.backoff.at {
            pending.backoff.advance(now);
            let bytes = pending.bytes.clone();
            if let Some(incoming) = self.incoming.get(&invite) {
                let (request, flow) = (incoming.request.clone(), incoming.flow);
                self.send_outside_transaction(&request, &flow, bytes);
            }
        }
    }

    pub(super) fn receive_prack(&mut self, now: Instant, id: u64, call: CallHandle) {
        let Some(request) = self.incoming.get(&id).map(|incoming| incoming.request.clone()) else { return };
        let Some(each) = self.calls.get_mut(&call) else { return };
        let invite_cseq =
            self.incoming.get(&each.invite).and_then(|invite| invite.request.headers.cseq().ok());
        let rack = request.headers.rack().ok().flatten();
        let matches = |rseq: u32| {
            rack.as_ref().is_some_and(|rack| {
                rack.rseq == rseq
                    && rack.method == Method::Invite
                    && invite_cseq.as_ref().is_some_and(|(number, _)| *number == rack.cseq)
            })
        };
        let Some(pending) = each.reliable.pending.take_if(|pending| matches(pending.rseq)) else {
            return self.refuse(now, id, 481, Vec::new());
        };
        let had_offer = each.had_offer;
        match sdp_of(&request.headers, &request.body) {
            Some(sdp) if pending.has_sdp && !had_offer => {
                self.refuse(now, id, 200, Vec::new());
                self.signal_up(call, Signal::LateAnswer { sdp });
            }
            // Section 5: a PRACK may carry the next offer; its 2xx carries the answer.
            Some(sdp) if each.reliable.answered => self.pass_remote_offer(now, id, call, Some(sdp)),
            _ => self.refuse(now, id, 200, Vec::new()),
        }
        self.send_next_reliable(now, call);
        let Some(each) = self.calls.get_mut(&call) else { return };
        if !each.reliable.must_wait()
            && let Some(sdp) = each.reliable.answer.take()
            && self.answer(now, call, sdp).is_err()
        {
            self.refuse_pending_offer(now, call);
        }
    }

    /// Acknowledges a reliable provisional response in the dialog heard of last (section 4).
    pub(super) fn send_prack(
        &mut self,
        now: Instant,
        call: CallHandle,
        rseq: u32,
        cseq: u32,
        sdp: Option<Vec<u8>>,
    ) {
        let Some(mut draft) = self.draft(call, Method::Prack, Purpose::InDialog(call)) else { return };
        let rack = RAck { rseq, cseq, method: Method::Invite };
        draft.request.headers.push(HeaderName::RAck, rack);
        if let Some(sdp) = sdp {
            set_sdp(&mut draft.request.headers, &mut draft.request.body, sdp);
        }
        self.send_request(now, draft);
    }

    /// The switch answers an offer that came in a reliable provisional response.
    pub(super) fn prack_with_answer(
        &mut self,
        now: Instant,
        call: CallHandle,
        sdp: Vec<u8>,
    ) -> Result<(), UaError> {
        let each = self.calls.get_mut(&call).ok_or(UaError::Over)?;
        let waiting = each.forks.iter().rposition(|fork| fork.prack_waits.is_some());
        let fork = each.forks.remove(waiting.ok_or(UaError::OutOfState)?);
        each.forks.push(fork);
        let fork = each.forks.last_mut().ok_or(UaError::Over)?;
        let (rseq, cseq) = fork.prack_waits.take().ok_or(UaError::OutOfState)?;
        fork.is_answered = true;
        each.local_sdp = Some(sdp.clone());
        self.send_prack(now, call, rseq, cseq, Some(sdp));
        Ok(())
    }
}
