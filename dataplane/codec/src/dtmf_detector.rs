//! DTMF digits in the audio, as ITU-T Q.24 asks for, at 8 kHz.
//!
//! Every 4 ms the newest 16 ms are looked at. A bank of Goertzel filters finds the strongest row and column of the
//! keypad; these two tones are then measured exactly and subtracted ([`window`]). It is a hit if almost nothing is left:
//! no speech, no harmonics. A *press* is a run of hits of the same digit. It is told after 26 ms, so that speech that
//! sounds like a digit for a moment, and tones of less than 20 ms, are not.

mod window;

use std::ops::Range;
use window::{Hit, LEFT_OVER, STEP, WINDOW};

/// Hits in a row before a press is told.
const HITS: u32 = 4;
/// Samples that a press must have lasted before it is told. Q.24: tones of 40 ms are digits; those of less than 20 ms
/// (in some countries 24 ms) are not.
const SHORTEST: u64 = 26 * 8;
/// Looks without a hit that end a press. Q.24: an interruption of 10 ms does not end it (five looks see that), a pause
/// of 40 ms does (twelve looks).
const MISSES: u32 = 8;
/// Samples over which audio is faded out and in where a tone is taken out of it.
const FADE: i32 = 8;

/// What was heard. Positions are in samples from the first one that the detector was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A digit sounds.
    Began {
        /// As in RFC 4733 section 3.2: 0 to 9, 10 for `*`, 11 for `#`, 12 to 15 for A to D.
        event: u8,
        /// Where it began, to a millisecond or two.
        start: u64,
    },
    /// It ended. Told once for each [`Heard::Began`].
    Ended {
        /// The same.
        event: u8,
        /// Where it began.
        start: u64,
        /// Where it ended.
        end: u64,
    },
}

/// Looks for digits in one stream of 8000 samples a second. Allocates nothing.
#[derive(Clone, Debug)]
pub struct DtmfDetector {
    /// The newest samples.
    recent: [f32; WINDOW],
    /// How many of them came since the last look.
    fresh: usize,
    /// Samples that were given in all.
    position: u64,
    /// Until there what is heard does not show that a press has ended.
    doubtful_until: u64,
    press: Option<Press>,
}

/// A run of hits.
#[derive(Clone, Copy, Debug)]
struct Press {
    event: u8,
    start: u64,
    end: u64,
    hits: u32,
    misses: u32,
    told: bool,
}

impl Default for DtmfDetector {
    fn default() -> DtmfDetector {
        DtmfDetector { recent: [0.0; WINDOW], fresh: 0, position: 0, doubtful_until: 0, press: None }
    }
}

impl DtmfDetector {
    /// Takes the next samples of the stream, and tells what was heard. Returns which part of `pcm` belongs to a tone,
    /// or to what may turn out to be one; empty where none does. See [`ToneEraser`].
    pub fn process(&mut self, pcm: &[i16], mut tell: impl FnMut(Heard)) -> Range<usize> {
        let offset = self.position;
        let mut tone = Range { start: u64::MAX, end: 0 };
        let mut rest = pcm;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(STEP - self.fresh));
            self.take(piece);
            if self.fresh == STEP {
                self.fresh = 0;
                self.look(&mut tell);
            }
            if let Some(press) = &self.press {
                let end = if press.misses == 0 { self.position } else { press.end };
                tone = tone.start.min(press.start)..tone.end.max(end);
            }
            rest = behind;
        }
        let place = |position: u64| (position.saturating_sub(offset) as usize).min(pcm.len());
        place(tone.start)..place(tone.end).max(place(tone.start))
    }

    /// The next so many samples stand for some that were lost. A press that sounds goes on if it sounds behind them:
    /// concealment bends tones, and one key would be heard as two. In a pause that has begun before them it is no matter.
    pub fn doubt(&mut self, samples: usize) {
        if self.press.is_some_and(|press| press.misses == 0) {
            self.doubtful_until = self.position + (samples + WINDOW) as u64;
        }
    }

    /// The stream ends or breaks off here: so does a digit that still sounds.
    pub fn finish(&mut self, mut tell: impl FnMut(Heard)) {
        self.recent = [0.0; WINDOW];
        self.end_press(&mut tell);
    }

    fn take(&mut self, piece: &[i16]) {
        self.recent.copy_within(piece.len().., 0);
        for (to, from) in self.recent[WINDOW - piece.len()..].iter_mut().zip(piece) {
            *to = f32::from(*from);
        }
        self.fresh += piece.len();
        self.position += piece.len() as u64;
    }

    fn look(&mut self, tell: &mut impl FnMut(Heard)) {
        let goes_on = |hit: &Hit| self.press.is_some_and(|press| press.event == hit.event);
        let in_doubt = self.position <= self.doubtful_until && self.press.is_some_and(|press| press.told);
        let hit = Hit::find(&self.recent).filter(|hit| goes_on(hit) || hit.left <= LEFT_OVER && !in_doubt);
        let Some(hit) = hit else {
            if in_doubt {
                return;
            }
            if let Some(press) = &mut self.press {
                press.misses += 1;
                if !press.told || press.misses >= MISSES {
                    self.end_press(tell);
                }
            }
            return;
        };
        if self.press.is_some_and(|press| press.event != hit.event) {
            self.end_press(tell);
        }
        // What is not tone in the first window came before it, in the last one behind it.
        let missing = (hit.left * WINDOW as f32) as u64;
        let first = self.position.saturating_sub(WINDOW as u64) + missing;
        let last = self.position - missing.min(self.position);
        let new = Press { event: hit.event, start: first, end: last, hits: 0, misses: 0, told: false };
        let press = self.press.get_or_insert(new);
        press.hits += 1;
        press.misses = 0;
        press.end = press.end.max(last);
        if !press.told && press.hits >= HITS && press.end.saturating_sub(press.start) >= SHORTEST {
            press.told = true;
            tell(Heard::Began { event: press.event, start: press.start });
        }
    }

    fn end_press(&mut self, tell: &mut impl FnMut(Heard)) {
        if let Some(Press { event, start, end, .. }) = self.press.take_if(|press| press.told) {
            tell(Heard::Ended { event, start, end });
        }
        self.press = None;
    }
}

/// Silences the tones in a stream, packet by packet, without clicks at their ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToneEraser {
    /// Whether the last packet ended in silence made here.
    silent: bool,
}

impl ToneEraser {
    /// Silences that part of the next packet.
    pub fn erase(&mut self, pcm: &mut [i16], tone: Range<usize>) {
        let was_silent = std::mem::take(&mut self.silent);
        let (before, rest) = pcm.split_at_mut(tone.start.min(pcm.len()));
        let (part, behind) = rest.split_at_mut(tone.len().min(rest.len()));
        if was_silent && part.is_empty() {
            fade(before.iter_mut().chain(behind));
            return;
        }
        if was_silent {
            fade(before.iter_mut());
        }
        if part.is_empty() {
            return;
        }
        part.fill(0);
        fade(before.iter_mut().rev());
        self.silent = behind.is_empty();
        fade(behind.iter_mut());
    }
}

/// Lets samples begin in silence: the first ones get the smallest part of what they are.
fn fade<'a>(samples: impl Iterator<Item = &'a mut i16>) {
    for (n, sample) in samples.take(FADE as usize).enumerate() {
        *sample = (i32::from(*sample) * (n as i32 + 1) / (FADE + 1)) as i16;
    }
}

#[cfg(test)]
mod tests;
