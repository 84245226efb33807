//! The NG protocol, by which a SIP proxy has its calls' media relayed: rtpengine's, as the modules of Kamailio and OpenSIPS
//! speak it.
//!
//! The wire half: a message is cut out of a datagram ([`Frame`]) or a stream ([`StreamBuffer`]), its body, bencode or
//! JSON, becomes a tree ([`Dictionary`]) and the tree a typed [`Request`]; a [`Reply`] goes the same way back, in the
//! encoding of the request. A request that comes again gets the reply that it had ([`Cookies`]).
//!
//! The call half: [`Relay`] carries requests out. Calls, their dialogues and what the dataplane is asked for are in
//! `relay`, the reading and rewriting of descriptions in `body`.

mod bencode;
mod body;
mod cookies;
pub mod frame;
mod io;
mod json;
mod relay;
mod reply;
pub mod request;
mod settings;
mod stream;
mod unknown;
mod value;

pub use cookies::{Cookies, Seen};
pub use frame::Frame;
pub use io::{Client, Framing, Input, Output};
pub(crate) use relay::NOTE_MARK;
pub use relay::Relay;

pub use reply::{
    CallReport, CommandCounts, MediaReport, Reply, SsrcQuality, SsrcReport, Statistics, StreamReport,
    TagReport, Traffic,
};
pub use request::{Command, Names, Request, Verb};
pub use settings::{Files, Interface, Limits, Settings, Timers};
pub use stream::{StreamBuffer, StreamError};
pub use unknown::Reported;
pub use value::{Dictionary, Encoding, Value};

use thiserror::Error;

/// Bytes of one message, its cookie included: what a UDP datagram can carry.
pub const MAX_MESSAGE: usize = 65_536;
/// Lists and dictionaries within each other, the outermost dictionary included. The protocol itself needs five.
pub const MAX_DEPTH: usize = 16;
/// Values in one message, those within lists and dictionaries included.
pub const MAX_VALUES: usize = 4_096;
/// Bytes of a cookie.
pub const MAX_COOKIE: usize = 255;
/// Bytes of a call-id, a tag, a branch or a label.
pub const MAX_NAME: usize = 512;

/// Why a request is not carried out; the words are the `error-reason` of the reply.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The body is longer than [`MAX_MESSAGE`].
    #[error("the message is longer than {MAX_MESSAGE} bytes")]
    TooLong,
    /// The body is neither a bencoded dictionary nor a JSON object.
    #[error("the message is neither a bencoded dictionary nor a JSON object")]
    NoDictionary,
    /// The body breaks the rules of its encoding.
    #[error("{encoding} error at byte {offset}: {problem}")]
    Encoding {
        /// `bencode` or `JSON`.
        encoding: Encoding,
        /// Where, from the start of the body.
        offset: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// Lists and dictionaries are nested deeper than [`MAX_DEPTH`].
    #[error("lists and dictionaries are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// There are more than [`MAX_VALUES`] values.
    #[error("the message has more than {MAX_VALUES} values")]
    TooManyValues,
    /// A key that the command needs is absent.
    #[error("the request has no \"{0}\"")]
    Missing(&'static str),
    /// A known key has a value of another kind.
    #[error("\"{key}\" must be {wanted}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What its value must be.
        wanted: &'static str,
    },
    /// The command is none of the protocol's.
    #[error("unrecognized command \"{0}\"")]
    UnknownCommand(String),
    /// The command is the protocol's, but is not carried out here.
    #[error("the command \"{0}\" is not supported yet")]
    Unsupported(&'static str),
}
