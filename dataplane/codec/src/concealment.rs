//! Concealment of lost packets for codecs that have none of their own: the last pitch period is repeated and fades
//! out (in the manner of ITU-T G.711 Appendix I, without its added delay).

/// The rate that the lengths below are in; other rates are multiples of it.
const BASE_RATE: u32 = 8000;
/// Samples of history: two of the longest pitch period.
const HISTORY: usize = 240;
/// The shortest and the longest pitch period looked for, in samples: 200 Hz and 66 Hz, as in Appendix I.
const PITCH: std::ops::RangeInclusive<usize> = 40..=120;
/// The window in which periods are compared: 8 ms. Appendix I compares 20 ms, by which 5 % of loss costs 0.08 more of
/// PESQ's points: what was spoken 20 ms ago says less about what comes than what was spoken just now.
const WINDOW: usize = 64;
/// Samples over which concealed and real speech are blended: 4 ms.
const BLEND: usize = 32;
/// Samples over which the step fades with which concealment begins: 1 ms.
const STEP_FADE: usize = 8;
/// Full amplitude is kept for 10 ms; then it falls to nothing within 50 ms.
const HOLD: usize = 80;
const FADE: usize = 400;
/// The share of a period at its end that is led over to its beginning, so that the repetitions join.
const SEAM: usize = 4;

const _: () = assert!(HISTORY >= WINDOW + *PITCH.end() && HISTORY >= 2 * *PITCH.end());

/// The state of one decoder's concealment.
pub(crate) struct Concealment {
    /// Samples for each one at 8 kHz.
    scale: usize,
    history: Box<[i16]>,
    /// The period that is repeated; its beginning is used.
    cycle: Box<[i16]>,
    period: usize,
    /// Samples concealed since the last good frame.
    concealed: usize,
    /// By how much the history ends above where the period begins.
    step: i32,
}

impl Concealment {
    /// For a sample rate that is a multiple of 8 kHz.
    pub(crate) fn new(sample_rate: u32) -> Concealment {
        let scale = (sample_rate / BASE_RATE) as usize;
        Concealment {
            scale,
            history: vec![0; HISTORY * scale].into(),
            cycle: vec![0; *PITCH.end() * scale].into(),
            period: *PITCH.end() * scale,
            concealed: 0,
            step: 0,
        }
    }

    /// Takes note of a decoded frame; after a loss its beginning is blended with the concealment.
    pub(crate) fn good_frame(&mut self, pcm: &mut [i16]) {
        if self.concealed > 0 {
            let blend = BLEND * self.scale;
            for (index, sample) in pcm.iter_mut().take(blend).enumerate() {
                let new_weight = index as i32 + 1;
                let old = i32::from(self.next_sample()) * (blend as i32 - new_weight);
                *sample = ((i32::from(*sample) * new_weight + old) / blend as i32) as i16;
            }
            self.concealed = 0;
        }
        self.remember(pcm);
    }

    /// Fills a lost frame.
    pub(crate) fn lost_frame(&mut self, pcm: &mut [i16]) {
        if self.concealed == 0 {
            self.choose_period();
        }
        pcm.fill_with(|| self.next_sample());
        if self.concealed >= (HOLD + FADE) * self.scale {
            self.history.fill(0);
        }
    }

    /// The next sample of the repeated period, faded by how long the loss has lasted.
    fn next_sample(&mut self) -> i16 {
        let (hold, fade, step_fade) = (HOLD * self.scale, FADE * self.scale, STEP_FADE * self.scale);
        let gain = (fade - self.concealed.saturating_sub(hold).min(fade)) as i32;
        let step = self.step * step_fade.saturating_sub(self.concealed + 1) as i32 / step_fade as i32;
        let sample = i32::from(self.cycle[self.concealed % self.period]) + step;
        self.concealed = self.concealed.saturating_add(1);
        (sample * gain / fade as i32).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
    }

    /// Only real speech is remembered: a loss repeats one period of it for as long as it lasts.
    fn remember(&mut self, pcm: &[i16]) {
        let length = self.history.len();
        let fresh = &pcm[pcm.len().saturating_sub(length)..];
        self.history.copy_within(fresh.len().., 0);
        self.history[length - fresh.len()..].copy_from_slice(fresh);
    }

    /// Copies the last period out of the history and makes its end lead to its beginning.
    fn choose_period(&mut self) {
        self.period = self.pitch();
        let start = self.history.len() - self.period;
        let seam = self.period / SEAM;
        let cycle = &mut self.cycle[..self.period];
        cycle.copy_from_slice(&self.history[start..]);
        // What came before the period stands where the period ends.
        let before = &self.history[start - seam..start];
        for (index, (sample, old)) in cycle[self.period - seam..].iter_mut().zip(before).enumerate() {
            let weight = index as i32 + 1;
            let kept = i32::from(*sample) * (seam as i32 - weight);
            *sample = ((i32::from(*old) * weight + kept) / seam as i32) as i16;
        }
        self.step = i32::from(self.history[self.history.len() - 1]) - i32::from(self.history[start - 1]);
    }

