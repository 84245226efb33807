//! The driver on io_uring: one ring per worker thread, multishot receives into one ring of provided buffers,
//! batched sends from the very buffers that packets came in, one system call per turn of the worker.
//!
//! Needs Linux 6.0 (multishot `recvmsg`). Ownership of packet memory is explicit: a [`Buffer`] is either held in
//! Rust, or turned into a raw pointer in [`BufferRing`] or a send slot while the kernel may touch it.
#![allow(unsafe_code)]

mod address;
mod buffer_ring;
mod gathering;
mod sends;
mod setup;
mod slots;

use super::{Driver, DriverCounters, Received, SocketId, Waker};
use crate::buffers::{BUFFER_BYTES, Buffer, HEADROOM, Pool};
use buffer_ring::BufferRing;
use gathering::Gathering;
use io_uring::types::{Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use sends::SendSlots;
use setup::{SUBMISSION_ENTRIES, build_ring};
use slots::{SocketSlot, SocketState, Watch};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tandem_media::Now;

/// Buffers that the kernel may fill; a power of two.
const RECEIVE_BUFFERS: u16 = 4096;
/// Buffers for datagrams made here, and those on their way out.
const SPARE_BUFFERS: usize = 1024;
/// Datagrams queued between two system calls.
const SEND_SLOTS: usize = 512;
/// The group of the provided buffers; there is one per ring.
const BUFFER_GROUP: u16 = 0;
/// Bytes that the kernel reserves for the source address in front of a datagram: the space that
/// `struct io_uring_recvmsg_out` (16 bytes) leaves of [`HEADROOM`].
const NAME_BYTES: usize = HEADROOM - 16;
/// What the receive queue of a shared socket may hold, in bytes, as far as the system allows.
const SHARED_RECEIVE_BYTES: usize = 1 << 20;
/// How often a driver that is dropped waits for its last receives to end, and how long each time.
const CLOSING_TURNS: usize = 100;
const CLOSING_WAIT: Duration = Duration::from_millis(10);
/// `IORING_ENTER_GETEVENTS`.
const ENTER_GETEVENTS: u32 = 1;

const _: () = assert!(NAME_BYTES >= size_of::<libc::sockaddr_in6>());
const _: () = assert!(SEND_SLOTS <= SUBMISSION_ENTRIES as usize / 2, "arming and cancelling need room too");
const _: () = assert!(RECEIVE_BUFFERS.is_power_of_two());

/// What a completion is about; the upper half of its user data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Receive = 1,
    Send,
    Connect,
    Cancel,
    Close,
    Wake,
    Watch,
    Timer,
    TimerUpdate,
}

fn user_data(operation: Operation, index: u32) -> u64 {
    ((operation as u64) << 32) | u64::from(index)
}

/// How [`UringDriver::enter`] sleeps.
enum Sleep {
    No,
    UntilWoken,
    /// For so many microseconds until there is enough; then until there is anything, or that time has passed.
    Gathering(u32, Timespec),
}

/// The driver. It must be used on the thread that made it.
pub struct UringDriver {
    ring: IoUring,
    buffers: BufferRing,
    sends: SendSlots,
    /// The template of every multishot receive; only its lengths matter.
    receive_message: Box<libc::msghdr>,
    pool: Pool,
    waker: Waker,
    wake_armed: bool,
    watch: Watch,
    /// When the timer in the ring fires.
    timer_at: Option<Instant>,
    /// What the kernel reads when it is armed.
    timer_rest: Box<Timespec>,
    sockets: Vec<SocketSlot>,
    free_sockets: Vec<u32>,
    /// Sockets whose end is queued.
    leaving: Vec<u32>,
    /// Sockets whose receive must be armed again, or whose cancellation must be repeated.
    unsettled: Vec<u32>,
    /// Where the kernel can hold wake-ups back.
    gathering: Option<Gathering>,
    counters: DriverCounters,
}

