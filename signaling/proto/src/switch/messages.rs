//! Messages in page mode (RFC 3428): from whom to whom, and what becomes of them.

use super::Switch;
use crate::party::Cause;
use crate::transport::ConnectionId;
use std::time::Instant;

/// A message of a browser on the WCS protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutgoingMessage {
    /// The client's identifier, by which it is told the state.
    pub(super) id: String,
    /// Whom, as typed.
    pub(super) to: String,
    /// `text/plain` where the client names none.
    pub(super) content_type: String,
    /// The text.
    pub(super) body: String,
    /// Whether the sender wants to hear of the delivery (RFC 5438).
    pub(super) delivery_notification: bool,
}

impl Switch {
    /// Sends a browser's message. What becomes of it is told as message states later.
    ///
    /// # Errors
    /// Why it cannot be sent: to be told as the state `FAILED`.
    pub(super) fn browser_message(
        &mut self,
        _now: Instant,
        _connection: ConnectionId,
        message: OutgoingMessage,
    ) -> Result<(), Cause> {
        Err(Cause::new(501, format!("Messages are not carried out yet: {}", message.id)))
    }

    /// A browser took (or refused) the message that it was told of under this identifier: `notificationResult`.
    pub(super) fn browser_took_message(
        &mut self,
        _now: Instant,
        _connection: ConnectionId,
        _id: &str,
        _is_ok: bool,
    ) {
    }
}
