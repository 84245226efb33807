//! The filters: designed when they are first asked for, then shared by all streams.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// Taps that a kernel multiplies at a time; the taps of each phase are a multiple of it.
pub(super) const LANES: usize = 8;
/// Taps at the lower of the two rates.
const TAPS: usize = 64;
/// The largest ratio of two rates: 48 to 8 kHz.
const MAX_RATIO: usize = 6;
/// The most taps of one phase.
pub(super) const MAX_TAPS: usize = TAPS * MAX_RATIO;
/// What the window's shape is chosen for: the attenuation of the stop band, in dB.
const ATTENUATION: f64 = 90.0;
/// Where the filter lets half of the amplitude pass, in parts of the lower rate: the middle between the 3.4 kHz of
/// telephone speech at 8 kHz and where 64 taps can reach the attenuation.
const CUTOFF: f64 = 0.4695;

/// A low-pass filter, taken apart into phases.
pub(super) struct Filter {
    /// Phase by phase, each from its oldest input sample to its newest.
    taps: Vec<[f32; LANES]>,
    phases: usize,
    step: usize,
}

/// By how many phases and in what steps: each ratio of two of the rates, in lowest terms.
static FILTERS: [LazyLock<Filter>; 8] = [
    LazyLock::new(|| Filter::design(2, 1)),
    LazyLock::new(|| Filter::design(3, 1)),
    LazyLock::new(|| Filter::design(6, 1)),
    LazyLock::new(|| Filter::design(3, 2)),
    LazyLock::new(|| Filter::design(1, 2)),
    LazyLock::new(|| Filter::design(1, 3)),
    LazyLock::new(|| Filter::design(1, 6)),
    LazyLock::new(|| Filter::design(2, 3)),
];

impl Filter {
    pub(super) fn between(from_hz: u32, to_hz: u32) -> Option<&'static Filter> {
        if ![from_hz, to_hz].iter().all(|rate| [8000, 16_000, 24_000, 48_000].contains(rate)) {
            return None;
        }
        let index = match (u64::from(to_hz) * 6) / u64::from(from_hz) {
            12 => 0,
            18 => 1,
            36 => 2,
            9 => 3,
            3 => 4,
            2 => 5,
            1 => 6,
            4 => 7,
            _ => return None,
        };
        FILTERS.get(index).map(|filter| &**filter)
    }

    fn design(phases: usize, step: usize) -> Filter {
        let ratio = phases.max(step);
        let len = TAPS * ratio;
        let middle = (len - 1) as f64 / 2.0;
        // Kaiser's estimate of the shape parameter, for attenuations above 50 dB.
        let shape = 0.1102 * (ATTENUATION - 8.7);
        let prototype = |n: usize| {
            let (time, edge) = (n as f64 - middle, (n as f64 - middle) / (middle + 0.5));
            let window = bessel(shape * (1.0 - edge * edge).max(0.0).sqrt()) / bessel(shape);
            let angle = 2.0 * PI * CUTOFF / ratio as f64 * time;
            window * if angle == 0.0 { 1.0 } else { angle.sin() / angle }
        };
        let mut taps = Vec::new();
        for phase in 0..phases {
            // The newest input sample meets the first tap of the phase: the order is turned round.
            let mut of_phase: Vec<f64> = (phase..len).step_by(phases).map(prototype).collect();
            of_phase.reverse();
            // Each phase passes a constant unchanged, or the phases would be heard as a tone of their own.
            let sum: f64 = of_phase.iter().sum();
            let scaled: Vec<f32> = of_phase.iter().map(|tap| (tap / sum) as f32).collect();
            taps.extend_from_slice(scaled.as_chunks().0);
        }
        Filter { taps, phases, step }
    }

    /// How many taps each phase has.
    pub(super) fn taps(&self) -> usize {
        self.taps.len() * LANES / self.phases
    }

    /// How many output positions there are between two input samples.
    pub(super) fn phases(&self) -> usize {
        self.phases
    }

    /// How many of these positions lie between two output samples.
    pub(super) fn step(&self) -> usize {
        self.step
    }

    /// The taps of one phase.
    pub(super) fn phase(&self, phase: usize) -> &[[f32; LANES]] {
        let vectors = self.taps.len() / self.phases;
        &self.taps[phase * vectors..][..vectors]
    }
}

/// The modified Bessel function of the first kind and order zero, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= (x / 2.0 / k) * (x / 2.0 / k);
        sum += term;
        k += 1.0;
    }
    sum
}
