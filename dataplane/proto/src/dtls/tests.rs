//! Two sessions on a bad network, and what attackers put into it.

use super::*;
use proptest::prelude::*;
use std::time::Duration;

fn fingerprint(identity: &Identity) -> Fingerprint {
    Fingerprint { hash: FingerprintHash::Sha256, digest: identity.fingerprint_sha256().to_vec() }
}

/// A client and a server that expect each other.
struct Pair {
    client: DtlsSession,
    server: DtlsSession,
    now: Instant,
}

impl Pair {
    fn new() -> Pair {
        let (a, b) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        Pair::of(&a, &b, &[fingerprint(&b)], &[fingerprint(&a)])
    }

    fn of(
        client: &Identity,
        server: &Identity,
        of_server: &[Fingerprint],
        of_client: &[Fingerprint],
    ) -> Pair {
        let now = Instant::now();
        let client = DtlsSession::new(now, client, DtlsRole::Client, of_server).unwrap();
        let server = DtlsSession::new(now, server, DtlsRole::Server, of_client).unwrap();
        Pair { client, server, now }
    }

    /// One exchange of everything that waits, each flight changed by `network`.
    fn exchange(&mut self, network: impl Fn(&mut Vec<Vec<u8>>)) -> Result<(), DtlsError> {
        let mut flight = packets(&mut self.client);
        network(&mut flight);
        flight.iter().try_for_each(|packet| self.server.receive(self.now, packet))?;
        let mut flight = packets(&mut self.server);
        network(&mut flight);
        flight.iter().try_for_each(|packet| self.client.receive(self.now, packet))
    }

    /// Runs until both are connected, with time passing between the exchanges.
    fn connect(&mut self, network: impl Fn(&mut Vec<Vec<u8>>)) {
        for _ in 0..40 {
            self.exchange(&network).unwrap();
            if self.client.is_connected() && self.server.is_connected() {
                return;
            }
            self.now += Duration::from_millis(500);
            self.client.handle_timeout(self.now).unwrap();
            self.server.handle_timeout(self.now).unwrap();
        }
        panic!("not connected");
    }

    fn assert_same_keys(&mut self) {
        let (client, server) = (self.client.take_keys().unwrap(), self.server.take_keys().unwrap());
        assert_eq!((&client.send, &client.receive), (&server.receive, &server.send));
        assert_ne!(client.send, client.receive);
        assert_eq!(
            client.send.key_and_salt.len(),
            client.send.suite.key_len() + client.send.suite.salt_len()
        );
        assert_eq!(self.client.take_keys(), None, "once");
    }
}

fn packets(session: &mut DtlsSession) -> Vec<Vec<u8>> {
    let mut buffer = [0; MTU];
    std::iter::from_fn(|| session.poll_packet(&mut buffer).map(<[u8]>::to_vec)).collect()
}

/// Splits a ClientHello of one record into two records of one datagram each, as Chromium sends it.
fn split_hello(packet: &[u8]) -> Vec<Vec<u8>> {
    let (header, handshake, body) = (&packet[..13], &packet[13..25], &packet[25..]);
    assert_eq!((header[0], handshake[0]), (22, 1), "a ClientHello");
    let fragment = |number: u8, offset: usize, part: &[u8]| {
        let mut datagram = header.to_vec();
        datagram[10] = number;
        datagram[11..13].copy_from_slice(&(part.len() as u16 + 12).to_be_bytes());
        datagram.extend(&handshake[..6]);
        datagram.extend(&(offset as u32).to_be_bytes()[1..]);
        datagram.extend(&(part.len() as u32).to_be_bytes()[1..]);
        datagram.extend(part);
        datagram
    };
    let middle = body.len() / 2;
    vec![fragment(0, 0, &body[..middle]), fragment(1, middle, &body[middle..])]
}

#[test]
fn a_handshake_gives_both_sides_the_same_keys() {
    let mut pair = Pair::new();
    pair.connect(|_| {});
    pair.assert_same_keys();
    assert!(pair.server.next_timeout().is_some());
}

#[test]
fn duplicates_and_reordering_do_no_harm() {
    let mut pair = Pair::new();
    pair.connect(|flight| {
        flight.reverse();
        let again = flight.clone();
        flight.extend(again);
    });
    pair.assert_same_keys();
}

