//! From one coding to another: decode, conceal what is lost, encode in the packet time of the receiver.
//!
//! Everything between the two runs at 8 kHz: Opus is opened at that rate, so no resampler is needed.

use std::time::Instant;

use tandem_codec::g711::{G711Decoder, G711Encoder, Law};
use tandem_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use tandem_codec::{CodecError, Decoder, Encoder};
use tandem_control::Codec;

use crate::drops::DropReason;
use crate::limits::{MAX_CONCEALMENT, MAX_DATAGRAM, MAX_DECODED, PTIME_MS, TAILROOM, TIMESTAMP_JUMP};
use crate::output::Output;
use crate::routes::{Entry, Routes};
use crate::rtp::{HEADER_LEN, Header};

/// Samples a second between decoder and encoder.
const RATE: u32 = 8000;
const SAMPLES_PER_MS: usize = RATE as usize / 1000;
/// Samples of the longest frame.
const MAX_FRAME: usize = *PTIME_MS.end() as usize * SAMPLES_PER_MS;
const CONCEALED_SAMPLES: usize = MAX_CONCEALMENT.as_millis() as usize * SAMPLES_PER_MS;
const JUMP_SAMPLES: i32 = TIMESTAMP_JUMP.as_secs() as i32 * RATE as i32;
/// A frame that is not complete, what is concealed, and one packet.
const PCM_LEN: usize = MAX_FRAME + CONCEALED_SAMPLES + MAX_DECODED;

/// Where packets go that are made here.
pub(crate) struct Target<'a> {
    pub(crate) now: Instant,
    pub(crate) output: &'a mut Output,
    pub(crate) sink: &'a mut dyn Sink,
}

/// Takes what a bridge makes beside the packet in hand.
pub(crate) trait Sink {
    /// Sends `buffer[..len]`, behind which [`TAILROOM`] bytes are free.
    fn packet(&mut self, buffer: &mut [u8], len: usize);

    /// Counts a packet that had waited and is dropped now.
    fn dropped(&mut self, reason: DropReason);
}

/// The transcoder of one direction. Its memory is taken when it is made.
pub(crate) struct Transcoder {
    decoders: Vec<(u8, Box<dyn Decoder>)>,
    encoder: Box<dyn Encoder>,
    payload_type: u8,
    /// Units of the output's time stamp in a sample.
    step: u32,
    /// Samples of a frame.
    frame: usize,
    pcm: Box<[i16]>,
    filled: usize,
    /// The time stamp that follows what was decoded, in the input's clock; `None` starts the time line anew.
    expected: Option<u32>,
    /// Samples of the last packet.
    packet_samples: usize,
    /// The output's time stamp of the first sample in `pcm`.
    timeline: u32,
    marker: bool,
    /// Whether what is decoded becomes silence.
    pub(crate) silenced: bool,
    buffer: Box<[u8]>,
    pub(crate) concealed: u64,
}

impl std::fmt::Debug for Transcoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transcoder").field("payload_type", &self.payload_type).finish_non_exhaustive()
    }
}

impl Transcoder {
    /// A transcoder for what these routes transcode; `None` if they transcode nothing.
    ///
    /// # Errors
    /// What the codecs say.
    pub(crate) fn new(routes: &Routes, ptime_ms: u8) -> Result<Option<Transcoder>, CodecError> {
        let Some(target) = routes.target.as_ref().filter(|_| routes.decoded().next().is_some()) else {
            return Ok(None);
        };
        let decoders = routes.decoded().map(|entry| Ok((entry.number, decoder(entry.codec)?)));
        Ok(Some(Transcoder {
            decoders: decoders.collect::<Result<_, CodecError>>()?,
            encoder: encoder(target.codec)?,
            payload_type: target.number,
            step: target.clock / RATE,
            frame: frame_samples(target.codec, ptime_ms),
            pcm: vec![0; PCM_LEN].into(),
            filled: 0,
            expected: None,
            packet_samples: 0,
            timeline: 0,
            marker: true,
            silenced: routes.silenced,
            buffer: vec![0; MAX_DATAGRAM + TAILROOM].into(),
            concealed: 0,
        }))
    }

