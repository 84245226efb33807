//! Comfort noise (RFC 3389): noise of a level and a spectrum, told in a payload of a few bytes.
//!
//! The spectrum is an all-pole filter's reflection coefficients. The RFC leaves their sign open; here, as in FFmpeg and
//! in browsers, the first one is minus the correlation of neighbouring samples.

use crate::CodecError;

/// Reflection coefficients that are used; further ones are taken as zero (RFC 3389 section 3).
pub const MAX_ORDER: usize = 12;
/// Reflection coefficients that [`NoiseAnalyser`] tells: what telephone bandwidth needs.
const ORDER: usize = 10;
/// The bytes that [`NoiseAnalyser::payload`] writes.
pub const PAYLOAD_LEN: usize = 1 + ORDER;

/// The amplitude of 0 dBov (section 3.1: the system's overload point).
const OVERLOAD: f32 = 32_768.0;
/// A coefficient of 1 would make the filter ring for ever.
const HIGHEST_COEFFICIENT: f32 = 0.97;
/// Which share of the way to a new level is gone with each sample: most of it within 20 ms at 8 kHz.
const LEVEL_STEP: f32 = 1.0 / 80.0;
/// The weight of the newest frame in the analysis.
const NEWEST: f32 = 0.2;
/// Noise that is added to what is analysed, 40 dB under it: keeps the filter tame.
const FLOOR: f32 = 1.0001;

/// Makes noise as the last payload told.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    /// The state of the random numbers.
    seed: u32,
    /// The amplitude that drives the filter, and where it goes.
    drive: f32,
    target: f32,
    coefficients: [f32; MAX_ORDER],
    /// The lattice filter's delayed values.
    delayed: [f32; MAX_ORDER],
}

impl Default for ComfortNoise {
    fn default() -> ComfortNoise {
        ComfortNoise {
            // Any number but zero.
            seed: 0x9E37_79B9,
            drive: 0.0,
            target: 0.0,
            coefficients: [0.0; MAX_ORDER],
            delayed: [0.0; MAX_ORDER],
        }
    }
}

impl ComfortNoise {
    /// Takes note of a payload: the level, and the spectrum (white if it tells none).
    ///
    /// # Errors
    /// [`CodecError::Malformed`] if the payload is empty.
    pub fn update(&mut self, payload: &[u8]) -> Result<(), CodecError> {
        let (&level, spectrum) = payload.split_first().ok_or(CodecError::Malformed)?;
        // Section 3.1: the upper bit is not used.
        let level = f32::from(level & 0x7F);
        self.coefficients = [0.0; MAX_ORDER];
        let mut gain = 1.0;
        for (coefficient, &byte) in self.coefficients.iter_mut().zip(spectrum) {
            // Section 3.2: k = 258 (N - 127) / 32768.
            let value = 258.0 * (f32::from(byte) - 127.0) / 32_768.0;
            *coefficient = value.clamp(-HIGHEST_COEFFICIENT, HIGHEST_COEFFICIENT);
            gain *= 1.0 - *coefficient * *coefficient;
        }
        // The filter amplifies by the inverse of that gain; evenly distributed numbers have a third of their peak's power.
        self.target = OVERLOAD * 10f32.powf(-level / 20.0) * (3.0 * gain).sqrt();
        Ok(())
    }

    /// Fills `pcm` with the noise that comes next; silence if nothing was told yet.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        for sample in pcm {
            self.drive += (self.target - self.drive) * LEVEL_STEP;
            let mut forward = self.drive * self.random();
            let mut above = None;
            for (&coefficient, delayed) in self.coefficients.iter().zip(&mut self.delayed).rev() {
                forward -= coefficient * *delayed;
                let backward = *delayed + coefficient * forward;
                if let Some(above) = above.replace(delayed) {
                    *above = backward;
                }
            }
            if let Some(first) = above {
                *first = forward;
            }
            *sample = forward as i16;
        }
    }

    /// Evenly distributed from -1 to 1 (a xorshift generator).
    fn random(&mut self) -> f32 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        self.seed.cast_signed() as f32 / 2f32.powi(31)
    }
}

/// Finds level and spectrum of noise.
#[derive(Clone, Debug, Default)]
pub struct NoiseAnalyser {
    /// The autocorrelation of the last frames; `None` before the first one.
    correlation: Option<[f32; ORDER + 1]>,
}

impl NoiseAnalyser {
    /// Takes note of some milliseconds of noise.
    pub fn process(&mut self, pcm: &[i16]) {
        let Some(divisor) = Some(pcm.len() as f32).filter(|&length| length > 0.0) else { return };
        let mut lag = 0..;
        let fresh = [(); ORDER + 1].map(|()| {
            let later = pcm.get(lag.next().unwrap_or_default()..).unwrap_or_default();
            later.iter().zip(pcm).map(|(a, b)| f32::from(*a) * f32::from(*b)).sum::<f32>() / divisor
        });
        let Some(smooth) = &mut self.correlation else {
            self.correlation = Some(fresh);
            return;
        };
        for (smooth, fresh) in smooth.iter_mut().zip(fresh) {
            *smooth += (fresh - *smooth) * NEWEST;
        }
    }

