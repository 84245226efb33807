//! A room in which everyone hears everyone else.
//!
//! The room has a clock: at each tick it takes from each member what its peer said, mixes, and gives each its mixture
//! without its own voice. It knows members by keys; whoever drives it finds their seats.

use std::time::{Duration, Instant};

use tandem_codec::mixer::Mixer;

use crate::decoding::samples;
use crate::limits::{MAX_ROOM_MEMBERS, ROOM_TICK};

/// How far the clock may be late for ticks to be made up for; later, time is left out.
const LATEST: Duration = Duration::from_millis(200);
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
    due: Instant,
}

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

    /// When [`Room::handle_timeout`] has something to do; never while nobody is in.
    pub fn next_timeout(&self) -> Option<Instant> {
        (self.members > 0).then_some(self.due)
    }

    /// Does the ticks that are due.
    pub fn handle_timeout(&mut self, now: Instant, members: &mut impl Members<K>) {
        if now.saturating_duration_since(self.due) > LATEST {
            self.due = now;
        }
        while self.members > 0 && self.due <= now {
            self.tick(members);
            self.due += ROOM_TICK;
        }
    }

    fn tick(&mut self, members: &mut impl Members<K>) {
        for (place, member) in self.places.iter().enumerate() {
            if let Some(member) = *member
                && members.listen(member, &mut self.tick)
            {
                self.mixer.input(place).copy_from_slice(&self.tick);
            }
        }
        self.mixer.mix();
        for (place, member) in self.places.iter().enumerate() {
            if let Some(member) = *member {
                self.mixer.output(place, &mut self.tick);
                members.speak(member, &self.tick);
            }
        }
    }

    fn find(&self, member: K) -> Option<usize> {
        self.places.iter().position(|place| *place == Some(member))
    }
}
