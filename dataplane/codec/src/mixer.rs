//! Mixes the speech of many: each hears all but itself.
//!
//! A tick at a time: [`Mixer::input`] for each who has something to say, then [`Mixer::mix`], then [`Mixer::output`] for
//! each. Whoever begins or ceases to be heard, for whatever reason, swells or fades within 5 ms.

/// The time in which someone swells or fades, in parts of a second.
const RAMPS_PER_SECOND: u32 = 200;
/// How much louder someone must be than one who is heard, to be heard in the other's place: 3 dB, in power.
const LOUDER: f32 = 2.0;
/// How long someone is heard at least before another takes the place, in parts of a second: 0.2 s.
const TURNS_PER_SECOND: u32 = 5;
/// How fast a level falls when speech ends, in power per second: 20 dB. It rises at once.
const FALL_PER_SECOND: f32 = 0.01;
/// The power below which nobody speaks: -60 dB of full scale.
const SILENCE: f32 = 32_768.0 * 32_768.0 * 1e-6;

/// A mixer with a fixed number of places. Its memory is taken when it is made.
pub struct Mixer {
    places: Box<[Place]>,
    /// Everyone who is heard, together.
    sum: Box<[i32]>,
    /// What is still to be heard of those who left.
    tail: Box<[i16]>,
    ramp: u32,
    /// How many are heard at most.
    loudest: usize,
    /// Ticks that a turn lasts at least.
    turn: u32,
    /// What is left of a level after a tick of silence.
    fall: f32,
}

struct Place {
    taken: bool,
    muted: bool,
    /// Whether there was any input for this tick.
    spoke: bool,
    /// What was said: after [`Mixer::mix`], as it is heard.
    pcm: Box<[i16]>,
    said: Ramp,
    hears: Ramp,
    /// The power of the speech, as of now and fading.
    level: f32,
    /// Whether it is among the loudest, and for how many ticks it has been.
    selected: Option<u32>,
}

impl Mixer {
    /// A mixer of `places` at `rate`, in Hz, with `frame` samples a tick. At most `loudest` are heard at a time; 0: all.
    pub fn new(rate: u32, frame: usize, places: usize, loudest: usize) -> Mixer {
        let ramp = (rate / RAMPS_PER_SECOND).max(1);
        let place = || Place {
            taken: false,
            muted: false,
            spoke: false,
            pcm: vec![0; frame].into(),
            said: Ramp::silent(ramp),
            hears: Ramp::silent(ramp),
            level: 0.0,
            selected: None,
        };
        let ticks_per_second = rate as f32 / frame.max(1) as f32;
        Mixer {
            places: (0..places).map(|_| place()).collect(),
            sum: vec![0; frame].into(),
            tail: vec![0; frame].into(),
            ramp,
            loudest: if loudest == 0 { places } else { loudest },
            turn: (ticks_per_second / TURNS_PER_SECOND as f32) as u32,
            fall: FALL_PER_SECOND.powf(1.0 / ticks_per_second),
        }
    }

    /// Takes a free place; `None` if there is none.
    pub fn join(&mut self) -> Option<usize> {
        let free = self.places.iter().position(|place| !place.taken)?;
        let place = self.places.get_mut(free)?;
        place.taken = true;
        place.muted = false;
        place.spoke = false;
        place.said = Ramp::silent(self.ramp);
        place.hears = Ramp::silent(self.ramp);
        place.level = 0.0;
        place.selected = None;
        Some(free)
    }

    /// Frees a place. What was heard last of it fades in the next tick.
    pub fn leave(&mut self, place: usize) {
        let Some(place) = self.places.get_mut(place).filter(|place| place.taken) else { return };
        place.taken = false;
        place.selected = None;
        // Nothing more will come to fade: the last samples, backwards, continue what was heard without a step.
        place.pcm.reverse();
        Ramp { now: self.ramp, rising: false, len: self.ramp }.apply(&mut place.pcm);
        for (sum, sample) in self.tail.iter_mut().zip(&place.pcm) {
            *sum = sum.saturating_add(*sample);
        }
        place.pcm.fill(0);
    }

    /// Whether a place is not heard, whatever it says.
    pub fn mute(&mut self, place: usize, muted: bool) {
        if let Some(place) = self.places.get_mut(place) {
            place.muted = muted;
        }
    }

    /// Where a place puts what it says in this tick; a place that does not is silent. Empty if there is no such place.
    pub fn input(&mut self, place: usize) -> &mut [i16] {
        let Some(place) = self.places.get_mut(place).filter(|place| place.taken) else { return &mut [] };
        place.spoke = true;
        &mut place.pcm
    }

    /// Mixes a tick of what was put in.
    pub fn mix(&mut self) {
        for place in self.places.iter_mut().filter(|place| place.taken) {
            if !std::mem::take(&mut place.spoke) {
                place.pcm.fill(0);
            }
            place.level = power(&place.pcm).max(place.level * self.fall);
        }
        self.select();
        for (sum, sample) in self.sum.iter_mut().zip(&mut self.tail) {
            *sum = i32::from(std::mem::take(sample));
        }
        for place in self.places.iter_mut().filter(|place| place.taken) {
            place.said.rising = !place.muted && place.selected.is_some();
            if place.said.is_silent() {
                place.pcm.fill(0);
                continue;
            }
            place.said.apply(&mut place.pcm);
            for (sum, sample) in self.sum.iter_mut().zip(&place.pcm) {
                *sum += i32::from(*sample);
            }
        }
    }

