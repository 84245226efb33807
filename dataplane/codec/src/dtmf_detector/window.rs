//! One look: whether 16 ms of audio are the two tones of a digit and little else.

use crate::tones::{HIGH_GROUP, KEYPAD, LOW_GROUP};
use std::f32::consts::TAU;

/// Samples of one look, and from one look to the next.
pub(super) const WINDOW: usize = 128;
pub(super) const STEP: usize = 32;
const RATE: f32 = 8000.0;
/// The tones that are looked for, rows before columns.
const TONES: usize = 8;

/// The weakest tone: about -33 dBm0 (Q.24 asks for -25 to -29 dBm).
const LEAST_AMPLITUDE: f32 = 520.0;
/// The part of the energy that the filters must have found before it is worth to look closely. A tone may be off its
/// frequency, which loses up to half of it.
const LIKELY: f32 = 0.4;
/// The part of the energy that may be left when both tones are taken out: where a press begins, and where it goes on.
/// Codecs that follow a model of speech now and then make something else of a part of a tone.
pub(super) const LEFT_OVER: f32 = 0.2;
const LEFT_OVER_LATER: f32 = 0.45;
/// How much stronger the high tone may be, in dB, and how much weaker: Q.24 asks for 4 and 8. G.729 adds 3 to the former.
const STRONGER_DB: f32 = 6.5;
const WEAKER_DB: f32 = 9.0;
/// How far off its frequency a tone may be. Q.24: 1.5 % is a digit, 3.5 % is none.
const TOLERANCE: f32 = 0.025;

/// A digit's tones in a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    /// As in RFC 4733 section 3.2.
    pub(super) event: u8,
    /// The part of the energy that is not the tones'; at the edges of a press, the part of the window that they do not
    /// fill.
    pub(super) left: f32,
}

impl Hit {
    pub(super) fn find(window: &[f32; WINDOW]) -> Option<Hit> {
        let energy: f32 = window.iter().map(|sample| sample * sample).sum();
        if energy < LEAST_AMPLITUDE * LEAST_AMPLITUDE * WINDOW as f32 / 2.0 {
            return None;
        }
        let powers = filters(window);
        let (rows, columns) = powers.split_at(TONES / 2);
        let ((row, low_power), (column, high_power)) = (strongest(rows)?, strongest(columns)?);
        if (low_power + high_power) * 2.0 / (WINDOW as f32) < LIKELY * energy {
            return None;
        }
        let (low_hertz, high_hertz) = (f32::from(LOW_GROUP[row]), f32::from(HIGH_GROUP[column]));
        // The stronger one first: it disturbs the other more. Then once more, undisturbed.
        let mut rest = *window;
        let (low, high) = if low_power > high_power {
            let low = Tone::take(&mut rest, low_hertz);
            let high = Tone::take(&mut rest, high_hertz);
            (low.take_again(&mut rest, low_hertz), high.take_again(&mut rest, high_hertz))
        } else {
            let high = Tone::take(&mut rest, high_hertz);
            let low = Tone::take(&mut rest, low_hertz);
            let high = high.take_again(&mut rest, high_hertz);
            (low.take_again(&mut rest, low_hertz), high)
        };
        let left = rest.iter().map(|sample| sample * sample).sum::<f32>() / energy;
        let twist = 20.0 * (high.amplitude() / low.amplitude()).log10();
        let is_digit = left <= LEFT_OVER_LATER
            && low.is_near(low_hertz)
            && high.is_near(high_hertz)
            && low.amplitude().min(high.amplitude()) >= LEAST_AMPLITUDE
            && (-WEAKER_DB..=STRONGER_DB).contains(&twist);
        is_digit.then_some(Hit { event: KEYPAD[row][column], left })
    }
}

/// The power of each tone in a window: Goertzel's second-order recursion, all tones side by side.
fn filters(window: &[f32; WINDOW]) -> [f32; TONES] {
    let mut factors = [0.0; TONES];
    for (factor, hertz) in factors.iter_mut().zip(LOW_GROUP.iter().chain(&HIGH_GROUP)) {
        *factor = 2.0 * (TAU * f32::from(*hertz) / RATE).cos();
    }
    let (mut newer, mut older) = ([0.0; TONES], [0.0; TONES]);
    for sample in window {
        for tone in 0..TONES {
            let next = sample + factors[tone] * newer[tone] - older[tone];
            older[tone] = newer[tone];
            newer[tone] = next;
        }
    }
    std::array::from_fn(|tone| {
        let (newer, older) = (newer[tone], older[tone]);
        newer * newer + older * older - factors[tone] * newer * older
    })
}

