//! What moves datagrams between a worker and the world. The worker does not know which driver it has.

pub mod sim;
pub mod uring;
mod waker;

pub use waker::Waker;

use crate::buffers::Buffer;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::RawFd;
use std::time::Instant;
use tandem_media::Now;

/// Names an open socket of one driver: a small index, used again after the socket was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketId(pub u32);

/// A received datagram in its buffer.
#[derive(Debug)]
pub struct Received {
    /// Where it came in.
    pub socket: SocketId,
    /// Who sent it.
    pub source: SocketAddr,
    /// The memory it lies in.
    pub buffer: Buffer,
    /// Where in it.
    pub datagram: Range<usize>,
}

impl Received {
    /// The datagram.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.datagram.clone()).unwrap_or_default()
    }
}

/// What went wrong in a driver, and how often. None of it is fatal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriverCounters {
    /// Datagrams longer than [`crate::buffers::MAX_DATAGRAM`], or with a source that is not IP.
    pub malformed: u64,
    /// Receives that ended because no buffer was left; they were armed again.
    pub receive_starved: u64,
    /// Receives that ended with an error of the socket; they were armed again unless it is one that lasts.
    pub receive_errors: u64,
    /// Datagrams that the kernel refused to send (no route, full queue, refused by the peer).
    pub send_errors: u64,
    /// Operations that found the queue to the kernel full even after it was flushed.
    pub queue_full: u64,
}

/// Moves datagrams. All memory for packets is taken when a driver is made.
pub trait Driver {
    /// Reads the clocks; in a simulation they are virtual.
    fn now(&self) -> Now;

    /// Opens a UDP socket bound to `local` and begins to receive from it. One that is `shared` by many legs gets a
    /// longer queue: the usual one holds a second of a leg's own traffic.
    ///
    /// # Errors
    /// What the system says, above all that the port is taken.
    fn open(&mut self, local: SocketAddr, shared: bool) -> io::Result<SocketId>;

    /// Closes a socket after what was queued on it has been sent. Its id must not be used any more.
    fn close(&mut self, socket: SocketId);

    /// Tells that from now on the socket exchanges datagrams with `peer` only; `None` ends that. The system may then
    /// refuse what others send to it before a driver sees it (and count it: `NoPorts` in `/proc/net/snmp`); what came
    /// before may still be received.
    fn connect(&mut self, socket: SocketId, peer: Option<SocketAddr>);

    /// Takes the next received datagram, without entering the kernel.
    fn receive(&mut self) -> Option<Received>;

    /// Takes a buffer for a datagram that is made here, if one is left.
    fn take_buffer(&mut self) -> Option<Buffer>;

    /// Takes back a buffer that is not sent.
    fn release(&mut self, buffer: Buffer);

    /// Queues a datagram. It leaves at the next [`Driver::wait`] at the latest.
    fn send(&mut self, socket: SocketId, buffer: Buffer, datagram: Range<usize>, destination: SocketAddr);

    /// Wakes the worker also when this descriptor is readable, until it is told another one, or none. It must stay
    /// open until then.
    fn watch(&mut self, descriptor: Option<RawFd>);

    /// Whether the watched descriptor may have become readable since the last call.
    fn take_watched(&mut self) -> bool;

    /// Flushes what was queued, then sleeps until a datagram came in, the driver's waker was used, or `until` passed;
    /// `None` waits without limit, an instant in the past does not sleep.
    ///
    /// # Errors
    /// Only where the driver cannot go on at all.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<()>;

    /// How many sockets are open or still closing.
    fn open_sockets(&self) -> usize;

    /// How many buffers are free for [`Driver::take_buffer`].
    fn spare_buffers(&self) -> usize;

    /// What went wrong so far.
    fn counters(&self) -> DriverCounters;
}
