//! Calls that ring and are picked up by somebody else (RFC 3891 section 3). It is a transfer of the caller, who has not been
//! answered, from the telephones that ring to who takes their place.

use crate::call::{MAX_BRANCHES, Who};
use crate::party::Signal;
use crate::switch::Switch;
use crate::switch::calls::CallId;
use std::time::Instant;

/// Signals that are kept for a pickup that fails: further progress is not, what ends the ringing always is.
const MAX_KEPT: usize = 4 * MAX_BRANCHES;

/// Somebody picks a call up. That takes the dataplane a moment, in which nothing about the call may change.
#[derive(Debug, Default)]
pub(super) struct Pickup {
    /// What the telephones that ring said meanwhile.
    kept: Vec<(Who, Signal)>,
}

impl Switch {
    /// A telephone that rings signals. The signal comes back where it is to be heard: no pickup of its call is under way.
    pub(in crate::switch) fn unless_picked_up(
        &mut self,
        call: CallId,
        who: Who,
        signal: Signal,
    ) -> Option<Signal> {
        let transfer = self.transfers.get_mut(&call).filter(|_| who != Who::Caller);
        let Some(pickup) = transfer.and_then(|transfer| transfer.pickup.as_mut()) else {
            return Some(signal);
        };
        if pickup.kept.len() < MAX_KEPT || !matches!(signal, Signal::Progress { .. }) {
            pickup.kept.push((who, signal));
        }
        None
    }

    /// The call goes on ringing: what its telephones said counts.
    pub(super) fn pickup_failed(&mut self, now: Instant, call: CallId, pickup: Option<Pickup>) {
        for (who, signal) in pickup.into_iter().flat_map(|pickup| pickup.kept) {
            self.with_call(now, call, |call, random| call.signal(now, who, signal, random));
        }
    }
}
