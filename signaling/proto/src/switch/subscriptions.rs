//! Subscriptions to what happens here (RFC 6665): registrations (RFC 3680) and the calls of a user (RFC 4235).

use super::Switch;
use super::browsers::BrowserId;
use crate::party::Cause;
use crate::wcs::Subscribe;
use std::time::Instant;

impl Switch {
    /// A browser subscribes, or ends its subscription.
    ///
    /// # Errors
    /// Why it cannot: to be told as a subscription that has ended.
    pub(super) fn browser_subscribes(
        &mut self,
        _now: Instant,
        _browser: BrowserId,
        subscribe: &Subscribe,
    ) -> Result<(), Cause> {
        Err(Cause::new(489, format!("Subscriptions to {} are not carried out yet", subscribe.event)))
    }
}
