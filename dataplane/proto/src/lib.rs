//! The media protocols, sans-IO: STUN and ICE, DTLS, SRTP, RTP, RTCP; legs, bridges and sessions over them.
//!
//! Time, randomness and packets are arguments. Nothing here opens a socket, reads a clock, or knows which driver
//! feeds it. After set-up the packet path allocates nothing.
#![forbid(unsafe_code)]

mod bridge;
mod bucket;
mod codecs;
mod decoding;
pub mod drops;
pub mod dtls;
pub mod dtmf;
mod encoding;
mod epoch;
mod events;
pub mod ice;
pub mod jitter;
mod leg;
pub mod limits;
mod made;
mod output;
pub mod packet;
pub mod playing;
mod protection;
pub mod quality;
mod reception;
pub mod recording;
mod reorder;
mod reports;
pub mod room;
mod routes;
pub mod rtcp;
pub mod rtp;
mod seat;
pub mod session;
mod silence;
mod source;
pub mod srtp;
mod stopwatch;
pub mod stun;
mod tone_detection;
mod transcode;
pub mod video;

use std::time::{Duration, Instant};

/// One reading of the clocks; a batch of packets shares it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic; drives every timer.
    pub instant: Instant,
    /// Since the Unix epoch; only for the NTP time stamps of sender reports.
    pub unix: Duration,
}
