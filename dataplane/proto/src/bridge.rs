//! One direction of a session: how what one leg receives reaches the other.
//!
//! Forwarding keeps the shape of the stream: a lost packet stays a gap, a late one keeps its place. Sequence
//! numbers and time stamps are shifted by offsets that hold for an *epoch*; anything that breaks the input's
//! continuity (another source, a pause, a digit played from here) begins a new epoch behind all that was sent,
//! so no sequence number is ever sent twice. Transcoding makes a stream of its own from what comes in order.

mod playing;

use std::time::{Duration, Instant};

use tandem_codec::CodecError;
use tandem_control::{Audio, Codec, PlayOutcome};

use crate::codecs;
use crate::drops::DropReason;
use crate::dtmf::{self, Digit};
use crate::encoding::{Encoding, Sink, Target};
use crate::limits::{DIGIT_MS, PTIME_MS, SILENCE_ROOM, TAILROOM};
use crate::output::Output;
use crate::packet::Packet;
use crate::reception::Place;
use crate::reorder::{Reorder, Turn};
use crate::routes::{Entry, Route, Routes, is_speech};
use crate::rtp::{self, HEADER_LEN, Header, Parsed};
use crate::silence;
use crate::transcode::Transcoder;

pub(crate) use playing::target as play_target;
use playing::{PlayOutput, Playing};

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bridged {
    /// It is rewritten and goes on; at most it has put a deadline off.
    Forward,
    /// So is the telephone event, whose end is awaited now.
    ForwardEvent,
    /// Its contents were taken.
    Consumed,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Bridge {
    ptime_ms: u8,
    routes: Routes,
    pub(crate) output: Output,
    epoch: Option<Epoch>,
    transcoder: Option<Box<Transcoder>>,
    encoding: Option<Box<Encoding>>,
    /// The order of what is transcoded.
    window: Option<Box<Reorder>>,
    /// Whether what came last was transcoded.
    pub(crate) transcodes: bool,
    collector: dtmf::Collector,
    /// The clock of the speech that is received, in Hz.
    audio_clock: u32,
    player: dtmf::Player,
    anchor: Option<Anchor>,
    /// The time stamp of the digit that is played.
    played: u32,
    playing: Option<Box<Playing>>,
    play_ended: Option<(u32, PlayOutcome)>,
}

/// The offsets from input to output.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    /// The first input index of the epoch, and its output index.
    first_in: u64,
    first_out: u64,
    /// Added to the input's time stamps.
    shift: u32,
}

/// The output's time stamp of the telephone event that is being forwarded: all packets of an event carry the same
/// (RFC 4733 section 2.5.1.2).
#[derive(Clone, Copy, Debug)]
struct Anchor {
    ssrc: u32,
    input: u32,
    output: u32,
}

/// What a configuration needs, made before anything is changed.
pub(crate) struct Prepared {
    ptime_ms: u8,
    routes: Routes,
    /// `None` keeps the transcoder and the epoch as they are.
    anew: Option<Anew>,
    /// As [`Bridge::prepare_playing`] gives it; `None` where the receiver wants what it wanted before.
    playing: Option<Option<PlayOutput>>,
}

/// What begins anew when the codings change.
struct Anew {
    transcoding: Option<(Transcoder, Encoding)>,
    /// The clock of the speech that is sent.
    clock: Option<u32>,
}

impl Bridge {
    pub(crate) fn new(random: &mut fastrand::Rng) -> Bridge {
        Bridge {
            ptime_ms: 20,
            routes: Routes::default(),
            output: Output::new(random),
            epoch: None,
            transcoder: None,
            encoding: None,
            window: None,
            transcodes: false,
            collector: dtmf::Collector::default(),
            audio_clock: 0,
            player: dtmf::Player::default(),
            anchor: None,
            played: 0,
            playing: None,
            play_ended: None,
        }
    }

    /// Prepares for what one leg receives and the other is sent, which were otherwise before; `None` if they were
    /// not.
    ///
    /// # Errors
    /// What the codecs say.
    pub(crate) fn prepare(
        &self,
        [from_before, to_before]: [&Audio; 2],
        [from, to]: [&Audio; 2],
    ) -> Result<Option<Prepared>, CodecError> {
        let treatment = |audio: &Audio| (audio.speech, audio.events_blocked, audio.always_transcode);
        let same_codings = from_before.receive == from.receive
            && to_before.send == to.send
            && to_before.ptime_ms == to.ptime_ms
            && to_before.opus == to.opus;
        if same_codings && treatment(from_before) == treatment(from) {
            return Ok(None);
        }
        let routes = Routes::new(from, to);
        let anew = if same_codings && routes.transcodes_as(&self.routes) {
            None
        } else {
            let clock = to.send.iter().find(|to| is_speech(to.codec)).map(|to| to.clock);
            Some(Anew { transcoding: transcoding(&routes, to)?, clock })
        };
        let playing = if anew.is_some() { self.prepare_playing(to)? } else { None };
        Ok(Some(Prepared { ptime_ms: to.ptime_ms, routes, anew, playing }))
    }

