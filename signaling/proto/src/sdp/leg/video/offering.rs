//! Our offer of video, and the peer's answer to it.

use super::super::{DYNAMIC, FarSide, Kind, Leg, USUAL_OF_AUDIO, will};
use super::{FarVideo, is_single_nal};
use crate::sdp::{Description, Direction, Random, RemoteVideo, Section, VideoFormat, h264};
use crate::settings::VideoCodecName;
use tandem_control::VideoCodec;

/// The most formats that are offered: each costs some lines of a datagram.
const MAX_OFFERED: usize = 6;
/// The id that our offers give to the extension that numbers packets.
pub(super) const TRANSPORT_CC_ID: u8 = 3;

impl Leg {
    /// Decides on the video of an offer, from what the far side has of it.
    pub(in crate::sdp::leg) fn offer_video(&mut self, far: &FarSide, random: Random<'_>) {
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
        video.max_bitrate = super::limit(far.max_bitrate, limit);
        video.parameter_sets.clone_from(&far.parameter_sets);
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
                && !USUAL_OF_AUDIO.contains(number)
        };
        DYNAMIC.rev().find(is_free)
    }

    /// Takes the video of the peer's answer to our last offer; what is missing is no video.
    pub(in crate::sdp::leg) fn receive_video_answer(&mut self, answer: &Description) {
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
        let direction = will(video.direction, before, remote.direction);
        video.transport_cc = video.transport_cc.filter(|id| remote.transport_cc == Some(*id));
        video.remote = Some(RemoteVideo { formats, direction, ..remote.clone() });
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