#[test]
fn a_lost_datagram_of_each_flight_is_sent_again() {
    let mut pair = Pair::new();
    let _ = packets(&mut pair.client);
    let lost = std::cell::Cell::new(0);
    pair.connect(|flight| {
        if lost.get() < 3 && flight.len() > 1 {
            lost.set(lost.get() + 1);
            flight.pop();
        }
    });
    pair.assert_same_keys();
}

#[test]
fn a_hello_in_two_datagrams_works_in_any_order() {
    for reversed in [false, true] {
        let mut pair = Pair::new();
        let hello = packets(&mut pair.client);
        let mut fragments: Vec<_> = hello.iter().flat_map(|packet| split_hello(packet)).collect();
        if reversed {
            fragments.reverse();
        }
        for fragment in &fragments {
            pair.server.receive(pair.now, fragment).unwrap();
        }
        for packet in packets(&mut pair.server) {
            pair.client.receive(pair.now, &packet).unwrap();
        }
        pair.connect(|_| {});
        pair.assert_same_keys();
    }
}

#[test]
fn another_certificate_is_refused_and_no_key_leaves() {
    let (a, b) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let wrong = fingerprint(&Identity::generate().unwrap());
    for client_is_wrong in [false, true] {
        let (of_client, of_server) = if client_is_wrong {
            ([wrong.clone()], [fingerprint(&b)])
        } else {
            ([fingerprint(&a)], [wrong.clone()])
        };
        let mut pair = Pair::of(&a, &b, &of_server, &of_client);
        let error = (0..5).find_map(|_| pair.exchange(|_| {}).err());
        assert_eq!(error, Some(DtlsError::FingerprintMismatch));
        assert!(error.unwrap().is_final());
        let refused = if client_is_wrong { &mut pair.server } else { &mut pair.client };
        assert_eq!(refused.take_keys(), None);
        assert!(packets(refused).is_empty());
        let mut record = [22; 50];
        record[11..13].copy_from_slice(&37u16.to_be_bytes());
        assert_eq!(refused.receive(pair.now, &record), Err(DtlsError::Ended));
    }
}

#[test]
fn any_of_several_fingerprints_and_hashes_will_do() {
    let (a, b) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let of = |hash, algorithm: &'static digest::Algorithm, identity: &Identity| Fingerprint {
        hash,
        digest: digest::digest(algorithm, &identity.shared.certificate.certificate).as_ref().to_vec(),
    };
    let of_a = [fingerprint(&b), of(FingerprintHash::Sha384, &digest::SHA384, &a)];
    let of_b = [of(FingerprintHash::Sha512, &digest::SHA512, &b)];
    let mut pair = Pair::of(&a, &b, &of_b, &of_a);
    pair.connect(|_| {});
    pair.assert_same_keys();
    assert!(!matches_any(
        &[Fingerprint { hash: FingerprintHash::Sha256, digest: Vec::new() }],
        b"certificate"
    ));
}

#[test]
fn without_fingerprints_nothing_is_answered() {
    let identity = Identity::generate().unwrap();
    let mut pair = Pair::of(&identity, &identity, &[], &[]);
    for packet in packets(&mut pair.client) {
        assert_eq!(pair.server.receive(pair.now, &packet), Err(DtlsError::NoFingerprint));
    }
    assert!(packets(&mut pair.server).is_empty());
}

#[test]
fn a_record_that_claims_more_than_its_datagram_is_malformed() {
    let mut pair = Pair::new();
    let record = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1];
    assert_eq!(pair.server.receive(pair.now, &record), Err(DtlsError::Malformed));
    assert_eq!(pair.client.receive(pair.now, &record), Err(DtlsError::Malformed));
}

#[test]
fn plaintext_alerts_do_not_end_a_handshake() {
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    let mut pair = Pair::new();
    assert_eq!(pair.server.receive(pair.now, &alert), Err(DtlsError::Malformed));
    assert_eq!(pair.client.receive(pair.now, &alert), Err(DtlsError::Malformed));
    pair.connect(|flight| {
        // Behind genuine records of the same datagram.
        flight.iter_mut().for_each(|packet| packet.extend(alert));
    });
    pair.assert_same_keys();
}

