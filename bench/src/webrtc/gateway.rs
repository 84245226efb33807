//! Gateways as this generator starts them: whole Tandem, and Janus with its SIP plugin, each on the measured core.

mod janus;
mod tandem;

use crate::measure::process::{Measured, Usage};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use tandem::configuration;

/// How long a gateway may take to start.
const START: Duration = Duration::from_secs(10);
const HTTP_PORT: u16 = 8090;
const SIP_PORT: u16 = 5070;

/// Which gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tandem,
    Janus,
}

/// Where a gateway stands and whom it serves.
pub(crate) struct Place<'a> {
    pub(crate) address: IpAddr,
    pub(crate) domain: &'a str,
    pub(crate) password: &'a str,
}

/// A gateway that was started here; it ends with this.
pub(crate) struct Gateway {
    processes: Vec<Measured>,
    directory: PathBuf,
    /// Its WebSocket.
    pub(crate) url: String,
    /// Where telephones register.
    pub(crate) sip: SocketAddr,
}

impl Gateway {
    /// Starts a gateway, with `users` users of each role, from its program or, for Tandem, the folder of its programs.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) fn start(kind: Kind, program: &Path, place: &Place<'_>, users: usize) -> io::Result<Gateway> {
        let directory = std::env::temp_dir().join(format!("tandem-bench-{:016x}", fastrand::u64(..)));
        std::fs::create_dir(&directory)?;
        let http = SocketAddr::new(place.address, HTTP_PORT);
        let mut gateway = Gateway {
            processes: Vec::new(),
            directory,
            url: format!("ws://{http}/"),
            sip: SocketAddr::new(place.address, SIP_PORT),
        };
        let commands = match kind {
            Kind::Tandem => tandem::commands(program, &gateway.directory, place, users)?,
            Kind::Janus => janus::commands(program, &gateway.directory, place.address)?,
        };
        for (name, command) in commands {
            let log = gateway.directory.join(format!("{name}.log"));
            gateway.processes.push(Measured::start(command, Some(&log))?);
        }
        gateway.wait(http)?;
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
