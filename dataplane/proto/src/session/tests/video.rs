//! Video beside audio: bundled and on ports of its own.

mod handshake;
mod sizes;
mod sync;

use super::*;
use tandem_control::{Video as Config, VideoCodec, VideoFeedback, VideoPayloadType, VideoTransport};

const BASELINE: [u8; 3] = [0x42, 0xe0, 0x1f];
const H264: VideoCodec = VideoCodec::H264 { packetization_mode: 1, profile_level_id: BASELINE };
const SINGLE: VideoCodec = VideoCodec::H264 { packetization_mode: 0, profile_level_id: BASELINE };
/// What the peers send under.
const PICTURES: u32 = 0x5000;
/// The time between two pictures, in units of the time stamp: 30 a second.
const FRAME: u32 = 3000;

/// Its video, with the payload types that it sends and is sent.
pub(super) fn video(side: Side, types: &[(u8, VideoCodec)]) -> Box<Config> {
    let types: Vec<VideoPayloadType> =
        types.iter().map(|&(number, codec)| VideoPayloadType { number, codec, rtx: None }).collect();
    Box::new(Config {
        receive: types.clone(),
        send: types,
        may_receive: true,
        may_send: true,
        transport: None,
        ssrc: our_ssrc(side),
        rtx_ssrc: our_ssrc(side) + 1,
        feedback: VideoFeedback::default(),
        max_bitrate: 0,
        repeat_parameter_sets: false,
    })
}

/// The SSRC of the video that we send to that side.
fn our_ssrc(side: Side) -> u32 {
    if side == Side::A { 0xa000 } else { 0xb000 }
}

/// A leg with PCMU and video on the same ports.
fn bundled(side: Side, types: &[(u8, VideoCodec)]) -> LegConfig {
    LegConfig { video: Some(video(side, types)), ..leg(side, &[PCMU]) }
}

/// Where the peer has its video on ports of its own.
pub(super) fn video_peer(side: Side) -> SocketAddr {
    SocketAddr::new(peer(side).ip(), 5000)
}

/// A leg with PCMU, and video on ports of its own.
pub(super) fn apart(side: Side, types: &[(u8, VideoCodec)], security: Security) -> LegConfig {
    let rtp = video_peer(side);
    let transport = VideoTransport {
        security,
        rtcp_mux: false,
        remote: Some(Remote { rtp, rtcp: SocketAddr::new(rtp.ip(), 5001) }),
        latch: Latch::Exact,
        asymmetric: false,
    };
    let video = Box::new(Config { transport: Some(transport), ..*video(side, types) });
    LegConfig { video: Some(video), ..leg(side, &[PCMU]) }
}

/// A packet of picture number `picture`.
fn packet(number: u8, sequence: u16, picture: u32, payload: &[u8]) -> Vec<u8> {
    speech(sequence, picture * FRAME, number, PICTURES, payload)
}

/// What reaches the other side, and where.
fn shown(fixture: &mut Fixture, side: Side, bytes: &[u8]) -> (SocketAddr, Header, Vec<u8>) {
    let (destination, bytes) = fixture.receive(side, bytes).unwrap().unwrap();
    let parsed = rtp::parse(&bytes).unwrap();
    (destination, parsed.header, parsed.payload(&bytes).to_vec())
}

