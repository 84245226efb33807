//! A session whose peer watches the peer of another session.

use super::video::{apart, video, video_peer};
use super::*;
use crate::rtcp::{Compound, Item};
use crate::video::feedback::Feedback;
use tandem_control::{VideoCodec, VideoFeedback};

const H264: VideoCodec = VideoCodec::H264 { packetization_mode: 1, profile_level_id: [0x42, 0xe0, 0x1f] };
/// The first fragment of an IDR picture, and a slice of another one.
const KEY: &[u8] = &[0x7c, 0x85, 1, 2, 3];
const SLICE: &[u8] = &[0x41, 9, 9];

/// Two sessions, of which one watches the other's side A; and what goes to the peer that watches.
struct Two {
    source: Fixture,
    watcher: Fixture,
}

/// A leg with PCMU and H.264 on the same ports.
fn bundled(feedback: VideoFeedback) -> LegConfig {
    let mut video = video(Side::A, &[(96, H264)]);
    video.feedback = feedback;
    LegConfig { video: Some(video), ..leg(Side::A, &[PCMU]) }
}

impl Two {
    fn new(source: &LegConfig, watcher: &LegConfig) -> Two {
        let mut two = Two {
            source: Fixture::between(source, &LegConfig::idle()),
            watcher: Fixture::between(watcher, &source.watched()),
        };
        two.watcher.now = two.source.now;
        assert_eq!(two.watch(), Ok(()));
        two
    }

    fn watch(&mut self) -> Result<(), Refusal> {
        self.watcher.session.watch(self.source.now, Side::A, (&mut self.source.session, Side::A))
    }

    /// The source sends something; returns what becomes of it there, and what the peer that watches gets of it.
    fn send(
        &mut self,
        component: Component,
        from: SocketAddr,
        bytes: &[u8],
    ) -> (Option<DropReason>, Vec<Vec<u8>>) {
        let reason = self.source.receive_at(Side::A, component, from, bytes).err();
        let mut shown = Vec::new();
        let Fixture { session, now, sent } = &mut self.watcher;
        for (medium, bytes) in self.source.sent.copies.drain(..) {
            let len = bytes.len();
            let mut buffer = [bytes, vec![0; TAILROOM]].concat();
            let mut packet = Packet::new(&mut buffer, 0, len).unwrap();
            let verdict = session.receive_copy(*now, Side::A, medium, &mut packet, sent);
            shown.extend(sent.packets.drain(..).map(|(.., bytes)| bytes));
            if let Ok(Verdict::Forward { to, destination, .. }) = verdict {
                assert_eq!((to, destination), (Side::A, peer(Side::A)));
                shown.push(packet.bytes().to_vec());
            }
        }
        (reason, shown)
    }

    fn say(&mut self, sequence: u16) -> (Option<DropReason>, usize) {
        let packet = speech(sequence, u32::from(sequence) * 160, 0, 7, b"said");
        let (reason, shown) = self.send(Component::Rtp, peer(Side::A), &packet);
        (reason, shown.len())
    }
}

fn picture(sequence: u16, payload: &[u8]) -> Vec<u8> {
    speech(sequence, u32::from(sequence) * 3000, 96, 77, payload)
}

#[test]
fn copies_are_made_while_somebody_watches_and_the_source_is_not_on_hold() {
    let source = leg(Side::A, &[PCMU]);
    let mut two = Two::new(&source, &leg(Side::A, &[PCMU]));
    assert_eq!(two.say(1), (None, 1), "it is taken, although nobody is on the other side");
    let mut held = source.clone();
    held.audio.may_receive = false;
    two.source.configure(Side::A, &held);
    assert_eq!(two.say(2), (Some(DropReason::OnHold), 0));
    two.source.configure(Side::A, &source);
    assert_eq!(two.say(3), (None, 1));
    two.watcher.session.unwatch(two.source.now);
    two.source.session.stop_copies(Side::A);
    assert_eq!(two.say(4), (Some(DropReason::NotWanted), 0));
    assert_eq!(two.source.session.stats(two.source.now).legs[0].dropped, 2);
    assert_eq!(two.watcher.events(), [EventKind::FirstMedia { side: Side::B }]);
}

