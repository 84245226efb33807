//! The streams that there are, and how each end of them is found.

use super::refusal::StreamRefusal;
use crate::sdp::{Description, Leg};
use crate::settings::Limits;
use crate::switch::browsers::BrowserId;
use crate::table::shrink;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tandem_control::{PictureSize, SessionId};

/// The most characters of a stream's name.
const MAX_NAME: usize = 128;
/// The most events that a publisher may send to its players in a second.
pub(in crate::switch) const MAX_EVENTS_PER_SECOND: u32 = 50;

/// Names one browser's end of a stream. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::switch) struct StreamId(u64);

/// The name of what is published: each domain has its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct StreamName {
    domain: String,
    name: String,
}

impl StreamName {
    /// What a user of this domain, in lower case, calls so.
    ///
    /// # Errors
    /// [`StreamRefusal::BadName`].
    pub(super) fn new(domain: String, name: &str) -> Result<StreamName, StreamRefusal> {
        let length = name.chars().count();
        let is_good = (1..=MAX_NAME).contains(&length) && !name.chars().any(char::is_control);
        if is_good { Ok(StreamName { domain, name: name.to_owned() }) } else { Err(StreamRefusal::BadName) }
    }

    /// As the users of the domain write it.
    pub(super) fn as_str(&self) -> &str {
        &self.name
    }
}

/// A browser's end of a stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) browser: BrowserId,
    /// The browser's identifier of it.
    pub(super) reference: String,
    /// Whose it is; it counts for this user.
    pub(super) user: String,
    pub(super) name: StreamName,
    pub(super) role: Role,
    pub(super) state: State,
}

/// How often a publisher says something to its players: each event goes to all of them.
#[derive(Debug, Default)]
pub(super) struct EventRate {
    /// When the second began that is counted.
    since: Option<Instant>,
    count: u32,
}

impl EventRate {
    /// Whether one more may be said now.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let is_over = |since| now.saturating_duration_since(since) >= Duration::from_secs(1);
        if self.since.is_none_or(is_over) {
            *self = EventRate { since: Some(now), count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count <= MAX_EVENTS_PER_SECOND
    }
}

/// What a browser does with a stream.
#[derive(Debug)]
pub(super) enum Role {
    /// Its peer sends what is published.
    Publisher {
        /// Who plays it, or is about to.
        players: Vec<StreamId>,
        /// Whether the microphone, and the camera, are off, by its own word.
        muted: [bool; 2],
        /// Of the pictures that it sends, once there was one.
        size: Option<PictureSize>,
        /// What it says to its players.
        events: EventRate,
    },
    /// Its peer is sent what is published.
    Player {
        /// By whom.
        publisher: StreamId,
    },
}

/// How far a stream has come.
#[derive(Debug)]
pub(super) enum State {
    /// It waits for its session in the dataplane; this was offered.
    Creating(Box<Description>),
    /// It has one.
    Made {
        session: SessionId,
        leg: Box<Leg>,
        /// What the browser will be answered once everything is set up; `None`: it was, and media flows.
        answer: Option<Vec<u8>>,
    },
}

impl Stream {
    pub(super) fn is_publisher(&self) -> bool {
        matches!(self.role, Role::Publisher { .. })
    }

    pub(super) fn session(&self) -> Option<SessionId> {
        match &self.state {
            State::Creating(_) => None,
            State::Made { session, .. } => Some(*session),
        }
    }

    /// Its session and its leg, once its media flows.
    pub(super) fn running(&self) -> Option<(SessionId, &Leg)> {
        match &self.state {
            State::Made { session, leg, answer: None } => Some((*session, leg)),
            _ => None,
        }
    }

