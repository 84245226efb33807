//! One browser's media transport without I/O: a full ICE agent (`is`), DTLS (`dimpl`), SRTP (`webrtc-srtp`).
//!
//! None of the three is what Tandem uses for the same work, but for dimpl: so a second implementation judges ours.

use super::description::{Remote, Setup};
use dimpl::{Config, Dtls, DtlsCertificate, KeyingMaterial, Output, SrtpProfile};
use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceAgentEvent, IceCreds, Protocol};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

const BUFFER: usize = 4096;
/// How long ICE paces its checks: browsers use 50 ms for the first, and answers trigger the others at once.
const DTLS_MTU: usize = 1200;

/// The certificate that all clients of a run show, and its fingerprint. Making one for each would measure that.
pub(crate) struct Identity {
    certificate: DtlsCertificate,
    config: Arc<Config>,
    pub(crate) fingerprint: String,
}

impl Identity {
    pub(crate) fn generate() -> Result<Identity, String> {
        let certificate =
            dimpl::certificate::generate_self_signed_certificate().map_err(|error| error.to_string())?;
        let config = Config::builder().mtu(DTLS_MTU).build().map_err(|error| error.to_string())?;
        let fingerprint = dimpl::certificate::format_fingerprint(&dimpl::certificate::calculate_fingerprint(
            &certificate.certificate,
        ));
        Ok(Identity { certificate, config: Arc::new(config), fingerprint })
    }
}

/// What arrived.
pub(crate) enum Arrival {
    /// The payload of an RTP packet, with its sequence number.
    Rtp {
        sequence: u16,
        payload: Vec<u8>,
    },
    /// RTP that SRTP refused.
    Unauthentic,
    Other,
}

/// One media transport.
pub(crate) struct Peer {
    identity: Arc<Identity>,
    ice: IceAgent,
    local: SocketAddr,
    /// Where ICE says that packets go.
    nominated: Option<SocketAddr>,
    dtls: Option<Dtls>,
    dtls_timeout: Option<Instant>,
    expected: String,
    outbound: Option<Context>,
    inbound: Option<Context>,
    datagrams: VecDeque<(SocketAddr, Vec<u8>)>,
    failed: bool,
    /// When ICE and DTLS were through.
    pub(crate) connected: Option<Instant>,
    pub(crate) payload_type: u8,
}

impl Peer {
    /// `controlling`: this side made the offer (RFC 8445 section 6.1.1).
    pub(crate) fn new(now: Instant, local: SocketAddr, identity: Arc<Identity>, controlling: bool) -> Peer {
        let mut ice = IceAgent::new(IceCreds::new());
        ice.set_controlling(controlling);
        if let Ok(candidate) = Candidate::host(local, "udp") {
            ice.add_local_candidate(candidate);
        }
        ice.handle_timeout(now);
        Peer {
            identity,
            ice,
            local,
            nominated: None,
            dtls: None,
            dtls_timeout: None,
            expected: String::new(),
            outbound: None,
            inbound: None,
            datagrams: VecDeque::new(),
            failed: false,
            connected: None,
            payload_type: 0,
        }
    }

    pub(crate) fn credentials(&self) -> &IceCreds {
        self.ice.local_credentials()
    }

    /// Takes the gateway's description; ICE begins. What it says again changes nothing.
    pub(crate) fn set_remote(&mut self, now: Instant, remote: &Remote) {
        if self.ice.remote_credentials() == Some(&remote.credentials) {
            return;
        }
        self.payload_type = remote.payload_type;
        self.expected.clone_from(&remote.fingerprint);
        self.ice.set_remote_credentials(remote.credentials.clone());
        remote.candidates.iter().cloned().for_each(|candidate| self.ice.add_remote_candidate(candidate));
        let mut dtls =
            Dtls::new_12(Arc::clone(&self.identity.config), self.identity.certificate.clone(), now);
        // Who answers `actpass` chooses: we choose to begin, as browsers do.
        dtls.set_active(remote.setup != Setup::Active);
        self.dtls = Some(dtls);
        self.handle_timeout(now);
    }

