//! G.722 at 64 kbit/s (ITU-T Recommendation G.722, mode 1): two sub-bands, each coded by adaptive differences.
//!
//! Samples are at 16 kHz, and one octet holds two. RTP's clock for it runs at 8 kHz all the same (RFC 3551 section
//! 4.5.2): one octet a tick.

mod band;
mod tables;

use crate::concealment::Concealment;
use crate::{CodecError, Decoder, Encoder};
use band::{Band, HIGHER, LOWER};

/// The sample rate of G.722, in Hz.
pub const SAMPLE_RATE: u32 = 16_000;
/// Samples in one octet.
pub const FRAME_SAMPLES: usize = 2;

/// Pairs of coefficients of a quadrature mirror filter.
const PAIRS: usize = 12;
/// Bits of a code word that belong to the lower band.
const LOWER_BITS: u32 = 6;
const LOWER_MASK: u8 = (1 << LOWER_BITS) - 1;
/// The filter's gain is 2 to the power of 13; sub-band samples have 15 bits, so that their sum has 16.
const ANALYSIS_SHIFT: u32 = 14;
const SYNTHESIS_SHIFT: u32 = 11;

/// The delay line of a quadrature mirror filter, in pairs of samples. It is written twice, half a buffer apart, so
/// that its newest part lies in one piece.
struct Mirror {
    pairs: [[i32; 2]; 2 * PAIRS],
    next: usize,
}

impl Mirror {
    fn new() -> Mirror {
        Mirror { pairs: [[0; 2]; 2 * PAIRS], next: 0 }
    }

    /// Takes the next two values, in their order, and returns what all first and all second ones of a pair give.
    fn filter(&mut self, pair: [i32; 2]) -> [i32; 2] {
        self.pairs[self.next] = pair;
        self.pairs[self.next + PAIRS] = pair;
        self.next = (self.next + 1) % PAIRS;
        let window = &self.pairs[self.next..self.next + PAIRS];
        window.iter().zip(&tables::H).fold([0; 2], |sums, (values, coefficients)| {
            [sums[0] + values[0] * coefficients[0], sums[1] + values[1] * coefficients[1]]
        })
    }
}

/// An encoder.
pub struct G722Encoder {
    lower: Band,
    higher: Band,
    mirror: Mirror,
}

impl G722Encoder {
    /// An encoder.
    #[expect(clippy::new_without_default, reason = "codecs are made by name, like those that can fail")]
    pub fn new() -> G722Encoder {
        G722Encoder { lower: Band::new(LOWER), higher: Band::new(HIGHER), mirror: Mirror::new() }
    }

    fn code(&mut self, pair: [i16; 2]) -> u8 {
        let [older, newer] = self.mirror.filter(pair.map(i32::from));
        let low = self.lower.code_low((newer + older) >> ANALYSIS_SHIFT);
        let high = self.higher.code_high((newer - older) >> ANALYSIS_SHIFT);
        high << LOWER_BITS | low
    }
}

impl Encoder for G722Encoder {
    fn frame_samples(&self) -> usize {
        FRAME_SAMPLES
    }

    fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> Result<usize, CodecError> {
        let (pairs, []) = pcm.as_chunks::<FRAME_SAMPLES>() else { return Err(CodecError::FrameLength) };
        let codes = payload.get_mut(..pairs.len()).ok_or(CodecError::FrameLength)?;
        for (code, pair) in codes.iter_mut().zip(pairs) {
            *code = self.code(*pair);
        }
        Ok(pairs.len())
    }
}

/// A decoder, with concealment.
pub struct G722Decoder {
    lower: Band,
    higher: Band,
    mirror: Mirror,
    concealment: Concealment,
}

impl G722Decoder {
    /// A decoder.
    #[expect(clippy::new_without_default, reason = "codecs are made by name, like those that can fail")]
    pub fn new() -> G722Decoder {
        G722Decoder {
            lower: Band::new(LOWER),
            higher: Band::new(HIGHER),
            mirror: Mirror::new(),
            concealment: Concealment::new(SAMPLE_RATE),
        }
    }

    fn samples(&mut self, code: u8) -> [i16; 2] {
        let low = self.lower.decode_low(code & LOWER_MASK);
        let high = self.higher.decode_high(code >> LOWER_BITS);
        let [second, first] = self.mirror.filter([low + high, low - high]);
        let limit =
            |sum: i32| (sum >> SYNTHESIS_SHIFT).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        [limit(first), limit(second)]
    }
}

impl Decoder for G722Decoder {
    fn frame_samples(&self) -> usize {
        FRAME_SAMPLES
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if payload.is_empty() {
            return Err(CodecError::Malformed);
        }
        let samples = payload.len() * FRAME_SAMPLES;
        let room = pcm.get_mut(..samples).ok_or(CodecError::FrameLength)?;
        let (pairs, _) = room.as_chunks_mut::<FRAME_SAMPLES>();
        for (pair, code) in pairs.iter_mut().zip(payload) {
            *pair = self.samples(*code);
        }
        self.concealment.good_frame(room);
        Ok(samples)
    }

    fn conceal(&mut self, pcm: &mut [i16]) {
        self.concealment.lost_frame(pcm);
    }
}

#[cfg(test)]
mod tests;
