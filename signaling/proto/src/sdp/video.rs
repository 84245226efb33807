//! Video in a peer's description: its payload types, what may be asked of its encoder, and which of all that can be
//! forwarded to another peer.

use super::h264::{self, Profile};
use super::{MAX_FORMATS, RemoteTransport, SdpError, fmtp, malformed};
use crate::sdp::Direction;
use crate::settings::VideoCodecName;
use sdp_types::{Media, RtpMap};
use std::sync::Arc;
use tandem_control::{MAX_VIDEO_PAYLOAD_TYPES, VideoCodec, VideoFeedback};

/// The RTP clock of all video, in Hz (RFC 6184 section 8.2.1, RFC 7741 section 6.1).
const CLOCK: u32 = 90_000;
/// The header extension by which a sender numbers its packets over all its streams.
pub(crate) const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// The ids of header extensions of one byte (RFC 8285 section 4.2).
const EXTENSION_IDS: std::ops::RangeInclusive<u8> = 1..=14;

/// The video section of a peer's description.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteVideo {
    /// Where it stands among the sections.
    pub index: usize,
    /// How it is transported.
    pub transport: RemoteTransport,
    /// As the peer sees it.
    pub direction: Direction,
    /// What can be forwarded at all, in the peer's order.
    pub formats: Vec<VideoFormat>,
    /// The most bits per second that it takes; 0: no limit.
    pub max_bitrate: u32,
    /// The id of [`TRANSPORT_CC`] in its packets.
    pub transport_cc: Option<u8>,
    /// The parameter sets of what it sends.
    pub parameter_sets: Vec<DescribedSets>,
}

/// The parameter sets of a stream of H.264, as its sender describes them.
///
/// They are passed on as they are: a sender may leave them out of its stream (RFC 6184 section 8.4), and then nobody
/// decodes that without them. Where a sender describes none, neither do we: signaling never sees a media packet, and the
/// dataplane repeats those that come in the stream, which count for more than what is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedSets {
    /// Of which of its codecs, as [`VideoFormat::canonical`] has it.
    pub codec: VideoCodec,
    /// The value of `sprop-parameter-sets`.
    pub value: Arc<str>,
}

/// One payload type of video, with what its receiver said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoFormat {
    /// Its number.
    pub number: u8,
    /// What it carries.
    pub codec: VideoCodec,
    /// The payload type of its retransmissions (RFC 4588), if it has one.
    pub rtx: Option<u8>,
    /// The feedback that may be sent about it. `transport_cc` is only said with the section's header extension.
    pub feedback: VideoFeedback,
    /// H.264: its sender may send at a higher level than it receives (RFC 6184 section 8.1).
    pub level_asymmetry: bool,
}

impl VideoFormat {
    /// Those of a codec that are offered to who said nothing yet; their numbers are given when they are. H.264 is
    /// Constrained Baseline, which everybody with H.264 has, in either packetization mode.
    pub(crate) fn usual(name: VideoCodecName) -> Vec<VideoFormat> {
        let profile_level_id = Profile::ConstrainedBaseline.canonical();
        let h264 = |packetization_mode| VideoCodec::H264 { packetization_mode, profile_level_id };
        let codecs = match name {
            VideoCodecName::H264 => vec![h264(1), h264(0)],
            VideoCodecName::Vp8 => vec![VideoCodec::Vp8],
        };
        let feedback = VideoFeedback::default();
        let format = |codec| VideoFormat { number: 0, codec, rtx: None, feedback, level_asymmetry: true };
        codecs.into_iter().map(format).collect()
    }

    /// The name under which it is configured.
    pub(crate) fn name(&self) -> VideoCodecName {
        match self.codec {
            VideoCodec::H264 { .. } => VideoCodecName::H264,
            VideoCodec::Vp8 => VideoCodecName::Vp8,
        }
    }

    /// What the dataplane is told that it carries: formats that it may forward to each other are the same there.
    pub(crate) fn canonical(&self) -> VideoCodec {
        match self.codec {
            VideoCodec::H264 { packetization_mode, profile_level_id } => VideoCodec::H264 {
                packetization_mode,
                profile_level_id: Profile::of(profile_level_id).map_or(profile_level_id, Profile::canonical),
            },
            VideoCodec::Vp8 => VideoCodec::Vp8,
        }
    }

