//! A recording as stereo Opus in Ogg (RFC 7845).

use super::ogg_opus::{GRANULES, HEAD, HEAD_LEN, TAGS};
use ogg::{PacketWriteEndInfo, PacketWriter};
use std::io;
use tandem_codec::CodecError;
use tandem_codec::opus::stereo::StereoEncoder;

const CHANNELS: usize = 2;
/// A packet of 20 ms.
const PACKETS_PER_SECOND: u32 = 50;
/// Enough for two speakers to be well understood.
const BITRATE: u32 = 48_000;
/// What more would be heard of a higher one costs more than the call itself.
const COMPLEXITY: u8 = 2;
/// RFC 6716 section 3.4: the longest frame; 20 ms are one.
const MAX_FRAME: usize = 1275;
/// Who wrote it (RFC 7845 section 5.2).
const VENDOR: &[u8] = b"tandem";

/// Writes the pages of one file.
pub(super) struct OggOpusWriter {
    encoder: StereoEncoder,
    rate: u32,
    pages: PacketWriter<'static, Vec<u8>>,
    serial: u32,
    /// The packet that was made last: whether it ends a page shows only when the next one comes.
    last: Option<Vec<u8>>,
    /// Samples that do not fill a packet yet, left and right in turns.
    pending: Vec<i16>,
    /// The granule position behind the last packet, and the one where the sound ends.
    granule: u64,
    end: u64,
}

impl OggOpusWriter {
    /// A file of samples at `rate`: 8000, 12000, 16000, 24000 or 48000 Hz. `serial` tells streams apart.
    pub(super) fn new(rate: u32, serial: u32) -> Result<OggOpusWriter, CodecError> {
        let encoder = StereoEncoder::new(rate, BITRATE, COMPLEXITY)?;
        let pre_skip = encoder.lookahead() * (GRANULES / rate);
        let mut writer = OggOpusWriter {
            encoder,
            rate,
            pages: PacketWriter::new(Vec::new()),
            serial,
            last: None,
            pending: Vec::new(),
            granule: 0,
            end: pre_skip.into(),
        };
        // RFC 7845 section 3: each header on a page of its own.
        let skip = u16::try_from(pre_skip).unwrap_or(u16::MAX);
        for header in [head(rate, skip), tags()] {
            writer.packet(header, PacketWriteEndInfo::EndPage, 0);
        }
        Ok(writer)
    }

    /// Takes samples, left and right in turns.
    pub(super) fn samples(&mut self, samples: &[i16]) -> Result<(), CodecError> {
        self.pending.extend_from_slice(samples);
        self.end += u64::from(GRANULES / self.rate) * (samples.len() / CHANNELS) as u64;
        self.encode()
    }

    fn encode(&mut self) -> Result<(), CodecError> {
        let frame_len = (self.rate / PACKETS_PER_SECOND) as usize * CHANNELS;
        let pending = std::mem::take(&mut self.pending);
        let frames = pending.chunks_exact(frame_len);
        self.pending = frames.remainder().to_vec();
        for frame in frames {
            let mut packet = vec![0; MAX_FRAME];
            let len = self.encoder.encode(frame, &mut packet)?;
            packet.truncate(len);
            if let Some(before) = self.last.replace(packet) {
                let granule = self.granule;
                self.packet(before, PacketWriteEndInfo::NormalPacket, granule);
            }
            self.granule += u64::from(GRANULES / PACKETS_PER_SECOND);
        }
        Ok(())
    }

    /// The pages of everything that was taken, as far as it fills packets.
    pub(super) fn pages(&mut self) -> Vec<u8> {
        if let Some(last) = self.last.take() {
            let granule = self.granule;
            self.packet(last, PacketWriteEndInfo::EndPage, granule);
        }
        std::mem::take(self.pages.inner_mut())
    }

    /// The last pages. The last granule position says where the sound ends (RFC 7845 section 4.4).
    pub(super) fn finish(mut self) -> Result<Vec<u8>, CodecError> {
        // Silence until the encoder has given away everything.
        while self.granule < self.end || self.last.is_none() {
            let frame_len = (self.rate / PACKETS_PER_SECOND) as usize * CHANNELS;
            self.pending.resize(frame_len, 0);
            self.encode()?;
        }
        if let Some(last) = self.last.take() {
            let end = self.end;
            self.packet(last, PacketWriteEndInfo::EndStream, end);
        }
        Ok(std::mem::take(self.pages.inner_mut()))
    }

    fn packet(&mut self, packet: Vec<u8>, end: PacketWriteEndInfo, granule: u64) {
        let written: io::Result<()> = self.pages.write_packet(packet, self.serial, end, granule);
        // What is written to memory is written.
        debug_assert!(written.is_ok());
    }
}

/// RFC 7845 section 5.1.
fn head(rate: u32, pre_skip: u16) -> Vec<u8> {
    let mut head = HEAD.to_vec();
    head.extend([1, CHANNELS as u8]);
    head.extend(pre_skip.to_le_bytes());
    head.extend(rate.to_le_bytes());
    // No gain, and channel mapping family 0.
    head.extend([0; 3]);
    debug_assert_eq!(head.len(), HEAD_LEN);
    head
}

/// RFC 7845 section 5.2: the vendor, and no comments.
fn tags() -> Vec<u8> {
    let mut tags = TAGS.to_vec();
    tags.extend((VENDOR.len() as u32).to_le_bytes());
    tags.extend(VENDOR);
    tags.extend(0u32.to_le_bytes());
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::ogg_opus::OggOpus;
    use crate::files::tests::{share, tone};

    fn written(seconds: usize) -> Vec<u8> {
        let mut writer = OggOpusWriter::new(16_000, 7).unwrap();
        let mut file = Vec::new();
        let left = tone(600.0, 16_000, 16_000 * seconds + 100);
        for block in left.chunks(800) {
            let stereo: Vec<i16> = block.iter().flat_map(|sample| [*sample, 0]).collect();
            writer.samples(&stereo).unwrap();
            file.extend(writer.pages());
        }
        file.extend(writer.finish().unwrap());
        file
    }

    fn read(file: &[u8]) -> Vec<i16> {
        let mut ogg = OggOpus::open(file.into(), 16_000).unwrap();
        let mut pcm = Vec::new();
        while ogg.read(&mut pcm) {}
        pcm
    }

    #[test]
    fn what_is_written_is_read_to_the_sample() {
        let pcm = read(&written(2));
        assert_eq!(pcm.len(), 32_100);
        assert!(share(&pcm[1600..30_000], 600.0, 16_000) > 0.99);
        // Both channels in one, of which one is silent.
        let peak = pcm[1600..].iter().max().unwrap();
        assert!((3600..4800).contains(peak), "{peak}");
    }

    #[test]
    fn a_file_that_was_cut_off_is_read_as_far_as_it_goes() {
        let file = written(2);
        let pcm = read(&file[..file.len() / 2]);
        assert!(pcm.len() > 12_000 && pcm.len() < 20_000, "{}", pcm.len());
    }

    #[test]
    fn nothing_at_all_is_a_file_too() {
        let writer = OggOpusWriter::new(16_000, 7).unwrap();
        assert_eq!(read(&writer.finish().unwrap()), []);
    }
}
