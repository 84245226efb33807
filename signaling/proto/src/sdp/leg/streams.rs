//! Legs on which media goes one way: from a peer that publishes, and to those that play what it publishes.

use super::{FarSide, FarVideo, Leg};
use crate::sdp::{Direction, SdpError, answer_codec, codecs, not_acceptable};
use crate::settings::CodecName;

/// What a peer is told with which nothing can be shared.
const NO_COMMON_CODEC: &str = "No common codecs";

impl Leg {
    /// Writes the answer to the last offer of a peer that publishes: one codec of audio and one of video, so that those
    /// who play it are described what really comes.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`] if it offers no codec that it may have.
    pub fn write_publisher_answer(&mut self) -> Result<Vec<u8>, SdpError> {
        let theirs = self.far_video().map(|video| video.formats).unwrap_or_default();
        let usual = self.usual_video().into_iter().find(|ours| theirs.iter().any(|each| each.fits(ours)));
        let video = usual.map(|format| FarVideo {
            direction: Direction::RecvOnly,
            formats: vec![format],
            max_bitrate: 0,
            parameter_sets: Vec::new(),
        });
        let allowed = self.allowed().to_vec();
        let far = FarSide { direction: Direction::RecvOnly, video, ..FarSide::default() };
        self.write_one_way(&allowed, &far)
    }

    /// Writes the answer to the last offer of a peer that plays what the peer of `source` publishes. Its audio may be
    /// transcoded for it; pictures are forwarded.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`] if it cannot be sent one of the two, and wants it.
    pub fn write_player_answer(&mut self, source: &Leg) -> Result<Vec<u8>, SdpError> {
        let video = source.published_video();
        let must_have_video =
            video.is_some() && self.video_direction().is_some_and(|direction| direction.receives());
        let published: Vec<CodecName> = source.described.iter().filter_map(codecs::name_of).collect();
        let far = FarSide { direction: Direction::SendOnly, video, ..FarSide::default() };
        let answer = self.write_one_way(&published, &far)?;
        if must_have_video && !self.has_video() {
            return not_acceptable(NO_COMMON_CODEC);
        }
        Ok(answer)
    }

    fn write_one_way(&mut self, of_far: &[CodecName], far: &FarSide) -> Result<Vec<u8>, SdpError> {
        match answer_codec(&self.codecs(), self.allowed(), of_far) {
            Some(codec) => self.write_answer(codec, far),
            None => not_acceptable(NO_COMMON_CODEC),
        }
    }
}

#[cfg(test)]
mod tests;
