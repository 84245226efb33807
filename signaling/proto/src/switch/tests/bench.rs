//! A switch in virtual time, with a scripted dataplane, telephones and browsers around it.

use super::super::browsers::Browser;
use super::super::*;
use crate::settings::*;
use crate::sip::Message;
use crate::sip::auth::ha1;
use crate::sip::user_agent::{KeepAlive, KeepAliveMethod};
use crate::transport::Transport;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_control::{
    Hello, LegConfig, LocalPorts, Message as Said, Near, Refusal, Reply, RequestFrame, SessionId, Side,
    VERSION,
};

pub(super) const DOMAIN: &str = "tandem.test";
pub(super) const PASSWORD: &str = "opensesame";

fn settings() -> Settings {
    let users = ["alice", "bob", "carol"].map(|name| User {
        name: name.to_owned(),
        display_name: None,
        ha1: ha1(name, DOMAIN, PASSWORD),
        offer_security: OfferSecurity::None,
    });
    Settings {
        advertised: vec!["198.51.100.1".parse().unwrap()],
        user_ports: None,
        sip: [Transport::Udp, Transport::Tcp, Transport::Ws]
            .map(|transport| (transport, "198.51.100.1:5060".parse().unwrap()))
            .to_vec(),
        domains: vec![Domain { name: DOMAIN.to_owned(), users: users.to_vec() }],
        lines: Vec::new(),
        providers: Providers {
            allowed: Vec::new(),
            allow_private: false,
            media: HashMap::new(),
            offer_security: OfferSecurity::None,
            register_expires: Duration::from_secs(600),
            accept_transfers: false,
            keep_alive: KeepAlive { method: KeepAliveMethod::Off, interval: None },
            balance_header: None,
        },
        tokens: Default::default(),
        xcap: Vec::new(),
        has_application: false,
        sip_media: Default::default(),
        browser_media: Default::default(),
        tones: Default::default(),
        limits: Limits {
            calls: 10,
            calls_per_user: 2,
            contacts_per_user: 3,
            registrations: 5,
            streams: 6,
            streams_per_user: 4,
            players_per_stream: 3,
            transactions: 1_000,
            requests_per_source: 1_000,
            wrong_passwords: 3,
            lockout: Duration::from_secs(60),
        },
        timers: Timers {
            ring: Duration::from_secs(30),
            session_expires: Duration::from_secs(1_800),
            min_session_expires: Duration::from_secs(90),
            media: Duration::from_secs(60),
            registration_min: Duration::from_secs(60),
            reconnect: Duration::from_secs(30),
            registration_max: Duration::from_secs(3_600),
        },
        messages: MessageRules { per_user: 3, total: 5, ..MessageRules::default() },
        presence: PresenceRules { per_user: 2, total: 3, ..PresenceRules::default() },
        streams: true,
        trusted: vec![Trusted::Domain("trusted.example".to_owned())],
        product: "Tandem".to_owned(),
    }
}

pub(super) struct Bench {
    pub(super) switch: Switch,
    pub(super) now: Instant,
    pub(super) sip: Vec<(SocketAddr, Message)>,
    frames: Vec<(ConnectionId, Value)>,
    pub(super) resolves: Vec<(u64, String)>,
    pub(super) sessions: HashMap<SessionId, [LegConfig; 2]>,
    pub(super) digits: Vec<(Side, u8)>,
    /// The sides that a tone is played to.
    pub(super) tones: Vec<Side>,
    /// Tokens that are asked for.
    pub(super) asked: Vec<(u64, String)>,
    /// Documents that are asked for: their ids, and what of each.
    pub(super) documents: Vec<(u64, [String; 3])>,
    /// What is posted to the application: its ids, and what it gets.
    pub(super) posts: Vec<(u64, Value)>,
    pub(super) refuse_sessions: Option<Refusal>,
    /// The ports of accounts that are open.
    pub(super) open_ports: BTreeSet<u16>,
    /// Ports that another program has.
    pub(super) taken_ports: BTreeSet<u16>,
    /// So many deletions find the dataplane too busy.
    pub(super) busy_deletions: usize,
    /// The legs that changed places.
    pub(super) swaps: Vec<((SessionId, Side), (SessionId, Side))>,
    pub(super) refuse_swaps: bool,
    /// Who watches whom, in the order of the requests.
    pub(super) watches: Vec<(SessionId, Side, (SessionId, Side))>,
    pub(super) refuse_watches: bool,
    /// What the last session shall be near.
    pub(super) near: Option<Near>,
    next_session: u64,
    /// The messages on disk.
    pub(super) kept: BTreeMap<MessageId, KeptMessage>,
    pub(super) disk_is_full: bool,
}

impl Bench {
    pub(super) fn new() -> Bench {
        let mut bench = Bench::without_dataplane();
        bench.dataplane_up();
        bench
    }

