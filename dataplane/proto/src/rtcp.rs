//! RTCP (RFC 3550 section 6): compound packets, read defensively and written into a given buffer.

use std::time::Duration;

use crate::drops::DropReason;
use crate::video::feedback::Feedback;

/// Seconds between the epochs of NTP (1900) and Unix (1970).
const NTP_UNIX_SECONDS: u64 = 2_208_988_800;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const HEADER_LEN: usize = 4;
const BLOCK_LEN: usize = 24;
const SENDER_INFO_LEN: usize = 20;

/// Whether a packet on a port shared with RTP is RTCP: RFC 5761 section 4 keeps the payload types 64 to 95 free.
pub fn is_rtcp(packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|second| (192..=223).contains(second))
}

/// A point of time as an NTP time stamp: 32 bits of seconds since 1900, 32 bits of fraction.
pub fn ntp(unix: Duration) -> u64 {
    let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
    (unix.as_secs().wrapping_add(NTP_UNIX_SECONDS) << 32) | fraction
}

/// The middle 32 bits of an NTP time stamp, as reports echo them.
pub fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// One report block (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source that it is about.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost in all; 24 bits.
    pub lost: u32,
    /// Extended highest sequence number received.
    pub highest: u32,
    /// Interarrival jitter in units of the time stamp.
    pub jitter: u32,
    /// Middle of the NTP time stamp of the last sender report received; 0 if none was.
    pub last_report: u32,
    /// Since that one, in 1/65536 seconds.
    pub delay: u32,
}

/// What a sender tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// When the report was sent, as an NTP time stamp.
    pub ntp: u64,
    /// The same instant on the time line of the stream.
    pub rtp: u32,
    /// Packets sent in all.
    pub packets: u32,
    /// Payload bytes sent in all.
    pub octets: u32,
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A sender report.
    SenderReport {
        /// Who sent it.
        ssrc: u32,
        /// Its sender information.
        info: SenderInfo,
        /// Its report blocks.
        blocks: Blocks<'a>,
    },
    /// A receiver report.
    ReceiverReport {
        /// Who sent it.
        ssrc: u32,
        /// Its report blocks.
        blocks: Blocks<'a>,
    },
    /// BYE.
    Goodbye(Sources<'a>),
    /// Feedback of a receiver of video.
    Feedback(Feedback<'a>),
    /// Any other packet type.
    Other(u8),
}

/// The report blocks of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks<'a>(&'a [u8]);

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_at_checked(BLOCK_LEN)?;
        self.0 = rest;
        let losses = word(block, 4)?;
        Some(ReportBlock {
            ssrc: word(block, 0)?,
            fraction_lost: (losses >> 24) as u8,
            lost: losses & 0xff_ffff,
            highest: word(block, 8)?,
            jitter: word(block, 12)?,
            last_report: word(block, 16)?,
            delay: word(block, 20)?,
        })
    }
}

/// The sources that a BYE names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources<'a>(&'a [u8]);

impl Iterator for Sources<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let ssrc = word(self.0, 0)?;
        self.0 = self.0.get(4..)?;
        Some(ssrc)
    }
}

pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_be_bytes(*chunk))
}

/// A compound packet whose headers and lengths are right.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a>(&'a [u8]);

impl<'a> Compound<'a> {
    /// Checks a compound packet as RFC 3550 appendix A.2 says, but lets feedback stand first or alone (RFC 5506).
    ///
    /// # Errors
    /// [`DropReason::MalformedRtcp`]; nothing of such a packet is to be believed.
    pub fn parse(bytes: &'a [u8]) -> Result<Compound<'a>, DropReason> {
        if bytes.is_empty() {
            return Err(DropReason::MalformedRtcp);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let (packet, behind) = split(rest).ok_or(DropReason::MalformedRtcp)?;
            let padded = packet.first().is_some_and(|first| first & 0x20 != 0);
            // "Padding may only be applied to the last" packet (appendix A.2).
            if padded && !behind.is_empty() {
                return Err(DropReason::MalformedRtcp);
            }
            read(packet).ok_or(DropReason::MalformedRtcp)?;
            rest = behind;
        }
        Ok(Compound(bytes))
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let (packet, rest) = split(self.0)?;
        self.0 = rest;
        read(packet)
    }
}

/// The first packet by its length field, and what is behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = bytes.first_chunk::<HEADER_LEN>()?;
    let words = usize::from(u16::from_be_bytes([header[2], header[3]])) + 1;
    let version_2 = header[0] >> 6 == 2;
    if version_2 && (192..=223).contains(&header[1]) { bytes.split_at_checked(words * 4) } else { None }
}

