//! The figures of a session.

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
    /// Packets of silence or concealment that were put in where the peer's were lost (transcoding only).
    pub concealed: u64,
    /// Whether what this leg receives is transcoded for the other.
    pub transcoded: bool,
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
