//! The bounds of SIP.
//!
//! A message above one of its bounds is refused, never cut.

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

/// Bytes of a request above which it goes by TCP instead of UDP (RFC 3261 section 18.1.1, with the path's MTU unknown).
pub const UDP_REQUEST: usize = 1_300;
/// Servers of one name that are tried.
pub const TARGETS: usize = 8;
/// Servers that failed and are remembered at once.
pub const RESTING_SERVERS: usize = 1_024;
/// Challenges that one request answers: a proxy's and the server's own, each once more with a fresh nonce.
pub const CHALLENGES: u8 = 4;
/// Source addresses whose rate is counted at once.
pub const SOURCES: usize = 65_536;
/// Dialogs that one INVITE may fork into.
pub const FORKS: usize = 16;
/// Redirections that one call follows.
pub const REDIRECTS: usize = 5;
/// Contacts of one redirection that are tried.
pub const REDIRECT_CONTACTS: usize = 5;
/// Times that one registration follows a registrar's wish for a longer lifetime (423).
pub const REGISTRATION_RAISES: u32 = 3;
/// Times that one offer is sent again after 491 (Request Pending).
pub const GLARE_RETRIES: u8 = 5;
/// Reliable provisional responses that wait for the one before to be acknowledged (RFC 3262 section 3).
pub const RELIABLE_QUEUE: usize = 8;

const _: () = assert!(START_LINE < HEADER_FIELD && HEADER_FIELD < MESSAGE && VIAS < HEADERS);
