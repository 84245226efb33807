//! What the process is told, checked before anything starts.

use crate::ports::{MIN_PORTS, PortRange, family};
use crate::worker::MAX_WORKERS;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use thiserror::Error;

/// The settings of the dataplane.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The path of the control socket.
    pub control: PathBuf,
    /// The local addresses for media: at most one of each family.
    pub addresses: Vec<IpAddr>,
    /// The UDP ports for media, divided among the workers.
    pub media_ports: PortRange,
    /// How many workers.
    pub workers: usize,
    /// How many sessions there may be at once, over all workers.
    pub max_sessions: u32,
    /// Whether each worker is pinned to a core of its own.
    pub pin: bool,
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
    /// Two addresses of one family.
    #[error("--ip-local {0} is the second address of its family: one of each is the most")]
    SecondOfFamily(IpAddr),
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
        "each worker may open {sockets} sockets, but the limit on open files is {limit}: raise it (LimitNOFILE), or take fewer media ports"
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
        for (index, &address) in self.addresses.iter().enumerate() {
            if address.is_unspecified() {
                return Err(SettingsError::Wildcard(address));
            }
            if self.addresses[..index].iter().any(|&earlier| family(earlier) == family(address)) {
                return Err(SettingsError::SecondOfFamily(address));
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
        let sockets = u64::from(part.count()) * self.addresses.len() as u64;
        if sockets > open_files {
            return Err(SettingsError::OpenFiles { sockets, limit: open_files });
        }
        Ok(())
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
        }
    }

    #[test]
    fn good_settings_pass() {
        settings().check(FILES).unwrap();
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
        assert!(matches!(
            check(|s| s.addresses.push("127.0.0.2".parse().unwrap())),
            SettingsError::SecondOfFamily(_)
        ));
        // An address of TEST-NET-1 (RFC 5737) is nobody's.
        assert!(matches!(
            check(|s| s.addresses[0] = "192.0.2.1".parse().unwrap()),
            SettingsError::NotLocal { .. }
        ));
        assert!(matches!(check(|s| s.workers = 0), SettingsError::Workers(0)));
        assert!(matches!(check(|s| s.workers = 26), SettingsError::TooFewPorts { .. }));
        assert!(matches!(check(|s| s.max_sessions = 0), SettingsError::NoSessions));
        assert!(matches!(settings().check(10), Err(SettingsError::OpenFiles { sockets: 50, limit: 10 })));
    }
}
