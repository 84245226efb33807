//! Many sessions at once, round after round: everything that they take is given back.
//!
//! `TANDEM_SESSIONS=5000` runs as many as RLIMIT_NOFILE allows here (four sockets each, 20,000 files); `--nocapture`
//! shows what each round costs.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Client, control_path, plain_leg, rtp};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use tandem_control::*;

/// An address of the loopback interface on which every port is free.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 77, 1));
const USUAL_SESSIONS: u32 = 500;
const ROUNDS: usize = 3;
/// Resident memory that a round may leave behind, in kB: what the allocator keeps differs from round to round.
const MEMORY_SLACK: u64 = 2048;
/// How long the allocator may take to give memory back.
const MEMORY_PATIENCE: Duration = Duration::from_secs(20);

/// The program, ended with its test.
struct Running(Child);

impl Running {
    fn start(control: &str, sessions: u32) -> Running {
        let sessions = sessions.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem-dataplane"));
        command.args(["--control", control, "--ip-local", &ADDRESS.to_string(), "--workers", "2"]);
        command.args(["--media-ports", "1024-65535", "--max-sessions", &sessions, "--log", "warn"]);
        Running(command.spawn().unwrap())
    }

    fn path(&self, of: &str) -> String {
        format!("/proc/{}/{of}", self.0.id())
    }

    /// Files that are open by number; the sockets stand in the tables of the rings instead.
    fn descriptors(&self) -> usize {
        std::fs::read_dir(self.path("fd")).unwrap().count()
    }

    /// Resident memory in kB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(self.path("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The time that all its threads spent on a processor.
    fn processor_time(&self) -> Duration {
        let tasks = std::fs::read_dir(self.path("task")).unwrap();
        let times = tasks.map(|task| {
            let schedstat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            schedstat.split(' ').next().unwrap().parse::<u64>().unwrap()
        });
        Duration::from_nanos(times.sum())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Errors mean that it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Receives what two peers of every session send each other.
struct Peers([UdpSocket; 2]);

impl Peers {
    fn new() -> Peers {
        Peers([(); 2].map(|()| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            socket
        }))
    }

    fn addresses(&self) -> [SocketAddr; 2] {
        self.0.each_ref().map(|socket| socket.local_addr().unwrap())
    }

    /// A packet in each direction of a session must arrive.
    fn talk(&self, local: &[LocalPorts; 2], sequence: u16) {
        let packet = rtp(sequence, 7);
        for (from, to) in [(0, 1), (1, 0)] {
            self.0[from].send_to(&packet, local[from].rtp).unwrap();
            let (len, source) = self.0[to].recv_from(&mut [0; 1500]).unwrap();
            assert_eq!((len, source), (packet.len(), local[to].rtp));
        }
    }
}

fn create(client: &mut Client, [a, b]: [SocketAddr; 2]) -> (SessionId, [LocalPorts; 2]) {
    let port = PortRequest { address: ADDRESS, kind: PortKind::Own, video: false };
    let legs = Box::new([plain_leg(a), LegConfig::idle()]);
    let note = vec![b'n'; 100];
    let create = Request::Create { ports: [port; 2], legs, note, media_timeout_seconds: 60, near: None };
    let created = client.ask(create);
    let Ok(Reply::Created { session, local }) = created else { panic!("not created: {created:?}") };
    let legs = Box::new([Some(plain_leg(a)), Some(plain_leg(b))]);
    let configure = Request::Configure { session, legs, note: None };
    assert_eq!(client.ask(configure), Ok(Reply::Done));
    (session, local)
}

fn wait_for(client: &mut Client, name: &str, value: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while client.counter(name) != value {
        assert!(Instant::now() < deadline, "{name} is {}, not {value}", client.counter(name));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn many_sessions_leave_nothing_behind_in_three_rounds() {
    let sessions = std::env::var("TANDEM_SESSIONS").map_or(USUAL_SESSIONS, |text| text.parse().unwrap());
    let path = control_path("many");
    let process = Running::start(path.to_str().unwrap(), sessions);
    let (mut client, _) = Client::connect(&path);
    let peers = Peers::new();
    let idle = ["sockets", "port_pairs_free", "buffers_spare"].map(|name| (name, client.counter(name)));
    let descriptors = process.descriptors();
    let mut after_rounds = Vec::new();
    for round in 0..ROUNDS {
        let (memory, time) = (process.memory(), process.processor_time());
        let calls: Vec<_> = (0..sessions).map(|_| create(&mut client, peers.addresses())).collect();
        let set_up = process.processor_time() - time;
        assert_eq!(client.counter("sessions"), u64::from(sessions));
        assert_eq!(client.counter("sockets"), idle[0].1 + 4 * u64::from(sessions));
        for sequence in 0..2 {
            calls.iter().for_each(|(_, local)| peers.talk(local, sequence));
        }
        let (full, time) = (process.memory(), process.processor_time());
        for (session, _) in &calls {
            let Ok(Reply::Stats(stats)) = client.ask(Request::Delete { session: *session }) else { panic!() };
            assert_eq!(stats.legs.map(|leg| (leg.received.packets, leg.sent.packets)), [(2, 2); 2]);
        }
        wait_for(&mut client, "sockets", idle[0].1);
        let tear_down = process.processor_time() - time;
        assert_eq!(process.descriptors(), descriptors);
        assert_eq!(client.counter("sessions"), 0);
        let each = |time: Duration| time.as_micros() / u128::from(sessions);
        println!(
            "round {round}: set up {} us, tear down {} us of CPU each; {} kB resident for all, {} kB after",
            each(set_up),
            each(tear_down),
            full.saturating_sub(memory),
            process.memory()
        );
        after_rounds.push(process.memory());
    }
    let pairs = client.counter("port_pairs_free") + client.counter("port_pairs_resting");
    assert_eq!((pairs, client.counter("buffers_spare")), (idle[1].1, idle[2].1));
    let deadline = Instant::now() + MEMORY_PATIENCE;
    while process.memory() > after_rounds[0] + MEMORY_SLACK {
        assert!(Instant::now() < deadline, "memory after each round, in kB: {after_rounds:?}");
        client.counter("sessions");
        std::thread::sleep(Duration::from_millis(100));
    }
}
