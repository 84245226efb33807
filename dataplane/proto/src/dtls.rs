//! DTLS-SRTP (RFC 5764) of one leg over dimpl: DTLS 1.2 and 1.3, both roles, certificates by fingerprint only.
//! Ours is for ECDSA; a client's may be for RSA, a server's not: the engine has no such cipher suites.
//!
//! The caller feeds only datagrams from an ICE-validated address (attacks.md row 4). That is also why the server
//! asks for no cookie (RFC 6347 section 4.2.1 leaves it open): the address was proven before. What an attacker
//! on that address can still do to the engine, whose every error is final, costs one of [`MAX_RESTARTS`]: the
//! handshake starts afresh and the peer's retransmission finds it. Plaintext alerts are ignored altogether.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use dimpl::{
    Config, Dtls, DtlsCertificate, Error as EngineError, Output, SrtpProfile, UnexpectedMessageError,
};
use engine::{Engine, Fault};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use tandem_control::{DtlsRole, Fingerprint, FingerprintHash, SrtpKey, SrtpSuite};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

mod engine;
mod rsa;
mod server_hello;

pub use engine::is_engine_guarded;

/// The largest datagram that is sent: it passes any path that carries media.
pub const MTU: usize = 1200;
/// How many datagrams wait for [`DtlsSession::poll_packet`]; a flight has three or four.
const MAX_OUTBOX: usize = 16;
/// How often a handshake starts afresh after the engine gave up on what it was fed.
pub const MAX_RESTARTS: u8 = 4;
/// The largest thing that the engine hands over: a certificate.
const MAX_OUTPUT: usize = 16 * 1024;
/// Bytes of a record header of DTLS 1.2, and of plaintext in DTLS 1.3 (RFC 9147 section 4).
const RECORD_HEADER_LEN: usize = 13;
/// The content types of alerts and of handshake messages.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

/// Why DTLS did not go on. [`DtlsError::is_final`] tells which end the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum DtlsError {
    /// Not a DTLS record, or a plaintext alert: dropped.
    #[error("malformed DTLS datagram")]
    Malformed,
    /// The peer's fingerprints are not known yet: dropped.
    #[error("no fingerprint to check the DTLS peer by")]
    NoFingerprint,
    /// The engine could not go on and the handshake starts afresh.
    #[error("DTLS handshake started afresh")]
    Restarted,
    /// The engine ended after the handshake; the keys stay good.
    #[error("DTLS association ended")]
    Ended,
    /// The peer's certificate has none of the fingerprints. Final.
    #[error("DTLS certificate has another fingerprint")]
    FingerprintMismatch,
    /// The peer offered no SRTP profile that is spoken here. Final.
    #[error("no common SRTP protection profile")]
    NoProfile,
    /// The handshake timed out or failed too often. Final.
    #[error("DTLS handshake failed")]
    HandshakeFailed,
    /// No certificate could be made, or the engine refused its settings. Final.
    #[error("DTLS could not be set up")]
    Setup,
}

impl DtlsError {
    /// Whether no keys will ever come.
    pub fn is_final(self) -> bool {
        match self {
            DtlsError::Malformed | DtlsError::NoFingerprint | DtlsError::Restarted | DtlsError::Ended => {
                false
            }
            DtlsError::FingerprintMismatch
            | DtlsError::NoProfile
            | DtlsError::HandshakeFailed
            | DtlsError::Setup => true,
        }
    }
}

/// The certificate and private key that all sessions of a process show. Cloning shares them.
#[derive(Clone)]
pub struct Identity {
    shared: Arc<Shared>,
}

struct Shared {
    certificate: DtlsCertificate,
    client: Arc<Config>,
    server: Arc<Config>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.certificate.private_key.zeroize();
    }
}

impl Identity {
    /// Makes a self-signed certificate for ECDSA over P-256, which every WebRTC peer takes.
    ///
    /// # Errors
    /// [`DtlsError::Setup`] if the system gives no randomness.
    pub fn generate() -> Result<Identity, DtlsError> {
        let certificate = dimpl::certificate::generate_self_signed_certificate();
        let config = || Config::builder().mtu(MTU).use_server_cookie(false);
        let certificate = certificate.map_err(|_| DtlsError::Setup)?;
        let client = Arc::new(config().build().map_err(|_| DtlsError::Setup)?);
        let server = config().with_crypto_provider(rsa::provider()).build();
        let server = Arc::new(server.map_err(|_| DtlsError::Setup)?);
        Ok(Identity { shared: Arc::new(Shared { certificate, client, server }) })
    }

