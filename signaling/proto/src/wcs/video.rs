//! Whether a call has video, read from the descriptions that pass, and how large it is.

use tandem_control::PictureSize;

/// Which way video goes, as the client sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VideoState {
    /// There is none, or it pauses.
    #[default]
    Inactive,
    /// Both ways.
    SendRecv,
    /// From the client.
    SendOnly,
    /// To the client.
    RecvOnly,
}

impl VideoState {
    /// Of the client's own description.
    pub fn of_client(sdp: &str) -> VideoState {
        let Some((_, section)) = sdp.split_once("\nm=video ") else { return VideoState::Inactive };
        let section = section.split_once("\nm=").map_or(section, |(section, _)| section);
        // RFC 3264 section 6: a stream is refused by port 0; in an offer a bundled one has it too (RFC 9143 section 7.2).
        if section.starts_with("0 ") && !section.contains("\na=bundle-only") {
            return VideoState::Inactive;
        }
        let has = |direction: &str| {
            section.lines().any(|line| line.trim_end().strip_prefix("a=") == Some(direction))
        };
        match () {
            () if has("inactive") => VideoState::Inactive,
            () if has("sendonly") => VideoState::SendOnly,
            () if has("recvonly") => VideoState::RecvOnly,
            () => VideoState::SendRecv,
        }
    }

    /// Of a description that the client gets: what it says is from the other end's point of view.
    pub fn of_peer(sdp: &str) -> VideoState {
        match VideoState::of_client(sdp) {
            VideoState::SendOnly => VideoState::RecvOnly,
            VideoState::RecvOnly => VideoState::SendOnly,
            same => same,
        }
    }

    /// Whether the client sends pictures.
    pub fn is_sent(self) -> bool {
        matches!(self, VideoState::SendRecv | VideoState::SendOnly)
    }

    /// Whether it is shown pictures.
    pub fn is_shown(self) -> bool {
        matches!(self, VideoState::SendRecv | VideoState::RecvOnly)
    }

    /// Whether pictures go either way.
    pub fn is_active(self) -> bool {
        self != VideoState::Inactive
    }

    /// As in `state_video` of WCS 3.
    pub fn word(self) -> &'static str {
        match self {
            VideoState::Inactive => "inactive",
            VideoState::SendRecv => "sendrecv",
            VideoState::SendOnly => "sendonly",
            VideoState::RecvOnly => "recvonly",
        }
    }
}

/// The sizes of a call's pictures, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureSizes {
    /// Of those that the client is shown.
    pub player: Option<PictureSize>,
    /// Of those that it sends.
    pub streamer: Option<PictureSize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn video_is_there_unless_refused_or_inactive() {
        let audio = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendrecv\r\n";
        let state = |video: &str| VideoState::of_client(&format!("{audio}{video}"));
        assert_eq!(state(""), VideoState::Inactive);
        assert_eq!(state("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"), VideoState::SendRecv);
        assert_eq!(state("m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=sendrecv\r\n"), VideoState::Inactive);
        assert_eq!(state("m=video 0 RTP/SAVPF 96\r\na=bundle-only\r\na=recvonly\r\n"), VideoState::RecvOnly);
        assert_eq!(state("m=video 9 RTP/SAVPF 96\r\na=inactive\r\n"), VideoState::Inactive);
        let other = "m=video 9 RTP/SAVPF 96\r\na=sendonly\r\nm=application 9 X 1\r\na=inactive\r\n";
        assert_eq!(state(other), VideoState::SendOnly);
        assert_eq!(VideoState::of_peer(&format!("{audio}{other}")), VideoState::RecvOnly);
    }
}
