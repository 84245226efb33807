//! The buffers that the kernel may fill.

use crate::buffers::{BUFFER_BYTES, Buffer, TAILROOM};
use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// The kernel wants the ring at the start of a page.
const PAGE: usize = 4096;

/// A ring of provided buffers (`io_uring_register_buf_ring(3)`).
///
/// Invariant: a buffer is in `lent` exactly while the kernel may write to it; nothing in Rust refers to it then.
pub(super) struct BufferRing {
    entries: NonNull<BufRingEntry>,
    layout: Layout,
    mask: u16,
    /// Where the next entry goes; the kernel sees it after [`BufferRing::publish`].
    tail: u16,
    /// By buffer id.
    lent: Vec<Option<NonNull<[u8; BUFFER_BYTES]>>>,
    free_ids: Vec<u16>,
    /// Set when the kernel may still use the memory at the end: then it is never freed.
    abandoned: bool,
}

impl BufferRing {
    /// Registers an empty ring of `count` buffers, a power of two.
    pub(super) fn register(ring: &IoUring, count: u16, group: u16) -> io::Result<BufferRing> {
        let bytes = usize::from(count) * size_of::<BufRingEntry>();
        let layout = Layout::from_size_align(bytes, PAGE).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the layout's size is not zero, for `count` is a power of two.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(entries) = NonNull::new(memory.cast::<BufRingEntry>()) else { handle_alloc_error(layout) };
        let this = BufferRing {
            entries,
            layout,
            mask: count - 1,
            tail: 0,
            lent: vec![None; usize::from(count)],
            free_ids: (0..count).rev().collect(),
            abandoned: false,
        };
        // SAFETY: the memory holds `count` entries and lives until `drop`, which the owner lets happen only when no
        // receive is left that could read it, and otherwise forbids with `abandon`.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(entries.as_ptr() as u64, count, group, 0)?;
        }
        Ok(this)
    }

    /// Whether the kernel can take another buffer.
    pub(super) fn has_room(&self) -> bool {
        !self.free_ids.is_empty()
    }

    /// Lends a buffer to the kernel; with no room left it is freed, so ask [`BufferRing::has_room`] first.
    pub(super) fn provide(&mut self, buffer: Buffer) {
        let Some(id) = self.free_ids.pop() else { return };
        let memory = NonNull::from(Box::leak(buffer.into_memory()));
        self.lent[usize::from(id)] = Some(memory);
        let position = usize::from(self.tail & self.mask);
        // SAFETY: `position` is inside the ring. The kernel does not read an entry beyond the published tail, and
        // there is never more than one entry per id, so this one has been consumed.
        let entry = unsafe { &mut *self.entries.as_ptr().add(position) };
        entry.set_addr(memory.as_ptr() as u64);
        entry.set_len((BUFFER_BYTES - TAILROOM) as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel see the buffers that were provided.
    pub(super) fn publish(&mut self) {
        // SAFETY: the tail lies in the first entry's reserved field, is aligned, and is written only here.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries.as_ptr()).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// Takes back the buffer that a completion names.
    pub(super) fn reclaim(&mut self, id: u16) -> Option<Buffer> {
        let memory = self.lent.get_mut(usize::from(id))?.take()?;
        self.free_ids.push(id);
        // SAFETY: the pointer came from a leaked box of this type, and `take` gives it out once. The kernel has
        // completed with this id, so it does not touch the memory any more.
        Some(Buffer::from_memory(unsafe { Box::from_raw(memory.as_ptr()) }))
    }

    /// Leaves the memory to the kernel for good, because receives could not be ended.
    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
    }
}

impl Drop for BufferRing {
    fn drop(&mut self) {
        if self.abandoned {
            return;
        }
        for memory in self.lent.iter_mut().filter_map(Option::take) {
            // SAFETY: as in `reclaim`; every receive has ended, so the kernel does not write any more.
            drop(unsafe { Box::from_raw(memory.as_ptr()) });
        }
        // SAFETY: allocated in `register` with this layout.
        unsafe { dealloc(self.entries.as_ptr().cast(), self.layout) };
    }
}
