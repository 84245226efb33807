//! From payloads to samples: what one leg sends, in its order, as linear PCM at one rate.
//!
//! Each payload type has a decoder, which works at its codec's own rate; behind it stands a resampler where that is
//! not the rate that is wanted. What was lost is brought back from the next packet where that carries it (in-band
//! FEC), else concealed; what the sender left out (silence suppression) is told as such.

use std::time::Duration;

use tandem_codec::resampler::Resampler;
use tandem_codec::{CodecError, Decoder};

use crate::codecs;
use crate::drops::DropReason;
use crate::limits::{MAX_CONCEALMENT, MAX_OVERLAP, MAX_PACKET_TIME, TIMESTAMP_JUMP};
use crate::routes::Entry;
use crate::rtp::Header;

/// What one packet, and the time before it, sounds like.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard<'a> {
    /// It does not follow what was heard before: another time line begins with it.
    pub(crate) fresh: bool,
    /// What stands for packets that were lost before it.
    pub(crate) concealed: &'a mut [i16],
    /// Samples of silence that the sender left out after them.
    pub(crate) silence: usize,
    /// The packet.
    pub(crate) speech: &'a mut [i16],
}

/// The decoders of one direction. Their memory is taken when they are made.
pub(crate) struct Decoding {
    lines: Vec<Line>,
    rate: u32,
    /// What the last packet gave, at `rate`.
    pcm: Box<[i16]>,
    /// The same at the decoder's rate, where that is another.
    native: Box<[i16]>,
    /// The time stamp that follows what was decoded, and its clock; `None` starts the time line anew.
    expected: Option<(u32, u32)>,
    /// Samples of the last packet, at `rate`.
    packet_samples: usize,
    /// The payload type of the last packet.
    last: Option<u8>,
    /// Some time was filled in the place of packets, and nothing was heard since.
    passed: bool,
    /// Packets since the last good one that could not be decoded.
    spoiled: u32,
    pub(crate) repairs: Repairs,
}

/// What became of lost packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repairs {
    /// They were concealed.
    pub(crate) concealed: u64,
    /// The next one brought them back.
    pub(crate) recovered: u64,
}

impl std::ops::Add for Repairs {
    type Output = Repairs;

    fn add(self, other: Repairs) -> Repairs {
        Repairs { concealed: self.concealed + other.concealed, recovered: self.recovered + other.recovered }
    }
}

/// One payload type.
struct Line {
    number: u8,
    rate: u32,
    decoder: Box<dyn Decoder>,
    resampler: Option<Resampler>,
}

