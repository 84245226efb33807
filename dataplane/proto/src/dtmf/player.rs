//! Digits for a peer, one after the other: as the packets of telephone events, or as tones.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tandem_codec::tones::{self, DIGIT_DBM0, Step};
use tandem_control::DigitSound;

use super::{Digit, Event};
use crate::decoding::samples;
use crate::limits::{DIGIT_END_PACKETS, DIGIT_MS, MAX_QUEUED_DIGITS, OPEN_TONE_AHEAD};

/// A louder tone than this, in -dBm0, would be clipped.
const LOUDEST_TONE: u8 = 3;
/// How long a tone takes to fade out, against a click.
const FADE: Duration = Duration::from_millis(2);

/// The digits that one peer is to get.
#[derive(Debug)]
pub(crate) struct Player {
    queue: VecDeque<Press>,
    playing: Option<Playing>,
    /// When the next packet of an event is due.
    due: Option<Instant>,
    /// Samples of silence before the next tone.
    pause: usize,
}

/// A key that is or was pressed.
#[derive(Clone, Copy, Debug)]
struct Press {
    digit: Digit,
    /// It is still held; its duration is the one so far.
    held: bool,
    sound: DigitSound,
}

#[derive(Debug)]
struct Playing {
    press: Press,
    elapsed_ms: u16,
    ends_left: u8,
    /// Where it is played as a tone: that, and how many samples of it were.
    tone: Option<(tones::Tone, usize)>,
}

/// One packet of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The first packet of its event: it takes a new time stamp and the marker bit (RFC 4733 section 2.5.1.1).
    pub(crate) first: bool,
    /// Its payload.
    pub(crate) event: Event,
}

impl Default for Player {
    fn default() -> Player {
        let queue = VecDeque::with_capacity(MAX_QUEUED_DIGITS);
        Player { queue, playing: None, due: None, pause: 0 }
    }
}

impl Player {
    /// Puts a whole digit behind those that play. Returns whether there was room.
    pub(crate) fn push(&mut self, now: Instant, digit: Digit, sound: DigitSound) -> bool {
        self.enqueue(now, Press { digit, held: false, sound })
    }

    /// A key was pressed, so long ago, and is held. Returns whether there was room.
    pub(crate) fn press(&mut self, now: Instant, digit: Digit) -> bool {
        self.release(digit.duration_ms);
        self.enqueue(now, Press { digit, held: true, sound: DigitSound::default() })
    }

    /// The key that is held has been so for so long.
    pub(crate) fn hold(&mut self, duration_ms: u16) {
        if let Some(press) = self.newest().filter(|press| press.held) {
            press.digit.duration_ms = press.digit.duration_ms.max(duration_ms);
        }
    }

    /// The key that is held was released after so long.
    pub(crate) fn release(&mut self, duration_ms: u16) {
        if let Some(press) = self.newest().filter(|press| press.held) {
            *press = Press { digit: Digit { duration_ms, ..press.digit }, held: false, ..*press };
        }
    }

    /// Whether a digit stands in the place of the audio.
    pub(crate) fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// Whether something plays or waits.
    pub(crate) fn is_busy(&self) -> bool {
        self.playing.is_some() || !self.queue.is_empty()
    }

    /// Forgets everything that plays or waits.
    pub(crate) fn stop(&mut self) {
        self.queue.clear();
        self.playing = None;
        self.due = None;
        self.pause = 0;
    }

    /// When [`Player::next`] has a packet.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The packet of an event that is due, if one is. `clock` is that of the payload type; a packet is due every
    /// `ptime`.
    pub(crate) fn next(&mut self, now: Instant, ptime: Duration, clock: u32) -> Option<Packet> {
        let due = self.due.filter(|&due| due <= now)?;
        let first = self.playing.is_none();
        let Some(playing) = self.current() else {
            self.due = None;
            return None;
        };
        // A late call does not make a burst: the next packet counts from now when a whole interval was missed.
        let base = if now.duration_since(due) > ptime { now } else { due };
        let step = u16::try_from(ptime.as_millis()).unwrap_or(20);
        let Press { digit, held, sound } = playing.press;
        let reached = playing.elapsed_ms.saturating_add(step).min(digit.duration_ms);
        playing.elapsed_ms = playing.elapsed_ms.max(reached);
        let end = !held && playing.elapsed_ms >= digit.duration_ms;
        // RFC 4733 section 2.5.1.3: an event longer than its 16 bits tell stays at the largest duration.
        let duration = u64::from(playing.elapsed_ms) * u64::from(clock) / 1000;
        let duration = u16::try_from(duration).unwrap_or(u16::MAX);
        let event = Event { event: digit.event, end, volume: sound.volume, duration };
        playing.ends_left -= u8::from(end);
        if playing.ends_left == 0 {
            self.playing = None;
            self.due = Some(base + pause_of(sound));
        } else {
            self.due = Some(base + ptime);
        }
        Some(Packet { first, event })
    }

