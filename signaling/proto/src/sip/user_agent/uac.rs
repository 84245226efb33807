//! Calls that we make (RFC 3261 sections 8.1 and 13.2).

use super::api::Invite;
use super::call::{Call, Fork, Stage, hop, sdp_of, set_sdp};
use super::challenge::Guard;
use super::outgoing::{Draft, Hop, Outcome, Purpose};
use super::{CallHandle, UaError, UserAgent};
use crate::party::{Cause, Signal};
use crate::sip::dialog::Dialog;
use crate::sip::{Contacts, HeaderName, Method, NameAddr, Request, Response, SessionExpires, Uri, limits};
use std::time::Instant;

impl UserAgent {
    /// Calls. What becomes of it comes as events, [`super::UaEvent::Ended`] the last.
    pub fn invite(&mut self, now: Instant, invite: Invite) -> CallHandle {
        let handle = CallHandle(self.next_id());
        let (call_id, tag) = (self.token(), self.token());
        let next_hop = invite.route.clone().unwrap_or_else(|| invite.target.clone());
        let account = &invite.from.uri;
        let guard = invite.credentials.clone().map(|each| Guard::new(each, &next_hop).of_account(account));
        let mut request = Request::new(Method::Invite, invite.target.clone());
        let headers = &mut request.headers;
        if let Some(route) = &invite.route {
            headers.push(HeaderName::Route, loose(route));
        }
        headers.push(HeaderName::MaxForwards, invite.max_forwards);
        let mut from = invite.from;
        from.set_tag(&tag);
        headers.push(HeaderName::From, from);
        headers.push(HeaderName::To, invite.to);
        headers.push(HeaderName::CallId, &call_id);
        headers.push(HeaderName::CSeq, "1 INVITE");
        let interval = self.settings.session_expires.as_secs().min(u64::from(u32::MAX));
        headers.push(HeaderName::SessionExpires, interval);
        headers.push(HeaderName::MinSe, self.settings.min_session_expires.as_secs());
        for (name, value) in invite.headers {
            headers.push(name, value);
        }
        let mut call = Call::new(Stage::Calling, 0, (call_id, tag), invite.contact_user.clone());
        call.is_caller = true;
        call.had_offer = invite.sdp.is_some();
        call.local_sdp = invite.sdp.clone();
        call.flow = invite.via;
        call.port = invite.port;
        call.guard = guard.clone();
        call.redirects.seen.push(invite.target);
        call.ring_deadline = Some(now + self.settings.ring);
        if let Some(sdp) = invite.sdp {
            set_sdp(headers, &mut request.body, sdp);
        }
        self.calls_by_dialog.insert(call.key.clone(), handle);
        self.calls.insert(handle, call);
        self.schedule_call(handle);
        let hop = invite.via.map_or(Hop::to(next_hop, invite.port), Hop::Flow);
        let contact_user = Some(invite.contact_user);
        let draft = Draft { purpose: Purpose::Invite(handle), request, hop, contact_user, guard };
        self.send_invite(now, handle, draft);
        handle
    }

    fn send_invite(&mut self, now: Instant, call: CallHandle, draft: Draft) {
        let id = self.send_request(now, draft);
        if !self.outgoing.contains_key(&id) {
            return self.not_answered(call, Cause::new(503, "The next hop has no address"));
        }
        if let Some(each) = self.calls.get_mut(&call) {
            each.invite = id;
        }
    }

    /// The INVITE again, changed, with the next CSeq (RFC 3261 sections 8.1.3.4, 8.1.3.5 and 22.2).
    pub(super) fn invite_again(
        &mut self,
        now: Instant,
        id: u64,
        call: CallHandle,
        change: impl FnOnce(&mut Draft),
    ) {
        let Some(outgoing) = self.outgoing.get(&id) else { return };
        let mut draft = outgoing.draft.clone();
        let number = draft.request.headers.cseq().map_or(1, |(number, _)| number);
        draft.request.headers.set(HeaderName::CSeq, format_args!("{} INVITE", number + 1));
        change(&mut draft);
        if let Some(each) = self.calls.get_mut(&call) {
            each.forks.clear();
        }
        self.send_invite(now, call, draft);
    }

