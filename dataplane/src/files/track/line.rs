//! Where a stream's packets stand: their sequence numbers and time stamps without roll-overs, and how far the stream
//! lies behind its own time line.

use super::RATE;
use crate::files::tap::PacketHead;

/// A packet whose time stamp and arrival are further apart begins a new time line: half a second.
const BREAK: i64 = RATE as i64 / 2;
/// For so many samples the quickest packet is looked for: two seconds.
const SPAN: i64 = 2 * RATE as i64;

/// No delay yet: longer than any.
const NONE: i64 = i64::MAX / 2;

/// The time line of one stream.
pub(super) struct Line {
    ssrc: u32,
    clock: u32,
    /// The newest packet: its extended sequence number, and its time stamp in units of the clock since the first.
    sequence: u64,
    timestamp: u32,
    elapsed: i64,
    /// What is added to the time stamp, in samples, for the position.
    shift: i64,
    /// The least delay beyond that: in the span of now, which began at a position, and in the one before.
    span_from: i64,
    quickest: i64,
    quickest_before: i64,
}

impl Line {
    /// The line that begins with a packet, which came at a position.
    pub(super) fn new(head: &PacketHead, position: i64) -> Line {
        Line {
            ssrc: head.ssrc,
            clock: head.clock.max(1),
            // One roll-over ahead, so that packets from before the first one have an index too.
            sequence: 0x1_0000 + u64::from(head.sequence),
            timestamp: head.timestamp,
            elapsed: 0,
            shift: position,
            span_from: position,
            quickest: NONE,
            quickest_before: NONE,
        }
    }

    /// Whether a packet that comes at a position is of this stream and near its line.
    pub(super) fn continues(&self, head: &PacketHead, position: i64) -> bool {
        let delay = position - (self.samples(head) + self.shift);
        head.ssrc == self.ssrc && head.clock == self.clock && delay.abs() < BREAK
    }

    /// The extended sequence number of a packet, and its time stamp in samples of the recording.
    pub(super) fn place(&mut self, head: &PacketHead, position: i64) -> (u64, i64) {
        let line = self.samples(head);
        let ahead = head.sequence.wrapping_sub(self.sequence as u16).cast_signed();
        let sequence = self.sequence.saturating_add_signed(ahead.into());
        if ahead > 0 {
            self.elapsed += i64::from(head.timestamp.wrapping_sub(self.timestamp).cast_signed());
            self.timestamp = head.timestamp;
            self.sequence = sequence;
        }
        self.follow(position, position - (line + self.shift));
        (sequence, line)
    }

    /// What is to be added to a time stamp in samples now.
    pub(super) fn shift(&self) -> i64 {
        self.shift
    }

    fn samples(&self, head: &PacketHead) -> i64 {
        let elapsed = self.elapsed + i64::from(head.timestamp.wrapping_sub(self.timestamp).cast_signed());
        elapsed * i64::from(RATE) / i64::from(self.clock)
    }

    /// A packet that is quicker than any before moves the line at once; when none was so quick for a while, the line
    /// moves back to the quickest of them.
    fn follow(&mut self, position: i64, delay: i64) {
        self.quickest = self.quickest.min(delay);
        if delay < 0 {
            self.move_by(delay);
        }
        if position - self.span_from >= SPAN {
            self.move_by(self.quickest.min(self.quickest_before));
            self.quickest_before = self.quickest;
            self.quickest = NONE;
            self.span_from = position;
        }
    }

    fn move_by(&mut self, by: i64) {
        self.shift += by;
        self.quickest = self.quickest.saturating_sub(by);
        self.quickest_before = self.quickest_before.saturating_sub(by);
    }
}
