//! INFO requests (RFC 6086 section 6: the usage that is older than Info Packages). Digits are read: `application/dtmf-relay`,
//! which tells the length, and `application/dtmf`, the digit alone. Anything else is passed on to the other party.

use super::outgoing::{Outcome, Purpose};
use super::{CallHandle, UaError, UserAgent};
use crate::party::{Cause, DigitFormat, Signal};
use crate::sip::{HeaderName, Method, Request};
use std::time::Instant;

/// The length of a digit that comes without one, in milliseconds.
const DIGIT_MS: u16 = 250;
/// The lengths that are taken, in milliseconds; others become the next of these.
const DURATIONS_MS: std::ops::RangeInclusive<u32> = 40..=6_000;
/// Bytes of a body that is passed on.
const MAX_INFO_BODY: usize = 16_384;
/// INFO requests of one peer that may wait for their answers; more are refused for so many seconds.
const MAX_INFOS: usize = 8;
const INFO_RETRY_AFTER: u32 = 2;
/// The formats, as Content-Type and Accept have them.
const RELAY: &str = "application/dtmf-relay";
const PLAIN: &str = "application/dtmf";

/// One key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// `0` to `9`, `*`, `#`, `A` to `D`.
    pub digit: char,
    /// Milliseconds.
    pub duration_ms: u16,
    /// How it is written.
    pub format: DigitFormat,
}

impl Digit {
    /// Reads the body of an INFO; `media_type` is its Content-Type in lower case, without parameters. `None`: the body is
    /// of another type. `Some(None)`: it is malformed.
    pub fn read(media_type: &str, body: &[u8]) -> Option<Option<Digit>> {
        match media_type {
            RELAY => Some(read_relay(body)),
            PLAIN => Some(read_key(body).map(|digit| Digit {
                digit,
                duration_ms: DIGIT_MS,
                format: DigitFormat::Plain,
            })),
            _ => None,
        }
    }

    /// The Content-Type and the body of an INFO.
    pub fn write(self) -> (&'static str, Vec<u8>) {
        let Digit { digit, duration_ms, format } = self;
        match format {
            DigitFormat::Relay => {
                (RELAY, format!("Signal={digit}\r\nDuration={duration_ms}\r\n").into_bytes())
            }
            DigitFormat::Plain => (PLAIN, format!("{digit}\r\n").into_bytes()),
        }
    }
}

/// `Signal=5`, `Duration=160`, each on a line.
fn read_relay(body: &[u8]) -> Option<Digit> {
    let text = std::str::from_utf8(body).ok()?;
    let (mut digit, mut duration_ms) = (None, DIGIT_MS);
    for line in text.split(['\r', '\n']) {
        let Some((name, value)) = line.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("signal") {
            digit = read_key(value.as_bytes());
        } else if name.trim().eq_ignore_ascii_case("duration") {
            let given = value.trim().parse::<u32>().ok().filter(|given| *given > 0);
            let given = given.map(|given| given.clamp(*DURATIONS_MS.start(), *DURATIONS_MS.end()));
            duration_ms = given.and_then(|given| u16::try_from(given).ok()).unwrap_or(DIGIT_MS);
        }
    }
    Some(Digit { digit: digit?, duration_ms, format: DigitFormat::Relay })
}

/// A key: itself, or its number as RFC 4733 has it, as some telephones write.
fn read_key(text: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let key = match text {
        "10" => '*',
        "11" => '#',
        "12" => 'A',
        "13" => 'B',
        "14" => 'C',
        "15" => 'D',
        _ => {
            let mut characters = text.chars();
            let key = characters.next()?.to_ascii_uppercase();
            characters.next().is_none().then_some(key)?
        }
    };
    is_key(key).then_some(key)
}

fn is_key(key: char) -> bool {
    matches!(key, '0'..='9' | '*' | '#' | 'A'..='D')
}

impl UserAgent {
    pub(super) fn receive_info(&mut self, now: Instant, id: u64, call: CallHandle, request: &Request) {
        if request.headers.get(HeaderName::InfoPackage).is_some() {
            // RFC 6086 section 4.2.2: a package that we never said we take. The list of those that we take is empty.
            return self.refuse(now, id, 469, vec![(HeaderName::RecvInfo, String::new())]);
        }
        let kind = request.headers.content_type().ok().flatten().map(|kind| kind.media_type);
        let digit = match &kind {
            Some(kind) => Digit::read(kind, &request.body),
            // An INFO without a body only asks whether the peer is there.
            None if request.body.is_empty() => return self.refuse(now, id, 200, Vec::new()),
            None => None,
        };
        let Some(digit) = digit else { return self.pass_info(now, id, call, request) };
        let Some(Digit { digit, duration_ms, format }) = digit else {
            return self.refuse(now, id, 400, Vec::new());
        };
        self.refuse(now, id, 200, Vec::new());
        let Some(each) = self.calls.get_mut(&call) else { return };
        // What a party writes, it reads.
        each.peer.digits = Some(format);
        self.signal_up(call, Signal::Digit { digit, duration_ms, format });
    }

    /// Passes an INFO to the switch; [`Signal::InfoDone`] answers it.
    fn pass_info(&mut self, now: Instant, id: u64, call: CallHandle, request: &Request) {
        let Some(each) = self.calls.get_mut(&call) else { return };
        let content_type = request.headers.get(HeaderName::ContentType);
        let (Some(content_type), true) = (content_type, request.body.len() <= MAX_INFO_BODY) else {
            let status = if content_type.is_some() { 413 } else { 400 };
            return self.refuse(now, id, status, Vec::new());
        };
        if each.infos.len() >= MAX_INFOS {
            return self.refuse(now, id, 500, vec![(HeaderName::RetryAfter, INFO_RETRY_AFTER.to_string())]);
        }
        each.infos.push_back(id);
        let (content_type, body) = (content_type.to_owned(), request.body.clone());
        self.signal_up(call, Signal::Info { content_type, body });
    }

