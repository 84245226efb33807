//! The SIP generator: users that register, call, answer, and do what telephones do, at a set rate.

pub(crate) mod agent;
mod call;
pub(crate) mod event;
pub(crate) mod generator;
pub(crate) mod media;
pub(crate) mod message;
pub(crate) mod options;
pub(crate) mod report;
mod sdp;
mod transaction;

use crate::measure::report::json_line;
use crate::webrtc::gateway;
use generator::{Control, Generator};
use options::Options;
use std::io;

/// Runs one load and prints what it found.
///
/// # Errors
/// If a socket cannot be opened, anything failed, or the results cannot be written.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    if options.print_config {
        print!(
            "{}",
            gateway::configuration(options.local, &options.domain, &options.password, options.users)
        );
        return Ok(());
    }
    let report = Generator::new(options.clone())?.run(&Control::default())?;
    print!("{}", report.table());
    if let Some(path) = &options.json {
        json_line(Some(path), &report.json(options))?;
    }
    match report.failed() {
        0 => Ok(()),
        failed => Err(io::Error::other(format!("{failed} failed"))),
    }
}
