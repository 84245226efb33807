//! Forwarded streams: where a packet of the input stands in the output, as long as nothing breaks the input's
//! continuity.

use std::time::Instant;

use crate::drops::DropReason;
use crate::output::Output;
use crate::reception::Place;
use crate::rtp::Header;

/// The offsets from input to output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch {
    /// The first input index of the epoch, and its output index.
    first_in: u64,
    first_out: u64,
    /// Added to the input's time stamps.
    shift: u32,
}

impl Epoch {
    /// The epoch that begins with a packet: behind all that was sent.
    pub(crate) fn begin(now: Instant, place: Place, header: &Header, output: &Output) -> Epoch {
        Epoch {
            first_in: place.index,
            first_out: output.next(),
            shift: output.free_timestamp(now).wrapping_sub(header.timestamp),
        }
    }

    /// The output index of a packet of the input.
    ///
    /// # Errors
    /// [`DropReason::TooLate`] if it is from before the epoch.
    pub(crate) fn index(&self, input: u64) -> Result<u64, DropReason> {
        let ahead = input.checked_sub(self.first_in).ok_or(DropReason::TooLate)?;
        Ok(self.first_out + ahead)
    }

    /// The output's time stamp for one of the input.
    pub(crate) fn timestamp(&self, input: u32) -> u32 {
        input.wrapping_add(self.shift)
    }

    /// From now on that input time stamp is that one of the output.
    pub(crate) fn align(&mut self, input: u32, output: u32) {
        self.shift = output.wrapping_sub(input);
    }

    /// Puts a packet in the place of that one, which moves behind it. Those from before are too late then.
    pub(crate) fn insert(&mut self, place: Place) -> Result<u64, DropReason> {
        let index = self.index(place.index)?;
        self.first_in = place.index;
        self.first_out = index + 1;
        Ok(index)
    }

    /// Leaves a packet out of the output without leaving a gap.
    pub(crate) fn skip(&mut self, place: Place) {
        let Some(ahead) = place.index.checked_sub(self.first_in).filter(|_| place.newest) else { return };
        self.first_out += ahead;
        self.first_in = place.index + 1;
    }
}
