//! Video that is repaired on its way between two peers.

use super::*;
use crate::rtcp::{Compound, Item, Writer};
use crate::video::feedback::{Author, Feedback, Limit};
use crate::video::limits::{KEY_FRAME_INTERVAL, LEAST_BITRATE, LONGEST_HOLD, NOTIFICATION_INTERVAL};
use tandem_control::{Video, VideoCodec, VideoFeedback, VideoPayloadType};

const H264: VideoCodec = VideoCodec::H264 { packetization_mode: 1, profile_level_id: [0x42, 0xe0, 0x1f] };
const BROWSER: VideoFeedback =
    VideoFeedback { nack: true, pli: true, fir: true, remb: true, tmmbr: false, transport_cc: None };
const PHONE: VideoFeedback =
    VideoFeedback { nack: false, pli: true, fir: false, remb: false, tmmbr: false, transport_cc: None };
const PICTURES: u8 = 96;
const AGAIN: u8 = 97;
/// What the peers send under.
const SOURCE: u32 = 77;
/// The first fragment of an IDR picture, and a slice of another one.
const KEY: &[u8] = &[0x7c, 0x85, 1, 2, 3];
const SLICE: &[u8] = &[0x41, 9, 9];

/// A leg with video beside PCMU.
fn showing(side: Side, feedback: VideoFeedback) -> LegConfig {
    let rtx = feedback.nack.then_some(AGAIN);
    let types = vec![VideoPayloadType { number: PICTURES, codec: H264, rtx }];
    let ssrc = if side == Side::A { 1000 } else { 2000 };
    let video = Video {
        receive: types.clone(),
        send: types,
        may_receive: true,
        may_send: true,
        transport: None,
        ssrc,
        rtx_ssrc: ssrc + 1,
        feedback,
        max_bitrate: 0,
        repeat_parameter_sets: false,
    };
    LegConfig { video: Some(Box::new(video)), ..leg(side, &[PCMU]) }
}

fn video(leg: &mut LegConfig) -> &mut Video {
    leg.video.as_mut().unwrap()
}

fn between(a: VideoFeedback, b: VideoFeedback) -> Fixture {
    Fixture::between(&showing(Side::A, a), &showing(Side::B, b))
}

fn picture(sequence: u16, payload: &[u8]) -> Vec<u8> {
    speech(sequence, u32::from(sequence) * 3000, PICTURES, SOURCE, payload)
}

/// The packet with that sequence number, sent again.
fn again(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let payload = [&sequence.to_be_bytes()[..], payload].concat();
    speech(9000 + sequence, u32::from(sequence) * 3000, AGAIN, SOURCE + 1, &payload)
}

impl Fixture {
    /// The headers and payloads that reach the other side by a packet of that side, in their order.
    fn seen(&mut self, side: Side, packet: &[u8]) -> Vec<(Header, Vec<u8>)> {
        let forwarded = self.receive(side, packet).unwrap();
        let mut seen = self.taken_rtp();
        if let Some((_, bytes)) = forwarded {
            let parsed = rtp::parse(&bytes).unwrap();
            seen.push((parsed.header, parsed.payload(&bytes).to_vec()));
        }
        seen
    }

    fn taken_rtp(&mut self) -> Vec<(Header, Vec<u8>)> {
        let seen = self.sent.rtp();
        self.sent.packets.retain(|(.., bytes)| rtcp::is_rtcp(bytes));
        seen
    }

