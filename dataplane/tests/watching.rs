//! Browsers that watch another one, through a whole worker in virtual time: ICE, DTLS and SRTP on every leg.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::browser::{Browser, check, is_success};
use common::{QueueEnds, local_queues};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_control::*;
use tandem_dataplane::driver::Driver;
use tandem_dataplane::driver::sim::SimDriver;
use tandem_dataplane::ports::PortRange;
use tandem_dataplane::worker::{Worker, WorkerSettings};
use tandem_media::Now;
use tandem_media::dtls::Identity;
use tandem_media::rtcp::{self, Compound, Item, SenderInfo, Writer};
use tandem_media::rtp::{self, HEADER_LEN, Header};
use tandem_media::video::feedback::{Author, Feedback};

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const BUFFERS: usize = 512;
/// Payload types of sound, pictures and what of them is sent again: the publisher's and the players'.
const PUBLISHED: [u8; 3] = [111, 96, 97];
const PLAYED: [u8; 3] = [109, 100, 101];
/// The SSRCs of the publisher's sound, its pictures, and what of them is sent again.
const SOUND: u32 = 1000;
const PICTURES: u32 = 2000;
const AGAIN: u32 = 3000;

/// A browser with its session.
struct Page {
    browser: Browser,
    address: SocketAddr,
    credentials: [IceCredentials; 2],
    session: SessionId,
    types: [u8; 3],
    /// Of its handshake.
    answers: Vec<Vec<u8>>,
    /// The packets of RTP that it was sent, and of RTCP, in the clear.
    media: Vec<(Header, Vec<u8>)>,
    reports: Vec<Vec<u8>>,
}

struct World {
    worker: Worker<SimDriver>,
    ends: QueueEnds,
    now: Now,
    shared: SocketAddr,
    fingerprint: [u8; 32],
    pages: Vec<Page>,
}

fn credentials(name: &str, page: usize) -> IceCredentials {
    IceCredentials { ufrag: format!("{name}-ufrag-{page}"), password: format!("{name}-password-of-22-chars") }
}

impl Page {
    /// What signaling says of it: it sends as a publisher does, or only hears and sees.
    fn leg(&self) -> LegConfig {
        let digest = self.browser.identity.fingerprint_sha256().to_vec();
        let fingerprints = vec![Fingerprint { hash: FingerprintHash::Sha256, digest }];
        let [ours, theirs] = self.credentials.clone();
        let [sound, pictures, again] = self.types;
        let audio =
            Audio::both_ways(vec![PayloadType { number: sound, codec: Codec::opus(true), clock: 48_000 }]);
        let publishes = self.types == PUBLISHED;
        let types = vec![VideoPayloadType { number: pictures, codec: VideoCodec::Vp8, rtx: Some(again) }];
        let video = Video {
            receive: types.clone(),
            send: types,
            may_receive: publishes,
            may_send: !publishes,
            transport: None,
            ssrc: 7,
            rtx_ssrc: 8,
            feedback: VideoFeedback { nack: true, pli: true, remb: true, ..VideoFeedback::default() },
            max_bitrate: 0,
            repeat_parameter_sets: false,
        };
        LegConfig {
            security: Security::Dtls { role: DtlsRole::Server, fingerprints },
            ice: Some(Ice { local: ours, remote: Some(theirs) }),
            rtcp_mux: true,
            audio: Audio { may_receive: publishes, may_send: !publishes, ..audio },
            video: Some(Box::new(video)),
            ..LegConfig::idle()
        }
    }

    /// The packets with that payload type, and forgets them.
    fn take(&mut self, number: u8) -> Vec<(Header, Vec<u8>)> {
        self.media.extract_if(.., |(header, _)| header.payload_type == number).collect()
    }

    /// What it was asked for, and forgets it: by the names of RFC 4585.
    fn take_feedback(&mut self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for report in self.reports.drain(..) {
            names.extend(Compound::parse(&report).unwrap().filter_map(|item| match item {
                Item::Feedback(Feedback::PictureLoss { .. }) => Some("PLI"),
                Item::Feedback(Feedback::Missing { .. }) => Some("NACK"),
                Item::Feedback(Feedback::Bitrate { .. }) => Some("REMB"),
                Item::Feedback(_) => Some("other"),
                _ => None,
            }));
        }
        names
    }
}

