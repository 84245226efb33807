//! Which session a datagram belongs to.

use crate::driver::SocketId;
use std::collections::HashMap;
use std::net::SocketAddr;
use tandem_control::Side;
use tandem_media::session::Component;

/// The longest user fragment that we hand out (see [`tandem_control::Ice`]).
pub const MAX_UFRAG: usize = 32;
/// How many validated sources a leg may have on the shared port; a further one takes the place of the oldest.
pub const MAX_SOURCES: usize = 8;

/// A leg of a worker's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The index of the session.
    pub session: usize,
    /// Its side.
    pub side: Side,
}

/// A user fragment of ours, without an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ufrag {
    bytes: [u8; MAX_UFRAG],
    len: u8,
}

impl Ufrag {
    /// `None` if it is empty or longer than [`MAX_UFRAG`].
    pub fn new(text: &str) -> Option<Ufrag> {
        let mut bytes = [0; MAX_UFRAG];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        (!text.is_empty()).then_some(Ufrag { bytes, len: text.len() as u8 })
    }
}

/// What a leg has registered on the shared port; removed with it.
#[derive(Debug, Default)]
pub struct SharedEntries {
    /// The current user fragment, and the one before an ICE restart.
    ufrags: [Option<Ufrag>; 2],
    sources: [Option<SocketAddr>; MAX_SOURCES],
    /// Where the next source goes.
    next_source: usize,
}

/// The tables of one worker. They take their memory at start.
#[derive(Debug)]
pub struct Demux {
    /// By socket; `None` for shared and for closed ones.
    own: Vec<Option<(Leg, Component)>>,
    by_ufrag: HashMap<Ufrag, Leg>,
    by_source: HashMap<SocketAddr, Leg>,
}

impl Demux {
    /// Tables for `sockets` sockets and `sessions` sessions.
    pub fn new(sockets: usize, sessions: usize) -> Demux {
        // Twice what can be in it: a table that is at most half full is cleaned up in place and never grows.
        let capacity = |per_leg: usize| 2 * (2 * sessions * per_leg);
        Demux {
            own: vec![None; sockets],
            by_ufrag: HashMap::with_capacity(capacity(2)),
            by_source: HashMap::with_capacity(capacity(MAX_SOURCES)),
        }
    }

    /// Gives a socket to one leg.
    pub fn own(&mut self, socket: SocketId, leg: Leg, component: Component) {
        let index = socket.0 as usize;
        if index >= self.own.len() {
            self.own.resize(index + 1, None);
        }
        self.own[index] = Some((leg, component));
    }

    /// Takes a leg's socket out.
    pub fn disown(&mut self, socket: SocketId) {
        if let Some(entry) = self.own.get_mut(socket.0 as usize) {
            *entry = None;
        }
    }

    /// Whether another leg has this user fragment.
    pub fn is_taken(&self, ufrag: Ufrag, leg: Leg) -> bool {
        self.by_ufrag.get(&ufrag).is_some_and(|&owner| owner != leg)
    }

    /// Maps a user fragment to a leg. The one before it stays mapped too: checks with it may still be under way
    /// (RFC 8445 section 9).
    pub fn register(&mut self, ufrag: Ufrag, leg: Leg, entries: &mut SharedEntries) {
        if entries.ufrags[0] == Some(ufrag) {
            return;
        }
        if let Some(oldest) = entries.ufrags[1].filter(|&oldest| oldest != ufrag) {
            self.by_ufrag.remove(&oldest);
        }
        entries.ufrags = [Some(ufrag), entries.ufrags[0]];
        self.by_ufrag.insert(ufrag, leg);
    }

    /// Maps a source that ICE has validated to a leg.
    pub fn bind(&mut self, source: SocketAddr, leg: Leg, entries: &mut SharedEntries) {
        if self.by_source.insert(source, leg) == Some(leg) {
            return;
        }
        let place = &mut entries.sources[entries.next_source];
        entries.next_source = (entries.next_source + 1) % MAX_SOURCES;
        if let Some(oldest) = place.replace(source).filter(|&oldest| oldest != source)
            && self.by_source.get(&oldest) == Some(&leg)
        {
            self.by_source.remove(&oldest);
        }
    }

    /// Two legs have changed places: what each has registered on the shared port leads to its new one.
    pub fn exchange(&mut self, [one, other]: [Leg; 2], entries: [&SharedEntries; 2]) {
        let place = |leg: &Leg| match *leg {
            leg if leg == one => other,
            leg if leg == other => one,
            leg => leg,
        };
        // All are looked up before any is changed: both may have had the same source, or one had it twice.
        let ufrags = entries.iter().flat_map(|entries| entries.ufrags.into_iter().flatten());
        let ufrags: Vec<(Ufrag, Leg)> =
            ufrags.filter_map(|ufrag| Some((ufrag, place(self.by_ufrag.get(&ufrag)?)))).collect();
        let sources = entries.iter().flat_map(|entries| entries.sources.into_iter().flatten());
        let sources: Vec<(SocketAddr, Leg)> =
            sources.filter_map(|source| Some((source, place(self.by_source.get(&source)?)))).collect();
        self.by_ufrag.extend(ufrags);
        self.by_source.extend(sources);
    }

    /// Removes what a leg has on the shared port.
    pub fn remove(&mut self, leg: Leg, entries: &mut SharedEntries) {
        for ufrag in entries.ufrags.iter_mut().filter_map(Option::take) {
            self.by_ufrag.remove(&ufrag);
        }
        for source in entries.sources.iter_mut().filter_map(Option::take) {
            // Another leg may have validated the same source since.
            if self.by_source.get(&source) == Some(&leg) {
                self.by_source.remove(&source);
            }
        }
    }

