//! A hashed timer wheel with one timer per session slot. Arming, moving and cancelling allocate nothing and take
//! constant time: the wheel's lists run through one array of nodes.

use std::time::{Duration, Instant};

/// How finely time is divided. A timer fires at the first tick that is not before its instant.
pub const TICK: Duration = Duration::from_millis(1);
/// Ticks of one revolution. A timer further away stays in its slot for more than one.
const SLOTS: usize = 1024;
/// The list of timers that have fired and were not taken yet.
const FIRED: usize = SLOTS;
/// No node.
const NONE: u32 = u32::MAX;

const _: () = assert!(SLOTS.is_multiple_of(64), "the bitmap has whole words");

#[derive(Clone, Copy, Debug)]
struct Node {
    /// When it fires.
    tick: u64,
    previous: u32,
    next: u32,
    /// The list it is on.
    list: Option<u16>,
}

/// The timers of a worker, named by small indices.
#[derive(Debug)]
pub struct Wheel {
    start: Instant,
    /// The last tick that has been looked at.
    tick: u64,
    nodes: Vec<Node>,
    heads: [u32; SLOTS + 1],
    /// A bit per slot that is not empty.
    occupied: [u64; SLOTS / 64],
}

impl Wheel {
    /// A wheel for timers `0..capacity`, none of them armed.
    pub fn new(capacity: usize, start: Instant) -> Wheel {
        let idle = Node { tick: 0, previous: NONE, next: NONE, list: None };
        Wheel {
            start,
            tick: 0,
            nodes: vec![idle; capacity],
            heads: [NONE; SLOTS + 1],
            occupied: [0; SLOTS / 64],
        }
    }

    /// Arms timer `index` for `at`, in the place of whatever it was armed for. An instant in the past fires at the
    /// next tick.
    pub fn arm(&mut self, index: usize, at: Instant) {
        let tick = self.tick_at_or_after(at).max(self.tick + 1);
        let slot = (tick % SLOTS as u64) as u16;
        let Some(node) = self.nodes.get_mut(index) else { return };
        if node.list == Some(slot) {
            node.tick = tick;
            return;
        }
        self.unlink(index);
        self.nodes[index].tick = tick;
        self.link(index, slot);
    }

    /// Disarms timer `index`, also where it fired and was not taken yet.
    pub fn cancel(&mut self, index: usize) {
        if index < self.nodes.len() {
            self.unlink(index);
        }
    }

    /// Turns the wheel to `now`. [`Wheel::pop`] then gives what fired.
    pub fn advance(&mut self, now: Instant) {
        let target = (now.saturating_duration_since(self.start).as_nanos() / TICK.as_nanos()) as u64;
        if target <= self.tick {
            return;
        }
        let turns = (target - self.tick).min(SLOTS as u64);
        self.tick = target;
        for tick in (target - turns + 1)..=target {
            self.fire_slot((tick % SLOTS as u64) as usize);
        }
    }

    /// Takes one timer that has fired; it is then disarmed.
    pub fn pop(&mut self) -> Option<usize> {
        let index = self.heads[FIRED];
        if index == NONE {
            return None;
        }
        self.unlink(index as usize);
        Some(index as usize)
    }

    /// Whether [`Wheel::pop`] has something to give.
    pub fn has_fired(&self) -> bool {
        self.heads[FIRED] != NONE
    }

    /// When to turn the wheel next; `None` if no timer is armed. This may be early: the slot of a timer that is
    /// more than one revolution away counts too.
    pub fn next(&self) -> Option<Instant> {
        let first = self.tick + 1;
        let first_slot = (first % SLOTS as u64) as usize;
        let words = self.occupied.len();
        for step in 0..=words {
            let word_index = (first_slot / 64 + step) % words;
            let mut word = self.occupied[word_index];
            if step == 0 {
                word &= u64::MAX << (first_slot % 64);
            }
            if word != 0 {
                let slot = word_index * 64 + word.trailing_zeros() as usize;
                let ahead = (slot + SLOTS - first_slot) % SLOTS;
                let millis = (first + ahead as u64) * TICK.as_millis() as u64;
                return Some(self.start + Duration::from_millis(millis));
            }
        }
        None
    }

    /// How many timers are armed or have fired.
    pub fn armed(&self) -> usize {
        self.nodes.iter().filter(|node| node.list.is_some()).count()
    }

    fn tick_at_or_after(&self, at: Instant) -> u64 {
        let nanos = at.saturating_duration_since(self.start).as_nanos();
        nanos.div_ceil(TICK.as_nanos()) as u64
    }

    fn fire_slot(&mut self, slot: usize) {
        let mut index = self.heads[slot];
        while index != NONE {
            let node = self.nodes[index as usize];
            if node.tick <= self.tick {
                self.unlink(index as usize);
                self.link(index as usize, FIRED as u16);
            }
            index = node.next;
        }
    }

