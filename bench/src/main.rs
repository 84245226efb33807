//! Measures Tandem, side by side with the relays it replaces: generators of load, and suites of measurements.

mod instructions;
mod measure;
mod media;
mod ng;
mod packet_path;
mod relay;
mod rtp_load;
mod sip;
mod speech;
mod stamp;
mod suite;
mod webrtc;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Measures Tandem, side by side with the relays it replaces")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Calls of RTP or SRTP through a relay that speaks NG.
    Rtp(rtp_load::Arguments),
    /// A SIP load: registrations, calls with media, re-INVITE, hold, transfer, CANCEL, MESSAGE.
    Sip(Box<sip::options::Options>),
    /// Instructions per packet of the media core, counted by callgrind, beside the committed counts.
    Instructions(instructions::Arguments),
    /// Named measurements of Tandem beside rtpengine, kept with plots.
    Suite(suite::Arguments),
    /// A load of browsers: WebSocket, ICE, DTLS-SRTP; calls to each other or to telephones.
    Webrtc(Box<webrtc::options::Options>),
}

fn main() -> ExitCode {
    measure::stop::on_signals();
    let result = match Arguments::parse().command {
        Command::Rtp(arguments) => rtp_load::run(&arguments),
        Command::Sip(options) => sip::run(&options),
        Command::Instructions(arguments) => instructions::run(&arguments),
        Command::Suite(arguments) => suite::run(&arguments),
        Command::Webrtc(options) => webrtc::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tandem-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
