//! What the SIP generator can be asked for.

use crate::media::Codec;
use clap::{Args, Parser, ValueEnum};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Which ends of the calls are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Caller,
    Callee,
    Both,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Talks, and the caller hangs up.
    Basic,
    /// One re-INVITE in the middle.
    Reinvite,
    /// Held for the second third of the call.
    Hold,
    /// REFER to another callee in the middle.
    Transfer,
    /// Cancelled about when it is answered.
    Cancel,
    /// No calls: MESSAGE.
    Message,
}

/// What is sent in calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sound {
    /// Packets of our own.
    Generate,
    /// What came, back to where it came from.
    Echo,
    /// Nothing, and nothing is expected.
    None,
}

/// A SIP load.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The server, or a peer that is called directly.
    #[arg(long, default_value = "127.0.0.1:5060")]
    pub(crate) server: SocketAddr,
    /// The address that users are reached at.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) local: IpAddr,
    /// UDP port of the callers, or of the callees if there are no callers; the callees of `both` take the next. 0: any.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// The users' domain.
    #[arg(long, default_value = "bench.test")]
    pub(crate) domain: String,
    /// Users of each role: caller0, caller1, ... and callee0, callee1, ...
    #[arg(long, default_value_t = 10)]
    pub(crate) users: usize,
    /// The password of all users.
    #[arg(long, default_value = "bench", hide_default_value = true)]
    pub(crate) password: String,
    #[arg(long, value_enum, default_value_t = Role::Both)]
    pub(crate) role: Role,
    #[arg(long, value_enum, default_value_t = Scenario::Basic)]
    pub(crate) scenario: Scenario,
    /// A user or URI that every caller calls. Default: caller N calls callee N.
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Users do not register.
    #[arg(long)]
    pub(crate) no_register: bool,
    /// Registrations a second.
    #[arg(long, default_value_t = 100.0)]
    pub(crate) register_rate: f64,
    /// Calls (or messages) a second.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) rate: f64,
    /// Calls (or messages) in all.
    #[arg(long, default_value_t = 100)]
    pub(crate) calls: u64,
    /// Calls at once; further ones wait.
    #[arg(long, default_value_t = 4000)]
    pub(crate) limit: usize,
    /// Seconds from answer to BYE.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) hold: f64,
    /// Milliseconds that callees ring.
    #[arg(long, default_value_t = 0)]
    pub(crate) ring: u64,
    #[arg(long, value_enum, default_value_t = Sound::Generate)]
    pub(crate) media: Sound,
    #[arg(long, value_enum, default_value_t = Codec::Pcmu)]
    pub(crate) codec: Codec,
    /// Send each 20 ms packet of so many only once: 5 means ten packets a second, for calls beyond what cores carry.
    #[arg(long, default_value_t = 1)]
    pub(crate) thin: u32,
    /// Seconds after which everything is hung up, whatever is still to do.
    #[arg(long, default_value_t = 300.0)]
    pub(crate) time: f64,
    /// Only prints a configuration of Tandem with these users.
    #[arg(long)]
    pub(crate) print_config: bool,
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
        Nothing::parse_from(["sip"]).options
    }
}

impl Options {
    /// From answer to BYE.
    pub(crate) fn hold(&self) -> Duration {
        Duration::from_secs_f64(self.hold.clamp(0.0, 86_400.0))
    }
}
