//! `tandem-dataplane`: moves packets, as told over its control socket.

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use std::error::Error;
use std::io::IsTerminal;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tandem_dataplane::dataplane::Dataplane;
use tandem_dataplane::files::FileSettings;
use tandem_dataplane::ports::PortRange;
use tandem_dataplane::settings::Settings;
use tandem_media::dtls::Identity;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// More than this would be heard.
const MAX_GATHER_US: u64 = 1000;

/// Moves the media packets of Tandem.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The path of the control socket (Unix, SEQPACKET)
    #[arg(long)]
    control: PathBuf,
    /// A local address for media; may be given several times
    #[arg(long, required = true)]
    ip_local: Vec<IpAddr>,
    /// The UDP ports for media
    #[arg(long, default_value = "31001-32000")]
    media_ports: PortRange,
    /// How many workers; as many as there are cores if not given
    #[arg(long)]
    workers: Option<usize>,
    /// How many sessions there may be at once
    #[arg(long, default_value_t = 2000)]
    max_sessions: u32,
    /// Pin each worker to a core of its own
    #[arg(long)]
    pin: bool,
    /// Under load, for how many microseconds a packet may wait for others, so that a worker wakes up for several of
    /// them: that much more delay for somewhat less CPU time; 0: none waits
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=MAX_GATHER_US))]
    gather_us: u64,
    /// The directory below which announcements are; without it no files are played
    #[arg(long)]
    announcements: Option<PathBuf>,
    /// The directory below which recordings are made; without it nothing is recorded
    #[arg(long)]
    recordings: Option<PathBuf>,
    /// What to log, as in `info` or `tandem_dataplane=debug`
    #[arg(long, default_value = "info")]
    log: String,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tandem-dataplane: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&arguments.log)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    abort_on_panic();
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    // Before any thread is made, so that they inherit the mask and the signals wait for us below.
    signals.thread_block()?;
    // A recording that reaches a limit on the size of files is told so by an error, not by the end of the process.
    SigSet::from_iter([Signal::SIGXFSZ]).thread_block()?;
    let open_files = raise_open_files()?;
    let settings = Settings {
        control: arguments.control,
        addresses: arguments.ip_local,
        media_ports: arguments.media_ports,
        workers: match arguments.workers {
            Some(workers) => workers,
            None => std::thread::available_parallelism()?.get(),
        },
        max_sessions: arguments.max_sessions,
        pin: arguments.pin,
        gather: Duration::from_micros(arguments.gather_us),
        files: FileSettings { announcements: arguments.announcements, recordings: arguments.recordings },
    };
    let identity = Arc::new(Identity::generate()?);
    let dataplane = Dataplane::start(&settings, identity, open_files)?;
    tracing::info!(workers = settings.workers, ports = %settings.media_ports, "serving");
    let signal = signals.wait()?;
    tracing::info!(%signal, "stopping");
    dataplane.stop();
    Ok(())
}

/// A panic anywhere is a defect, and a process without one of its threads would leave calls dead without a word:
/// the process aborts, and the service manager starts it anew. Only a panic of the DTLS engine is caught, and costs one handshake.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        if !tandem_media::dtls::is_engine_guarded() {
            std::process::abort();
        }
    }));
}

/// Raises the limit on open files as far as it goes.
fn raise_open_files() -> Result<u64, nix::Error> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}
