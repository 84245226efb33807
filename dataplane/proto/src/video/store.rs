//! The newest packets that were sent, for a receiver that asks for one again (RFC 4585 section 6.2.1).

use std::time::{Duration, Instant};

use super::limits::{MAX_RESENT, RESENT_BYTES_PER_SECOND, SHORTEST_ASK, STORED_BYTES, STORED_PACKETS};

/// The packets of one stream. Its memory is taken when it is made; the oldest packets make room for new ones.
#[derive(Debug)]
pub struct Store {
    bytes: Box<[u8]>,
    /// The packet with sequence number `n` is at `n % STORED_PACKETS`, if it is that one.
    entries: Box<[Option<Entry>]>,
    /// Bytes that were written in all, those left out at the end of the memory too.
    written: u64,
    /// Bytes that may be sent again now.
    allowance: usize,
    allowed_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    sequence: u16,
    len: usize,
    /// How many bytes were written before it.
    at: u64,
    resent_at: Option<Instant>,
}

impl Default for Store {
    fn default() -> Store {
        Store {
            bytes: vec![0; STORED_BYTES].into(),
            entries: vec![None; STORED_PACKETS].into(),
            written: 0,
            allowance: 0,
            allowed_at: None,
        }
    }
}

impl Store {
    /// Keeps a packet as it is sent, before it is protected. One without a byte, or longer than all the memory, is not
    /// kept.
    pub fn keep(&mut self, sequence: u16, packet: &[u8]) {
        let size = self.bytes.len() as u64;
        let len = packet.len() as u64;
        if len == 0 || len > size {
            return;
        }
        // A packet lies in one piece: what is left at the end is not used if it is too short.
        let left = size - self.written % size;
        if left < len {
            self.written += left;
        }
        let at = self.written;
        let start = usize::try_from(at % size).unwrap_or(0);
        let Some(room) = self.bytes.get_mut(start..start + packet.len()) else { return };
        room.copy_from_slice(packet);
        self.written += len;
        if let Some(entry) = self.entries.get_mut(usize::from(sequence) % STORED_PACKETS) {
            *entry = Some(Entry { sequence, len: packet.len(), at, resent_at: None });
        }
    }

    /// A packet that the receiver asks for, to be sent again now. `None` if it is not there, if it was sent again less
    /// than a round trip ago (it is on its way), or if too much is being asked for.
    pub fn resend(&mut self, now: Instant, round_trip: Option<Duration>, sequence: u16) -> Option<&[u8]> {
        let entry = self.entries.get_mut(usize::from(sequence) % STORED_PACKETS)?.as_mut();
        let entry = entry.filter(|entry| entry.sequence == sequence)?;
        if entry.at + (self.bytes.len() as u64) < self.written {
            return None;
        }
        let pause = round_trip.unwrap_or(SHORTEST_ASK).max(SHORTEST_ASK);
        if entry.resent_at.is_some_and(|at| now.saturating_duration_since(at) < pause) {
            return None;
        }
        let since =
            self.allowed_at.replace(now).map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        let more = since.as_micros().min(1_000_000) as usize * RESENT_BYTES_PER_SECOND / 1_000_000;
        self.allowance = (self.allowance + more).min(RESENT_BYTES_PER_SECOND);
        self.allowance = self.allowance.checked_sub(entry.len)?;
        entry.resent_at = Some(now);
        let start = usize::try_from(entry.at % self.bytes.len() as u64).ok()?;
        self.bytes.get(start..start + entry.len)
    }

    /// Forgets every packet: the stream goes on elsewhere.
    pub fn forget(&mut self) {
        self.entries.fill(None);
    }
}

const _: () = assert!(MAX_RESENT <= STORED_PACKETS);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_is_sent_again_once_in_a_round_trip() {
        let now = Instant::now();
        let mut store = Store::default();
        store.keep(7, b"seven");
        let round_trip = Some(Duration::from_millis(50));
        assert_eq!(store.resend(now, round_trip, 7), Some(&b"seven"[..]));
        assert_eq!(store.resend(now, round_trip, 7), None);
        assert_eq!(store.resend(now + Duration::from_millis(49), round_trip, 7), None);
        assert_eq!(store.resend(now + Duration::from_millis(50), round_trip, 7), Some(&b"seven"[..]));
        assert_eq!(store.resend(now, None, 8), None);
        assert_eq!(store.resend(now, None, 7 + STORED_PACKETS as u16), None, "another in its place");
        store.forget();
        assert_eq!(store.resend(now + Duration::from_secs(1), None, 7), None);
    }

    #[test]
    fn the_oldest_make_room() {
        let now = Instant::now();
        let mut store = Store::default();
        let packet = vec![1; 1200];
        let fitting = (STORED_BYTES / 1200) as u16;
        let mut sequence = 0xff00u16;
        for _ in 0..1000 {
            sequence = sequence.wrapping_add(1);
            store.keep(sequence, &packet);
        }
        let oldest = sequence.wrapping_sub(fitting - 1);
        assert!(store.resend(now, None, oldest).is_some());
        assert!(store.resend(now, None, oldest.wrapping_sub(1)).is_none());
    }

    #[test]
    fn no_more_is_sent_again_than_may_be() {
        let now = Instant::now();
        let mut store = Store::default();
        (0..200).for_each(|sequence| store.keep(sequence, &[1; 1250]));
        let mut ask = |after: u64| {
            let now = now + Duration::from_millis(after);
            (0..200).filter(|&sequence| store.resend(now, None, sequence).is_some()).count()
        };
        assert_eq!(ask(0) * 1250, RESENT_BYTES_PER_SECOND);
        assert_eq!(ask(100) * 1250, RESENT_BYTES_PER_SECOND / 10);
    }

    proptest! {
        #[test]
        fn what_is_sent_again_is_what_was_kept(lens in proptest::collection::vec(0usize..3000, 1..400)) {
            let now = Instant::now();
            let mut store = Store::default();
            for (sequence, len) in (0u16..).zip(&lens) {
                store.keep(sequence, &vec![sequence as u8; *len]);
            }
            for (sequence, len) in (0u16..).zip(&lens) {
                let later = now + Duration::from_secs(sequence.into());
                if let Some(packet) = store.resend(later, None, sequence) {
                    prop_assert_eq!(packet, &vec![sequence as u8; *len][..]);
                }
            }
        }
    }
}
