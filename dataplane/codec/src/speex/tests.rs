use super::*;

/// A voice-like sound: pulses at 125 Hz through a resonance.
fn voice(band: Band, length: usize) -> Vec<i16> {
    let period = band.sample_rate() as usize / 125;
    let (mut last, mut before) = (0.0f32, 0.0f32);
    let sample = |n: usize| {
        let value = 1.5 * last - 0.8 * before + if n.is_multiple_of(period) { 6000.0 } else { 0.0 };
        (before, last) = (last, value);
        value as i16
    };
    (0..length).map(sample).collect()
}

fn energy(pcm: &[i16]) -> f64 {
    pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len() as f64
}

/// The Speex manual, tables 9.2 and 10.2: quality 8 is 15 kbit/s, and 27.8 kbit/s wideband.
#[test]
fn packets_of_one_and_of_several_frames_pass_in_both_bands() {
    for (band, bits) in [(Band::Narrow, 300), (Band::Wide, 556)] {
        for frames in [1, 2, 3] {
            let mut encoder = SpeexEncoder::new(band, SpeexSettings::default()).unwrap();
            let mut decoder = SpeexDecoder::new(band).unwrap();
            let sound = voice(band, band.sample_rate() as usize);
            let samples = frames * encoder.frame_samples();
            let (mut payload, mut heard) = ([0; 400], Vec::new());
            for packet in sound.chunks_exact(samples) {
                let length = encoder.encode(packet, &mut payload).unwrap();
                assert_eq!(length, (frames * bits as usize).div_ceil(8));
                let mut pcm = vec![0; samples];
                assert_eq!(decoder.decode(&payload[..length], &mut pcm), Ok(samples));
                heard.extend(pcm);
            }
            let ratio = energy(&heard[2000..]) / energy(&sound[2000..]);
            assert!((0.3..3.0).contains(&ratio), "{band:?}, {frames} frames: {ratio}");
        }
    }
}

#[test]
fn the_last_byte_is_padded_with_a_zero_and_ones() {
    let mut encoder = SpeexEncoder::new(Band::Narrow, SpeexSettings::default()).unwrap();
    let mut payload = [0; 38];
    assert_eq!(encoder.encode(&[0; 160], &mut payload), Ok(38));
    // 300 bits and 4 of padding.
    assert_eq!(payload[37] & 15, 0b0111);
}

#[test]
fn every_quality_fits_the_largest_packet() {
    for quality in 0..=10 {
        let settings = SpeexSettings { quality, complexity: 1 };
        let mut encoder = SpeexEncoder::new(Band::Wide, settings).unwrap();
        let mut payload = [0; MAX_PAYLOAD];
        let length = encoder.encode(&voice(Band::Wide, MAX_FRAMES * 320), &mut payload).unwrap();
        let mut pcm = vec![0; MAX_FRAMES * 320];
        let mut decoder = SpeexDecoder::new(Band::Wide).unwrap();
        assert_eq!(decoder.decode(&payload[..length], &mut pcm), Ok(MAX_FRAMES * 320));
    }
}

#[test]
fn a_narrowband_decoder_takes_the_lower_half_of_wideband_frames() {
    let mut encoder = SpeexEncoder::new(Band::Wide, SpeexSettings::default()).unwrap();
    let mut decoder = SpeexDecoder::new(Band::Narrow).unwrap();
    let mut payload = [0; 400];
    let length = encoder.encode(&voice(Band::Wide, 640), &mut payload).unwrap();
    assert_eq!(decoder.decode(&payload[..length], &mut [0; 320]), Ok(320));
}

#[test]
fn a_lost_packet_goes_on_and_a_long_loss_fades() {
    for band in [Band::Narrow, Band::Wide] {
        let mut encoder = SpeexEncoder::new(band, SpeexSettings::default()).unwrap();
        let mut decoder = SpeexDecoder::new(band).unwrap();
        let (mut payload, mut pcm) = ([0; 100], vec![0; encoder.frame_samples()]);
        for packet in voice(band, 16_000).chunks_exact(encoder.frame_samples()) {
            let length = encoder.encode(packet, &mut payload).unwrap();
            decoder.decode(&payload[..length], &mut pcm).unwrap();
        }
        let before = energy(&pcm);
        // Not a whole number of frames.
        let mut lost = [0; 200];
        decoder.conceal(&mut lost);
        assert!(energy(&lost) > before / 5.0, "{band:?}: {} after {before}", energy(&lost));
        let mut long = [0; 16_000];
        decoder.conceal(&mut long);
        assert!(energy(&long[15_000..]) < before / 100.0);
    }
}

#[test]
fn wrong_lengths_and_settings_are_refused() {
    let settings = |quality, complexity| SpeexSettings { quality, complexity };
    assert_eq!(SpeexEncoder::new(Band::Wide, settings(11, 2)).err(), Some(CodecError::Setting));
    assert_eq!(SpeexEncoder::new(Band::Wide, settings(8, 0)).err(), Some(CodecError::Setting));
    let mut encoder = SpeexEncoder::new(Band::Wide, SpeexSettings::default()).unwrap();
    for length in [0, 160, 321, (MAX_FRAMES + 1) * 320] {
        assert_eq!(encoder.encode(&vec![0; length], &mut [0; 1500]), Err(CodecError::FrameLength));
    }
    assert_eq!(encoder.encode(&[0; 320], &mut [0; 69]), Err(CodecError::FrameLength));
    let mut decoder = SpeexDecoder::new(Band::Wide).unwrap();
    let mut payload = [0; 70];
    assert_eq!(encoder.encode(&[0; 320], &mut payload), Ok(70));
    assert_eq!(decoder.decode(&payload, &mut [0; 319]), Err(CodecError::FrameLength));
    assert_eq!(decoder.decode(&payload[..40], &mut [0; 320]), Err(CodecError::Malformed));
    assert_eq!(decoder.decode(&[0xFF; 1501], &mut [0; 960]), Err(CodecError::Malformed));
}
