//! One sub-band's adaptive predictor and scale factor, the same in encoder and decoder (G.722 sections 3.5 and 3.6,
//! in the steps of clause 6.2).

use super::tables;

/// Zeros of the predictor.
const ZEROS: usize = 6;
/// Reconstructed samples are limited to 15 bits (block LIMIT).
const SUB_BAND: std::ops::RangeInclusive<i32> = -16_384..=16_383;
/// The limits of the second pole coefficient and of the sum of both (section 3.6.4).
const POLE2_LIMIT: i32 = 12_288;
const POLE_SUM_LIMIT: i32 = 15_360;

/// What differs between the bands.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// The highest logarithmic scale factor (NBL and NBH of sections 3.5.1 and 3.5.2).
    log_scale: i32,
    /// The shift of the antilogarithm (blocks 3L and 3H).
    exponent: i32,
    /// The scale factor at the start.
    first_scale: i32,
}

pub(super) const LOWER: Limits = Limits { log_scale: 18_432, exponent: 8, first_scale: 32 };
pub(super) const HIGHER: Limits = Limits { log_scale: 22_528, exponent: 10, first_scale: 8 };

/// The state of one band.
pub(super) struct Band {
    limits: Limits,
    /// The logarithmic scale factor, NBL or NBH.
    log_scale: i32,
    /// The quantiser's scale factor, DETL or DETH.
    scale: i32,
    /// The prediction of the next sample: SL or SH.
    prediction: i32,
    /// The part of the prediction that the zeros give: SZL or SZH.
    from_zeros: i32,
    /// AL and AH: the pole coefficients.
    poles: [i32; 2],
    /// BL and BH: the zero coefficients.
    zeros: [i32; ZEROS],
    /// The last quantised differences, the newest first.
    differences: [i32; ZEROS],
    /// The last reconstructed samples, the newest first.
    reconstructed: [i32; 2],
    /// The last partly reconstructed samples (PLT and PH), the newest first.
    partial: [i32; 2],
}

impl Band {
    pub(super) fn new(limits: Limits) -> Band {
        Band {
            limits,
            log_scale: 0,
            scale: limits.first_scale,
            prediction: 0,
            from_zeros: 0,
            poles: [0; 2],
            zeros: [0; ZEROS],
            differences: [0; ZEROS],
            reconstructed: [0; 2],
            partial: [0; 2],
        }
    }

    /// Blocks SUBTRA, QUANTL, INVQAL of the encoder: the 6-bit code of a sample of the lower band.
    pub(super) fn code_low(&mut self, sample: i32) -> u8 {
        let difference = saturate(sample - self.prediction);
        let magnitude = if difference < 0 { !difference } else { difference };
        let level = tables::Q6.partition_point(|level| (level * self.scale) >> 12 <= magnitude) as u8;
        // Table 14, ILN and ILP: negative codes run 63, 62, 31, 30, ... 4; positive ones 61, 60, ... 32.
        let code = match (difference < 0, level) {
            (true, 0..2) => 63 - level,
            (true, _) => 33 - level,
            (false, _) => 61 - level,
        };
        self.adapt_low(code);
        code
    }

    /// Blocks SUBTRA, QUANTH, INVQAH of the encoder: the 2-bit code of a sample of the higher band.
    pub(super) fn code_high(&mut self, sample: i32) -> u8 {
        let difference = saturate(sample - self.prediction);
        let magnitude = if difference < 0 { !difference } else { difference };
        let is_large = magnitude >= (tables::Q2 * self.scale) >> 12;
        // Table 15, IHN and IHP.
        let code = match (difference < 0, is_large) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        self.adapt_high(code);
        code
    }

    /// Blocks INVQBL, RECONS, LIMIT of the decoder: the sample of the lower band for a 6-bit code.
    pub(super) fn decode_low(&mut self, code: u8) -> i32 {
        let difference = (self.scale * tables::QM6[usize::from(code & 63)]) >> 15;
        let sample = (self.prediction + difference).clamp(*SUB_BAND.start(), *SUB_BAND.end());
        self.adapt_low(code);
        sample
    }

