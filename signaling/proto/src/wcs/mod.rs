//! The Web Call Server protocol that browsers speak: JSON objects in WebSocket text frames, in two generations.
//!
//! [`Connection`] reads a client's frames into [`ClientMessage`]s and writes [`ServerMessage`]s as frames of the client's
//! generation. It knows the wire, not the calls: who may call whom is the switch's business.
//!
//! Tandem's own library speaks WCS 5 and, on the same connection, some more:
//! - `connection { .., remoteOffers: true, resume: true }` says that it answers offers in mid-call, and that it comes back
//!   after a lost connection; `getUserData` brings a `resumeToken` then.
//! - `connection { resumeToken, received }` as the first message takes the login and the calls up again: `getUserData` (with
//!   a new token), `registered`, the frames that the client missed, `resumed { calls }`; or `fail { apiMethod:
//!   "connection", status: "RESUME_FAIL" }`. `received` counts the frames that the client has had since it logged in,
//!   over all its connections, but for `getUserData`, `getVersion`, `registered`, `resumed`, `ping` and `pong`.
//! - `bye` before it closes the connection for good.
//! - `setRemoteSDP` has a third argument: true for an answer, false for an offer, which `answer { callId, sdp }` answers.
//! - `changeMediaRequest { callId, sdp }` is its offer; refused: `fail { apiMethod: "changeMediaRequest", call, .. }`.
//! - `transfer { callId, target: null, replaces: OTHER_CALL_ID }` is an attended transfer; its progress comes by
//!   `notifyTransferEvent { callId, status: TRYING | RING | COMPLETED }`, its failure by `fail { apiMethod: "transfer",
//!   call, .. }`. In both failures `call` is the call's identifier, and the call goes on.
//! - `sendInstantMessage`, `notifyMessage`, `notificationResult`, `subscribe` (with `to`, whose state) and
//!   `notifySubscription` are those of WCS 3.

mod client;
mod fields;
mod read;
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod video;

pub use client::{
    Account, ClientMessage, DtmfMethod, FrameError, Login, NewCall, OutgoingMessage, Subscribe, Unsupported,
};
pub use server::{
    Call, CallStatus, IncomingMessage, MessageState, ServerMessage, Subscription, TransferStatus,
};
pub use stream::{
    MAX_STREAM_EVENT, StreamEvent, StreamEventKind, StreamInfo, StreamMessage, StreamRequest, StreamStatus,
    StreamVerb,
};
pub use video::{PictureSizes, VideoState};

use crate::sip::{Host, SipUri, Uri, UriError};

/// Bytes of one text frame.
pub const MAX_FRAME: usize = 131_072;
/// Bytes of a name, an address, an identifier or a password.
pub const MAX_NAME: usize = 512;
/// Bytes of an SDP description.
pub const MAX_SDP: usize = 65_536;
/// Digits in one `sendDtmf`.
pub const MAX_DIGITS: usize = 64;
/// Bytes of the body of a message, or of an INFO request.
pub const MAX_BODY: usize = 16_384;
/// Recipients of one message.
pub const MAX_RECIPIENTS: usize = 20;

/// Which protocol a client speaks; its first message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// WCS 3.0: `connect`.
    V3,
    /// WCS 5: `connection`.
    V5,
}

/// One browser's connection.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    generation: Option<Generation>,
}

impl Connection {
    /// A connection that has not brought anything yet.
    pub fn new() -> Connection {
        Connection::default()
    }

    /// The client's generation; `None` before its first message.
    pub fn generation(&self) -> Option<Generation> {
        self.generation
    }

    /// Reads one text frame. After [`FrameError::NotConnected`] the connection should be closed; after any other error it
    /// may go on.
    pub fn receive(&mut self, text: &str) -> Result<ClientMessage, FrameError> {
        let (message, generation) = read::parse(text)?;
        match (generation, self.generation) {
            (Some(_), Some(_)) => return Err(FrameError::Malformed("the client is connected already")),
            (Some(generation), None) => self.generation = Some(generation),
            (None, None) if !matches!(message, ClientMessage::Ping | ClientMessage::Pong) => {
                return Err(FrameError::NotConnected);
            }
            (None, _) => {}
        }
        Ok(match message {
            // WCS 3 has streams over RTMFP only.
            ClientMessage::Stream(request) if self.generation == Some(Generation::V3) => {
                ClientMessage::Unsupported(request.unsupported())
            }
            message => message,
        })
    }

    /// The text frames that say this to the client, in the order they are to be sent.
    pub fn send(&self, message: &ServerMessage<'_>) -> Vec<String> {
        match self.generation {
            Some(Generation::V3) => server::v3::frames(message),
            Some(Generation::V5) | None => server::v5::frames(message),
        }
    }
}

/// Whom a client calls: an address as it is, a number or a bare name at the given host (the user's domain).
///
/// Blanks and the visual separators of a number are left out; a name keeps them, escaped.
pub fn callee_uri(callee: &str, host: Host, port: Option<u16>) -> Result<Uri, UriError> {
    let callee = callee.trim();
    let has_scheme = ["sip:", "sips:", "tel:"]
        .iter()
        .any(|scheme| callee.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    if has_scheme {
        return callee.parse();
    }
    if callee.contains('@') {
        return format!("sip:{callee}").parse();
    }
    if callee.is_empty() {
        return Err(UriError("the callee is empty"));
    }
    let is_number = callee.chars().all(|c| c.is_ascii_digit() || "+*# -.()".contains(c));
    let user: String = if is_number {
        callee.chars().filter(|c| !" -.()".contains(*c)).collect()
    } else {
        callee.to_owned()
    };
    Ok(Uri::Sip(SipUri::new(Some(&user), host, port)))
}
