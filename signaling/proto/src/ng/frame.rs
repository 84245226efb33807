//! One message, `COOKIE SP BODY`, in a datagram or a WebSocket message or as the body of an HTTP request.
//!
//! The paths, types and names are rtpengine's: over HTTP a message is POSTed to [`HTTP_PATH`] as [`CONTENT_TYPE`], or, as a
//! body alone, to [`HTTP_PATH_PLAIN`] as [`CONTENT_TYPE`] or [`CONTENT_TYPE_JSON`]; the reply has the type of the
//! request. WebSocket messages are either, by the sub-protocol.

use super::{MAX_COOKIE, MAX_MESSAGE};
use thiserror::Error;

/// Where HTTP takes messages with a cookie.
pub const HTTP_PATH: &str = "/ng";
/// Where HTTP takes messages that are a body only.
pub const HTTP_PATH_PLAIN: &str = "/ng-plain";
/// The type of a message.
pub const CONTENT_TYPE: &str = "application/x-rtpengine-ng";
/// The type of a plain message in JSON.
pub const CONTENT_TYPE_JSON: &str = "application/json";
/// The WebSocket sub-protocol of messages with a cookie.
pub const WEBSOCKET_PROTOCOL: &str = "ng.rtpengine.com";
/// The WebSocket sub-protocol of messages that are a body only.
pub const WEBSOCKET_PROTOCOL_PLAIN: &str = "ng-plain.rtpengine.com";

/// A message's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Names the request; `None` where the transport does (HTTP's `/ng-plain`).
    pub cookie: Option<&'a [u8]>,
    /// A dictionary in either encoding.
    pub body: &'a [u8],
}

/// There is no cookie before the body, so that no reply could be told from another: such a message is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// No space, or nothing before it.
    #[error("the message has no cookie")]
    NoCookie,
    /// More than [`MAX_COOKIE`] bytes before the first space.
    #[error("the cookie is longer than {MAX_COOKIE} bytes")]
    LongCookie,
    /// More than [`MAX_MESSAGE`] bytes.
    #[error("the message is longer than {MAX_MESSAGE} bytes")]
    TooLong,
}

impl<'a> Frame<'a> {
    /// Cuts a message into cookie and body.
    pub fn parse(message: &'a [u8]) -> Result<Frame<'a>, FrameError> {
        if message.len() > MAX_MESSAGE {
            return Err(FrameError::TooLong);
        }
        let space = match message.iter().take(MAX_COOKIE + 1).position(|byte| *byte == b' ') {
            None if message.len() > MAX_COOKIE => return Err(FrameError::LongCookie),
            None | Some(0) => return Err(FrameError::NoCookie),
            Some(space) => space,
        };
        let (cookie, rest) = message.split_at_checked(space).ok_or(FrameError::NoCookie)?;
        Ok(Frame { cookie: Some(cookie), body: rest.get(1..).unwrap_or(&[]) })
    }

    /// A message that is a body only.
    pub fn plain(message: &'a [u8]) -> Frame<'a> {
        Frame { cookie: None, body: message }
    }

    /// The message that carries this body in answer to this one.
    pub fn reply(&self, body: &[u8]) -> Vec<u8> {
        match self.cookie {
            Some(cookie) => [cookie, b" ", body].concat(),
            None => body.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_at_its_first_space() {
        let frame = Frame::parse(b"5323_1 d7:command4:pinge").unwrap();
        assert_eq!(frame.cookie, Some(b"5323_1".as_slice()));
        assert_eq!(frame.body, b"d7:command4:pinge");
        assert_eq!(frame.reply(b"d6:result4:ponge"), b"5323_1 d6:result4:ponge");
        assert_eq!(Frame::parse(b"a  b").unwrap().body, b" b");
        assert_eq!(Frame::parse(b"a ").unwrap().body, b"");
    }

    #[test]
    fn without_a_cookie_there_is_no_message() {
        assert_eq!(Frame::parse(b""), Err(FrameError::NoCookie));
        assert_eq!(Frame::parse(b"ping"), Err(FrameError::NoCookie));
        assert_eq!(Frame::parse(b" de"), Err(FrameError::NoCookie));
        let long = [vec![b'a'; MAX_COOKIE + 1], b" de".to_vec()].concat();
        assert_eq!(Frame::parse(&long), Err(FrameError::LongCookie));
        assert!(Frame::parse(&long[1..]).is_ok());
        assert_eq!(Frame::parse(&vec![b'a'; MAX_MESSAGE + 1]), Err(FrameError::TooLong));
    }

    #[test]
    fn a_plain_message_has_a_plain_reply() {
        let frame = Frame::plain(b"{\"command\":\"ping\"}");
        assert_eq!(frame.cookie, None);
        assert_eq!(frame.reply(b"{}"), b"{}");
    }
}
