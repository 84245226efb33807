//! The feedback that receivers of video send by RTCP: what is missing (RFC 4585), that a key frame is needed (RFC 4585,
//! RFC 5104, and in the manner of RFC 2032), how much may come (`goog-remb`, RFC 5104); read and written.

use super::limits::{LEAST_BITRATE, MAX_RESENT};
use crate::rtcp::{Writer, word};

/// Packet types: full intra request of RFC 2032 section 5.2.1; transport-layer and payload-specific feedback of RFC 4585
/// section 6.1.
const OLD_FULL_INTRA: u8 = 192;
const TRANSPORT: u8 = 205;
const PAYLOAD: u8 = 206;
/// Formats (RFC 4585 sections 6.2 and 6.3, RFC 5104 sections 4.2 and 4.3).
const NACK: u8 = 1;
const LIMIT_REQUEST: u8 = 3;
const LIMIT_NOTIFICATION: u8 = 4;
const ARRIVALS: u8 = 15;
const PICTURE_LOSS: u8 = 1;
const FULL_INTRA: u8 = 4;
const APPLICATION: u8 = 15;
/// Bytes of the two SSRCs in front.
const SOURCES_LEN: usize = 8;
/// The name of the receiver's estimated maximum bit rate (draft-alvestrand-rmcat-remb-03 section 2.2).
const REMB: [u8; 4] = *b"REMB";

/// One feedback message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback<'a> {
    /// Packets are missing.
    Missing {
        /// The stream that they are of.
        media: u32,
        /// Their sequence numbers.
        sequences: Sequences<'a>,
    },
    /// A picture cannot be shown (PLI, or the full intra request of RFC 2032).
    PictureLoss {
        /// The stream, if it is named.
        media: Option<u32>,
    },
    /// A key frame is demanded (FIR).
    FullIntra {
        /// Who demands.
        sender: u32,
        /// Of which streams.
        demands: Demands<'a>,
    },
    /// So much may be sent (REMB).
    Bitrate {
        /// Bits a second, of all streams together.
        bitrate: u64,
    },
    /// No more than so much may be sent until another request (TMMBR).
    LimitRequest {
        /// Who asks.
        sender: u32,
        /// Of which streams; each entry names one.
        limits: Limits<'a>,
    },
    /// What a sender holds itself to (TMMBN).
    LimitNotification {
        /// By whose requests; each entry names who asked.
        limits: Limits<'a>,
    },
}

impl<'a> Feedback<'a> {
    /// Reads the body of an RTCP packet, behind the first word and without padding. `None` if it is none of these, or
    /// malformed: a report beside it still counts.
    pub(crate) fn read(kind: u8, format: u8, body: &'a [u8]) -> Option<Feedback<'a>> {
        let (sender, media) = (word(body, 0)?, word(body, 4));
        let control = body.get(SOURCES_LEN..).unwrap_or_default();
        Some(match (kind, format) {
            (OLD_FULL_INTRA, _) => Feedback::PictureLoss { media: None },
            (TRANSPORT, NACK) => Feedback::Missing {
                media: media?,
                sequences: Sequences { entries: control, first: 0, bits: None },
            },
            (TRANSPORT, LIMIT_REQUEST) => Feedback::LimitRequest { sender, limits: Limits(control) },
            (TRANSPORT, LIMIT_NOTIFICATION) => Feedback::LimitNotification { limits: Limits(control) },
            (PAYLOAD, PICTURE_LOSS) => Feedback::PictureLoss { media: Some(media?) },
            (PAYLOAD, FULL_INTRA) => Feedback::FullIntra { sender, demands: Demands(control) },
            (PAYLOAD, APPLICATION) if control.first_chunk() == Some(&REMB) => {
                // Behind the name: how many sources, 6 bits of exponent, 18 bits of mantissa.
                let coded = word(control, 4)?;
                Feedback::Bitrate { bitrate: scaled(coded & 0x3_ffff, coded >> 18 & 0x3f) }
            }
            _ => return None,
        })
    }
}

/// A bit rate from its mantissa of up to 18 bits and its exponent of 6; the highest where it is higher than any.
fn scaled(mantissa: u32, exponent: u32) -> u64 {
    u64::try_from(u128::from(mantissa) << exponent).unwrap_or(u64::MAX)
}

/// The sequence numbers that a generic NACK names (RFC 4585 section 6.2.1); at most [`MAX_RESENT`] of them are of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequences<'a> {
    entries: &'a [u8],
    /// The first number of the entry in hand, and which of those behind it are named as well.
    first: u16,
    bits: Option<u32>,
}

