//! A call: one INVITE and the dialogs it makes.

use super::challenge::Guard;
use super::info::Digit;
use super::outgoing::{Draft, Hop, Outcome, Purpose};
use super::refer::Referrals;
use super::reliable::Reliable;
use super::session_timer::SessionTimer;
use super::timer_queue::TimerOwner;
use super::{CallHandle, UaError, UaEvent, UserAgent, offer, reason_value};
use crate::party::{Cause, DigitFormat, Signal};
use crate::sip::dialog::Dialog;
use crate::sip::transaction::{Backoff, earliest};
use crate::sip::{HeaderName, Headers, Method, Request, Uri};
use crate::transport::{ConnectionId, Flow, Transport};
use std::collections::VecDeque;
use std::time::Instant;

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// We called; no final response yet.
    Calling,
    /// We were called and have not answered.
    Ringing,
    /// We sent a 2xx and wait for its ACK.
    AwaitingAck,
    /// Both sides have the final response.
    Established,
}

/// A dialog and what an early one needs beside it.
#[derive(Clone, Debug)]
pub(super) struct Fork {
    pub(super) dialog: Dialog,
    /// RSeq of the last reliable provisional response (RFC 3262 section 4).
    pub(super) last_rseq: Option<u32>,
    /// The last description of an unreliable provisional response.
    pub(super) early_sdp: Option<Vec<u8>>,
    /// Offer and answer were exchanged reliably before the final response.
    pub(super) is_answered: bool,
    /// The RSeq and CSeq of a response with an offer, whose PRACK waits for the switch's answer.
    pub(super) prack_waits: Option<(u32, u32)>,
}

impl Fork {
    pub(super) fn new(dialog: Dialog) -> Fork {
        Fork { dialog, last_rseq: None, early_sdp: None, is_answered: false, prack_waits: None }
    }
}

/// A 2xx to an INVITE that is sent again until its ACK comes (RFC 3261 section 13.3.1.4).
#[derive(Clone, Debug)]
pub(super) struct Unacknowledged {
    pub(super) request: Request,
    pub(super) flow: Flow,
    pub(super) bytes: Vec<u8>,
    pub(super) cseq: u32,
    /// The 2xx carries an offer.
    pub(super) expects_answer: bool,
    pub(super) backoff: Backoff,
    pub(super) until: Instant,
}

/// What the peer said it understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) allows_update: bool,
    pub(super) allows_info: bool,
    /// In which format it takes digits, once that is known.
    pub(super) digits: Option<DigitFormat>,
    pub(super) supports_100rel: bool,
    pub(super) requires_100rel: bool,
    pub(super) supports_timer: bool,
}

impl Peer {
    pub(super) fn note(&mut self, headers: &Headers) {
        if let Ok(allow) = headers.tokens(HeaderName::Allow)
            && !allow.is_empty()
        {
            self.allows_update = allow.contains(&Method::Update.as_str());
            self.allows_info = allow.contains(&Method::Info.as_str());
        }
        self.supports_100rel |= headers.supports("100rel");
        self.supports_timer |= headers.supports("timer");
    }
}

/// The redirections of a call (RFC 3261 section 8.1.3.4).
#[derive(Clone, Debug, Default)]
pub(super) struct Redirects {
    pub(super) followed: usize,
    pub(super) seen: Vec<Uri>,
    pub(super) waiting: VecDeque<Uri>,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) stage: Stage,
    /// Early dialogs, the one heard of last at the end; of an answered call only the dialog.
    pub(super) forks: Vec<Fork>,
    /// The initial INVITE: the id of the outgoing or the incoming request.
    pub(super) invite: u64,
    /// Call-ID and our tag.
    pub(super) key: (String, String),
    pub(super) contact_user: String,
    pub(super) max_forwards: u8,
    pub(super) flow: Option<Flow>,
    /// The UDP port that the account has for itself.
    pub(super) port: Option<u16>,
    pub(super) guard: Option<Guard>,
    /// Ended for the switch; only an ACK, or the answer to a NOTIFY, is awaited before a BYE may be sent (RFC 3261 section
    /// 15).
    pub(super) is_ended: Option<Cause>,
    /// We made the Call-ID.
    pub(super) is_caller: bool,
    /// The initial INVITE carried an offer.
    pub(super) had_offer: bool,
    /// The description we sent last.
    pub(super) local_sdp: Option<Vec<u8>>,
    /// The ACK of a 2xx with an offer waits for the switch's answer: the INVITE's id and CSeq.
    pub(super) ack_waits: Option<(u64, u32)>,
    pub(super) unacknowledged: Option<Unacknowledged>,
    pub(super) reliable: Reliable,
    pub(super) offers: offer::Offers,
    pub(super) session: SessionTimer,
    pub(super) peer: Peer,
    /// Timer C: the callee neither answers nor rings on.
    pub(super) ring_deadline: Option<Instant>,
    pub(super) redirects: Redirects,
    /// INFO requests of the peer's that were passed on and wait for their answers, the oldest first.
    pub(super) infos: VecDeque<u64>,
    pub(super) referrals: Referrals,
}

