//! How much a sender may send: what the receiver on the other side takes, what that one says of its line, and what is
//! lost on the way there.

use std::time::Instant;

use super::limits::{BITRATE_INTERVAL, BITRATE_MEMORY, LEAST_BITRATE};

/// Losses up to which more may be sent, and from which less must be, in 1/256: 2 % and 10 %
/// (draft-ietf-rmcat-gcc-02 section 6).
const LITTLE_LOSS: u8 = 5;
const MUCH_LOSS: u8 = 26;

/// What may be sent in one direction, in bits a second.
#[derive(Debug, Default)]
pub struct Bitrate {
    /// What the receiver's description allows.
    described: Option<u32>,
    /// What the receiver said last (REMB), and when.
    told: Option<(u32, Instant)>,
    /// What it asked for (TMMBR): that holds until it asks again.
    requested: Option<u32>,
    /// What its losses leave, where they are much.
    after_loss: Option<u32>,
    meter: Meter,
    /// What the sender was told, and when.
    sent: Option<(u32, Instant)>,
}

/// What was forwarded, by the second.
#[derive(Debug, Default)]
struct Meter {
    since: Option<Instant>,
    bytes: u64,
    rate: u32,
}

impl Bitrate {
    /// What the receiver's description allows; 0: it names no limit.
    pub fn describe(&mut self, max_bitrate: u32) {
        self.described = (max_bitrate > 0).then_some(max_bitrate);
    }

    /// Another receiver takes the place of the one that was: what that one said and lost is nothing to it.
    pub fn forget_receiver(&mut self) {
        (self.told, self.requested, self.after_loss) = (None, None, None);
    }

    /// A packet was forwarded.
    pub fn forwarded(&mut self, now: Instant, len: usize) {
        let meter = &mut self.meter;
        let since = *meter.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= BITRATE_INTERVAL {
            let rate = u128::from(meter.bytes) * 8_000_000 / elapsed.as_micros().max(1);
            *meter = Meter { since: Some(now), bytes: 0, rate: u32::try_from(rate).unwrap_or(u32::MAX) };
        }
        meter.bytes += len as u64;
    }

    /// The receiver says what its line carries.
    pub fn told(&mut self, now: Instant, bitrate: u64) {
        self.told = Some((u32::try_from(bitrate).unwrap_or(u32::MAX), now));
    }

    /// The receiver asks for no more than so much, once for all; what no sender reaches is no limit.
    pub fn requested(&mut self, bitrate: u64) {
        self.requested = u32::try_from(bitrate).ok();
    }

    /// The receiver reports that it lost so much since its last report, in 1/256.
    pub fn lost(&mut self, fraction: u8) {
        let before = self.after_loss.unwrap_or(self.meter.rate);
        if fraction > MUCH_LOSS && before > 0 {
            let less = u64::from(before) * (512 - u64::from(fraction)) / 512;
            self.after_loss = u32::try_from(less).ok();
        } else if fraction <= LITTLE_LOSS
            && let Some(rate) = &mut self.after_loss
        {
            *rate = rate.saturating_add(*rate / 20 + 1000);
            // Where twice as much as is sent would pass, losses no longer limit.
            if *rate / 2 > self.meter.rate {
                self.after_loss = None;
            }
        }
    }

    /// The most that may be sent now; `None` where nothing limits it.
    pub fn current(&self, now: Instant) -> Option<u32> {
        let told = self.told.filter(|(_, at)| now.saturating_duration_since(*at) < BITRATE_MEMORY);
        let limits = [self.described, told.map(|(bitrate, _)| bitrate), self.requested, self.after_loss];
        limits.into_iter().flatten().min().map(|bitrate| bitrate.max(LEAST_BITRATE))
    }

    /// What the sender is to be told now: at intervals, and at once when it must send less than it was told. A limit
    /// that is gone is lifted by telling the highest that there is.
    pub fn tell(&mut self, now: Instant) -> Option<u32> {
        let current = match (self.current(now), self.sent) {
            (Some(current), _) => current,
            (None, None | Some((u32::MAX, _))) => return None,
            (None, Some(_)) => u32::MAX,
        };
        let is_due = self.sent.is_none_or(|(before, at)| {
            is_much_less(current, before) || now.saturating_duration_since(at) >= BITRATE_INTERVAL
        });
        is_due.then(|| {
            self.sent = Some((current, now));
            current
        })
    }