    /// The way that was found: the gateway's address, what protects packets to it and what opens those from it. `None`
    /// before it is connected.
    pub(crate) fn into_path(self) -> Option<(SocketAddr, Context, Context)> {
        Some((self.nominated?, self.outbound?, self.inbound?))
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Takes a datagram (RFC 7983 tells the protocols apart).
    pub(crate) fn handle(&mut self, now: Instant, from: SocketAddr, bytes: &mut [u8]) -> Arrival {
        match bytes.first() {
            Some(0..=3) => {
                if let Ok(message) = StunMessage::parse(bytes) {
                    let packet =
                        StunPacket { proto: Protocol::Udp, source: from, destination: self.local, message };
                    self.ice.handle_packet(now, packet);
                    self.drain(now);
                }
                Arrival::Other
            }
            Some(20..=63) => {
                if let Some(dtls) = &mut self.dtls {
                    self.failed |= dtls.handle_packet(bytes).is_err();
                    self.drain(now);
                }
                Arrival::Other
            }
            Some(128..=191) if bytes.len() > 12 && !(192..=223).contains(&bytes[1]) => self.unprotect(bytes),
            _ => Arrival::Other,
        }
    }

    fn unprotect(&mut self, bytes: &[u8]) -> Arrival {
        let Some(inbound) = &mut self.inbound else { return Arrival::Other };
        let Ok(packet) = inbound.decrypt_rtp(bytes) else { return Arrival::Unauthentic };
        // The fixed header, the sources and the extension (RFC 3550 section 5.1, 5.3.1).
        let mut header = 12 + 4 * usize::from(packet[0] & 0x0F);
        if packet[0] & 0x10 != 0 {
            let words = packet
                .get(header + 2..header + 4)
                .map_or(0, |length| u16::from_be_bytes([length[0], length[1]]));
            header += 4 + 4 * usize::from(words);
        }
        let payload = packet.get(header..).unwrap_or_default().to_vec();
        Arrival::Rtp { sequence: u16::from_be_bytes([packet[2], packet[3]]), payload }
    }

    /// Encrypts a packet and queues it.
    pub(crate) fn send_rtp(&mut self, packet: &[u8]) -> bool {
        let (Some(outbound), Some(to)) = (&mut self.outbound, self.nominated) else { return false };
        let Ok(bytes) = outbound.encrypt_rtp(packet) else { return false };
        self.datagrams.push_back((to, bytes.into()));
        true
    }

    pub(crate) fn poll_datagram(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.datagrams.pop_front()
    }

    pub(crate) fn next_timeout(&mut self) -> Option<Instant> {
        let ice = self.ice.remote_credentials().is_some().then(|| self.ice.poll_timeout()).flatten();
        [ice, self.dtls_timeout].into_iter().flatten().min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.ice.handle_timeout(now);
        if let Some(dtls) = &mut self.dtls
            && self.nominated.is_some()
            && self.connected.is_none()
        {
            self.failed |= dtls.handle_timeout(now).is_err();
        }
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(event) = self.ice.poll_event() {
            if let IceAgentEvent::NominatedSend { destination, .. } = event
                && self.nominated.replace(destination).is_none()
                && let Some(dtls) = &mut self.dtls
            {
                self.failed |= dtls.handle_timeout(now).is_err();
            }
        }
        while let Some(transmit) = self.ice.poll_transmit() {
            self.datagrams.push_back((transmit.destination, transmit.contents.into()));
        }
        self.drain_dtls(now);
    }

    fn drain_dtls(&mut self, now: Instant) {
        let (Some(dtls), Some(to)) = (&mut self.dtls, self.nominated) else { return };
        let mut buffer = [0; BUFFER];
        let mut keys = None;
        loop {
            match dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => self.datagrams.push_back((to, packet.to_vec())),
                Output::Timeout(at) => {
                    self.dtls_timeout = self.connected.is_none().then_some(at);
                    break;
                }
                Output::PeerCert(certificate) => {
                    let hash = dimpl::certificate::calculate_fingerprint(certificate);
                    self.failed |= dimpl::certificate::format_fingerprint(&hash) != self.expected;
                }
                Output::KeyingMaterial(material, profile) => keys = Some((material, profile)),
                Output::BufferTooSmall { .. } => {
                    self.failed = true;
                    break;
                }
                Output::CloseNotify => break,
                _ => {}
            }
        }
        if let Some((material, profile)) = keys {
            let is_client = dtls.is_active();
            match contexts(&material, profile, is_client) {
                Some((outbound, inbound)) => {
                    (self.outbound, self.inbound) = (Some(outbound), Some(inbound));
                    self.connected = Some(now);
                    self.dtls_timeout = None;
                }
                None => self.failed = true,
            }
        }
    }
}

