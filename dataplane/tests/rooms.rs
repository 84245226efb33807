//! Rooms through a whole worker, in virtual time: control requests in, packets in, packets out.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{QueueEnds, local_queues, plain_leg};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_codec::g711::{ulaw_compress, ulaw_expand};
use tandem_control::*;
use tandem_dataplane::driver::sim::SimDriver;
use tandem_dataplane::ports::PortRange;
use tandem_dataplane::worker::{MAX_ROOMS, Worker, WorkerSettings};
use tandem_media::Now;
use tandem_media::dtls::Identity;
use tandem_media::limits::MAX_ROOM_MEMBERS;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const MEMBERS: usize = 4;
const HERTZ: [f32; MEMBERS] = [400.0, 700.0, 1100.0, 1500.0];

/// Telephones with PCMU and packets of 20 ms, each on side A of a session of its own.
struct World {
    worker: Worker<SimDriver>,
    now: Now,
    sessions: Vec<SessionId>,
    local: Vec<SocketAddr>,
    sent: u16,
    /// What each heard, and what side B of its session did, in samples.
    heard: [Vec<i16>; MEMBERS],
    other_side: [usize; MEMBERS],
    _ends: QueueEnds,
}

fn peer(side: u8, member: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, side], 10_000 + 2 * member as u16))
}

impl World {
    fn new() -> World {
        World::with(MEMBERS)
    }

    /// With so many sessions, of which the first [`MEMBERS`] can talk.
    fn with(sessions: usize) -> World {
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let (queues, _ends) = local_queues();
        let settings = WorkerSettings {
            index: 3,
            addresses: vec![LOCAL],
            ports: PortRange::new(20_000, 20_000 + 10 * sessions as u16).unwrap(),
            max_sessions: sessions,
            identity: Arc::new(Identity::generate().unwrap()),
            seed: 1,
        };
        let worker = Worker::new(settings, SimDriver::new(256, now), queues).unwrap();
        let mut world = World {
            worker,
            now,
            sessions: Vec::new(),
            local: Vec::new(),
            sent: 0,
            heard: Default::default(),
            other_side: [0; MEMBERS],
            _ends,
        };
        for member in 0..sessions {
            let ports = [PortRequest { address: LOCAL, kind: PortKind::Own, video: false }; 2];
            let legs = Box::new([1, 2].map(|side| plain_leg(peer(side, member))));
            let create =
                Request::Create { ports, legs, note: Vec::new(), media_timeout_seconds: 0, near: None };
            let Ok(Reply::Created { session, local }) = world.ask(create) else { panic!("not created") };
            world.sessions.push(session);
            world.local.push(local[0].rtp);
        }
        world
    }

    fn ask(&mut self, request: Request) -> Result<Reply, Refusal> {
        self.worker.request(self.now, request)
    }

    fn create_room(&mut self, rate: u32, loudest: u8) -> RoomId {
        let near = Some(Near::Session(self.sessions[0]));
        match self.ask(Request::CreateRoom { near, rate, loudest }) {
            Ok(Reply::RoomCreated { room }) => room,
            other => panic!("{other:?}"),
        }
    }

    fn join(&mut self, member: usize, room: RoomId) -> Result<Reply, Refusal> {
        self.ask(Request::Join { session: self.sessions[member], side: Side::A, room })
    }

    /// Everyone says a tone for so many packets.
    fn talk(&mut self, packets: usize) {
        for _ in 0..packets {
            for (member, hertz) in HERTZ.into_iter().enumerate() {
                let (from, packet) = (peer(1, member), self.speech(hertz));
                self.worker.driver_mut().deliver(from, self.local[member], &packet);
            }
            self.sent += 1;
            for _ in 0..20 {
                self.now.instant += Duration::from_millis(1);
                self.now.unix += Duration::from_millis(1);
                self.worker.driver_mut().set_now(self.now);
                while self.worker.step(self.now).is_some_and(|until| until <= self.now.instant) {}
                self.collect();
            }
        }
    }

    fn speech(&self, hertz: f32) -> Vec<u8> {
        let first = usize::from(self.sent) * 160;
        let mut packet = vec![0x80, 0];
        packet.extend(self.sent.to_be_bytes());
        packet.extend((first as u32).to_be_bytes());
        packet.extend(7u32.to_be_bytes());
        packet.extend((first..first + 160).map(|n| {
            let angle = n as f32 * hertz * std::f32::consts::TAU / 8000.0;
            ulaw_compress((angle.sin() * 5000.0) as i16)
        }));
        packet
    }

    fn collect(&mut self) {
        let World { worker, heard, other_side, .. } = self;
        let look = |_, to: SocketAddr, bytes: &[u8]| (to, bytes.to_vec());
        while let Some((to, bytes)) = worker.driver_mut().take_sent(look) {
            let pcm = bytes[12..].iter().map(|&code| ulaw_expand(code));
            let is = |side, member: &usize| peer(side, *member) == to;
            if let Some(member) = (0..MEMBERS).find(|member| is(1, member)) {
                heard[member].extend(pcm);
            } else if let Some(member) = (0..MEMBERS).find(|member| is(2, member)) {
                other_side[member] += pcm.count();
            }
        }
    }

    /// Whether a member has heard a tone in the last second.
    fn hears(&self, listener: usize, speaker: usize) -> bool {
        let pcm = &self.heard[listener][self.heard[listener].len().saturating_sub(8000)..];
        let (mut cosine, mut sine) = (0.0, 0.0);
        for (n, sample) in pcm.iter().enumerate() {
            let angle = n as f32 * HERTZ[speaker] * std::f32::consts::TAU / 8000.0;
            cosine += f32::from(*sample) * angle.cos();
            sine += f32::from(*sample) * angle.sin();
        }
        2.0 * cosine.hypot(sine) / pcm.len().max(1) as f32 > 2000.0
    }

