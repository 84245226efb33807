//! An adaptive jitter buffer, for streams that are heard by a clock of ours: in rooms, and where they are recorded.
//!
//! Packets wait here until whoever hears them asks for more. How long, on average, follows from what was measured
//! ([`delays`]): long enough for all but one packet in a hundred. When that grows, something is put in at once. When it
//! shrinks, or the sender's clock is faster than ours, the buffer tells how much should be left out
//! ([`Buffer::surplus`]), and whoever hears it chooses where nobody notices.
//!
//! Time is counted in microseconds. The *media time* of a packet is that of its time stamp, from any origin.

mod delays;

use delays::Delays;
use std::time::{Duration, Instant};

use crate::drops::DropReason;
use crate::limits::{JITTER_PACKETS, MAX_CONCEALMENT, MAX_DATAGRAM, MAX_PLAYOUT_DELAY, TIMESTAMP_JUMP};

/// By how much the delay may be longer than what is wanted before anything is left out, and by how much it is then:
/// what is wanted goes up and down by itself, and each repair may be heard.
const TOLERANCE: i64 = 20_000;
const RESERVE: i64 = 10_000;
/// The shortest time that is concealed, and by which the delay grows.
const SHORTEST: i64 = 1000;
const LEAST_GROWTH: i64 = 10_000;

/// What is to be heard next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// This packet.
    Packet {
        /// As it was given to [`Buffer::insert`].
        packet: &'a [u8],
        /// How many packets are to be heard before it that it may bring back, or that are to be concealed: 0 or 1.
        lost: u32,
    },
    /// Nothing came in time, or the delay must grow: something that sounds like what was heard before, no longer than
    /// this.
    Concealment(Duration),
    /// The sender is silent.
    Silence,
}

/// The packets of one stream that wait for being heard. Its memory is taken when it is made.
#[derive(Debug)]
pub struct Buffer {
    slots: Box<[Option<Waiting>]>,
    bytes: Box<[u8]>,
    stream: Option<Stream>,
    /// Packets that came when it was too late to hear them.
    pub late: u64,
    /// Packets that were not heard since there were too many.
    pub overflown: u64,
}

/// A packet that waits.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    index: u64,
    /// 0: nothing of it is to be heard.
    len: usize,
    /// Its media time.
    media: i64,
}

/// What is known of the stream of now.
#[derive(Debug)]
struct Stream {
    /// The arrival of its first packet: the origin of all times.
    origin: Instant,
    clock: u32,
    /// The newest time stamp, and how many units of the clock it is behind the first.
    timestamp: u32,
    units: i64,
    delays: Delays,
    heard: Option<Heard>,
}

/// Where the listener is.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// The index of the packet that follows what was heard.
    next: u64,
    /// The media time at which that packet should begin.
    position: i64,
    /// How long the newest packet was.
    packet: i64,
    /// What was put in since then that no packet said.
    put_in: i64,
}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer {
            slots: vec![None; JITTER_PACKETS].into(),
            bytes: vec![0; JITTER_PACKETS * MAX_DATAGRAM].into(),
            stream: None,
            late: 0,
            overflown: 0,
        }
    }
}

impl Buffer {
    /// Takes a packet that arrived: its extended sequence number, which did not come before, its time stamp and the
    /// clock of that, in Hz.
    ///
    /// # Errors
    /// [`DropReason::TooLate`] if what follows it was heard already, or it is empty, or longer than any datagram.
    pub fn insert(
        &mut self,
        now: Instant,
        index: u64,
        timestamp: u32,
        clock: u32,
        packet: &[u8],
    ) -> Result<(), DropReason> {
        let continues = self.stream.as_mut().is_some_and(|stream| stream.continues(timestamp, clock));
        if !continues {
            self.restart();
        }
        let stream = self.stream.get_or_insert_with(|| Stream::new(now, timestamp, clock));
        let media = stream.media(timestamp);
        stream.delays.observe(micros(now.saturating_duration_since(stream.origin)) - media);
        if stream.heard.is_some_and(|heard| index < heard.next) {
            self.late += 1;
            return Err(DropReason::TooLate);
        }
        if self.slots.iter().all(Option::is_some) {
            self.drop_first();
        }
        let free = self.slots.iter().position(Option::is_none);
        let slot = free.and_then(|free| Some((self.slots.get_mut(free)?, room(&mut self.bytes, free)?)));
        let Some((slot, room)) = slot else { return Err(DropReason::TooLate) };
        let room = room.get_mut(..packet.len()).filter(|room| !room.is_empty());
        let Some(room) = room else { return Err(DropReason::TooLate) };
        room.copy_from_slice(packet);
        *slot = Some(Waiting { index, len: packet.len(), media });
        Ok(())
    }

