//! A worker: the loop that owns sessions, sockets and buffers. Nothing in it is shared with other threads.
//!
//! Invariants: the packet path allocates nothing, locks nothing and blocks on nothing; whatever a worker waits for,
//! it waits for in [`Driver::wait`]. A panic ends the whole process (see `main`): a worker that is gone without a
//! word would leave its calls dead while everything else looks well.

mod answers;
mod batch;
mod files;
mod leg_ports;
mod packets;
mod requests;
mod rooms;
mod sessions;
mod swap;
mod watching;

use crate::control_server::{Attached, Client, Next};
use crate::counters::Counters;
use crate::demux::Demux;
use crate::driver::{Driver, SocketId};
use crate::files::FilesHandle;
use crate::ports::{PortRange, Ports};
use crate::timers::Wheel;
use answers::Answers;
use batch::{Arrival, Departures};
use crossbeam::channel::{Receiver, Sender};
use rooms::Rooms;
use sessions::Sessions;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;
use tandem_control::{Event, ListedSession, RequestFrame, SessionId};
use tandem_media::Now;
use tandem_media::dtls::Identity;
use tandem_media::srtp::MAX_BATCH;
use thiserror::Error;

pub use rooms::MAX_ROOMS;

/// Commands carried out in one turn.
pub const COMMAND_BUDGET: usize = 16;
/// Packets handled in one turn: about half a millisecond of work.
pub const PACKET_BUDGET: usize = 256;
/// Timers handled in one turn.
pub const TIMER_BUDGET: usize = 128;
/// The sockets of a session with two legs on ports of their own, and of one with video between such a leg and a browser.
const SOCKETS_PER_SESSION: usize = 4;
/// Sockets beside those for sessions with video and two legs on ports of their own, which have four more.
const VIDEO_SOCKETS: usize = 1024;
/// Sockets of ended sessions that may still be closing beside those of living ones.
const CLOSING_SOCKETS: usize = 256;
/// The most workers: a [`SessionId`] has 8 bits for its own.
pub const MAX_WORKERS: usize = 256;

/// What a worker is told at its start.
#[derive(Clone)]
pub struct WorkerSettings {
    /// Its number, from 0.
    pub index: usize,
    /// The local addresses.
    pub addresses: Vec<IpAddr>,
    /// Its part of the media ports.
    pub ports: PortRange,
    /// The most sessions it holds.
    pub max_sessions: usize,
    /// Who we are in DTLS.
    pub identity: Arc<Identity>,
    /// Seeds everything random.
    pub seed: u64,
}

impl WorkerSettings {
    /// How many sockets the worker opens at most.
    pub fn max_sockets(&self) -> usize {
        max_sockets(self.addresses.len(), self.ports, self.max_sessions)
    }
}

/// How many sockets a worker opens at most: a shared one on each address, and those that its sessions have of their
/// own, as far as there are ports. Those of ended sessions take a moment to close.
pub fn max_sockets(addresses: usize, ports: PortRange, sessions: usize) -> usize {
    let ports = addresses * ports.count() as usize;
    addresses + ports.min(SOCKETS_PER_SESSION * sessions + VIDEO_SOCKETS + CLOSING_SOCKETS)
}

/// What the control server asks of a worker.
pub enum Command {
    /// A client's request about one session of this worker, or to create one.
    Request {
        /// Who gets the answer.
        client: Arc<Client>,
        /// The request.
        frame: RequestFrame,
    },
    /// Read the requests of this client from now on.
    Attach(Box<Attached>),
    /// Asks for the first sessions after the given one, up to [`tandem_control::MAX_LISTED`] and one more.
    List {
        /// Where to go on.
        after: Option<SessionId>,
        /// Where the answer goes.
        answer: Sender<Vec<ListedSession>>,
    },
    /// Asks for the counters.
    Counters {
        /// Where the answer goes.
        answer: Sender<Counters>,
    },
    /// Ends every session, says goodbye to the peers, and leaves the loop.
    Stop,
}

/// A record of answers to a client's requests.
#[derive(Debug)]
pub struct Answer {
    /// The connection that the requests came by.
    pub connection: u64,
    /// The answers, encoded.
    pub record: Vec<u8>,
}

