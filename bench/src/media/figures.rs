//! What is counted of each direction of the calls.

use crate::measure::histogram::Histogram;

/// One direction of all calls: what one side sent and the other received.
#[derive(Clone, Default)]
pub(crate) struct Direction {
    /// Packets that were due and given to the kernel.
    pub(crate) sent: u64,
    /// Of those, the ones that the kernel did not take: the generator was too fast for the machine.
    pub(crate) refused: u64,
    /// Packets that came through, each once.
    pub(crate) received: u64,
    /// Of those, the ones that took longer than the limit.
    pub(crate) late: u64,
    /// Of those, the ones that came after a later one.
    pub(crate) reordered: u64,
    /// Packets that came a second time.
    pub(crate) duplicates: u64,
    /// Packets whose content is not what was sent.
    pub(crate) corrupt: u64,
    /// Packets whose SRTP tag is wrong.
    pub(crate) unauthentic: u64,
    /// From the sending call to the kernel's receive time.
    pub(crate) latency: Histogram,
    /// Interarrival jitter (RFC 3550 section 6.4.1) of each stream, at the end.
    pub(crate) jitter: Histogram,
}

impl Direction {
    /// Packets that never came.
    pub(crate) fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }

    /// Adds what `other` counted.
    pub(crate) fn merge(&mut self, other: &Direction) {
        self.sent += other.sent;
        self.refused += other.refused;
        self.received += other.received;
        self.late += other.late;
        self.reordered += other.reordered;
        self.duplicates += other.duplicates;
        self.corrupt += other.corrupt;
        self.unauthentic += other.unauthentic;
        self.latency.merge(&other.latency);
        self.jitter.merge(&other.jitter);
    }

    /// As results keep it.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "sent": self.sent, "refused": self.refused, "received": self.received, "lost": self.lost(),
            "late": self.late, "reordered": self.reordered, "duplicates": self.duplicates, "corrupt": self.corrupt,
            "unauthentic": self.unauthentic, "latency": self.latency.json(), "jitter": self.jitter.json(),
        })
    }
}
