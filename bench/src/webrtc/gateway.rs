//! Gateways as this generator starts them: whole Tandem, and Janus with its SIP plugin, each on the measured core.

mod janus;
mod tandem;

use super::options::Options;
use super::signaling::Protocol;
use crate::measure::process::{Measured, Usage};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use tandem::configuration;

/// How long a gateway may take to start.
const START: Duration = Duration::from_secs(10);
const HTTP_PORT: u16 = 8090;
const SIP_PORT: u16 = 5070;

/// A gateway that was started here; it ends with this.
pub(crate) struct Gateway {
    processes: Vec<Measured>,
    directory: PathBuf,
}

impl Gateway {
    /// Starts the gateway that `options` speak to, from `program`, and points `options` to it.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) fn start(options: &mut Options, program: &Path) -> io::Result<Gateway> {
        let directory = std::env::temp_dir().join(format!("tandem-bench-{:016x}", fastrand::u64(..)));
        std::fs::create_dir(&directory)?;
        let mut gateway = Gateway { processes: Vec::new(), directory };
        let is_janus = options.protocol == Protocol::Janus;
        let commands = if is_janus {
            janus::commands(program, &gateway.directory, options.local)?
        } else {
            tandem::commands(program, &gateway.directory, options)?
        };
        for (name, command) in commands {
            let log = gateway.directory.join(format!("{name}.log"));
            gateway.processes.push(Measured::start(command, Some(&log))?);
        }
        options.url = format!("ws://{}/", SocketAddr::new(options.local, HTTP_PORT));
        options.sip_server = SocketAddr::new(options.local, SIP_PORT);
        gateway.wait(SocketAddr::new(options.local, HTTP_PORT))?;
        Ok(gateway)
    }

    /// Waits until it listens, and its own processes have found each other.
    fn wait(&self, address: SocketAddr) -> io::Result<()> {
        let patience = Instant::now() + START;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > patience {
                return Err(self.failure("the gateway does not listen"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // Signaling listens before the dataplane has answered its greeting.
        std::thread::sleep(Duration::from_millis(500));
        Ok(())
    }

    /// What all its processes have used.
    ///
    /// # Errors
    /// If one of them is no longer there.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let sum = self.processes.iter().try_fold(Usage::default(), |sum, process| Ok(sum + process.usage()?));
        sum.map_err(|error: io::Error| self.failure(&format!("the gateway has ended ({error})")))
    }

    /// An error with what the gateway has logged.
    fn failure(&self, what: &str) -> io::Error {
        let files =
            std::fs::read_dir(&self.directory).into_iter().flatten().flatten().map(|entry| entry.path());
        let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        let texts: Vec<String> = logs.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
        io::Error::other(format!("{what}: {}", texts.join("\n")))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.processes.clear();
        std::fs::remove_dir_all(&self.directory).ok();
    }
}
