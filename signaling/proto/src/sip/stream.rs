//! Cutting messages out of a TCP or TLS stream by Content-Length (RFC 3261 section 18.3), and the CRLF keep-alives of
//! RFC 5626 section 3.5.1.

use super::header_name::HeaderName;
use super::limits;
use super::parse::{find_from, parse_content_length};

/// Bytes received on one connection that are not yet a whole message.
///
/// It holds at most [`limits::MESSAGE`] bytes and what one read brought; take every frame out after each
/// [`StreamBuffer::push`]. Each byte is looked at once, however small the pieces it comes in.
#[derive(Clone, Debug, Default)]
pub struct StreamBuffer {
    bytes: Vec<u8>,
    /// Where the first byte stands that is not yet taken.
    start: usize,
    /// Up to here no end of the header fields was found.
    searched: usize,
    /// The length of the message at `start`, once its header fields are there.
    length: Option<usize>,
}

/// Something cut out of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole message: for [`super::Message::parse`].
    Message(Vec<u8>),
    /// A double CRLF: answer with one CRLF (RFC 5626 section 3.5.1).
    KeepAlivePing,
}

/// The stream cannot be cut any more: close the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// A message is larger than [`limits::MESSAGE`].
    #[error("a message on the stream is too large")]
    TooLarge,
    /// Content-Length is missing, malformed or there twice; the bytes are the message's header fields, which
    /// [`super::Message::parse`] refuses or reads, so that it can be answered before the connection closes.
    #[error("a message on the stream has no usable Content-Length")]
    NoLength(Vec<u8>),
}

impl StreamBuffer {
    /// An empty buffer.
    pub fn new() -> StreamBuffer {
        StreamBuffer::default()
    }

    /// Adds what was received.
    pub fn push(&mut self, received: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(received);
    }

    /// Whether part of a message waits for its rest: a deadline should run (attacks.md row 15). A CRLF alone is none: the
    /// answer to a ping of ours looks like half a ping.
    pub fn is_partial(&self) -> bool {
        self.bytes.iter().skip(self.start).any(|byte| !b"\r\n".contains(byte))
    }

    /// Takes the next frame; `None` where more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, StreamError> {
        if self.length.is_none() {
            if let Some(ping) = self.skip_line_ends() {
                return Ok(Some(ping));
            }
            self.length = self.message_length()?;
        }
        let Some(length) = self.length else { return Ok(None) };
        let Some(message) = self.bytes.get(self.start..self.start + length) else { return Ok(None) };
        let message = message.to_vec();
        self.advance(length);
        self.length = None;
        Ok(Some(Frame::Message(message)))
    }

    /// Leaves out CRLFs between messages; two of them are a ping, one alone is the answer to ours.
    fn skip_line_ends(&mut self) -> Option<Frame> {
        loop {
            let rest = self.bytes.get(self.start..).unwrap_or(&[]);
            if rest.starts_with(b"\r\n\r\n") {
                self.advance(4);
                return Some(Frame::KeepAlivePing);
            }
            // Three bytes of a ping may have come so far.
            let line_end = rest.starts_with(b"\r\n") && !b"\r\n\r\n".starts_with(rest);
            if !line_end {
                return None;
            }
            self.advance(2);
        }
    }

    fn advance(&mut self, count: usize) {
        self.start += count;
        self.searched = self.start;
    }

    /// The length of the message at the start, once its header fields are whole.
    fn message_length(&mut self) -> Result<Option<usize>, StreamError> {
        let Some(head_end) = find_from(&self.bytes, b"\r\n\r\n", self.searched.max(self.start)) else {
            // The last three bytes may be the first of the empty line.
            self.searched = self.bytes.len().saturating_sub(3).max(self.start);
            let waiting = self.bytes.len() - self.start;
            return if waiting > limits::MESSAGE { Err(StreamError::TooLarge) } else { Ok(None) };
        };
        let head = self.bytes.get(self.start..head_end + 4).unwrap_or(&[]);
        let body = content_length(head).ok_or_else(|| StreamError::NoLength(head.to_vec()))?;
        match head.len().checked_add(body) {
            Some(length) if length <= limits::MESSAGE => Ok(Some(length)),
            _ => Err(StreamError::TooLarge),
        }
    }
}

