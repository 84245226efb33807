//! The engine: sends what is due, receives what is there.

use crate::measure::histogram::Histogram;
use crate::measure::pace::{Pace, precise_sleep};
use crate::measure::stop;
use crate::media::batch::{BATCH, Inbox, MAX_DATAGRAM, Outbox};
use crate::media::calls::{Calls, Leg, LegId, Pacing};
use crate::media::figures::Direction;
use crate::media::sockets::{SocketId, Sockets};
use crate::webrtc::peer::{CONNECT_TIMEOUT, Peer};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant, SystemTime};

/// The interval is cut into this many slots, over which the legs are spread.
const SLOTS: usize = 200;
/// Sleeps shorter than this are not worth the system call.
const SHORTEST_SLEEP: Duration = Duration::from_micros(20);
/// Between two looks at a socket over which a handshake goes.
const HANDSHAKE_PAUSE: Duration = Duration::from_micros(200);
/// Receive calls on one socket before the next has its turn.
const RECEIVES: usize = 8;
/// The generator.
pub(crate) struct Engine {
    pacing: Pacing,
    sockets: Sockets,
    /// One for each socket, with the side whose legs use it.
    outboxes: Vec<(Outbox, usize)>,
    inbox: Inbox,
    calls: Calls,
    slots: Vec<Vec<LegId>>,
    next_slot: usize,
    lateness: Histogram,
}

impl Engine {
    /// With no legs yet; all its sockets are on `host`.
    pub(crate) fn new(host: Ipv4Addr, pacing: Pacing) -> Engine {
        precise_sleep();
        Engine {
            pacing,
            sockets: Sockets::new(host),
            outboxes: Vec::new(),
            inbox: Inbox::new(),
            calls: Calls::new(pacing),
            slots: vec![Vec::new(); SLOTS],
            next_slot: 0,
            lateness: Histogram::default(),
        }
    }

    /// Opens a socket for legs of one side; many may share it, for each has its own port at the relay.
    ///
    /// # Errors
    /// If there is none to be had.
    pub(crate) fn socket(&mut self, side: usize) -> io::Result<SocketId> {
        let socket = self.sockets.open()?;
        self.outboxes.push((Outbox::new(), side));
        Ok(socket)
    }

    /// Where a socket receives RTP; RTCP is one port above.
    pub(crate) fn address(&self, socket: SocketId) -> SocketAddrV4 {
        self.sockets.address(socket)
    }

    /// Carries ICE and DTLS over a socket that no leg uses yet, until `peer` is connected. Once media flows, neither is
    /// answered any more: runs are shorter than the 30 seconds after which consent expires (RFC 7675 section 5.1).
    ///
    /// # Errors
    /// If they fail or take too long.
    pub(crate) fn connect_peer(&self, socket: SocketId, peer: &mut Peer) -> io::Result<()> {
        let patience = Instant::now() + CONNECT_TIMEOUT;
        let mut buffer = [0; MAX_DATAGRAM];
        loop {
            while let Some((to, datagram)) = peer.poll_datagram() {
                self.sockets.send_to(socket, &datagram, to)?;
            }
            let now = Instant::now();
            if peer.connected.is_some() {
                return Ok(());
            }
            if peer.has_failed() || now > patience || stop::requested() {
                return Err(io::Error::other("ICE or DTLS with the relay failed"));
            }
            match self.sockets.receive_from(socket, &mut buffer) {
                Ok((length, source)) => drop(peer.handle(now, source, &mut buffer[..length])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(HANDSHAKE_PAUSE)
                }
                Err(error) => return Err(error),
            }
            if peer.next_timeout().is_some_and(|due| due <= now) {
                peer.handle_timeout(now);
            }
        }
    }

