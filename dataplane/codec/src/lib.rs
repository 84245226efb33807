//! Speech codecs, one file each, behind two small traits.
//!
//! Samples are 16-bit linear, mono, at the rate the codec was opened with. The only crate beside the drivers
//! with foreign code under it; it knows nothing of RTP.

pub mod comfort_noise;
mod concealment;
pub mod dtmf_detector;
pub mod g711;
pub mod g722;
pub mod g729;
pub mod mixer;
pub mod opus;
pub mod resampler;
pub mod shortening;
pub mod speex;
pub mod tones;

use thiserror::Error;

/// The longest payload that a decoder looks at, in bytes: more than fits an Ethernet frame.
pub const MAX_PAYLOAD: usize = 1500;

/// Turns samples into payloads. Allocates nothing after it was made.
pub trait Encoder: Send {
    /// The smallest number of samples that can be encoded. Packets hold a whole number of such frames.
    fn frame_samples(&self) -> usize;

    /// The samples of the longest packet that is no longer than `wanted` samples, but at least one frame.
    fn packet_samples(&self, wanted: usize) -> usize {
        (wanted - wanted % self.frame_samples()).max(self.frame_samples())
    }

    /// Encodes the samples of one packet and returns the payload's length in bytes. Zero: nothing need be sent for
    /// this time (discontinuous transmission), and the time stamp moves on.
    ///
    /// # Errors
    /// [`CodecError`] if the packet's length is not one the codec has, or `payload` is too small.
    fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> Result<usize, CodecError>;

    /// Prepares for another rate of loss from the next packet on, 0 to 100 percent: what the receiver reports. Without
    /// effect on a codec that has no means for that.
    fn expect_loss(&mut self, percent: u8) {
        let _ = percent;
    }
}

/// Turns payloads into samples. Allocates nothing after it was made.
pub trait Decoder: Send {
    /// The smallest number of samples that a payload holds.
    fn frame_samples(&self) -> usize;

    /// Decodes one payload into `pcm` and returns the number of samples.
    ///
    /// # Errors
    /// [`CodecError`] if the payload is not valid or holds more samples than `pcm`.
    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError>;

    /// Fills `pcm` with what most likely was in lost packets of that length. Any length is filled; whole frames
    /// sound best.
    fn conceal(&mut self, pcm: &mut [i16]);

    /// Whether after this payload nothing more may come until there is speech again (discontinuous transmission): what it
    /// decodes to is the noise that fills the pause.
    fn announces_silence(&self, payload: &[u8]) -> bool {
        let _ = payload;
        false
    }

    /// Fills `pcm` with the time before the payload `next`, out of what `next` carries of the packet before it
    /// (in-band forward error correction), and says whether it could. What of `pcm` lies further back is concealed.
    /// If it could not, nothing happened: `pcm` is to be concealed instead. `next` is decoded afterwards as usual.
    fn recover(&mut self, next: &[u8], pcm: &mut [i16]) -> bool {
        let _ = (next, pcm);
        false
    }
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
    /// A setting that is out of range.
    #[error("a codec setting out of range")]
    Setting,
    /// A sample rate that cannot be had here.
    #[error("no such sample rate")]
    Rate,
    /// The library refused; its own code.
    #[error("codec library error {0}")]
    Library(i32),
}
