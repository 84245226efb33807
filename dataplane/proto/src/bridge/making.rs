//! What is made here in the place of the other leg's speech: digits and comfort noise.

use std::time::{Duration, Instant};

use tandem_control::{DigitSound, Digits};

use super::Bridge;
use crate::decoding::time_of;
use crate::drops::DropReason;
use crate::dtmf::{self, Digit, PAYLOAD_LEN};
use crate::encoding::{Sink, Target};
use crate::limits::{DIGIT_MS, PTIME_MS, TAILROOM};
use crate::output::later;
use crate::rtp::HEADER_LEN;

impl Bridge {
    /// Why the other leg's speech is not heard now, if it is not.
    pub(crate) fn replaced(&self) -> Option<DropReason> {
        match self.is_digit_playing() {
            true => Some(DropReason::ReplacedByDigit),
            false => self.is_playing().then_some(DropReason::ReplacedByPlay),
        }
    }

    /// Whether keys that are heard in the audio are pressed for the receiver, which does not hear them.
    pub(super) fn presses_keys(&self) -> bool {
        self.routes.event.is_some() && !self.routes.events_blocked
    }

    /// Whether a digit stands in the place of what is heard.
    pub(super) fn is_digit_playing(&self) -> bool {
        match self.routes.digits {
            Digits::Events => self.player.is_playing(),
            Digits::Tones => self.player.is_busy(),
            Digits::Told => false,
        }
    }

    /// Whether digits can be played to the receiver.
    pub(crate) fn can_play_digits(&self) -> bool {
        match self.routes.digits {
            Digits::Events => self.routes.event.is_some(),
            Digits::Tones => self.encoding.is_some(),
            Digits::Told => false,
        }
    }

    /// Plays a digit in the place of the audio, behind those that wait already. Returns whether there was room.
    pub(crate) fn play_digit(&mut self, now: Instant, digit: Digit, sound: DigitSound) -> bool {
        let has_room = self.player.push(now, digit, sound);
        self.begin_tones(now);
        has_room
    }

    /// Follows a telephone event that is to be heard as a tone. `is_new`: it is the first packet of it that came.
    pub(super) fn sound_event(&mut self, now: Instant, is_new: bool) {
        let Some((digit, has_ended)) = self.collector.newest() else { return };
        if is_new {
            self.player.press(now, digit);
            self.begin_tones(now);
        }
        match has_ended {
            true => self.player.release(digit.duration_ms),
            false => self.player.hold(digit.duration_ms),
        }
    }

    /// Speech comes that is forwarded: noise ends. Notes how far its time line is ahead of the time.
    pub(super) fn end_noise(&mut self, now: Instant) {
        if self.made.end_noise().is_none() {
            return;
        }
        self.epoch = None;
        let reached = self.output.expected_timestamp(now);
        let ahead = self.output.free_timestamp(now).wrapping_sub(reached).cast_signed();
        self.ahead = time_of(usize::try_from(ahead).unwrap_or(0), self.output.clock());
    }

    /// Makes comfort noise until speech comes. The time line is so far ahead of the time: as long it waits.
    pub(super) fn begin_noise(
        &mut self,
        now: Instant,
        payload: &[u8],
        ahead: Duration,
    ) -> Result<(), DropReason> {
        if self.encoding.is_none() || !self.routes.makes_noise {
            return Err(DropReason::NotTaken);
        }
        if !self.routes.silenced {
            self.make_noise(now, payload, ahead);
        }
        Ok(())
    }

    /// Speech pauses, with this noise in the pause: told to a peer that takes comfort noise, made for one that does not.
    /// The time line is so far ahead of the time.
    pub(super) fn pause(&mut self, now: Instant, noise: &[u8], ahead: Duration, sink: &mut dyn Sink) {
        let (Some(transcoder), Some(encoding)) = (&mut self.transcoder, &mut self.encoding) else { return };
        match self.routes.noise {
            Some(number) => {
                let to = &mut Target::new(now, &mut self.output, sink);
                transcoder.decoding.pass(encoding.beside(number, noise, to), false);
            }
            None => self.make_noise(now, noise, ahead),
        }
    }

