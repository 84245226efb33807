//! The way of pictures to one peer: in their turn where the peer asks for nothing again, behind the parameter sets that
//! it needs, and kept in case that it asks.

use std::net::SocketAddr;

use tandem_control::{PictureSize, Side, VideoCodec};

use super::routes::{Entry, Route};
use super::{Half, Outbox, Verdict, Video};
use crate::Now;
use crate::drops::DropReason;
use crate::leg::Leg;
use crate::limits::{MAX_DATAGRAM, TAILROOM};
use crate::packet::Packet;
use crate::reception::Place;
use crate::rtp::{self, HEADER_LEN, Parsed};
use crate::session::Component;
use crate::video::h264::ParameterSet;
use crate::video::hold::Turn;
use crate::video::repeats::Repeated;
use crate::video::{h264, sequence_set, vp8};

/// A packet of pictures as it came.
pub(super) struct Picture {
    pub(super) place: Place,
    pub(super) parsed: Parsed,
    pub(super) codec: VideoCodec,
    pub(super) route: Route,
}

/// What a payload tells without being decoded.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// A key frame begins with it.
    pub(super) begins_key_frame: bool,
    /// A decoder can begin with it.
    can_begin: bool,
    /// The size of the pictures from here on.
    pub(super) size: Option<PictureSize>,
}

/// Looks into a payload.
pub(super) fn look(codec: VideoCodec, payload: &[u8]) -> Seen {
    match codec {
        VideoCodec::H264 { .. } => {
            let contents = h264::inspect(payload);
            Seen {
                begins_key_frame: contents.key_frame,
                can_begin: contents.key_frame || contents.sequence_set,
                size: if contents.sequence_set { described_size(payload) } else { None },
            }
        }
        VideoCodec::Vp8 => {
            let is_key = vp8::begins_key_frame(payload);
            let size = if is_key { vp8::picture_size(payload) } else { None };
            Seen { begins_key_frame: is_key, can_begin: is_key, size }
        }
    }
}

/// What the newest sequence parameter set of a payload says, which is the last one.
fn described_size(payload: &[u8]) -> Option<PictureSize> {
    let is_set = |unit: &&[u8]| ParameterSet::of(unit) == Some(ParameterSet::Sequence);
    h264::units(payload).filter(is_set).last().and_then(sequence_set::picture_size)
}

/// A peer that can be sent pictures now, and wants them.
pub(super) struct Viewer<'a> {
    side: Side,
    leg: &'a mut Leg,
    video: &'a mut Video,
    component: Component,
    destination: SocketAddr,
}

