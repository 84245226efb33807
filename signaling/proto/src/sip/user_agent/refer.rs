//! REFER inside a call (RFC 3515): the peer wants whom it talks to through us to talk to somebody else. The switch
//! decides; the user agent keeps the subscription that a REFER makes, and tells the peer how the transfer goes.
//!
//! Architecture invariant: no REFER is ever sent, and none outside a dialog is taken. We stand in the middle: a transfer
//! is carried out here, and who is transferred needs to know nothing of it.

use super::call::Stage;
use super::outgoing::{Outcome, Purpose};
use super::replaces::Replaces;
use super::{CallHandle, UaError, UaEvent, UserAgent};
use crate::party::{Cause, TransferProgress};
use crate::sip::{HeaderError, HeaderName, Headers, Method, NameAddr, Request, Uri, default_reason, reply};
use std::time::Instant;

/// The body of a NOTIFY (RFC 3420).
const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// What a REFER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refer {
    /// Whom the other party shall talk to, without header fields.
    pub target: Uri,
    /// The call there, whose place that of the other party takes.
    pub replaces: Option<Replaces>,
    /// Who asks, as it says itself (RFC 3892).
    pub referred_by: Option<NameAddr>,
}

impl Refer {
    /// Reads Refer-To and Referred-By. Of the header fields that the target's URI names only Replaces is taken: what the
    /// peer likes to write there must not become header fields of our requests.
    ///
    /// # Errors
    /// Refer-To is missing, malformed, or asks for something else than an INVITE.
    pub fn of(headers: &Headers) -> Result<Refer, HeaderError> {
        let malformed = |problem| HeaderError::new(HeaderName::ReferTo, problem);
        // RFC 3515 section 2.4.1: a REFER without exactly one Refer-To is refused.
        let refer_to = headers.address(HeaderName::ReferTo)?.ok_or(malformed("Refer-To is missing"))?;
        let (mut target, mut replaces) = (refer_to.uri, None);
        if let Uri::Sip(uri) = &mut target {
            if uri.params.get("method").is_some_and(|method| !method.eq_ignore_ascii_case("INVITE")) {
                return Err(malformed("only an INVITE can be asked for"));
            }
            uri.params.remove("method");
            if let Some(value) = uri.header("Replaces") {
                replaces = Some(Replaces::parse(&value).map_err(malformed)?);
            }
            uri.headers.clear();
        }
        let referred_by = headers.address(HeaderName::ReferredBy)?;
        Ok(Refer { target, replaces, referred_by })
    }
}

/// The REFERs of a call; one at a time.
#[derive(Debug, Default)]
pub(super) struct Referrals {
    active: Option<Referral>,
    /// How many made a subscription so far.
    accepted: u32,
    /// The last NOTIFY, until it is answered.
    last_notify: Option<u64>,
}

#[derive(Debug)]
struct Referral {
    /// The REFER, until it is answered.
    asked: Option<u64>,
    /// The number of the REFER, by which later ones of a dialog are told apart.
    cseq: u32,
    /// The peer wants no NOTIFY (RFC 4488).
    is_silent: bool,
}

impl Referrals {
    /// A NOTIFY is on its way. A BYE that overtook it would end the dialog that it belongs to.
    pub(super) fn is_notifying(&self) -> bool {
        self.last_notify.is_some()
    }
}

impl UserAgent {
    pub(super) fn receive_refer(&mut self, now: Instant, id: u64, call: CallHandle, request: &Request) {
        let refer = match Refer::of(&request.headers) {
            Ok(refer) => refer,
            Err(_) => return self.refuse(now, id, 400, Vec::new()),
        };
        let is_silent = request.headers.get(HeaderName::ReferSub).is_some_and(|value| {
            value.split(';').next().is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
        });
        let cseq = request.headers.cseq().map_or(0, |(number, _)| number);
        let Some(each) = self.calls.get_mut(&call) else { return };
        if each.stage != Stage::Established || each.referrals.active.is_some() {
            return self.refuse(now, id, 491, Vec::new());
        }
        each.referrals.active = Some(Referral { asked: Some(id), cseq, is_silent });
        self.events.push_back(UaEvent::Refer { call, refer: Box::new(refer) });
    }

