//! What only a relay asks for: codings that nobody here knows, silence, blocked streams, forced transcoding, latching
//! as rtpengine's flags have it, and figures.

use super::*;
use crate::limits::HANDOVER_SILENCE;
use tandem_control::Treatment;

const G729: (u8, Codec, u32) = (18, Codec::Other(1), 8000);

/// Speech with the number of its packet in it, 20 ms apart.
fn nth(n: u16, payload_type: u8) -> Vec<u8> {
    speech(n, u32::from(n) * 160, payload_type, 7, &[n as u8; 160])
}

fn both(types: &[(u8, Codec, u32)]) -> [LegConfig; 2] {
    [leg(Side::A, types), leg(Side::B, types)]
}

fn treated(change: impl FnOnce(&mut Audio), types: &[(u8, Codec, u32)]) -> LegConfig {
    let mut leg = leg(Side::A, types);
    change(&mut leg.audio);
    leg
}

#[test]
fn a_coding_that_nobody_knows_is_forwarded_with_reports_of_our_own() {
    let renumbered = (98, Codec::Other(1), 8000);
    let mut fixture = Fixture::between(&leg(Side::A, &[G729]), &leg(Side::B, &[renumbered]));
    let (first, payload) = fixture.forwarded(&speech(5, 800, 18, 7, b"ten bytes."));
    assert_eq!((first.payload_type, payload), (98, b"ten bytes.".to_vec()));
    fixture.pass(20);
    let (second, _) = fixture.forwarded(&speech(6, 960, 18, 7, b"ten bytes."));
    assert_eq!(second.timestamp, first.timestamp.wrapping_add(160));
    fixture.run(20_000);
    let reports = |side| {
        let of_side = fixture.sent.packets.iter().filter(move |(from, ..)| *from == side);
        of_side.filter_map(|(.., bytes)| rtcp::Compound::parse(bytes).unwrap().next())
    };
    assert!(reports(Side::A).any(|item| matches!(item, rtcp::Item::ReceiverReport { .. })));
    assert!(reports(Side::B).any(|item| matches!(
        item,
        rtcp::Item::SenderReport { info, .. } if (info.packets, info.octets) == (2, 20)
    )));
}

#[test]
fn blocked_speech_leaves_no_gap_and_events_pass() {
    let types = [PCMU, EVENT];
    let [open, b] = both(&types);
    let mut fixture = Fixture::between(&open, &b);
    let (before, _) = fixture.forwarded(&nth(1, 0));
    fixture.configure(Side::A, &treated(|audio| audio.speech = Treatment::Blocked, &types));
    for n in 2..10 {
        fixture.pass(20);
        assert_eq!(fixture.receive(Side::A, &nth(n, 0)), Err(DropReason::Blocked));
    }
    fixture.pass(20);
    let (event, _) = fixture.forwarded(&speech(10, 1600, 101, 7, &[5, 10, 0, 160]));
    assert_eq!((event.payload_type, event.sequence), (101, before.sequence.wrapping_add(1)));
    assert!(fixture.receive(Side::B, &nth(1, 0)).unwrap().is_some(), "the other direction goes on");
    fixture.configure(Side::A, &open);
    fixture.pass(20);
    let (after, _) = fixture.forwarded(&nth(11, 0));
    assert_eq!(after.sequence, before.sequence.wrapping_add(2));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(10 * 160));
    assert_eq!(fixture.session.stats(fixture.now).legs[0].dropped, 8);
}

