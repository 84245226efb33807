//! From payloads to samples of the recording.

use super::RATE;
use crate::files::tap::{Coding, PacketHead};
use tandem_codec::Decoder;
use tandem_codec::resampler::Resampler;
use tandem_media::recording::decoder;

/// The longest packet: 120 ms of Opus (RFC 6716 section 3.2.5); the other codings get no further with a datagram of
/// 1500 bytes, but for G.711.
const LONGEST_MS: u32 = 200;

/// The decoder of one coding.
pub(super) struct Decoding {
    coding: Coding,
    clock: u32,
    decoder: Box<dyn Decoder>,
    /// Samples a second that the decoder makes.
    rate: u32,
    resampler: Option<Resampler>,
    pcm: Vec<i16>,
}

impl Decoding {
    /// `None` if there is no decoder for it.
    pub(super) fn new(head: &PacketHead) -> Option<Decoding> {
        let (decoder, rate) = decoder(head.coding.codec(), head.clock, RATE).ok()?;
        let resampler = if rate == RATE { None } else { Some(Resampler::new(rate, RATE).ok()?) };
        let pcm = vec![0; (rate / 1000 * LONGEST_MS) as usize];
        Some(Decoding { coding: head.coding, clock: head.clock, decoder, rate, resampler, pcm })
    }

    pub(super) fn is_for(&self, head: &PacketHead) -> bool {
        head.coding == self.coding && head.clock == self.clock
    }

    /// Appends the samples of a payload; `false` if it has none.
    pub(super) fn decode(&mut self, payload: &[u8], to: &mut Vec<i16>) -> bool {
        let decoded = self.decoder.decode(payload, &mut self.pcm).unwrap_or(0);
        self.convert(decoded, to);
        decoded > 0
    }

    /// Appends so many samples in the place of packets that were lost, of which the last one may be in `next`.
    pub(super) fn conceal(&mut self, samples: usize, lost: u64, next: &[u8], to: &mut Vec<i16>) {
        let len = (samples * self.rate as usize / RATE as usize).min(self.pcm.len());
        let room = &mut self.pcm[..len];
        if lost != 1 || !self.decoder.recover(next, room) {
            self.decoder.conceal(room);
        }
        self.convert(len, to);
    }

    fn convert(&mut self, len: usize, to: &mut Vec<i16>) {
        let pcm = self.pcm.get(..len).unwrap_or_default();
        let Some(resampler) = &mut self.resampler else { return to.extend_from_slice(pcm) };
        let before = to.len();
        to.resize(before + resampler.output_len(len), 0);
        let made = resampler.process(pcm, &mut to[before..]);
        to.truncate(before + made);
    }
}
