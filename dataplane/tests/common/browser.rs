//! The browser's side of a WebRTC leg: connectivity checks, DTLS as the client, SRTP.

use aws_lc_rs::hmac;
use std::time::Instant;
use tandem_control::{DtlsRole, Fingerprint, FingerprintHash, IceCredentials};
use tandem_media::dtls::{DtlsSession, Identity};
use tandem_media::srtp::{Inbound, Outbound};

const MAGIC_COOKIE: u32 = 0x2112_A442;

/// A Binding request (RFC 8445 section 7.1) for the leg with the credentials `ours`, from a controlling agent that
/// nominates.
pub(crate) fn check(transaction: u8, ours: &IceCredentials, theirs: &IceCredentials) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 0];
    message.extend(MAGIC_COOKIE.to_be_bytes());
    message.extend([transaction; 12]);
    attribute(&mut message, 0x0006, format!("{}:{}", ours.ufrag, theirs.ufrag).as_bytes());
    attribute(&mut message, 0x0024, &0x6E00_1EFF_u32.to_be_bytes());
    attribute(&mut message, 0x802A, &[7; 8]);
    attribute(&mut message, 0x0025, &[]);
    // RFC 8489 section 14.5: the length counts the attribute that is about to come.
    set_length(&mut message, 24);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, ours.password.as_bytes());
    let tag = hmac::sign(&key, &message);
    attribute(&mut message, 0x0008, tag.as_ref());
    set_length(&mut message, 8);
    let fingerprint = crc32(&message) ^ 0x5354_554E;
    attribute(&mut message, 0x8028, &fingerprint.to_be_bytes());
    message
}

/// Whether a message is the success response to that check.
pub(crate) fn is_success(message: &[u8], transaction: u8) -> bool {
    message.starts_with(&[1, 1]) && message.get(8..20) == Some(&[transaction; 12])
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
    set_length(message, 0);
}

fn set_length(message: &mut [u8], to_come: usize) {
    let length = (message.len() - 20 + to_come) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// DTLS and then SRTP.
pub(crate) struct Browser {
    pub(crate) identity: Identity,
    dtls: DtlsSession,
    keys: Option<(Outbound, Inbound)>,
}

impl Browser {
    /// A browser that expects the certificate with this SHA-256.
    pub(crate) fn new(now: Instant, gateway: [u8; 32]) -> Browser {
        let identity = Identity::generate().unwrap();
        let expected = [Fingerprint { hash: FingerprintHash::Sha256, digest: gateway.to_vec() }];
        let dtls = DtlsSession::new(now, &identity, DtlsRole::Client, &expected).unwrap();
        Browser { identity, dtls, keys: None }
    }

    /// What of the handshake is to be sent.
    pub(crate) fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.dtls.handle_timeout(now).unwrap();
        let mut buffer = [0; 2048];
        let mut all = Vec::new();
        while let Some(packet) = self.dtls.poll_packet(&mut buffer) {
            all.push(packet.to_vec());
        }
        all
    }

    /// Takes a datagram of the handshake.
    pub(crate) fn receive_dtls(&mut self, now: Instant, bytes: &[u8]) {
        self.dtls.receive(now, bytes).unwrap();
        if let Some(keys) = self.dtls.take_keys() {
            let outbound = Outbound::new(&keys.send).unwrap();
            self.keys = Some((outbound, Inbound::new(&keys.receive).unwrap()));
        }
    }

    /// Whether the keys are there.
    pub(crate) fn is_connected(&self) -> bool {
        self.keys.is_some()
    }

    /// Protects an RTP packet.
    pub(crate) fn protect(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let (outbound, _) = self.keys.as_mut().unwrap();
        let length = packet.len();
        packet.resize(length + 64, 0);
        let length = outbound.protect(&mut packet, length).unwrap();
        packet.truncate(length);
        packet
    }

    /// Takes the protection off an RTP packet.
    pub(crate) fn unprotect(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let (_, inbound) = self.keys.as_mut().unwrap();
        let length = inbound.unprotect(&mut packet).unwrap();
        packet.truncate(length);
        packet
    }

    /// Protects an RTCP packet.
    pub(crate) fn protect_rtcp(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let (outbound, _) = self.keys.as_mut().unwrap();
        let length = packet.len();
        packet.resize(length + 64, 0);
        let length = outbound.protect_rtcp(&mut packet, length).unwrap();
        packet.truncate(length);
        packet
    }

    /// Takes the protection off an RTCP packet.
    pub(crate) fn unprotect_rtcp(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let (_, inbound) = self.keys.as_mut().unwrap();
        let length = inbound.unprotect_rtcp(&mut packet).unwrap();
        packet.truncate(length);
        packet
    }
}
