//! What the process is told, checked before anything starts.

use crate::files::FileSettings;
use crate::ports::{MIN_PORTS, PortRange};
use crate::worker::{MAX_WORKERS, max_sockets};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// The most local addresses: each takes a socket of each worker.
pub const MAX_ADDRESSES: usize = 64;

/// The settings of the dataplane.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The path of the control socket.
    pub control: PathBuf,
    /// The local addresses for media, at most [`MAX_ADDRESSES`]. Each worker has its part of the ports on each.
    pub addresses: Vec<IpAddr>,
    /// The UDP ports for media, divided among the workers.
    pub media_ports: PortRange,
    /// How many workers.
    pub workers: usize,
    /// How many sessions there may be at once, over all workers.
    pub max_sessions: u32,
    /// Whether each worker is pinned to a core of its own.
    pub pin: bool,
    /// How long a datagram may wait for others under load, so that a worker wakes up for several; zero for not at all.
    pub gather: Duration,
    /// Where files are that are played and recorded.
    pub files: FileSettings,
}

/// Why settings cannot work.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// There is no local address.
    #[error("no local address: give --ip-local")]
    NoAddress,
    /// A wildcard address: a packet must leave from the address that it was sent to.
    #[error("--ip-local {0} is a wildcard: give the address itself")]
    Wildcard(IpAddr),
    /// An address twice.
    #[error("--ip-local {0} is given twice")]
    Twice(IpAddr),
    /// Too many addresses.
    #[error("{0} local addresses: {MAX_ADDRESSES} are the most")]
    TooManyAddresses(usize),
    /// The address belongs to another host.
    #[error("--ip-local {address} is not an address of this host: {error}")]
    NotLocal {
        /// The address.
        address: IpAddr,
        /// What the system said.
        error: io::Error,
    },
    /// No worker, or too many.
    #[error("--workers {0}: must be from 1 to {MAX_WORKERS}")]
    Workers(usize),
    /// The port range does not suffice.
    #[error("--media-ports {ports}: {workers} workers need at least {MIN_PORTS} ports each")]
    TooFewPorts {
        /// The range.
        ports: PortRange,
        /// The workers.
        workers: usize,
    },
    /// No session at all.
    #[error("--max-sessions must not be 0")]
    NoSessions,
    /// Every socket counts against the limit on open files.
    #[error(
        "each worker may open {sockets} sockets, but the limit on open files is {limit}: raise it (LimitNOFILE), or lower --max-sessions"
    )]
    OpenFiles {
        /// What the settings ask for.
        sockets: u64,
        /// The hard limit.
        limit: u64,
    },
}

impl Settings {
    /// Checks that the settings can work on this host, where each process may open `open_files` files.
    ///
    /// # Errors
    /// [`SettingsError`] says what cannot.
    pub fn check(&self, open_files: u64) -> Result<(), SettingsError> {
        if self.addresses.is_empty() {
            return Err(SettingsError::NoAddress);
        }
        if self.addresses.len() > MAX_ADDRESSES {
            return Err(SettingsError::TooManyAddresses(self.addresses.len()));
        }
        for (index, &address) in self.addresses.iter().enumerate() {
            if address.is_unspecified() {
                return Err(SettingsError::Wildcard(address));
            }
            if self.addresses[..index].contains(&address) {
                return Err(SettingsError::Twice(address));
            }
            UdpSocket::bind(SocketAddr::new(address, 0))
                .map_err(|error| SettingsError::NotLocal { address, error })?;
        }
        if self.workers == 0 || self.workers > MAX_WORKERS {
            return Err(SettingsError::Workers(self.workers));
        }
        let too_few = SettingsError::TooFewPorts { ports: self.media_ports, workers: self.workers };
        let part = self.media_ports.part(0, self.workers).ok_or(too_few)?;
        if self.max_sessions == 0 {
            return Err(SettingsError::NoSessions);
        }
        let sockets = max_sockets(self.addresses.len(), part, self.sessions_per_worker()) as u64;
        if sockets > open_files {
            return Err(SettingsError::OpenFiles { sockets, limit: open_files });
        }
        Ok(())
    }

    /// How many sessions one worker holds at most.
    pub fn sessions_per_worker(&self) -> usize {
        self.max_sessions.div_ceil(u32::try_from(self.workers).unwrap_or(u32::MAX)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: u64 = 10_000;

    fn settings() -> Settings {
        Settings {
            control: PathBuf::from("/nowhere"),
            addresses: vec!["127.0.0.1".parse().unwrap()],
            media_ports: PortRange::new(31001, 31100).unwrap(),
            workers: 2,
            max_sessions: 10,
            pin: false,
            gather: Duration::ZERO,
            files: FileSettings::default(),
        }
    }

    #[test]
    fn good_settings_pass() {
        settings().check(FILES).unwrap();
    }

    #[test]
    fn open_files_are_for_the_sessions_not_for_every_port_of_every_address() {
        let mut settings = settings();
        settings.media_ports = PortRange::new(1024, 65_535).unwrap();
        settings.addresses = (1..=8).map(|host| [127, 0, 0, host].into()).collect();
        settings.max_sessions = 4000;
        settings.check(FILES).unwrap();
        settings.max_sessions = 5000;
        assert!(matches!(settings.check(FILES), Err(SettingsError::OpenFiles { .. })));
    }

    #[test]
    fn each_thing_that_cannot_work_is_said() {
        let check = |change: fn(&mut Settings)| {
            let mut settings = settings();
            change(&mut settings);
            settings.check(FILES).unwrap_err()
        };
        assert!(matches!(check(|s| s.addresses.clear()), SettingsError::NoAddress));
        assert!(matches!(check(|s| s.addresses[0] = "0.0.0.0".parse().unwrap()), SettingsError::Wildcard(_)));
        assert!(matches!(check(|s| s.addresses.push("127.0.0.1".parse().unwrap())), SettingsError::Twice(_)));
        let many = |s: &mut Settings| s.addresses = (1..=65).map(|host| [127, 0, 0, host].into()).collect();
        assert!(matches!(check(many), SettingsError::TooManyAddresses(65)));
        // An address of TEST-NET-1 (RFC 5737) is nobody's.
        assert!(matches!(
            check(|s| s.addresses[0] = "192.0.2.1".parse().unwrap()),
            SettingsError::NotLocal { .. }
        ));
        assert!(matches!(check(|s| s.workers = 0), SettingsError::Workers(0)));
        assert!(matches!(check(|s| s.workers = 26), SettingsError::TooFewPorts { .. }));
        assert!(matches!(check(|s| s.max_sessions = 0), SettingsError::NoSessions));
        // Five sessions of each worker have four sockets, if there are ports.
        assert!(matches!(settings().check(10), Err(SettingsError::OpenFiles { sockets: 51, limit: 10 })));
    }
}
