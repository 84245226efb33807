//! A token bucket for each source address (attacks.md row 8).

use crate::sip::limits;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// How many seconds' worth of requests may come at once.
const BURST_SECONDS: f64 = 2.0;

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

/// The buckets. A source that is not known yet has a full one.
#[derive(Debug)]
pub(super) struct SourceLimit {
    rate: f64,
    buckets: HashMap<IpAddr, Bucket>,
}

impl SourceLimit {
    pub(super) fn new(requests_per_second: u32) -> SourceLimit {
        SourceLimit { rate: f64::from(requests_per_second), buckets: HashMap::new() }
    }

    /// Whether one more request from this source may be looked at.
    pub(super) fn admit(&mut self, now: Instant, source: IpAddr) -> bool {
        let full = self.rate * BURST_SECONDS;
        if !self.buckets.contains_key(&source) && self.buckets.len() >= limits::SOURCES {
            let rate = self.rate;
            // A full bucket is the same as none.
            self.buckets.retain(|_, bucket| bucket.level(now, rate, full) < full);
            if self.buckets.len() >= limits::SOURCES {
                return false;
            }
        }
        let bucket = self.buckets.entry(source).or_insert(Bucket { tokens: full, filled: now });
        bucket.tokens = bucket.level(now, self.rate, full);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

impl Bucket {
    fn level(&self, now: Instant, rate: f64, full: f64) -> f64 {
        (self.tokens + rate * now.saturating_duration_since(self.filled).as_secs_f64()).min(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_source_gets_its_burst_then_its_rate_and_others_are_untouched() {
        let now = Instant::now();
        let mut limit = SourceLimit::new(10);
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        assert_eq!((0..100).filter(|_| limit.admit(now, one)).count(), 20);
        assert!(limit.admit(now, other));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| limit.admit(later, one)).count(), 10);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_idle_sources() {
        let now = Instant::now();
        let mut limit = SourceLimit::new(1);
        let address = |n: usize| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        for n in 0..limits::SOURCES {
            assert!(limit.admit(now, address(n)));
        }
        assert!(!limit.admit(now, address(limits::SOURCES)));
        assert!(limit.admit(now + Duration::from_secs(60), address(limits::SOURCES)));
        assert_eq!(limit.buckets.len(), 1);
    }
}
