//! Digits inside a call: taken from each party in every way, given to each in its own, each key press once.
//!
//! The dataplane passes the digits that it finds in the media by itself. Those that come by a message (SIP INFO, or a
//! browser's) are passed here. Some telephones send a key press both ways: then the message is the echo of the media, or
//! the media of the message, and only one of them counts.

use super::{Action, Call, Who};
use crate::party::{DigitFormat, Signal};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tandem_control::{Digits, Side};

/// How long a digit by a message waits for the same one in the media, where that may come.
const ECHO_WAIT: Duration = Duration::from_millis(250);
/// How much later than a digit the same one in the other way is its echo: the longest press that PlayDigit makes.
const ECHO_WINDOW: Duration = Duration::from_secs(6);
/// The most digits of one party that are remembered, and that wait.
const MAX_DIGITS: usize = 64;
/// The lengths of a digit that can be played, in milliseconds.
const DURATIONS_MS: std::ops::RangeInclusive<u16> = 40..=6_000;
/// RFC 4733 section 3.2.
const DIGITS: &str = "0123456789*#ABCD";

/// A key press that is told by a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyPress {
    pub(super) digit: char,
    pub(super) duration_ms: u16,
    pub(super) format: DigitFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Message,
    Media,
}

/// What was heard of one party's digits.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Digits without an echo so far, the oldest first.
    recent: VecDeque<(Instant, char, Way)>,
    /// Digits by messages, and when they are passed unless the same comes in the media.
    waiting: VecDeque<(Instant, KeyPress)>,
}

impl Heard {
    /// When the first digit has waited for long enough.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.waiting.front().map(|(at, _)| *at)
    }

    /// Whether this is the echo of a digit that came the other way; if it is not, it is remembered.
    fn is_echo(&mut self, now: Instant, digit: char, way: Way) -> bool {
        self.recent.retain(|(at, ..)| now.saturating_duration_since(*at) < ECHO_WINDOW);
        let other = self.recent.iter().position(|(_, known, known_way)| *known == digit && *known_way != way);
        if let Some(index) = other {
            self.recent.remove(index);
            return true;
        }
        if self.recent.len() < MAX_DIGITS {
            self.recent.push_back((now, digit, way));
        }
        false
    }

    /// A digit by a message; whether it is to be passed now.
    fn told(&mut self, now: Instant, press: KeyPress, may_be_heard: bool) -> bool {
        if !may_be_heard {
            return true;
        }
        let was_heard = self.recent.iter().any(|(_, digit, way)| *digit == press.digit && *way == Way::Media);
        if was_heard {
            self.is_echo(now, press.digit, Way::Message);
        } else if self.waiting.len() < MAX_DIGITS {
            self.waiting.push_back((now + ECHO_WAIT, press));
        }
        false
    }

    /// A digit in the media; whether it counts.
    fn heard(&mut self, now: Instant, digit: char) -> bool {
        // The message came first: it is the echo then.
        if let Some(index) = self.waiting.iter().position(|(_, press)| press.digit == digit) {
            self.waiting.remove(index);
            return true;
        }
        !self.is_echo(now, digit, Way::Media)
    }

    /// The next digit that has waited for long enough.
    fn pass(&mut self, now: Instant) -> Option<KeyPress> {
        let (_, press) = self.waiting.pop_front_if(|(at, _)| *at <= now)?;
        (!self.is_echo(now, press.digit, Way::Message)).then_some(press)
    }
}

impl Call {
    /// A digit by a message of a party.
    pub(super) fn digit_told(&mut self, now: Instant, from: Who, press: KeyPress) {
        let Some(side) = self.side_of(from) else { return };
        let Some(media) = self.media() else { return };
        let may_be_heard = media.may_hear_digits(side);
        if self.heard_of(side).told(now, press, may_be_heard) {
            self.pass_digit(side, press, false);
        }
    }

    /// A digit that a page was asked to send: `by_message` if it asked for INFO.
    pub fn send_digit(&mut self, from: Who, digit: char, duration_ms: u16, by_message: Option<DigitFormat>) {
        let Some(side) = self.side_of(from) else { return };
        let press = KeyPress { digit, duration_ms, format: by_message.unwrap_or_default() };
        self.pass_digit(side, press, by_message.is_some());
    }

    pub(super) fn pass_waiting_digits(&mut self, now: Instant) {
        for side in [Side::A, Side::B] {
            while self.heard_of(side).next_timeout().is_some_and(|at| at <= now) {
                if let Some(press) = self.heard_of(side).pass(now) {
                    self.pass_digit(side, press, false);
                }
            }
        }
    }