    /// A packet arrived that is nothing to be heard: it is not missing.
    pub fn skip(&mut self, index: u64) {
        let heard = self.stream.as_ref().and_then(|stream| stream.heard);
        let free = self.slots.iter_mut().find(|slot| slot.is_none());
        if let Some(slot) = free.filter(|_| heard.is_some_and(|heard| index >= heard.next)) {
            *slot = Some(Waiting { index, len: 0, media: 0 });
        }
    }

    /// The stream begins anew: another source, or another run of sequence numbers.
    pub fn restart(&mut self) {
        self.slots.fill(None);
        self.stream = None;
    }

    /// What is to be heard next. Tell by [`Buffer::heard`] or [`Buffer::put_in`] how long it was.
    pub fn next(&mut self, now: Instant) -> Next<'_> {
        loop {
            let first = self.first();
            let Some(stream) = &mut self.stream else { return Next::Silence };
            let time = stream.since_origin(now);
            let Some((slot, packet)) = first else { return stream.underrun() };
            if packet.len == 0 {
                stream.heard = stream.heard.map(|heard| Heard { next: packet.index + 1, ..heard });
                self.free(slot);
                continue;
            }
            match stream.release(time, packet) {
                Release::Wait(next) => return next,
                Release::TooOld if self.slots.iter().flatten().count() > 1 => {
                    self.drop_first();
                }
                Release::TooOld => return self.take(slot, packet, 0),
                Release::Now { lost } => return self.take(slot, packet, lost),
            }
        }
    }

    /// The packet that was asked for lasts so long.
    pub fn heard(&mut self, duration: Duration) {
        if let Some(heard) = self.stream.as_mut().and_then(|stream| stream.heard.as_mut()) {
            heard.position += micros(duration);
            heard.packet = micros(duration);
        }
    }

    /// Concealment or silence of that length was heard.
    pub fn put_in(&mut self, duration: Duration) {
        if let Some(heard) = self.stream.as_mut().and_then(|stream| stream.heard.as_mut()) {
            heard.put_in += micros(duration);
        }
    }

    /// How much longer than necessary everything waits, if more will be asked for when so much was heard: that much
    /// should be left out. Zero where it is hardly worth it.
    pub fn surplus(&self, now: Instant, waiting: Duration) -> Duration {
        let Some(stream) = &self.stream else { return Duration::ZERO };
        let Some(heard) = &stream.heard else { return Duration::ZERO };
        let delay = stream.since_origin(now) + micros(waiting) - heard.position - stream.delays.shortest();
        let surplus = delay - stream.delays.wanted();
        // Without a packet that waits there is nothing to leave out: the delay is that of an underrun.
        let worth_it = surplus > TOLERANCE && self.slots.iter().any(Option::is_some);
        Duration::from_micros(if worth_it { (surplus - RESERVE).unsigned_abs() } else { 0 })
    }

    /// The delay that is aimed at, behind the fastest packet.
    pub fn wanted_delay(&self) -> Duration {
        let wanted = self.stream.as_ref().map_or(0, |stream| stream.delays.wanted());
        Duration::from_micros(wanted.unsigned_abs())
    }

    fn first(&self) -> Option<(usize, Waiting)> {
        let waiting = self.slots.iter().enumerate().filter_map(|(slot, packet)| Some((slot, (*packet)?)));
        waiting.min_by_key(|(_, packet)| packet.index)
    }

    fn drop_first(&mut self) {
        let Some((slot, packet)) = self.first() else { return };
        self.free(slot);
        if packet.len == 0 {
            return;
        }
        self.overflown += 1;
        if let Some(heard) = self.stream.as_mut().and_then(|stream| stream.heard.as_mut()) {
            // It is skipped, not lost: nothing is to be put in its place.
            heard.next = packet.index + 1;
            heard.position = packet.media + heard.packet;
        }
    }

    fn free(&mut self, slot: usize) {
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = None;
        }
    }

    fn take(&mut self, slot: usize, packet: Waiting, lost: u32) -> Next<'_> {
        self.free(slot);
        if let Some(stream) = &mut self.stream {
            let length = stream.heard.map_or(0, |heard| heard.packet);
            let next = packet.index + 1;
            stream.heard = Some(Heard { next, position: packet.media, packet: length, put_in: 0 });
        }
        let bytes = room(&mut self.bytes, slot).and_then(|room| room.get(..packet.len));
        Next::Packet { packet: bytes.unwrap_or_default(), lost }
    }
}

