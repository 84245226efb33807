//! The parameters of a payload type (`a=fmtp`, RFC 8866 section 6.15), read and written.

use sdp_types::Media;
use tandem_control::{Codec, OpusParameters, PayloadType};

/// The bounds of `maxaveragebitrate`, in bits per second (RFC 7587 section 6.1).
const OPUS_BITRATES: std::ops::RangeInclusive<u32> = 6_000..=510_000;
/// The sampling rates that an Opus decoder plays, in Hz (RFC 7587 section 6.1).
const OPUS_RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;
/// The Speex modes that our encoder makes (RFC 5574 section 4.1.1): narrow band at 15 kbit/s, wide band at 27.8.
const SPEEX_NARROW_MODE: &str = "5";
const SPEEX_WIDE_MODE: &str = "8";

/// What `a=fmtp` says of a payload type; empty where it says nothing.
pub(crate) fn of(media: &Media, number: u8) -> &str {
    media
        .get_attribute_values("fmtp")
        .flatten()
        .filter_map(|value| value.trim().split_once(' '))
        .find(|(payload, _)| payload.parse() == Ok(number))
        .map_or("", |(_, parameters)| parameters)
}

/// The value of one parameter.
pub(crate) fn value<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    each(parameters).find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The codec with the parameters that its receiver described; `None` where it does not take what we send.
pub(crate) fn read(codec: Codec, clock: u32, parameters: &str) -> Option<Codec> {
    match codec {
        Codec::Opus(_) => Some(Codec::Opus(opus(parameters))),
        Codec::Speex if !takes_our_speex(clock, parameters) => None,
        // Of G.729 nothing is left to know: Annex B is never sent, and whatever comes is decoded.
        other => Some(other),
    }
}

/// What the receiver of an Opus stream wants (RFC 7587 section 6.1); what is out of range says nothing.
pub(crate) fn opus(parameters: &str) -> OpusParameters {
    let mut opus = OpusParameters::DEFAULT;
    for (name, value) in each(parameters) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let number = value.parse::<u32>().ok();
        if is("useinbandfec") {
            opus.inband_fec = number == Some(1);
        } else if is("usedtx") {
            opus.dtx = number == Some(1);
        } else if is("maxaveragebitrate") {
            opus.max_bitrate = number.filter(|rate| OPUS_BITRATES.contains(rate)).unwrap_or(0);
        } else if is("maxplaybackrate") {
            let rate = number.filter(|rate| OPUS_RATES.contains(rate));
            opus.max_playback_rate = rate.unwrap_or(OpusParameters::DEFAULT.max_playback_rate);
        }
    }
    opus
}

/// RFC 5574 section 4.1.1: a decoder takes any mode unless its list says otherwise.
fn takes_our_speex(clock: u32, parameters: &str) -> bool {
    let ours = if clock == 8_000 { SPEEX_NARROW_MODE } else { SPEEX_WIDE_MODE };
    let modes = each(parameters).find(|(name, _)| name.eq_ignore_ascii_case("mode"));
    modes.is_none_or(|(_, modes)| {
        modes.split(',').any(|mode| mode.trim().eq_ignore_ascii_case("any") || mode.trim() == ours)
    })
}

/// `name=value` pairs between semicolons, without the quotes around a value.
fn each(parameters: &str) -> impl Iterator<Item = (&str, &str)> {
    parameters.split(';').map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (name.trim(), value.trim().trim_matches('"'))
    })
}

/// The value behind the number that says what we want to receive, where the codec has one.
pub(crate) fn write(payload: &PayloadType) -> Option<String> {
    match payload.codec {
        Codec::Opus(parameters) => Some(write_opus(parameters)),
        // RFC 4856 section 2.1.9: without it, Annex B is meant.
        Codec::G729 => Some("annexb=no".to_owned()),
        Codec::Speex if payload.clock == 8_000 => Some(format!("vbr=off;mode=\"{SPEEX_NARROW_MODE},any\"")),
        Codec::Speex => Some(format!("vbr=off;mode=\"{SPEEX_WIDE_MODE},any\"")),
        // RFC 4733 section 2.4.1.
        Codec::TelephoneEvent => Some("0-15".to_owned()),
        _ => None,
    }
}

/// RFC 7587 section 6.1. We speak and hear one channel; where two are offered, this tells.
fn write_opus(parameters: OpusParameters) -> String {
    let mut text = "minptime=10".to_owned();
    if parameters.inband_fec {
        text += ";useinbandfec=1";
    }
    if parameters.dtx {
        text += ";usedtx=1";
    }
    if parameters.max_bitrate != 0 {
        text += &format!(";maxaveragebitrate={}", parameters.max_bitrate);
    }
    if parameters.max_playback_rate != OpusParameters::DEFAULT.max_playback_rate {
        text += &format!(";maxplaybackrate={}", parameters.max_playback_rate);
    }
    text + ";stereo=0"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn payload(codec: Codec, clock: u32) -> PayloadType {
        PayloadType { number: 96, codec, clock }
    }

    #[test]
    fn opus_parameters_are_read_as_clients_write_them() {
        let firefox =
            opus("maxplaybackrate=16000; stereo=1 ;useinbandfec=1;maxaveragebitrate=20000;usedtx=1");
        let all =
            OpusParameters { inband_fec: true, dtx: true, max_bitrate: 20_000, max_playback_rate: 16_000 };
        assert_eq!(firefox, all);
        assert_eq!(opus("stereo=1;sprop-stereo=1"), OpusParameters::DEFAULT);
        assert_eq!(opus("maxaveragebitrate=5999;maxplaybackrate=96000;usedtx=2"), OpusParameters::DEFAULT);
    }

    #[test]
    fn speex_is_not_sent_to_who_does_not_decode_our_mode() {
        assert_eq!(read(Codec::Speex, 16_000, "vbr=on;cng=on"), Some(Codec::Speex));
        assert_eq!(read(Codec::Speex, 16_000, "mode=\"10,any\""), Some(Codec::Speex));
        assert_eq!(read(Codec::Speex, 16_000, "mode=\"3, 8\""), Some(Codec::Speex));
        assert_eq!(read(Codec::Speex, 16_000, "mode=\"3,4\""), None);
        assert_eq!(read(Codec::Speex, 8_000, "mode=8"), None);
    }

    #[test]
    fn annex_b_is_always_declined() {
        assert_eq!(write(&payload(Codec::G729, 8_000)).as_deref(), Some("annexb=no"));
        assert_eq!(read(Codec::G729, 8_000, "annexb=yes"), Some(Codec::G729));
        assert_eq!(read(Codec::G729, 8_000, ""), Some(Codec::G729));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(
            inband_fec in any::<bool>(), dtx in any::<bool>(),
            max_bitrate in prop_oneof![Just(0), OPUS_BITRATES], max_playback_rate in OPUS_RATES,
        ) {
            let parameters = OpusParameters { inband_fec, dtx, max_bitrate, max_playback_rate };
            let text = write(&payload(Codec::Opus(parameters), 48_000)).unwrap();
            prop_assert_eq!(opus(&text), parameters);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,200}") {
            let read_opus = opus(&text);
            prop_assert!(read_opus.max_bitrate == 0 || OPUS_BITRATES.contains(&read_opus.max_bitrate));
            prop_assert!(OPUS_RATES.contains(&read_opus.max_playback_rate));
            let _ = read(Codec::Speex, 16_000, &text);
        }
    }
}
