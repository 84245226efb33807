//! What the relay counts.

use super::Relay;
use crate::ng::CommandCounts;

/// Counters; they only grow.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    /// Messages that were dropped: no reply could be told from another.
    pub messages_dropped: u64,
    /// Requests that came again.
    pub retransmissions: u64,
    /// Requests that were answered with an error.
    pub errors: u64,
    pub commands: CommandCounts,
    pub calls_made: u64,
    pub calls_refused: u64,
    pub media_timeouts: u64,
    pub offer_timeouts: u64,
    pub calls_deleted: u64,
    pub sessions_lost: u64,
    pub orphans_deleted: u64,
    pub dataplane_timeouts: u64,
    pub recordings_failed: u64,
}

impl Relay {
    /// Name and value of each counter, and of the sizes of the tables.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let counters = &self.counters;
        vec![
            ("ng_calls", self.calls.len() as u64),
            ("ng_sessions", self.sessions.len() as u64),
            ("ng_sessions_reserved", self.reserve.len() as u64),
            ("ng_dataplane_open", self.dataplane.open() as u64),
            ("ng_messages_dropped", counters.messages_dropped),
            ("ng_retransmissions", counters.retransmissions),
            ("ng_errors", counters.errors),
            ("ng_calls_made", counters.calls_made),
            ("ng_calls_refused", counters.calls_refused),
            ("ng_calls_deleted", counters.calls_deleted),
            ("ng_media_timeouts", counters.media_timeouts),
            ("ng_offer_timeouts", counters.offer_timeouts),
            ("ng_sessions_lost", counters.sessions_lost),
            ("ng_orphans_deleted", counters.orphans_deleted),
            ("ng_dataplane_timeouts", counters.dataplane_timeouts),
            ("ng_recordings_failed", counters.recordings_failed),
        ]
    }
}