    pub(super) fn cancel_call(
        &mut self,
        now: Instant,
        call: CallHandle,
        cause: &Cause,
    ) -> Result<(), UaError> {
        let invite = self.calls.get(&call).ok_or(UaError::Over)?.invite;
        self.cancel_invite(now, invite, cause);
        self.end_call(call);
        Ok(())
    }

    pub(super) fn invite_outcome(&mut self, now: Instant, id: u64, call: CallHandle, outcome: Outcome) {
        let is_current = self.calls.get(&call).is_some_and(|each| each.invite == id);
        match outcome {
            Outcome::Response(response) if response.is_success() => {
                if !is_current || !self.confirm(now, id, call, &response) {
                    self.abandon_2xx(now, id, &response);
                }
            }
            _ if !is_current => {}
            Outcome::Response(response) if response.is_provisional() => {
                self.provisional(now, id, call, &response);
            }
            Outcome::Response(response) => self.refused(now, id, call, response),
            outcome @ Outcome::Failed(_) => self.not_answered(call, outcome.cause()),
        }
        self.schedule_call(call);
    }

    fn not_answered(&mut self, call: CallHandle, cause: Cause) {
        if self.calls.get(&call).is_some_and(|each| each.stage == Stage::Calling) {
            self.signal_up(call, Signal::Reject(cause));
            self.end_call(call);
        }
    }

    /// The early dialog of a response, made where it is new, moved to the end: what it says is the latest.
    fn fork_of(&mut self, id: u64, call: CallHandle, response: &Response) -> Option<&mut Fork> {
        let tag = response.headers.to().ok()?.tag()?.to_owned();
        let request = &self.outgoing.get(&id)?.draft.request;
        let each = self.calls.get_mut(&call)?;
        match each.forks.iter().position(|fork| fork.dialog.remote_tag() == tag) {
            Some(index) => {
                let fork = each.forks.remove(index);
                each.forks.push(fork);
            }
            None if each.forks.len() < limits::FORKS => {
                let mut dialog = Dialog::of_client(request, response)?;
                dialog.flow = each.flow;
                dialog.port = each.port;
                each.forks.push(Fork::new(dialog));
            }
            None => return None,
        }
        each.forks.last_mut()
    }

