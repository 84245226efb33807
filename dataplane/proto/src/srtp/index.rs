//! Packet indexes and replay windows (RFC 3711 sections 3.3.1 and 3.3.2).

use super::SrtpError;

/// How far behind the highest index a packet may still be accepted; RFC 3711 section 3.3.2 asks for 64 or more.
pub(super) const REPLAY_WINDOW: u64 = 128;
/// One more than the highest RTP index: 32 bits of roll-over counter, 16 of sequence number.
const RTP_INDEXES: u64 = 1 << 48;

/// A sliding window over indexes: which of the last [`REPLAY_WINDOW`] were seen.
#[derive(Clone, Copy, Default)]
pub(super) struct ReplayWindow {
    /// The highest index seen, if any was.
    highest: Option<u64>,
    /// Bit `n`: index `highest - n` was seen.
    seen: u128,
}

impl ReplayWindow {
    /// Whether `index` may be accepted.
    pub(super) fn check(&self, index: u64) -> Result<(), SrtpError> {
        let Some(behind) = self.highest.and_then(|highest| highest.checked_sub(index)) else { return Ok(()) };
        if behind >= REPLAY_WINDOW {
            return Err(SrtpError::TooOld);
        }
        if self.seen >> behind & 1 == 1 {
            return Err(SrtpError::Replayed);
        }
        Ok(())
    }

    /// Marks an index that [`ReplayWindow::check`] allowed.
    pub(super) fn accept(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => {
                self.seen |= 1u128.checked_shl((highest - index) as u32).unwrap_or(0);
            }
            Some(highest) => {
                let ahead = u32::try_from(index - highest).unwrap_or(u32::MAX);
                self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
                self.highest = Some(index);
            }
            None => {
                self.seen = 1;
                self.highest = Some(index);
            }
        }
    }

    /// The index after the highest, 0 at first.
    pub(super) fn next(&self) -> u64 {
        self.highest.map_or(0, |highest| highest + 1)
    }
}

/// The indexes of one RTP stream.
#[derive(Clone, Copy, Default)]
pub(super) struct RtpIndexes {
    window: ReplayWindow,
}

impl RtpIndexes {
    /// The index that `sequence` most likely has, if it may be accepted.
    ///
    /// Both sides use the receiver's estimate of RFC 3711 section 3.3.1: an index that the receiver would
    /// guess differently could not be decrypted anyway.
    pub(super) fn check(&self, sequence: u16) -> Result<u64, SrtpError> {
        let index = self.estimate(sequence)?;
        self.window.check(index)?;
        Ok(index)
    }

    /// The index that `sequence` most likely has, if the stream has come so far.
    pub(super) fn reached(&self, sequence: u16) -> Result<u64, SrtpError> {
        let index = self.estimate(sequence)?;
        let is_reached = self.window.highest.is_some_and(|highest| index <= highest);
        if is_reached { Ok(index) } else { Err(SrtpError::TooOld) }
    }

    /// Marks an index that [`RtpIndexes::check`] gave.
    pub(super) fn accept(&mut self, index: u64) {
        self.window.accept(index);
    }

    fn estimate(&self, sequence: u16) -> Result<u64, SrtpError> {
        let sequence = u64::from(sequence);
        let Some(highest) = self.window.highest else { return Ok(sequence) };
        let (rollover, last) = (highest >> 16, highest & 0xFFFF);
        let rollover = if last < 0x8000 {
            // Before the first wrap there is no earlier roll-over: the packet is from before the stream.
            if sequence > last + 0x8000 {
                rollover.checked_sub(1).ok_or(SrtpError::TooOld)?
            } else {
                rollover
            }
        } else if last - 0x8000 > sequence {
            rollover + 1
        } else {
            rollover
        };
        let index = rollover << 16 | sequence;
        if index < RTP_INDEXES { Ok(index) } else { Err(SrtpError::KeyExpired) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexes_at(highest: u64) -> RtpIndexes {
        let mut indexes = RtpIndexes::default();
        indexes.accept(highest);
        indexes
    }

    #[test]
    fn the_rollover_counter_follows_the_sequence_number() {
        let mut indexes = indexes_at(0xFFFE);
        assert_eq!(indexes.check(0xFFFF), Ok(0xFFFF));
        assert_eq!(indexes.check(1), Ok(0x1_0001));
        indexes.accept(0x1_0001);
        assert_eq!(indexes.check(0xFFFF), Ok(0xFFFF), "late, from before the wrap");
        assert_eq!(indexes.check(0), Ok(0x1_0000));
        assert_eq!(indexes.check(0xFFFE), Err(SrtpError::Replayed));
    }

    #[test]
    fn a_packet_from_before_the_first_is_too_old() {
        assert_eq!(indexes_at(5).check(0xFFFF), Err(SrtpError::TooOld));
    }

    #[test]
    fn the_last_index_ends_the_key() {
        let indexes = indexes_at(RTP_INDEXES - 1);
        assert_eq!(indexes.check(0), Err(SrtpError::KeyExpired));
        assert_eq!(indexes.check(0xFFFE), Ok(RTP_INDEXES - 2));
    }

    #[test]
    fn the_window_remembers_exactly_its_length() {
        let mut window = ReplayWindow::default();
        window.accept(1000);
        assert_eq!(window.check(1000), Err(SrtpError::Replayed));
        assert_eq!(window.check(1001 - REPLAY_WINDOW), Ok(()));
        assert_eq!(window.check(1000 - REPLAY_WINDOW), Err(SrtpError::TooOld));
        window.accept(1001 - REPLAY_WINDOW);
        assert_eq!(window.check(1001 - REPLAY_WINDOW), Err(SrtpError::Replayed));
        window.accept(1_000_000);
        assert_eq!(window.check(999_999), Ok(()), "a jump clears what it skipped");
    }

    proptest::proptest! {
        #[test]
        fn no_index_is_accepted_twice(sequences in proptest::collection::vec(0u16.., 1..400)) {
            let mut indexes = RtpIndexes::default();
            let mut accepted = std::collections::HashSet::new();
            for sequence in sequences {
                if let Ok(index) = indexes.check(sequence) {
                    proptest::prop_assert!(accepted.insert(index));
                    proptest::prop_assert_eq!(index as u16, sequence);
                    indexes.accept(index);
                }
            }
        }
    }
}