impl UringDriver {
    /// A driver for up to `max_sockets` sockets; under load a datagram may wait for others as long as `gather`.
    ///
    /// # Errors
    /// When the kernel lacks io_uring or forbids it, or its limits are too low for the socket table.
    pub fn new(max_sockets: usize, waker: Waker, gather: Duration) -> io::Result<UringDriver> {
        let ring = build_ring()?;
        let slots = u32::try_from(max_sockets).map_err(|_| io::ErrorKind::InvalidInput)?;
        ring.submitter().register_files_sparse(slots)?;
        let mut pool = Pool::new(usize::from(RECEIVE_BUFFERS) + SPARE_BUFFERS);
        let mut buffers = BufferRing::register(&ring, RECEIVE_BUFFERS, BUFFER_GROUP)?;
        while buffers.has_room() {
            let Some(buffer) = pool.take() else { break };
            buffers.provide(buffer);
        }
        buffers.publish();
        // SAFETY: `msghdr` is plain data for which all zeros is valid: no pointers, no lengths.
        let mut receive_message: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        receive_message.msg_namelen = NAME_BYTES as libc::socklen_t;
        let can_gather = ring.params().is_feature_min_timeout();
        Ok(UringDriver {
            ring,
            buffers,
            sends: SendSlots::new(SEND_SLOTS),
            receive_message,
            pool,
            waker,
            wake_armed: false,
            watch: Watch::default(),
            timer_at: None,
            timer_rest: Box::new(Timespec::new()),
            sockets: vec![SocketSlot::FREE; max_sockets],
            free_sockets: (0..slots).rev().collect(),
            leaving: Vec::with_capacity(max_sockets),
            unsettled: Vec::with_capacity(2 * max_sockets),
            gathering: can_gather.then(|| Gathering::new(Instant::now(), gather)),
            counters: DriverCounters::default(),
        })
    }

