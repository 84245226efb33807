//! What is played and recorded.

use serde::{Deserialize, Serialize};

/// The largest file that comes with its request ([`Source::Inline`]), in bytes.
pub const MAX_INLINE: usize = 32 * 1024;
/// The longest path of a file, in bytes.
pub const MAX_PATH: usize = 1024;
/// The most steps of a cadence ([`Tones`]).
pub const MAX_TONE_STEPS: usize = 16;

const _: () = assert!(MAX_INLINE + MAX_PATH < crate::MAX_RECORD);

/// The longest pause behind a digit, in milliseconds.
pub const MAX_DIGIT_PAUSE_MS: u16 = 5_000;

/// How a digit sounds that is played from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigitSound {
    /// Its level in -dBm0, 0 to 63 (RFC 4733 section 2.3.4); a tone is not louder than 3.
    pub volume: u8,
    /// How long it is silent before the next digit that waits, in milliseconds, at most [`MAX_DIGIT_PAUSE_MS`].
    pub pause_ms: u16,
}

impl Default for DigitSound {
    /// A usual level of telephones, and a pause that every receiver notices (ITU-T Q.24 takes 40 ms for one).
    fn default() -> DigitSound {
        DigitSound { volume: 10, pause_ms: 50 }
    }
}

/// What is played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A WAV or Ogg/Opus file: its path, relative to the dataplane's directory of announcements; at most [`MAX_PATH`]
    /// bytes.
    File(String),
    /// The same with its content here, at most [`MAX_INLINE`] bytes.
    Inline(Vec<u8>),
    /// A tone of call progress.
    Tone(Tones),
}

/// A cadence of tones (ITU-T E.180): its steps one after the other, and again from the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tones {
    /// One to [`MAX_TONE_STEPS`].
    pub steps: Vec<ToneStep>,
}

/// One step of a cadence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToneStep {
    /// The frequencies that sound together, in Hz, each 200 to 3400; 0: none.
    pub hertz: [u16; 2],
    /// How long they sound, in milliseconds.
    pub on_ms: u16,
    /// How long it is silent then, in milliseconds; 0 with the next step at once.
    pub off_ms: u16,
}

/// The format of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordingFormat {
    /// Stereo Opus in Ogg (RFC 7845).
    OggOpus,
    /// Stereo linear PCM of 16 bits in RIFF/WAVE.
    Wav,
}

/// How something that was played ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlayOutcome {
    /// It was heard as often as it should be.
    Finished,
    /// It was stopped, or something else took its place.
    Stopped,
    /// The file is not there, may not be read, or is none that can be played.
    BadFile,
    /// The peer takes no codec that is encoded here.
    NoCodec,
}

/// How a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordingOutcome {
    /// It was stopped, or the session ended.
    Stopped,
    /// The disk is full: the file holds what was heard before.
    DiskFull,
    /// The file cannot be made or written.
    Failed,
}
