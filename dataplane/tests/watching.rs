//! Browsers that watch another one, through a whole worker: ICE, DTLS and SRTP on every leg.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::pages::*;
use std::time::Duration;
use tandem_control::*;
use tandem_dataplane::driver::Driver;
use tandem_media::rtcp::{self, Compound, Item, SenderInfo};
use tandem_media::rtp::{HEADER_LEN, Header};
use tandem_media::video::feedback::Author;

#[test]
fn two_see_and_hear_what_is_published_until_they_leave_or_it_ends() {
    let mut world = World::new();
    let publisher = world.publisher();
    let (first, second) = (world.player(publisher), world.player(publisher));
    world.publish(publisher, 0..50, true);
    for player in [first, second] {
        let (heard, seen) = (world.pages[player].take(PLAYED[0]), world.pages[player].take(PLAYED[1]));
        let said: Vec<_> = (0..50).map(|number| sound(number)[HEADER_LEN..].to_vec()).collect();
        let shown: Vec<_> = (0..50).map(|number| frame(number, number == 0)).collect();
        assert_eq!((payloads(&heard), payloads(&seen)), (said, shown));
        assert!(is_gapless(&heard) && is_gapless(&seen));
        assert!(seen.iter().all(|(header, _)| header.ssrc == 7 && header.marker));
        assert!(world.pages[player].media.is_empty());
    }
    assert_eq!(world.worker.counters().watchers, 2);
    let Ok(Reply::Stats(stats)) = world.ask(Request::Query { session: world.pages[publisher].session })
    else {
        panic!("no figures")
    };
    assert_eq!(stats.legs[0].dropped, 0, "what is watched is not dropped");
    let session = world.pages[first].session;
    assert_eq!(
        world.ask(Request::Unwatch { session, side: Side::B }),
        Ok(Reply::Done),
        "nobody watches there"
    );
    assert_eq!(world.ask(Request::Unwatch { session, side: Side::A }), Ok(Reply::Done));
    world.publish(publisher, 50..60, false);
    assert_eq!(world.pages[first].media, []);
    assert_eq!(world.pages[second].take(PLAYED[1]).len(), 10);
    world.delete(publisher);
    assert_eq!(world.ended(), [world.pages[second].session]);
    assert_eq!(world.worker.counters().watchers, 0);
    world.delete(first);
    world.delete(second);
    assert_eq!(world.worker.leftovers(), (0, 0));
    assert_eq!(world.worker.driver_mut().spare_buffers(), BUFFERS);
}

/// RFC 4585: whoever joins needs a key frame, and whoever asks for one; the publisher is asked once for all of them.
#[test]
fn key_frames_are_asked_of_the_publisher_at_its_pace() {
    let mut world = World::new();
    let publisher = world.publisher();
    let early = world.player(publisher);
    world.publish(publisher, 0..50, true);
    world.pages[publisher].take_feedback();
    let late = world.player(publisher);
    world.publish(publisher, 50..51, false);
    assert_eq!(world.pages[publisher].take_feedback(), ["PLI"], "at once");
    world.publish(publisher, 51..60, false);
    assert_eq!(world.pages[publisher].take_feedback(), [] as [&str; 0], "not again so soon");
    world.publish(publisher, 60..61, true);
    world.pass(1000);
    assert_eq!(world.pages[publisher].take_feedback(), [] as [&str; 0], "it came");
    for player in [early, late] {
        let author = Author { sender: 1, media: 7 };
        world.report(player, 1, |writer| author.picture_loss(writer).unwrap());
    }
    world.pass(20);
    assert_eq!(world.pages[publisher].take_feedback(), ["PLI"], "one for both");
    world.pass(270);
    assert_eq!(world.pages[publisher].take_feedback(), [] as [&str; 0]);
    world.pass(40);
    assert_eq!(world.pages[publisher].take_feedback(), ["PLI"], "it still has not come");
    world.publish(publisher, 61..62, true);
    assert!(world.pages[late].take(PLAYED[1]).last().unwrap().1 == frame(61, true));
}

