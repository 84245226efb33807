//! WAV: RIFF files of linear PCM with 16 bits, A-law or mu-law.
//!
//! A file of another's making is read leniently: chunks that are not known are skipped, and a file that was cut off, or
//! whose writer never came back to fill in the sizes, is played as far as it goes.

use super::format::FormatError;
use std::sync::Arc;
use tandem_codec::g711::{alaw_expand, ulaw_expand};

/// `WAVE_FORMAT_PCM`, `_ALAW`, `_MULAW` and `_EXTENSIBLE` (RFC 2361 appendix A; the last from Microsoft's mmreg.h).
const PCM: u16 = 1;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xFFFE;
/// Bytes before the first chunk, and of a chunk's header.
const RIFF_LEN: usize = 12;
const CHUNK_LEN: usize = 8;
/// Bytes of the format that every file has; where the extensible one has its sub-format.
const FORMAT_LEN: usize = 16;
const SUB_FORMAT: usize = 24;
/// Frames (a sample of each channel) that are read at a time.
const BLOCK: usize = 480;
/// The rates that files may have, in Hz.
const RATES: [u32; 9] = [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
/// Bytes of the header that is written.
pub(super) const HEADER_LEN: usize = 44;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Linear,
    ALaw,
    MuLaw,
}

impl Coding {
    fn sample_len(self) -> usize {
        if self == Coding::Linear { 2 } else { 1 }
    }

    fn sample(self, bytes: &[u8]) -> i16 {
        match (self, bytes) {
            (Coding::Linear, [low, high, ..]) => i16::from_le_bytes([*low, *high]),
            (Coding::ALaw, [code, ..]) => alaw_expand(*code),
            (Coding::MuLaw, [code, ..]) => ulaw_expand(*code),
            _ => 0,
        }
    }
}

/// A WAV file in memory, and how far it has been read.
#[derive(Debug)]
pub(super) struct Wav {
    bytes: Arc<[u8]>,
    coding: Coding,
    channels: usize,
    rate: u32,
    /// Of the samples.
    start: usize,
    end: usize,
    position: usize,
}

impl Wav {
    /// Looks at the head of a file.
    ///
    /// # Errors
    /// [`FormatError`] says why it cannot be played.
    pub(super) fn open(bytes: Arc<[u8]>) -> Result<Wav, FormatError> {
        if !is_wav(&bytes) {
            return Err(FormatError::Unknown);
        }
        let mut format = None;
        let mut at = RIFF_LEN;
        while let Some((id, claimed)) = chunk(&bytes, at) {
            let start = at + CHUNK_LEN;
            let end = start.saturating_add(claimed).min(bytes.len());
            let body = bytes.get(start..end).unwrap_or_default();
            match (&id, format) {
                (b"fmt ", _) => format = Some(read_format(body)?),
                (b"data", Some((coding, channels, rate))) => {
                    // What writes into a pipe cannot come back to fill in the length, and leaves it 0 or -1.
                    let end = if claimed == 0 { bytes.len() } else { end };
                    return Ok(Wav { coding, channels, rate, start, end, position: start, bytes });
                }
                (b"data", None) => return Err(FormatError::Malformed("samples before their format")),
                _ => {}
            }
            // Chunks begin at even offsets.
            at = start.saturating_add(claimed).saturating_add(claimed % 2);
        }
        Err(FormatError::Malformed("no samples"))
    }

    /// Samples a second.
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// How long it is.
    pub(super) fn duration_ms(&self) -> u64 {
        let frames = (self.end - self.start) / (self.coding.sample_len() * self.channels);
        frames as u64 * 1000 / u64::from(self.rate)
    }

    /// Appends the next samples, all channels in one; `false` at the end.
    pub(super) fn read(&mut self, pcm: &mut Vec<i16>) -> bool {
        let sample_len = self.coding.sample_len();
        let frame_len = sample_len * self.channels;
        let end = (self.position + BLOCK * frame_len).min(self.end);
        let block = self.bytes.get(self.position..end).unwrap_or_default();
        let frames = block.chunks_exact(frame_len);
        let read = frames.len();
        pcm.extend(frames.map(|frame| {
            let samples = frame.chunks_exact(sample_len).map(|bytes| i32::from(self.coding.sample(bytes)));
            (samples.sum::<i32>() / self.channels as i32) as i16
        }));
        self.position += read * frame_len;
        read > 0
    }

    /// The next sample is the first again.
    pub(super) fn rewind(&mut self) {
        self.position = self.start;
    }
}

/// Whether a file begins as a WAV file does.
pub(super) fn is_wav(bytes: &[u8]) -> bool {
    bytes.get(..4) == Some(b"RIFF") && bytes.get(8..RIFF_LEN) == Some(b"WAVE")
}

/// The id and the length of the chunk at an offset.
fn chunk(bytes: &[u8], at: usize) -> Option<([u8; 4], usize)> {
    let head = bytes.get(at..)?.first_chunk::<CHUNK_LEN>()?;
    let [a, b, c, d, length @ ..] = *head;
    Some(([a, b, c, d], u32::from_le_bytes(length) as usize))
}

