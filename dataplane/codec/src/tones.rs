//! Tones: DTMF digits (ITU-T Q.23) and the tones of call progress (ITU-T E.180), to the sample.

use std::f64::consts::TAU;

/// The amplitude of a sine of 0 dBm0: the largest that A-law can code is 3.14 dB above it (ITU-T G.711 table 5).
const ZERO_DBM0: f64 = 32_767.0 / 1.435_489;
/// The time in which a tone swells and fades, against clicks. It is part of the tone.
const RAMP_MS: usize = 2;
/// The level of the higher tone of a digit, as telephones send it; the lower one is 2 dB weaker, for lines lose more
/// of the high frequencies.
pub const DIGIT_DBM0: f32 = -9.0;
const TWIST_DB: f32 = 2.0;

/// The frequencies of the digits' rows, in Hz (ITU-T Q.23 section 6).
pub const LOW_GROUP: [u16; 4] = [697, 770, 852, 941];
/// The frequencies of their columns.
pub const HIGH_GROUP: [u16; 4] = [1209, 1336, 1477, 1633];
/// The digits of RFC 4733 section 3.2 (0 to 9, `*`, `#`, A to D) by row and column.
pub(crate) const KEYPAD: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];

/// Up to two frequencies that sound together, and the silence after them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// In Hz; 0: none.
    pub hertz: [u16; 2],
    /// The level of each, in dBm0.
    pub dbm0: [f32; 2],
    /// How long they sound, in milliseconds.
    pub on_ms: u32,
    /// How long it is silent then, in milliseconds.
    pub off_ms: u32,
}

impl Step {
    /// A digit as numbered by RFC 4733 section 3.2: its higher tone at `dbm0`, for `on_ms` milliseconds; `None` above
    /// 15.
    pub fn digit(event: u8, dbm0: f32, on_ms: u32) -> Option<Step> {
        let place = KEYPAD.iter().flatten().position(|&digit| digit == event)?;
        let hertz = [LOW_GROUP[place / 4], HIGH_GROUP[place % 4]];
        Some(Step { hertz, dbm0: [dbm0 - TWIST_DB, dbm0], on_ms, off_ms: 0 })
    }
}

/// One step as it sounds.
#[derive(Clone, Debug)]
pub struct Tone {
    oscillators: [Oscillator; 2],
    /// Samples of sound, and of the silence behind it.
    on: usize,
    off: usize,
    /// Samples that have sounded.
    position: usize,
    ramp: usize,
}

impl Tone {
    /// The step at a sample rate, in Hz.
    pub fn new(rate: u32, step: &Step) -> Tone {
        let samples = |ms: u32| ms as usize * rate as usize / 1000;
        let on = samples(step.on_ms);
        Tone {
            oscillators: [0, 1].map(|n| Oscillator::new(step.hertz[n], step.dbm0[n], rate)),
            on,
            off: samples(step.off_ms),
            position: 0,
            ramp: (RAMP_MS * rate as usize / 1000).min(on / 2).max(1),
        }
    }

    /// Writes the next samples, and returns how many there were: fewer than `pcm` holds at the end.
    pub fn fill(&mut self, pcm: &mut [i16]) -> usize {
        let len = pcm.len().min(self.on + self.off - self.position);
        for sample in &mut pcm[..len] {
            *sample = 0;
            if self.position < self.on {
                let edge = self.position.min(self.on - 1 - self.position);
                let sound: f64 = self.oscillators.iter_mut().map(Oscillator::next).sum();
                *sample = (sound * self.gain(edge)).round() as i16;
            }
            self.position += 1;
        }
        len
    }

    /// Half a period of a cosine, from nothing to one.
    fn gain(&self, edge: usize) -> f64 {
        if edge >= self.ramp {
            return 1.0;
        }
        (1.0 - (TAU / 2.0 * (edge as f64 + 0.5) / self.ramp as f64).cos()) / 2.0
    }
}

/// A sine, made by turning a vector by the same angle for each sample.
#[derive(Clone, Debug)]
struct Oscillator {
    vector: [f64; 2],
    turn: [f64; 2],
}

impl Oscillator {
    fn new(hertz: u16, dbm0: f32, rate: u32) -> Oscillator {
        let amplitude = if hertz == 0 { 0.0 } else { ZERO_DBM0 * 10f64.powf(f64::from(dbm0) / 20.0) };
        let (sine, cosine) = (TAU * f64::from(hertz) / f64::from(rate)).sin_cos();
        Oscillator { vector: [amplitude, 0.0], turn: [cosine, sine] }
    }

    fn next(&mut self) -> f64 {
        let ([x, y], [cosine, sine]) = (self.vector, self.turn);
        self.vector = [x * cosine - y * sine, x * sine + y * cosine];
        y
    }
}

/// Steps one after the other, and again from the first.
#[derive(Clone, Debug)]
pub struct Cadence {
    rate: u32,
    steps: Box<[Step]>,
    tone: Option<Tone>,
    /// The step that comes next.
    next: usize,
    /// How often all of them are still to be heard from the first; `None`: without end.
    left: Option<u32>,
}

