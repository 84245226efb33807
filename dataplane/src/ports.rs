//! The media ports of one worker.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};
use thiserror::Error;

/// How long a pair of ports stays unused after a session gave it back: packets still on their way to the old
/// session must not reach the next one.
pub const QUIET_TIME: Duration = Duration::from_secs(10);
/// The fewest ports that a worker can work with: its shared one, and a pair wherever the parity falls.
pub const MIN_PORTS: u16 = 4;

/// A range of UDP ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// A text that is not a range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a port range: write the first and the last port, as in 31001-32000")]
pub struct NotAPortRange;

impl PortRange {
    /// The ports `first..=last`.
    ///
    /// # Errors
    /// [`NotAPortRange`] if `first` is 0 or greater than `last`.
    pub fn new(first: u16, last: u16) -> Result<PortRange, NotAPortRange> {
        if first == 0 || first > last { Err(NotAPortRange) } else { Ok(PortRange { first, last }) }
    }

    /// How many ports.
    pub fn count(self) -> u32 {
        u32::from(self.last) - u32::from(self.first) + 1
    }

    /// Its first port.
    pub fn first(self) -> u16 {
        self.first
    }

    /// The part of one of `workers` workers; `None` if that has fewer than [`MIN_PORTS`].
    pub fn part(self, worker: usize, workers: usize) -> Option<PortRange> {
        let share = u16::try_from(self.count() as usize / workers.max(1)).unwrap_or(u16::MAX);
        let offset = u16::try_from(worker * usize::from(share)).ok()?;
        let first = self.first.checked_add(offset)?;
        let last = first.checked_add(share.checked_sub(1)?)?;
        (share >= MIN_PORTS && worker < workers).then_some(PortRange { first, last })
    }
}

impl FromStr for PortRange {
    type Err = NotAPortRange;

    fn from_str(text: &str) -> Result<PortRange, NotAPortRange> {
        let (first, last) = text.split_once('-').ok_or(NotAPortRange)?;
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| NotAPortRange);
        PortRange::new(port(first)?, port(last)?)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// The ports of one worker on one local address: the first of its part is shared by all WebRTC legs, the others
/// are lent in pairs.
#[derive(Debug)]
pub struct Ports {
    address: IpAddr,
    shared: u16,
    pairs: Rc<RefCell<Pairs>>,
}

#[derive(Debug)]
struct Pairs {
    /// The even ports of pairs that may be lent.
    free: Vec<u16>,
    /// Given back, not yet noticed by [`Ports::settle`].
    returned: Vec<u16>,
    /// Resting until the instant.
    resting: VecDeque<(Instant, u16)>,
}

impl Ports {
    /// The ports of `part` on `address`.
    pub fn new(address: IpAddr, part: PortRange) -> Ports {
        let first_even = part.first.saturating_add(1).next_multiple_of(2);
        let free: Vec<u16> = (first_even..part.last).step_by(2).collect();
        let count = free.len();
        let pairs =
            Pairs { free, returned: Vec::with_capacity(count), resting: VecDeque::with_capacity(count) };
        Ports { address, shared: part.first, pairs: Rc::new(RefCell::new(pairs)) }
    }

    /// Their address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The shared port.
    pub fn shared(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.shared)
    }

    /// Lends a pair picked at random, so that nobody can guess where the next call will listen (attacks.md row 1).
    pub fn lend(&self, random: &mut fastrand::Rng) -> Option<PortPair> {
        let mut pairs = self.pairs.borrow_mut();
        if pairs.free.is_empty() {
            return None;
        }
        let index = random.usize(..pairs.free.len());
        let even = pairs.free.swap_remove(index);
        Some(PortPair { address: self.address, even, pairs: Rc::clone(&self.pairs) })
    }

    /// Lets pairs that were given back rest, and frees those that have rested for [`QUIET_TIME`].
    pub fn settle(&self, now: Instant) {
        let mut pairs = self.pairs.borrow_mut();
        while let Some(even) = pairs.returned.pop() {
            pairs.resting.push_back((now + QUIET_TIME, even));
        }
        while let Some(&(until, even)) = pairs.resting.front()
            && until <= now
        {
            pairs.resting.pop_front();
            pairs.free.push(even);
        }
    }

    /// How many pairs may be lent now.
    pub fn free_pairs(&self) -> usize {
        self.pairs.borrow().free.len()
    }

    /// How many pairs are resting.
    pub fn resting_pairs(&self) -> usize {
        let pairs = self.pairs.borrow();
        pairs.resting.len() + pairs.returned.len()
    }
}

/// A lent pair of ports, given back when dropped (attacks.md row 19).
#[derive(Debug)]
pub struct PortPair {
    address: IpAddr,
    even: u16,
    pairs: Rc<RefCell<Pairs>>,
}

impl PortPair {
    /// The even port, for RTP (RFC 3550 section 11).
    pub fn rtp(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.even)
    }

    /// The next port, for RTCP.
    pub fn rtcp(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.even + 1)
    }
}

impl Drop for PortPair {
    fn drop(&mut self) {
        self.pairs.borrow_mut().returned.push(self.even);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    fn ports(first: u16, last: u16) -> Ports {
        Ports::new(Ipv4Addr::LOCALHOST.into(), PortRange::new(first, last).unwrap())
    }

    #[test]
    fn ranges_are_read_and_refused() {
        assert_eq!("31001-32000".parse(), Ok(PortRange { first: 31001, last: 32000 }));
        for wrong in ["", "1", "2-1", "0-5", "1-70000", "a-b"] {
            assert_eq!(wrong.parse::<PortRange>(), Err(NotAPortRange));
        }
    }

    #[test]
    fn parts_do_not_overlap() {
        let whole = PortRange::new(31001, 32000).unwrap();
        let parts: Vec<PortRange> = (0..3).map(|worker| whole.part(worker, 3).unwrap()).collect();
        assert!(parts.windows(2).all(|pair| pair[0].last < pair[1].first));
        assert!(parts[2].last <= whole.last);
        assert_eq!(PortRange::new(1, 7).unwrap().part(0, 2), None);
        assert_eq!(PortRange::new(1, u16::MAX).unwrap().part(0, 1).unwrap().count(), 65535);
    }

    #[test]
    fn pairs_are_even_and_odd_inside_the_part_and_never_the_shared_port() {
        for (first, last) in [(10, 13), (11, 14), (10, 20), (11, 21), (65530, 65535)] {
            let ports = ports(first, last);
            let mut random = fastrand::Rng::with_seed(1);
            let mut seen = HashSet::from([ports.shared().port()]);
            let lent: Vec<PortPair> = std::iter::from_fn(|| ports.lend(&mut random)).collect();
            assert!(!lent.is_empty());
            for pair in &lent {
                assert_eq!(pair.rtp().port() % 2, 0);
                assert!(seen.insert(pair.rtp().port()) && seen.insert(pair.rtcp().port()));
            }
            assert!(seen.iter().all(|port| (first..=last).contains(port)));
        }
    }

    #[test]
    fn a_pair_rests_before_it_is_lent_again() {
        let ports = ports(10, 13);
        let mut random = fastrand::Rng::with_seed(1);
        let start = Instant::now();
        drop(ports.lend(&mut random).unwrap());
        ports.settle(start);
        assert_eq!((ports.free_pairs(), ports.resting_pairs()), (0, 1));
        assert!(ports.lend(&mut random).is_none());
        ports.settle(start + QUIET_TIME);
        assert!(ports.lend(&mut random).is_some());
    }
}