    /// A digit came in the media of one side, and went to the other unless that is told by messages.
    pub(super) fn digit_heard(&mut self, now: Instant, side: Side, event: u8, duration_ms: u16) {
        let Some(digit) = DIGITS.chars().nth(usize::from(event)) else { return };
        let counts = self.heard_of(side).heard(now, digit);
        let is_told = self.media().is_some_and(|media| media.digits(side.other()) == Digits::Told);
        if counts && is_told {
            let other = self.who(side.other());
            self.tell(other, Signal::Digit { digit, duration_ms, format: DigitFormat::default() });
        }
    }

    /// Gives a digit of one side to the other, in that one's way, or by a message where that is asked for and can be.
    fn pass_digit(&mut self, from: Side, press: KeyPress, by_message: bool) {
        let side = from.other();
        let Some(media) = self.media().filter(|_| self.has_speech()) else { return };
        let is_told = media.digits(side) == Digits::Told || (by_message && media.takes_messages(side));
        let session = media.session();
        let KeyPress { digit, duration_ms, format } = press;
        let duration_ms = duration_ms.clamp(*DURATIONS_MS.start(), *DURATIONS_MS.end());
        if is_told {
            let other = self.who(side);
            return self.tell(other, Signal::Digit { digit, duration_ms, format });
        }
        let event = DIGITS.find(digit.to_ascii_uppercase()).and_then(|event| u8::try_from(event).ok());
        self.actions.extend(event.map(|event| Action::PlayDigit { session, side, event, duration_ms }));
    }

    fn heard_of(&mut self, side: Side) -> &mut Heard {
        let [caller, callee] = &mut self.heard;
        match side {
            Side::A => caller,
            Side::B => callee,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(digit: char) -> KeyPress {
        KeyPress { digit, duration_ms: 100, format: DigitFormat::Relay }
    }

    fn passed(heard: &mut Heard, now: Instant) -> String {
        std::iter::from_fn(|| heard.next_timeout().filter(|at| *at <= now).map(|_| heard.pass(now)))
            .flatten()
            .map(|press| press.digit)
            .collect()
    }

    #[test]
    fn a_message_passes_at_once_where_no_media_may_have_it() {
        let (mut heard, now) = (Heard::default(), Instant::now());
        assert!(heard.told(now, press('5'), false));
        assert_eq!(heard.next_timeout(), None);
    }

    #[test]
    fn a_message_that_the_media_does_not_repeat_passes_after_a_while() {
        let (mut heard, now) = (Heard::default(), Instant::now());
        assert!(!heard.told(now, press('5'), true) && !heard.told(now, press('5'), true));
        assert_eq!(passed(&mut heard, now), "");
        assert_eq!(passed(&mut heard, now + ECHO_WAIT), "55");
    }

    #[test]
    fn a_key_press_that_comes_both_ways_counts_once_whichever_is_first() {
        let (mut heard, now) = (Heard::default(), Instant::now());
        for _ in 0..2 {
            assert!(heard.heard(now, '7'));
        }
        for _ in 0..2 {
            assert!(!heard.told(now, press('7'), true), "the echo of the media");
        }
        assert!(!heard.told(now, press('8'), true));
        assert!(heard.heard(now, '8'), "the message was the echo");
        assert_eq!(passed(&mut heard, now + ECHO_WAIT), "");
        assert!(!heard.told(now, press('7'), true));
        assert_eq!(passed(&mut heard, now + ECHO_WAIT), "7", "a new press");
    }

    #[test]
    fn media_after_a_message_that_has_passed_does_not_count_again() {
        let (mut heard, now) = (Heard::default(), Instant::now());
        heard.told(now, press('1'), true);
        assert_eq!(passed(&mut heard, now + ECHO_WAIT), "1");
        assert!(!heard.heard(now + Duration::from_secs(2), '1'));
        assert!(heard.heard(now + Duration::from_secs(2), '1'));
        assert!(heard.heard(now + ECHO_WINDOW * 2, '1'));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut heard, now) = (Heard::default(), Instant::now());
        for _ in 0..2 * MAX_DIGITS {
            heard.told(now, press('1'), true);
            heard.heard(now, '2');
        }
        assert_eq!((heard.waiting.len(), heard.recent.len()), (MAX_DIGITS, MAX_DIGITS));
    }
}