impl Iterator for Sequences<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        // Bit 0 is the packet id, bit n the packet n behind it.
        while self.bits.is_none_or(|bits| bits == 0) {
            let entry = word(self.entries, 0)?;
            self.entries = self.entries.get(4..)?;
            self.first = (entry >> 16) as u16;
            self.bits = Some(entry << 1 & 0x1_fffe | 1);
        }
        let bits = self.bits?;
        self.bits = Some(bits & (bits - 1));
        Some(self.first.wrapping_add(bits.trailing_zeros() as u16))
    }
}

/// The demands of a full intra request (RFC 5104 section 4.3.1.1): the SSRC of the stream and the number of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demands<'a>(&'a [u8]);

impl Iterator for Demands<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<(u32, u8)> {
        let media = word(self.0, 0)?;
        let number = *self.0.get(4)?;
        self.0 = self.0.get(8..)?;
        Some((media, number))
    }
}

/// An entry of a TMMBR or TMMBN (RFC 5104 sections 4.2.1.1 and 4.2.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// In a request the stream; in a notification who asked.
    pub ssrc: u32,
    /// 6 bits of exponent, 17 bits of mantissa, 9 bits for the bytes of headers that are counted in each packet.
    coded: u32,
}

impl Limit {
    /// A limit in bits a second, rounded down to what can be written.
    pub fn new(ssrc: u32, bitrate: u32) -> Limit {
        let exponent = 15u32.saturating_sub(bitrate.leading_zeros());
        // What is limited here is the pictures' own rate, as REMB and RFC 3890 have it: no headers are counted.
        Limit { ssrc, coded: exponent << 26 | bitrate >> exponent << 9 }
    }

    /// What is obeyed of this request, in an entry that names who asked: no less than a picture needs.
    #[must_use]
    pub fn obeyed(self, requester: u32) -> Limit {
        if self.bitrate() < u64::from(LEAST_BITRATE) {
            return Limit::new(requester, LEAST_BITRATE);
        }
        Limit { ssrc: requester, ..self }
    }

    /// Bits a second. Headers that are counted are left in: how many packets there will be is the sender's to know.
    pub fn bitrate(self) -> u64 {
        scaled(self.coded >> 9 & 0x1_ffff, self.coded >> 26)
    }
}

/// The entries of a TMMBR or TMMBN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits<'a>(&'a [u8]);

impl Iterator for Limits<'_> {
    type Item = Limit;

    fn next(&mut self) -> Option<Limit> {
        let limit = Limit { ssrc: word(self.0, 0)?, coded: word(self.0, 4)? };
        self.0 = self.0.get(8..)?;
        Some(limit)
    }
}

/// Feedback of one leg to its peer: `sender` is the SSRC that we send, `media` the one that we receive. Each method
/// returns `None` if its message does not fit.
#[derive(Clone, Copy, Debug)]
pub struct Author {
    /// Ours.
    pub sender: u32,
    /// The peer's.
    pub media: u32,
}

