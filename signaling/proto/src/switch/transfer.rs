//! Transfers (RFC 5589): one party of a call wants the other one to be connected to somebody else.

use super::Switch;
use super::calls::Endpoint;
use crate::party::{Cause, Signal, TransferProgress};
use std::time::Instant;

/// Whom the other party shall be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TransferTarget {
    /// Somebody who is called, as typed: a blind transfer.
    Typed(String),
    /// The other party of another call of the same user: an attended transfer.
    Call(Endpoint),
}

impl Switch {
    /// An endpoint wants its other party to be connected to somebody else. How that goes is told to the endpoint by
    /// [`Signal::Transfer`], a refusal too.
    pub(super) fn endpoint_transfer(&mut self, now: Instant, endpoint: &Endpoint, target: TransferTarget) {
        let cause = Cause::new(501, format!("Transfers are not carried out yet: {target:?}"));
        let failed = Signal::Transfer(TransferProgress::Failed(cause));
        match endpoint {
            // A party that has gone does not need to know.
            Endpoint::Sip(call) => drop(self.user_agent.signal(now, *call, failed)),
            Endpoint::Browser(browser, call_id) => self.tell_browser(*browser, call_id, failed),
        }
    }
}
