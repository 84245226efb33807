//! What a session and whoever drives it say to each other about packets.

use std::net::SocketAddr;
use std::time::Instant;

use tandem_control::Side;

use super::Medium;
#[cfg(doc)]
use super::Session;
use crate::drops::DropReason;

/// Which of a leg's ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// RTP; and RTCP, STUN and DTLS where they are multiplexed with it.
    Rtp,
    /// RTCP of a leg without multiplexing.
    Rtcp,
    /// As [`Component::Rtp`], for video on ports of its own.
    VideoRtp,
    /// As [`Component::Rtcp`], for video on ports of its own.
    VideoRtcp,
}

impl Component {
    /// The port that does for video on ports of its own what this one does for the leg.
    pub(crate) fn of_video(self) -> Component {
        match self {
            Component::Rtp | Component::VideoRtp => Component::VideoRtp,
            Component::Rtcp | Component::VideoRtcp => Component::VideoRtcp,
        }
    }

    /// The other way round.
    pub(crate) fn of_audio(self) -> Component {
        match self {
            Component::Rtp | Component::VideoRtp => Component::Rtp,
            Component::Rtcp | Component::VideoRtcp => Component::Rtcp,
        }
    }
}

/// What is to be done with a datagram that was not dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing more.
    Consumed,
    /// The packet, as it is now, is to be sent from that port to that address.
    Forward {
        /// The side that sends it.
        to: Side,
        /// From which of its ports.
        component: Component,
        /// Where to.
        destination: SocketAddr,
    },
}

/// Takes what a session sends beside the packet in hand: the rare and the small.
pub trait Outbox {
    /// Sends a copy of `bytes` from the port of that side and component.
    fn send(&mut self, from: Side, component: Component, destination: SocketAddr, bytes: &[u8]);

    /// Counts a packet that was taken first and is dropped now: one that waited behind a gap, or a frame made from
    /// it.
    fn dropped(&mut self, reason: DropReason);

    /// Gives a copy of a packet from a peer that is watched ([`Session::watch`]), in the clear, to those who watch.
    /// There is at most one for each datagram. Where nobody does this, nobody sees it.
    fn copy(&mut self, _medium: Medium, _packet: &[u8]) {}

    /// Reads a clock with which the work of codecs is measured, from time to time. `None`: it is not measured.
    fn clock(&self) -> Option<Instant> {
        None
    }
}
