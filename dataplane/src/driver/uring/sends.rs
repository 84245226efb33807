//! What the kernel reads while it sends: message headers, addresses, and the datagrams themselves.

use crate::buffers::Buffer;
use socket2::SockAddr;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::ptr;

struct Slot {
    message: libc::msghdr,
    part: libc::iovec,
    address: SockAddr,
    buffer: Option<Buffer>,
}

/// The datagrams between [`super::UringDriver`]'s queue and the kernel. The slots never move.
pub(super) struct SendSlots {
    slots: Box<[Slot]>,
    used: usize,
}

impl SendSlots {
    pub(super) fn new(count: usize) -> SendSlots {
        let slot = || Slot {
            // SAFETY: `msghdr` is plain data for which all zeros is valid.
            message: unsafe { std::mem::zeroed() },
            part: libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 },
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into(),
            buffer: None,
        };
        SendSlots { slots: (0..count).map(|_| slot()).collect(), used: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.used == self.slots.len()
    }

    /// Fills the next slot and returns its header, which stays valid until [`SendSlots::finish`]. The caller has
    /// asked [`SendSlots::is_full`].
    pub(super) fn fill(
        &mut self,
        mut buffer: Buffer,
        datagram: Range<usize>,
        destination: SocketAddr,
    ) -> *const libc::msghdr {
        let slot = &mut self.slots[self.used];
        self.used += 1;
        let bytes = buffer.get_mut(datagram).unwrap_or_default();
        slot.part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        slot.address = destination.into();
        slot.buffer = Some(buffer);
        slot.message.msg_name = slot.address.as_ptr().cast_mut().cast();
        slot.message.msg_namelen = slot.address.len();
        slot.message.msg_iov = &raw mut slot.part;
        slot.message.msg_iovlen = 1;
        &raw const slot.message
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
