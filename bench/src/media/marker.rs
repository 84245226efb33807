//! The marker at a payload's end, for codecs in which any byte may stand: when the packet was sent, and which frame of
//! the speech it is, so that the receiving side can time it and compare the rest.

use std::time::Duration;

const MAGIC: [u8; 4] = *b"tdm1";
/// Magic, frame number, nanoseconds since the Unix epoch.
pub(super) const LENGTH: usize = 16;

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) frame: u32,
    pub(super) sent: Duration,
}

impl Marker {
    /// Writes it over the payload's end, which must have room.
    pub(super) fn write(self, payload: &mut [u8]) {
        let start = payload.len() - LENGTH;
        let nanoseconds = u64::try_from(self.sent.as_nanos()).unwrap_or(u64::MAX);
        let (magic, rest) = payload[start..].split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        rest[..4].copy_from_slice(&self.frame.to_be_bytes());
        rest[4..].copy_from_slice(&nanoseconds.to_be_bytes());
    }

    /// The marker at the payload's end, and what stands before it.
    pub(super) fn read(payload: &[u8]) -> Option<(Marker, &[u8])> {
        let (before, marker) = payload.split_last_chunk::<LENGTH>()?;
        let (magic, rest) = marker.split_first_chunk::<4>()?;
        let (frame, time) = rest.split_first_chunk::<4>()?;
        let nanoseconds = u64::from_be_bytes(time.try_into().ok()?);
        let found = Marker { frame: u32::from_be_bytes(*frame), sent: Duration::from_nanos(nanoseconds) };
        (*magic == MAGIC).then_some((found, before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let marker = Marker { frame: 7, sent: Duration::from_nanos(1_700_000_000_123_456_789) };
        let mut payload = [0xD5; 160];
        marker.write(&mut payload);
        assert_eq!(Marker::read(&payload), Some((marker, &[0xD5; 144][..])));
        assert_eq!(Marker::read(&payload[..159]), None);
        assert_eq!(Marker::read(&[0; 3]), None);
    }
}