impl Author {
    /// Asks for packets (generic NACK), named in their order.
    #[must_use]
    pub fn missing(self, writer: &mut Writer<'_>, sequences: &[u16]) -> Option<()> {
        self.message(writer, TRANSPORT, NACK, self.media, |writer| {
            let mut rest = sequences;
            while let Some((&first, behind)) = rest.split_first() {
                let near = behind.iter().take_while(|&&next| (1..=16).contains(&next.wrapping_sub(first)));
                let near = near.count();
                let bits = behind.iter().take(near).fold(0u16, |bits, next| {
                    bits | 1u16.checked_shl(u32::from(next.wrapping_sub(first)) - 1).unwrap_or(0)
                });
                writer.bytes(&first.to_be_bytes())?;
                writer.bytes(&bits.to_be_bytes())?;
                rest = behind.get(near..)?;
            }
            Some(())
        })
    }

    /// Says that a picture cannot be shown (PLI).
    #[must_use]
    pub fn picture_loss(self, writer: &mut Writer<'_>) -> Option<()> {
        self.message(writer, PAYLOAD, PICTURE_LOSS, self.media, |_| Some(()))
    }

    /// Demands a key frame (FIR). The stream is named behind (RFC 5104 section 4.3.1.2: "SSRC of media source" is 0).
    #[must_use]
    pub fn full_intra(self, writer: &mut Writer<'_>, number: u8) -> Option<()> {
        self.message(writer, PAYLOAD, FULL_INTRA, 0, |writer| {
            writer.bytes(&self.media.to_be_bytes())?;
            writer.bytes(&[number, 0, 0, 0])
        })
    }

    /// Says how much may come, in bits a second (REMB), rounded down to what can be written.
    #[must_use]
    pub fn bitrate(self, writer: &mut Writer<'_>, bitrate: u32) -> Option<()> {
        // 18 bits of mantissa.
        let exponent = 14u32.saturating_sub(bitrate.leading_zeros());
        self.message(writer, PAYLOAD, APPLICATION, 0, |writer| {
            writer.bytes(&REMB)?;
            writer.bytes(&(1 << 24 | exponent << 18 | bitrate >> exponent).to_be_bytes())?;
            writer.bytes(&self.media.to_be_bytes())
        })
    }

    /// Asks for no more than so much, in bits a second (TMMBR). The stream is named behind (RFC 5104 section 4.2.1.2: "SSRC
    /// of media source" is 0).
    #[must_use]
    pub fn limit(self, writer: &mut Writer<'_>, bitrate: u32) -> Option<()> {
        self.limits(writer, LIMIT_REQUEST, Limit::new(self.media, bitrate))
    }

    /// Says which request for a limit is obeyed (TMMBN; RFC 5104 section 4.2.2.2: "SSRC of media source" is 0).
    #[must_use]
    pub fn obeys(self, writer: &mut Writer<'_>, limit: Limit) -> Option<()> {
        self.limits(writer, LIMIT_NOTIFICATION, limit)
    }

    fn limits(self, writer: &mut Writer<'_>, format: u8, limit: Limit) -> Option<()> {
        self.message(writer, TRANSPORT, format, 0, |writer| {
            writer.bytes(&limit.ssrc.to_be_bytes())?;
            writer.bytes(&limit.coded.to_be_bytes())
        })
    }

    /// Tells arrivals: what [`super::arrivals::Arrivals::report`] wrote.
    #[must_use]
    pub fn arrivals(self, writer: &mut Writer<'_>, report: &[u8]) -> Option<()> {
        self.message(writer, TRANSPORT, ARRIVALS, self.media, |writer| writer.bytes(report))
    }

    fn message(
        self,
        writer: &mut Writer<'_>,
        kind: u8,
        format: u8,
        media: u32,
        control: impl FnOnce(&mut Writer<'_>) -> Option<()>,
    ) -> Option<()> {
        writer.packet(format, kind, |writer| {
            writer.bytes(&self.sender.to_be_bytes())?;
            writer.bytes(&media.to_be_bytes())?;
            control(writer)
        })
    }
}

const _: () = assert!(MAX_RESENT >= 17, "an entry of a NACK names up to 17");

#[cfg(test)]
mod tests;
