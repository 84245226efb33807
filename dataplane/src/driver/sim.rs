//! The driver of tests and benches: virtual time, and datagrams that a test puts in and takes out.
//!
//! [`SimDriver`] is what a worker sees; [`Network`] carries datagrams between it and the test's peers, with loss,
//! reordering, duplication and delay from a seed.

use super::{Driver, DriverCounters, Received, SocketId};
use crate::buffers::{Buffer, HEADROOM, MAX_DATAGRAM, Pool};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};
use tandem_media::Now;

struct Sent {
    local: SocketAddr,
    buffer: Buffer,
    datagram: Range<usize>,
    destination: SocketAddr,
}

/// The worker's side of a simulation. Between [`Network`] steps it allocates nothing.
pub struct SimDriver {
    now: Now,
    pool: Pool,
    sockets: Vec<Option<SocketAddr>>,
    inbox: VecDeque<Received>,
    outbox: VecDeque<Sent>,
    counters: DriverCounters,
}

impl SimDriver {
    /// A driver with `buffers` packet buffers; its clock stands at `now`.
    pub fn new(buffers: usize, now: Now) -> SimDriver {
        SimDriver {
            now,
            pool: Pool::new(buffers),
            sockets: Vec::new(),
            inbox: VecDeque::with_capacity(buffers),
            outbox: VecDeque::with_capacity(buffers),
            counters: DriverCounters::default(),
        }
    }

    /// Sets the clock, which never goes back.
    pub fn set_now(&mut self, now: Now) {
        self.now = now;
    }

    /// Delivers a datagram; `false` if nobody listens there, or no buffer is left.
    pub fn deliver(&mut self, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) -> bool {
        let Some(socket) = self.sockets.iter().position(|&local| local == Some(destination)) else {
            return false;
        };
        if bytes.len() > MAX_DATAGRAM {
            self.counters.malformed += 1;
            return false;
        }
        let Some(mut buffer) = self.pool.take() else {
            self.counters.receive_starved += 1;
            return false;
        };
        let datagram = HEADROOM..HEADROOM + bytes.len();
        buffer[datagram.clone()].copy_from_slice(bytes);
        self.inbox.push_back(Received { socket: SocketId(socket as u32), source, buffer, datagram });
        true
    }

    /// Takes the next datagram that the worker sent: hands `look` its source, its destination and its bytes.
    pub fn take_sent<T>(&mut self, look: impl FnOnce(SocketAddr, SocketAddr, &[u8]) -> T) -> Option<T> {
        let sent = self.outbox.pop_front()?;
        let result = look(sent.local, sent.destination, &sent.buffer[sent.datagram]);
        self.pool.give(sent.buffer);
        Some(result)
    }
}

impl Driver for SimDriver {
    fn now(&self) -> Now {
        self.now
    }

    fn open(&mut self, local: SocketAddr, _shared: bool) -> io::Result<SocketId> {
        if self.sockets.contains(&Some(local)) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let free = self.sockets.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| {
            self.sockets.push(None);
            self.sockets.len() - 1
        });
        self.sockets[slot] = Some(local);
        Ok(SocketId(slot as u32))
    }

    fn close(&mut self, socket: SocketId) {
        if let Some(slot) = self.sockets.get_mut(socket.0 as usize) {
            *slot = None;
        }
        for index in (0..self.inbox.len()).rev() {
            if self.inbox[index].socket == socket
                && let Some(undelivered) = self.inbox.remove(index)
            {
                self.pool.give(undelivered.buffer);
            }
        }
    }

    /// Does nothing: here strangers keep coming through, so that tests reach the guard behind.
    fn connect(&mut self, _socket: SocketId, _peer: Option<SocketAddr>) {}

    fn receive(&mut self) -> Option<Received> {
        self.inbox.pop_front()
    }

    fn take_buffer(&mut self) -> Option<Buffer> {
        self.pool.take()
    }

    fn release(&mut self, buffer: Buffer) {
        self.pool.give(buffer);
    }

    fn send(&mut self, socket: SocketId, buffer: Buffer, datagram: Range<usize>, destination: SocketAddr) {
        match self.sockets.get(socket.0 as usize) {
            Some(&Some(local)) => self.outbox.push_back(Sent { local, buffer, datagram, destination }),
            _ => {
                self.counters.send_errors += 1;
                self.pool.give(buffer);
            }
        }
    }

    /// A simulation has no client.
    fn watch(&mut self, _descriptor: Option<RawFd>) {}

    fn take_watched(&mut self) -> bool {
        false
    }

    fn wait(&mut self, _until: Option<Instant>) -> io::Result<()> {
        Ok(())
    }

    fn open_sockets(&self) -> usize {
        self.sockets.iter().flatten().count()
    }

    fn spare_buffers(&self) -> usize {
        self.pool.len()
    }

    fn counters(&self) -> DriverCounters {
        self.counters
    }
}