/// The worker's ends of its queues.
pub struct Queues {
    /// From the control server.
    pub commands: Receiver<Command>,
    /// To it: answers.
    pub answers: Sender<Answer>,
    /// To it: events.
    pub events: Sender<Event>,
    /// How many sessions the worker has or is about to get. The control server adds before it asks for one; the
    /// worker subtracts when there was none to be had, and when one is gone.
    pub load: Arc<AtomicU32>,
    /// Whether anybody wants to hear of [`tandem_control::EventKind::is_progress`].
    pub progress: Arc<AtomicBool>,
    /// To the thread that reads and writes files, if there is one.
    pub files: Option<FilesHandle>,
}

impl Queues {
    /// Queues of a worker without sessions.
    pub fn new(commands: Receiver<Command>, answers: Sender<Answer>, events: Sender<Event>) -> Queues {
        Queues { commands, answers, events, load: Arc::default(), progress: Arc::default(), files: None }
    }

    /// Passes an event on, if anybody wants it; `false` if it is lost.
    fn tell(&self, event: Event) -> bool {
        let is_wanted = !event.kind.is_progress() || self.progress.load(Ordering::Relaxed);
        !is_wanted || self.events.try_send(event).is_ok()
    }
}

/// Why a worker could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The shared port of one address is not to be had.
    #[error("cannot open the WebRTC port {address}: {error}")]
    SharedPort {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
}

/// The ports of one local address.
struct LocalAddress {
    ports: Ports,
    shared: SocketId,
}

/// A worker over some driver.
pub struct Worker<D: Driver> {
    index: usize,
    driver: D,
    queues: Queues,
    local: Vec<LocalAddress>,
    sessions: Sessions,
    rooms: Rooms,
    /// How many sessions watch another one.
    watchers: u64,
    demux: Demux,
    timers: Wheel,
    counters: Counters,
    /// Empty but while a batch is handled.
    arrivals: Vec<Arrival>,
    departures: Departures,
    identity: Arc<Identity>,
    random: fastrand::Rng,
    /// Those of one turn go out together.
    answers: Answers,
    /// The client whose requests this worker reads.
    client: Option<Box<Attached>>,
    /// The client's budget was used up before its requests were.
    client_asks: bool,
    stopped: bool,
}

impl<D: Driver> Worker<D> {
    /// Takes all memory and opens the shared ports.
    ///
    /// # Errors
    /// [`StartError`] if a shared port is not to be had.
    pub fn new(settings: WorkerSettings, mut driver: D, queues: Queues) -> Result<Worker<D>, StartError> {
        let mut local = Vec::with_capacity(settings.addresses.len());
        for &address in &settings.addresses {
            let ports = Ports::new(address, settings.ports);
            let address = ports.shared();
            let shared =
                driver.open(address, true).map_err(|error| StartError::SharedPort { address, error })?;
            local.push(LocalAddress { ports, shared });
        }
        let now = driver.now();
        Ok(Worker {
            index: settings.index,
            driver,
            queues,
            local,
            sessions: Sessions::new(settings.max_sessions),
            rooms: Rooms::new(settings.max_sessions),
            watchers: 0,
            demux: Demux::new(settings.max_sockets(), settings.max_sessions),
            timers: Wheel::new(settings.max_sessions + MAX_ROOMS, now.instant),
            counters: Counters::default(),
            arrivals: Vec::with_capacity(MAX_BATCH),
            departures: Departures::new(),
            identity: settings.identity,
            random: fastrand::Rng::with_seed(settings.seed),
            answers: Answers::default(),
            client: None,
            client_asks: false,
            stopped: false,
        })
    }

    /// Runs until [`Command::Stop`].
    ///
    /// # Errors
    /// When the driver cannot go on.
    pub fn run(mut self) -> io::Result<()> {
        while !self.stopped {
            let now = self.driver.now();
            let until = self.step(now);
            // 4. What was queued goes out, with the system call that sleeps.
            self.driver.wait(until)?;
        }
        Ok(())
    }

    /// One turn of the loop, up to the flush, which is the driver's: see [`Worker::run`]. Says until when the worker
    /// may sleep; `now` if a budget was used up.
    pub fn step(&mut self, now: Now) -> Option<Instant> {
        // 1. Received packets; and with them the driver learns what woke the worker, so that nothing that comes after
        // that is slept over.
        let mut backlog = self.handle_packets(now);
        // 2. Control requests.
        backlog |= self.carry_out_commands(now);
        backlog |= self.serve_client(now);
        self.answers.flush(&self.queues.answers);
        // 3. Timers: ports that have rested, sessions that are due.
        self.local.iter().for_each(|local| local.ports.settle(now.instant));
        backlog |= self.handle_timers(now);
        if backlog || self.stopped { Some(now.instant) } else { self.timers.next() }
    }