fn read(packet: &[u8]) -> Option<Item<'_>> {
    let (header, mut body) = packet.split_first_chunk::<HEADER_LEN>()?;
    if header[0] & 0x20 != 0 {
        let padding = usize::from(*body.last()?);
        let kept = body.len().checked_sub(padding).filter(|_| padding > 0)?;
        body = body.get(..kept)?;
    }
    let count = usize::from(header[0] & 0x1f);
    Some(match header[1] {
        SENDER_REPORT => {
            let ntp = u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?);
            let info =
                SenderInfo { ntp, rtp: word(body, 12)?, packets: word(body, 16)?, octets: word(body, 20)? };
            let blocks = body.get(4 + SENDER_INFO_LEN..)?.get(..count * BLOCK_LEN)?;
            Item::SenderReport { ssrc: word(body, 0)?, info, blocks: Blocks(blocks) }
        }
        RECEIVER_REPORT => {
            let blocks = body.get(4..)?.get(..count * BLOCK_LEN)?;
            Item::ReceiverReport { ssrc: word(body, 0)?, blocks: Blocks(blocks) }
        }
        GOODBYE => Item::Goodbye(Sources(body.get(..count * 4)?)),
        other => Feedback::read(other, header[0] & 0x1f, body).map_or(Item::Other(other), Item::Feedback),
    })
}

