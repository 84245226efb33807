//! What is played to the peers, and what is recorded of them.

use std::net::SocketAddr;
use std::time::Instant;

use tandem_control::{EventKind, PlayOutcome, Refusal, Side, Treatment};

use super::{Component, Half, Session};
use crate::Now;
use crate::bridge::play_target;
use crate::drops::DropReason;
use crate::packet::Packet;
use crate::playing::PcmSource;
use crate::recording::{Heard, Tap};
use crate::routes::Entry;
use crate::rtp::Parsed;

impl Session {
    /// The rate of the samples that are wanted to be played to the peer on `side`, in Hz: 8000, 16000 or 48000.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if the peer takes no codec that is encoded here.
    pub fn play_rate(&self, side: Side) -> Result<u32, Refusal> {
        let [a, b] = &self.sides;
        let audio = &(if side == Side::A { a } else { b }).leg.config().audio;
        play_target(audio).map(|(_, rate)| rate).ok_or_else(no_codec)
    }

    /// Plays samples at `rate`, one of 8000, 16000 and 48000 Hz, to the peer on `side`, in the place of the other
    /// side's speech and of what was played to it before. [`EventKind::PlayEnded`] tells of the end, with `id`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if the peer takes no codec that is encoded here.
    pub fn play(
        &mut self,
        now: Now,
        side: Side,
        id: u32,
        source: (Box<dyn PcmSource>, u32),
    ) -> Result<(), Refusal> {
        let (here, there) = self.split(side);
        let audio = &here.leg.config().audio;
        let error = |error| Refusal::Invalid(format!("codec: {error}"));
        if !there.bridge.play_samples(now.instant, id, source, audio).map_err(error)? {
            return Err(no_codec());
        }
        self.tell_what_was_played();
        self.news = true;
        Ok(())
    }

    /// Ends what is played to the peer on `side`.
    pub fn stop_play(&mut self, side: Side) {
        self.split(side).1.bridge.stop_playing(PlayOutcome::Stopped);
        self.tell_what_was_played();
        self.news = true;
    }

    /// Gives a copy of what the peers say to `tap` from now on.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if that is being done already.
    pub fn record(&mut self, tap: Box<dyn Tap>) -> Result<(), Refusal> {
        self.may_record()?;
        self.tap = Some(tap);
        Ok(())
    }

    /// Whether [`Session::record`] would do it.
    ///
    /// # Errors
    /// As it says.
    pub fn may_record(&self) -> Result<(), Refusal> {
        if self.tap.as_ref().is_some_and(|tap| !tap.is_over()) {
            return Err(Refusal::Invalid("the session is being recorded already".into()));
        }
        Ok(())
    }

    /// Leaves out of the recording what comes from now on, or no longer does.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if nothing is recorded; [`Refusal::Busy`] if the recording cannot be told now.
    pub fn pause_recording(&mut self, now: Now, paused: bool) -> Result<(), Refusal> {
        let tap = self.tap.as_mut().filter(|tap| !tap.is_over()).ok_or_else(not_recorded)?;
        let told = if paused { tap.pause(now.instant) } else { tap.resume(now.instant) };
        if told { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if nothing is recorded.
    pub fn stop_recording(&mut self) -> Result<(), Refusal> {
        self.tap.take().filter(|tap| !tap.is_over()).map(drop).ok_or_else(not_recorded)
    }

    pub(super) fn tell_what_was_played(&mut self) {
        for half in &mut self.sides {
            // The bridge of one side is what the other hears.
            let side = half.side.other();
            if let Some((id, outcome)) = half.bridge.take_play_ended() {
                self.events.push(EventKind::PlayEnded { side, id, outcome });
            }
        }
    }
}

impl Half {
    /// Where its peer can be sent sound now, and wants it; or why not.
    pub(super) fn hears_at(&mut self) -> Result<SocketAddr, DropReason> {
        if !self.leg.config().audio.may_send {
            return Err(DropReason::NotWanted);
        }
        if !self.leg.has_keys(Component::Rtp) {
            return Err(DropReason::NoDestination);
        }
        self.leg.destination(Component::Rtp).ok_or(DropReason::NoDestination)
    }
}

/// Gives a packet of `here` away, as far as the other side may hear it.
pub(super) fn copy(
    tap: &mut dyn Tap,
    now: Instant,
    here: &Half,
    entry: &Entry,
    parsed: &Parsed,
    packet: &Packet<'_>,
) {
    let (header, codec, clock) = (&parsed.header, entry.codec, entry.clock);
    let audio = &here.leg.config().audio;
    if audio.speech == Treatment::Passed {
        let payload = parsed.payload(packet.bytes());
        let tones_are_digits = audio.detect_tones;
        tap.packet(now, &Heard { side: here.side, codec, clock, header, payload, tones_are_digits });
    }
}

fn no_codec() -> Refusal {
    Refusal::Invalid("the peer takes no codec that is encoded here".into())
}

fn not_recorded() -> Refusal {
    Refusal::Invalid("the session is not being recorded".into())
}
