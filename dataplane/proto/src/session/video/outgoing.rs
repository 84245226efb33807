//! The video that a peer is sent.

use std::time::Instant;

use super::sync::Reached;
use crate::drops::DropReason;
use crate::epoch::Epoch;
use crate::output::Output;
use crate::packet::Packet;
use crate::reception::Place;
use crate::rtp::{self, Header, Parsed};

/// The clock of every video stream (RFC 6184 section 5.1, RFC 7741 section 4.1), in Hz.
pub(crate) const CLOCK: u32 = 90_000;

/// The stream that one peer is sent, whoever's pictures are in it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) output: Output,
    epoch: Option<Epoch>,
    /// Where the newest packet that was forwarded stands on both time lines.
    pub(crate) reached: Option<Reached>,
}

impl Outgoing {
    pub(crate) fn new(ssrc: u32, random: &mut fastrand::Rng) -> Outgoing {
        Outgoing { output: Output::with_ssrc(ssrc, CLOCK, random), epoch: None, reached: None }
    }

    /// Sends under another SSRC from now on, if it is another one.
    pub(crate) fn rename(&mut self, ssrc: u32, random: &mut fastrand::Rng) {
        if self.output.ssrc() != ssrc {
            *self = Outgoing::new(ssrc, random);
        }
    }

    /// The input is not continuous here: the next packet begins behind all that was sent.
    pub(crate) fn interrupt(&mut self) {
        self.epoch = None;
        self.reached = None;
    }

    /// Leaves a packet out without leaving a gap.
    pub(crate) fn skip(&mut self, place: Place) {
        if let Some(epoch) = &mut self.epoch {
            epoch.skip(place);
        }
    }

    /// Whether the next packet begins behind all that was sent: what came before it was not shown.
    pub(crate) fn begins(&self) -> bool {
        self.epoch.is_none()
    }

    /// The header of a packet that is put in front of one of the input, with its time stamp.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        place: Place,
        input: &Header,
        number: u8,
        len: usize,
    ) -> Result<Header, DropReason> {
        let (epoch, timestamp) = self.stand(now, place, input);
        let index = epoch.insert(place)?;
        let header = self.output.header(index, timestamp, number, false);
        self.output.sent(now, &header, index, len);
        Ok(header)
    }

    /// Gives a packet the header that it has in this stream. The marker is the sender's: it ends a picture.
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        place: Place,
        parsed: &Parsed,
        number: u8,
        packet: &mut Packet<'_>,
    ) -> Result<Header, DropReason> {
        let input = &parsed.header;
        let (epoch, timestamp) = self.stand(now, place, input);
        let index = epoch.index(place.index)?;
        let header = self.output.header(index, timestamp, number, input.marker);
        rtp::rewrite(packet, parsed, &header);
        self.output.sent(now, &header, index, packet.len());
        if place.newest {
            self.reached = Some(Reached { input: input.timestamp, output: timestamp, clocks: [CLOCK; 2] });
        }
        Ok(header)
    }

    /// The epoch of a packet, and its time stamp.
    fn stand(&mut self, now: Instant, place: Place, input: &Header) -> (&mut Epoch, u32) {
        let epoch = self.epoch.get_or_insert_with(|| Epoch::begin(now, place, input, &self.output));
        let mut timestamp = epoch.timestamp(input.timestamp);
        if place.newest && !self.output.is_plausible(now, timestamp) {
            timestamp = self.output.expected_timestamp(now);
            epoch.align(input.timestamp, timestamp);
        }
        (epoch, timestamp)
    }
}
