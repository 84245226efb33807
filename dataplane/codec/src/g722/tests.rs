use super::*;

#[test]
fn the_decoder_follows_the_encoder() {
    let angle = |n: usize, hertz: f32| n as f32 * hertz * std::f32::consts::TAU / 16_000.0;
    let sound = |n: usize| (angle(n, 440.0).sin() * 6000.0 + angle(n, 5200.0).sin() * 2000.0) as i16;
    let pcm: Vec<i16> = (0..16_000).map(sound).collect();
    let (mut payload, mut heard) = (vec![0; 8000], vec![0; 16_000]);
    assert_eq!(G722Encoder::new().encode(&pcm, &mut payload), Ok(8000));
    assert_eq!(G722Decoder::new().decode(&payload, &mut heard), Ok(16_000));
    // Both filters together delay by 22 samples (G.722 section 1.4.1: about 3 ms with the codec).
    let error = |lag: usize| -> f64 {
        let pairs = heard[4000 + lag..].iter().zip(&pcm[4000..]);
        pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>() / 12_000.0
    };
    let power = pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / 16_000.0;
    let noise = error(22);
    assert!((0..40).all(|lag| error(lag) >= noise), "another delay");
    assert!(power / noise > 100.0, "signal to noise {}", power / noise);
}

#[test]
fn silence_stays_silent_and_full_scale_does_not_overflow() {
    let (mut payload, mut heard) = ([0; 160], [0; 320]);
    let (mut encoder, mut decoder) = (G722Encoder::new(), G722Decoder::new());
    for _ in 0..20 {
        assert_eq!(encoder.encode(&[0; 320], &mut payload), Ok(160));
        assert_eq!(decoder.decode(&payload, &mut heard), Ok(320));
    }
    assert!(heard.iter().all(|sample| sample.abs() <= 4), "{:?}", heard.iter().max());
    for period in [2, 3, 8, 100] {
        let square: Vec<i16> =
            (0..320).map(|n| if n / period % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        for _ in 0..20 {
            assert_eq!(encoder.encode(&square, &mut payload), Ok(160));
            assert_eq!(decoder.decode(&payload, &mut heard), Ok(320));
        }
    }
}

#[test]
fn wrong_lengths_are_refused() {
    assert_eq!(G722Encoder::new().encode(&[0; 321], &mut [0; 200]), Err(CodecError::FrameLength));
    assert_eq!(G722Encoder::new().encode(&[0; 320], &mut [0; 159]), Err(CodecError::FrameLength));
    assert_eq!(G722Decoder::new().decode(&[0; 160], &mut [0; 319]), Err(CodecError::FrameLength));
    assert_eq!(G722Decoder::new().decode(&[], &mut [0; 320]), Err(CodecError::Malformed));
}
