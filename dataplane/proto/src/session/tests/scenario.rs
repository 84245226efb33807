//! Seeded calls over bad lines, with forgers beside them; and arbitrary bytes on every kind of leg.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use tandem_control::{
    Digits, DtlsRole, Fingerprint, FingerprintHash, Ice, IceCredentials, Treatment, VideoCodec,
};

const SPEECH_PACKETS: u16 = 400;
const EVERY_CODING: [(u8, Codec, u32); 10] = [
    OPUS,
    PCMU,
    PCMA,
    (9, Codec::G722, 8000),
    (18, Codec::G729, 8000),
    (97, Codec::Speex, 16_000),
    (98, Codec::Speex, 8000),
    (13, Codec::ComfortNoise, 8000),
    EVENT,
    EVENT_48,
];

/// One stream on its way to the session: what arrives, in which order.
fn bad_line(
    random: &mut fastrand::Rng,
    payload: &[u8],
    payload_type: u8,
    step: u32,
) -> Vec<(u64, u16, Vec<u8>)> {
    let first = random.u16(..);
    let mut line = Vec::new();
    for n in 0..SPEECH_PACKETS {
        let sequence = first.wrapping_add(n);
        let packet = speech(sequence, u32::from(n) * step, payload_type, 7, payload);
        let copies = match random.u8(..100) {
            0..5 => 0,
            5..8 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let delay = if random.u8(..10) == 0 { random.u64(..70) } else { random.u64(..5) };
            line.push((u64::from(n) * 20 + delay, sequence, packet.clone()));
        }
    }
    line.sort_by_key(|(at, ..)| *at);
    line
}

/// A forged packet from somewhere; never from the peer's own address.
fn forge(random: &mut fastrand::Rng, fixture: &mut Fixture) {
    let mut bytes = speech(random.u16(..), random.u32(..), random.u8(..128), random.u32(..), &[0; 160]);
    if random.bool() {
        bytes[0] = random.u8(..);
        bytes[1] = random.u8(..);
    }
    let component = if random.bool() { Component::Rtp } else { Component::Rtcp };
    let side = if random.bool() { Side::A } else { Side::B };
    let result = fixture.receive_at(side, component, stranger(), &bytes);
    assert!(result.is_err(), "{result:?}");
}

#[test]
fn forwarded_streams_mirror_their_input_and_never_repeat_a_number() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMU]));
        let start = fixture.now.instant;
        let mut places: HashMap<u16, u16> = HashMap::new();
        let mut offset = None;
        for (at, sequence, packet) in bad_line(&mut random, &[0xff; 160], 0, 160) {
            let passed = fixture.now.instant.duration_since(start).as_millis() as u64;
            fixture.run(at.saturating_sub(passed));
            if random.u8(..4) == 0 {
                forge(&mut random, &mut fixture);
            }
            let Ok(Some((destination, bytes))) = fixture.receive(Side::A, &packet) else { continue };
            assert_eq!(destination, peer(Side::B));
            let header = rtp::parse(&bytes).unwrap().header;
            assert_eq!(places.insert(header.sequence, sequence), None, "seed {seed}: a number twice");
            let shift = header.sequence.wrapping_sub(sequence);
            assert_eq!(*offset.get_or_insert(shift), shift, "seed {seed}: gaps and order are mirrored");
        }
        assert!(places.len() > usize::from(SPEECH_PACKETS) * 9 / 10);
        assert!(
            fixture.sent.packets.iter().all(|(side, _, to, _)| to.ip() == peer(*side).ip()),
            "a third party"
        );
    }
}

#[test]
fn transcoded_streams_are_gapless_and_their_time_follows_the_input() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[OPUS]));
        let start = fixture.now.instant;
        for (at, _, packet) in bad_line(&mut random, &[0xff; 160], 0, 160) {
            let passed = fixture.now.instant.duration_since(start).as_millis() as u64;
            fixture.run(at.saturating_sub(passed));
            if random.u8(..4) == 0 {
                forge(&mut random, &mut fixture);
            }
            let _ = fixture.receive(Side::A, &packet);
        }
        fixture.run(100);
        let sent = fixture.sent.rtp();
        let frames = usize::from(SPEECH_PACKETS);
        assert!(sent.len() <= frames && sent.len() > frames * 9 / 10, "seed {seed}: {}", sent.len());
        for pair in sent.windows(2) {
            assert_eq!(pair[1].0.sequence, pair[0].0.sequence.wrapping_add(1), "seed {seed}");
            let step = pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp);
            assert!(step > 0 && step.is_multiple_of(960) && step < 48_000, "seed {seed}: {step}");
        }
        assert!(
            fixture.sent.packets.iter().all(|(side, _, to, _)| to.ip() == peer(*side).ip()),
            "a third party"
        );
    }
}

