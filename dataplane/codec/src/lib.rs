//! Speech codecs, one file each, behind two small traits.
//!
//! Samples are 16-bit linear, mono, at the rate the codec was opened with. The only crate beside the drivers
//! with foreign code under it; it knows nothing of RTP.

mod concealment;
pub mod dtmf_detector;
pub mod g711;
pub mod opus;
pub mod resampler;
pub mod tones;

use thiserror::Error;

/// Turns samples into payloads. Allocates nothing after it was made.
pub trait Encoder: Send {
    /// Encodes one frame of `pcm` into `payload` and returns the payload's length in bytes.
    ///
    /// # Errors
    /// [`CodecError`] if the frame's length is not one the codec has, or `payload` is too small.
    fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> Result<usize, CodecError>;
}

/// Turns payloads into samples. Allocates nothing after it was made.
pub trait Decoder: Send {
    /// Decodes one payload into `pcm` and returns the number of samples.
    ///
    /// # Errors
    /// [`CodecError`] if the payload is not valid or holds more samples than `pcm`.
    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError>;

    /// Fills `pcm` with what most likely was in lost packets of that length.
    fn conceal(&mut self, pcm: &mut [i16]);
}

/// What a codec refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// A payload that the codec cannot decode.
    #[error("malformed payload")]
    Malformed,
    /// A frame of a length that the codec does not have, or a buffer that is too small.
    #[error("wrong frame length")]
    FrameLength,
    /// A sample rate that cannot be had here.
    #[error("no such sample rate")]
    Rate,
    /// The library refused; its own code.
    #[error("codec library error {0}")]
    Library(i32),
}
