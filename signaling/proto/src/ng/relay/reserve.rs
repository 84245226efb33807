//! Sessions made ahead: while many offers come, one finds its ports here and is answered without waiting for the
//! dataplane, which makes the next ones in batches.
//!
//! A relay at rest reserves nothing. What is reserved when signaling ends has our mark and no call: whoever comes next
//! deletes it with the other orphans.

use super::dataplane::{NOTE_MARK, Purpose};
use super::{Relay, Timer};
use std::time::{Duration, Instant};
use tandem_control::{LegConfig, LocalPorts, PortRequest, Refusal, Reply, Request, SessionId};

/// What the sides of a session need: their ports.
type Ports = [PortRequest; 2];

/// Sessions of one kind that are reserved at most.
const MAX_READY: usize = 32;
/// Kinds that are reserved at once.
const MAX_SHELVES: usize = 8;
/// One session is reserved for so many offers a window: those of about 100 ms.
const OFFERS_PER_SESSION: usize = 10;
/// How long offers are counted, and how long a session is kept that none has used.
const WINDOW: Duration = Duration::from_secs(1);

/// A session that waits for its offer.
#[derive(Debug)]
pub(super) struct Ready {
    pub session: SessionId,
    pub local: [LocalPorts; 2],
}

/// The sessions with the same kind of ports.
#[derive(Debug)]
struct Shelf {
    ports: Ports,
    ready: Vec<Ready>,
    /// Asked for, and not there yet.
    coming: usize,
    /// How many there shall be.
    level: usize,
    /// Offers since `since`.
    offers: usize,
    since: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Reserve {
    shelves: Vec<Shelf>,
    /// When surplus sessions are given back; `None` while there are none.
    due: Option<Instant>,
}

impl Reserve {
    /// The session for an offer, if one is ready. The offer counts in any case.
    pub(super) fn take(&mut self, now: Instant, ports: &Ports) -> Option<Ready> {
        let found = self.shelves.iter().position(|shelf| shelf.ports == *ports);
        let shelf = match found {
            Some(place) => &mut self.shelves[place],
            None => {
                self.shelves.retain(|shelf| !shelf.is_idle(now));
                if self.shelves.len() == MAX_SHELVES {
                    return None;
                }
                self.shelves.push(Shelf::new(now, *ports));
                self.shelves.last_mut()?
            }
        };
        shelf.count(now);
        shelf.ready.pop()
    }

    /// What is to be made now, and how many of it; they count as coming.
    fn lacking(&mut self) -> Option<(Ports, usize)> {
        // In batches: each wakes the dataplane.
        let shelf = self.shelves.iter_mut().find(|shelf| 2 * shelf.there() < shelf.level)?;
        let lacking = shelf.level - shelf.there();
        shelf.coming += lacking;
        Some((shelf.ports, lacking))
    }

    /// What was asked for came, or was refused. Gives back what nobody wants any more.
    fn came(&mut self, ports: &Ports, result: Result<Ready, Refusal>) -> Option<SessionId> {
        let shelf = self.shelf(ports).filter(|shelf| shelf.coming > 0);
        match (shelf, result) {
            (Some(shelf), Ok(ready)) => {
                shelf.coming -= 1;
                shelf.ready.push(ready);
                None
            }
            (Some(shelf), Err(_)) => {
                shelf.coming -= 1;
                // Before anything is reserved again, as many offers as at the beginning must come.
                (shelf.level, shelf.offers) = (0, 0);
                None
            }
            (None, result) => result.ok().map(|ready| ready.session),
        }
    }

    /// A window has passed: gives back what it had no use for.
    fn surplus(&mut self, now: Instant) -> Vec<SessionId> {
        let mut surplus = Vec::new();
        for shelf in &mut self.shelves {
            shelf.roll(now);
            let kept = shelf.level.min(shelf.ready.len());
            surplus.extend(shelf.ready.drain(kept..).map(|ready| ready.session));
        }
        surplus
    }

