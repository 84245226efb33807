//! Even pacing: events at a steady rate, due at fixed times whatever came before, so that a late one does not shift
//! those after it; how late the generator itself was is kept.

use crate::measure::histogram::Histogram;
use std::time::{Duration, Instant};

/// A steady series of events.
pub(crate) struct Pace {
    start: Instant,
    interval: Duration,
    done: u32,
    lateness: Histogram,
}

impl Pace {
    /// One event each `interval`, the first at `start`.
    pub(crate) fn new(start: Instant, interval: Duration) -> Pace {
        Pace { start, interval, done: 0, lateness: Histogram::default() }
    }

    /// When the next event is due.
    pub(crate) fn next(&self) -> Instant {
        self.start + self.interval * self.done
    }

    /// Takes the next event if it is due, with the time at which it was; call again until there is none.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next();
        let late = now.checked_duration_since(due)?;
        self.done += 1;
        self.lateness.record(late);
        Some(due)
    }

    /// How late events were taken since the last call of this.
    pub(crate) fn take_lateness(&mut self) -> Histogram {
        std::mem::take(&mut self.lateness)
    }
}

/// Lets this thread's sleeps end when they should: the kernel otherwise adds up to 50 us to each.
pub(crate) fn precise_sleep() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer, nanoseconds, for the calling thread.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_does_not_shift_the_rest() {
        let start = Instant::now();
        let interval = Duration::from_millis(10);
        let mut pace = Pace::new(start, interval);
        let now = start + Duration::from_millis(25);
        assert_eq!(pace.take(now), Some(start));
        assert_eq!(pace.take(now), Some(start + interval));
        assert_eq!(pace.take(now), Some(start + 2 * interval));
        assert_eq!(pace.take(now), None);
        assert_eq!(pace.next(), start + 3 * interval);
        assert_eq!(pace.take_lateness().most(), Duration::from_millis(25));
    }
}