#[test]
fn silenced_speech_keeps_its_rhythm_in_every_known_coding() {
    let silenced = |audio: &mut Audio| audio.speech = Treatment::Silenced;
    for (coding, sound, silence) in [
        (PCMU, vec![3; 160], vec![0xFF; 160]),
        (PCMA, vec![3; 160], vec![0xD5; 160]),
        (OPUS, vec![0x08, 1, 2, 3, 4], vec![0xF8, 0xFF, 0xFE]),
        (OPUS, vec![0x08], vec![0xF8, 0xFF, 0xFE]),
    ] {
        let [open, b] = both(&[coding]);
        let mut fixture = Fixture::between(&open, &b);
        let packet = |n: u16| speech(n, u32::from(n) * (coding.2 / 50), coding.0, 7, &sound);
        let (before, _) = fixture.forwarded(&packet(1));
        fixture.configure(Side::A, &treated(silenced, &[coding]));
        fixture.pass(20);
        let (after, payload) = fixture.forwarded(&packet(2));
        assert_eq!(payload, silence, "{coding:?}");
        assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        assert_eq!(after.timestamp, before.timestamp.wrapping_add(coding.2 / 50));
        fixture.configure(Side::A, &open);
        fixture.pass(20);
        assert_eq!(fixture.forwarded(&packet(3)).1, sound);
    }
    let mut fixture = Fixture::between(&treated(silenced, &[G729]), &leg(Side::B, &[G729]));
    assert_eq!(fixture.receive(Side::A, &nth(1, 18)), Err(DropReason::Blocked));
}

#[test]
fn silence_is_transcoded_and_the_transcoder_stays() {
    let (open, b) = (leg(Side::A, &[PCMU]), leg(Side::B, &[PCMA]));
    let mut fixture = Fixture::between(&open, &b);
    assert_eq!(fixture.receive(Side::A, &nth(1, 0)), Ok(None));
    fixture.configure(Side::A, &treated(|audio| audio.speech = Treatment::Silenced, &[PCMU]));
    fixture.pass(20);
    assert_eq!(fixture.receive(Side::A, &nth(2, 0)), Ok(None));
    let sent = fixture.sent.rtp();
    let [(first, sound), (second, silence)] = &sent[..] else { panic!("{sent:?}") };
    assert!(sound.iter().any(|&code| code != 0xD5) && silence.iter().all(|&code| code == 0xD5));
    assert!(!second.marker && second.timestamp == first.timestamp.wrapping_add(160));
}

#[test]
fn blocked_events_are_told_and_not_sent() {
    for to in [PCMU, PCMA] {
        let blocked = treated(|audio| audio.events_blocked = true, &[PCMU, EVENT]);
        let mut fixture = Fixture::between(&blocked, &leg(Side::B, &[to, EVENT]));
        fixture.receive(Side::A, &nth(1, 0)).unwrap();
        for n in 2..6 {
            fixture.pass(20);
            let end = if n == 5 { 0x8A } else { 10 };
            let result = fixture.receive(Side::A, &speech(n, 320, 101, 7, &[4, end, 0, n as u8]));
            assert_eq!(result, Err(DropReason::Blocked));
        }
        assert!(fixture.events().iter().any(|event| matches!(event, EventKind::Digit { event: 4, .. })));
        fixture.pass(20);
        fixture.receive(Side::A, &nth(6, 0)).unwrap();
        assert!(fixture.sent.rtp().iter().all(|(header, _)| header.payload_type == to.0));
        let stats = fixture.session.stats(fixture.now);
        assert_eq!((stats.legs[1].sent.packets, stats.legs[0].concealed), (2, 0), "{to:?}");
    }
}

#[test]
fn the_same_coding_is_transcoded_where_signaling_wants_it() {
    let always = treated(|audio| audio.always_transcode = true, &[PCMU]);
    let mut fixture = Fixture::between(&always, &leg(Side::B, &[PCMU]));
    assert_eq!(fixture.receive(Side::A, &nth(1, 0)), Ok(None));
    assert_eq!(fixture.sent.rtp()[0].1, [1; 160]);
    assert!(fixture.session.stats(fixture.now).legs[0].transcoded);
    assert!(fixture.receive(Side::B, &nth(1, 0)).unwrap().is_some(), "the other way it is forwarded");
}

#[test]
fn an_asymmetric_peer_keeps_its_described_address() {
    let mut asymmetric = leg(Side::A, &[PCMU]);
    asymmetric.asymmetric = true;
    asymmetric.latch = Latch::Any;
    let mut fixture = Fixture::between(&asymmetric, &leg(Side::B, &[PCMU]));
    let from = |n| speech(n, u32::from(n) * 160, 0, 7, b"x");
    let receive =
        |fixture: &mut Fixture, n| fixture.receive_at(Side::A, Component::Rtp, stranger(), &from(n));
    assert_eq!(receive(&mut fixture, 1), Err(DropReason::Probation));
    assert!(receive(&mut fixture, 2).unwrap().is_some());
    assert_eq!(fixture.receive(Side::A, &from(3)), Err(DropReason::StrangerSource));
    let (destination, _) = fixture.receive(Side::B, &from(1)).unwrap().unwrap();
    assert_eq!(destination, peer(Side::A));
}

