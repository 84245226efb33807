//! The table of SSRCs of one direction.

use super::index::{ReplayWindow, RtpIndexes};
use super::{MAX_SOURCES, SrtpError};

/// The state of one SSRC: plain data, like everything that a successor process would need beside the key.
#[derive(Clone, Copy, Default)]
struct Source {
    ssrc: u32,
    rtp: RtpIndexes,
    rtcp: ReplayWindow,
}

/// Where the state of an SSRC is, or would be.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    /// It has state at this place.
    Known(usize),
    /// It has none yet; there is room.
    New,
}

/// Up to [`MAX_SOURCES`] SSRCs, searched from the front: a leg has one or two. They stand in place, so that the first
/// is found without following a pointer.
pub(super) struct Sources {
    entries: [Source; MAX_SOURCES],
    count: usize,
}

impl Sources {
    pub(super) fn new() -> Sources {
        Sources { entries: [Source::default(); MAX_SOURCES], count: 0 }
    }

    /// Finds an SSRC without making state for it: nobody has authenticated yet.
    pub(super) fn find(&self, ssrc: u32) -> Result<Slot, SrtpError> {
        match self.entries.iter().take(self.count).position(|source| source.ssrc == ssrc) {
            Some(place) => Ok(Slot::Known(place)),
            None if self.count < MAX_SOURCES => Ok(Slot::New),
            None => Err(SrtpError::TooManySources),
        }
    }

    /// The RTP indexes, fresh ones for a new SSRC.
    pub(super) fn rtp(&self, slot: Slot) -> RtpIndexes {
        self.get(slot).rtp
    }

    /// The RTCP window, a fresh one for a new SSRC.
    pub(super) fn rtcp(&self, slot: Slot) -> ReplayWindow {
        self.get(slot).rtcp
    }

    /// The RTP indexes to update after authentication; makes the state of a new SSRC.
    pub(super) fn rtp_mut(&mut self, slot: Slot, ssrc: u32) -> &mut RtpIndexes {
        &mut self.get_mut(slot, ssrc).rtp
    }

    /// The RTCP window to update after authentication; makes the state of a new SSRC.
    pub(super) fn rtcp_mut(&mut self, slot: Slot, ssrc: u32) -> &mut ReplayWindow {
        &mut self.get_mut(slot, ssrc).rtcp
    }

    /// How many SSRCs have state.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    fn get(&self, slot: Slot) -> Source {
        match slot {
            Slot::Known(place) => self.entries.get(place).copied().unwrap_or_default(),
            Slot::New => Source::default(),
        }
    }

    fn get_mut(&mut self, slot: Slot, ssrc: u32) -> &mut Source {
        let place = match slot {
            Slot::Known(place) => place,
            Slot::New => {
                let place = self.count.min(MAX_SOURCES - 1);
                self.entries[place] = Source { ssrc, ..Source::default() };
                self.count = place + 1;
                place
            }
        };
        &mut self.entries[place]
    }
}