#[test]
fn garbage_before_and_during_the_handshake_does_not_end_it() {
    let mut pair = Pair::new();
    let mut hello = packets(&mut pair.client).remove(0);
    let genuine = hello.clone();
    hello[60..].fill(0xFF);
    for forged in [&hello[..], &genuine[..200], &[22, 254, 253], &[63; 1200], &[22; 1200]] {
        let result = pair.server.receive(pair.now, forged);
        assert!(result.err().is_none_or(|error| !error.is_final()), "{result:?}");
        let _ = packets(&mut pair.server);
        let result = pair.client.receive(pair.now, forged);
        assert!(result.err().is_none_or(|error| !error.is_final()), "{result:?}");
    }
    pair.server.receive(pair.now, &genuine).unwrap();
    for packet in packets(&mut pair.server) {
        pair.client.receive(pair.now, &packet).unwrap();
    }
    pair.connect(|_| {});
    pair.assert_same_keys();
}

/// What dimpl 0.9.0 panics at, taken past the check that keeps it away from it.
#[test]
fn a_panic_of_the_engine_costs_a_restart_of_the_handshake_and_no_more() {
    let mut pair = Pair::new();
    let first = packets(&mut pair.client);
    let cut = server_hello::tests::server_hello(&[0, 0x17, 0, 0, 0, 0x2b, 7, 7]);
    assert_eq!(pair.client.receive(pair.now, &cut), Err(DtlsError::Malformed));
    assert!(packets(&mut pair.client).is_empty());
    assert_eq!(pair.client.feed(pair.now, &cut), Err(DtlsError::Restarted));
    assert!(!is_engine_guarded());
    let afresh = packets(&mut pair.client);
    assert_eq!(afresh.len(), first.len());
    assert_ne!(afresh, first, "another random: the broken engine is gone");
    for packet in afresh {
        pair.server.receive(pair.now, &packet).unwrap();
    }
    pair.connect(|_| {});
    pair.assert_same_keys();
}

#[test]
fn engines_that_panic_again_and_again_are_given_up() {
    let mut pair = Pair::new();
    let cut = server_hello::tests::server_hello(&[0, 0x17, 0, 0, 0, 0x2b, 7, 7]);
    for _ in 0..MAX_RESTARTS {
        assert_eq!(pair.client.feed(pair.now, &cut), Err(DtlsError::Restarted));
    }
    assert_eq!(pair.client.feed(pair.now, &cut), Err(DtlsError::HandshakeFailed));
    assert_eq!(pair.client.feed(pair.now, &cut), Err(DtlsError::Ended));
}

#[test]
fn a_connected_session_outlives_garbage() {
    let mut pair = Pair::new();
    pair.connect(|_| {});
    for first in 20..64 {
        for length in [1, 13, 14, 40, 1200] {
            let result = pair.server.receive(pair.now, &vec![first; length]);
            assert!(result.err().is_none_or(|error| !error.is_final()), "{result:?}");
        }
    }
    pair.assert_same_keys();
}

#[test]
fn a_silent_peer_is_given_up_in_the_end() {
    let mut pair = Pair::new();
    let mut sent = 0;
    let error = (0..200).find_map(|_| {
        sent += packets(&mut pair.client).len();
        pair.now = pair.client.next_timeout().unwrap_or(pair.now);
        pair.client.handle_timeout(pair.now).err()
    });
    assert_eq!(error, Some(DtlsError::HandshakeFailed));
    assert!((3..20).contains(&sent), "sent {sent} datagrams");
    assert_eq!(pair.client.next_timeout(), None);
}

#[test]
fn identities_do_not_show_their_key() {
    let identity = Identity::generate().unwrap();
    assert_eq!(format!("{identity:?}"), "Identity { .. }");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(
        datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..12), dressed in any::<bool>(),
    ) {
        let identity = Identity::generate().unwrap();
        let mut pair = Pair::of(&identity, &identity, &[fingerprint(&identity)], &[fingerprint(&identity)]);
        let _ = packets(&mut pair.client);
        for mut datagram in datagrams {
            if let (true, Some(header)) = (dressed, datagram.first_chunk_mut::<14>()) {
                header[..13].copy_from_slice(&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
                header[13] %= 25;
                let length = (datagram.len() - 13) as u16;
                datagram[11..13].copy_from_slice(&length.to_be_bytes());
            }
            for session in [&mut pair.client, &mut pair.server] {
                let _ = session.receive(pair.now, &datagram);
                prop_assert!(session.take_keys().is_none());
                prop_assert!(packets(session).len() <= MAX_OUTBOX);
            }
        }
    }
}