    /// Takes a leg; it sends whenever the engine runs.
    ///
    /// # Errors
    /// If there is no speech in its codec.
    pub(crate) fn add(&mut self, leg: Leg) -> io::Result<LegId> {
        let id = self.calls.add(leg)?;
        // Neighbours in time shall not be neighbours in the relay's tables: a stride that is prime to the slots.
        self.slots[id.0 * 77 % SLOTS].push(id);
        Ok(id)
    }

    /// Says that what one leg sends, the other receives.
    pub(crate) fn connect(&mut self, a: LegId, b: LegId) {
        self.calls.connect(a, b);
    }

    /// Forgets what was counted; packets that are under way do not count either.
    pub(crate) fn count_from_now(&mut self) {
        self.lateness = Histogram::default();
        self.calls.count_from(unix_time());
    }

    /// What is sent from now on does not count: it only keeps streams going whose last packets are still under way.
    pub(crate) fn count_until_now(&mut self) {
        self.calls.count_until(unix_time());
    }

    /// Sends and receives for `length`, or until the user wants an end.
    ///
    /// # Errors
    /// If a system call fails.
    pub(crate) fn run(&mut self, length: Duration) -> io::Result<()> {
        let start = Instant::now();
        let slot = Duration::from_millis(u64::from(self.pacing.interval_ms)) / SLOTS as u32;
        let mut pace = Pace::new(start, slot);
        loop {
            self.receive()?;
            let now = Instant::now();
            if now >= start + length || stop::requested() {
                break;
            }
            while pace.take(now).is_some() {
                self.send_slot()?;
            }
            let wait = pace.next().saturating_duration_since(Instant::now());
            if wait > SHORTEST_SLEEP {
                std::thread::sleep(wait);
            }
        }
        self.lateness.merge(&pace.take_lateness());
        Ok(())
    }

    /// Only receives, for `length`.
    ///
    /// # Errors
    /// If a system call fails.
    pub(crate) fn settle(&mut self, length: Duration) -> io::Result<()> {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.receive()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        self.sockets.discard_rtcp();
        Ok(())
    }

    /// What was counted: from side 0 to side 1, and back.
    pub(crate) fn directions(&self) -> [Direction; 2] {
        self.calls.totals()
    }

    /// How late the generator itself was.
    pub(crate) fn lateness(&self) -> &Histogram {
        &self.lateness
    }

    /// Packets that the kernel dropped because the generator did not fetch them in time, since the engine began.
    pub(crate) fn overflowed(&self) -> u32 {
        self.inbox.overflowed()
    }

    fn send_slot(&mut self) -> io::Result<()> {
        let slot = self.next_slot;
        self.next_slot = (slot + 1) % SLOTS;
        let now = unix_time();
        for &leg in &self.slots[slot] {
            let (outboxes, mut used) = (&mut self.outboxes, None);
            self.calls.send(leg, now, |socket, packet, to| {
                outboxes[socket.0].0.push(packet, to);
                used = Some(socket);
            })?;
            if let Some(socket) = used
                && self.outboxes[socket.0].0.is_full()
            {
                flush(&self.sockets, socket, &mut self.outboxes[socket.0], &mut self.calls)?;
            }
        }
        for (index, outbox) in self.outboxes.iter_mut().enumerate() {
            flush(&self.sockets, SocketId(index), outbox, &mut self.calls)?;
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        for socket in (0..self.outboxes.len()).map(SocketId) {
            for _ in 0..RECEIVES {
                let count = self.inbox.receive(self.sockets.descriptor(socket))?;
                self.inbox.datagrams().for_each(|datagram| self.calls.deliver(socket, &datagram));
                if count < BATCH {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Sends what waits for a socket.
fn flush(
    sockets: &Sockets,
    socket: SocketId,
    (outbox, side): &mut (Outbox, usize),
    calls: &mut Calls,
) -> io::Result<()> {
    if outbox.is_empty() {
        return Ok(());
    }
    let refused = outbox.flush(sockets.descriptor(socket))?;
    calls.directions[*side].refused += refused;
    Ok(())
}

fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
