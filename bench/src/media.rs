//! The media generator: real speech as RTP or SRTP on many legs over few sockets, paced evenly; what comes back is
//! checked and timed. RTP headers and SRTP are those of the `rtp` and `webrtc-srtp` crates, so that an implementation
//! which is not ours judges the relay.

mod batch;
mod calls;
mod engine;
mod figures;
mod incoming;
mod marker;
mod outgoing;
mod protection;
mod sockets;

pub(crate) use crate::speech::Codec;
pub(crate) use calls::{Leg, Pacing};
pub(crate) use engine::Engine;
pub(crate) use figures::Direction;
pub(crate) use protection::{Keys, Protection};
pub(crate) use sockets::SocketId;
