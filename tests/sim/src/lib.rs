//! Seeded simulations of the dataplane: one worker, many calls, a bad network, an attacker, virtual time.
//!
//! The same seed and the same commit give the same run. [`World::run`] panics where a promise is broken:
//! 1. a packet goes only to an address that signaling named for the leg that sends it;
//! 2. an output stream never repeats a sequence number, and a transcoded one never goes back;
//! 3. most of what peers send arrives, whatever strangers send;
//! 4. ended calls leave nothing behind: no buffer, port, socket, table entry or timer.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken promise ends the run")]

mod call;
mod output;
mod peer;

use call::{Call, Kind};
use crossbeam::channel::{Receiver, bounded};
use output::Outputs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_control::{DigitSound, Event, Reply, Request, RoomId, SessionId, Side, Source, ToneStep, Tones};
use tandem_dataplane::driver::Driver;
use tandem_dataplane::driver::sim::{Impairment, Network, SimDriver};
use tandem_dataplane::ports::PortRange;
use tandem_dataplane::worker::{Answer, Queues, Worker, WorkerSettings};
use tandem_media::Now;
use tandem_media::dtls::Identity;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const BUFFERS: usize = 512;
const SIDES: [Side; 2] = [Side::A, Side::B];
/// The rooms that calls go into and come out of: their rates, and how many are heard.
const ROOMS: [(u32, u8); 3] = [(8000, 0), (16_000, 2), (48_000, 1)];
/// How long the network goes on after the last call: late packets must find nobody.
const AFTERMATH: Duration = Duration::from_secs(15);
const STEP: Duration = Duration::from_millis(5);

/// How a simulation is.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Where all randomness comes from.
    pub seed: u64,
    /// How many calls there are.
    pub calls: usize,
    /// What the network does.
    pub impairment: Impairment,
    /// The least part of the packets that must arrive, in 1/1000.
    pub least_delivered: u64,
}

/// What came of a simulation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Media packets that peers sent.
    pub sent: u64,
    /// Media packets that the dataplane sent on.
    pub forwarded: u64,
}

/// One simulation under way.
pub struct World {
    scenario: Scenario,
    random: fastrand::Rng,
    network: Network,
    worker: Worker<SimDriver>,
    calls: Vec<Call>,
    rooms: Vec<RoomId>,
    outputs: Outputs,
    outcome: Outcome,
    attacker: SocketAddr,
    // The worker writes into these; nobody needs to read them.
    _answers: Receiver<Answer>,
    _events: Receiver<Event>,
}

impl World {
    /// A world with its calls not begun.
    pub fn new(scenario: Scenario) -> World {
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let (_commands, commands_out) = bounded(1);
        let (answers, _answers) = bounded(1);
        let (events, _events) = bounded(1);
        let queues = Queues::new(commands_out, answers, events);
        let settings = WorkerSettings {
            index: 0,
            addresses: vec![LOCAL],
            ports: PortRange::new(20_000, 20_000 + 5 * scenario.calls as u16 + 8).unwrap(),
            max_sessions: scenario.calls,
            identity: Arc::new(Identity::generate().unwrap()),
            seed: scenario.seed,
        };
        let mut worker = Worker::new(settings, SimDriver::new(BUFFERS, now), queues).unwrap();
        let rooms = ROOMS.map(|(rate, loudest)| {
            let create = Request::CreateRoom { near: None, rate, loudest };
            let Ok(Reply::RoomCreated { room }) = worker.request(now, create) else { panic!("no room") };
            room
        });
        World {
            scenario,
            random: fastrand::Rng::with_seed(scenario.seed),
            network: Network::new(scenario.seed, scenario.impairment, now),
            worker,
            calls: Vec::new(),
            rooms: rooms.to_vec(),
            outputs: Outputs::default(),
            outcome: Outcome::default(),
            attacker: "203.0.113.66:6666".parse().unwrap(),
            _answers,
            _events,
        }
    }

    /// Runs it to the end.
    pub fn run(mut self) -> Outcome {
        let pairs = self.worker.counters().port_pairs_free;
        let start = self.network.now().instant;
        for index in 0..self.scenario.calls {
            let call = Call::new(index, Kind::pick(&mut self.random), start, &mut self.random);
            self.calls.push(call);
        }
        let end = self.calls.iter().map(|call| call.end).max().unwrap_or(start) + AFTERMATH;
        let mut now = start;
        while now < end {
            now += STEP;
            self.turn(now);
        }
        self.check_nothing_is_left(pairs);
        let delivered = self.outcome.forwarded * 1000;
        assert!(
            delivered >= self.outcome.sent * self.scenario.least_delivered,
            "too little was delivered: {:?} of {:?}; {:?}",
            self.outcome,
            self.scenario,
            self.worker.counters()
        );
        self.outcome
    }

