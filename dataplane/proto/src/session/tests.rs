//! A session between peers that are played here.

mod digits;
mod dtls_and_ice;
mod hold;
mod media;
mod noise;
mod relaying;
mod repair;
mod rooms;
mod scenario;
mod swap;
mod transcoding;
mod video;
mod video_repair;
mod watching;

use super::*;
use crate::dtmf::Digit;
use tandem_control::{Audio, Codec, DigitSound, Latch, PayloadType, Remote, Security, SrtpKey, SrtpSuite};

use crate::rtp::{self, HEADER_LEN, Header};
use crate::srtp::{Inbound, Outbound};

const PCMU: (u8, Codec, u32) = (0, Codec::Pcmu, 8000);
const PCMA: (u8, Codec, u32) = (8, Codec::Pcma, 8000);
const OPUS: (u8, Codec, u32) = (111, Codec::opus(false), 48_000);
const EVENT: (u8, Codec, u32) = (101, Codec::TelephoneEvent, 8000);
const EVENT_48: (u8, Codec, u32) = (110, Codec::TelephoneEvent, 48_000);

/// What a session sent by itself.
#[derive(Default)]
struct Sent {
    packets: Vec<(Side, Component, SocketAddr, Vec<u8>)>,
    copies: Vec<(Medium, Vec<u8>)>,
    dropped: Vec<DropReason>,
}

impl Outbox for Sent {
    fn send(&mut self, from: Side, component: Component, destination: SocketAddr, bytes: &[u8]) {
        self.packets.push((from, component, destination, bytes.to_vec()));
    }

    fn copy(&mut self, medium: Medium, packet: &[u8]) {
        self.copies.push((medium, packet.to_vec()));
    }

    fn dropped(&mut self, reason: DropReason) {
        self.dropped.push(reason);
    }
}

impl Sent {
    fn rtp(&self) -> Vec<(Header, Vec<u8>)> {
        let rtp = self.packets.iter().filter(|(.., bytes)| !rtcp::is_rtcp(bytes));
        rtp.map(|(.., bytes)| {
            let parsed = rtp::parse(bytes).unwrap();
            (parsed.header, parsed.payload(bytes).to_vec())
        })
        .collect()
    }
}

/// A session in virtual time.
struct Fixture {
    session: Session,
    now: Now,
    sent: Sent,
}

fn peer(side: Side) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, if side == Side::A { 1 } else { 2 }], 4000))
}

fn stranger() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 66], 6666))
}

fn leg(side: Side, types: &[(u8, Codec, u32)]) -> LegConfig {
    let list = |&(number, codec, clock): &(u8, Codec, u32)| PayloadType { number, codec, clock };
    let types: Vec<PayloadType> = types.iter().map(list).collect();
    let rtp = peer(side);
    let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + 1);
    LegConfig { remote: Some(Remote { rtp, rtcp }), audio: Audio::both_ways(types), ..LegConfig::idle() }
}

/// One leg of the two.
fn of_side(side: Side, leg: &LegConfig) -> [Option<&LegConfig>; 2] {
    if side == Side::A { [Some(leg), None] } else { [None, Some(leg)] }
}

fn key(suite: SrtpSuite, fill: u8) -> SrtpKey {
    SrtpKey { suite, key_and_salt: vec![fill; suite.key_len() + suite.salt_len()] }
}

