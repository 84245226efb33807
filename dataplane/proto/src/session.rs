//! A session: two legs and the bridges between them.
//!
//! Whoever drives it hands in datagrams and the time, and gets back a verdict on each datagram. Forwarding works in
//! the buffer that the datagram came in; everything else goes through an [`Outbox`].

mod driving;
mod figures;
mod media;
mod rooms;
mod swap;
mod video;
mod watching;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use driving::{Component, Outbox, Verdict};
use rooms::prepare_seats;
use tandem_control::{
    DigitSound, EventKind, LegConfig, MAX_DIGIT_PAUSE_MS, Refusal, SessionStats, Side, StreamStats,
};
use video::Video;
pub use watching::Medium;
use watching::check_legs;

use crate::Now;
use crate::bridge::{Bridge, Bridged};
use crate::drops::DropReason;
use crate::dtls::Identity;
use crate::dtmf::{Digit, MAX_VOLUME};
use crate::encoding::Sink;
use crate::events::Events;
use crate::leg::{Arrival, Io, Leg};
use crate::limits::{DIGIT_MS, MAX_RTCP, RTCP_INTERVAL, TAILROOM};
use crate::output::Output;
use crate::packet::Packet;
use crate::reception::Reception;
use crate::recording::Tap;
use crate::reports::Reports;
use crate::rtcp;
use crate::rtp::Parsed;
use crate::seat::Seat;
use crate::srtp::DueTag;

/// A session.
pub struct Session {
    created: Instant,
    random: fastrand::Rng,
    sides: [Half; 2],
    events: Events,
    media_timeout: Option<Duration>,
    /// The last media, or the last configuration.
    media_at: Instant,
    media_timed_out: bool,
    /// See [`Session::take_news`].
    news: bool,
    tap: Option<Box<dyn Tap>>,
}

/// One side: its leg, what it receives, and the bridge that carries that to the other side.
struct Half {
    side: Side,
    leg: Leg,
    reception: Reception,
    bridge: Bridge,
    reports: Reports,
    /// Where its peer is in a room.
    seat: Option<Box<Seat>>,
    /// Of seats that it has left.
    in_rooms: rooms::Figures,
    video: Option<Box<Video>>,
    /// What its peer sends is copied to those who watch it.
    is_watched: bool,
    /// It has no peer: what comes in is what the other side's peer watches.
    is_fed: bool,
    /// See [`Session::take_key_frame_wish`].
    wishes_key_frame: bool,
    received: StreamStats,
    /// When the last packet of RTP was taken.
    heard_at: Option<Instant>,
    dropped: u64,
    rtcp_dropped: u64,
}

impl Half {
    /// Takes what its peer reports of its audio, and of what it hears.
    fn take_reports(&mut self, now: Now, there: &Half, packet: &Packet<'_>) -> Result<(), DropReason> {
        let (ours, theirs) = (there.bridge.output.ssrc(), self.reception.ssrc());
        if self.reports.receive(now, packet.bytes(), ours, theirs)? {
            self.reception.forget();
            self.bridge.interrupt();
        }
        Ok(())
    }
}

/// Sends what a bridge makes.
struct LegSink<'a> {
    side: Side,
    leg: &'a mut Leg,
    out: &'a mut dyn Outbox,
}

impl Sink for LegSink<'_> {
    fn packet(&mut self, buffer: &mut [u8], len: usize) {
        let Some(destination) = self.leg.destination(Component::Rtp) else {
            return self.out.dropped(DropReason::NoDestination);
        };
        match self.leg.protect(buffer, len) {
            Ok(len) => {
                let packet = buffer.get(..len).unwrap_or_default();
                self.out.send(self.side, Component::Rtp, destination, packet);
            }
            Err(reason) => self.out.dropped(reason),
        }
    }

    fn dropped(&mut self, reason: DropReason) {
        self.out.dropped(reason);
    }

    fn clock(&self) -> Option<Instant> {
        self.out.clock()
    }
}

