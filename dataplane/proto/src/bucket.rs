//! A limit on the packets and bytes that a leg may receive (attacks.md row 6).

use std::time::Instant;

use crate::limits::{MAX_BYTES_PER_SECOND, MAX_PACKETS_PER_SECOND};

/// A token bucket for packets and one for bytes; each holds what one second brings.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// In thousandths.
    packets: u64,
    bytes: u64,
    filled_at: Instant,
}

const PACKETS: u64 = MAX_PACKETS_PER_SECOND as u64;
const BYTES: u64 = MAX_BYTES_PER_SECOND as u64;

impl Bucket {
    /// Full.
    pub(crate) fn new(now: Instant) -> Bucket {
        Bucket { packets: PACKETS * 1000, bytes: BYTES * 1000, filled_at: now }
    }

    /// Takes the tokens of one packet; `false` if there are not enough.
    pub(crate) fn take(&mut self, now: Instant, len: usize) -> bool {
        let elapsed_ms = now.saturating_duration_since(self.filled_at).as_millis().min(1000) as u64;
        if elapsed_ms > 0 {
            self.packets = (self.packets + elapsed_ms * PACKETS).min(PACKETS * 1000);
            self.bytes = (self.bytes + elapsed_ms * BYTES).min(BYTES * 1000);
            self.filled_at = now;
        }
        let cost = len as u64 * 1000;
        let enough = self.packets >= 1000 && self.bytes >= cost;
        if enough {
            self.packets -= 1000;
            self.bytes -= cost;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_cut_to_the_rate_and_a_call_is_not() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let flood = (0..10_000u32).filter(|_| bucket.take(start, 100)).count();
        assert_eq!(flood as u64, PACKETS);
        let mut bucket = Bucket::new(start);
        let call = (0..1000u64).filter(|n| bucket.take(start + Duration::from_millis(n * 10), 600)).count();
        assert_eq!(call, 1000);
        let wide = (0..300).filter(|_| bucket.take(start + Duration::from_secs(20), 1400)).count();
        assert_eq!(wide as u64, BYTES / 1400);
    }
}
