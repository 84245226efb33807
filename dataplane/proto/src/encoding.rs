//! From samples to packets: what one leg is sent where it is made here, in the packet time that its peer wants and on
//! a time line of its own.

use std::time::{Duration, Instant};

use tandem_codec::{CodecError, Encoder};
use tandem_control::{Audio, PayloadType};

use crate::codecs;
use crate::decoding::{at_rate, time_of};
use crate::drops::DropReason;
use crate::limits::{MAX_DATAGRAM, PTIME_MS, TAILROOM};
use crate::output::{Output, later};
use crate::rtp::HEADER_LEN;
use crate::stopwatch::Stopwatch;

/// Where packets go that are made here.
pub(crate) struct Target<'a> {
    pub(crate) now: Instant,
    pub(crate) output: &'a mut Output,
    pub(crate) sink: &'a mut dyn Sink,
    /// Measures the encoder's work.
    stopwatch: Option<&'a mut Stopwatch>,
}

impl<'a> Target<'a> {
    pub(crate) fn new(now: Instant, output: &'a mut Output, sink: &'a mut dyn Sink) -> Target<'a> {
        Target { now, output, sink, stopwatch: None }
    }

    /// Where the encoder's work is measured.
    pub(crate) fn timed(
        now: Instant,
        output: &'a mut Output,
        sink: &'a mut dyn Sink,
        stopwatch: &'a mut Stopwatch,
    ) -> Target<'a> {
        Target { now, output, sink, stopwatch: Some(stopwatch) }
    }
}

/// Takes what a bridge makes beside the packet in hand.
pub(crate) trait Sink {
    /// Sends `buffer[..len]`, behind which [`TAILROOM`] bytes are free.
    fn packet(&mut self, buffer: &mut [u8], len: usize);

    /// Counts a packet that had waited and is dropped now.
    fn dropped(&mut self, reason: DropReason);

    /// See [`crate::session::Outbox::clock`].
    fn clock(&self) -> Option<Instant>;
}

/// The encoder of one direction. Its memory is taken when it is made.
pub(crate) struct Encoding {
    encoder: Box<dyn Encoder>,
    payload_type: u8,
    /// Of the time stamps, in Hz.
    clock: u32,
    /// Samples a second of what it takes.
    rate: u32,
    /// The samples of one packet: those that wait for the rest of it.
    pcm: Box<[i16]>,
    filled: usize,
    /// The time stamp of the first sample in `pcm`.
    timeline: u32,
    begun: bool,
    marker: bool,
    buffer: Box<[u8]>,
    /// The loss that is always prepared for, in percent.
    least_loss: u8,
}

impl std::fmt::Debug for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoding").field("payload_type", &self.payload_type).finish_non_exhaustive()
    }
}

impl Encoding {
    /// An encoder into `target`, for a peer that wants `audio`, out of samples at `rate`, which must be one that
    /// [`codecs::encoded_rate`] gives.
    ///
    /// # Errors
    /// What the codec says.
    pub(crate) fn new(target: &PayloadType, rate: u32, audio: &Audio) -> Result<Encoding, CodecError> {
        let encoder = codecs::encoder(target.codec, rate, &audio.opus)?;
        let ptime = u32::from(audio.ptime_ms.clamp(*PTIME_MS.start(), *PTIME_MS.end()));
        let packet = encoder.packet_samples((rate / 1000 * ptime) as usize);
        Ok(Encoding {
            encoder,
            payload_type: target.number,
            clock: target.clock,
            rate,
            pcm: vec![0; packet].into(),
            filled: 0,
            timeline: 0,
            begun: false,
            marker: true,
            buffer: vec![0; MAX_DATAGRAM + TAILROOM].into(),
            least_loss: audio.opus.expected_loss.min(100),
        })
    }

    /// The receiver loses so many packets, in percent: how much goes into in-band FEC, at least what was configured.
    pub(crate) fn expect_loss(&mut self, percent: u8) {
        self.encoder.expect_loss(percent.clamp(self.least_loss, 100));
    }

    /// Samples a second of what it takes.
    pub(crate) fn rate(&self) -> u32 {
        self.rate
    }

    /// The time of a packet.
    pub(crate) fn packet_time(&self) -> Duration {
        time_of(self.pcm.len(), self.rate)
    }

    /// Starts a new time line behind all that was sent; the next packet is marked.
    pub(crate) fn begin(&mut self, now: Instant, output: &Output) {
        let reached = output.free_timestamp(now);
        // A time line that was never begun says nothing: time stamps are compared round the corner.
        let is_known = std::mem::replace(&mut self.begun, true) && output.packets > 0;
        self.timeline = if is_known { later(self.timeline, reached) } else { reached };
        if output.packets > 0 && self.timeline == output.timestamp() {
            self.timeline = self.timeline.wrapping_add(self.units(self.pcm.len()));
        }
        self.filled = 0;
        self.marker = true;
    }

    /// Brings the time line to where the time is, if it is more than a packet behind. Returns how many samples were left
    /// out.
    pub(crate) fn catch_up(&mut self, now: Instant, output: &Output) -> usize {
        let behind = output.expected_timestamp(now).wrapping_sub(self.timestamp_after(0)).cast_signed();
        let behind = u32::try_from(behind).unwrap_or(0);
        if behind <= self.units(self.pcm.len()) {
            return 0;
        }
        self.timeline = self.timeline.wrapping_add(behind);
        self.marker = true;
        at_rate(behind as usize, self.clock, self.rate)
    }

