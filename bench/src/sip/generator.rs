//! The loop of the SIP generator: one thread, one epoll; registers, places and answers calls, hangs up, unregisters.

mod callees;
mod callers;

use super::agent::{Agent, Settings};
use super::event::{Cause, Event};
use super::media::Media;
use super::message::Credentials;
use super::options::{Options, Role};
use super::report::Report;
use super::sdp;
use crate::measure::pace::Pace;
use crate::measure::{report, stop};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::{Domain, Socket, Type};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long calls may take to end, and registrations to be taken away, once the run is over.
const LEAVE: Duration = Duration::from_secs(5);
/// How long after the last call its peer's BYE may still come.
const LINGER: Duration = Duration::from_millis(500);
/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_millis(500);
/// Longest sleep of the loop.
const NAP: Duration = Duration::from_millis(50);
/// Datagrams read from a signaling socket before media has its turn.
const BUDGET: usize = 64;
const RECEIVE_BUFFER: usize = 8 << 20;
const EVENTS: usize = 512;
/// The signaling sockets among epoll's keys; calls have smaller ones.
const CALLERS: u64 = u64::MAX;
const CALLEES: u64 = u64::MAX - 1;

/// Which end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Caller,
    Callee,
}

/// All users of one role, on one socket.
struct Side {
    agent: Agent,
    socket: UdpSocket,
    users: usize,
}

/// One end of a call.
struct Leg {
    started: Instant,
    rang: bool,
    answered: bool,
    local: SocketAddr,
    payload_type: u8,
    /// Of our description (RFC 4566 section 5.2).
    version: u32,
    /// How far the scenario is.
    step: u8,
    /// What went wrong inside the call.
    fault: Option<(&'static str, Cause)>,
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Registering,
    Running,
    Leaving { until: Instant },
    Unregistering { until: Instant },
}

/// How another thread steers a run.
#[derive(Default)]
pub(crate) struct Control {
    /// Set: hang up, unregister, end.
    pub(crate) stop: AtomicBool,
    /// Registration is over.
    pub(crate) ready: AtomicBool,
}

/// A SIP load under way.
pub(crate) struct Generator {
    options: Options,
    callers: Option<Side>,
    callees: Option<Side>,
    epoll: Epoll,
    media: Media,
    legs: HashMap<u64, Leg>,
    timers: BinaryHeap<Reverse<(Instant, u64)>>,
    phase: Phase,
    started: Instant,
    pace: Pace,
    /// Registrations, or calls, that were begun.
    begun: u64,
    /// Registrations that were answered in one way or another.
    settled: usize,
    next_progress: Instant,
    /// When each caller sent its last MESSAGE.
    sent_messages: HashMap<usize, Instant>,
    report: Report,
}

impl Generator {
    /// Opens the sockets.
    ///
    /// # Errors
    /// If a port is taken.
    pub(crate) fn new(options: Options) -> io::Result<Generator> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let callers = (options.role != Role::Callee)
            .then(|| Side::open(&options, End::Caller, options.port, &epoll))
            .transpose()?;
        let port =
            if options.role == Role::Both && options.port != 0 { options.port + 1 } else { options.port };
        let callees = (options.role != Role::Caller)
            .then(|| Side::open(&options, End::Callee, port, &epoll))
            .transpose()?;
        let now = Instant::now();
        Ok(Generator {
            media: Media::new(options.media, options.codec, options.thin),
            pace: Pace::new(now, interval(options.register_rate)),
            report: Report::default(),
            options,
            callers,
            callees,
            epoll,
            legs: HashMap::new(),
            timers: BinaryHeap::new(),
            phase: Phase::Registering,
            started: now,
            begun: 0,
            settled: 0,
            next_progress: now + PROGRESS,
            sent_messages: HashMap::new(),
        })
    }

    /// Where callees can be called directly.
    pub(crate) fn callee_address(&self) -> Option<SocketAddr> {
        self.callees.as_ref()?.socket.local_addr().ok()
    }

    /// Runs until all is done, `--time` is over, or `control` says so; hangs up and unregisters in any case.
    ///
    /// # Errors
    /// If the kernel refuses to wait for packets.
    pub(crate) fn run(mut self, control: &Control) -> io::Result<Report> {
        let end = self.started + Duration::from_secs_f64(self.options.time.clamp(0.0, 86_400.0));
        let mut events = vec![EpollEvent::empty(); EVENTS];
        loop {
            let now = Instant::now();
            if (control.stop.load(Ordering::Relaxed) || stop::requested() || now >= end)
                && matches!(self.phase, Phase::Registering | Phase::Running)
            {
                self.leave(now);
            }
            if self.advance(now) {
                break;
            }
            control.ready.store(self.phase != Phase::Registering, Ordering::Relaxed);
            self.on_time(now);
            self.flush();
            let count = match self.epoll.wait(&mut events, self.sleep(now)) {
                // Ctrl-C: the flag is looked at above.
                Err(Errno::EINTR) => 0,
                other => other?,
            };
            for event in &events[..count] {
                self.on_readable(event.data());
            }
            self.on_events(Instant::now());
            self.flush();
            self.tell(now);
        }
        report::progress_done();
        let sides = [&self.callers, &self.callees];
        self.report.unreadable = sides.into_iter().flatten().map(|side| side.agent.unreadable).sum();
        self.report.media = self.media.into_figures();
        Ok(self.report)
    }

