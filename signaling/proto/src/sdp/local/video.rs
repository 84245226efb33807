//! What is special to a video section of ours.

use super::VideoContent;
use crate::sdp::video;
use sdp_types::{Attribute, Bandwidth, BandwidthType, Media};

/// The payload types, the limit on the bandwidth, and the feedback.
pub(super) fn write(media: &mut Media, content: &VideoContent<'_>) {
    let numbers = content.formats.iter().flat_map(|format| [Some(format.number), format.rtx]).flatten();
    media.fmt = numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
    if content.max_bitrate > 0 {
        // RFC 3890 section 6.2; kbit/s for those who know the older one only, rounded up.
        let kilobits = u64::from(content.max_bitrate.div_ceil(1_000));
        media.bandwidths.push(Bandwidth::new(BandwidthType::As, kilobits));
        let bandwidth = u64::from(content.max_bitrate);
        media.bandwidths.push(Bandwidth { bwtype: "TIAS".to_owned(), bandwidth });
    }
    for format in content.formats {
        let number = format.number;
        media.add_attribute_with_value("rtpmap", format!("{number} {}", video::rtpmap(format.codec)));
        if let Some(parameters) = video::parameters(format, content.parameter_sets) {
            media.add_attribute_with_value("fmtp", format!("{number} {parameters}"));
        }
        if let Some(rtx) = format.rtx {
            media.add_attribute_with_value("rtpmap", format!("{rtx} {}", video::rtx_map()));
            media.add_attribute_with_value("fmtp", format!("{rtx} apt={number}"));
        }
    }
    let feedback = content.feedback;
    let kinds = [
        (feedback.nack, "nack"),
        (feedback.pli, "nack pli"),
        (feedback.fir, "ccm fir"),
        (feedback.tmmbr, "ccm tmmbr"),
        (feedback.remb, "goog-remb"),
        (feedback.transport_cc.is_some(), "transport-cc"),
    ];
    for (_, kind) in kinds.into_iter().filter(|(is_had, _)| *is_had) {
        media.add_attribute_with_value("rtcp-fb", format!("* {kind}"));
    }
    if let Some(id) = feedback.transport_cc {
        media.add_attribute_with_value("extmap", format!("{id} {}", video::TRANSPORT_CC));
    }
}

/// What our packets are named (RFC 5576): a browser tells retransmissions by it.
pub(super) fn write_sources(media: &mut Media, content: &VideoContent<'_>, stream: &str) {
    if !content.direction.sends() {
        return;
    }
    let (ssrc, rtx_ssrc) = (content.ssrc, content.rtx_ssrc);
    let has_rtx = content.formats.iter().any(|format| format.rtx.is_some());
    if has_rtx {
        media.add_attribute(Attribute::with_value("ssrc-group", format!("FID {ssrc} {rtx_ssrc}")));
    }
    for ssrc in [Some(ssrc), has_rtx.then_some(rtx_ssrc)].into_iter().flatten() {
        media.add_attribute_with_value("ssrc", format!("{ssrc} cname:{stream}"));
    }
}
