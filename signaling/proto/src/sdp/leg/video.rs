//! What a leg describes of its video, and what the dataplane is told of it.

mod answering;
mod offering;

use super::transport::Transport;
use super::{Kind, Leg, LegAddresses};
use crate::sdp::local::VideoContent;
use crate::sdp::{DescribedSets, Direction, Random, RemoteVideo, VideoFormat};
use std::net::SocketAddr;
use tandem_control::{
    Latch, Video as VideoConfig, VideoCodec, VideoFeedback, VideoPayloadType, VideoTransport,
};

/// What the far side of the call has of video.
#[derive(Clone, Debug, PartialEq)]
pub struct FarVideo {
    /// Which way it flows, as it sees that.
    pub direction: Direction,
    /// What it can be sent, in its order.
    pub formats: Vec<VideoFormat>,
    /// The most bits per second that it takes; 0: no limit.
    pub max_bitrate: u32,
    /// Of what it sends.
    pub parameter_sets: Vec<DescribedSets>,
}

/// The video of a leg that has, had or was asked to have some.
#[derive(Clone, Debug)]
pub(super) struct Video {
    /// Where its section stands among all.
    index: usize,
    /// On ports of its own; `None`: bundled with the audio (RFC 9143).
    own: Option<(LegAddresses, Transport)>,
    /// The numbers that were given to a coding, by either side: they must not change (RFC 3264 section 8.3.2).
    numbers: Vec<VideoFormat>,
    /// In our last description; after an answer only what is in both. None: the section is refused.
    described: Vec<VideoFormat>,
    on_offer: Vec<VideoFormat>,
    direction: Direction,
    /// In our last description, as the far side has them.
    max_bitrate: u32,
    parameter_sets: Vec<DescribedSets>,
    transport_cc: Option<u8>,
    ssrc: u32,
    rtx_ssrc: u32,
    /// What the peer wants; `None` when it wants none, or what it wants was refused.
    remote: Option<RemoteVideo>,
}

impl Video {
    fn new(index: usize, own: Option<(LegAddresses, Transport)>, random: Random<'_>) -> Video {
        let mut ssrc = || {
            let mut bytes = [0; 4];
            random(&mut bytes);
            u32::from_be_bytes(bytes)
        };
        Video {
            index,
            own,
            numbers: Vec::new(),
            described: Vec::new(),
            on_offer: Vec::new(),
            direction: Direction::SendRecv,
            max_bitrate: 0,
            parameter_sets: Vec::new(),
            transport_cc: None,
            ssrc: ssrc(),
            rtx_ssrc: ssrc(),
            remote: None,
        }
    }

    /// Nothing of it is wanted any more.
    fn refuse(&mut self) {
        self.described.clear();
        self.on_offer.clear();
        self.remote = None;
    }

    pub(super) fn uses(&self, number: u8) -> bool {
        self.numbers.iter().any(|format| format.number == number || format.rtx == Some(number))
    }
}

impl Leg {
    /// Whether the configuration allows it video.
    pub fn may_have_video(&self) -> bool {
        !self.profile.video.codecs.is_empty()
    }

    /// What it could be sent, before its peer said anything of that.
    pub fn usual_video(&self) -> Vec<VideoFormat> {
        self.profile.video.codecs.iter().flat_map(|name| VideoFormat::usual(*name)).collect()
    }

    /// Whether it could have video if it had ports for it.
    pub fn needs_video_ports(&self) -> bool {
        self.may_have_video() && self.kind != Kind::WebRtc && self.video_addresses.is_none()
    }

    /// It was given ports for its video.
    pub fn set_video_addresses(&mut self, addresses: LegAddresses) {
        self.video_addresses = Some(addresses);
    }

    /// Which way the peer wants video to flow; `None` where it wants none.
    pub fn video_direction(&self) -> Option<Direction> {
        self.video.as_ref()?.remote.as_ref().map(|remote| remote.direction)
    }

    /// Whether both descriptions have video.
    pub fn has_video(&self) -> bool {
        self.video.as_ref().is_some_and(|video| video.remote.is_some() && !video.described.is_empty())
    }

    /// Whether a picture of one peer can be sent to the other.
    pub fn shares_video(&self, other: &Leg) -> bool {
        let described =
            |leg: &Leg| leg.video.as_ref().map(|video| video.described.clone()).unwrap_or_default();
        let theirs = described(other);
        described(self).iter().any(|ours| theirs.iter().any(|theirs| theirs.fits(ours)))
    }

    /// Where the peer last said that its video is, where it has an address of its own.
    pub fn video_peer_address(&self) -> Option<SocketAddr> {
        self.video.as_ref()?.own.as_ref()?.1.rtp_address()
    }

    /// What the peer has of video, as the other side of the call has to know it.
    pub(super) fn far_video(&self) -> Option<FarVideo> {
        let video = self.video.as_ref()?;
        let remote = video.remote.as_ref()?;
        let is_allowed = |format: &&VideoFormat| self.profile.video.codecs.contains(&format.name());
        let own = self.profile.video.max_bitrate;
        let limits = [remote.max_bitrate, own].into_iter().filter(|limit| *limit > 0);
        Some(FarVideo {
            direction: remote.direction,
            formats: remote.formats.iter().filter(is_allowed).copied().collect(),
            max_bitrate: limits.min().unwrap_or(0),
            parameter_sets: remote.parameter_sets.clone(),
        })
    }