    /// Goes from phase to phase; whether the last is over.
    fn advance(&mut self, now: Instant) -> bool {
        match self.phase {
            Phase::Registering => {
                if self.options.no_register || self.settled >= self.users() {
                    self.phase = Phase::Running;
                    self.begun = 0;
                    self.pace = Pace::new(now, interval(self.options.rate));
                    self.report.begin(now);
                } else {
                    self.register_due(now);
                }
            }
            Phase::Running => {
                if self.callers.is_some() {
                    self.place_due(now);
                    if self.begun >= self.options.calls && self.report.open() == 0 {
                        self.phase = Phase::Leaving { until: now + LINGER };
                    }
                }
            }
            Phase::Leaving { until } => {
                if now >= until || self.legs.is_empty() {
                    self.unregister(now);
                }
            }
            Phase::Unregistering { until } => return now >= until || self.settled == 0,
        }
        false
    }

    fn users(&self) -> usize {
        [&self.callers, &self.callees].into_iter().flatten().map(|side| side.users).sum()
    }

    fn register_due(&mut self, now: Instant) {
        while (self.begun as usize) < self.users() && self.pace.take(now).is_some() {
            let index = self.begun as usize;
            let callers = self.callers.as_ref().map_or(0, |side| side.users);
            let (side, user) = if index < callers {
                (&mut self.callers, index)
            } else {
                (&mut self.callees, index - callers)
            };
            if let Some(side) = side {
                side.agent.register(now, user, 3600);
            }
            self.begun += 1;
        }
    }

    /// Hangs up everything.
    fn leave(&mut self, now: Instant) {
        self.phase = Phase::Leaving { until: now + LEAVE };
        self.report.stopped = true;
        let keys: Vec<u64> = self.legs.keys().copied().collect();
        for key in keys {
            if let Some(side) = self.side(end_of(key)) {
                side.agent.bye(now, key as u32);
            }
        }
    }

    fn unregister(&mut self, now: Instant) {
        let keys: Vec<u64> = self.legs.keys().copied().collect();
        keys.into_iter().for_each(|key| self.forget(key));
        self.phase = Phase::Unregistering { until: now + LEAVE };
        self.settled = 0;
        if self.options.no_register {
            return;
        }
        for side in [&mut self.callers, &mut self.callees].into_iter().flatten() {
            for user in 0..side.users {
                side.agent.register(now, user, 0);
                self.settled += 1;
            }
        }
    }

    fn on_time(&mut self, now: Instant) {
        for side in [&mut self.callers, &mut self.callees].into_iter().flatten() {
            side.agent.handle_timeout(now);
        }
        while let Some(Reverse((at, key))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            match end_of(key) {
                End::Caller => self.caller_step(now, key),
                End::Callee => self.pick_up(now, key),
            }
        }
        self.media.send_due(now);
    }

