//! A relay in virtual time, with a scripted dataplane and a controller around it.

use super::super::*;
use crate::ng::{Client, Files, Framing, Interface, Limits, Timers};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tandem_control::{
    Event, EventKind, Hello, LegConfig, LegStats, LocalPorts, Message, PortRequest, Quality, RecordingFormat,
    Refusal, Reply as Said, Request, RequestFrame, SessionStats, StreamStats, VERSION,
};

/// A session of the scripted dataplane.
pub(super) struct Session {
    pub(super) ports: [PortRequest; 2],
    pub(super) legs: [LegConfig; 2],
    pub(super) note: Vec<u8>,
}

pub(super) struct Bench {
    pub(super) relay: Relay,
    pub(super) now: Instant,
    pub(super) sessions: HashMap<SessionId, Session>,
    pub(super) warnings: Vec<String>,
    pub(super) replies: Vec<(Client, Value)>,
    /// What the dataplane has not answered yet, while it is slow.
    pub(super) held: Vec<RequestFrame>,
    pub(super) is_slow: bool,
    /// What was asked about files and digits.
    pub(super) said: Vec<Request>,
    /// The dataplane refuses what comes next.
    pub(super) refusal: Option<Refusal>,
    next_session: u64,
    next_cookie: u64,
}

pub(super) fn settings() -> Settings {
    let interface = |name: &str, local: &str, advertised: &str| Interface {
        name: name.to_owned(),
        local: local.parse().unwrap(),
        advertised: advertised.parse().unwrap(),
    };
    Settings {
        interfaces: vec![
            interface("pub", "10.0.0.1", "198.51.100.1"),
            interface("priv", "10.0.0.2", "10.0.0.2"),
            interface("pub", "2001:db8::1", "2001:db8::1"),
        ],
        limits: Limits { calls: 3 },
        timers: Timers {
            media: Duration::from_secs(60),
            offer: Duration::from_secs(300),
            delete_delay: Duration::ZERO,
        },
        files: Files {
            announcements: Some("/sounds".into()),
            recordings: Some("/recordings".into()),
            format: RecordingFormat::OggOpus,
        },
        opus: Default::default(),
    }
}

pub(super) fn client() -> Client {
    Client { id: 7, source: SocketAddr::from(([127, 0, 0, 1], 40_000)) }
}

impl Bench {
    pub(super) fn new() -> Bench {
        let mut bench = Bench::with(settings());
        bench.up();
        bench
    }

    /// Without a dataplane.
    pub(super) fn with(settings: Settings) -> Bench {
        let now = Instant::now();
        let mut random = fastrand::Rng::with_seed(7);
        let wall_clock = UNIX_EPOCH + Duration::from_secs(1_000_000);
        Bench {
            relay: Relay::new(now, wall_clock, settings, move |bytes: &mut [u8]| random.fill(bytes)),
            now,
            sessions: HashMap::new(),
            warnings: Vec::new(),
            replies: Vec::new(),
            held: Vec::new(),
            is_slow: false,
            said: Vec::new(),
            refusal: None,
            next_session: 0,
            next_cookie: 0,
        }
    }

    pub(super) fn up(&mut self) {
        let hello = Hello {
            version: VERSION,
            workers: 1,
            sessions: 0,
            fingerprint: [0xCD; 32],
            addresses: Vec::new(),
        };
        self.input(Input::DataplaneUp(hello));
    }

