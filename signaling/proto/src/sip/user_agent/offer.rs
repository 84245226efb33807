//! Offers inside a call: re-INVITE (RFC 3261 section 14) and UPDATE (RFC 3311), and who wins when both sides make one.

use super::call::{Stage, sdp_of, set_sdp};
use super::outgoing::{Outcome, Purpose};
use super::{CallHandle, UaError, UserAgent};
use crate::party::{Cause, Signal};
use crate::sip::{HeaderName, Method, Response, limits};
use std::time::{Duration, Instant};

/// An offer of the peer's that waits for the switch's answer.
#[derive(Debug)]
struct RemoteOffer {
    incoming: u64,
    method: Method,
    had_sdp: bool,
}

/// An offer of the switch's that waits for the peer's answer.
#[derive(Debug)]
struct LocalOffer {
    sdp: Option<Vec<u8>>,
    method: Method,
    retries: u8,
    /// It met one of the peer's and waits to be sent again (section 14.1).
    retry_at: Option<Instant>,
}

/// The offers of a call; at most one of each side's.
#[derive(Debug, Default)]
pub(super) struct Offers {
    remote: Option<RemoteOffer>,
    local: Option<LocalOffer>,
}

impl Offers {
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.local.as_ref().and_then(|local| local.retry_at)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.remote.is_none() && self.local.is_none()
    }

    /// The peer cancelled its re-INVITE.
    pub(super) fn forget_remote(&mut self, incoming: u64) {
        self.remote.take_if(|remote| remote.incoming == incoming);
    }

    fn is_on_wire(&self) -> bool {
        self.local.as_ref().is_some_and(|local| local.retry_at.is_none())
    }
}

impl UserAgent {
    /// The switch makes an offer.
    pub(super) fn offer(
        &mut self,
        now: Instant,
        call: CallHandle,
        sdp: Option<Vec<u8>>,
        update: bool,
    ) -> Result<(), UaError> {
        let each = self.calls.get_mut(&call).ok_or(UaError::Over)?;
        let by_update = update && sdp.is_some() && each.peer.allows_update;
        let is_early_answered = match each.stage {
            Stage::Calling => each.forks.last().is_some_and(|fork| fork.is_answered),
            Stage::Ringing => each.reliable.is_answered() && !each.reliable.must_wait(),
            Stage::AwaitingAck | Stage::Established => false,
        };
        let busy = each.stage == Stage::AwaitingAck
            || !each.offers.is_idle()
            || each.ack_waits.is_some()
            || each.unacknowledged.is_some()
            || each.session.is_refreshing();
        let refusal = if busy {
            Some(Cause::new(491, "Request Pending"))
        } else if each.stage != Stage::Established && !(by_update && is_early_answered) {
            // RFC 3311 section 5.1: before the call is answered only UPDATE may make an offer, after a reliable answer.
            Some(Cause::new(488, "The peer takes no offer before the call is answered"))
        } else {
            None
        };
        if let Some(cause) = refusal {
            self.signal_up(call, Signal::OfferReject(cause));
            return Ok(());
        }
        let method = if by_update { Method::Update } else { Method::Invite };
        each.offers.local = Some(LocalOffer { sdp, method, retries: 0, retry_at: None });
        self.send_offer(now, call);
        Ok(())
    }

    fn send_offer(&mut self, now: Instant, call: CallHandle) {
        let Some(local) = self.calls.get_mut(&call).and_then(|each| each.offers.local.as_mut()) else {
            return;
        };
        local.retry_at = None;
        let (method, sdp) = (local.method.clone(), local.sdp.clone());
        let Some(mut draft) = self.draft(call, method, Purpose::Offer(call)) else { return };
        self.ask_session(call, &mut draft.request);
        if let Some(sdp) = sdp {
            set_sdp(&mut draft.request.headers, &mut draft.request.body, sdp);
        }
        self.send_request(now, draft);
    }

    pub(super) fn offer_outcome(&mut self, now: Instant, id: u64, call: CallHandle, outcome: Outcome) {
        match outcome {
            Outcome::Response(response) if response.is_provisional() => {}
            Outcome::Response(response) if response.is_success() => {
                self.offer_accepted(now, id, call, &response)
            }
            outcome => self.offer_failed(now, call, &outcome),
        }
        self.schedule_call(call);
    }