#[test]
fn bundled_pictures_are_forwarded_beside_the_audio_and_do_not_touch_it() {
    let mut fixture = Fixture::between(&bundled(Side::A, &[(102, H264)]), &bundled(Side::B, &[(96, H264)]));
    let (before, _) = fixture.forwarded(&speech(1, 160, 0, 7, b"x"));
    let mut marked = packet(102, 900, 1, b"idr");
    marked[1] |= 0x80;
    let (destination, first, payload) = shown(&mut fixture, Side::A, &packet(102, 899, 1, b"sps"));
    assert_eq!((destination, &payload[..]), (peer(Side::B), &b"sps"[..]));
    assert_eq!((first.ssrc, first.payload_type, first.marker), (our_ssrc(Side::B), 96, false));
    let (_, last, _) = shown(&mut fixture, Side::A, &marked);
    assert_eq!((last.sequence, last.timestamp), (first.sequence.wrapping_add(1), first.timestamp));
    assert!(last.marker, "the marker ends the picture, as the sender says");
    fixture.pass(33);
    // What is lost stays a gap, for the receiver to ask for; what is late takes its place.
    let (_, ahead, _) = shown(&mut fixture, Side::A, &packet(102, 902, 2, b"p"));
    let (_, late, _) = shown(&mut fixture, Side::A, &packet(102, 901, 2, b"p"));
    assert_eq!([ahead.sequence, late.sequence].map(|n| n.wrapping_sub(first.sequence)), [3, 2]);
    assert_eq!(ahead.timestamp, first.timestamp.wrapping_add(FRAME));
    assert_eq!(fixture.receive(Side::A, &packet(102, 902, 2, b"p")), Err(DropReason::Duplicate));
    let (after, _) = fixture.forwarded(&speech(2, 320, 0, 7, b"x"));
    assert_eq!((after.ssrc, after.sequence), (before.ssrc, before.sequence.wrapping_add(1)));
    assert!(!after.marker, "the audio goes on without a break");
    let (back, _, _) = shown(&mut fixture, Side::B, &packet(96, 5, 9, b"q"));
    assert_eq!(back, peer(Side::A));
    let stats = fixture.session.stats(fixture.now);
    let (a, b) = (stats.legs[0].video.clone().unwrap(), stats.legs[1].video.clone().unwrap());
    assert_eq!((a.received.packets, a.received.ssrc, a.codec), (5, Some(PICTURES), Some(H264)));
    assert_eq!((b.sent.packets, b.sent.ssrc, a.sent.packets), (4, Some(our_ssrc(Side::B)), 1));
    assert_eq!((stats.legs[0].received.packets, a.lost), (2, 0));
    assert_eq!(fixture.events(), [EventKind::FirstMedia { side: Side::A }]);
}

#[test]
fn pictures_go_only_where_their_coding_is_taken() {
    let a = bundled(Side::A, &[(102, H264), (104, SINGLE), (120, VideoCodec::Vp8)]);
    let mut fixture = Fixture::between(&a, &bundled(Side::B, &[(97, SINGLE)]));
    let (_, before, _) = shown(&mut fixture, Side::A, &packet(104, 10, 1, b"x"));
    assert_eq!(before.payload_type, 97);
    for (number, sequence) in [(102, 11), (120, 12)] {
        let refused = fixture.receive(Side::A, &packet(number, sequence, 1, b"x"));
        assert_eq!(refused, Err(DropReason::NotTaken));
    }
    let (_, after, _) = shown(&mut fixture, Side::A, &packet(104, 13, 2, b"x"));
    assert_eq!(after.sequence, before.sequence.wrapping_add(1), "no gap for what the receiver cannot take");
    // A packet that carries nothing, with which a browser probes its line.
    assert_eq!(fixture.receive(Side::A, &packet(104, 14, 2, b"")), Ok(None));
    let (_, after, _) = shown(&mut fixture, Side::A, &packet(104, 15, 2, b"x"));
    assert_eq!(after.sequence, before.sequence.wrapping_add(2));
    fixture.configure(Side::B, &leg(Side::B, &[PCMU]));
    assert_eq!(fixture.receive(Side::A, &packet(104, 16, 3, b"x")), Err(DropReason::NotWanted));
    fixture.forwarded(&speech(1, 160, 0, 7, b"sound goes on"));
}

