//! What all clients of a run write down.

use crate::measure::histogram::Histogram;
use crate::sip::event::Cause;
use std::collections::BTreeMap;

/// Counters and times of a run.
#[derive(Default)]
pub(crate) struct Board {
    /// Clients that are logged in.
    pub(crate) ready: usize,
    /// Clients that heard their call's first packet.
    pub(crate) heard: usize,
    /// Clients whose call is over, or never was.
    pub(crate) over: usize,
    /// Clients that have left.
    pub(crate) left: usize,
    pub(crate) failures: BTreeMap<String, u64>,
    /// From the WebSocket's opening to the login's end.
    pub(crate) login: Histogram,
    /// From the call to the gateway's word that it is up.
    pub(crate) up: Histogram,
    /// From the gateway's description to the end of ICE and DTLS.
    pub(crate) transport: Histogram,
    /// From the call to the first packet heard.
    pub(crate) media: Histogram,
    pub(crate) latency: Histogram,
    /// How late packets were sent.
    pub(crate) lateness: Histogram,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) reordered: u64,
    /// Packets that SRTP refused.
    pub(crate) unauthentic: u64,
    /// The least that a client received, and the most.
    pub(crate) least: Option<u64>,
    pub(crate) most: u64,
}

impl Board {
    pub(crate) fn fail(&mut self, what: &str, cause: Cause) {
        *self.failures.entry(format!("{what}: {cause}")).or_default() += 1;
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}
