//! RTP headers (RFC 3550 section 5.1): read in place, written in place.

use crate::drops::DropReason;
use crate::packet::Packet;

/// Bytes of a header without contributing sources and extension.
pub const HEADER_LEN: usize = 12;

/// The fixed fields of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The marker bit.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The time stamp.
    pub timestamp: u32,
    /// The synchronization source.
    pub ssrc: u32,
}

impl Header {
    /// Writes the 12 bytes of the header: version 2, no padding, extension or contributing sources. Writes
    /// nothing if `to` is shorter.
    pub fn write(&self, to: &mut [u8]) {
        if let Some(fixed) = to.first_chunk_mut::<HEADER_LEN>() {
            fixed[0] = 0x80;
            fixed[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
            fixed[2..4].copy_from_slice(&self.sequence.to_be_bytes());
            fixed[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
            fixed[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        }
    }
}

/// A packet's header, and where its payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The header.
    pub header: Header,
    /// Where the payload starts: behind contributing sources and extension.
    pub payload_start: usize,
    /// Where it ends: before the padding.
    pub payload_end: usize,
}

impl Parsed {
    /// The payload of the packet that was parsed.
    pub fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(self.payload_start..self.payload_end).unwrap_or_default()
    }
}

/// Reads a packet's header.
///
/// # Errors
/// [`DropReason::MalformedRtp`] if the version is not 2 or a length points outside of the packet.
pub fn parse(packet: &[u8]) -> Result<Parsed, DropReason> {
    const MALFORMED: DropReason = DropReason::MalformedRtp;
    let fixed = packet.first_chunk::<HEADER_LEN>().ok_or(MALFORMED)?;
    if fixed[0] >> 6 != 2 {
        return Err(MALFORMED);
    }
    let mut payload_start = HEADER_LEN + 4 * usize::from(fixed[0] & 0x0f);
    if fixed[0] & 0x10 != 0 {
        // RFC 3550 section 5.3.1: 16 bits for the profile, 16 bits count the words that follow.
        let extension =
            packet.get(payload_start..).and_then(|rest| rest.first_chunk::<4>()).ok_or(MALFORMED)?;
        payload_start += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
    }
    let mut payload_end = packet.len();
    if fixed[0] & 0x20 != 0 {
        // RFC 3550 section 5.1: the last octet counts the padding, itself included.
        let padding = packet.last().copied().filter(|&count| count > 0).ok_or(MALFORMED)?;
        payload_end = payload_end.checked_sub(usize::from(padding)).ok_or(MALFORMED)?;
    }
    if payload_start > payload_end {
        return Err(MALFORMED);
    }
    let header = Header {
        marker: fixed[1] & 0x80 != 0,
        payload_type: fixed[1] & 0x7f,
        sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
        timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
    };
    Ok(Parsed { header, payload_start, payload_end })
}

/// Gives the packet another header. Contributing sources, extension and padding go: they belong to the other
/// leg's negotiation. The payload does not move.
pub fn rewrite(packet: &mut Packet<'_>, parsed: &Parsed, header: &Header) {
    packet.set_len(parsed.payload_end);
    packet.advance(parsed.payload_start.saturating_sub(HEADER_LEN));
    header.write(packet.bytes_mut());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TAILROOM;
    use proptest::prelude::*;

    const HEADER: Header = Header {
        marker: true,
        payload_type: 111,
        sequence: 0xfffe,
        timestamp: 0x0102_0304,
        ssrc: 0xa1b2_c3d4,
    };

    #[test]
    fn what_another_implementation_wrote_is_read() {
        let payload = [7u8; 20];
        let builder = rtp_types::RtpPacketBuilder::<&[u8], &[u8]>::new()
            .marker_bit(true)
            .payload_type(111)
            .sequence_number(0xfffe)
            .timestamp(0x0102_0304)
            .ssrc(0xa1b2_c3d4)
            .add_csrc(9)
            .extension(0xbede, &[1, 2, 3, 4, 5, 6, 7, 8][..])
            .padding(4)
            .payload(&payload[..]);
        let bytes = builder.write_vec().unwrap();
        let parsed = parse(&bytes).unwrap();
        assert_eq!(parsed.header, HEADER);
        assert_eq!(parsed.payload(&bytes), payload);
    }

    #[test]
    fn a_rewritten_packet_has_only_the_header_and_the_payload() {
        let mut buffer = vec![0u8; 8];
        // CC = 1, X = 1 with one word, P = 1 with 2 bytes.
        buffer.extend([0xb1, 0x00, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9, 9, 9, 0xbe, 0xde, 0, 1, 5, 5, 5, 5]);
        buffer.extend([b'h', b'i', 0, 2]);
        let end = buffer.len();
        buffer.resize(end + TAILROOM, 0);
        let mut packet = Packet::new(&mut buffer, 8, end).unwrap();
        let parsed = parse(packet.bytes()).unwrap();
        rewrite(&mut packet, &parsed, &HEADER);
        let bytes = packet.bytes();
        assert_eq!(bytes[0], 0x80);
        let again = parse(bytes).unwrap();
        assert_eq!(again.header, HEADER);
        assert_eq!(again.payload(bytes), b"hi");
        assert_eq!(bytes.len(), HEADER_LEN + 2);
    }

    #[test]
    fn lengths_that_point_outside_are_malformed() {
        let mut bytes = [0u8; 16];
        HEADER.write(&mut bytes);
        for (first, last) in [(0x40, 0), (0x8f, 0), (0xa0, 0), (0xa0, 17), (0xa0, 5)] {
            bytes[0] = first;
            bytes[15] = last;
            assert_eq!(parse(&bytes), Err(DropReason::MalformedRtp), "{first:#x} {last}");
        }
        bytes[0] = 0x90;
        bytes[14..].copy_from_slice(&[0, 1]);
        assert_eq!(parse(&bytes), Err(DropReason::MalformedRtp));
        assert_eq!(parse(&bytes[..11]), Err(DropReason::MalformedRtp));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(parsed) = parse(&bytes) {
                prop_assert!(parsed.payload_end <= bytes.len());
                prop_assert!(parsed.payload(&bytes).len() <= bytes.len() - HEADER_LEN);
            }
        }
    }
}
