//! The wrapper `message/cpim` (RFC 3862), as far as disposition notifications need it (RFC 5438 section 6).

use super::calendar::UnixSeconds;

/// The media type of the wrapper.
pub const MEDIA_TYPE: &str = "message/cpim";
/// Lines of header fields, of the message and of its content together.
const MAX_LINES: usize = 64;
/// Bytes of one of them.
const MAX_LINE: usize = 2_048;
/// The namespace of the header fields of RFC 5438 section 6.
const IMDN_NAMESPACE: &str = "urn:ietf:params:imdn";

/// Of what the sender of a message wants to be notified (RFC 5438 section 6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `positive-delivery`: that it was delivered.
    pub delivered: bool,
    /// `negative-delivery`: that it will not be.
    pub failed: bool,
}

/// A message in its wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpim<'a> {
    /// The sender's URI, perhaps with a name, as written.
    pub from: &'a str,
    /// The recipient's.
    pub to: &'a str,
    /// The message's identifier; notifications name it.
    pub message_id: Option<&'a str>,
    /// What the sender wants to hear of it.
    pub wanted: Wanted,
    /// The Content-Type of the content.
    pub content_type: &'a str,
    /// The content.
    pub content: &'a [u8],
}

/// Why a body is not read as `message/cpim`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpimError {
    /// A header field has no colon, is too long, no UTF-8, or there are too many; or their end is missing.
    #[error("the header fields of the message are malformed")]
    Malformed,
    /// The content is not plain bytes.
    #[error("the content is encoded")]
    Encoded,
}

impl<'a> Cpim<'a> {
    /// Reads a body. Header fields that are not known are passed over.
    ///
    /// # Errors
    /// [`CpimError`].
    pub fn parse(body: &'a [u8]) -> Result<Cpim<'a>, CpimError> {
        let mut lines = Lines { rest: body, left: MAX_LINES };
        let mut message = Cpim {
            from: "",
            to: "",
            message_id: None,
            wanted: Wanted::default(),
            // RFC 2045 section 5.2: what is not said is plain text.
            content_type: "text/plain",
            content: &[],
        };
        let mut prefix = None;
        while let Some((name, value)) = lines.next_field()? {
            let imdn = |wanted: &str| {
                let (given, name) = name.split_once('.').unwrap_or(("", name));
                Some(given) == prefix && name == wanted
            };
            match name {
                "From" => message.from = value,
                "To" => message.to = value,
                // RFC 3862 section 3.4: a prefix, and the namespace it stands for.
                "NS" => prefix = imdn_prefix(value).or(prefix),
                _ if imdn("Message-ID") => message.message_id = Some(value).filter(|id| !id.is_empty()),
                _ if imdn("Disposition-Notification") => message.wanted = wanted(value),
                _ => {}
            }
        }
        while let Some((name, value)) = lines.next_field()? {
            if name.eq_ignore_ascii_case("Content-Type") {
                message.content_type = value;
            } else if name.eq_ignore_ascii_case("Content-Transfer-Encoding")
                && !["7bit", "8bit", "binary"].iter().any(|plain| value.eq_ignore_ascii_case(plain))
            {
                return Err(CpimError::Encoded);
            }
        }
        message.content = lines.rest;
        Ok(message)
    }

    /// The media type of the content, in lower case and without parameters.
    pub fn media_type(&self) -> String {
        self.content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
    }

    /// The body. Line ends in header fields become blanks.
    pub fn write(&self, date: UnixSeconds) -> Vec<u8> {
        let one_line = |text: &str| text.replace(['\r', '\n'], " ");
        let mut text = format!(
            "From: {}\r\nTo: {}\r\nDateTime: {}\r\n",
            one_line(self.from),
            one_line(self.to),
            date.rfc3339()
        );
        if let Some(message_id) = self.message_id {
            text.push_str(&format!("NS: imdn <{IMDN_NAMESPACE}>\r\n"));
            text.push_str(&format!("imdn.Message-ID: {}\r\n", one_line(message_id)));
        }
        let words = [("positive-delivery", self.wanted.delivered), ("negative-delivery", self.wanted.failed)];
        let words: Vec<&str> =
            words.iter().filter(|(_, is_wanted)| *is_wanted).map(|(word, _)| *word).collect();
        if self.message_id.is_some() && !words.is_empty() {
            text.push_str(&format!("imdn.Disposition-Notification: {}\r\n", words.join(", ")));
        }
        text.push_str(&format!("\r\nContent-Type: {}\r\n", one_line(self.content_type)));
        if self.media_type() == super::imdn::MEDIA_TYPE {
            // RFC 5438 section 8.
            text.push_str("Content-Disposition: notification\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", self.content.len()));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(self.content);
        bytes
    }
}

/// The prefix that stands for the namespace of notifications: `imdn <urn:ietf:params:imdn>`.
fn imdn_prefix(value: &str) -> Option<&str> {
    let (prefix, namespace) = value.split_once('<')?;
    let is_imdn = namespace.trim_end().strip_suffix('>')?.trim() == IMDN_NAMESPACE;
    is_imdn.then(|| prefix.trim())
}

fn wanted(value: &str) -> Wanted {
    let has = |word: &str| value.split(',').any(|each| each.trim().eq_ignore_ascii_case(word));
    Wanted { delivered: has("positive-delivery"), failed: has("negative-delivery") }
}

/// The header fields at the start of a text.
struct Lines<'a> {
    rest: &'a [u8],
    /// How many more there may be.
    left: usize,
}

