//! Subscriptions to what happens here (RFC 6665): registrations (RFC 3680) and the calls of a user (RFC 4235).

use super::Switch;
use crate::party::Cause;
use crate::transport::ConnectionId;
use std::time::Instant;

impl Switch {
    /// A browser subscribes (`subscribe`): `event` is `reg`; `expires` in seconds, 0 ends the subscription.
    ///
    /// # Errors
    /// Why it cannot: to be told as a subscription that has ended.
    pub(super) fn browser_subscribes(
        &mut self,
        _now: Instant,
        _connection: ConnectionId,
        event: &str,
        _expires: u32,
    ) -> Result<(), Cause> {
        Err(Cause::new(489, format!("Subscriptions to {event} are not carried out yet")))
    }
}
