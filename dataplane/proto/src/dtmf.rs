//! Digits: telephone events (RFC 4733) read and collected into digits, and digits generated as events or as tones.

mod collector;
mod player;

pub use collector::Collector;
pub(crate) use player::Player;

use crate::drops::DropReason;
use crate::limits::LONGEST_FIRST;

/// Bytes of an event's payload.
pub const PAYLOAD_LEN: usize = 4;

/// One payload (RFC 4733 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which event: 0 to 15 are the digits.
    pub event: u8,
    /// Whether it has ended.
    pub end: bool,
    /// Its volume in -dBm0.
    pub volume: u8,
    /// Its length so far, in the clock of its payload type.
    pub duration: u16,
}

impl Event {
    /// Reads the first event of a payload.
    ///
    /// # Errors
    /// [`DropReason::MalformedEvent`] if the payload is too short.
    pub fn parse(payload: &[u8]) -> Result<Event, DropReason> {
        let bytes = payload.first_chunk::<PAYLOAD_LEN>().ok_or(DropReason::MalformedEvent)?;
        Ok(Event {
            event: bytes[0],
            end: bytes[1] & 0x80 != 0,
            volume: bytes[1] & MAX_VOLUME,
            duration: u16::from_be_bytes([bytes[2], bytes[3]]),
        })
    }

    /// Its payload.
    pub fn to_bytes(self) -> [u8; PAYLOAD_LEN] {
        let duration = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & MAX_VOLUME, duration[0], duration[1]]
    }
}

/// The largest volume, in -dBm0: it has 6 bits (RFC 4733 section 2.3.1).
pub const MAX_VOLUME: u8 = 0x3f;

/// A whole digit that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// 0 to 15.
    pub event: u8,
    /// Its length in milliseconds.
    pub duration_ms: u16,
}

/// The clock of an event's duration, read off the first packet of it that came. It should be that of the payload type
/// (RFC 4733 section 2.3.5), but telephones that agree on events at 8000 Hz beside Opus may count in the 48,000 Hz of
/// their audio (baresip does): then an event would be longer than [`LONGEST_FIRST`] when it is told for the first time.
pub fn clock_of(first: Event, clock: u32, audio_clock: u32) -> u32 {
    let longest = u64::from(clock) * LONGEST_FIRST.as_millis() as u64 / 1000;
    if audio_clock > clock && u64::from(first.duration) > longest { audio_clock } else { clock }
}

#[cfg(test)]
mod tests;