fn speech(sequence: u16, timestamp: u32, payload_type: u8, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    Header { marker: false, payload_type, sequence, timestamp, ssrc }.write(&mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

impl Fixture {
    fn new(seed: u64) -> Fixture {
        Fixture::with_identity(seed, Identity::generate().unwrap())
    }

    fn with_identity(seed: u64, identity: Identity) -> Fixture {
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let session = Session::new(now, seed, Arc::new(identity), Some(Duration::from_secs(60)));
        Fixture { session, now, sent: Sent::default() }
    }

    fn between(a: &LegConfig, b: &LegConfig) -> Fixture {
        let mut fixture = Fixture::new(1);
        fixture.configure(Side::A, a);
        fixture.configure(Side::B, b);
        fixture.events();
        fixture
    }

    fn configure(&mut self, side: Side, leg: &LegConfig) {
        self.session.configure(self.now, of_side(side, leg), &mut self.sent).unwrap();
    }

    fn pass(&mut self, ms: u64) {
        self.now.instant += Duration::from_millis(ms);
        self.now.unix += Duration::from_millis(ms);
    }

    /// Passes time and does all that becomes due in it.
    fn run(&mut self, ms: u64) {
        let end = self.now.instant + Duration::from_millis(ms);
        while self.session.next_timeout() <= end {
            let wait = self.session.next_timeout().saturating_duration_since(self.now.instant);
            self.now.instant += wait;
            self.now.unix += wait;
            self.session.handle_timeout(self.now, &mut self.sent);
        }
        let wait = end.saturating_duration_since(self.now.instant);
        self.pass(wait.as_millis() as u64);
    }

    fn receive_at(
        &mut self,
        side: Side,
        component: Component,
        source: SocketAddr,
        bytes: &[u8],
    ) -> Result<Option<(SocketAddr, Vec<u8>)>, DropReason> {
        let mut buffer = vec![0; 32];
        buffer.extend_from_slice(bytes);
        buffer.resize(32 + bytes.len() + TAILROOM, 0);
        let mut packet = Packet::new(&mut buffer, 32, 32 + bytes.len()).unwrap();
        let verdict = self.session.receive(self.now, side, component, source, &mut packet, &mut self.sent)?;
        Ok(match verdict {
            Verdict::Consumed => None,
            Verdict::Forward { to, destination, .. } => {
                assert_eq!(to, side.other());
                Some((destination, packet.bytes().to_vec()))
            }
        })
    }

    fn receive(&mut self, side: Side, bytes: &[u8]) -> Result<Option<(SocketAddr, Vec<u8>)>, DropReason> {
        self.receive_at(side, Component::Rtp, peer(side), bytes)
    }

    fn forwarded(&mut self, bytes: &[u8]) -> (Header, Vec<u8>) {
        let (destination, bytes) = self.receive(Side::A, bytes).unwrap().unwrap();
        assert_eq!(destination, peer(Side::B));
        let parsed = rtp::parse(&bytes).unwrap();
        (parsed.header, parsed.payload(&bytes).to_vec())
    }

    fn events(&mut self) -> Vec<EventKind> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }
}

#[test]
fn the_same_coding_is_forwarded_with_a_stream_of_our_own() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMU]));
    let (first, payload) = fixture.forwarded(&speech(100, 5000, 0, 77, b"one"));
    assert!(first.marker && first.ssrc != 77);
    assert_eq!(payload, b"one");
    fixture.pass(20);
    let (second, _) = fixture.forwarded(&speech(101, 5160, 0, 77, b"two"));
    assert_eq!(second.sequence, first.sequence.wrapping_add(1));
    assert_eq!(second.timestamp, first.timestamp.wrapping_add(160));
    assert!(!second.marker);
    // A gap stays a gap, and the late packet takes its place.
    let (fourth, _) = fixture.forwarded(&speech(103, 5480, 0, 77, b"four"));
    assert_eq!(fourth.sequence, first.sequence.wrapping_add(3));
    let (third, _) = fixture.forwarded(&speech(102, 5320, 0, 77, b"three"));
    assert_eq!((third.sequence, third.timestamp), (first.sequence.wrapping_add(2), first.timestamp + 320));
    assert_eq!(fixture.receive(Side::A, &speech(102, 5320, 0, 77, b"three")), Err(DropReason::Duplicate));
    assert_eq!(fixture.events(), [EventKind::FirstMedia { side: Side::A }]);
}

#[test]
fn another_source_continues_the_stream() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMU]));
    let (before, _) = fixture.forwarded(&speech(100, 5000, 0, 77, b"one"));
    fixture.pass(1000);
    let (after, _) = fixture.forwarded(&speech(9000, 999_999, 0, 78, b"two"));
    assert_eq!(after.ssrc, before.ssrc);
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(8000));
    assert!(after.marker);
}

#[test]
fn what_the_other_side_does_not_take_leaves_no_gap() {
    let unknown = (13, Codec::Other(1), 8000);
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU, unknown]), &leg(Side::B, &[PCMU]));
    let (before, _) = fixture.forwarded(&speech(1, 0, 0, 7, b"x"));
    assert_eq!(fixture.receive(Side::A, &speech(2, 160, 13, 7, b"n")), Err(DropReason::NotTaken));
    assert_eq!(fixture.receive(Side::A, &speech(3, 160, 99, 7, b"?")), Err(DropReason::UnknownPayloadType));
    let (after, _) = fixture.forwarded(&speech(4, 320, 0, 7, b"y"));
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
}