impl<'a> Lines<'a> {
    /// The next name and value; `None` at the empty line that ends a group, which is taken.
    fn next_field(&mut self) -> Result<Option<(&'a str, &'a str)>, CpimError> {
        let end = self.rest.iter().take(MAX_LINE + 1).position(|byte| *byte == b'\n');
        let (line, rest) = end
            .and_then(|end| Some((self.rest.get(..end)?, self.rest.get(end + 1..)?)))
            .ok_or(CpimError::Malformed)?;
        self.rest = rest;
        let line = std::str::from_utf8(line).map_err(|_| CpimError::Malformed)?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Ok(None);
        }
        // RFC 3862 section 2.2 allows none unescaped; a bare CR could be a line end to the next reader (attacks.md row 13).
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(CpimError::Malformed);
        }
        self.left = self.left.checked_sub(1).ok_or(CpimError::Malformed)?;
        let (name, value) = line.split_once(':').ok_or(CpimError::Malformed)?;
        Ok(Some((name.trim(), value.trim())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The form of RFC 5438 section 6.3, with a prefix of the sender's own choice.
    const ASKS: &str = "From: Alice <im:alice@example.com>\r\n\
        To: Bob <im:bob@example.com>\r\n\
        NS: x <urn:ietf:params:imdn>\r\n\
        x.Message-ID: 34jk324j\r\n\
        DateTime: 2006-04-04T12:16:49-05:00\r\n\
        x.Disposition-Notification: positive-delivery, negative-delivery\r\n\
        imdn.Message-ID: of-no-namespace\r\n\
        \r\n\
        Content-type: Text/Plain; charset=utf-8\r\n\
        Content-length: 12\r\n\
        \r\n\
        Hello\r\n\r\nWorld";

    #[test]
    fn a_message_that_asks_for_notifications_is_read() {
        let message = Cpim::parse(ASKS.as_bytes()).unwrap();
        assert_eq!(message.from, "Alice <im:alice@example.com>");
        assert_eq!(message.to, "Bob <im:bob@example.com>");
        assert_eq!(message.message_id, Some("34jk324j"));
        assert_eq!(message.wanted, Wanted { delivered: true, failed: true });
        assert_eq!(message.media_type(), "text/plain");
        assert_eq!(message.content, b"Hello\r\n\r\nWorld");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let malformed = Err(CpimError::Malformed);
        assert_eq!(Cpim::parse(b""), malformed);
        assert_eq!(Cpim::parse(b"From: a\r\nTo: b\r\n"), malformed);
        assert_eq!(Cpim::parse(b"no colon\r\n\r\n\r\nx"), malformed);
        assert_eq!(Cpim::parse(b"From: a\r\n\r\nContent-Type: text/plain\r\n"), malformed);
        assert_eq!(Cpim::parse("A: b\n".repeat(MAX_LINES + 1).as_bytes()), malformed);
        assert_eq!(Cpim::parse(format!("A: {}\n\n\n", "b".repeat(MAX_LINE)).as_bytes()), malformed);
        assert_eq!(Cpim::parse(b"From: a\rTo: b\r\n\r\n\r\nx"), malformed);
        assert_eq!(Cpim::parse(b"From: a\r\n\r\nContent-Type: text/\0plain\r\n\r\nx"), malformed);
        let encoded = b"From: a\n\nContent-Transfer-Encoding: base64\n\nSGFsbG8=";
        assert_eq!(Cpim::parse(encoded), Err(CpimError::Encoded));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(
            from in "[!-~äß日]([ -~äß日]{0,20}[!-~äß日])?",
            message_id in proptest::option::of("[!-~]{1,40}"),
            delivered in any::<bool>(),
            failed in any::<bool>(),
            content in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let wanted = Wanted { delivered: delivered && message_id.is_some(), failed: failed && message_id.is_some() };
            let message = Cpim {
                from: &from,
                to: "<sip:bob@example.com>",
                message_id: message_id.as_deref(),
                wanted,
                content_type: "text/plain;charset=utf-8",
                content: &content,
            };
            let written = message.write(UnixSeconds::new(1));
            prop_assert_eq!(Cpim::parse(&written), Ok(message));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Cpim::parse(&bytes);
        }

        #[test]
        fn any_lines_are_read_without_a_panic(text in "([A-Za-z.]{0,8}[: ]{0,2}[a-z<>;]{0,8}\r?\n){0,8}.{0,8}") {
            let _ = Cpim::parse(text.as_bytes());
        }
    }
}