    /// Takes samples that follow those before; sends every packet that is complete.
    ///
    /// # Errors
    /// [`DropReason::Unencodable`]; the time of the packet has then passed all the same.
    pub(crate) fn push(&mut self, mut pcm: &[i16], to: &mut Target<'_>) -> Result<(), DropReason> {
        let mut result = Ok(());
        while !pcm.is_empty() {
            let room = self.pcm.get_mut(self.filled..).unwrap_or_default();
            let (now, rest) = pcm.split_at(room.len().min(pcm.len()));
            room.get_mut(..now.len()).unwrap_or_default().copy_from_slice(now);
            self.filled += now.len();
            pcm = rest;
            if self.filled == self.pcm.len() {
                result = result.and(self.encode(to));
            }
        }
        result
    }

    /// Completes the packet with what `fill` writes, and sends it. Returns how many samples that were: none if `fill`
    /// says that it has none.
    ///
    /// # Errors
    /// [`DropReason::Unencodable`].
    pub(crate) fn make(
        &mut self,
        to: &mut Target<'_>,
        fill: impl FnOnce(&mut [i16]) -> bool,
    ) -> Result<usize, DropReason> {
        let room = self.pcm.get_mut(self.filled..).unwrap_or_default();
        let len = room.len();
        if !fill(room) {
            return Ok(0);
        }
        self.filled += len;
        self.encode(to).map(|()| len)
    }

    /// Sends a payload of another type, which takes no time of its own, where the time line is now. A packet that was
    /// begun is completed with silence; returns how much that took.
    pub(crate) fn beside(&mut self, number: u8, payload: &[u8], to: &mut Target<'_>) -> usize {
        let padding = self.complete(to);
        let room = self.buffer.get_mut(HEADER_LEN..HEADER_LEN + payload.len());
        let Some(room) = room.filter(|_| HEADER_LEN + payload.len() <= MAX_DATAGRAM) else { return padding };
        room.copy_from_slice(payload);
        let index = to.output.next();
        let header = to.output.header(index, self.timeline, number, false);
        header.write(&mut self.buffer);
        to.output.sent(to.now, &header, index, HEADER_LEN + payload.len());
        to.sink.packet(&mut self.buffer, HEADER_LEN + payload.len());
        padding
    }

    /// Leaves out so many samples of silence, after the packet that was begun is completed.
    pub(crate) fn skip(&mut self, samples: usize, to: &mut Target<'_>) {
        let rest = if self.filled == 0 { 0 } else { self.pcm.len() - self.filled };
        let padding = rest.min(samples);
        let room = self.pcm.get_mut(self.filled..self.filled + padding).unwrap_or_default();
        room.fill(0);
        self.filled += padding;
        if padding == rest && rest > 0 {
            // What cannot be encoded was silence at its end anyway.
            let _ = self.encode(to);
        }
        if samples > padding {
            self.timeline = self.timeline.wrapping_add(self.units(samples - padding));
            // RFC 3551 section 4.1: the first packet of a talkspurt is marked.
            self.marker = true;
        }
    }

    /// Completes a packet that was begun with silence. Returns how much silence that took.
    pub(crate) fn complete(&mut self, to: &mut Target<'_>) -> usize {
        let rest = if self.filled == 0 { 0 } else { self.pcm.len() - self.filled };
        self.skip(rest, to);
        rest
    }

    /// The time stamp of what comes so many samples after what was pushed.
    pub(crate) fn timestamp_after(&self, samples: usize) -> u32 {
        self.timeline.wrapping_add(self.units(self.filled + samples))
    }

    /// Sends the packet that is complete.
    fn encode(&mut self, to: &mut Target<'_>) -> Result<(), DropReason> {
        to.output.set_clock(self.clock);
        let room = self.buffer.get_mut(HEADER_LEN..MAX_DATAGRAM).unwrap_or_default();
        if let Some(stopwatch) = &mut to.stopwatch {
            stopwatch.start(to.sink);
        }
        let encoded = self.encoder.encode(&self.pcm, room);
        if let Some(stopwatch) = &mut to.stopwatch {
            stopwatch.stop(to.sink);
        }
        let timestamp = self.timeline;
        self.timeline = timestamp.wrapping_add(self.units(self.pcm.len()));
        self.filled = 0;
        match encoded {
            // Discontinuous transmission: what comes after the silence is marked.
            Ok(0) => self.marker = true,
            Ok(len) => {
                let index = to.output.next();
                let marker = std::mem::take(&mut self.marker);
                let header = to.output.header(index, timestamp, self.payload_type, marker);
                header.write(&mut self.buffer);
                to.output.sent(to.now, &header, index, HEADER_LEN + len);
                to.output.lasts(self.timeline.wrapping_sub(timestamp));
                to.sink.packet(&mut self.buffer, HEADER_LEN + len);
            }
            Err(_) => return Err(DropReason::Unencodable),
        }
        Ok(())
    }

    /// So many samples in units of the time stamp.
    fn units(&self, samples: usize) -> u32 {
        at_rate(samples, self.rate, self.clock) as u32
    }
}