#[test]
fn ports_of_its_own_have_keys_and_a_latch_of_their_own() {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let security = Security::Sdes { send: key(suite, 1), receive: Some(key(suite, 2)) };
    let a = bundled(Side::A, &[(102, H264)]);
    let mut fixture = Fixture::between(&a, &apart(Side::B, &[(96, H264)], security));
    let (mut outbound, mut inbound) =
        (Outbound::new(&key(suite, 2)).unwrap(), Inbound::new(&key(suite, 1)).unwrap());
    let (destination, mut bytes) = fixture.receive(Side::A, &packet(102, 1, 1, b"x")).unwrap().unwrap();
    assert_eq!(destination, video_peer(Side::B));
    let len = inbound.unprotect(&mut bytes).unwrap();
    assert_eq!(&bytes[HEADER_LEN..len], b"x");
    let mut back = packet(96, 1, 1, b"y");
    let len = back.len();
    back.resize(len + TAILROOM, 0);
    let len = outbound.protect(&mut back, len).unwrap();
    let from = |fixture: &mut Fixture, source, bytes: &[u8]| {
        fixture.receive_at(Side::B, Component::VideoRtp, source, bytes)
    };
    assert_eq!(from(&mut fixture, stranger(), &back[..len]), Err(DropReason::StrangerSource));
    let plain = packet(96, 2, 1, &[0; 100]);
    assert_eq!(from(&mut fixture, video_peer(Side::B), &plain), Err(DropReason::SrtpAuthentication));
    let (destination, bytes) = from(&mut fixture, video_peer(Side::B), &back[..len]).unwrap().unwrap();
    assert_eq!((destination, &bytes[HEADER_LEN..]), (peer(Side::A), &b"y"[..]));
    // Under its number on the ports of the audio it is nothing.
    let elsewhere = fixture.receive(Side::B, &packet(96, 3, 1, b"y"));
    assert_eq!(elsewhere, Err(DropReason::UnknownPayloadType));
    let stats = fixture.session.stats(fixture.now).legs[1].video.clone().unwrap();
    assert_eq!((stats.received.packets, stats.dropped), (1, 2));
    // The reports leave from the ports of video.
    fixture.run(3_000);
    let sent = fixture
        .sent
        .packets
        .iter()
        .filter(|(side, component, ..)| (*side, *component) == (Side::B, Component::VideoRtcp));
    let destinations: Vec<SocketAddr> = sent.map(|(_, _, destination, _)| *destination).collect();
    assert!(!destinations.is_empty());
    assert!(destinations.iter().all(|to| *to == SocketAddr::new(video_peer(Side::B).ip(), 5001)));
}

#[test]
fn pictures_stop_and_come_back_in_mid_call_without_a_gap() {
    let (a, b) = (bundled(Side::A, &[(102, H264)]), bundled(Side::B, &[(96, H264)]));
    let mut fixture = Fixture::between(&a, &b);
    let (_, before, _) = shown(&mut fixture, Side::A, &packet(102, 10, 1, b"x"));
    let change = |leg: &LegConfig, change: fn(&mut Config)| {
        let mut leg = leg.clone();
        leg.video.as_deref_mut().map(change).unwrap();
        leg
    };
    let held = [
        (Side::A, change(&a, |video| video.may_receive = false), DropReason::OnHold),
        (Side::B, change(&b, |video| video.may_send = false), DropReason::NotWanted),
        (Side::A, leg(Side::A, &[PCMU]), DropReason::OnHold),
    ];
    let (mut sequence, mut next) = (10, before.sequence);
    for (side, held, reason) in held {
        fixture.configure(side, &held);
        for _ in 0..20 {
            fixture.pass(33);
            sequence += 1;
            let dropped = fixture.receive(Side::A, &packet(102, sequence, sequence.into(), b"x"));
            assert_eq!(dropped, Err(reason));
        }
        fixture.forwarded(&speech(sequence, 0, 0, 7, b"what comes under its numbers is no audio"));
        fixture.configure(side, if side == Side::A { &a } else { &b });
        sequence += 1;
        next = next.wrapping_add(1);
        let (_, after, _) = shown(&mut fixture, Side::A, &packet(102, sequence, sequence.into(), b"x"));
        assert_eq!((after.ssrc, after.sequence), (before.ssrc, next));
        let passed = after.timestamp.wrapping_sub(before.timestamp);
        assert!(passed >= 20 * 33 * 90, "time passed on its line too: {passed}");
    }
    assert_eq!(fixture.session.stats(fixture.now).legs[0].received.ssrc, Some(7));
}

#[test]
fn pictures_that_come_before_they_are_described_do_not_touch_the_audio() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &bundled(Side::B, &[(96, H264)]));
    let (before, _) = fixture.forwarded(&speech(1, 160, 0, 7, b"x"));
    assert_eq!(fixture.receive(Side::A, &packet(102, 10, 1, b"x")), Err(DropReason::UnknownPayloadType));
    let (after, _) = fixture.forwarded(&speech(2, 320, 0, 7, b"x"));
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert!(!after.marker, "the audio goes on without a break");
    let stats = fixture.session.stats(fixture.now);
    assert_eq!((stats.legs[0].received.ssrc, stats.legs[0].lost), (Some(7), 0));
    fixture.configure(Side::A, &bundled(Side::A, &[(102, H264)]));
    shown(&mut fixture, Side::A, &packet(102, 11, 1, b"x"));
}

