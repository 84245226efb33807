//! The packets of one stream that are missing, and when each is to be asked for (RFC 4585 section 6.2.1).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::limits::{FIRST_ASK, LONGEST_ASK, MAX_ASKS, MAX_HOLES, REORDER_PATIENCE, SHORTEST_ASK};

/// The holes of one stream. Its memory is taken when it is made.
#[derive(Debug)]
pub struct Missing {
    /// In the order of their indexes.
    holes: VecDeque<Hole>,
    newest: Option<u64>,
    /// Packets that were asked for, and came.
    pub repaired: u64,
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    index: u64,
    since: Instant,
    due: Instant,
    asks: u8,
}

impl Default for Missing {
    fn default() -> Missing {
        Missing { holes: VecDeque::with_capacity(MAX_HOLES), newest: None, repaired: 0 }
    }
}

impl Missing {
    /// Starts anew: another stream comes.
    pub fn restart(&mut self) {
        self.holes.clear();
        self.newest = None;
    }

    /// A packet came, with its extended sequence number. Returns whether more is missing than can be repaired: nothing
    /// of it is asked for then.
    pub fn arrived(&mut self, now: Instant, index: u64) -> bool {
        let Some(newest) = self.newest else {
            self.newest = Some(index);
            return false;
        };
        if index <= newest {
            if let Ok(place) = self.holes.binary_search_by_key(&index, |hole| hole.index)
                && let Some(hole) = self.holes.remove(place)
            {
                self.repaired += u64::from(hole.asks > 0);
            }
            return false;
        }
        self.newest = Some(index);
        let lost = usize::try_from(index - newest - 1).unwrap_or(usize::MAX);
        if lost > MAX_HOLES - self.holes.len() {
            self.holes.clear();
            return true;
        }
        let due = now + REORDER_PATIENCE;
        self.holes.extend((newest + 1..index).map(|index| Hole { index, since: now, due, asks: 0 }));
        false
    }

    /// Gives up what is too old or was asked for too often; returns whether there was something.
    pub fn give_up(&mut self, now: Instant) -> bool {
        let before = self.holes.len();
        let is_hopeless = |hole: &Hole| {
            now.saturating_duration_since(hole.since) >= LONGEST_ASK
                || hole.asks >= MAX_ASKS && hole.due <= now
        };
        self.holes.retain(|hole| !is_hopeless(hole));
        self.holes.len() != before
    }

    /// Tells `ask` the sequence numbers that are to be asked for now, in their order. Each is due again after a round
    /// trip; longer and longer if it does not come.
    pub fn ask(&mut self, now: Instant, round_trip: Option<Duration>, mut ask: impl FnMut(u16)) {
        let pause = round_trip.unwrap_or(FIRST_ASK).max(SHORTEST_ASK);
        for hole in self.holes.iter_mut().filter(|hole| hole.due <= now && hole.asks < MAX_ASKS) {
            ask(hole.index as u16);
            hole.asks += 1;
            hole.due = now + pause + pause * u32::from(hole.asks - 1) / 4;
        }
    }

    /// When [`Missing::ask`] or [`Missing::give_up`] has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.holes.iter().map(|hole| hole.due.min(hole.since + LONGEST_ASK)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    fn asked(missing: &mut Missing, now: Instant) -> Vec<u16> {
        let mut asked = Vec::new();
        missing.ask(now, Some(50 * MS), |sequence| asked.push(sequence));
        asked
    }

    #[test]
    fn what_is_missing_is_asked_for_once_in_a_round_trip_until_it_comes() {
        let start = Instant::now();
        let mut missing = Missing::default();
        missing.arrived(start, 65_534);
        missing.arrived(start, 65_538);
        assert!(asked(&mut missing, start).is_empty(), "they may only be late");
        let now = start + REORDER_PATIENCE;
        assert_eq!(missing.next_timeout(), Some(now));
        assert_eq!(asked(&mut missing, now), [65_535, 0, 1]);
        assert!(asked(&mut missing, now + 49 * MS).is_empty());
        missing.arrived(now, 65_536);
        assert_eq!(asked(&mut missing, now + 50 * MS), [65_535, 1]);
        missing.arrived(now, 65_535);
        missing.arrived(now, 65_537);
        assert_eq!((missing.next_timeout(), missing.repaired), (None, 3));
    }

    #[test]
    fn a_packet_that_only_changed_places_is_not_asked_for() {
        let start = Instant::now();
        let mut missing = Missing::default();
        [5, 7, 6, 8].into_iter().for_each(|index| assert!(!missing.arrived(start, index)));
        assert_eq!((missing.next_timeout(), missing.repaired), (None, 0));
    }

    #[test]
    fn nothing_is_asked_for_forever() {
        let start = Instant::now();
        let mut missing = Missing::default();
        missing.arrived(start, 1);
        missing.arrived(start, 3);
        let (mut now, mut asks) = (start, 0);
        while let Some(due) = missing.next_timeout() {
            now = due;
            asks += asked(&mut missing, now).len();
            missing.give_up(now);
        }
        assert!((5..=usize::from(MAX_ASKS)).contains(&asks), "{asks}");
        assert!(now <= start + LONGEST_ASK);
    }

    #[test]
    fn beyond_repair_nothing_is_asked_for() {
        let start = Instant::now();
        let mut missing = Missing::default();
        missing.arrived(start, 0);
        assert!(!missing.arrived(start, MAX_HOLES as u64 + 1));
        assert!(missing.arrived(start, MAX_HOLES as u64 + 3));
        assert_eq!(missing.next_timeout(), None);
        missing.arrived(start, MAX_HOLES as u64 + 5);
        assert_eq!(asked(&mut missing, start + REORDER_PATIENCE), [MAX_HOLES as u16 + 4]);
    }

    proptest! {
        #[test]
        fn only_what_did_not_come_is_asked_for(
            indexes in proptest::collection::vec(0u64..300, 1..200)
        ) {
            let start = Instant::now();
            let mut missing = Missing::default();
            indexes.iter().for_each(|&index| { missing.arrived(start, index); });
            for sequence in asked(&mut missing, start + REORDER_PATIENCE) {
                prop_assert!(!indexes.contains(&u64::from(sequence)));
            }
            prop_assert!(missing.holes.len() <= MAX_HOLES);
            prop_assert!(missing.holes.iter().map(|hole| hole.index).is_sorted());
        }
    }
}
