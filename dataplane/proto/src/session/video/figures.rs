//! The figures of a leg's video.

use tandem_control::VideoStats;

use super::{CLOCK, Video};
use crate::Now;
use crate::session::StreamStats;
use crate::session::figures::micros;

/// The figures of a leg's video.
pub(in crate::session) fn of_video(now: Now, video: &Video) -> VideoStats {
    let Video { outgoing, reports, reception, repair, .. } = video;
    let output = &outgoing.output;
    let sent = StreamStats {
        packets: output.packets,
        bytes: output.bytes,
        rtcp_packets: reports.sent,
        rtcp_bytes: reports.sent_bytes,
        ssrc: (output.packets > 0).then(|| output.ssrc()),
    };
    let silent = video.heard_at.map(|at| now.instant.saturating_duration_since(at));
    let peer_jitter = u64::from(reports.peer_jitter) * 1_000_000 / u64::from(CLOCK);
    VideoStats {
        received: video.received,
        sent,
        dropped: video.dropped,
        rtcp_dropped: video.rtcp_dropped,
        silent_ms: silent.map(|time| time.as_millis() as u64),
        jitter_us: reception.jitter_us(),
        lost: reception.lost(),
        round_trip_us: reports.round_trip.map(micros),
        peer_fraction_lost: reports.peer_fraction_lost,
        peer_lost: reports.peer_lost.unwrap_or(0),
        peer_jitter_us: u32::try_from(peer_jitter).unwrap_or(u32::MAX),
        repaired: repair.requests.repaired(),
        repeated: repair.repeated(),
        key_frames: repair.requests.key_frames.received,
        codec: video.codec,
        picture_size: video.sizes.known(),
    }
}
