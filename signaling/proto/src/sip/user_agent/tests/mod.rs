//! User agents joined by a network in virtual time, and user agents against a scripted peer.

mod calls;
mod info;
mod keep_alives;
mod messages;
mod offers;
mod registrations;
mod scripted;
mod servers;
mod subscriptions;

use super::*;
use crate::sip::{Method, Request, Response, Uri};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a network does to datagrams.
#[derive(Clone, Copy, Default)]
struct Weather {
    /// Percent.
    loss: u8,
    /// Percent.
    duplication: u8,
    /// A datagram takes 10 ms and at most so much more, so that others overtake it.
    jitter_ms: u64,
}

/// One side: a user agent and what it told its switch.
struct Side {
    agent: UserAgent,
    address: SocketAddr,
    events: Vec<UaEvent>,
}

/// Two user agents and the datagrams between them.
struct Network {
    now: Instant,
    sides: [Side; 2],
    weather: Weather,
    random: fastrand::Rng,
    order: u64,
    in_flight: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    /// The first lines of all that was sent.
    trace: Vec<String>,
}

const A: usize = 0;
const B: usize = 1;

fn settings(address: SocketAddr) -> UaSettings {
    UaSettings {
        sip: vec![(Transport::Udp, address)],
        user_ports: None,
        product: "Tandem".to_owned(),
        timers: crate::sip::transaction::BaseTimers::default(),
        ring: Duration::from_secs(200),
        session_expires: Duration::from_secs(1800),
        min_session_expires: Duration::from_secs(90),
        transactions: 100,
        requests_per_source: 1000,
        max_subscription: Duration::from_secs(3_600),
    }
}

fn side(address: &str, seed: u64) -> Side {
    let address = address.parse().unwrap();
    Side { agent: UserAgent::new(settings(address), seeded(seed)), address, events: Vec::new() }
}

