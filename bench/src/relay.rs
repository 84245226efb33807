//! The relays under measurement: each with one worker or thread, on the relay's core, driven over NG.

use crate::measure::process::{Measured, Usage};
use crate::media::Codec;
use crate::ng::{self, Client, Shape, Transport};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long a relay may take until it carries calls.
const START: Duration = Duration::from_secs(10);

/// Which relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Tandem.
    Tandem,
    /// rtpengine in userspace.
    Rtpengine,
}

impl Kind {
    /// As tables and results name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Tandem => "tandem",
            Kind::Rtpengine => "rtpengine",
        }
    }
}

/// Where the relays' programs are.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Programs {
    /// The folder with tandem, tandem-signaling and tandem-dataplane
    #[arg(long, default_value = "target/release")]
    pub(crate) tandem: PathBuf,
    /// rtpengine
    #[arg(long, default_value = "/usr/bin/rtpengine")]
    pub(crate) rtpengine: PathBuf,
}

impl Programs {
    /// Whether the relay's program is there.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Tandem => self.tandem.join("tandem").exists(),
            Kind::Rtpengine => self.rtpengine.exists(),
        }
    }
}

/// A running relay; ended when it goes.
pub(crate) struct Relay {
    process: Measured,
    /// Its NG port.
    pub(crate) client: Client,
    directory: PathBuf,
}

impl Relay {
    /// Starts one that can carry `calls` calls, and waits until it answers.
    ///
    /// # Errors
    /// If it cannot be started or does not answer; what it printed is in the error.
    pub(crate) fn start(kind: Kind, programs: &Programs, calls: usize) -> io::Result<Relay> {
        let directory = std::env::temp_dir().join(format!("tandem-bench-{:016x}", fastrand::u64(..)));
        fs::create_dir(&directory)?;
        let log = directory.join("log");
        // The port is free again at once, and nobody else takes one of these in between.
        let control = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let started = match kind {
            Kind::Tandem => tandem(&programs.tandem, &directory, control, calls),
            Kind::Rtpengine => Ok(rtpengine(&programs.rtpengine, control)),
        };
        let connected = started
            .and_then(|command| Measured::start(command, Some(&log)))
            .and_then(|process| Ok((process, Client::connect(control)?)))
            .and_then(|(process, mut client)| try_call(&mut client).map(|()| (process, client)));
        match connected {
            Ok((process, client)) => Ok(Relay { process, client, directory }),
            Err(error) => {
                let printed = fs::read_to_string(&log).unwrap_or_default();
                fs::remove_dir_all(&directory).ok();
                Err(io::Error::other(format!("{}: {error}\n{printed}", kind.name())))
            }
        }
    }

    /// What all its processes have used.
    ///
    /// # Errors
    /// If they are no longer there.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        self.process.usage()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).ok();
    }
}

/// Sets up a call and takes it down, again until the relay does it: one of several processes may answer before the others
/// are there.
fn try_call(client: &mut Client) -> io::Result<()> {
    let side = (Codec::Pcmu, Transport::Rtp);
    let patience = Instant::now() + START;
    loop {
        match ng::open_silent(client, Shape { a: side, b: side }, "trial") {
            Ok(()) => return client.ask(&ng::delete("trial")).map(drop),
            Err(error) if Instant::now() > patience => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// The ports that a relay may use for media, and those that Tandem has at least.
const PORTS: (u16, u16) = (20_000, 32_000);
/// The sockets that one worker of Tandem may have, below the usual limit on open files.
const SOCKETS_PER_WORKER: usize = 18_000;

fn tandem(folder: &Path, directory: &Path, control: SocketAddr, calls: usize) -> io::Result<Command> {
    let config = directory.join("tandem.toml");
    // RTP and RTCP for both legs, and a tenth for ports that rest after a call.
    let sockets = 4 * calls + calls / 2 + 100;
    let last = PORTS.0.saturating_add(u16::try_from(sockets).unwrap_or(u16::MAX)).max(PORTS.1);
    // The launcher asks there whether both processes are ready.
    let health = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let workers = sockets.div_ceil(SOCKETS_PER_WORKER);
    let text = format!(
        "ip = [\"127.0.0.1\"]\nip_local = [\"127.0.0.1\"]\nstate_directory = \"{}\"\n\
         [ng]\nudp = \"{control}\"\nhttp = \"{health}\"\n\
         [media]\nports = \"{}-{last}\"\nworkers = {workers}\n",
        directory.display(),
        PORTS.0,
    );
    fs::write(&config, text)?;
    let mut command = Command::new(folder.join("tandem"));
    command.args(["--relay", "--log", "error", "--config"]).arg(config);
    Ok(command)
}

fn rtpengine(program: &Path, control: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command.args(["--foreground", "--table=-1", "--interface=127.0.0.1", "--num-threads=1", "--log-level=2"]);
    command.args(["--log-stderr", "--config-file=none"]).arg(format!("--listen-ng={control}"));
    command.args([format!("--port-min={}", PORTS.0), "--port-max=60000".to_owned()]);
    command
}
