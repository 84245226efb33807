use super::*;

fn tone(frequency: f32, rate: u32, length: usize) -> Vec<i16> {
    let angle = |n: usize| n as f32 * frequency * std::f32::consts::TAU / rate as f32;
    (0..length).map(|n| (angle(n).sin() * 8000.0) as i16).collect()
}

/// The share of the energy of `pcm` at `frequency` (a Goertzel sum), 0 to 1.
fn share(pcm: &[i16], frequency: f32, rate: u32) -> f32 {
    let (mut cosine, mut sine, mut energy) = (0.0, 0.0, 0.0);
    for (n, sample) in pcm.iter().enumerate() {
        let angle = n as f32 * frequency * std::f32::consts::TAU / rate as f32;
        cosine += f32::from(*sample) * angle.cos();
        sine += f32::from(*sample) * angle.sin();
        energy += f32::from(*sample).powi(2);
    }
    2.0 * (cosine * cosine + sine * sine) / (pcm.len() as f32 * energy)
}

#[test]
fn the_fast_library_is_linked() {
    assert!(library_is_current(), "{}", audiopus::version());
}

#[test]
fn a_tone_passes_at_8_khz_and_loss_is_concealed() {
    let mut encoder = OpusEncoder::new(8000, OpusSettings::default()).unwrap();
    let mut decoder = OpusDecoder::new(8000).unwrap();
    let mut heard = Vec::new();
    for frame in tone(1000.0, 8000, 16_000).chunks(160) {
        let mut payload = [0; 400];
        let length = encoder.encode(frame, &mut payload).unwrap();
        let mut pcm = [0; 160];
        if heard.len() == 8000 {
            decoder.conceal(&mut pcm);
        } else {
            assert_eq!(decoder.decode(&payload[..length], &mut pcm), Ok(160));
        }
        heard.extend_from_slice(&pcm);
    }
    assert!(share(&heard[1600..7200], 1000.0, 8000) > 0.95);
    assert!(heard[8000..8160].iter().any(|sample| sample.abs() > 2000), "the lost frame is not silent");
}

/// Hiss whose loudness rises and falls, so that each frame differs from the last.
fn hiss(length: usize) -> Vec<i16> {
    let mut seed = 1u32;
    let sample = |n: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from((seed >> 16) as i16) / 4.0 * (1.0 + (n as f64 / 500.0).sin())) as i16
    };
    (0..length).map(sample).collect()
}

#[test]
fn in_band_fec_brings_back_what_was_lost() {
    let settings = OpusSettings { inband_fec: true, expected_loss: 20, ..OpusSettings::default() };
    let mut encoder = OpusEncoder::new(8000, settings).unwrap();
    let [mut whole, mut lossy] = [(); 2].map(|()| OpusDecoder::new(8000).unwrap());
    let mut recovered = 0;
    let (mut lost, mut payload) = (None::<[i16; 160]>, [0; 400]);
    for (number, frame) in hiss(16_000).chunks(160).enumerate() {
        let length = encoder.encode(frame, &mut payload).unwrap();
        let mut pcm = [0; 160];
        whole.decode(&payload[..length], &mut pcm).unwrap();
        if let Some(wanted) = lost.take() {
            let mut got = [0; 160];
            assert!(lossy.recover(&payload[..length], &mut got), "packet {number}");
            let energy = |pcm: &[i16]| pcm.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            let ratio = energy(&got) / energy(&wanted);
            recovered += usize::from((0.25..4.0).contains(&ratio));
        }
        if number % 10 == 9 {
            lost = Some(pcm);
        } else {
            lossy.decode(&payload[..length], &mut [0; 160]).unwrap();
        }
    }
    assert_eq!(recovered, 9);
}

#[test]
fn what_carries_no_copy_recovers_nothing() {
    let mut encoder = OpusEncoder::new(8000, OpusSettings::default()).unwrap();
    let mut decoder = OpusDecoder::new(8000).unwrap();
    let mut payload = [0; 400];
    for frame in hiss(1600).chunks(160) {
        let length = encoder.encode(frame, &mut payload).unwrap();
        let mut untouched = [7; 160];
        assert!(!decoder.recover(&payload[..length], &mut untouched));
        assert_eq!(untouched, [7; 160]);
    }
    assert!(!decoder.recover(&[], &mut [0; 160]));
}

