//! A room in which everyone hears everyone else.
//!
//! The room has a clock: at each tick it takes from each member what its peer said, mixes, and gives each its mixture
//! without its own voice. Encoding takes the most time of all, so it is spread over the tick, some members at a time. A
//! room knows members by keys; whoever drives it finds their seats.

use std::time::{Duration, Instant};

use tandem_codec::mixer::Mixer;

use crate::decoding::samples;
use crate::limits::{MAX_ROOM_MEMBERS, ROOM_TICK};

/// How far the clock may be late for ticks to be made up for; later, time is left out.
const LATEST: Duration = Duration::from_millis(200);
/// How many members are spoken to at a time, and the time between: nothing else on a worker may wait for long.
const SLICE: usize = 8;
const BETWEEN_SLICES: Duration = Duration::from_millis(1);
/// The rates at which rooms mix, in Hz.
pub const RATES: [u32; 3] = [8000, 16_000, 48_000];

/// Finds the members of a room.
pub trait Members<K> {
    /// Writes what the member's peer says in a tick; `false` if it says nothing, `tick` being as it may.
    fn listen(&mut self, member: K, tick: &mut [i16]) -> bool;

    /// Lets the member's peer hear a tick.
    fn speak(&mut self, member: K, tick: &[i16]);
}

/// A room.
pub struct Room<K> {
    rate: u32,
    mixer: Mixer,
    places: Box<[Option<K>]>,
    members: usize,
    /// What one member hears.
    tick: Box<[i16]>,
    /// When the next tick is due.
    due: Instant,
    /// The first place that has not heard the tick of now, and when the next ones do.
    next_place: usize,
    next_slice: Instant,
}

const _: () =
    assert!(MAX_ROOM_MEMBERS.div_ceil(SLICE) as u128 * BETWEEN_SLICES.as_millis() <= ROOM_TICK.as_millis());

impl<K: Copy + PartialEq> Room<K> {
    /// An empty room that mixes at `rate`, one of [`RATES`]; at most `loudest` are heard at a time, 0: all. `None` for
    /// another rate.
    pub fn new(now: Instant, rate: u32, loudest: u8) -> Option<Room<K>> {
        if !RATES.contains(&rate) {
            return None;
        }
        let tick = samples(ROOM_TICK, rate);
        Some(Room {
            rate,
            mixer: Mixer::new(rate, tick, MAX_ROOM_MEMBERS, loudest.into()),
            places: vec![None; MAX_ROOM_MEMBERS].into(),
            members: 0,
            tick: vec![0; tick].into(),
            due: now,
            next_place: MAX_ROOM_MEMBERS,
            next_slice: now,
        })
    }

    /// The rate at which it mixes, in Hz.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Lets a member in; `false` if the room is full. A member must not be in twice.
    pub fn join(&mut self, now: Instant, member: K) -> bool {
        let Some(place) = self.mixer.join() else { return false };
        if self.members == 0 {
            self.due = now;
        }
        self.members += 1;
        if let Some(place) = self.places.get_mut(place) {
            *place = Some(member);
        }
        true
    }

    /// Lets a member go.
    pub fn leave(&mut self, member: K) {
        let Some(place) = self.find(member) else { return };
        self.mixer.leave(place);
        self.places[place] = None;
        self.members -= 1;
    }

    /// Whether a member is not heard.
    pub fn mute(&mut self, member: K, muted: bool) {
        if let Some(place) = self.find(member) {
            self.mixer.mute(place, muted);
        }
    }

    /// Everyone who is in.
    pub fn members(&self) -> impl Iterator<Item = K> + '_ {
        self.places.iter().copied().flatten()
    }

    /// Who is at a place, 0 to [`MAX_ROOM_MEMBERS`].
    pub fn member(&self, place: usize) -> Option<K> {
        self.places.get(place).copied().flatten()
    }

    /// When [`Room::handle_timeout`] has something to do; never while nobody is in.
    pub fn next_timeout(&self) -> Option<Instant> {
        let speaks = self.next_place < self.places.len();
        (self.members > 0).then_some(if speaks { self.due.min(self.next_slice) } else { self.due })
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, members: &mut impl Members<K>) {
        if now.saturating_duration_since(self.due) > LATEST {
            self.due = now;
        }
        if self.next_slice <= now {
            self.speak(SLICE, members);
        }
        while self.members > 0 && self.due <= now {
            self.speak(usize::MAX, members);
            self.listen(members);
            self.due += ROOM_TICK;
            self.speak(SLICE, members);
        }
        self.next_slice = now + BETWEEN_SLICES;
    }

    /// Mixes what everyone says.
    fn listen(&mut self, members: &mut impl Members<K>) {
        for (place, member) in self.places.iter().enumerate() {
            if let Some(member) = *member
                && members.listen(member, &mut self.tick)
            {
                self.mixer.input(place).copy_from_slice(&self.tick);
            }
        }
        self.mixer.mix();
        self.next_place = 0;
    }

    /// Lets so many more hear it.
    fn speak(&mut self, mut most: usize, members: &mut impl Members<K>) {
        while most > 0
            && let Some(member) = self.places.get(self.next_place)
        {
            if let Some(member) = *member {
                self.mixer.output(self.next_place, &mut self.tick);
                members.speak(member, &self.tick);
                most -= 1;
            }
            self.next_place += 1;
        }
    }

    fn find(&self, member: K) -> Option<usize> {
        self.places.iter().position(|place| *place == Some(member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Counting {
        listened: usize,
        spoken: usize,
    }

    impl Members<usize> for Counting {
        fn listen(&mut self, _: usize, _: &mut [i16]) -> bool {
            self.listened += 1;
            true
        }

        fn speak(&mut self, _: usize, _: &[i16]) {
            self.spoken += 1;
        }
    }

    #[test]
    fn a_full_room_speaks_to_a_few_at_a_time_and_to_everyone_in_each_tick() {
        let start = Instant::now();
        let mut room = Room::new(start, 8000, 0).unwrap();
        (0..MAX_ROOM_MEMBERS).for_each(|member| assert!(room.join(start, member)));
        let mut members = Counting::default();
        for ms in 0..1000 {
            let before = members.spoken;
            room.handle_timeout(start + Duration::from_millis(ms), &mut members);
            assert!(members.spoken - before <= SLICE, "{ms} ms: {}", members.spoken - before);
        }
        assert_eq!((members.listened, members.spoken), (100 * MAX_ROOM_MEMBERS, 100 * MAX_ROOM_MEMBERS));
    }

    #[test]
    fn ticks_that_are_late_are_made_up_for_and_very_late_ones_are_left_out() {
        let start = Instant::now();
        let mut room = Room::new(start, 8000, 0).unwrap();
        assert!(room.join(start, 1));
        let mut members = Counting::default();
        room.handle_timeout(start, &mut members);
        assert_eq!(room.next_timeout(), Some(start + ROOM_TICK));
        room.handle_timeout(start + Duration::from_millis(50), &mut members);
        assert_eq!((members.listened, members.spoken), (6, 6));
        room.handle_timeout(start + Duration::from_secs(5), &mut members);
        assert_eq!((members.listened, members.spoken), (7, 7));
    }
}