    pub(super) fn input(&mut self, input: Input) {
        self.relay.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            match output {
                Output::Reply { to, bytes } => {
                    let body = bytes.iter().position(|byte| *byte == b' ').map_or(0, |space| space + 1);
                    let body = if bytes[0] == b'{' { &bytes[..] } else { &bytes[body..] };
                    self.replies.push((to, serde_json::from_slice(body).unwrap()));
                }
                Output::Dataplane(frame) if self.is_slow => self.held.push(frame),
                Output::Dataplane(frame) => self.answer(frame),
                Output::Warn(text) => self.warnings.push(text),
            }
        }
    }

    /// The slow dataplane catches up.
    pub(super) fn catch_up(&mut self) {
        self.is_slow = false;
        for frame in std::mem::take(&mut self.held) {
            self.answer(frame);
            self.drain();
        }
    }

    fn answer(&mut self, frame: RequestFrame) {
        assert_eq!(frame.id & (3 << 30), 1 << 30, "the process tells the relay's requests by bit 30");
        let result = match self.refusal.take() {
            Some(refusal) => Err(refusal),
            None => self.carry_out(frame.request),
        };
        self.relay.handle(self.now, Input::Dataplane(Message::Reply { id: frame.id, result }));
    }

    fn carry_out(&mut self, request: Request) -> Result<Said, Refusal> {
        match request {
            Request::Create { ports, legs, note, .. } => {
                self.next_session += 1;
                let session = SessionId(self.next_session);
                let port = 30_000 + 4 * u16::try_from(self.next_session).unwrap();
                let local = [port, port + 2].map(|port| (port, port + 1));
                let at = |side: usize| LocalPorts {
                    rtp: SocketAddr::new(ports[side].address, local[side].0),
                    rtcp: SocketAddr::new(ports[side].address, local[side].1),
                    video: None,
                };
                let local = [at(0), at(1)];
                self.sessions.insert(session, Session { ports, legs: *legs, note });
                Ok(Said::Created { session, local })
            }
            Request::Configure { session, legs, note } => {
                let slots = self.sessions.get_mut(&session).ok_or(Refusal::UnknownSession)?;
                slots.note = note.unwrap_or_else(|| slots.note.clone());
                for (slot, leg) in slots.legs.iter_mut().zip(*legs) {
                    *slot = leg.unwrap_or_else(|| slot.clone());
                }
                Ok(Said::Done)
            }
            Request::Delete { session } => {
                self.sessions.remove(&session).ok_or(Refusal::UnknownSession)?;
                Ok(Said::Stats(Box::new(stats())))
            }
            Request::Query { .. } => Ok(Said::Stats(Box::new(stats()))),
            Request::List { .. } => Ok(Said::Sessions { sessions: self.listed(), more: false }),
            other => {
                self.said.push(other);
                Ok(Said::Done)
            }
        }
    }

    fn listed(&self) -> Vec<tandem_control::ListedSession> {
        let local = LocalPorts {
            rtp: SocketAddr::from(([10, 0, 0, 1], 30_000)),
            rtcp: SocketAddr::from(([10, 0, 0, 1], 30_001)),
            video: None,
        };
        let listed = |(session, of): (&SessionId, &Session)| tandem_control::ListedSession {
            session: *session,
            note: of.note.clone(),
            age_seconds: 1,
            local: [local; 2],
        };
        self.sessions.iter().map(listed).collect()
    }

    /// Sends a request; the reply may still be awaited.
    pub(super) fn send(&mut self, request: &Value) {
        self.next_cookie += 1;
        let bytes = format!("c{} {request}", self.next_cookie).into_bytes();
        self.input(Input::Request { from: client(), framing: Framing::Cookie, bytes });
    }

    /// Sends a request, and takes its reply.
    pub(super) fn ask(&mut self, request: &Value) -> Value {
        self.send(request);
        self.replies.pop().expect("a reply").1
    }

    /// An offer with these keys beside the usual ones; the rewritten SDP.
    pub(super) fn offer(&mut self, sdp: &str, more: Value) -> String {
        let reply = self.ask(&request("offer", sdp, more));
        sdp_of(&reply)
    }

    /// An answer with these keys beside the usual ones; the rewritten SDP.
    pub(super) fn answer_with(&mut self, sdp: &str, more: Value) -> String {
        let reply = self.ask(&request("answer", sdp, more));
        sdp_of(&reply)
    }

    /// The only session.
    pub(super) fn session(&self) -> &Session {
        assert_eq!(self.sessions.len(), 1);
        self.sessions.values().next().unwrap()
    }

    pub(super) fn event(&mut self, session: SessionId, kind: EventKind) {
        self.input(Input::Dataplane(Message::Event(Event { session, kind })));
    }

    /// Time passes, with every time-out on the way.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.relay.next_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = until;
    }

    /// Nothing is left of any call.
    pub(super) fn assert_clean(&self) {
        assert_eq!(self.relay.calls.len(), 0);
        assert_eq!(self.relay.by_id.len(), 0);
        assert_eq!(self.relay.sessions.len(), 0);
        assert_eq!(self.relay.dataplane.open(), 0);
        assert_eq!(self.relay.timers.len(), 1, "{:?}", self.relay.timers);
        assert_eq!(self.sessions.len(), 0);
    }
}

fn stats() -> SessionStats {
    let of = |packets: u64, ssrc: u32| LegStats {
        received: StreamStats {
            packets,
            bytes: 172 * packets,
            rtcp_packets: 2,
            rtcp_bytes: 160,
            ssrc: Some(ssrc),
        },
        dropped: 1,
        lost: 10,
        jitter_us: 3_500,
        round_trip_us: Some(41_000),
        quality: Some(Quality { rating_x100: 8_000, mos_x100: 386 }),
        ..LegStats::default()
    };
    let [mut a, b] = [of(50, 0xA), of(40, 0xB)];
    a.sent = StreamStats { packets: 40, bytes: 6_880, ssrc: Some(0xC), ..StreamStats::default() };
    (a.peer_lost, a.peer_jitter_us) = (1, 2_000);
    a.peer_quality = Some(Quality { rating_x100: 9_000, mos_x100: 434 });
    SessionStats { age_ms: 1_000, legs: [a, b] }
}

/// A request of the usual call: from `a` to `b`.
pub(super) fn request(command: &str, sdp: &str, more: Value) -> Value {
    let mut request = json!({ "command": command, "call-id": "call", "from-tag": "a" });
    if !sdp.is_empty() {
        request["sdp"] = sdp.into();
    }
    if command == "answer" {
        request["to-tag"] = "b".into();
    }
    for (key, value) in more.as_object().unwrap() {
        request[key] = value.clone();
    }
    request
}

pub(super) fn sdp_of(reply: &Value) -> String {
    assert_eq!(reply["result"], "ok", "{reply}");
    reply["sdp"].as_str().unwrap().to_owned()
}
