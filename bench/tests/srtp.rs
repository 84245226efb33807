//! SRTP beside an implementation that nobody here wrote: what one protects, the other takes off, in all suites.
#![allow(clippy::unwrap_used, reason = "a test")]

use tandem_control::{SrtpKey, SrtpSuite};
use tandem_media::srtp::{Inbound, MAX_TRAILER, Outbound, TagBatch};
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

const SUITES: [(SrtpSuite, ProtectionProfile); 4] = [
    (SrtpSuite::AesCm128HmacSha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
    (SrtpSuite::AesCm128HmacSha1_32, ProtectionProfile::Aes128CmHmacSha1_32),
    (SrtpSuite::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm),
    (SrtpSuite::AeadAes256Gcm, ProtectionProfile::AeadAes256Gcm),
];

/// Packets of all kinds of lengths, across the wrap of the sequence number.
fn packets(random: &mut fastrand::Rng) -> Vec<Vec<u8>> {
    let packets = (0..600u32).map(|n| {
        let sequence = 0xFF00u16.wrapping_add(n as u16);
        let mut packet = vec![0x80, 0x60];
        packet.extend(sequence.to_be_bytes());
        packet.extend((n * 160).to_be_bytes());
        packet.extend(0xCAFE_u32.to_be_bytes());
        let len = if n % 2 == 0 { 160 } else { random.usize(1..1400) };
        packet.extend((0..len).map(|_| random.u8(..)));
        packet
    });
    packets.collect()
}

fn keys(suite: SrtpSuite, profile: ProtectionProfile, random: &mut fastrand::Rng) -> (SrtpKey, Context) {
    let key_and_salt: Vec<u8> = (0..suite.key_len() + suite.salt_len()).map(|_| random.u8(..)).collect();
    let (key, salt) = key_and_salt.split_at(suite.key_len());
    let theirs = Context::new(key, salt, profile, None, None).unwrap();
    (SrtpKey { suite, key_and_salt }, theirs)
}

fn report(ssrc: u32) -> Vec<u8> {
    [&[0x80, 200, 0, 6][..], &ssrc.to_be_bytes(), &[0x5A; 20]].concat()
}

#[test]
fn they_take_off_what_we_protect() {
    let mut random = fastrand::Rng::with_seed(1);
    for (suite, profile) in SUITES {
        let (key, mut theirs) = keys(suite, profile, &mut random);
        let mut ours = Outbound::new(&key).unwrap();
        for (n, plain) in packets(&mut random).iter().enumerate() {
            let mut buffer = [&plain[..], &[0; MAX_TRAILER]].concat();
            // By turns alone, and with the tag left to a batch.
            let length = if n % 2 == 0 {
                ours.protect(&mut buffer, plain.len()).unwrap()
            } else {
                let (length, due) = ours.protect_but_tag(&mut buffer, plain.len()).unwrap();
                if let Some(due) = due {
                    let packet = buffer[..length].to_vec();
                    let mut batch = TagBatch::new();
                    assert!(batch.push(&due, &packet));
                    batch.compute().next().unwrap().write(&mut buffer[..length]);
                }
                length
            };
            assert_eq!(theirs.decrypt_rtp(&buffer[..length]).unwrap()[..], plain[..], "{suite:?} {n}");
        }
        for n in 0..20 {
            let plain = report(n % 3);
            let mut buffer = [&plain[..], &[0; MAX_TRAILER]].concat();
            let length = ours.protect_rtcp(&mut buffer, plain.len()).unwrap();
            assert_eq!(theirs.decrypt_rtcp(&buffer[..length]).unwrap()[..], plain[..], "{suite:?} RTCP {n}");
        }
    }
}

#[test]
fn we_take_off_what_they_protect() {
    let mut random = fastrand::Rng::with_seed(2);
    for (suite, profile) in SUITES {
        let (key, mut theirs) = keys(suite, profile, &mut random);
        let mut ours = Inbound::new(&key).unwrap();
        for (n, plain) in packets(&mut random).iter().enumerate() {
            let mut protected = theirs.encrypt_rtp(plain).unwrap().to_vec();
            let due = ours.due_tag(&protected).filter(|_| n % 2 == 0);
            let computed = due.map(|due| {
                let mut batch = TagBatch::new();
                assert!(batch.push(&due, &protected));
                batch.compute().next().unwrap()
            });
            let length = ours.unprotect_with(&mut protected, computed).unwrap();
            assert_eq!(protected[..length], plain[..], "{suite:?} {n}");
        }
        for n in 0..20 {
            let plain = report(n % 3);
            let mut protected = theirs.encrypt_rtcp(&plain).unwrap().to_vec();
            let length = ours.unprotect_rtcp(&mut protected).unwrap();
            assert_eq!(protected[..length], plain[..], "{suite:?} RTCP {n}");
        }
    }
}
