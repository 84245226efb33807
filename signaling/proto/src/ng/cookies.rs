//! Requests that came already: a controller that had no reply in time sends the same datagram again.

use super::MAX_COOKIE;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Requests that are remembered.
const MAX_ENTRIES: usize = 16_384;
/// Bytes of cookies and replies that are remembered.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// How long: Kamailio's module tries five times, a second apart, by default.
const LIFETIME: Duration = Duration::from_secs(15);

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is new, and remembered from now on.
    New,
    /// It came before and is being carried out: its reply will come, this one gets none.
    InProgress,
    /// It came before; this message was the reply.
    Answered(Arc<[u8]>),
}

/// The requests of the last seconds with their replies, by the client (its address) and the cookie.
///
/// When it is full the oldest are forgotten, so that a flood costs memory only up to a bound.
#[derive(Debug)]
pub struct Cookies<C> {
    entries: HashMap<Key<C>, Entry>,
    /// By their age.
    order: VecDeque<(Instant, Key<C>)>,
    bytes: usize,
}

type Key<C> = (C, Arc<[u8]>);

#[derive(Debug, Default)]
struct Entry {
    reply: Option<Arc<[u8]>>,
}

impl<C: Clone + Eq + Hash> Default for Cookies<C> {
    fn default() -> Cookies<C> {
        Cookies::new()
    }
}

impl<C: Clone + Eq + Hash> Cookies<C> {
    /// Nothing came yet.
    pub fn new() -> Cookies<C> {
        Cookies { entries: HashMap::new(), order: VecDeque::new(), bytes: 0 }
    }

    /// A request came.
    pub fn begin(&mut self, now: Instant, client: C, cookie: &Arc<[u8]>) -> Seen {
        self.forget(now);
        let key: Key<C> = (client, Arc::clone(cookie));
        if let Some(entry) = self.entries.get(&key) {
            return entry.reply.clone().map_or(Seen::InProgress, Seen::Answered);
        }
        self.bytes += cookie.len();
        self.entries.insert(key.clone(), Entry::default());
        self.order.push_back((now, key));
        Seen::New
    }

    /// A request was answered with this message, which is kept for its repetitions.
    pub fn finish(&mut self, client: C, cookie: &Arc<[u8]>, reply: Arc<[u8]>) {
        if let Some(entry) = self.entries.get_mut(&(client, Arc::clone(cookie))) {
            self.bytes += reply.len();
            if let Some(before) = entry.reply.replace(reply) {
                self.bytes -= before.len();
            }
        }
    }

    /// How many requests are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets what is too old, and makes room for one more.
    pub fn forget(&mut self, now: Instant) {
        while let Some((came, _)) = self.order.front() {
            let is_full = self.entries.len() >= MAX_ENTRIES || self.bytes > MAX_BYTES - MAX_COOKIE;
            if !is_full && now.saturating_duration_since(*came) < LIFETIME {
                break;
            }
            let Some((_, key)) = self.order.pop_front() else { break };
            if let Some(entry) = self.entries.remove(&key) {
                self.bytes -= key.1.len() + entry.reply.map_or(0, |reply| reply.len());
            }
        }
        crate::table::shrink(&mut self.entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(cookie: &str) -> Arc<[u8]> {
        cookie.as_bytes().into()
    }

    fn reply(length: usize) -> Arc<[u8]> {
        vec![b'r'; length].into()
    }

    #[test]
    fn a_repetition_gets_the_same_reply() {
        let (mut cookies, now) = (Cookies::new(), Instant::now());
        assert_eq!(cookies.begin(now, 'a', &cookie("1")), Seen::New);
        assert_eq!(cookies.begin(now, 'a', &cookie("1")), Seen::InProgress);
        cookies.finish('a', &cookie("1"), reply(5));
        assert_eq!(cookies.begin(now, 'a', &cookie("1")), Seen::Answered(reply(5)));
        assert_eq!(cookies.begin(now, 'b', &cookie("1")), Seen::New);
        assert_eq!(cookies.begin(now, 'a', &cookie("2")), Seen::New);
    }

    #[test]
    fn it_is_forgotten_in_time() {
        let (mut cookies, now) = (Cookies::new(), Instant::now());
        cookies.begin(now, 'a', &cookie("1"));
        cookies.finish('a', &cookie("1"), reply(5));
        assert_eq!(cookies.begin(now + LIFETIME, 'a', &cookie("1")), Seen::New);
        cookies.begin(now + 3 * LIFETIME, 'a', &cookie("2"));
        assert_eq!((cookies.len(), cookies.order.len(), cookies.bytes), (1, 1, 1));
        cookies.finish('a', &cookie("1"), reply(5));
        assert_eq!(cookies.bytes, 1);
    }

    #[test]
    fn a_flood_fills_it_only_up_to_its_bounds() {
        let (mut cookies, now) = (Cookies::new(), Instant::now());
        for n in 0..3 * MAX_ENTRIES {
            cookies.begin(now, 'a', &cookie(&n.to_string()));
        }
        assert_eq!((cookies.len(), cookies.order.len()), (MAX_ENTRIES, MAX_ENTRIES));
        for n in 0..1_000 {
            cookies.begin(now, 'b', &cookie(&n.to_string()));
            cookies.finish('b', &cookie(&n.to_string()), reply(60_000));
            assert!(cookies.bytes <= MAX_BYTES + 60_000);
        }
        assert_eq!(cookies.begin(now, 'b', &cookie("999")), Seen::Answered(reply(60_000)));
    }
}