    /// Whether what is made for the one can be sent to the other.
    pub(crate) fn fits(&self, other: &VideoFormat) -> bool {
        self.canonical() == other.canonical()
    }

    /// How well one stands for the other: as it is, by the same profile, or just because it can be decoded.
    pub(crate) fn likeness(&self, other: &VideoFormat) -> u8 {
        let profile = |format: &VideoFormat| match format.codec {
            VideoCodec::H264 { profile_level_id, .. } => Profile::of(profile_level_id),
            VideoCodec::Vp8 => None,
        };
        match (self.fits(other), self.codec == other.codec, profile(self) == profile(other)) {
            (false, ..) => 0,
            (true, false, false) => 1,
            (true, false, true) => 2,
            (true, true, _) => 3,
        }
    }
}

/// Reads what is special to video in its section; the formats are those that can be forwarded.
pub(super) fn read(
    media: &Media,
    index: usize,
    transport: RemoteTransport,
    direction: Direction,
) -> Result<RemoteVideo, SdpError> {
    let formats = read_formats(media)?;
    Ok(RemoteVideo {
        index,
        transport,
        direction,
        parameter_sets: formats.iter().filter_map(|format| read_parameter_sets(media, format)).collect(),
        formats,
        max_bitrate: read_bitrate(media),
        transport_cc: read_extension(media),
    })
}

fn read_formats(media: &Media) -> Result<Vec<VideoFormat>, SdpError> {
    let numbers: Vec<&str> = media.fmt.split_ascii_whitespace().collect();
    if numbers.len() > MAX_FORMATS {
        return malformed(format!("more than {MAX_FORMATS} formats in one media section"));
    }
    let maps: Vec<RtpMap> = media.attributes_typed::<RtpMap>().filter_map(Result::ok).collect();
    let rtx: Vec<(u8, u8)> = maps.iter().filter_map(|map| read_rtx(media, map)).collect();
    let mut formats: Vec<VideoFormat> = Vec::new();
    for text in numbers {
        let Some(number) = text.parse::<u8>().ok().filter(|number| *number < 128) else {
            return malformed(format!("payload type {text:?} is no number below 128"));
        };
        let map = maps.iter().find(|map| map.payload_type == number && map.clock_rate == CLOCK);
        let Some(map) = map else { continue };
        let parameters = fmtp::of(media, number);
        let Some(codec) = read_codec(&map.encoding_name, parameters) else { continue };
        if formats.len() < MAX_VIDEO_PAYLOAD_TYPES {
            formats.push(VideoFormat {
                number,
                codec,
                rtx: rtx.iter().find(|(of, _)| *of == number).map(|(_, rtx)| *rtx),
                feedback: read_feedback(media, number),
                level_asymmetry: fmtp::value(parameters, "level-asymmetry-allowed") == Some("1"),
            });
        }
    }
    Ok(formats)
}

/// The payload type that is sent again, and the one that it is sent in (RFC 4588 section 8.1).
fn read_rtx(media: &Media, map: &RtpMap) -> Option<(u8, u8)> {
    let is_rtx = map.encoding_name.eq_ignore_ascii_case("rtx") && map.payload_type < 128;
    let associated = fmtp::value(fmtp::of(media, map.payload_type), "apt").filter(|_| is_rtx)?;
    Some((associated.parse().ok()?, map.payload_type))
}

fn read_codec(name: &str, parameters: &str) -> Option<VideoCodec> {
    if name.eq_ignore_ascii_case("vp8") {
        return Some(VideoCodec::Vp8);
    }
    if !name.eq_ignore_ascii_case("h264") {
        return None;
    }
    let packetization_mode = match fmtp::value(parameters, "packetization-mode") {
        None | Some("0") => 0,
        Some("1") => 1,
        // The interleaved mode; no telephone has it.
        Some(_) => return None,
    };
    let profile_level_id = match fmtp::value(parameters, "profile-level-id") {
        None => h264::DEFAULT_PROFILE_LEVEL_ID,
        Some(text) => h264::read_profile_level_id(text)?,
    };
    Profile::of(profile_level_id)?;
    Some(VideoCodec::H264 { packetization_mode, profile_level_id })
}

