//! Messages on a TCP connection, which has no bounds between them: the end of each body's outermost dictionary is one.

use super::{MAX_COOKIE, MAX_MESSAGE};
use thiserror::Error;

/// The stream cannot be cut any more and should be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StreamError {
    /// A message is longer than [`MAX_MESSAGE`].
    #[error("a message is longer than {MAX_MESSAGE} bytes")]
    TooLarge,
    /// A cookie is longer than [`MAX_COOKIE`].
    #[error("a cookie is longer than {MAX_COOKIE} bytes")]
    LongCookie,
    /// What follows a cookie is neither bencode nor JSON, or breaks off being it.
    #[error("a message is neither bencode nor JSON")]
    Malformed,
}

/// What was received of a stream and not taken yet.
#[derive(Clone, Debug, Default)]
pub struct StreamBuffer {
    bytes: Vec<u8>,
    /// Where the next message starts.
    start: usize,
    scan: Scan,
}

/// How far the message at the start was read. Each byte is read once, however it comes.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    /// Bytes of the message that were read.
    at: usize,
    part: Part,
    /// Lists and dictionaries that are open.
    depth: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// White space before the message.
    #[default]
    Gap,
    Cookie,
    /// The first byte of the body.
    Body,
    /// Between bencode's values.
    Bencode,
    /// In an integer.
    Integer,
    /// In the length of a string; how long it is so far.
    Length(usize),
    Json,
    /// In a string of JSON, and perhaps behind a backslash.
    Text {
        escaped: bool,
    },
    /// Behind the last byte of the message.
    End,
}

impl StreamBuffer {
    /// An empty one.
    pub fn new() -> StreamBuffer {
        StreamBuffer::default()
    }

    /// Adds what was received. Take the messages out before adding more: so it never holds more than one message and
    /// what was received last.
    pub fn push(&mut self, received: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(received);
    }

    /// Whether part of a message waits for its rest: a deadline should run (attacks.md row 15).
    pub fn is_partial(&self) -> bool {
        self.scan.part != Part::Gap
    }

    /// Takes the next message, cookie and body; `None` where more bytes are needed.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, StreamError> {
        while self.scan.part != Part::End {
            let Some(byte) = self.bytes.get(self.start + self.scan.at) else { return Ok(None) };
            if self.scan.part == Part::Gap && byte.is_ascii_whitespace() {
                self.start += 1;
                continue;
            }
            self.scan.read(*byte)?;
            if self.scan.at > MAX_MESSAGE {
                return Err(StreamError::TooLarge);
            }
        }
        let from = self.start;
        self.start += self.scan.at;
        self.scan = Scan::default();
        Ok(self.bytes.get(from..self.start))
    }
}

impl Scan {
    fn read(&mut self, byte: u8) -> Result<(), StreamError> {
        self.at += 1;
        self.part = match (self.part, byte) {
            (Part::Gap, _) => Part::Cookie,
            (Part::Cookie, b' ') => Part::Body,
            (Part::Cookie, _) if self.at > MAX_COOKIE => return Err(StreamError::LongCookie),
            (Part::Cookie, _) => Part::Cookie,
            (Part::Body, b'd') => self.opened(Part::Bencode),
            (Part::Body, b'{') => self.opened(Part::Json),
            (Part::Bencode, b'd' | b'l') => self.opened(Part::Bencode),
            (Part::Bencode, b'e') => self.closed(Part::Bencode),
            (Part::Bencode, b'i') => Part::Integer,
            (Part::Bencode, b'0'..=b'9') => Part::Length(usize::from(byte - b'0')),
            (Part::Integer, b'e') => Part::Bencode,
            (Part::Integer, b'-' | b'0'..=b'9') => Part::Integer,
            (Part::Length(length), b'0'..=b'9') if length <= MAX_MESSAGE => {
                Part::Length(10 * length + usize::from(byte - b'0'))
            }
            (Part::Length(_), b'0'..=b'9') => return Err(StreamError::TooLarge),
            (Part::Length(length), b':') => {
                self.at += length;
                Part::Bencode
            }
            (Part::Json, b'{' | b'[') => self.opened(Part::Json),
            (Part::Json, b'}' | b']') => self.closed(Part::Json),
            (Part::Json, b'"') => Part::Text { escaped: false },
            (Part::Json, _) => Part::Json,
            (Part::Text { escaped: false }, b'"') => Part::Json,
            (Part::Text { escaped: false }, b'\\') => Part::Text { escaped: true },
            (Part::Text { .. }, _) => Part::Text { escaped: false },
            (Part::Body | Part::Bencode | Part::Integer | Part::Length(_) | Part::End, _) => {
                return Err(StreamError::Malformed);
            }
        };
        Ok(())
    }