#[test]
fn hold_is_obeyed_in_both_directions() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMU]));
    let (before, _) = fixture.forwarded(&speech(1, 0, 0, 7, b"x"));
    let mut held = leg(Side::B, &[PCMU]);
    held.audio.may_send = false;
    fixture.configure(Side::B, &held);
    for sequence in 2..60 {
        fixture.pass(20);
        let packet = speech(sequence, u32::from(sequence) * 160, 0, 7, b"x");
        assert_eq!(fixture.receive(Side::A, &packet), Err(DropReason::NotWanted));
    }
    fixture.configure(Side::B, &leg(Side::B, &[PCMU]));
    let (after, _) = fixture.forwarded(&speech(60, 9600, 0, 7, b"x"));
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(58 * 160));
    let mut muted = leg(Side::A, &[PCMU]);
    muted.audio.may_receive = false;
    fixture.configure(Side::A, &muted);
    assert_eq!(fixture.receive(Side::A, &speech(61, 9760, 0, 7, b"x")), Err(DropReason::OnHold));
}

#[test]
fn strangers_are_dropped_and_never_sent_to() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMU]));
    let packet = speech(1, 0, 0, 7, b"x");
    let result = fixture.receive_at(Side::A, Component::Rtp, stranger(), &packet);
    assert_eq!(result, Err(DropReason::StrangerSource));
    assert!(fixture.receive(Side::A, &packet).unwrap().is_some());
    assert_eq!(fixture.session.stats(fixture.now).legs[0].dropped, 1);
}

#[test]
fn a_secure_leg_takes_nothing_before_its_tag_was_checked() {
    for suite in [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AeadAes256Gcm] {
        let mut secure = leg(Side::A, &[PCMU]);
        secure.latch = Latch::Any;
        secure.security = Security::Sdes { send: key(suite, 1), receive: Some(key(suite, 2)) };
        let mut fixture = Fixture::between(&secure, &leg(Side::B, &[PCMU]));
        let forged = speech(1, 0, 0, 7, &[0; 160]);
        let result = fixture.receive_at(Side::A, Component::Rtp, stranger(), &forged);
        assert_eq!(result, Err(DropReason::SrtpAuthentication));
        let mut peer_out = Outbound::new(&key(suite, 2)).unwrap();
        let mut protected = speech(1, 0, 0, 7, &[0; 160]);
        protected.resize(300, 0);
        let len = peer_out.protect(&mut protected, 172).unwrap();
        let nat = SocketAddr::from(([198, 51, 100, 9], 999));
        let (_, bytes) =
            fixture.receive_at(Side::A, Component::Rtp, nat, &protected[..len]).unwrap().unwrap();
        assert_eq!(bytes.len(), 172, "in the clear towards B");
        assert!(fixture.events().contains(&EventKind::Moved { side: Side::A, remote: nat }));
        let result = fixture.receive_at(Side::A, Component::Rtp, nat, &protected[..len]);
        assert_eq!(result, Err(DropReason::SrtpReplay));
        let mut plain_rtcp = [0; 32];
        let mut writer = rtcp::Writer::new(&mut plain_rtcp);
        writer.report(7, None, None).unwrap();
        let rtcp_source = SocketAddr::new(nat.ip(), 1000);
        assert!(fixture.receive_at(Side::A, Component::Rtcp, rtcp_source, &plain_rtcp).is_err());
        // The other way it goes out protected, to the latched address.
        let (destination, mut bytes) =
            fixture.receive(Side::B, &speech(1, 0, 0, 7, b"back")).unwrap().unwrap();
        assert_eq!(destination, nat);
        let len = Inbound::new(&key(suite, 1)).unwrap().unprotect(&mut bytes).unwrap();
        assert_eq!(&bytes[HEADER_LEN..len], b"back");
    }
}