fn read_parameter_sets(media: &Media, format: &VideoFormat) -> Option<DescribedSets> {
    let value = fmtp::value(fmtp::of(media, format.number), "sprop-parameter-sets")?;
    let value = h264::read_parameter_sets(value)?.into();
    matches!(format.codec, VideoCodec::H264 { .. })
        .then(|| DescribedSets { codec: format.canonical(), value })
}

/// `a=rtcp-fb` of one payload type, or of all (RFC 4585 section 4.2, RFC 5104 section 7.1).
fn read_feedback(media: &Media, number: u8) -> VideoFeedback {
    let mut feedback = VideoFeedback::default();
    let mut is_described = false;
    for line in media.get_attribute_values("rtcp-fb").flatten() {
        let Some((of, kind)) = line.trim().split_once(' ') else { continue };
        is_described = true;
        if of != "*" && of.parse() != Ok(number) {
            continue;
        }
        match kind.split_ascii_whitespace().collect::<Vec<_>>().as_slice() {
            ["nack"] => feedback.nack = true,
            ["nack", "pli"] => feedback.pli = true,
            ["ccm", "fir", ..] => feedback.fir = true,
            ["ccm", "tmmbr", ..] => feedback.tmmbr = true,
            ["goog-remb"] => feedback.remb = true,
            _ => {}
        }
    }
    if !is_described {
        // Without any, a full intra request is still the only way to a picture; who does not know it passes over it (RFC
        // 3550 section 6.1).
        feedback.fir = true;
    }
    feedback
}

/// `b=TIAS` (RFC 3890) or `b=AS` in kbit/s (RFC 8866 section 5.8), in bits per second.
fn read_bitrate(media: &Media) -> u32 {
    let of = |kind: &str, unit: u64| {
        let line = media.bandwidths.iter().find(|line| line.bwtype.eq_ignore_ascii_case(kind))?;
        u32::try_from(line.bandwidth.checked_mul(unit)?).ok()
    };
    of("TIAS", 1).or_else(|| of("AS", 1_000)).unwrap_or(0)
}

/// The id of [`TRANSPORT_CC`], where the peer also wants the feedback that goes with it.
fn read_extension(media: &Media) -> Option<u8> {
    let wanted = |line: &str| line.trim().ends_with(" transport-cc");
    media.get_attribute_values("rtcp-fb").flatten().find(|line| wanted(line))?;
    media.get_attribute_values("extmap").flatten().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let id = fields.next()?.split('/').next()?.parse().ok()?;
        (fields.next()? == TRANSPORT_CC && EXTENSION_IDS.contains(&id)).then_some(id)
    })
}

/// The `rtpmap` value behind the number.
pub(super) fn rtpmap(codec: VideoCodec) -> String {
    match codec {
        VideoCodec::H264 { .. } => format!("H264/{CLOCK}"),
        VideoCodec::Vp8 => format!("VP8/{CLOCK}"),
    }
}

/// The value of `a=fmtp` behind the number, where the codec has one. `sets`: those of what we send.
pub(super) fn parameters(format: &VideoFormat, sets: &[DescribedSets]) -> Option<String> {
    let VideoCodec::H264 { packetization_mode, profile_level_id } = format.codec else { return None };
    let [profile, constraints, level] = profile_level_id;
    let id = format!("{profile:02x}{constraints:02x}{level:02x}");
    // Either direction has an encoder and a decoder of its own, far from each other.
    let sets = sets.iter().find(|sets| sets.codec == format.canonical());
    let sets = sets.map_or(String::new(), |sets| format!(";sprop-parameter-sets={}", sets.value));
    Some(format!(
        "level-asymmetry-allowed=1;packetization-mode={packetization_mode};profile-level-id={id}{sets}"
    ))
}

/// The `rtpmap` value of retransmissions.
pub(super) fn rtx_map() -> String {
    format!("rtx/{CLOCK}")
}

#[cfg(test)]
mod tests;
