//! The sessions of a worker.

use super::watching::Watching;
use crate::demux::SharedEntries;
use crate::driver::SocketId;
use crate::ports::PortPair;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Bound;
use std::time::Instant;
use tandem_control::{LocalPorts, SessionId, Side, StreamPorts};
use tandem_media::session::{Component, Session};

pub(super) const SIDES: [Side; 2] = [Side::A, Side::B];

/// The index of a side in arrays of two.
pub(super) fn index(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}

/// How one leg is reached.
pub(super) struct LegPorts {
    /// Without those of video, for which see [`LegPorts::local`].
    pub(super) local: LocalPorts,
    pub(super) rtp: SocketId,
    /// Equal to `rtp` on the shared port.
    pub(super) rtcp: SocketId,
    /// The peer that the socket of RTP is connected to.
    pub(super) connected: Option<SocketAddr>,
    /// The lent ports; `None` on the shared port.
    pub(super) pair: Option<PortPair>,
    /// What it has registered on the shared port.
    pub(super) shared: SharedEntries,
    /// For video, where that has ports of its own.
    pub(super) video: Option<Box<VideoPorts>>,
}

/// A pair of ports of a leg's video.
pub(super) struct VideoPorts {
    pub(super) rtp: SocketId,
    pub(super) rtcp: SocketId,
    pub(super) pair: PortPair,
}

impl LegPorts {
    /// The socket of a component; `None` if the leg has none for it.
    pub(super) fn socket(&self, component: Component) -> Option<SocketId> {
        match component {
            Component::Rtp => Some(self.rtp),
            Component::Rtcp => Some(self.rtcp),
            Component::VideoRtp => self.video.as_ref().map(|video| video.rtp),
            Component::VideoRtcp => self.video.as_ref().map(|video| video.rtcp),
        }
    }

    /// The sockets that are its alone, and what they are for.
    pub(super) fn own_sockets(&self) -> impl Iterator<Item = (SocketId, Component)> + use<> {
        let audio = self.pair.is_some().then_some([(self.rtp, Component::Rtp), (self.rtcp, Component::Rtcp)]);
        let video = self.video.as_ref();
        let video = video.map(|video| [(video.rtp, Component::VideoRtp), (video.rtcp, Component::VideoRtcp)]);
        [audio, video].into_iter().flatten().flatten()
    }

    /// The local addresses.
    pub(super) fn local(&self) -> LocalPorts {
        let video = self.video.as_ref().map(|video| video.ports());
        LocalPorts { video, ..self.local }
    }
}

impl VideoPorts {
    /// The local addresses.
    pub(super) fn ports(&self) -> StreamPorts {
        StreamPorts { rtp: self.pair.rtp(), rtcp: self.pair.rtcp() }
    }
}

/// A session and what belongs to it.
pub(super) struct Entry {
    pub(super) id: SessionId,
    pub(super) session: Session,
    pub(super) note: Vec<u8>,
    pub(super) created: Instant,
    /// Of sides A and B.
    pub(super) legs: [LegPorts; 2],
    /// The rooms that they are in.
    pub(super) rooms: [Option<usize>; 2],
    pub(super) watching: Watching,
}

/// A table with a limit. An index is good until its session is removed; with the session go all tables that hold
/// the index.
pub(super) struct Sessions {
    entries: Vec<Option<Box<Entry>>>,
    free: Vec<usize>,
    by_id: BTreeMap<SessionId, usize>,
}

impl Sessions {
    pub(super) fn new(capacity: usize) -> Sessions {
        let mut entries = Vec::with_capacity(capacity);
        entries.resize_with(capacity, || None);
        Sessions { entries, free: (0..capacity).rev().collect(), by_id: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The index that [`Sessions::insert`] uses next.
    pub(super) fn next_index(&self) -> Option<usize> {
        self.free.last().copied()
    }

    pub(super) fn contains(&self, id: SessionId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// Inserts a session at [`Sessions::next_index`]; there must be one.
    pub(super) fn insert(&mut self, entry: Entry) {
        if let Some(index) = self.free.pop() {
            self.by_id.insert(entry.id, index);
            self.entries[index] = Some(Box::new(entry));
        }
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<(usize, Box<Entry>)> {
        let index = self.by_id.remove(&id)?;
        self.free.push(index);
        self.entries[index].take().map(|entry| (index, entry))
    }

    pub(super) fn find(&self, id: SessionId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Entry> {
        self.entries.get_mut(index)?.as_deref_mut()
    }

    /// Two different sessions.
    pub(super) fn get_two_mut(&mut self, one: usize, other: usize) -> Option<(&mut Entry, &mut Entry)> {
        let [one, other] = self.entries.get_disjoint_mut([one, other]).ok()?;
        Some((one.as_deref_mut()?, other.as_deref_mut()?))
    }

    /// The sessions after the given id, in the order of their ids.
    pub(super) fn after(&self, id: Option<SessionId>) -> impl Iterator<Item = &Entry> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.by_id.range((from, Bound::Unbounded));
        range.filter_map(|(_, &index)| self.entries.get(index)?.as_deref())
    }
}
