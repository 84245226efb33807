//! Notifications of what became of a message (RFC 5438): for the recipients that cannot send them themselves, and where
//! no recipient will.

use super::mailbox::{Letter, Origin, Storage};
use crate::messaging::{CPIM, Cpim, IMDN, Notification, Status, Wanted};
use crate::party::Cause;
use crate::registrar::AddressOfRecord;
use crate::sip::{NameAddr, Uri};
use crate::switch::Switch;
use std::time::Instant;

impl Switch {
    /// Notifies the sender of a message that is at its end, if it asked for that. `for_recipient`: the recipient took it
    /// without being able to say so.
    pub(super) fn notify_sender(
        &mut self,
        now: Instant,
        to: &AddressOfRecord,
        letter: &Letter,
        cause: &Cause,
        for_recipient: bool,
    ) {
        let Some((message_id, wanted)) = letter.wanted() else { return };
        let is_taken = (200..300).contains(&cause.status);
        // A sender that still waits for the response to its request hears a refusal by that.
        let waits = matches!(letter.origin, Origin::Request(..));
        let status = match is_taken {
            true if for_recipient && wanted.delivered => Status::Delivered,
            false if !waits && wanted.failed => Status::Failed,
            _ => return,
        };
        let (Some(sender), Some(recipient)) = (self.local_user(&letter.from.uri), to.uri()) else { return };
        let notification = Notification { message_id, status };
        let content_type = CPIM.to_owned();
        let id = self.message_id();
        let wall = self.messages.clock(now);
        let from = Uri::Sip(recipient);
        let body = notification_body(&notification, &from, &letter.from.uri, &id.to_string(), letter, wall);
        let until = now + self.settings.messages.keep;
        let (origin, storage) = (Origin::Nobody, Storage::None);
        let from = NameAddr::new(from);
        self.post(
            now,
            sender,
            Letter { id, from, content_type, body, received: wall, until, origin, storage },
        );
    }
}

/// A notification in its wrapper (RFC 5438 section 8.2). It asks for no notification itself (section 8.3).
fn notification_body(
    notification: &Notification,
    from: &Uri,
    to: &Uri,
    id: &str,
    letter: &Letter,
    wall: crate::messaging::UnixSeconds,
) -> Vec<u8> {
    let document = notification.write(&from.to_string(), letter.received);
    let wrapper = Cpim {
        from: &format!("<{from}>"),
        to: &format!("<{to}>"),
        message_id: Some(id),
        wanted: Wanted::default(),
        content_type: IMDN,
        content: document.as_bytes(),
    };
    wrapper.write(wall)
}