    fn make_noise(&mut self, now: Instant, payload: &[u8], ahead: Duration) {
        self.made.begin_noise(now, payload);
        self.begin_making(now, ahead);
    }

    fn begin_tones(&mut self, now: Instant) {
        if self.routes.digits == Digits::Tones {
            self.begin_making(now, Duration::ZERO);
        }
    }

    /// Brings the time line to where the time is, and makes packets from there on.
    fn begin_making(&mut self, now: Instant, ahead: Duration) {
        let Some(encoding) = self.encoding.as_mut().filter(|_| self.made.next_timeout().is_none()) else {
            return;
        };
        match self
            .transcoder
            .as_mut()
            .filter(|transcoder| self.transcodes && transcoder.decoding.is_running())
        {
            Some(transcoder) => {
                transcoder.decoding.pass(encoding.catch_up(now, &self.output), false);
            }
            None => encoding.begin(now, &self.output),
        }
        let sent_at = self.output.sent_at().map(|sent_at| sent_at + ahead);
        self.made.begin(now, sent_at, encoding);
    }

    /// Sends what is due of what is made here. The receiver does not hear it if it may not be sent anything now.
    pub(super) fn make(&mut self, now: Instant, may_send: bool, sink: &mut dyn Sink) {
        if let (Digits::Events, Some((number, clock))) = (self.routes.digits, self.routes.event) {
            let ptime = Duration::from_millis(self.ptime_ms.clamp(*PTIME_MS.start(), *PTIME_MS.end()).into());
            if let Some(packet) = self.player.next(now, ptime, clock) {
                if packet.first {
                    self.played = self.digit_timestamp(now, sink);
                }
                self.send_event(now, self.played, number, packet.first, packet.event, sink);
            }
        }
        let Some(encoding) = &mut self.encoding else { return };
        if !may_send {
            // A key that was pressed while nobody listened is not heard later.
            if self.routes.digits == Digits::Tones {
                self.player.stop();
            }
            return self.made.wait(now, encoding);
        }
        let in_its_place = self.routes.digits == Digits::Tones && self.player.is_busy();
        let left_out = self.routes.digits == Digits::Events && self.player.is_playing();
        let digits = in_its_place.then_some(&mut self.player);
        let to = &mut Target::new(now, &mut self.output, sink);
        let samples = self.made.step(digits, left_out, encoding, to).unwrap_or_else(|reason| {
            to.sink.dropped(reason);
            0
        });
        match &mut self.transcoder {
            _ if samples == 0 => {}
            Some(transcoder) if self.transcodes => transcoder.decoding.pass(samples, in_its_place),
            _ => self.epoch = None,
        }
    }

    /// The time stamp of a digit that is played from now on.
    fn digit_timestamp(&mut self, now: Instant, sink: &mut dyn Sink) -> u32 {
        let mut reached = self.output.expected_timestamp(now);
        match (&mut self.transcoder, &mut self.encoding) {
            (Some(transcoder), Some(encoding)) if self.transcodes => {
                if !transcoder.decoding.is_running() {
                    encoding.begin(now, &self.output);
                }
                let to = &mut Target::new(now, &mut self.output, sink);
                transcoder.decoding.pass(encoding.complete(to), false);
                reached = later(encoding.timestamp_after(0), self.output.expected_timestamp(now));
            }
            _ => self.interrupt(),
        }
        // Never the time stamp of the digit before, also when nothing else was sent since.
        let unit = self.output.clock() / 1000 * u32::from(*DIGIT_MS.start());
        let taken = self.output.packets > 0 && reached == self.output.timestamp();
        reached.wrapping_add(if taken { unit } else { 0 })
    }

    pub(super) fn send_event(
        &mut self,
        now: Instant,
        timestamp: u32,
        number: u8,
        marker: bool,
        event: dtmf::Event,
        sink: &mut dyn Sink,
    ) {
        const LEN: usize = HEADER_LEN + PAYLOAD_LEN;
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
}