    /// The peer on that side sends feedback.
    fn feed_back(&mut self, side: Side, write: impl FnOnce(Author, &mut Writer<'_>) -> Option<()>) {
        let media = if side == Side::A { 1000 } else { 2000 };
        let mut buffer = [0; 256];
        let mut writer = Writer::new(&mut buffer);
        writer.report(SOURCE, None, None).unwrap();
        write(Author { sender: SOURCE, media }, &mut writer).unwrap();
        let len = writer.len();
        let source = SocketAddr::new(peer(side).ip(), 4001);
        self.receive_at(side, Component::Rtcp, source, &buffer[..len]).unwrap();
    }

    /// The feedback that the peer on that side was sent, each with what it names.
    fn told(&mut self, side: Side) -> Vec<(&'static str, u64)> {
        let mut told = Vec::new();
        for (from, _, _, bytes) in self.sent.packets.iter().filter(|(.., bytes)| rtcp::is_rtcp(bytes)) {
            for item in Compound::parse(bytes).unwrap().filter(|_| *from == side) {
                match item {
                    Item::Feedback(Feedback::Missing { media: SOURCE, sequences }) => {
                        told.extend(sequences.map(|sequence| ("NACK", u64::from(sequence))));
                    }
                    Item::Feedback(Feedback::PictureLoss { media }) => {
                        told.push(("PLI", u64::from(media.unwrap())));
                    }
                    Item::Feedback(Feedback::Bitrate { bitrate }) => told.push(("REMB", bitrate)),
                    Item::Feedback(Feedback::LimitRequest { limits, .. }) => {
                        let of_theirs = limits.filter(|limit| limit.ssrc == SOURCE);
                        told.extend(of_theirs.map(|limit| ("TMMBR", limit.bitrate())));
                    }
                    Item::Feedback(Feedback::LimitNotification { limits }) => {
                        let asked = limits.filter(|limit| limit.ssrc == SOURCE);
                        told.extend(asked.map(|limit| ("TMMBN", limit.bitrate())));
                    }
                    Item::Feedback(other) => panic!("{other:?}"),
                    _ => {}
                }
            }
        }
        self.sent.packets.retain(|(from, .., bytes)| *from != side || !rtcp::is_rtcp(bytes));
        told
    }
}

fn sequences(seen: &[(Header, Vec<u8>)]) -> Vec<u16> {
    seen.iter().map(|(header, _)| header.sequence).collect()
}

#[test]
fn a_hole_is_filled_before_a_phone_sees_it() {
    let mut fixture = between(BROWSER, PHONE);
    let first = fixture.seen(Side::A, &picture(1, KEY))[0].0.sequence;
    assert_eq!(sequences(&fixture.seen(Side::A, &picture(2, SLICE))), [first + 1]);
    assert!(fixture.seen(Side::A, &picture(4, SLICE)).is_empty());
    assert!(fixture.seen(Side::A, &picture(5, SLICE)).is_empty());
    fixture.run(20);
    assert_eq!(fixture.told(Side::A), [("NACK", 3)]);
    let seen = fixture.seen(Side::A, &again(3, b"third"));
    assert_eq!(sequences(&seen), [first + 2, first + 3, first + 4]);
    assert_eq!((seen[0].0.payload_type, seen[0].0.ssrc, &seen[0].1[..]), (PICTURES, 2000, &b"third"[..]));
    assert_eq!(sequences(&fixture.seen(Side::A, &picture(6, SLICE))), [first + 5]);
    fixture.run(300);
    assert!(fixture.told(Side::A).is_empty());
    assert!(fixture.seen(Side::A, &again(3, b"third")).is_empty(), "it is not missing any more");
    let [from, _] = fixture.session.stats(fixture.now).legs.map(|leg| leg.video.unwrap());
    assert_eq!((from.key_frames, from.repaired, from.lost), (1, 1, 0));
}

#[test]
fn a_phone_waits_no_longer_than_it_may() {
    let mut fixture = between(BROWSER, PHONE);
    let first = fixture.seen(Side::A, &picture(1, KEY))[0].0.sequence;
    assert!(fixture.seen(Side::A, &picture(3, SLICE)).is_empty());
    let hold = LONGEST_HOLD.as_millis() as u64;
    fixture.run(hold - 1);
    assert!(fixture.taken_rtp().is_empty());
    fixture.run(1);
    assert_eq!(sequences(&fixture.taken_rtp()), [first + 2]);
    assert_eq!(fixture.receive(Side::A, &again(2, SLICE)), Err(DropReason::TooLate));
    // The sender is asked for what nobody could repair by a picture that needs no other.
    fixture.told(Side::A);
    assert!(fixture.seen(Side::A, &picture(3 + 2000, SLICE)).is_empty());
    fixture.run(1);
    assert_eq!(fixture.told(Side::A), [("PLI", u64::from(SOURCE))]);
}

#[test]
fn a_browser_sees_everything_at_once_and_has_it_again_from_us() {
    let mut fixture = between(BROWSER, BROWSER);
    let first = fixture.seen(Side::A, &picture(1, KEY))[0].0.sequence;
    for sequence in [2, 4, 5] {
        let seen = fixture.seen(Side::A, &picture(sequence, &[0x41, sequence as u8]));
        assert_eq!(sequences(&seen), [first + sequence - 1], "a gap stays a gap");
    }
    fixture.feed_back(Side::B, |author, writer| author.missing(writer, &[first + 2, first + 3, first + 4]));
    let seen = fixture.taken_rtp();
    let brought: Vec<_> = seen.iter().map(|(_, payload)| payload.clone()).collect();
    let expected = [3u16, 4].map(|n| [&(first + n).to_be_bytes()[..], &[0x41, n as u8 + 1]].concat());
    assert_eq!(brought, expected, "what never came here is not there");
    assert!(seen.iter().all(|(header, _)| (header.payload_type, header.ssrc) == (AGAIN, 2001)));
    // The late one takes its place, and is there from then on.
    assert_eq!(sequences(&fixture.seen(Side::A, &again(3, b"third"))), [first + 2]);
    fixture.feed_back(Side::B, |author, writer| author.missing(writer, &[first + 2]));
    assert_eq!(fixture.taken_rtp()[0].1, [&(first + 2).to_be_bytes()[..], b"third"].concat());
    fixture.feed_back(Side::B, |author, writer| Author { media: 1000, ..author }.missing(writer, &[first]));
    assert!(fixture.taken_rtp().is_empty(), "of another stream");
    let [from, to] = fixture.session.stats(fixture.now).legs.map(|leg| leg.video.unwrap());
    assert_eq!((from.key_frames, from.repaired, to.repeated), (1, 0, 3), "nothing was asked for yet");
}

#[test]
fn key_frames_are_asked_for_across_until_one_comes() {
    let mut fixture = between(BROWSER, PHONE);
    fixture.seen(Side::A, &picture(1, KEY));
    fixture.run(1);
    assert!(fixture.told(Side::A).is_empty(), "the first packet was one");
    fixture.feed_back(Side::B, |author, writer| author.picture_loss(writer));
    fixture.run(1);
    assert_eq!(fixture.told(Side::A), [("PLI", u64::from(SOURCE))], "at once");
    fixture.feed_back(Side::B, |author, writer| author.full_intra(writer, 1));
    fixture.seen(Side::A, &picture(2, SLICE));
    fixture.run(KEY_FRAME_INTERVAL.as_millis() as u64);
    assert_eq!(fixture.told(Side::A), [("PLI", u64::from(SOURCE))]);
    fixture.seen(Side::A, &picture(3, KEY));
    fixture.run(1000);
    assert!(fixture.told(Side::A).is_empty());
}

#[test]
fn whoever_comes_to_see_in_the_middle_gets_a_key_frame() {
    let mut fixture = between(BROWSER, BROWSER);
    fixture.seen(Side::A, &picture(1, KEY));
    fixture.seen(Side::A, &picture(2, SLICE));
    let mut held = showing(Side::B, BROWSER);
    video(&mut held).may_send = false;
    fixture.configure(Side::B, &held);
    assert_eq!(fixture.receive(Side::A, &picture(3, SLICE)), Err(DropReason::NotWanted));
    fixture.run(1);
    assert!(fixture.told(Side::A).is_empty());
    fixture.configure(Side::B, &showing(Side::B, BROWSER));
    fixture.seen(Side::A, &picture(4, SLICE));
    fixture.run(1);
    assert_eq!(fixture.told(Side::A), [("PLI", u64::from(SOURCE))]);
}

#[test]
fn parameter_sets_go_before_key_frames_that_come_without_them() {
    let (sequence_set, picture_set) = ([0x67, 0x42, 0xe0, 0x1f, 0x96, 0x54], [0x68, 0xce, 0x3c, 0x80]);
    let mut needy = showing(Side::B, PHONE);
    video(&mut needy).repeat_parameter_sets = true;
    for mode in [0, 1] {
        let codec = VideoCodec::H264 { packetization_mode: mode, profile_level_id: [0x42, 0xe0, 0x1f] };
        video(&mut needy).send[0].codec = codec;
        let mut sender = showing(Side::A, BROWSER);
        video(&mut sender).receive[0].codec = codec;
        let mut fixture = Fixture::between(&sender, &needy);
        let first = fixture.seen(Side::A, &picture(1, &sequence_set))[0].0.sequence;
        fixture.seen(Side::A, &picture(2, &picture_set));
        assert_eq!(sequences(&fixture.seen(Side::A, &picture(3, SLICE))), [first + 2]);
        let seen = fixture.seen(Side::A, &picture(4, KEY));
        let aggregate = [&[0x78, 0, 6][..], &sequence_set, &[0, 4], &picture_set].concat();
        let expected = match mode {
            0 => vec![sequence_set.to_vec(), picture_set.to_vec(), KEY.to_vec()],
            _ => vec![aggregate, KEY.to_vec()],
        };
        assert_eq!(seen.iter().map(|(_, payload)| payload.clone()).collect::<Vec<_>>(), expected);
        let numbers: Vec<u16> = (first + 3..).take(expected.len()).collect();
        assert_eq!(sequences(&seen), numbers);
        assert!(seen.iter().all(|(header, _)| header.timestamp == seen[0].0.timestamp && !header.marker));
        let after = fixture.seen(Side::A, &picture(5, SLICE));
        assert_eq!(sequences(&after), [numbers.last().unwrap() + 1]);
    }
}

#[test]
fn a_sender_is_told_what_the_other_side_takes() {
    let mut narrow = showing(Side::B, BROWSER);
    video(&mut narrow).max_bitrate = 512_000;
    let mut fixture = Fixture::between(&showing(Side::A, BROWSER), &narrow);
    fixture.seen(Side::A, &picture(1, KEY));
    fixture.run(1100);
    assert!(fixture.told(Side::A).contains(&("REMB", 512_000)));
    fixture.feed_back(Side::B, |author, writer| author.bitrate(writer, 256_000));
    fixture.run(1);
    assert_eq!(fixture.told(Side::A), [("REMB", 256_000)], "less is told at once");
    fixture.feed_back(Side::B, |author, writer| author.bitrate(writer, 1));
    fixture.run(1);
    assert_eq!(fixture.told(Side::A).first().map(|(name, _)| *name), Some("REMB"));
    assert!(fixture.told(Side::B).is_empty(), "nobody limits the other way");
    const { assert!(LEAST_BITRATE > 1) };
}

#[test]
fn a_phone_is_asked_for_no_more_than_a_browser_takes_and_the_reverse() {
    const LIMITED: VideoFeedback = VideoFeedback { tmmbr: true, ..PHONE };
    let mut fixture = between(LIMITED, BROWSER);
    fixture.seen(Side::A, &picture(1, KEY));
    fixture.seen(Side::B, &picture(1, KEY));
    fixture.feed_back(Side::B, |author, writer| author.bitrate(writer, 256_000));
    fixture.run(1);
    assert_eq!(fixture.told(Side::A), [("TMMBR", 256_000)]);
    // Lost or not, it is asked again as long as that is all that the browser takes.
    fixture.run(1100);
    assert_eq!(fixture.told(Side::A), [("TMMBR", 256_000)]);
    fixture.told(Side::B);
    fixture.feed_back(Side::A, |author, writer| author.limit(writer, 128_000));
    fixture.run(1);
    assert_eq!(fixture.told(Side::A), [("TMMBN", 128_000)]);
    assert_eq!(fixture.told(Side::B), [("REMB", 128_000)]);
    // Of many requests at once the last is answered.
    for bitrate in [120_000, 110_000, 100_000] {
        fixture.feed_back(Side::A, |author, writer| author.limit(writer, bitrate));
    }
    fixture.run(NOTIFICATION_INTERVAL.as_millis() as u64 + 1);
    assert_eq!(fixture.told(Side::A), [("TMMBN", Limit::new(0, 100_000).bitrate())]);
    // Less than a picture needs is not obeyed, and the peer is told what is.
    fixture.told(Side::B);
    fixture.feed_back(Side::A, |author, writer| author.limit(writer, 1));
    fixture.run(NOTIFICATION_INTERVAL.as_millis() as u64 + 1);
    assert_eq!(fixture.told(Side::A), [("TMMBN", Limit::new(0, LEAST_BITRATE).bitrate())]);
    assert_eq!(fixture.told(Side::B), [("REMB", u64::from(LEAST_BITRATE))]);
}

#[test]
fn a_limit_that_was_not_agreed_on_is_not_obeyed() {
    let mut fixture = between(PHONE, BROWSER);
    fixture.seen(Side::B, &picture(1, KEY));
    fixture.told(Side::B);
    fixture.feed_back(Side::A, |author, writer| author.limit(writer, 128_000));
    fixture.run(1);
    assert!(fixture.told(Side::A).is_empty() && fixture.told(Side::B).is_empty());
}

#[test]
fn arrivals_are_told_to_a_sender_that_numbers_its_packets() {
    let mut fixture = between(VideoFeedback { transport_cc: Some(3), ..BROWSER }, BROWSER);
    for sequence in 1..=40u16 {
        let number = sequence.to_be_bytes();
        let builder = rtp_types::RtpPacketBuilder::<&[u8], &[u8]>::new()
            .payload_type(PICTURES)
            .ssrc(SOURCE)
            .sequence_number(sequence)
            .timestamp(u32::from(sequence) * 900);
        let elements = [0x31, number[0], number[1], 0];
        let payload = if sequence == 1 { KEY } else { SLICE };
        let bytes = builder.extension(0xbede, &elements[..]).payload(payload).write_vec().unwrap();
        assert_eq!(fixture.seen(Side::A, &bytes).len(), 1);
        fixture.run(10);
    }
    let is_report = |bytes: &[u8]| Compound::parse(bytes).unwrap().any(|item| item == Item::Other(205));
    let reports = fixture
        .sent
        .packets
        .iter()
        .filter(|(from, _, _, bytes)| *from == Side::A && rtcp::is_rtcp(bytes) && is_report(bytes));
    // Every tenth of a second, and the first one at once.
    assert_eq!(reports.count(), 4);
}

#[test]
fn a_session_with_video_comes_to_rest() {
    let mut fixture = between(BROWSER, PHONE);
    fixture.seen(Side::A, &picture(1, KEY));
    fixture.seen(Side::A, &picture(3, SLICE));
    fixture.feed_back(Side::B, |author, writer| author.picture_loss(writer));
    fixture.run(10_000);
    // Nothing is due but reports.
    let mut timeouts = 0;
    let end = fixture.now.instant + Duration::from_secs(20);
    while fixture.session.next_timeout() < end {
        let wait = fixture.session.next_timeout().saturating_duration_since(fixture.now.instant);
        fixture.run(wait.as_millis() as u64 + 1);
        timeouts += 1;
    }
    assert!(timeouts < 80, "{timeouts}");
}

#[test]
fn a_secure_peer_without_rtx_is_sent_the_very_packet_again() {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let mut secure = showing(Side::B, BROWSER);
    secure.security = Security::Sdes { send: key(suite, 1), receive: Some(key(suite, 2)) };
    video(&mut secure).send[0].rtx = None;
    let mut fixture = Fixture::between(&showing(Side::A, BROWSER), &secure);
    let (_, mut first) = fixture.receive(Side::A, &picture(1, KEY)).unwrap().unwrap();
    let protected = first.clone();
    fixture.receive(Side::A, &picture(2, SLICE)).unwrap();
    let len = Inbound::new(&key(suite, 1)).unwrap().unprotect(&mut first).unwrap();
    let sequence = rtp::parse(&first[..len]).unwrap().header.sequence;
    let mut rtcp = [0; 128];
    let mut writer = Writer::new(&mut rtcp);
    Author { sender: SOURCE, media: 2000 }.missing(&mut writer, &[sequence]).unwrap();
    let len = writer.len();
    let len = Outbound::new(&key(suite, 2)).unwrap().protect_rtcp(&mut rtcp, len).unwrap();
    let source = SocketAddr::new(peer(Side::B).ip(), 4001);
    fixture.receive_at(Side::B, Component::Rtcp, source, &rtcp[..len]).unwrap();
    let again = fixture
        .sent
        .packets
        .iter()
        .filter(|(side, component, ..)| (*side, *component) == (Side::B, Component::Rtp));
    assert_eq!(again.map(|(.., bytes)| bytes.clone()).collect::<Vec<_>>(), [protected]);
}
