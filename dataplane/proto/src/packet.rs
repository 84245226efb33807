//! One datagram in its buffer, from receive to send.

use std::ops::Range;

use crate::limits::TAILROOM;
use crate::srtp::{ComputedTag, DueTag};

/// A datagram somewhere inside a buffer. It may shrink from the front (header extensions go) and grow at the end
/// (an SRTP trailer comes) without being copied.
pub struct Packet<'a> {
    buffer: &'a mut [u8],
    start: usize,
    end: usize,
    batch: Option<InBatch>,
}

/// What a packet has to do with the batch in which it is handled.
struct InBatch {
    /// What the batch has computed of it as it was received.
    computed: Option<ComputedTag>,
    /// What the batch is to compute of it before it is sent.
    due: Option<DueTag>,
}

impl<'a> Packet<'a> {
    /// The datagram is `buffer[start..end]`. `None` if that lies outside of the buffer, or fewer than
    /// [`TAILROOM`] bytes are free behind it.
    pub fn new(buffer: &'a mut [u8], start: usize, end: usize) -> Option<Packet<'a>> {
        let fits = start <= end && end.checked_add(TAILROOM)? <= buffer.len();
        fits.then_some(Packet { buffer, start, end, batch: None })
    }

    /// As [`Packet::new`], for a packet of a batch: a tag may be `computed` already, and when the packet is to be sent
    /// [`Packet::take_due_tag`] may have one that is still to be written.
    pub fn in_batch(
        buffer: &'a mut [u8],
        datagram: Range<usize>,
        computed: Option<ComputedTag>,
    ) -> Option<Packet<'a>> {
        let mut packet = Packet::new(buffer, datagram.start, datagram.end)?;
        packet.batch = Some(InBatch { computed, due: None });
        Some(packet)
    }

    /// The tag that must be written before the packet is sent, if there is one.
    pub fn take_due_tag(&mut self) -> Option<DueTag> {
        self.batch.as_mut()?.due.take()
    }

    /// What was computed of the packet as it was received.
    pub(crate) fn computed_tag(&self) -> Option<ComputedTag> {
        self.batch.as_ref()?.computed
    }

    /// Whether a batch computes tags that are due.
    pub(crate) fn is_in_batch(&self) -> bool {
        self.batch.is_some()
    }

    /// Leaves a tag to the batch.
    pub(crate) fn set_due_tag(&mut self, due: Option<DueTag>) {
        if let Some(batch) = &mut self.batch {
            batch.due = due;
        }
    }

    /// Where the datagram lies in the buffer now.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The datagram.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The datagram, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// The datagram and all the room behind it.
    pub fn with_tailroom(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.start..).unwrap_or_default()
    }

    /// Cuts `count` bytes off its front (all of it if it has fewer).
    pub fn advance(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Sets its length, to at most what the buffer has.
    pub fn set_len(&mut self, len: usize) {
        self.end = self.start.saturating_add(len).min(self.buffer.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinks_and_grows_inside_its_buffer() {
        let mut buffer = [0u8; 16 + TAILROOM];
        let mut packet = Packet::new(&mut buffer, 4, 16).unwrap();
        packet.advance(2);
        assert_eq!((packet.range(), packet.len()), (6..16, 10));
        packet.set_len(20);
        assert_eq!(packet.bytes().len(), 20);
        packet.advance(1000);
        assert!(packet.is_empty());
        packet.set_len(1_000_000);
        assert_eq!(packet.range().end, 16 + TAILROOM);
    }

    #[test]
    fn a_buffer_without_tailroom_is_refused() {
        let mut buffer = [0u8; TAILROOM];
        assert!(Packet::new(&mut buffer, 0, 1).is_none());
        assert!(Packet::new(&mut buffer, 1, 0).is_none());
    }
}