/// Where the largest of some powers is, and what it is.
fn strongest(powers: &[f32]) -> Option<(usize, f32)> {
    powers.iter().copied().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other))
}

/// A sine in a window: its frequency in Hz, and the parts of it that begin as a cosine and as a sine.
#[derive(Clone, Copy, Debug)]
struct Tone {
    hertz: f32,
    parts: [f32; 2],
}

impl Tone {
    /// Measures the tone that is nearest to a frequency, and subtracts it.
    fn take(window: &mut [f32; WINDOW], near: f32) -> Tone {
        let (one, other) = window.split_at(WINDOW / 2);
        let [one, other] = [one, other].map(|half| correlate(half, near));
        // The second half would have turned from the first by whole turns, as seen at the frequency itself.
        let per_half = near * (WINDOW / 2) as f32 / RATE;
        let turned = other[1].atan2(other[0]) - one[1].atan2(one[0]) + TAU * per_half;
        let off = turned / TAU - (turned / TAU).round();
        let hertz = near - off * RATE / (WINDOW / 2) as f32;
        let [cosine, sine] = correlate(window, hertz);
        let scale = 2.0 / WINDOW as f32;
        let tone = Tone { hertz, parts: [cosine * scale, sine * scale] };
        tone.add_to(window, -1.0);
        tone
    }

    /// Measures it again in what is left after others were taken.
    fn take_again(self, window: &mut [f32; WINDOW], near: f32) -> Tone {
        self.add_to(window, 1.0);
        Tone::take(window, near)
    }

    fn add_to(self, window: &mut [f32; WINDOW], gain: f32) {
        let [cosine, sine] = self.parts.map(|part| part * gain);
        let mut carrier = Carrier::new(self.hertz);
        for samples in window.as_chunks_mut::<LANES>().0 {
            for (lane, sample) in samples.iter_mut().enumerate() {
                *sample += cosine * carrier.cosine[lane] + sine * carrier.sine[lane];
            }
            carrier.advance();
        }
    }

    fn amplitude(self) -> f32 {
        self.parts[0].hypot(self.parts[1])
    }

    fn is_near(self, hertz: f32) -> bool {
        (self.hertz - hertz).abs() <= TOLERANCE * hertz
    }
}

/// The products with a cosine and a sine of a frequency, of a multiple of [`LANES`] samples.
fn correlate(samples: &[f32], hertz: f32) -> [f32; 2] {
    let mut carrier = Carrier::new(hertz);
    let (mut cosine, mut sine) = ([0.0; LANES], [0.0; LANES]);
    for samples in samples.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            cosine[lane] += samples[lane] * carrier.cosine[lane];
            sine[lane] += samples[lane] * carrier.sine[lane];
        }
        carrier.advance();
    }
    [cosine.iter().sum(), sine.iter().sum()]
}

/// Samples that are worked on side by side.
const LANES: usize = 8;

/// A cosine and a sine, some samples at a time, each made from those before by turning them.
struct Carrier {
    cosine: [f32; LANES],
    sine: [f32; LANES],
    /// Cosine and sine of the angle between one time and the next.
    turn: [f32; 2],
}

impl Carrier {
    fn new(hertz: f32) -> Carrier {
        let angle = TAU * hertz / RATE;
        let (sine_step, cosine_step) = angle.sin_cos();
        let (mut cosine, mut sine) = ([1.0; LANES], [0.0; LANES]);
        for lane in 1..LANES {
            (cosine[lane], sine[lane]) = (
                cosine[lane - 1] * cosine_step - sine[lane - 1] * sine_step,
                sine[lane - 1] * cosine_step + cosine[lane - 1] * sine_step,
            );
        }
        let (sine_turn, cosine_turn) = (angle * LANES as f32).sin_cos();
        Carrier { cosine, sine, turn: [cosine_turn, sine_turn] }
    }

    fn advance(&mut self) {
        let [turn_cosine, turn_sine] = self.turn;
        for lane in 0..LANES {
            let (cosine, sine) = (self.cosine[lane], self.sine[lane]);
            self.cosine[lane] = cosine * turn_cosine - sine * turn_sine;
            self.sine[lane] = sine * turn_cosine + cosine * turn_sine;
        }
    }
}
