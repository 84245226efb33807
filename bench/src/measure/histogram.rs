//! Durations, counted in buckets of about three percent, so that millions fit into a few kilobytes.

use std::time::Duration;

/// Each power of two is cut into this many buckets.
const SUB_BUCKETS: usize = 32;
const SUB_BITS: u32 = SUB_BUCKETS.trailing_zeros();
/// Of nanoseconds in a `u64`.
const BUCKETS: usize = (u64::BITS - SUB_BITS + 1) as usize * SUB_BUCKETS;

/// A histogram of durations.
#[derive(Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    most: Duration,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: vec![0; BUCKETS], count: 0, most: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one duration.
    pub(crate) fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanoseconds)] += 1;
        self.count += 1;
        self.most = self.most.max(duration);
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The duration that `share` (0 to 1) of all do not exceed, to three percent; zero if none was counted.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(upper_bound(index)).min(self.most);
            }
        }
        self.most
    }

    /// The longest.
    pub(crate) fn most(&self) -> Duration {
        self.most
    }

    /// Adds what `other` counted.
    pub(crate) fn merge(&mut self, other: &Histogram) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(ours, theirs)| *ours += theirs);
        self.count += other.count;
        self.most = self.most.max(other.most);
    }

    /// Median, 99th and 99.9th percentile and maximum in microseconds, as results keep them.
    pub(crate) fn json(&self) -> serde_json::Value {
        let microseconds = |duration: Duration| duration.as_nanos() as f64 / 1e3;
        serde_json::json!({
            "count": self.count,
            "p50_us": microseconds(self.quantile(0.5)),
            "p99_us": microseconds(self.quantile(0.99)),
            "p999_us": microseconds(self.quantile(0.999)),
            "max_us": microseconds(self.most),
        })
    }
}

fn bucket(value: u64) -> usize {
    // Below SUB_BUCKETS every value has its own bucket; above, the leading bits after the first choose it.
    let Some(shift) = value.checked_ilog2().and_then(|bits| bits.checked_sub(SUB_BITS)) else {
        return value as usize;
    };
    (shift as usize + 1) * SUB_BUCKETS + (value >> shift) as usize - SUB_BUCKETS
}

fn upper_bound(bucket: usize) -> u64 {
    let (group, offset) = (bucket / SUB_BUCKETS, bucket % SUB_BUCKETS);
    match group.checked_sub(1) {
        None => offset as u64,
        Some(shift) => ((((SUB_BUCKETS + offset) as u128 + 1) << shift) - 1) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        let values = [0, 1, 31, 32, 33, 1000, 123_456_789, u64::MAX];
        for value in values {
            let bound = upper_bound(bucket(value));
            assert!(bound >= value, "{value}: {bound}");
            assert!((bound - value) as f64 <= value as f64 / SUB_BUCKETS as f64, "{value}: {bound}");
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_are_right_to_three_percent() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|value| histogram.record(Duration::from_micros(value)));
        let median = histogram.quantile(0.5).as_secs_f64();
        assert!((median / 500e-6 - 1.0).abs() < 0.04, "{median}");
        assert_eq!(histogram.quantile(1.0), Duration::from_millis(1));
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }
}
