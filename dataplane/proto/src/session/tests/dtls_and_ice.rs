//! Legs with DTLS-SRTP, with ICE and without.

use super::*;
use aws_lc_rs::hmac;
use tandem_control::{DtlsRole, Fingerprint, FingerprintHash, Ice, IceCredentials};

const UFRAG: &str = "tandem00";
const PASSWORD: &str = "a-password-of-ours-000000";

fn ice(ufrag: &str) -> Ice {
    Ice { local: IceCredentials { ufrag: ufrag.into(), password: PASSWORD.into() }, remote: None }
}

/// A binding request that nominates its pair, as a controlling peer sends it.
fn check(ufrag: &str) -> Vec<u8> {
    fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
        message.extend(kind.to_be_bytes());
        message.extend((value.len() as u16).to_be_bytes());
        message.extend(value);
        message.resize(message.len().next_multiple_of(4), 0);
    }
    let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    message.extend([7; 12]);
    attribute(&mut message, 0x0006, format!("{ufrag}:peer").as_bytes());
    attribute(&mut message, 0x0024, &100u32.to_be_bytes());
    attribute(&mut message, 0x802a, &[9; 8]);
    attribute(&mut message, 0x0025, &[]);
    let length = (message.len() - 20 + 24) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, PASSWORD.as_bytes());
    let tag = hmac::sign(&key, &message);
    attribute(&mut message, 0x0008, tag.as_ref());
    message
}

fn fingerprint(identity: &Identity) -> Fingerprint {
    Fingerprint { hash: FingerprintHash::Sha256, digest: identity.fingerprint_sha256().to_vec() }
}

/// A session whose side A speaks DTLS with a peer that is a leg of its own.
struct Pair {
    ours: Fixture,
    theirs: Fixture,
    /// Where the peer's packets come from.
    source: SocketAddr,
}

impl Pair {
    fn new(role: DtlsRole, with_ice: bool, right_fingerprint: bool) -> Pair {
        Pair::with_ports(role, with_ice, right_fingerprint, true)
    }

    fn with_ports(role: DtlsRole, with_ice: bool, right_fingerprint: bool, rtcp_mux: bool) -> Pair {
        let (identity, peer_identity) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let peer_role = if role == DtlsRole::Client { DtlsRole::Server } else { DtlsRole::Client };
        let expected = if right_fingerprint { &peer_identity } else { &identity };
        let mut here = leg(Side::A, &[PCMU]);
        here.rtcp_mux = rtcp_mux;
        let mut there = here.clone();
        here.security = Security::Dtls { role, fingerprints: vec![fingerprint(expected)] };
        there.security = Security::Dtls { role: peer_role, fingerprints: vec![fingerprint(&identity)] };
        here.ice = with_ice.then(|| ice(UFRAG));
        let mut ours = Fixture::with_identity(1, identity);
        let mut theirs = Fixture::with_identity(2, peer_identity);
        ours.configure(Side::A, &here);
        ours.configure(Side::B, &leg(Side::B, &[PCMU]));
        if with_ice {
            let result = ours.receive_at(Side::A, Component::Rtp, peer(Side::A), &check(UFRAG));
            assert_eq!(result, Ok(None));
        }
        theirs.configure(Side::A, &there);
        theirs.configure(Side::B, &leg(Side::B, &[PCMU]));
        Pair { ours, theirs, source: peer(Side::A) }
    }

    /// Carries packets and time back and forth.
    fn run(&mut self) {
        for _ in 0..40 {
            let of_a = |sent: &mut Sent| -> Vec<(Component, Vec<u8>)> {
                let packets = sent.packets.drain(..).filter(|sent| sent.0 == Side::A);
                packets.map(|(_, component, _, bytes)| (component, bytes)).collect()
            };
            let source = |component, rtp: SocketAddr| match component {
                Component::Rtp => rtp,
                _ => SocketAddr::new(rtp.ip(), rtp.port() + 1),
            };
            for (component, bytes) in of_a(&mut self.ours.sent) {
                if !crate::stun::is_stun(&bytes) {
                    let _ =
                        self.theirs.receive_at(Side::A, component, source(component, self.source), &bytes);
                }
            }
            for (component, bytes) in of_a(&mut self.theirs.sent) {
                let _ = self.ours.receive_at(Side::A, component, source(component, self.source), &bytes);
            }
            self.ours.run(100);
            self.theirs.run(100);
        }
    }

    /// Speech from the peer, protected by its keys.
    fn protected(&mut self, sequence: u16) -> Vec<u8> {
        let packet = speech(sequence, 160 * u32::from(sequence), 0, 9, b"hello");
        self.theirs.receive(Side::B, &packet).unwrap().unwrap().1
    }
}

#[test]
fn dtls_connects_in_both_roles_with_and_without_ice() {
    for (role, with_ice) in [DtlsRole::Client, DtlsRole::Server]
        .into_iter()
        .zip([true, false])
        .chain([(DtlsRole::Server, true), (DtlsRole::Client, false)])
    {
        let mut pair = Pair::new(role, with_ice, true);
        pair.run();
        let events = pair.ours.events();
        assert!(events.contains(&EventKind::Connected { side: Side::A }), "{role:?} {with_ice} {events:?}");
        let protected = pair.protected(1);
        let (_, bytes) =
            pair.ours.receive_at(Side::A, Component::Rtp, pair.source, &protected).unwrap().unwrap();
        assert_eq!(&bytes[HEADER_LEN..], b"hello");
        let plain = speech(2, 320, 0, 9, b"plain text that is long enough");
        assert!(pair.ours.receive(Side::A, &plain).is_err());
    }
}

