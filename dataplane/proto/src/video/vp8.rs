//! What an RTP payload of VP8 carries (RFC 7741): whether a key frame begins in it, and how large it is.

use tandem_control::PictureSize;

/// What stands behind the three bytes of a key frame's tag (RFC 6386 section 9.1).
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// Whether the first partition of a key frame begins with this payload. What is malformed begins none.
pub fn begins_key_frame(payload: &[u8]) -> bool {
    key_frame(payload).is_some()
}

/// The size of the pictures from the key frame on that begins with this payload. `None`: none begins, or it does not
/// say.
pub fn picture_size(payload: &[u8]) -> Option<PictureSize> {
    // RFC 6386 section 9.1: behind the tag and the start code stand width and height, each of 14 bits, below 2 bits
    // that say how it is to be scaled up when it is shown.
    let (_tag, rest) = key_frame(payload)?.split_first_chunk::<3>()?;
    let (sizes, _) = rest.strip_prefix(&START_CODE)?.split_first_chunk::<4>()?;
    let [width, height] = [[sizes[0], sizes[1]], [sizes[2], sizes[3]]].map(u16::from_le_bytes);
    PictureSize::new(width & 0x3fff, height & 0x3fff)
}

/// The first partition of a key frame, as far as this payload has it, if it begins with it.
fn key_frame(payload: &[u8]) -> Option<&[u8]> {
    let descriptor = Descriptor::parse(payload)?;
    let partition = payload.get(descriptor.len..)?;
    // RFC 7741 section 4.3: P, the lowest bit of the first byte, is 0 for a key frame.
    let is_key = partition.first()? & 1 == 0;
    (descriptor.starts_partition && descriptor.partition == 0 && is_key).then_some(partition)
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

    #[test]
    fn a_key_frame_says_how_large_it_is() {
        // As libvpx writes it for 176x144, behind a descriptor of one byte and one of four.
        let frame = [0xb0, 0x43, 0x00, 0x9d, 0x01, 0x2a, 0xb0, 0x00, 0x90, 0x00, 0x00, 0x07];
        let of = |descriptor: &[u8], frame: &[u8]| picture_size(&[descriptor, frame].concat());
        let size = PictureSize::new(176, 144);
        assert_eq!(of(&[0x10], &frame), size);
        assert_eq!(of(&[0x90, 0x80, 0x91, 0x11], &frame[..10]), size);
        assert_eq!(of(&[0x10], &frame[..9]), None, "cut off");
        assert_eq!(of(&[0x11], &frame), None, "the second partition");
        let changed = |at: usize, byte: u8| {
            let mut frame = frame;
            frame[at] = byte;
            of(&[0x10], &frame)
        };
        assert_eq!(changed(0, 0xb1), None, "no key frame");
        assert_eq!(changed(4, 0x02), None, "no start code");
        assert_eq!(changed(6, 0), None, "no width");
        assert_eq!(changed(7, 0x41), PictureSize::new(176 + 256, 144), "scaled up when it is shown");
    }

    proptest! {
        #[test]
        fn any_payload_is_looked_into(payload in proptest::collection::vec(any::<u8>(), 0..16)) {
            if begins_key_frame(&payload) {
                prop_assert!(payload.len() >= 2);
            }
            if let Some(size) = picture_size(&payload) {
                prop_assert!(begins_key_frame(&payload));
                prop_assert!((1..1 << 14).contains(&size.width) && (1..1 << 14).contains(&size.height));
            }
        }
    }
}
