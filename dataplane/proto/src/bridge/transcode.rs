//! Transcoding: what one leg sends, in its order, made into a stream of its own for the other.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tandem_codec::comfort_noise::{ComfortNoise, NoiseAnalyser, PAYLOAD_LEN};
use tandem_control::{Codec, Digits};

use super::{Bridge, Bridged};
use crate::drops::DropReason;
use crate::dtmf::{Digit, Player};
use crate::encoding::{Encoding, Sink, Target};
use crate::limits::{MAX_FOUND_DIGITS, NOISE_BEFORE_SPEECH};
use crate::reception::Place;
use crate::reorder::Turn;
use crate::routes::{Entry, Route};
use crate::rtp::{self, Header, Parsed};
use crate::tone_detection::Key;

impl Bridge {
    /// Transcodes what has its turn now.
    pub(super) fn take(
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
            Some(Turn::Late) => {
                self.late += 1;
                Err(DropReason::TooLate)
            }
            None => Err(DropReason::NotTaken),
        };
        self.release(now, sink);
        result.map(|()| Bridged::Consumed)
    }

    /// Transcodes what has waited for long enough.
    pub(super) fn release(&mut self, now: Instant, sink: &mut dyn Sink) {
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
        let input = (&parsed.header, parsed.payload(packet));
        let entry = self.routes.find(parsed.header.payload_type).ok_or(DropReason::UnknownPayloadType)?;
        match entry.route {
            Route::Transcode => self.speech(now, &entry, input, lost, sink),
            Route::Event => self.event(now, &entry, input, sink),
            Route::Blocked => Err(DropReason::Blocked),
            _ if entry.codec == Codec::ComfortNoise => self.noise(now, &entry, input, sink),
            Route::Forward(_) | Route::Silence(_) | Route::NotTaken => Err(DropReason::NotTaken),
        }
    }

    fn speech(
        &mut self,
        now: Instant,
        entry: &Entry,
        input: (&Header, &[u8]),
        lost: u32,
        sink: &mut dyn Sink,
    ) -> Result<(), DropReason> {
        let replaced = self.replaced();
        // The time of an event is that of the speech in whose place it stands; what is made here keeps its own.
        let counts = replaced.is_none() || self.routes.digits == Digits::Events && self.player.is_playing();
        let presses = self.presses_keys();
        let (Some(transcoder), Some(encoding)) = (&mut self.transcoder, &mut self.encoding) else {
            return Err(DropReason::NotTaken);
        };
        if let Some(reason) = replaced.filter(|_| !counts && !transcoder.detects_tones()) {
            return Err(reason);
        }
        let pauses = !self.routes.silenced && transcoder.decoding.announces_silence(entry.number, input.1);
        // Noise goes on by the clock here when a pause is announced once more.
        let goes_on = pauses && self.made.is_noisy();
        let counts = counts && !goes_on;
        let ahead = transcoder.overlap(entry, input.0);
        let mut player = presses.then_some(&mut self.player);
        let tell = |key| {
            if !self.presses_by_events {
                follow(key, now, player.as_deref_mut(), &mut self.found);
            }
        };
        self.stopwatch.start(sink);
        let heard = transcoder.hear(entry, input, lost, counts, tell);
        self.stopwatch.stop(sink);
        let heard = heard?;
        if let Some(reason) = replaced.filter(|_| !counts) {
            return Err(reason);
        }
        if goes_on {
            return Ok(());
        }
        if heard.fresh {
            encoding.begin(now, &self.output);
        }
        let to = &mut Target::timed(now, &mut self.output, sink, &mut self.stopwatch);
        if let Some(reason) = replaced {
            encoding.skip(heard.concealed.len() + heard.silence + heard.speech.len(), to);
            return Err(reason);
        }
        let result = encoding.push(heard.concealed, to);
        let result = result.and(fill_silence(self.made.end_noise(), heard.silence, encoding, to));
        let result = result.and(encoding.push(heard.speech, to));
        if pauses && !heard.speech.is_empty() {
            let (mut analyser, mut noise) = (NoiseAnalyser::default(), [0; PAYLOAD_LEN]);
            analyser.process(heard.speech);
            if analyser.payload(&mut noise).is_ok() {
                self.pause(now, &noise, ahead, sink);
            }
        }
        result
    }

    /// Passes a telephone event on; without a payload type for it here, its digit goes another way.
    fn event(
        &mut self,
        now: Instant,
        entry: &Entry,
        (input, payload): (&Header, &[u8]),
        sink: &mut dyn Sink,
    ) -> Result<(), DropReason> {
        let Some((number, clock)) = self.routes.event else { return Ok(()) };
        if let Some(reason) = self.replaced() {
            return Err(reason);
        }
        let event = self.event_in(entry, input, payload, clock)?;
        let timestamp = match self.anchored(input) {
            Some(timestamp) => timestamp,
            None => {
                let (Some(transcoder), Some(encoding)) = (&mut self.transcoder, &mut self.encoding) else {
                    return Err(DropReason::NotTaken);
                };
                if !transcoder.decoding.is_running() {
                    encoding.begin(now, &self.output);
                }
                // The time line does not go back behind the event.
                let to = &mut Target::new(now, &mut self.output, sink);
                transcoder.decoding.pass(encoding.complete(to), false);
                let ahead = transcoder.decoding.ahead(input.timestamp, entry.clock, 0).unwrap_or(0);
                let timestamp = encoding.timestamp_after(usize::try_from(ahead).unwrap_or(0));
                self.anchor_at(input, timestamp)
            }
        };
        self.send_event(now, timestamp, number, input.marker, event, sink);
        Ok(())
    }

    /// Comfort noise (RFC 3389): passed on to a peer that takes it, made for one that does not.
    fn noise(
        &mut self,
        now: Instant,
        entry: &Entry,
        (input, payload): (&Header, &[u8]),
        sink: &mut dyn Sink,
    ) -> Result<(), DropReason> {
        if let Some(reason) = self.replaced() {
            return Err(reason);
        }
        let Some(number) = self.routes.noise.filter(|_| matches!(entry.route, Route::Forward(_))) else {
            let ahead = self.transcoder.as_ref().map(|transcoder| transcoder.overlap(entry, input));
            return self.begin_noise(now, payload, ahead.unwrap_or(Duration::ZERO));
        };
        let (Some(transcoder), Some(encoding)) = (&mut self.transcoder, &mut self.encoding) else {
            return Err(DropReason::NotTaken);
        };
        let ahead = transcoder.decoding.ahead(input.timestamp, entry.clock, 0);
        if ahead.is_none() {
            encoding.begin(now, &self.output);
        }
        let to = &mut Target::new(now, &mut self.output, sink);
        let silence = ahead.map_or(0, |ahead| usize::try_from(ahead).unwrap_or(0));
        encoding.skip(silence, to);
        let padding = encoding.beside(number, payload, to);
        transcoder.decoding.pass(silence + padding, false);
        Ok(())
    }
}