impl Session {
    /// A session with two idle legs. `seed` is random and secret to the peers; `identity` is what its DTLS
    /// endpoints show; after `media_timeout` without media it tells [`EventKind::MediaTimeout`], once.
    pub fn new(now: Now, seed: u64, identity: Arc<Identity>, media_timeout: Option<Duration>) -> Session {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut half = |side| Half {
            side,
            leg: Leg::new(now.instant, side, identity.clone()),
            reception: Reception::default(),
            bridge: Bridge::new(Output::new(&mut random)),
            reports: Reports::new(now.instant, RTCP_INTERVAL, &mut random),
            seat: None,
            in_rooms: rooms::Figures::default(),
            video: None,
            is_watched: false,
            is_fed: false,
            wishes_key_frame: false,
            received: StreamStats::default(),
            heard_at: None,
            dropped: 0,
            rtcp_dropped: 0,
        };
        let sides = [half(Side::A), half(Side::B)];
        Session {
            created: now.instant,
            random,
            sides,
            events: Events::new(),
            media_timeout,
            media_at: now.instant,
            media_timed_out: false,
            news: true,
            tap: None,
        }
    }

    /// Sets the given legs (A, B), whole. What did not change goes on undisturbed.
    ///
    /// # Errors
    /// [`Refusal::Invalid`]; the session is then as it was.
    pub fn configure(
        &mut self,
        now: Now,
        legs: [Option<&LegConfig>; 2],
        out: &mut impl Outbox,
    ) -> Result<(), Refusal> {
        let codec = |error| Refusal::Invalid(format!("codec: {error}"));
        let [a, b] = &mut self.sides;
        check_legs([&*a, &*b], legs)?;
        let prepare = |half: &Half, leg: Option<&LegConfig>| leg.map(|leg| half.leg.prepare(leg)).transpose();
        let prepared = [prepare(a, legs[0])?, prepare(b, legs[1])?];
        let before = [&a.leg.config().audio, &b.leg.config().audio];
        let [audio_a, audio_b] = [0, 1].map(|side| legs[side].map_or(before[side], |leg| &leg.audio));
        let from_a = a.bridge.prepare(before, [audio_a, audio_b]).map_err(codec)?;
        let from_b = b.bridge.prepare([before[1], before[0]], [audio_b, audio_a]).map_err(codec)?;
        let seats = prepare_seats([&*a, &*b], legs)?;
        let video = [video::prepare(now, a, b, legs[0])?, video::prepare(now, b, a, legs[1])?];
        for (half, bridge) in [(&mut *a, from_a), (&mut *b, from_b)] {
            if let Some(bridge) = bridge {
                half.bridge.configure(bridge);
            }
        }
        // What goes to one leg comes out of the other one's bridge.
        for (bridge, leg) in [(&mut b.bridge, legs[0]), (&mut a.bridge, legs[1])] {
            bridge.output.set_ssrc(leg.map_or(0, |leg| leg.audio.ssrc));
        }
        self.media_at = now.instant;
        for ((half, leg), prepared) in [a, b].into_iter().zip(legs).zip(prepared) {
            if let (Some(leg), Some(prepared)) = (leg, prepared) {
                let io = &mut Io { out: &mut *out, events: &mut self.events };
                half.leg.configure(now.instant, leg, prepared, io);
            }
        }
        self.configure_seats(seats);
        self.configure_video(now, legs.map(|leg| leg.is_some()), video, out);
        self.tell_what_was_played();
        Ok(())
    }

