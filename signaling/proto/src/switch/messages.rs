//! Messages in page mode (RFC 3428): from whom to whom, and what becomes of them.

use super::Switch;
use super::browsers::BrowserId;
use crate::party::Cause;
use crate::wcs::OutgoingMessage;
use std::time::Instant;

impl Switch {
    /// Sends a browser's message to one recipient, as typed. What becomes of it is told as message states later.
    ///
    /// # Errors
    /// Why it cannot be sent: to be told as the state `FAILED`.
    pub(super) fn browser_message(
        &mut self,
        _now: Instant,
        _browser: BrowserId,
        message: &OutgoingMessage,
        to: &str,
    ) -> Result<(), Cause> {
        Err(Cause::new(501, format!("Messages are not carried out yet: {} to {to}", message.id)))
    }

    /// A browser took (or refused) the message that it was told of under this identifier: `notificationResult`.
    pub(super) fn browser_took_message(
        &mut self,
        _now: Instant,
        _browser: BrowserId,
        _id: &str,
        _is_ok: bool,
    ) {
    }
}
