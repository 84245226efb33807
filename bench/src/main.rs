//! Measures Tandem's dataplane beside rtpengine: the same calls, the same generator, in one run, interleaved.

mod load;
mod measure;
mod ng;
mod relay;
mod rtpengine;
mod sip;
mod stamp;
mod tandem;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Measures Tandem, side by side with the relays it replaces")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// CPU per relayed packet and memory per call, beside rtpengine in userspace.
    Relay(RelayArguments),
    /// A SIP load: registrations, calls with media, re-INVITE, hold, transfer, CANCEL, MESSAGE.
    Sip(Box<sip::options::Options>),
}

/// What `relay` measures.
#[derive(Parser)]
struct RelayArguments {
    /// Calls at once; each sends 50 packets a second both ways.
    #[arg(long, default_value_t = 200)]
    calls: usize,
    /// Seconds that each round is measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds of each relay in each mode; the relays take turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Tandem's dataplane.
    #[arg(long, default_value = "target/release/tandem-dataplane")]
    dataplane: PathBuf,
    /// rtpengine.
    #[arg(long, default_value = "/usr/bin/rtpengine")]
    rtpengine: PathBuf,
    /// Appends one JSON line a mode to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    measure::stop::on_signals();
    let result = match Arguments::parse().command {
        Command::Relay(arguments) => relay::run(&arguments),
        Command::Sip(options) => sip::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