    /// Blocks INVQAH, RECONS, LIMIT of the decoder: the sample of the higher band for a 2-bit code.
    pub(super) fn decode_high(&mut self, code: u8) -> i32 {
        let predicted = self.prediction;
        let difference = self.adapt_high(code);
        (predicted + difference).clamp(*SUB_BAND.start(), *SUB_BAND.end())
    }

    /// The lower band adapts by the four upper bits of the code, which every mode of the codec sends.
    fn adapt_low(&mut self, code: u8) {
        let code = usize::from(code >> 2 & 15);
        self.adapt((self.scale * tables::QM4[code]) >> 15, tables::WL[code]);
    }

    /// Returns the quantised difference.
    fn adapt_high(&mut self, code: u8) -> i32 {
        let code = usize::from(code & 3);
        let difference = (self.scale * tables::QM2[code]) >> 15;
        self.adapt(difference, tables::WH[code]);
        difference
    }

    /// Adapts to one quantised difference and to what its code moves the scale factor by.
    fn adapt(&mut self, difference: i32, scale_step: i32) {
        self.rescale(scale_step);
        let partial = saturate(self.from_zeros + difference);
        self.move_poles(partial);
        self.move_zeros(difference);
        let reconstructed = saturate(self.prediction + difference);
        self.partial = [partial, self.partial[0]];
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.differences.copy_within(..ZEROS - 1, 1);
        self.differences[0] = difference;
        self.predict();
    }

    /// Blocks LOGSCL and SCALEL (LOGSCH and SCALEH): the scale factor leaks by 1/128 and moves by the code.
    fn rescale(&mut self, step: i32) {
        self.log_scale = (((self.log_scale * 127) >> 7) + step).clamp(0, self.limits.log_scale);
        let mantissa = tables::ILB[(self.log_scale >> 6 & 31) as usize];
        let shift = self.limits.exponent - (self.log_scale >> 11);
        self.scale = (if shift < 0 { mantissa << -shift } else { mantissa >> shift }) << 2;
    }

    /// Blocks UPPOL2 and UPPOL1.
    fn move_poles(&mut self, partial: i32) {
        let same_sign = self.partial.map(|earlier| (earlier < 0) == (partial < 0));
        let first = saturate(self.poles[0] << 2);
        let correction = if same_sign[0] { saturate(-first) } else { first } >> 7;
        let leaked = (self.poles[1] * 32_512) >> 15;
        let step = if same_sign[1] { 128 } else { -128 };
        let pole2 = (step + correction + leaked).clamp(-POLE2_LIMIT, POLE2_LIMIT);
        let step = if same_sign[0] { 192 } else { -192 };
        let limit = POLE_SUM_LIMIT - pole2;
        let pole1 = (step + ((self.poles[0] * 32_640) >> 15)).clamp(-limit, limit);
        self.poles = [pole1, pole2];
    }

    /// Block UPZERO.
    fn move_zeros(&mut self, difference: i32) {
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, earlier) in self.zeros.iter_mut().zip(self.differences) {
            let step = if (earlier < 0) == (difference < 0) { step } else { -step };
            *zero = saturate(step + ((*zero * 32_640) >> 15));
        }
    }

    /// Blocks FILTEP, FILTEZ and PREDIC.
    fn predict(&mut self) {
        let product = |(value, coefficient): (&i32, &i32)| (saturate(value * 2) * coefficient) >> 15;
        let from_poles: i32 = self.reconstructed.iter().zip(&self.poles).map(product).sum();
        let from_zeros: i32 = self.differences.iter().zip(&self.zeros).map(product).sum();
        self.from_zeros = saturate(from_zeros);
        self.prediction = saturate(saturate(from_poles) + self.from_zeros);
    }
}

/// Limits to 16 bits, as the Recommendation's additions do.
fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}