#[test]
fn srtp_output_is_accepted_by_the_peer_over_a_bad_line() {
    for (seed, suite) in
        (0..10).zip([SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AeadAes128Gcm].iter().cycle())
    {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut secure = leg(Side::B, &[PCMU]);
        secure.security = Security::Sdes { send: key(*suite, 1), receive: Some(key(*suite, 2)) };
        let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &secure);
        let mut peer_in = Inbound::new(&key(*suite, 1)).unwrap();
        for (_, _, packet) in bad_line(&mut random, &[0xff; 160], 0, 160) {
            fixture.pass(20);
            if let Ok(Some((_, mut bytes))) = fixture.receive(Side::A, &packet) {
                peer_in.unprotect(&mut bytes).unwrap();
            }
        }
    }
}

#[test]
fn switching_between_forwarding_transcoding_digits_files_and_sources_keeps_the_numbers_and_times_in_order() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let noise = (13, Codec::ComfortNoise, 8000);
        let coding = random.choice([PCMU, PCMU, OPUS, (9, Codec::G722, 8000)]).unwrap();
        let mut there = leg(Side::B, &[coding, EVENT]);
        there.audio.digits = random.choice([Digits::Events, Digits::Tones]).unwrap();
        let mut fixture = Fixture::between(&leg(Side::A, &[PCMU, PCMA, EVENT, noise]), &there);
        let (mut sequence, mut timestamp, mut ssrc, mut payload_type) =
            (random.u16(..), random.u32(..), 7, 0);
        let mut numbers = Vec::new();
        for _ in 0..600 {
            match random.u8(..40) {
                0 => payload_type = 8 - payload_type,
                1 => (sequence, timestamp, ssrc) = (random.u16(..), random.u32(..), ssrc + 1),
                2 => {
                    let digit = Digit { event: random.u8(..16), duration_ms: 60 };
                    let _ = fixture.session.play_digit(fixture.now, Side::B, digit, DigitSound::default());
                }
                3 => {
                    let event = dtmf_payload(random.u8(..16), random.bool(), 160);
                    let packet = speech(sequence, timestamp, 101, ssrc, &event);
                    collect(&mut fixture, &packet, &mut numbers);
                    sequence = sequence.wrapping_add(1);
                }
                4 => {
                    let source = media::Ramp::new(random.usize(1..4000));
                    fixture.session.play(fixture.now, Side::B, 1, (Box::new(source), 8000)).unwrap();
                }
                5 => fixture.session.stop_play(Side::B),
                6 => {
                    collect(&mut fixture, &speech(sequence, timestamp, 13, ssrc, &[60]), &mut numbers);
                    sequence = sequence.wrapping_add(1);
                    let pause = random.u32(1..30);
                    timestamp = timestamp.wrapping_add(160 * pause);
                    fixture.run(u64::from(pause) * 20);
                }
                _ => {}
            }
            let packet = speech(sequence, timestamp, payload_type, ssrc, &[0x55; 160]);
            sequence = sequence.wrapping_add(1);
            timestamp = timestamp.wrapping_add(160);
            collect(&mut fixture, &packet, &mut numbers);
            fixture.run(20);
        }
        drain(&mut fixture, &mut numbers);
        assert!(numbers.len() > 300, "seed {seed}: {}", numbers.len());
        for pair in numbers.windows(2) {
            assert_eq!(pair[1].0, pair[0].0 + 1, "seed {seed}");
            let step = pair[1].1.wrapping_sub(pair[0].1).cast_signed();
            assert!((0..coding.2.cast_signed() * 10).contains(&step), "seed {seed}: from {pair:?}");
        }
    }
}

/// Extended numbers of what goes to B, in the order in which it goes, and the time stamps.
fn collect(fixture: &mut Fixture, packet: &[u8], numbers: &mut Vec<(u64, u32)>) {
    drain(fixture, numbers);
    let forwarded = fixture.receive(Side::A, packet);
    drain(fixture, numbers);
    if let Ok(Some((_, bytes))) = forwarded {
        extend(numbers, &rtp::parse(&bytes).unwrap().header);
    }
}

fn drain(fixture: &mut Fixture, numbers: &mut Vec<(u64, u32)>) {
    for (header, _) in fixture.sent.rtp() {
        extend(numbers, &header);
    }
    fixture.sent.packets.clear();
}

