//! How much time the codecs take. Most of a packet's time is theirs, so one packet in a few tells.

use std::time::{Duration, Instant};

use crate::encoding::Sink;

/// One piece of work in so many is measured. An odd number takes turns between decoding and encoding, which come in
/// pairs.
const SAMPLED: u32 = 17;

/// The time that one direction's codecs take.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopwatch {
    works: u32,
    started: Option<Instant>,
    measured: Duration,
}

impl Stopwatch {
    /// A piece of work begins.
    pub(crate) fn start(&mut self, sink: &dyn Sink) {
        self.works = self.works.wrapping_add(1);
        self.started = if self.works.is_multiple_of(SAMPLED) { sink.clock() } else { None };
    }

    /// It has ended.
    pub(crate) fn stop(&mut self, sink: &dyn Sink) {
        if let (Some(started), Some(now)) = (self.started.take(), sink.clock()) {
            self.measured += now.saturating_duration_since(started);
        }
    }

    /// What all work took, as far as the samples tell.
    pub(crate) fn total(&self) -> Duration {
        self.measured * SAMPLED
    }
}
