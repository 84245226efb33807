//! What is told of the whole relay.

use super::{Traffic, integer};
use crate::ng::{Dictionary, Value, Verb};

/// The figures of the whole relay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Calls at present.
    pub sessions: u64,
    /// Packets a second at present.
    pub packet_rate: u64,
    /// Bytes a second at present.
    pub byte_rate: u64,
    /// Faulty packets a second at present.
    pub error_rate: u64,
    /// Media at present that is transcoded.
    pub transcoded_media: u64,
    /// Seconds since the start.
    pub uptime: u64,
    /// Calls since the start.
    pub managed_sessions: u64,
    /// Offers that were refused for a limit.
    pub rejected_sessions: u64,
    /// Calls that ended because nothing was heard of them.
    pub timeout_sessions: u64,
    /// Calls that ended by `delete`.
    pub regular_terminated_sessions: u64,
    /// Calls that ended by an operator or a fault.
    pub forced_terminated_sessions: u64,
    /// Packets since the start.
    pub relayed: Traffic,
    /// Seconds that ended calls lasted in all.
    pub calls_duration: u64,
    /// Requests since the start.
    pub commands: CommandCounts,
}

/// Requests since the start, by their command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandCounts {
    counts: [u64; Verb::ALL.len()],
    /// Requests that were answered with an error.
    pub errors: u64,
}

impl CommandCounts {
    /// One more.
    pub fn count(&mut self, verb: Verb) {
        if let Some(count) = self.counts.get_mut(verb as usize) {
            *count += 1;
        }
    }

    /// How many there were.
    pub fn of(&self, verb: Verb) -> u64 {
        self.counts.get(verb as usize).copied().unwrap_or(0)
    }

    fn dictionary(&self) -> Dictionary<'static> {
        let mut counts = Dictionary::new();
        for (key, verb) in [
            ("totalpingcount", Verb::Ping),
            ("totaloffercount", Verb::Offer),
            ("totalanswercount", Verb::Answer),
            ("totaldeletecount", Verb::Delete),
            ("totalquerycount", Verb::Query),
            ("totallistcount", Verb::List),
            ("totalstartreccount", Verb::StartRecording),
            ("totalpausereccount", Verb::PauseRecording),
            ("totalstopreccount", Verb::StopRecording),
            ("totalblkdtmfcount", Verb::BlockDtmf),
            ("totalunblkdtmfcount", Verb::UnblockDtmf),
            ("totalblkmedia", Verb::BlockMedia),
            ("totalunblkmedia", Verb::UnblockMedia),
            ("totalslncmedia", Verb::SilenceMedia),
            ("totalunslncmedia", Verb::UnsilenceMedia),
            ("totalplaymedia", Verb::PlayMedia),
            ("totalstopmedia", Verb::StopMedia),
            ("totalplaydtmf", Verb::PlayDtmf),
            ("totalstatistics", Verb::Statistics),
        ] {
            counts.set(key, integer(self.of(verb)));
        }
        counts.set("totalerrorcount", integer(self.errors));
        counts
    }
}

impl Statistics {
    pub(super) fn dictionary(&self) -> Dictionary<'static> {
        let mut current = Dictionary::new();
        current.set("sessionsown", integer(self.sessions));
        current.set("sessionsforeign", integer(0));
        current.set("sessionstotal", integer(self.sessions));
        current.set("transcodedmedia", integer(self.transcoded_media));
        current.set("packetrate", integer(self.packet_rate));
        current.set("byterate", integer(self.byte_rate));
        current.set("errorrate", integer(self.error_rate));
        let mut total = Dictionary::new();
        // Text, as there: some readers insist.
        total.set("uptime", Value::owned(self.uptime.to_string()));
        total.set("managedsessions", integer(self.managed_sessions));
        total.set("rejectedsessions", integer(self.rejected_sessions));
        total.set("timeoutsessions", integer(self.timeout_sessions));
        total.set("regularterminatedsessions", integer(self.regular_terminated_sessions));
        total.set("forcedterminatedsessions", integer(self.forced_terminated_sessions));
        total.set("relayedpackets", integer(self.relayed.packets));
        total.set("relayedbytes", integer(self.relayed.bytes));
        total.set("relayedpacketerrors", integer(self.relayed.errors));
        let average =
            self.calls_duration as f64 / self.managed_sessions.saturating_sub(self.sessions).max(1) as f64;
        total.set("avgcallduration", Value::owned(format!("{average:.6}")));
        let mut statistics = Dictionary::new();
        statistics.set("currentstatistics", Value::Dictionary(current));
        statistics.set("totalstatistics", Value::Dictionary(total));
        statistics.set("controlstatistics", Value::Dictionary(self.commands.dictionary()));
        statistics
    }
}
