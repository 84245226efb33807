//! The retransmission payload format (RFC 4588): a packet that is sent again on a stream of its own, behind the sequence
//! number that it had.

use crate::packet::Packet;
use crate::rtp::{HEADER_LEN, Header, Parsed};

/// Bytes of the original sequence number.
pub const ORIGINAL_LEN: usize = 2;

/// Writes a packet that is sent again: `header` is that of the retransmission stream, with the time stamp and the
/// marker of the original (RFC 4588 section 4). `original` is the packet as it was first sent, without contributing
/// sources, extension and padding. Returns the length; `None` if it does not fit.
pub fn wrap(header: &Header, original: &[u8], buffer: &mut [u8]) -> Option<usize> {
    let (fixed, payload) = original.split_at_checked(HEADER_LEN)?;
    let len = original.len() + ORIGINAL_LEN;
    let room = buffer.get_mut(..len)?;
    header.write(room);
    room.get_mut(HEADER_LEN..HEADER_LEN + ORIGINAL_LEN)?.copy_from_slice(fixed.get(2..4)?);
    room.get_mut(HEADER_LEN + ORIGINAL_LEN..)?.copy_from_slice(payload);
    Some(len)
}

/// Makes of a packet of the retransmission stream the one that it brings, with this payload type and source, in place;
/// returns its header. `None` if it brings none: it is padding, with which a sender tries its line.
pub fn unwrap(packet: &mut Packet<'_>, parsed: &Parsed, payload_type: u8, ssrc: u32) -> Option<Parsed> {
    let payload = parsed.payload(packet.bytes());
    // A packet without a payload was never worth sending again.
    let (original, rest) = payload.split_first_chunk::<ORIGINAL_LEN>()?;
    let header = Header { payload_type, ssrc, sequence: u16::from_be_bytes(*original), ..parsed.header };
    let len = HEADER_LEN + rest.len();
    if rest.is_empty() {
        return None;
    }
    packet.set_len(parsed.payload_end);
    packet.advance(parsed.payload_start + ORIGINAL_LEN - HEADER_LEN);
    header.write(packet.bytes_mut());
    Some(Parsed { header, payload_start: HEADER_LEN, payload_end: len })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TAILROOM;
    use crate::rtp;
    use proptest::prelude::*;

    const ORIGINAL: Header =
        Header { marker: true, payload_type: 96, sequence: 0xbeef, timestamp: 90_000, ssrc: 7 };
    const AGAIN: Header = Header { payload_type: 97, sequence: 3, ssrc: 8, ..ORIGINAL };

    fn packet(header: &Header, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        header.write(&mut bytes);
        bytes.extend(payload);
        bytes
    }

    fn unwrapped(bytes: &[u8]) -> Option<(Header, Vec<u8>)> {
        let mut buffer = [bytes, &[0; TAILROOM]].concat();
        let mut packet = Packet::new(&mut buffer, 0, bytes.len()).unwrap();
        let parsed = rtp::parse(packet.bytes()).unwrap();
        let parsed = unwrap(&mut packet, &parsed, 96, 7)?;
        assert_eq!(rtp::parse(packet.bytes()), Ok(parsed));
        Some((parsed.header, parsed.payload(packet.bytes()).to_vec()))
    }

    #[test]
    fn what_was_wrapped_is_unwrapped() {
        let original = packet(&ORIGINAL, b"picture");
        let mut buffer = [0; 64];
        let len = wrap(&AGAIN, &original, &mut buffer).unwrap();
        assert_eq!(buffer[..len], packet(&AGAIN, b"\xbe\xefpicture"));
        assert_eq!(unwrapped(&buffer[..len]), Some((ORIGINAL, b"picture".to_vec())));
        assert_eq!(wrap(&AGAIN, &original, &mut buffer[..len - 1]), None);
        assert_eq!(wrap(&AGAIN, &original[..11], &mut buffer), None);
    }

    #[test]
    fn extension_and_padding_of_the_retransmission_go() {
        let builder = rtp_types::RtpPacketBuilder::<&[u8], &[u8]>::new()
            .marker_bit(true)
            .payload_type(97)
            .sequence_number(3)
            .timestamp(90_000)
            .ssrc(8)
            .extension(0xbede, &[1, 2, 3, 4][..])
            .padding(4)
            .payload(&b"\xbe\xefpicture"[..]);
        assert_eq!(unwrapped(&builder.write_vec().unwrap()), Some((ORIGINAL, b"picture".to_vec())));
    }

    #[test]
    fn padding_brings_no_packet() {
        assert_eq!(unwrapped(&packet(&AGAIN, &[])), None);
        assert_eq!(unwrapped(&packet(&AGAIN, &[0xbe])), None);
        assert_eq!(unwrapped(&packet(&AGAIN, &[0xbe, 0xef])), None);
    }

    proptest! {
        #[test]
        fn any_packet_is_unwrapped_or_brings_nothing(
            mut bytes in proptest::collection::vec(any::<u8>(), HEADER_LEN..64)
        ) {
            bytes[0] = bytes[0] & 0x3f | 0x80;
            if rtp::parse(&bytes).is_ok()
                && let Some((_, payload)) = unwrapped(&bytes)
            {
                prop_assert!(!payload.is_empty() && payload.len() + HEADER_LEN + ORIGINAL_LEN <= bytes.len());
            }
        }
    }
}