    /// One whose telephones and browsers have media like this.
    pub(super) fn with_media(sip: MediaProfile, browser: MediaProfile) -> Bench {
        let mut bench = Bench::without_dataplane();
        let settings = &mut bench.switch.settings;
        (settings.sip_media, settings.browser_media) = (Arc::new(sip), Arc::new(browser));
        bench.dataplane_up();
        bench
    }

    /// One with click-to-call tokens.
    pub(super) fn with_tokens(tokens: &Tokens) -> Bench {
        let mut bench = Bench::new();
        bench.switch.tokens = TokenTable::new(tokens);
        bench
    }

    /// One of the usual settings, changed.
    pub(super) fn changed(change: impl FnOnce(&mut Settings)) -> Bench {
        let mut settings = settings();
        change(&mut settings);
        let mut bench = Bench::of(settings);
        bench.dataplane_up();
        bench
    }

    pub(super) fn without_dataplane() -> Bench {
        Bench::of(settings())
    }

    fn of(settings: Settings) -> Bench {
        let now = Instant::now();
        let mut random = fastrand::Rng::with_seed(7);
        Bench {
            switch: Switch::new(now, settings, move |bytes: &mut [u8]| random.fill(bytes)),
            now,
            sip: Vec::new(),
            frames: Vec::new(),
            resolves: Vec::new(),
            sessions: HashMap::new(),
            digits: Vec::new(),
            tones: Vec::new(),
            asked: Vec::new(),
            documents: Vec::new(),
            posts: Vec::new(),
            refuse_sessions: None,
            open_ports: BTreeSet::new(),
            taken_ports: BTreeSet::new(),
            busy_deletions: 0,
            swaps: Vec::new(),
            refuse_swaps: false,
            watches: Vec::new(),
            refuse_watches: false,
            near: None,
            next_session: 0,
            kept: BTreeMap::new(),
            disk_is_full: false,
        }
    }

    pub(super) fn dataplane_up(&mut self) {
        let sessions = u32::try_from(self.sessions.len()).unwrap();
        let addresses = vec!["10.0.0.1".parse().unwrap()];
        let hello = Hello { version: VERSION, workers: 1, sessions, fingerprint: [0xCD; 32], addresses };
        self.input(Input::DataplaneUp(hello));
    }