    /// Sends an INFO of the other party's.
    pub(super) fn send_info(
        &mut self,
        now: Instant,
        call: CallHandle,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(), UaError> {
        let mut draft = self.draft(call, Method::Info, Purpose::Info(call)).ok_or(UaError::Over)?;
        draft.request.headers.push(HeaderName::ContentType, content_type);
        draft.request.body = body;
        self.send_request(now, draft);
        Ok(())
    }

    /// The response to an INFO that was passed on.
    pub(super) fn info_outcome(&mut self, now: Instant, call: CallHandle, outcome: &Outcome) {
        let cause = outcome.cause();
        if cause.status >= 200 && self.calls.contains_key(&call) {
            self.signal_up(call, Signal::InfoDone(cause));
        }
        self.end_if_gone(now, call, outcome);
    }

    /// Answers the oldest INFO of the peer's that waits.
    pub(super) fn answer_info(
        &mut self,
        now: Instant,
        call: CallHandle,
        cause: &Cause,
    ) -> Result<(), UaError> {
        let each = self.calls.get_mut(&call).ok_or(UaError::Over)?;
        let id = each.infos.pop_front().ok_or(UaError::OutOfState)?;
        // Challenges of the other side's are no business of this one.
        let status = if matches!(cause.status, 200..=699) { cause.status } else { 500 };
        let status = if matches!(status, 401 | 407) { 403 } else { status };
        self.refuse(now, id, status, Vec::new());
        Ok(())
    }

    /// Sends a key press, in the format that the peer is known to take, else in the wished one.
    pub(super) fn send_digit(&mut self, now: Instant, call: CallHandle, digit: Digit) -> Result<(), UaError> {
        if !is_key(digit.digit) {
            return Err(UaError::OutOfState);
        }
        let known = self.calls.get(&call).and_then(|each| each.peer.digits);
        let digit = Digit { format: known.unwrap_or(digit.format), ..digit };
        let mut draft = self.draft(call, Method::Info, Purpose::Digit(call, digit)).ok_or(UaError::Over)?;
        let (kind, body) = digit.write();
        draft.request.headers.push(HeaderName::ContentType, kind);
        draft.request.body = body;
        self.send_request(now, draft);
        Ok(())
    }

    /// The response to a key press: one that is refused for its format is sent again, once, in the other.
    pub(super) fn digit_outcome(&mut self, now: Instant, call: CallHandle, digit: Digit, outcome: &Outcome) {
        self.end_if_gone(now, call, outcome);
        let Some(each) = self.calls.get_mut(&call) else { return };
        if outcome.cause().status != 415 || each.peer.digits == Some(digit.format) {
            return;
        }
        each.peer.digits.get_or_insert(match digit.format {
            DigitFormat::Relay => DigitFormat::Plain,
            DigitFormat::Plain => DigitFormat::Relay,
        });
        // A call that ended meanwhile needs no digit.
        let _ = self.send_digit(now, call, digit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relay(body: &str) -> Option<(char, u16)> {
        let digit = Digit::read(RELAY, body.as_bytes()).expect("a known type")?;
        assert_eq!(digit.format, DigitFormat::Relay);
        Some((digit.digit, digit.duration_ms))
    }

    fn plain(body: &str) -> Option<char> {
        Digit::read(PLAIN, body.as_bytes()).expect("a known type").map(|digit| digit.digit)
    }

    #[test]
    fn digits_are_read_from_both_formats() {
        assert_eq!(relay("Signal=5\r\nDuration=160\r\n"), Some(('5', 160)));
        assert_eq!(relay("Signal= * \nDuration= 90"), Some(('*', 90)));
        assert_eq!(relay("duration=100\rsignal=11"), Some(('#', 100)));
        assert_eq!(relay("Signal=15"), Some(('D', DIGIT_MS)));
        assert_eq!(relay("Duration=160"), None);
        assert_eq!(relay("Signal=55"), None);
        assert_eq!(plain("d\r\n"), Some('D'));
        assert_eq!(plain("10"), Some('*'));
        assert_eq!(plain("x"), None);
        assert_eq!(plain(""), None);
        assert_eq!(Digit::read("text/plain", b"5"), None);
    }

    #[test]
    fn lengths_are_kept_in_bounds() {
        assert_eq!(relay("Signal=1\nDuration=1"), Some(('1', 40)));
        assert_eq!(relay("Signal=1\nDuration=70000"), Some(('1', 6_000)));
        assert_eq!(relay("Signal=1\nDuration=0"), Some(('1', DIGIT_MS)));
        assert_eq!(relay("Signal=1\nDuration=-5"), Some(('1', DIGIT_MS)));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(key in "[0-9*#A-D]", duration_ms in 40u16..=6_000, is_relay in any::<bool>()) {
            let format = if is_relay { DigitFormat::Relay } else { DigitFormat::Plain };
            let digit = Digit { digit: key.chars().next().unwrap(), duration_ms, format };
            let (kind, body) = digit.write();
            let expected = if is_relay { digit } else { Digit { duration_ms: DIGIT_MS, ..digit } };
            prop_assert_eq!(Digit::read(kind, &body), Some(Some(expected)));
        }

        #[test]
        fn any_body_is_read_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200), is_relay in any::<bool>()) {
            let kind = if is_relay { RELAY } else { PLAIN };
            if let Some(Some(digit)) = Digit::read(kind, &body) {
                prop_assert!(is_key(digit.digit) && (40..=6_000).contains(&digit.duration_ms));
            }
        }
    }
}