    /// The driver, for a simulation.
    pub fn driver_mut(&mut self) -> &mut D {
        &mut self.driver
    }

    /// How many sessions are alive.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// How many timers are armed and how many entries the demultiplexer has: none without sessions.
    pub fn leftovers(&self) -> (usize, usize) {
        (self.timers.armed(), self.demux.len())
    }

    /// The counters as they are now.
    pub fn counters(&self) -> Counters {
        let sum =
            |count: fn(&Ports) -> usize| self.local.iter().map(|local| count(&local.ports) as u64).sum();
        let (rooms, members) = self.rooms.count();
        Counters {
            sessions: self.sessions.len() as u64,
            rooms: rooms as u64,
            room_members: members as u64,
            watchers: self.watchers,
            sockets: self.driver.open_sockets() as u64,
            buffers_spare: self.driver.spare_buffers() as u64,
            port_pairs_free: sum(Ports::free_pairs),
            port_pairs_resting: sum(Ports::resting_pairs),
            recording_packets_lost: self.queues.files.as_ref().map_or(0, FilesHandle::packets_lost),
            play_underruns: self.queues.files.as_ref().map_or(0, FilesHandle::underruns),
            driver: self.driver.counters(),
            ..self.counters.clone()
        }
    }

    fn local_address(&self, address: IpAddr) -> Option<&LocalAddress> {
        self.local.iter().find(|local| local.ports.address() == address)
    }

    /// Says whether commands may be left.
    fn carry_out_commands(&mut self, now: Now) -> bool {
        for _ in 0..COMMAND_BUDGET {
            let Ok(command) = self.queues.commands.try_recv() else { return false };
            match command {
                Command::Request { client, frame } => {
                    let result = self.request(now, frame.request);
                    self.answers.push(&client, frame.id, result, &self.queues.answers);
                }
                Command::Attach(client) => {
                    self.driver.watch(Some(client.descriptor()));
                    self.client = Some(client);
                }
                // Who asked has gone if it does not take the answer.
                Command::List { after, answer } => drop(answer.try_send(self.list(now, after))),
                Command::Counters { answer } => drop(answer.try_send(self.counters())),
                Command::Stop => {
                    self.end_all(now);
                    self.stopped = true;
                }
            }
        }
        !self.queues.commands.is_empty()
    }

    /// Carries out what the attached client asks of this worker, and passes on the rest. Says whether requests may be
    /// left.
    fn serve_client(&mut self, now: Now) -> bool {
        if !self.driver.take_watched() && !self.client_asks {
            return false;
        }
        self.client_asks = false;
        let Some(mut client) = self.client.take() else { return false };
        for _ in 0..COMMAND_BUDGET {
            match client.next(self.index) {
                Next::Request(frame) => {
                    let result = self.request(now, frame.request);
                    self.answers.push(client.client(), frame.id, result, &self.queues.answers);
                    if client.is_read() {
                        // Another record ends the next sleep at once.
                        self.client = Some(client);
                        return false;
                    }
                }
                Next::Nothing => {
                    self.client = Some(client);
                    return false;
                }
                Next::Gone => {
                    self.driver.watch(None);
                    return false;
                }
            }
        }
        self.client = Some(client);
        self.client_asks = true;
        true
    }

    /// Says whether timers are left.
    fn handle_timers(&mut self, now: Now) -> bool {
        self.timers.advance(now.instant);
        for _ in 0..TIMER_BUDGET {
            let Some(index) = self.timers.pop() else { return false };
            match self.rooms.with_timer(index) {
                Some(room) => self.handle_room(now, room),
                None => self.handle_timeout(now, index),
            }
        }
        self.timers.has_fired()
    }

    fn end_all(&mut self, now: Now) {
        loop {
            let first = self.sessions.after(None).next().map(|entry| entry.id);
            let Some(id) = first else { return };
            // It was just found, and its last figures are nobody's concern.
            let _ = self.delete(now, id);
        }
    }

    /// Tells of a session that is gone, or of one that was not to be had.
    fn unload(&self) {
        self.queues.load.fetch_sub(1, Ordering::Relaxed);
    }
}
