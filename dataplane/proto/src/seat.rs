//! One side's seat in a room: its peer's speech behind a jitter buffer, in step with the room's clock; and what it hears
//! of the room, encoded for it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tandem_codec::CodecError;
use tandem_codec::resampler::Resampler;
use tandem_codec::shortening::{shorten, window};
use tandem_control::{Audio, PayloadType, Treatment};

use crate::codecs;
use crate::decoding::{Decoding, Repairs, at_rate, samples};
use crate::drops::DropReason;
use crate::dtmf::Digit;
use crate::encoding::{Encoding, Target};
use crate::jitter::{Buffer, Next};
use crate::limits::{MAX_CONCEALMENT, MAX_FOUND_DIGITS, MAX_PACKET_TIME, ROOM_TICK};
use crate::reception::Place;
use crate::routes::{Entry, Route, is_speech};
use crate::rtp::{self, Parsed};
use crate::tone_detection::{Key, ToneDetection};

/// Where the peer's speech is this quiet, something of it may be left out: the mean square of -50 dB of full scale.
const QUIET: i64 = 32_768 * 32_768 / 100_000;
/// A surplus of delay that is worth leaving out speech, and how often that is done.
const URGENT: Duration = Duration::from_millis(40);
const BETWEEN_CUTS: Duration = Duration::from_millis(100);

/// A seat.
pub(crate) struct Seat {
    listener: Listener,
    speaker: Option<Speaker>,
    rate: u32,
}

/// From the peer's packets to ticks of samples.
struct Listener {
    entries: Vec<Entry>,
    /// Payload types of what is no speech: telephone events and comfort noise.
    beside: Vec<u8>,
    buffer: Buffer,
    decoding: Decoding,
    rate: u32,
    /// What was decoded and not yet heard.
    pcm: Box<[i16]>,
    filled: usize,
    cut_at: Option<Instant>,
    treatment: Treatment,
    detection: Option<Box<ToneDetection>>,
    /// Digits that were found in the audio and not yet told.
    found: VecDeque<Digit>,
}