    /// Tells the peer how the transfer goes: the first time as the response to its REFER, then by NOTIFY.
    pub(super) fn transfer_progress(
        &mut self,
        now: Instant,
        call: CallHandle,
        progress: &TransferProgress,
    ) -> Result<(), UaError> {
        let referrals = &mut self.calls.get_mut(&call).ok_or(UaError::Over)?.referrals;
        let referral = referrals.active.as_mut().ok_or(UaError::OutOfState)?;
        let (asked, is_silent, cseq) = (referral.asked.take(), referral.is_silent, referral.cseq);
        let is_final = matches!(progress, TransferProgress::Done | TransferProgress::Failed(_));
        if is_final {
            referrals.active = None;
        }
        if let Some(id) = asked {
            if let TransferProgress::Failed(cause) = progress {
                self.refuse_referral(now, id, cause);
                return Ok(());
            }
            referrals.accepted = referrals.accepted.saturating_add(1);
            self.accept_referral(now, call, id, is_silent);
        }
        if !is_silent {
            self.send_referral_notify(now, call, cseq, progress, is_final);
        }
        Ok(())
    }

    fn refuse_referral(&mut self, now: Instant, id: u64, cause: &Cause) {
        let Some(incoming) = self.incoming.get(&id) else { return };
        let status = if (400..700).contains(&cause.status) { cause.status } else { 603 };
        let response = reply(&incoming.request, status, cause.text.as_str());
        self.send_response(now, id, response);
    }

    fn accept_referral(&mut self, now: Instant, call: CallHandle, id: u64, is_silent: bool) {
        let Some(mut response) = self.dialog_response(call, id, 202) else { return };
        if is_silent {
            // RFC 4488 section 4: without this the peer would wait for a NOTIFY.
            response.headers.push(HeaderName::ReferSub, "false");
        }
        self.send_response(now, id, response);
    }

    fn send_referral_notify(
        &mut self,
        now: Instant,
        call: CallHandle,
        cseq: u32,
        progress: &TransferProgress,
        is_final: bool,
    ) {
        let lifetime = self.settings.ring.as_secs();
        let is_first = self.calls.get(&call).is_some_and(|each| each.referrals.accepted == 1);
        let Some(mut draft) = self.draft(call, Method::Notify, Purpose::Referral(call)) else { return };
        let headers = &mut draft.request.headers;
        // RFC 3515 section 2.4.6: those of the first REFER of a dialog need no id; of others they must have it.
        match is_first {
            true => headers.push(HeaderName::Event, "refer"),
            false => headers.push(HeaderName::Event, format_args!("refer;id={cseq}")),
        }
        match is_final {
            true => headers.push(HeaderName::SubscriptionState, "terminated;reason=noresource"),
            false => headers.push(HeaderName::SubscriptionState, format_args!("active;expires={lifetime}")),
        }
        headers.push(HeaderName::ContentType, SIPFRAG);
        draft.request.body = sipfrag(progress).into_bytes();
        let id = self.send_request(now, draft);
        // What cannot be sent has failed by now.
        let is_on_its_way = self.outgoing.contains_key(&id);
        if let Some(each) = self.calls.get_mut(&call) {
            each.referrals.last_notify = Some(id).filter(|_| is_on_its_way);
        }
        self.end_after_notify(now, call);
    }

    /// A NOTIFY was answered, or was not: whatever the peer thinks of it, the call is another matter (RFC 5057 section
    /// 5.1), but a peer without a subscription is told nothing more.
    pub(super) fn referral_outcome(&mut self, now: Instant, id: u64, call: CallHandle, outcome: &Outcome) {
        if matches!(outcome, Outcome::Response(response) if response.is_provisional()) {
            return;
        }
        let Some(each) = self.calls.get_mut(&call) else { return };
        if outcome.cause().status >= 300
            && let Some(referral) = &mut each.referrals.active
        {
            referral.is_silent = true;
        }
        each.referrals.last_notify.take_if(|last| *last == id);
        self.end_after_notify(now, call);
    }

    /// Sends the BYE that waited for the last NOTIFY.
    fn end_after_notify(&mut self, now: Instant, call: CallHandle) {
        let Some(each) = self.calls.get(&call) else { return };
        if let Some(cause) = each.is_ended.clone()
            && each.stage == Stage::Established
            && !each.referrals.is_notifying()
        {
            self.send_bye(now, call, &cause);
            self.end_call(call);
        }
    }
}