/// How badly a network treats datagrams. Chances are in 1/1000 of the datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub struct Impairment {
    /// Chance that one is lost.
    pub loss: u32,
    /// Chance that one arrives twice.
    pub duplication: u32,
    /// How long each is under way, at least.
    pub delay: Duration,
    /// How much longer, at random; more than the distance of two packets puts them out of order.
    pub jitter: Duration,
}

/// A datagram on its way or arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A network with one [`SimDriver`] and any number of peers, deterministic for its seed.
pub struct Network {
    random: fastrand::Rng,
    impairment: Impairment,
    now: Now,
    /// By time of arrival, then by order of sending.
    under_way: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    arrived: HashMap<SocketAddr, VecDeque<Datagram>>,
}

impl Network {
    /// A network whose clock stands at `now`.
    pub fn new(seed: u64, impairment: Impairment, now: Now) -> Network {
        Network {
            random: fastrand::Rng::with_seed(seed),
            impairment,
            now,
            under_way: BTreeMap::new(),
            sent: 0,
            arrived: HashMap::new(),
        }
    }

    /// Its clock.
    pub fn now(&self) -> Now {
        self.now
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.under_way.first_key_value().map(|(&(instant, _), _)| instant)
    }

    /// Sends a datagram into the network.
    pub fn send(&mut self, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        if self.random.u32(..1000) < self.impairment.loss {
            return;
        }
        let copies = 1 + u32::from(self.random.u32(..1000) < self.impairment.duplication);
        for _ in 0..copies {
            let jitter = self.impairment.jitter.mul_f64(self.random.f64());
            let arrival = self.now.instant + self.impairment.delay + jitter;
            let datagram = Datagram { source, destination, bytes: bytes.to_vec() };
            self.under_way.insert((arrival, self.sent), datagram);
            self.sent += 1;
        }
    }

    /// Moves the clocks on to `instant`, takes what the driver sent, and delivers what arrives until then.
    pub fn advance(&mut self, instant: Instant, driver: &mut SimDriver) {
        while driver.take_sent(|source, destination, bytes| self.send(source, destination, bytes)).is_some() {
        }
        let elapsed = instant.saturating_duration_since(self.now.instant);
        self.now = Now { instant: self.now.instant + elapsed, unix: self.now.unix + elapsed };
        driver.set_now(self.now);
        while let Some(entry) = self.under_way.first_entry() {
            if entry.key().0 > self.now.instant {
                break;
            }
            let datagram = entry.remove();
            if !driver.deliver(datagram.source, datagram.destination, &datagram.bytes) {
                self.arrived.entry(datagram.destination).or_default().push_back(datagram);
            }
        }
    }

    /// Takes the next datagram that arrived at an address that is not the driver's.
    pub fn take_arrived(&mut self, address: SocketAddr) -> Option<Datagram> {
        self.arrived.get_mut(&address)?.pop_front()
    }

    /// The addresses outside the driver at which datagrams arrived that nobody took.
    pub fn unclaimed(&self) -> impl Iterator<Item = SocketAddr> {
        self.arrived.iter().filter(|(_, queue)| !queue.is_empty()).map(|(&address, _)| address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Now {
        Now { instant: Instant::now(), unix: Duration::from_secs(1) }
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn a_datagram_goes_in_and_out_after_the_delay() {
        let impairment = Impairment { delay: Duration::from_millis(10), ..Impairment::default() };
        let start = now();
        let mut network = Network::new(1, impairment, start);
        let mut driver = SimDriver::new(4, start);
        let socket = driver.open(address(1), false).unwrap();
        network.send(address(2), address(1), b"in");
        network.advance(start.instant + Duration::from_millis(9), &mut driver);
        assert!(driver.receive().is_none());
        network.advance(start.instant + Duration::from_millis(10), &mut driver);
        let received = driver.receive().unwrap();
        assert_eq!((received.socket, received.source), (socket, address(2)));
        driver.send(socket, received.buffer, received.datagram, address(2));
        network.advance(start.instant + Duration::from_millis(10), &mut driver);
        network.advance(start.instant + Duration::from_millis(20), &mut driver);
        assert_eq!(network.take_arrived(address(2)).unwrap().bytes, b"in");
        assert_eq!(driver.spare_buffers(), 4);
    }

    #[test]
    fn the_same_seed_gives_the_same_network() {
        let impairment = Impairment {
            loss: 100,
            duplication: 100,
            delay: Duration::from_millis(5),
            jitter: Duration::from_millis(50),
        };
        let start = now();
        let order = |seed| {
            let mut network = Network::new(seed, impairment, start);
            let mut driver = SimDriver::new(1, start);
            (0..200u8).for_each(|number| network.send(address(2), address(1), &[number]));
            network.advance(start.instant + Duration::from_secs(1), &mut driver);
            std::iter::from_fn(|| network.take_arrived(address(1))).map(|d| d.bytes[0]).collect::<Vec<_>>()
        };
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
        assert!(!order(7).is_sorted());
    }
}
