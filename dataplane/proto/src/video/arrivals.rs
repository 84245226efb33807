//! When the packets of a browser arrived, told to it by their transport-wide numbers, so that it finds out what its line
//! carries (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use std::time::Instant;

use super::limits::{ARRIVALS_INTERVAL, MAX_ARRIVALS};

/// Microseconds of a tick: deltas are counted in them (section 3.1).
const TICK_US: u128 = 250;
/// Ticks of a unit of the reference time: 64 ms.
const REFERENCE_TICKS: u64 = 256;
/// From so many equal symbols a run is shorter than vectors of seven.
const SHORTEST_RUN: usize = 8;
/// Symbols of a vector chunk with two bits each.
const VECTOR: usize = 7;

/// What arrived since the last report. Its memory is taken when it is made.
#[derive(Debug)]
pub struct Arrivals {
    epoch: Instant,
    /// The number with which the next report begins.
    base: Option<u16>,
    /// When `base + n` arrived, in ticks since the epoch.
    ticks: [Option<u64>; MAX_ARRIVALS],
    /// One more than the highest `n` that arrived.
    count: usize,
    reported_at: Option<Instant>,
    reports: u8,
}

/// A packet's symbol (section 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    Lost = 0,
    /// Its delta has one byte.
    Small = 1,
    /// Its delta has two bytes, or goes back.
    Large = 2,
}

impl Arrivals {
    /// Nothing arrived yet. Times are counted from `now`.
    pub fn new(now: Instant) -> Arrivals {
        let ticks = [None; MAX_ARRIVALS];
        Arrivals { epoch: now, base: None, ticks, count: 0, reported_at: None, reports: 0 }
    }

    /// A packet with this number arrived. One that is later than its report is not told.
    pub fn note(&mut self, now: Instant, number: u16) {
        let base = *self.base.get_or_insert(number);
        let ahead = number.wrapping_sub(base);
        if ahead >= 0x8000 {
            return;
        }
        let mut place = usize::from(ahead);
        if place >= MAX_ARRIVALS {
            // More is missing than fits a report: the sender takes what is never reported for lost.
            self.start(number);
            place = 0;
        }
        let ticks = now.saturating_duration_since(self.epoch).as_micros() / TICK_US;
        if let Some(slot) = self.ticks.get_mut(place) {
            slot.get_or_insert(u64::try_from(ticks).unwrap_or(u64::MAX));
        }
        self.count = self.count.max(place + 1);
    }

    /// When [`Arrivals::report`] should be called.
    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        let at = self.reported_at.map_or(now, |at| at + ARRIVALS_INTERVAL);
        match self.count {
            0 => None,
            // So that not much is missing before the next one.
            count if count >= MAX_ARRIVALS / 2 => Some(now),
            _ => Some(at),
        }
    }

    /// Writes the report, behind the SSRCs of the feedback message, in front of `buffer`; returns its length, a multiple
    /// of four. `None` if there is nothing to tell or too little room; what was to be told is given up then.
    pub fn report(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        let base = self.base.filter(|_| self.count > 0)?;
        let count = self.told();
        let len = self.write(base, count, buffer);
        self.reported_at = Some(now);
        self.reports = self.reports.wrapping_add(1);
        self.start(base.wrapping_add(u16::try_from(count).unwrap_or(0)));
        len
    }

    fn start(&mut self, base: u16) {
        self.base = Some(base);
        self.ticks.fill(None);
        self.count = 0;
    }

    /// How many numbers are told: those up to the first whose delta would be too long. The sender takes the rest for
    /// lost, which it is not; but only a stopped clock brings that about.
    fn told(&self) -> usize {
        let mut before = None;
        let arrived = self.ticks.iter().take(self.count).enumerate();
        let too_far =
            arrived.filter_map(|(place, ticks)| ticks.map(|ticks| (place, ticks))).find(|(_, ticks)| {
                let start = before.replace(*ticks).unwrap_or(ticks / REFERENCE_TICKS * REFERENCE_TICKS);
                i16::try_from(ticks.cast_signed() - start.cast_signed()).is_err()
            });
        too_far.map_or(self.count, |(place, _)| place)
    }

    fn write(&self, base: u16, count: usize, buffer: &mut [u8]) -> Option<usize> {
        let ticks = self.ticks.get(..count)?;
        let first = ticks.iter().flatten().next()?;
        let reference = first / REFERENCE_TICKS;
        let mut writer = Writer { buffer, len: 0 };
        writer.put(&base.to_be_bytes())?;
        writer.put(&u16::try_from(count).ok()?.to_be_bytes())?;
        writer.put(reference.to_be_bytes().get(5..)?)?;
        writer.put(&[self.reports])?;
        let mut symbols = [Symbol::Lost; MAX_ARRIVALS];
        let symbols = symbols.get_mut(..count)?;
        let mut before = reference * REFERENCE_TICKS;
        for (symbol, ticks) in symbols.iter_mut().zip(ticks) {
            let Some(ticks) = ticks else { continue };
            let is_small = (before..before + 256).contains(ticks);
            *symbol = if is_small { Symbol::Small } else { Symbol::Large };
            before = *ticks;
        }
        chunks(symbols, &mut writer)?;
        before = reference * REFERENCE_TICKS;
        for (symbol, ticks) in symbols.iter().zip(ticks) {
            let Some(ticks) = ticks else { continue };
            let delta = i16::try_from(ticks.cast_signed() - before.cast_signed()).ok()?.to_be_bytes();
            writer.put(if *symbol == Symbol::Small { &delta[1..] } else { &delta })?;
            before = *ticks;
        }
        // Section 3.1: padded with zeros to whole words.
        writer.put([0; 3].get(..writer.len.next_multiple_of(4) - writer.len)?)?;
        Some(writer.len)
    }
}

/// Writes the packet status chunks (sections 3.1.3 and 3.1.4).
fn chunks(mut symbols: &[Symbol], writer: &mut Writer<'_>) -> Option<()> {
    while let Some(&first) = symbols.first() {
        let run = symbols.iter().take_while(|symbol| **symbol == first).count();
        let (chunk, len) = if run >= SHORTEST_RUN {
            ((first as u16) << 13 | u16::try_from(run).ok()?, run)
        } else {
            let vector = symbols.iter().take(VECTOR);
            let packed = vector.zip((0..VECTOR).rev());
            let bits = packed.fold(0, |bits, (symbol, place)| bits | (*symbol as u16) << (2 * place));
            (0xc000 | bits, VECTOR.min(symbols.len()))
        };
        writer.put(&chunk.to_be_bytes())?;
        symbols = symbols.get(len..)?;
    }
    Some(())
}

struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        self.buffer.get_mut(self.len..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.len += bytes.len();
        Some(())
    }
}

#[cfg(test)]
mod tests;
