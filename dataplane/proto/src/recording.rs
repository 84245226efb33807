//! What a session gives away to be recorded. It does so with its packets as they came, so that nothing of a recording
//! is done on the packet path but one copy.

use std::time::Instant;

use tandem_codec::{CodecError, Decoder};
use tandem_control::{Codec, PayloadType, Side};

use crate::codecs;
use crate::rtp::Header;
use crate::tone_detection::ToneDetection;

/// A packet that one side let the other hear.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The side that sent it.
    pub side: Side,
    /// The coding of its payload.
    pub codec: Codec,
    /// The clock of its time stamp, in Hz.
    pub clock: u32,
    /// Its header.
    pub header: &'a Header,
    /// Its payload, in the clear.
    pub payload: &'a [u8],
    /// Its tones are digits, which the other side does not hear as such ([`tandem_control::Audio::detect_tones`]).
    pub tones_are_digits: bool,
}

/// Takes what is to be recorded. Dropped with the session, or when the recording is stopped. Neither allocates nor
/// waits.
pub trait Tap: Send {
    /// Takes a copy of an authentic packet, in the order of arrival.
    fn packet(&mut self, now: Instant, heard: &Heard<'_>);

    /// What comes from now on is left out; `false` if that cannot be told now.
    fn pause(&mut self, now: Instant) -> bool;

    /// The end of a pause; `false` if that cannot be told now.
    fn resume(&mut self, now: Instant) -> bool;

    /// Whether nobody takes anything any more: the recording has ended.
    fn is_over(&self) -> bool;
}

/// A decoder for what was heard, and the rate of its samples in Hz: the codec's own, or `rate` for one that has none.
///
/// # Errors
/// What the codec says; [`CodecError::Malformed`] for what is not decoded here.
pub fn decoder(codec: Codec, clock: u32, rate: u32) -> Result<(Box<dyn Decoder>, u32), CodecError> {
    if !codecs::is_transcodable(&PayloadType { number: 0, codec, clock }) {
        return Err(CodecError::Malformed);
    }
    let rate = codecs::native_rate(codec, clock).unwrap_or(rate);
    Ok((codecs::decoder(codec, rate)?, rate))
}

/// Takes the tones of digits out of what was heard, for the other side did not hear them.
pub struct DigitEraser(ToneDetection);

impl DigitEraser {
    /// For samples at `rate`: 8000, 16000 or 48000 Hz.
    ///
    /// # Errors
    /// [`CodecError`] for another rate.
    pub fn new(rate: u32) -> Result<DigitEraser, CodecError> {
        let mut detection = ToneDetection::new(rate)?;
        detection.erases = true;
        Ok(DigitEraser(detection))
    }

    /// Silences the digits in the next samples, those of one packet.
    pub fn erase(&mut self, pcm: &mut [i16]) {
        self.0.process(pcm, |_| {});
    }
}
