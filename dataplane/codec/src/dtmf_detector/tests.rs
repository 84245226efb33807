use super::*;
use crate::tones::{Step, Tone};

/// A level in the middle of what Q.24 asks for.
const DBM0: f32 = -12.0;

fn step(event: u8, on_ms: u32) -> Step {
    Step { off_ms: 60, ..Step::digit(event, DBM0, on_ms).unwrap() }
}

/// The steps one after the other, behind some silence that is a bit different in each test.
fn sound(steps: &[Step]) -> Vec<i16> {
    let mut pcm = vec![0; 1017];
    for step in steps {
        let (mut tone, start) = (Tone::new(8000, step), pcm.len());
        pcm.resize(start + ((step.on_ms + step.off_ms) * 8) as usize, 0);
        tone.fill(&mut pcm[start..]);
    }
    pcm
}

/// A tone whose frequencies are off by these parts.
fn off(event: u8, by: f64, ms: u32) -> Vec<i16> {
    let hertz = Step::digit(event, DBM0, ms).unwrap().hertz;
    let sine =
        |hz: u16, n: u32| (std::f64::consts::TAU * f64::from(hz) * (1.0 + by) * f64::from(n) / 8000.0).sin();
    let tone = (0..ms * 8).map(|n| ((sine(hertz[0], n) + sine(hertz[1], n)) * 5000.0) as i16);
    let silence = [0; 1000];
    silence.into_iter().chain(tone).chain(silence).collect()
}

/// White noise of that amplitude (RMS) on top.
fn with_noise(mut pcm: Vec<i16>, rms: f64, seed: u64) -> Vec<i16> {
    let mut state = seed | 1;
    for sample in &mut pcm {
        let mut sum = 0.0;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (state >> 40) as f64 / f64::from(1 << 24);
        }
        *sample = sample.saturating_add(((sum - 6.0) * rms) as i16);
    }
    pcm
}

/// The digits that are heard in packets of 20 ms, with their ends.
fn digits(pcm: &[i16]) -> Vec<(u8, u64, u64)> {
    let mut detector = DtmfDetector::default();
    let (mut begun, mut ended) = (Vec::new(), Vec::new());
    let mut tell = |heard| match heard {
        Heard::Began { event, start } => begun.push((event, start)),
        Heard::Ended { event, start, end } => ended.push((event, start, end)),
    };
    for packet in pcm.chunks(160) {
        detector.process(packet, &mut tell);
    }
    detector.finish(&mut tell);
    assert_eq!(begun, ended.iter().map(|&(event, start, _)| (event, start)).collect::<Vec<_>>());
    ended
}

fn events(pcm: &[i16]) -> Vec<u8> {
    digits(pcm).into_iter().map(|(event, ..)| event).collect()
}

#[test]
fn lost_samples_do_not_end_a_press_and_do_not_hide_its_end() {
    let heard = |pcm: &[i16], lost: usize| {
        let (mut detector, mut begun) = (DtmfDetector::default(), 0);
        for (n, packet) in pcm.chunks(160).enumerate() {
            if n == lost {
                detector.doubt(160);
            }
            let packet = if n == lost { &[0; 160] } else { packet };
            detector.process(packet, |heard| begun += usize::from(matches!(heard, Heard::Began { .. })));
        }
        begun
    };
    let held = sound(&[step(8, 300)]);
    // Packet 13 lies in the middle of the first press, packet 21 in the pause behind it.
    assert_eq!((heard(&held, usize::MAX), heard(&held, 13)), (1, 1));
    let twice = sound(&[step(8, 300), step(8, 300)]);
    assert_eq!((heard(&twice, 13), heard(&twice, 21), heard(&twice, 22)), (2, 2, 2));
}

#[test]
fn every_digit_is_heard_where_it_was_and_as_long() {
    for on_ms in [40, 50, 70, 100, 1000, 5000] {
        for event in 0..16 {
            for shift in [0, 7, 13, 22] {
                let pcm = sound(&[step(event, on_ms)]);
                let heard = digits(&pcm[shift..]);
                let [(heard_event, start, end)] = heard[..] else { panic!("{event}, {on_ms} ms: {heard:?}") };
                assert_eq!(heard_event, event);
                let begins = 1017 - shift as u64;
                assert!(start.abs_diff(begins) <= 16, "{event}, {on_ms} ms: from {start}, not {begins}");
                let ends = begins + u64::from(on_ms) * 8;
                assert!(end.abs_diff(ends) <= 16, "{event}, {on_ms} ms: to {end}, not {ends}");
            }
        }
    }
}

