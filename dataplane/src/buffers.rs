//! Packet buffers: fixed memory that changes hands and is never copied or returned to the allocator.

use std::ops::{Deref, DerefMut};

/// Bytes of one buffer.
pub const BUFFER_BYTES: usize = 2048;
/// Where a datagram starts in its buffer. The driver keeps what the kernel says of the datagram in front of it.
pub const HEADROOM: usize = 64;
/// Bytes behind the longest datagram received, for what protecting it adds: an SRTCP index and the longest tag.
pub const TAILROOM: usize = 128;
/// The longest datagram that is received; a longer one is dropped.
pub const MAX_DATAGRAM: usize = BUFFER_BYTES - HEADROOM - TAILROOM;

const _: () = assert!(MAX_DATAGRAM >= 1500, "an Ethernet frame must fit");

/// One packet buffer. Whoever holds it owns its memory: the driver, the worker, or (inside the driver) the kernel.
#[derive(Debug)]
pub struct Buffer(Box<[u8; BUFFER_BYTES]>);

impl Buffer {
    /// A buffer of zeros.
    pub fn new() -> Buffer {
        Buffer(Box::new([0; BUFFER_BYTES]))
    }

    /// The memory itself, to hand it to the kernel.
    pub(crate) fn into_memory(self) -> Box<[u8; BUFFER_BYTES]> {
        self.0
    }

    /// The inverse of [`Buffer::into_memory`].
    pub(crate) fn from_memory(memory: Box<[u8; BUFFER_BYTES]>) -> Buffer {
        Buffer(memory)
    }
}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer::new()
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0[..]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0[..]
    }
}

/// The buffers that are nobody's at the moment.
#[derive(Debug)]
pub struct Pool {
    spare: Vec<Buffer>,
}

impl Pool {
    /// Takes the memory for `capacity` buffers, at start.
    pub fn new(capacity: usize) -> Pool {
        let mut spare = Vec::with_capacity(capacity);
        spare.resize_with(capacity, Buffer::new);
        Pool { spare }
    }

    /// Takes a buffer, if one is left. Its content is whatever was in it last.
    pub fn take(&mut self) -> Option<Buffer> {
        self.spare.pop()
    }

    /// Takes a buffer back. Only buffers that came from here return, so the vector never grows.
    pub fn give(&mut self, buffer: Buffer) {
        self.spare.push(buffer);
    }

    /// How many buffers are left.
    pub fn len(&self) -> usize {
        self.spare.len()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.spare.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_ends_where_its_capacity_does() {
        let mut pool = Pool::new(2);
        let first = pool.take().unwrap();
        let _second = pool.take().unwrap();
        assert!(pool.take().is_none());
        pool.give(first);
        assert_eq!(pool.len(), 1);
    }

    #[test]
    fn memory_makes_the_round_trip_to_the_kernel() {
        let mut buffer = Buffer::new();
        buffer[7] = 9;
        assert_eq!(Buffer::from_memory(buffer.into_memory())[7], 9);
    }
}