/// What is lost on the way here is asked for by the publisher's session, what is lost on the way to a player is there to
/// be sent again; and what one player says of its line limits nobody.
#[test]
fn losses_are_repaired_on_each_leg_by_itself() {
    let mut world = World::new();
    let publisher = world.publisher();
    let players = [world.player(publisher), world.player(publisher)];
    world.publish(publisher, 0..20, true);
    // Number 20 is lost.
    world.publish(publisher, 21..25, false);
    world.pass(100);
    assert!(world.pages[publisher].take_feedback().contains(&"NACK"));
    let header = Header { marker: true, payload_type: 97, sequence: 1, timestamp: 20 * 1800, ssrc: AGAIN };
    let again = packet(header, &[&20u16.to_be_bytes()[..], &frame(20, false)].concat());
    world.send(publisher, again);
    for player in players {
        let seen = world.pages[player].take(PLAYED[1]);
        assert_eq!(seen.len(), 25);
        let (late, before) = (&seen[24], &seen[19]);
        assert_eq!(late.0.sequence, before.0.sequence.wrapping_add(1), "it fills the gap");
        assert_eq!(late.1, frame(20, false));
    }
    world.pass(1000);
    world.pages[publisher].take_feedback();
    let sequence = {
        world.publish(publisher, 25..27, false);
        world.pages[players[0]].take(PLAYED[1])[0].0.sequence
    };
    let author = Author { sender: 1, media: 7 };
    world.report(players[0], 1, |writer| author.missing(writer, &[sequence]).unwrap());
    let again = world.pages[players[0]].take(PLAYED[2]);
    assert_eq!(payloads(&again), [[&sequence.to_be_bytes()[..], &frame(25, false)].concat()]);
    world.report(players[0], 1, |writer| author.bitrate(writer, 60_000).unwrap());
    world.publish(publisher, 27..200, false);
    assert_eq!(world.pages[publisher].take_feedback(), [] as [&str; 0]);
    assert_eq!(world.pages[players[1]].take(PLAYED[2]), []);
}

