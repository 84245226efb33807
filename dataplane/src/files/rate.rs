//! From the rate that a file has to the rate that is played.
//!
//! Between the rates of telephony the resampler of the codec crate does it all. What files have besides (11.025, 22.05
//! and 44.1 kHz from music, 12 and 32 kHz) is brought to 48 kHz first, by an interpolation that has no deadline.

use std::collections::VecDeque;
use std::f64::consts::PI;
use tandem_codec::CodecError;
use tandem_codec::resampler::Resampler;

/// Where other rates meet the resampler's.
const COMMON: u32 = 48_000;
/// The resampler's rates.
const USUAL: [u32; 4] = [8000, 16_000, 24_000, 48_000];
/// Input samples that each output sample is made of: those within so many on both sides.
const REACH: usize = 24;
/// What the filter passes, of half the input's rate.
const PASSED: f64 = 0.94;

/// From one rate to another.
pub(super) struct RateConverter {
    unusual: Option<Interpolator>,
    resampler: Option<Resampler>,
    between: Vec<i16>,
    converted: Vec<i16>,
}

impl RateConverter {
    /// `None` where both rates are the same.
    ///
    /// # Errors
    /// [`CodecError`] for rates that are not known.
    pub(super) fn new(from: u32, to: u32) -> Result<Option<RateConverter>, CodecError> {
        if from == to {
            return Ok(None);
        }
        let unusual = (!USUAL.contains(&from)).then(|| Interpolator::new(from));
        let from = if unusual.is_some() { COMMON } else { from };
        let resampler = if from == to { None } else { Some(Resampler::new(from, to)?) };
        Ok(Some(RateConverter { unusual, resampler, between: Vec::new(), converted: Vec::new() }))
    }

    /// Appends what comes of the next samples.
    pub(super) fn convert(&mut self, input: &[i16], output: &mut Vec<i16>) {
        let Some(resampler) = &mut self.resampler else {
            return self.unusual.iter_mut().for_each(|unusual| unusual.convert(input, output));
        };
        let mut input = input;
        if let Some(unusual) = &mut self.unusual {
            self.between.clear();
            unusual.convert(input, &mut self.between);
            input = &self.between;
        }
        self.converted.resize(resampler.output_len(input.len()), 0);
        let made = resampler.process(input, &mut self.converted);
        output.extend_from_slice(self.converted.get(..made).unwrap_or_default());
    }
}

/// From a lower rate up to [`COMMON`]: a sinc under a Hann window, one set of taps for each phase.
struct Interpolator {
    /// One for each of the places that an output sample may have between two input samples.
    phases: Vec<[f32; 2 * REACH]>,
    /// Input samples that are needed yet; the next output sample lies behind the one in their middle, by so many parts
    /// of a period, of which there are as many as phases.
    history: VecDeque<f32>,
    position: usize,
    step: usize,
}

impl Interpolator {
    fn new(from: u32) -> Interpolator {
        let divisor = greatest_common_divisor(from, COMMON);
        let count = COMMON / divisor;
        let phases = (0..count).map(|phase| taps(f64::from(phase) / f64::from(count)));
        Interpolator {
            phases: phases.collect(),
            // The first sample lies in the middle, behind silence.
            history: VecDeque::from(vec![0.0; REACH - 1]),
            position: 0,
            step: (from / divisor) as usize,
        }
    }

    fn convert(&mut self, input: &[i16], output: &mut Vec<i16>) {
        self.history.extend(input.iter().map(|sample| f32::from(*sample)));
        while self.history.len() >= 2 * REACH {
            while let Some(taps) = self.phases.get(self.position) {
                let sum: f32 = taps.iter().zip(&self.history).map(|(tap, sample)| tap * sample).sum();
                output.push(sum.round() as i16);
                self.position += self.step;
            }
            self.position -= self.phases.len();
            self.history.pop_front();
        }
    }
}

/// The taps for an output sample that lies so far, in input periods, behind the sample in the middle.
fn taps(behind: f64) -> [f32; 2 * REACH] {
    let weight = |index: usize| {
        let distance = index as f64 - (REACH - 1) as f64 - behind;
        let angle = PI * distance * PASSED;
        let sinc = if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
        let window = (PI * distance / (2 * REACH) as f64).cos().powi(2);
        sinc * window
    };
    let weights: [f64; 2 * REACH] = std::array::from_fn(weight);
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| (weight / sum) as f32)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::{share, tone};

    #[test]
    fn a_tone_stays_a_tone_of_its_length_and_level() {
        for from in [11_025, 12_000, 22_050, 32_000, 44_100] {
            for to in [8000, 16_000, 48_000] {
                let mut converter = RateConverter::new(from, to).unwrap().unwrap();
                let mut output = Vec::new();
                for block in tone(1000.0, from, from as usize).chunks(441) {
                    converter.convert(block, &mut output);
                }
                let missing = to as usize - output.len();
                assert!(missing < to as usize / 200, "{from} to {to}: {missing} samples of the delay");
                let middle = &output[output.len() / 4..output.len() / 2];
                assert!(share(middle, 1000.0, to) > 0.999, "{from} to {to}");
                let peak = middle.iter().max().unwrap();
                assert!((7800..8200).contains(peak), "{from} to {to}: {peak}");
            }
        }
    }

    #[test]
    fn equal_rates_need_nothing() {
        assert!(RateConverter::new(8000, 8000).unwrap().is_none());
    }
}
