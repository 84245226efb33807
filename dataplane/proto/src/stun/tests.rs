//! The published vectors of RFC 5769, and malformed messages.

use super::*;
use proptest::prelude::*;

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

/// RFC 5769 section 2.1: a Binding request of ICE.
const REQUEST: [u8; 108] = [
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa,
    0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20,
    0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00,
    0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a,
    0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf,
    0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28,
    0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
];

/// RFC 5769 section 2.2: its success response over IPv4.
const RESPONSE: [u8; 80] = [
    0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa,
    0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f,
    0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, 0x00, 0x08, 0x00,
    0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53,
    0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
];

fn transaction() -> [u8; 12] {
    REQUEST[8..20].try_into().unwrap()
}

#[test]
fn the_published_request_is_understood_and_authentic() {
    assert!(is_stun(&REQUEST));
    assert_eq!(binding_username(&REQUEST), Some(("evtj", "h6vY")));
    let request = Request::parse(&REQUEST).unwrap();
    assert_eq!(request.transaction, transaction());
    assert_eq!(request.username, Some("evtj:h6vY"));
    assert_eq!(request.priority, Some(0x6E00_01FF));
    assert_eq!(request.role, Some(Role::Controlled));
    assert!(!request.use_candidate);
    assert!(request.unknown.as_slice().is_empty());
    assert_eq!(request.verify(PASSWORD), Ok(()));
    assert_eq!(request.verify("another"), Err(StunError::Integrity));
}

#[test]
fn the_published_response_has_our_integrity_and_fingerprint() {
    assert_eq!(integrity(&RESPONSE[..48], PASSWORD).unwrap(), RESPONSE[52..72]);
    assert_eq!((crc32(&RESPONSE[..72]) ^ FINGERPRINT_XOR).to_be_bytes(), RESPONSE[76..]);
    assert_eq!(Request::parse(&RESPONSE).err(), Some(StunError::NotRequest));
}

#[test]
fn mapped_addresses_are_as_published() {
    let mut buffer = [0; MAX_REPLY];
    let source = "192.0.2.1:32853".parse().unwrap();
    Answer::Success(source).write(transaction(), PASSWORD, &mut buffer).unwrap();
    assert_eq!(buffer[20..32], RESPONSE[36..48]);
    let mapped = "[::ffff:192.0.2.1]:32853".parse().unwrap();
    Answer::Success(mapped).write(transaction(), PASSWORD, &mut buffer).unwrap();
    assert_eq!(buffer[20..32], RESPONSE[36..48]);
    // RFC 5769 section 2.3.
    let source = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
    let length = Answer::Success(source).write(transaction(), PASSWORD, &mut buffer).unwrap();
    let published = [
        0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc,
        0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
    ];
    assert_eq!(buffer[20..44], published);
    assert_eq!(usize::from(buffer[3]), length - HEADER_LEN);
    assert_eq!(integrity(&buffer[..44], PASSWORD).unwrap(), buffer[48..68]);
    assert_eq!((crc32(&buffer[..68]) ^ FINGERPRINT_XOR).to_be_bytes(), buffer[72..76]);
}

#[test]
fn unknown_attributes_are_listed() {
    let mut unknown = UnknownAttributes::default();
    (0..20).for_each(|kind| unknown.push(0x7000 + kind));
    assert_eq!(unknown.as_slice().len(), MAX_UNKNOWN);
    let mut buffer = [0; MAX_REPLY];
    let answer = Answer::UnknownAttributes(&unknown);
    let length = answer.write(transaction(), PASSWORD, &mut buffer).unwrap();
    assert_eq!(buffer[20..28], [0, 9, 0, 4, 0, 0, 4, 20]);
    assert_eq!(buffer[28..34], [0, 10, 0, 16, 0x70, 0]);
    assert!(length <= MAX_REPLY);
}

#[test]
fn a_small_buffer_is_refused() {
    let mut buffer = [0; MAX_REPLY - 1];
    assert_eq!(Answer::RoleConflict.write([0; 12], PASSWORD, &mut buffer), Err(StunError::NoRoom));
}

#[test]
fn every_flipped_bit_is_noticed() {
    // Up to the end of MESSAGE-INTEGRITY, and in the value of FINGERPRINT, which is optional as such.
    for bit in (0..100 * 8).chain(104 * 8..108 * 8) {
        let mut forged = REQUEST;
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(Request::parse(&forged).and_then(|request| request.verify(PASSWORD)).is_err(), "bit {bit}");
    }
}

#[test]
fn what_stands_behind_the_integrity_does_not_count() {
    let mut buffer = REQUEST[..100].to_vec();
    buffer.extend([0x00, 0x25, 0, 0]);
    buffer[3] = (buffer.len() - HEADER_LEN) as u8;
    let request = Request::parse(&buffer).unwrap();
    assert!(!request.use_candidate, "USE-CANDIDATE was added by someone without the password");
    let mut moved = REQUEST[..60].to_vec();
    moved.extend(&REQUEST[76..100]);
    moved.extend(&REQUEST[60..76]);
    moved[3] = (moved.len() - HEADER_LEN) as u8;
    assert_eq!(Request::parse(&moved).unwrap().username, None);
    assert_eq!(binding_username(&moved), None, "both views of a packet agree");
}

#[test]
fn lengths_must_fit_the_datagram() {
    for length in 0..REQUEST.len() {
        assert!(Request::parse(&REQUEST[..length]).is_err());
    }
    let mut longer = REQUEST.to_vec();
    longer.extend([0; 4]);
    assert_eq!(Request::parse(&longer).err(), Some(StunError::Malformed));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), dressed in any::<bool>()) {
        if dressed && bytes.len() >= HEADER_LEN {
            bytes.truncate(HEADER_LEN + (bytes.len() - HEADER_LEN) / 4 * 4);
            let length = (bytes.len() - HEADER_LEN) as u16;
            bytes[..2].copy_from_slice(&[0, 1]);
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            bytes[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
        }
        is_stun(&bytes);
        binding_username(&bytes);
        if let Ok(request) = Request::parse(&bytes) {
            prop_assert!(request.verify(PASSWORD).is_err());
        }
    }
}