/// RFC 3550 section 6.4.1: sound and pictures that the publisher's reports put into one instant are in one instant by the
/// reports that a player gets, also by the first that one gets who comes when they were said already.
#[test]
fn sound_and_pictures_stay_in_step() {
    let mut world = World::new();
    let publisher = world.publisher();
    let early = world.player(publisher);
    world.publish(publisher, 0..50, true);
    // By its clock, sound of time stamp 0 belongs to pictures of time stamp 9000.
    let ntp = rtcp::ntp(world.now.unix - Duration::from_secs(500));
    for (ssrc, rtp) in [(SOUND, 48_000), (PICTURES, 9_000 + 90_000)] {
        let info = SenderInfo { ntp, rtp, packets: 50, octets: 50 };
        world.report(publisher, ssrc, |writer| writer.report(ssrc, Some(info), None).unwrap());
    }
    let late = world.player(publisher);
    world.publish(publisher, 50..400, true);
    for player in [early, late] {
        let page = &mut world.pages[player];
        let heard = page.take(PLAYED[0]).pop().unwrap().0;
        let seen = page.take(PLAYED[1]).pop().unwrap().0;
        let reports: Vec<SenderInfo> = [heard.ssrc, seen.ssrc]
            .map(|of| {
                let infos = page.reports.iter().flat_map(|report| Compound::parse(report).unwrap());
                let last = infos.filter_map(|item| match item {
                    Item::SenderReport { ssrc, info, .. } if ssrc == of => Some(info),
                    _ => None,
                });
                last.last().unwrap_or_else(|| panic!("no report about {of}"))
            })
            .into();
        // Both packets have number 399.
        let instant = |report: &SenderInfo, timestamp: u32, clock: i64| {
            let ahead = i64::from(timestamp.wrapping_sub(report.rtp).cast_signed());
            (report.ntp >> 16).cast_signed() * 1000 / 65_536 + ahead * 1000 / clock
        };
        let sound = instant(&reports[0], heard.timestamp, 48_000);
        let picture = instant(&reports[1], seen.timestamp, 90_000);
        assert!((sound - picture - 100).abs() <= 2, "{sound} {picture}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let mut world = World::new();
    let publisher = world.publisher();
    let player = world.player(publisher);
    let is_refused = |asked| assert!(matches!(asked, Err(Refusal::Invalid(_))), "{asked:?}");
    is_refused(world.watch(player, publisher));
    is_refused(world.watch(publisher, publisher));
    is_refused(world.watch(publisher, player));
    let other = world.publisher();
    is_refused(world.watch(other, player));
    is_refused(world.watch(publisher, other));
    let (session, side) = (world.pages[other].session, Side::A);
    let nobody = SessionId(1);
    let source = (nobody, side);
    assert_eq!(world.ask(Request::Watch { session, side, source }), Err(Refusal::UnknownSession));
    assert_eq!(world.ask(Request::Unwatch { session: nobody, side }), Err(Refusal::UnknownSession));
    // Its side B is to be without a peer.
    let with_peer =
        LegConfig { remote: Some(Remote { rtp: world.shared, rtcp: world.shared }), ..LegConfig::idle() };
    is_refused(world.ask(Request::configure(session, Side::B, with_peer)));

    let Ok(Reply::RoomCreated { room }) =
        world.ask(Request::CreateRoom { near: None, rate: 8000, loudest: 0 })
    else {
        panic!("no room")
    };
    let watching = world.pages[player].session;
    for side in [Side::A, Side::B] {
        is_refused(world.ask(Request::Join { session: watching, side, room }));
        is_refused(world.ask(Request::Swap { first: (watching, side), second: (session, Side::A) }));
    }
    assert_eq!(world.ask(Request::Join { session, side, room }), Ok(Reply::Done));
    is_refused(world.watch(other, publisher));
    assert_eq!(world.worker.counters().watchers, 1, "nothing has changed");
}

#[test]
fn so_many_watch_and_no_more() {
    let mut world = World::new();
    let publisher = world.publisher();
    let leg = world.pages[publisher].leg();
    let mut sessions = Vec::new();
    for _ in 0..=MAX_WATCHERS {
        sessions.push(world.create([LegConfig::idle(), leg.watched()]));
    }
    let source = (world.pages[publisher].session, Side::A);
    let watch = |session| Request::Watch { session, side: Side::A, source };
    for &session in &sessions[..MAX_WATCHERS] {
        assert_eq!(world.ask(watch(session)), Ok(Reply::Done));
    }
    assert_eq!(world.ask(watch(sessions[MAX_WATCHERS])), Err(Refusal::Busy));
    assert!(world.ask(Request::Delete { session: sessions[3] }).is_ok());
    assert_eq!(world.ask(watch(sessions[MAX_WATCHERS])), Ok(Reply::Done));
    world.publish(publisher, 0..3, true);
    world.delete(publisher);
    assert_eq!(world.ended().len(), MAX_WATCHERS);
    assert_eq!(world.worker.driver_mut().spare_buffers(), BUFFERS);
}

/// A publisher whose leg gives its place to another one is no longer watched: nobody sees whom it did not ask for.
#[test]
fn who_takes_the_publishers_place_is_not_watched() {
    let mut world = World::new();
    let (publisher, other) = (world.publisher(), world.publisher());
    let player = world.player(publisher);
    world.publish(publisher, 0..5, true);
    let (first, second) = ((world.pages[publisher].session, Side::A), (world.pages[other].session, Side::A));
    assert_eq!(world.ask(Request::Swap { first, second }), Ok(Reply::Done));
    assert_eq!(world.ended(), [world.pages[player].session]);
    world.pages[player].media.clear();
    world.publish(publisher, 5..10, true);
    world.publish(other, 0..5, true);
    assert_eq!(world.pages[player].media, []);
    world.pages[publisher].session = second.0;
    assert_eq!(world.watch(player, publisher), Ok(Reply::Done));
    world.publish(publisher, 10..15, true);
    assert_eq!(payloads(&world.pages[player].take(PLAYED[1])).len(), 5);
}