fn seeded(seed: u64) -> RandomSource {
    let mut random = fastrand::Rng::with_seed(seed);
    Box::new(move |bytes| random.fill(bytes))
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

fn offer_sdp() -> Option<Vec<u8>> {
    Some(b"offer".to_vec())
}

fn call_to(target: &str) -> Invite {
    Invite {
        target: uri(target),
        route: None,
        via: None,
        port: None,
        from: NameAddr::new(uri("sip:alice@example.org")),
        to: NameAddr::new(uri(target)),
        contact_user: "alice".to_owned(),
        sdp: offer_sdp(),
        credentials: None,
        headers: Vec::new(),
        max_forwards: 70,
    }
}

impl Network {
    fn new(seed: u64, weather: Weather) -> Network {
        Network {
            now: Instant::now(),
            sides: [side("192.0.2.1:5060", seed), side("192.0.2.2:5060", seed ^ 1)],
            weather,
            random: fastrand::Rng::with_seed(seed),
            order: 0,
            in_flight: BTreeMap::new(),
            trace: Vec::new(),
        }
    }

    fn calm() -> Network {
        Network::new(7, Weather::default())
    }

    /// Puts what both sides want to send onto the wire, and takes their events.
    fn drain(&mut self) {
        for from in [A, B] {
            while let Some(event) = self.sides[from].agent.poll_event() {
                self.sides[from].events.push(event);
            }
            while let Some(output) = self.sides[from].agent.poll_output() {
                let Output::Sip { destination, bytes, .. } = output else { panic!("no names here") };
                let remote = remote_of(&destination);
                let to = self.sides.iter().position(|side| side.address == remote).unwrap();
                let line = String::from_utf8_lossy(&bytes);
                self.trace.push(format!("{from} {}", line.lines().next().unwrap_or_default()));
                let copies = match self.random.u8(0..100) {
                    roll if roll < self.weather.loss => 0,
                    roll if roll < self.weather.loss + self.weather.duplication => 2,
                    _ => 1,
                };
                for _ in 0..copies {
                    let late = self.random.u64(0..=self.weather.jitter_ms);
                    self.order += 1;
                    let at = self.now + Duration::from_millis(10 + late);
                    self.in_flight.insert((at, self.order), (to, bytes.clone()));
                }
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        let timers = self.sides.iter().filter_map(|side| side.agent.next_timeout());
        timers.chain(self.in_flight.keys().next().map(|(at, _)| *at)).min()
    }

    /// Lets time pass.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.drain();
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = at;
            while let Some(entry) = self.in_flight.first_entry().filter(|entry| entry.key().0 <= at) {
                let (to, bytes) = entry.remove();
                let (local, remote) = (self.sides[to].address, self.sides[1 - to].address);
                let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
                self.sides[to].agent.receive_bytes(at, flow, &bytes);
            }
            self.sides.iter_mut().for_each(|side| side.agent.handle_timeout(at));
            self.drain();
        }
        self.now = end;
    }

    fn ms(&mut self, milliseconds: u64) {
        self.run(Duration::from_millis(milliseconds));
    }

    fn invite(&mut self, invite: Invite) -> CallHandle {
        let now = self.now;
        self.sides[A].agent.invite(now, invite)
    }

    fn signal(&mut self, side: usize, call: CallHandle, signal: Signal) {
        let now = self.now;
        self.sides[side].agent.signal(now, call, signal).unwrap();
    }

    /// B accepts the INVITE that must have come.
    fn accept(&mut self) -> CallHandle {
        let handle = self.sides[B].events.iter().find_map(|event| match event {
            UaEvent::Request { handle, request, .. } if request.method == Method::Invite => Some(*handle),
            _ => None,
        });
        let now = self.now;
        self.sides[B].agent.accept_invite(now, handle.unwrap(), "bob").unwrap()
    }

    /// The signals that a side got since the last time.
    fn signals(&mut self, side: usize) -> Vec<Signal> {
        let events = std::mem::take(&mut self.sides[side].events);
        let signal = |event| match event {
            UaEvent::Signal { signal, .. } => Some(signal),
            _ => None,
        };
        events.into_iter().filter_map(signal).collect()
    }

    fn sent(&self, start: &str) -> usize {
        self.trace.iter().filter(|line| line.starts_with(start)).count()
    }

    /// A calls B, who has the INVITE: the handles of both sides.
    fn invited(&mut self, invite: Invite) -> (CallHandle, CallHandle) {
        let a = self.invite(invite);
        self.ms(50);
        (a, self.accept())
    }

    /// A call that B rings: the handles of both sides.
    fn ringing(&mut self) -> (CallHandle, CallHandle) {
        let (a, b) = self.invited(call_to("sip:bob@192.0.2.2"));
        self.signal(B, b, Signal::Progress { status: 180, sdp: None });
        self.ms(50);
        (a, b)
    }

    /// An answered call: the handles of both sides.
    fn established(&mut self) -> (CallHandle, CallHandle) {
        let (a, b) = self.invited(call_to("sip:bob@192.0.2.2"));
        self.signal(B, b, Signal::Answer { sdp: Some(b"answer".to_vec()) });
        self.ms(50);
        assert_eq!(self.signals(A), [Signal::Answer { sdp: Some(b"answer".to_vec()) }]);
        self.signals(B);
        (a, b)
    }

    /// After everything ended nothing is left.
    fn assert_nothing_left(&mut self) {
        self.run(Duration::from_secs(200));
        for side in &self.sides {
            assert_empty(&side.agent);
        }
    }
}

fn assert_empty(agent: &UserAgent) {
    assert_eq!(agent.next_timeout(), None);
    assert_eq!((agent.outgoing.len(), agent.incoming.len()), (0, 0));
    assert_eq!((agent.outgoing_by_branch.len(), agent.outgoing_by_key.len()), (0, 0));
    assert_eq!((agent.outgoing_by_query.len(), agent.calls.len(), agent.calls_by_dialog.len()), (0, 0, 0));
    assert_eq!(agent.registrations.len(), 0);
    assert_eq!((agent.subscriptions.len(), agent.subscriptions_by_dialog.len()), (0, 0));
}

/// One user agent whose peer the test plays, message by message.
struct Bench {
    now: Instant,
    agent: UserAgent,
    flow: Flow,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(settings("192.0.2.1:5060".parse().unwrap()))
    }

    fn with(settings: UaSettings) -> Bench {
        let (local, remote) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap());
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        Bench { now: Instant::now(), agent: UserAgent::new(settings, seeded(3)), flow }
    }

    fn receive(&mut self, text: &str) {
        self.agent.receive_bytes(self.now, self.flow, text.as_bytes());
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.agent.next_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.agent.handle_timeout(at);
        }
        self.now = end;
    }

    fn sent(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(output) = self.agent.poll_output() {
            if let Output::Sip { bytes, .. } = output {
                messages.push(Message::parse(&bytes).unwrap());
            }
        }
        messages
    }

    fn requests(&mut self) -> Vec<Request> {
        let request = |message| if let Message::Request(request) = message { Some(request) } else { None };
        self.sent().into_iter().filter_map(request).collect()
    }

    fn responses(&mut self) -> Vec<Response> {
        let response =
            |message| if let Message::Response(response) = message { Some(response) } else { None };
        self.sent().into_iter().filter_map(response).collect()
    }

    fn request(&mut self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().unwrap()
    }

    fn statuses(&mut self) -> Vec<u16> {
        self.responses().iter().map(|response| response.status).collect()
    }

    fn events(&mut self) -> Vec<UaEvent> {
        std::iter::from_fn(|| self.agent.poll_event()).collect()
    }

    fn signals(&mut self) -> Vec<Signal> {
        let signal = |event| if let UaEvent::Signal { signal, .. } = event { Some(signal) } else { None };
        self.events().into_iter().filter_map(signal).collect()
    }

    /// The peer answers a request.
    fn reply(
        &mut self,
        request: &Request,
        status: u16,
        tag: &str,
        more: &[(HeaderName, &str)],
        sdp: Option<&str>,
    ) {
        let mut response = crate::sip::reply(request, status, crate::sip::default_reason(status));
        let mut to = response.headers.to().unwrap();
        if to.tag().is_none() && status > 100 {
            to.set_tag(tag);
            response.headers.set(HeaderName::To, to);
        }
        for (name, value) in more {
            response.headers.push(name.clone(), value);
        }
        if let Some(sdp) = sdp {
            call::set_sdp(&mut response.headers, &mut response.body, sdp.as_bytes().to_vec());
        }
        self.agent.receive(self.now, self.flow, Message::Response(response));
    }
}

const CONTACT: (HeaderName, &str) = (HeaderName::Contact, "<sip:bob@192.0.2.9>");

/// A request of the scripted peer's.
fn request_text(method: &str, branch: &str, more: &str, body: &str) -> String {
    format!(
        "{method} sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:bob@example.org>;tag=bob\r\nCall-ID: call-1\r\n\
         Contact: <sip:bob@192.0.2.9>\r\n{more}\r\n{body}"
    )
}
