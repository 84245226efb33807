//! Opus (RFC 6716) over libopus 1.6.1.
//!
//! Encoder and decoder are opened at the rate of the *other* side of a transcoding: libopus then works at that rate
//! inside, which costs a third of 48 kHz and needs no resampler.

pub mod stereo;

use crate::{CodecError, Decoder, Encoder};
use audiopus::coder::{Decoder as LibraryDecoder, Encoder as LibraryEncoder};
use audiopus::{Application, Bandwidth, Bitrate, Channels, MutSignals, SampleRate, packet::Packet};

/// The version of libopus that the measured figures hold for; [`library_is_current`] compares.
const LIBRARY: &str = "1.6";
/// libopus makes and takes frames in multiples of 2.5 ms: 400 a second.
const FRAME_UNITS_PER_SECOND: u32 = 400;

/// The frames that make one packet, in units of 2.5 ms (RFC 6716 section 2.1.4): 60, 40, 20, 10, 5 and 2.5 ms.
const FRAME_UNITS: [usize; 6] = [24, 16, 8, 4, 2, 1];
/// A packet of no more bytes is a frame without content: with DTX (RFC 7587 section 3.1.3) it need not be sent.
const LONGEST_EMPTY_PACKET: usize = 2;

/// How an encoder is set up: the sender's side of the parameters of RFC 7587 section 6.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusSettings {
    /// 0 (cheapest) to 10 (best).
    pub complexity: u8,
    /// Bits a second, on average: 500 to 512,000.
    pub bitrate: u32,
    /// Whether packets carry a coarse copy of the one before (LBRR); costs bit rate.
    pub inband_fec: bool,
    /// The loss that in-band FEC prepares for, in percent. Without any, no copies are made.
    pub expected_loss: u8,
    /// Discontinuous transmission: in silence only one frame in 400 ms is sent, and an empty one behind it.
    pub dtx: bool,
    /// The highest sample rate that the receiver can play, in Hz (`maxplaybackrate`); nothing above is encoded.
    pub max_playback_rate: u32,
}

impl Default for OpusSettings {
    fn default() -> OpusSettings {
        OpusSettings {
            complexity: 5,
            bitrate: 24_000,
            inband_fec: false,
            expected_loss: 0,
            dtx: false,
            max_playback_rate: 48_000,
        }
    }
}

/// Whether the linked libopus is the one that this crate was measured with (and not an old system library).
pub fn library_is_current() -> bool {
    audiopus::version().contains(LIBRARY)
}

/// A mono encoder for speech.
pub struct OpusEncoder {
    library: LibraryEncoder,
    /// Samples in 2.5 ms.
    unit: usize,
    dtx: bool,
    /// Whether the last packet had no content.
    pauses: bool,
}

impl OpusEncoder {
    /// An encoder that takes samples at `sample_rate`: 8000, 12000, 16000, 24000 or 48000 Hz.
    ///
    /// # Errors
    /// [`CodecError`] for another rate or a setting out of range.
    pub fn new(sample_rate: u32, settings: OpusSettings) -> Result<OpusEncoder, CodecError> {
        let mut library =
            LibraryEncoder::new(rate(sample_rate)?, Channels::Mono, Application::Voip).map_err(refused)?;
        let bitrate = i32::try_from(settings.bitrate).map_err(|_| CodecError::Setting)?;
        library.set_bitrate(Bitrate::BitsPerSecond(bitrate)).map_err(setting_refused)?;
        library.set_complexity(settings.complexity).map_err(setting_refused)?;
        library.set_inband_fec(settings.inband_fec).map_err(setting_refused)?;
        library.set_packet_loss_perc(settings.expected_loss).map_err(setting_refused)?;
        library.set_dtx(settings.dtx).map_err(setting_refused)?;
        library.set_max_bandwidth(bandwidth(settings.max_playback_rate)).map_err(setting_refused)?;
        Ok(OpusEncoder { library, unit: unit(sample_rate), dtx: settings.dtx, pauses: false })
    }
}

impl Encoder for OpusEncoder {
    fn frame_samples(&self) -> usize {
        self.unit
    }

    fn packet_samples(&self, wanted: usize) -> usize {
        let fitting = FRAME_UNITS.iter().find(|&units| units * self.unit <= wanted);
        fitting.map_or(self.unit, |units| units * self.unit)
    }

    fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> Result<usize, CodecError> {
        let length = self.library.encode(pcm, payload).map_err(refused)?;
        let is_empty = self.dtx && length <= LONGEST_EMPTY_PACKET;
        // The first one is sent: it tells the decoder that it is silence which follows and not loss.
        let follows = std::mem::replace(&mut self.pauses, is_empty);
        Ok(if is_empty && follows { 0 } else { length })
    }

    fn expect_loss(&mut self, percent: u8) {
        // No number up to 100 is refused.
        let _ = self.library.set_packet_loss_perc(percent.min(100));
    }
}

