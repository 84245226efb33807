//! What the WebRTC load can be asked for.

use super::signaling::Protocol;
use crate::media::Codec;
use clap::{Args, Parser, ValueEnum};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Whom the clients call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// One client calls another.
    Pairs,
    /// Each client calls a telephone: the SIP generator's callees, with plain RTP.
    Phones,
}

/// A load of browsers.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The gateway's WebSocket.
    #[arg(long, default_value = "ws://127.0.0.1:8080/")]
    pub(crate) url: String,
    /// What the pages speak.
    #[arg(long, value_enum, default_value_t = Protocol::Sip)]
    pub(crate) protocol: Protocol,
    #[arg(long, value_enum, default_value_t = Mode::Phones)]
    pub(crate) mode: Mode,
    /// Calls; of pairs there are twice as many clients.
    #[arg(long, default_value_t = 20)]
    pub(crate) calls: usize,
    /// Logins, then calls, a second.
    #[arg(long, default_value_t = 20.0)]
    pub(crate) rate: f64,
    /// Seconds that all calls stand together.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) hold: f64,
    #[arg(long, value_enum, default_value_t = Codec::Pcmu)]
    pub(crate) codec: Codec,
    /// Where telephones register; with Janus nowhere, they are called directly.
    #[arg(long, default_value = "127.0.0.1:5060")]
    pub(crate) sip_server: SocketAddr,
    /// The address of all clients and telephones.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) local: IpAddr,
    #[arg(long, default_value = "bench.test")]
    pub(crate) domain: String,
    /// The password of all users.
    #[arg(long, default_value = "bench", hide_default_value = true)]
    pub(crate) password: String,
    /// Starts the gateway first: for Tandem the folder of its programs, for Janus its program.
    #[arg(long)]
    pub(crate) start: Option<PathBuf>,
    /// In a network namespace of its own (needs root): Janus does not speak to loopback addresses.
    #[arg(long, requires = "start")]
    pub(crate) own_network: bool,
    /// Appends one JSON line to this file.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// No progress while running.
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// What no argument changes.
impl Default for Options {
    fn default() -> Options {
        #[derive(Parser)]
        struct Nothing {
            #[command(flatten)]
            options: Options,
        }
        let mut options = Nothing::parse_from(["webrtc"]).options;
        options.quiet = true;
        options
    }
}

impl Options {
    /// How long all calls stand together.
    pub(crate) fn hold(&self) -> Duration {
        Duration::from_secs_f64(self.hold.clamp(0.0, 86_400.0))
    }

    /// Between two logins or calls.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate.clamp(0.01, 10_000.0))
    }

    /// How many pages there are.
    pub(crate) fn clients(&self) -> usize {
        if self.mode == Mode::Pairs { 2 * self.calls } else { self.calls }
    }
}
