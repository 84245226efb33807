//! Which codec a payload type needs, at which rate it works, and how it is set up.

use tandem_codec::g711::{G711Decoder, G711Encoder, Law};
use tandem_codec::g722::{G722Decoder, G722Encoder};
use tandem_codec::g729::{G729Decoder, G729Encoder};
use tandem_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use tandem_codec::speex::{Band, SpeexDecoder, SpeexEncoder, SpeexSettings};
use tandem_codec::{CodecError, Decoder, Encoder};
use tandem_control::{Codec, OpusEncoding, OpusParameters, PayloadType};

/// The rates at which Opus is opened here, in Hz.
const OPUS_RATES: [u32; 3] = [8000, 16_000, 48_000];

/// Whether it is decoded and encoded here.
pub(crate) fn is_transcodable(payload_type: &PayloadType) -> bool {
    match payload_type.codec {
        Codec::Opus(_) => payload_type.clock == 48_000,
        // RFC 3551 section 4.5.2: G.722 has a clock of 8000 although it samples at 16000.
        Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::G729 => payload_type.clock == 8000,
        Codec::Speex => matches!(payload_type.clock, 8000 | 16_000),
        Codec::ComfortNoise | Codec::TelephoneEvent | Codec::Other(_) => false,
    }
}

/// The rate at which a codec samples, in Hz; `None` for one that can be opened at any.
pub(crate) fn native_rate(codec: Codec, clock: u32) -> Option<u32> {
    match codec {
        Codec::Opus(_) => None,
        Codec::G722 => Some(16_000),
        _ => Some(clock),
    }
}

/// The rate at which `target` is encoded, in Hz, out of what is decoded at these rates (`None`: at any): Opus at
/// that of the other side, so that nothing need be resampled, but no higher than its receiver can play.
pub(crate) fn encoded_rate(target: &PayloadType, from: impl Iterator<Item = Option<u32>>) -> u32 {
    let Codec::Opus(parameters) = target.codec else {
        return native_rate(target.codec, target.clock).unwrap_or(target.clock);
    };
    let wanted = from.flatten().max().unwrap_or(48_000).min(parameters.max_playback_rate);
    OPUS_RATES.into_iter().find(|&rate| rate >= wanted).unwrap_or(48_000)
}

/// A decoder whose samples come at `rate`, which must be the codec's own where it has one.
///
/// # Errors
/// What the codec says; [`CodecError::Malformed`] for what is not [transcodable](is_transcodable).
pub(crate) fn decoder(codec: Codec, rate: u32) -> Result<Box<dyn Decoder>, CodecError> {
    Ok(match codec {
        Codec::Opus(_) => Box::new(OpusDecoder::new(rate)?),
        Codec::Pcmu => Box::new(G711Decoder::new(Law::Mu)),
        Codec::Pcma => Box::new(G711Decoder::new(Law::A)),
        Codec::G722 => Box::new(G722Decoder::new()),
        Codec::G729 => Box::new(G729Decoder::new()?),
        Codec::Speex => Box::new(SpeexDecoder::new(band(rate))?),
        Codec::ComfortNoise | Codec::TelephoneEvent | Codec::Other(_) => return Err(CodecError::Malformed),
    })
}

/// An encoder that takes samples at `rate`, which must be the codec's own where it has one.
///
/// # Errors
/// As [`decoder`].
pub(crate) fn encoder(codec: Codec, rate: u32, opus: &OpusEncoding) -> Result<Box<dyn Encoder>, CodecError> {
    Ok(match codec {
        Codec::Opus(parameters) => Box::new(OpusEncoder::new(rate, opus_settings(parameters, rate, opus))?),
        Codec::Pcmu => Box::new(G711Encoder::new(Law::Mu)),
        Codec::Pcma => Box::new(G711Encoder::new(Law::A)),
        Codec::G722 => Box::new(G722Encoder::new()),
        Codec::G729 => Box::new(G729Encoder::new()?),
        Codec::Speex => Box::new(SpeexEncoder::new(band(rate), SpeexSettings::default())?),
        Codec::ComfortNoise | Codec::TelephoneEvent | Codec::Other(_) => return Err(CodecError::Malformed),
    })
}

