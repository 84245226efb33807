//! The figures of calls, for those who ask.

use super::Relay;
use super::call::{Call, Dialogue};
use super::leg::Leg;
use super::media::{Media, index};
use crate::ng::{
    CallReport, MediaReport, SsrcQuality, SsrcReport, Statistics, StreamReport, TagReport, Traffic,
};
use crate::sdp::crypto;
use std::time::Instant;
use tandem_control::{LegStats, Quality, Security, SessionId, SessionStats, Side};

/// What is known of these dialogues of a call. `now`: seconds since 1970.
pub(super) fn report<'a>(
    call: &Call,
    dialogues: impl Iterator<Item = &'a Dialogue>,
    figures: &[(SessionId, SessionStats)],
    now: u64,
) -> CallReport {
    let mut report =
        CallReport { created: call.created, last_signal: call.last_signal, ..CallReport::default() };
    for (_, stats) in figures {
        for leg in &stats.legs {
            add(&mut report.rtp, rtp(leg));
            add(&mut report.rtcp, rtcp(leg));
        }
        report.ssrcs.extend(sources(stats, now));
    }
    for dialogue in dialogues {
        for side in [Side::A, Side::B] {
            let of_side = tag(dialogue, side, figures, now);
            // One party may be in several dialogues, as the caller of a forked INVITE is.
            match report.tags.iter_mut().find(|known| known.tag == of_side.tag) {
                Some(known) => known.medias.extend(of_side.medias),
                None => report.tags.push(of_side),
            }
        }
    }
    report
}

fn tag(dialogue: &Dialogue, side: Side, figures: &[(SessionId, SessionStats)], now: u64) -> TagReport {
    let party = &dialogue.parties[index(side)];
    let other = &dialogue.parties[index(side.other())].tag;
    let media = dialogue.sections.iter().enumerate().filter_map(|(at, media)| Some((at, media.as_deref()?)));
    TagReport {
        tag: party.tag.to_string(),
        label: party.label.as_deref().map(str::to_owned),
        created: party.created,
        in_dialogue_with: (!other.is_empty()).then(|| other.to_string()),
        medias: media
            .map(|(at, media)| {
                let figures = figures.iter().find(|(session, _)| Some(*session) == media.session);
                media_report(at, media, side, figures.map(|(_, stats)| &stats.legs[index(side)]), now)
            })
            .collect(),
    }
}

fn media_report(at: usize, media: &Media, side: Side, stats: Option<&LegStats>, now: u64) -> MediaReport {
    let leg = media.leg(side);
    let mut flags = vec!["initialized"];
    flags.extend(leg.rtcp_mux.then_some("rtcp-mux"));
    flags.extend(leg.ice.is_some().then_some("ICE"));
    flags.extend(match leg.security {
        Security::None => None,
        Security::Sdes { .. } => Some("SDES"),
        Security::Dtls { .. } => Some("DTLS-SRTP"),
    });
    let stream = |is_rtcp: bool| stream(media, side, leg, stats, is_rtcp, now);
    let mut streams = vec![stream(false)];
    if !leg.rtcp_mux {
        streams.push(stream(true));
    }
    MediaReport {
        index: at + 1,
        kind: "audio",
        protocol: leg.protocol.map(|protocol| protocol.name()).unwrap_or_default(),
        flags,
        streams,
    }
}

fn stream(
    media: &Media,
    side: Side,
    leg: &Leg,
    stats: Option<&LegStats>,
    is_rtcp: bool,
    now: u64,
) -> StreamReport {
    let local = media.local.map(|local| local[index(side)]);
    let remote = leg.place.remote;
    let suite = match &leg.security {
        Security::Sdes { send, .. } => Some(crypto::suite_name(send.suite)),
        _ => None,
    };
    let received = stats.map(if is_rtcp { rtcp } else { rtp }).unwrap_or_default();
    let endpoint = remote.map(|remote| if is_rtcp { remote.rtcp } else { remote.rtp });
    let mut flags = vec![if is_rtcp { "RTCP" } else { "RTP" }];
    flags.extend(endpoint.is_some().then_some("filled"));
    flags.extend((received.packets > 0).then_some("confirmed"));
    let silent = stats.and_then(|stats| stats.silent_ms).filter(|_| !is_rtcp);
    let sent = stats.map(|stats| {
        let sent = stats.sent;
        let (packets, bytes) =
            if is_rtcp { (sent.rtcp_packets, sent.rtcp_bytes) } else { (sent.packets, sent.bytes) };
        Traffic { packets, bytes, errors: 0 }
    });
    StreamReport {
        local: local.map(|local| if is_rtcp { local.rtcp } else { local.rtp }),
        endpoint,
        advertised_endpoint: endpoint,
        crypto_suite: suite,
        last_packet: silent.map_or(0, |silent| now.saturating_sub(silent / 1_000)),
        flags,
        ssrc: stats.and_then(|stats| stats.received.ssrc).filter(|_| !is_rtcp),
        received,
        sent: sent.unwrap_or_default(),
    }
}