impl Call {
    pub(super) fn new(stage: Stage, invite: u64, key: (String, String), contact_user: String) -> Call {
        Call {
            stage,
            forks: Vec::new(),
            invite,
            key,
            contact_user,
            max_forwards: 70,
            flow: None,
            port: None,
            guard: None,
            is_ended: None,
            is_caller: false,
            had_offer: false,
            local_sdp: None,
            ack_waits: None,
            unacknowledged: None,
            reliable: Reliable::default(),
            offers: offer::Offers::default(),
            session: SessionTimer::default(),
            peer: Peer::default(),
            ring_deadline: None,
            redirects: Redirects::default(),
            infos: VecDeque::new(),
            referrals: Referrals::default(),
        }
    }

    pub(super) fn fork_mut(&mut self, remote_tag: &str) -> Option<&mut Fork> {
        self.forks.iter_mut().find(|fork| fork.dialog.remote_tag() == remote_tag)
    }

    /// The dialog in use.
    pub(super) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        self.forks.last_mut().map(|fork| &mut fork.dialog)
    }

    pub(super) fn dialog(&self) -> Option<&Dialog> {
        self.forks.last().map(|fork| &fork.dialog)
    }

    fn next_timeout(&self) -> Option<Instant> {
        let unacknowledged = self.unacknowledged.as_ref().map(|each| each.backoff.at.min(each.until));
        [
            self.reliable.next_timeout(),
            self.offers.retry_at(),
            self.session.next_timeout(),
            self.ring_deadline,
        ]
        .into_iter()
        .fold(unacknowledged, earliest)
    }
}

/// How requests inside a dialog find their way.
pub(super) fn hop(dialog: &Dialog) -> Hop {
    match dialog.flow {
        Some(flow) => Hop::Flow(flow),
        None => Hop::to(dialog.next_hop().clone(), dialog.port),
    }
}

/// Puts a description into a message.
pub(super) fn set_sdp(headers: &mut Headers, body: &mut Vec<u8>, sdp: Vec<u8>) {
    headers.set(HeaderName::ContentType, "application/sdp");
    *body = sdp;
}

/// The description in a message.
pub(super) fn sdp_of(headers: &Headers, body: &[u8]) -> Option<Vec<u8>> {
    let is_sdp = matches!(headers.content_type(), Ok(Some(kind)) if kind.media_type == "application/sdp");
    (is_sdp && !body.is_empty()).then(|| body.to_vec())
}

impl UserAgent {
    /// Whether the far end of a call has named INFO among the methods that it allows.
    pub fn allows_info(&self, call: CallHandle) -> bool {
        self.calls.get(&call).is_some_and(|each| each.peer.allows_info)
    }

    /// The user part of our Contact in a call.
    pub fn contact_user(&self, call: CallHandle) -> Option<&str> {
        Some(&self.calls.get(&call)?.contact_user)
    }

