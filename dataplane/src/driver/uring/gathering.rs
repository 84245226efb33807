//! When to sleep a little longer than the first datagram, so that one wake-up carries several.
//!
//! Waking up costs a worker as much as several packets do. The kernel can hold a wake-up back for a while after the
//! sleep began (`min_wait_usec`, Linux 6.12): a datagram that comes later than that wakes at once. So a worker with
//! little to do never lets one wait, and a busy one sleeps at least so long between two batches, unless its datagrams
//! come in batches anyhow.

use std::time::{Duration, Instant};

/// Datagrams a second below which waiting hardly brings a second one.
const BUSY_PER_SECOND: u64 = 10_000;
/// So many datagrams in a sleep are a batch, for which no other has to wait.
const BATCH: u64 = 32;
/// How long is counted before it is judged anew.
const WINDOW: Duration = Duration::from_millis(10);
/// So many datagrams end the wait before its time.
pub(super) const ENOUGH: usize = 32;

/// Judges the datagrams of one driver.
pub(super) struct Gathering {
    /// How long a datagram may wait for others.
    longest: Duration,
    since: Instant,
    received: u64,
    sleeps: u64,
    is_on: bool,
}

impl Gathering {
    pub(super) fn new(now: Instant, longest: Duration) -> Gathering {
        Gathering { longest, since: now, received: 0, sleeps: 0, is_on: false }
    }

    /// Counts a datagram.
    pub(super) fn received(&mut self) {
        self.received += 1;
    }

    /// How long the sleep that begins now holds wake-ups back.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        self.sleeps += 1;
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= WINDOW {
            let busy = u128::from(BUSY_PER_SECOND) * elapsed.as_micros() / 1_000_000;
            self.is_on = u128::from(self.received) >= busy && self.received < BATCH * self.sleeps;
            self.since = now;
            self.received = 0;
            self.sleeps = 0;
        }
        if self.is_on { self.longest } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_micros(100);

    /// The wait after a second of datagrams that come in batches at an even rate.
    fn wait_at(per_second: u32, batch: u32) -> Duration {
        let start = Instant::now();
        let mut gathering = Gathering::new(start, LONGEST);
        let mut wait = Duration::ZERO;
        for n in (0..per_second).step_by(batch as usize) {
            (0..batch).for_each(|_| gathering.received());
            wait = gathering.wait(start + Duration::from_secs(1) / per_second * n);
        }
        wait
    }

    #[test]
    fn few_datagrams_and_batches_are_not_held_back() {
        assert_eq!(wait_at(50, 1), Duration::ZERO);
        assert_eq!(wait_at(5_000, 1), Duration::ZERO);
        assert_eq!(wait_at(20_000, 2 * BATCH as u32), Duration::ZERO);
        assert_eq!(wait_at(20_000, 2), LONGEST);
        assert_eq!(wait_at(100_000, 5), LONGEST);
    }

    #[test]
    fn a_busy_moment_is_forgotten() {
        let start = Instant::now();
        let mut gathering = Gathering::new(start, LONGEST);
        for _ in 0..1000 {
            gathering.received();
            gathering.wait(start);
        }
        assert_eq!(gathering.wait(start + WINDOW), LONGEST);
        assert_eq!(gathering.wait(start + 2 * WINDOW), Duration::ZERO);
    }
}
