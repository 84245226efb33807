//! Legs that change places between two sessions.

use super::*;
use tandem_control::PlayOutcome;

/// Two calls: the first from A to B, the second from C to D, where D sits on side B as B does.
fn two_calls(first: [&LegConfig; 2], second: [&LegConfig; 2]) -> (Fixture, Fixture) {
    let (one, mut other) = (Fixture::between(first[0], first[1]), Fixture::new(2));
    other.now = one.now;
    other.configure(Side::A, second[0]);
    other.configure(Side::B, second[1]);
    other.events();
    (one, other)
}

/// The same, somewhere else.
fn at_host(host: u8, mut leg: LegConfig) -> LegConfig {
    leg.remote = Some(Remote { rtp: host_rtp(host), rtcp: SocketAddr::new(host_rtp(host).ip(), 4001) });
    leg
}

fn host_rtp(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 4000))
}

/// What becomes of a packet that `host` sends to that side.
fn said(fixture: &mut Fixture, side: Side, host: u8, packet: &[u8]) -> (SocketAddr, Vec<u8>) {
    fixture.receive_at(side, Component::Rtp, host_rtp(host), packet).unwrap().unwrap()
}

#[test]
fn each_peer_goes_on_with_its_stream_and_hears_its_new_session() {
    let legs = [1, 2, 3, 4].map(|host| at_host(host, leg(Side::A, &[PCMU])));
    let (mut one, mut other) = two_calls([&legs[0], &legs[1]], [&legs[2], &legs[3]]);
    let packet = |ssrc, sequence| speech(sequence, u32::from(sequence) * 160, 0, ssrc, b"x");
    let header = |bytes: &[u8]| rtp::parse(bytes).unwrap().header;
    let to_b = said(&mut one, Side::A, 1, &packet(1, 10));
    let to_c = said(&mut other, Side::B, 4, &packet(4, 40));
    said(&mut one, Side::B, 2, &packet(2, 20));
    // B and C change places: A talks to C, and B to D.
    one.session.swap(one.now, Side::B, (&mut other.session, Side::A)).unwrap();
    let from_a = said(&mut one, Side::A, 1, &packet(1, 11));
    let from_d = said(&mut other, Side::B, 4, &packet(4, 41));
    assert_eq!((from_a.0, from_d.0), (host_rtp(3), host_rtp(2)));
    for (before, after) in [(&to_c, &from_a), (&to_b, &from_d)] {
        let (before, after) = (header(&before.1), header(&after.1));
        assert_eq!((after.ssrc, after.sequence), (before.ssrc, before.sequence.wrapping_add(1)));
        assert!(after.marker);
    }
    let from_b = said(&mut other, Side::A, 2, &packet(2, 21));
    assert_eq!(from_b.0, host_rtp(4));
    assert_eq!(
        one.receive_at(Side::B, Component::Rtp, host_rtp(2), &packet(2, 22)),
        Err(DropReason::StrangerSource)
    );
    assert_eq!(said(&mut one, Side::B, 3, &packet(3, 30)).0, host_rtp(1));
    // The figures of a leg go with it.
    let stats = other.session.stats(other.now);
    assert_eq!((stats.legs[0].received.packets, stats.legs[0].sent.packets), (2, 2));
    // A peer knows us by one name, whatever session it is in.
    let names = |fixture: &mut Fixture, host| {
        fixture.session.end(fixture.now, &mut fixture.sent);
        let to_host = |destination: &SocketAddr| destination.ip() == host_rtp(host).ip();
        let mut rtcp = fixture.sent.packets.iter().filter(|(_, _, destination, _)| to_host(destination));
        rtcp.next().unwrap().3.clone()
    };
    let named = names(&mut other, 2);
    other.session.swap(other.now, Side::A, (&mut one.session, Side::B)).unwrap();
    let name = |bytes: &[u8]| {
        bytes.windows(2).position(|pair| pair == [1, 24]).map(|at| bytes[at..at + 26].to_vec())
    };
    assert_eq!(name(&names(&mut one, 2)), name(&named));
}

#[test]
fn keys_go_with_their_leg_and_codings_meet_anew() {
    let suite = SrtpSuite::AeadAes128Gcm;
    let mut secure = at_host(2, leg(Side::A, &[PCMA]));
    secure.security = Security::Sdes { send: key(suite, 1), receive: Some(key(suite, 2)) };
    let plain = |host, coding| at_host(host, leg(Side::A, &[coding]));
    let (mut one, mut other) = two_calls([&plain(1, PCMA), &secure], [&LegConfig::idle(), &plain(4, PCMU)]);
    let mut peer = (Outbound::new(&key(suite, 2)).unwrap(), Inbound::new(&key(suite, 1)).unwrap());
    let mut protected = |sequence: u16| {
        let mut packet = speech(sequence, u32::from(sequence) * 160, 8, 2, &[0xd5; 160]);
        packet.resize(300, 0);
        let len = peer.0.protect(&mut packet, 172).unwrap();
        packet.truncate(len);
        packet
    };
    let first = said(&mut one, Side::A, 1, &speech(1, 160, 8, 1, &[0xd5; 160]));
    assert_eq!(said(&mut one, Side::B, 2, &protected(1)).1.len(), 172);
    one.session.swap(one.now, Side::B, (&mut other.session, Side::A)).unwrap();
    assert_eq!(one.receive(Side::A, &speech(2, 320, 8, 1, &[0xd5; 160])), Err(DropReason::NotWanted));
    // From D in mu-law to B in A-law and back.
    other.receive_at(Side::B, Component::Rtp, host_rtp(4), &speech(7, 0, 0, 4, &[0xff; 160])).unwrap();
    let (_, _, destination, mut bytes) = other.sent.packets.pop().unwrap();
    assert_eq!(destination, host_rtp(2));
    for mut bytes in [first.1, std::mem::take(&mut bytes)] {
        let len = peer.1.unprotect(&mut bytes).unwrap();
        assert_eq!(len, 172);
    }
    other.receive_at(Side::A, Component::Rtp, host_rtp(2), &protected(2)).unwrap();
    let (header, payload) = other.sent.rtp().pop().unwrap();
    assert_eq!((header.payload_type, payload.len()), (0, 160));
    assert!(other.session.stats(other.now).legs[0].transcoded);
}

#[test]
fn what_was_played_ends_and_a_leg_in_a_room_stays() {
    let legs = [1, 2].map(|host| at_host(host, leg(Side::A, &[PCMU])));
    let (mut one, mut other) = two_calls([&legs[0], &legs[1]], [&LegConfig::idle(), &LegConfig::idle()]);
    one.session.play(one.now, Side::B, 5, (Box::new(media::Ramp::new(4000)), 8000)).unwrap();
    one.session.take_seat(Side::A, 8000).unwrap();
    let swapped = one.session.swap(one.now, Side::B, (&mut other.session, Side::B));
    assert!(matches!(swapped, Err(Refusal::Invalid(_))));
    assert_eq!(one.events(), []);
    one.session.leave_seat(Side::A);
    one.session.swap(one.now, Side::B, (&mut other.session, Side::B)).unwrap();
    let ended = EventKind::PlayEnded { side: Side::B, id: 5, outcome: PlayOutcome::Stopped };
    assert_eq!((one.events(), other.events()), (vec![ended], vec![]));
    assert!(one.session.take_news() && other.session.take_news());
}
