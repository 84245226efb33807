//! The figures of a session.

use crate::{PictureSize, VideoCodec};
use serde::{Deserialize, Serialize};

/// The figures of a session: sides A and B.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionStats {
    /// How long it has lived, in milliseconds.
    pub age_ms: u64,
    /// Per side.
    pub legs: [LegStats; 2],
}

/// The figures of one leg.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LegStats {
    /// From the peer.
    pub received: StreamStats,
    /// To the peer.
    pub sent: StreamStats,
    /// RTP packets, and what is neither RTP nor RTCP, that were dropped on arrival, for any reason.
    pub dropped: u64,
    /// RTCP packets that were dropped on arrival, for any reason.
    pub rtcp_dropped: u64,
    /// Milliseconds since the last RTP packet that was taken from the peer; `None` if there was none.
    pub silent_ms: Option<u64>,
    /// Interarrival jitter of what the peer sends (RFC 3550 section 6.4.1), in microseconds.
    pub jitter_us: u32,
    /// Packets that the peer sent and that never came, by sequence numbers.
    pub lost: u32,
    /// Round-trip time to the peer from its receiver reports, in microseconds, if it sent any.
    pub round_trip_us: Option<u32>,
    /// Fraction of our packets that the peer last reported lost, in 1/256.
    pub peer_fraction_lost: u8,
    /// Packets that came too late to be heard (where the peer's audio is decoded).
    pub late: u64,
    /// Packets of concealment that were put in where the peer's were lost (where its audio is decoded).
    pub concealed: u64,
    /// Lost packets that in-band FEC brought back (where its audio is decoded).
    pub recovered: u64,
    /// CPU time spent on decoding what the peer sends and on encoding it for the other side, in microseconds.
    pub codec_us: u64,
    /// How well the peer is heard here.
    pub quality: Option<Quality>,
    /// How well the peer hears us, by its reports.
    pub peer_quality: Option<Quality>,
    /// Our packets that the peer reported lost, in all.
    pub peer_lost: u32,
    /// The jitter of our packets that the peer last reported, in microseconds.
    pub peer_jitter_us: u32,
    /// Whether what this leg receives is transcoded for the other.
    pub transcoded: bool,
    /// Of its video, if it has or had some.
    pub video: Option<Box<VideoStats>>,
}

/// The figures of a leg's video.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VideoStats {
    /// From the peer, RTCP about video on the ports of the audio counted there.
    pub received: StreamStats,
    /// To the peer.
    pub sent: StreamStats,
    /// RTP packets, and what is neither RTP nor RTCP, that were dropped on arrival at ports of its own, for any reason.
    /// Where it has none, [`LegStats::dropped`] counts them.
    pub dropped: u64,
    /// The same of RTCP packets.
    pub rtcp_dropped: u64,
    /// Milliseconds since the last RTP packet that was taken from the peer; `None` if there was none.
    pub silent_ms: Option<u64>,
    /// Interarrival jitter of what the peer sends (RFC 3550 section 6.4.1), in microseconds.
    pub jitter_us: u32,
    /// Packets that the peer sent and that never came, by sequence numbers.
    pub lost: u32,
    /// Round-trip time to the peer from its receiver reports, in microseconds, if it sent any.
    pub round_trip_us: Option<u32>,
    /// Fraction of our packets that the peer last reported lost, in 1/256.
    pub peer_fraction_lost: u8,
    /// Our packets that the peer reported lost, in all.
    pub peer_lost: u32,
    /// The jitter of our packets that the peer last reported, in microseconds.
    pub peer_jitter_us: u32,
    /// Packets of the peer's that were lost, asked for (RFC 4585) and came.
    pub repaired: u64,
    /// Packets that were sent to the peer again since it asked for them (RFC 4588).
    pub repeated: u64,
    /// Key frames that the peer sent.
    pub key_frames: u64,
    /// What the peer sent last, if that is one of its payload types.
    pub codec: Option<VideoCodec>,
    /// The size of the pictures that the peer sends, as its newest key frame says.
    pub picture_size: Option<PictureSize>,
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStats {
    /// RTP packets.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// RTCP packets.
    pub rtcp_packets: u64,
    /// Their bytes, without what protects them.
    pub rtcp_bytes: u64,
    /// The SSRC of the newest RTP packet, if there was any.
    pub ssrc: Option<u32>,
}

/// The quality of one direction by the E-model (ITU-T G.107).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quality {
    /// The transmission rating R in hundredths: 0 to 10000.
    pub rating_x100: u16,
    /// The mean opinion score in hundredths: 100 to 450.
    pub mos_x100: u16,
}
