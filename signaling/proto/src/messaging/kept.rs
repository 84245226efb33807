//! A message that is kept for somebody who is away, and its form on disk: a SIP MESSAGE request, which one parser reads
//! here as on the wire (attacks.md row 13).

use super::calendar::UnixSeconds;
use crate::registrar::AddressOfRecord;
use crate::sip::{HeaderName, Host, Message, Method, NameAddr, Request, Uri, Via};
use crate::transport::Transport;

/// When it came, in seconds since 1970; header fields of our own.
const RECEIVED: &str = "X-Tandem-Received";
/// Until when it is kept.
const KEPT_UNTIL: &str = "X-Tandem-Kept-Until";

/// Names a message. Random, so that it is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u128);

impl MessageId {
    /// Reads the 32 hexadecimal digits that it is written as.
    pub fn parse(text: &str) -> Option<MessageId> {
        let is_written_so =
            text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_written_so.then(|| u128::from_str_radix(text, 16).ok().map(MessageId))?
    }
}

impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptMessage {
    /// Its name in the store.
    pub id: MessageId,
    /// Whom it is for.
    pub to: AddressOfRecord,
    /// Who sent it.
    pub from: NameAddr,
    /// Its Content-Type, with parameters.
    pub content_type: String,
    /// Its body.
    pub body: Vec<u8>,
    /// When it came.
    pub received: UnixSeconds,
    /// Until when it is kept.
    pub until: UnixSeconds,
}

/// What people write to each other stays out of logs.
impl std::fmt::Debug for KeptMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptMessage").field("id", &self.id).field("to", &self.to).finish_non_exhaustive()
    }
}

/// The bytes are no kept message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeptError(&'static str);

impl KeptMessage {
    /// Its form on disk. `None` where the recipient's name is none that a URI can hold.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let recipient = Uri::Sip(self.to.uri()?);
        let mut request = Request::new(Method::Message, recipient.clone());
        let headers = &mut request.headers;
        let via = Via::new(Transport::Udp, Host::Name("kept.invalid".to_owned()), None, "z9hG4bKkept");
        headers.push(HeaderName::Via, via);
        headers.push(HeaderName::From, &self.from);
        headers.push(HeaderName::To, NameAddr::new(recipient));
        headers.push(HeaderName::CallId, self.id);
        headers.push(HeaderName::CSeq, "1 MESSAGE");
        headers.push(HeaderName::ContentType, &self.content_type);
        headers.push(HeaderName::from(RECEIVED), self.received.get());
        headers.push(HeaderName::from(KEPT_UNTIL), self.until.get());
        request.body.clone_from(&self.body);
        Some(request.to_bytes())
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`KeptError`]: what is wrong, in words without anything of the message.
    pub fn parse(bytes: &[u8]) -> Result<KeptMessage, KeptError> {
        let Ok(Message::Request(request)) = Message::parse(bytes) else {
            return Err(KeptError("no SIP request"));
        };
        let headers = &request.headers;
        let id = headers.call_id().ok().and_then(MessageId::parse);
        let id = id.filter(|_| request.method == Method::Message);
        let to = request.uri.as_sip().and_then(|uri| {
            Some(AddressOfRecord {
                user: uri.user_name()?,
                domain: uri.host.to_string().to_ascii_lowercase(),
            })
        });
        let time = |name: &str| {
            let text = headers.get(HeaderName::from(name))?;
            text.parse().ok().map(UnixSeconds::new)
        };
        Ok(KeptMessage {
            id: id.ok_or(KeptError("no MESSAGE, or without an identifier"))?,
            to: to.ok_or(KeptError("no recipient"))?,
            from: headers.from().map_err(|_| KeptError("no sender"))?,
            content_type: headers
                .get(HeaderName::ContentType)
                .ok_or(KeptError("no content type"))?
                .to_owned(),
            received: time(RECEIVED).ok_or(KeptError("no time of receipt"))?,
            until: time(KEPT_UNTIL).ok_or(KeptError("no end"))?,
            body: request.body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn message()(
            id in any::<u128>(),
            user in "[a-z0-9äß日 @:;<>]{1,20}",
            name in proptest::option::of("[^\\x00-\\x1F\\x7F]{1,30}"),
            body in proptest::collection::vec(any::<u8>(), 0..2_000),
            received in 0..4_000_000_000u64,
            keep in 0..1_000_000u64,
        ) -> KeptMessage {
            let sender = AddressOfRecord { user: "alice".to_owned(), domain: "example.com".to_owned() };
            let mut from = NameAddr::new(sender.uri().unwrap());
            from.display_name = name;
            KeptMessage {
                id: MessageId(id),
                to: AddressOfRecord { user, domain: "example.com".to_owned() },
                from,
                content_type: "text/plain;charset=utf-8".to_owned(),
                body,
                received: UnixSeconds::new(received),
                until: UnixSeconds::new(received + keep),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(message in message()) {
            let bytes = message.to_bytes().unwrap();
            prop_assert_eq!(KeptMessage::parse(&bytes), Ok(message));
        }

        #[test]
        fn what_was_cut_off_is_refused(message in message(), cut in 0.0..1.0) {
            let bytes = message.to_bytes().unwrap();
            // The last byte that may be missed is the body's last.
            let length = (bytes.len() as f64 * cut) as usize;
            prop_assert!(KeptMessage::parse(&bytes[..length]).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = KeptMessage::parse(&bytes);
        }
    }

    #[test]
    fn the_identifier_is_a_name_of_a_file_and_no_path() {
        assert_eq!(MessageId::parse("000000000000000000000000000000ff"), Some(MessageId(255)));
        assert_eq!(MessageId(255).to_string(), "000000000000000000000000000000ff");
        let plus = "+0000000000000000000000000000000";
        for text in
            ["", "../../../../../../etc/passwd/....", "0123456789ABCDEF0123456789ABCDEF", "0123", plus]
        {
            assert_eq!(MessageId::parse(text), None);
        }
    }

    #[test]
    fn what_is_written_in_a_message_is_not_in_debug_output() {
        let sender = AddressOfRecord { user: "alice".to_owned(), domain: "example.com".to_owned() };
        let message = KeptMessage {
            id: MessageId(1),
            to: sender.clone(),
            from: NameAddr::new(sender.uri().unwrap()),
            content_type: "text/plain".to_owned(),
            body: b"secret".to_vec(),
            received: UnixSeconds::default(),
            until: UnixSeconds::default(),
        };
        let debug = format!("{message:?}");
        assert!(!debug.contains("secret") && !debug.contains("115, 101"), "{debug}");
    }
}
