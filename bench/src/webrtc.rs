//! The WebRTC load: thousands of browser-like clients (WebSocket, ICE, DTLS-SRTP) without a browser.

mod board;
mod client;
pub(crate) mod description;
pub(crate) mod gateway;
pub(crate) mod load;
pub(crate) mod network;
pub(crate) mod options;
pub(crate) mod peer;
mod report;
pub(crate) mod signaling;

use crate::measure::process::leave_relay_core;
use crate::measure::report::json_line;
use gateway::{Gateway, Kind, Place};
use load::Outcome;
use options::Options;
use signaling::Protocol;
use std::io;

/// Runs one load, against a gateway that is there or that it starts.
///
/// # Errors
/// If the gateway does not start, or sockets cannot be opened.
pub(crate) fn measure(options: &Options) -> io::Result<Outcome> {
    let mut options = options.clone();
    match options.start.clone() {
        None => load::run(&options, None),
        Some(program) => {
            leave_relay_core();
            let kind = if options.protocol == Protocol::Janus { Kind::Janus } else { Kind::Tandem };
            let place =
                Place { address: options.local, domain: &options.domain, password: &options.password };
            let gateway = Gateway::start(kind, &program, &place, options.calls)?;
            options.url.clone_from(&gateway.url);
            options.sip_server = gateway.sip;
            load::run(&options, Some(&|| gateway.usage()))
        }
    }
}

/// Runs one load and prints what it found.
///
/// # Errors
/// If it could not be run, or anything failed.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let mut options = options.clone();
    if options.own_network {
        network::enter()?;
        options.local = network::ADDRESS;
    }
    let options = &options;
    let outcome = measure(options)?;
    print!("{}", outcome.table(options));
    if let Some(path) = &options.json {
        json_line(Some(path), &outcome.json(options))?;
    }
    match outcome.failed(options) {
        0 => Ok(()),
        failed => Err(io::Error::other(format!("{failed} failed"))),
    }
}