    /// Takes one datagram that came to the port of that side and component. May change it in place and ask to send
    /// it.
    ///
    /// # Errors
    /// Why it was dropped, to be counted.
    pub fn receive(
        &mut self,
        now: Now,
        side: Side,
        component: Component,
        source: SocketAddr,
        packet: &mut Packet<'_>,
        out: &mut impl Outbox,
    ) -> Result<Verdict, DropReason> {
        if matches!(component, Component::VideoRtp | Component::VideoRtcp) {
            return self.receive_on_video_port(now, side, component, source, packet, out);
        }
        let [a, b] = &mut self.sides;
        let here = if side == Side::A { a } else { b };
        let was_latched = here.leg.is_latched();
        let io = &mut Io { out: &mut *out, events: &mut self.events };
        let result = match here.leg.receive(now.instant, component, source, packet, io) {
            Ok(Arrival::Handled) => Ok(Verdict::Consumed),
            Ok(Arrival::Rtp(parsed)) => self.rtp(now, side, &parsed, packet, out),
            Ok(Arrival::Rtcp) => {
                here.copy(Medium::Reports, packet, out);
                self.rtcp(now, side, packet, out)
            }
            Err(reason) => Err(reason),
        };
        self.news |= !was_latched || !matches!(result, Ok(Verdict::Forward { .. }));
        let Err(reason) = result else { return result };
        let here = self.split(side).0;
        if here.is_taken(reason) {
            return Ok(Verdict::Consumed);
        }
        let is_rtcp = component == Component::Rtcp || rtcp::is_rtcp(packet.bytes());
        *(if is_rtcp { &mut here.rtcp_dropped } else { &mut here.dropped }) += 1;
        result
    }

    fn rtp(
        &mut self,
        now: Now,
        side: Side,
        parsed: &Parsed,
        packet: &mut Packet<'_>,
        out: &mut dyn Outbox,
    ) -> Result<Verdict, DropReason> {
        self.media_at = now.instant;
        let [a, b] = &mut self.sides;
        let (here, there) = if side == Side::A { (a, b) } else { (b, a) };
        if here.video.as_ref().is_some_and(|video| video.takes(parsed.header.payload_type)) {
            return self.video_rtp(now, side, parsed, packet, out);
        }
        let entry = here.bridge.entry(parsed.header.payload_type);
        // Another stream that nobody described, such as video before the answer that tells of it, is not the audio.
        if entry.is_none() && here.reception.ssrc().is_some_and(|ssrc| ssrc != parsed.header.ssrc) {
            return Err(DropReason::UnknownPayloadType);
        }
        here.received.packets += 1;
        here.received.bytes += parsed.payload(packet.bytes()).len() as u64;
        here.received.ssrc = Some(parsed.header.ssrc);
        here.heard_at = Some(now.instant);
        if here.received.packets == 1 {
            self.events.push(EventKind::FirstMedia { side });
        }
        if !here.leg.config().audio.may_receive {
            here.bridge.interrupt();
            return Err(DropReason::OnHold);
        }
        here.copy(Medium::Sound, packet, out);
        let clock = entry.map(|entry| entry.clock);
        let place = here.reception.receive(now.instant, self.created, &parsed.header, clock)?;
        if let (Some(tap), Some(entry)) = (&mut self.tap, &entry) {
            media::copy(&mut **tap, now.instant, here, entry, parsed, packet);
        }
        let payload = parsed.payload(packet.bytes());
        if let Some(digit) = here.bridge.collect(now.instant, entry.as_ref(), &parsed.header, payload) {
            self.events.push(digit_event(side, digit));
        }
        if let Some(diverted) = rooms::divert(now, here, there, place, entry.as_ref(), parsed, packet) {
            return diverted.map(|()| Verdict::Consumed);
        }
        let destination = there.hears_at().inspect_err(|_| here.bridge.interrupt())?;
        let sink = &mut LegSink { side: there.side, leg: &mut there.leg, out };
        let bridged = here.bridge.receive(now.instant, place, entry, parsed, packet, sink);
        while let Some(digit) = here.bridge.take_found() {
            self.events.push(digit_event(side, digit));
        }
        let bridged = bridged?;
        if here.video.is_some() {
            video::note_sound(here, place, entry.as_ref(), &parsed.header);
        }
        match bridged {
            Bridged::Consumed => Ok(Verdict::Consumed),
            forward => {
                self.news |= forward == Bridged::ForwardEvent;
                there.leg.protect_packet(packet)?;
                Ok(Verdict::Forward { to: there.side, component: Component::Rtp, destination })
            }
        }
    }