fn extend(numbers: &mut Vec<(u64, u32)>, header: &Header) {
    let last = numbers.last().map_or(0x1_0000 + u64::from(header.sequence), |(last, _)| *last);
    let ahead = header.sequence.wrapping_sub(last as u16).cast_signed();
    numbers.push((last.saturating_add_signed(ahead.into()), header.timestamp));
}

fn every_kind() -> Vec<LegConfig> {
    let mut plain = leg(Side::A, &EVERY_CODING);
    plain.latch = Latch::Any;
    let mut listening = plain.clone();
    listening.audio.detect_tones = true;
    listening.audio.digits = Digits::Tones;
    let muxed = LegConfig { rtcp_mux: true, ..plain.clone() };
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let security = Security::Sdes { send: key(suite, 1), receive: Some(key(suite, 2)) };
    let sdes = LegConfig { security, ..plain.clone() };
    let gcm = SrtpSuite::AeadAes256Gcm;
    let security = Security::Sdes { send: key(gcm, 1), receive: Some(key(gcm, 2)) };
    let sdes_gcm = LegConfig { security, ..muxed.clone() };
    let fingerprints = vec![Fingerprint { hash: FingerprintHash::Sha256, digest: vec![1; 32] }];
    let dtls = |role| Security::Dtls { role, fingerprints: fingerprints.clone() };
    let server = LegConfig { security: dtls(DtlsRole::Server), ..muxed.clone() };
    let client = LegConfig { security: dtls(DtlsRole::Client), ..muxed.clone() };
    let local = IceCredentials { ufrag: "tandem00".into(), password: "p".repeat(24) };
    let webrtc = LegConfig { ice: Some(Ice { local, remote: None }), ..server.clone() };
    let mut relayed = LegConfig { latch: Latch::Handover, asymmetric: true, ..plain.clone() };
    relayed.audio.speech = Treatment::Silenced;
    relayed.audio.receive.push(PayloadType { number: 18, codec: Codec::Other(1), clock: 8000 });
    let h264 = VideoCodec::H264 { packetization_mode: 1, profile_level_id: [0x42, 0xe0, 0x1f] };
    let seeing = LegConfig {
        video: Some(video::video(Side::A, &[(102, h264), (120, VideoCodec::Vp8)])),
        ..muxed.clone()
    };
    let apart = video::apart(Side::A, &[(102, h264)], Security::None);
    vec![
        LegConfig::idle(),
        relayed,
        listening,
        plain,
        muxed,
        sdes,
        sdes_gcm,
        server,
        client,
        webrtc,
        seeing,
        apart,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn arbitrary_bytes_on_every_kind_of_leg_never_panic(
        packets in proptest::collection::vec(
            (any::<bool>(), 0u8..8, proptest::collection::vec(any::<u8>(), 0..200)), 1..30),
        seed in any::<u64>(),
    ) {
        for kind in every_kind() {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut there = leg(Side::B, &[random.choice(&EVERY_CODING[..7]).copied().unwrap(), EVENT]);
            there.audio.digits = random.choice([Digits::Events, Digits::Tones, Digits::Told]).unwrap();
            there.audio.ptime_ms = random.u8(..80);
            there.video = random.bool().then(|| video::video(Side::B, &[(96, VideoCodec::Vp8)]));
            let mut fixture = Fixture::between(&kind, &there);
            for (is_rtcp, shape, bytes) in &packets {
                let mut bytes = bytes.clone();
                if let [first, second, ..] = &mut bytes[..] {
                    match shape {
                        0 => (*first, *second) = (0x80, random.choice(EVERY_CODING).unwrap().0),
                        1 => (*first, *second) = (0x80 | *first & 0x3f, 200 + *second % 8),
                        2 => *first = 20 + *first % 44,
                        3 => *first &= 3,
                        4 => *first = 0x80 | *first & 0x3f,
                        5 => (*first, *second) = (0x80, random.choice([102, 120]).unwrap()),
                        _ => {}
                    }
                }
                let component = if *is_rtcp { Component::Rtcp } else { Component::Rtp };
                let on_video = random.u8(..4) == 0;
                let component = if on_video { component.of_video() } else { component };
                let source = if random.bool() { peer(Side::A) } else { stranger() };
                let source = if on_video && random.bool() { video::video_peer(Side::A) } else { source };
                let _ = fixture.receive_at(Side::A, component, source, &bytes);
                fixture.run(random.u64(..50));
            }
            let _ = fixture.session.stats(fixture.now);
            fixture.session.end(fixture.now, &mut fixture.sent);
            prop_assert!(fixture.events().len() <= crate::limits::MAX_EVENTS);
        }
    }
}
