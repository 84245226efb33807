//! What browsers are told of their calls.

use super::{BrowserCall, BrowserId, Owes};
use crate::party::{Cause, Signal, TransferProgress};
use crate::switch::Switch;
use crate::wcs::{self, CallStatus, ServerMessage, TransferStatus, VideoState};
use std::time::Instant;

impl Switch {
    /// Tells a browser what happened to one of its calls.
    pub(in crate::switch) fn tell_browser(
        &mut self,
        now: Instant,
        id: BrowserId,
        call_id: &str,
        signal: Signal,
    ) {
        match self.masked_for(id, signal) {
            Signal::Progress { status, sdp } => self.tell_progress(id, call_id, status, sdp),
            Signal::Answer { sdp } => self.tell_answer(id, call_id, sdp),
            Signal::OfferAnswer { sdp } => self.tell_description(id, call_id, sdp, true),
            Signal::Offer { sdp: Some(sdp), .. } => {
                self.browser_is_offered(now, id, call_id);
                self.tell_description(id, call_id, sdp, false);
            }
            Signal::OfferReject(cause) => {
                let Some(call) = self.browser_call(id, call_id) else { return };
                self.say(id, &ServerMessage::OfferRefused { call: &call, cause: &cause });
            }
            Signal::Hold { on } => {
                let status = if on { CallStatus::Hold } else { CallStatus::Established };
                self.tell_status(id, call_id, status);
            }
            Signal::Transfer(progress) => self.tell_transfer(id, call_id, &progress),
            Signal::Reject(cause) => {
                let Some(call) = self.browser_call(id, call_id) else { return };
                self.say(id, &failure(&call, &cause));
            }
            Signal::Hangup(cause) => self.tell_hangup(id, call_id, &cause),
            // Browsers cannot be asked for an offer (PartyMedia::takes_offers is for the others), and the protocol has
            // no place for digits and for INFO.
            Signal::Offer { sdp: None, .. }
            | Signal::LateAnswer { .. }
            | Signal::Digit { .. }
            | Signal::Info { .. }
            | Signal::InfoDone(_) => {}
        }
    }

    fn tell_progress(&mut self, id: BrowserId, call_id: &str, status: u16, sdp: Option<Vec<u8>>) {
        let status = match sdp.is_some() {
            true => CallStatus::Progress { ringing: status == 180 },
            false => CallStatus::Ring,
        };
        self.tell_first_answer(id, call_id, sdp);
        self.tell_status(id, call_id, status);
    }

    fn tell_answer(&mut self, id: BrowserId, call_id: &str, sdp: Option<Vec<u8>>) {
        let mut is_offer = false;
        self.with_browser_call(id, call_id, |call| {
            call.is_answered = true;
            is_offer = call.owes == Some(Owes::LateAnswer);
        });
        match (sdp, is_offer) {
            (Some(offer), true) => self.tell_description(id, call_id, offer, false),
            (sdp, _) => self.tell_first_answer(id, call_id, sdp),
        }
        self.tell_status(id, call_id, CallStatus::Established);
    }

    /// The first answer to the browser's offer; later ones say the same.
    fn tell_first_answer(&mut self, id: BrowserId, call_id: &str, sdp: Option<Vec<u8>>) {
        let Some(sdp) = sdp else { return };
        let mut is_first = false;
        self.with_browser_call(id, call_id, |call| {
            is_first = !std::mem::replace(&mut call.is_described, true)
        });
        if is_first {
            self.tell_description(id, call_id, sdp, true);
        }
    }

    fn tell_description(&mut self, id: BrowserId, call_id: &str, sdp: Vec<u8>, is_answer: bool) {
        let Ok(sdp) = String::from_utf8(sdp) else { return };
        if is_answer {
            self.with_browser_call(id, call_id, |call| call.info.video = VideoState::of_peer(&sdp));
        }
        let Some(call) = self.browser_call(id, call_id) else { return };
        self.say(id, &ServerMessage::RemoteSdp { call: &call, sdp: &sdp, is_answer });
    }

    /// Notes where a call stands, and says it.
    pub(in crate::switch) fn tell_status(&mut self, id: BrowserId, call_id: &str, status: CallStatus) {
        self.with_browser_call(id, call_id, |call| call.status = status);
        let Some(call) = self.browser_call(id, call_id) else { return };
        self.say(id, &ServerMessage::Status { call: &call, status });
    }

    fn tell_transfer(&mut self, id: BrowserId, call_id: &str, progress: &TransferProgress) {
        let Some(call) = self.browser_call(id, call_id) else { return };
        let status = match progress {
            TransferProgress::Trying => TransferStatus::Trying,
            TransferProgress::Ringing => TransferStatus::Ring,
            TransferProgress::Done => TransferStatus::Completed,
            TransferProgress::Failed(cause) => {
                return self.say(id, &ServerMessage::TransferFailed { call: &call, cause });
            }
        };
        // The npm client would give the media of a call under transfer to the next call, unless that is completed.
        let takes_all = self.browsers.get(&id).is_some_and(|browser| browser.takes_offers);
        if takes_all || status == TransferStatus::Completed {
            self.say(id, &ServerMessage::TransferEvent { call: &call, status });
        }
    }

    fn tell_hangup(&mut self, id: BrowserId, call_id: &str, cause: &Cause) {
        let call = self.browsers.get(&id).and_then(|browser| browser.calls.get(call_id));
        let Some(BrowserCall { info, is_answered, .. }) = call else { return };
        let (call, is_answered) = (info.clone(), *is_answered);
        // A call that rang and was answered elsewhere, or given up, is no failure either.
        let is_ordinary = cause.status == 200 || !is_answered;
        let message = match is_ordinary {
            true => ServerMessage::Finish { call: &call, cause },
            false => ServerMessage::Failed { call: &call, cause },
        };
        self.say(id, &message);
    }

    /// What a call looks like to a browser.
    pub(super) fn browser_call(&self, id: BrowserId, call_id: &str) -> Option<wcs::Call> {
        Some(self.browsers.get(&id)?.calls.get(call_id)?.info.clone())
    }

    pub(super) fn with_browser_call(
        &mut self,
        id: BrowserId,
        call_id: &str,
        change: impl FnOnce(&mut BrowserCall),
    ) {
        if let Some(call) = self.browsers.get_mut(&id).and_then(|browser| browser.calls.get_mut(call_id)) {
            change(call);
        }
    }

    /// Forgets a call of a browser; false if there was none.
    pub(in crate::switch) fn forget_browser_call(&mut self, id: BrowserId, call_id: &str) -> bool {
        let browser = self.browsers.get_mut(&id);
        browser.is_some_and(|browser| browser.calls.remove(call_id).is_some())
    }
}

/// How a call that did not come about is told.
pub(super) fn failure<'a>(call: &'a wcs::Call, cause: &'a Cause) -> ServerMessage<'a> {
    match cause.status {
        486 | 600 => ServerMessage::Busy { call, cause },
        _ => ServerMessage::Failed { call, cause },
    }
}
