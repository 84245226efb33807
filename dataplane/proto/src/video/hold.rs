//! Packets that wait behind a gap until it is filled, for a receiver that asks for nothing again: it sees what was
//! repaired, and not the repair. A packet in its turn passes at once.

use std::time::Instant;

use super::limits::{HELD_PACKETS, LONGEST_HOLD};
use crate::limits::MAX_DATAGRAM;

/// What is to be done with a packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is its turn.
    Now,
    /// It was copied and waits.
    Held,
    /// Its turn has passed.
    Late,
}

/// The packets of one stream that wait. Its memory is taken when it is made.
#[derive(Debug)]
pub struct Hold {
    /// The index whose turn is next; `None` before the first packet of a run.
    next: Option<u64>,
    /// Up to here nothing is waited for.
    overdue: u64,
    /// The packet with index `n` is at `n % HELD_PACKETS`.
    waiting: Box<[Option<Waiting>]>,
    count: usize,
    bytes: Box<[u8]>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    index: u64,
    len: usize,
    until: Instant,
}

impl Default for Hold {
    fn default() -> Hold {
        Hold {
            next: None,
            overdue: 0,
            waiting: vec![None; HELD_PACKETS].into(),
            count: 0,
            bytes: vec![0; HELD_PACKETS * MAX_DATAGRAM].into(),
        }
    }
}

