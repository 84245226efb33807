//! What reaches the event loop, and the counting of what does not.

use crate::connection::Frame;
use tandem_control::{Hello, Message};
use tandem_sip::ng;
use tandem_sip::switch::Input;
use tandem_sip::transport::{ConnectionId, Flow};
use tokio::sync::{mpsc, oneshot};

/// One event.
pub(crate) enum Event {
    /// For the switch.
    Switch(Input),
    /// For the relay.
    Relay(ng::Input),
    /// The dataplane is there (again).
    DataplaneUp(Hello),
    /// The connection to the dataplane is lost.
    DataplaneDown,
    /// The dataplane said something.
    Dataplane(Message),
    /// A peer opened a connection. Its events follow; dropping `frames` closes it.
    Opened {
        /// Its id.
        connection: ConnectionId,
        /// Its path.
        flow: Flow,
        /// Where it speaks WCS, not SIP.
        wcs: Option<Wcs>,
        /// Writes to it.
        frames: mpsc::Sender<Frame>,
    },
    /// A client of NG opened a connection. Its requests follow; dropping `replies` closes it.
    NgOpened {
        /// Its id.
        id: u64,
        /// Writes to it.
        replies: mpsc::Sender<Vec<u8>>,
    },
    /// It closed.
    NgClosed {
        /// Its id.
        id: u64,
    },
    /// Asks for the counters.
    Counters(oneshot::Sender<Counters>),
}

/// What is known of a browser's connection.
pub(crate) struct Wcs {
    /// The `Origin` header field of its request.
    pub(crate) origin: Option<String>,
}

/// The figures of the state machines: name (with a `reason` after a dot where it has one) and value.
pub(crate) struct Counters {
    pub(crate) switch: Vec<(String, u64)>,
    pub(crate) relay: Vec<(&'static str, u64)>,
}

impl From<Input> for Event {
    fn from(input: Input) -> Event {
        Event::Switch(input)
    }
}

impl From<ng::Input> for Event {
    fn from(input: ng::Input) -> Event {
        Event::Relay(input)
    }
}

/// Where sockets put their events.
pub(crate) type Events = mpsc::Sender<Event>;

/// Why something that came from, or was meant for, the network was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drop {
    /// A datagram found the event queue full.
    EventQueueFull,
    /// A datagram could not be sent: the kernel's buffer is full.
    UdpSendBufferFull,
    /// A connection's queue was full: it was closed.
    SlowConsumer,
    /// A new connection was above the limit in all.
    TooManyConnections,
    /// A new connection was above the limit of its source.
    TooManyFromSource,
    /// A TLS handshake failed or took too long.
    TlsHandshake,
    /// A stream did not frame SIP messages (RFC 3261 section 18.3).
    Framing,
    /// A message did not arrive, or was not taken, in time.
    Deadline,
    /// A WebSocket broke its protocol or its limits, or went without a closing handshake.
    WebSocket,
    /// The dataplane's queue was full.
    DataplaneQueueFull,
    /// A look-up above the limit.
    TooManyLookups,
    /// An NG request came from an address that is not allowed.
    NgForbidden,
    /// An NG request came from a page (its `Origin` says so).
    NgOrigin,
}

impl Drop {
    fn reason(self) -> &'static str {
        match self {
            Drop::EventQueueFull => "event_queue_full",
            Drop::UdpSendBufferFull => "udp_send_buffer_full",
            Drop::SlowConsumer => "slow_consumer",
            Drop::TooManyConnections => "too_many_connections",
            Drop::TooManyFromSource => "too_many_from_source",
            Drop::TlsHandshake => "tls_handshake",
            Drop::Framing => "framing",
            Drop::Deadline => "deadline",
            Drop::WebSocket => "websocket",
            Drop::DataplaneQueueFull => "dataplane_queue_full",
            Drop::TooManyLookups => "too_many_lookups",
            Drop::NgForbidden => "ng_forbidden",
            Drop::NgOrigin => "ng_origin",
        }
    }

    /// Counts it.
    pub(crate) fn count(self) {
        metrics::counter!("tandem_signaling_drops_total", "reason" => self.reason()).increment(1);
    }
}
