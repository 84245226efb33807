//! Whatever arrives in a payload, no decoder panics or writes where it should not: random bytes, and real payloads with
//! wrong bits, cut short or repeated, between losses.
#![expect(clippy::unwrap_used, reason = "a test; its helpers are no test functions")]

use proptest::prelude::*;
use tandem_codec::comfort_noise::ComfortNoise;
use tandem_codec::g711::{G711Decoder, G711Encoder, Law};
use tandem_codec::g722::{G722Decoder, G722Encoder};
use tandem_codec::g729::{G729Decoder, G729Encoder};
use tandem_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use tandem_codec::speex::{Band, SpeexDecoder, SpeexEncoder, SpeexSettings};
use tandem_codec::{CodecError, Decoder, Encoder};

const CODECS: usize = 8;
/// What surrounds the samples that a decoder may write.
const GUARD: i16 = 0x5A5A;
const GUARDS: usize = 64;

fn codec(index: usize) -> (Box<dyn Encoder>, Box<dyn Decoder>) {
    let fec = OpusSettings { inband_fec: true, expected_loss: 20, ..OpusSettings::default() };
    let speex = SpeexSettings::default();
    match index {
        0 => (Box::new(G711Encoder::new(Law::A)), Box::new(G711Decoder::new(Law::A))),
        1 => (Box::new(G722Encoder::new()), Box::new(G722Decoder::new())),
        2 => (Box::new(G729Encoder::new().unwrap()), Box::new(G729Decoder::new().unwrap())),
        3 | 4 => {
            let band = if index == 3 { Band::Narrow } else { Band::Wide };
            (Box::new(SpeexEncoder::new(band, speex).unwrap()), Box::new(SpeexDecoder::new(band).unwrap()))
        }
        _ => {
            let rate = [8000, 16_000, 48_000][index - 5];
            (Box::new(OpusEncoder::new(rate, fec).unwrap()), Box::new(OpusDecoder::new(rate).unwrap()))
        }
    }
}

/// One thing that happens to a decoder.
#[derive(Clone, Debug)]
enum Step {
    Random(Vec<u8>),
    /// A real payload, of which some bits are flipped and of which so many bytes arrive.
    Wrong(Vec<usize>, usize),
    Lost(usize),
    Recover(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Step::Random),
        (prop::collection::vec(0usize..3000, 0..4), 0usize..400)
            .prop_map(|(bits, length)| Step::Wrong(bits, length)),
        (prop::collection::vec(0usize..3000, 1..4), Just(usize::MAX))
            .prop_map(|(bits, length)| Step::Wrong(bits, length)),
        (0usize..1000).prop_map(Step::Lost),
        (0usize..1000).prop_map(Step::Recover),
    ]
}

/// The real payload in hand, as it arrives.
fn damaged(payload: &[u8], bits: &[usize], length: usize) -> Vec<u8> {
    let mut payload = payload.to_vec();
    for bit in bits {
        let bit = bit % (payload.len() * 8);
        payload[bit / 8] ^= 1 << (bit % 8);
    }
    payload.truncate(length);
    payload
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_payload_panics_or_overruns(
        index in 0..CODECS,
        room in 0usize..6000,
        steps in prop::collection::vec(step(), 1..12),
    ) {
        let (mut encoder, mut decoder) = codec(index);
        let mut seed = 1u32;
        let mut payload = [0; 1500];
        for step in steps {
            let pcm: Vec<i16> = (0..encoder.packet_samples(960)).map(|n| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((seed >> 18) as i16).wrapping_add((n as i16 % 80) * 200)
            }).collect();
            let length = encoder.encode(&pcm, &mut payload).unwrap();
            let payload = &payload[..length];
            let mut memory = vec![GUARD; room + 2 * GUARDS];
            let heard = &mut memory[GUARDS..GUARDS + room];
            let written = match step {
                Step::Random(bytes) => decoder.decode(&bytes, heard),
                Step::Wrong(bits, length) => decoder.decode(&damaged(payload, &bits, length), heard),
                Step::Lost(samples) => {
                    let samples = samples.min(room);
                    decoder.conceal(&mut heard[..samples]);
                    Ok(samples)
                }
                Step::Recover(samples) => {
                    let samples = samples.min(room);
                    decoder.recover(payload, &mut heard[..samples]);
                    Ok(samples)
                }
            };
            if let Ok(samples) = written {
                prop_assert!(samples <= room);
            }
            prop_assert!(memory[..GUARDS].iter().chain(&memory[GUARDS + room..]).all(|&sample| sample == GUARD));
        }
    }

    #[test]
    fn comfort_noise_takes_any_payload(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8)) {
        let mut noise = ComfortNoise::default();
        for payload in payloads {
            prop_assert_eq!(noise.update(&payload), if payload.is_empty() { Err(CodecError::Malformed) } else { Ok(()) });
            noise.fill(&mut [0; 400]);
        }
    }
}