    /// RTCP ends here: what the peer says is about our stream, not about the other leg's.
    fn rtcp(
        &mut self,
        now: Now,
        side: Side,
        packet: &Packet<'_>,
        out: &mut dyn Outbox,
    ) -> Result<Verdict, DropReason> {
        let (here, there) = self.split(side);
        here.received.rtcp_packets += 1;
        here.received.rtcp_bytes += packet.len() as u64;
        here.take_reports(now, there, packet)?;
        // What is lost at all is worth a percent.
        let lost = (u16::from(here.reports.peer_fraction_lost) * 100).div_ceil(256);
        there.bridge.expect_loss(u8::try_from(lost).unwrap_or(100));
        if here.video.is_some() {
            return self.rtcp_beside_video(now, side, packet, out);
        }
        Ok(Verdict::Consumed)
    }

    /// Does everything that is due.
    pub fn handle_timeout(&mut self, now: Now, out: &mut impl Outbox) {
        self.news = true;
        for side in [Side::A, Side::B] {
            let [a, b] = &mut self.sides;
            let (here, there) = if side == Side::A { (a, b) } else { (b, a) };
            here.leg.handle_timeout(now.instant, &mut Io { out: &mut *out, events: &mut self.events });
            let is_reachable = there.hears_at().is_ok();
            let sink = &mut LegSink { side: there.side, leg: &mut there.leg, out: &mut *out };
            here.bridge.go_on_playing(now.instant, is_reachable, sink);
            if let Some(digit) = here.bridge.handle_timeout(now.instant, is_reachable, sink) {
                self.events.push(digit_event(side, digit));
            }
            let has_video = here.video.is_some();
            if here.reports.due() <= now.instant {
                here.reports.schedule(now.instant, RTCP_INTERVAL, &mut self.random);
                self.send_rtcp(now, side, false, &mut *out);
            }
            if has_video {
                self.handle_video_timeout(now, side, &mut *out);
            }
        }
        self.tell_what_was_played();
        if self.media_deadline().is_some_and(|deadline| deadline <= now.instant) {
            self.media_timed_out = true;
            self.events.push(EventKind::MediaTimeout);
        }
    }

    /// When [`Session::handle_timeout`] has something to do.
    pub fn next_timeout(&self) -> Instant {
        let [a, b] = &self.sides;
        let of_half = |half: &Half| {
            let video = half.video.as_ref().map(|video| video.next_timeout());
            let timeouts = [half.leg.next_timeout(), half.bridge.next_timeout(), video];
            timeouts.into_iter().flatten().fold(half.reports.due(), Instant::min)
        };
        let first = of_half(a).min(of_half(b));
        self.media_deadline().map_or(first, |deadline| deadline.min(first))
    }

