//! The video of a session: what each peer sends, forwarded to the other one.
//!
//! It goes by the leg's own ports, told from the audio by its payload types (RFC 9143 section 9.2), or by ports of its
//! own with keys and latches of their own. Everything here is off the path of a session that has none.

mod configuring;
mod figures;
mod outgoing;
mod repair;
mod reporting;
mod routes;
mod sync;
mod viewer;

use std::net::SocketAddr;
use std::time::Instant;

use tandem_control::{EventKind, Side, StreamStats, VideoCodec};

use super::{Component, Half, Medium, Outbox, Session, Verdict};
use crate::Now;
use crate::drops::DropReason;
use crate::events::Events;
use crate::leg::{Arrival, Io, Leg};
use crate::limits::VIDEO_RTCP_INTERVAL;
use crate::packet::Packet;
use crate::reception::{Place, VideoReception};
use crate::reports::Reports;
use crate::routes::{Entry as AudioEntry, is_speech};
use crate::rtcp;
use crate::rtp::{Header, Parsed};
use crate::video::picture_sizes::PictureSizes;
use crate::video::rtx;
use outgoing::{CLOCK, Outgoing};
use repair::Repair;
use routes::{Entry, Routes};
use sync::{Reached, SenderClock};
use viewer::{Picture, Viewer, look};

pub(super) use configuring::prepare;
pub(super) use figures::of_video;
pub(super) use reporting::sound_timestamp;

/// What one side has for video. It stays until the session ends, also while the leg has no video: the peer may come
/// back to streams that it knows.
pub(super) struct Video {
    /// Ports of its own; `None`: those of the leg.
    transport: Option<Box<Leg>>,
    /// What happens on ports of its own, of which nobody is told: the call goes on without video.
    untold: Events,
    /// What the peer may send, and where it goes.
    routes: Routes,
    reception: VideoReception,
    /// What the peer is sent.
    outgoing: Outgoing,
    repair: Repair,
    reports: Reports,
    /// The peer's clock, as it tells it about both its streams.
    clock: SenderClock,
    /// The newest packet of the peer's audio, and where it went.
    sound: Option<Reached>,
    received: StreamStats,
    heard_at: Option<Instant>,
    dropped: u64,
    rtcp_dropped: u64,
    codec: Option<VideoCodec>,
    /// Of the pictures that the peer sends.
    sizes: PictureSizes,
}

/// Sends from the ports of video what a leg sends from its own.
struct FromVideoPorts<'a>(&'a mut dyn Outbox);

impl Outbox for FromVideoPorts<'_> {
    fn send(&mut self, from: Side, component: Component, destination: SocketAddr, bytes: &[u8]) {
        self.0.send(from, component.of_video(), destination, bytes);
    }

    fn dropped(&mut self, reason: DropReason) {
        self.0.dropped(reason);
    }
}

impl Video {
    fn new(now: Instant, ssrc: u32, random: &mut fastrand::Rng) -> Video {
        Video {
            transport: None,
            untold: Events::new(),
            routes: Routes::default(),
            reception: VideoReception::default(),
            outgoing: Outgoing::new(ssrc, random),
            repair: Repair::new(now),
            reports: Reports::new(now, VIDEO_RTCP_INTERVAL, random),
            clock: SenderClock::default(),
            sound: None,
            received: StreamStats::default(),
            heard_at: None,
            dropped: 0,
            rtcp_dropped: 0,
            codec: None,
            sizes: PictureSizes::default(),
        }
    }

    /// Whether a packet on the ports of the leg is of its video.
    pub(super) fn takes(&self, payload_type: u8) -> bool {
        self.transport.is_none() && self.routes.has(payload_type)
    }

    /// Whether it shares the ports of the leg.
    pub(super) fn is_bundled(&self) -> bool {
        self.transport.is_none()
    }

    pub(super) fn next_timeout(&self) -> Instant {
        let due = self.repair.due().map_or(self.reports.due(), |due| due.min(self.reports.due()));
        self.transport.as_ref().and_then(|leg| leg.next_timeout()).map_or(due, |at| at.min(due))
    }

    /// Somebody needs a key frame of the peer.
    pub(super) fn want_key_frame(&mut self) {
        self.repair.requests.key_frames.want();
    }