#[test]
fn pictures_on_ports_of_their_own_are_seen_where_they_are_bundled() {
    let source = apart(Side::A, &[(102, H264)], Security::None);
    let mut two = Two::new(&source, &bundled(VideoFeedback::default()));
    let packet = speech(1, 3000, 102, 77, KEY);
    let (reason, shown) = two.send(Component::VideoRtp, video_peer(Side::A), &packet);
    assert_eq!((reason, shown.len()), (None, 1));
    assert_eq!((shown[0][1] & 0x7f, &shown[0][HEADER_LEN..]), (96, KEY));
    let mut report = [0; 64];
    let mut writer = rtcp::Writer::new(&mut report);
    let info = rtcp::SenderInfo { ntp: 1 << 32, rtp: 3000, packets: 1, octets: 5 };
    writer.report(77, Some(info), None).unwrap();
    let len = writer.len();
    let from = SocketAddr::new(video_peer(Side::A).ip(), 5001);
    assert_eq!(two.send(Component::VideoRtcp, from, &report[..len]), (None, Vec::new()), "it ends there");
    let stats = two.watcher.session.stats(two.watcher.now);
    assert_eq!((stats.legs[1].rtcp_dropped, stats.legs[1].received.rtcp_packets), (0, 1));
}

/// A telephone that asks for nothing again sees pictures in their order, if the publisher is one that sends them again;
/// the publisher is not asked by the session that watches.
#[test]
fn who_cannot_ask_again_sees_everything_in_its_order() {
    let browser = VideoFeedback { nack: true, pli: true, ..VideoFeedback::default() };
    let mut two = Two::new(&bundled(browser), &bundled(VideoFeedback::default()));
    let mut seen = Vec::new();
    for (sequence, payload) in [(1, KEY), (3, SLICE), (4, SLICE), (2, SLICE), (5, SLICE)] {
        let (_, shown) = two.send(Component::Rtp, peer(Side::A), &picture(sequence, payload));
        seen.extend(shown.iter().map(|bytes| rtp::parse(bytes).unwrap().header.timestamp));
    }
    let steps: Vec<u32> = seen.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert_eq!(steps, [3000; 4]);
    // What never comes is asked for, and then made good by a key frame, by the source's session alone.
    two.send(Component::Rtp, peer(Side::A), &picture(9, SLICE));
    two.watcher.run(5000);
    assert!(two.watcher.sent.packets.iter().all(|(from, ..)| *from == Side::A), "nothing goes to a source");
    assert!(!two.watcher.session.take_key_frame_wish());
    two.source.run(5000);
    let sent = two.source.sent.packets.iter().filter(|(from, ..)| *from == Side::A);
    let items: Vec<Item> = sent.flat_map(|(.., bytes)| Compound::parse(bytes).unwrap()).collect();
    assert!(items.iter().any(|item| matches!(item, Item::Feedback(Feedback::Missing { .. }))), "{items:?}");
    assert!(
        items.iter().any(|item| matches!(item, Item::Feedback(Feedback::PictureLoss { .. }))),
        "{items:?}"
    );
}

#[test]
fn a_side_that_has_a_peer_is_nobodys_stand_in() {
    let source = leg(Side::A, &[PCMU]);
    let mut two = Two {
        source: Fixture::between(&source, &LegConfig::idle()),
        watcher: Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMU])),
    };
    assert!(matches!(two.watch(), Err(Refusal::Invalid(_))));
    assert_eq!(two.say(1), (Some(DropReason::NotWanted), 0));
    assert!(two.watcher.forwarded(&speech(1, 0, 0, 7, b"x")).1 == b"x", "it is a call as before");
    let mut two = Two::new(&source, &leg(Side::A, &[PCMU]));
    let with_peer = leg(Side::B, &[PCMU]);
    let (now, legs) = (two.source.now, of_side(Side::B, &with_peer));
    let configured = two.watcher.session.configure(now, legs, &mut two.watcher.sent);
    assert!(matches!(configured, Err(Refusal::Invalid(_))), "nobody comes in between");
    assert_eq!(two.say(1), (None, 1));
}