    fn sleep(&self, now: Instant) -> EpollTimeout {
        let sides = [&self.callers, &self.callees];
        let agents = sides.into_iter().flatten().filter_map(|side| side.agent.next_timeout());
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let rate =
            (self.phase == Phase::Running && self.begun < self.options.calls).then(|| self.pace.next());
        let rate = if self.phase == Phase::Registering { Some(self.pace.next()) } else { rate };
        let next = agents.chain(timer).chain(rate).chain(self.media.next_timeout()).min();
        let nap = next.map_or(NAP, |at| at.saturating_duration_since(now)).min(NAP);
        // Rounded up: a wait of zero would spin until the time has come.
        let milliseconds = u16::try_from(nap.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        EpollTimeout::from(milliseconds)
    }

    fn on_readable(&mut self, key: u64) {
        let side = match key {
            CALLERS => &mut self.callers,
            CALLEES => &mut self.callees,
            _ => {
                if self.media.receive(key) {
                    self.heard(key);
                }
                return;
            }
        };
        let Some(side) = side else { return };
        let mut buffer = [0; 65_535];
        for _ in 0..BUDGET {
            let Ok((length, from)) = side.socket.recv_from(&mut buffer) else { return };
            side.agent.handle(Instant::now(), from, &buffer[..length]);
        }
    }

    fn heard(&mut self, key: u64) {
        if let (End::Caller, Some(leg)) = (end_of(key), self.legs.get(&key)) {
            self.report.heard.record(leg.started.elapsed());
        }
    }

    fn on_events(&mut self, now: Instant) {
        for end in [End::Caller, End::Callee] {
            while let Some(event) = self.side(end).and_then(|side| side.agent.poll_event()) {
                match event {
                    Event::Registered { .. } => {
                        self.report.registered += 1;
                        self.settled += 1;
                    }
                    Event::RegistrationFailed { cause, .. } => {
                        self.report.fail("register", cause);
                        self.settled += 1;
                    }
                    Event::Unregistered { .. } => self.settled = self.settled.saturating_sub(1),
                    event if end == End::Caller => self.on_caller_event(now, event),
                    event => self.on_callee_event(now, event),
                }
            }
        }
    }

    fn flush(&mut self) {
        for side in [&mut self.callers, &mut self.callees].into_iter().flatten() {
            while let Some(datagram) = side.agent.poll_datagram() {
                // What the kernel does not take is lost as on any network: retransmissions make up for it.
                side.socket.send_to(&datagram.bytes, datagram.to).ok();
            }
        }
    }

    fn side(&mut self, end: End) -> Option<&mut Side> {
        match end {
            End::Caller => self.callers.as_mut(),
            End::Callee => self.callees.as_mut(),
        }
    }

    /// Opens the media of a call; `None` if there are no more descriptors.
    fn open_leg(&mut self, now: Instant, key: u64) -> Option<&mut Leg> {
        let local = self.media.open(key, self.options.local, &self.epoll).ok()?;
        let payload_type = self.options.codec.payload_type();
        let leg = Leg {
            started: now,
            rang: false,
            answered: false,
            local,
            payload_type,
            version: 1,
            step: 0,
            fault: None,
        };
        Some(self.legs.entry(key).insert_entry(leg).into_mut())
    }

    /// Points a call's media to where the peer's description says; what it says about the direction.
    fn aim(&mut self, key: u64, text: Option<&str>) -> Option<sdp::Direction> {
        let remote = sdp::read(text?, self.options.codec)?;
        let leg = self.legs.get_mut(&key)?;
        leg.payload_type = remote.payload_type;
        let sending = matches!(remote.direction, sdp::Direction::SendReceive | sdp::Direction::ReceiveOnly);
        self.media.aim(key, remote.address, remote.payload_type, sending);
        Some(remote.direction)
    }

    fn describe(&mut self, key: u64, direction: sdp::Direction) -> Option<String> {
        let codec = self.options.codec;
        let leg = self.legs.get_mut(&key)?;
        leg.version += 1;
        Some(sdp::write(leg.local, codec, leg.payload_type, leg.version, direction))
    }

    fn forget(&mut self, key: u64) {
        self.legs.remove(&key);
        self.media.close(key);
    }

    fn tell(&mut self, now: Instant) {
        if self.options.quiet || now < self.next_progress {
            return;
        }
        self.next_progress = now + PROGRESS;
        let text = match self.phase {
            Phase::Registering => format!("registered {} of {}", self.settled, self.users()),
            Phase::Unregistering { .. } => format!("unregistering, {} left", self.settled),
            _ => format!("{}, {} packets in ended calls", self.report.progress(now), self.media.received()),
        };
        report::progress(&text);
    }
}

impl Side {
    fn open(options: &Options, end: End, port: u16, epoll: &Epoll) -> io::Result<Side> {
        let local = SocketAddr::new(options.local, port);
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, None)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(&local.into())?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from(socket);
        let (key, name) = if end == End::Caller { (CALLERS, "caller") } else { (CALLEES, "callee") };
        epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, key))?;
        let credentials =
            |index| Credentials { name: format!("{name}{index}"), password: options.password.clone() };
        let settings = Settings {
            server: options.server,
            transport: "UDP",
            host: socket.local_addr()?.to_string(),
            domain: options.domain.clone(),
            users: (0..options.users).map(credentials).collect(),
        };
        Ok(Side { agent: Agent::new(settings), socket, users: options.users })
    }
}

/// The key of a call's media: the end above, the agent's number below.
fn key_of(end: End, call: u32) -> u64 {
    u64::from(end == End::Callee) << 32 | u64::from(call)
}

fn end_of(key: u64) -> End {
    if key >> 32 == 0 { End::Caller } else { End::Callee }
}

fn interval(rate: f64) -> Duration {
    Duration::from_secs_f64(1.0 / rate.clamp(0.01, 100_000.0))
}