    /// Signals to the far end of a call.
    pub fn signal(&mut self, now: Instant, call: CallHandle, signal: Signal) -> Result<(), UaError> {
        let stage = match self.calls.get(&call) {
            Some(each) if each.is_ended.is_none() => each.stage,
            _ => return Err(UaError::Over),
        };
        let result = match (stage, signal) {
            (Stage::Calling, Signal::Hangup(cause) | Signal::Reject(cause)) => {
                self.cancel_call(now, call, &cause)
            }
            (Stage::Calling, Signal::LateAnswer { sdp }) => self.prack_with_answer(now, call, sdp),
            (Stage::Ringing, Signal::Progress { status, sdp }) => self.progress(now, call, status, sdp),
            (Stage::Ringing, Signal::Answer { sdp }) => self.answer(now, call, sdp),
            (Stage::Ringing, Signal::Reject(cause) | Signal::Hangup(cause)) => self.reject(now, call, &cause),
            (Stage::Established | Stage::AwaitingAck, Signal::Hangup(cause) | Signal::Reject(cause)) => {
                self.hang_up(now, call, &cause)
            }
            (Stage::Established, Signal::LateAnswer { sdp }) => self.late_answer(now, call, sdp),
            (_, Signal::Offer { sdp, update }) => self.offer(now, call, sdp, update),
            (_, Signal::OfferAnswer { sdp }) => self.offer_answer(now, call, sdp),
            (_, Signal::OfferReject(cause)) => self.offer_reject(now, call, &cause),
            (Stage::Established | Stage::AwaitingAck, Signal::Digit { digit, duration_ms, format }) => {
                self.send_digit(now, call, Digit { digit, duration_ms, format })
            }
            (Stage::Established | Stage::AwaitingAck, Signal::Info { content_type, body }) => {
                self.send_info(now, call, &content_type, body)
            }
            (_, Signal::InfoDone(cause)) => self.answer_info(now, call, &cause),
            (_, Signal::Transfer(progress)) => self.transfer_progress(now, call, &progress),
            _ => Err(UaError::OutOfState),
        };
        self.schedule_call(call);
        result
    }

    /// A request in the dialog in use, or `None` where there is no dialog yet.
    pub(super) fn draft(&mut self, call: CallHandle, method: Method, purpose: Purpose) -> Option<Draft> {
        let each = self.calls.get_mut(&call)?;
        let max_forwards = each.max_forwards;
        let dialog = each.dialog_mut()?;
        let request = dialog.request(method.clone(), max_forwards);
        let hop = hop(dialog);
        let guard = each.guard.as_ref().and_then(|guard| guard.inside(each.dialog()?));
        // RFC 6665 section 4.2.2: a NOTIFY has one too.
        let has_contact = matches!(method, Method::Invite | Method::Update | Method::Notify);
        let contact_user = has_contact.then(|| each.contact_user.clone());
        Some(Draft { purpose, request, hop, contact_user, guard })
    }

    /// Sends a BYE. An offer of the peer's that is still open is answered first (RFC 3261 section 15.1.2).
    pub(super) fn send_bye(&mut self, now: Instant, call: CallHandle, cause: &Cause) {
        self.refuse_pending_offer(now, call);
        if let Some(mut draft) = self.draft(call, Method::Bye, Purpose::Farewell) {
            if cause.status != 200 {
                draft.request.headers.push(HeaderName::Reason, reason_value(cause));
            }
            self.send_request(now, draft);
        }
    }

    fn hang_up(&mut self, now: Instant, call: CallHandle, cause: &Cause) -> Result<(), UaError> {
        let Some(each) = self.calls.get_mut(&call) else { return Err(UaError::Over) };
        // RFC 3261 section 15: the callee's user agent must not send a BYE before the ACK, or the time-out.
        if each.stage == Stage::AwaitingAck || each.referrals.is_notifying() {
            each.is_ended = Some(cause.clone());
            self.events.push_back(UaEvent::Ended { call });
            return Ok(());
        }
        if each.ack_waits.is_some() {
            self.acknowledge_waiting(now, call, None);
        }
        self.send_bye(now, call, cause);
        self.end_call(call);
        Ok(())
    }

    /// The call goes away for a reason of ours or of the network's: the peer gets a BYE, the switch a hang-up.
    pub(super) fn drop_call(&mut self, now: Instant, call: CallHandle, cause: Cause) {
        self.send_bye(now, call, &cause);
        self.hung_up(call, cause);
    }

