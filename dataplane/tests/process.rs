//! The program itself: its start, its end, its refusals.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Client, control_path, plain_leg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use tandem_control::*;

fn dataplane(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem-dataplane"));
    command.args(arguments).stderr(Stdio::piped());
    command
}

#[test]
fn stops_cleanly_when_told() {
    let path = control_path("process");
    let control = path.to_str().unwrap();
    let ports = ["--ip-local", "127.0.0.1", "--media-ports", "41301-41340", "--workers", "2"];
    let mut process = dataplane(&[&["--control", control], &ports[..]].concat()).spawn().unwrap();
    let (mut client, _) = Client::connect(&path);
    let (session, _) = client.create(b"");
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let leg = Box::new(plain_leg(peer.local_addr().unwrap()));
    assert_eq!(client.ask(Request::Configure { session, side: Side::A, leg }), Ok(Reply::Done));
    kill(Pid::from_raw(process.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(0));
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