    /// The period by which the newest speech is most like what came before it: looked for at 8 kHz, then among the
    /// neighbours at the real rate.
    fn pitch(&self) -> usize {
        let scale = self.scale;
        let coarse = self.most_alike(PITCH.map(|period| period * scale), scale);
        let (shortest, longest) = (PITCH.start() * scale, PITCH.end() * scale);
        let neighbours = (coarse + 1 - scale).max(shortest)..=(coarse + scale - 1).min(longest);
        if scale == 1 { coarse } else { self.most_alike(neighbours, 1) }
    }

    /// The best of some periods by normalised cross-correlation, comparing every `stride`th sample.
    fn most_alike(&self, periods: impl Iterator<Item = usize>, stride: usize) -> usize {
        let start = self.history.len() - WINDOW * self.scale;
        let newest = &self.history[start..];
        let mut best = (*PITCH.end() * self.scale, 0.0f32);
        for period in periods {
            let earlier = &self.history[start - period..];
            let (mut product, mut energy) = (0i64, 1i64);
            for (a, b) in newest.iter().zip(earlier).step_by(stride) {
                product += i64::from(i32::from(*a) * i32::from(*b));
                energy += i64::from(i32::from(*b) * i32::from(*b));
            }
            let likeness = product as f32 / (energy as f32).sqrt();
            if likeness > best.1 {
                best = (period, likeness);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(from: usize, length: usize) -> Vec<i16> {
        let angle = |n: usize| (n as f32) * 100.0 * std::f32::consts::TAU / 8000.0;
        (from..from + length).map(|n| (angle(n).sin() * 10_000.0) as i16).collect()
    }

    fn concealment_after_a_tone() -> Concealment {
        let mut concealment = Concealment::new(8000);
        for frame in 0..5 {
            concealment.good_frame(&mut tone(frame * 160, 160));
        }
        concealment
    }

    #[test]
    fn a_lost_frame_of_a_periodic_sound_goes_on_in_phase() {
        let mut lost = [0; 80];
        concealment_after_a_tone().lost_frame(&mut lost);
        for (got, wanted) in lost.iter().zip(tone(800, 80)) {
            assert!((i32::from(*got) - i32::from(wanted)).abs() < 200, "{got} {wanted}");
        }
    }

    #[test]
    fn the_period_is_found_at_16_khz() {
        let wide = |from: usize| -> Vec<i16> {
            let angle = |n: usize| (n as f32) * 113.0 * std::f32::consts::TAU / 16_000.0;
            (from..from + 320).map(|n| (angle(n).sin() * 10_000.0) as i16).collect()
        };
        let mut concealment = Concealment::new(16_000);
        for frame in 0..5 {
            concealment.good_frame(&mut wide(frame * 320));
        }
        let mut lost = [0; 320];
        concealment.lost_frame(&mut lost);
        for (got, wanted) in lost.iter().zip(wide(1600)).take(160) {
            assert!((i32::from(*got) - i32::from(wanted)).abs() < 400, "{got} {wanted}");
        }
    }

    #[test]
    fn no_step_stands_where_the_loss_begins_or_the_period_repeats() {
        // A sound whose pitch and strength change: 90 Hz rising.
        let sound = |n: usize| {
            let time = n as f32 / 8000.0;
            ((90.0 + 60.0 * time) * time * std::f32::consts::TAU).sin() * 12_000.0 * time.min(1.0)
        };
        let mut concealment = Concealment::new(8000);
        let mut heard: Vec<i16> = (4000..4800).map(|n| sound(n) as i16).collect();
        concealment.good_frame(&mut heard);
        let mut lost = [0; 320];
        concealment.lost_frame(&mut lost);
        heard.extend(lost);
        let steps = |pcm: &[i16]| pcm.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
        let (real, concealed) = (steps(&heard[..800]).unwrap(), steps(&heard[799..]).unwrap());
        assert!(concealed <= real * 5 / 4, "{concealed} where speech has {real}");
    }

    #[test]
    fn a_long_loss_fades_to_silence() {
        let mut concealment = concealment_after_a_tone();
        let mut lost = [1; 160];
        for _ in 0..3 {
            concealment.lost_frame(&mut lost);
        }
        concealment.lost_frame(&mut lost);
        assert_eq!(lost, [0; 160]);
    }

    #[test]
    fn speech_comes_back_without_a_step() {
        let mut concealment = concealment_after_a_tone();
        concealment.lost_frame(&mut [0; 160]);
        let mut next = tone(960, 160);
        concealment.good_frame(&mut next);
        let largest_step = next.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
        assert!(largest_step < Some(1600), "{largest_step:?}");
        assert_eq!(next[BLEND..], tone(960, 160)[BLEND..]);
    }
}
