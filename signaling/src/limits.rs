//! Every bound of this process: queues, messages, deadlines.

use std::time::Duration;

/// Events that wait for the event loop. A datagram that finds it full is dropped; streams are read more slowly.
pub(crate) const EVENTS: usize = 4_096;
/// Messages that wait to be written to one connection; a consumer that is slower is disconnected.
pub(crate) const FRAMES_PER_CONNECTION: usize = 256;
/// Connections of NG clients, at once.
pub(crate) const NG_CONNECTIONS: usize = 256;
/// Bytes of one NG message on a stream; a datagram is no longer.
pub(crate) const NG_MESSAGE: usize = tandem_sip::ng::MAX_MESSAGE;
/// Requests that wait for the dataplane.
pub(crate) const DATAPLANE_REQUESTS: usize = 4_096;
/// Sent on a connection of ours and not acknowledged for so long, and the connection is given up (TCP_USER_TIMEOUT).
pub(crate) const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// Connections that we opened, at once.
pub(crate) const OUTGOING_CONNECTIONS: usize = 4_096;
/// DNS look-ups at once.
pub(crate) const LOOKUPS: usize = 256;
/// Targets of one look-up.
pub(crate) const TARGETS: usize = 16;
/// Bytes of one SIP message or one WebSocket message.
pub(crate) const MESSAGE: usize = tandem_sip::sip::limits::MESSAGE;
/// Bytes of a datagram's buffer: what UDP can carry.
pub(crate) const DATAGRAM: usize = 65_536;
/// The kernel's receive buffer of each UDP socket, in bytes: bursts wait there while the loop is busy.
pub(crate) const UDP_RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// Bytes of an HTTP request's head.
pub(crate) const HTTP_HEAD: usize = 16 * 1024;
/// Messages that wait to be written to disk.
pub(crate) const MESSAGES_TO_WRITE: usize = 1_024;
/// Bytes of a kept message's file: a body, and what SIP puts around it.
pub(crate) const KEPT_MESSAGE: usize = 65_536;
/// Kept messages that are read at the start.
pub(crate) const KEPT_MESSAGES: usize = 100_000;

/// For a TLS handshake, and to open a connection.
pub(crate) const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// From the first byte of a SIP message on a stream to its last (attacks.md row 15).
pub(crate) const MESSAGE_DEADLINE: Duration = Duration::from_secs(10);
/// For one message to be taken by a peer.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// A SIP stream on which nothing came for so long is closed. RFC 5626 section 4.4.1 has clients send a keep-alive
/// within 120 seconds; many send none, and register again within the hour.
pub(crate) const STREAM_IDLE: Duration = Duration::from_secs(3_900);
/// A stream must carry its first message within this.
pub(crate) const FIRST_MESSAGE: Duration = Duration::from_secs(30);
/// For the switch's answer to a message that ends its connection.
pub(crate) const LAST_ANSWER: Duration = Duration::from_millis(500);
/// For an HTTP request's head.
pub(crate) const HTTP_HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// The whole life of an HTTP connection that does not become a WebSocket.
pub(crate) const HTTP_CONNECTION: Duration = Duration::from_secs(120);
/// Between pings on a WebSocket.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(25);
/// A WebSocket on which nothing came for so long, pongs included, is closed.
pub(crate) const WEBSOCKET_IDLE: Duration = Duration::from_secs(60);
/// For one look-up of RFC 3263, all its queries together.
pub(crate) const LOOKUP_DEADLINE: Duration = Duration::from_secs(5);
/// Between attempts to reach the dataplane: first and longest wait.
pub(crate) const RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// For an answer to Hello.
pub(crate) const HELLO_DEADLINE: Duration = Duration::from_secs(5);
/// For the relay's reply to a request over HTTP: longer than the relay waits for the dataplane.
pub(crate) const NG_REPLY: Duration = Duration::from_secs(10);
/// For figures to be gathered for `/metrics`.
pub(crate) const METRICS_DEADLINE: Duration = Duration::from_secs(2);
/// For providers to answer that our accounts are unregistered, at a clean end: the launcher waits a little longer.
pub(crate) const LEAVE_DEADLINE: Duration = Duration::from_secs(3);
/// Between looks at the configured certificate's files.
pub(crate) const CERTIFICATE_POLL: Duration = Duration::from_secs(10);

const _: () = assert!(MESSAGE <= DATAGRAM);
const _: () = assert!(WEBSOCKET_IDLE.as_secs() > 2 * PING_INTERVAL.as_secs());
