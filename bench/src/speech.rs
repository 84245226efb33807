//! Real speech, encoded by the project's codecs: prompts of Debian's asterisk-core-sounds-en-wav, read at run time.

use std::io;
use std::path::Path;
use tandem_codec::g711::{G711Decoder, G711Encoder, Law};
use tandem_codec::g722::{G722Decoder, G722Encoder};
use tandem_codec::g729::{G729Decoder, G729Encoder};
use tandem_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use tandem_codec::resampler::Resampler;
use tandem_codec::speex::{Band, SpeexDecoder, SpeexEncoder, SpeexSettings};
use tandem_codec::{CodecError, Decoder, Encoder};

const FOLDER: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";
/// Some 40 seconds of one voice.
const PROMPTS: [&str; 3] = ["conf-adminmenu-162.wav", "basic-pbx-ivr-main.wav", "agent-alreadyon.wav"];
/// A WAV file's header, as Asterisk's prompts have it: the format chunk and the data chunk's head.
const WAV_HEADER: usize = 44;
/// The prompts' rate, in Hz.
const PROMPT_RATE: u32 = 8000;
/// Frames kept of each codec: ten seconds.
const FRAMES: usize = 500;
/// The packet time of all frames.
pub(crate) const FRAME_MS: u32 = 20;
const MAX_PAYLOAD: usize = 1275;

/// A codec that the generators speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Codec {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
    /// G.729 with Annex A.
    G729,
    /// Speex at 8 kHz (RFC 5574).
    SpeexNarrow,
    /// Speex at 16 kHz.
    SpeexWide,
    /// Opus (RFC 7587).
    Opus,
}

impl Codec {
    /// As it stands in `a=rtpmap`.
    pub(crate) fn rtpmap(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU/8000",
            Codec::Pcma => "PCMA/8000",
            // RFC 3551 section 4.5.2: sampled at 16 kHz all the same.
            Codec::G722 => "G722/8000",
            Codec::G729 => "G729/8000",
            Codec::SpeexNarrow => "speex/8000",
            Codec::SpeexWide => "speex/16000",
            Codec::Opus => "opus/48000/2",
        }
    }

    /// Its RTP payload type: static where it has one (RFC 3551), for Opus the one that browsers use.
    pub(crate) fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
            Codec::G729 => 18,
            Codec::SpeexNarrow => 97,
            Codec::SpeexWide => 98,
            Codec::Opus => 111,
        }
    }

    /// Its payload type, where that is static and needs no `a=rtpmap`.
    pub(crate) fn static_payload_type(self) -> Option<u8> {
        Some(self.payload_type()).filter(|number| *number < 96)
    }

    /// What the RTP time stamp advances by in one millisecond.
    pub(crate) fn ticks_per_ms(self) -> u32 {
        match self {
            Codec::Opus => 48,
            Codec::SpeexWide => 16,
            _ => 8,
        }
    }

    /// Whether any byte may stand in its payload, so that a marker spoils nothing but the sound.
    pub(crate) fn carries_marker(self) -> bool {
        matches!(self, Codec::Pcmu | Codec::Pcma | Codec::G722)
    }

    /// The rate of the sound that it carries where its other side has sound of `other` Hz: Opus suits itself.
    pub(crate) fn rate(self, other: u32) -> u32 {
        match self {
            Codec::G722 | Codec::SpeexWide => 16_000,
            Codec::Opus => other,
            _ => 8000,
        }
    }

    /// An encoder, set up as the product's. `rate`: see [`Codec::rate`].
    ///
    /// # Errors
    /// If the library refuses.
    pub(crate) fn encoder(self, rate: u32) -> Result<Box<dyn Encoder>, CodecError> {
        Ok(match self {
            Codec::Pcmu => Box::new(G711Encoder::new(Law::Mu)),
            Codec::Pcma => Box::new(G711Encoder::new(Law::A)),
            Codec::G722 => Box::new(G722Encoder::new()),
            Codec::G729 => Box::new(G729Encoder::new()?),
            Codec::SpeexNarrow => Box::new(SpeexEncoder::new(Band::Narrow, SpeexSettings::default())?),
            Codec::SpeexWide => Box::new(SpeexEncoder::new(Band::Wide, SpeexSettings::default())?),
            Codec::Opus => Box::new(OpusEncoder::new(rate, OpusSettings::default())?),
        })
    }

    /// A decoder. `rate`: see [`Codec::rate`].
    ///
    /// # Errors
    /// If the library refuses.
    pub(crate) fn decoder(self, rate: u32) -> Result<Box<dyn Decoder>, CodecError> {
        Ok(match self {
            Codec::Pcmu => Box::new(G711Decoder::new(Law::Mu)),
            Codec::Pcma => Box::new(G711Decoder::new(Law::A)),
            Codec::G722 => Box::new(G722Decoder::new()),
            Codec::G729 => Box::new(G729Decoder::new()?),
            Codec::SpeexNarrow => Box::new(SpeexDecoder::new(Band::Narrow)?),
            Codec::SpeexWide => Box::new(SpeexDecoder::new(Band::Wide)?),
            Codec::Opus => Box::new(OpusDecoder::new(rate)?),
        })
    }
}

