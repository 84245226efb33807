//! Instant Message Disposition Notifications (RFC 5438): what became of a message.

use super::calendar::UnixSeconds;
use super::xml::{Event, escape, events, unescape};

/// The media type of a notification.
pub const MEDIA_TYPE: &str = "message/imdn+xml";
/// Bytes of a notification that are read.
const MAX_DOCUMENT: usize = 8_192;
/// Bytes of a message's identifier.
const MAX_MESSAGE_ID: usize = 1_200;

/// What became of a message (RFC 5438 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It reached the recipient.
    Delivered,
    /// It will not reach the recipient.
    Failed,
    /// The recipient does not say what becomes of messages.
    Forbidden,
    /// Something went wrong with the notification itself.
    Error,
    /// It was shown to the recipient.
    Displayed,
    /// A server on its way has dealt with it.
    Processed,
    /// A server on its way keeps it until the recipient is there.
    Stored,
}

const STATUSES: [(&str, Status); 7] = [
    ("delivered", Status::Delivered),
    ("failed", Status::Failed),
    ("forbidden", Status::Forbidden),
    ("error", Status::Error),
    ("displayed", Status::Displayed),
    ("processed", Status::Processed),
    ("stored", Status::Stored),
];

impl Status {
    fn name(self) -> &'static str {
        STATUSES.iter().find(|(_, status)| *status == self).map_or("error", |(name, _)| name)
    }

    /// The element that it stands in (section 7.2.1).
    fn element(self) -> &'static str {
        match self {
            Status::Displayed => "display-notification",
            Status::Processed | Status::Stored => "processing-notification",
            _ => "delivery-notification",
        }
    }
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The Message-ID of the message it speaks of.
    pub message_id: String,
    /// What became of it.
    pub status: Status,
}

impl Notification {
    /// Reads a `message/imdn+xml` document. `None`: it is none, or says nothing that is known.
    pub fn parse(document: &[u8]) -> Option<Notification> {
        let document = std::str::from_utf8(document).ok().filter(|text| text.len() <= MAX_DOCUMENT)?;
        let events = events(document)?;
        let position = |event| events.iter().position(|each| *each == event);
        let message_id = match events.get(position(Event::Start("message-id"))? + 1)? {
            Event::Text(text) => unescape(text),
            _ => return None,
        };
        let status = match events.get(position(Event::Start("status"))? + 1)? {
            Event::Start(name) | Event::Empty(name) => {
                STATUSES.iter().find(|(known, _)| known == name).map(|(_, status)| *status)?
            }
            _ => return None,
        };
        (message_id.len() <= MAX_MESSAGE_ID).then_some(Notification { message_id, status })
    }

    /// The document (section 7.2.1): `recipient` is the URI of whom the message was for, `sent` when it came to us.
    pub fn write(&self, recipient: &str, sent: UnixSeconds) -> String {
        let (element, status) = (self.status.element(), self.status.name());
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <imdn xmlns=\"urn:ietf:params:xml:ns:imdn\">\r\n\
             <message-id>{}</message-id>\r\n\
             <datetime>{}</datetime>\r\n\
             <recipient-uri>{}</recipient-uri>\r\n\
             <{element}><status><{status}/></status></{element}>\r\n\
             </imdn>\r\n",
            escape(&self.message_id),
            sent.rfc3339(),
            escape(recipient),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_notification_of_another_writer_is_read() {
        let document = br#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
            <n:imdn xmlns:n="urn:ietf:params:xml:ns:imdn">
              <n:message-id>Iu&lt;53x7</n:message-id><n:datetime>2026-01-01T00:00:00Z</n:datetime>
              <n:delivery-notification><n:status><n:forbidden></n:forbidden></n:status></n:delivery-notification>
            </n:imdn>"#;
        let expected = Notification { message_id: "Iu<53x7".to_owned(), status: Status::Forbidden };
        assert_eq!(Notification::parse(document), Some(expected));
    }

    #[test]
    fn what_says_nothing_is_none() {
        for document in [
            "",
            "<imdn/>",
            "<imdn><message-id/><delivery-notification><status><delivered/></status></delivery-notification></imdn>",
            "<imdn><message-id>1</message-id><status><sunk/></status></imdn>",
            "<imdn><message-id>1</message-id><status></status></imdn>",
        ] {
            assert_eq!(Notification::parse(document.as_bytes()), None, "{document}");
        }
        let long = "x".repeat(MAX_MESSAGE_ID + 1);
        let document = format!("<imdn><message-id>{long}</message-id><status><delivered/></status></imdn>");
        assert_eq!(Notification::parse(document.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(message_id in "[!-~äß日]{1,40}", index in 0..STATUSES.len()) {
            let notification = Notification { message_id, status: STATUSES[index].1 };
            let document = notification.write("sip:bob&<@example.com>", UnixSeconds::new(0));
            prop_assert_eq!(Notification::parse(document.as_bytes()), Some(notification));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Notification::parse(&bytes);
        }
    }
}
