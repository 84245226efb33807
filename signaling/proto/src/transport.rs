//! Where messages come from and go to.

use std::net::SocketAddr;

/// A SIP transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    /// Whether messages arrive whole and in order, so that no transaction retransmits (RFC 3261 section 17).
    pub fn is_reliable(self) -> bool {
        self != Transport::Udp
    }

    /// The transport of a Via or of a URI's `transport` parameter; names compare without case.
    pub fn from_name(name: &str) -> Option<Transport> {
        use Transport::{Tcp, Tls, Udp, Ws, Wss};
        [Udp, Tcp, Tls, Ws, Wss].into_iter().find(|transport| transport.via_name().eq_ignore_ascii_case(name))
    }

    /// The name in a Via header field (RFC 3261 section 20.42, RFC 7118 section 5.2).
    pub fn via_name(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }
}

/// One TCP, TLS or WebSocket connection of this process's life. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Where a message came from, or the very path that a response or an outbound (RFC 5626) request takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The transport.
    pub transport: Transport,
    /// Our address, as bound (not as advertised).
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// The connection; `None` for UDP.
    pub connection: Option<ConnectionId>,
}

/// Where a message is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// Back along a known path. If its connection is closed, sending fails.
    Flow(Flow),
    /// To an address; a connection to it is opened, or an open one to the same address used again.
    Address {
        /// UDP, TCP or TLS.
        transport: Transport,
        /// The peer's address.
        remote: SocketAddr,
        /// Over UDP: the port of ours to send from, opened by [`crate::switch::Output::OpenPort`]; `None`: the common one.
        port: Option<u16>,
    },
}

/// One result of RFC 3263's procedures: try them in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// UDP, TCP or TLS.
    pub transport: Transport,
    /// The address.
    pub address: SocketAddr,
    /// The name that a TLS certificate must show (RFC 5922).
    pub name: String,
}