    /// Puts an entry into the submission queue, entering the kernel first if it is full; `false` if it stays full.
    fn push(&mut self, entry: &squeue::Entry) -> bool {
        for _ in 0..2 {
            // SAFETY: whatever the entries built in this module point to (`receive_message`, `timer_rest`, a send slot) lives as
            // long as the ring and stays as it is until the kernel has consumed the entry; buffers under a send
            // stay in their slot until then.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return true;
            }
            self.enter_now();
        }
        self.counters.queue_full += 1;
        false
    }

    fn arm_receive(&mut self, socket: u32) {
        let entry = opcode::RecvMsgMulti::new(Fixed(socket), &raw const *self.receive_message, BUFFER_GROUP)
            .build()
            .user_data(user_data(Operation::Receive, socket));
        let armed = self.push(&entry);
        self.sockets[socket as usize].armed = armed;
        if !armed {
            self.unsettled.push(socket);
        }
    }

    fn cancel_receive(&mut self, socket: u32) {
        let entry = opcode::AsyncCancel::new(user_data(Operation::Receive, socket))
            .build()
            .user_data(user_data(Operation::Cancel, socket));
        if !self.push(&entry) {
            self.unsettled.push(socket);
        }
    }

    fn arm_waker(&mut self) {
        let fd = io_uring::types::Fd(self.waker.descriptor());
        let entry = opcode::PollAdd::new(fd, libc::POLLIN as u32).build();
        self.wake_armed = self.push(&entry.user_data(user_data(Operation::Wake, 0)));
    }

    fn arm_watch(&mut self) {
        let Some(descriptor) = self.watch.descriptor.filter(|_| !self.watch.armed) else { return };
        let fd = io_uring::types::Fd(descriptor);
        let entry = opcode::PollAdd::new(fd, libc::POLLIN as u32).build();
        self.watch.armed = self.push(&entry.user_data(user_data(Operation::Watch, self.watch.turn)));
    }

    /// Sees to it that a sleep ends at `at`, in `rest`, or before; `false` if it cannot. A timer of its own for each sleep would be set and
    /// cancelled by the kernel for each packet of a quiet worker, and that costs more than to handle the packet.
    fn arm_timer(&mut self, at: Instant, rest: Duration) -> bool {
        if self.timer_at.is_some_and(|armed| armed <= at) {
            return true;
        }
        *self.timer_rest = Timespec::from(rest);
        let timer = user_data(Operation::Timer, 0);
        let entry = if self.timer_at.is_some() {
            // It fails only where the timer fires at this moment: then nobody sleeps.
            opcode::TimeoutUpdate::new(timer, &raw const *self.timer_rest)
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS)
                .user_data(user_data(Operation::TimerUpdate, 0))
        } else {
            opcode::Timeout::new(&raw const *self.timer_rest).build().user_data(timer)
        };
        let armed = self.push(&entry);
        if armed {
            self.timer_at = Some(at);
        }
        armed
    }

    /// Arms again what ended while no buffer was left, and repeats cancellations that came at a bad moment.
    fn settle(&mut self) {
        if !self.wake_armed {
            self.arm_waker();
        }
        self.arm_watch();
        for _ in 0..self.unsettled.len() {
            let Some(socket) = self.unsettled.pop() else { break };
            match self.sockets[socket as usize] {
                SocketSlot { state: SocketState::Open, armed: false, .. } => self.arm_receive(socket),
                SocketSlot { state: SocketState::Closing, armed: false, .. } => self.free_socket(socket),
                SocketSlot { state: SocketState::Closing, armed: true, .. } => self.cancel_receive(socket),
                _ => {}
            }
        }
    }

    /// Enters the kernel: submits what is queued, runs deferred completions, and sleeps as told.
    fn enter(&mut self, sleep: Sleep) -> io::Result<()> {
        self.buffers.publish();
        let queued = self.ring.submission().len() as u32;
        let submitter = self.ring.submitter();
        let outcome = match sleep {
            // SAFETY: the count is that of the queue, and no argument is passed. Without GETEVENTS a ring with
            // deferred completions would never complete anything.
            Sleep::No => unsafe { submitter.enter::<libc::sigset_t>(queued, 0, ENTER_GETEVENTS, None) },
            Sleep::UntilWoken => submitter.submit_and_wait(1),
            Sleep::Gathering(gather, limit) => {
                let arguments = SubmitArgs::new().timespec(&limit).min_wait_usec(gather);
                submitter.submit_with_args(gathering::ENOUGH, &arguments)
            }
        };
        if self.ring.submission().is_empty() {
            // The kernel has consumed every entry. Sends carry MSG_DONTWAIT, so they are over, whatever came of them.
            self.sends.finish(|buffer| self.pool.give(buffer));
            self.free_sockets.append(&mut self.leaving);
            self.refill();
        }
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Enters the kernel in the middle of a turn. An error shows again at the end of it, in [`Driver::wait`].
    fn enter_now(&mut self) {
        if let Err(error) = self.enter(Sleep::No) {
            tracing::error!(%error, "io_uring_enter");
        }
    }

    /// Gives the kernel the buffers it lacks.
    fn refill(&mut self) {
        while self.buffers.has_room() && self.pool.len() > SPARE_BUFFERS / 2 {
            let Some(buffer) = self.pool.take() else { break };
            self.buffers.provide(buffer);
        }
        self.buffers.publish();
    }

    /// Takes note of anything but a datagram.
    fn completed(&mut self, operation: u64, index: u32, result: i32) {
        match operation {
            // Successful sends skip their completion.
            kind if kind == Operation::Send as u64 => {
                self.counters.send_errors += 1;
                if result == -libc::ECONNREFUSED {
                    self.refused(index);
                }
            }
            kind if kind == Operation::Connect as u64 => self.peer_set(index, result),
            kind if kind == Operation::Cancel as u64 && result < 0 => self.unsettled.push(index),
            // Successful ones skip theirs too.
            kind if kind == Operation::Close as u64 => {
                tracing::error!(result, "cannot take a socket out of the ring");
            }
            // Not a poll of a descriptor before.
            kind if kind == Operation::Watch as u64 && index == self.watch.turn => {
                self.watch.armed = false;
                self.watch.ready = true;
            }
            kind if kind == Operation::Wake as u64 => {
                self.waker.clear();
                self.wake_armed = false;
            }
            kind if kind == Operation::Timer as u64 => self.timer_at = None,
            _ => {}
        }
    }

    fn received(&mut self, socket: u32, result: i32, flags: u32) -> Option<Received> {
        let buffer = cqueue::buffer_select(flags).and_then(|id| self.buffers.reclaim(id));
        if !cqueue::more(flags) {
            self.receive_ended(socket, result);
        }
        let buffer = buffer?;
        let open = self.sockets.get(socket as usize).is_some_and(|slot| slot.state == SocketState::Open);
        if !open || result < 0 {
            self.release(buffer);
            return None;
        }
        let filled = (result as usize).min(BUFFER_BYTES);
        let Some((source, datagram)) = address::parse_received(&buffer[..filled], &self.receive_message)
        else {
            self.counters.malformed += 1;
            self.release(buffer);
            return None;
        };
        if let Some(gathering) = &mut self.gathering {
            gathering.received();
        }
        Some(Received { socket: SocketId(socket), source, buffer, datagram })
    }

    /// A multishot receive is no longer in the kernel.
    fn receive_ended(&mut self, socket: u32, result: i32) {
        let Some(slot) = self.sockets.get_mut(socket as usize) else { return };
        slot.armed = false;
        if slot.state == SocketState::Closing {
            return self.free_socket(socket);
        }
        match -result {
            libc::ECONNREFUSED => {
                self.counters.receive_errors += 1;
                self.refused(socket);
            }
            libc::ENOBUFS => self.counters.receive_starved += 1,
            error @ (libc::EINVAL | libc::EBADF | libc::EOPNOTSUPP) => {
                // It would end the same way each time, and keep the worker busy with it.
                self.counters.receive_errors += 1;
                tracing::error!(
                    error,
                    socket,
                    "the kernel refuses to receive (Linux 6.0 or newer is needed)"
                );
                return;
            }
            error if error > 0 => self.counters.receive_errors += 1,
            _ => {}
        }
        self.unsettled.push(socket);
    }

    /// Takes a socket out of the ring's table, behind what is queued on it. Its place is free once the kernel has done
    /// so.
    fn free_socket(&mut self, socket: u32) {
        let entry = opcode::Close::new(Fixed(socket)).build().flags(squeue::Flags::SKIP_SUCCESS);
        if !self.push(&entry.user_data(user_data(Operation::Close, socket))) {
            return self.unsettled.push(socket);
        }
        self.sockets[socket as usize] = SocketSlot::FREE;
        self.leaving.push(socket);
    }

    /// Connects a socket, or with no peer lets it go. Until the kernel has confirmed it everything sent keeps its address.
    fn set_peer(&mut self, socket: u32, peer: Option<SocketAddr>) {
        if self.sends.is_full() {
            self.enter_now();
        }
        let slot = &mut self.sockets[socket as usize];
        slot.connected = None;
        slot.connecting = None;
        let Some(name) = self.sends.name(peer) else { return self.counters.queue_full += 1 };
        slot.connecting = peer;
        slot.unconfirmed += 1;
        let entry = opcode::Connect::new(Fixed(socket), name.address, name.len)
            .build()
            .user_data(user_data(Operation::Connect, socket));
        if !self.push(&entry) {
            self.sockets[socket as usize].unconfirmed -= 1;
        }
    }

    /// Only connected sockets hear of ICMP errors, which anyone can forge who knows both ports, and each of which would
    /// cost a packet: this one does not hear of them any more.
    fn refused(&mut self, socket: u32) {
        if self.sockets.get(socket as usize).is_some_and(|slot| slot.connected.is_some()) {
            self.set_peer(socket, None);
        }
    }

    fn peer_set(&mut self, socket: u32, result: i32) {
        let Some(slot) = self.sockets.get_mut(socket as usize) else { return };
        slot.unconfirmed = slot.unconfirmed.saturating_sub(1);
        if slot.unconfirmed == 0 {
            slot.connected = slot.connecting.take().filter(|_| result == 0);
        }
    }
}