#[test]
fn another_certificate_fails_once_and_no_media_flows() {
    let mut pair = Pair::new(DtlsRole::Server, true, false);
    pair.run();
    let failures =
        pair.ours.events().into_iter().filter(|event| *event == EventKind::DtlsFailed { side: Side::A });
    assert_eq!(failures.count(), 1);
    let result = pair.ours.receive(Side::B, &speech(1, 0, 0, 1, b"x"));
    assert_eq!(result, Err(DropReason::NoDestination));
}

#[test]
fn dtls_and_media_from_an_address_that_ice_did_not_validate_are_dropped() {
    let mut pair = Pair::new(DtlsRole::Server, true, true);
    pair.theirs.run(10);
    let (.., hello) = pair.theirs.sent.packets.first().unwrap().clone();
    let mut stranger_sends = |bytes: &[u8]| pair.ours.receive_at(Side::A, Component::Rtp, stranger(), bytes);
    assert_eq!(stranger_sends(&hello), Err(DropReason::UnvalidatedSource));
    assert_eq!(stranger_sends(&speech(1, 0, 0, 1, b"x")), Err(DropReason::UnvalidatedSource));
    assert_eq!(stranger_sends(&check("somebody")), Err(DropReason::BadStun));
    assert!(!pair.ours.session.is_validated(Side::A, stranger()));
    pair.run();
    assert!(pair.ours.events().contains(&EventKind::Connected { side: Side::A }));
}

#[test]
fn a_peer_moves_and_ice_restarts_without_a_new_handshake() {
    let mut pair = Pair::new(DtlsRole::Server, true, true);
    pair.run();
    pair.ours.events();
    let moved = SocketAddr::from(([198, 51, 100, 7], 7000));
    let protected = pair.protected(1);
    let early = pair.ours.receive_at(Side::A, Component::Rtp, moved, &protected);
    assert_eq!(early, Err(DropReason::UnvalidatedSource));
    pair.ours.run(4000);
    pair.ours.receive_at(Side::A, Component::Rtp, moved, &check(UFRAG)).unwrap();
    assert_eq!(pair.ours.events(), [EventKind::Moved { side: Side::A, remote: moved }]);
    assert!(pair.ours.receive_at(Side::A, Component::Rtp, moved, &protected).unwrap().is_some());
    let (destination, _) = pair.ours.receive(Side::B, &speech(1, 0, 0, 1, b"x")).unwrap().unwrap();
    assert_eq!(destination, moved);
    // An ICE restart: other credentials, the same association.
    let mut restarted = pair.ours.session.sides[0].leg.config().clone();
    restarted.ice = Some(ice("another0"));
    pair.ours.configure(Side::A, &restarted);
    pair.ours.receive_at(Side::A, Component::Rtp, pair.source, &check("another0")).unwrap();
    let protected = pair.protected(2);
    let after = pair.ours.receive_at(Side::A, Component::Rtp, pair.source, &protected);
    assert!(after.unwrap().is_some());
    assert!(!pair.ours.events().iter().any(|event| matches!(event, EventKind::Connected { .. })));
}

#[test]
fn consent_is_lost_once_and_regained_by_a_check() {
    let mut pair = Pair::new(DtlsRole::Server, true, true);
    pair.run();
    pair.ours.events();
    pair.ours.run(31_000);
    assert_eq!(pair.ours.events(), [EventKind::ConsentLost { side: Side::A }]);
    let packet = speech(1, 0, 0, 1, b"x");
    assert_eq!(pair.ours.receive(Side::B, &packet), Err(DropReason::NoDestination));
    pair.ours.receive_at(Side::A, Component::Rtp, pair.source, &check(UFRAG)).unwrap();
    assert!(pair.ours.receive(Side::B, &speech(2, 160, 0, 1, b"x")).unwrap().is_some());
}

#[test]
fn authentic_media_keeps_consent_where_checks_do_not_come() {
    let mut pair = Pair::new(DtlsRole::Server, true, true);
    pair.run();
    pair.ours.events();
    for sequence in 1..7 {
        let protected = pair.protected(sequence);
        pair.ours.receive_at(Side::A, Component::Rtp, pair.source, &protected).unwrap();
        pair.ours.run(10_000);
    }
    assert!(!pair.ours.events().contains(&EventKind::ConsentLost { side: Side::A }));
}

#[test]
fn rtcp_on_a_port_of_its_own_has_an_association_of_its_own() {
    for role in [DtlsRole::Client, DtlsRole::Server] {
        let mut pair = Pair::with_ports(role, false, true, false);
        for _ in 0..3 {
            pair.run();
        }
        let figures = pair.ours.session.stats(pair.ours.now).legs[0].clone();
        assert!(figures.received.rtcp_packets > 0 && figures.sent.rtcp_packets > 0, "{role:?} {figures:?}");
        assert!(pair.ours.events().contains(&EventKind::Connected { side: Side::A }));
        let plain = [0x80, 201, 0, 1, 0, 0, 0, 9];
        let source = SocketAddr::new(pair.source.ip(), pair.source.port() + 1);
        assert!(pair.ours.receive_at(Side::A, Component::Rtcp, source, &plain).is_err());
    }
}