    fn turn(&mut self, instant: Instant) {
        self.network.advance(instant, self.worker.driver_mut());
        let now = self.network.now();
        for index in 0..self.calls.len() {
            self.advance_call(index, now);
        }
        // With virtual time a turn can be repeated until it has nothing left to do.
        while self.worker.step(now).is_some_and(|until| until <= now.instant) {}
        self.check_what_was_sent();
        for call in &mut self.calls {
            for peer in &mut call.peers {
                while let Some(datagram) = self.network.take_arrived(peer.address) {
                    peer.receive(&datagram.bytes);
                }
            }
        }
    }

    /// Begins, changes and ends a call as its script says, and lets its peers talk and the attacker shout.
    fn advance_call(&mut self, index: usize, now: Now) {
        let call = &mut self.calls[index];
        if call.session.is_none() && !call.ended && call.begin <= now.instant {
            let request = |request| self.worker.request(now, request);
            call.set_up(request);
        }
        let Some(session) = call.session else { return };
        if call.end <= now.instant {
            self.worker.request(now, Request::Delete { session }).unwrap();
            call.session = None;
            call.ended = true;
            return;
        }
        call.change(&mut self.random, |request| self.worker.request(now, request));
        for side in 0..2 {
            let into = call.local[side].rtp;
            while let Some(packet) = call.peers[side].next_packet(now.instant) {
                self.outcome.sent += 1;
                self.network.send(call.peers[side].address, into, &packet);
                if self.random.u8(..10) == 0 {
                    let forged = forge(&mut self.random, &packet);
                    self.network.send(self.attacker, into, &forged);
                }
                if self.random.u8(..50) == 0 {
                    // The attacker knows the peer's address too, but not its keys.
                    let source = if call.kind.is_secure() { call.peers[side].address } else { self.attacker };
                    let forged = forge(&mut self.random, &packet);
                    self.network.send(source, into, &forged);
                }
            }
        }
        if self.random.u16(..400) == 0 {
            let side = SIDES[self.random.usize(..2)];
            let event = self.random.u8(..16);
            let sound = DigitSound::default();
            let digit = Request::PlayDigit { session, side, event, duration_ms: 100, sound };
            // A leg without telephone events refuses it.
            let _ = self.worker.request(now, digit);
        }
        if self.random.u16(..200) == 0 {
            let side = SIDES[self.random.usize(..2)];
            let step = ToneStep { hertz: [425, 0], on_ms: self.random.u16(1..500), off_ms: 50 };
            let (source, times) = (Source::Tone(Tones { steps: vec![step] }), self.random.u32(1..3));
            self.worker.request(now, Request::Play { session, side, source, times, id: 0 }).unwrap();
        }
        self.move_between_rooms(session, now);
    }

    /// Now and then both sides of a call go into a room, or out of it, or are muted there.
    fn move_between_rooms(&mut self, session: SessionId, now: Now) {
        let choice = self.random.u16(..300);
        let room = self.rooms[self.random.usize(..self.rooms.len())];
        for side in SIDES {
            match choice {
                0 => assert_eq!(
                    self.worker.request(now, Request::Join { session, side, room }),
                    Ok(Reply::Done)
                ),
                // Who is in no room is refused.
                1 => drop(self.worker.request(now, Request::Leave { session, side })),
                2 => {
                    let muted = self.random.bool();
                    drop(self.worker.request(now, Request::Mute { session, side, muted }));
                }
                _ => {}
            }
        }
    }

    fn check_what_was_sent(&mut self) {
        let World { worker, network, outputs, calls, outcome, .. } = self;
        let mut look = |source: SocketAddr, destination: SocketAddr, bytes: &[u8]| {
            let (call, side) = calls
                .iter()
                .find_map(|call| Some((call, call.side_at(source)?)))
                .unwrap_or_else(|| panic!("{source} is no leg's port, yet it sent to {destination}"));
            let peer = &call.peers[side];
            assert!(peer.is_at(destination), "a packet for {} went to {destination}", peer.address);
            if outputs.check(call, side, bytes) {
                outcome.forwarded += 1;
            }
            network.send(source, destination, bytes);
        };
        while worker.driver_mut().take_sent(&mut look).is_some() {}
    }

    fn check_nothing_is_left(&mut self, pairs: u64) {
        let counters = self.worker.counters();
        assert_eq!(self.worker.session_count(), 0);
        assert_eq!(self.worker.leftovers(), (0, 0), "timers and table entries are left");
        assert_eq!(counters.port_pairs_free, pairs, "ports are left: {counters:?}");
        assert_eq!(self.worker.driver_mut().open_sockets(), 1, "only the shared port stays open");
        assert_eq!(self.worker.driver_mut().spare_buffers(), BUFFERS, "buffers are lost");
        let to_attacker = self.network.unclaimed().find(|&address| address == self.attacker);
        assert_eq!(to_attacker, None, "the attacker was answered");
    }
}

/// What an attacker makes of a packet that it saw: noise, or the packet with a few bytes changed.
fn forge(random: &mut fastrand::Rng, packet: &[u8]) -> Vec<u8> {
    if random.bool() {
        return (0..random.usize(..1500)).map(|_| random.u8(..)).collect();
    }
    let mut forged = packet.to_vec();
    for _ in 0..4 {
        let place = random.usize(..forged.len());
        forged[place] = random.u8(..);
    }
    forged
}
