//! Forwarding: the packets of one leg with headers of the other's stream.

use std::time::Instant;

use super::{Bridge, Bridged};
use crate::drops::DropReason;
use crate::dtmf;
use crate::epoch::Epoch;
use crate::limits::SILENCE_ROOM;
use crate::packet::Packet;
use crate::reception::Place;
use crate::routes::{Entry, is_speech};
use crate::rtp::{self, HEADER_LEN, Header, Parsed};
use crate::silence;

/// The output's time stamp of the telephone event that is being forwarded: all packets of an event carry the same
/// (RFC 4733 section 2.5.1.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor {
    ssrc: u32,
    input: u32,
    output: u32,
}

impl Bridge {
    /// The event of a packet, its duration in `clock`.
    pub(super) fn event_in(
        &self,
        entry: &Entry,
        input: &Header,
        payload: &[u8],
        clock: u32,
    ) -> Result<dtmf::Event, DropReason> {
        let counted_in = self.collector.clock(input.ssrc, input.timestamp).unwrap_or(entry.clock);
        Ok(scaled(dtmf::Event::parse(payload)?, counted_in, clock))
    }

    /// The output index of a packet, in the epoch of now or in a new one that begins with it.
    fn index(
        &mut self,
        now: Instant,
        place: Place,
        header: &Header,
    ) -> Result<(u64, Epoch, bool), DropReason> {
        let begins = self.epoch.is_none();
        let epoch = match self.epoch {
            Some(epoch) => epoch,
            None => *self.epoch.insert(Epoch::begin(now, place, header, &self.output)),
        };
        Ok((epoch.index(place.index)?, epoch, begins))
    }

    pub(super) fn forward(
        &mut self,
        now: Instant,
        place: Place,
        parsed: &Parsed,
        (entry, number): (&Entry, u8),
        packet: &mut Packet<'_>,
    ) -> Result<Bridged, DropReason> {
        let input = &parsed.header;
        let (index, mut epoch, begins) = self.index(now, place, input)?;
        let mut timestamp = epoch.timestamp(input.timestamp);
        let mut marker = input.marker || begins;
        if place.newest && !self.output.is_plausible(now, timestamp) {
            timestamp = self.output.expected_timestamp(now);
            epoch.align(input.timestamp, timestamp);
            self.epoch = Some(epoch);
            marker = true;
        }
        if is_speech(entry.codec) {
            self.output.set_clock(entry.clock);
        }
        let header = self.output.header(index, timestamp, number, marker);
        rtp::rewrite(packet, parsed, &header);
        self.output.sent(now, &header, index, packet.len());
        Ok(Bridged::Forward)
    }

    /// Forwards a packet with silence in it.
    pub(super) fn forward_silence(
        &mut self,
        now: Instant,
        place: Place,
        parsed: &Parsed,
        (entry, number): (&Entry, u8),
        packet: &mut Packet<'_>,
    ) -> Result<Bridged, DropReason> {
        let (start, len) = (parsed.payload_start, parsed.payload(packet.bytes()).len());
        let room = packet.with_tailroom().get_mut(start..start + len + SILENCE_ROOM);
        let Some(written) = room.and_then(|room| silence::write(entry.codec, room, len)) else {
            self.skip(place);
            return Err(DropReason::Blocked);
        };
        let silent = Parsed { payload_end: start + written, ..*parsed };
        self.forward(now, place, &silent, (entry, number), packet)
    }

    pub(super) fn forward_event(
        &mut self,
        now: Instant,
        place: Place,
        parsed: &Parsed,
        (entry, number, clock): (&Entry, u8, u32),
        packet: &mut Packet<'_>,
    ) -> Result<Bridged, DropReason> {
        let input = &parsed.header;
        let event = self.event_in(entry, input, parsed.payload(packet.bytes()), clock)?;
        let (index, epoch, begins) = self.index(now, place, input)?;
        let timestamp = match self.anchored(input) {
            Some(timestamp) => timestamp,
            // Without its anchor it cannot be given the time stamp that the event has.
            None if !place.newest => return Err(DropReason::TooLate),
            None => {
                let shifted = epoch.timestamp(input.timestamp);
                let same_line = entry.clock == self.output.clock() && self.output.is_plausible(now, shifted);
                self.anchor_at(input, if same_line { shifted } else { self.output.expected_timestamp(now) })
            }
        };
        let header = self.output.header(index, timestamp, number, input.marker || begins);
        rtp::rewrite(packet, parsed, &header);
        if let Some(payload) = packet.bytes_mut().get_mut(HEADER_LEN..HEADER_LEN + dtmf::PAYLOAD_LEN) {
            payload.copy_from_slice(&event.to_bytes());
        }
        packet.set_len(HEADER_LEN + dtmf::PAYLOAD_LEN);
        self.output.sent(now, &header, index, packet.len());
        Ok(Bridged::ForwardEvent)
    }

    /// Leaves a packet out of the output without leaving a gap.
    pub(super) fn skip(&mut self, place: Place) {
        if let Some(epoch) = &mut self.epoch {
            epoch.skip(place);
        }
    }

    pub(super) fn anchored(&self, input: &Header) -> Option<u32> {
        let anchor =
            self.anchor.filter(|anchor| anchor.ssrc == input.ssrc && anchor.input == input.timestamp)?;
        Some(anchor.output)
    }

    pub(super) fn anchor_at(&mut self, input: &Header, output: u32) -> u32 {
        self.anchor = Some(Anchor { ssrc: input.ssrc, input: input.timestamp, output });
        output
    }
}

/// The event with its duration in another clock.
fn scaled(event: dtmf::Event, from: u32, to: u32) -> dtmf::Event {
    let duration = u64::from(event.duration) * u64::from(to) / u64::from(from.max(1));
    dtmf::Event { duration: u16::try_from(duration).unwrap_or(u16::MAX), ..event }
}