#[test]
fn opus_and_g711_are_transcoded_both_ways() {
    let browser = leg(Side::A, &[OPUS, EVENT_48]);
    let phone = leg(Side::B, &[PCMA, EVENT]);
    let mut fixture = Fixture::between(&browser, &phone);
    for n in 0..50u16 {
        let packet = speech(n, u32::from(n) * 160, 8, 5, &[0x55; 160]);
        assert_eq!(fixture.receive(Side::B, &packet), Ok(None));
        fixture.pass(20);
    }
    let to_browser = fixture.sent.rtp();
    assert_eq!(to_browser.len(), 50);
    assert!(to_browser[0].0.marker && !to_browser[1].0.marker);
    for pair in to_browser.windows(2) {
        assert_eq!(pair[1].0.sequence, pair[0].0.sequence.wrapping_add(1));
        assert_eq!(pair[1].0.timestamp, pair[0].0.timestamp.wrapping_add(960));
        assert_eq!(pair[1].0.payload_type, 111);
    }
    fixture.sent.packets.clear();
    for (n, (_, payload)) in (0u16..).zip(&to_browser) {
        if n != 20 {
            let packet = speech(n, u32::from(n) * 960, 111, 6, payload);
            assert_eq!(fixture.receive(Side::A, &packet), Ok(None));
        }
        fixture.run(20);
    }
    let to_phone = fixture.sent.rtp();
    assert_eq!(to_phone.len(), 50, "the lost packet was concealed");
    assert!(to_phone.iter().all(|(header, payload)| header.payload_type == 8 && payload.len() == 160));
    let stats = fixture.session.stats(fixture.now);
    assert!(stats.legs[0].transcoded);
    assert_eq!((stats.legs[0].concealed, stats.legs[0].lost), (1, 1));
}

#[test]
fn silence_suppression_is_not_loss() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMA]));
    fixture.receive(Side::A, &speech(1, 0, 0, 7, &[0xff; 160])).unwrap();
    fixture.pass(400);
    fixture.receive(Side::A, &speech(2, 3200, 0, 7, &[0xff; 160])).unwrap();
    let [(first, _), (second, _)] = &fixture.sent.rtp()[..] else { panic!("two packets") };
    assert_eq!(second.sequence, first.sequence.wrapping_add(1));
    assert_eq!(second.timestamp, first.timestamp.wrapping_add(3200));
    assert!(second.marker);
    assert_eq!(fixture.session.stats(fixture.now).legs[0].concealed, 0);
}

#[test]
fn frames_are_cut_to_the_packet_time_of_the_receiver() {
    let mut phone = leg(Side::B, &[PCMA]);
    phone.audio.ptime_ms = 30;
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &phone);
    for n in 0..6u16 {
        fixture.receive(Side::A, &speech(n, u32::from(n) * 160, 0, 7, &[0xff; 160])).unwrap();
        fixture.pass(20);
    }
    let sent = fixture.sent.rtp();
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|(_, payload)| payload.len() == 240));
    assert_eq!(sent[3].0.timestamp, sent[0].0.timestamp.wrapping_add(720));
}

/// The packets of one digit as a telephone sends them: 100 ms.
fn digit(first: u16, timestamp: u32, payload_type: u8, event: u8, unit: u16) -> Vec<Vec<u8>> {
    let packet = |(n, steps, end): (u16, u16, bool)| {
        let duration = steps * unit;
        let payload = dtmf_payload(event, end, duration);
        speech(first + n, timestamp, payload_type, 7, &payload)
    };
    [(0, 1, false), (1, 2, false), (2, 3, false), (3, 4, false), (4, 5, true), (5, 5, true), (6, 5, true)]
        .map(packet)
        .to_vec()
}

fn dtmf_payload(event: u8, end: bool, duration: u16) -> [u8; 4] {
    crate::dtmf::Event { event, end, volume: 10, duration }.to_bytes()
}

#[test]
fn events_are_forwarded_once_told_and_rescaled() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU, EVENT]), &leg(Side::B, &[OPUS, PCMU, EVENT_48]));
    let (before, _) = fixture.forwarded(&speech(1, 0, 0, 7, b"x"));
    let headers: Vec<_> = digit(2, 160, 101, 5, 160).iter().map(|packet| fixture.forwarded(packet)).collect();
    for (n, (header, payload)) in (1u16..).zip(&headers) {
        assert_eq!(header.sequence, before.sequence.wrapping_add(n));
        assert_eq!((header.payload_type, header.timestamp), (110, headers[0].0.timestamp));
        assert_eq!(payload[0], 5);
    }
    assert_eq!(headers[6].1, dtmf_payload(5, true, 4800));
    let digits: Vec<_> =
        fixture.events().into_iter().filter(|e| matches!(e, EventKind::Digit { .. })).collect();
    assert_eq!(digits, [EventKind::Digit { side: Side::A, event: 5, duration_ms: 100 }]);
}

