//! The parsers of the dataplane.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tandem_control::{
    DtlsRole, Fingerprint, FingerprintHash, Ice, IceCredentials, LegConfig, Message, Request, RequestFrame,
    Side, SrtpKey, SrtpSuite, Video,
};
use tandem_media::drops::DropReason;
use tandem_media::dtls::{DtlsSession, Identity, MTU};
use tandem_media::ice::{IceLite, MAX_VALIDATED};
use tandem_media::limits::TAILROOM;
use tandem_media::packet::Packet;
use tandem_media::rtp::{HEADER_LEN, Header};
use tandem_media::session::{Component, Outbox, Session};
use tandem_media::srtp::{Inbound, MAX_TRAILER, Outbound};
use tandem_media::stun::{self, MAX_REPLY};
use tandem_media::{Now, rtcp, rtp};

const SUITES: [SrtpSuite; 4] = [
    SrtpSuite::AesCm128HmacSha1_80,
    SrtpSuite::AesCm128HmacSha1_32,
    SrtpSuite::AeadAes128Gcm,
    SrtpSuite::AeadAes256Gcm,
];

/// Bytes of the payloads that a session is sent, and how many of them at most.
const PAYLOAD: usize = 60;
const MOST_PACKETS: usize = 20;

/// Takes what a session sends.
struct Nowhere;

impl Outbox for Nowhere {
    fn send(&mut self, _: Side, _: Component, _: SocketAddr, _: &[u8]) {}

    fn dropped(&mut self, _: DropReason) {}
}

/// What decodes must encode to something that decodes to the same; and whatever it says of legs, a session takes or
/// refuses.
pub(crate) fn control(data: &[u8]) {
    static IDENTITY: LazyLock<Arc<Identity>> =
        LazyLock::new(|| Arc::new(Identity::generate().expect("randomness")));
    let legs = match tandem_control::decode::<RequestFrame>(data).map(|frame| frame.request) {
        Ok(Request::Create { legs, .. }) => (*legs).map(Some),
        Ok(Request::Configure { legs, .. }) => *legs,
        _ => [None, None],
    };
    if legs.iter().any(Option::is_some) {
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let mut session = Session::new(now, 1, Arc::clone(&IDENTITY), None);
        if session.configure(now, legs.each_ref().map(Option::as_ref), &mut Nowhere).is_ok() {
            converse(now, &mut session, &legs, data);
        }
        session.end(now, &mut Nowhere);
    }
    if let Ok(frame) = tandem_control::decode::<RequestFrame>(data) {
        let bytes = tandem_control::encode(&frame).expect("no longer than what it came from");
        assert_eq!(tandem_control::decode(&bytes), Ok(frame));
    }
    if let Ok(message) = tandem_control::decode::<Message>(data) {
        let bytes = tandem_control::encode(&message).expect("no longer than what it came from");
        assert_eq!(tandem_control::decode(&bytes), Ok(message));
    }
}

/// Each payload type that a leg may send comes from its peer, with pieces of `data` in it, and RTCP beside it.
fn converse(mut now: Now, session: &mut Session, legs: &[Option<LegConfig>; 2], data: &[u8]) {
    for (side, leg) in [Side::A, Side::B].into_iter().zip(legs) {
        let Some(leg) = leg else { continue };
        let Some(remote) = leg.remote else { continue };
        let audio = leg.audio.receive.iter().map(|of| (of.number, of.clock, Component::Rtp, remote.rtp));
        let codings: Vec<_> =
            audio.chain(leg.video.iter().flat_map(|video| pictures(video, remote.rtp))).collect();
        for (sequence, payload) in (1u16..).zip(data.chunks(PAYLOAD).take(MOST_PACKETS)) {
            for &(payload_type, clock, component, source) in &codings {
                let mut buffer = [0; HEADER_LEN + PAYLOAD + TAILROOM];
                let timestamp = u32::from(sequence) * (clock / 50);
                Header { marker: false, payload_type, sequence, timestamp, ssrc: 7 }.write(&mut buffer);
                let len = HEADER_LEN + payload.len();
                buffer[HEADER_LEN..len].copy_from_slice(payload);
                let mut packet = Packet::new(&mut buffer, 0, len).expect("room");
                let _ = session.receive(now, side, component, source, &mut packet, &mut Nowhere);
                let mut buffer = [0; PAYLOAD + TAILROOM];
                buffer[..payload.len()].copy_from_slice(payload);
                // Feedback, by its first two bytes; what it says is the fuzzer's.
                buffer[..2].copy_from_slice(&[0x81, if sequence % 2 == 0 { 205 } else { 206 }]);
                let mut packet = Packet::new(&mut buffer, 0, payload.len()).expect("room");
                let _ = session.receive(now, side, component, source, &mut packet, &mut Nowhere);
                now.instant += Duration::from_millis(10);
                session.handle_timeout(now, &mut Nowhere);
            }
        }
    }
    let _ = session.stats(now);
}

