//! One direction of a session: how what one leg receives reaches the other.
//!
//! Forwarding keeps the shape of the stream: a lost packet stays a gap, a late one keeps its place. Sequence
//! numbers and time stamps are shifted by offsets that hold for an *epoch*; anything that breaks the input's
//! continuity (another source, a pause, a digit played from here) begins a new epoch behind all that was sent,
//! so no sequence number is ever sent twice. Transcoding makes a stream of its own from what comes in order.

mod forward;
mod making;
mod playing;
mod transcode;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tandem_codec::CodecError;
use tandem_control::{Audio, Codec, Digits, PlayOutcome};

use crate::codecs;
use crate::decoding::Repairs;
use crate::drops::DropReason;
use crate::dtmf::{self, Digit};
use crate::encoding::{Encoding, Sink};
use crate::epoch::Epoch;
use crate::limits::{MAX_FOUND_DIGITS, TONE_RATE};
use crate::made::Made;
use crate::output::Output;
use crate::packet::Packet;
use crate::reception::Place;
use crate::reorder::Reorder;
use crate::routes::{Entry, Route, Routes, is_speech};
use crate::rtp::{Header, Parsed};
use crate::stopwatch::Stopwatch;
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
    /// Whether the sender presses keys by telephone events: tones in its audio are traces of these then.
    presses_by_events: bool,
    /// The clock of the speech that is received, in Hz, and its codec.
    audio_clock: u32,
    heard: Option<Codec>,
    player: dtmf::Player,
    anchor: Option<forward::Anchor>,
    /// The time stamp of the digit that is played.
    played: u32,
    made: Made,
    /// How far the last noise went ahead of the time.
    ahead: Duration,
    playing: Option<Box<Playing>>,
    play_ended: Option<(u32, PlayOutcome)>,
    /// Whole digits that were found in the audio, and nobody was told.
    found: VecDeque<Digit>,
    repairs_before: Repairs,
    pub(crate) stopwatch: Stopwatch,
    /// Packets that came too late to be decoded.
    pub(crate) late: u64,
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
    transcoder: Option<Transcoder>,
    encoding: Option<Encoding>,
    /// The clock of the speech that is sent.
    clock: Option<u32>,
}

impl Anew {
    /// What these routes need to decode, and to encode for a peer that wants `to`.
    fn new(routes: &Routes, to: &Audio) -> Result<Anew, CodecError> {
        let clock = to.send.iter().find(|to| is_speech(to.codec)).map(|to| to.clock);
        let Some(target) = routes.target.as_ref().filter(|_| routes.needs_encoding()) else {
            return Ok(Anew { transcoder: None, encoding: None, clock });
        };
        let decodes = routes.decoded().next().is_some();
        let natives = routes.decoded().map(|entry| codecs::native_rate(entry.codec, entry.clock));
        let rate = match decodes {
            true => codecs::encoded_rate(target, natives),
            false => codecs::encoded_rate(target, [Some(TONE_RATE)].into_iter()),
        };
        let transcoder = decodes.then(|| Transcoder::new(routes, rate)).transpose()?;
        let encoding = Some(Encoding::new(target, rate, to)?);
        Ok(Anew { transcoder, encoding, clock })
    }
}

impl Bridge {
    /// Towards a peer that is sent `output`.
    pub(crate) fn new(output: Output) -> Bridge {
        Bridge {
            ptime_ms: 20,
            routes: Routes::default(),
            output,
            epoch: None,
            transcoder: None,
            encoding: None,
            window: None,
            transcodes: false,
            collector: dtmf::Collector::default(),
            presses_by_events: false,
            audio_clock: 0,
            heard: None,
            stopwatch: Stopwatch::default(),
            player: dtmf::Player::default(),
            anchor: None,
            played: 0,
            made: Made::default(),
            ahead: Duration::ZERO,
            playing: None,
            play_ended: None,
            found: VecDeque::with_capacity(MAX_FOUND_DIGITS),
            repairs_before: Repairs::default(),
            late: 0,
        }
    }

