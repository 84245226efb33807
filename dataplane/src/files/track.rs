//! One side of a recording: from packets as they came to samples on the recording's time line.
//!
//! Packets are put in order, decoded in turn, and what is lost is concealed. Where a packet stands on the time line is
//! told by its time stamp, and where its stream stands by the packets of it that came quickest: so both sides are
//! aligned as they were heard, whatever their jitter. Clocks that drift apart are followed by stretching packets by a
//! sample or two.

mod decoding;
mod line;

use super::limits::{LATEST_PACKET, MAX_WAITING};
use super::tap::PacketHead;
use decoding::Decoding;
use line::Line;
use std::collections::{BTreeMap, VecDeque};
use tandem_media::recording::DigitEraser;

/// Samples a second of recordings: wide band, as the best telephones have it.
pub(super) const RATE: u32 = 16_000;
/// Each packet waits for so long, so that some of its stream are known before the first is put in its place, in
/// microseconds.
const SHORTEST_WAIT: u64 = 100_000;
const LONGEST_WAIT: u64 = LATEST_PACKET.as_micros() as u64;
/// The longest gap that is concealed: 120 ms.
const CONCEALED: u64 = RATE as u64 * 120 / 1000;
/// What is out of place by more than 20 ms is moved at once; what is less, by so many samples in each packet.
const MOVED_AT_ONCE: i64 = RATE as i64 * 20 / 1000;
const MOVED_SLOWLY: i64 = 2;

/// A packet that waits for its turn.
struct Waiting {
    arrived: u64,
    head: PacketHead,
    payload: Vec<u8>,
    /// Its time stamp in samples of the recording, on its stream's own time line.
    line: i64,
}

/// One side.
pub(super) struct Track {
    line: Option<Line>,
    decoding: Option<Decoding>,
    /// By extended sequence number.
    waiting: BTreeMap<u64, Waiting>,
    /// The extended sequence number whose turn it is.
    next: Option<u64>,
    /// What is decoded and not yet taken, and the position of its first sample.
    decoded: VecDeque<i16>,
    start: u64,
    scratch: Vec<i16>,
    /// While tones are digits.
    digits: Option<DigitEraser>,
}

impl Track {
    pub(super) fn new() -> Track {
        Track {
            line: None,
            decoding: None,
            waiting: BTreeMap::new(),
            next: None,
            decoded: VecDeque::new(),
            start: 0,
            scratch: Vec::new(),
            digits: None,
        }
    }

    /// Takes a packet that came so many microseconds after the recording's start.
    pub(super) fn packet(&mut self, arrived: u64, head: PacketHead, payload: &[u8]) {
        let position = (arrived * u64::from(RATE) / 1_000_000).cast_signed();
        if !self.line.as_ref().is_some_and(|line| line.continues(&head, position)) {
            self.run_out();
            self.line = Some(Line::new(&head, position));
            self.next = None;
        }
        let Some(line) = &mut self.line else { return };
        let (sequence, line) = line.place(&head, position);
        if self.next.is_some_and(|next| sequence < next) {
            return;
        }
        if self.waiting.len() >= MAX_WAITING {
            self.take_first();
        }
        self.waiting.insert(sequence, Waiting { arrived, head, payload: payload.to_vec(), line });
    }

    /// Decodes what has its turn by now.
    pub(super) fn advance(&mut self, now: u64) {
        while let Some((&sequence, first)) = self.waiting.first_key_value() {
            let waited = now.saturating_sub(first.arrived);
            let is_next = self.next == Some(sequence) && waited >= SHORTEST_WAIT;
            if !is_next && waited < LONGEST_WAIT {
                return;
            }
            self.take_first();
        }
    }

    /// Decodes everything, as nothing of this stream will come any more.
    pub(super) fn run_out(&mut self) {
        while !self.waiting.is_empty() {
            self.take_first();
        }
        self.line = None;
    }

    /// Takes the samples up to a position; those that are not there are silent.
    pub(super) fn take(&mut self, until: u64, pcm: &mut Vec<i16>) {
        let wanted = until.saturating_sub(self.start) as usize;
        let there = self.decoded.len().min(wanted);
        pcm.extend(self.decoded.drain(..there));
        pcm.resize(pcm.len() + wanted - there, 0);
        self.start = self.start.max(until);
    }

    /// The position behind the last sample.
    fn end(&self) -> u64 {
        self.start + self.decoded.len() as u64
    }

    fn take_first(&mut self) {
        let Some((sequence, packet)) = self.waiting.pop_first() else { return };
        let lost = self.next.map_or(0, |next| sequence.saturating_sub(next));
        self.next = Some(sequence + 1);
        let Waiting { head, payload, line, .. } = packet;
        if !self.decoding.as_ref().is_some_and(|decoding| decoding.is_for(&head)) {
            self.decoding = Decoding::new(&head);
        }
        let shift = self.line.as_ref().map_or(0, Line::shift);
        let place = line.saturating_add(shift);
        let Some(decoding) = &mut self.decoding else { return };
        let missing =
            u64::try_from(place).unwrap_or(0).saturating_sub(self.start + self.decoded.len() as u64);
        if lost > 0 && missing > 0 {
            self.scratch.clear();
            decoding.conceal(missing.min(CONCEALED) as usize, lost, &payload, &mut self.scratch);
            self.decoded.extend(&self.scratch);
        }
        self.scratch.clear();
        if decoding.decode(&payload, &mut self.scratch) {
            self.erase_digits(head.tones_are_digits);
            self.put(place);
        }
    }

    fn erase_digits(&mut self, tones_are_digits: bool) {
        if !tones_are_digits {
            self.digits = None;
            return;
        }
        if self.digits.is_none() {
            self.digits = DigitEraser::new(RATE).ok();
        }
        if let Some(digits) = &mut self.digits {
            digits.erase(&mut self.scratch);
        }
    }

    /// Puts what was decoded where it belongs.
    fn put(&mut self, place: i64) {
        let error = place.saturating_sub(self.end().cast_signed());
        if error > MOVED_AT_ONCE {
            // What is not there (silence suppression, a break) is silent.
            let silent = usize::try_from(error).unwrap_or(0);
            self.decoded.extend(std::iter::repeat_n(0, silent));
            self.decoded.extend(&self.scratch);
        } else if error < -MOVED_AT_ONCE {
            let late = usize::try_from(-error).unwrap_or(usize::MAX).min(self.scratch.len());
            self.decoded.extend(self.scratch.iter().skip(late));
        } else {
            let by = error.clamp(-MOVED_SLOWLY, MOVED_SLOWLY) as isize;
            stretch(&self.scratch, by, &mut self.decoded);
        }
    }
}

/// Appends samples, made longer by so many, or shorter.
fn stretch(pcm: &[i16], by: isize, to: &mut VecDeque<i16>) {
    let len = pcm.len().saturating_add_signed(by);
    if by == 0 || pcm.len() < 2 || len < 2 {
        return to.extend(pcm);
    }
    // A straight line between two samples: for a few milliseconds a minute that is good enough.
    let step = (pcm.len() - 1) as f32 / (len - 1) as f32;
    to.extend((0..len).map(|index| {
        let at = index as f32 * step;
        let first = (at as usize).min(pcm.len() - 2);
        let (left, right) = (f32::from(pcm[first]), f32::from(pcm[first + 1]));
        (left + (right - left) * (at - first as f32)).round() as i16
    }));
}

#[cfg(test)]
mod tests;