    /// The call was ended by the far end, or is known to be gone.
    pub(super) fn hung_up(&mut self, call: CallHandle, cause: Cause) {
        if self.calls.get(&call).is_some_and(|each| each.is_ended.is_none()) {
            self.signal_up(call, Signal::Hangup(cause));
        }
        self.end_call(call);
    }

    /// Forgets a call.
    pub(super) fn end_call(&mut self, call: CallHandle) {
        self.timers.set(TimerOwner::Call(call.0), None);
        if let Some(each) = self.calls.remove(&call) {
            self.calls_by_dialog.remove(&each.key);
            if each.is_ended.is_none() {
                self.events.push_back(UaEvent::Ended { call });
            }
        }
    }

    /// RFC 3261 section 12.2.1.2: 481 and 408 end the dialog.
    pub(super) fn end_if_gone(&mut self, now: Instant, call: CallHandle, outcome: &Outcome) {
        let cause = outcome.cause();
        let is_established = self.calls.get(&call).is_some_and(|each| each.stage == Stage::Established);
        if is_established && matches!(cause.status, 408 | 481) {
            self.drop_call(now, call, cause);
        }
    }

    pub(super) fn schedule_call(&mut self, call: CallHandle) {
        let at = self.calls.get(&call).and_then(Call::next_timeout);
        self.timers.set(TimerOwner::Call(call.0), at);
    }

    pub(super) fn call_timeout(&mut self, now: Instant, call: CallHandle) {
        self.ring_timeout(now, call);
        self.reliable_timeout(now, call);
        self.unacknowledged_timeout(now, call);
        self.offer_timeout(now, call);
        self.session_timeout(now, call);
        self.schedule_call(call);
    }

    fn ring_timeout(&mut self, now: Instant, call: CallHandle) {
        let due = self.calls.get(&call).and_then(|each| each.ring_deadline).is_some_and(|at| now >= at);
        if due {
            let cause = Cause::new(408, "The callee does not answer");
            if let Some(each) = self.calls.get(&call) {
                let invite = each.invite;
                self.cancel_invite(now, invite, &cause);
            }
            self.signal_up(call, Signal::Reject(cause));
            self.end_call(call);
        }
    }

    fn unacknowledged_timeout(&mut self, now: Instant, call: CallHandle) {
        let Some(each) = self.calls.get_mut(&call) else { return };
        let Some(pending) = each.unacknowledged.as_mut() else { return };
        if now >= pending.until {
            // RFC 3261 section 13.3.1.4: without an ACK the session is ended by a BYE.
            each.unacknowledged = None;
            let cause = each.is_ended.clone().unwrap_or_else(|| Cause::new(408, "No ACK came"));
            self.drop_call(now, call, cause);
        } else if now >= pending.backoff.at {
            pending.backoff.advance(now);
            let (request, flow, bytes) = (pending.request.clone(), pending.flow, pending.bytes.clone());
            self.send_outside_transaction(&request, &flow, bytes);
        }
    }

    /// A browser without its WebSocket cannot be reached any more; over TCP and TLS its Contact can.
    pub(super) fn calls_lost_connection(&mut self, now: Instant, connection: ConnectionId) {
        let mut lost = Vec::new();
        for (handle, call) in &mut self.calls {
            let Some(flow) = call.flow.filter(|flow| flow.connection == Some(connection)) else { continue };
            if matches!(flow.transport, Transport::Ws | Transport::Wss) {
                lost.push(*handle);
            } else {
                call.flow = None;
                call.forks.iter_mut().for_each(|fork| fork.dialog.flow = None);
            }
        }
        lost.sort_unstable();
        for call in lost {
            let cause = Cause::new(480, "The connection is lost");
            match self.calls.get(&call).map(|each| (each.stage, each.invite)) {
                Some((Stage::Calling, invite)) => {
                    self.remove_outgoing(invite);
                    self.signal_up(call, Signal::Reject(cause));
                    self.end_call(call);
                }
                Some((Stage::Ringing, invite)) => {
                    self.refuse(now, invite, 487, Vec::new());
                    self.hung_up(call, cause);
                }
                _ => {
                    self.refuse_pending_offer(now, call);
                    self.hung_up(call, cause);
                }
            }
        }
    }
}
