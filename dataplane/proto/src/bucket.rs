//! A limit on the packets and bytes that a leg may receive (attacks.md row 6).

use std::time::Instant;

use crate::limits::{
    MAX_BYTES_PER_SECOND, MAX_DATAGRAM, MAX_PACKETS_PER_SECOND, MAX_VIDEO_BYTES_PER_SECOND,
    MAX_VIDEO_PACKETS_PER_SECOND,
};

/// A token bucket for packets and one for bytes; each holds what one second brings.
#[derive(Debug)]
pub(crate) struct Bucket {
    rates: &'static Rates,
    /// In thousandths.
    packets: u32,
    bytes: u32,
    filled_at: Instant,
}

/// What comes in a second: packets and bytes.
#[derive(Debug)]
struct Rates {
    packets: u32,
    bytes: u32,
}

const AUDIO: Rates = Rates { packets: MAX_PACKETS_PER_SECOND, bytes: MAX_BYTES_PER_SECOND };
const WITH_VIDEO: Rates = Rates {
    packets: MAX_PACKETS_PER_SECOND + MAX_VIDEO_PACKETS_PER_SECOND,
    bytes: MAX_BYTES_PER_SECOND + MAX_VIDEO_BYTES_PER_SECOND,
};
/// A full bucket into which a second more is poured can be counted in thousandths.
const _: () = assert!(WITH_VIDEO.bytes < u32::MAX / 2000);

impl Bucket {
    /// Full, for a leg with audio.
    pub(crate) fn new(now: Instant) -> Bucket {
        Bucket { rates: &AUDIO, packets: AUDIO.packets * 1000, bytes: AUDIO.bytes * 1000, filled_at: now }
    }

    /// From now on the leg has video too, or no longer has.
    pub(crate) fn with_video(&mut self, has_video: bool) {
        self.rates = if has_video { &WITH_VIDEO } else { &AUDIO };
    }

    /// Takes the tokens of one packet; `false` if there are not enough.
    pub(crate) fn take(&mut self, now: Instant, len: usize) -> bool {
        let elapsed_ms = now.saturating_duration_since(self.filled_at).as_millis().min(1000) as u32;
        if elapsed_ms > 0 {
            let Rates { packets, bytes } = *self.rates;
            self.packets = (self.packets + elapsed_ms * packets).min(packets * 1000);
            self.bytes = (self.bytes + elapsed_ms * bytes).min(bytes * 1000);
            self.filled_at = now;
        }
        let cost = len.min(MAX_DATAGRAM) as u32 * 1000;
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
        assert_eq!(flood as u32, MAX_PACKETS_PER_SECOND);
        let mut bucket = Bucket::new(start);
        let call = (0..1000u64).filter(|n| bucket.take(start + Duration::from_millis(n * 10), 600)).count();
        assert_eq!(call, 1000);
        let wide = (0..300).filter(|_| bucket.take(start + Duration::from_secs(20), 1400)).count();
        assert_eq!(wide as u32, MAX_BYTES_PER_SECOND / 1400);
    }

    #[test]
    fn video_has_a_rate_of_its_own() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        bucket.with_video(true);
        let second = start + Duration::from_secs(1);
        let frames = (0..10_000).filter(|_| bucket.take(second, 1200)).count();
        assert_eq!(frames as u32, WITH_VIDEO.bytes / 1200);
        bucket.with_video(false);
        let audio = (0..10_000).filter(|_| bucket.take(second + Duration::from_secs(1), 100)).count();
        assert_eq!(audio as u32, MAX_PACKETS_PER_SECOND);
    }
}
