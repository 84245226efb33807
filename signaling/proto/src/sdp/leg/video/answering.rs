//! The peer's offer of video, and our answer to it.

use super::super::{FarSide, Kind, Leg};
use super::{FarVideo, is_single_nal, limit};
use crate::sdp::{Description, Random, RemoteVideo, VideoFormat, h264};
use tandem_control::VideoCodec;

impl Leg {
    /// Takes the video of the peer's offer. What cannot be had here is as if it was not there.
    pub(in crate::sdp::leg) fn receive_video_offer(&mut self, offer: &Description, random: Random<'_>) {
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

    /// Decides on the answer to the peer's video: all that both sides have. A stream is never transcoded, and what a
    /// sender may change to within its description must find its way too.
    pub(in crate::sdp::leg) fn answer_video(&mut self, far: &FarSide) {
        let Some(video) = self.video.as_deref_mut() else { return };
        let (Some(far), Some(remote)) = (&far.video, &video.remote) else { return video.refuse() };
        let allowed = &self.profile.video.codecs;
        video.described = common(far, remote, |format| allowed.contains(&format.name()));
        if video.described.is_empty() {
            return video.refuse();
        }
        video.direction = far.direction.and(remote.direction.reversed());
        video.max_bitrate = limit(far.max_bitrate, self.profile.video.max_bitrate);
        video.parameter_sets.clone_from(&far.parameter_sets);
    }
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