impl<'a> Viewer<'a> {
    /// The peer of that half.
    ///
    /// # Errors
    /// [`DropReason::NotWanted`], [`DropReason::NoDestination`].
    pub(super) fn of(half: &'a mut Half) -> Result<Viewer<'a>, DropReason> {
        let may_send = half.leg.config().video.as_ref().is_some_and(|video| video.may_send);
        let Half { side, leg, video, .. } = half;
        let video = video.as_deref_mut().ok_or(DropReason::NotWanted)?;
        let (carrier, component, _) = video.carrier(leg);
        let has_keys = carrier.has_keys(Component::Rtp);
        let destination = carrier.destination(Component::Rtp).filter(|_| has_keys);
        match destination.filter(|_| may_send) {
            Some(destination) => Ok(Viewer { side: *side, leg, video, component, destination }),
            None => {
                video.interrupt();
                Err(if may_send { DropReason::NoDestination } else { DropReason::NotWanted })
            }
        }
    }

    /// Takes a packet that the other peer sent, and shows what is to be shown now, it or others.
    pub(super) fn take(
        &mut self,
        now: Now,
        picture: &Picture,
        packet: &mut Packet<'_>,
        sender: &mut Video,
        out: &mut dyn Outbox,
    ) -> Result<Verdict, DropReason> {
        if picture.place.fresh {
            self.video.interrupt();
        }
        let Some(hold) = &mut self.video.repair.hold else {
            return self.show(now, picture, packet, sender, out);
        };
        hold.make_room(picture.place.index);
        self.release(now, sender, out);
        let Some(hold) = &mut self.video.repair.hold else { return Ok(Verdict::Consumed) };
        match hold.arrive(now.instant, picture.place.index, packet.bytes()) {
            Turn::Held => Ok(Verdict::Consumed),
            Turn::Late => Err(DropReason::TooLate),
            Turn::Now if hold.is_empty() => self.show(now, picture, packet, sender, out),
            Turn::Now => {
                // What the outbox has is sent before the packet in hand, so that one goes the same way.
                if let Verdict::Forward { .. } = self.show(now, picture, packet, sender, out)? {
                    self.send(packet.bytes(), out);
                }
                self.release(now, sender, out);
                Ok(Verdict::Consumed)
            }
        }
    }

    /// Shows what waits and need not wait any longer.
    pub(super) fn release(&mut self, now: Now, sender: &mut Video, out: &mut dyn Outbox) {
        let mut buffer = [0; MAX_DATAGRAM + TAILROOM];
        while let Some(hold) = &mut self.video.repair.hold
            && let Some((index, held)) = hold.release(now.instant)
        {
            let len = held.len();
            let Some(room) = buffer.get_mut(..len) else { continue };
            room.copy_from_slice(held);
            let Some(mut packet) = Packet::new(&mut buffer, 0, len) else { continue };
            // It was parsed before, and its payload type was known.
            let Ok(parsed) = rtp::parse(packet.bytes()) else { continue };
            let entry = sender.routes.find(parsed.header.payload_type);
            let Some(Entry::Pictures { codec, route }) = entry else { continue };
            let place = Place { index, newest: true, fresh: false, skipped: false };
            let picture = Picture { place, parsed, codec, route };
            match self.show(now, &picture, &mut packet, sender, out) {
                Ok(Verdict::Forward { .. }) => self.send(packet.bytes(), out),
                Ok(Verdict::Consumed) => {}
                Err(reason) => out.dropped(reason),
            }
        }
    }

    /// Sends a packet that is protected already.
    fn send(&self, packet: &[u8], out: &mut dyn Outbox) {
        out.send(self.side, self.component, self.destination, packet);
    }

    /// Makes of a packet the one that the peer is sent, behind whatever it needs before it.
    fn show(
        &mut self,
        now: Now,
        picture: &Picture,
        packet: &mut Packet<'_>,
        sender: &mut Video,
        out: &mut dyn Outbox,
    ) -> Result<Verdict, DropReason> {
        let Picture { place, parsed, codec, route } = picture;
        let Route::Forward(number) = *route else {
            self.video.outgoing.skip(*place);
            return Err(DropReason::NotTaken);
        };
        let payload = parsed.payload(packet.bytes());
        // Browsers probe their line with packets that carry nothing.
        if payload.is_empty() {
            self.video.outgoing.skip(*place);
            return Ok(Verdict::Consumed);
        }
        if self.video.outgoing.begins() && !look(*codec, payload).can_begin {
            sender.repair.requests.key_frames.want();
        }
        if matches!(codec, VideoCodec::H264 { .. })
            && self.video.repair.needs_parameter_sets(parsed.header.timestamp, payload, place.newest)
        {
            self.show_parameter_sets(now, picture, number, out);
        }
        let header = self.video.outgoing.forward(now.instant, *place, parsed, number, packet)?;
        sender.repair.requests.bitrate.forwarded(now.instant, packet.len());
        self.video.repair.keep(header.sequence, packet.bytes());
        self.video.carrier(self.leg).0.protect_packet(packet)?;
        Ok(Verdict::Forward { to: self.side, component: self.component, destination: self.destination })
    }

    /// Sends the parameter sets that were kept, in front of a key frame.
    fn show_parameter_sets(&mut self, now: Now, picture: &Picture, number: u8, out: &mut dyn Outbox) {
        let config = self.leg.config().video.as_deref();
        let taken = config.and_then(|video| video.send.iter().find(|of| of.number == number));
        // RFC 6184 section 6.2: no aggregates in mode 0.
        let aggregated =
            matches!(taken.map(|of| of.codec), Some(VideoCodec::H264 { packetization_mode: 1, .. }));
        let mut buffer = [0; MAX_DATAGRAM + TAILROOM];
        for part in 0.. {
            let room = buffer.get_mut(HEADER_LEN..MAX_DATAGRAM).unwrap_or_default();
            let Some(len) = self.video.repair.write_parameter_sets(aggregated, part, room) else { return };
            let len = HEADER_LEN + len;
            let input = &picture.parsed.header;
            let inserted = self.video.outgoing.insert(now.instant, picture.place, input, number, len);
            let Ok(header) = inserted else { return };
            header.write(&mut buffer);
            self.video.repair.keep(header.sequence, buffer.get(..len).unwrap_or_default());
            match self.video.carrier(self.leg).0.protect(&mut buffer, len) {
                Ok(len) => self.send(buffer.get(..len).unwrap_or_default(), out),
                Err(reason) => out.dropped(reason),
            }
        }
    }

    /// Sends again what the peer misses, as far as it is there.
    pub(super) fn repeat(&mut self, now: Now, sequences: impl Iterator<Item = u16>, out: &mut dyn Outbox) {
        let round_trip = self.video.reports.round_trip;
        let mut buffer = [0; MAX_DATAGRAM + TAILROOM];
        for sequence in sequences {
            let config = self.leg.config().video.as_deref();
            let rtx = |number| config?.send.iter().find(|of| of.number == number)?.rtx;
            let room = buffer.get_mut(..MAX_DATAGRAM).unwrap_or_default();
            let repeated = self.video.repair.repeat(now.instant, round_trip, sequence, rtx, room);
            let (carrier, ..) = self.video.carrier(self.leg);
            let protected = match repeated {
                Some(Repeated::OnItsOwnStream(len)) => carrier.protect(&mut buffer, len),
                Some(Repeated::AsItWas(len)) => carrier.protect_again(&mut buffer, len),
                None => continue,
            };
            match protected {
                Ok(len) => self.send(buffer.get(..len).unwrap_or_default(), out),
                Err(reason) => out.dropped(reason),
            }
        }
    }
}
