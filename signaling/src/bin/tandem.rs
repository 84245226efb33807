//! tandem: starts both processes, keeps them running, and says how to reach them.

use clap::{Parser, Subcommand};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};
use tandem_signaling::banner;
use tandem_signaling::config::Config;
use tandem_signaling::options::Options;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

/// For both processes to become ready.
const READY_DEADLINE: Duration = Duration::from_secs(20);
/// Between looks whether they are.
const READY_POLL: Duration = Duration::from_millis(50);
/// Before a process that died is started again: first and longest wait.
const RESTART: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// A process that lived so long starts again after the first wait.
const STEADY: Duration = Duration::from_secs(60);
/// For a process to end by itself when it is told to.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// A gateway between browsers and SIP telephones.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Only check a configuration: prints OK, or what is wrong, with its line.
    CheckConfig {
        /// The configuration.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.verb {
        Some(Verb::CheckConfig { file }) => check(&arguments.options, file),
        None => start(&arguments.options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check(options: &Options, file: &Path) -> Result<(), Box<dyn Error>> {
    options.load_file(Some(file))?;
    println!("OK");
    Ok(())
}

fn start(options: &Options) -> Result<(), Box<dyn Error>> {
    let config = options.load()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(supervise(options, &config))
}

/// Runs both processes until told to end.
async fn supervise(options: &Options, config: &Config) -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    std::fs::create_dir_all(config.media.control.parent().unwrap_or(Path::new(".")))?;
    if let Some(recordings) = &config.media.files.recordings {
        std::fs::create_dir_all(recordings)?;
    }
    let mut dataplane = Process::new("tandem-dataplane", dataplane_arguments(options, config))?;
    let mut signaling = Process::new("tandem-signaling", options.to_arguments())?;

    let ready = tokio::select! {
        ready = become_ready(config) => ready.map(|()| true),
        status = dataplane.child.wait() => Err(dataplane.died_early(status)),
        status = signaling.child.wait() => Err(signaling.died_early(status)),
        _ = terminate.recv() => Ok(false),
        _ = interrupt.recv() => Ok(false),
    };
    if let Ok(true) = ready {
        print!("{}", banner::text(config, options.config.as_deref())?);
        tokio::select! {
            () = dataplane.keep_running() => {}
            () = signaling.keep_running() => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    // Signaling first: it can still tell the dataplane what it has to.
    signaling.end().await;
    dataplane.end().await;
    ready.map(|_| ())
}

fn dataplane_arguments(options: &Options, config: &Config) -> Vec<String> {
    let media = &config.media;
    let mut list = vec!["--control".to_owned(), media.control.display().to_string()];
    for ip in config.media_addresses() {
        list.extend(["--ip-local".to_owned(), ip.to_string()]);
    }
    list.extend(["--media-ports".to_owned(), format!("{}-{}", media.ports.0, media.ports.1)]);
    if let Some(workers) = media.workers {
        list.extend(["--workers".to_owned(), workers.to_string()]);
    }
    if media.pin {
        list.push("--pin".to_owned());
    }
    list.extend(["--max-sessions".to_owned(), media.sessions.to_string()]);
    let directories =
        [("--announcements", &media.files.announcements), ("--recordings", &media.files.recordings)];
    for (option, directory) in directories {
        if let Some(directory) = directory {
            list.extend([option.to_owned(), directory.display().to_string()]);
        }
    }
    list.extend(["--log".to_owned(), options.log_level(config).to_owned()]);
    list
}

/// Waits until signaling serves and the dataplane is there.
async fn become_ready(config: &Config) -> Result<(), Box<dyn Error>> {
    let healthy = async {
        while !banner::is_healthy(config).await {
            sleep(READY_POLL).await;
        }
    };
    timeout(READY_DEADLINE, healthy).await.map_err(|_| {
        let seconds = READY_DEADLINE.as_secs();
        format!(
            "signaling and dataplane did not become ready within {seconds} seconds; their messages are above"
        )
        .into()
    })
}

/// One of the two processes.
struct Process {
    name: &'static str,
    path: PathBuf,
    arguments: Vec<String>,
    child: Child,
}

impl Process {
    fn new(name: &'static str, arguments: Vec<String>) -> Result<Process, Box<dyn Error>> {
        let path = std::env::current_exe()?.with_file_name(name);
        let child = spawn(&path, &arguments)
            .map_err(|error| format!("{} cannot be started: {error}", path.display()))?;
        Ok(Process { name, path, arguments, child })
    }

    fn died_early(&self, status: io::Result<ExitStatus>) -> Box<dyn Error> {
        format!("{} could not start ({}); its message is above", self.name, describe(status)).into()
    }

    /// Starts the process again whenever it dies.
    async fn keep_running(&mut self) {
        let mut wait = RESTART.0;
        loop {
            let started = Instant::now();
            let status = describe(self.child.wait().await);
            eprintln!("{} died ({status}); it is started again", self.name);
            wait = if started.elapsed() > STEADY { RESTART.0 } else { (wait * 2).min(RESTART.1) };
            loop {
                sleep(wait).await;
                match spawn(&self.path, &self.arguments) {
                    Ok(child) => {
                        self.child = child;
                        break;
                    }
                    Err(error) => eprintln!("{} cannot be started: {error}", self.name),
                }
                wait = (wait * 2).min(RESTART.1);
            }
        }
    }

    /// Tells the process to end and waits; one that does not is killed.
    async fn end(&mut self) {
        if let Some(id) = self.child.id().and_then(|id| libc::pid_t::try_from(id).ok()) {
            // SAFETY: kill takes two integers. The child was not waited for yet, so the id is still its own.
            unsafe { libc::kill(id, libc::SIGTERM) };
        }
        if timeout(END_DEADLINE, self.child.wait()).await.is_err() {
            // The only error is that it has ended by now.
            let _ = self.child.kill().await;
        }
    }
}

fn describe(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// In a process group of its own, so that a terminal's Ctrl-C reaches only us and the order of ending is ours; and told
/// to end by the kernel when we die without a chance to do so, so that nothing of us is left.
///
/// The kernel watches the thread that spawns, not the process: it must be the main one.
fn spawn(path: &Path, arguments: &[String]) -> io::Result<Child> {
    let launcher = libc::pid_t::try_from(std::process::id()).map_err(io::Error::other)?;
    let mut command = Command::new(path);
    command.args(arguments).process_group(0).kill_on_drop(true);
    // SAFETY: the closure runs between fork and exec, and only makes system calls; it neither allocates nor locks.
    unsafe { command.pre_exec(move || end_with(launcher)) };
    command.spawn()
}

/// Has this process told to end when its parent dies.
fn end_with(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: prctl and getppid take and return integers.
    let (refused, now) =
        unsafe { (libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) != 0, libc::getppid()) };
    if refused {
        return Err(io::Error::last_os_error());
    }
    match now == parent {
        true => Ok(()),
        // It died before the kernel was asked.
        false => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    }
}