/// The samples of one frame at `rate`.
pub(crate) fn frame_samples(rate: u32) -> usize {
    (rate / 1000 * FRAME_MS) as usize
}

/// Reads the prompts as linear samples at 8000 or 16000 Hz.
///
/// # Errors
/// If they are not installed.
pub(crate) fn samples(rate: u32) -> io::Result<Vec<i16>> {
    let mut samples = Vec::new();
    for prompt in PROMPTS {
        let path = Path::new(FOLDER).join(prompt);
        let file = std::fs::read(&path).map_err(|error| {
            let path = path.display();
            io::Error::other(format!("{path}: {error} (Debian's package asterisk-core-sounds-en-wav)"))
        })?;
        let bytes = file.get(WAV_HEADER..).unwrap_or_default().chunks_exact(2);
        samples.extend(bytes.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
    }
    if rate == PROMPT_RATE {
        return Ok(samples);
    }
    let mut resampler = Resampler::new(PROMPT_RATE, rate).map_err(io::Error::other)?;
    let mut resampled = vec![0; resampler.output_len(samples.len())];
    let length = resampler.process(&samples, &mut resampled);
    resampled.truncate(length);
    Ok(resampled)
}

/// Speech in one codec, a payload for each 20 ms.
pub(crate) struct Speech(Vec<Vec<u8>>);

impl Speech {
    /// Reads and encodes it; Opus is fed with the rate of the prompts.
    ///
    /// # Errors
    /// If the prompts are not installed or the codec refuses.
    pub(crate) fn load(codec: Codec) -> io::Result<Speech> {
        let rate = codec.rate(PROMPT_RATE);
        let samples = samples(rate)?;
        let mut encoder = codec.encoder(rate).map_err(io::Error::other)?;
        let mut payload = [0; MAX_PAYLOAD];
        let encoded = samples.chunks_exact(frame_samples(rate)).take(FRAMES).map(|frame| {
            encoder
                .encode(frame, &mut payload)
                .map(|length| payload[..length].to_vec())
                .map_err(io::Error::other)
        });
        encoded.collect::<io::Result<Vec<_>>>().map(Speech)
    }

    /// The payload number `index`; the speech begins again at its end.
    pub(crate) fn frame(&self, index: u32) -> &[u8] {
        &self.0[index as usize % self.0.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_fills_the_frames_of_each_codec() {
        let lengths = [
            (Codec::Pcmu, 160..=160),
            (Codec::Pcma, 160..=160),
            (Codec::G722, 160..=160),
            (Codec::G729, 20..=20),
            (Codec::SpeexNarrow, 38..=38),
            (Codec::SpeexWide, 70..=70),
            (Codec::Opus, 3..=200),
        ];
        for (codec, length) in lengths {
            let speech = Speech::load(codec).unwrap();
            assert_eq!(speech.0.len(), FRAMES);
            assert!(speech.0.iter().all(|frame| length.contains(&frame.len())), "{codec:?}");
        }
    }
}