    /// When [`Bitrate::tell`] has something next.
    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        match (self.current(now), self.sent) {
            (None, None | Some((u32::MAX, _))) => None,
            (_, None) => Some(now),
            (Some(current), Some((before, _))) if is_much_less(current, before) => Some(now),
            (_, Some((_, at))) => Some(at + BITRATE_INTERVAL),
        }
    }
}

/// What changes by less than 3 % can wait.
fn is_much_less(current: u32, before: u32) -> bool {
    u64::from(current) * 100 < u64::from(before) * 97
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    /// Forwards a second of `rate` bits.
    fn forward(bitrate: &mut Bitrate, start: Instant, rate: usize) {
        (0..=100).for_each(|n| bitrate.forwarded(start + SECOND * n / 100, rate / 800));
    }

    #[test]
    fn the_lowest_limit_holds_and_is_told_at_intervals() {
        let now = Instant::now();
        let mut bitrate = Bitrate::default();
        assert_eq!((bitrate.tell(now), bitrate.next_timeout(now)), (None, None));
        bitrate.describe(500_000);
        assert_eq!(bitrate.tell(now), Some(500_000));
        assert_eq!(bitrate.tell(now), None);
        assert_eq!(bitrate.next_timeout(now), Some(now + SECOND));
        bitrate.told(now, 2_000_000);
        assert_eq!(bitrate.tell(now + SECOND), Some(500_000));
        bitrate.told(now + SECOND, 300_000);
        assert_eq!(bitrate.tell(now + SECOND), Some(300_000), "less is told at once");
        bitrate.told(now + SECOND, 299_000);
        assert_eq!(bitrate.tell(now + SECOND), None, "but not each bit less");
        bitrate.told(now + SECOND, 1);
        assert_eq!(bitrate.tell(now + SECOND), Some(LEAST_BITRATE));
    }

    #[test]
    fn a_limit_that_is_gone_is_lifted_once() {
        let now = Instant::now();
        let mut bitrate = Bitrate::default();
        bitrate.told(now, 300_000);
        assert_eq!(bitrate.tell(now), Some(300_000));
        let later = now + BITRATE_MEMORY;
        assert_eq!(bitrate.tell(later), Some(u32::MAX));
        assert_eq!((bitrate.tell(later + SECOND), bitrate.next_timeout(later)), (None, None));
    }

    #[test]
    fn what_was_requested_holds_until_another_request() {
        let now = Instant::now();
        let mut bitrate = Bitrate::default();
        bitrate.requested(300_000);
        assert_eq!(bitrate.current(now + BITRATE_MEMORY * 10), Some(300_000));
        bitrate.told(now, 200_000);
        assert_eq!(bitrate.current(now), Some(200_000), "the lower one counts");
        bitrate.requested(1 << 40);
        assert_eq!(bitrate.current(now + BITRATE_MEMORY), None);
    }

    #[test]
    fn another_receiver_has_a_line_of_its_own() {
        let now = Instant::now();
        let mut bitrate = Bitrate::default();
        bitrate.describe(500_000);
        bitrate.told(now, 300_000);
        bitrate.requested(200_000);
        bitrate.forget_receiver();
        assert_eq!(bitrate.current(now), Some(500_000));
    }

    #[test]
    fn much_loss_lowers_what_is_sent_and_little_lets_it_grow() {
        let now = Instant::now();
        let mut bitrate = Bitrate::default();
        forward(&mut bitrate, now, 1_000_000);
        bitrate.lost(13);
        assert_eq!(bitrate.current(now), None, "5 % is neither");
        bitrate.lost(51);
        let after = bitrate.current(now).unwrap();
        assert!((890_000..=910_000).contains(&after), "a fifth lost costs a tenth: {after}");
        bitrate.lost(13);
        assert_eq!(bitrate.current(now), Some(after));
        bitrate.lost(0);
        assert!(bitrate.current(now).unwrap() > after);
        (0..30).for_each(|_| bitrate.lost(0));
        assert_eq!(bitrate.current(now), None);
    }
}