/// The payload types of a leg's video, and where its packets come from and to.
fn pictures(
    video: &Video,
    bundled: SocketAddr,
) -> impl Iterator<Item = (u8, u32, Component, SocketAddr)> + '_ {
    let own = video.transport.as_ref().and_then(|transport| transport.remote);
    let (component, source) = own.map_or((Component::Rtp, bundled), |own| (Component::VideoRtp, own.rtp));
    let numbers = video.receive.iter().flat_map(|of| [Some(of.number), of.rtx]).flatten();
    numbers.map(move |number| (number, 90_000, component, source))
}

pub(crate) fn stun(data: &[u8]) {
    let username = stun::binding_username(data);
    if let Ok(request) = stun::Request::parse(data) {
        assert!(stun::is_stun(data));
        assert_eq!(request.username.and_then(|name| name.split_once(':')), username);
        assert!(request.verify("a password that the fuzzer does not know").is_err());
    }
}

/// Nobody without the password is validated, and every answer is a STUN message.
pub(crate) fn ice(data: &[u8]) {
    static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);
    let local = IceCredentials { ufrag: "evtj".into(), password: "not the one of the corpus".into() };
    let mut agent = IceLite::new(*NOW, &Ice { local, remote: None });
    let source = SocketAddr::from(([192, 0, 2, 1], 32853));
    let mut reply = [0; MAX_REPLY];
    if let Ok(outcome) = agent.receive(*NOW, source, data, &mut reply) {
        assert!(stun::is_stun(&reply[..outcome.reply_len]));
        assert!(!outcome.validated && agent.selected().is_none());
    }
    const { assert!(MAX_VALIDATED > 0) };
}

/// The first byte chooses suite and direction. Nothing forged passes; what we protect has its trailer and no more.
pub(crate) fn srtp(data: &[u8]) {
    let Some((choice, packet)) = data.split_first() else { return };
    let suite = SUITES[usize::from(choice & 3)];
    let key = SrtpKey { suite, key_and_salt: vec![0xA5; suite.key_len() + suite.salt_len()] };
    let mut buffer = packet.to_vec();
    let mut inbound = Inbound::new(&key).expect("the right length");
    assert!(inbound.unprotect(&mut buffer).is_err());
    buffer.copy_from_slice(packet);
    assert!(inbound.unprotect_rtcp(&mut buffer).is_err());
    buffer.copy_from_slice(packet);
    buffer.resize(packet.len() + MAX_TRAILER, 0);
    let mut outbound = Outbound::new(&key).expect("the right length");
    if let Ok(length) = outbound.protect(&mut buffer, packet.len()) {
        assert_eq!(inbound.unprotect(&mut buffer[..length]), Ok(packet.len()));
        assert_eq!(&buffer[..packet.len()], packet);
    }
    buffer[..packet.len()].copy_from_slice(packet);
    if let Ok(length) = outbound.protect_rtcp(&mut buffer, packet.len()) {
        assert_eq!(inbound.unprotect_rtcp(&mut buffer[..length]), Ok(packet.len()));
        assert_eq!(&buffer[..packet.len()], packet);
    }
}

pub(crate) fn rtp(data: &[u8]) {
    if let Ok(parsed) = rtp::parse(data) {
        assert!(parsed.payload(data).len() <= data.len());
    }
}

pub(crate) fn rtcp(data: &[u8]) {
    if let Ok(compound) = rtcp::Compound::parse(data) {
        assert!(rtcp::is_rtcp(data));
        assert!(compound.count() >= 1);
    }
}

pub(crate) fn dtls_client(data: &[u8]) {
    dtls(DtlsRole::Client, data);
}

pub(crate) fn dtls_server(data: &[u8]) {
    dtls(DtlsRole::Server, data);
}

/// A session is fed datagrams, each behind its length in two bytes. No key ever comes of them.
fn dtls(role: DtlsRole, mut data: &[u8]) {
    static IDENTITY: LazyLock<Identity> = LazyLock::new(|| Identity::generate().expect("randomness"));
    thread_local!(static BUFFER: RefCell<[u8; MTU]> = const { RefCell::new([0; MTU]) });
    let now = Instant::now();
    let fingerprint = Fingerprint { hash: FingerprintHash::Sha256, digest: vec![0; 32] };
    let mut session = DtlsSession::new(now, &IDENTITY, role, &[fingerprint]).expect("the engine starts");
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (datagram, rest) = rest.split_at(length);
        data = rest;
        let _ = session.receive(now, datagram);
        BUFFER.with_borrow_mut(|buffer| while session.poll_packet(buffer).is_some() {});
        assert!(session.take_keys().is_none());
    }
}
