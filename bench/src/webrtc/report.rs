//! What a WebRTC run tells.

use super::load::{Cost, Outcome};
use super::options::Options;
use crate::measure::report;
use crate::sip::report::{times_head, times_row};
use serde_json::{Value, json};

impl Cost {
    /// The share of a core that one standing call takes, in percent.
    pub(crate) fn core_percent_per_call(&self, calls: usize) -> f64 {
        100.0 * self.standing.as_secs_f64()
            / self.stood.as_secs_f64().max(f64::MIN_POSITIVE)
            / calls.max(1) as f64
    }

    /// CPU time of one call's set-up in milliseconds; media of the calls that stood already is in it.
    pub(crate) fn set_up_ms_per_call(&self, calls: usize) -> f64 {
        self.set_up.as_secs_f64() * 1e3 / calls.max(1) as f64
    }

    /// Resident memory in kilobytes.
    pub(crate) fn memory_kb_per_call(&self, calls: usize) -> f64 {
        self.resident as f64 / 1024.0 / calls.max(1) as f64
    }
}

impl Outcome {
    /// Clients and telephones that something went wrong with.
    pub(crate) fn failed(&self, options: &Options) -> u64 {
        let silent = (options.clients() as u64).saturating_sub(self.board.heard as u64);
        let phones = self.phones.as_ref().map_or(0, |phones| phones.failed() + phones.media.silent);
        self.board.failed().max(silent) + phones
    }

    /// The line that results keep.
    pub(crate) fn json(&self, options: &Options) -> Value {
        let board = &self.board;
        let cost = self.cost.map(|cost| {
            json!({
                "core_percent_per_call": cost.core_percent_per_call(options.calls),
                "set_up_ms_per_call": cost.set_up_ms_per_call(options.calls),
                "memory_kb_per_call": cost.memory_kb_per_call(options.calls),
                "generator_core_percent": 100.0 * cost.own.as_secs_f64() / cost.stood.as_secs_f64().max(f64::MIN_POSITIVE),
            })
        });
        json!({
            "bench": "webrtc",
            "protocol": format!("{:?}", options.protocol),
            "mode": format!("{:?}", options.mode),
            "codec": format!("{:?}", options.codec),
            "calls": options.calls,
            "rate": options.rate,
            "hold_s": options.hold,
            "clients": options.clients(),
            "heard": board.heard,
            "failures": board.failures,
            "login": board.login.json(),
            "to_up": board.up.json(),
            "to_transport": board.transport.json(),
            "to_media": board.media.json(),
            "latency_to_clients": board.latency.json(),
            "latency_to_phones": self.phones.as_ref().map(|phones| phones.media.latency.json()),
            "generator_lateness": board.lateness.json(),
            "sent": board.sent,
            "received": board.received,
            "lost": board.lost,
            "reordered": board.reordered,
            "unauthentic": board.unauthentic,
            "received_by_a_client": { "least": board.least, "most": board.most },
            "phones": self.phones.as_ref().map(|phones| json!({
                "calls": phones.incoming,
                "received": phones.media.received,
                "sent": phones.media.sent,
                "lost": phones.media.lost,
                "silent_calls": phones.media.silent,
            })),
            "cost": cost,
            "stopped": self.stopped,
        })
    }

    /// The same for people.
    pub(crate) fn table(&self, options: &Options) -> String {
        let board = &self.board;
        let mut rows = vec![times_head()];
        let mut times = vec![
            ("login", &board.login),
            ("call to up", &board.up),
            ("ICE and DTLS", &board.transport),
            ("call to media", &board.media),
            ("media to clients", &board.latency),
            ("sent late by", &board.lateness),
        ];
        if let Some(phones) = &self.phones {
            times.insert(5, ("media to phones", &phones.media.latency));
        }
        rows.extend(times.into_iter().map(|(name, histogram)| times_row(name, histogram)));
        let mut text = format!(
            "{} clients, {} heard their call; packets: {} sent, {} received ({} to {} a client), {} lost, \
             {} out of order, {} not authentic\n",
            options.clients(),
            board.heard,
            board.sent,
            board.received,
            board.least.unwrap_or(0),
            board.most,
            board.lost,
            board.reordered,
            board.unauthentic,
        );
        if let Some(phones) = &self.phones {
            text += &format!(
                "telephones: {} calls, {} silent; packets: {} sent, {} received, {} lost\n",
                phones.incoming,
                phones.media.silent,
                phones.media.sent,
                phones.media.received,
                phones.media.lost
            );
        }
        text += &report::table(&rows);
        if let Some(cost) = &self.cost {
            text += &format!(
                "gateway: {:.3} % of a core a call, {:.2} ms of CPU a set-up, {:.0} kB a call\n",
                cost.core_percent_per_call(options.calls),
                cost.set_up_ms_per_call(options.calls),
                cost.memory_kb_per_call(options.calls),
            );
        }
        for (cause, count) in &board.failures {
            text += &format!("failed {count:>6}  {cause}\n");
        }
        text
    }
}
