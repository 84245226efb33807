//! What is played and recorded.

use super::Party;
use super::read::{bytes, number, string};
use crate::ng::{Fault, Names, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tandem_control::{DigitSound, MAX_INLINE, MAX_PATH};

/// The shortest and longest digit, and the shortest and longest pause behind it, in milliseconds.
const DIGIT_MS: std::ops::RangeInclusive<i64> = 100..=5_000;
/// What holds where the request does not say: the length of a digit and the pause, in milliseconds, and the volume in -dBm0.
const USUAL_DIGIT_MS: u16 = 250;
const USUAL_PAUSE_MS: u16 = 100;
const USUAL_VOLUME: u8 = 8;
/// The least volume, in -dBm0 (RFC 4733 section 2.3.1).
const MAX_VOLUME: u8 = 63;
/// In the order of their events (RFC 4733 section 3.2).
const DIGITS: &str = "0123456789*#ABCD";
/// The most bytes of `metadata`.
const MAX_METADATA: usize = 4_096;

/// `play media`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play {
    /// The call.
    pub names: Names,
    /// Who hears it.
    pub party: Party,
    /// What.
    pub source: PlaySource,
    /// How often, at least once.
    pub times: u32,
}

/// Where what is played comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaySource {
    /// A file's path, at most [`MAX_PATH`] bytes.
    File(String),
    /// A file's content, at most [`MAX_INLINE`] bytes.
    Content(Vec<u8>),
}

/// `stop media`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopPlay {
    /// The call.
    pub names: Names,
    /// Who hears no more of it.
    pub party: Party,
}

/// `play DTMF`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayDigit {
    /// The call.
    pub names: Names,
    /// Whose key press it is; the others hear it.
    pub party: Party,
    /// 0 to 9, 10 for `*`, 11 for `#`, 12 to 15 for A to D (RFC 4733 section 3.2).
    pub event: u8,
    /// 100 to 5000 milliseconds.
    pub duration_ms: u16,
    /// How loud it is, and the pause behind it.
    pub sound: DigitSound,
}

/// What becomes of a call's recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingStep {
    /// It begins, or goes on.
    Start,
    /// What is said is left out until it goes on.
    Pause,
    /// It ends.
    Stop,
}

/// `start recording` and its like; they are always about the whole call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingControl {
    /// The call.
    pub names: Names,
    /// What is to be done.
    pub step: RecordingStep,
    /// How a recording that begins is named.
    pub naming: RecordingNames,
}

/// How the controller wants a recording to be named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingNames {
    /// The path of the file (`recording-file`).
    pub file: Option<String>,
    /// The path of its directory (`recording-dir`).
    pub directory: Option<String>,
    /// What is to be kept beside it (`metadata`).
    pub metadata: Option<String>,
}

/// The keys of these commands, as they were read.
#[derive(Debug, Default)]
pub(super) struct MediaFields {
    pub(super) digit: Option<u8>,
    pub(super) frequency: Option<u16>,
    pub(super) naming: RecordingNames,
    source: Option<PlaySource>,
    times: Option<u32>,
    duration_ms: Option<u16>,
    volume: Option<u8>,
    pause_ms: Option<u16>,
}

impl MediaFields {
    /// One key with its value; whether it is known here.
    pub(super) fn entry(&mut self, normal_key: &str, value: &Value<'_>) -> Result<bool, Fault> {
        match normal_key {
            "file" => self.source = Some(PlaySource::File(path("file", value)?)),
            "blob" => self.source = Some(content("blob", bytes("blob", value)?.to_vec())?),
            "blob64" => {
                let wrong = Fault::WrongType { key: "blob64", wanted: "base64" };
                let decoded = STANDARD.decode(bytes("blob64", value)?).map_err(|_| wrong)?;
                self.source = Some(content("blob64", decoded)?);
            }
            "repeat-times" => {
                let times = number::<i64>("repeat-times", "a number", value)?.max(1);
                self.times = u32::try_from(times).ok();
            }
            "duration" => self.duration_ms = Some(milliseconds("duration", value)?),
            "pause" => self.pause_ms = Some(milliseconds("pause", value)?),
            // Positive numbers are read as negative ones: no tone is louder than full scale.
            "volume" => {
                let decibels = number::<i64>("volume", "decibels", value)?.unsigned_abs();
                self.volume = Some(u8::try_from(decibels).unwrap_or(u8::MAX).min(MAX_VOLUME));
            }
            "digit" | "code" => self.digit = Some(digit(value)?),
            "frequency" => self.frequency = Some(number("frequency", "200 to 3400 Hz", value)?),
            "recording-file" | "output-destination" => {
                self.naming.file = Some(path("recording-file", value)?)
            }
            "recording-dir" => self.naming.directory = Some(path("recording-dir", value)?),
            "metadata" => {
                let text = string("metadata", value)?;
                if text.len() > MAX_METADATA {
                    return Err(Fault::WrongType { key: "metadata", wanted: "at most 4096 bytes long" });
                }
                self.naming.metadata = Some(text.to_owned());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn into_play(self, names: Names, party: Party) -> Result<Play, Fault> {
        let source = self.source.ok_or(Fault::Missing("file"))?;
        Ok(Play { names, party, source, times: self.times.unwrap_or(1) })
    }

    pub(super) fn into_digit(self, names: Names, party: Party) -> Result<PlayDigit, Fault> {
        let event = self.digit.ok_or(Fault::Missing("code"))?;
        let sound = DigitSound {
            volume: self.volume.unwrap_or(USUAL_VOLUME),
            pause_ms: self.pause_ms.unwrap_or(USUAL_PAUSE_MS),
        };
        Ok(PlayDigit { names, party, event, duration_ms: self.duration_ms.unwrap_or(USUAL_DIGIT_MS), sound })
    }
}

/// A length of a digit or a pause; one that is too short or too long becomes the next that is not.
fn milliseconds(key: &'static str, value: &Value<'_>) -> Result<u16, Fault> {
    let given = number::<i64>(key, "milliseconds", value)?.clamp(*DIGIT_MS.start(), *DIGIT_MS.end());
    u16::try_from(given).map_err(|_| Fault::WrongType { key, wanted: "milliseconds" })
}

fn path(key: &'static str, value: &Value<'_>) -> Result<String, Fault> {
    let path = string(key, value)?;
    if path.is_empty() || path.len() > MAX_PATH {
        return Err(Fault::WrongType { key, wanted: "a path of at most 1024 bytes" });
    }
    Ok(path.to_owned())
}

fn content(key: &'static str, content: Vec<u8>) -> Result<PlaySource, Fault> {
    if content.len() > MAX_INLINE {
        return Err(Fault::WrongType { key, wanted: "at most 32768 bytes long" });
    }
    Ok(PlaySource::Content(content))
}

/// A character, or the number of its event. What could be either is a character.
fn digit(value: &Value<'_>) -> Result<u8, Fault> {
    let wrong = Fault::WrongType { key: "code", wanted: "a DTMF digit" };
    if let Value::Integer(_) = value {
        return value
            .as_integer()
            .and_then(|event| u8::try_from(event).ok())
            .filter(|event| *event < 16)
            .ok_or(wrong);
    }
    let text = string("code", value)?.trim();
    let mut characters = text.chars();
    if let (Some(one), None) = (characters.next(), characters.next()) {
        return DIGITS.find(one.to_ascii_uppercase()).and_then(|event| u8::try_from(event).ok()).ok_or(wrong);
    }
    text.parse::<u8>().ok().filter(|event| *event < 16).ok_or(wrong)
}
