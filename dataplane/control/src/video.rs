//! The video stream of a leg: how it is reached, its payload types and what is done with them.

use crate::{Latch, Remote, Security};
#[cfg(doc)]
use crate::{LegConfig, Request};
use serde::{Deserialize, Serialize};

/// The largest number of payload types of video in one direction of a leg, those of retransmissions not counted.
pub const MAX_VIDEO_PAYLOAD_TYPES: usize = 16;

/// The video stream of a leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Video {
    /// What the peer may send, with the payload types of *our* description, in the order of preference.
    pub receive: Vec<VideoPayloadType>,
    /// What we may send, with the payload types of the *peer's* description, in its order of preference.
    pub send: Vec<VideoPayloadType>,
    /// Whether what the peer sends is taken.
    pub may_receive: bool,
    /// Whether the peer wants to see.
    pub may_send: bool,
    /// How it is reached on ports of its own, which the leg must have ([`Request::AddVideo`]); `None`: bundled with
    /// the audio (RFC 9143), then no payload type is one of the audio's.
    pub transport: Option<VideoTransport>,
    /// The SSRC of what we send, as our description says (`a=ssrc`, RFC 5576). Another one than before begins another
    /// stream; the same goes on where it was, also if the leg had no video in between.
    pub ssrc: u32,
    /// The SSRC of what we send again as RTX (RFC 4588 section 4), as our description says (`a=ssrc-group:FID`).
    pub rtx_ssrc: u32,
    /// The feedback that the peer understands.
    pub feedback: VideoFeedback,
    /// The most bits per second that the peer takes; 0: no limit.
    pub max_bitrate: u32,
    /// The parameter sets of H.264 are sent again before each key frame that comes without them.
    pub repeat_parameter_sets: bool,
}

/// The size of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PictureSize {
    /// In pixels, not 0.
    pub width: u16,
    /// In pixels, not 0.
    pub height: u16,
}

impl PictureSize {
    /// The size, if pictures can have it.
    pub fn new(width: u16, height: u16) -> Option<PictureSize> {
        (width > 0 && height > 0).then_some(PictureSize { width, height })
    }
}

/// One payload type of video. Its RTP clock is 90,000 Hz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoPayloadType {
    /// Its number, 0 to 127.
    pub number: u8,
    /// What it carries.
    pub codec: VideoCodec,
    /// The payload type of its retransmissions (RFC 4588), if it has one.
    pub rtx: Option<u8>,
}

/// What a payload type of video carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VideoCodec {
    /// H.264 (RFC 6184).
    H264 {
        /// 0: single NAL units, 1: non-interleaved. A receiver of mode 1 takes mode 0 too, not the other way round
        /// (RFC 6184 section 5.4).
        packetization_mode: u8,
        /// profile_idc, profile-iop and level_idc (RFC 6184 section 8.1).
        profile_level_id: [u8; 3],
    },
    /// VP8 (RFC 7741).
    Vp8,
}

/// A video stream on ports of its own: for it what [`LegConfig`] says of the audio's. It has no ICE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoTransport {
    /// How it is protected.
    pub security: Security,
    /// RTCP on the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// Where the peer says it is.
    pub remote: Option<Remote>,
    /// Which sources may become the peer's address.
    pub latch: Latch,
    /// As [`LegConfig::asymmetric`].
    pub asymmetric: bool,
}

/// The feedback that a peer understands (`a=rtcp-fb` of its description).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoFeedback {
    /// Generic NACK (RFC 4585 section 6.2.1).
    pub nack: bool,
    /// Picture loss indication (RFC 4585 section 6.3.1).
    pub pli: bool,
    /// Full intra request (RFC 5104 section 4.3.1).
    pub fir: bool,
    /// `goog-remb`.
    pub remb: bool,
    /// Temporary maximum media stream bit rate request and notification (RFC 5104 section 4.2), both ways.
    pub tmmbr: bool,
    /// `transport-cc`: the id of the header extension with which it numbers its packets, 1 to 14.
    pub transport_cc: Option<u8>,
}