    /// What a place hears of the tick that was mixed: all but itself. `pcm` must hold a tick.
    pub fn output(&mut self, place: usize, pcm: &mut [i16]) {
        let Some(place) = self.places.get_mut(place).filter(|place| place.taken) else { return pcm.fill(0) };
        for ((to, sum), own) in pcm.iter_mut().zip(&self.sum).zip(&place.pcm) {
            *to = (sum - i32::from(*own)).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
        place.hears.rising = true;
        place.hears.apply(pcm);
    }

    /// How loud a place is, in dB of full scale (RMS): what it said last, falling by 20 dB a second.
    pub fn level_db(&self, place: usize) -> f32 {
        let level = self.places.get(place).map_or(0.0, |place| place.level);
        10.0 * (level.max(1.0) / (32_768.0 * 32_768.0)).log10()
    }

    /// Whether a place is heard now.
    pub fn is_heard(&self, place: usize) -> bool {
        self.places.get(place).is_some_and(|place| place.selected.is_some() && !place.muted)
    }

    /// Chooses the loudest. Silent ones keep their place until another wants it, so that the ends of words are heard.
    fn select(&mut self) {
        for place in &mut self.places {
            place.selected =
                place.selected.filter(|_| place.taken && !place.muted).map(|ticks| ticks.saturating_add(1));
        }
        let mut free = self.loudest.saturating_sub(self.selected().count());
        loop {
            let wants = |place: &&mut Place| place.taken && !place.muted && place.selected.is_none();
            let louder = |one: &&mut Place, other: &&mut Place| one.level.total_cmp(&other.level);
            // Without a limit nobody has to be loud.
            let least = if self.loudest >= self.places.len() { 0.0 } else { SILENCE };
            let Some(new) =
                self.places.iter_mut().filter(wants).max_by(louder).filter(|place| place.level >= least)
            else {
                return;
            };
            let level = new.level;
            if free > 0 {
                new.selected = Some(0);
                free -= 1;
                continue;
            }
            let turn = self.turn;
            let old =
                self.places.iter_mut().filter(|place| place.selected.is_some_and(|ticks| ticks >= turn));
            let Some(old) = old.min_by(louder).filter(|old| level > old.level * LOUDER) else { return };
            old.selected = None;
            free += 1;
        }
    }

    fn selected(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(|place| place.selected.is_some())
    }
}

/// The mean square of the samples.
fn power(pcm: &[i16]) -> f32 {
    let sum: f32 = pcm.iter().map(|&sample| f32::from(sample) * f32::from(sample)).sum();
    sum / pcm.len().max(1) as f32
}

/// A gain that goes from nothing to one and back, a sample at a time.
#[derive(Clone, Copy, Debug)]
struct Ramp {
    now: u32,
    len: u32,
    rising: bool,
}

impl Ramp {
    fn silent(len: u32) -> Ramp {
        Ramp { now: 0, len, rising: false }
    }

    fn is_silent(&self) -> bool {
        self.now == 0 && !self.rising
    }