    pub(super) fn input(&mut self, input: Input) {
        self.switch.handle(self.now, input);
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Sip { destination, bytes, .. } => {
                    let to = match destination {
                        Destination::Flow(flow) => flow.remote,
                        Destination::Address { remote, .. } => remote,
                    };
                    self.sip.push((to, Message::parse(&bytes).unwrap()));
                }
                Output::Resolve { query, host, .. } => self.resolves.push((query, host)),
                Output::OpenPort { port } => {
                    let is_open = !self.taken_ports.contains(&port) && self.open_ports.insert(port);
                    self.switch.handle(self.now, Input::PortOpened { port, is_open });
                }
                Output::ClosePort { port } => assert!(self.open_ports.remove(&port)),
                Output::Wcs { connection, text } => {
                    self.frames.push((connection, serde_json::from_str(&text).unwrap()));
                }
                Output::AskToken { query, token, .. } => self.asked.push((query, token)),
                Output::PostData { query, json } => {
                    self.posts.push((query, serde_json::from_str(&json).unwrap()));
                }
                Output::GetXcap { query, domain, selector, user } => {
                    self.documents.push((query, [domain, selector, user]));
                }
                Output::Close { .. } => {}
                Output::KeepMessage(message) => {
                    let (id, is_kept) = (message.id, !self.disk_is_full);
                    if is_kept {
                        self.kept.insert(id, *message);
                    }
                    self.switch.handle(self.now, Input::MessageKept { id, is_kept });
                }
                Output::DropMessage(id) => assert!(self.kept.remove(&id).is_some(), "it was kept"),
                Output::Dataplane(frame) => self.dataplane(frame),
            }
        }
    }

    fn dataplane(&mut self, frame: RequestFrame) {
        use tandem_control::Request as R;
        let result = match frame.request {
            R::Create { .. } if self.refuse_sessions.is_some() => Err(self.refuse_sessions.clone().unwrap()),
            R::Create { near, legs, .. } => {
                self.near = near;
                Ok(self.create(*legs))
            }
            R::Configure { session, legs, .. } => {
                let slots = self.sessions.get_mut(&session).expect("configured while it lives");
                for (slot, leg) in slots.iter_mut().zip(*legs) {
                    *slot = leg.unwrap_or_else(|| slot.clone());
                }
                Ok(Reply::Done)
            }
            R::Swap { .. } if self.refuse_swaps => Err(Refusal::Busy),
            R::Swap { first, second } => {
                self.swap(first, second);
                Ok(Reply::Done)
            }
            R::Watch { .. } if self.refuse_watches => Err(Refusal::Busy),
            R::Watch { session, side, source } => {
                self.watches.push((session, side, source));
                Ok(Reply::Done)
            }
            R::Delete { .. } if self.busy_deletions > 0 => {
                self.busy_deletions -= 1;
                Err(Refusal::Busy)
            }
            R::Delete { session } => match self.sessions.remove(&session) {
                Some(_) => Ok(Reply::Done),
                None => Err(Refusal::UnknownSession),
            },
            R::List { .. } => Ok(self.list()),
            R::PlayDigit { side, event, .. } => {
                self.digits.push((side, event));
                Ok(Reply::Done)
            }
            R::Play { side, source: tandem_control::Source::Tone(_), times: 0, .. } => {
                self.tones.push(side);
                Ok(Reply::Done)
            }
            R::StopPlay { side, .. } => {
                self.tones.retain(|each| *each != side);
                Ok(Reply::Done)
            }
            other => panic!("unexpected {other:?}"),
        };
        self.input(Input::Dataplane(Said::Reply { id: frame.id, result }));
    }

    fn create(&mut self, legs: [LegConfig; 2]) -> Reply {
        self.next_session += 1;
        let session = SessionId(self.next_session);
        self.sessions.insert(session, legs);
        Reply::Created { session, local: [31_000, 31_002].map(ports_from) }
    }

    fn swap(&mut self, first: (SessionId, Side), second: (SessionId, Side)) {
        let leg = |(session, side): (SessionId, Side)| {
            self.sessions[&session][usize::from(side == Side::B)].clone()
        };
        let legs = [leg(first), leg(second)];
        for ((session, side), leg) in [second, first].into_iter().zip(legs) {
            self.sessions.get_mut(&session).unwrap()[usize::from(side == Side::B)] = leg;
        }
        self.swaps.push((first, second));
    }

    fn list(&self) -> Reply {
        let listed = self.sessions.keys().map(|session| tandem_control::ListedSession {
            session: *session,
            note: Vec::new(),
            age_seconds: 1,
            local: [ports_from(1); 2],
        });
        Reply::Sessions { sessions: listed.collect(), more: false }
    }

    /// Lets time pass, with every timer at its time.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.switch.next_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.input(Input::Timeout);
        }
        self.now = until;
    }

    /// Nothing is left of any call.
    pub(super) fn assert_clean(&mut self) {
        self.pass(Duration::from_secs(120));
        assert!(self.switch.calls.is_empty(), "calls are left");
        assert!(self.switch.streams.is_empty(), "streams are left");
        assert!(self.sessions.is_empty(), "sessions are left: {:?}", self.sessions.keys());
        assert_eq!(self.switch.user_agent.transactions(), 0);
        assert!(self.switch.browsers.values().all(Browser::has_no_calls));
    }

    pub(super) fn counter(&self, name: &str) -> u64 {
        self.switch.counters().into_iter().find(|(each, _)| each == name).map_or(0, |(_, value)| value)
    }

    /// The messages that went to an address since the last look.
    pub(super) fn take(&mut self, remote: SocketAddr) -> Vec<Message> {
        let (taken, kept) = std::mem::take(&mut self.sip).into_iter().partition(|(to, _)| *to == remote);
        self.sip = kept;
        let taken: Vec<(SocketAddr, Message)> = taken;
        taken.into_iter().map(|(_, message)| message).collect()
    }

    /// The frames that went to a browser since the last look.
    pub(super) fn take_frames(&mut self, connection: ConnectionId) -> Vec<Value> {
        let (taken, kept) =
            std::mem::take(&mut self.frames).into_iter().partition(|(to, _)| *to == connection);
        self.frames = kept;
        let taken: Vec<(ConnectionId, Value)> = taken;
        taken.into_iter().map(|(_, frame)| frame).filter(|frame| frame["message"] != "ping").collect()
    }

    pub(super) fn say(&mut self, connection: ConnectionId, message: &str, data: Value) {
        let text = json!({ "message": message, "data": [data] }).to_string();
        self.input(Input::Wcs { connection, text });
    }

    /// Opens the connection of a browser on a page of this origin.
    pub(super) fn open(&mut self, number: u64, origin: Option<&str>) -> ConnectionId {
        let connection = ConnectionId(1_000 + number);
        let remote = SocketAddr::new("192.0.2.10".parse().unwrap(), 40_000 + u16::try_from(number).unwrap());
        self.input(Input::WcsOpened { connection, remote, origin: origin.map(str::to_owned) });
        connection
    }

    /// Opens a browser's connection and logs in.
    pub(super) fn browser(&mut self, number: u64, user: &str, password: &str, domain: &str) -> ConnectionId {
        let connection = self.open(number, None);
        let login = json!({ "sipLogin": user, "sipPassword": password, "sipDomain": domain, "sipRegisterRequired": true });
        self.say(connection, "connection", login);
        connection
    }
}

/// A leg's port for RTP, and the next one for RTCP.
fn ports_from(port: u16) -> LocalPorts {
    let [rtp, rtcp] = [port, port + 1].map(|port| SocketAddr::new("10.0.0.1".parse().unwrap(), port));
    LocalPorts { rtp, rtcp, video: None }
}

pub(super) fn names(frames: &[Value]) -> Vec<String> {
    frames.iter().map(|frame| frame["message"].as_str().unwrap().to_owned()).collect()
}