    /// Whatever comes next starts a new run.
    pub(crate) fn restart(&mut self) {
        self.expected = None;
    }

    /// Takes one packet of speech in its turn; `lost` packets before it are missing.
    ///
    /// # Errors
    /// [`DropReason::Undecodable`]; its time is then concealed with the next one.
    pub(crate) fn speech(
        &mut self,
        entry: &Entry,
        header: &Header,
        payload: &[u8],
        lost: u32,
        to: &mut Target<'_>,
    ) -> Result<(), DropReason> {
        to.output.set_clock(self.step * RATE);
        let unit = (entry.clock / RATE).max(1);
        let gap = self
            .expected
            .map(|expected| header.timestamp.wrapping_sub(expected).cast_signed() / unit.cast_signed());
        match gap.filter(|gap| (0..JUMP_SAMPLES).contains(gap)) {
            Some(gap) => self.bridge_gap(gap as usize, lost, header.payload_type, to),
            None => self.start_time_line(to),
        }
        let room = self.pcm.get_mut(self.filled..).unwrap_or_default();
        let room_len = room.len().min(MAX_DECODED);
        let decoder = self.decoders.iter_mut().find(|(number, _)| *number == header.payload_type);
        let decoded = decoder
            .and_then(|(_, decoder)| decoder.decode(payload, room.get_mut(..room_len)?).ok())
            .filter(|&samples| samples > 0 && samples <= room_len)
            .ok_or(DropReason::Undecodable)?;
        if self.silenced {
            room.get_mut(..decoded).unwrap_or_default().fill(0);
        }
        self.filled += decoded;
        self.packet_samples = decoded;
        self.expected = Some(header.timestamp.wrapping_add(decoded as u32 * unit));
        self.encode(to)
    }

    /// The time stamp, on the output's time line, for an event with that time stamp. Completes a started frame, so
    /// that the time line does not go back behind the event.
    pub(crate) fn event_timestamp(&mut self, entry: &Entry, timestamp: u32, to: &mut Target<'_>) -> u32 {
        if self.filled > 0 {
            self.pad(self.frame.saturating_sub(self.filled));
            // What cannot be encoded was silence at its end anyway.
            let _ = self.encode(to);
        }
        let unit = (entry.clock / RATE).max(1).cast_signed();
        let gap = self.expected.map(|expected| timestamp.wrapping_sub(expected).cast_signed() / unit);
        match gap.filter(|gap| (0..JUMP_SAMPLES).contains(gap)) {
            Some(gap) => self.timeline.wrapping_add(gap as u32 * self.step),
            None => later(self.timeline, to.output.expected_timestamp(to.now)),
        }
    }

    fn start_time_line(&mut self, to: &Target<'_>) {
        let output = &to.output;
        let reached = output.expected_timestamp(to.now);
        self.timeline = if output.packets == 0 { reached } else { later(self.timeline, reached) };
        if output.packets > 0 && self.timeline == output.timestamp() {
            self.timeline = self.timeline.wrapping_add(self.frame as u32 * self.step);
        }
        self.filled = 0;
        self.marker = true;
    }

    /// Fills the time between the last packet and the one in hand: what was lost is concealed, what the sender left
    /// out (silence suppression) stays out.
    fn bridge_gap(&mut self, gap: usize, lost: u32, payload_type: u8, to: &mut Target<'_>) {
        let missing = self.packet_samples.saturating_mul(lost as usize).min(gap).min(CONCEALED_SAMPLES);
        if missing > 0 {
            let decoder = self.decoders.iter_mut().find(|(number, _)| *number == payload_type);
            let room = self.pcm.get_mut(self.filled..self.filled + missing);
            if let (Some((_, decoder)), Some(room)) = (decoder, room) {
                decoder.conceal(room);
                if self.silenced {
                    room.fill(0);
                }
                self.filled += missing;
                self.concealed += u64::from(lost);
            }
        }
        let silent = gap - missing;
        if silent > 0 {
            let rest = (self.frame - self.filled % self.frame) % self.frame;
            self.pad(rest.min(silent));
            let _ = self.encode(to);
            self.timeline = self.timeline.wrapping_add(silent.saturating_sub(rest) as u32 * self.step);
            // RFC 3551 section 4.1: the first packet of a talkspurt is marked.
            self.marker |= silent > rest;
        }
    }

