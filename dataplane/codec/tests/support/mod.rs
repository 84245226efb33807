//! What the tests of the codecs share: speech to code, FFmpeg to decode it, and measures.

pub(crate) mod ffmpeg;
pub(crate) mod ogg;

use std::path::Path;

/// A prompt of some 20 seconds by a professional speaker, 8 kHz (Debian's asterisk-core-sounds-en-wav).
const SPEECH: &str = "/usr/share/asterisk/sounds/en_US_f_Allison/conf-adminmenu-162.wav";

/// Some seconds of speech at 8 or 16 kHz; at 16 kHz with hiss above 4 kHz where there is voice, for the prompt has none.
pub(crate) fn speech(rate: u32) -> Vec<i16> {
    assert!(Path::new(SPEECH).exists(), "{SPEECH} is missing: `make deps-bench` installs it");
    let output = ["-f", "s16le", "-ac", "1", "-ar", &rate.to_string(), "pipe:1"];
    let mut pcm = ffmpeg::samples(&ffmpeg::run(&["-t", "12", "-i", SPEECH], &output, &[]));
    if rate > 8000 {
        let (mut seed, mut before) = (1u32, 0);
        for sample in &mut pcm {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 16) as i32 - 32_768;
            // The difference of neighbours is a high pass.
            let hiss = (noise - before) / 2 * i32::from(sample.unsigned_abs()) / 65_536;
            before = noise;
            *sample = (i32::from(*sample) + hiss).clamp(-32_768, 32_767) as i16;
        }
    }
    pcm
}

/// How far `heard` is from `wanted`, in dB of signal to noise, at the best delay up to `delays` samples.
pub(crate) fn signal_to_noise(wanted: &[i16], heard: &[i16], delays: usize) -> f64 {
    let ratio = |delay: usize| {
        let pairs =
            || wanted.iter().zip(heard.iter().skip(delay)).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        let signal: f64 = pairs().map(|(a, _)| a * a).sum();
        let noise: f64 = pairs().map(|(a, b)| (a - b).powi(2)).sum();
        10.0 * (signal / noise.max(1.0)).log10()
    };
    (0..=delays).map(ratio).fold(f64::NEG_INFINITY, f64::max)
}

/// How alike the loudness of two sounds runs in steps of 20 ms: their correlation, -1 to 1, at the best delay up to 60 ms.
/// For codecs that keep the sound and not the wave.
pub(crate) fn loudness_correlation(wanted: &[i16], heard: &[i16], rate: u32) -> f64 {
    let frame = rate as usize / 50;
    let levels = |pcm: &[i16]| -> Vec<f64> {
        let energy = |frame: &[i16]| frame.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
        pcm.chunks_exact(frame).map(|chunk| (energy(chunk) + 1e4).log10()).collect()
    };
    let wanted = levels(wanted);
    let correlation = |delay: usize| {
        let heard = levels(heard.get(delay..).unwrap_or_default());
        let length = wanted.len().min(heard.len());
        let mean = |values: &[f64]| values[..length].iter().sum::<f64>() / length as f64;
        let (mean_wanted, mean_heard) = (mean(&wanted), mean(&heard));
        let (mut both, mut one, mut other) = (0.0, 0.0, 0.0);
        for (a, b) in wanted.iter().zip(&heard) {
            let (a, b) = (a - mean_wanted, b - mean_heard);
            (both, one, other) = (both + a * b, one + a * a, other + b * b);
        }
        both / (one * other).sqrt()
    };
    (0..=60).map(|ms| correlation(ms * rate as usize / 1000)).fold(-1.0, f64::max)
}
