//! SIP on sockets: UDP, TCP and TLS, both ways.

mod framing;
pub(crate) mod listener;
pub(crate) mod stream;
pub(crate) mod transports;
pub(crate) mod udp;
