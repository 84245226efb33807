//! The switch: what the signaling process drives. One state machine; everything that happens goes in as an
//! [`Input`], everything it wants comes out as an [`Output`].

use crate::transport::{ConnectionId, Destination, Flow, Target};
use std::net::SocketAddr;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// One SIP message: a datagram, a WebSocket frame, or cut out of a stream.
    Sip {
        /// The path it came on.
        flow: Flow,
        /// Its bytes, as received.
        bytes: Vec<u8>,
    },
    /// A message could not be sent, or its connection could not be opened (RFC 3261 section 8.1.3.1: as a 503).
    SendFailed {
        /// Where it was to go.
        destination: Destination,
        /// The [`Output::Sip`]'s key.
        key: SendKey,
    },
    /// A connection that carried SIP closed.
    Closed {
        /// Which.
        connection: ConnectionId,
    },
    /// The answer to [`Output::Resolve`]; no targets: the name has no address.
    Resolved {
        /// Its id.
        query: u64,
        /// In the order to be tried.
        targets: Vec<Target>,
    },
    /// A browser opened a WebSocket without the sub-protocol `sip`.
    WcsOpened {
        /// The connection.
        connection: ConnectionId,
        /// Its address.
        remote: SocketAddr,
    },
    /// One text frame on it.
    Wcs {
        /// The connection.
        connection: ConnectionId,
        /// The text.
        text: String,
    },
    /// It closed.
    WcsClosed {
        /// The connection.
        connection: ConnectionId,
    },
    /// The dataplane is there (again).
    DataplaneUp(tandem_control::Hello),
    /// The connection to the dataplane is lost.
    DataplaneDown,
    /// The dataplane said something.
    Dataplane(tandem_control::Message),
    /// [`crate::switch`]'s timeout has passed.
    Timeout,
}

/// Names one outgoing message, so that a failure to send it finds its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SendKey(pub u64);

/// Something to be done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send one SIP message.
    Sip {
        /// Where to.
        destination: Destination,
        /// The name a TLS server's certificate must show, where we open the connection.
        tls_name: Option<String>,
        /// For [`Input::SendFailed`].
        key: SendKey,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Find the servers of a SIP URI (RFC 3263); answered by [`Input::Resolved`].
    Resolve {
        /// Its id.
        query: u64,
        /// The URI's or the route's host.
        host: String,
        /// Its port, where it has one.
        port: Option<u16>,
        /// Its transport parameter, where it has one.
        transport: Option<crate::transport::Transport>,
        /// `sips:`.
        secure: bool,
    },
    /// Send one text frame to a browser.
    Wcs {
        /// The connection.
        connection: ConnectionId,
        /// The text.
        text: String,
    },
    /// Close a browser's connection (or a SIP connection) after what was sent.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Send a request to the dataplane.
    Dataplane(tandem_control::RequestFrame),
}
