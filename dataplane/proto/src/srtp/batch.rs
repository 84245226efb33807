//! The HMACs of many packets at once: the larger part of what `AES_CM_128_HMAC_SHA1` costs, and much cheaper together.
//!
//! A batch computes tags and decides nothing. Indexes, replay windows and the state of sources are handled packet by
//! packet, by [`super::Inbound`] and [`super::Outbound`], as without a batch: a packet whose predecessors in the batch
//! change the estimate of its index gets its tag computed anew.

use tandem_crypto::{HmacKey, Message, TAG_LEN};

#[cfg(test)]
use super::SrtpError;
use super::aes_cm::{MAX_TAG_LEN, shortened};

/// The most packets of one batch.
pub const MAX_BATCH: usize = 32;

/// A tag that is to be computed: all that it depends on but the packet.
#[derive(Clone)]
pub struct DueTag {
    key: HmacKey,
    rollover: [u8; 4],
    /// Bytes of it that are sent.
    sent: usize,
}

/// A tag that was computed, with what it was computed for.
#[derive(Clone, Copy)]
pub struct ComputedTag {
    /// How many bytes of the packet it covers.
    covered: usize,
    rollover: [u8; 4],
    tag: [u8; MAX_TAG_LEN],
}

impl DueTag {
    pub(super) fn new(key: &HmacKey, rollover: [u8; 4], sent: usize) -> DueTag {
        DueTag { key: key.clone(), rollover, sent }
    }

    /// Computes it alone.
    #[cfg(test)]
    pub(super) fn compute(&self, packet: &[u8]) -> Result<ComputedTag, SrtpError> {
        let data = self.covered(packet).ok_or(SrtpError::Short)?;
        let tag = shortened(&self.key.tag(data, self.rollover));
        Ok(ComputedTag { covered: data.len(), rollover: self.rollover, tag })
    }

    fn covered<'a>(&self, packet: &'a [u8]) -> Option<&'a [u8]> {
        packet.get(..packet.len().checked_sub(self.sent)?)
    }
}

impl ComputedTag {
    /// Writes the tag to the end of the protected packet for which it was due.
    pub fn write(&self, packet: &mut [u8]) {
        let place = packet.iter_mut().skip(self.covered);
        place.zip(self.tag).for_each(|(place, byte)| *place = byte);
    }

    /// The tag, if it covers that much and is of that roll-over counter.
    pub(super) fn get(&self, covered: usize, rollover: [u8; 4]) -> Option<[u8; MAX_TAG_LEN]> {
        (self.covered == covered && self.rollover == rollover).then_some(self.tag)
    }
}

/// Up to [`MAX_BATCH`] packets with their due tags.
pub struct TagBatch<'a> {
    messages: [Message<'a>; MAX_BATCH],
    count: usize,
}

impl<'a> TagBatch<'a> {
    /// An empty batch.
    pub fn new() -> TagBatch<'a> {
        TagBatch { messages: [Message::default(); MAX_BATCH], count: 0 }
    }

    /// Adds a packet, from its header to the last byte of its tag. Says whether there was room.
    pub fn push(&mut self, due: &'a DueTag, packet: &'a [u8]) -> bool {
        let (Some(place), Some(data)) = (self.messages.get_mut(self.count), due.covered(packet)) else {
            return false;
        };
        *place = Message { key: &due.key, data, suffix: due.rollover };
        self.count += 1;
        true
    }

    /// Computes all tags, in the order in which they were added.
    pub fn compute(&self) -> impl Iterator<Item = ComputedTag> + use<> {
        let mut tags = [[0; TAG_LEN]; MAX_BATCH];
        let messages = self.messages.get(..self.count).unwrap_or_default();
        tandem_crypto::tags(messages, &mut tags);
        let computed = self.messages.map(|message| (message.data.len(), message.suffix));
        let all = computed.into_iter().zip(tags).take(self.count);
        all.map(|((covered, rollover), tag)| ComputedTag { covered, rollover, tag: shortened(&tag) })
    }
}

impl Default for TagBatch<'_> {
    fn default() -> Self {
        TagBatch::new()
    }
}
