//! The bounds of a SIP message. A message above one of them is refused, never cut.

/// Bytes of a message, its body included. UDP carries no more; streams and WebSockets are held to the same.
pub const MESSAGE: usize = 65_536;
/// Bytes of the start line.
pub const START_LINE: usize = 4_096;
/// Bytes of one header field, unfolded.
pub const HEADER_FIELD: usize = 8_192;
/// Header fields, each element of a split comma list (Via, Route, Contact ...) counted.
pub const HEADERS: usize = 256;
/// Via header field values: more than Max-Forwards' recommended 70 means a loop (RFC 3261 section 8.1.1.6).
pub const VIAS: usize = 70;
/// Parameters of one value, or of one URI.
pub const PARAMS: usize = 64;
/// Header fields inside a URI.
pub const URI_HEADERS: usize = 32;

const _: () = assert!(START_LINE < HEADER_FIELD && HEADER_FIELD < MESSAGE && VIAS < HEADERS);