#[test]
fn in_silence_dtx_sends_two_packets_in_twenty_and_says_what_follows() {
    let mut encoder =
        OpusEncoder::new(16_000, OpusSettings { dtx: true, ..OpusSettings::default() }).unwrap();
    let mut payload = [0; 400];
    let mut lengths = |pcm: &[i16]| -> Vec<usize> {
        pcm.chunks(320).map(|frame| encoder.encode(frame, &mut payload).unwrap()).collect()
    };
    assert!(!lengths(&hiss(32_000)).contains(&0));
    let silent = lengths(&[0; 64_000]);
    let sent: Vec<usize> = silent[40..].iter().copied().filter(|length| *length > 0).collect();
    assert!((14..=18).contains(&sent.len()), "{silent:?}");
    assert!(sent.windows(2).all(|pair| (pair[0] <= 2) != (pair[1] <= 2)), "{sent:?}");
    let decoder = OpusDecoder::new(16_000).unwrap();
    assert!(decoder.announces_silence(&[0x48]) && !decoder.announces_silence(&[0x48; 3]));
}

#[test]
fn nothing_above_the_playback_rate_is_encoded() {
    for (max_playback_rate, heard) in [(48_000, 0.5..1.0), (8000, 0.0..0.05)] {
        let settings = OpusSettings { max_playback_rate, bitrate: 32_000, ..OpusSettings::default() };
        let mut encoder = OpusEncoder::new(16_000, settings).unwrap();
        let mut decoder = OpusDecoder::new(16_000).unwrap();
        let (mut payload, mut pcm) = ([0; 400], Vec::new());
        let both = tone(1000.0, 16_000, 32_000).into_iter().zip(tone(6000.0, 16_000, 32_000));
        for frame in both.map(|(low, high)| low / 8 + high).collect::<Vec<_>>().chunks(320) {
            let length = encoder.encode(frame, &mut payload).unwrap();
            let mut room = [0; 320];
            decoder.decode(&payload[..length], &mut room).unwrap();
            pcm.extend(room);
        }
        let high = share(&pcm[16_000..], 6000.0, 16_000);
        assert!(heard.contains(&high), "{max_playback_rate}: {high}");
    }
}

/// RFC 6716 section 2.1.4.
#[test]
fn packets_are_as_long_as_a_frame_of_opus() {
    let encoder = OpusEncoder::new(8000, OpusSettings::default()).unwrap();
    let lengths = [0, 20, 79, 80, 160, 240, 320, 400, 480, 960].map(|wanted| encoder.packet_samples(wanted));
    assert_eq!(lengths, [20, 20, 40, 80, 160, 160, 320, 320, 480, 480]);
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |settings| OpusEncoder::new(8000, settings).err();
    let settings = OpusSettings::default();
    assert_eq!(refused(OpusSettings { complexity: 11, ..settings }), Some(CodecError::Setting));
    assert_eq!(refused(OpusSettings { expected_loss: 101, ..settings }), Some(CodecError::Setting));
    assert_eq!(refused(OpusSettings { bitrate: u32::MAX, ..settings }), Some(CodecError::Setting));
    assert_eq!(OpusDecoder::new(44_100).err(), Some(CodecError::Rate));
}

#[test]
fn odd_lengths_and_garbage_are_refused_or_silent() {
    let mut decoder = OpusDecoder::new(8000).unwrap();
    assert!(decoder.decode(&[], &mut [0; 960]).is_err());
    assert_eq!(decoder.decode(&[0xFF; 3], &mut [0; 960]), Err(CodecError::Malformed));
    let mut odd = [7; 27];
    decoder.conceal(&mut odd);
    assert_eq!(odd[20..], [0; 7]);
    let mut encoder = OpusEncoder::new(8000, OpusSettings::default()).unwrap();
    assert_eq!(encoder.encode(&[0; 161], &mut [0; 400]), Err(CodecError::FrameLength));
}