impl World {
    fn new() -> World {
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let identity = Arc::new(Identity::generate().unwrap());
        let fingerprint = identity.fingerprint_sha256();
        let settings = WorkerSettings {
            index: 0,
            addresses: vec![ADDRESS],
            ports: PortRange::new(31001, 31010).unwrap(),
            max_sessions: MAX_WATCHERS + 8,
            identity,
            seed: 1,
        };
        let (queues, ends) = local_queues();
        let worker = Worker::new(settings, SimDriver::new(BUFFERS, now), queues).unwrap();
        let shared = SocketAddr::new(ADDRESS, 31001);
        World { worker, ends, now, shared, fingerprint, pages: Vec::new() }
    }

    fn ask(&mut self, request: Request) -> Result<Reply, Refusal> {
        self.worker.request(self.now, request)
    }

    /// A session on the shared port, whose side B has no peer.
    fn create(&mut self, legs: [LegConfig; 2]) -> SessionId {
        let port = PortRequest { address: ADDRESS, kind: PortKind::Shared, video: false };
        let (note, legs) = (Vec::new(), Box::new(legs));
        let create = Request::Create { ports: [port; 2], legs, note, media_timeout_seconds: 0, near: None };
        match self.ask(create) {
            Ok(Reply::Created { session, local }) => {
                self.shared = local[0].rtp;
                session
            }
            other => panic!("not created: {other:?}"),
        }
    }

    /// A browser that is connected, with payload types of its own; what it watches stands for side B.
    fn connect(&mut self, types: [u8; 3], other: LegConfig) -> usize {
        let index = self.pages.len();
        let mut page = Page {
            browser: Browser::new(self.now.instant, self.fingerprint),
            address: SocketAddr::from(([192, 0, 2, 1], 50_000 + index as u16)),
            credentials: [credentials("ours", index), credentials("theirs", index)],
            session: SessionId(0),
            types,
            answers: Vec::new(),
            media: Vec::new(),
            reports: Vec::new(),
        };
        page.session = self.create([page.leg(), other]);
        let [ours, theirs] = &page.credentials;
        let request = check(9, ours, theirs);
        self.pages.push(page);
        self.deliver(index, &request);
        assert!(self.pages[index].answers.iter().any(|answer| is_success(answer, 9)));
        for _ in 0..100 {
            self.pass(100);
            let now = self.now.instant;
            let page = &mut self.pages[index];
            for answer in page.answers.drain(..).filter(|answer| (20..64).contains(&answer[0])) {
                page.browser.receive_dtls(now, &answer);
            }
            let flight = page.browser.poll(now);
            if flight.is_empty() && page.browser.is_connected() {
                return index;
            }
            flight.iter().for_each(|packet| self.deliver(index, packet));
        }
        panic!("no keys after a hundred flights");
    }

    fn publisher(&mut self) -> usize {
        self.connect(PUBLISHED, LegConfig::idle())
    }

    /// A browser that watches the publisher.
    fn player(&mut self, publisher: usize) -> usize {
        let other = self.pages[publisher].leg().watched();
        let player = self.connect(PLAYED, other);
        assert_eq!(self.watch(player, publisher), Ok(Reply::Done));
        player
    }

    fn watch(&mut self, player: usize, publisher: usize) -> Result<Reply, Refusal> {
        let source = (self.pages[publisher].session, Side::A);
        self.ask(Request::Watch { session: self.pages[player].session, side: Side::A, source })
    }

    fn delete(&mut self, page: usize) {
        let session = self.pages[page].session;
        assert!(matches!(self.ask(Request::Delete { session }), Ok(Reply::Stats(_))));
        self.collect();
    }

    /// A datagram of a page arrives.
    fn deliver(&mut self, page: usize, bytes: &[u8]) {
        let (source, shared) = (self.pages[page].address, self.shared);
        assert!(self.worker.driver_mut().deliver(source, shared, bytes));
        self.pass(0);
    }