    /// Goes on as prepared.
    pub(crate) fn configure(&mut self, prepared: Prepared) {
        let Prepared { ptime_ms, routes, anew, playing } = prepared;
        if let Some(output) = playing {
            self.configure_playing(output);
        }
        if routes.event.is_none() {
            self.player.stop();
        }
        if let Some(transcoder) = &mut self.transcoder {
            transcoder.silenced = routes.silenced;
        }
        self.routes = routes;
        self.ptime_ms = ptime_ms;
        let Some(Anew { transcoding, clock }) = anew else { return };
        self.window = transcoding.as_ref().map(|_| Box::default());
        self.transcodes &= transcoding.is_some();
        (self.transcoder, self.encoding) =
            transcoding.map(|(transcoder, encoding)| (Box::new(transcoder), Box::new(encoding))).unzip();
        if let Some(clock) = clock.filter(|_| self.output.packets == 0) {
            self.output.set_clock(clock);
        }
        self.interrupt();
    }

    /// The coding of a payload type that may be received, and its clock.
    pub(crate) fn coding(&self, payload_type: u8) -> Option<(Codec, u32)> {
        self.routes.find(payload_type).map(|entry| (entry.codec, entry.clock))
    }

    /// The clock of a payload type that may be received.
    pub(crate) fn clock(&self, payload_type: u8) -> Option<u32> {
        self.routes.find(payload_type).map(|entry| entry.clock)
    }

    /// Lost packets that were concealed.
    pub(crate) fn concealed(&self) -> u64 {
        self.transcoder.as_ref().map_or(0, |transcoder| transcoder.concealed())
    }

    /// The input is not continuous here: the next packet begins a new epoch.
    pub(crate) fn interrupt(&mut self) {
        self.epoch = None;
        if let (Some(transcoder), Some(window)) = (&mut self.transcoder, &mut self.window) {
            transcoder.restart();
            window.restart();
        }
    }

    /// The digit that a packet completes, if it is one of a telephone event.
    pub(crate) fn collect(&mut self, now: Instant, header: &Header, payload: &[u8]) -> Option<Digit> {
        let is_event = |entry: &Entry| entry.codec == Codec::TelephoneEvent;
        let entry = self.routes.find(header.payload_type).filter(is_event)?;
        let event = dtmf::Event::parse(payload).ok()?;
        let clock = self.collector.clock(header.ssrc, header.timestamp);
        let clock = clock.unwrap_or_else(|| dtmf::clock_of(event, entry.clock, self.audio_clock));
        self.collector.receive(now, header.ssrc, header.timestamp, event, clock)
    }

    /// The event of a packet, its duration in `clock`.
    fn event_in(
        &self,
        entry: &Entry,
        input: &Header,
        payload: &[u8],
        clock: u32,
    ) -> Result<dtmf::Event, DropReason> {
        let counted_in = self.collector.clock(input.ssrc, input.timestamp).unwrap_or(entry.clock);
        Ok(scaled(dtmf::Event::parse(payload)?, counted_in, clock))
    }

