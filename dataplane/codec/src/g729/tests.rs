use super::*;

/// A voice-like sound: pulses at 125 Hz through a resonance.
fn voice(length: usize) -> Vec<i16> {
    let (mut last, mut before) = (0.0f32, 0.0f32);
    let sample = |n: usize| {
        let value = 1.5 * last - 0.8 * before + if n.is_multiple_of(64) { 6000.0 } else { 0.0 };
        (before, last) = (last, value);
        value as i16
    };
    (0..length).map(sample).collect()
}

fn energy(pcm: &[i16]) -> f64 {
    pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len() as f64
}

#[test]
fn several_frames_pass_in_one_payload() {
    let (mut encoder, mut decoder) = (G729Encoder::new().unwrap(), G729Decoder::new().unwrap());
    let sound = voice(8000);
    let (mut payload, mut heard) = ([0; 30], Vec::new());
    for packet in sound.chunks_exact(240) {
        assert_eq!(encoder.encode(packet, &mut payload), Ok(30));
        let mut pcm = [0; 240];
        assert_eq!(decoder.decode(&payload, &mut pcm), Ok(240));
        heard.extend(pcm);
    }
    let ratio = energy(&heard[800..]) / energy(&sound[800..]);
    assert!((0.5..2.0).contains(&ratio), "{ratio}");
}

#[test]
fn a_lost_packet_goes_on_and_a_long_loss_fades() {
    let (mut encoder, mut decoder) = (G729Encoder::new().unwrap(), G729Decoder::new().unwrap());
    let (mut payload, mut pcm) = ([0; 20], [0; 160]);
    for packet in voice(8000).chunks_exact(160) {
        encoder.encode(packet, &mut payload).unwrap();
        decoder.decode(&payload, &mut pcm).unwrap();
    }
    let before = energy(&pcm);
    // Not a whole number of frames.
    let mut lost = [0; 100];
    decoder.conceal(&mut lost);
    assert!(energy(&lost) > before / 4.0, "{} after {before}", energy(&lost));
    let mut long = [0; 4000];
    decoder.conceal(&mut long);
    assert!(energy(&long[3200..]) < before / 100.0);
}

/// RFC 3551 section 4.5.6: a comfort noise frame may be the last one of a packet; it may also stand alone.
#[test]
fn comfort_noise_frames_are_accepted_and_go_on_without_packets() {
    let mut decoder = G729Decoder::new().unwrap();
    let mut encoder = G729Encoder::new().unwrap();
    let mut payload = [0; 12];
    encoder.encode(&[0; 80], &mut payload).unwrap();
    // Annex B, table B.2: the spectrum's indices (1 + 5 + 4 bits) and, last, the gain's 5 bits.
    payload[10..].copy_from_slice(&[0x12, 0x1C]);
    let mut pcm = [0; 160];
    assert!(decoder.announces_silence(&payload) && !decoder.announces_silence(&payload[..10]));
    assert_eq!(decoder.decode(&payload, &mut pcm), Ok(160));
    for _ in 0..10 {
        assert_eq!(decoder.decode(&payload[10..], &mut pcm), Ok(80));
    }
    let noise = energy(&pcm[..80]);
    assert!(noise > 10.0, "{noise}");
    for _ in 0..50 {
        decoder.conceal(&mut pcm);
    }
    assert!(energy(&pcm) > noise / 10.0, "{} after {noise}", energy(&pcm));
}

#[test]
fn wrong_lengths_are_refused() {
    let (mut encoder, mut decoder) = (G729Encoder::new().unwrap(), G729Decoder::new().unwrap());
    assert_eq!(encoder.encode(&[0; 81], &mut [0; 20]), Err(CodecError::FrameLength));
    assert_eq!(encoder.encode(&[], &mut [0; 20]), Err(CodecError::FrameLength));
    assert_eq!(encoder.encode(&[0; 160], &mut [0; 19]), Err(CodecError::FrameLength));
    for length in [0, 1, 3, 9, 11, 13] {
        assert_eq!(decoder.decode(&vec![0; length], &mut [0; 320]), Err(CodecError::Malformed));
    }
    assert_eq!(decoder.decode(&[0; 22], &mut [0; 239]), Err(CodecError::FrameLength));
}
