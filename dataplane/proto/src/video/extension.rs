//! One RTP header extension element (RFC 8285): where a browser writes its transport-wide sequence number.

use crate::rtp::HEADER_LEN;

/// The profile of one-byte headers (RFC 8285 section 4.2), and that of two-byte headers without its lowest four bits
/// (section 4.3).
const ONE_BYTE: u16 = 0xbede;
const TWO_BYTES: u16 = 0x1000;

/// The data of the element with this id in a packet that [`crate::rtp::parse`] has taken.
pub fn element(packet: &[u8], id: u8) -> Option<&[u8]> {
    let first = *packet.first()?;
    if first & 0x10 == 0 {
        return None;
    }
    let extension = packet.get(HEADER_LEN + 4 * usize::from(first & 0x0f)..)?;
    let (head, behind) = extension.split_first_chunk::<4>()?;
    let mut elements = behind.get(..4 * usize::from(u16::from_be_bytes([head[2], head[3]])))?;
    let profile = u16::from_be_bytes([head[0], head[1]]);
    let is_one_byte = profile == ONE_BYTE;
    if !is_one_byte && profile & 0xfff0 != TWO_BYTES {
        return None;
    }
    while let Some((&head, rest)) = elements.split_first() {
        // Id 0 is padding in both forms; id 15 ends the one-byte form (section 4.2).
        if head == 0 {
            elements = rest;
            continue;
        }
        let (here, len, rest) = match is_one_byte {
            true if head >> 4 == 15 => return None,
            true => (head >> 4, usize::from(head & 0x0f) + 1, rest),
            false => {
                let (&len, rest) = rest.split_first()?;
                (head, usize::from(len), rest)
            }
        };
        let (data, rest) = rest.split_at_checked(len)?;
        if here == id {
            return Some(data);
        }
        elements = rest;
    }
    None
}

/// The transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2).
pub fn transport_sequence(packet: &[u8], id: u8) -> Option<u16> {
    element(packet, id)?.first_chunk().map(|number| u16::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(profile: u16, elements: &[u8]) -> Vec<u8> {
        let builder = rtp_types::RtpPacketBuilder::<&[u8], &[u8]>::new()
            .payload_type(96)
            .add_csrc(9)
            .extension(profile, elements)
            .payload(&b"picture"[..]);
        builder.write_vec().unwrap()
    }

    #[test]
    fn an_element_is_found_in_either_form() {
        let one = packet(ONE_BYTE, &[0x10, 0xff, 0, 0x31, 0x12, 0x34, 0, 0]);
        assert_eq!(transport_sequence(&one, 3), Some(0x1234));
        assert_eq!(element(&one, 1), Some(&[0xff][..]));
        assert_eq!(element(&one, 2), None);
        let two = packet(TWO_BYTES | 5, &[1, 0, 3, 2, 0x12, 0x34, 0, 0]);
        assert_eq!(transport_sequence(&two, 3), Some(0x1234));
        assert_eq!(transport_sequence(&two, 1), None, "it is empty");
    }

    #[test]
    fn nothing_is_read_behind_the_end() {
        assert_eq!(element(&packet(ONE_BYTE, &[0xf0, 0x31, 1, 2]), 3), None, "id 15 ends it");
        assert_eq!(element(&packet(ONE_BYTE, &[0, 0, 0, 0x31]), 3), None, "the data is not there");
        assert_eq!(element(&packet(0x1234, &[0x31, 1, 2, 0]), 3), None, "another profile");
        assert_eq!(element(&packet(ONE_BYTE, &[])[..20], 3), None);
        assert_eq!(element(&[0x80; 12], 3), None);
    }

    proptest! {
        #[test]
        fn any_packet_is_read(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), id in 1u8..15) {
            if let Some(first) = bytes.first_mut() {
                *first |= 0x10;
            }
            if let Some(data) = element(&bytes, id) {
                prop_assert!(data.len() < bytes.len());
            }
        }
    }
}
