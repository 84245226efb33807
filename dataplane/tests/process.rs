//! The program itself: its start, its end, its refusals.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Client, SLOT, control_path, free_ports, plain_leg, rtp};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read;
use std::net::UdpSocket;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tandem_control::*;

/// A process that does not outlive its test, however that ends.
struct Running(Child);

impl Running {
    fn start(arguments: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem-dataplane"));
        Running(command.args(arguments).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn terminate(&self) {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM).unwrap();
    }

    /// Waits until it has ended; what it said is a few lines, which the pipe holds.
    fn ended(&mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the process never ended");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status, said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Errors mean that it has ended; a child that was waited for is not signaled again.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// [`SLOT`] free ports, as the argument wants them.
fn media_ports() -> String {
    let first = free_ports();
    format!("{first}-{}", first + SLOT - 1)
}

/// Whether a compound RTCP packet has a BYE in it (RFC 3550 section 6.6).
fn says_goodbye(mut packet: &[u8]) -> bool {
    while let [_, kind, high, low, ..] = *packet {
        if kind == 203 {
            return true;
        }
        packet = packet.get(4 * (usize::from(u16::from_be_bytes([high, low])) + 1)..).unwrap_or_default();
    }
    false
}

#[test]
fn stops_cleanly_when_told() {
    let path = control_path("process");
    let control = path.to_str().unwrap();
    let ports = media_ports();
    let ports = ["--ip-local", "127.0.0.1", "--media-ports", &ports, "--workers", "2"];
    let mut process = Running::start(&[&["--control", control], &ports[..]].concat());
    let (mut client, _) = Client::connect(&path);
    let (session, local) = client.create(b"");
    let [peer, rtcp] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    rtcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut leg = plain_leg(peer.local_addr().unwrap());
    leg.remote = Some(Remote { rtp: peer.local_addr().unwrap(), rtcp: rtcp.local_addr().unwrap() });
    for side in [Side::A, Side::B] {
        let configure = Request::configure(session, side, leg.clone());
        assert_eq!(client.ask(configure), Ok(Reply::Done));
    }
    // A packet goes through, so there is a stream to say goodbye for.
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for sequence in 0..3 {
        peer.send_to(&rtp(sequence, 1), local[0].rtp).unwrap();
        peer.recv_from(&mut [0; 1500]).unwrap();
    }
    process.terminate();
    assert_eq!(process.ended().0.code(), Some(0));
    let mut packet = [0; 1500];
    loop {
        let (length, _) = rtcp.recv_from(&mut packet).expect("a goodbye came");
        if says_goodbye(&packet[..length]) {
            break;
        }
    }
    assert!(!path.exists());
}

#[test]
fn says_what_cannot_work() {
    let path = control_path("refusals");
    let control = path.to_str().unwrap();
    let ports = media_ports();
    for (address, ports, words) in [
        ("0.0.0.0", ports.as_str(), "wildcard"),
        ("192.0.2.1", ports.as_str(), "not an address of this host"),
        ("127.0.0.1", "41401-41402", "at least 4 ports"),
        ("127.0.0.1", "x", "not a port range"),
    ] {
        let arguments = ["--control", control, "--ip-local", address, "--media-ports", ports];
        let (status, said) = Running::start(&arguments).ended();
        assert!(!status.success());
        assert!(said.contains(words), "{said}");
    }
}