    fn opened(&mut self, part: Part) -> Part {
        self.depth += 1;
        part
    }

    fn closed(&mut self, part: Part) -> Part {
        self.depth -= 1;
        if self.depth == 0 { Part::End } else { part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BENCODE: &[u8] = b"1_1 d7:command5:offer3:sdp6:v=0 e}4:listli-4eee";
    const JSON: &[u8] = br#"1_2 {"command":"offer","sdp":"\"}{\\","list":[{}]}"#;

    fn messages(buffer: &mut StreamBuffer) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| buffer.next_message().unwrap().map(<[u8]>::to_vec)).collect()
    }

    fn error(stream: &[u8]) -> StreamError {
        let mut buffer = StreamBuffer::new();
        buffer.push(stream);
        buffer.next_message().unwrap_err()
    }

    #[test]
    fn cuts_after_the_outermost_dictionary() {
        let mut buffer = StreamBuffer::new();
        buffer.push(&[BENCODE, JSON, b"\r\n", BENCODE, b"\n", &JSON[..20]].concat());
        assert_eq!(messages(&mut buffer), [BENCODE, JSON, BENCODE]);
        assert!(buffer.is_partial());
        buffer.push(&JSON[20..]);
        assert_eq!(messages(&mut buffer), [JSON]);
        assert!(!buffer.is_partial());
        assert_eq!(buffer.bytes.len(), buffer.start);
    }

    #[test]
    fn deep_nesting_is_the_parsers_business() {
        let deep = [b"1 ".to_vec(), vec![b'd'; 10_000], vec![b'e'; 10_000]].concat();
        let mut buffer = StreamBuffer::new();
        buffer.push(&deep);
        assert_eq!(messages(&mut buffer), [deep]);
    }

    #[test]
    fn gives_up_on_what_cannot_be_cut() {
        assert_eq!(error(&[b'a'; MAX_COOKIE + 1]), StreamError::LongCookie);
        assert_eq!(error(b"1 x"), StreamError::Malformed);
        assert_eq!(error(b"1 dx"), StreamError::Malformed);
        assert_eq!(error(b"1 d1:a1x"), StreamError::Malformed);
        assert_eq!(error(b"1 di1x"), StreamError::Malformed);
        assert_eq!(error(b"1 d99999999999999999999:"), StreamError::TooLarge);
        assert_eq!(error(b"1 d70000:"), StreamError::TooLarge);
        assert_eq!(error(&[b"1 {".as_slice(), &[b'a'; MAX_MESSAGE]].concat()), StreamError::TooLarge);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(sizes in prop::collection::vec(1usize..30, 1..20)) {
            let stream = [BENCODE, b"\n", JSON, JSON, b" \r\n", BENCODE].concat();
            let (mut buffer, mut found, mut rest) = (StreamBuffer::new(), Vec::new(), stream.as_slice());
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                buffer.push(piece);
                found.extend(messages(&mut buffer));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, [BENCODE, JSON, JSON, BENCODE]);
        }

        #[test]
        fn no_bytes_panic(bytes in "1 [d{][0-9dlie:\"{}\\[\\]-]{0,60}") {
            let mut buffer = StreamBuffer::new();
            buffer.push(bytes.as_bytes());
            while let Ok(Some(_)) = buffer.next_message() {}
        }
    }
}