    fn apply(&mut self, pcm: &mut [i16]) {
        let mut samples = pcm.iter_mut();
        let target = if self.rising { self.len } else { 0 };
        while self.now != target {
            let Some(sample) = samples.next() else { return };
            self.now = if self.rising { self.now + 1 } else { self.now - 1 };
            *sample = (i64::from(*sample) * i64::from(self.now) / i64::from(self.len)) as i16;
        }
        if !self.rising {
            samples.for_each(|sample| *sample = 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 8000;
    const FRAME: usize = 160;

    /// Ticks with tones: who says what frequency at what amplitude, and what each hears.
    struct Room {
        mixer: Mixer,
        tick: usize,
        heard: Vec<Vec<i16>>,
    }

    impl Room {
        fn new(places: usize, loudest: usize) -> Room {
            let mut mixer = Mixer::new(RATE, FRAME, places, loudest);
            (0..places).for_each(|place| assert_eq!(mixer.join(), Some(place)));
            Room { mixer, tick: 0, heard: vec![Vec::new(); places] }
        }

        /// `say(place)` is the frequency and the amplitude.
        fn run(&mut self, ticks: usize, say: impl Fn(usize) -> (f64, f64)) {
            for _ in 0..ticks {
                for place in 0..self.heard.len() {
                    let (hertz, amplitude) = say(place);
                    let start = self.tick * FRAME;
                    for (n, sample) in self.mixer.input(place).iter_mut().enumerate() {
                        let turns = hertz * (start + n) as f64 / f64::from(RATE);
                        *sample = (amplitude * (std::f64::consts::TAU * turns).sin()) as i16;
                    }
                }
                self.mixer.mix();
                for (place, heard) in self.heard.iter_mut().enumerate() {
                    let mut pcm = [0; FRAME];
                    self.mixer.output(place, &mut pcm);
                    heard.extend_from_slice(&pcm);
                }
                self.tick += 1;
            }
        }

        /// The amplitude of a frequency in what a place heard in the last so many ticks.
        fn amplitude(&self, place: usize, hertz: f64, ticks: usize) -> f64 {
            let pcm = &self.heard[place];
            let pcm = &pcm[pcm.len() - ticks * FRAME..];
            let (mut sine, mut cosine) = (0.0, 0.0);
            for (n, sample) in pcm.iter().enumerate() {
                let angle = std::f64::consts::TAU * hertz * n as f64 / f64::from(RATE);
                sine += f64::from(*sample) * angle.sin();
                cosine += f64::from(*sample) * angle.cos();
            }
            2.0 * f64::hypot(sine, cosine) / pcm.len() as f64
        }
    }

    /// The largest step from one sample to the next beyond what a tone makes by itself.
    fn largest_step(pcm: &[i16]) -> i32 {
        pcm.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn each_hears_all_but_itself() {
        let hertz = |place: usize| 300.0 + 200.0 * place as f64;
        let mut room = Room::new(4, 0);
        room.run(50, |place| (hertz(place), 4000.0));
        for listener in 0..4 {
            for speaker in 0..4 {
                let amplitude = room.amplitude(listener, hertz(speaker), 40);
                let expected = if listener == speaker { 0.0 } else { 4000.0 };
                assert!((amplitude - expected).abs() < 5.0, "{listener} hears {speaker} at {amplitude}");
            }
        }
    }

    #[test]
    fn a_sum_that_is_too_loud_is_clipped_not_wrapped() {
        let mut room = Room::new(5, 0);
        room.run(10, |_| (400.0, 20_000.0));
        let heard = &room.heard[0][FRAME..];
        assert!(heard.contains(&i16::MAX) && heard.contains(&i16::MIN));
        assert!(heard.windows(2).all(|pair| pair[0] < 20_000 || pair[1] > -20_000));
    }

    #[test]
    fn the_loudest_are_heard_and_the_turn_goes_to_who_is_clearly_louder() {
        let hertz = |place: usize| 300.0 + 200.0 * place as f64;
        let mut room = Room::new(5, 2);
        room.run(50, |place| (hertz(place), [100.0, 8000.0, 0.0, 6000.0, 1000.0][place]));
        let heard = |room: &Room| (0..5).filter(|&place| room.mixer.is_heard(place)).collect::<Vec<_>>();
        assert_eq!(heard(&room), [1, 3]);
        assert!(room.amplitude(0, hertz(4), 20) < 5.0 && room.amplitude(0, hertz(1), 20) > 7900.0);
        // As loud as those who are heard: they keep their turn.
        room.run(50, |place| (hertz(place), [6500.0, 6000.0, 0.0, 6000.0, 1000.0][place]));
        assert_eq!(heard(&room), [1, 3]);
        // One falls silent: after its level has fallen, another one is heard.
        room.run(100, |place| (hertz(place), [6500.0, 6000.0, 0.0, 0.0, 1000.0][place]));
        assert_eq!(heard(&room), [0, 1]);
        // In silence nobody loses a turn.
        room.run(400, |_| (0.0, 0.0));
        assert_eq!(heard(&room), [0, 1]);
    }

    #[test]
    fn join_leave_and_mute_do_not_click() {
        // The tone alone makes steps of up to 10000 * 2 pi * 230 / 8000 = 1806. No tick ends where it crosses zero.
        const TONE: i32 = 1806;
        let speak = |place| if place == 0 { (230.0, 10_000.0) } else { (0.0, 0.0) };
        let mut room = Room::new(2, 0);
        room.run(3, speak);
        for muted in [true, false, true, false] {
            room.mixer.mute(0, muted);
            room.run(3, speak);
            assert_eq!(room.amplitude(1, 230.0, 1) < 1.0, muted);
        }
        room.mixer.leave(0);
        room.run(3, speak);
        assert!(room.amplitude(1, 230.0, 1) < 1.0);
        assert_eq!(room.mixer.join(), Some(0));
        room.run(3, speak);
        assert!(room.amplitude(1, 230.0, 1) > 9000.0);
        room.mixer.leave(0);
        room.run(3, speak);
        let step = largest_step(&room.heard[1]);
        // A ramp of 40 samples adds its own slope.
        assert!(step <= TONE + 10_000 / 40, "{step}");
    }

    #[test]
    fn whoever_says_nothing_is_silent_and_places_are_bounded() {
        let mut room = Room::new(2, 0);
        assert_eq!(room.mixer.join(), None);
        room.run(2, |_| (200.0, 5000.0));
        assert!(room.mixer.level_db(0) > -20.0);
        room.mixer.mix();
        let mut pcm = [1; FRAME];
        room.mixer.output(0, &mut pcm);
        assert_eq!(pcm, [0; FRAME]);
        assert!(room.mixer.input(7).is_empty());
        room.mixer.output(7, &mut pcm);
        assert_eq!(pcm, [0; FRAME]);
    }
}
