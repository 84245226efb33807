use super::*;
use std::f64::consts::TAU;

const RATES: [u32; 4] = [8000, 16_000, 24_000, 48_000];
const AMPLITUDE: f64 = 16_000.0;

fn pairs() -> impl Iterator<Item = (u32, u32)> {
    RATES.into_iter().flat_map(|from| RATES.map(|to| (from, to))).filter(|(from, to)| from != to)
}

fn tone(hz: f64, rate: u32, len: usize) -> Vec<i16> {
    (0..len).map(|n| (AMPLITUDE * (TAU * hz * n as f64 / f64::from(rate)).sin()).round() as i16).collect()
}

fn convert(input: &[i16], from: u32, to: u32) -> Vec<i16> {
    let mut resampler = Resampler::new(from, to).unwrap();
    let mut output = vec![0; resampler.output_len(input.len())];
    let written = resampler.process(input, &mut output);
    output.truncate(written);
    output
}

/// Amplitude and phase of the part of `pcm` at `hz`, by correlation over a whole number of periods.
fn part_at(pcm: &[i16], hz: f64, rate: u32) -> (f64, f64) {
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (n, sample) in pcm.iter().enumerate() {
        let angle = TAU * hz * n as f64 / f64::from(rate);
        sine += f64::from(*sample) * angle.sin();
        cosine += f64::from(*sample) * angle.cos();
    }
    (2.0 * sine.hypot(cosine) / pcm.len() as f64, cosine.atan2(sine))
}

fn decibels(ratio: f64) -> f64 {
    20.0 * ratio.max(1e-9).log10()
}

/// A second of output, after the filter has filled.
fn steady(pcm: &[i16], rate: u32) -> &[i16] {
    &pcm[rate as usize / 10..][..rate as usize]
}

#[test]
fn the_pass_band_is_flat() {
    for (from, to) in pairs() {
        for part in [0.0125, 0.1, 0.25, 0.4, 0.425] {
            let hz = part * f64::from(from.min(to));
            let heard = convert(&tone(hz, from, from as usize * 5 / 4), from, to);
            let gain = decibels(part_at(steady(&heard, to), hz, to).0 / AMPLITUDE);
            assert!(gain.abs() < 0.01, "{from} to {to}, {hz} Hz: {gain} dB");
        }
    }
}

/// Where a frequency is found in a stream that is sampled at `rate`.
fn folded(hz: f64, rate: u32) -> f64 {
    let rest = hz.rem_euclid(f64::from(rate));
    rest.min(f64::from(rate) - rest)
}

#[test]
fn images_of_speech_are_88_db_down() {
    for (from, to) in pairs().filter(|(from, to)| from < to) {
        for part in [0.05, 0.21, 0.425] {
            let hz = part * f64::from(from);
            let heard = convert(&tone(hz, from, from as usize * 5 / 4), from, to);
            // A multiple of the new rate is no image but the tone itself.
            let multiples = (1..=3).map(|n| n * from).filter(|multiple| multiple % to != 0);
            for image in multiples.flat_map(|multiple| [f64::from(multiple) - hz, f64::from(multiple) + hz]) {
                let level = decibels(part_at(steady(&heard, to), folded(image, to), to).0 / AMPLITUDE);
                assert!(level < -88.0, "{from} to {to}, {hz} Hz at {image} Hz: {level} dB");
            }
        }
    }
}

#[test]
fn what_the_lower_rate_cannot_carry_is_88_db_down() {
    for (from, to) in pairs().filter(|(from, to)| from > to) {
        for part in [0.515, 0.55, 0.7, 1.2, 2.6] {
            let hz = (part * f64::from(to)).round();
            if hz * 2.0 >= f64::from(from) {
                continue;
            }
            let heard = convert(&tone(hz, from, from as usize * 5 / 4), from, to);
            let level = decibels(part_at(steady(&heard, to), folded(hz, to), to).0 / AMPLITUDE);
            assert!(level < -88.0, "{from} to {to}, {hz} Hz: {level} dB");
        }
    }
}

#[test]
fn the_delay_is_32_periods_of_the_lower_rate() {
    for (from, to) in pairs() {
        // Half a turn of phase is more than the delay could be wrong by.
        let hz = f64::from(from.min(to)) / 80.0;
        let heard = convert(&tone(hz, from, from as usize * 5 / 4), from, to);
        let phase = part_at(steady(&heard, to), hz, to).1;
        let delay = (-phase).rem_euclid(TAU) / TAU * 80.0;
        assert!((delay - 32.0).abs() < 0.6, "{from} to {to}: {delay}");
    }
}

#[test]
fn pieces_of_any_length_give_what_the_whole_gives() {
    let mut random = 1u32;
    for (from, to) in pairs() {
        let input = tone(440.0, from, 4000);
        let whole = convert(&input, from, to);
        assert_eq!(whole.len(), (4000 * to as usize).div_ceil(from as usize));
        let mut resampler = Resampler::new(from, to).unwrap();
        let (mut pieces, mut rest) = (Vec::new(), &input[..]);
        while !rest.is_empty() {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (piece, behind) = rest.split_at((random as usize >> 20).min(rest.len()));
            let mut output = vec![0; resampler.output_len(piece.len())];
            let written = resampler.process(piece, &mut output);
            pieces.extend_from_slice(&output[..written]);
            rest = behind;
        }
        assert_eq!(pieces, whole, "{from} to {to}");
    }
}

#[test]
fn the_kernels_agree() {
    for (from, to) in pairs() {
        let input: Vec<i16> = (0..2000i32).map(|n| (n.wrapping_mul(40_503) >> 3) as i16).collect();
        let mut twin = Resampler::new(from, to).unwrap();
        twin.kernel = Kernel::Scalar;
        let mut expected = vec![0; twin.output_len(input.len())];
        twin.process(&input, &mut expected);
        for (one, other) in convert(&input, from, to).iter().zip(&expected) {
            assert!((i32::from(*one) - i32::from(*other)).abs() <= 1, "{from} to {to}: {one} {other}");
        }
    }
}

#[test]
fn full_scale_is_clipped_and_a_short_output_is_filled() {
    let square: Vec<i16> = (0..800).map(|n| if n / 20 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    let heard = convert(&square, 8000, 48_000);
    assert!(heard.contains(&i16::MAX) && heard.contains(&i16::MIN));
    // Without clipping the overshoot would wrap round in the middle of a half wave.
    assert!(heard[480..].windows(2).all(|w| (i32::from(w[1]) - i32::from(w[0])).abs() < 32_768));
    let mut short = [0; 100];
    assert_eq!(Resampler::new(8000, 48_000).unwrap().process(&square, &mut short), 100);
}

#[test]
fn other_rates_are_refused() {
    for (from, to) in [(8000, 8000), (44_100, 48_000), (8000, 0), (0, 8000), (8000, 32_000)] {
        assert!(Resampler::new(from, to).is_err(), "{from} {to}");
    }
}
