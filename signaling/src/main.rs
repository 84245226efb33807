//! tandem-signaling: the process that decides.

use clap::Parser;
use std::io::IsTerminal;
use std::process::ExitCode;
use tandem_signaling::options::Options;
use tandem_signaling::server;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// SIP, NG, WebSocket and pages; media is the dataplane's.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Only check the configuration: prints OK, or what is wrong, with its line.
    #[arg(long)]
    check_config: bool,
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
    let config = arguments.options.load()?;
    if arguments.check_config {
        println!("OK");
        return Ok(());
    }
    let filter = EnvFilter::try_new(arguments.options.log_level(&config))?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(server::run(config))?;
    Ok(())
}
