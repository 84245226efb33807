//! Whatever can be played, as one stream of samples at the rate that is asked for.

use super::limits::MAX_ANNOUNCEMENT;
use super::ogg_opus::OggOpus;
use super::rate::RateConverter;
use super::wav::{Wav, is_wav};
use std::sync::Arc;
use tandem_codec::CodecError;
use thiserror::Error;

/// Why a file cannot be played.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// It is something else.
    #[error("neither a WAV nor an Ogg/Opus file")]
    Unknown,
    /// It is damaged.
    #[error("damaged: {0}")]
    Malformed(&'static str),
    /// It is what is not played here.
    #[error("not played here: {0}")]
    Unsupported(&'static str),
    /// It is too large.
    #[error("larger than {MAX_ANNOUNCEMENT} bytes")]
    TooLarge,
    /// The codec library refuses.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A file in memory that is being played.
pub struct Announcement {
    file: File,
    converter: Option<RateConverter>,
    /// What has been read and not yet been converted.
    read: Vec<i16>,
}

enum File {
    Wav(Wav),
    OggOpus(Box<OggOpus>),
}

impl Announcement {
    /// Opens a file for samples at `rate`: 8000, 16000 or 48000 Hz.
    ///
    /// # Errors
    /// [`FormatError`] says why it cannot be played.
    pub fn open(bytes: Arc<[u8]>, rate: u32) -> Result<Announcement, FormatError> {
        let (file, from) = if is_wav(&bytes) {
            let wav = Wav::open(bytes)?;
            let from = wav.rate();
            (File::Wav(wav), from)
        } else {
            (File::OggOpus(Box::new(OggOpus::open(bytes, rate)?)), rate)
        };
        Ok(Announcement { file, converter: RateConverter::new(from, rate)?, read: Vec::new() })
    }

    /// Appends the next samples, less than a second of them; `false` at the end.
    pub fn read(&mut self, pcm: &mut Vec<i16>) -> bool {
        let to = if self.converter.is_some() { &mut self.read } else { &mut *pcm };
        let is_more = match &mut self.file {
            File::Wav(wav) => wav.read(to),
            File::OggOpus(ogg) => ogg.read(to),
        };
        if let Some(converter) = &mut self.converter {
            converter.convert(&self.read, pcm);
            self.read.clear();
        }
        is_more
    }

    /// How long it lasts, in milliseconds, where its file tells.
    pub fn duration_ms(&self) -> Option<u64> {
        match &self.file {
            File::Wav(wav) => Some(wav.duration_ms()),
            File::OggOpus(ogg) => ogg.duration_ms(),
        }
    }

    /// Begins again, without a seam.
    ///
    /// # Errors
    /// [`FormatError`] as when it was opened.
    pub fn rewind(&mut self) -> Result<(), FormatError> {
        match &mut self.file {
            File::Wav(wav) => wav.rewind(),
            File::OggOpus(ogg) => ogg.rewind()?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::wav::stereo_header;

    #[test]
    fn a_file_is_read_at_the_rate_that_is_asked_for() {
        let mut bytes = stereo_header(48_000, 4 * 48_000).to_vec();
        bytes.extend((0..48_000).flat_map(|_| [0x00, 0x10, 0x00, 0x10]));
        for rate in [8000, 16_000, 48_000] {
            let mut announcement = Announcement::open(bytes.clone().into(), rate).unwrap();
            let mut pcm = Vec::new();
            while announcement.read(&mut pcm) {}
            assert_eq!(pcm.len(), rate as usize);
            assert_eq!(announcement.duration_ms(), Some(1000));
            announcement.rewind().unwrap();
            while announcement.read(&mut pcm) {}
            assert_eq!(pcm.len(), 2 * rate as usize, "and once more");
            assert!(pcm[200..].iter().all(|sample| (0xFF0..=0x1010).contains(sample)), "without a seam");
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert_eq!(Announcement::open(Arc::from(*b"ID3 music"), 8000).err(), Some(FormatError::Unknown));
    }
}