    /// A 2xx to a re-INVITE of ours is acknowledged, whatever became of the call. False: it came before.
    pub(super) fn acknowledge_reinvite(
        &mut self,
        now: Instant,
        id: u64,
        call: CallHandle,
        response: &Response,
    ) -> bool {
        let Ok((number, method)) = response.headers.cseq() else { return false };
        if method != Method::Invite {
            return true;
        }
        let tag = response.headers.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        let Some(each) = self.calls.get_mut(&call) else {
            self.abandon_2xx(now, id, response);
            return false;
        };
        if each.ack_waits.is_some_and(|(waiting, _)| waiting == id) || self.acknowledge_again(id, &tag) {
            return false;
        }
        let sent_offer =
            self.outgoing.get(&id).is_some_and(|outgoing| !outgoing.draft.request.body.is_empty());
        let answers = sdp_of(&response.headers, &response.body).is_some();
        if sent_offer || !answers {
            self.acknowledge(now, id, call, number, None);
        } else if let Some(each) = self.calls.get_mut(&call) {
            each.ack_waits = Some((id, number));
        }
        true
    }

    fn offer_accepted(&mut self, now: Instant, id: u64, call: CallHandle, response: &Response) {
        if !self.acknowledge_reinvite(now, id, call, response) {
            return;
        }
        let Some(each) = self.calls.get_mut(&call) else { return };
        if let Some(dialog) = each.dialog_mut() {
            dialog.refresh_target(&response.headers);
        }
        each.peer.note(&response.headers);
        if let Some(local) = each.offers.local.take()
            && local.sdp.is_some()
        {
            each.local_sdp = local.sdp;
        }
        self.note_session(now, call, &response.headers, true);
        let signal = match sdp_of(&response.headers, &response.body) {
            Some(sdp) => Signal::OfferAnswer { sdp },
            None => Signal::OfferReject(Cause::new(488, "The answer has no session description")),
        };
        self.signal_up(call, signal);
    }

    fn offer_failed(&mut self, now: Instant, call: CallHandle, outcome: &Outcome) {
        let cause = outcome.cause();
        let Some(each) = self.calls.get_mut(&call) else { return };
        let (is_caller, stage) = (each.is_caller, each.stage);
        let Some(local) = each.offers.local.as_mut() else { return };
        match cause.status {
            408 | 481 if stage == Stage::Established => return self.drop_call(now, call, cause),
            491 if local.retries < limits::GLARE_RETRIES => {
                local.retries += 1;
                local.retry_at = Some(now + glare_delay(&mut self.dice, is_caller));
                return;
            }
            405 | 501 if local.method == Method::Update && stage == Stage::Established => {
                each.peer.allows_update = false;
                local.method = Method::Invite;
                return self.send_offer(now, call);
            }
            422 if local.retries < limits::GLARE_RETRIES => {
                local.retries += 1;
                if let Outcome::Response(response) = outcome
                    && each.session.lengthen(&response.headers)
                {
                    return self.send_offer(now, call);
                }
            }
            _ => {}
        }
        if let Some(each) = self.calls.get_mut(&call) {
            each.offers.local = None;
        }
        self.signal_up(call, Signal::OfferReject(cause));
    }

    pub(super) fn offer_timeout(&mut self, now: Instant, call: CallHandle) {
        let Some(each) = self.calls.get_mut(&call) else { return };
        if each.offers.retry_at().is_none_or(|at| now < at) {
            return;
        }
        if each.offers.remote.is_none() && each.unacknowledged.is_none() {
            return self.send_offer(now, call);
        }
        // The peer's own offer is not settled yet.
        let outcome = Outcome::Failed(Cause::new(491, "Request Pending"));
        self.offer_failed(now, call, &outcome);
    }

