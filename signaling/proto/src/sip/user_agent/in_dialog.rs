//! Requests inside a dialog (RFC 3261 section 12.2).

use super::call::Stage;
use super::outgoing::Purpose;
use super::{ALLOW, CallHandle, UaError, UserAgent};
use crate::party::Signal;
use crate::sip::{HeaderName, Method, Request};
use std::time::Instant;

/// The duration of a digit that comes without one (application/dtmf).
const DIGIT_MS: u16 = 250;

impl UserAgent {
    pub(super) fn receive_in_dialog(&mut self, now: Instant, id: u64) {
        let Some(request) = self.incoming.get(&id).map(|incoming| incoming.request.clone()) else { return };
        let call = self.call_of(&request);
        let Some((call, each)) = call.and_then(|call| Some((call, self.calls.get_mut(&call)?))) else {
            return self.refuse(now, id, 481, Vec::new());
        };
        if each.is_ended.is_some() {
            return self.refuse(now, id, 481, Vec::new());
        }
        let tag =
            request.headers.from().ok().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        let number = request.headers.cseq().map_or(0, |(number, _)| number);
        let in_order = each.fork_mut(&tag).is_some_and(|fork| fork.dialog.accept_cseq(number));
        if !in_order {
            // Section 12.2.2: a lower number is answered by 500.
            return self.refuse(now, id, 500, Vec::new());
        }
        match request.method {
            Method::Bye => self.receive_bye(now, id, call, &request.headers),
            Method::Invite | Method::Update => self.receive_offer(now, id, call),
            Method::Prack => self.receive_prack(now, id, call),
            Method::Info => self.receive_info(now, id, call, &request),
            Method::Options => {
                let allow = (HeaderName::Allow, ALLOW.to_owned());
                self.refuse(now, id, 200, vec![allow, (HeaderName::Accept, "application/sdp".to_owned())]);
            }
            _ => self.refuse(now, id, 405, vec![(HeaderName::Allow, ALLOW.to_owned())]),
        }
        self.schedule_call(call);
    }

    fn receive_info(&mut self, now: Instant, id: u64, call: CallHandle, request: &Request) {
        let kind = request.headers.content_type().ok().flatten().map(|kind| kind.media_type);
        let digit = match kind.as_deref() {
            Some("application/dtmf-relay") => read_dtmf_relay(&request.body),
            Some("application/dtmf") => read_digit(&request.body).map(|digit| (digit, DIGIT_MS)),
            // An INFO without a body only asks whether the peer is there.
            None if request.body.is_empty() => return self.refuse(now, id, 200, Vec::new()),
            _ => {
                let accept = "application/dtmf-relay, application/dtmf".to_owned();
                return self.refuse(now, id, 415, vec![(HeaderName::Accept, accept)]);
            }
        };
        let Some((digit, duration_ms)) = digit else {
            return self.refuse(now, id, 400, Vec::new());
        };
        self.refuse(now, id, 200, Vec::new());
        let is_answered = self.calls.get(&call).is_some_and(|each| each.stage != Stage::Ringing);
        if is_answered {
            self.signal_up(call, Signal::Digit { digit, duration_ms });
        }
    }

    pub(super) fn send_digit(
        &mut self,
        now: Instant,
        call: CallHandle,
        digit: char,
        duration_ms: u16,
    ) -> Result<(), UaError> {
        if !is_digit(digit) {
            return Err(UaError::OutOfState);
        }
        let mut draft = self.draft(call, Method::Info, Purpose::InDialog(call)).ok_or(UaError::Over)?;
        draft.request.headers.push(HeaderName::ContentType, "application/dtmf-relay");
        draft.request.body = format!("Signal={digit}\r\nDuration={duration_ms}\r\n").into_bytes();
        self.send_request(now, draft);
        Ok(())
    }
}

fn is_digit(digit: char) -> bool {
    matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D')
}

/// `Signal=5`, `Duration=160`, each on a line.
fn read_dtmf_relay(body: &[u8]) -> Option<(char, u16)> {
    let text = std::str::from_utf8(body).ok()?;
    let (mut digit, mut duration) = (None, DIGIT_MS);
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("signal") {
            digit = read_digit(value.as_bytes());
        } else if name.trim().eq_ignore_ascii_case("duration") {
            duration = value.trim().parse().unwrap_or(DIGIT_MS);
        }
    }
    Some((digit?, duration))
}

fn read_digit(text: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let digit = match text {
        // Some telephones number the keys as RFC 4733 does.
        "10" => '*',
        "11" => '#',
        _ => {
            let mut characters = text.chars();
            let digit = characters.next()?.to_ascii_uppercase();
            characters.next().is_none().then_some(digit)?
        }
    };
    is_digit(digit).then_some(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_from_both_formats() {
        assert_eq!(read_dtmf_relay(b"Signal=5\r\nDuration=160\r\n"), Some(('5', 160)));
        assert_eq!(read_dtmf_relay(b"Signal= * \nDuration= 90"), Some(('*', 90)));
        assert_eq!(read_dtmf_relay(b"signal=11"), Some(('#', DIGIT_MS)));
        assert_eq!(read_dtmf_relay(b"Duration=160"), None);
        assert_eq!(read_dtmf_relay(b"Signal=55"), None);
        assert_eq!(read_digit(b"d\r\n"), Some('D'));
        assert_eq!(read_digit(b"x"), None);
        assert_eq!(read_digit(b""), None);
    }
}