    /// Writes the payload for what was processed and returns its length, [`PAYLOAD_LEN`].
    ///
    /// # Errors
    /// [`CodecError::FrameLength`] if the buffer is too small.
    pub fn payload(&self, payload: &mut [u8]) -> Result<usize, CodecError> {
        let room = payload.get_mut(..PAYLOAD_LEN).ok_or(CodecError::FrameLength)?;
        let correlation = self.correlation.unwrap_or_default();
        let power = correlation[0] / (OVERLOAD * OVERLOAD);
        // Section 3.1: in -dBov, 127 at most.
        room[0] = (-10.0 * power.log10()).round().clamp(0.0, 127.0) as u8;
        for (byte, coefficient) in room[1..].iter_mut().zip(reflection(&correlation)) {
            *byte = (coefficient * 32_768.0 / 258.0 + 127.0).round().clamp(0.0, 254.0) as u8;
        }
        Ok(PAYLOAD_LEN)
    }
}

/// The reflection coefficients for an autocorrelation (the recursion of Levinson and Durbin).
fn reflection(correlation: &[f32; ORDER + 1]) -> [f32; ORDER] {
    let mut error = correlation[0] * FLOOR;
    let mut predictor = [0.0; ORDER];
    let mut coefficients = [0.0; ORDER];
    for order in 0..ORDER {
        if error <= f32::EPSILON {
            break;
        }
        let earlier = (0..order).map(|index| predictor[index] * correlation[order - index]);
        let coefficient = -(correlation[order + 1] + earlier.sum::<f32>()) / error;
        let before = predictor;
        for index in 0..order {
            predictor[index] += coefficient * before[order - 1 - index];
        }
        predictor[order] = coefficient;
        coefficients[order] = coefficient;
        error *= 1.0 - coefficient * coefficient;
    }
    coefficients
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rms(pcm: &[i16]) -> f32 {
        (pcm.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>() / pcm.len() as f32).sqrt()
    }

    /// The correlation of neighbouring samples, -1 to 1.
    fn neighbours(pcm: &[i16]) -> f32 {
        let products = pcm.windows(2).map(|pair| f32::from(pair[0]) * f32::from(pair[1]));
        products.sum::<f32>() / (rms(pcm).powi(2) * pcm.len() as f32)
    }

    fn noise(payload: &[u8]) -> Vec<i16> {
        let mut generator = ComfortNoise::default();
        generator.update(payload).unwrap();
        let mut pcm = vec![0; 16_000];
        generator.fill(&mut pcm);
        pcm.split_off(8000)
    }

    #[test]
    fn the_level_is_the_told_one_whatever_the_spectrum() {
        for level in [20u8, 40, 55] {
            for spectrum in [&[][..], &[60], &[200, 150], &[30, 180, 127, 100, 140, 127, 120, 130, 127, 127]]
            {
                let payload = [&[level], spectrum].concat();
                let got = -20.0 * (rms(&noise(&payload)) / 32_768.0).log10();
                assert!((got - f32::from(level)).abs() < 1.0, "{got} for {level}, {spectrum:?}");
            }
        }
    }

    #[test]
    fn what_is_analysed_is_what_was_told() {
        let told = [38, 20, 160, 120, 127, 140, 127, 127, 127, 127, 127];
        let mut analyser = NoiseAnalyser::default();
        for frame in noise(&told).chunks(160) {
            analyser.process(frame);
        }
        let mut found = [0; PAYLOAD_LEN];
        assert_eq!(analyser.payload(&mut found), Ok(PAYLOAD_LEN));
        for (found, told) in found.iter().zip(told) {
            assert!(found.abs_diff(told) <= 16, "{found} {told}");
        }
        assert!(found[0].abs_diff(told[0]) <= 1);
    }

    #[test]
    fn the_first_coefficient_says_how_neighbours_correlate() {
        assert!((neighbours(&noise(&[30, 127 - 64])) - 0.5).abs() < 0.05);
        assert!((neighbours(&noise(&[30, 127 + 64])) + 0.5).abs() < 0.05);
    }

    #[test]
    fn silence_and_extremes_stay_in_range() {
        assert_eq!(noise(&[127])[..], [0; 8000]);
        assert!(rms(&noise(&[0; 13])) > 0.0 && rms(&noise(&[0x80 | 30, 255, 255, 0, 255])) < 32_767.0);
        assert_eq!(ComfortNoise::default().update(&[]), Err(CodecError::Malformed));
        let mut analyser = NoiseAnalyser::default();
        let mut payload = [0; PAYLOAD_LEN];
        analyser.process(&[]);
        assert_eq!(analyser.payload(&mut payload), Ok(PAYLOAD_LEN));
        assert_eq!(payload, [127; PAYLOAD_LEN]);
        analyser.process(&[0; 160]);
        assert_eq!(analyser.payload(&mut payload), Ok(PAYLOAD_LEN));
        assert_eq!(payload, [127; PAYLOAD_LEN]);
        assert_eq!(analyser.payload(&mut payload[1..]), Err(CodecError::FrameLength));
    }
}