    /// SHA-256 of the certificate, for `a=fingerprint`.
    pub fn fingerprint_sha256(&self) -> [u8; 32] {
        let digest = digest::digest(&digest::SHA256, &self.shared.certificate.certificate);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest.as_ref());
        fingerprint
    }

    fn engine(&self, now: Instant, role: DtlsRole) -> Engine {
        let config = match role {
            DtlsRole::Client => &self.shared.client,
            DtlsRole::Server => &self.shared.server,
        };
        let mut engine = Dtls::new_auto(config.clone(), self.shared.certificate.clone(), now);
        engine.set_active(role == DtlsRole::Client);
        Engine::new(engine)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// The master keys that came of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    /// Protects what we send.
    pub send: SrtpKey,
    /// Protects what the peer sends.
    pub receive: SrtpKey,
}

/// One DTLS association. Allocates: it works during call set-up, not on the packet path.
pub struct DtlsSession {
    identity: Identity,
    role: DtlsRole,
    fingerprints: Vec<Fingerprint>,
    /// `None` once the association ended, well or badly.
    engine: Option<Engine>,
    restarts: u8,
    progress: Progress,
    outbox: VecDeque<Vec<u8>>,
    timeout: Option<Instant>,
    scratch: Vec<u8>,
}

/// How far the handshake is.
#[derive(Default)]
struct Progress {
    certificate_matched: bool,
    finished: bool,
    exported: bool,
    keys: Option<SrtpKeys>,
}

impl DtlsSession {
    /// An association whose peer must show a certificate with one of the fingerprints. As a client it starts at
    /// once: poll its packets.
    ///
    /// # Errors
    /// [`DtlsError::Setup`] if the engine does not start.
    pub fn new(
        now: Instant,
        identity: &Identity,
        role: DtlsRole,
        fingerprints: &[Fingerprint],
    ) -> Result<DtlsSession, DtlsError> {
        let mut session = DtlsSession {
            identity: identity.clone(),
            role,
            fingerprints: fingerprints.to_vec(),
            engine: None,
            restarts: 0,
            progress: Progress::default(),
            outbox: VecDeque::new(),
            timeout: None,
            scratch: vec![0; 2 * MTU],
        };
        session.start(now).map_err(|_| DtlsError::Setup)?;
        Ok(session)
    }

    /// Takes a datagram from the peer; poll packets and keys afterwards.
    ///
    /// # Errors
    /// Any; only a final one ([`DtlsError::is_final`]) ends the handshake, the others are to be counted.
    pub fn receive(&mut self, now: Instant, packet: &[u8]) -> Result<(), DtlsError> {
        if self.fingerprints.is_empty() {
            return Err(DtlsError::NoFingerprint);
        }
        let records = before_plaintext_alert(packet).ok_or(DtlsError::Malformed)?;
        if !server_hello::is_sound(records) {
            return Err(DtlsError::Malformed);
        }
        self.feed(now, records)
    }

    fn feed(&mut self, now: Instant, records: &[u8]) -> Result<(), DtlsError> {
        let Some(engine) = &mut self.engine else { return Err(DtlsError::Ended) };
        let fed = engine.handle_timeout(now).and_then(|()| engine.handle_packet(records));
        match fed {
            Ok(()) => self.drain(),
            // The engine is as it was: it only looked whether this begins a server's answer.
            Err(Fault::Refused(EngineError::UnexpectedMessage(
                UnexpectedMessageError::UnrecognizedAutoServerResponse,
            ))) => Err(DtlsError::Malformed),
            Err(Fault::Refused(EngineError::Timeout(_))) => Err(self.fail(DtlsError::HandshakeFailed)),
            Err(_) => Err(self.restart(now)),
        }
    }

