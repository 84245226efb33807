//! A small reordering window, for streams that are decoded here.
//!
//! A packet in its turn passes at once: a clean line has no added delay. Only behind a gap packets are held back,
//! at most [`REORDER_DEPTH`] of them for at most [`REORDER_WAIT`]; then the gap is loss.

use std::time::Instant;

use crate::limits::{MAX_DATAGRAM, REORDER_DEPTH, REORDER_WAIT};

/// What is to be done with a packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is its turn.
    Now,
    /// It was copied and waits behind a gap.
    Held,
    /// Its turn has passed.
    Late,
}

/// A packet that has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Released<'a> {
    /// How many packets before it are lost.
    pub(crate) lost: u32,
    /// The packet.
    pub(crate) packet: &'a [u8],
}

/// The window.
#[derive(Debug)]
pub(crate) struct Reorder {
    /// The index whose turn is next; `None` before the first packet of a run.
    next: Option<u64>,
    /// In no order.
    slots: [Slot; REORDER_DEPTH],
}

#[derive(Debug)]
struct Slot {
    held: Option<Held>,
    buffer: Box<[u8]>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    index: u64,
    len: usize,
    until: Instant,
}

impl Default for Reorder {
    fn default() -> Reorder {
        let slots = std::array::from_fn(|_| Slot { held: None, buffer: vec![0; MAX_DATAGRAM].into() });
        Reorder { next: None, slots }
    }
}

impl Reorder {
    /// Starts a new run: the next packet is its first.
    pub(crate) fn restart(&mut self) {
        self.next = None;
        for slot in &mut self.slots {
            slot.held = None;
        }
    }

    /// Takes a packet with its extended sequence number, which must not have come before in this run. Call
    /// [`Reorder::release`] until it has nothing more afterwards, also after [`Turn::Held`].
    pub(crate) fn arrive(&mut self, now: Instant, index: u64, packet: &[u8]) -> Turn {
        let next = *self.next.get_or_insert(index);
        if index < next {
            return Turn::Late;
        }
        if index == next {
            self.next = Some(index + 1);
            return Turn::Now;
        }
        let free = self.slots.iter_mut().find(|slot| slot.held.is_none());
        let Some(slot) = free else { return Turn::Late };
        let Some(room) = slot.buffer.get_mut(..packet.len()) else { return Turn::Late };
        room.copy_from_slice(packet);
        slot.held = Some(Held { index, len: packet.len(), until: now + REORDER_WAIT });
        Turn::Held
    }

    /// The next packet whose turn has come: the gap before it closed, the window is full, or it has waited for
    /// long enough.
    pub(crate) fn release(&mut self, now: Instant) -> Option<Released<'_>> {
        let next = self.next?;
        let full = self.slots.iter().all(|slot| slot.held.is_some());
        let first = self.slots.iter_mut().filter(|slot| slot.held.is_some());
        let slot = first.min_by_key(|slot| slot.held.map(|held| held.index))?;
        let held = slot.held.filter(|held| held.index == next || full || held.until <= now)?;
        slot.held = None;
        self.next = Some(held.index + 1);
        let lost = u32::try_from(held.index.saturating_sub(next)).unwrap_or(u32::MAX);
        Some(Released { lost, packet: slot.buffer.get(..held.len).unwrap_or_default() })
    }

    /// When [`Reorder::release`] has a packet for no other reason than time.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.slots.iter().filter_map(|slot| slot.held.map(|held| held.until)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What comes out: `Ok` a packet's number, `Err` how many are lost.
    fn drain(reorder: &mut Reorder, now: Instant, into: &mut Vec<Result<u8, u32>>) {
        while let Some(Released { lost, packet }) = reorder.release(now) {
            if lost > 0 {
                into.push(Err(lost));
            }
            into.push(Ok(packet[0]));
        }
    }

    fn run(order: &[u8]) -> Vec<Result<u8, u32>> {
        let now = Instant::now();
        let (mut reorder, mut out) = (Reorder::default(), Vec::new());
        for &number in order {
            if reorder.arrive(now, u64::from(number), &[number]) == Turn::Now {
                out.push(Ok(number));
            }
            drain(&mut reorder, now, &mut out);
        }
        drain(&mut reorder, now + REORDER_WAIT, &mut out);
        out
    }

    #[test]
    fn a_clean_line_passes_at_once() {
        assert_eq!(run(&[1, 2, 3]), [Ok(1), Ok(2), Ok(3)]);
    }

    #[test]
    fn a_swap_is_put_right() {
        assert_eq!(run(&[1, 3, 2, 4]), [Ok(1), Ok(2), Ok(3), Ok(4)]);
        assert_eq!(run(&[1, 3, 4, 2, 5]), [Ok(1), Err(1), Ok(3), Ok(4), Ok(5)]);
    }

    #[test]
    fn a_gap_is_loss_when_the_window_is_full_or_time_is_up() {
        assert_eq!(run(&[1, 5, 6, 7]), [Ok(1), Err(3), Ok(5), Ok(6), Ok(7)]);
        assert_eq!(run(&[1, 5]), [Ok(1), Err(3), Ok(5)]);
        assert_eq!(run(&[1, 4, 6]), [Ok(1), Err(2), Ok(4), Err(1), Ok(6)]);
    }

    #[test]
    fn a_restart_forgets() {
        let now = Instant::now();
        let mut reorder = Reorder::default();
        assert_eq!(reorder.arrive(now, 10, &[0]), Turn::Now);
        assert_eq!(reorder.arrive(now, 12, &[0]), Turn::Held);
        assert_eq!(reorder.next_timeout(), Some(now + REORDER_WAIT));
        reorder.restart();
        assert_eq!(reorder.next_timeout(), None);
        assert_eq!(reorder.arrive(now, 3, &[0]), Turn::Now);
    }

    proptest! {
        #[test]
        fn packets_come_out_in_order_and_every_gap_is_told(
            keys in proptest::collection::vec(any::<(u8, bool)>(), 1..100)
        ) {
            // Each packet is delayed by up to a few places, or lost.
            let mut order: Vec<(usize, u8)> = keys.iter().enumerate().skip(1)
                .filter(|(_, (_, lost))| !lost)
                .map(|(n, (delay, _))| (n + usize::from(delay % 5), n as u8)).collect();
            order.push((0, 0));
            order.sort();
            let out = run(&order.iter().map(|&(_, n)| n).collect::<Vec<_>>());
            let mut next = 0;
            for item in out {
                match item {
                    Ok(number) => { prop_assert_eq!(u32::from(number), next); next += 1; }
                    Err(lost) => next += lost,
                }
            }
        }
    }
}