    fn pad(&mut self, samples: usize) {
        if let Some(room) = self.pcm.get_mut(self.filled..self.filled + samples) {
            room.fill(0);
            self.filled += samples;
        }
    }

    /// Sends every whole frame.
    fn encode(&mut self, to: &mut Target<'_>) -> Result<(), DropReason> {
        let mut result = Ok(());
        let mut done = 0;
        while let Some(frame) = self.pcm.get(done..self.filled).and_then(|pcm| pcm.get(..self.frame)) {
            let room = self.buffer.get_mut(HEADER_LEN..MAX_DATAGRAM).unwrap_or_default();
            match self.encoder.encode(frame, room) {
                Ok(len) => {
                    let index = to.output.next();
                    let marker = std::mem::take(&mut self.marker);
                    let header = to.output.header(index, self.timeline, self.payload_type, marker);
                    header.write(&mut self.buffer);
                    to.output.sent(to.now, &header, index, HEADER_LEN + len);
                    to.sink.packet(&mut self.buffer, HEADER_LEN + len);
                }
                Err(_) => result = Err(DropReason::Unencodable),
            }
            self.timeline = self.timeline.wrapping_add(self.frame as u32 * self.step);
            done += self.frame;
        }
        self.pcm.copy_within(done..self.filled, 0);
        self.filled -= done;
        result
    }
}

/// The later of two time stamps.
fn later(one: u32, other: u32) -> u32 {
    if other.wrapping_sub(one).cast_signed() > 0 { other } else { one }
}

fn frame_samples(codec: Codec, ptime_ms: u8) -> usize {
    let ptime = ptime_ms.clamp(*PTIME_MS.start(), *PTIME_MS.end());
    let frame_ms = match (codec, ptime) {
        // RFC 6716 section 2.1.4: frames of 10, 20, 40 and 60 ms (and shorter ones).
        (Codec::Opus(_), 60) => 60,
        (Codec::Opus(_), 40..) => 40,
        (Codec::Opus(_), 20..) => 20,
        (Codec::Opus(_), _) => 10,
        (_, ptime) => ptime - ptime % 10,
    };
    usize::from(frame_ms) * SAMPLES_PER_MS
}

fn decoder(codec: Codec) -> Result<Box<dyn Decoder>, CodecError> {
    match codec {
        Codec::Opus(_) => Ok(Box::new(OpusDecoder::new(RATE)?)),
        Codec::Pcmu => Ok(Box::new(G711Decoder::new(Law::Mu))),
        Codec::Pcma => Ok(Box::new(G711Decoder::new(Law::A))),
        Codec::G722
        | Codec::G729
        | Codec::Speex
        | Codec::ComfortNoise
        | Codec::TelephoneEvent
        | Codec::Other(_) => Err(CodecError::Malformed),
    }
}

fn encoder(codec: Codec) -> Result<Box<dyn Encoder>, CodecError> {
    match codec {
        Codec::Opus(_) => Ok(Box::new(OpusEncoder::new(RATE, OpusSettings::default())?)),
        Codec::Pcmu => Ok(Box::new(G711Encoder::new(Law::Mu))),
        Codec::Pcma => Ok(Box::new(G711Encoder::new(Law::A))),
        Codec::G722
        | Codec::G729
        | Codec::Speex
        | Codec::ComfortNoise
        | Codec::TelephoneEvent
        | Codec::Other(_) => Err(CodecError::Malformed),
    }
}