#[test]
fn events_at_8000_hz_that_count_in_the_clock_of_opus_keep_their_length() {
    let mut fixture = Fixture::between(&leg(Side::A, &[OPUS, EVENT]), &leg(Side::B, &[OPUS, EVENT_48]));
    fixture.forwarded(&speech(1, 0, 111, 7, b"x"));
    let sent: Vec<_> = digit(2, 960, 101, 5, 960).iter().map(|packet| fixture.forwarded(packet).1).collect();
    assert_eq!(
        (&sent[0][..], &sent[6][..]),
        (&dtmf_payload(5, false, 960)[..], &dtmf_payload(5, true, 4800)[..])
    );
    // The same telephone by the book.
    let sent: Vec<_> = digit(9, 9600, 101, 6, 160).iter().map(|packet| fixture.forwarded(packet).1).collect();
    assert_eq!(sent[6], dtmf_payload(6, true, 4800));
    let digits: Vec<_> =
        fixture.events().into_iter().filter(|e| matches!(e, EventKind::Digit { .. })).collect();
    let told = |event| EventKind::Digit { side: Side::A, event, duration_ms: 100 };
    assert_eq!(digits, [told(5), told(6)]);
}

#[test]
fn events_go_through_beside_transcoded_audio() {
    let mut fixture = Fixture::between(&leg(Side::A, &[OPUS, EVENT_48]), &leg(Side::B, &[PCMU, EVENT]));
    let mut encoder = tandem_codec::opus::OpusEncoder::new(8000, Default::default()).unwrap();
    let mut payload = [0; 400];
    let len = tandem_codec::Encoder::encode(&mut encoder, &[0; 160], &mut payload).unwrap();
    let audio = |sequence, timestamp| speech(sequence, timestamp, 111, 7, &payload[..len]);
    fixture.receive(Side::A, &audio(1, 0)).unwrap();
    for packet in digit(2, 960, 110, 11, 960) {
        fixture.pass(20);
        fixture.receive(Side::A, &packet).unwrap();
    }
    fixture.receive(Side::A, &audio(9, 8 * 960)).unwrap();
    let sent = fixture.sent.rtp();
    assert_eq!(sent.len(), 9);
    assert_eq!(sent[7].1, dtmf_payload(11, true, 800));
    assert!(sent[1..8].iter().all(|(header, _)| header.payload_type == 101));
    assert!(sent[1..8].iter().all(|(header, _)| header.timestamp == sent[0].0.timestamp.wrapping_add(160)));
    assert_eq!(sent[8].0.timestamp, sent[0].0.timestamp.wrapping_add(8 * 160));
    assert!(sent.windows(2).all(|pair| pair[1].0.sequence == pair[0].0.sequence.wrapping_add(1)));
}

#[test]
fn events_that_the_other_side_does_not_take_are_told_all_the_same() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU, EVENT]), &leg(Side::B, &[PCMU]));
    let (before, _) = fixture.forwarded(&speech(1, 0, 0, 7, b"x"));
    for packet in digit(2, 160, 101, 1, 160) {
        assert_eq!(fixture.receive(Side::A, &packet), Ok(None));
    }
    let (after, _) = fixture.forwarded(&speech(9, 1280, 0, 7, b"y"));
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert!(fixture.events().iter().any(|event| matches!(event, EventKind::Digit { event: 1, .. })));
}

#[test]
fn a_played_digit_takes_the_place_of_the_audio() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMU, EVENT]));
    let (before, _) = fixture.forwarded(&speech(1, 0, 0, 7, b"x"));
    let digit = Digit { event: 7, duration_ms: 100 };
    fixture.session.play_digit(fixture.now, Side::B, digit, DigitSound::default()).unwrap();
    assert!(
        fixture.session.play_digit(fixture.now, Side::A, digit, DigitSound::default()).is_err(),
        "A takes no events"
    );
    fixture.run(1);
    assert_eq!(fixture.receive(Side::A, &speech(2, 160, 0, 7, b"x")), Err(DropReason::ReplacedByDigit));
    fixture.run(300);
    let sent = fixture.sent.rtp();
    assert_eq!(sent.len(), 7);
    assert!(sent.iter().all(|(header, _)| header.timestamp == sent[0].0.timestamp));
    assert!(sent[0].0.marker && !sent[1].0.marker);
    let (after, _) = fixture.forwarded(&speech(15, 2240, 0, 7, b"y"));
    assert_eq!(after.sequence, before.sequence.wrapping_add(8));
}