impl Hold {
    /// Starts a new run: the next packet is its first. What waited is dropped.
    pub fn restart(&mut self) {
        self.next = None;
        self.overdue = 0;
        self.waiting.fill(None);
        self.count = 0;
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Makes room for a packet that is to come to [`Hold::arrive`]: call [`Hold::release`] until it has nothing more.
    pub fn make_room(&mut self, index: u64) {
        self.overdue = self.overdue.max((index + 1).saturating_sub(HELD_PACKETS as u64));
    }

    /// Takes a packet with its extended sequence number, which must not have come before in this run, after
    /// [`Hold::make_room`]. Call [`Hold::release`] until it has nothing more afterwards, behind the packet itself.
    pub fn arrive(&mut self, now: Instant, index: u64, packet: &[u8]) -> Turn {
        let next = *self.next.get_or_insert(index);
        if index < next {
            return Turn::Late;
        }
        if index == next {
            self.next = Some(index + 1);
            return Turn::Now;
        }
        let place = place(index);
        let room = self.bytes.get_mut(place * MAX_DATAGRAM..).and_then(|room| room.get_mut(..packet.len()));
        let (Some(room), Some(waiting)) = (room, self.waiting.get_mut(place)) else { return Turn::Late };
        if waiting.is_some() || packet.len() > MAX_DATAGRAM {
            return Turn::Late;
        }
        room.copy_from_slice(packet);
        *waiting = Some(Waiting { index, len: packet.len(), until: now + LONGEST_HOLD });
        self.count += 1;
        Turn::Held
    }

    /// The next packet whose turn it is, with its index: everything before it was released, or was waited for long
    /// enough.
    pub fn release(&mut self, now: Instant) -> Option<(u64, &[u8])> {
        if self.count == 0 {
            return None;
        }
        let mut next = self.next?;
        if self.waiting.get(place(next)).copied().flatten().is_none_or(|waiting| waiting.index != next) {
            let first = self.waiting.iter().flatten().min_by_key(|waiting| waiting.index)?;
            let is_overdue = first.index < self.overdue || self.oldest().is_some_and(|until| until <= now);
            if !is_overdue {
                return None;
            }
            next = first.index;
        }
        let place = place(next);
        let waiting = self.waiting.get_mut(place)?.take()?;
        self.count -= 1;
        self.next = Some(next + 1);
        let packet = self.bytes.get(place * MAX_DATAGRAM..)?.get(..waiting.len)?;
        Some((next, packet))
    }

    /// When [`Hold::release`] has something without another packet.
    pub fn next_timeout(&self) -> Option<Instant> {
        if self.count == 0 { None } else { self.oldest() }
    }

    fn oldest(&self) -> Option<Instant> {
        self.waiting.iter().flatten().map(|waiting| waiting.until).min()
    }
}

fn place(index: u64) -> usize {
    (index % HELD_PACKETS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    /// What is sent when a packet comes, and what becomes of it.
    fn arrive(hold: &mut Hold, now: Instant, index: u64) -> (Vec<u64>, Turn) {
        hold.make_room(index);
        let mut sent = released(hold, now);
        let turn = hold.arrive(now, index, &index.to_be_bytes());
        if turn == Turn::Now {
            sent.push(index);
        }
        sent.extend(released(hold, now));
        (sent, turn)
    }

    fn released(hold: &mut Hold, now: Instant) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some((index, packet)) = hold.release(now) {
            assert_eq!(packet, index.to_be_bytes());
            sent.push(index);
        }
        sent
    }

    #[test]
    fn packets_wait_until_the_gap_is_filled() {
        let now = Instant::now();
        let mut hold = Hold::default();
        assert_eq!(arrive(&mut hold, now, 5), (vec![5], Turn::Now));
        assert_eq!(arrive(&mut hold, now, 8), (vec![], Turn::Held));
        assert_eq!(arrive(&mut hold, now, 7), (vec![], Turn::Held));
        assert_eq!(arrive(&mut hold, now, 6), (vec![6, 7, 8], Turn::Now));
        assert!(hold.is_empty());
        assert_eq!(arrive(&mut hold, now, 4).1, Turn::Late);
        assert_eq!(arrive(&mut hold, now, 9), (vec![9], Turn::Now));
    }

    #[test]
    fn no_packet_waits_longer_than_it_may() {
        let now = Instant::now();
        let mut hold = Hold::default();
        arrive(&mut hold, now, 1);
        arrive(&mut hold, now, 3);
        arrive(&mut hold, now + Duration::from_millis(10), 5);
        let due = hold.next_timeout().unwrap();
        assert_eq!(due, now + LONGEST_HOLD);
        assert!(released(&mut hold, due - Duration::from_millis(1)).is_empty());
        assert_eq!(released(&mut hold, due), [3]);
        assert_eq!(arrive(&mut hold, due, 2).1, Turn::Late);
        assert_eq!(released(&mut hold, due + Duration::from_millis(10)), [5]);
        assert_eq!(hold.next_timeout(), None);
    }

    #[test]
    fn too_many_push_the_first_out() {
        let now = Instant::now();
        let mut hold = Hold::default();
        arrive(&mut hold, now, 0);
        let last = HELD_PACKETS as u64 + 2;
        let sent: Vec<u64> = (2..=last).flat_map(|index| arrive(&mut hold, now, index).0).collect();
        assert_eq!(sent, (2..=last).collect::<Vec<_>>());
        let (sent, turn) = arrive(&mut hold, now, last + 5000);
        assert_eq!((sent, turn), (vec![], Turn::Held));
        assert_eq!(released(&mut hold, now + LONGEST_HOLD), [last + 5000]);
    }

    #[test]
    fn a_new_run_begins_anywhere() {
        let now = Instant::now();
        let mut hold = Hold::default();
        arrive(&mut hold, now, 70_000);
        arrive(&mut hold, now, 70_002);
        hold.restart();
        assert_eq!(arrive(&mut hold, now, 3), (vec![3], Turn::Now));
    }

    proptest! {
        #[test]
        fn order_is_kept_and_nothing_is_lost(steps in proptest::collection::vec((0u64..400, 0u64..40), 1..400)) {
            let mut now = Instant::now();
            let mut hold = Hold::default();
            let mut came = std::collections::HashSet::new();
            let (mut sent, mut late) = (Vec::new(), 0);
            for (index, wait) in steps {
                now += Duration::from_millis(wait);
                sent.extend(released(&mut hold, now));
                if came.insert(index) {
                    let (more, turn) = arrive(&mut hold, now, index);
                    sent.extend(more);
                    late += usize::from(turn == Turn::Late);
                }
                prop_assert!(hold.next_timeout().is_none_or(|due| due > now));
            }
            sent.extend(released(&mut hold, now + LONGEST_HOLD));
            prop_assert!(sent.is_sorted_by(|one, other| one < other));
            prop_assert_eq!(sent.len() + late, came.len());
        }
    }
}
