//! A recording: two sides become the channels of one file. It knows no clock and no file: times are arguments, and
//! what is to be written is asked for.

use super::limits::RECORDING_DELAY;
use super::ogg_writer::OggOpusWriter;
use super::tap::{Entry, PacketQueue};
use super::track::{RATE, Track};
use super::wav;
use tandem_codec::CodecError;
use tandem_control::{RecordingFormat, Side};

/// Samples that are mixed at a time: what a recording that was not looked at for long has to catch up with.
const MOST_AT_ONCE: u64 = RATE as u64;
const DELAY: u64 = RECORDING_DELAY.as_micros() as u64;

/// A recording under way. Times are microseconds since it began.
pub(super) struct Recording {
    /// Caller and called: left and right.
    tracks: [Track; 2],
    file: FileWriter,
    /// Samples of each channel that are in the file, or on their way to it.
    taken: u64,
    /// How long it was paused in all, and when the pause of now began.
    paused: u64,
    paused_at: Option<u64>,
    left: Vec<i16>,
    right: Vec<i16>,
    stereo: Vec<i16>,
}

enum FileWriter {
    OggOpus(Box<OggOpusWriter>),
    Wav(WavWriter),
}

/// What is to be written into the file: `bytes` behind what is there already, and then, at its beginning, a header
/// that knows of them.
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) header: Option<Vec<u8>>,
}

#[derive(Default)]
struct WavWriter {
    began: bool,
    bytes: Vec<u8>,
    data_len: u32,
}

impl Recording {
    /// A recording with nothing in it. `serial` is a random number for the file.
    ///
    /// # Errors
    /// What the codec says.
    pub(super) fn new(format: RecordingFormat, serial: u32) -> Result<Recording, CodecError> {
        let file = match format {
            RecordingFormat::OggOpus => FileWriter::OggOpus(Box::new(OggOpusWriter::new(RATE, serial)?)),
            RecordingFormat::Wav => FileWriter::Wav(WavWriter::default()),
        };
        Ok(Recording {
            tracks: [Track::new(), Track::new()],
            file,
            taken: 0,
            paused: 0,
            paused_at: None,
            left: Vec::new(),
            right: Vec::new(),
            stereo: Vec::new(),
        })
    }

    /// Takes everything that waits in the queue.
    ///
    /// # Errors
    /// What the codec says.
    pub(super) fn read(&mut self, queue: &mut PacketQueue) -> Result<(), CodecError> {
        while let Some((at, entry)) = queue.pop() {
            let heard = at.saturating_sub(self.paused);
            match entry {
                Entry::Packet(head, payload) => {
                    let [a, b] = &mut self.tracks;
                    let track = if head.side == Side::A { a } else { b };
                    track.packet(heard, head, payload);
                    track.advance(heard);
                }
                Entry::Pause => self.pause(at)?,
                Entry::Resume => self.resume(at),
            }
        }
        Ok(())
    }

    /// Goes on to a time, after everything was read that came before it.
    ///
    /// # Errors
    /// What the codec says.
    pub(super) fn advance(&mut self, now: u64) -> Result<(), CodecError> {
        if self.paused_at.is_some() {
            return Ok(());
        }
        let now = now.saturating_sub(self.paused);
        self.tracks.iter_mut().for_each(|track| track.advance(now));
        self.mix(now.saturating_sub(DELAY))
    }

    /// How long it is, in milliseconds.
    pub(super) fn duration_ms(&self) -> u64 {
        self.taken * 1000 / u64::from(RATE)
    }

    /// What is to be written now.
    pub(super) fn written(&mut self) -> Written {
        match &mut self.file {
            FileWriter::OggOpus(writer) => Written { bytes: writer.pages(), header: None },
            FileWriter::Wav(writer) => writer.written(),
        }
    }

    /// The end, at a time: the last that is to be written, and how long it is, in milliseconds.
    ///
    /// # Errors
    /// What the codec says.
    pub(super) fn finish(mut self, now: u64) -> Result<(Written, u64), CodecError> {
        if self.paused_at.is_none() {
            self.catch_up(now)?;
        }
        let duration = self.duration_ms();
        let written = match self.file {
            FileWriter::OggOpus(writer) => Written { bytes: writer.finish()?, header: None },
            FileWriter::Wav(mut writer) => writer.written(),
        };
        Ok((written, duration))
    }

    fn pause(&mut self, now: u64) -> Result<(), CodecError> {
        self.catch_up(now)?;
        self.paused_at = Some(now);
        Ok(())
    }

    fn resume(&mut self, now: u64) {
        if let Some(paused_at) = self.paused_at.take() {
            self.paused += now.saturating_sub(paused_at);
        }
    }

    /// Takes everything that was heard until now: nothing is waited for.
    fn catch_up(&mut self, now: u64) -> Result<(), CodecError> {
        self.tracks.iter_mut().for_each(Track::run_out);
        self.mix(now.saturating_sub(self.paused))
    }

    fn mix(&mut self, until: u64) -> Result<(), CodecError> {
        let until = until * u64::from(RATE) / 1_000_000;
        while self.taken < until {
            let end = until.min(self.taken + MOST_AT_ONCE);
            let [a, b] = &mut self.tracks;
            self.left.clear();
            self.right.clear();
            a.take(end, &mut self.left);
            b.take(end, &mut self.right);
            self.stereo.clear();
            self.stereo.extend(self.left.iter().zip(&self.right).flat_map(|(left, right)| [*left, *right]));
            match &mut self.file {
                FileWriter::OggOpus(writer) => writer.samples(&self.stereo)?,
                FileWriter::Wav(writer) => writer.samples(&self.stereo),
            }
            self.taken = end;
        }
        Ok(())
    }
}

impl WavWriter {
    fn samples(&mut self, samples: &[i16]) {
        self.bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    }

    fn written(&mut self) -> Written {
        let samples = std::mem::take(&mut self.bytes);
        self.data_len = self.data_len.saturating_add(samples.len() as u32);
        let header = wav::stereo_header(RATE, self.data_len).to_vec();
        if self.began {
            return Written { bytes: samples, header: Some(header) };
        }
        self.began = true;
        Written { bytes: [header, samples].concat(), header: None }
    }
}

#[cfg(test)]
mod tests;