#[test]
fn reports_are_ours_and_goodbye_is_said() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMU]));
    fixture.receive(Side::A, &speech(1, 0, 0, 7, b"x")).unwrap();
    fixture.receive(Side::A, &speech(3, 0, 0, 7, b"x")).unwrap();
    fixture.run(20_000);
    let rtcp = |fixture: &Fixture, side: Side| -> Vec<Vec<u8>> {
        let sent = fixture.sent.packets.iter().filter(|(from, component, destination, _)| {
            assert_eq!(*component, Component::Rtcp);
            assert_eq!(destination.port(), 4001);
            *from == side
        });
        sent.map(|(.., bytes)| bytes.clone()).collect()
    };
    let (to_a, to_b) = (rtcp(&fixture, Side::A), rtcp(&fixture, Side::B));
    assert!((3..=10).contains(&to_a.len()), "{}", to_a.len());
    let first = rtcp::Compound::parse(&to_a[0]).unwrap().next();
    let Some(rtcp::Item::ReceiverReport { mut blocks, .. }) = first else { panic!("{first:?}") };
    let block = blocks.next().unwrap();
    assert_eq!((block.ssrc, block.lost, block.fraction_lost), (7, 1, 85));
    let first = rtcp::Compound::parse(&to_b[0]).unwrap().next();
    let Some(rtcp::Item::SenderReport { info, .. }) = first else { panic!("{first:?}") };
    assert_eq!((info.packets, info.octets), (2, 2));
    fixture.sent.packets.clear();
    fixture.session.end(fixture.now, &mut fixture.sent);
    assert_eq!(fixture.sent.packets.len(), 2);
    for (.., bytes) in &fixture.sent.packets {
        let last = rtcp::Compound::parse(bytes).unwrap().last();
        assert!(matches!(last, Some(rtcp::Item::Goodbye(_))));
    }
}

#[test]
fn a_source_that_said_goodbye_may_come_back_as_another() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMU]));
    let (before, _) = fixture.forwarded(&speech(1, 0, 0, 7, b"x"));
    let mut buffer = [0; 64];
    let mut writer = rtcp::Writer::new(&mut buffer);
    writer.report(7, None, None).unwrap();
    writer.goodbye(7).unwrap();
    let len = writer.len();
    let source = SocketAddr::new(peer(Side::A).ip(), 4001);
    assert_eq!(fixture.receive_at(Side::A, Component::Rtcp, source, &buffer[..len]), Ok(None));
    let (after, _) = fixture.forwarded(&speech(1, 0, 0, 7, b"x"));
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(fixture.session.stats(fixture.now).legs[0].received.rtcp_packets, 1);
}

#[test]
fn a_media_timeout_is_told_once_and_not_on_hold() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMU]));
    fixture.run(50_000);
    fixture.receive(Side::A, &speech(1, 0, 0, 7, b"x")).unwrap();
    fixture.run(59_000);
    assert!(!fixture.events().contains(&EventKind::MediaTimeout));
    fixture.run(300_000);
    assert_eq!(fixture.events(), [EventKind::MediaTimeout]);
    let mut idle = Fixture::new(2);
    idle.run(300_000);
    assert_eq!(idle.events(), []);
}

#[test]
fn configuring_the_same_again_disturbs_nothing() {
    let suite = SrtpSuite::AeadAes128Gcm;
    let mut secure = leg(Side::B, &[PCMU]);
    secure.security = Security::Sdes { send: key(suite, 1), receive: Some(key(suite, 2)) };
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &secure);
    let mut peer_in = Inbound::new(&key(suite, 1)).unwrap();
    for sequence in 1..5u16 {
        fixture.configure(Side::B, &secure);
        fixture.configure(Side::A, &leg(Side::A, &[PCMU]));
        let packet = speech(sequence, 160 * u32::from(sequence), 0, 7, b"x");
        let (_, mut bytes) = fixture.receive(Side::A, &packet).unwrap().unwrap();
        peer_in.unprotect(&mut bytes).unwrap();
        assert_eq!(rtp::parse(&bytes).unwrap().header.marker, sequence == 1);
    }
    assert_eq!(fixture.events(), [EventKind::FirstMedia { side: Side::A }]);
    let mut bad = secure.clone();
    let short = SrtpKey { suite, key_and_salt: vec![0; 3] };
    bad.security = Security::Sdes { send: short, receive: None };
    assert!(matches!(
        fixture.session.configure(fixture.now, [None, Some(&bad)], &mut fixture.sent),
        Err(Refusal::Invalid(_))
    ));
    assert!(fixture.receive(Side::A, &speech(5, 800, 0, 7, b"x")).unwrap().is_some());
}