    /// Plays a digit to the peer on `side`, behind those that wait already.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if the digit, its length or its sound is none, or the peer takes no telephone events;
    /// [`Refusal::Busy`] if too many wait.
    pub fn play_digit(
        &mut self,
        now: Now,
        side: Side,
        digit: Digit,
        sound: DigitSound,
    ) -> Result<(), Refusal> {
        if digit.event > 15 || !DIGIT_MS.contains(&digit.duration_ms) {
            return Err(Refusal::Invalid("no such digit, or not 40 to 6000 ms long".into()));
        }
        if sound.volume > MAX_VOLUME || sound.pause_ms > MAX_DIGIT_PAUSE_MS {
            return Err(Refusal::Invalid("a digit's volume is at most 63, its pause 5000 ms".into()));
        }
        self.news = true;
        let bridge = &mut self.split(side).1.bridge;
        if !bridge.can_play_digits() {
            return Err(Refusal::Invalid("the peer takes no digits in its media".into()));
        }
        if bridge.play_digit(now.instant, digit, sound) { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// Says goodbye to both peers (RFC 3550 section 6.3.7), as far as they ever heard of us.
    pub fn end(&mut self, now: Now, out: &mut impl Outbox) {
        for side in [Side::A, Side::B] {
            let (here, there) = self.split(side);
            if there.bridge.output.packets > 0 || here.reports.sent > 0 {
                self.send_rtcp(now, side, true, out);
            }
            self.send_video_rtcp(now, side, true, out);
        }
    }

    /// Whether there is something to ask for since it was last asked: events, a timeout that may be nearer than
    /// before, another exclusive peer. Speech that is forwarded, which is most of what comes, brings none of it.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news) || !self.events.is_empty()
    }

    /// The only address that the RTP port of that side exchanges packets with, until it is configured anew: all
    /// others are dropped. `None` while it is not known, and where it may change at any time.
    pub fn exclusive_peer(&self, side: Side) -> Option<SocketAddr> {
        let [a, b] = &self.sides;
        let half = if side == Side::A { a } else { b };
        half.leg.exclusive_peer()
    }

    /// What happened, the oldest first.
    pub fn poll_event(&mut self) -> Option<EventKind> {
        self.events.pop()
    }

    /// The figures of now.
    pub fn stats(&self, now: Now) -> SessionStats {
        let [a, b] = &self.sides;
        let age_ms = now.instant.saturating_duration_since(self.created).as_millis() as u64;
        SessionStats { age_ms, legs: [figures::of_leg(now, a, b), figures::of_leg(now, b, a)] }
    }

    /// The tag that [`Session::receive`] will need for a datagram on that side's RTP port, if it is worth computing in
    /// a batch. Nothing depends on whether it is.
    pub fn due_tag(&self, now: Now, side: Side, source: SocketAddr, packet: &[u8]) -> Option<DueTag> {
        let [a, b] = &self.sides;
        let half = if side == Side::A { a } else { b };
        half.leg.due_tag(now.instant, source, packet)
    }

    /// Whether ICE of that side has validated the address: packets from there belong to this session then.
    pub fn is_validated(&self, side: Side, source: SocketAddr) -> bool {
        let [a, b] = &self.sides;
        let half = if side == Side::A { a } else { b };
        half.leg.is_validated(source)
    }

    /// That side and the other.
    fn split(&mut self, side: Side) -> (&mut Half, &mut Half) {
        let [a, b] = &mut self.sides;
        if side == Side::A { (a, b) } else { (b, a) }
    }

    /// When the silence of both sides is too long; no time runs while both are on hold.
    fn media_deadline(&self) -> Option<Instant> {
        let is_expected = self.sides.iter().any(|half| half.leg.config().audio.may_receive);
        let timeout = self.media_timeout.filter(|_| is_expected && !self.media_timed_out)?;
        Some(self.media_at + timeout)
    }

    fn send_rtcp(&mut self, now: Now, side: Side, goodbye: bool, out: &mut dyn Outbox) {
        let (here, there) = self.split(side);
        let component = here.leg.rtcp_component();
        let has_keys = here.leg.has_keys(component);
        let Some(destination) = here.leg.destination(component).filter(|_| has_keys) else { return };
        let mut buffer = [0; MAX_RTCP + TAILROOM];
        let room = buffer.get_mut(..MAX_RTCP).unwrap_or_default();
        let timestamp = video::sound_timestamp(now, there);
        let reported = here.reception.report();
        let written = here.reports.write(now, &mut there.bridge.output, timestamp, reported, goodbye, room);
        let Some(len) = written else { return };
        match here.leg.protect_rtcp(&mut buffer, len) {
            Ok(len) => out.send(side, component, destination, buffer.get(..len).unwrap_or_default()),
            Err(reason) => out.dropped(reason),
        }
    }
}

fn digit_event(side: Side, digit: Digit) -> EventKind {
    EventKind::Digit { side, event: digit.event, duration_ms: digit.duration_ms }
}

#[cfg(test)]
mod tests;