impl Cadence {
    /// A cadence at a sample rate in Hz, heard so many `times`; 0: without end. One without a duration ends at once.
    pub fn new(rate: u32, steps: &[Step], times: u32) -> Cadence {
        let is_empty = steps.iter().all(|step| step.on_ms + step.off_ms == 0);
        let left = if is_empty { Some(0) } else { (times > 0).then_some(times) };
        Cadence { rate, steps: steps.into(), tone: None, next: 0, left }
    }

    /// Writes the next samples, and returns how many there were: fewer than `pcm` holds at the end. Allocates nothing.
    pub fn fill(&mut self, pcm: &mut [i16]) -> usize {
        let mut written = 0;
        while written < pcm.len() {
            let Some(tone) = self.tone.as_mut() else {
                if !self.advance() {
                    break;
                }
                continue;
            };
            let room = &mut pcm[written..];
            let len = tone.fill(room);
            if len < room.len() {
                self.tone = None;
            }
            written += len;
        }
        written
    }

    /// Begins the next step; `false` at the end.
    fn advance(&mut self) -> bool {
        if self.left == Some(0) {
            return false;
        }
        let Some(step) = self.steps.get(self.next) else {
            self.next = 0;
            self.left = self.left.map(|left| left - 1);
            return self.left != Some(0);
        };
        self.tone = Some(Tone::new(self.rate, step));
        self.next += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RINGING: Step = Step { hertz: [440, 480], dbm0: [-19.0, -19.0], on_ms: 2000, off_ms: 4000 };

    fn sounding(rate: u32, step: Step) -> Vec<i16> {
        let mut pcm = vec![0; 8 * rate as usize];
        let len = Tone::new(rate, &step).fill(&mut pcm);
        pcm.truncate(len);
        pcm
    }

    /// The level of a frequency, in dBm0.
    fn level(pcm: &[i16], hertz: f64, rate: u32) -> f64 {
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (n, sample) in pcm.iter().enumerate() {
            let angle = TAU * hertz * n as f64 / f64::from(rate);
            sine += f64::from(*sample) * angle.sin();
            cosine += f64::from(*sample) * angle.cos();
        }
        20.0 * (2.0 * sine.hypot(cosine) / pcm.len() as f64 / ZERO_DBM0).log10()
    }

    #[test]
    fn a_step_has_its_frequencies_levels_and_length_at_every_rate() {
        for rate in [8000, 16_000, 48_000] {
            let pcm = sounding(rate, RINGING);
            assert_eq!(pcm.len(), 6 * rate as usize);
            let middle = &pcm[rate as usize / 2..][..rate as usize];
            for hertz in [440.0, 480.0] {
                assert!((level(middle, hertz, rate) + 19.0).abs() < 0.01, "{rate}");
            }
            assert!(level(middle, 500.0, rate) < -80.0);
            let (sound, silence) = pcm.split_at(2 * rate as usize);
            assert!(sound[sound.len() - rate as usize / 100..].iter().any(|sample| sample.abs() > 1000));
            assert!(silence.iter().all(|&sample| sample == 0));
        }
    }

    #[test]
    fn a_sine_of_0_dbm0_is_3_db_below_the_clipping_of_a_law() {
        let step = Step { hertz: [1000, 0], dbm0: [0.0, 0.0], on_ms: 100, off_ms: 0 };
        let peak = sounding(8000, step).into_iter().max();
        assert_eq!(peak.map(|peak| (f64::from(peak) / 228.27).round()), Some(100.0));
    }

    #[test]
    fn edges_do_not_click() {
        for event in 0..16 {
            let pcm = sounding(8000, Step::digit(event, DIGIT_DBM0, 40).unwrap());
            assert_eq!(pcm.len(), 320);
            assert!(pcm[0].abs() < 100 && pcm[319].abs() < 100, "{event}");
        }
        assert_eq!(Step::digit(16, DIGIT_DBM0, 40), None);
    }

    #[test]
    fn pieces_of_any_length_give_what_the_whole_gives() {
        let steps = [Step { on_ms: 30, off_ms: 7, ..RINGING }, Step { on_ms: 11, off_ms: 0, ..RINGING }];
        let mut whole = [0; 8 * 48 * 3];
        assert_eq!(Cadence::new(8000, &steps, 3).fill(&mut whole), whole.len());
        let mut pieces = Vec::new();
        let mut cadence = Cadence::new(8000, &steps, 3);
        for len in (1..).step_by(13) {
            let mut piece = vec![0; len];
            let written = cadence.fill(&mut piece);
            pieces.extend_from_slice(&piece[..written]);
            if written < len {
                break;
            }
        }
        assert_eq!(pieces, whole);
        assert_eq!(cadence.fill(&mut [0; 10]), 0);
    }

    #[test]
    fn a_cadence_goes_on_without_end_and_one_without_length_ends() {
        let mut cadence = Cadence::new(16_000, &[RINGING], 0);
        let mut second = vec![0; 16_000];
        for n in 0..60 {
            assert_eq!(cadence.fill(&mut second), second.len());
            let sounds = second[100..].iter().any(|&sample| sample != 0);
            assert_eq!(sounds, n % 6 < 2, "second {n}");
        }
        assert_eq!(Cadence::new(8000, &[], 0).fill(&mut second), 0);
        assert_eq!(Cadence::new(8000, &[Step { on_ms: 0, off_ms: 0, ..RINGING }], 0).fill(&mut second), 0);
    }
}