    /// Forgets everything, and tells what there was.
    fn clear(&mut self) -> Vec<SessionId> {
        std::mem::take(&mut self.shelves)
            .into_iter()
            .flat_map(|shelf| shelf.ready)
            .map(|ready| ready.session)
            .collect()
    }

    /// How many sessions are ready.
    pub(super) fn len(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.ready.len()).sum()
    }

    /// Whether that session is ready.
    pub(super) fn has(&self, session: SessionId) -> bool {
        self.shelves.iter().flat_map(|shelf| &shelf.ready).any(|ready| ready.session == session)
    }

    fn is_empty(&self) -> bool {
        self.shelves.iter().all(|shelf| shelf.there() == 0)
    }

    fn shelf(&mut self, ports: &Ports) -> Option<&mut Shelf> {
        self.shelves.iter_mut().find(|shelf| shelf.ports == *ports)
    }
}

impl Shelf {
    fn new(now: Instant, ports: Ports) -> Shelf {
        Shelf { ports, ready: Vec::new(), coming: 0, level: 0, offers: 0, since: now }
    }

    fn there(&self) -> usize {
        self.ready.len() + self.coming
    }

    /// Counts an offer. More of them than before count at once, fewer at the end of the window.
    fn count(&mut self, now: Instant) {
        self.roll(now);
        self.offers += 1;
        self.level = self.level.max(self.offers_level());
    }

    fn roll(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= WINDOW {
            self.level = self.offers_level();
            (self.offers, self.since) = (0, now);
        }
    }

    fn offers_level(&self) -> usize {
        (self.offers / OFFERS_PER_SESSION).min(MAX_READY)
    }

    fn is_idle(&self, now: Instant) -> bool {
        let is_old = now.saturating_duration_since(self.since) >= WINDOW;
        is_old && self.there() == 0
    }
}

impl Relay {
    /// A request for a session whose legs are not known yet.
    pub(super) fn create(&self, ports: Ports, note: Vec<u8>) -> Request {
        Request::Create {
            ports,
            legs: Box::new([LegConfig::idle(), LegConfig::idle()]),
            note,
            media_timeout_seconds: self.settings.timers.media.as_secs().try_into().unwrap_or(0),
            near: None,
        }
    }

    /// Has sessions made for the offers to come.
    pub(super) fn restock(&mut self, now: Instant) {
        while let Some((ports, count)) = self.reserve.lacking() {
            for _ in 0..count {
                let request = self.create(ports, NOTE_MARK.to_vec());
                self.ask(now, request, Purpose::Reserve(ports));
            }
        }
        if self.reserve.due.is_none() && !self.reserve.is_empty() {
            self.look_again(now);
        }
    }

    fn look_again(&mut self, now: Instant) {
        let due = now + WINDOW;
        self.reserve.due = Some(due);
        self.timers.insert((due, Timer::Reserve));
    }

    /// The answer to what [`Relay::restock`] asked.
    pub(super) fn restocked(&mut self, now: Instant, ports: &Ports, result: Result<Reply, Refusal>) {
        let result = match result {
            Ok(Reply::Created { session, local }) => Ok(Ready { session, local }),
            Ok(_) => Err(Refusal::Invalid("unexpected answer".to_owned())),
            Err(refusal) => Err(refusal),
        };
        if let Some(session) = self.reserve.came(ports, result) {
            self.delete_session(now, session);
        }
    }

    /// [`Timer::Reserve`] is due.
    pub(super) fn reserve_timeout(&mut self, now: Instant) {
        self.reserve.due = None;
        for session in self.reserve.surplus(now) {
            self.delete_session(now, session);
        }
        if !self.reserve.is_empty() {
            self.look_again(now);
        }
    }

    /// Gives back everything: somebody found the dataplane full.
    pub(super) fn give_up_reserve(&mut self, now: Instant) {
        for session in self.reserve.clear() {
            self.delete_session(now, session);
        }
    }

    /// The connection that sessions were reserved by is gone: they are among the orphans of the next one.
    pub(super) fn forget_reserve(&mut self) {
        self.reserve.clear();
    }
}