#[test]
fn pictures_change_places_with_their_leg() {
    let (a, b) = (bundled(Side::A, &[(102, H264)]), bundled(Side::B, &[(96, H264)]));
    let mut one = Fixture::between(&a, &b);
    let mut other = Fixture::new(2);
    other.now = one.now;
    let mut c = bundled(Side::A, &[(120, VideoCodec::Vp8), (98, H264)]);
    let rtp = SocketAddr::from(([192, 0, 2, 3], 4000));
    c.remote = Some(Remote { rtp, rtcp: rtp });
    other.configure(Side::A, &c);
    let (_, before, _) = shown(&mut one, Side::A, &packet(102, 10, 1, b"x"));
    // C comes to A's place: B sees it now, in the stream that it knows.
    one.session.swap(one.now, Side::A, (&mut other.session, Side::A)).unwrap();
    let bytes = packet(98, 77, 500, b"y");
    let (destination, bytes) = one.receive_at(Side::A, Component::Rtp, rtp, &bytes).unwrap().unwrap();
    let after = rtp::parse(&bytes).unwrap().header;
    assert_eq!((destination, after.payload_type), (peer(Side::B), 96));
    assert_eq!((after.ssrc, after.sequence), (before.ssrc, before.sequence.wrapping_add(1)));
    let (destination, back, _) = shown(&mut one, Side::B, &packet(96, 3, 1, b"z"));
    assert_eq!((destination, back.payload_type, back.ssrc), (rtp, 98, our_ssrc(Side::A)));
    assert_eq!(other.receive(Side::A, &packet(102, 11, 2, b"x")), Err(DropReason::NotWanted));
    assert_eq!(other.session.stats(other.now).legs[0].video.clone().unwrap().received.packets, 2);
}

#[test]
fn who_is_in_a_room_sees_nobody() {
    let (a, b) = (bundled(Side::A, &[(102, H264)]), bundled(Side::B, &[(96, H264)]));
    let mut fixture = Fixture::between(&a, &b);
    fixture.session.take_seat(Side::B, 8000).unwrap();
    assert_eq!(fixture.receive(Side::A, &packet(102, 1, 1, b"x")), Err(DropReason::HearsRoom));
    fixture.session.leave_seat(Side::B);
    shown(&mut fixture, Side::A, &packet(102, 2, 1, b"x"));
}

#[test]
fn contradictory_video_is_refused() {
    let refused = |change: &dyn Fn(&mut LegConfig, &mut Config)| {
        let mut fixture = Fixture::new(1);
        let mut leg = bundled(Side::A, &[(102, H264)]);
        let mut video = leg.video.take().unwrap();
        change(&mut leg, &mut video);
        leg.video = Some(video);
        fixture.session.configure(fixture.now, [Some(&leg), None], &mut fixture.sent)
    };
    assert_eq!(refused(&|_, _| {}), Ok(()));
    let interleaved = VideoCodec::H264 { packetization_mode: 2, profile_level_id: BASELINE };
    let apart = apart(Side::A, &[(102, H264)], Security::None).video.unwrap().transport.unwrap();
    let bad_key = SrtpKey { suite: SrtpSuite::AeadAes128Gcm, key_and_salt: vec![0; 3] };
    type Change<'a> = &'a dyn Fn(&mut LegConfig, &mut Config);
    let changes: [Change<'_>; 8] = [
        &|_, video| video.receive[0].number = 0,
        &|_, video| video.receive[0].number = 128,
        &|_, video| video.receive[0].rtx = Some(102),
        &|_, video| video.send[0].codec = interleaved,
        &|_, video| video.send = vec![video.send[0]; 17],
        &|_, video| video.rtx_ssrc = video.ssrc,
        &|leg, video| {
            leg.rtcp_mux = true;
            let local = tandem_control::IceCredentials { ufrag: "tandem00".into(), password: "p".repeat(24) };
            leg.ice = Some(tandem_control::Ice { local, remote: None });
            video.transport = Some(apart.clone());
        },
        &|_, video| {
            let security = Security::Sdes { send: bad_key.clone(), receive: None };
            video.transport = Some(VideoTransport { security, ..apart.clone() });
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert!(matches!(refused(change), Err(Refusal::Invalid(_))), "change {number}");
    }
}
