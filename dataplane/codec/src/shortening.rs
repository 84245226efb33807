//! Leaves out a moment of sound where something of its length repeats: nobody hears that it is gone.

/// The shortest and longest time that is left out, in parts of a second: 2.5 and 10 ms, a period of any voice.
const SHORTEST_PER_SECOND: usize = 400;
const LONGEST_PER_SECOND: usize = 100;
/// The time over which what was before and what comes after are blended: 5 ms.
const BLEND_PER_SECOND: usize = 200;

/// How many samples [`shorten`] looks at.
pub fn window(rate: u32) -> usize {
    let rate = rate as usize;
    rate / LONGEST_PER_SECOND + rate / BLEND_PER_SECOND
}

/// Leaves out 2.5 to 10 ms at the beginning of `pcm`: the time after which it is most like itself. Returns how many
/// samples are gone, so many being free at the end; none where `pcm` is shorter than [`window`].
pub fn shorten(pcm: &mut [i16], rate: u32) -> usize {
    if pcm.len() < window(rate) || rate == 0 {
        return 0;
    }
    let rate = rate as usize;
    let blend = rate / BLEND_PER_SECOND;
    let lags = rate / SHORTEST_PER_SECOND..=rate / LONGEST_PER_SECOND;
    let likeness = |lag: &usize| likeness(&pcm[..blend], &pcm[*lag..lag + blend]);
    let best = lags.map(|lag| (likeness(&lag), lag)).max_by(|one, other| one.0.total_cmp(&other.0));
    let Some((_, lag)) = best else { return 0 };
    for n in 0..blend {
        let (before, after) = (i32::from(pcm[n]), i32::from(pcm[lag + n]));
        let (weight, whole) = (n as i32 + 1, blend as i32 + 1);
        pcm[n] = ((before * (whole - weight) + after * weight) / whole) as i16;
    }
    pcm.copy_within(lag + blend.., blend);
    lag
}

/// The normalised correlation of two pieces of the same length.
fn likeness(one: &[i16], other: &[i16]) -> f32 {
    let (mut product, mut energy) = (0.0, 1.0);
    for (&a, &b) in one.iter().zip(other) {
        product += f32::from(a) * f32::from(b);
        energy += f32::from(b) * f32::from(b);
    }
    product / f32::sqrt(energy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f32, rate: u32, len: usize) -> Vec<i16> {
        let angle = |n: usize| n as f32 * hertz * std::f32::consts::TAU / rate as f32;
        (0..len).map(|n| (angle(n).sin() * 10_000.0) as i16).collect()
    }

    #[test]
    fn whole_periods_are_left_out_and_nothing_clicks() {
        for (rate, hertz) in [(8000, 125.0), (8000, 200.0), (16_000, 311.0), (48_000, 440.0), (8000, 1000.0)]
        {
            let original = tone(hertz, rate, rate as usize / 20);
            let mut pcm = original.clone();
            let gone = shorten(&mut pcm, rate);
            let rest = &pcm[..pcm.len() - gone];
            assert!((rate as usize / 400..=rate as usize / 100).contains(&gone), "{gone}");
            let step = |pcm: &[i16]| pcm.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max().unwrap_or(0);
            assert!(step(rest) <= step(&original) + 300, "{hertz} Hz: {}", step(rest));
            assert_eq!(rest[rest.len() - 50..], original[original.len() - 50..]);
        }
    }

    #[test]
    fn what_is_too_short_stays() {
        let mut pcm = tone(200.0, 8000, window(8000) - 1);
        let before = pcm.clone();
        assert_eq!(shorten(&mut pcm, 8000), 0);
        assert_eq!(pcm, before);
    }
}
