//! Watching in any order, with legs that change places, rooms, and sessions that end: what is carried out and refused,
//! who hears whom and who is told, all as a model of a few lines says.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{QueueEnds, local_queues, plain_leg, rtp};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tandem_control::*;
use tandem_dataplane::driver::Driver;
use tandem_dataplane::driver::sim::SimDriver;
use tandem_dataplane::ports::PortRange;
use tandem_dataplane::worker::{Worker, WorkerSettings};
use tandem_media::Now;
use tandem_media::dtls::Identity;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const BUFFERS: usize = 256;
const PLACES: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Step {
    Watch(usize, usize),
    Unwatch(usize),
    Swap(usize, usize),
    Join(usize),
    Leave(usize),
    /// The session ends, and its peer has another one then.
    Renew(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let place = || 0..PLACES;
    prop_oneof![
        4 => (place(), place()).prop_map(|(watcher, source)| Step::Watch(watcher, source)),
        1 => place().prop_map(Step::Unwatch),
        1 => (place(), place()).prop_map(|(one, other)| Step::Swap(one, other)),
        1 => place().prop_map(Step::Join),
        1 => place().prop_map(Step::Leave),
        1 => place().prop_map(Step::Renew),
    ]
}

/// What should be so of the session in one place.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    /// The place of the session that its peer watches.
    watches: Option<usize>,
    in_room: bool,
}

/// Sessions, each with a telephone on side A and nobody on side B, and the model beside them.
struct World {
    worker: Worker<SimDriver>,
    ends: QueueEnds,
    now: Now,
    room: RoomId,
    sessions: [SessionId; PLACES],
    /// Who is on side A of them, and to which address each of these telephones sends.
    peers: [usize; PLACES],
    local: [SocketAddr; PLACES],
    model: [Expected; PLACES],
    said: u16,
}

fn phone(peer: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 40_000 + 2 * peer as u16))
}

/// What a telephone says, which nobody else says.
fn speech(peer: usize, number: u16) -> Vec<u8> {
    let mut packet = rtp(number, 100 + peer as u32);
    packet[12] = peer as u8;
    packet
}

impl World {
    fn new() -> World {
        static IDENTITY: LazyLock<Arc<Identity>> = LazyLock::new(|| Arc::new(Identity::generate().unwrap()));
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let settings = WorkerSettings {
            index: 0,
            addresses: vec![ADDRESS],
            ports: PortRange::new(31_001, 31_600).unwrap(),
            max_sessions: PLACES,
            identity: Arc::clone(&IDENTITY),
            seed: 1,
        };
        let (queues, ends) = local_queues();
        let mut worker = Worker::new(settings, SimDriver::new(BUFFERS, now), queues).unwrap();
        let create = Request::CreateRoom { near: None, rate: 8000, loudest: 0 };
        let Ok(Reply::RoomCreated { room }) = worker.request(now, create) else { panic!("no room") };
        let mut world = World {
            worker,
            ends,
            now,
            room,
            sessions: [SessionId(0); PLACES],
            peers: std::array::from_fn(|place| place),
            local: [phone(0); PLACES],
            model: Default::default(),
            said: 0,
        };
        (0..PLACES).for_each(|place| world.create(place));
        world
    }

    fn create(&mut self, place: usize) {
        let peer = self.peers[place];
        let leg = plain_leg(phone(peer));
        let ports = [PortKind::Own, PortKind::Shared].map(|kind| PortRequest {
            address: ADDRESS,
            kind,
            video: false,
        });
        let legs = Box::new([leg.clone(), leg.watched()]);
        let create = Request::Create { ports, legs, note: Vec::new(), media_timeout_seconds: 0, near: None };
        let Ok(Reply::Created { session, local }) = self.worker.request(self.now, create) else {
            panic!("not created")
        };
        (self.sessions[place], self.local[peer]) = (session, local[0].rtp);
        self.model[place] = Expected::default();
    }

    fn ask(&mut self, request: Request) -> bool {
        match self.worker.request(self.now, request) {
            Ok(_) => true,
            Err(Refusal::Invalid(_)) => false,
            Err(other) => panic!("{other}"),
        }
    }

    fn is_watched(&self, place: usize) -> bool {
        self.model.iter().any(|expected| expected.watches == Some(place))
    }

    /// Those who watch that place no longer do; returns who.
    fn dismiss(&mut self, place: usize) -> Vec<SessionId> {
        let mut dismissed = Vec::new();
        for (watcher, expected) in self.model.iter_mut().enumerate() {
            if expected.watches.take_if(|source| *source == place).is_some() {
                dismissed.push(self.sessions[watcher]);
            }
        }
        dismissed
    }