    /// What of video our description lets the peer send, as those have to know it to whom it goes.
    pub(super) fn published_video(&self) -> Option<FarVideo> {
        let video = self.video.as_ref()?;
        let remote = video.remote.as_ref()?;
        let flows = video.direction.receives() && remote.direction.sends();
        (flows && !video.described.is_empty()).then(|| FarVideo {
            direction: Direction::SendOnly,
            formats: video.described.clone(),
            max_bitrate: 0,
            parameter_sets: remote.parameter_sets.clone(),
        })
    }

    fn video_mut(&mut self, index: usize, random: Random<'_>) -> &mut Video {
        let own = self.video_addresses.filter(|_| self.kind != Kind::WebRtc);
        let own = own.map(|addresses| (addresses, Transport::new(self.kind)));
        self.video.get_or_insert_with(|| Box::new(Video::new(index, own, random)))
    }

    /// What our description says of the video; `None`: its section is refused.
    pub(super) fn video_content(&self, is_offer: bool) -> Option<VideoContent<'_>> {
        let video = self.video.as_deref().filter(|video| !video.described.is_empty())?;
        let (addresses, transport) = match &video.own {
            Some((addresses, transport)) => (*addresses, transport),
            None => (self.local.addresses, &self.transport),
        };
        let (crypto, setup) = if is_offer { transport.offered() } else { transport.answered() };
        let feedback = match &video.remote {
            Some(remote) if !is_offer => described_feedback(&video.described, remote),
            _ => OUR_FEEDBACK,
        };
        Some(VideoContent {
            index: video.index,
            mid: self.sections.get(video.index)?.mid.as_deref().filter(|_| video.own.is_none()),
            addresses,
            formats: &video.described,
            parameter_sets: &video.parameter_sets,
            direction: video.direction,
            rtcp_mux: transport.rtcp_mux(),
            crypto,
            setup,
            feedback: VideoFeedback {
                remb: feedback.remb && self.kind == Kind::WebRtc,
                transport_cc: video.transport_cc,
                ..self.limited_by_one(feedback)
            },
            max_bitrate: video.max_bitrate,
            ssrc: video.ssrc,
            rtx_ssrc: video.rtx_ssrc,
        })
    }

    /// A browser's bit rate is told by REMB; by TMMBR as well it would have two limits, of which one never ends.
    fn limited_by_one(&self, feedback: VideoFeedback) -> VideoFeedback {
        VideoFeedback { tmmbr: feedback.tmmbr && self.kind != Kind::WebRtc, ..feedback }
    }

    /// The video, as the dataplane shall have it.
    pub(super) fn video_config(&self, latch: Latch) -> Option<Box<VideoConfig>> {
        let video = self.video.as_deref().filter(|_| self.has_video())?;
        let remote = video.remote.as_ref()?;
        let transport = match &video.own {
            None => None,
            Some((_, transport)) => Some(VideoTransport {
                security: transport.security()?,
                rtcp_mux: transport.rtcp_mux(),
                remote: transport.address(),
                latch,
                asymmetric: false,
            }),
        };
        let sent = video.described.iter().filter_map(|ours| sent_as(ours, &remote.formats));
        let send: Vec<VideoPayloadType> = sent.map(payload_type).collect();
        let feedback = described_feedback(&video.described, remote);
        Some(Box::new(VideoConfig {
            receive: video.described.iter().map(payload_type).collect(),
            send,
            may_receive: video.direction.receives() && remote.direction.sends(),
            may_send: video.direction.sends() && remote.direction.receives(),
            transport,
            ssrc: video.ssrc,
            rtx_ssrc: video.rtx_ssrc,
            feedback: VideoFeedback { transport_cc: video.transport_cc, ..self.limited_by_one(feedback) },
            max_bitrate: limit(remote.max_bitrate, self.profile.video.max_bitrate),
            repeat_parameter_sets: self.profile.video.repeat_parameter_sets,
        }))
    }
}

/// H.264 in packetization mode 0.
fn is_single_nal(format: &VideoFormat) -> bool {
    matches!(format.codec, VideoCodec::H264 { packetization_mode: 0, .. })
}

/// What we understand of what a peer may send about our video.
const OUR_FEEDBACK: VideoFeedback =
    VideoFeedback { nack: true, pli: true, fir: true, remb: true, tmmbr: true, transport_cc: None };

/// The lower of two limits, where 0 is none.
fn limit(one: u32, other: u32) -> u32 {
    [one, other].into_iter().filter(|limit| *limit > 0).min().unwrap_or(0)
}

fn payload_type(format: &VideoFormat) -> VideoPayloadType {
    VideoPayloadType { number: format.number, codec: format.canonical(), rtx: format.rtx }
}

/// What we send of a format: with the peer's number for it, which is ours where we answered (RFC 3264 section 6.1).
fn sent_as<'a>(ours: &VideoFormat, theirs: &'a [VideoFormat]) -> Option<&'a VideoFormat> {
    let fitting = || theirs.iter().filter(|theirs| theirs.fits(ours));
    fitting().find(|theirs| theirs.number == ours.number).or_else(|| fitting().next())
}

/// What the peer takes back about the formats that are in both descriptions.
fn described_feedback(described: &[VideoFormat], remote: &RemoteVideo) -> VideoFeedback {
    let theirs = remote.formats.iter().find(|theirs| described.iter().any(|ours| ours.fits(theirs)));
    theirs.map_or(VideoFeedback::default(), |theirs| theirs.feedback)
}

#[cfg(test)]
mod tests;