/// Leaves out the silence before speech. Noise that was made until now is made by the clock here, speech comes by that of
/// its sender: what lies between them is noise too.
fn fill_silence(
    noise: Option<ComfortNoise>,
    silence: usize,
    encoding: &mut Encoding,
    to: &mut Target<'_>,
) -> Result<(), DropReason> {
    let mut piece = [0; NOISE_BEFORE_SPEECH];
    let mut filled: &mut [i16] = &mut [];
    if let Some(mut noise) = noise {
        filled = piece.get_mut(..silence.min(NOISE_BEFORE_SPEECH)).unwrap_or_default();
        noise.fill(filled);
    }
    let result = encoding.push(filled, to);
    if silence > filled.len() {
        encoding.skip(silence - filled.len(), to);
    }
    result
}

/// Follows keys that are released because the audio breaks off.
pub(super) fn releasing(player: &mut Player, mut found: Option<&mut VecDeque<Digit>>) -> impl FnMut(Key) {
    move |key| {
        if let (Key::Released(digit), Some(found)) = (key, &mut found) {
            player.release(digit.duration_ms);
            note(digit, found);
        }
    }
}

/// Presses the keys that are heard, for a peer that gets them otherwise than it hears, and notes whole digits.
fn follow(key: Key, now: Instant, player: Option<&mut Player>, found: &mut VecDeque<Digit>) {
    match (key, player) {
        (Key::Pressed(digit), Some(player)) => {
            player.press(now, digit);
        }
        (Key::Held(digit), Some(player)) => player.hold(digit.duration_ms),
        (Key::Released(digit), Some(player)) => player.release(digit.duration_ms),
        _ => {}
    }
    if let Key::Released(digit) = key {
        note(digit, found);
    }
}

fn note(digit: Digit, found: &mut VecDeque<Digit>) {
    if found.len() < MAX_FOUND_DIGITS {
        found.push_back(digit);
    }
}
