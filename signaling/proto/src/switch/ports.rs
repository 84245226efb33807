//! The UDP ports that single accounts have for themselves: which are free, and when one that was given back may be used
//! again.

use std::collections::HashSet;
use std::time::Duration;

/// How long a port stays open after its account is gone: its last requests (the end of the registration and of calls,
/// each challenged once, RFC 3261 timer F) still get their responses, and what comes late comes to nobody else.
pub(super) const LINGER: Duration = Duration::from_secs(70);
/// How long a port that another program has is left alone.
pub(super) const TAKEN_REST: Duration = Duration::from_secs(60);

/// The pool.
#[derive(Debug, Default)]
pub(super) struct Ports {
    range: Option<(u16, u16)>,
    /// Given out, resting, or another program's. Never more than the range has.
    used: HashSet<u16>,
    /// Where the search begins: ports are used in turn, so that each rests as long as it can.
    next: u16,
}

impl Ports {
    /// All ports of the range are free; without one there are none, and nobody needs any.
    pub(super) fn new(range: Option<(u16, u16)>) -> Ports {
        Ports { range, used: HashSet::new(), next: range.map_or(0, |(first, _)| first) }
    }

    /// Whether accounts have ports of their own.
    pub(super) fn are_used(&self) -> bool {
        self.range.is_some()
    }

    /// Takes a free port.
    pub(super) fn take(&mut self) -> Option<u16> {
        let (first, last) = self.range?;
        let free = (self.next..=last).chain(first..self.next).find(|port| !self.used.contains(port))?;
        self.used.insert(free);
        self.next = if free == last { first } else { free + 1 };
        Some(free)
    }

    /// Gives one back, which has rested.
    pub(super) fn free(&mut self, port: u16) {
        self.used.remove(&port);
    }

    /// How many are not free.
    pub(super) fn used(&self) -> usize {
        self.used.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_taken_in_turn_and_no_more_than_there_are() {
        let mut ports = Ports::new(Some((30000, 30002)));
        assert_eq!([ports.take(), ports.take()], [Some(30000), Some(30001)]);
        ports.free(30000);
        assert_eq!([ports.take(), ports.take(), ports.take()], [Some(30002), Some(30000), None]);
        ports.free(30001);
        assert_eq!((ports.take(), ports.used()), (Some(30001), 3));
        assert_eq!(Ports::new(None).take(), None);
        assert_eq!(Ports::new(Some((65535, 65535))).take(), Some(65535));
    }
}
