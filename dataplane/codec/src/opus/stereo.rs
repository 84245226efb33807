//! Stereo, for recordings: one speaker on each channel.

use super::{rate, refused, setting_refused};
use crate::CodecError;
use audiopus::coder::Encoder as LibraryEncoder;
use audiopus::{Application, Bitrate, Channels};

/// A stereo encoder.
pub struct StereoEncoder {
    library: LibraryEncoder,
    lookahead: u32,
}

impl StereoEncoder {
    /// An encoder that takes samples at `sample_rate`: 8000, 12000, 16000, 24000 or 48000 Hz, and makes about so many
    /// bits a second with that complexity, 0 (cheapest) to 10 (best).
    ///
    /// # Errors
    /// [`CodecError`] for another rate or a setting out of range.
    pub fn new(sample_rate: u32, bitrate: u32, complexity: u8) -> Result<StereoEncoder, CodecError> {
        // The mode for speech would take the channels for one speaker, and let each be heard on the other.
        let mut library =
            LibraryEncoder::new(rate(sample_rate)?, Channels::Stereo, Application::Audio).map_err(refused)?;
        let bitrate = i32::try_from(bitrate).map_err(|_| CodecError::Setting)?;
        library.set_bitrate(Bitrate::BitsPerSecond(bitrate)).map_err(setting_refused)?;
        library.set_complexity(complexity).map_err(setting_refused)?;
        let lookahead = library.lookahead().map_err(refused)?;
        Ok(StereoEncoder { library, lookahead })
    }

    /// By how many samples of its own rate what is decoded lies behind what was encoded.
    pub fn lookahead(&self) -> u32 {
        self.lookahead
    }

    /// Encodes one frame, left and right in turns, into `payload` and returns the payload's length in bytes.
    ///
    /// # Errors
    /// [`CodecError`] if the frame's length is not one the codec has, or `payload` is too small.
    pub fn encode(&mut self, frame: &[i16], payload: &mut [u8]) -> Result<usize, CodecError> {
        self.library.encode(frame, payload).map_err(refused)
    }
}
