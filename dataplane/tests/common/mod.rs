//! A control client, and legs for it to configure.
#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod browser;
pub(crate) mod pages;
pub(crate) mod peers;
pub(crate) mod pictures;

use crossbeam::channel::{Receiver, Sender, bounded};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tandem_control::*;
use tandem_dataplane::dataplane::Dataplane;
use tandem_dataplane::files::FileSettings;
use tandem_dataplane::ports::PortRange;
use tandem_dataplane::settings::Settings;
use tandem_dataplane::worker::{Answer, Command, Queues};
use tandem_media::dtls::Identity;

/// A path for a control socket that no other test uses.
pub(crate) fn control_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tandem-{name}-{}", std::process::id()))
}

/// The media ports that a test may have: [`SLOT`] of them.
pub(crate) const SLOT: u16 = 40;
/// Slots lie below the ports that the kernel gives to sockets without a wish of their own.
const SLOTS: (u16, u32) = (20_000, 300);

/// The first of [`SLOT`] UDP ports of the loopback interface that nobody uses, and no other test is given.
pub(crate) fn free_ports() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Other test processes begin elsewhere.
    let begin = std::process::id().wrapping_mul(7);
    let free = (0..SLOTS.1).find_map(|_| {
        let slot = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % SLOTS.1;
        let first = SLOTS.0 + u16::try_from(slot).unwrap() * SLOT;
        let is_free = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        (first..first + SLOT).all(is_free).then_some(first)
    });
    free.expect("ports are free")
}

/// A dataplane for sessions on the loopback interface, with media ports of its own.
pub(crate) fn settings(name: &str, workers: usize, max_sessions: u32) -> Settings {
    let first_port = free_ports();
    Settings {
        control: control_path(name),
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        media_ports: PortRange::new(first_port, first_port + SLOT - 1).unwrap(),
        workers,
        max_sessions,
        pin: false,
        gather: Duration::ZERO,
        files: FileSettings::default(),
    }
}

/// Starts it.
pub(crate) fn start(settings: &Settings) -> Dataplane {
    Dataplane::start(settings, Arc::new(Identity::generate().unwrap()), 1024).unwrap()
}

/// Starts it, with a client.
pub(crate) fn start_with_client(settings: &Settings) -> (Dataplane, Client) {
    let dataplane = start(settings);
    let (client, _) = Client::connect(&settings.control);
    (dataplane, client)
}

/// A client of the control socket that waits for each answer.
pub(crate) struct Client {
    socket: Socket,
    next_id: u32,
    /// Events that came in between.
    pub(crate) events: Vec<Event>,
}

impl Client {
    /// Connects, waiting for the dataplane to come up, and says hello.
    pub(crate) fn connect(path: &Path) -> (Client, Hello) {
        let address = SockAddr::unix(path).unwrap();
        let socket = (0..500).find_map(|_| {
            let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
            let connected = socket.connect(&address);
            if connected.is_err() {
                std::thread::sleep(Duration::from_millis(10));
            }
            connected.ok().map(|()| socket)
        });
        let socket = socket.expect("the dataplane came up");
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut client = Client { socket, next_id: 0, events: Vec::new() };
        match client.ask(Request::Hello { version: VERSION, progress: false }) {
            Ok(Reply::Hello(hello)) => (client, hello),
            other => panic!("no hello but {other:?}"),
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, request: Request) -> Result<Reply, Refusal> {
        let id = self.next_id;
        self.next_id += 1;
        self.socket.write_all(&encode(&RequestFrame { id, request }).unwrap()).unwrap();
        let mut record = vec![0; MAX_RECORD];
        loop {
            let length = self.socket.read(&mut record).unwrap();
            assert!(length > 0, "the dataplane closed the connection");
            match decode(&record[..length]).unwrap() {
                Message::Reply { id: answered, result } => {
                    assert_eq!(answered, id);
                    return result;
                }
                Message::Event(event) => self.events.push(event),
            }
        }
    }

    /// Creates a session with two legs on own ports.
    pub(crate) fn create(&mut self, note: &[u8]) -> (SessionId, [LocalPorts; 2]) {
        let port = PortRequest { address: Ipv4Addr::LOCALHOST.into(), kind: PortKind::Own, video: false };
        let create = create([port; 2], note);
        match self.ask(create) {
            Ok(Reply::Created { session, local }) => (session, local),
            other => panic!("not created: {other:?}"),
        }
    }

    /// One of the counters.
    pub(crate) fn counter(&mut self, name: &str) -> u64 {
        let Ok(Reply::Counters(counters)) = self.ask(Request::Counters) else { panic!("no counters") };
        counters.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no counter {name}")).1
    }
}

/// Asks for a session with two idle legs.
pub(crate) fn create(ports: [PortRequest; 2], note: &[u8]) -> Request {
    let legs = Box::new([LegConfig::idle(), LegConfig::idle()]);
    Request::Create { ports, legs, note: note.to_vec(), media_timeout_seconds: 0, near: None }
}

/// A leg without protection whose peer receives at `remote`.
pub(crate) fn plain_leg(remote: SocketAddr) -> LegConfig {
    let audio = vec![PayloadType { number: 0, codec: Codec::Pcmu, clock: 8000 }];
    LegConfig {
        remote: Some(Remote { rtp: remote, rtcp: SocketAddr::new(remote.ip(), remote.port() + 1) }),
        audio: Audio {
            receive: audio.clone(),
            send: audio,
            may_receive: true,
            may_send: true,
            ..Audio::idle()
        },
        ..LegConfig::idle()
    }
}

/// A PCMU packet of 20 ms.
pub(crate) fn rtp(sequence: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend((0..160).map(|sample| (sequence as u8).wrapping_mul(31) ^ sample));
    packet
}

/// The other ends of a worker's queues.
pub(crate) struct QueueEnds {
    /// To the worker.
    pub(crate) commands: Sender<Command>,
    /// Its answers.
    pub(crate) answers: Receiver<Answer>,
    /// Its events.
    pub(crate) events: Receiver<Event>,
    /// For events of files.
    pub(crate) files_events: Sender<Event>,
}

/// Queues for a worker without a control server.
pub(crate) fn local_queues() -> (Queues, QueueEnds) {
    let (commands, commands_out) = bounded(16);
    let (answers_in, answers) = bounded(16);
    let (events_in, events) = bounded(1024);
    let queues = Queues::new(commands_out, answers_in, events_in.clone());
    queues.progress.store(true, Ordering::Relaxed);
    (queues, QueueEnds { commands, answers, events, files_events: events_in })
}
