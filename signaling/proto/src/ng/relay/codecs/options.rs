//! What codec options say of codecs that are encoded here.

use crate::ng::request::{CodecOptions, CodecSpec};
use crate::sdp::{codecs, fmtp};
use tandem_control::{Codec, OpusEncoding, PayloadType};

/// The bit rates of Opus (RFC 6716 section 2.1.1).
const OPUS_BITRATES: std::ops::RangeInclusive<u32> = 6_000..=510_000;
/// The highest complexity of its encoder.
const MAX_COMPLEXITY: u8 = 10;
/// Dynamic payload types mean nothing in options: only the static ones do (RFC 3551 section 6).
const NO_NUMBER: u8 = 128;

/// Whether the dataplane decodes and encodes it.
pub(in crate::ng::relay) fn is_transcodable(payload: &PayloadType) -> bool {
    codecs::name_of(payload).is_some()
}

/// The codec that an option names, if it can be transcoded to, with its clock and its `fmtp`, where the option gives one.
/// Of several clocks the first is the usual one.
pub(super) fn transcoded(spec: &CodecSpec) -> Option<(Codec, u32, Option<String>)> {
    let all = [
        ("opus", Codec::opus(true), 48_000),
        ("PCMU", Codec::Pcmu, 8_000),
        ("PCMA", Codec::Pcma, 8_000),
        ("G722", Codec::G722, 8_000),
        ("G729", Codec::G729, 8_000),
        ("G729a", Codec::G729, 8_000),
        ("speex", Codec::Speex, 16_000),
        ("speex", Codec::Speex, 8_000),
    ];
    let found = all.into_iter().find(|(name, codec, clock)| names(spec, name, *codec, *clock));
    let (_, codec, clock) = found?;
    let codec = match (codec, &spec.fmtp) {
        (Codec::Opus(_), Some(parameters)) => Codec::Opus(fmtp::opus(parameters)),
        (codec, _) => codec,
    };
    Some((codec, clock, spec.fmtp.clone()))
}

fn names(spec: &CodecSpec, name: &str, codec: Codec, clock: u32) -> bool {
    let number = codecs::usual_number(codec, clock);
    let number = if number < 96 { number } else { NO_NUMBER };
    // Opus is always described with two channels (RFC 7587 section 7); options may say one.
    CodecSpec { channels: None, ..spec.clone() }.matches(number, name, clock, 1)
}

/// How Opus is encoded, which was `before`, as far as options say: the bit rate, what its `fmtp` would limit, and what they tell the encoder in
/// the words of FFmpeg's libopus.
pub(in crate::ng::relay) fn opus_encoding<'a>(
    before: OpusEncoding,
    specs: impl Iterator<Item = &'a CodecSpec>,
) -> OpusEncoding {
    let mut encoding = before;
    for spec in specs.filter(|spec| names(spec, "opus", Codec::opus(true), 48_000)) {
        if let Some(parameters) = &spec.fmtp {
            let wanted = fmtp::opus(parameters);
            if parameters.contains("useinbandfec") {
                encoding.inband_fec = wanted.inband_fec;
            }
            if parameters.contains("usedtx") {
                encoding.dtx = wanted.dtx;
            }
            if wanted.max_bitrate != 0 {
                encoding.bitrate = wanted.max_bitrate;
            }
        }
        if let Some(bitrate) = spec.bitrate {
            encoding.bitrate = bitrate.clamp(*OPUS_BITRATES.start(), *OPUS_BITRATES.end());
        }
        let words = spec.encoder.as_deref().unwrap_or_default();
        let words = words.split([' ', ':', ';', ',']).filter_map(|word| word.split_once('='));
        for (key, value) in words {
            let Ok(number) = value.parse::<u8>() else { continue };
            match key {
                "compression_level" => encoding.complexity = number.min(MAX_COMPLEXITY),
                "packet_loss" => encoding.expected_loss = number.min(100),
                "fec" => encoding.inband_fec = number != 0,
                "dtx" => encoding.dtx = number != 0,
                _ => {}
            }
        }
    }
    encoding
}

/// The packet times of codecs that are offered by transcoding, where options give them.
pub(in crate::ng::relay) fn packet_times(options: &CodecOptions) -> Vec<(Codec, u32, u16)> {
    let times = options.transcode.iter().filter_map(|spec| {
        let (codec, clock, _) = transcoded(spec)?;
        Some((codec, clock, spec.ptime?))
    });
    times.collect()
}

/// Whether a bit rate is asked for that cannot be had: the other codecs have one each here.
pub(in crate::ng::relay) fn unused_bitrate(options: &CodecOptions) -> bool {
    let mut specs = options.transcode.iter().chain(&options.set);
    specs.any(|spec| spec.bitrate.is_some() && !names(spec, "opus", Codec::opus(true), 48_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> CodecSpec {
        CodecSpec::parse(text).unwrap()
    }

    #[test]
    fn codecs_by_their_names_numbers_and_clocks() {
        let found = |text: &str| transcoded(&spec(text)).map(|(codec, clock, _)| (codec, clock));
        let opus = Codec::opus(true);
        for (text, expected) in [
            ("opus", Some((opus, 48_000))),
            ("OPUS/48000/1", Some((opus, 48_000))),
            ("0", Some((Codec::Pcmu, 8_000))),
            ("9", Some((Codec::G722, 8_000))),
            ("g729", Some((Codec::G729, 8_000))),
            ("18", Some((Codec::G729, 8_000))),
            ("speex", Some((Codec::Speex, 16_000))),
            ("speex/8000", Some((Codec::Speex, 8_000))),
            ("speex/32000", None),
            ("97", None),
            ("G722/16000", None),
            ("AMR", None),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn how_opus_is_encoded() {
        let encoding = |texts: &[&str]| {
            let specs: Vec<CodecSpec> = texts.iter().map(|text| spec(text)).collect();
            opus_encoding(OpusEncoding::default(), specs.iter())
        };
        let usual = OpusEncoding::default();
        assert_eq!(encoding(&["PCMU", "AMR/8000/1/7400"]), usual);
        assert_eq!(encoding(&["opus/48000/2/32000"]).bitrate, 32_000);
        assert_eq!(encoding(&["opus/48000/2/1"]).bitrate, 6_000);
        let without = encoding(&["opus/48000/1///useinbandfec--0"]);
        assert_eq!(without, OpusEncoding { inband_fec: false, ..usual });
        let all = encoding(&[
            "opus/48000/2///usedtx=0;maxaveragebitrate=20000",
            "opus/48000/2////fec=1:compression_level=2,packet_loss=15",
        ]);
        let expected =
            OpusEncoding { complexity: 2, expected_loss: 15, bitrate: 20_000, inband_fec: true, dtx: false };
        assert_eq!(all, expected);
    }
}
