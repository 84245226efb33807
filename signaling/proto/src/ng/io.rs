//! What goes into the relay and what comes out of it: its seam with the process around it.

use std::net::SocketAddr;
use std::sync::Arc;
use tandem_control::{Hello, Message, RequestFrame};

/// Whoever sent a request: where its reply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// The process's name for the way back: a socket, or a connection. The relay only hands it back.
    pub id: u64,
    /// The client's address. Cookies are told apart by its IP address, not by its port: a client may send a
    /// retransmission from another one.
    pub source: SocketAddr,
}

/// How a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// The cookie, a space, the dictionary: UDP, TCP, WebSocket, and HTTP's `/ng`.
    Cookie,
    /// The dictionary alone: HTTP's `/ng-plain`. So is the reply.
    Plain,
}

/// Something that happened.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "it is handled at once, one at a time")]
pub enum Input {
    /// One request, whole.
    Request {
        /// From whom.
        from: Client,
        /// How it is framed.
        framing: Framing,
        /// Its bytes, as received.
        bytes: Vec<u8>,
    },
    /// The dataplane is there (again).
    DataplaneUp(Hello),
    /// The connection to the dataplane is lost.
    DataplaneDown,
    /// The dataplane said something.
    Dataplane(Message),
    /// The relay's timeout has passed.
    Timeout,
}

/// Something to be done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a reply.
    Reply {
        /// To whom: the client of the request.
        to: Client,
        /// The reply, framed as the request was.
        bytes: Arc<[u8]>,
    },
    /// Send a request to the dataplane. Its id has bit 30 set.
    Dataplane(RequestFrame),
    /// Tell the operator, at the level of a warning: what was refused or ignored, each kind once.
    Warn(String),
}