    /// Writes the next samples of the tones, at `rate`; returns `false`, and writes nothing, if there are none.
    pub(crate) fn sound(&mut self, pcm: &mut [i16], rate: u32) -> bool {
        if !self.is_busy() {
            self.pause = self.pause.saturating_sub(pcm.len());
            return false;
        }
        let mut rest = pcm;
        while !rest.is_empty() {
            let silent = self.pause.min(rest.len());
            let (silence, sounding) = rest.split_at_mut(silent);
            silence.fill(0);
            self.pause -= silent;
            let Some(playing) = self.current().filter(|_| !sounding.is_empty()) else {
                sounding.fill(0);
                break;
            };
            let pause = pause_of(playing.press.sound);
            let (written, ended) = playing.sound(sounding, rate);
            if ended {
                self.playing = None;
                self.pause = samples(pause, rate);
            }
            rest = sounding.get_mut(written..).unwrap_or_default();
        }
        true
    }

    fn enqueue(&mut self, now: Instant, press: Press) -> bool {
        if self.queue.len() >= MAX_QUEUED_DIGITS {
            return false;
        }
        self.queue.push_back(press);
        self.due.get_or_insert(now);
        true
    }

    fn newest(&mut self) -> Option<&mut Press> {
        let playing = self.playing.as_mut().map(|playing| &mut playing.press);
        self.queue.back_mut().or(playing)
    }

    /// The digit that plays now: the next that waits, if none does.
    fn current(&mut self) -> Option<&mut Playing> {
        if self.playing.is_none() {
            let press = self.queue.pop_front()?;
            self.playing = Some(Playing { press, elapsed_ms: 0, ends_left: DIGIT_END_PACKETS, tone: None });
        }
        self.playing.as_mut()
    }
}

fn pause_of(sound: DigitSound) -> Duration {
    Duration::from_millis(sound.pause_ms.into())
}

/// The level of the tone, in dBm0: that of [`DIGIT_DBM0`] for the usual volume.
fn level(sound: DigitSound) -> f32 {
    let usual = DigitSound::default().volume;
    DIGIT_DBM0 + f32::from(usual) - f32::from(sound.volume.max(LOUDEST_TONE))
}

impl Playing {
    /// Writes samples of its tone until that ends. Returns how many, and whether it has ended.
    fn sound(&mut self, pcm: &mut [i16], rate: u32) -> (usize, bool) {
        let Press { digit, held, sound } = self.press;
        let longest = u32::from(u16::MAX);
        let (tone, done) = match &mut self.tone {
            Some(tone) => tone,
            none => {
                let Some(step) = Step::digit(digit.event, level(sound), longest) else { return (0, true) };
                none.insert((tones::Tone::new(rate, &step), 0))
            }
        };
        let ms = |ms: u16| samples(Duration::from_millis(ms.into()), rate);
        let told = ms(digit.duration_ms.max(*DIGIT_MS.start()));
        let fade = samples(FADE, rate).max(1);
        // A key that is held sounds until its release is told, but not for long without news of it.
        let until = if held { told + samples(OPEN_TONE_AHEAD, rate) } else { told.max(*done + fade) };
        let len = until.saturating_sub(*done).min(pcm.len());
        let written = pcm.get_mut(..len).unwrap_or_default();
        tone.fill(written);
        *done += len;
        let ended = *done >= until;
        if ended {
            for (n, sample) in written.iter_mut().rev().take(fade).enumerate() {
                *sample = (i32::from(*sample) * (n as i32 + 1) / (fade as i32 + 1)) as i16;
            }
        }
        (len, ended)
    }
}