fn read_format(body: &[u8]) -> Result<(Coding, usize, u32), FormatError> {
    let short = FormatError::Malformed("a format chunk that is too short");
    let word = |at: usize| body.get(at..)?.first_chunk::<2>().map(|word| u16::from_le_bytes(*word));
    let rate = body.get(4..).and_then(|rest| rest.first_chunk::<4>()).map(|rate| u32::from_le_bytes(*rate));
    let (Some(tag), Some(channels), Some(rate), Some(bits)) = (word(0), word(2), rate, word(FORMAT_LEN - 2))
    else {
        return Err(short);
    };
    let tag = if tag == EXTENSIBLE { word(SUB_FORMAT).ok_or(short)? } else { tag };
    let coding = match (tag, bits) {
        (PCM, 16) => Coding::Linear,
        (A_LAW, 8) => Coding::ALaw,
        (MU_LAW, 8) => Coding::MuLaw,
        _ => return Err(FormatError::Unsupported("a coding other than 16-bit PCM, A-law and mu-law")),
    };
    if !(1..=2).contains(&channels) {
        return Err(FormatError::Unsupported("more than two channels"));
    }
    if !RATES.contains(&rate) {
        return Err(FormatError::Unsupported("an unusual sample rate"));
    }
    Ok((coding, usize::from(channels), rate))
}

/// The header of a stereo file of linear PCM with so many bytes of samples.
pub(super) fn stereo_header(rate: u32, data_len: u32) -> [u8; HEADER_LEN] {
    const CHANNELS: u16 = 2;
    const FRAME_LEN: u16 = CHANNELS * 2;
    let mut header = [0; HEADER_LEN];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        header[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(b"RIFF");
    put(&data_len.saturating_add((HEADER_LEN - CHUNK_LEN) as u32).to_le_bytes());
    put(b"WAVEfmt ");
    put(&(FORMAT_LEN as u32).to_le_bytes());
    put(&PCM.to_le_bytes());
    put(&CHANNELS.to_le_bytes());
    put(&rate.to_le_bytes());
    put(&(rate * u32::from(FRAME_LEN)).to_le_bytes());
    put(&FRAME_LEN.to_le_bytes());
    put(&16u16.to_le_bytes());
    put(b"data");
    put(&data_len.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(tag: u16, channels: u16, rate: u32, bits: u16, samples: &[u8], claimed: u32) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVE".to_vec();
        // A chunk of odd length that nobody knows.
        bytes.extend(b"LIST\x03\0\0\0abc\0fmt \x10\0\0\0");
        bytes.extend(tag.to_le_bytes());
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(bits.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend(claimed.to_le_bytes());
        bytes.extend(samples);
        bytes
    }

    fn all(bytes: Vec<u8>) -> Result<Vec<i16>, FormatError> {
        let mut wav = Wav::open(bytes.into())?;
        let mut pcm = Vec::new();
        while wav.read(&mut pcm) {}
        Ok(pcm)
    }

    #[test]
    fn each_coding_is_read_and_stereo_is_mixed() {
        assert_eq!(all(file(PCM, 1, 8000, 16, &[1, 0, 0xFF, 0xFF], 4)).unwrap(), [1, -1]);
        assert_eq!(all(file(PCM, 2, 44_100, 16, &[10, 0, 20, 0], 4)).unwrap(), [15]);
        assert_eq!(all(file(A_LAW, 1, 8000, 8, &[0xAA, 0x2A], 2)).unwrap(), [32_256, -32_256]);
        assert_eq!(all(file(MU_LAW, 1, 8000, 8, &[0x80, 0x00], 2)).unwrap(), [32_124, -32_124]);
    }

    #[test]
    fn a_file_that_was_cut_off_is_read_as_far_as_it_goes() {
        assert_eq!(all(file(PCM, 1, 8000, 16, &[1, 0, 2, 0, 3], 1000)).unwrap(), [1, 2]);
        assert_eq!(all(file(PCM, 1, 8000, 16, &[1, 0, 2, 0], 0)).unwrap(), [1, 2], "never filled in");
        assert_eq!(all(file(PCM, 1, 8000, 16, &[1, 0], u32::MAX)).unwrap(), [1]);
    }

    #[test]
    fn what_cannot_be_played_is_refused_in_words() {
        let refused = |bytes: Vec<u8>| all(bytes).unwrap_err().to_string();
        assert!(refused(b"RIFF".to_vec()).contains("neither"));
        assert!(refused(file(3, 1, 8000, 32, &[0; 8], 8)).contains("coding"));
        assert!(refused(file(PCM, 1, 8000, 8, &[0; 8], 8)).contains("coding"));
        assert!(refused(file(PCM, 6, 8000, 16, &[0; 12], 12)).contains("channels"));
        assert!(refused(file(PCM, 0, 8000, 16, &[0; 12], 12)).contains("channels"));
        assert!(refused(file(PCM, 1, 96_000, 16, &[0; 8], 8)).contains("rate"));
        assert!(refused(file(PCM, 1, 8000, 16, &[], 8)[..50].to_vec()).contains("no samples"));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = stereo_header(16_000, 4).to_vec();
        bytes.extend([100, 0, 200, 0]);
        assert_eq!(all(bytes).unwrap(), [150]);
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..60) {
            let _ = all(bytes.clone());
            let mut damaged = file(PCM, 2, 8000, 16, &bytes, bytes.len() as u32);
            let at = cut.min(damaged.len() - 1);
            damaged[at] ^= 0xFF;
            let _ = all(damaged);
        }
    }
}
