//! What the switch counts.

use super::Switch;
use crate::sip::user_agent::Drops;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) calls_attempted: u64,
    pub(super) calls_answered: u64,
    /// By status, of calls that were not answered. At most 600 of them.
    pub(super) calls_failed: BTreeMap<u16, u64>,
    pub(super) registrations_failed: u64,
    pub(super) registrations_refused: u64,
    pub(super) transfers_attempted: u64,
    pub(super) transfers_done: u64,
    pub(super) transfers_failed: u64,
    pub(super) wrong_passwords: u64,
    pub(super) locked_out: u64,
    pub(super) forbidden_targets: u64,
    pub(super) malformed_frames: u64,
    pub(super) dataplane_timeouts: u64,
    pub(super) orphans_deleted: u64,
    pub(super) messages_delivered: u64,
    pub(super) messages_kept: u64,
    pub(super) messages_refused: u64,
    pub(super) messages_expired: u64,
    /// By reason.
    pub(super) streams_refused: BTreeMap<&'static str, u64>,
}

impl Switch {
    /// The counters and gauges: name (with a `reason` after a dot where it has one) and value.
    pub fn counters(&self) -> Vec<(String, u64)> {
        let counters = &self.counters;
        let gauge = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let (streams_published, streams_played) = self.streams.counts();
        let mut all = vec![
            ("calls_active".to_owned(), gauge(self.calls.len())),
            ("sessions_active".to_owned(), gauge(self.calls.sessions())),
            ("calls_attempted".to_owned(), counters.calls_attempted),
            ("calls_answered".to_owned(), counters.calls_answered),
            ("transfers_attempted".to_owned(), counters.transfers_attempted),
            ("transfers_done".to_owned(), counters.transfers_done),
            ("transfers_failed".to_owned(), counters.transfers_failed),
            ("bindings".to_owned(), gauge(self.registrar.len())),
            ("provider_registrations".to_owned(), gauge(self.user_agent.registrations())),
            ("provider_accounts_registered".to_owned(), gauge(self.lines.registered())),
            ("provider_registrations_failed".to_owned(), counters.registrations_failed),
            ("provider_registrations_refused".to_owned(), counters.registrations_refused),
            ("user_ports_used".to_owned(), gauge(self.lines.ports())),
            ("browsers".to_owned(), gauge(self.browsers.len())),
            ("dialogs".to_owned(), gauge(self.user_agent.calls())),
            ("transactions".to_owned(), gauge(self.user_agent.transactions())),
            ("dataplane_requests_open".to_owned(), gauge(self.dataplane.open())),
            ("dataplane_timeouts".to_owned(), counters.dataplane_timeouts),
            ("orphans_deleted".to_owned(), counters.orphans_deleted),
            ("subscriptions".to_owned(), gauge(self.watchers.len())),
            ("messages_waiting".to_owned(), gauge(self.messages.waiting())),
            ("messages_delivered".to_owned(), counters.messages_delivered),
            ("messages_kept".to_owned(), counters.messages_kept),
            ("messages_refused".to_owned(), counters.messages_refused),
            ("messages_expired".to_owned(), counters.messages_expired),
            ("streams_published".to_owned(), gauge(streams_published)),
            ("streams_played".to_owned(), gauge(streams_played)),
            ("wrong_passwords".to_owned(), counters.wrong_passwords),
            ("locked_out".to_owned(), counters.locked_out),
            ("forbidden_targets".to_owned(), counters.forbidden_targets),
            ("browser_frames_malformed".to_owned(), counters.malformed_frames),
        ];
        for (status, count) in &counters.calls_failed {
            all.push((format!("calls_failed.{status}"), *count));
        }
        for (reason, count) in &counters.streams_refused {
            all.push((format!("streams_refused.{reason}"), *count));
        }
        for reason in Drops::REASONS {
            all.push((format!("sip_dropped.{reason:?}"), self.user_agent.drops().get(reason)));
        }
        all
    }
}
