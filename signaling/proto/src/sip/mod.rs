//! SIP (RFC 3261): messages, their header fields and URIs, framing on streams, and digest authentication.
//!
//! A message keeps its header fields as text, in their order. The typed accessors of [`Headers`] parse on demand; what
//! every element must understand (the start line, Via, From, To, Call-ID, CSeq, Max-Forwards, Content-Length, and
//! Contact and the routes where present) was already checked when [`Message::parse`] succeeded.

pub mod auth;
pub mod dialog;
mod header_name;
mod headers;
mod lexer;
pub mod limits;
mod message;
mod params;
mod parse;
pub mod registration;
mod stream;
pub mod transaction;
mod typed;
mod uri;
pub mod user_agent;
mod values;

pub use header_name::HeaderName;
pub use headers::{HeaderError, Headers};
pub use message::{Message, Method, Request, Response, default_reason, reply};
pub use params::Params;
pub use parse::ParseError;
pub use stream::{Frame, StreamBuffer, StreamError};
pub use uri::{Host, SipUri, TelUri, Uri, UriError};
pub use values::{Challenge, Contacts, ContentType, NameAddr, RAck, Refresher, SessionExpires, Via};

#[cfg(test)]
mod tests;
