//! The figures of a session's legs.

use std::time::Duration;

use tandem_control::{LegStats, Quality, StreamStats};

use super::Half;
use super::video::of_video;
use crate::Now;
use crate::quality::{Transmission, burst_ratio, quality};

/// What a receiver waits for: a packet of usual length.
const PACKET_TIME: Duration = Duration::from_millis(20);

/// The figures of the leg `here`, which is sent what `there` receives.
pub(super) fn of_leg(now: Now, here: &Half, there: &Half) -> LegStats {
    let output = &there.bridge.output;
    let sent = StreamStats {
        packets: output.packets,
        bytes: output.bytes,
        rtcp_packets: here.reports.sent,
        rtcp_bytes: here.reports.sent_bytes,
        ssrc: (output.packets > 0).then(|| output.ssrc()),
    };
    let silent = here.heard_at.map(|at| now.instant.saturating_duration_since(at));
    let repairs = here.repairs();
    LegStats {
        received: here.received,
        sent,
        dropped: here.dropped,
        rtcp_dropped: here.rtcp_dropped,
        silent_ms: silent.map(|time| time.as_millis() as u64),
        jitter_us: here.reception.jitter_us(),
        lost: here.reception.lost(),
        late: here.late(),
        round_trip_us: here.reports.round_trip.map(micros),
        peer_fraction_lost: here.reports.peer_fraction_lost,
        peer_lost: here.reports.peer_lost.unwrap_or(0),
        peer_jitter_us: peer_jitter_us(here, there),
        concealed: repairs.concealed,
        recovered: repairs.recovered,
        codec_us: here.bridge.stopwatch.total().as_micros() as u64,
        transcoded: here.bridge.transcodes,
        quality: received_quality(here),
        peer_quality: sent_quality(here, there),
        video: here.video.as_deref().map(|video| Box::new(of_video(now, video))),
    }
}

/// How well the peer of this leg is heard.
fn received_quality(here: &Half) -> Option<Quality> {
    let received = here.reception.received();
    let codec = here.bridge.codecs()[0].filter(|_| received > 0)?;
    let late = here.late();
    let lost = (u64::from(here.reception.lost()) + late).saturating_sub(here.repairs().recovered);
    let heard = received.saturating_sub(late);
    let transmission = Transmission {
        loss: lost as f64 / (heard + lost).max(1) as f64,
        burst_ratio: burst_ratio(heard, lost, here.reception.gaps().min(lost)),
        delay: delay(here, here.reception.jitter_us()),
    };
    quality(codec, &transmission)
}

/// How well the peer of this leg hears, by its reports.
fn sent_quality(here: &Half, there: &Half) -> Option<Quality> {
    let lost = u64::from(here.reports.peer_lost?);
    let codec = there.bridge.codecs()[1]?;
    let transmission = Transmission {
        loss: lost as f64 / there.bridge.output.packets.max(lost).max(1) as f64,
        // Reports tell nothing of bursts.
        burst_ratio: 1.0,
        delay: delay(here, peer_jitter_us(here, there)),
    };
    quality(codec, &transmission)
}

/// From this leg's peer to here, or back: half of the way there and back, a packet, and the jitter that its receiver
/// holds packets back for.
fn delay(here: &Half, jitter_us: u32) -> Duration {
    let way = here.reports.round_trip.unwrap_or(Duration::ZERO) / 2;
    way + PACKET_TIME + 2 * Duration::from_micros(jitter_us.into())
}

fn peer_jitter_us(here: &Half, there: &Half) -> u32 {
    let jitter =
        u64::from(here.reports.peer_jitter) * 1_000_000 / u64::from(there.bridge.output.clock().max(1));
    u32::try_from(jitter).unwrap_or(u32::MAX)
}

pub(super) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
