//! Silence in the place of speech, for the codings in which it is known how that looks.

use tandem_control::Codec;

/// The TOC byte (RFC 6716 section 3.1) of mono CELT frames of 2.5 ms; 5, 10 and 20 ms follow in steps of one
/// configuration, and the code of the number of frames stands in the two lowest bits.
const CELT: u8 = 28 << 3;
/// A frame whose first symbol is the silence flag of CELT (RFC 6716 section 4.3).
const SILENT_FRAME: [u8; 2] = [0xFF, 0xFE];
/// RFC 6716 section 3.2.5, requirement R5: 120 ms, in units of 2.5 ms.
const MAX_UNITS: u8 = 48;

/// Whether [`write`] knows this coding.
pub(crate) fn is_known(codec: Codec) -> bool {
    matches!(codec, Codec::Pcmu | Codec::Pcma | Codec::Opus(_))
}

/// Writes silence over the payload `room[..len]`, as long in time; returns its length in bytes. `None` if the coding
/// is not known, the payload makes no sense, or `room` does not suffice.
pub(crate) fn write(codec: Codec, room: &mut [u8], len: usize) -> Option<usize> {
    match codec {
        // The smallest positive magnitude of G.711 tables 1 and 2, as it is sent.
        Codec::Pcmu => room.get_mut(..len)?.fill(0xFF),
        Codec::Pcma => room.get_mut(..len)?.fill(0xD5),
        Codec::Opus(_) => return write_opus(room, len),
        _ => return None,
    }
    Some(len)
}

fn write_opus(room: &mut [u8], len: usize) -> Option<usize> {
    let units = opus_units(room.get(..len)?)?;
    // The longest frames that fit evenly.
    let step = units.trailing_zeros().min(3) as u8;
    let toc = CELT + (step << 3);
    let frames = units >> step;
    let (head, rest): (&[u8], _) = match frames {
        1 => (&[toc], 1),
        // RFC 6716 section 3.2.5: code 3, constant bit rate, no padding.
        _ => (&[toc | 3, frames], usize::from(frames)),
    };
    let written = room.get_mut(..head.len() + rest * SILENT_FRAME.len())?;
    let (to_head, to_frames) = written.split_at_mut(head.len());
    to_head.copy_from_slice(head);
    to_frames.chunks_exact_mut(SILENT_FRAME.len()).for_each(|frame| frame.copy_from_slice(&SILENT_FRAME));
    Some(written.len())
}

/// How long an Opus packet is, in units of 2.5 ms (RFC 6716 sections 3.1 and 3.2).
fn opus_units(packet: &[u8]) -> Option<u8> {
    let toc = *packet.first()?;
    let of_frame: u8 = match toc >> 3 {
        config @ 0..12 => [4, 8, 16, 24][usize::from(config % 4)],
        config @ 12..16 => [4, 8][usize::from(config % 2)],
        config => 1 << (config % 4),
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1)? & 0x3F,
    };
    of_frame.checked_mul(frames).filter(|units| (1..=MAX_UNITS).contains(units))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tandem_codec::Decoder;
    use tandem_codec::opus::OpusDecoder;

    const OPUS: Codec = Codec::opus(false);

    #[test]
    fn what_was_opus_is_silence_of_the_same_length() {
        // SILK of 20 and 60 ms, hybrid of 10 ms, CELT of 2.5 ms, two and three frames, DTX.
        let packets: [(&[u8], usize); 7] = [
            (&[1 << 3, 9, 9], 20 * 8),
            (&[3 << 3, 1, 2, 3], 60 * 8),
            (&[12 << 3, 7, 7, 7], 10 * 8),
            (&[28 << 3, 7, 7, 7], 20),
            (&[(1 << 3) | 1, 5, 5, 6, 6], 40 * 8),
            (&[(1 << 3) | 3, 3, 5, 6, 7], 60 * 8),
            (&[(9 << 3) | 4], 20 * 8),
        ];
        for (packet, samples) in packets {
            let mut room = packet.to_vec();
            room.resize(packet.len() + 32, 0xAA);
            let len = write(OPUS, &mut room, packet.len()).unwrap();
            let mut decoder = OpusDecoder::new(8000).unwrap();
            let mut pcm = [1i16; 960];
            assert_eq!(decoder.decode(&room[..len], &mut pcm), Ok(samples), "{packet:?}");
            assert!(pcm[..samples].iter().all(|&sample| sample == 0), "{packet:?}");
        }
    }

    #[test]
    fn g711_is_as_quiet_as_it_can_be_and_the_unknown_is_left_alone() {
        let mut room = [1u8; 160];
        assert_eq!(write(Codec::Pcmu, &mut room, 160), Some(160));
        assert!(room.iter().all(|&code| tandem_codec::g711::ulaw_expand(code) == 0));
        assert_eq!(write(Codec::Pcma, &mut room, 160), Some(160));
        assert!(room.iter().all(|&code| tandem_codec::g711::alaw_expand(code).abs() <= 8));
        for codec in [Codec::G722, Codec::Other(1), Codec::ComfortNoise] {
            assert!(!is_known(codec));
            assert_eq!(write(codec, &mut room, 160), None);
        }
    }

    proptest! {
        #[test]
        fn any_payload_becomes_silence_or_nothing(payload in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut room = payload.clone();
            room.resize(payload.len() + 32, 0);
            if let Some(len) = write(OPUS, &mut room, payload.len()) {
                prop_assert_eq!(opus_units(&room[..len]), opus_units(&payload));
            }
        }
    }
}
