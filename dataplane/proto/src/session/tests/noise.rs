//! Silence suppression: comfort noise passed on, made, and described where the sender's codec only announces a pause.

use super::*;
use tandem_codec::comfort_noise::ComfortNoise;
use tandem_codec::g711::ulaw_expand;
use tandem_codec::opus::{OpusEncoder, OpusSettings};
use tandem_codec::{Decoder, Encoder};

const NOISE: (u8, Codec, u32) = (13, Codec::ComfortNoise, 8000);

/// The level of what PCMU packets hold, in dBov.
fn level(packets: &[(Header, Vec<u8>)]) -> f32 {
    let samples =
        || packets.iter().flat_map(|(_, payload)| payload).map(|&code| f32::from(ulaw_expand(code)));
    10.0 * (samples().map(|sample| sample * sample).sum::<f32>()
        / samples().count() as f32
        / 32_768f32.powi(2))
    .log10()
}

/// A browser that says something for half a second and then is silent with DTX, in quiet noise, for a second and a half.
fn pausing_browser(fixture: &mut Fixture) {
    let settings = OpusSettings { dtx: true, bitrate: 16_000, ..OpusSettings::default() };
    let mut encoder = OpusEncoder::new(48_000, settings).unwrap();
    let mut random = fastrand::Rng::with_seed(9);
    let mut sequence = 0;
    for number in 0..100u32 {
        let loud = if number < 25 { 8000 } else { 60 };
        let pcm: Vec<i16> = (0..960).map(|_| random.i16(-loud..=loud)).collect();
        let mut payload = [0; 400];
        let len = encoder.encode(&pcm, &mut payload).unwrap();
        fixture.run(20);
        if len > 0 {
            sequence += 1;
            let packet = speech(sequence, number * 960, OPUS.0, 7, &payload[..len]);
            assert_eq!(fixture.receive(Side::A, &packet), Ok(None));
        }
    }
    assert!(sequence < 70, "DTX left out packets: {sequence} sent");
}

#[test]
fn a_pause_is_filled_for_a_peer_without_comfort_noise() {
    let mut fixture = Fixture::between(&leg(Side::A, &[OPUS]), &leg(Side::B, &[PCMU]));
    pausing_browser(&mut fixture);
    let packets = fixture.sent.rtp();
    assert!((97..=101).contains(&packets.len()), "{}", packets.len());
    for pair in packets.windows(2) {
        assert_eq!(pair[1].0.sequence, pair[0].0.sequence.wrapping_add(1));
        assert_eq!(pair[1].0.timestamp, pair[0].0.timestamp.wrapping_add(160));
    }
    let (noise, said) = (level(&packets[60..95]), level(&packets[5..20]));
    // Within 4 kHz there are a sixth of -59.5 dBov.
    assert!((-73.0..-62.0).contains(&noise), "{noise} dBov after {said}");
}

#[test]
fn a_pause_is_told_to_a_peer_with_comfort_noise() {
    let mut fixture = Fixture::between(&leg(Side::A, &[OPUS]), &leg(Side::B, &[PCMU, NOISE]));
    pausing_browser(&mut fixture);
    let packets = fixture.sent.rtp();
    let told: Vec<_> = packets.iter().filter(|(header, _)| header.payload_type == NOISE.0).collect();
    assert!((1..=6).contains(&told.len()), "{}", told.len());
    assert!(packets.len() < 75, "nothing else fills the pause: {}", packets.len());
    for (_, payload) in told {
        assert!((62..=73).contains(&payload[0]), "{payload:?}");
    }
    // RFC 3551 section 4.1: the first packet after silence is marked.
    for pair in packets.windows(2).filter(|pair| pair[0].0.payload_type == NOISE.0) {
        assert!(pair[1].0.marker);
    }
}

#[test]
fn comfort_noise_is_passed_on_or_made() {
    for types in [&[PCMA, NOISE][..], &[PCMA]] {
        let mut fixture = Fixture::between(&leg(Side::A, &[PCMU, NOISE]), &leg(Side::B, types));
        let mut pcm = [0; 160];
        for number in 0..10u16 {
            fixture.run(20);
            let packet = speech(number, u32::from(number) * 160, 0, 7, &[0x20; 160]);
            assert_eq!(fixture.receive(Side::A, &packet), Ok(None));
        }
        fixture.run(20);
        assert_eq!(fixture.receive(Side::A, &speech(10, 1600, NOISE.0, 7, &[50, 100])), Ok(None));
        fixture.run(1000);
        let packets = fixture.sent.rtp();
        if types.len() == 2 {
            assert_eq!(packets.len(), 11);
            assert_eq!((packets[10].0.payload_type, &packets[10].1[..]), (NOISE.0, &[50, 100][..]));
            continue;
        }
        assert!((58..=62).contains(&packets.len()), "{}", packets.len());
        let mut decoder = tandem_codec::g711::G711Decoder::new(tandem_codec::g711::Law::A);
        let mut energy = 0.0;
        for (_, payload) in &packets[30..50] {
            decoder.decode(payload, &mut pcm).unwrap();
            energy += pcm.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>() / 160.0 / 20.0;
        }
        let mut told = ComfortNoise::default();
        told.update(&[50]).unwrap();
        let mut wanted = [0; 8000];
        told.fill(&mut wanted);
        let wanted = wanted[4000..].iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>() / 4000.0;
        assert!((0.5..2.0).contains(&(energy / wanted)), "{energy} {wanted}");
    }
}