/// Writes a compound packet into a buffer. Each method returns `None` if its packet does not fit.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Starts at the front of the buffer.
    pub fn new(buffer: &'a mut [u8]) -> Writer<'a> {
        Writer { buffer, len: 0 }
    }

    /// Bytes written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A sender report if there is something to tell of what was sent, a receiver report if not.
    #[must_use]
    pub fn report(&mut self, ssrc: u32, info: Option<SenderInfo>, block: Option<ReportBlock>) -> Option<()> {
        let kind = if info.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        self.packet(u8::from(block.is_some()), kind, |writer| {
            writer.bytes(&ssrc.to_be_bytes())?;
            if let Some(info) = info {
                writer.bytes(&info.ntp.to_be_bytes())?;
                for word in [info.rtp, info.packets, info.octets] {
                    writer.bytes(&word.to_be_bytes())?;
                }
            }
            if let Some(block) = block {
                let losses = u32::from(block.fraction_lost) << 24 | block.lost.min(0x7f_ffff);
                let words = [block.ssrc, losses, block.highest, block.jitter, block.last_report, block.delay];
                for word in words {
                    writer.bytes(&word.to_be_bytes())?;
                }
            }
            Some(())
        })
    }

    /// A source description with the canonical name (RFC 3550 section 6.5.1), at most 255 bytes of it.
    #[must_use]
    pub fn canonical_name(&mut self, ssrc: u32, name: &[u8]) -> Option<()> {
        let len = u8::try_from(name.len()).ok()?;
        self.packet(1, SOURCE_DESCRIPTION, |writer| {
            writer.bytes(&ssrc.to_be_bytes())?;
            writer.bytes(&[1, len])?;
            writer.bytes(name)?;
            // A null octet ends the items; then nulls up to the next word.
            let nulls = 4 - (2 + name.len()) % 4;
            writer.bytes([0; 4].get(..nulls)?)
        })
    }

    /// BYE for one source.
    #[must_use]
    pub fn goodbye(&mut self, ssrc: u32) -> Option<()> {
        self.packet(1, GOODBYE, |writer| writer.bytes(&ssrc.to_be_bytes()))
    }

    /// A packet of any type. `count` is what stands in the five bits behind version and padding.
    pub(crate) fn packet(
        &mut self,
        count: u8,
        kind: u8,
        body: impl FnOnce(&mut Self) -> Option<()>,
    ) -> Option<()> {
        let start = self.len;
        self.bytes(&[0x80 | count, kind, 0, 0])?;
        let written = body(self);
        let words = (self.len - start) / 4 - 1;
        let length = u16::try_from(words).ok().filter(|_| written.is_some());
        let Some(length) = length else {
            self.len = start;
            return None;
        };
        self.buffer.get_mut(start + 2..start + 4)?.copy_from_slice(&length.to_be_bytes());
        Some(())
    }

    /// A piece of the packet in hand.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.buffer.get_mut(self.len..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.len += bytes.len();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INFO: SenderInfo = SenderInfo { ntp: 0x0102_0304_0506_0708, rtp: 9, packets: 10, octets: 11 };
    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 7,
        fraction_lost: 51,
        lost: 1234,
        highest: 0x1_0005,
        jitter: 33,
        last_report: 44,
        delay: 55,
    };

    fn written(buffer: &mut [u8]) -> usize {
        let mut writer = Writer::new(buffer);
        writer.report(1, Some(INFO), Some(BLOCK)).unwrap();
        writer.canonical_name(1, b"tandem").unwrap();
        writer.goodbye(1).unwrap();
        writer.len()
    }

    #[test]
    fn what_was_written_is_read() {
        let mut buffer = [0; 128];
        let len = written(&mut buffer);
        let items: Vec<_> = Compound::parse(&buffer[..len]).unwrap().collect();
        let [Item::SenderReport { ssrc: 1, info, mut blocks }, Item::Other(202), Item::Goodbye(sources)] =
            items[..]
        else {
            panic!("{items:?}");
        };
        assert_eq!((info, blocks.next(), blocks.next()), (INFO, Some(BLOCK), None));
        assert_eq!(sources.collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn another_implementation_reads_it_too() {
        let mut buffer = [0; 128];
        let len = written(&mut buffer);
        let compound = rtcp_types::Compound::parse(&buffer[..len]).unwrap();
        let mut seen = Vec::new();
        for packet in compound {
            match packet.unwrap() {
                rtcp_types::Packet::Sr(report) => {
                    let block = report.report_blocks().next().unwrap();
                    assert_eq!((report.ssrc(), report.ntp_timestamp()), (1, INFO.ntp));
                    assert_eq!((block.cumulative_lost(), block.interarrival_jitter()), (1234, 33));
                    seen.push("SR");
                }
                rtcp_types::Packet::Sdes(description) => {
                    let chunk = description.chunks().next().unwrap();
                    assert_eq!(chunk.items().next().unwrap().value(), b"tandem");
                    seen.push("SDES");
                }
                rtcp_types::Packet::Bye(_) => seen.push("BYE"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, ["SR", "SDES", "BYE"]);
    }

    #[test]
    fn a_buffer_that_is_too_small_leaves_what_was_there() {
        let mut buffer = [0; 12];
        let mut writer = Writer::new(&mut buffer);
        writer.report(1, None, None).unwrap();
        assert_eq!(writer.report(1, Some(INFO), None), None);
        let len = writer.len();
        assert_eq!(len, 8);
        assert_eq!(Compound::parse(&buffer[..len]).unwrap().count(), 1);
    }

    #[test]
    fn wrong_lengths_versions_and_padding_are_malformed() {
        let mut buffer = [0; 128];
        let len = written(&mut buffer);
        assert!(Compound::parse(&buffer[..len - 1]).is_err());
        assert!(Compound::parse(&[]).is_err());
        for (at, value) in [(0, 0x41), (0, 0xa1), (0, 0x82), (1, 100), (3, 200)] {
            let mut bad = buffer;
            bad[at] = value;
            assert!(Compound::parse(&bad[..len]).is_err(), "{at} {value}");
        }
    }

    #[test]
    fn ntp_counts_from_1900() {
        assert_eq!(ntp(Duration::from_millis(500)), (NTP_UNIX_SECONDS << 32) | 0x8000_0000);
        assert_eq!(middle(0x1234_5678_9abc_def0), 0x5678_9abc);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..128), kind in 198u8..210
        ) {
            if bytes.len() >= 4 {
                bytes[0] = 0x80 | bytes[0] & 0x3f;
                bytes[1] = kind;
                bytes[2] = 0;
                bytes[3] %= 32;
            }
            if let Ok(compound) = Compound::parse(&bytes) {
                for item in compound {
                    match item {
                        Item::SenderReport { blocks, .. } | Item::ReceiverReport { blocks, .. } => {
                            prop_assert!(blocks.count() <= crate::limits::MAX_REPORT_BLOCKS);
                        }
                        Item::Goodbye(sources) => prop_assert!(sources.count() <= 31),
                        Item::Feedback(_) | Item::Other(_) => {}
                    }
                }
            }
        }
    }
}
