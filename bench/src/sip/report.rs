//! What a SIP run tells.

use super::event::Cause;
use super::media::Figures;
use super::options::Options;
use crate::measure::histogram::Histogram;
use crate::measure::report;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Counters and times of a run.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) registered: u64,
    /// Calls or messages that were begun, and of these those that are over.
    started: u64,
    ended: u64,
    succeeded: u64,
    /// Calls that came to our callees, messages too.
    pub(crate) incoming: u64,
    pub(crate) messages: u64,
    pub(crate) reanswered: u64,
    pub(crate) referred: u64,
    /// From INVITE to the first 18x, to the 200 (for messages to theirs), to the first packet of media.
    pub(crate) ringing: Histogram,
    pub(crate) answered: Histogram,
    pub(crate) heard: Histogram,
    failures: BTreeMap<String, u64>,
    pub(crate) media: Figures,
    /// Messages that `rsip` could not read.
    pub(crate) unreadable: u64,
    /// Ended before all was done.
    pub(crate) stopped: bool,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Report {
    /// Registration is over, calls begin.
    pub(super) fn begin(&mut self, now: Instant) {
        self.first = Some(now);
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.started += 1;
        self.last = Some(now);
    }

    /// Calls that are not over.
    pub(super) fn open(&self) -> u64 {
        self.started - self.ended
    }

    /// A call or a message is over.
    pub(super) fn finish(&mut self, what: &str, cause: Cause) {
        self.ended += 1;
        if cause.is_success() && what != "hung up by the peer" {
            self.succeeded += 1;
        } else {
            self.fail(what, cause);
        }
    }

    /// How many calls or messages went well.
    pub(crate) fn succeeded(&self) -> u64 {
        self.succeeded
    }

    pub(super) fn fail(&mut self, what: &str, cause: Cause) {
        *self.failures.entry(format!("{what}: {cause}")).or_default() += 1;
    }

    /// How many failed, registrations included.
    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Calls begun each second, from the first to the last.
    pub(crate) fn rate(&self) -> f64 {
        let elapsed = self.first.zip(self.last).map_or(Duration::ZERO, |(first, last)| last - first);
        // The first call is at the beginning: N calls have N - 1 intervals.
        if elapsed.is_zero() { 0.0 } else { (self.started.max(1) - 1) as f64 / elapsed.as_secs_f64() }
    }

    pub(super) fn progress(&self, now: Instant) -> String {
        let elapsed = self.first.map_or(Duration::ZERO, |first| now - first);
        format!(
            "{:.0} s: {} begun, {} open, {} well, {} failed, {} came in",
            elapsed.as_secs_f64(),
            self.started,
            self.open(),
            self.succeeded,
            self.failed(),
            self.incoming
        )
    }

    /// The line that results keep.
    pub(crate) fn json(&self, options: &Options) -> Value {
        json!({
            "bench": "sip",
            "scenario": format!("{:?}", options.scenario),
            "role": format!("{:?}", options.role),
            "users": options.users,
            "rate": options.rate,
            "hold_s": options.hold,
            "registered": self.registered,
            "begun": self.started,
            "succeeded": self.succeeded,
            "unfinished": self.open(),
            "incoming": self.incoming,
            "messages_in": self.messages,
            "reanswered": self.reanswered,
            "referred": self.referred,
            "failures": self.failures,
            "calls_per_second": self.rate(),
            "to_ringing": self.ringing.json(),
            "to_answer": self.answered.json(),
            "to_media": self.heard.json(),
            "media": {
                "sent": self.media.sent,
                "received": self.media.received,
                "lost": self.media.lost,
                "reordered": self.media.reordered,
                "silent_calls": self.media.silent,
                "latency": self.media.latency.json(),
                "generator_lateness": self.media.lateness.json(),
            },
            "unreadable": self.unreadable,
            "stopped": self.stopped,
        })
    }

    /// The same for people.
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![times_head()];
        for (name, histogram) in [
            ("INVITE to ringing", &self.ringing),
            ("INVITE to answer", &self.answered),
            ("INVITE to media", &self.heard),
            ("media, one way", &self.media.latency),
            ("sent late by", &self.media.lateness),
        ] {
            rows.push(times_row(name, histogram));
        }
        let mut text = format!(
            "{} begun, {} succeeded, {} failed, {} unfinished; {:.1} a second; {} registered, {} came in\n\
             packets: {} sent, {} received, {} lost, {} out of order; {} silent calls\n{}",
            self.started,
            self.succeeded,
            self.failed(),
            self.open(),
            self.rate(),
            self.registered,
            self.incoming + self.messages,
            self.media.sent,
            self.media.received,
            self.media.lost,
            self.media.reordered,
            self.media.silent,
            report::table(&rows)
        );
        for (cause, count) in &self.failures {
            text += &format!("failed {count:>6}  {cause}\n");
        }
        text
    }
}

/// The head of a table of durations.
pub(crate) fn times_head() -> Vec<String> {
    ["", "n", "p50 ms", "p99 ms", "max ms"].map(str::to_owned).to_vec()
}

/// A row of a table of durations.
pub(crate) fn times_row(name: &str, histogram: &Histogram) -> Vec<String> {
    let milliseconds = |duration: Duration| format!("{:.2}", duration.as_secs_f64() * 1e3);
    vec![
        name.to_owned(),
        histogram.count().to_string(),
        milliseconds(histogram.quantile(0.5)),
        milliseconds(histogram.quantile(0.99)),
        milliseconds(histogram.most()),
    ]
}