/// RFC 5764 section 4.2: client key, server key, client salt, server salt.
fn contexts(material: &KeyingMaterial, profile: SrtpProfile, is_client: bool) -> Option<(Context, Context)> {
    let profile = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        SrtpProfile::AEAD_AES_128_GCM => ProtectionProfile::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => ProtectionProfile::AeadAes256Gcm,
        _ => return None,
    };
    let (key, salt) = (profile.key_len(), profile.salt_len());
    let (keys, salts) = material.split_at_checked(2 * key)?;
    let (client_key, server_key) = keys.split_at(key);
    let (client_salt, server_salt) = salts.get(..2 * salt)?.split_at(salt);
    let client = Context::new(client_key, client_salt, profile, None, None).ok()?;
    let server = Context::new(server_key, server_salt, profile, None, None).ok()?;
    Some(if is_client { (client, server) } else { (server, client) })
}

/// How long ICE and DTLS may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;
    use crate::webrtc::description::Local;

    fn describe(peer: &Peer, fingerprint: &str, setup: Setup) -> Remote {
        let local = Local {
            address: peer.local,
            credentials: peer.credentials(),
            fingerprint,
            setup,
            codec: Codec::Pcmu,
            payload_type: 0,
            ssrc: 1,
            mid: "0",
        };
        Remote::read(&local.write(), Codec::Pcmu).unwrap()
    }

    #[test]
    fn two_peers_connect_and_hear_each_other() {
        let identity = Arc::new(Identity::generate().unwrap());
        let mut now = Instant::now();
        let addresses: [SocketAddr; 2] = ["127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()];
        let mut offerer = Peer::new(now, addresses[0], Arc::clone(&identity), true);
        let mut answerer = Peer::new(now, addresses[1], Arc::clone(&identity), false);
        let offer = describe(&offerer, &identity.fingerprint, Setup::ActPass);
        let answer = describe(&answerer, &identity.fingerprint, Setup::Active);
        answerer.set_remote(now, &offer);
        offerer.set_remote(now, &answer);
        let mut heard = false;
        for _ in 0..500 {
            while let Some((_, mut bytes)) = offerer.poll_datagram() {
                if let Arrival::Rtp { sequence, payload } = answerer.handle(now, addresses[0], &mut bytes) {
                    assert_eq!((sequence, payload.as_slice()), (7, &b"sound"[..]));
                    heard = true;
                }
            }
            while let Some((_, mut bytes)) = answerer.poll_datagram() {
                offerer.handle(now, addresses[1], &mut bytes);
            }
            if offerer.connected.is_some() && answerer.connected.is_some() && !heard {
                assert!(offerer.send_rtp(b"\x80\0\0\x07\0\0\0\0\0\0\0\x01sound"));
            }
            now += Duration::from_millis(10);
            offerer.handle_timeout(now);
            answerer.handle_timeout(now);
        }
        assert!(heard && !offerer.has_failed() && !answerer.has_failed());
    }

    #[test]
    fn another_certificate_than_announced_is_a_failure() {
        let identity = Arc::new(Identity::generate().unwrap());
        let mut now = Instant::now();
        let mut offerer = Peer::new(now, "127.0.0.1:1".parse().unwrap(), Arc::clone(&identity), true);
        let mut answerer = Peer::new(now, "127.0.0.1:2".parse().unwrap(), Arc::clone(&identity), false);
        let offer = describe(&offerer, "00:11", Setup::ActPass);
        let answer = describe(&answerer, &identity.fingerprint, Setup::Active);
        answerer.set_remote(now, &offer);
        offerer.set_remote(now, &answer);
        for _ in 0..200 {
            while let Some((_, mut bytes)) = offerer.poll_datagram() {
                answerer.handle(now, "127.0.0.1:1".parse().unwrap(), &mut bytes);
            }
            while let Some((_, mut bytes)) = answerer.poll_datagram() {
                offerer.handle(now, "127.0.0.1:2".parse().unwrap(), &mut bytes);
            }
            now += Duration::from_millis(10);
            offerer.handle_timeout(now);
            answerer.handle_timeout(now);
        }
        assert!(answerer.has_failed());
    }
}
