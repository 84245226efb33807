//! Payload types, and which codec each side of a call is given.

use super::{MAX_FORMATS, SdpError, fmtp, malformed};
use crate::settings::CodecName;
use sdp_types::{Media, RtpMap};
use tandem_control::{Codec, MAX_PAYLOAD_TYPES, OpusParameters, PayloadType};

pub(crate) use super::fmtp::write as fmtp;

/// The name under which a payload type is configured; `None` for what is no speech codec, and for what is not described
/// by the switch.
pub(crate) fn name_of(payload: &PayloadType) -> Option<CodecName> {
    match (payload.codec, payload.clock) {
        (Codec::Opus(_), _) => Some(CodecName::Opus),
        (Codec::G722, _) => Some(CodecName::G722),
        (Codec::Pcmu, _) => Some(CodecName::Pcmu),
        (Codec::Pcma, _) => Some(CodecName::Pcma),
        (Codec::G729, _) => Some(CodecName::G729),
        (Codec::Speex, 16_000) => Some(CodecName::SpeexWide),
        (Codec::Speex, 8_000) => Some(CodecName::SpeexNarrow),
        // Speex at 32 kHz is forwarded only.
        (Codec::Speex | Codec::ComfortNoise | Codec::TelephoneEvent | Codec::Other(_), _) => None,
    }
}

/// A configured codec with its RTP clock; `opus` is what an Opus stream to us shall be like.
pub(crate) fn coding_of(name: CodecName, opus: OpusParameters) -> (Codec, u32) {
    match name {
        CodecName::Opus => (Codec::Opus(opus), 48_000),
        // RFC 3551 section 4.5.2: the clock is 8000 although the codec samples at 16000.
        CodecName::G722 => (Codec::G722, 8_000),
        CodecName::Pcmu => (Codec::Pcmu, 8_000),
        CodecName::Pcma => (Codec::Pcma, 8_000),
        CodecName::G729 => (Codec::G729, 8_000),
        CodecName::SpeexWide => (Codec::Speex, 16_000),
        CodecName::SpeexNarrow => (Codec::Speex, 8_000),
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
        (Codec::TelephoneEvent, 16_000) => 102,
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
        Codec::ComfortNoise => format!("CN/{}", payload.clock),
        Codec::TelephoneEvent => format!("telephone-event/{}", payload.clock),
        // RFC 4855 section 3 leaves "x-" names to private agreement; the switch describes none.
        Codec::Other(number) => format!("x-other-{number}/{}", payload.clock),
    }
}

/// The payload types of a media section that mean something here, in the peer's order, with the parameters that the
/// peer wants.
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
        let Some(codec) = fmtp::read(codec, clock, fmtp::of(media, number)) else { continue };
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
        13 => Some((Codec::ComfortNoise, 8_000)),
        18 => Some((Codec::G729, 8_000)),
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
        (8_000, 1) if is("g729") || is("g729a") => Some((Codec::G729, 8_000)),
        (8_000 | 16_000 | 32_000, 1) if is("speex") => Some((Codec::Speex, clock)),
        (8_000 | 16_000, 1) if is("cn") => Some((Codec::ComfortNoise, clock)),
        (8_000 | 16_000 | 48_000, _) if is("telephone-event") => Some((Codec::TelephoneEvent, clock)),
        _ => None,
    }
}