fn band(rate: u32) -> Band {
    if rate == Band::Wide.sample_rate() { Band::Wide } else { Band::Narrow }
}

fn opus_settings(wanted: OpusParameters, rate: u32, ours: &OpusEncoding) -> OpusSettings {
    // RFC 7587 section 3.1.1: 8 to 12 kbit/s for narrow-band speech at least, 16 to 20 for wide band, 28 to 40 for full
    // band; here with room for speech that was coded once before.
    let usual = match rate {
        8000 => 24_000,
        16_000 => 28_000,
        _ => 40_000,
    };
    let bitrate = if ours.bitrate == 0 { usual } else { ours.bitrate };
    let limit = if wanted.max_bitrate == 0 { u32::MAX } else { wanted.max_bitrate };
    OpusSettings {
        complexity: ours.complexity,
        bitrate: bitrate.min(limit),
        inband_fec: ours.inband_fec && wanted.inband_fec,
        expected_loss: ours.expected_loss,
        dtx: ours.dtx && wanted.dtx,
        max_playback_rate: wanted.max_playback_rate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(codec: Codec, clock: u32) -> PayloadType {
        PayloadType { number: 96, codec, clock }
    }

    #[test]
    fn opus_is_encoded_at_the_rate_of_the_other_side_and_as_its_receiver_can_play_it() {
        let opus = of(Codec::opus(true), 48_000);
        let rate = |target: &PayloadType, from: &[Option<u32>]| encoded_rate(target, from.iter().copied());
        assert_eq!(rate(&opus, &[Some(8000)]), 8000);
        assert_eq!(rate(&opus, &[Some(8000), None, Some(16_000)]), 16_000);
        assert_eq!(rate(&opus, &[None]), 48_000);
        let narrow = Codec::Opus(OpusParameters { max_playback_rate: 12_000, ..OpusParameters::DEFAULT });
        assert_eq!(rate(&of(narrow, 48_000), &[None]), 16_000);
        assert_eq!(rate(&of(Codec::G722, 8000), &[None]), 16_000);
        assert_eq!(rate(&of(Codec::Speex, 16_000), &[Some(8000)]), 16_000);
        assert_eq!(rate(&of(Codec::G729, 8000), &[Some(16_000)]), 8000);
    }

    #[test]
    fn what_the_receiver_wants_of_opus_limits_what_we_do() {
        let wanted =
            OpusParameters { inband_fec: true, dtx: false, max_bitrate: 16_000, ..Default::default() };
        let set = opus_settings(wanted, 8000, &OpusEncoding { dtx: true, ..OpusEncoding::default() });
        assert_eq!((set.bitrate, set.inband_fec, set.dtx), (16_000, true, false));
        let unlimited = opus_settings(OpusParameters::DEFAULT, 16_000, &OpusEncoding::default());
        assert_eq!((unlimited.bitrate, unlimited.inband_fec), (28_000, false));
    }

    #[test]
    fn everything_that_is_transcodable_can_be_made_at_its_rate() {
        let all = [
            of(Codec::opus(true), 48_000),
            of(Codec::Pcmu, 8000),
            of(Codec::Pcma, 8000),
            of(Codec::G722, 8000),
            of(Codec::G729, 8000),
            of(Codec::Speex, 8000),
            of(Codec::Speex, 16_000),
        ];
        for payload_type in &all {
            assert!(is_transcodable(payload_type));
            for from in [Some(8000), Some(16_000), None] {
                let rate = encoded_rate(payload_type, [from].into_iter());
                let mut encoder = encoder(payload_type.codec, rate, &OpusEncoding::default()).unwrap();
                let mut decoder = decoder(payload_type.codec, rate).unwrap();
                let pcm = vec![0; encoder.packet_samples(rate as usize / 50)];
                let (mut payload, mut out) = ([0; 1500], vec![0; 9600]);
                let len = encoder.encode(&pcm, &mut payload).unwrap();
                assert_eq!(decoder.decode(&payload[..len], &mut out), Ok(pcm.len()), "{payload_type:?}");
            }
        }
        assert!(!is_transcodable(&of(Codec::Speex, 32_000)));
        assert!(!is_transcodable(&of(Codec::Other(1), 8000)));
        assert!(decoder(Codec::TelephoneEvent, 8000).is_err());
    }
}