    /// The leg for which a datagram is. On a shared port `ufrag` is our half of the user name in a STUN request: it
    /// says where the peer wants to go, and only that leg can check it. Anything else must come from a source that
    /// has been validated.
    pub fn route(
        &self,
        socket: SocketId,
        source: SocketAddr,
        ufrag: Option<Ufrag>,
    ) -> Option<(Leg, Component)> {
        if let Some(&Some(own)) = self.own.get(socket.0 as usize) {
            return Some(own);
        }
        let leg = match ufrag {
            Some(ufrag) => self.by_ufrag.get(&ufrag),
            None => self.by_source.get(&source),
        };
        leg.map(|&leg| (leg, Component::Rtp))
    }

    /// Whether a leg owns this socket alone.
    pub fn is_own(&self, socket: SocketId) -> bool {
        matches!(self.own.get(socket.0 as usize), Some(Some(_)))
    }

    /// How many entries there are in all tables.
    pub fn len(&self) -> usize {
        self.own.iter().flatten().count() + self.by_ufrag.len() + self.by_source.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARED: SocketId = SocketId(0);
    const LEG: Leg = Leg { session: 1, side: Side::A };
    const OTHER: Leg = Leg { session: 2, side: Side::B };

    fn source(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn ufrag(text: &str) -> Ufrag {
        Ufrag::new(text).unwrap()
    }

    #[test]
    fn an_own_socket_leads_to_its_leg_whatever_the_source() {
        let mut demux = Demux::new(4, 4);
        demux.own(SocketId(3), LEG, Component::Rtcp);
        assert_eq!(demux.route(SocketId(3), source(1), None), Some((LEG, Component::Rtcp)));
        demux.disown(SocketId(3));
        assert_eq!(demux.route(SocketId(3), source(1), None), None);
    }

    #[test]
    fn a_stranger_on_the_shared_port_reaches_nobody() {
        let mut demux = Demux::new(4, 4);
        let mut entries = SharedEntries::default();
        demux.register(ufrag("known"), LEG, &mut entries);
        assert_eq!(demux.route(SHARED, source(1), None), None);
        assert_eq!(demux.route(SHARED, source(1), Some(ufrag("other"))), None);
        assert_eq!(demux.route(SHARED, source(1), Some(ufrag("known"))), Some((LEG, Component::Rtp)));
        demux.bind(source(1), LEG, &mut entries);
        assert_eq!(demux.route(SHARED, source(1), None), Some((LEG, Component::Rtp)));
    }

    #[test]
    fn a_restart_keeps_one_old_user_fragment() {
        let mut demux = Demux::new(4, 4);
        let mut entries = SharedEntries::default();
        for name in ["first", "second", "second", "third"] {
            demux.register(ufrag(name), LEG, &mut entries);
        }
        assert!(demux.route(SHARED, source(1), Some(ufrag("first"))).is_none());
        assert!(demux.route(SHARED, source(1), Some(ufrag("second"))).is_some());
        assert!(demux.is_taken(ufrag("third"), OTHER) && !demux.is_taken(ufrag("third"), LEG));
        demux.register(ufrag("second"), LEG, &mut entries);
        assert!(demux.route(SHARED, source(1), Some(ufrag("second"))).is_some());
    }

    #[test]
    fn sources_are_bounded_and_all_removed_with_the_leg() {
        let mut demux = Demux::new(4, 4);
        let mut entries = SharedEntries::default();
        demux.register(ufrag("known"), LEG, &mut entries);
        for port in 1..=3 * MAX_SOURCES as u16 {
            demux.bind(source(port), LEG, &mut entries);
        }
        assert_eq!(demux.len(), MAX_SOURCES + 1);
        demux.remove(LEG, &mut entries);
        assert!(demux.is_empty());
    }

    #[test]
    fn a_source_that_moved_to_another_leg_stays_there() {
        let mut demux = Demux::new(4, 4);
        let (mut entries, mut others) = (SharedEntries::default(), SharedEntries::default());
        demux.bind(source(1), LEG, &mut entries);
        demux.bind(source(1), OTHER, &mut others);
        demux.remove(LEG, &mut entries);
        assert_eq!(demux.route(SHARED, source(1), None), Some((OTHER, Component::Rtp)));
    }

    #[test]
    fn legs_that_change_places_take_what_leads_to_them_along() {
        let mut demux = Demux::new(4, 4);
        let (mut entries, mut others) = (SharedEntries::default(), SharedEntries::default());
        demux.register(ufrag("one"), LEG, &mut entries);
        demux.register(ufrag("other"), OTHER, &mut others);
        // A source that has moved is in the lists of both.
        for (port, leg) in [(1, LEG), (2, LEG), (3, OTHER), (2, OTHER), (1, LEG)] {
            demux.bind(source(port), leg, if leg == LEG { &mut entries } else { &mut others });
        }
        demux.exchange([LEG, OTHER], [&entries, &others]);
        let leads_to = |demux: &Demux, port| demux.route(SHARED, source(port), None).unwrap().0;
        assert_eq!([1, 2, 3].map(|port| leads_to(&demux, port)), [OTHER, LEG, LEG]);
        assert_eq!(demux.route(SHARED, source(9), Some(ufrag("one"))), Some((OTHER, Component::Rtp)));
        demux.remove(OTHER, &mut entries);
        demux.remove(LEG, &mut others);
        assert!(demux.is_empty());
    }

    #[test]
    fn user_fragments_have_a_limit() {
        assert!(Ufrag::new(&"u".repeat(MAX_UFRAG)).is_some());
        assert!(Ufrag::new(&"u".repeat(MAX_UFRAG + 1)).is_none());
        assert!(Ufrag::new("").is_none());
    }
}
