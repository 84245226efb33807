//! Whole packets: the published vectors, and what an attacker or a bad network does.

mod batches;

use super::*;
use proptest::prelude::*;
use tandem_control::SrtpSuite;

const SUITES: [SrtpSuite; 4] = [
    SrtpSuite::AesCm128HmacSha1_80,
    SrtpSuite::AesCm128HmacSha1_32,
    SrtpSuite::AeadAes128Gcm,
    SrtpSuite::AeadAes256Gcm,
];

/// Bytes from hexadecimal digits; blanks between them do not count.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn key(suite: SrtpSuite, seed: u8) -> SrtpKey {
    let len = suite.key_len() + suite.salt_len();
    SrtpKey { suite, key_and_salt: (0..len as u8).map(|n| n.wrapping_mul(7) ^ seed).collect() }
}

fn pair(suite: SrtpSuite) -> (Outbound, Inbound) {
    (Outbound::new(&key(suite, 1)).unwrap(), Inbound::new(&key(suite, 1)).unwrap())
}

fn rtp(sequence: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend(160u32.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend((0..160).map(|n| n as u8 ^ sequence as u8));
    packet
}

fn receiver_report(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x81, 201, 0, 7];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x5A; 24]);
    packet
}

fn protect(outbound: &mut Outbound, plain: &[u8]) -> Vec<u8> {
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + MAX_TRAILER, 0);
    let length = outbound.protect(&mut buffer, plain.len()).unwrap();
    buffer.truncate(length);
    buffer
}

fn protect_rtcp(outbound: &mut Outbound, plain: &[u8]) -> Vec<u8> {
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + MAX_TRAILER, 0);
    let length = outbound.protect_rtcp(&mut buffer, plain.len()).unwrap();
    buffer.truncate(length);
    buffer
}

