//! What an RTP payload of VP8 carries (RFC 7741): whether a key frame begins in it.

/// Whether the first partition of a key frame begins with this payload. What is malformed begins none.
pub fn begins_key_frame(payload: &[u8]) -> bool {
    let Some(descriptor) = Descriptor::parse(payload) else { return false };
    // RFC 7741 section 4.3: P, the lowest bit of the first byte, is 0 for a key frame.
    let frame_is_key = payload.get(descriptor.len).is_some_and(|first| first & 1 == 0);
    descriptor.starts_partition && descriptor.partition == 0 && frame_is_key
}

/// The payload descriptor (RFC 7741 section 4.2), as far as it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Descriptor {
    starts_partition: bool,
    partition: u8,
    /// Bytes of it.
    len: usize,
}

impl Descriptor {
    fn parse(payload: &[u8]) -> Option<Descriptor> {
        let first = *payload.first()?;
        let mut len = 1;
        if first & 0x80 != 0 {
            let extension = *payload.get(1)?;
            len += 1;
            if extension & 0x80 != 0 {
                // M tells whether the picture's number has 15 bits, or 7.
                len += if payload.get(len)? & 0x80 != 0 { 2 } else { 1 };
            }
            if extension & 0x40 != 0 {
                len += 1;
            }
            // TID and KEYIDX share one byte.
            if extension & 0x30 != 0 {
                len += 1;
            }
        }
        Some(Descriptor { starts_partition: first & 0x10 != 0, partition: first & 0x07, len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_frame_begins_with_its_first_partition_only() {
        assert!(begins_key_frame(&[0x10, 0x50, 0x01]));
        assert!(!begins_key_frame(&[0x10, 0x51, 0x01]), "an inter frame");
        assert!(!begins_key_frame(&[0x00, 0x50, 0x01]), "not the start of a partition");
        assert!(!begins_key_frame(&[0x11, 0x50, 0x01]), "the second partition");
        assert!(!begins_key_frame(&[0x10]));
        assert!(!begins_key_frame(&[]));
    }

    #[test]
    fn the_descriptor_is_as_long_as_its_bits_say() {
        // X; I with 7 bits, I with 15 bits; L; T and K.
        assert!(begins_key_frame(&[0x90, 0x80, 0x11, 0x50]));
        assert!(begins_key_frame(&[0x90, 0x80, 0x91, 0x11, 0x50]));
        assert!(begins_key_frame(&[0x90, 0xf0, 0x91, 0x11, 0x01, 0x01, 0x50]));
        assert!(begins_key_frame(&[0x90, 0x20, 0x01, 0x50]));
        assert!(!begins_key_frame(&[0x90, 0xf0, 0x91, 0x11, 0x01, 0x01]), "nothing is behind it");
        assert!(!begins_key_frame(&[0x90, 0x80]));
    }

    proptest! {
        #[test]
        fn any_payload_is_looked_into(payload in proptest::collection::vec(any::<u8>(), 0..16)) {
            if begins_key_frame(&payload) {
                prop_assert!(payload.len() >= 2);
            }
        }
    }
}