impl std::fmt::Debug for Decoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoding").field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl Decoding {
    /// Decoders for these payload types, whose samples come at `rate`.
    ///
    /// # Errors
    /// What the codecs and the resampler say.
    pub(crate) fn new<'a>(
        entries: impl Iterator<Item = &'a Entry>,
        rate: u32,
    ) -> Result<Decoding, CodecError> {
        let line = |entry: &Entry| {
            let native = codecs::native_rate(entry.codec, entry.clock).unwrap_or(rate);
            let resampler = (native != rate).then(|| Resampler::new(native, rate)).transpose()?;
            let decoder = codecs::decoder(entry.codec, native)?;
            Ok(Line { number: entry.number, rate: native, decoder, resampler })
        };
        let lines = entries.map(line).collect::<Result<Vec<Line>, CodecError>>()?;
        let longest = |rate: u32| samples(MAX_CONCEALMENT + MAX_PACKET_TIME, rate);
        let resampled = lines.iter().filter(|line| line.resampler.is_some());
        let native = resampled.map(|line| line.rate).max().map_or(0, longest);
        Ok(Decoding {
            lines,
            rate,
            pcm: vec![0; longest(rate)].into(),
            native: vec![0; native].into(),
            expected: None,
            packet_samples: 0,
            last: None,
            passed: false,
            spoiled: 0,
            repairs: Repairs::default(),
        })
    }

    /// Whatever comes next starts a new run.
    pub(crate) fn restart(&mut self) {
        self.expected = None;
        self.last = None;
        self.passed = false;
        self.spoiled = 0;
    }

    /// Whether there is a time line that the next packet may follow.
    pub(crate) fn is_running(&self) -> bool {
        self.expected.is_some()
    }

    /// Whether speech pauses after such a payload, see [`Decoder::announces_silence`].
    pub(crate) fn announces_silence(&self, number: u8, payload: &[u8]) -> bool {
        let line = self.lines.iter().find(|line| line.number == number);
        line.is_some_and(|line| line.decoder.announces_silence(payload))
    }

    /// Takes one packet in its turn; `lost` packets before it are missing. Unless it `counts`, it is heard aside: time
    /// goes on otherwise, see [`Decoding::pass`].
    ///
    /// # Errors
    /// [`DropReason::Undecodable`]; it then counts as lost when the next one comes.
    pub(crate) fn packet(
        &mut self,
        entry: &Entry,
        header: &Header,
        payload: &[u8],
        lost: u32,
        counts: bool,
    ) -> Result<Heard<'_>, DropReason> {
        let lost = lost.saturating_add(self.spoiled);
        let ahead = self.ahead(header.timestamp, entry.clock, lost);
        let gap = ahead.map_or(0, |ahead| usize::try_from(ahead).unwrap_or(0));
        let missing = self.packet_samples.saturating_mul(lost as usize);
        let missing = missing.min(gap).min(samples(MAX_CONCEALMENT, self.rate));
        let line = self.lines.iter_mut().find(|line| line.number == header.payload_type);
        let Some(line) = line else { return Err(DropReason::Undecodable) };
        let to = if line.resampler.is_some() { &mut self.native } else { &mut self.pcm };
        let before = at_rate(missing, self.rate, line.rate).min(to.len());
        let Some((decoded, recovered)) = line.decode(payload, to, before) else {
            self.spoiled = self.spoiled.saturating_add(1);
            return Err(DropReason::Undecodable);
        };
        let duration = at_rate(decoded, line.rate, entry.clock) as u32;
        let total = match &mut line.resampler {
            Some(resampler) => {
                let native = self.native.get(..before + decoded).unwrap_or_default();
                resampler.process(native, &mut self.pcm)
            }
            None => before + decoded,
        };
        let mut speech = total.saturating_sub(missing);
        self.packet_samples = speech;
        self.last = Some(header.payload_type);
        self.spoiled = 0;
        if missing > 0 {
            self.repairs.recovered += u64::from(recovered);
            self.repairs.concealed += u64::from(lost - u32::from(recovered));
        }
        if counts {
            let overlap = ahead.map_or(0, |ahead| usize::try_from(-ahead).unwrap_or(0));
            if self.passed && overlap >= speech {
                speech = 0;
            } else {
                self.passed = false;
                let follows = self.expected.filter(|_| overlap > 0).map_or(header.timestamp, |(at, _)| at);
                self.expected = Some((follows.wrapping_add(duration), entry.clock));
            }
        }
        let (concealed, rest) = self.pcm.split_at_mut(missing.min(total));
        let speech = rest.get_mut(..speech).unwrap_or_default();
        Ok(Heard { fresh: ahead.is_none(), concealed, silence: gap - missing, speech })
    }

    /// Samples from what was decoded last to that time stamp, below zero where they overlap; `None` where no time line
    /// leads from one to the other.
    pub(crate) fn ahead(&self, timestamp: u32, clock: u32, lost: u32) -> Option<i64> {
        let (expected, expected_clock) = self.expected?;
        if clock != expected_clock {
            // RFC 7160 section 3: time stamps of different clocks say nothing of the time between them.
            return i64::try_from(self.packet_samples.saturating_mul(lost as usize)).ok();
        }
        let units = i64::from(timestamp.wrapping_sub(expected).cast_signed());
        let of_clock = |time: Duration| samples(time, clock) as i64;
        let is_near = (-of_clock(MAX_OVERLAP)..of_clock(TIMESTAMP_JUMP)).contains(&units);
        is_near.then(|| units * i64::from(self.rate) / i64::from(clock.max(1)))
    }

    /// Up to so many samples of what most likely follows what was heard last. Time goes on otherwise: nothing is known of
    /// what they stand for.
    pub(crate) fn conceal(&mut self, wanted: usize) -> &[i16] {
        let line = self.last.and_then(|number| self.lines.iter_mut().find(|line| line.number == number));
        let Some(line) = line else { return &[] };
        let len = at_rate(wanted, self.rate, line.rate);
        let made = match &mut line.resampler {
            Some(resampler) => {
                let len = len.min(self.native.len());
                let native = self.native.get_mut(..len).unwrap_or_default();
                line.decoder.conceal(native);
                resampler.process(native, &mut self.pcm)
            }
            None => {
                let len = len.min(self.pcm.len());
                line.decoder.conceal(self.pcm.get_mut(..len).unwrap_or_default());
                len
            }
        };
        self.pcm.get(..made.min(wanted)).unwrap_or_default()
    }

    /// So many samples of the time line were filled otherwise. Packets that lie wholly in that time are not heard if it
    /// was filled in their place.
    pub(crate) fn pass(&mut self, samples: usize, in_their_place: bool) {
        if let Some((expected, clock)) = &mut self.expected {
            *expected = expected.wrapping_add(at_rate(samples, self.rate, *clock) as u32);
            self.passed |= in_their_place && samples > 0;
        }
    }
}

impl Line {
    /// Decodes a payload behind `before` samples, which stand for lost packets. Returns how many samples it has, and
    /// whether in-band FEC brought back the packet before it.
    fn decode(&mut self, payload: &[u8], to: &mut [i16], before: usize) -> Option<(usize, bool)> {
        let (lost, room) = to.split_at_mut_checked(before)?;
        let recovered = !lost.is_empty() && self.decoder.recover(payload, lost);
        if !lost.is_empty() && !recovered {
            self.decoder.conceal(lost);
        }
        let longest = samples(MAX_PACKET_TIME, self.rate).min(room.len());
        let decoded = self.decoder.decode(payload, room.get_mut(..longest)?).ok()?;
        (1..=longest).contains(&decoded).then_some((decoded, recovered))
    }
}

/// How many samples, or units of a clock, a time has.
pub(crate) fn samples(time: Duration, rate: u32) -> usize {
    (time.as_micros() * u128::from(rate) / 1_000_000) as usize
}

/// So many samples at another rate.
pub(crate) fn at_rate(samples: usize, from: u32, to: u32) -> usize {
    (samples as u64 * u64::from(to) / u64::from(from.max(1))) as usize
}

/// The time of so many samples.
pub(crate) fn time_of(samples: usize, rate: u32) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(rate.max(1)))
}