/// A mono decoder.
pub struct OpusDecoder {
    library: LibraryDecoder,
    sample_rate: SampleRate,
    /// Samples in 2.5 ms.
    unit: usize,
}

impl OpusDecoder {
    /// A decoder that gives samples at `sample_rate`: 8000, 12000, 16000, 24000 or 48000 Hz.
    ///
    /// # Errors
    /// [`CodecError::Rate`] for another rate.
    pub fn new(sample_rate: u32) -> Result<OpusDecoder, CodecError> {
        let unit = unit(sample_rate);
        let sample_rate = rate(sample_rate)?;
        let library = LibraryDecoder::new(sample_rate, Channels::Mono).map_err(refused)?;
        Ok(OpusDecoder { library, sample_rate, unit })
    }

    /// The samples in each frame of a packet that carries a copy of the packet before it; `None` for others.
    fn recoverable(&self, packet: &[u8]) -> Option<usize> {
        let length = i32::try_from(packet.len()).ok().filter(|&length| length > 0)?;
        // SAFETY: the pointer and the length are those of one slice, which is only read.
        let carries_copy = unsafe { audiopus_sys::opus_packet_has_lbrr(packet.as_ptr(), length) } > 0;
        // SAFETY: the first byte of the packet is read; there is one.
        let samples = unsafe {
            audiopus_sys::opus_packet_get_samples_per_frame(packet.as_ptr(), self.sample_rate as i32)
        };
        usize::try_from(samples).ok().filter(|_| carries_copy)
    }
}

impl Decoder for OpusDecoder {
    fn frame_samples(&self) -> usize {
        self.unit
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        let packet = Packet::try_from(payload).map_err(|_| CodecError::Malformed)?;
        let signals = MutSignals::try_from(pcm).map_err(|_| CodecError::FrameLength)?;
        self.library.decode(Some(packet), signals, false).map_err(refused)
    }

    fn conceal(&mut self, pcm: &mut [i16]) {
        // libopus conceals only multiples of 2.5 ms; what is over, or refused, stays silent.
        let whole = pcm.len() - pcm.len() % self.unit;
        let (concealable, rest) = pcm.split_at_mut(whole);
        rest.fill(0);
        let done = MutSignals::try_from(&mut *concealable)
            .and_then(|signals| self.library.decode(None, signals, false))
            .unwrap_or(0);
        if let Some(silent) = concealable.get_mut(done..) {
            silent.fill(0);
        }
    }

    fn announces_silence(&self, payload: &[u8]) -> bool {
        payload.len() <= LONGEST_EMPTY_PACKET
    }

    fn recover(&mut self, next: &[u8], pcm: &mut [i16]) -> bool {
        let fits = |frame| frame <= pcm.len() && pcm.len().is_multiple_of(self.unit);
        if !self.recoverable(next).is_some_and(fits) {
            return false;
        }
        let (Ok(packet), Ok(signals)) = (Packet::try_from(next), MutSignals::try_from(&mut *pcm)) else {
            return false;
        };
        self.library.decode(Some(packet), signals, true) == Ok(pcm.len())
    }
}

/// Samples in 2.5 ms.
fn unit(sample_rate: u32) -> usize {
    (sample_rate / FRAME_UNITS_PER_SECOND) as usize
}

/// The audio bandwidth that a sample rate can carry (RFC 7587 section 3.1.1, table 1).
fn bandwidth(sample_rate: u32) -> Bandwidth {
    match sample_rate {
        0..12_000 => Bandwidth::Narrowband,
        12_000..16_000 => Bandwidth::Mediumband,
        16_000..24_000 => Bandwidth::Wideband,
        24_000..48_000 => Bandwidth::Superwideband,
        _ => Bandwidth::Fullband,
    }
}

fn setting_refused(error: audiopus::Error) -> CodecError {
    match refused(error) {
        CodecError::FrameLength => CodecError::Setting,
        other => other,
    }
}

fn rate(sample_rate: u32) -> Result<SampleRate, CodecError> {
    match sample_rate {
        8000 => Ok(SampleRate::Hz8000),
        12_000 => Ok(SampleRate::Hz12000),
        16_000 => Ok(SampleRate::Hz16000),
        24_000 => Ok(SampleRate::Hz24000),
        48_000 => Ok(SampleRate::Hz48000),
        _ => Err(CodecError::Rate),
    }
}

fn refused(error: audiopus::Error) -> CodecError {
    match error {
        audiopus::Error::Opus(audiopus::error::ErrorCode::InvalidPacket) => CodecError::Malformed,
        audiopus::Error::Opus(audiopus::error::ErrorCode::BufferTooSmall) => CodecError::FrameLength,
        audiopus::Error::Opus(audiopus::error::ErrorCode::BadArgument) => CodecError::FrameLength,
        audiopus::Error::Opus(code) => CodecError::Library(code as i32),
        _ => CodecError::Library(audiopus_sys::OPUS_BAD_ARG),
    }
}

#[cfg(test)]
mod tests;
