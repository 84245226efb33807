//! Opus in Ogg (RFC 7845, RFC 3533), read and written.

use super::format::FormatError;
use ogg::{Packet, PacketReader};
use std::io::Cursor;
use std::sync::Arc;
use tandem_codec::Decoder;
use tandem_codec::opus::OpusDecoder;

/// Granule positions count samples of 48 kHz, whatever the decoder runs at (RFC 7845 section 4).
pub(super) const GRANULES: u32 = 48_000;
/// How a page begins, and where it has its granule position (RFC 3533 section 6).
const CAPTURE: &[u8] = b"OggS";
const GRANULE_AT: usize = 6;
/// A granule position beyond a day is none.
const LONGEST: u64 = 24 * 3600 * GRANULES as u64;
/// RFC 6716 section 3.2.5: a packet holds at most 120 ms.
const LONGEST_PACKET_MS: u32 = 120;
/// The first bytes of the two headers (RFC 7845 section 5).
pub(super) const HEAD: &[u8; 8] = b"OpusHead";
pub(super) const TAGS: &[u8; 8] = b"OpusTags";
/// Bytes of the identification header with channel mapping family 0.
pub(super) const HEAD_LEN: usize = 19;
/// The gain is a logarithm to the base 10 in parts of 1/256 of a decibel (RFC 7845 section 5.1).
const GAIN_PER_DECADE: f32 = 20.0 * 256.0;

type Packets = PacketReader<Cursor<Arc<[u8]>>>;

/// An Ogg/Opus file in memory, and how far it has been read.
pub(super) struct OggOpus {
    bytes: Arc<[u8]>,
    packets: Packets,
    serial: u32,
    decoder: OpusDecoder,
    rate: u32,
    gain: Option<f32>,
    /// Samples that are decoded and not heard (RFC 7845 section 4.2), and those still to be skipped.
    pre_skip: u64,
    skip: u64,
    /// Samples that were heard.
    heard: u64,
    decoded: Vec<i16>,
}

impl OggOpus {
    /// Looks at the head of a file, to decode it to samples at `rate`: 8000, 12000, 16000, 24000 or 48000 Hz.
    ///
    /// # Errors
    /// [`FormatError`] says why it cannot be played.
    pub(super) fn open(bytes: Arc<[u8]>, rate: u32) -> Result<OggOpus, FormatError> {
        let (packets, first) = begin(&bytes)?;
        let Head { pre_skip, gain } = Head::read(&first.data)?;
        let skip = u64::from(pre_skip) * u64::from(rate) / u64::from(GRANULES);
        Ok(OggOpus {
            packets,
            serial: first.stream_serial(),
            decoder: OpusDecoder::new(rate)?,
            rate,
            gain: (gain != 0).then(|| 10f32.powf(f32::from(gain) / GAIN_PER_DECADE)),
            pre_skip: pre_skip.into(),
            skip,
            heard: 0,
            decoded: vec![0; (rate / 1000 * LONGEST_PACKET_MS) as usize],
            bytes,
        })
    }

    /// How long it is, by its last page.
    pub(super) fn duration_ms(&self) -> Option<u64> {
        let at = self.bytes.windows(CAPTURE.len()).rposition(|bytes| bytes == CAPTURE)?;
        let granule = self.bytes.get(at + GRANULE_AT..)?.first_chunk::<8>()?;
        let granules = u64::from_le_bytes(*granule).saturating_sub(self.pre_skip);
        Some(granules / u64::from(GRANULES / 1000)).filter(|_| granules < LONGEST)
    }

    /// Appends the samples of the next packet, all channels in one; `false` at the end, or where the file is damaged.
    pub(super) fn read(&mut self, pcm: &mut Vec<i16>) -> bool {
        let Ok(Some(packet)) = self.packets.read_packet() else { return false };
        // Other streams in the file, and the second header.
        if packet.stream_serial() != self.serial || packet.data.starts_with(TAGS) {
            return true;
        }
        let samples = match self.decoder.decode(&packet.data, &mut self.decoded) {
            Ok(samples) => samples,
            // A packet that cannot be decoded is skipped, as libopusfile does.
            Err(_) => return true,
        };
        let skipped = self.skip.min(samples as u64);
        self.skip -= skipped;
        let mut kept = self.decoded.get_mut(skipped as usize..samples).unwrap_or_default();
        if packet.last_in_stream() {
            // RFC 7845 section 4.4: the last granule position may cut off what only fills the last packet.
            let granules = packet.absgp_page().saturating_sub(self.pre_skip);
            let all = u128::from(granules) * u128::from(self.rate) / u128::from(GRANULES);
            let left = usize::try_from(all.saturating_sub(u128::from(self.heard))).unwrap_or(usize::MAX);
            let end = kept.len().min(left);
            kept = kept.get_mut(..end).unwrap_or_default();
        }
        if let Some(gain) = self.gain {
            kept.iter_mut().for_each(|sample| *sample = (f32::from(*sample) * gain) as i16);
        }
        self.heard += kept.len() as u64;
        pcm.extend_from_slice(kept);
        !packet.last_in_stream()
    }

    /// The next packet is the first again.
    ///
    /// # Errors
    /// [`FormatError`] as when it was opened.
    pub(super) fn rewind(&mut self) -> Result<(), FormatError> {
        *self = OggOpus::open(Arc::clone(&self.bytes), self.rate)?;
        Ok(())
    }
}

/// The packets of a file, behind the first one.
fn begin(bytes: &Arc<[u8]>) -> Result<(Packets, Packet), FormatError> {
    if !bytes.starts_with(CAPTURE) {
        return Err(FormatError::Unknown);
    }
    let mut packets = PacketReader::new(Cursor::new(Arc::clone(bytes)));
    match packets.read_packet() {
        Ok(Some(first)) => Ok((packets, first)),
        _ => Err(FormatError::Malformed("no whole page")),
    }
}

/// What is of interest in the identification header.
struct Head {
    /// In samples of 48 kHz.
    pre_skip: u16,
    /// In 1/256 dB.
    gain: i16,
}

impl Head {
    /// RFC 7845 section 5.1.
    fn read(packet: &[u8]) -> Result<Head, FormatError> {
        if !packet.starts_with(HEAD) {
            return Err(FormatError::Unsupported("an Ogg file that does not begin with Opus"));
        }
        let Some([.., version, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, family]) =
            packet.first_chunk::<HEAD_LEN>()
        else {
            return Err(FormatError::Malformed("an Opus header that is too short"));
        };
        // The upper four bits are the major version: others are not to be decoded.
        if version >> 4 != 0 {
            return Err(FormatError::Unsupported("a newer version of Ogg/Opus"));
        }
        if *family != 0 || !(1..=2).contains(channels) {
            return Err(FormatError::Unsupported("more than two channels"));
        }
        Ok(Head {
            pre_skip: u16::from_le_bytes([*skip_low, *skip_high]),
            gain: i16::from_le_bytes([*gain_low, *gain_high]),
        })
    }
}
