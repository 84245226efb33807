//! What a leg describes of its video, and what the dataplane is told of it.

use super::transport::Transport;
use super::{FarSide, Kind, Leg, LegAddresses};
use crate::sdp::local::VideoContent;
use crate::sdp::{Description, Direction, Random, RemoteVideo, Section, VideoFormat, h264};
use crate::settings::VideoCodecName;
use std::net::SocketAddr;
use tandem_control::{
    Latch, Video as VideoConfig, VideoCodec, VideoFeedback, VideoPayloadType, VideoTransport,
};

/// The most formats that are offered: each costs some lines of a datagram.
const MAX_OFFERED: usize = 6;
/// The id that our offers give to the extension that numbers packets.
const TRANSPORT_CC_ID: u8 = 3;

/// What the far side of the call has of video.
#[derive(Clone, Debug, PartialEq)]
pub struct FarVideo {
    /// Which way it flows, as it sees that.
    pub direction: Direction,
    /// What it can be sent, in its order.
    pub formats: Vec<VideoFormat>,
    /// The most bits per second that it takes; 0: no limit.
    pub max_bitrate: u32,
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
    /// In our last description, as the far side has it.
    max_bitrate: u32,
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
        })
    }

    /// Takes the video of the peer's offer. What cannot be had here is as if it was not there.
    pub(super) fn receive_video_offer(&mut self, offer: &Description, random: Random<'_>) {
        let usable = offer.video.as_deref().filter(|video| self.can_take(offer, video));
        let Some(remote) = usable else {
            if let Some(video) = &mut self.video {
                video.refuse();
            }
            return;
        };
        let index = remote.index;
        let video = self.video_mut(index, &mut *random);
        video.index = index;
        if let Some((_, transport)) = &mut video.own {
            transport.receive_offer(&remote.transport, random);
        }
        for format in &remote.formats {
            video.numbers.retain(|known| !known.fits(format) && known.number != format.number);
            video.numbers.push(*format);
        }
        video.transport_cc = remote.transport_cc.filter(|_| video.own.is_none());
        video.remote = Some(remote.clone());
    }

    /// Whether video can be had as the peer offers it: in the one bundle of a browser, or protected like the audio.
    fn can_take(&self, offer: &Description, video: &RemoteVideo) -> bool {
        let section = offer.sections.get(video.index);
        let is_bundled =
            section.and_then(|section| section.mid.as_ref()).is_some_and(|mid| offer.bundle.contains(mid));
        let is_reachable = match self.kind {
            Kind::WebRtc => is_bundled && self.bundled,
            _ => self.video_addresses.is_some(),
        };
        let kind = section.map(|section| Kind::of_section(section, &video.transport));
        let is_protected = match (self.kind, kind) {
            (Kind::WebRtc, _) => true,
            (ours, Some(Ok(theirs))) => ours == theirs,
            _ => false,
        };
        self.may_have_video() && is_reachable && is_protected
    }

    fn video_mut(&mut self, index: usize, random: Random<'_>) -> &mut Video {
        let own = self.video_addresses.filter(|_| self.kind != Kind::WebRtc);
        let own = own.map(|addresses| (addresses, Transport::new(self.kind)));
        self.video.get_or_insert_with(|| Box::new(Video::new(index, own, random)))
    }

    /// Decides on the answer to the peer's video: all that both sides have. A stream is never transcoded, and what a
    /// sender may change to within its description must find its way too.
    pub(super) fn answer_video(&mut self, far: &FarSide) {
        let Some(video) = self.video.as_deref_mut() else { return };
        let (Some(far), Some(remote)) = (&far.video, &video.remote) else { return video.refuse() };
        let allowed = &self.profile.video.codecs;
        video.described = common(far, remote, |format| allowed.contains(&format.name()));
        if video.described.is_empty() {
            return video.refuse();
        }
        video.direction = far.direction.and(remote.direction.reversed());
        video.max_bitrate = limit(far.max_bitrate, self.profile.video.max_bitrate);
    }

    /// Decides on the video of an offer, from what the far side has of it.
    pub(super) fn offer_video(&mut self, far: &FarSide, random: Random<'_>) {
        let can_have = self.may_have_video() && (self.kind == Kind::WebRtc || self.video_addresses.is_some());
        let wanted = far.video.as_ref().filter(|far| can_have && !far.formats.is_empty());
        let (Some(far), limit) = (wanted, self.profile.video.max_bitrate) else {
            if let Some(video) = &mut self.video {
                video.refuse();
            }
            return;
        };
        let formats = self.offered_formats(far);
        if formats.is_empty() {
            return;
        }
        let index = self.video_section();
        let video = self.video_mut(index, &mut *random);
        video.index = index;
        video.direction = far.direction;
        video.max_bitrate = self::limit(far.max_bitrate, limit);
        if let Some((_, transport)) = &mut video.own {
            transport.offer(random);
        }
        let is_browser = self.kind == Kind::WebRtc;
        let numbered: Vec<VideoFormat> =
            formats.into_iter().map(|format| self.number_video(format, is_browser)).collect();
        let Some(video) = self.video.as_deref_mut() else { return };
        video.transport_cc = video.transport_cc.or(is_browser.then_some(TRANSPORT_CC_ID));
        video.described.clone_from(&numbered);
        // A section that is refused later must still name formats (RFC 8866 section 5.14).
        if let Some(section) = self.sections.get_mut(index) {
            let numbers: Vec<String> = numbered.iter().map(|format| format.number.to_string()).collect();
            section.formats = numbers.join(" ");
        }
        video.on_offer = numbered;
    }

    /// One of each kind that the far side has, in the configured order.
    fn offered_formats(&self, far: &FarVideo) -> Vec<VideoFormat> {
        let mut formats: Vec<VideoFormat> = Vec::new();
        for format in far.formats.iter().filter(|format| self.rank(format.name()) != usize::MAX) {
            match formats.iter_mut().find(|known| known.fits(format)) {
                // Of several the one that says best what it is: peers compare it by its digits.
                Some(known) if format.canonical() == format.codec => *known = *format,
                Some(_) => {}
                None => formats.push(*format),
            }
        }
        // A sender of mode 1 may cut a picture where it likes; a peer with both modes should take that.
        formats.sort_by_key(|format| (self.rank(format.name()), is_single_nal(format)));
        formats.truncate(MAX_OFFERED);
        formats
    }

    /// Where a codec stands in the configuration.
    fn rank(&self, name: VideoCodecName) -> usize {
        self.profile.video.codecs.iter().position(|known| *known == name).unwrap_or(usize::MAX)
    }

    /// The place of the video section: where one is, else behind all others.
    fn video_section(&mut self) -> usize {
        let known = self.video.as_ref().map(|video| video.index);
        let known = known.or_else(|| self.sections.iter().position(|section| section.media == "video"));
        if let Some(index) = known {
            return index;
        }
        let taken = |mid: &str| self.sections.iter().any(|section| section.mid.as_deref() == Some(mid));
        let mid = (1..).map(|number: usize| number.to_string()).find(|mid| !taken(mid));
        self.sections.push(Section {
            media: "video".to_owned(),
            protocol: self.kind.protocol().to_owned(),
            formats: String::new(),
            mid: mid.filter(|_| self.bundled),
            rejected: false,
        });
        self.sections.len() - 1
    }

    /// The numbers that a format has on this leg, given now if it had none.
    fn number_video(&mut self, format: VideoFormat, with_rtx: bool) -> VideoFormat {
        let known =
            self.video.iter().flat_map(|video| &video.numbers).find(|known| known.fits(&format)).copied();
        if let Some(known) = known {
            return VideoFormat { number: known.number, rtx: known.rtx.filter(|_| with_rtx), ..format };
        }
        let number = self.free_number(None);
        let Some(number) = number else { return VideoFormat { rtx: None, ..format } };
        let rtx = with_rtx.then(|| self.free_number(Some(number))).flatten();
        let numbered = VideoFormat { number, rtx, ..format };
        if let Some(video) = &mut self.video {
            video.numbers.push(numbered);
        }
        numbered
    }

    /// A dynamic payload type that nothing on this leg has: in a bundle they are all of one space (RFC 9143 section 9.2).
    fn free_number(&self, but: Option<u8>) -> Option<u8> {
        let is_free = |number: &u8| {
            Some(*number) != but
                && self.numbers.iter().all(|known| known.number != *number)
                && self.video.as_ref().is_none_or(|video| !video.uses(*number))
                && !super::USUAL_OF_AUDIO.contains(number)
        };
        super::DYNAMIC.rev().find(is_free)
    }

    /// Takes the video of the peer's answer to our last offer; what is missing is no video.
    pub(super) fn receive_video_answer(&mut self, answer: &Description) {
        let Some(video) = self.video.as_deref_mut() else { return };
        let remote = answer.video.as_deref().filter(|remote| remote.index == video.index);
        let Some(remote) = remote.filter(|_| !video.on_offer.is_empty()) else { return video.refuse() };
        if let Some((_, transport)) = &mut video.own
            && transport.receive_answer(&remote.transport).is_err()
        {
            return video.refuse();
        }
        let formats = answered_formats(&video.on_offer, &remote.formats);
        if formats.is_empty() {
            return video.refuse();
        }
        let is_answered = |ours: &&VideoFormat| formats.iter().any(|theirs| theirs.fits(ours));
        video.described = video.on_offer.iter().filter(is_answered).copied().collect();
        let before = video.remote.as_ref().map_or(Direction::SendRecv, |remote| remote.direction);
        let direction = super::will(video.direction, before, remote.direction);
        video.transport_cc = video.transport_cc.filter(|id| remote.transport_cc == Some(*id));
        video.remote = Some(RemoteVideo { formats, direction, ..remote.clone() });
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
            direction: video.direction,
            rtcp_mux: transport.rtcp_mux(),
            crypto,
            setup,
            feedback: VideoFeedback {
                remb: feedback.remb && self.kind == Kind::WebRtc,
                transport_cc: video.transport_cc,
                ..feedback
            },
            max_bitrate: video.max_bitrate,
            ssrc: video.ssrc,
            rtx_ssrc: video.rtx_ssrc,
        })
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
            feedback: VideoFeedback { transport_cc: video.transport_cc, ..feedback },
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
    VideoFeedback { nack: true, pli: true, fir: true, remb: true, transport_cc: None };

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

