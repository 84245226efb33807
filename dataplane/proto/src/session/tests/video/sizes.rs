//! The size of pictures, as their sender tells it on the way.

use super::*;
use crate::video::limits::PICTURE_SIZE_INTERVAL;
use tandem_control::PictureSize;

/// A sequence parameter set of 640x480, and one of 320x180, which are cropped.
const LARGE: &[u8] = &[0x67, 0x42, 0xc0, 0x16, 0xd9, 0x00, 0xa0, 0x3d, 0xb0];
const SMALL: &[u8] = &[0x67, 0x42, 0xc0, 0x0b, 0xd9, 0x01, 0x41, 0x9f, 0x9f];
const SLICE: &[u8] = &[0x41, 9, 9];

/// The first packet of a key frame of VP8.
fn vp8(width: u8, height: u8) -> Vec<u8> {
    vec![0x10, 0xb0, 0x43, 0, 0x9d, 0x01, 0x2a, width, 0, height, 0, 7]
}

/// In one packet (RFC 6184 section 5.7.1).
fn aggregate(units: &[&[u8]]) -> Vec<u8> {
    units.iter().fold(vec![0x78], |aggregate, unit| [&aggregate[..], &[0, unit.len() as u8], *unit].concat())
}

fn told(side: Side, width: u16, height: u16) -> EventKind {
    EventKind::PictureSize { side, size: PictureSize { width, height } }
}

fn sizes(fixture: &mut Fixture) -> Vec<EventKind> {
    fixture.events().into_iter().filter(|kind| matches!(kind, EventKind::PictureSize { .. })).collect()
}

fn showing() -> [LegConfig; 2] {
    let types = [(102, H264), (120, VideoCodec::Vp8)];
    [bundled(Side::A, &types), bundled(Side::B, &types)]
}

fn known(fixture: &Fixture, side: usize) -> Option<PictureSize> {
    fixture.session.stats(fixture.now).legs[side].video.as_ref()?.picture_size
}

#[test]
fn each_side_is_told_of_in_either_coding() {
    let [a, b] = showing();
    let mut fixture = Fixture::between(&a, &b);
    shown(&mut fixture, Side::A, &packet(102, 1, 1, SLICE));
    assert_eq!((sizes(&mut fixture), known(&fixture, 0)), (vec![], None));
    let sets = aggregate(&[SMALL, LARGE, &[0x68, 0xce, 0x3c, 0x80], &[0x65, 1, 2]]);
    shown(&mut fixture, Side::A, &packet(102, 2, 2, &sets));
    assert_eq!(sizes(&mut fixture), [told(Side::A, 640, 480)], "the newest");
    shown(&mut fixture, Side::B, &packet(120, 1, 1, &vp8(176, 144)));
    assert_eq!(sizes(&mut fixture), [told(Side::B, 176, 144)]);
    assert_eq!(known(&fixture, 0), PictureSize::new(640, 480));
    assert_eq!(known(&fixture, 1), PictureSize::new(176, 144));
    // Who is not shown them is told of them too: it is no matter of this way.
    fixture.configure(Side::B, &leg(Side::B, &[PCMU]));
    fixture.pass(PICTURE_SIZE_INTERVAL.as_millis() as u64);
    assert_eq!(fixture.receive(Side::A, &packet(102, 3, 3, SMALL)), Err(DropReason::NotWanted));
    assert_eq!(sizes(&mut fixture), [told(Side::A, 320, 180)]);
}

#[test]
fn a_sender_that_changes_it_all_the_time_is_told_of_once_a_second() {
    let [a, b] = showing();
    let mut fixture = Fixture::between(&a, &b);
    let mut count = 0;
    for sequence in 1..=300 {
        fixture.pass(10);
        let set = if sequence % 2 == 0 { SMALL } else { LARGE };
        shown(&mut fixture, Side::A, &packet(102, sequence, sequence.into(), set));
        count += sizes(&mut fixture).len();
    }
    assert_eq!(count, 3);
    shown(&mut fixture, Side::A, &packet(102, 301, 301, SMALL));
    fixture.pass(1000);
    shown(&mut fixture, Side::A, &packet(102, 302, 302, SLICE));
    assert_eq!(sizes(&mut fixture), [told(Side::A, 320, 180)], "the last one is not forgotten");
}

#[test]
fn pictures_that_come_back_are_told_of_again() {
    let [a, b] = showing();
    let mut fixture = Fixture::between(&a, &b);
    shown(&mut fixture, Side::A, &packet(102, 1, 1, LARGE));
    assert_eq!(sizes(&mut fixture), [told(Side::A, 640, 480)]);
    fixture.configure(Side::A, &leg(Side::A, &[PCMU]));
    assert_eq!(known(&fixture, 0), None);
    fixture.pass(2000);
    fixture.configure(Side::A, &a);
    shown(&mut fixture, Side::A, &packet(102, 2, 60, SLICE));
    assert_eq!(sizes(&mut fixture), []);
    shown(&mut fixture, Side::A, &packet(102, 3, 61, LARGE));
    assert_eq!(sizes(&mut fixture), [told(Side::A, 640, 480)]);
}

#[test]
fn who_changes_places_is_told_of_where_it_comes_to() {
    let [a, b] = showing();
    let mut one = Fixture::between(&a, &b);
    let mut other = Fixture::new(2);
    other.now = one.now;
    other.configure(Side::B, &leg(Side::B, &[PCMU]));
    shown(&mut one, Side::A, &packet(102, 1, 1, LARGE));
    assert_eq!(sizes(&mut one), [told(Side::A, 640, 480)]);
    other.session.swap(other.now, Side::B, (&mut one.session, Side::A)).unwrap();
    other.pass(1500);
    let bytes = packet(102, 2, 2, SLICE);
    let _ = other.receive_at(Side::B, Component::Rtp, peer(Side::A), &bytes);
    assert_eq!(sizes(&mut other), [told(Side::B, 640, 480)]);
}
