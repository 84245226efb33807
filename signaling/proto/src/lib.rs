//! The signaling protocols, sans-IO: SIP, SDP, the browser protocol (WCS), the NG protocol, and the call logic over them.
//!
//! Time, randomness, messages and DNS answers are arguments; what is to be sent comes out of a queue.
#![forbid(unsafe_code)]

pub mod call;
mod control_client;
pub mod messaging;
pub mod ng;
pub mod party;
pub mod presence;
pub mod registrar;
pub mod sdp;
pub mod settings;
pub mod sip;
pub mod switch;
mod table;
pub mod tones;
pub mod transport;
pub mod wcs;