    fn link(&mut self, index: usize, list: u16) {
        let head = self.heads[list as usize];
        self.nodes[index].previous = NONE;
        self.nodes[index].next = head;
        self.nodes[index].list = Some(list);
        if head != NONE {
            self.nodes[head as usize].previous = index as u32;
        }
        self.heads[list as usize] = index as u32;
        self.mark(list as usize);
    }

    fn unlink(&mut self, index: usize) {
        let Node { previous, next, list: Some(list), .. } = self.nodes[index] else { return };
        if previous == NONE {
            self.heads[list as usize] = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
        self.nodes[index].list = None;
        self.mark(list as usize);
    }

    /// Brings the slot's bit in line with its list.
    fn mark(&mut self, list: usize) {
        if list == FIRED {
            return;
        }
        let bit = 1 << (list % 64);
        if self.heads[list] == NONE {
            self.occupied[list / 64] &= !bit;
        } else {
            self.occupied[list / 64] |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wheel: &Wheel, ms: u64) -> Instant {
        wheel.start + Duration::from_millis(ms)
    }

    fn fired(wheel: &mut Wheel, ms: u64) -> Vec<usize> {
        let now = at(wheel, ms);
        wheel.advance(now);
        let mut all: Vec<usize> = std::iter::from_fn(|| wheel.pop()).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn timers_fire_at_their_tick_and_once() {
        let mut wheel = Wheel::new(4, Instant::now());
        let (first, second) = (at(&wheel, 5), at(&wheel, 20));
        wheel.arm(0, first);
        wheel.arm(1, second);
        assert_eq!(wheel.next(), Some(first));
        assert_eq!(fired(&mut wheel, 4), []);
        assert_eq!(fired(&mut wheel, 5), [0]);
        assert_eq!(wheel.next(), Some(second));
        assert_eq!(fired(&mut wheel, 500), [1]);
        assert_eq!((wheel.next(), wheel.armed()), (None, 0));
    }

    #[test]
    fn a_timer_between_ticks_fires_after_its_instant() {
        let mut wheel = Wheel::new(1, Instant::now());
        let between = wheel.start + Duration::from_micros(2500);
        wheel.arm(0, between);
        assert_eq!(fired(&mut wheel, 2), []);
        assert_eq!(fired(&mut wheel, 3), [0]);
    }

    #[test]
    fn arming_again_moves_and_cancelling_removes() {
        let mut wheel = Wheel::new(2, Instant::now());
        let (early, late) = (at(&wheel, 5), at(&wheel, 50));
        wheel.arm(0, early);
        wheel.arm(0, late);
        wheel.arm(1, early);
        wheel.cancel(1);
        assert_eq!(fired(&mut wheel, 49), []);
        assert_eq!(fired(&mut wheel, 50), [0]);
    }

    #[test]
    fn a_timer_beyond_one_revolution_waits_for_its_own() {
        let mut wheel = Wheel::new(1, Instant::now());
        let far = at(&wheel, 3 * SLOTS as u64 + 7);
        wheel.arm(0, far);
        let mut wakes = 0;
        while let Some(next) = wheel.next() {
            wakes += 1;
            wheel.advance(next);
            if wheel.pop().is_some() {
                assert!(next >= far);
            }
        }
        assert!(wakes <= 4, "woke {wakes} times");
    }

    #[test]
    fn a_timer_in_the_past_fires_at_the_next_tick() {
        let mut wheel = Wheel::new(1, Instant::now());
        assert_eq!(fired(&mut wheel, 100), []);
        let past = at(&wheel, 10);
        wheel.arm(0, past);
        assert_eq!(fired(&mut wheel, 100), []);
        assert_eq!(fired(&mut wheel, 101), [0]);
    }

    #[test]
    fn agrees_with_a_sorted_list_on_random_work() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut wheel = Wheel::new(64, Instant::now());
        let mut expected: [Option<u64>; 64] = [None; 64];
        let mut now = 0;
        for _ in 0..20_000 {
            let index = random.usize(..64);
            if random.u8(..4) == 0 {
                wheel.cancel(index);
                expected[index] = None;
            } else {
                let ms = now + random.u64(1..3000);
                let instant = at(&wheel, ms);
                wheel.arm(index, instant);
                expected[index] = Some(ms);
            }
            now += random.u64(..40);
            let due: Vec<usize> = (0..64).filter(|&i| expected[i].is_some_and(|ms| ms <= now)).collect();
            assert_eq!(fired(&mut wheel, now), due);
            due.iter().for_each(|&i| expected[i] = None);
            assert_eq!(wheel.armed(), expected.iter().flatten().count());
            assert_eq!(wheel.next().is_some(), wheel.armed() > 0);
        }
    }
}