/// From ticks of samples to packets for the peer.
struct Speaker {
    encoding: Encoding,
    resampler: Option<Resampler>,
    resampled: Box<[i16]>,
    /// Whether the next tick follows the one before.
    continuous: bool,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl Seat {
    /// A seat in a room that mixes at `rate`, for a peer that sends and takes what `audio` says.
    ///
    /// # Errors
    /// What the codecs say.
    pub(crate) fn new(audio: &Audio, rate: u32) -> Result<Seat, CodecError> {
        Ok(Seat { listener: Listener::new(audio, rate)?, speaker: Speaker::new(audio, rate)?, rate })
    }

    /// The same for a peer that sends and takes something else now.
    ///
    /// # Errors
    /// What the codecs say.
    pub(crate) fn anew(&self, audio: &Audio) -> Result<Seat, CodecError> {
        Seat::new(audio, self.rate)
    }

    /// Takes a packet of the peer.
    ///
    /// # Errors
    /// Why it will not be heard.
    pub(crate) fn packet(
        &mut self,
        now: Instant,
        place: Place,
        parsed: &Parsed,
        packet: &[u8],
    ) -> Result<(), DropReason> {
        let listener = &mut self.listener;
        if listener.treatment == Treatment::Blocked {
            return Err(DropReason::Blocked);
        }
        if place.fresh {
            listener.buffer.restart();
            listener.decoding.restart();
        }
        let header = &parsed.header;
        let entry = listener.entries.iter().find(|entry| entry.number == header.payload_type);
        let Some(entry) = entry else {
            listener.buffer.skip(place.index);
            let is_known = listener.beside.contains(&header.payload_type);
            return if is_known { Ok(()) } else { Err(DropReason::NotTaken) };
        };
        listener.buffer.insert(now, place.index, header.timestamp, entry.clock, packet)
    }

    /// Writes a tick of what the peer says. Says whether that is more than silence.
    pub(crate) fn listen(&mut self, now: Instant, tick: &mut [i16]) -> bool {
        self.listener.tick(now, tick)
    }

    /// A whole digit that was found in the audio.
    pub(crate) fn take_found(&mut self) -> Option<Digit> {
        self.listener.found.pop_front()
    }

    /// The peer is no longer heard: a key that is held is so no longer.
    pub(crate) fn finish(&mut self) {
        let Listener { detection, found, .. } = &mut self.listener;
        if let Some(detection) = detection {
            detection.finish(|key| note(key, found));
        }
    }

    /// Sends a tick of what the peer hears.
    pub(crate) fn speak(&mut self, tick: &[i16], to: &mut Target<'_>) {
        let Some(speaker) = &mut self.speaker else { return };
        if !std::mem::replace(&mut speaker.continuous, true) {
            speaker.encoding.begin(to.now, to.output);
        }
        let result = match &mut speaker.resampler {
            None => speaker.encoding.push(tick, to),
            Some(resampler) => {
                let made = resampler.process(tick, &mut speaker.resampled);
                speaker.encoding.push(speaker.resampled.get(..made).unwrap_or_default(), to)
            }
        };
        if let Err(reason) = result {
            to.sink.dropped(reason);
        }
    }

    /// The peer hears something else, or nothing: what it hears next does not follow what was before.
    pub(crate) fn pause(&mut self) {
        if let Some(speaker) = &mut self.speaker {
            speaker.continuous = false;
        }
    }

    /// Packets that came too late to be heard.
    pub(crate) fn late(&self) -> u64 {
        self.listener.buffer.late + self.listener.buffer.overflown
    }

    /// What became of lost packets.
    pub(crate) fn repairs(&self) -> Repairs {
        self.listener.decoding.repairs
    }
}

impl Listener {
    fn new(audio: &Audio, rate: u32) -> Result<Listener, CodecError> {
        let decodable = audio.receive.iter().filter(|payload| codecs::is_transcodable(payload));
        let entry = |payload: &PayloadType| {
            let &PayloadType { number, codec, clock } = payload;
            Entry { number, codec, clock, route: Route::Transcode }
        };
        let entries: Vec<Entry> = decodable.map(entry).collect();
        let beside = audio.receive.iter().filter(|payload| !is_speech(payload.codec));
        let longest = ROOM_TICK + MAX_CONCEALMENT + MAX_PACKET_TIME;
        let mut detection = audio.detect_tones.then(|| ToneDetection::new(rate)).transpose()?.map(Box::new);
        if let Some(detection) = &mut detection {
            // Nobody in a room wants to hear the keys that others press.
            detection.erases = true;
        }
        Ok(Listener {
            decoding: Decoding::new(entries.iter(), rate)?,
            entries,
            beside: beside.map(|payload| payload.number).collect(),
            buffer: Buffer::default(),
            rate,
            pcm: vec![0; samples(longest, rate)].into(),
            filled: 0,
            cut_at: None,
            treatment: audio.speech,
            detection,
            found: VecDeque::with_capacity(MAX_FOUND_DIGITS),
        })
    }

    fn tick(&mut self, now: Instant, tick: &mut [i16]) -> bool {
        let mut speaks = self.fill(now, tick.len());
        let behind = self.time_of(self.filled.saturating_sub(tick.len()));
        let surplus = self.buffer.surplus(now, behind);
        if !surplus.is_zero() {
            self.leave_out(now, surplus, tick.len());
            speaks |= self.fill(now, tick.len());
        }
        let heard = self.pcm.get(..tick.len().min(self.filled)).unwrap_or_default();
        tick.fill(0);
        tick.iter_mut().zip(heard).for_each(|(to, from)| *to = *from);
        if let Some(detection) = &mut self.detection {
            detection.process(tick, |key| note(key, &mut self.found));
        }
        self.drop_front(tick.len());
        speaks && self.treatment == Treatment::Passed
    }

