//! What is made here for a peer to hear, packet after packet as the time passes: digits as tones, and comfort noise.

use std::time::Instant;

use tandem_codec::comfort_noise::ComfortNoise;

use crate::decoding::samples;
use crate::drops::DropReason;
use crate::dtmf::Player;
use crate::encoding::{Encoding, Target};
use crate::limits::LONGEST_NOISE;

/// What one peer is made to hear.
#[derive(Default)]
pub(crate) struct Made {
    noise: Option<Noise>,
    /// When the next packet is due.
    due: Option<Instant>,
}

/// Comfort noise (RFC 3389) until speech comes, or for long enough.
struct Noise {
    generator: ComfortNoise,
    until: Instant,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("due", &self.due).finish_non_exhaustive()
    }
}

impl Made {
    /// Makes noise as a payload of RFC 3389 says, until speech comes.
    pub(crate) fn begin_noise(&mut self, now: Instant, payload: &[u8]) {
        let noise =
            self.noise.get_or_insert_with(|| Noise { generator: ComfortNoise::default(), until: now });
        noise.until = now + LONGEST_NOISE;
        if noise.generator.update(payload).is_err() {
            self.noise = None;
        }
    }

    /// Whether noise is made.
    pub(crate) fn is_noisy(&self) -> bool {
        self.noise.is_some()
    }

    /// Speech comes. Returns the noise that was made until now, to be heard until it does.
    pub(crate) fn end_noise(&mut self) -> Option<ComfortNoise> {
        self.noise.take().map(|noise| noise.generator)
    }

    /// Begins to make packets, the first when it is due in the stream.
    pub(crate) fn begin(&mut self, now: Instant, sent_at: Option<Instant>, encoding: &Encoding) {
        let first = sent_at.map_or(now, |sent_at| now.max(sent_at + encoding.packet_time()));
        self.due.get_or_insert(first);
    }

    /// The receiver may not be sent anything now.
    pub(crate) fn wait(&mut self, now: Instant, encoding: &Encoding) {
        if let Some(due) = self.due.as_mut().filter(|due| **due <= now) {
            *due = now + encoding.packet_time();
        }
    }

    /// When [`Made::step`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Makes the packet that is due, if one is; returns how many samples it has. `digits` are those to be heard as tones;
    /// `left_out`: a telephone event stands in its place.
    ///
    /// # Errors
    /// [`DropReason::Unencodable`].
    pub(crate) fn step(
        &mut self,
        mut digits: Option<&mut Player>,
        left_out: bool,
        encoding: &mut Encoding,
        to: &mut Target<'_>,
    ) -> Result<usize, DropReason> {
        let Some(due) = self.due.filter(|&due| due <= to.now) else { return Ok(0) };
        let packet_time = encoding.packet_time();
        // A late call does not make a burst: what was missed stays silent.
        let base = if to.now.duration_since(due) > 2 * packet_time { to.now } else { due };
        self.noise.take_if(|noise| noise.until <= to.now);
        let rate = encoding.rate();
        if left_out {
            self.due = Some(base + packet_time);
            let samples = samples(packet_time, rate);
            encoding.skip(samples, to);
            return Ok(samples);
        }
        let made = encoding.make(to, |pcm| {
            let sounds = digits.as_mut().is_some_and(|digits| digits.sound(pcm, rate));
            sounds
                || self.noise.as_mut().is_some_and(|noise| {
                    noise.generator.fill(pcm);
                    true
                })
        });
        let is_busy = self.noise.is_some() || digits.is_some_and(|digits| digits.is_busy());
        self.due = is_busy.then_some(base + packet_time);
        made
    }
}