    /// Does what is due, at or after [`DtlsSession::next_timeout`]; poll packets afterwards.
    ///
    /// # Errors
    /// [`DtlsError::HandshakeFailed`] if the peer did not answer in time.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        let Some(engine) = &mut self.engine else { return Ok(()) };
        match engine.handle_timeout(now) {
            Ok(()) => self.drain(),
            Err(_) if self.progress.finished => {
                self.end();
                Err(DtlsError::Ended)
            }
            Err(_) => Err(self.fail(DtlsError::HandshakeFailed)),
        }
    }

    /// When [`DtlsSession::handle_timeout`] must be called next.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timeout
    }

    /// The next datagram to send, written into `buffer`, which should hold [`MTU`]; `None` when there is no
    /// more. One that does not fit is dropped: the peer's retransmission brings another.
    pub fn poll_packet<'a>(&mut self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let packet = self.outbox.pop_front()?;
        let place = buffer.get_mut(..packet.len())?;
        place.copy_from_slice(&packet);
        Some(place)
    }

    /// The keys, once: when the handshake is complete and the certificate had one of the fingerprints.
    pub fn take_keys(&mut self) -> Option<SrtpKeys> {
        if !self.progress.finished || !self.progress.certificate_matched {
            return None;
        }
        self.progress.keys.take()
    }

    /// Whether the handshake is complete, the certificate checked.
    pub fn is_connected(&self) -> bool {
        self.progress.finished && self.progress.certificate_matched
    }

    fn start(&mut self, now: Instant) -> Result<(), DtlsError> {
        self.outbox.clear();
        self.progress = Progress::default();
        let mut engine = self.identity.engine(now, self.role);
        engine.handle_timeout(now).map_err(|_| DtlsError::Setup)?;
        self.engine = Some(engine);
        self.drain()
    }

    /// After an error of the engine: afresh during the handshake, not at all after it.
    fn restart(&mut self, now: Instant) -> DtlsError {
        if self.progress.finished {
            self.end();
            return DtlsError::Ended;
        }
        if self.restarts >= MAX_RESTARTS {
            return self.fail(DtlsError::HandshakeFailed);
        }
        self.restarts += 1;
        match self.start(now) {
            Ok(()) => DtlsError::Restarted,
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: DtlsError) -> DtlsError {
        self.end();
        self.outbox.clear();
        self.progress = Progress::default();
        error
    }

    fn end(&mut self) {
        self.engine = None;
        self.timeout = None;
    }

    /// Takes what the engine has, until it only waits.
    fn drain(&mut self) -> Result<(), DtlsError> {
        match self.drain_engine() {
            Ok(()) if self.progress.finished && !self.progress.exported => {
                Err(self.fail(DtlsError::NoProfile))
            }
            Ok(()) => Ok(()),
            Err(DtlsError::Ended) => {
                self.end();
                Err(DtlsError::Ended)
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    fn drain_engine(&mut self) -> Result<(), DtlsError> {
        let Some(engine) = &mut self.engine else { return Ok(()) };
        loop {
            let ends = match self.progress.finished {
                true => DtlsError::Ended,
                false => DtlsError::HandshakeFailed,
            };
            match engine.poll_output(&mut self.scratch).map_err(|_| ends)? {
                Output::Packet(packet) if self.outbox.len() < MAX_OUTBOX => {
                    self.outbox.push_back(match self.role {
                        DtlsRole::Client => packet.to_vec(),
                        DtlsRole::Server => rsa::amend_datagram(packet),
                    });
                }
                Output::BufferTooSmall { needed } if needed <= MAX_OUTPUT => self.scratch.resize(needed, 0),
                Output::BufferTooSmall { .. } => return Err(DtlsError::HandshakeFailed),
                Output::PeerCert(certificate) if matches_any(&self.fingerprints, certificate) => {
                    self.progress.certificate_matched = true;
                }
                Output::PeerCert(_) => return Err(DtlsError::FingerprintMismatch),
                Output::KeyingMaterial(material, profile) => {
                    let material = Zeroizing::new(material.to_vec());
                    let suite = suite_of(profile).ok_or(DtlsError::NoProfile)?;
                    self.progress.keys = Some(split_keys(suite, self.role, &material)?);
                    self.progress.exported = true;
                }
                Output::Connected => self.progress.finished = true,
                Output::Timeout(at) => {
                    self.timeout = Some(at);
                    return Ok(());
                }
                // Application data is not expected, and the keys outlive a close_notify (RFC 5764 section 5.1.2).
                _ => {}
            }
        }
    }
}

/// RFC 8122 section 5: one matching fingerprint is enough.
fn matches_any(fingerprints: &[Fingerprint], certificate: &[u8]) -> bool {
    fingerprints.iter().any(|fingerprint| {
        let algorithm = match fingerprint.hash {
            FingerprintHash::Sha256 => &digest::SHA256,
            FingerprintHash::Sha384 => &digest::SHA384,
            FingerprintHash::Sha512 => &digest::SHA512,
        };
        let digest = digest::digest(algorithm, certificate);
        verify_slices_are_equal(digest.as_ref(), &fingerprint.digest).is_ok()
    })
}

fn suite_of(profile: SrtpProfile) -> Option<SrtpSuite> {
    match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Some(SrtpSuite::AesCm128HmacSha1_80),
        SrtpProfile::AEAD_AES_128_GCM => Some(SrtpSuite::AeadAes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Some(SrtpSuite::AeadAes256Gcm),
        _ => None,
    }
}

/// RFC 5764 section 4.2: the client's key, the server's, the client's salt, the server's.
fn split_keys(suite: SrtpSuite, role: DtlsRole, material: &[u8]) -> Result<SrtpKeys, DtlsError> {
    let (key_len, salt_len) = (suite.key_len(), suite.salt_len());
    if material.len() != 2 * (key_len + salt_len) {
        return Err(DtlsError::HandshakeFailed);
    }
    let (keys, salts) = material.split_at(2 * key_len);
    let (client_key, server_key) = keys.split_at(key_len);
    let (client_salt, server_salt) = salts.split_at(salt_len);
    let client = SrtpKey { suite, key_and_salt: [client_key, client_salt].concat() };
    let server = SrtpKey { suite, key_and_salt: [server_key, server_salt].concat() };
    Ok(match role {
        DtlsRole::Client => SrtpKeys { send: client, receive: server },
        DtlsRole::Server => SrtpKeys { send: server, receive: client },
    })
}

/// The part of a datagram before the first plaintext alert; `None` if there is none, or these are not records of DTLS.
///
/// RFC 6347 section 4.1.2.7: alerts that nobody authenticated are a way to end other people's handshakes, so
/// that ignoring them is advised.
fn before_plaintext_alert(packet: &[u8]) -> Option<&[u8]> {
    // RFC 7983: DTLS records begin with 20 to 63.
    if !matches!(packet, [20..=63, ..]) {
        return None;
    }
    let mut position = 0;
    while let Some(rest) = packet.get(position..).filter(|rest| !rest.is_empty()) {
        match record_len(rest) {
            Some(_) if is_plaintext_alert(rest) => break,
            // RFC 6347 section 4.1.1: a record lies in one datagram. The engine would pass over it without a word.
            Some(length) if length > rest.len() => return None,
            Some(length) => position += length,
            // A header cut short, or the last record without a length: the engine judges it.
            None => return Some(packet),
        }
    }
    packet.get(..position.min(packet.len())).filter(|records| !records.is_empty())
}

fn is_plaintext_alert(record: &[u8]) -> bool {
    matches!(record, [ALERT, _, _, 0, 0, ..])
}

/// The length of the record that `bytes` begin with, if it says one.
fn record_len(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    // RFC 9147 section 4: 001CSLEE, where S is a sequence number of two bytes and L a length.
    if first & 0xE0 == 0x20 {
        if first & 0x14 != 0x04 {
            return None;
        }
        let header_len = if first & 0x08 == 0 { 4 } else { 5 };
        let length = bytes.get(..header_len)?.last_chunk::<2>()?;
        return Some(header_len + usize::from(u16::from_be_bytes(*length)));
    }
    let length = bytes.get(..RECORD_HEADER_LEN)?.last_chunk::<2>()?;
    Some(RECORD_HEADER_LEN + usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests;