    /// A re-INVITE or an UPDATE of the peer's.
    pub(super) fn receive_offer(&mut self, now: Instant, id: u64, call: CallHandle) {
        let retry_after = self.dice.u32(0..=10).to_string();
        let minimum = self.settings.min_session_expires.as_secs();
        let Some(request) = self.incoming.get(&id).map(|incoming| incoming.request.clone()) else { return };
        let Some(each) = self.calls.get_mut(&call) else { return };
        let (is_invite, sdp) = (request.method == Method::Invite, sdp_of(&request.headers, &request.body));
        let interval = request.headers.session_expires().ok().flatten();
        if interval.is_some_and(|each| u64::from(each.seconds) < minimum) && request.headers.supports("timer")
        {
            return self.refuse(now, id, 422, vec![(HeaderName::MinSe, minimum.to_string())]);
        }
        if !is_invite && sdp.is_none() {
            // A refresh of the target or the session.
            if let Some(dialog) = each.dialog_mut() {
                dialog.refresh_target(&request.headers);
            }
            return self.answer_update(now, id, call, None);
        }
        let is_unanswered = match each.stage {
            Stage::Ringing => is_invite || !each.reliable.is_answered() || each.reliable.must_wait(),
            Stage::AwaitingAck => true,
            Stage::Calling | Stage::Established => false,
        };
        // Section 14.2 and RFC 3311 section 5.2: 500 with Retry-After where an offer of the peer's is not answered yet ...
        let acknowledged = each.unacknowledged.as_ref().is_none_or(|pending| !pending.expects_answer);
        if each.offers.remote.is_some() || is_unanswered || !acknowledged {
            return self.refuse(now, id, 500, vec![(HeaderName::RetryAfter, retry_after)]);
        }
        // ... and 491 where one of ours is.
        let is_calling = each.stage == Stage::Calling
            && (is_invite || !each.forks.last().is_some_and(|fork| fork.is_answered));
        if each.offers.is_on_wire() || each.ack_waits.is_some() || each.session.is_refreshing() || is_calling
        {
            return self.refuse(now, id, 491, Vec::new());
        }
        if let Some(dialog) = each.dialog_mut() {
            dialog.refresh_target(&request.headers);
        }
        // A new request shows that the last 2xx arrived, though its ACK did not.
        each.unacknowledged = None;
        each.peer.note(&request.headers);
        self.pass_remote_offer(now, id, call, sdp);
    }

    pub(super) fn pass_remote_offer(
        &mut self,
        now: Instant,
        id: u64,
        call: CallHandle,
        sdp: Option<Vec<u8>>,
    ) {
        let Some(incoming) = self.incoming.get_mut(&id) else { return };
        incoming.call = Some(call);
        let method = incoming.request.method.clone();
        let Some(each) = self.calls.get_mut(&call) else { return };
        if each.offers.remote.is_some() {
            return self.refuse(now, id, 500, vec![(HeaderName::RetryAfter, "1".to_owned())]);
        }
        let update = method != Method::Invite;
        each.offers.remote = Some(RemoteOffer { incoming: id, method, had_sdp: sdp.is_some() });
        self.signal_up(call, Signal::Offer { sdp, update });
    }

    /// The switch answers the peer's offer.
    pub(super) fn offer_answer(
        &mut self,
        now: Instant,
        call: CallHandle,
        sdp: Vec<u8>,
    ) -> Result<(), UaError> {
        let each = self.calls.get_mut(&call).ok_or(UaError::Over)?;
        let remote = each.offers.remote.take().ok_or(UaError::OutOfState)?;
        each.local_sdp = Some(sdp.clone());
        let id = remote.incoming;
        if remote.method == Method::Invite {
            self.accept_with_2xx(now, call, id, Some(sdp), !remote.had_sdp);
        } else {
            self.answer_update(now, id, call, Some(sdp));
        }
        Ok(())
    }

    fn answer_update(&mut self, now: Instant, id: u64, call: CallHandle, sdp: Option<Vec<u8>>) {
        let Some(mut response) = self.dialog_response(call, id, 200) else { return };
        self.grant_session(now, call, id, &mut response);
        if let Some(sdp) = sdp {
            set_sdp(&mut response.headers, &mut response.body, sdp);
        }
        self.send_response(now, id, response);
    }

    /// The switch refuses the peer's offer; the session goes on as it was.
    pub(super) fn offer_reject(
        &mut self,
        now: Instant,
        call: CallHandle,
        cause: &Cause,
    ) -> Result<(), UaError> {
        let each = self.calls.get_mut(&call).ok_or(UaError::Over)?;
        let remote = each.offers.remote.take().ok_or(UaError::OutOfState)?;
        let status = if (300..700).contains(&cause.status) { cause.status } else { 488 };
        self.refuse(now, remote.incoming, status, Vec::new());
        Ok(())
    }

    /// RFC 3261 section 15.1.2: what is pending when a BYE comes is answered by 487.
    pub(super) fn refuse_pending_offer(&mut self, now: Instant, call: CallHandle) {
        let remote = self.calls.get_mut(&call).and_then(|each| each.offers.remote.take());
        if let Some(remote) = remote {
            self.refuse(now, remote.incoming, 487, Vec::new());
        }
    }
}

/// Section 14.1: 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other, in units of 10 ms.
pub(super) fn glare_delay(dice: &mut fastrand::Rng, is_caller: bool) -> Duration {
    let units = if is_caller { dice.u64(210..=400) } else { dice.u64(0..=200) };
    Duration::from_millis(units * 10)
}
