//! Time stamps in payloads: the last bytes of each packet say when it was sent, so that who receives it unchanged
//! knows how long it travelled. Both ends are in this process and share one clock.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Bytes of a stamp.
pub(crate) const LENGTH: usize = 12;
const MAGIC: [u8; 4] = *b"tndm";

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// Writes a stamp into the end of `payload`, if there is room.
pub(crate) fn put(payload: &mut [u8], now: Instant) {
    let nanoseconds = u64::try_from(now.saturating_duration_since(epoch()).as_nanos()).unwrap_or(u64::MAX);
    if let Some(stamp) = payload.len().checked_sub(LENGTH).map(|start| &mut payload[start..]) {
        stamp[..4].copy_from_slice(&MAGIC);
        stamp[4..].copy_from_slice(&nanoseconds.to_be_bytes());
    }
}

/// How long ago `payload` was stamped. `None`: it was not, or it has been transcoded.
pub(crate) fn age(payload: &[u8], now: Instant) -> Option<Duration> {
    let stamp = payload.last_chunk::<LENGTH>()?;
    let nanoseconds = u64::from_be_bytes(*stamp.strip_prefix(&MAGIC)?.first_chunk()?);
    now.checked_duration_since(epoch().checked_add(Duration::from_nanos(nanoseconds))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_its_age() {
        let now = epoch() + Duration::from_secs(1);
        let mut payload = [0xD5; 160];
        put(&mut payload, now);
        assert_eq!(age(&payload, now + Duration::from_millis(3)), Some(Duration::from_millis(3)));
        assert_eq!(age(&[0xD5; 160], now), None);
        assert_eq!(age(&payload[..4], now), None);
    }
}