    /// A bridge from the same sender to another peer, which is sent `output`.
    pub(crate) fn toward(&self, output: Output) -> Bridge {
        Bridge {
            presses_by_events: self.presses_by_events,
            audio_clock: self.audio_clock,
            heard: self.heard,
            repairs_before: self.repairs(),
            stopwatch: self.stopwatch.clone(),
            late: self.late,
            ..Bridge::new(output)
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
        let treatment =
            |audio: &Audio| (audio.speech, audio.events_blocked, audio.always_transcode, audio.detect_tones);
        let same_codings = from_before.receive == from.receive
            && to_before.send == to.send
            && to_before.ptime_ms == to.ptime_ms
            && to_before.opus == to.opus;
        if same_codings && to_before.digits == to.digits && treatment(from_before) == treatment(from) {
            return Ok(None);
        }
        let routes = Routes::new(from, to);
        let anew = if same_codings && routes.transcodes_as(&self.routes) {
            None
        } else {
            Some(Anew::new(&routes, to)?)
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
        if routes.digits != self.routes.digits || routes.event.is_none() && routes.digits != Digits::Tones {
            self.player.stop();
        }
        if let Some(transcoder) = &mut self.transcoder {
            transcoder.treat_as(&routes);
        }
        self.routes = routes;
        self.ptime_ms = ptime_ms;
        let Some(Anew { transcoder, encoding, clock }) = anew else { return };
        self.interrupt();
        self.window = transcoder.as_ref().map(|_| Box::default());
        self.transcodes &= transcoder.is_some();
        self.repairs_before = self.repairs();
        self.transcoder = transcoder.map(Box::new);
        self.encoding = encoding.map(Box::new);
        self.made.end_noise();
        if let Some(clock) = clock.filter(|_| self.output.packets == 0) {
            self.output.set_clock(clock);
        }
    }

    /// What is known of a payload type that may be received. Asked once for each packet.
    pub(crate) fn entry(&self, payload_type: u8) -> Option<Entry> {
        self.routes.find(payload_type)
    }

    /// What decoding had to do, in all.
    pub(crate) fn repairs(&self) -> Repairs {
        let now =
            self.transcoder.as_ref().map_or_else(Repairs::default, |transcoder| transcoder.decoding.repairs);
        self.repairs_before + now
    }

    /// The codec of the speech that is received, and of that which is sent for it.
    pub(crate) fn codecs(&self) -> [Option<Codec>; 2] {
        let target = self.routes.target.as_ref().map(|target| target.codec);
        [self.heard, if self.transcodes { target } else { self.heard }]
    }

    /// The receiver reports that it loses so many packets, in percent.
    pub(crate) fn expect_loss(&mut self, percent: u8) {
        if let Some(encoding) = &mut self.encoding {
            encoding.expect_loss(percent);
        }
    }

    /// The input is not continuous here: the next packet begins a new epoch.
    pub(crate) fn interrupt(&mut self) {
        self.epoch = None;
        if let (Some(transcoder), Some(window)) = (&mut self.transcoder, &mut self.window) {
            let found = (!self.presses_by_events).then_some(&mut self.found);
            transcoder.restart(transcode::releasing(&mut self.player, found));
            window.restart();
        }
    }

    /// The digit that a packet completes, if it is one of a telephone event. `entry` is its [`Bridge::entry`].
    pub(crate) fn collect(
        &mut self,
        now: Instant,
        entry: Option<&Entry>,
        header: &Header,
        payload: &[u8],
    ) -> Option<Digit> {
        let entry = entry.filter(|entry| entry.codec == Codec::TelephoneEvent)?;
        let event = dtmf::Event::parse(payload).ok()?;
        self.presses_by_events |= event.event <= 15;
        let known = self.collector.clock(header.ssrc, header.timestamp);
        let clock = known.unwrap_or_else(|| dtmf::clock_of(event, entry.clock, self.audio_clock));
        let digit = self.collector.receive(now, header.ssrc, header.timestamp, event, clock);
        if self.routes.digits == Digits::Tones && entry.route == Route::Event {
            let taken = self.collector.clock(header.ssrc, header.timestamp);
            self.sound_event(now, known.is_none() && taken.is_some());
        }
        if let Some(digit) = digit {
            self.press_beside_play(now, digit);
        }
        digit
    }

    /// Takes note of the codec of a packet.
    pub(crate) fn note_speech(&mut self, entry: Option<&Entry>) {
        if let Some(entry) = entry.filter(|entry| is_speech(entry.codec)) {
            self.audio_clock = entry.clock;
            self.heard = Some(entry.codec);
        }
    }

    /// Bridges one packet of the input, whose payload type has that [`Bridge::entry`].
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        place: Place,
        entry: Option<Entry>,
        parsed: &Parsed,
        packet: &mut Packet<'_>,
        sink: &mut dyn Sink,
    ) -> Result<Bridged, DropReason> {
        self.note_speech(entry.as_ref());
        if place.fresh {
            self.interrupt();
            self.presses_by_events = entry.is_some_and(|entry| entry.codec == Codec::TelephoneEvent);
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
        if let Some(reason) = self.replaced() {
            self.epoch = None;
            return Err(reason);
        }
        let Some(entry) = entry else {
            self.skip(place);
            return Err(DropReason::UnknownPayloadType);
        };
        if is_speech(entry.codec) {
            self.end_noise(now);
        }
        match entry.route {
            Route::Forward(number) => self.forward(now, place, parsed, (&entry, number), packet),
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
            Route::NotTaken if entry.codec == Codec::ComfortNoise => {
                self.skip(place);
                let ahead = std::mem::take(&mut self.ahead);
                self.begin_noise(now, parsed.payload(packet.bytes()), ahead).map(|()| Bridged::Consumed)
            }
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

    /// Sends what is due; returns a digit whose end was lost. The receiver may be sent something now or not.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        may_send: bool,
        sink: &mut dyn Sink,
    ) -> Option<Digit> {
        self.make(now, may_send, sink);
        self.release(now, sink);
        let digit = self.collector.handle_timeout(now)?;
        if self.routes.digits == Digits::Tones {
            self.player.release(digit.duration_ms);
        }
        self.press_beside_play(now, digit);
        Some(digit)
    }

    /// A whole digit that was found in the audio.
    pub(crate) fn take_found(&mut self) -> Option<Digit> {
        self.found.pop_front()
    }

    /// When [`Bridge::handle_timeout`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let held = self.window.as_deref().and_then(Reorder::next_timeout);
        let event = self.player.next_timeout().filter(|_| self.routes.event.is_some());
        let made = self.made.next_timeout().filter(|_| self.encoding.is_some());
        let timeouts = [event, held, self.collector.next_timeout(), made, self.playing_due()];
        timeouts.into_iter().flatten().min()
    }
}