#[test]
fn digits_in_quick_succession_are_apart_and_interrupted_ones_together() {
    let quick: Vec<_> =
        (0..16).chain([5, 5, 5]).map(|event| Step { off_ms: 40, ..step(event, 40) }).collect();
    assert_eq!(events(&sound(&quick)), (0..16).chain([5, 5, 5]).collect::<Vec<_>>());
    let at_once: Vec<_> = (0..16).map(|event| Step { off_ms: 0, ..step(event, 60) }).collect();
    assert_eq!(events(&sound(&at_once)), (0..16).collect::<Vec<_>>());
    for event in 0..16 {
        let interrupted = [Step { off_ms: 10, ..step(event, 60) }, step(event, 60)];
        let heard = digits(&sound(&interrupted));
        assert_eq!(heard.len(), 1, "{event}: {heard:?}");
        assert!((heard[0].2 - heard[0].1).abs_diff(130 * 8) < 32);
    }
}

#[test]
fn tones_of_20_ms_are_no_digits() {
    for event in 0..16 {
        for on_ms in [5, 10, 20, 22] {
            for shift in [0, 5, 11, 19, 28] {
                assert_eq!(events(&sound(&[step(event, on_ms)])[shift..]), [], "{event}, {on_ms} ms");
            }
        }
    }
}

#[test]
fn twist_and_levels_are_taken_as_q24_says() {
    let tone = |event, low, high| sound(&[Step { dbm0: [low, high], ..step(event, 60) }]);
    for event in 0..16 {
        for (low, high) in [(-14.0, -10.0), (-10.0, -18.0), (-3.0, -3.0), (-27.0, -27.0), (-29.0, -25.0)] {
            assert_eq!(events(&tone(event, low, high)), [event], "{low} {high}");
        }
        for (low, high) in [(-18.0, -10.0), (-8.0, -18.0), (-45.0, -45.0), (-99.0, -10.0), (-10.0, -99.0)] {
            assert_eq!(events(&tone(event, low, high)), [], "{event}: {low} {high}");
        }
    }
}

#[test]
fn frequencies_may_be_off_by_1_5_percent_but_not_by_3_5() {
    for event in 0..16 {
        for by in [-0.015, -0.01, 0.01, 0.015] {
            assert_eq!(events(&off(event, by, 50)), [event], "{by}");
        }
        for by in [-0.05, -0.035, 0.035, 0.05] {
            assert_eq!(events(&off(event, by, 200)), [], "{event}: {by}");
        }
    }
}

#[test]
fn digits_are_heard_in_noise_and_none_in_noise_alone() {
    let rms = f64::from(22_827.0f32 * 10f32.powf(DBM0 / 20.0)) / 2f64.sqrt();
    for event in 0..16 {
        for seed in 0..20 {
            // 15 dB below the stronger tone: worse than any line that Q.24 is for.
            let noisy = with_noise(sound(&[step(event, 50)]), rms * 10f64.powf(-15.0 / 20.0), seed);
            assert_eq!(events(&noisy), [event], "seed {seed}");
        }
    }
    assert_eq!(events(&with_noise(vec![0; 8000 * 60], 3000.0, 99)), []);
}

#[test]
fn packets_of_any_length_give_the_same() {
    let pcm = sound(&[step(1, 40), step(11, 90), step(15, 300)]);
    let whole = digits(&pcm);
    for len in [1, 7, 33, 80, 240, 480, 4000] {
        let (mut detector, mut ended) = (DtmfDetector::default(), Vec::new());
        for packet in pcm.chunks(len) {
            detector.process(packet, |heard| {
                if let Heard::Ended { event, start, end } = heard {
                    ended.push((event, start, end));
                }
            });
        }
        assert_eq!(ended, whole, "{len}");
    }
}

#[test]
fn the_tone_is_taken_out() {
    for event in 0..16 {
        let pcm = sound(&[step(event, 200)]);
        let (mut detector, mut eraser) = (DtmfDetector::default(), ToneEraser::default());
        let mut heard = Vec::new();
        for packet in pcm.chunks(160) {
            let tone = detector.process(packet, |_| {});
            let mut packet = packet.to_vec();
            eraser.erase(&mut packet, tone);
            heard.extend(packet);
        }
        // What is left at its beginning is too short to be a digit for whoever listens behind us.
        let left: Vec<_> = heard.iter().enumerate().filter(|(_, sample)| sample.abs() > 500).collect();
        let length = left.last().map_or(0, |(n, _)| n + 1) - left.first().map_or(0, |(n, _)| *n);
        assert!(length <= 20 * 8, "{event}: {length}");
        assert_eq!(events(&heard), []);
    }
}

#[test]
fn speech_passes_the_eraser_untouched() {
    let mut pcm: Vec<i16> = (0..160).collect();
    let mut eraser = ToneEraser::default();
    eraser.erase(&mut pcm, 0..0);
    assert_eq!(pcm, (0..160).collect::<Vec<i16>>());
    eraser.erase(&mut pcm, 100..160);
    assert_eq!((pcm[91], pcm[99], pcm[100], pcm[159]), (91, 11, 0, 0));
    let mut next = [900; 160];
    eraser.erase(&mut next, 0..0);
    assert_eq!(next[..10], [100, 200, 300, 400, 500, 600, 700, 800, 900, 900]);
    eraser.erase(&mut next, 0..0);
    assert_eq!(next[0], 100, "it is untouched now");
}
