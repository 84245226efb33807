//! SIP on sockets: UDP, TCP and TLS, both ways.

pub(crate) mod listener;
pub(crate) mod stream;
pub(crate) mod transports;
pub(crate) mod udp;
mod user_ports;
