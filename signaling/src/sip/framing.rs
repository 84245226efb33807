//! Cuts SIP messages out of a stream by their Content-Length (RFC 3261 section 18.3).

use crate::limits;

/// What a stream holds next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// One whole message.
    Message(Vec<u8>),
    /// A double CRLF between messages: a keep-alive that wants a CRLF back (RFC 5626 section 3.5.1).
    Ping,
}

/// The stream cannot be cut any further: RFC 3261 section 18.3 gives no way to find the next message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// The bytes of a stream that were not cut yet.
#[derive(Default)]
pub(super) struct Framer {
    buffer: Vec<u8>,
    /// Up to here no end of a header was found.
    searched: usize,
    /// The length of the message at the beginning, once its header is whole.
    whole: Option<usize>,
}

impl Framer {
    /// Takes bytes off the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the beginning of a message is waiting for its rest.
    pub(super) fn has_partial(&self) -> bool {
        self.buffer.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// The next item, if it is there.
    pub(super) fn next(&mut self) -> Result<Option<Item>, Broken> {
        let whole = match self.whole {
            Some(whole) => whole,
            None => {
                if self.buffer.starts_with(b"\r\n\r\n") {
                    self.consume(4);
                    return Ok(Some(Item::Ping));
                }
                let Some(whole) = self.find_whole()? else { return Ok(None) };
                self.whole = Some(whole);
                whole
            }
        };
        if self.buffer.len() < whole {
            return Ok(None);
        }
        Ok(Some(Item::Message(self.consume(whole))))
    }

    /// The length of the next message, if its header is there.
    fn find_whole(&mut self) -> Result<Option<usize>, Broken> {
        // Single line ends between messages are ignored (RFC 3261 section 7.5).
        while self.buffer.starts_with(b"\r\n") && !b"\r\n\r\n".starts_with(&self.buffer) {
            self.consume(2);
        }
        let from = self.searched.saturating_sub(3);
        let rest = self.buffer.get(from..).unwrap_or_default();
        let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
            self.searched = self.buffer.len();
            return if self.buffer.len() > limits::MESSAGE { Err(Broken) } else { Ok(None) };
        };
        let head = from + end + 4;
        let body = content_length(self.buffer.get(..head).unwrap_or_default())?;
        head.checked_add(body).filter(|length| *length <= limits::MESSAGE).map(Some).ok_or(Broken)
    }

    fn consume(&mut self, length: usize) -> Vec<u8> {
        self.searched = 0;
        self.whole = None;
        let rest = self.buffer.split_off(length.min(self.buffer.len()));
        std::mem::replace(&mut self.buffer, rest)
    }
}

/// The value of Content-Length, which a stream must have (RFC 3261 section 20.14), or its compact form `l`.
fn content_length(head: &[u8]) -> Result<usize, Broken> {
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let name = name.trim_ascii();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let digits = value.get(1..).unwrap_or_default().trim_ascii();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(Broken);
        }
        return std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(Broken);
    }
    Err(Broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc";
    const TWO: &[u8] = b"SIP/2.0 200 OK\r\nl : 0\r\n\r\n";

    fn items(chunks: &[&[u8]]) -> Result<Vec<Item>, Broken> {
        let mut framer = Framer::default();
        let mut items = Vec::new();
        for chunk in chunks {
            framer.push(chunk);
            while let Some(item) = framer.next()? {
                items.push(item);
            }
        }
        Ok(items)
    }

    #[test]
    fn messages_and_pings_come_out_however_the_stream_is_cut() {
        let stream = [b"\r\n", ONE, b"\r\n\r\n", TWO, b"\r\n", ONE].concat();
        let wanted = vec![
            Item::Message(ONE.to_vec()),
            Item::Ping,
            Item::Message(TWO.to_vec()),
            Item::Message(ONE.to_vec()),
        ];
        assert_eq!(items(&[&stream]), Ok(wanted));
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        let messages = items(&bytes).unwrap().into_iter().filter(|item| *item != Item::Ping).count();
        assert_eq!(messages, 3);
    }

    #[test]
    fn a_stream_without_a_usable_content_length_is_broken() {
        assert_eq!(items(&[b"OPTIONS sip:a SIP/2.0\r\nTo: b\r\n\r\n"]), Err(Broken));
        assert_eq!(items(&[b"OPTIONS sip:a SIP/2.0\r\nl: -1\r\n\r\n"]), Err(Broken));
        assert_eq!(items(&[b"OPTIONS sip:a SIP/2.0\r\nl: 99999999999999999999\r\n\r\n"]), Err(Broken));
        assert_eq!(items(&[b"OPTIONS sip:a SIP/2.0\r\nl: 70000\r\n\r\n"]), Err(Broken));
        assert_eq!(items(&[&vec![b'a'; limits::MESSAGE + 1]]), Err(Broken));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_neither_panic_nor_grow(chunks: Vec<Vec<u8>>) {
            let mut framer = Framer::default();
            for chunk in chunks {
                framer.push(&chunk);
                while let Ok(Some(_)) = framer.next() {}
            }
        }
    }
}