    /// A page sends RTP.
    fn send(&mut self, page: usize, packet: Vec<u8>) {
        let packet = self.pages[page].browser.protect(packet);
        self.deliver(page, &packet);
    }

    /// A page sends RTCP that `write` makes behind an empty report.
    fn report(&mut self, page: usize, ssrc: u32, write: impl FnOnce(&mut Writer<'_>)) {
        let mut buffer = [0; 500];
        let mut writer = Writer::new(&mut buffer);
        writer.report(ssrc, None, None).unwrap();
        writer.canonical_name(ssrc, b"page").unwrap();
        write(&mut writer);
        let len = writer.len();
        let packet = self.pages[page].browser.protect_rtcp(buffer[..len].to_vec());
        self.deliver(page, &packet);
    }

    /// Time passes, and everything due in it is done.
    fn pass(&mut self, ms: u64) {
        for step in (0..=ms).map(|step| u64::from(step > 0)) {
            self.now.instant += Duration::from_millis(step);
            self.now.unix += Duration::from_millis(step);
            self.worker.driver_mut().set_now(self.now);
            while self.worker.step(self.now).is_some_and(|until| until <= self.now.instant) {}
            self.collect();
        }
    }

    /// Gives the pages what the worker sent.
    fn collect(&mut self) {
        let World { worker, pages, .. } = self;
        let look = |_, to: SocketAddr, bytes: &[u8]| (to, bytes.to_vec());
        while let Some((to, bytes)) = worker.driver_mut().take_sent(look) {
            let page = pages.iter_mut().find(|page| page.address == to).expect("sent to a page");
            if !(128..192).contains(&bytes[0]) {
                page.answers.push(bytes);
            } else if rtcp::is_rtcp(&bytes) {
                page.reports.push(page.browser.unprotect_rtcp(bytes));
            } else {
                let packet = page.browser.unprotect(bytes);
                let parsed = rtp::parse(&packet).unwrap();
                page.media.push((parsed.header, parsed.payload(&packet).to_vec()));
            }
        }
    }

    /// The publisher says and shows something for each of these numbers, 20 ms after 20 ms, beginning with a key frame
    /// where that is asked for.
    fn publish(&mut self, publisher: usize, numbers: std::ops::Range<u16>, begins_with_key: bool) {
        for number in numbers.clone() {
            self.send(publisher, sound(number));
            self.send(publisher, picture(number, begins_with_key && number == numbers.start));
            self.pass(20);
        }
    }

    /// Who was told that what it watched is gone.
    fn ended(&mut self) -> Vec<SessionId> {
        let events = self.ends.events.try_iter();
        events
            .filter(|event| event.kind == EventKind::WatchEnded { side: Side::A })
            .map(|event| event.session)
            .collect()
    }
}

fn packet(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    header.write(&mut bytes);
    bytes.extend(payload);
    bytes
}

/// 20 ms of Opus: silence, with the number as padding (RFC 6716 section 3.2.5).
fn sound(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let timestamp = u32::from(number) * 960;
    let header = Header { marker: false, payload_type: 111, sequence: number, timestamp, ssrc: SOUND };
    packet(header, &[0xf8, 0xff, 0xfe, high, low])
}

/// What a picture of VP8 (RFC 7741) of one packet carries.
fn frame(number: u16, is_key: bool) -> Vec<u8> {
    let mut payload = vec![0x10, u8::from(!is_key), 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0];
    payload.extend(number.to_be_bytes());
    payload
}

fn picture(number: u16, is_key: bool) -> Vec<u8> {
    let timestamp = u32::from(number) * 1800;
    let header = Header { marker: true, payload_type: 96, sequence: number, timestamp, ssrc: PICTURES };
    packet(header, &frame(number, is_key))
}

fn payloads(packets: &[(Header, Vec<u8>)]) -> Vec<Vec<u8>> {
    packets.iter().map(|(_, payload)| payload.clone()).collect()
}

fn is_gapless(packets: &[(Header, Vec<u8>)]) -> bool {
    packets.windows(2).all(|pair| pair[1].0.sequence == pair[0].0.sequence.wrapping_add(1))
}

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
