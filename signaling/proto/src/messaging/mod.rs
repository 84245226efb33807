//! What messages in page mode (RFC 3428) carry: CPIM wrappers (RFC 3862), disposition notifications (RFC 5438), and the
//! form in which messages are kept for those who are away.

mod calendar;
mod cpim;
mod imdn;
mod kept;
mod xml;

pub use calendar::UnixSeconds;
pub use cpim::{Cpim, CpimError, MEDIA_TYPE as CPIM, Wanted};
pub use imdn::{MEDIA_TYPE as IMDN, Notification, Status};
pub use kept::{KeptError, KeptMessage, MessageId};
pub use xml::escape;

/// Whether a body only says that somebody is typing (RFC 3994). Such a message is neither kept nor passed on.
pub fn is_typing(media_type: &str) -> bool {
    media_type == "application/im-iscomposing+xml"
}