fn rtp(leg: &LegStats) -> Traffic {
    Traffic { packets: leg.received.packets, bytes: leg.received.bytes, errors: leg.dropped }
}

fn rtcp(leg: &LegStats) -> Traffic {
    Traffic { packets: leg.received.rtcp_packets, bytes: leg.received.rtcp_bytes, errors: leg.rtcp_dropped }
}

fn add(total: &mut Traffic, one: Traffic) {
    total.packets += one.packets;
    total.bytes += one.bytes;
    total.errors += one.errors;
}

/// What the party sends, as it is heard here, and what is sent to it, as its reports say that it is heard there. A source
/// that is forwarded under its own number is both for two parties: what is heard here counts.
fn sources(stats: &SessionStats, now: u64) -> Vec<SsrcReport> {
    let heard = stats.legs.iter().filter_map(|leg| heard(leg, now));
    let mut sources: Vec<SsrcReport> = heard.collect();
    for told in stats.legs.iter().filter_map(|leg| heard_there(leg, now)) {
        if sources.iter().all(|known| known.ssrc != told.ssrc) {
            sources.push(told);
        }
    }
    sources
}

fn heard(leg: &LegStats, now: u64) -> Option<SsrcReport> {
    let expected = leg.received.packets + u64::from(leg.lost);
    let quality = |quality: Quality| SsrcQuality {
        mos_x10: tenths(quality),
        jitter_ms: leg.jitter_us / 1_000,
        packet_loss_percent: percent(leg.lost.into(), expected),
        round_trip_us: leg.round_trip_us,
        reported_at: now.saturating_sub(leg.silent_ms.unwrap_or(0) / 1_000),
    };
    Some(SsrcReport {
        ssrc: leg.received.ssrc?,
        lost: leg.lost.into(),
        quality: leg.quality.map(quality),
        traffic: rtp(leg),
    })
}

fn heard_there(leg: &LegStats, now: u64) -> Option<SsrcReport> {
    let quality = |quality: Quality| SsrcQuality {
        mos_x10: tenths(quality),
        jitter_ms: leg.peer_jitter_us / 1_000,
        packet_loss_percent: percent(leg.peer_lost.into(), leg.sent.packets),
        round_trip_us: leg.round_trip_us,
        reported_at: now,
    };
    Some(SsrcReport {
        ssrc: leg.sent.ssrc?,
        lost: leg.peer_lost.into(),
        quality: leg.peer_quality.map(quality),
        traffic: Traffic { packets: leg.sent.packets, bytes: leg.sent.bytes, errors: 0 },
    })
}

fn tenths(quality: Quality) -> u16 {
    (quality.mos_x100 + 5) / 10
}

fn percent(lost: u64, of: u64) -> u32 {
    u32::try_from((lost * 100).checked_div(of).unwrap_or(0).min(100)).unwrap_or(100)
}

impl Relay {
    /// The figures of the whole relay.
    pub(super) fn statistics(&self, now: Instant) -> Statistics {
        let counters = &self.counters;
        Statistics {
            sessions: self.calls.len() as u64,
            uptime: now.saturating_duration_since(self.started.0).as_secs(),
            managed_sessions: counters.calls_made,
            rejected_sessions: counters.calls_refused,
            timeout_sessions: counters.media_timeouts + counters.offer_timeouts,
            regular_terminated_sessions: counters.calls_deleted,
            forced_terminated_sessions: counters.sessions_lost,
            commands: counters.commands.clone(),
            ..Statistics::default()
        }
    }
}
