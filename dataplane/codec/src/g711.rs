//! G.711: A-law and mu-law (ITU-T Recommendation G.711), by tables computed at compile time.

use crate::concealment::Concealment;
use crate::{CodecError, Decoder, Encoder};

/// The sample rate of G.711, in Hz.
pub const SAMPLE_RATE: u32 = 8000;

const ULAW_BIAS: i32 = 0x84;
const ULAW_CLIP: i32 = 32_635;

/// Expands one mu-law code word to 16-bit linear (G.711 table 2).
pub const fn ulaw_expand(code: u8) -> i16 {
    let code = !code;
    let exponent = (code >> 4) & 7;
    let mantissa = (code & 0x0F) as i32;
    let magnitude = (((mantissa << 3) + ULAW_BIAS) << exponent) - ULAW_BIAS;
    (if code & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

/// Compresses one sample to mu-law.
pub const fn ulaw_compress(sample: i16) -> u8 {
    let negative = sample < 0;
    let magnitude = if negative { -(sample as i32) } else { sample as i32 };
    let biased = (if magnitude > ULAW_CLIP { ULAW_CLIP } else { magnitude }) + ULAW_BIAS;
    let exponent = 31 - (biased as u32).leading_zeros() - 7;
    let mantissa = (biased >> (exponent + 3)) & 0x0F;
    let sign = if negative { 0x80 } else { 0 };
    !(sign | ((exponent as u8) << 4) | mantissa as u8)
}

/// Expands one A-law code word to 16-bit linear (G.711 table 1).
pub const fn alaw_expand(code: u8) -> i16 {
    let code = code ^ 0x55;
    let exponent = (code >> 4) & 7;
    let mantissa = ((code & 0x0F) as i32) << 4;
    let magnitude = if exponent == 0 { mantissa + 8 } else { (mantissa + 0x108) << (exponent - 1) };
    (if code & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

/// Compresses one sample to A-law.
pub const fn alaw_compress(sample: i16) -> u8 {
    // Negative samples are mirrored with one's complement, so that -1 falls into the first negative interval.
    let (sign, magnitude) = if sample < 0 { (0, !(sample as i32)) } else { (0x80, sample as i32) };
    let exponent = if magnitude < 256 { 0 } else { 31 - (magnitude as u32).leading_zeros() - 7 };
    let mantissa = if exponent == 0 { magnitude >> 4 } else { (magnitude >> (exponent + 3)) & 0x0F };
    (sign | ((exponent as u8) << 4) | mantissa as u8) ^ 0x55
}

const fn expansion(alaw: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = if alaw { alaw_expand(code as u8) } else { ulaw_expand(code as u8) };
        code += 1;
    }
    table
}

static ULAW: [i16; 256] = expansion(false);
static ALAW: [i16; 256] = expansion(true);

/// Which of the two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// mu-law: PCMU.
    Mu,
    /// A-law: PCMA.
    A,
}

/// An encoder for either law, at 8 kHz.
#[derive(Clone, Copy, Debug)]
pub struct G711Encoder(Law);

impl G711Encoder {
    /// An encoder.
    pub fn new(law: Law) -> G711Encoder {
        G711Encoder(law)
    }
}

impl Encoder for G711Encoder {
    fn frame_samples(&self) -> usize {
        1
    }

    fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> Result<usize, CodecError> {
        let out = payload.get_mut(..pcm.len()).ok_or(CodecError::FrameLength)?;
        match self.0 {
            Law::Mu => out.iter_mut().zip(pcm).for_each(|(code, sample)| *code = ulaw_compress(*sample)),
            Law::A => out.iter_mut().zip(pcm).for_each(|(code, sample)| *code = alaw_compress(*sample)),
        }
        Ok(pcm.len())
    }
}

/// A decoder for either law, at 8 kHz, with concealment.
pub struct G711Decoder {
    table: &'static [i16; 256],
    concealment: Concealment,
}

impl G711Decoder {
    /// A decoder.
    pub fn new(law: Law) -> G711Decoder {
        let table = match law {
            Law::Mu => &ULAW,
            Law::A => &ALAW,
        };
        G711Decoder { table, concealment: Concealment::new(SAMPLE_RATE) }
    }
}

impl Decoder for G711Decoder {
    fn frame_samples(&self) -> usize {
        1
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if payload.is_empty() {
            return Err(CodecError::Malformed);
        }
        let out = pcm.get_mut(..payload.len()).ok_or(CodecError::FrameLength)?;
        for (sample, code) in out.iter_mut().zip(payload) {
            *sample = self.table[usize::from(*code)];
        }
        self.concealment.good_frame(out);
        Ok(payload.len())
    }

    fn conceal(&mut self, pcm: &mut [i16]) {
        self.concealment.lost_frame(pcm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decision values of G.711 tables 1a and 2a: what the quantiser's ends expand to.
    #[test]
    fn the_ends_of_both_laws() {
        assert_eq!((ulaw_expand(0xFF), ulaw_expand(0x80), ulaw_expand(0x00)), (0, 32_124, -32_124));
        assert_eq!((alaw_expand(0xD5), alaw_expand(0xAA), alaw_expand(0x2A)), (8, 32_256, -32_256));
        assert_eq!((ulaw_compress(0), alaw_compress(0)), (0xFF, 0xD5));
        assert_eq!((ulaw_compress(i16::MIN), ulaw_compress(i16::MAX)), (0x00, 0x80));
        assert_eq!((alaw_compress(i16::MIN), alaw_compress(i16::MAX)), (0x2A, 0xAA));
    }

    #[test]
    fn every_code_word_survives_a_round_trip() {
        for code in 0..=255 {
            assert_eq!(alaw_compress(alaw_expand(code)), code);
            // Mu-law has two zeros; the negative one (0x7F) becomes the positive.
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(ulaw_compress(ulaw_expand(code)), expected);
        }
    }

    #[test]
    fn compression_picks_the_nearest_interval() {
        for sample in i16::MIN..=i16::MAX {
            let error = (i32::from(ulaw_expand(ulaw_compress(sample))) - i32::from(sample)).abs();
            assert!(error <= i32::from(sample).abs() / 16 + 700, "{sample}: {error}");
            let error = (i32::from(alaw_expand(alaw_compress(sample))) - i32::from(sample)).abs();
            assert!(error <= i32::from(sample).abs() / 16 + 16, "{sample}: {error}");
        }
    }

    #[test]
    fn small_buffers_are_refused() {
        assert_eq!(G711Encoder::new(Law::A).encode(&[0; 160], &mut [0; 159]), Err(CodecError::FrameLength));
        assert_eq!(G711Decoder::new(Law::A).decode(&[0; 160], &mut [0; 159]), Err(CodecError::FrameLength));
        assert_eq!(G711Decoder::new(Law::Mu).decode(&[], &mut [0; 160]), Err(CodecError::Malformed));
    }
}
