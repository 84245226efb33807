//! Calls that come to us (RFC 3261 section 13.3).

use super::call::{Call, Fork, Stage, Unacknowledged, set_sdp};
use super::incoming::return_path;
use super::{ALLOW, CallHandle, RequestHandle, SUPPORTED, UaError, UserAgent, reason};
use crate::party::{Cause, Signal};
use crate::sip::dialog::Dialog;
use crate::sip::transaction::Backoff;
use crate::sip::{HeaderName, Headers, Request, Response, default_reason, reply};
use crate::transport::{Destination, Flow, Transport};
use std::time::Instant;

/// The path that requests of ours take to this peer, where its Contact may not do.
pub(super) fn return_flow(request: &Request, flow: &Flow) -> Option<Flow> {
    let routed = request.headers.get(HeaderName::RecordRoute).is_some();
    match flow.transport {
        // RFC 7118: a browser has no address of its own.
        Transport::Ws | Transport::Wss => Some(*flow),
        _ if routed => None,
        Transport::Tcp | Transport::Tls => Some(*flow),
        // A telephone behind a NAT names an address in Via that is not where it sends from. The port alone tells nothing
        // where no rport was asked for: Cisco's gateways send from any port and listen at the one in Via.
        Transport::Udp => {
            let via = request.headers.via().ok()?;
            let back = return_path(&via, flow);
            let named = (via.host.ip(), via.port.unwrap_or(5060));
            (named != (Some(back.remote.ip()), back.remote.port())).then_some(back)
        }
    }
}

impl UserAgent {
    /// Makes a call of an INVITE that the switch authenticated. `contact_user` is the user part of our Contact. The offer
    /// is the request's body.
    pub fn accept_invite(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        contact_user: &str,
    ) -> Result<CallHandle, UaError> {
        let id = handle.0;
        let incoming = self.incoming.get(&id).filter(|each| each.is_pending_invite() && each.call.is_none());
        let incoming = incoming.ok_or(UaError::Over)?;
        let (request, flow) = (&incoming.request, incoming.flow);
        let Some(mut dialog) = Dialog::of_server(request, &incoming.to_tag) else {
            // Section 8.1.1.8: an INVITE must have a Contact.
            self.refuse(now, id, 400, Vec::new());
            return Err(UaError::Over);
        };
        dialog.flow = return_flow(request, &flow);
        dialog.port = self.own_port_of(&flow);
        let key = (dialog.call_id.clone(), incoming.to_tag.clone());
        let mut call = Call::new(Stage::Ringing, id, key.clone(), contact_user.to_owned());
        call.had_offer = !request.body.is_empty();
        call.flow = dialog.flow;
        call.port = dialog.port;
        call.peer.note(&request.headers);
        call.peer.requires_100rel = request
            .headers
            .require()
            .is_ok_and(|tags| tags.iter().any(|tag| tag.eq_ignore_ascii_case("100rel")));
        call.forks.push(Fork::new(dialog));
        let call_handle = CallHandle(self.next_id());
        self.calls.insert(call_handle, call);
        self.calls_by_dialog.insert(key, call_handle);
        self.refuse(now, id, 100, Vec::new());
        if let Some(incoming) = self.incoming.get_mut(&id) {
            incoming.call = Some(call_handle);
        }
        Ok(call_handle)
    }

    /// A response that makes or keeps up a dialog (section 12.1.1).
    pub(super) fn dialog_response(&self, call: CallHandle, id: u64, status: u16) -> Option<Response> {
        let (each, incoming) = (self.calls.get(&call)?, self.incoming.get(&id)?);
        let mut response = reply(&incoming.request, status, default_reason(status));
        for route in incoming.request.headers.all(HeaderName::RecordRoute) {
            response.headers.push(HeaderName::RecordRoute, route);
        }
        let contact = self.contact(&each.contact_user, &Destination::Flow(incoming.flow));
        response.headers.push(HeaderName::Contact, contact);
        response.headers.push(HeaderName::Allow, ALLOW);
        response.headers.push(HeaderName::Supported, SUPPORTED);
        if let Ok(mut to) = response.headers.to() {
            to.set_tag(&incoming.to_tag);
            response.headers.set(HeaderName::To, to);
        }
        Some(response)
    }

    pub(super) fn progress(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: u16,
        sdp: Option<Vec<u8>>,
    ) -> Result<(), UaError> {
        let each = self.calls.get_mut(&call).ok_or(UaError::Over)?;
        let status = status.clamp(101, 199);
        // After a reliable answer the description is not repeated.
        let sdp = sdp.filter(|_| !each.reliable.is_answered());
        let reliably = each.peer.requires_100rel || (each.peer.supports_100rel && sdp.is_some());
        if sdp.is_some() {
            each.local_sdp.clone_from(&sdp);
        }
        let id = each.invite;
        if reliably {
            return self.progress_reliably(now, call, status, sdp);
        }
        // Without an offer in the INVITE, an unreliable response cannot carry one (RFC 3262 section 5).
        let sdp = sdp.filter(|_| each.had_offer);
        let mut response = self.dialog_response(call, id, status).ok_or(UaError::Over)?;
        if let Some(sdp) = sdp {
            set_sdp(&mut response.headers, &mut response.body, sdp);
        }
        self.send_response(now, id, response);
        Ok(())
    }