/// How far the transfer is, as the status line that the transferee would have got (RFC 3515 section 2.4.5).
fn sipfrag(progress: &TransferProgress) -> String {
    let (status, words) = match progress {
        TransferProgress::Trying => (100, ""),
        TransferProgress::Ringing => (180, ""),
        TransferProgress::Done => (200, ""),
        TransferProgress::Failed(cause) if (300..700).contains(&cause.status) => {
            (cause.status, cause.text.as_str())
        }
        TransferProgress::Failed(cause) => (603, cause.text.as_str()),
    };
    let words: String = words.chars().filter(|c| !c.is_control()).collect();
    let words = if words.is_empty() { default_reason(status) } else { &words };
    format!("SIP/2.0 {status} {words}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Message;
    use proptest::prelude::*;

    fn refer(refer_to: &str) -> Result<Refer, HeaderError> {
        let mut headers = Headers::new();
        headers.push(HeaderName::ReferTo, refer_to);
        Refer::of(&headers)
    }

    #[test]
    fn a_blind_and_an_attended_target_are_read() {
        let blind = refer("sip:carol@example.org").unwrap();
        assert_eq!((blind.target.to_string().as_str(), blind.replaces), ("sip:carol@example.org", None));
        // As JsSIP, SIP.js and baresip write it.
        let attended =
            refer("<sip:carol@10.0.0.1:5060;transport=ws?Replaces=abc%40host%3Bto-tag%3Dt1%3Bfrom-tag%3Df1>");
        let attended = attended.unwrap();
        assert_eq!(attended.target.to_string(), "sip:carol@10.0.0.1:5060;transport=ws");
        assert_eq!(attended.replaces.unwrap().to_string(), "abc@host;to-tag=t1;from-tag=f1");
        assert!(matches!(refer("tel:+15551234").unwrap().target, Uri::Tel(_)));
        assert!(refer("<sip:c@d;method=INVITE>").unwrap().target.as_sip().unwrap().params.is_empty());
    }

    #[test]
    fn nothing_else_of_the_uri_becomes_a_header_field() {
        let smuggled =
            refer("<sip:c@d?Route=%3Csip:evil%3E&Authorization=x&Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>");
        let smuggled = smuggled.unwrap();
        assert_eq!(smuggled.target.to_string(), "sip:c@d");
        assert!(smuggled.replaces.is_some());
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for refer_to in
            ["", "<sip:c@d;method=BYE>", "<sip:c@d?Replaces=a>", "sip:c@d?Replaces=a", "<sip:c@d>, <sip:e@f>"]
        {
            assert!(refer(refer_to).is_err(), "{refer_to}");
        }
        assert!(Refer::of(&Headers::new()).is_err());
    }

    #[test]
    fn progress_is_a_status_line() {
        assert_eq!(sipfrag(&TransferProgress::Trying), "SIP/2.0 100 Trying\r\n");
        assert_eq!(sipfrag(&TransferProgress::Done), "SIP/2.0 200 OK\r\n");
        let busy = TransferProgress::Failed(Cause::new(486, "Busy Here"));
        assert_eq!(sipfrag(&busy), "SIP/2.0 486 Busy Here\r\n");
        assert_eq!(sipfrag(&TransferProgress::Failed(Cause::new(200, ""))), "SIP/2.0 603 Decline\r\n");
    }

    proptest! {
        #[test]
        fn any_refer_to_is_read_without_a_panic(text in any::<String>()) {
            if let Ok(refer) = refer(&text) {
                prop_assert!(refer.target.as_sip().is_none_or(|uri| uri.headers.is_empty()));
            }
        }

        /// Whatever the far end's reason phrase holds, the fragment stays one status line.
        #[test]
        fn any_cause_is_one_line(status in any::<u16>(), text in any::<String>()) {
            let line = sipfrag(&TransferProgress::Failed(Cause::new(status, text)));
            prop_assert_eq!(line.matches(['\r', '\n']).count(), 2);
            prop_assert!(line.ends_with("\r\n"));
            let response = format!("{line}Via: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n\r\n");
            prop_assert!(matches!(Message::parse(response.as_bytes()), Ok(Message::Response(response)) if response.status >= 300));
        }
    }
}