    /// The input is not continuous here: the next packet begins behind all that was sent.
    fn interrupt(&mut self) {
        self.outgoing.interrupt();
        self.repair.interrupt();
    }

    /// The leg by which it goes, which is `leg` where it is bundled, and its ports of RTP and RTCP.
    fn carrier<'a>(&'a mut self, leg: &'a mut Leg) -> (&'a mut Leg, Component, Component) {
        match &mut self.transport {
            Some(own) => {
                let rtcp = own.rtcp_component().of_video();
                (own, Component::VideoRtp, rtcp)
            }
            None => {
                let rtcp = leg.rtcp_component();
                (leg, Component::Rtp, rtcp)
            }
        }
    }

    /// Protects and sends RTCP of `len` bytes in front of `buffer`, once it is known where to, and by which keys.
    fn send_rtcp(&mut self, side: Side, leg: &mut Leg, buffer: &mut [u8], len: usize, out: &mut dyn Outbox) {
        let (leg, _, component) = self.carrier(leg);
        let of_leg = component.of_audio();
        let has_keys = leg.has_keys(of_leg);
        let Some(destination) = leg.destination(of_leg).filter(|_| has_keys) else { return };
        match leg.protect_rtcp(buffer, len) {
            Ok(len) => out.send(side, component, destination, buffer.get(..len).unwrap_or_default()),
            Err(reason) => out.dropped(reason),
        }
    }
}

impl Session {
    /// As [`Session::receive`], for the ports of video.
    pub(super) fn receive_on_video_port(
        &mut self,
        now: Now,
        side: Side,
        component: Component,
        source: SocketAddr,
        packet: &mut Packet<'_>,
        out: &mut dyn Outbox,
    ) -> Result<Verdict, DropReason> {
        let is_rtcp = component == Component::VideoRtcp || rtcp::is_rtcp(packet.bytes());
        let video = self.split(side).0.video.as_deref_mut().ok_or(DropReason::NotReady)?;
        let own = video.transport.as_deref_mut().ok_or(DropReason::NotReady)?;
        let io = &mut Io { out: &mut FromVideoPorts(out), events: &mut video.untold };
        let arrival = own.receive(now.instant, component.of_audio(), source, packet, io);
        video.untold.clear();
        let result = match arrival {
            Ok(Arrival::Handled) => Ok(Verdict::Consumed),
            Ok(Arrival::Rtp(parsed)) => self.video_rtp(now, side, &parsed, packet, out),
            Ok(Arrival::Rtcp) => {
                self.split(side).0.copy(Medium::Reports, packet, out);
                self.video_rtcp(now, side, packet, out).map(|()| Verdict::Consumed)
            }
            Err(reason) => Err(reason),
        };
        self.news |= !matches!(result, Ok(Verdict::Forward { .. }));
        let Err(reason) = result else { return result };
        let here = self.split(side).0;
        if here.is_taken(reason) {
            return Ok(Verdict::Consumed);
        }
        if let Some(video) = &mut here.video {
            *(if is_rtcp { &mut video.rtcp_dropped } else { &mut video.dropped }) += 1;
        }
        result
    }

    /// Takes an authentic packet of video.
    pub(super) fn video_rtp(
        &mut self,
        now: Now,
        side: Side,
        parsed: &Parsed,
        packet: &mut Packet<'_>,
        out: &mut dyn Outbox,
    ) -> Result<Verdict, DropReason> {
        self.media_at = now.instant;
        let created = self.created;
        let (here, there) = self.split(side);
        if here.leg.config().video.as_ref().is_some_and(|video| video.may_receive) {
            here.copy(Medium::Pictures, packet, out);
        }
        let placed = place(now, created, here, parsed, packet);
        let size = here.video.as_mut().and_then(|video| video.sizes.tell(now.instant));
        let result = match placed {
            Ok(Some(picture)) if here.seat.is_none() && there.seat.is_none() => {
                show(now, here, there, &picture, packet, out)
            }
            Ok(Some(_)) => Err(DropReason::HearsRoom),
            Ok(None) => Ok(Verdict::Consumed),
            Err(DropReason::OnHold) => {
                interrupt(there);
                Err(DropReason::OnHold)
            }
            Err(reason) => Err(reason),
        };
        self.rearm_repair(now);
        if let Some(size) = size {
            self.events.push(EventKind::PictureSize { side, size });
        }
        result
    }