    pub(super) fn answer(
        &mut self,
        now: Instant,
        call: CallHandle,
        sdp: Option<Vec<u8>>,
    ) -> Result<(), UaError> {
        let each = self.calls.get_mut(&call).ok_or(UaError::Over)?;
        if each.reliable.must_wait() {
            // RFC 3262 section 3: no 2xx before the provisional responses with a description are acknowledged.
            each.reliable.answer_later(sdp);
            return Ok(());
        }
        let sdp = match each.reliable.is_answered() {
            true => None,
            // The description of an early response is repeated in the 2xx where the switch gives none.
            false => sdp.or_else(|| each.local_sdp.clone()),
        };
        if sdp.is_none() && !each.reliable.is_answered() {
            return Err(UaError::OutOfState);
        }
        if sdp.is_some() {
            each.local_sdp.clone_from(&sdp);
        }
        let (id, had_offer) = (each.invite, each.had_offer);
        each.stage = Stage::AwaitingAck;
        let expects_answer = sdp.is_some() && !had_offer;
        if self.accept_with_2xx(now, call, id, sdp, expects_answer) { Ok(()) } else { Err(UaError::Over) }
    }

    /// Sends the 2xx of an INVITE, again and again until the ACK (section 13.3.1.4).
    pub(super) fn accept_with_2xx(
        &mut self,
        now: Instant,
        call: CallHandle,
        id: u64,
        sdp: Option<Vec<u8>>,
        expects_answer: bool,
    ) -> bool {
        let Some(mut response) = self.dialog_response(call, id, 200) else { return false };
        self.grant_session(now, call, id, &mut response);
        if let Some(sdp) = sdp {
            set_sdp(&mut response.headers, &mut response.body, sdp);
        }
        response.headers.set(HeaderName::Server, &self.settings.product);
        let bytes = response.to_bytes();
        if !self.send_response(now, id, response) {
            return false;
        }
        let timers = self.settings.timers;
        let Some(incoming) = self.incoming.get(&id) else { return false };
        let Some(each) = self.calls.get_mut(&call) else { return false };
        each.unacknowledged = Some(Unacknowledged {
            request: incoming.request.clone(),
            flow: incoming.flow,
            bytes,
            cseq: incoming.request.headers.cseq().map_or(0, |(number, _)| number),
            expects_answer,
            backoff: Backoff::new(now, timers.t1, timers.t2),
            until: now + timers.transaction_timeout(),
        });
        true
    }

    pub(super) fn reject(&mut self, now: Instant, call: CallHandle, cause: &Cause) -> Result<(), UaError> {
        let id = self.calls.get(&call).ok_or(UaError::Over)?.invite;
        let status = if (300..700).contains(&cause.status) { cause.status } else { 480 };
        if let Some(incoming) = self.incoming.get(&id) {
            let phrase = Some(cause.text.as_str()).filter(|text| !text.is_empty() && status == cause.status);
            let response = reply(&incoming.request, status, phrase.unwrap_or(default_reason(status)));
            self.send_response(now, id, response);
        }
        self.end_call(call);
        Ok(())
    }

    /// A CANCEL came for an INVITE without a final response (section 9.2).
    pub(super) fn invite_cancelled(&mut self, now: Instant, id: u64, call: CallHandle, headers: &Headers) {
        self.refuse(now, id, 487, Vec::new());
        let Some(each) = self.calls.get_mut(&call) else { return };
        if each.invite == id {
            let cause = reason(headers, Cause::new(487, default_reason(487)));
            self.hung_up(call, cause);
        } else {
            // A re-INVITE: the session goes on as it was.
            each.offers.forget_remote(id);
        }
    }

    /// The ACK of a 2xx, which is a transaction of its own (section 13.3.1.4).
    pub(super) fn receive_dialog_ack(&mut self, now: Instant, request: &Request) {
        let Some(call) = self.call_of(request) else {
            return self.drops.count(super::Drop::StrayAck);
        };
        let number = request.headers.cseq().map_or(0, |(number, _)| number);
        let Some(each) = self.calls.get_mut(&call) else { return };
        let Some(pending) = each.unacknowledged.take_if(|pending| pending.cseq == number) else {
            return self.drops.count(super::Drop::Retransmission);
        };
        each.stage = Stage::Established;
        if let Some(cause) = each.is_ended.clone() {
            self.send_bye(now, call, &cause);
            return self.end_call(call);
        }
        if pending.expects_answer {
            match super::call::sdp_of(&request.headers, &request.body) {
                Some(sdp) => self.signal_up(call, Signal::LateAnswer { sdp }),
                None => self.drop_call(now, call, Cause::new(488, "The ACK has no answer")),
            }
        }
        self.schedule_call(call);
    }

    /// The call whose dialog a request belongs to: Call-ID and both tags agree (section 12.2.2).
    pub(super) fn call_of(&self, request: &Request) -> Option<CallHandle> {
        let (to, from) = (request.headers.to().ok()?, request.headers.from().ok()?);
        let key = (request.headers.call_id().ok()?.to_owned(), to.tag()?.to_owned());
        let call = *self.calls_by_dialog.get(&key)?;
        let tag = from.tag().unwrap_or_default();
        let each = self.calls.get(&call)?;
        each.forks.iter().any(|fork| fork.dialog.remote_tag() == tag).then_some(call)
    }

    /// A BYE, which may also come before the final response (section 15.1.2).
    pub(super) fn receive_bye(&mut self, now: Instant, id: u64, call: CallHandle, headers: &Headers) {
        self.refuse(now, id, 200, Vec::new());
        let Some(each) = self.calls.get(&call) else { return };
        let (stage, invite) = (each.stage, each.invite);
        match stage {
            Stage::Ringing => self.refuse(now, invite, 487, Vec::new()),
            Stage::Calling => {
                // The fork ends; the INVITE may still be answered by another, or fail.
                return;
            }
            Stage::AwaitingAck | Stage::Established => {}
        }
        self.refuse_pending_offer(now, call);
        self.hung_up(call, reason(headers, Cause::normal()));
    }
}