/// The Content-Length in these header fields; `None` if there is not exactly one.
fn content_length(head: &[u8]) -> Option<usize> {
    let mut found = None;
    let mut fields = head.split(|byte| *byte == b'\n').skip(1).peekable();
    while let Some(field) = fields.next() {
        // A folded value: read as `Message::parse` does, so that both see the same length (attacks.md row 13).
        let mut field = field.trim_ascii_end().to_vec();
        while let Some(fold) = fields.next_if(|line| line.starts_with(b" ") || line.starts_with(b"\t")) {
            field.push(b' ');
            field.extend_from_slice(fold.trim_ascii());
        }
        let Ok(field) = std::str::from_utf8(&field) else { continue };
        let Some((name, value)) = field.split_once(':') else { continue };
        if HeaderName::from(name.trim_end_matches([' ', '\t'])) != HeaderName::ContentLength {
            continue;
        }
        if found.is_some() {
            return None;
        }
        found = Some(parse_content_length(value.trim_matches([' ', '\t'])).ok()?);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MESSAGE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl :\r\n 4\r\n\r\n\r\n\r\n";

    fn frames(buffer: &mut StreamBuffer) -> Vec<Frame> {
        std::iter::from_fn(|| buffer.next_frame().unwrap()).collect()
    }

    #[test]
    fn cuts_by_content_length() {
        let mut buffer = StreamBuffer::new();
        buffer.push(&[MESSAGE, MESSAGE, &MESSAGE[..10]].concat());
        assert_eq!(frames(&mut buffer), [Frame::Message(MESSAGE.to_vec()), Frame::Message(MESSAGE.to_vec())]);
        assert!(buffer.is_partial());
        buffer.push(&MESSAGE[10..]);
        assert_eq!(frames(&mut buffer), [Frame::Message(MESSAGE.to_vec())]);
        assert!(!buffer.is_partial());
    }

    #[test]
    fn answers_pings_and_ignores_pongs() {
        let mut buffer = StreamBuffer::new();
        buffer.push(b"\r\n\r\n\r\nOPT");
        assert_eq!(frames(&mut buffer), [Frame::KeepAlivePing]);
        let mut buffer = StreamBuffer::new();
        buffer.push(b"\r\n");
        assert_eq!(frames(&mut buffer), []);
        assert!(!buffer.is_partial());
        buffer.push(MESSAGE);
        assert_eq!(frames(&mut buffer), [Frame::Message(MESSAGE.to_vec())]);
        for byte in b"\r\n\r\n" {
            buffer.push(&[*byte]);
        }
        assert_eq!(frames(&mut buffer), [Frame::KeepAlivePing]);
    }

    #[test]
    fn gives_up_on_what_cannot_be_cut() {
        for fields in ["", "l: 1\r\nl: 1\r\n", "l: -1\r\n", "l: 1, 1\r\n"] {
            let mut buffer = StreamBuffer::new();
            let head = format!("OPTIONS sip:a SIP/2.0\r\n{fields}\r\n");
            buffer.push(head.as_bytes());
            assert_eq!(buffer.next_frame(), Err(StreamError::NoLength(head.into_bytes())));
        }
        for length in [limits::MESSAGE, usize::MAX] {
            let mut buffer = StreamBuffer::new();
            buffer.push(format!("OPTIONS sip:a SIP/2.0\r\nl: {length}\r\n\r\n").as_bytes());
            assert_eq!(buffer.next_frame(), Err(StreamError::TooLarge));
        }
        let mut buffer = StreamBuffer::new();
        buffer.push(&[b'a'; limits::MESSAGE]);
        assert_eq!(buffer.next_frame(), Ok(None));
        buffer.push(b"a");
        assert_eq!(buffer.next_frame(), Err(StreamError::TooLarge));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(sizes in prop::collection::vec(1usize..40, 1..40)) {
            let stream = [MESSAGE, b"\r\n\r\n", MESSAGE, b"\r\n", MESSAGE].concat();
            let mut whole = StreamBuffer::new();
            whole.push(&stream);
            let expected = frames(&mut whole);
            let (mut buffer, mut found, mut rest) = (StreamBuffer::new(), Vec::new(), stream.as_slice());
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                buffer.push(piece);
                found.extend(frames(&mut buffer));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn no_bytes_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16)) {
            let mut buffer = StreamBuffer::new();
            for piece in pieces {
                buffer.push(&piece);
                while let Ok(Some(_)) = buffer.next_frame() {}
            }
        }
    }
}
