//! What the kernel reads while it takes entries from the queue: addresses, and the datagrams that it sends.

use super::address::{Name, Storage};
use crate::buffers::Buffer;
use std::net::SocketAddr;
use std::ops::Range;

struct Slot {
    address: Storage,
    buffer: Option<Buffer>,
}

/// A datagram in its slot.
pub(super) struct Queued {
    pub(super) bytes: *const u8,
    pub(super) len: u32,
    pub(super) name: Name,
}

/// The datagrams between [`super::UringDriver`]'s queue and the kernel. The slots never move.
pub(super) struct SendSlots {
    slots: Box<[Slot]>,
    used: usize,
}

impl SendSlots {
    pub(super) fn new(count: usize) -> SendSlots {
        let slot = || Slot { address: Storage::new(), buffer: None };
        SendSlots { slots: (0..count).map(|_| slot()).collect(), used: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.used == self.slots.len()
    }

    /// Fills the next slot. What is returned stays valid until [`SendSlots::finish`]. The caller has asked
    /// [`SendSlots::is_full`]. Without a destination it is for the peer that the socket is connected to.
    pub(super) fn fill(
        &mut self,
        buffer: Buffer,
        datagram: Range<usize>,
        destination: Option<SocketAddr>,
    ) -> Queued {
        let slot = &mut self.slots[self.used];
        self.used += 1;
        let name = destination.map_or(Name::NONE, |destination| slot.address.store(Some(destination)));
        let buffer = slot.buffer.insert(buffer);
        let bytes = buffer.get(datagram).unwrap_or_default();
        Queued { bytes: bytes.as_ptr(), len: bytes.len() as u32, name }
    }

    /// Keeps the address of a peer, or that of none, in the next slot until [`SendSlots::finish`]; `None` if no slot
    /// is left.
    pub(super) fn name(&mut self, peer: Option<SocketAddr>) -> Option<Name> {
        let slot = self.slots.get_mut(self.used)?;
        self.used += 1;
        Some(slot.address.store(peer))
    }

    /// Empties every slot; the kernel must be done with them.
    pub(super) fn finish(&mut self, mut give_back: impl FnMut(Buffer)) {
        for slot in &mut self.slots[..self.used] {
            if let Some(buffer) = slot.buffer.take() {
                give_back(buffer);
            }
        }
        self.used = 0;
    }
}
