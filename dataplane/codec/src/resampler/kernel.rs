//! The loop over the output samples: in AVX2 with FMA where the CPU has them, and its scalar twin.

use super::filter::{Filter, LANES};

/// Which instructions are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// What every CPU has.
    Scalar,
    /// 256-bit vectors; the token proves that the CPU has them.
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2Fma),
}

impl Kernel {
    /// The fastest one of this CPU.
    pub(super) fn best() -> Kernel {
        #[cfg(target_arch = "x86_64")]
        if let Some(token) = x86::Avx2Fma::detect() {
            return Kernel::Avx2(token);
        }
        Kernel::Scalar
    }

    /// Writes the output samples that lie before the end of `window`, which begins with the history of the filter, and
    /// returns how many there are. `position` is that of the first, and afterwards that of the one behind the last, both
    /// from the newest sample of the history on.
    pub(super) fn block(
        self,
        filter: &Filter,
        window: &[f32],
        position: &mut usize,
        output: &mut [i16],
    ) -> usize {
        match self {
            Kernel::Scalar => scalar_block(filter, window, position, output),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(token) => token.block(filter, window, position, output),
        }
    }
}

/// The loop for one set of instructions, so that all of it is compiled for them.
macro_rules! block {
    ($name:ident, $product:ident $(, $attribute:meta)?) => {
        $(#[$attribute])?
        fn $name(filter: &Filter, window: &[f32], position: &mut usize, output: &mut [i16]) -> usize {
            let (phases, taps) = (filter.phases(), filter.taps());
            let (whole, rest) = (filter.step() / phases, filter.step() % phases);
            let (mut first, mut phase) = (*position / phases, *position % phases);
            let mut written = 0;
            while let Some(samples) = window.get(first..first + taps) {
                let sum = $product(filter.phase(phase), samples.as_chunks::<LANES>().0);
                if let Some(to) = output.get_mut(written) {
                    *to = to_sample(sum);
                    written += 1;
                }
                (first, phase) = (first + whole, phase + rest);
                if phase >= phases {
                    (first, phase) = (first + 1, phase - phases);
                }
            }
            *position = (first + taps - 1).saturating_sub(window.len()) * phases + phase;
            written
        }
    };
}

/// The number whose addition leaves no bits for a fraction: its own last bit weighs one. Rounds to the nearest, as
/// long as what is rounded is below 2^22.
const ROUNDER: f32 = 12_582_912.0;

/// The nearest sample; what is too large is clipped.
#[inline(always)]
fn to_sample(value: f32) -> i16 {
    ((value + ROUNDER) - ROUNDER) as i16
}

block!(scalar_block, scalar);

fn scalar(taps: &[[f32; LANES]], samples: &[[f32; LANES]]) -> f32 {
    let mut sums = [0.0; LANES];
    for (taps, samples) in taps.iter().zip(samples) {
        for lane in 0..LANES {
            sums[lane] += taps[lane] * samples[lane];
        }
    }
    sums.iter().sum()
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::{Filter, LANES, to_sample};
    use core::arch::x86_64::*;

    /// Proves AVX2 and FMA.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in super::super) struct Avx2Fma(());

    impl Avx2Fma {
        /// The token, if the CPU and the system offer both.
        pub(in super::super) fn detect() -> Option<Avx2Fma> {
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx2Fma(()))
        }

        pub(super) fn block(
            self,
            filter: &Filter,
            window: &[f32],
            position: &mut usize,
            output: &mut [i16],
        ) -> usize {
            // SAFETY: the token proves the features.
            unsafe { avx2_block(filter, window, position, output) }
        }
    }

    block!(avx2_block, product, target_feature(enable = "avx2,fma"));

    /// Four sums, since an FMA takes four cycles and another two can start in each of them.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn product(taps: &[[f32; LANES]], samples: &[[f32; LANES]]) -> f32 {
        let mut sums = [_mm256_setzero_ps(); 4];
        let (whole_taps, rest_taps) = taps.as_chunks::<4>();
        let (whole_samples, rest_samples) = samples.as_chunks::<4>();
        for (taps, samples) in whole_taps.iter().zip(whole_samples) {
            for lane in 0..4 {
                sums[lane] = _mm256_fmadd_ps(load(&taps[lane]), load(&samples[lane]), sums[lane]);
            }
        }
        for (taps, samples) in rest_taps.iter().zip(rest_samples) {
            sums[0] = _mm256_fmadd_ps(load(taps), load(samples), sums[0]);
        }
        let [a, b, c, d] = sums;
        let eight = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
        let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(values: &[f32; LANES]) -> __m256 {
        // SAFETY: eight values are read from an array of eight, and no alignment is asked for.
        unsafe { _mm256_loadu_ps(values.as_ptr()) }
    }
}