    /// Bridges one packet of the input.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        place: Place,
        parsed: &Parsed,
        packet: &mut Packet<'_>,
        sink: &mut dyn Sink,
    ) -> Result<Bridged, DropReason> {
        let entry = self.routes.find(parsed.header.payload_type);
        if let Some(speech) = entry.filter(|entry| is_speech(entry.codec)) {
            self.audio_clock = speech.clock;
        }
        if place.fresh {
            self.interrupt();
        }
        if self.player.is_playing() {
            self.interrupt();
            return Err(DropReason::ReplacedByDigit);
        }
        if self.is_playing() {
            return Err(DropReason::ReplacedByPlay);
        }
        let transcodes = match entry {
            Some(Entry { route: Route::Forward(_) | Route::Silence(_), codec, .. }) if is_speech(codec) => {
                false
            }
            Some(Entry { route: Route::Transcode, .. }) => true,
            _ => self.transcodes,
        };
        if transcodes != self.transcodes {
            if !place.newest {
                return Err(DropReason::TooLate);
            }
            self.transcodes = transcodes;
            self.interrupt();
        }
        if transcodes {
            return self.take(now, place, parsed, packet.bytes(), sink);
        }
        let Some(entry) = entry else {
            self.skip(place);
            return Err(DropReason::UnknownPayloadType);
        };
        match entry.route {
            Route::Forward(number) => self.forward(now, place, parsed, number, packet),
            Route::Silence(number) => self.forward_silence(now, place, parsed, (&entry, number), packet),
            Route::Event => match self.routes.event {
                Some((number, clock)) => {
                    self.forward_event(now, place, parsed, (&entry, number, clock), packet)
                }
                None => {
                    self.skip(place);
                    Ok(Bridged::Consumed)
                }
            },
            Route::Transcode | Route::NotTaken => {
                self.skip(place);
                Err(DropReason::NotTaken)
            }
            Route::Blocked => {
                self.skip(place);
                Err(DropReason::Blocked)
            }
        }
    }

    /// The output index of a packet, in the epoch of now or in a new one that begins with it.
    fn index(
        &mut self,
        now: Instant,
        place: Place,
        header: &Header,
    ) -> Result<(u64, Epoch, bool), DropReason> {
        let begins = self.epoch.is_none();
        let epoch = *self.epoch.get_or_insert_with(|| Epoch {
            first_in: place.index,
            first_out: self.output.next(),
            shift: self.output.expected_timestamp(now).wrapping_sub(header.timestamp),
        });
        let ahead = place.index.checked_sub(epoch.first_in).ok_or(DropReason::TooLate)?;
        Ok((epoch.first_out + ahead, epoch, begins))
    }

    fn forward(
        &mut self,
        now: Instant,
        place: Place,
        parsed: &Parsed,
        number: u8,
        packet: &mut Packet<'_>,
    ) -> Result<Bridged, DropReason> {
        let input = &parsed.header;
        let (index, epoch, begins) = self.index(now, place, input)?;
        let mut timestamp = input.timestamp.wrapping_add(epoch.shift);
        let mut marker = input.marker || begins;
        if place.newest && !self.output.is_plausible(now, timestamp) {
            timestamp = self.output.expected_timestamp(now);
            self.epoch = Some(Epoch { shift: timestamp.wrapping_sub(input.timestamp), ..epoch });
            marker = true;
        }
        if let Some(entry) = self.routes.find(input.payload_type).filter(|entry| is_speech(entry.codec)) {
            self.output.set_clock(entry.clock);
        }
        let header = self.output.header(index, timestamp, number, marker);
        rtp::rewrite(packet, parsed, &header);
        self.output.sent(now, &header, index, packet.len());
        Ok(Bridged::Forward)
    }

    /// Forwards a packet with silence in it.
    fn forward_silence(
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
        self.forward(now, place, &silent, number, packet)
    }

    fn forward_event(
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
                let shifted = input.timestamp.wrapping_add(epoch.shift);
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
    fn skip(&mut self, place: Place) {
        let Some(epoch) = &mut self.epoch else { return };
        let Some(ahead) = place.index.checked_sub(epoch.first_in).filter(|_| place.newest) else { return };
        epoch.first_out += ahead;
        epoch.first_in = place.index + 1;
    }

    fn anchored(&self, input: &Header) -> Option<u32> {
        let anchor =
            self.anchor.filter(|anchor| anchor.ssrc == input.ssrc && anchor.input == input.timestamp)?;
        Some(anchor.output)
    }

    fn anchor_at(&mut self, input: &Header, output: u32) -> u32 {
        self.anchor = Some(Anchor { ssrc: input.ssrc, input: input.timestamp, output });
        output
    }

    /// Transcodes what has its turn now.
    fn take(
        &mut self,
        now: Instant,
        place: Place,
        parsed: &Parsed,
        packet: &[u8],
        sink: &mut dyn Sink,
    ) -> Result<Bridged, DropReason> {
        let result = match self.window.as_mut().map(|window| window.arrive(now, place.index, packet)) {
            Some(Turn::Now) => self.in_turn(now, parsed, packet, 0, sink),
            Some(Turn::Held) => Ok(()),
            Some(Turn::Late) => Err(DropReason::TooLate),
            None => Err(DropReason::NotTaken),
        };
        self.release(now, sink);
        result.map(|()| Bridged::Consumed)
    }

    /// Transcodes what has waited for long enough.
    fn release(&mut self, now: Instant, sink: &mut dyn Sink) {
        let Some(mut window) = self.window.take() else { return };
        while let Some(released) = window.release(now) {
            let result = rtp::parse(released.packet)
                .and_then(|parsed| self.in_turn(now, &parsed, released.packet, released.lost, sink));
            if let Err(reason) = result {
                sink.dropped(reason);
            }
        }
        self.window = Some(window);
    }

    fn in_turn(
        &mut self,
        now: Instant,
        parsed: &Parsed,
        packet: &[u8],
        lost: u32,
        sink: &mut dyn Sink,
    ) -> Result<(), DropReason> {
        let input = &parsed.header;
        let entry = self.routes.find(input.payload_type).ok_or(DropReason::UnknownPayloadType)?;
        let anchored = self.anchored(input);
        let event = match (entry.route, self.routes.event) {
            (Route::Event, Some((_, clock))) => {
                Some(self.event_in(&entry, input, parsed.payload(packet), clock)?)
            }
            _ => None,
        };
        let (Some(transcoder), Some(encoding)) = (&mut self.transcoder, &mut self.encoding) else {
            return Err(DropReason::NotTaken);
        };
        let mut to = Target { now, output: &mut self.output, sink };
        match (entry.route, self.routes.event.zip(event)) {
            (Route::Transcode, _) => {
                transcoder.speech(&entry, input, parsed.payload(packet), lost, encoding, &mut to)
            }
            (Route::Event, Some(((number, _), event))) => {
                let timestamp = match anchored {
                    Some(timestamp) => timestamp,
                    None => {
                        let timestamp =
                            transcoder.event_timestamp(&entry, input.timestamp, encoding, &mut to);
                        self.anchor_at(input, timestamp)
                    }
                };
                self.send_event(now, timestamp, number, input.marker, event, sink);
                Ok(())
            }
            (Route::Event, None) => Ok(()),
            // RFC 3389: comfort noise tells of silence, and silence is what the encoder's side leaves out.
            (Route::Forward(_) | Route::Silence(_) | Route::NotTaken, _) => Err(DropReason::NotTaken),
            (Route::Blocked, _) => Err(DropReason::Blocked),
        }
    }

    fn send_event(
        &mut self,
        now: Instant,
        timestamp: u32,
        number: u8,
        marker: bool,
        event: dtmf::Event,
        sink: &mut dyn Sink,
    ) {
        const LEN: usize = HEADER_LEN + dtmf::PAYLOAD_LEN;
        let index = self.output.next();
        let header = self.output.header(index, timestamp, number, marker);
        let mut buffer = [0; LEN + TAILROOM];
        header.write(&mut buffer);
        if let Some(payload) = buffer.get_mut(HEADER_LEN..LEN) {
            payload.copy_from_slice(&event.to_bytes());
        }
        self.output.sent(now, &header, index, LEN);
        sink.packet(&mut buffer, LEN);
    }

    /// Plays a digit in the place of the audio, behind those that wait already. Returns whether there was room.
    pub(crate) fn play(&mut self, now: Instant, digit: Digit) -> bool {
        self.player.push(now, digit)
    }

    /// Whether the receiver takes telephone events.
    pub(crate) fn has_events(&self) -> bool {
        self.routes.event.is_some()
    }

    /// Sends what is due; returns a digit whose end was lost.
    pub(crate) fn handle_timeout(&mut self, now: Instant, sink: &mut dyn Sink) -> Option<Digit> {
        if let Some((number, clock)) = self.routes.event {
            let ptime = Duration::from_millis(self.ptime_ms.clamp(*PTIME_MS.start(), *PTIME_MS.end()).into());
            if let Some(tone) = self.player.next(now, ptime, clock) {
                if tone.first {
                    self.interrupt();
                    // Never the time stamp of the digit before, also when nothing else was sent since.
                    let unit = self.output.clock() / 1000 * u32::from(*DIGIT_MS.start());
                    let reached = self.output.expected_timestamp(now);
                    let taken = self.output.packets > 0 && reached == self.output.timestamp();
                    self.played = reached.wrapping_add(if taken { unit } else { 0 });
                }
                self.send_event(now, self.played, number, tone.first, tone.event, sink);
            }
        }
        self.release(now, sink);
        self.collector.handle_timeout(now)
    }

    /// When [`Bridge::handle_timeout`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let held = self.window.as_deref().and_then(Reorder::next_timeout);
        let timeouts = [self.player.next_timeout(), held, self.collector.next_timeout(), self.playing_due()];
        timeouts.into_iter().flatten().min()
    }
}

/// What these routes need to be decoded and encoded for a peer that wants `to`; `None` if they transcode nothing.
fn transcoding(routes: &Routes, to: &Audio) -> Result<Option<(Transcoder, Encoding)>, CodecError> {
    let Some(target) = routes.target.as_ref().filter(|_| routes.decoded().next().is_some()) else {
        return Ok(None);
    };
    let natives = routes.decoded().map(|entry| codecs::native_rate(entry.codec, entry.clock));
    let rate = codecs::encoded_rate(target, natives);
    Ok(Some((Transcoder::new(routes, rate)?, Encoding::new(target, rate, to)?)))
}

/// The event with its duration in another clock.
fn scaled(event: dtmf::Event, from: u32, to: u32) -> dtmf::Event {
    let duration = u64::from(event.duration) * u64::from(to) / u64::from(from.max(1));
    dtmf::Event { duration: u16::try_from(duration).unwrap_or(u16::MAX), ..event }
}
