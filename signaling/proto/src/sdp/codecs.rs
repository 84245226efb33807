//! Payload types, and which codec each side of a call is given.

use super::{MAX_FORMATS, SdpError, malformed};
use crate::settings::CodecName;
use sdp_types::{Media, RtpMap};
use tandem_control::{Codec, MAX_PAYLOAD_TYPES, PayloadType};

/// The codecs that the dataplane encodes and decodes; the others it only forwards.
pub fn is_transcodable(codec: CodecName) -> bool {
    codec != CodecName::G722
}

/// What is offered to the called side: the caller's codecs that the called side may have, in the caller's order,
/// so that one codec can go end to end; then those of the called side that can be transcoded to one of them.
pub fn offer_codecs(caller: &[CodecName], allowed: &[CodecName]) -> Vec<CodecName> {
    let mut codecs: Vec<CodecName> = caller.iter().copied().filter(|codec| allowed.contains(codec)).collect();
    if caller.iter().any(|codec| is_transcodable(*codec)) {
        for codec in allowed.iter().copied().filter(|codec| is_transcodable(*codec)) {
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
    }
    codecs
}

/// What the caller is answered: the first of the called side's codecs that the caller offered, else the caller's
/// first one that can be transcoded. `None`: there is no common way.
pub fn answer_codec(caller: &[CodecName], called: &[CodecName]) -> Option<CodecName> {
    let common = called.iter().copied().find(|codec| caller.contains(codec));
    let transcoded = || {
        let possible = called.iter().any(|codec| is_transcodable(*codec));
        caller.iter().copied().find(|codec| possible && is_transcodable(*codec))
    };
    common.or_else(transcoded)
}

/// The name under which a codec is configured; `None` for what is no speech codec.
pub(crate) fn name_of(codec: Codec) -> Option<CodecName> {
    match codec {
        Codec::Opus(_) => Some(CodecName::Opus),
        Codec::G722 => Some(CodecName::G722),
        Codec::Pcmu => Some(CodecName::Pcmu),
        Codec::Pcma => Some(CodecName::Pcma),
        Codec::G729 | Codec::Speex => None,
        Codec::ComfortNoise | Codec::TelephoneEvent | Codec::Other(_) => None,
    }
}

/// A configured codec with its RTP clock.
pub(crate) fn coding_of(name: CodecName) -> (Codec, u32) {
    match name {
        CodecName::Opus => (Codec::opus(true), 48_000),
        // RFC 3551 section 4.5.2: the clock is 8000 although the codec samples at 16000.
        CodecName::G722 => (Codec::G722, 8_000),
        CodecName::Pcmu => (Codec::Pcmu, 8_000),
        CodecName::Pcma => (Codec::Pcma, 8_000),
    }
}

/// The payload type numbers that we give where the peer has not chosen one.
pub(crate) fn usual_number(codec: Codec, clock: u32) -> u8 {
    match (codec, clock) {
        (Codec::Pcmu, _) => 0,
        (Codec::Pcma, _) => 8,
        (Codec::G722, _) => 9,
        (Codec::ComfortNoise, _) => 13,
        (Codec::Opus(_), _) => 111,
        (Codec::TelephoneEvent, 48_000) => 110,
        (Codec::TelephoneEvent, _) => 101,
        (Codec::G729, _) => 18,
        (Codec::Speex, 16_000) => 97,
        (Codec::Speex, _) => 98,
        // The switch describes no coding that it cannot name.
        (Codec::Other(_), _) => 96,
    }
}

/// The `rtpmap` value behind the number (RFC 8866 section 6.6).
pub(crate) fn rtpmap(payload: &PayloadType) -> String {
    match payload.codec {
        // RFC 7587 section 7: always two channels in the description.
        Codec::Opus(_) => "opus/48000/2".to_owned(),
        Codec::G722 => "G722/8000".to_owned(),
        Codec::G729 => "G729/8000".to_owned(),
        Codec::Speex => format!("speex/{}", payload.clock),
        Codec::Pcmu => "PCMU/8000".to_owned(),
        Codec::Pcma => "PCMA/8000".to_owned(),
        Codec::ComfortNoise => "CN/8000".to_owned(),
        Codec::TelephoneEvent => format!("telephone-event/{}", payload.clock),
        // RFC 4855 section 3 leaves "x-" names to private agreement; the switch describes none.
        Codec::Other(number) => format!("x-other-{number}/{}", payload.clock),
    }
}

/// The `fmtp` value behind the number, where the codec has one.
pub(crate) fn fmtp(payload: &PayloadType) -> Option<&'static str> {
    match payload.codec {
        Codec::Opus(_) => Some("minptime=10;useinbandfec=1"),
        Codec::TelephoneEvent => Some("0-15"),
        _ => None,
    }
}