    fn provisional(&mut self, now: Instant, id: u64, call: CallHandle, response: &Response) {
        if response.status == 100 {
            return;
        }
        let ring = now + self.settings.ring;
        let Some(each) = self.calls.get_mut(&call).filter(|each| each.stage == Stage::Calling) else {
            return;
        };
        each.ring_deadline = Some(ring);
        each.peer.note(&response.headers);
        let had_offer = each.had_offer;
        let mut sdp = sdp_of(&response.headers, &response.body);
        let reliable =
            response.headers.supports("100rel").then(|| response.headers.rseq().ok().flatten()).flatten();
        let Some(fork) = self.fork_of(id, call, response) else {
            return self.signal_up(call, Signal::Progress { status: response.status, sdp: None });
        };
        if response.headers.contacts().is_ok_and(|contacts| contacts != Contacts::List(Vec::new())) {
            fork.dialog.refresh_target(&response.headers);
        }
        if let Some(rseq) = reliable {
            // RFC 3262 section 4: out of order, or a retransmission: ignored; the PRACK is sent again by its transaction.
            if fork.last_rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
                return;
            }
            fork.last_rseq = Some(rseq);
            if fork.is_answered {
                sdp = None;
            }
            let number = response.headers.cseq().map_or(1, |(number, _)| number);
            match (&sdp, had_offer) {
                (Some(_), true) => fork.is_answered = true,
                (Some(_), false) => fork.prack_waits = Some((rseq, number)),
                (None, _) => {}
            }
            if sdp.is_none() || had_offer {
                self.send_prack(now, call, rseq, number, None);
            }
        } else if fork.is_answered || !had_offer {
            sdp = None;
        } else if sdp.is_some() {
            fork.early_sdp.clone_from(&sdp);
        }
        self.signal_up(call, Signal::Progress { status: response.status, sdp });
    }

    /// A 2xx (section 13.2.2.4). False: it is of another fork than the one that answered first, or comes too late.
    fn confirm(&mut self, now: Instant, id: u64, call: CallHandle, response: &Response) -> bool {
        let Ok(to) = response.headers.to() else { return false };
        let tag = to.tag().unwrap_or_default().to_owned();
        let Some(each) = self.calls.get_mut(&call) else { return false };
        if each.stage != Stage::Calling {
            let same = each.dialog().is_some_and(|dialog| dialog.remote_tag() == tag);
            // While the switch's answer is awaited there is no ACK to send again yet.
            return same && (each.ack_waits.is_some() || self.acknowledge_again(id, &tag));
        }
        if self.fork_of(id, call, response).is_none() {
            return false;
        }
        let remote = self.outgoing.get(&id).and_then(super::outgoing::Outgoing::remote);
        let Some(each) = self.calls.get_mut(&call) else { return false };
        let Some(mut fork) = each.forks.pop() else { return false };
        fork.dialog.recompute_routes(response);
        fork.dialog.refresh_target(&response.headers);
        let body = sdp_of(&response.headers, &response.body);
        let (is_answered, had_offer) = (fork.is_answered, each.had_offer);
        let sdp = if is_answered { None } else { body.or_else(|| fork.early_sdp.take()) };
        each.forks = vec![fork];
        each.stage = Stage::Established;
        each.ring_deadline = None;
        each.peer.note(&response.headers);
        if let (Some(guard), Some(remote)) = (&mut each.guard, remote) {
            guard.note_address(remote.ip());
        }
        let number = response.headers.cseq().map_or(1, |(number, _)| number);
        self.note_session(now, call, &response.headers, true);
        if sdp.is_none() && !is_answered {
            self.acknowledge(now, id, call, number, None);
            let cause = Cause::new(488, "The answer has no session description");
            self.send_bye(now, call, &cause);
            self.signal_up(call, Signal::Reject(cause));
            self.end_call(call);
            return true;
        }
        if had_offer || is_answered {
            self.acknowledge(now, id, call, number, None);
        } else if let Some(each) = self.calls.get_mut(&call) {
            each.ack_waits = Some((id, number));
        }
        self.signal_up(call, Signal::Answer { sdp });
        true
    }

    /// Sends the ACK of a 2xx (RFC 3261 section 13.2.2.4).
    pub(super) fn acknowledge(
        &mut self,
        now: Instant,
        id: u64,
        call: CallHandle,
        number: u32,
        sdp: Option<Vec<u8>>,
    ) {
        let Some(each) = self.calls.get(&call) else { return };
        let Some(dialog) = each.dialog() else { return };
        let mut request = dialog.ack(number, each.max_forwards);
        // Section 13.2.2.4: the ACK must contain the same credentials as the INVITE.
        let (hop, tag) = (hop(dialog), dialog.remote_tag().to_owned());
        if let Some(guard) = each.guard.as_ref().filter(|guard| guard.inside(dialog).is_some()) {
            guard.copy_credentials(self.outgoing.get(&id), &mut request);
        }
        if let Some(sdp) = sdp {
            set_sdp(&mut request.headers, &mut request.body, sdp);
        }
        let draft = Draft { purpose: Purpose::Farewell, request, hop, contact_user: None, guard: None };
        let ack = self.send_request(now, draft);
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.acks.push((tag, ack));
        }
    }

    /// Sends the ACK again that this fork's 2xx got. False: it got none.
    pub(super) fn acknowledge_again(&mut self, id: u64, tag: &str) -> bool {
        let acks = self.outgoing.get(&id).map(|outgoing| outgoing.acks.as_slice()).unwrap_or_default();
        let ack = acks.iter().find(|(each, _)| each == tag).map(|(_, ack)| *ack);
        match ack {
            Some(ack) => {
                self.resend(ack);
                true
            }
            None => false,
        }
    }

    /// The switch answers an offer that came in a 2xx.
    pub(super) fn late_answer(
        &mut self,
        now: Instant,
        call: CallHandle,
        sdp: Vec<u8>,
    ) -> Result<(), UaError> {
        let each = self.calls.get_mut(&call).ok_or(UaError::Over)?;
        if each.ack_waits.is_none() {
            return Err(UaError::OutOfState);
        }
        each.local_sdp = Some(sdp.clone());
        self.acknowledge_waiting(now, call, Some(sdp));
        Ok(())
    }

    pub(super) fn acknowledge_waiting(&mut self, now: Instant, call: CallHandle, sdp: Option<Vec<u8>>) {
        let waits = self.calls.get_mut(&call).and_then(|each| each.ack_waits.take());
        if let Some((id, number)) = waits {
            self.acknowledge(now, id, call, number, sdp);
        }
    }

    /// A 2xx that nobody wants: another fork answered first, or the caller gave up. RFC 3261 section 13.2.2.4: it is
    /// acknowledged, and a BYE ends its dialog.
    pub(super) fn abandon_2xx(&mut self, now: Instant, id: u64, response: &Response) {
        let Some(outgoing) = self.outgoing.get(&id) else { return };
        let Some(mut dialog) = Dialog::of_client(&outgoing.draft.request, response) else { return };
        let tag = dialog.remote_tag().to_owned();
        match outgoing.draft.hop {
            Hop::Flow(flow) => dialog.flow = Some(flow),
            Hop::UriFrom(_, port) => dialog.port = Some(port),
            _ => {}
        }
        if outgoing.acks.len() >= limits::FORKS || self.acknowledge_again(id, &tag) {
            return;
        }
        let number = dialog.local_cseq;
        let farewell = |dialog: &Dialog, request: Request| Draft {
            purpose: Purpose::Farewell,
            request,
            hop: hop(dialog),
            contact_user: None,
            guard: None,
        };
        let ack = farewell(&dialog, dialog.ack(number, 70));
        let bye = dialog.request(Method::Bye, 70);
        let bye = farewell(&dialog, bye);
        let ack = self.send_request(now, ack);
        self.send_request(now, bye);
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.acks.push((tag, ack));
        }
    }

    fn refused(&mut self, now: Instant, id: u64, call: CallHandle, response: Response) {
        match response.status {
            300..=302 if self.redirected(now, id, call, &response) => {}
            // RFC 4028 section 7.3: again with the interval that the far end wants.
            422 if self.longer_session(now, id, call, &response) => {}
            _ if self.next_redirect(now, id, call) => {}
            _ => self.not_answered(call, Outcome::Response(response).cause()),
        }
    }

    fn longer_session(&mut self, now: Instant, id: u64, call: CallHandle, response: &Response) -> bool {
        let Ok(Some(minimum)) = response.headers.min_se() else { return false };
        let Some(each) = self.calls.get_mut(&call) else { return false };
        // Bounded together with the redirections, so that this ends.
        if each.redirects.followed >= limits::REDIRECTS {
            return false;
        }
        each.redirects.followed += 1;
        let Some(outgoing) = self.outgoing.get(&id) else { return false };
        let before = outgoing.draft.request.headers.session_expires().ok().flatten();
        if before.is_some_and(|interval| interval.seconds >= minimum) {
            return false;
        }
        self.invite_again(now, id, call, |draft| {
            let interval = SessionExpires { seconds: minimum, refresher: None };
            draft.request.headers.set(HeaderName::SessionExpires, interval);
            draft.request.headers.set(HeaderName::MinSe, minimum);
        });
        true
    }
}

/// An outbound proxy as a route: RFC 3261 section 8.1.2 wants loose routing.
pub(super) fn loose(route: &Uri) -> NameAddr {
    let mut route = route.clone();
    if let Uri::Sip(uri) = &mut route
        && !uri.is_loose_router()
    {
        uri.params.set("lr", None);
    }
    NameAddr::new(route)
}
