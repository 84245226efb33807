//! The program itself: its start, its end, its refusals.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Client, control_path, plain_leg, rtp};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::Duration;
use tandem_control::*;

fn dataplane(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem-dataplane"));
    command.args(arguments).stderr(Stdio::piped());
    command
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
    let ports = ["--ip-local", "127.0.0.1", "--media-ports", "41301-41340", "--workers", "2"];
    let mut process = dataplane(&[&["--control", control], &ports[..]].concat()).spawn().unwrap();
    let (mut client, _) = Client::connect(&path);
    let (session, local) = client.create(b"");
    let [peer, rtcp] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    rtcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut leg = plain_leg(peer.local_addr().unwrap());
    leg.remote = Some(Remote { rtp: peer.local_addr().unwrap(), rtcp: rtcp.local_addr().unwrap() });
    for side in [Side::A, Side::B] {
        let configure = Request::Configure { session, side, leg: Box::new(leg.clone()) };
        assert_eq!(client.ask(configure), Ok(Reply::Done));
    }
    // A packet goes through, so there is a stream to say goodbye for.
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for sequence in 0..3 {
        peer.send_to(&rtp(sequence, 1), local[0].rtp).unwrap();
        peer.recv_from(&mut [0; 1500]).unwrap();
    }
    kill(Pid::from_raw(process.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(0));
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
    for (arguments, words) in [
        (["--ip-local", "0.0.0.0", "--media-ports", "41401-41440"], "wildcard"),
        (["--ip-local", "192.0.2.1", "--media-ports", "41401-41440"], "not an address of this host"),
        (["--ip-local", "127.0.0.1", "--media-ports", "41401-41402"], "at least 4 ports"),
        (["--ip-local", "127.0.0.1", "--media-ports", "x"], "not a port range"),
    ] {
        let output = dataplane(&[&["--control", control], &arguments[..]].concat()).output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(words), "{said}");
    }
}