fn unprotect(inbound: &mut Inbound, protected: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = protected.to_vec();
    let length = inbound.unprotect(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

fn unprotect_rtcp(inbound: &mut Inbound, protected: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = protected.to_vec();
    let length = inbound.unprotect_rtcp(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

#[test]
fn packets_come_back_as_they_were() {
    for suite in SUITES {
        let (mut outbound, mut inbound) = pair(suite);
        let plain = rtp(7, 0xCAFE);
        let protected = protect(&mut outbound, &plain);
        assert_eq!(protected[..12], plain[..12], "the header stays readable");
        assert_ne!(protected[12..plain.len()], plain[12..], "the payload does not");
        assert_eq!(unprotect(&mut inbound, &protected), Ok(plain));
        let plain = receiver_report(0xCAFE);
        let protected = protect_rtcp(&mut outbound, &plain);
        assert_ne!(protected[8..plain.len()], plain[8..]);
        assert_eq!(unprotect_rtcp(&mut inbound, &protected), Ok(plain));
    }
}

#[test]
fn csrcs_and_header_extensions_are_authentic_but_not_encrypted() {
    for suite in SUITES {
        let (mut outbound, mut inbound) = pair(suite);
        let mut plain = vec![0x92, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2];
        plain.extend([0x11; 8]);
        plain.extend([0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0]);
        plain.extend([0x77; 40]);
        let protected = protect(&mut outbound, &plain);
        assert_eq!(protected[..28], plain[..28]);
        assert_ne!(protected[28..68], plain[28..]);
        for place in [1, 13, 25, 30] {
            let mut forged = protected.clone();
            forged[place] ^= 1;
            assert_eq!(unprotect(&mut inbound, &forged), Err(SrtpError::Authentication), "byte {place}");
        }
        assert_eq!(unprotect(&mut inbound, &protected), Ok(plain));
    }
}

#[test]
fn the_short_tag_is_for_rtp_only() {
    let (mut outbound, _) = pair(SrtpSuite::AesCm128HmacSha1_32);
    assert_eq!(protect(&mut outbound, &rtp(1, 1)).len(), 172 + 4);
    assert_eq!(protect_rtcp(&mut outbound, &receiver_report(1)).len(), 32 + 4 + 10);
}

#[test]
fn a_stream_survives_the_wrap_in_any_order_inside_the_window() {
    for suite in SUITES {
        let (mut outbound, mut inbound) = pair(suite);
        let sequences: Vec<u16> = (0..100).map(|n: u16| n.wrapping_add(0xFFD0)).collect();
        let mut packets: Vec<_> = sequences.iter().map(|&s| protect(&mut outbound, &rtp(s, 5))).collect();
        // The first one fixes the roll-over counter; of the others each group of eight comes in backwards.
        packets[1..].chunks_mut(8).for_each(<[_]>::reverse);
        for packet in &packets {
            unprotect(&mut inbound, packet).unwrap();
        }
        for packet in &packets {
            assert_eq!(unprotect(&mut inbound, packet), Err(SrtpError::Replayed));
        }
    }
}

#[test]
fn the_rollover_counter_is_part_of_the_tag() {
    let (mut outbound, mut inbound) = pair(SrtpSuite::AesCm128HmacSha1_80);
    protect(&mut outbound, &rtp(0xFFFF, 5));
    let after_the_wrap = protect(&mut outbound, &rtp(0, 5));
    assert_eq!(unprotect(&mut inbound, &after_the_wrap), Err(SrtpError::Authentication));
}

#[test]
fn a_forged_first_packet_makes_no_state() {
    for suite in SUITES {
        let (mut outbound, mut inbound) = pair(suite);
        for ssrc in 0..100 {
            let mut forged = rtp(60_000, ssrc);
            forged.extend([0; MAX_TRAILER]);
            assert_eq!(unprotect(&mut inbound, &forged), Err(SrtpError::Authentication));
            let mut forged = receiver_report(ssrc);
            forged.extend([0x80; MAX_TRAILER]);
            assert_eq!(unprotect_rtcp(&mut inbound, &forged), Err(SrtpError::Authentication));
        }
        assert_eq!(inbound.sources.len(), 0);
        unprotect(&mut inbound, &protect(&mut outbound, &rtp(1, 3))).unwrap();
        assert_eq!(inbound.sources.len(), 1);
    }
}

#[test]
fn a_forged_packet_does_not_move_the_window() {
    let (mut outbound, mut inbound) = pair(SrtpSuite::AeadAes128Gcm);
    unprotect(&mut inbound, &protect(&mut outbound, &rtp(1, 3))).unwrap();
    let mut forged = rtp(30_000, 3);
    forged.extend([0; 16]);
    assert_eq!(unprotect(&mut inbound, &forged), Err(SrtpError::Authentication));
    unprotect(&mut inbound, &protect(&mut outbound, &rtp(2, 3))).unwrap();
}

#[test]
fn sources_are_bounded() {
    let (mut outbound, mut inbound) = pair(SrtpSuite::AeadAes128Gcm);
    for ssrc in 0..MAX_SOURCES as u32 {
        unprotect(&mut inbound, &protect(&mut outbound, &rtp(1, ssrc))).unwrap();
    }
    let mut buffer = rtp(1, 99);
    buffer.resize(300, 0);
    assert_eq!(outbound.protect(&mut buffer, 172), Err(SrtpError::TooManySources));
    let stranger = protect(&mut Outbound::new(&key(SrtpSuite::AeadAes128Gcm, 1)).unwrap(), &rtp(1, 99));
    assert_eq!(unprotect(&mut inbound, &stranger), Err(SrtpError::TooManySources));
}

#[test]
fn an_index_is_never_used_twice_for_sending() {
    let (mut outbound, _) = pair(SrtpSuite::AeadAes128Gcm);
    protect(&mut outbound, &rtp(500, 1));
    for (sequence, error) in [(500, SrtpError::Replayed), (300, SrtpError::TooOld)] {
        let mut buffer = rtp(sequence, 1);
        buffer.resize(200, 0);
        let before = buffer.clone();
        assert_eq!(outbound.protect(&mut buffer, 172), Err(error));
        assert_eq!(buffer, before);
    }
}

#[test]
fn a_buffer_without_room_is_refused() {
    for suite in SUITES {
        let (mut outbound, _) = pair(suite);
        let mut buffer = rtp(1, 1);
        assert_eq!(outbound.protect(&mut buffer, 172), Err(SrtpError::NoRoom));
        assert_eq!(outbound.protect(&mut buffer, 173), Err(SrtpError::NoRoom));
        assert_eq!(outbound.protect_rtcp(&mut buffer, 172), Err(SrtpError::NoRoom));
    }
}

#[test]
fn a_packet_that_is_sent_again_is_the_same_to_the_bit() {
    for suite in SUITES {
        let (mut outbound, mut inbound) = pair(suite);
        let packets: Vec<_> = (0xfff0..0x1_0100u32)
            .map(|n| (rtp(n as u16, 7), protect(&mut outbound, &rtp(n as u16, 7))))
            .collect();
        for (plain, protected) in packets.iter().step_by(17) {
            let mut buffer = plain.clone();
            buffer.resize(plain.len() + MAX_TRAILER, 0);
            let length = outbound.protect_again(&mut buffer, plain.len()).unwrap();
            assert_eq!(&buffer[..length], protected);
        }
        let mut ahead = [&rtp(0x0100, 7)[..], &[0; MAX_TRAILER]].concat();
        assert_eq!(outbound.protect_again(&mut ahead, 172), Err(SrtpError::TooOld), "it was never sent");
        let mut other = [&rtp(1, 8)[..], &[0; MAX_TRAILER]].concat();
        assert_eq!(outbound.protect_again(&mut other, 172), Err(SrtpError::TooOld));
        assert!(unprotect(&mut inbound, &packets[0].1).is_ok());
    }
}

#[test]
fn rtcp_is_guarded_against_replay_and_forgery() {
    for suite in SUITES {
        let (mut outbound, mut inbound) = pair(suite);
        let first = protect_rtcp(&mut outbound, &receiver_report(1));
        let second = protect_rtcp(&mut outbound, &receiver_report(1));
        assert_ne!(first, second, "the index differs");
        unprotect_rtcp(&mut inbound, &second).unwrap();
        unprotect_rtcp(&mut inbound, &first).unwrap();
        assert_eq!(unprotect_rtcp(&mut inbound, &first), Err(SrtpError::Replayed));
        for place in 0..first.len() {
            let mut forged = protect_rtcp(&mut outbound, &receiver_report(1));
            forged[place] ^= 0x40;
            assert!(unprotect_rtcp(&mut inbound, &forged).is_err(), "byte {place}");
        }
    }
}

#[test]
fn the_last_rtcp_index_ends_the_key() {
    let (mut outbound, _) = pair(SrtpSuite::AeadAes128Gcm);
    let slot = outbound.sources.find(1).unwrap();
    outbound.sources.rtcp_mut(slot, 1).accept((1 << 31) - 2);
    protect_rtcp(&mut outbound, &receiver_report(1));
    let mut buffer = receiver_report(1);
    buffer.resize(64, 0);
    assert_eq!(outbound.protect_rtcp(&mut buffer, 32), Err(SrtpError::KeyExpired));
}

/// RFC 3711 section 3.4: a packet with the E bit clear is authentic, not secret.
#[test]
fn unencrypted_srtcp_is_authenticated() {
    for suite in SUITES {
        let (outbound, mut inbound) = pair(suite);
        let plain = receiver_report(9);
        let protected = match &outbound.transform {
            Transform::AesCm { rtcp, .. } => {
                let tag = rtcp.tag(&plain, 3u32.to_be_bytes());
                [&plain[..], &3u32.to_be_bytes(), &tag].concat()
            }
            Transform::Gcm { rtcp, .. } => {
                let associated = [&plain[..], &3u32.to_be_bytes()].concat();
                let tag = rtcp.seal(9, 3, &associated, &mut []).unwrap();
                [&plain[..], &tag, &3u32.to_be_bytes()].concat()
            }
        };
        let mut forged = protected.clone();
        forged[20] ^= 1;
        assert_eq!(unprotect_rtcp(&mut inbound, &forged), Err(SrtpError::Authentication));
        assert_eq!(unprotect_rtcp(&mut inbound, &protected), Ok(plain));
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), version in any::<bool>()) {
        if let (true, Some(first)) = (version, bytes.first_mut()) {
            *first = *first & 0x3F | 0x80;
        }
        for suite in SUITES {
            let (mut outbound, mut inbound) = pair(suite);
            prop_assert!(unprotect(&mut inbound, &bytes).is_err());
            prop_assert!(unprotect_rtcp(&mut inbound, &bytes).is_err());
            for length in [bytes.len(), bytes.len().saturating_sub(15), bytes.len() + 1] {
                let _ = outbound.protect(&mut bytes.clone(), length);
                let _ = outbound.protect_rtcp(&mut bytes.clone(), length);
            }
        }
    }

    #[test]
    fn any_payload_comes_back(payload in proptest::collection::vec(any::<u8>(), 0..1400), sequence in any::<u16>()) {
        for suite in SUITES {
            let (mut outbound, mut inbound) = pair(suite);
            let mut plain = rtp(sequence, 1);
            plain.truncate(12);
            plain.extend(&payload);
            prop_assert_eq!(unprotect(&mut inbound, &protect(&mut outbound, &plain)), Ok(plain));
        }
    }
}