/// The peer's payload types in which the far side's formats are received, in the far side's order; their numbers, with
/// what the far side decodes.
fn common(far: &FarVideo, peer: &RemoteVideo, is_allowed: impl Fn(&VideoFormat) -> bool) -> Vec<VideoFormat> {
    let mut wanted: Vec<&VideoFormat> = far.formats.iter().filter(|format| is_allowed(format)).collect();
    wanted.sort_by_key(|format| is_single_nal(format));
    let mut common: Vec<VideoFormat> = Vec::new();
    for wanted in wanted {
        let fitting = peer.formats.iter().filter(|theirs| theirs.fits(wanted));
        // The last of several equals is what max_by_key takes; the peer's order has the first.
        let Some(theirs) = fitting.rev().max_by_key(|theirs| theirs.likeness(wanted)) else { continue };
        if !common.iter().any(|known| known.fits(theirs)) {
            common.push(VideoFormat { codec: answered_codec(theirs, wanted), ..*theirs });
        }
    }
    common
}

fn answered_codec(offered: &VideoFormat, far: &VideoFormat) -> VideoCodec {
    match (offered.codec, far.codec) {
        (
            VideoCodec::H264 { packetization_mode, profile_level_id: offered_id },
            VideoCodec::H264 { profile_level_id: far_id, .. },
        ) => {
            let may_differ = offered.level_asymmetry && far.level_asymmetry;
            let profile_level_id = h264::answered(offered_id, far_id, may_differ);
            VideoCodec::H264 { packetization_mode, profile_level_id }
        }
        (codec, _) => codec,
    }
}

/// The formats of an answer that were offered, in the answer's order.
fn answered_formats(offered: &[VideoFormat], answered: &[VideoFormat]) -> Vec<VideoFormat> {
    let mut formats: Vec<VideoFormat> = Vec::new();
    for theirs in answered {
        let same_number = offered.iter().find(|ours| ours.number == theirs.number);
        let format = match same_number {
            // Not every telephone repeats the parameters, as RFC 6184 section 8.2.2 wants it: it means what was offered.
            Some(ours) if ours.name() == theirs.name() && has_no_parameters(theirs) => {
                VideoFormat { codec: ours.codec, ..*theirs }
            }
            _ => *theirs,
        };
        let is_offered = offered.iter().any(|ours| ours.fits(&format));
        if is_offered && !formats.iter().any(|known| known.fits(&format)) {
            formats.push(format);
        }
    }
    formats
}

/// H.264 as it is described where nothing is said of it.
fn has_no_parameters(format: &VideoFormat) -> bool {
    let profile_level_id = h264::DEFAULT_PROFILE_LEVEL_ID;
    format.codec == VideoCodec::H264 { packetization_mode: 0, profile_level_id }
}

#[cfg(test)]
mod tests;