    fn check(&self, members: &[usize]) {
        for &listener in members {
            for speaker in 0..MEMBERS {
                let expected = speaker != listener && members.contains(&speaker);
                assert_eq!(
                    self.hears(listener, speaker),
                    expected,
                    "{listener} and {speaker} of {members:?}"
                );
            }
        }
    }
}

#[test]
fn each_hears_the_others_until_it_leaves_or_the_room_ends() {
    let mut world = World::new();
    let room = world.create_room(16_000, 0);
    for member in 0..3 {
        assert_eq!(world.join(member, room), Ok(Reply::Done));
    }
    assert_eq!(world.join(0, room), Ok(Reply::Done), "it is there already");
    world.talk(100);
    world.check(&[0, 1, 2]);
    let counters = world.worker.counters();
    assert_eq!((counters.rooms, counters.room_members), (1, 3));
    assert_eq!(world.other_side[0], 0, "side B of a session no longer hears who is in a room");

    let (session, side) = (world.sessions[1], Side::A);
    assert_eq!(world.ask(Request::Mute { session, side, muted: true }), Ok(Reply::Done));
    world.join(3, room).unwrap();
    world.talk(100);
    assert!(!world.hears(0, 1) && world.hears(1, 0) && world.hears(3, 2) && world.hears(2, 3));
    world.ask(Request::Mute { session, side, muted: false }).unwrap();
    world.ask(Request::Leave { session: world.sessions[0], side }).unwrap();
    world.talk(100);
    world.check(&[1, 2, 3]);
    assert!(world.other_side[0] > 8000, "who has left is heard by its other side again");

    // Into another room, without leaving first.
    let other = world.create_room(8000, 0);
    world.join(1, other).unwrap();
    world.join(0, other).unwrap();
    world.talk(100);
    world.check(&[2, 3]);
    world.check(&[0, 1]);

    world.ask(Request::DeleteRoom { room }).unwrap();
    assert_eq!(world.join(2, room), Err(Refusal::UnknownRoom));
    world.other_side = [0; MEMBERS];
    world.talk(10);
    assert!(world.other_side[2] > 0 && world.other_side[3] > 0 && world.other_side[0] == 0);
}

#[test]
fn a_session_that_ends_leaves_its_room_and_nothing_is_left() {
    let mut world = World::new();
    let room = world.create_room(8000, 1);
    for member in 0..MEMBERS {
        world.join(member, room).unwrap();
    }
    world.talk(50);
    assert_eq!((0..3).filter(|&speaker| world.hears(3, speaker)).count(), 1, "one at a time");
    let session = world.sessions[0];
    assert!(matches!(world.ask(Request::Delete { session }), Ok(Reply::Stats(_))));
    assert_eq!(world.worker.counters().room_members, 3);
    world.talk(50);
    for member in 1..MEMBERS {
        world.ask(Request::Delete { session: world.sessions[member] }).unwrap();
    }
    world.talk(1);
    assert_eq!(world.worker.leftovers(), (0, 0));
    assert_eq!(world.worker.counters().rooms, 1, "an empty room stays until it is deleted");
    world.ask(Request::DeleteRoom { room }).unwrap();
    assert_eq!(world.worker.counters().rooms, 0);
}

#[test]
fn what_cannot_be_is_refused() {
    let mut world = World::new();
    let (session, side) = (world.sessions[0], Side::B);
    for rate in [0, 11_025, 24_000] {
        let asked = world.ask(Request::CreateRoom { near: None, rate, loudest: 0 });
        assert!(matches!(asked, Err(Refusal::Invalid(_))), "{rate}");
    }
    assert_eq!(world.join(0, RoomId(3 << 56)), Err(Refusal::UnknownRoom));
    assert!(matches!(world.join(0, RoomId(9 << 56)), Err(Refusal::Invalid(_))), "of another worker");
    assert!(matches!(world.ask(Request::Leave { session, side }), Err(Refusal::Invalid(_))));
    assert!(matches!(world.ask(Request::Mute { session, side, muted: true }), Err(Refusal::Invalid(_))));
    assert_eq!(world.ask(Request::DeleteRoom { room: RoomId(3 << 56) }), Err(Refusal::UnknownRoom));
    let nobody = SessionId(3 << 56);
    assert_eq!(world.ask(Request::Leave { session: nobody, side }), Err(Refusal::UnknownSession));
    for _ in 0..MAX_ROOMS {
        world.create_room(8000, 0);
    }
    let one_more = world.ask(Request::CreateRoom { near: None, rate: 8000, loudest: 0 });
    assert_eq!(one_more, Err(Refusal::Busy));
}

#[test]
fn who_finds_a_room_full_stays_in_the_room_that_it_is_in() {
    let mut world = World::with(MAX_ROOM_MEMBERS + 1);
    let (full, other) = (world.create_room(8000, 3), world.create_room(8000, 3));
    for member in 0..MAX_ROOM_MEMBERS {
        world.join(member, full).unwrap();
    }
    world.join(MAX_ROOM_MEMBERS, other).unwrap();
    assert!(
        matches!(world.join(MAX_ROOM_MEMBERS, full), Err(Refusal::Invalid(text)) if text.contains("full"))
    );
    let session = world.sessions[MAX_ROOM_MEMBERS];
    assert_eq!(world.ask(Request::Mute { session, side: Side::A, muted: true }), Ok(Reply::Done));
    world.ask(Request::Leave { session: world.sessions[0], side: Side::A }).unwrap();
    world.join(MAX_ROOM_MEMBERS, full).unwrap();
}
