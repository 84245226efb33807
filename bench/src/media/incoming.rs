//! The stream that a leg receives: order, duplicates, jitter, and which of the peer's packets each one is.

use rtp::header::Header;
use std::time::Duration;

/// Sequence numbers remembered, to tell a duplicate from a late packet.
const WINDOW: u16 = 64;
/// The divisor of RFC 3550 section 6.4.1.
const JITTER_GAIN: f64 = 16.0;

/// How a packet stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// After all others.
    Next,
    /// After a later one.
    Reordered,
    /// It was here before.
    Duplicate,
}

/// The state of one received stream.
#[derive(Default)]
pub(super) struct Incoming {
    stream: Option<Stream>,
}

struct Stream {
    first_timestamp: u32,
    highest: u16,
    /// Bit n: `highest - n` was received.
    seen: u64,
    transit: f64,
    jitter: f64,
}

impl Incoming {
    /// Takes a packet that the kernel received at `at`, of a codec with `clock` ticks a second.
    pub(super) fn take(&mut self, header: &Header, at: Duration, clock: f64) -> Order {
        let transit = at.as_secs_f64() - f64::from(header.timestamp) / clock;
        let Some(stream) = &mut self.stream else {
            let (first_timestamp, highest) = (header.timestamp, header.sequence_number);
            self.stream = Some(Stream { first_timestamp, highest, seen: 1, transit, jitter: 0.0 });
            return Order::Next;
        };
        let ahead = header.sequence_number.wrapping_sub(stream.highest);
        let order = if ahead == 0 {
            Order::Duplicate
        } else if ahead < 1 << 15 {
            stream.seen = stream.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            stream.highest = header.sequence_number;
            Order::Next
        } else {
            let bit = 1_u64.checked_shl(u32::from(ahead.wrapping_neg())).unwrap_or(0);
            let known = ahead.wrapping_neg() < WINDOW && stream.seen & bit != 0;
            stream.seen |= bit;
            if known { Order::Duplicate } else { Order::Reordered }
        };
        if order == Order::Next {
            // The time stamp's wrap would show as a jump; it is left out.
            let change = (transit - stream.transit).abs();
            if change < 60.0 {
                stream.jitter += (change - stream.jitter) / JITTER_GAIN;
            }
            stream.transit = transit;
        }
        order
    }

    /// Which packet of the sender this is, from 0, by its time stamp; the first received counts as the first sent.
    pub(super) fn number(&self, header: &Header, step: u32) -> Option<u32> {
        let first = self.stream.as_ref()?.first_timestamp;
        header.timestamp.wrapping_sub(first).checked_div(step)
    }

    /// The interarrival jitter, once something came.
    pub(super) fn jitter(&self) -> Option<Duration> {
        self.stream.as_ref().map(|stream| Duration::from_secs_f64(stream.jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(incoming: &mut Incoming, sequence_number: u16) -> Order {
        let timestamp = u32::from(sequence_number) * 160;
        let header = Header { sequence_number, timestamp, ..Header::default() };
        incoming.take(&header, Duration::from_millis(u64::from(sequence_number) * 20 + 5), 8000.0)
    }

    #[test]
    fn order_is_told() {
        let mut incoming = Incoming::default();
        let orders = [10, 12, 11, 11, 12, 80, 12].map(|sequence| take(&mut incoming, sequence));
        use Order::{Duplicate, Next, Reordered};
        assert_eq!(orders, [Next, Next, Reordered, Duplicate, Duplicate, Next, Reordered]);
        assert!(incoming.jitter().unwrap() < Duration::from_nanos(1000));
    }

    #[test]
    fn packets_are_numbered_by_time_stamp() {
        let mut incoming = Incoming::default();
        take(&mut incoming, 100);
        let header = Header { timestamp: 103 * 160, ..Header::default() };
        assert_eq!(incoming.number(&header, 160), Some(3));
    }
}