/// The payload types of a media section that mean something here, in the peer's order. Comfort noise is left out:
/// it cannot be transcoded, and who is not answered with it does not send it.
pub(crate) fn read_payloads(media: &Media) -> Result<Vec<PayloadType>, SdpError> {
    let formats: Vec<&str> = media.fmt.split_ascii_whitespace().collect();
    if formats.len() > MAX_FORMATS {
        return malformed(format!("more than {MAX_FORMATS} formats in one media section"));
    }
    let maps: Vec<RtpMap> = media.attributes_typed::<RtpMap>().filter_map(Result::ok).collect();
    let mut payloads: Vec<PayloadType> = Vec::new();
    for format in formats {
        let Some(number) = format.parse::<u8>().ok().filter(|number| *number < 128) else {
            return malformed(format!("payload type {format:?} is no number below 128"));
        };
        let described = maps.iter().find(|map| map.payload_type == number);
        let coding = described.map_or_else(|| static_coding(number), mapped_coding);
        let Some((codec, clock)) = coding else { continue };
        let codec = match codec {
            Codec::Opus(_) => Codec::opus(has_inband_fec(media, number)),
            other => other,
        };
        let known = payloads.iter().any(|known| known.codec.same_coding(codec) && known.clock == clock);
        if !known && payloads.len() < MAX_PAYLOAD_TYPES {
            payloads.push(PayloadType { number, codec, clock });
        }
    }
    Ok(payloads)
}

/// RFC 3551 section 6: numbers that need no `rtpmap`.
fn static_coding(number: u8) -> Option<(Codec, u32)> {
    match number {
        0 => Some((Codec::Pcmu, 8_000)),
        8 => Some((Codec::Pcma, 8_000)),
        9 => Some((Codec::G722, 8_000)),
        _ => None,
    }
}

fn mapped_coding(map: &RtpMap) -> Option<(Codec, u32)> {
    let channels = map.encoding_params.as_deref().map_or(Some(1), |channels| channels.trim().parse().ok());
    named_coding(&map.encoding_name, map.clock_rate, channels.unwrap_or(0))
}

/// The codec of an `rtpmap`'s parts, and its RTP clock.
pub(crate) fn named_coding(name: &str, clock: u32, channels: u8) -> Option<(Codec, u32)> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match (clock, channels) {
        (48_000, _) if is("opus") => Some((Codec::opus(false), 48_000)),
        (8_000, 1) if is("pcmu") => Some((Codec::Pcmu, 8_000)),
        (8_000, 1) if is("pcma") => Some((Codec::Pcma, 8_000)),
        // Some telephones write the sampling rate where RFC 3551 wants 8000; their RTP clock is 8000 all the same.
        (8_000 | 16_000, 1) if is("g722") => Some((Codec::G722, 8_000)),
        (8_000 | 48_000, _) if is("telephone-event") => Some((Codec::TelephoneEvent, clock)),
        _ => None,
    }
}

fn has_inband_fec(media: &Media, number: u8) -> bool {
    media.get_attribute_values("fmtp").flatten().any(|value| {
        value.trim().split_once(' ').is_some_and(|(payload, parameters)| {
            payload.parse() == Ok(number)
                && parameters
                    .split(';')
                    .any(|parameter| parameter.trim().eq_ignore_ascii_case("useinbandfec=1"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use CodecName::{G722, Opus, Pcma, Pcmu};

    #[test]
    fn the_callers_codecs_go_first_and_what_can_be_transcoded_follows() {
        assert_eq!(offer_codecs(&[Opus, G722, Pcma], &[Pcmu, Pcma, G722]), [G722, Pcma, Pcmu]);
        assert_eq!(offer_codecs(&[Opus], &[Pcma, Pcmu]), [Pcma, Pcmu]);
    }

    #[test]
    fn a_caller_with_nothing_but_g722_is_offered_on_with_nothing_but_g722() {
        assert_eq!(offer_codecs(&[G722], &[Opus, G722, Pcmu]), [G722]);
        assert_eq!(offer_codecs(&[G722], &[Opus, Pcmu]), []);
    }

    #[test]
    fn the_answer_keeps_one_codec_end_to_end_where_it_can() {
        assert_eq!(answer_codec(&[Opus, Pcmu, Pcma], &[Pcma, Pcmu]), Some(Pcma));
        assert_eq!(answer_codec(&[Opus, G722], &[Pcmu]), Some(Opus));
        assert_eq!(answer_codec(&[G722], &[Pcmu]), None);
        assert_eq!(answer_codec(&[Opus], &[G722]), None);
    }
}