    /// Carries out a step, here and in the model.
    fn carry_out(&mut self, step: Step) {
        let side = Side::A;
        let session = |place: usize| self.sessions[place];
        let mut told = Vec::new();
        match step {
            Step::Watch(watcher, source) => {
                let [one, other] = [watcher, source].map(|place| self.model[place]);
                let may = watcher != source
                    && [one.watches, other.watches] == [None, None]
                    && !self.is_watched(watcher)
                    && !one.in_room;
                let watch =
                    Request::Watch { session: session(watcher), side, source: (session(source), side) };
                assert_eq!(self.ask(watch), may, "{step:?} {:?}", self.model);
                if may {
                    self.model[watcher].watches = Some(source);
                }
            }
            Step::Unwatch(watcher) => {
                assert!(self.ask(Request::Unwatch { session: session(watcher), side }));
                self.model[watcher].watches = None;
            }
            Step::Swap(one, other) => {
                let is_free =
                    |place: usize| self.model[place].watches.is_none() && !self.model[place].in_room;
                let may = one != other && is_free(one) && is_free(other);
                let swap = Request::Swap { first: (session(one), side), second: (session(other), side) };
                assert_eq!(self.ask(swap), may, "{step:?} {:?}", self.model);
                if may {
                    self.peers.swap(one, other);
                    told = [self.dismiss(one), self.dismiss(other)].concat();
                }
            }
            Step::Join(place) => {
                let may = self.model[place].watches.is_none();
                let join = Request::Join { session: session(place), side, room: self.room };
                assert_eq!(self.ask(join), may, "{step:?} {:?}", self.model);
                self.model[place].in_room |= may;
            }
            Step::Leave(place) => {
                let may = std::mem::take(&mut self.model[place].in_room);
                assert_eq!(self.ask(Request::Leave { session: self.sessions[place], side }), may);
            }
            Step::Renew(place) => {
                assert!(self.ask(Request::Delete { session: session(place) }));
                told = self.dismiss(place);
                self.create(place);
            }
        }
        let ended = |event: &Event| event.kind == EventKind::WatchEnded { side };
        let ended = self.ends.events.try_iter().filter(ended).map(|event| event.session);
        assert_eq!(ended.collect::<BTreeSet<_>>(), told.into_iter().collect(), "{step:?}");
    }

    /// Every telephone says something, and hears what the model says. What a room mixes is not looked at.
    fn talk(&mut self) {
        self.said += 1;
        self.now.instant += Duration::from_millis(20);
        self.now.unix += Duration::from_millis(20);
        self.worker.driver_mut().set_now(self.now);
        for peer in 0..PLACES {
            let (from, to) = (phone(peer), self.local[peer]);
            assert!(self.worker.driver_mut().deliver(from, to, &speech(peer, self.said)));
        }
        while self.worker.step(self.now).is_some_and(|until| until <= self.now.instant) {}
        let mut heard = BTreeSet::new();
        let look = |_, to: SocketAddr, bytes: &[u8]| (to, bytes.to_vec());
        while let Some((to, bytes)) = self.worker.driver_mut().take_sent(look) {
            let listener = (0..PLACES).find(|&peer| phone(peer) == to);
            let speaker = (0..PLACES).find(|&peer| bytes.get(12..) == Some(&speech(peer, self.said)[12..]));
            heard.extend(listener.zip(speaker));
        }
        let peer_in_room =
            |peer: usize| (0..PLACES).any(|place| self.peers[place] == peer && self.model[place].in_room);
        heard.retain(|&(listener, _)| !peer_in_room(listener));
        let watching = (0..PLACES).filter_map(|place| Some((place, self.model[place].watches?)));
        let expected = watching.map(|(watcher, source)| (self.peers[watcher], self.peers[source]));
        assert_eq!(heard, expected.collect(), "{:?} {:?}", self.model, self.peers);
        let watchers = self.model.iter().filter(|expected| expected.watches.is_some()).count();
        assert_eq!(self.worker.counters().watchers, watchers as u64);
    }

    fn end(mut self) {
        for session in self.sessions {
            assert!(self.ask(Request::Delete { session }));
        }
        while self.worker.driver_mut().take_sent(|_, _, _| ()).is_some() {}
        assert!(self.ask(Request::DeleteRoom { room: self.room }));
        assert_eq!(self.worker.leftovers(), (0, 0));
        assert_eq!(self.worker.driver_mut().spare_buffers(), BUFFERS);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whoever_watches_hears_its_source_and_nobody_else(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.carry_out(step);
            world.talk();
        }
        world.end();
    }
}
