//! What the switch and the NG relay have in common as clients of the dataplane: which requests wait for their answers and
//! until when, and which sessions only one of the two sides knows.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};
use tandem_control::{Hello, ListedSession, SessionId};

/// How long a request may wait for its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a session that no call knows is left alone: whoever made it may still tell of it.
pub(crate) const ORPHAN_GRACE: Duration = Duration::from_secs(30);
/// When a session that could not be deleted, because the dataplane was too busy, is to be deleted again.
pub(crate) const DELETE_AGAIN: Duration = Duration::from_secs(5);
/// Each client counts its ids in the bits below its mark.
const ID_BITS: u32 = 30;

/// One client's connection to the dataplane. `P` is what a request is for.
#[derive(Debug)]
pub(crate) struct ControlClient<P> {
    /// Stands in the upper bits of its requests' ids, so that the clients of one process know their answers apart.
    mark: u32,
    max_open: usize,
    hello: Option<Hello>,
    next_id: u32,
    open: HashMap<u32, P>,
    /// When each request was asked, in that order; answered ones are still in here until their turn comes.
    deadlines: VecDeque<(Instant, u32)>,
    /// Our sessions when the dataplane came up, less those that it listed.
    missing: HashSet<SessionId>,
    orphans: Vec<SessionId>,
}

impl<P> ControlClient<P> {
    /// A client without a connection. No more than `max_open` requests wait at once.
    pub(crate) fn new(mark: u8, max_open: usize) -> ControlClient<P> {
        ControlClient {
            mark: u32::from(mark) << ID_BITS,
            max_open,
            hello: None,
            next_id: 0,
            open: HashMap::new(),
            deadlines: VecDeque::new(),
            missing: HashSet::new(),
            orphans: Vec::new(),
        }
    }

    /// What the dataplane says of itself; `None`: it is not there.
    pub(crate) fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// How many requests wait.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// When the oldest request that waits has waited for too long.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(deadline, _)| *deadline)
    }

    /// A request's id. `Err`: it cannot be sent.
    pub(crate) fn begin(&mut self, now: Instant, purpose: P) -> Result<u32, P> {
        if self.hello.is_none() || self.open.len() >= self.max_open {
            return Err(purpose);
        }
        let count = (1 << ID_BITS) - 1;
        while self.open.contains_key(&(self.mark | self.next_id)) {
            self.next_id = (self.next_id + 1) & count;
        }
        let id = self.mark | self.next_id;
        self.next_id = (self.next_id + 1) & count;
        self.open.insert(id, purpose);
        self.deadlines.push_back((now + REQUEST_TIMEOUT, id));
        Ok(id)
    }

    /// Whether an id can be one of ours.
    pub(crate) fn is_marked(&self, id: u32) -> bool {
        id >> ID_BITS == self.mark >> ID_BITS
    }

    /// The answer to a request came. `None`: it was given up before.
    pub(crate) fn finish(&mut self, id: u32) -> Option<P> {
        let purpose = self.open.remove(&id);
        self.forget_answered();
        purpose
    }

    /// The next request that has waited for too long, which is given up.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<P> {
        while let Some((_, id)) = self.deadlines.pop_front_if(|(deadline, _)| *deadline <= now) {
            if let Some(purpose) = self.open.remove(&id) {
                return Some(purpose);
            }
        }
        self.forget_answered();
        None
    }

    fn forget_answered(&mut self) {
        while self.deadlines.front().is_some_and(|(_, id)| !self.open.contains_key(id)) {
            self.deadlines.pop_front();
        }
    }

    /// The dataplane is there. These sessions are ours; it must be asked for its list now.
    pub(crate) fn up(&mut self, hello: Hello, sessions: HashSet<SessionId>) {
        self.hello = Some(hello);
        self.missing = sessions;
        self.orphans.clear();
    }

    /// The dataplane is gone. What was asked will not be answered.
    pub(crate) fn down(&mut self) -> Vec<P> {
        self.hello = None;
        self.deadlines.clear();
        self.open.drain().map(|(_, purpose)| purpose).collect()
    }

    /// A part of the list. `is_orphan`: nobody knows a session that could.
    pub(crate) fn listed(&mut self, sessions: &[ListedSession], is_orphan: impl Fn(&ListedSession) -> bool) {
        for listed in sessions {
            self.missing.remove(&listed.session);
            if is_orphan(listed) {
                self.orphans.push(listed.session);
            }
        }
    }

    /// Everything was listed: our sessions that were not in it.
    pub(crate) fn take_missing(&mut self) -> HashSet<SessionId> {
        std::mem::take(&mut self.missing)
    }

    /// Whether there were sessions that nobody knew.
    pub(crate) fn has_orphans(&self) -> bool {
        !self.orphans.is_empty()
    }

    /// Those sessions; some may be known by now.
    pub(crate) fn take_orphans(&mut self) -> Vec<SessionId> {
        std::mem::take(&mut self.orphans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(max_open: usize) -> ControlClient<char> {
        let mut client = ControlClient::new(1, max_open);
        let hello =
            Hello { version: 0, workers: 1, sessions: 0, fingerprint: [0; 32], addresses: Vec::new() };
        client.up(hello, HashSet::new());
        client
    }

    #[test]
    fn requests_are_answered_given_up_or_refused() {
        let start = Instant::now();
        let mut client = client(2);
        let one = client.begin(start, 'a').unwrap();
        let two = client.begin(start + Duration::from_secs(1), 'b').unwrap();
        assert!(one != two && client.is_marked(one) && !client.is_marked(one & 0x3FFF_FFFF));
        assert_eq!(client.begin(start, 'c'), Err('c'), "no more than two");
        assert_eq!(client.finish(one), Some('a'));
        assert_eq!(client.finish(one), None);
        assert_eq!(client.deadline(), Some(start + Duration::from_secs(6)));
        assert_eq!(client.expire(start + Duration::from_secs(5)), None);
        assert_eq!(client.expire(start + Duration::from_secs(6)), Some('b'));
        assert_eq!((client.open(), client.deadline()), (0, None));
    }

    #[test]
    fn ids_go_round_and_pass_over_those_that_wait() {
        let mut client = client(10);
        let now = Instant::now();
        client.next_id = (1 << ID_BITS) - 1;
        let ids: Vec<u32> = "ab".chars().map(|purpose| client.begin(now, purpose).unwrap()).collect();
        assert_eq!(ids, [0x7FFF_FFFF, 0x4000_0000]);
        client.next_id = (1 << ID_BITS) - 1;
        assert_eq!(client.begin(now, 'c'), Ok(0x4000_0001));
    }

    #[test]
    fn what_waits_when_the_dataplane_goes_is_given_back() {
        let mut client = client(10);
        let now = Instant::now();
        client.begin(now, 'a').unwrap();
        assert_eq!(client.down(), ['a']);
        assert_eq!((client.begin(now, 'b'), client.deadline()), (Err('b'), None));
    }
}