#[test]
fn a_handover_needs_silence_and_probation_and_is_told() {
    let mut moving = leg(Side::A, &[PCMU]);
    moving.latch = Latch::Handover;
    let mut fixture = Fixture::between(&moving, &leg(Side::B, &[PCMU]));
    fixture.forwarded(&nth(1, 0));
    fixture.events();
    let elsewhere = |fixture: &mut Fixture, n| {
        let result = fixture.receive_at(Side::A, Component::Rtp, stranger(), &nth(n, 0));
        result.map(|forwarded| forwarded.is_some())
    };
    assert_eq!(elsewhere(&mut fixture, 2), Err(DropReason::StrangerSource));
    fixture.pass(HANDOVER_SILENCE.as_millis() as u64);
    assert_eq!(elsewhere(&mut fixture, 3), Err(DropReason::Probation));
    assert_eq!(elsewhere(&mut fixture, 4), Ok(true));
    assert_eq!(fixture.events(), [EventKind::Moved { side: Side::A, remote: stranger() }]);
    let (destination, _) = fixture.receive(Side::B, &nth(1, 0)).unwrap().unwrap();
    assert_eq!(destination, stranger());
    assert_eq!(fixture.receive(Side::A, &nth(5, 0)), Err(DropReason::StrangerSource));
}

#[test]
fn figures_tell_of_packets_bytes_drops_sources_and_silence() {
    let [a, b] = both(&[PCMU]);
    let mut fixture = Fixture::between(&a, &b);
    let none = fixture.session.stats(fixture.now);
    assert_eq!(
        (none.legs[0].silent_ms, none.legs[0].received.ssrc, none.legs[1].sent.ssrc),
        (None, None, None)
    );
    let (sent, _) = fixture.forwarded(&nth(1, 0));
    fixture.pass(20);
    fixture.forwarded(&nth(2, 0));
    assert_eq!(fixture.receive(Side::A, &nth(2, 0)), Err(DropReason::Duplicate));
    let rtcp = SocketAddr::new(peer(Side::A).ip(), 4001);
    let mut report = [0; 64];
    let mut writer = rtcp::Writer::new(&mut report);
    writer.report(7, None, None).unwrap();
    let len = writer.len();
    fixture.receive_at(Side::A, Component::Rtcp, rtcp, &report[..len]).unwrap();
    report[0] = 0x90;
    fixture.receive_at(Side::A, Component::Rtcp, rtcp, &report[..1]).unwrap_err();
    fixture.pass(300);
    let stats = fixture.session.stats(fixture.now);
    let [of_a, of_b] = &stats.legs;
    let received =
        StreamStats { packets: 3, bytes: 480, rtcp_packets: 1, rtcp_bytes: len as u64, ssrc: Some(7) };
    assert_eq!(of_a.received, received);
    assert_eq!((of_a.dropped, of_a.rtcp_dropped, of_a.silent_ms), (1, 1, Some(300)));
    assert_eq!((of_b.sent.packets, of_b.sent.bytes, of_b.sent.ssrc), (2, 320, Some(sent.ssrc)));
    assert_eq!((of_b.received.ssrc, of_b.silent_ms), (None, None));
}

#[test]
fn of_two_legs_none_is_changed_when_one_is_refused() {
    let [a, b] = both(&[PCMU]);
    let mut fixture = Fixture::between(&a, &b);
    let muted = treated(|audio| audio.may_receive = false, &[PCMU]);
    let mut bad = b.clone();
    bad.audio.send[0].number = 200;
    let refused = fixture.session.configure(fixture.now, [Some(&muted), Some(&bad)], &mut fixture.sent);
    assert!(matches!(refused, Err(Refusal::Invalid(_))));
    fixture.forwarded(&nth(1, 0));
    fixture.session.configure(fixture.now, [Some(&muted), Some(&b)], &mut fixture.sent).unwrap();
    assert_eq!(fixture.receive(Side::A, &nth(2, 0)), Err(DropReason::OnHold));
}