/// What becomes of the first packet that waits.
enum Release {
    Now { lost: u32 },
    Wait(Next<'static>),
    TooOld,
}

impl Stream {
    fn new(now: Instant, timestamp: u32, clock: u32) -> Stream {
        Stream {
            origin: now,
            clock: clock.max(1),
            timestamp,
            units: 0,
            delays: Delays::default(),
            heard: None,
        }
    }

    fn since_origin(&self, now: Instant) -> i64 {
        micros(now.saturating_duration_since(self.origin))
    }

    /// Whether a time stamp lies on the time line of those before.
    fn continues(&self, timestamp: u32, clock: u32) -> bool {
        let jump = i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed());
        // Silence may be long; backwards it cannot go far.
        clock == self.clock && jump > -(TIMESTAMP_JUMP.as_secs().cast_signed() * i64::from(clock))
    }

    fn media(&mut self, timestamp: u32) -> i64 {
        let ahead = i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed());
        let units = self.units + ahead;
        if ahead > 0 {
            (self.timestamp, self.units) = (timestamp, units);
        }
        (i128::from(units) * 1_000_000 / i128::from(self.clock)) as i64
    }

    /// Nothing waits.
    fn underrun(&self) -> Next<'static> {
        let left = self.heard.map_or(0, |heard| micros(MAX_CONCEALMENT) - heard.put_in);
        if left > 0 { conceal(left) } else { Next::Silence }
    }

    /// Whether a packet is to be heard at that time.
    fn release(&self, time: i64, packet: Waiting) -> Release {
        let wanted = self.delays.wanted();
        let delay = time - packet.media - self.delays.shortest();
        let Some(heard) = &self.heard else {
            return if delay < wanted { Release::Wait(Next::Silence) } else { Release::Now { lost: 0 } };
        };
        if delay > micros(MAX_PLAYOUT_DELAY) {
            return Release::TooOld;
        }
        let gap = packet.media - heard.position;
        let skipped = packet.index.saturating_sub(heard.next);
        let lost_time = heard.packet.saturating_mul(i64::try_from(skipped).unwrap_or(i64::MAX));
        // A sender that was silent leaves out more time than packets. Its next word begins as late as it should.
        if gap > lost_time.saturating_add(heard.packet / 2) {
            return if delay < wanted { Release::Wait(self.underrun()) } else { Release::Now { lost: 0 } };
        }
        // It would be heard too early for those that will come later: the delay grows by what is put in now.
        if skipped == 0 && delay < wanted && heard.put_in < micros(MAX_CONCEALMENT) {
            return Release::Wait(conceal((wanted - delay).max(LEAST_GROWTH)));
        }
        let missing = if skipped == 0 { 0 } else { gap - heard.put_in };
        // Of several that are missing the later ones may still come; the last one may be found in the packet itself.
        if missing > heard.packet + SHORTEST {
            return Release::Wait(match self.underrun() {
                Next::Concealment(_) => conceal(missing - heard.packet),
                silence => silence,
            });
        }
        Release::Now { lost: u32::from(missing > heard.packet / 2) }
    }
}

fn conceal(micros: i64) -> Next<'static> {
    Next::Concealment(Duration::from_micros(micros.max(SHORTEST).unsigned_abs()))
}

fn room(bytes: &mut [u8], slot: usize) -> Option<&mut [u8]> {
    bytes.get_mut(slot * MAX_DATAGRAM..(slot + 1) * MAX_DATAGRAM)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
