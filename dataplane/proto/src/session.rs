//! A session: two legs and the bridges between them.

use std::net::SocketAddr;
use tandem_control::Side;

use crate::drops::DropReason;

/// Which of a leg's two ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// RTP; and RTCP, STUN and DTLS where they are multiplexed with it.
    Rtp,
    /// RTCP of a leg without multiplexing.
    Rtcp,
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
}
