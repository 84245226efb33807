//! Concealment of lost packets for codecs that have none of their own: the last pitch period is repeated and fades
//! out (in the manner of ITU-T G.711 Appendix I, without its added delay).

/// Samples of history at 8 kHz: twice the longest pitch period and the window it is compared in.
const HISTORY: usize = 400;
/// The shortest and the longest pitch period looked for, in samples at 8 kHz: 200 Hz and 66 Hz, as in Appendix I.
const PITCH: std::ops::RangeInclusive<usize> = 40..=120;
/// The window in which periods are compared: 20 ms.
const WINDOW: usize = 160;
/// Samples over which concealed and real speech are blended: 4 ms.
const BLEND: usize = 32;
/// Full amplitude is kept for 10 ms; then it falls to nothing within 50 ms.
const HOLD: usize = 80;
const FADE: usize = 400;

const _: () = assert!(HISTORY >= WINDOW + *PITCH.end());

/// The state of one decoder's concealment, at 8 kHz.
pub(crate) struct Concealment {
    history: [i16; HISTORY],
    /// Samples concealed since the last good frame.
    concealed: usize,
    period: usize,
}

impl Concealment {
    pub(crate) fn new() -> Concealment {
        Concealment { history: [0; HISTORY], concealed: 0, period: *PITCH.end() }
    }

    /// Takes note of a decoded frame; after a loss its beginning is blended with the concealment.
    pub(crate) fn good_frame(&mut self, pcm: &mut [i16]) {
        if self.concealed > 0 {
            let mut tail = [0; BLEND];
            self.continue_speech(&mut tail);
            for (index, (sample, old)) in pcm.iter_mut().zip(tail).enumerate() {
                let new_weight = index as i32 + 1;
                let mixed = i32::from(*sample) * new_weight + i32::from(old) * (BLEND as i32 - new_weight);
                *sample = (mixed / BLEND as i32) as i16;
            }
            self.concealed = 0;
        }
        self.remember(pcm);
    }

    /// Fills a lost frame.
    pub(crate) fn lost_frame(&mut self, pcm: &mut [i16]) {
        if self.concealed == 0 {
            self.period = self.pitch();
        }
        self.continue_speech(pcm);
        if self.concealed >= HOLD + FADE {
            self.history = [0; HISTORY];
        }
    }

    /// Writes the next samples of the repeated period, faded by how long the loss has lasted.
    fn continue_speech(&mut self, pcm: &mut [i16]) {
        let last_period = HISTORY - self.period;
        for sample in pcm {
            let phase = self.concealed % self.period;
            let gone = self.concealed.saturating_sub(HOLD).min(FADE);
            let gain = (FADE - gone) as i32;
            *sample = (i32::from(self.history[last_period + phase]) * gain / FADE as i32) as i16;
            self.concealed += 1;
        }
    }

    /// Only real speech is remembered: the repeated period is read from the history for as long as a loss lasts.
    fn remember(&mut self, pcm: &[i16]) {
        let fresh = &pcm[pcm.len().saturating_sub(HISTORY)..];
        self.history.copy_within(fresh.len().., 0);
        self.history[HISTORY - fresh.len()..].copy_from_slice(fresh);
    }

    /// The period by which the newest speech is most like what came before it (normalised cross-correlation).
    fn pitch(&self) -> usize {
        let newest = &self.history[HISTORY - WINDOW..];
        let mut best = (*PITCH.end(), 0.0f32);
        for period in PITCH {
            let earlier = &self.history[HISTORY - WINDOW - period..HISTORY - period];
            let (mut product, mut energy) = (0i64, 1i64);
            for (a, b) in newest.iter().zip(earlier) {
                product += i64::from(*a) * i64::from(*b);
                energy += i64::from(*b) * i64::from(*b);
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
        let mut concealment = Concealment::new();
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