    /// Everything is set up: what the browser is to be answered, once.
    pub(super) fn take_answer(&mut self) -> Option<Vec<u8>> {
        match &mut self.state {
            State::Made { answer, .. } => answer.take(),
            State::Creating(_) => None,
        }
    }
}

/// The streams, and their indices.
#[derive(Debug, Default)]
pub(in crate::switch) struct Streams {
    last_id: u64,
    entries: HashMap<StreamId, Stream>,
    by_reference: HashMap<(BrowserId, String), StreamId>,
    by_name: HashMap<StreamName, StreamId>,
    by_session: HashMap<SessionId, StreamId>,
    /// How many each user has.
    of_user: HashMap<String, usize>,
}

impl Streams {
    /// Whether a user may have one more.
    pub(super) fn admit(&self, user: &str, limits: &Limits) -> Result<(), StreamRefusal> {
        if self.entries.len() >= limits.streams {
            return Err(StreamRefusal::ServerFull);
        }
        if self.of_user.get(user).is_some_and(|count| *count >= limits.streams_per_user) {
            return Err(StreamRefusal::UserFull);
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, stream: Stream) -> StreamId {
        self.last_id += 1;
        let id = StreamId(self.last_id);
        self.by_reference.insert((stream.browser, stream.reference.clone()), id);
        *self.of_user.entry(stream.user.clone()).or_default() += 1;
        match stream.role {
            Role::Publisher { .. } => {
                self.by_name.insert(stream.name.clone(), id);
            }
            Role::Player { publisher } => {
                if let Some(players) = self.players_mut(publisher) {
                    players.push(id);
                }
            }
        }
        self.entries.insert(id, stream);
        id
    }

    pub(super) fn remove(&mut self, id: StreamId) -> Option<Stream> {
        let stream = self.entries.remove(&id)?;
        self.by_reference.remove(&(stream.browser, stream.reference.clone()));
        if let Some(session) = stream.session() {
            self.by_session.remove(&session);
        }
        if let Some(count) = self.of_user.get_mut(&stream.user) {
            *count -= 1;
            if *count == 0 {
                self.of_user.remove(&stream.user);
            }
        }
        match stream.role {
            Role::Publisher { .. } => {
                self.by_name.remove(&stream.name);
            }
            Role::Player { publisher } => {
                if let Some(players) = self.players_mut(publisher) {
                    players.retain(|each| *each != id);
                }
            }
        }
        Some(stream)
    }

    fn players_mut(&mut self, publisher: StreamId) -> Option<&mut Vec<StreamId>> {
        match &mut self.entries.get_mut(&publisher)?.role {
            Role::Publisher { players, .. } => Some(players),
            Role::Player { .. } => None,
        }
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&Stream> {
        self.entries.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.entries.get_mut(&id)
    }

    /// Notes where the media of a stream is.
    pub(super) fn set_session(&mut self, id: StreamId, session: SessionId) {
        self.by_session.insert(session, id);
    }

    /// What a browser has under this identifier.
    pub(super) fn find(&self, browser: BrowserId, reference: &str) -> Option<StreamId> {
        self.by_reference.get(&(browser, reference.to_owned())).copied()
    }

    /// Who publishes under this name.
    pub(super) fn publisher(&self, name: &StreamName) -> Option<StreamId> {
        self.by_name.get(name).copied()
    }

    /// Who plays what this one publishes, or is about to.
    pub(super) fn players(&self, publisher: StreamId) -> &[StreamId] {
        match self.entries.get(&publisher).map(|stream| &stream.role) {
            Some(Role::Publisher { players, .. }) => players,
            _ => &[],
        }
    }

    /// Whatever a browser publishes and plays.
    pub(super) fn of_browser(&self, browser: BrowserId) -> Vec<StreamId> {
        let of_it = |(id, stream): (&StreamId, &Stream)| (stream.browser == browser).then_some(*id);
        self.entries.iter().filter_map(of_it).collect()
    }

    pub(in crate::switch) fn by_session(&self, session: SessionId) -> Option<StreamId> {
        self.by_session.get(&session).copied()
    }

    pub(in crate::switch) fn knows(&self, session: SessionId) -> bool {
        self.by_session.contains_key(&session)
    }

    pub(in crate::switch) fn all_sessions(&self) -> impl Iterator<Item = SessionId> {
        self.by_session.keys().copied()
    }

    /// How many are published, and how many are played.
    pub(in crate::switch) fn counts(&self) -> (usize, usize) {
        (self.by_name.len(), self.entries.len() - self.by_name.len())
    }

    /// Gives back memory that was needed in busier times.
    pub(in crate::switch) fn shrink(&mut self) {
        shrink(&mut self.entries);
        shrink(&mut self.by_reference);
        shrink(&mut self.by_name);
        shrink(&mut self.by_session);
        shrink(&mut self.of_user);
    }

    /// Whether nothing is kept of any stream.
    #[cfg(test)]
    pub(in crate::switch) fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.by_reference.is_empty()
            && self.by_name.is_empty()
            && self.by_session.is_empty()
            && self.of_user.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_printable_and_bounded() {
        let is_name = |name: &str| StreamName::new("x".to_owned(), name).is_ok();
        assert!(is_name("a") && is_name("Küche 2") && is_name(&"ü".repeat(MAX_NAME)));
        for name in ["", "a\nb", "\u{7f}", &"a".repeat(MAX_NAME + 1)] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