    /// Decodes until there are as many samples; says whether any of them came from the peer.
    fn fill(&mut self, now: Instant, wanted: usize) -> bool {
        let mut speaks = self.filled > 0;
        while self.filled < wanted {
            let missing = wanted - self.filled;
            let put_in = match self.buffer.next(now) {
                Next::Packet { packet, lost } => {
                    let room = self.pcm.get_mut(self.filled..).unwrap_or_default();
                    let heard = decode(&mut self.decoding, &self.entries, packet, lost, room);
                    let length = micros(heard.unwrap_or(0), self.rate);
                    self.buffer.heard(Duration::from_micros(length));
                    self.filled += heard.unwrap_or(0);
                    speaks |= heard.is_some();
                    continue;
                }
                Next::Concealment(at_most) => {
                    speaks = true;
                    let len = missing.min(samples(at_most, self.rate).max(1));
                    let concealed = self.decoding.conceal(len);
                    let room = self.pcm.get_mut(self.filled..self.filled + len).unwrap_or_default();
                    room.fill(0);
                    room.iter_mut().zip(concealed).for_each(|(to, from)| *to = *from);
                    len
                }
                Next::Silence => {
                    self.pcm.get_mut(self.filled..wanted).unwrap_or_default().fill(0);
                    missing
                }
            };
            self.filled += put_in;
            self.buffer.put_in(self.time_of(put_in));
        }
        speaks
    }

    /// Leaves something out, where it is hardly heard or there is no other way.
    fn leave_out(&mut self, now: Instant, surplus: Duration, tick: usize) {
        let first = self.pcm.get(..tick.min(self.filled)).unwrap_or_default();
        let power: i64 = first.iter().map(|&sample| i64::from(sample) * i64::from(sample)).sum();
        if power <= QUIET * first.len() as i64 {
            // At most half of a tick: a pause grows shorter, it does not vanish.
            self.drop_front(samples(surplus, self.rate).min(tick / 2));
            return;
        }
        let is_due = self.cut_at.is_none_or(|at| now.saturating_duration_since(at) >= BETWEEN_CUTS);
        if surplus > URGENT && is_due {
            self.fill(now, window(self.rate));
            let gone = shorten(self.pcm.get_mut(..self.filled).unwrap_or_default(), self.rate);
            self.filled -= gone.min(self.filled);
            self.cut_at = Some(now);
        }
    }

    fn drop_front(&mut self, len: usize) {
        let len = len.min(self.filled);
        self.pcm.copy_within(len..self.filled, 0);
        self.filled -= len;
    }

    fn time_of(&self, len: usize) -> Duration {
        Duration::from_micros(micros(len, self.rate))
    }
}

/// Keeps a whole digit; one too many is lost.
fn note(key: Key, found: &mut VecDeque<Digit>) {
    if let Key::Released(digit) = key
        && found.len() < MAX_FOUND_DIGITS
    {
        found.push_back(digit);
    }
}

/// Decodes a packet, and what is missing before it, behind what waits. Returns how many samples there are now; `None` if
/// it cannot be decoded.
fn decode(
    decoding: &mut Decoding,
    entries: &[Entry],
    packet: &[u8],
    lost: u32,
    room: &mut [i16],
) -> Option<usize> {
    let parsed = rtp::parse(packet).ok()?;
    let entry = entries.iter().find(|entry| entry.number == parsed.header.payload_type)?;
    let heard = decoding.packet(entry, &parsed.header, parsed.payload(packet), lost, true).ok()?;
    let all = heard.concealed.iter().chain(&*heard.speech);
    Some(room.iter_mut().zip(all).map(|(to, from)| *to = *from).count())
}

fn micros(samples: usize, rate: u32) -> u64 {
    at_rate(samples, rate, 1_000_000) as u64
}

impl Speaker {
    /// `None` if nothing that the peer takes is encoded here.
    fn new(audio: &Audio, rate: u32) -> Result<Option<Speaker>, CodecError> {
        let Some(target) = audio.send.iter().find(|target| codecs::is_transcodable(target)) else {
            return Ok(None);
        };
        let encoded = codecs::encoded_rate(target, [Some(rate)].into_iter());
        let resampler = if encoded == rate { None } else { Some(Resampler::new(rate, encoded)?) };
        let tick = samples(ROOM_TICK, rate);
        let resampled = resampler.as_ref().map_or(0, |resampler| resampler.output_len(tick));
        Ok(Some(Speaker {
            encoding: Encoding::new(target, encoded, audio)?,
            resampler,
            resampled: vec![0; resampled].into(),
            continuous: false,
        }))
    }
}
