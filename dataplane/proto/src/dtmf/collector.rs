//! The packets of telephone events, collected into digits.

use std::time::Instant;

use super::{Digit, Event};
use crate::limits::DIGIT_SILENCE;

/// Makes one digit out of the many packets of an event: its time stamp identifies it (RFC 4733 section 2.5.1.2).
#[derive(Debug, Default)]
pub struct Collector {
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    duration: u16,
    clock: u32,
    told: bool,
    heard_at: Instant,
}

impl Current {
    fn tell(&mut self) -> Option<Digit> {
        // RFC 4733 section 3.2: events above 15 are tones and signals, not digits.
        if std::mem::replace(&mut self.told, true) || self.event > 15 {
            return None;
        }
        Some(self.digit())
    }

    fn digit(&self) -> Digit {
        let duration_ms = u64::from(self.duration) * 1000 / u64::from(self.clock.max(1));
        Digit { event: self.event, duration_ms: u16::try_from(duration_ms).unwrap_or(u16::MAX) }
    }
}

impl Collector {
    /// Takes one packet. Returns the digit that it completes: its own when it is the first with the end bit, or
    /// the one before it when that one's end was lost.
    pub fn receive(
        &mut self,
        now: Instant,
        ssrc: u32,
        timestamp: u32,
        event: Event,
        clock: u32,
    ) -> Option<Digit> {
        if let Some(current) = &mut self.current {
            let age = current.timestamp.wrapping_sub(timestamp).cast_signed();
            if current.ssrc == ssrc && age == 0 {
                current.duration = current.duration.max(event.duration);
                current.heard_at = now;
                return if event.end { current.tell() } else { None };
            }
            if current.ssrc == ssrc && (0..i32::MAX).contains(&age) && age < clock.cast_signed() {
                return None; // a late packet of an event before
            }
        }
        let before = self.current.as_mut().and_then(Current::tell);
        let duration = event.duration;
        let mut current =
            Current { ssrc, timestamp, event: event.event, duration, clock, told: false, heard_at: now };
        let own = if event.end && before.is_none() { current.tell() } else { None };
        self.current = Some(current);
        before.or(own)
    }

    /// The digit of the newest event, with its length so far, and whether it has ended.
    pub(crate) fn newest(&self) -> Option<(Digit, bool)> {
        let current = self.current.as_ref().filter(|current| current.event <= 15)?;
        Some((current.digit(), current.told))
    }

    /// The clock in which the event with that time stamp counts its duration, if it is the one of now.
    pub fn clock(&self, ssrc: u32, timestamp: u32) -> Option<u32> {
        let current = self.current.as_ref();
        current
            .filter(|current| current.ssrc == ssrc && current.timestamp == timestamp)
            .map(|current| current.clock)
    }

    /// The digit whose end was lost, once nothing more came of it.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Digit> {
        if self.next_timeout()? > now {
            return None;
        }
        self.current.as_mut()?.tell()
    }

    /// When [`Collector::handle_timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.current.as_ref().filter(|current| !current.told).map(|current| current.heard_at + DIGIT_SILENCE)
    }
}
