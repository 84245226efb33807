//! Real speech, encoded by the project's codecs: prompts of Debian's asterisk-core-sounds-en-wav, read at run time.

use std::io;
use std::path::Path;
use tandem_codec::Encoder;
use tandem_codec::g711::{G711Encoder, Law, SAMPLE_RATE};
use tandem_codec::opus::{OpusEncoder, OpusSettings};

const FOLDER: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";
/// Some 40 seconds of one voice.
const PROMPTS: [&str; 3] = ["conf-adminmenu-162.wav", "basic-pbx-ivr-main.wav", "agent-alreadyon.wav"];
/// A WAV file's header, as Asterisk's prompts have it: the format chunk and the data chunk's head.
const WAV_HEADER: usize = 44;
/// Frames kept of each codec: ten seconds.
const FRAMES: usize = 500;
/// The packet time of all frames.
pub(super) const FRAME_MS: u32 = 20;
const MAX_PAYLOAD: usize = 1275;

/// A codec that the generator speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Codec {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// Opus (RFC 7587).
    Opus,
}

impl Codec {
    /// As it stands in `a=rtpmap`.
    pub(crate) fn rtpmap(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU/8000",
            Codec::Pcma => "PCMA/8000",
            Codec::Opus => "opus/48000/2",
        }
    }

    /// The name alone.
    pub(crate) fn name(self) -> &'static str {
        self.rtpmap().split('/').next().unwrap_or_default()
    }

    /// Its RTP payload type: static for G.711 (RFC 3551), else the one that browsers use.
    pub(crate) fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::Opus => 111,
        }
    }

    /// What the RTP time stamp advances by in one millisecond.
    pub(crate) fn ticks_per_ms(self) -> u32 {
        if self == Codec::Opus { 48 } else { 8 }
    }

    /// Whether any byte may stand in its payload, so that a marker spoils nothing but the sound.
    pub(super) fn carries_marker(self) -> bool {
        self != Codec::Opus
    }

    fn encoder(self) -> Result<Box<dyn Encoder>, tandem_codec::CodecError> {
        Ok(match self {
            Codec::Pcmu => Box::new(G711Encoder::new(Law::Mu)),
            Codec::Pcma => Box::new(G711Encoder::new(Law::A)),
            Codec::Opus => Box::new(OpusEncoder::new(SAMPLE_RATE, OpusSettings::default())?),
        })
    }
}

/// Speech in one codec, a payload for each 20 ms.
pub(super) struct Speech(Vec<Vec<u8>>);

impl Speech {
    /// Reads and encodes it.
    ///
    /// # Errors
    /// If the prompts are not installed or the codec refuses.
    pub(super) fn load(codec: Codec) -> io::Result<Speech> {
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
        let mut encoder = codec.encoder().map_err(io::Error::other)?;
        let mut payload = [0; MAX_PAYLOAD];
        let frames = samples.chunks_exact((SAMPLE_RATE / 1000 * FRAME_MS) as usize).take(FRAMES);
        let encoded = frames.map(|frame| {
            encoder
                .encode(frame, &mut payload)
                .map(|length| payload[..length].to_vec())
                .map_err(io::Error::other)
        });
        encoded.collect::<io::Result<Vec<_>>>().map(Speech)
    }

    /// The payload number `index`; the speech begins again at its end.
    pub(super) fn frame(&self, index: u32) -> &[u8] {
        &self.0[index as usize % self.0.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_fills_the_frames_of_each_codec() {
        for (codec, least, most) in [(Codec::Pcmu, 160, 160), (Codec::Pcma, 160, 160), (Codec::Opus, 3, 200)]
        {
            let speech = Speech::load(codec).unwrap();
            assert_eq!(speech.0.len(), FRAMES);
            assert!(speech.0.iter().all(|frame| (least..=most).contains(&frame.len())), "{codec:?}");
        }
    }
}