impl Driver for UringDriver {
    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { instant: Instant::now(), unix }
    }

    fn open(&mut self, local: SocketAddr, shared: bool) -> io::Result<SocketId> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if shared {
            socket.set_recv_buffer_size(SHARED_RECEIVE_BYTES)?;
        }
        socket.bind(&local.into())?;
        let slot = self.free_sockets.pop().ok_or(io::ErrorKind::QuotaExceeded)?;
        if let Err(error) = self.ring.submitter().register_files_update(slot, &[socket.as_raw_fd()]) {
            self.free_sockets.push(slot);
            return Err(error);
        }
        // The ring's table keeps the socket; the descriptor is not needed any more.
        drop(socket);
        self.sockets[slot as usize] = SocketSlot { state: SocketState::Open, ..SocketSlot::FREE };
        self.arm_receive(slot);
        Ok(SocketId(slot))
    }

    fn close(&mut self, socket: SocketId) {
        let Some(slot) = self.sockets.get_mut(socket.0 as usize) else { return };
        if slot.state != SocketState::Open {
            return;
        }
        slot.state = SocketState::Closing;
        if slot.armed {
            return self.cancel_receive(socket.0);
        }
        self.free_socket(socket.0);
    }

    fn receive(&mut self) -> Option<Received> {
        loop {
            let entry = self.ring.completion().next()?;
            let (operation, index) = (entry.user_data() >> 32, entry.user_data() as u32);
            if operation != Operation::Receive as u64 {
                self.completed(operation, index, entry.result());
            } else if let Some(received) = self.received(index, entry.result(), entry.flags()) {
                return Some(received);
            }
        }
    }

    fn connect(&mut self, socket: SocketId, peer: Option<SocketAddr>) {
        match self.sockets.get(socket.0 as usize) {
            Some(slot) if slot.state == SocketState::Open => self.set_peer(socket.0, peer),
            _ => {}
        }
    }

    fn take_buffer(&mut self) -> Option<Buffer> {
        self.pool.take()
    }

    fn release(&mut self, buffer: Buffer) {
        if self.buffers.has_room() {
            self.buffers.provide(buffer);
        } else {
            self.pool.give(buffer);
        }
    }

    fn send(&mut self, socket: SocketId, buffer: Buffer, datagram: Range<usize>, destination: SocketAddr) {
        if self.sends.is_full() {
            self.enter_now();
            if self.sends.is_full() {
                self.counters.queue_full += 1;
                return self.release(buffer);
            }
        }
        let connected = self.sockets.get(socket.0 as usize).and_then(|slot| slot.connected);
        let queued =
            self.sends.fill(buffer, datagram, Some(destination).filter(|_| connected != Some(destination)));
        let entry = opcode::Send::new(Fixed(socket.0), queued.bytes, queued.len)
            .flags(libc::MSG_DONTWAIT)
            .dest_addr(queued.name.address)
            .dest_addr_len(queued.name.len)
            .build()
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(user_data(Operation::Send, socket.0));
        self.push(&entry);
    }

    fn watch(&mut self, descriptor: Option<RawFd>) {
        // A poll that is still in the kernel holds the file, not its number.
        let turn = self.watch.turn.wrapping_add(1);
        self.watch = Watch { descriptor, turn, armed: false, ready: false };
    }

    fn take_watched(&mut self) -> bool {
        std::mem::take(&mut self.watch.ready)
    }

    fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        self.settle();
        let Some(until) = until else { return self.enter(Sleep::UntilWoken) };
        let now = Instant::now();
        let gather = self.gathering.as_mut().map_or(Duration::ZERO, |gathering| gathering.wait(now));
        let rest = until.saturating_duration_since(now);
        if rest.is_zero() {
            self.enter(Sleep::No)
        } else if !gather.is_zero() {
            self.enter(Sleep::Gathering(gather.as_micros() as u32, Timespec::from(rest)))
        } else if self.arm_timer(until, rest) {
            self.enter(Sleep::UntilWoken)
        } else {
            self.enter(Sleep::No)
        }
    }

    fn open_sockets(&self) -> usize {
        self.sockets.len() - self.free_sockets.len()
    }

    fn spare_buffers(&self) -> usize {
        self.pool.len()
    }

    fn counters(&self) -> DriverCounters {
        self.counters
    }
}

impl Drop for UringDriver {
    /// Ends every receive before the memory under it goes: closing a ring only begins to take it apart.
    fn drop(&mut self) {
        for socket in 0..self.sockets.len() as u32 {
            self.close(SocketId(socket));
        }
        for _ in 0..CLOSING_TURNS {
            while let Some(received) = self.receive() {
                self.release(received.buffer);
            }
            if self.open_sockets() == 0 {
                return;
            }
            if self.wait(Some(Instant::now() + CLOSING_WAIT)).is_err() {
                break;
            }
        }
        self.buffers.abandon();
    }
}

#[cfg(test)]
mod tests;