    /// What the peers see breaks off here, and others see what they send.
    pub(super) fn interrupt_video(&mut self) {
        for video in self.sides.iter_mut().filter_map(|half| half.video.as_mut()) {
            video.interrupt();
            video.repair.requests.bitrate.forget_receiver();
            video.sizes.tell_again();
        }
    }
}

impl Half {
    /// The pictures of its peer end here.
    pub(super) fn forget_pictures(&mut self) {
        if let Some(video) = &mut self.video {
            video.reception.forget();
        }
    }
}

/// Finds out what a packet is and where it stands in its stream; `None` if it brings nothing.
fn place(
    now: Now,
    created: Instant,
    here: &mut Half,
    parsed: &Parsed,
    packet: &mut Packet<'_>,
) -> Result<Option<Picture>, DropReason> {
    let may_receive = here.leg.config().video.as_ref().is_some_and(|video| video.may_receive);
    let video = here.video.as_deref_mut().ok_or(DropReason::NotReady)?;
    video.received.packets += 1;
    video.received.bytes += parsed.payload(packet.bytes()).len() as u64;
    video.heard_at = Some(now.instant);
    if !may_receive {
        return Err(DropReason::OnHold);
    }
    let requests = &mut video.repair.requests;
    requests.note(now.instant, packet.bytes());
    let entry = video.routes.find(parsed.header.payload_type).ok_or(DropReason::UnknownPayloadType)?;
    let (parsed, entry, came_again) = match entry {
        Entry::Pictures { .. } => (*parsed, entry, false),
        Entry::Again(number) => {
            // What is not missing is padding: browsers probe their line with what they sent before.
            let original =
                parsed.payload(packet.bytes()).first_chunk().map(|&bytes| u16::from_be_bytes(bytes));
            let missed = original.and_then(|original| video.reception.may_miss(original));
            let Some(ssrc) = missed else { return Ok(None) };
            let Some(parsed) = rtx::unwrap(packet, parsed, number, ssrc) else { return Ok(None) };
            (parsed, video.routes.find(number).ok_or(DropReason::UnknownPayloadType)?, true)
        }
    };
    let Entry::Pictures { codec, route } = entry else { return Err(DropReason::NotTaken) };
    video.received.ssrc = Some(parsed.header.ssrc);
    let place = match video.reception.receive(now.instant, created, &parsed.header, Some(CLOCK)) {
        Err(DropReason::Duplicate) if came_again => return Ok(None),
        placed => placed?,
    };
    video.codec = Some(codec);
    let seen = look(codec, parsed.payload(packet.bytes()));
    requests.arrived(now.instant, place.index, place.fresh, seen.begins_key_frame);
    video.sizes.arrived(place.index, place.fresh, seen.size);
    Ok(Some(Picture { place, parsed, codec, route }))
}

/// Forwards a packet that the peer of `here` sent to the peer of `there`.
fn show(
    now: Now,
    here: &mut Half,
    there: &mut Half,
    picture: &Picture,
    packet: &mut Packet<'_>,
    out: &mut dyn Outbox,
) -> Result<Verdict, DropReason> {
    let sender = here.video.as_deref_mut().ok_or(DropReason::NotReady)?;
    Viewer::of(there)?.take(now, picture, packet, sender, out)
}

fn interrupt(half: &mut Half) {
    if let Some(video) = &mut half.video {
        video.interrupt();
    }
}

/// Takes note of a packet of audio that has gone its way, for a leg that sends video too.
pub(super) fn note_sound(here: &mut Half, place: Place, entry: Option<&AudioEntry>, header: &Header) {
    let Some(video) = &mut here.video else { return };
    if let Some(entry) = entry.filter(|entry| place.newest && is_speech(entry.codec)) {
        let output = &here.bridge.output;
        let clocks = [entry.clock, output.clock()];
        video.sound = Some(Reached { input: header.timestamp, output: output.timestamp(), clocks });
    }
}
