//! tandem-signaling: the process that decides.

use clap::Parser;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use tandem_signaling::config::Config;
use tandem_signaling::server;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// SIP, WebSocket and pages; media is the dataplane's.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration; without one, the embedded defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where keys and generated passwords are kept, instead of the configuration's `state_directory`.
    #[arg(long, value_name = "DIRECTORY")]
    state: Option<PathBuf>,
    /// Only check the configuration: prints OK, or what is wrong, with its line.
    #[arg(long)]
    check_config: bool,
    /// What to log, instead of the configuration's `[log] level`: error, warn, info, debug, trace.
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::load(arguments.config.as_deref(), arguments.state.as_deref())?;
    if arguments.check_config {
        println!("OK");
        return Ok(());
    }
    let filter = EnvFilter::try_new(arguments.log.as_deref().unwrap_or(&config.log_level))?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(server::run(config))?;
    Ok(())
}
