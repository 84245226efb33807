//! What the relay must know of the configuration.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use tandem_control::{OpusEncoding, RecordingFormat};

/// The settings of the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The interfaces; at least one. The first of a family is used where a request names none.
    pub interfaces: Vec<Interface>,
    /// Limits.
    pub limits: Limits,
    /// Timers.
    pub timers: Timers,
    /// Files that are played and recorded.
    pub files: Files,
    /// How Opus is encoded where a request does not say.
    pub opus: OpusEncoding,
}

/// One local address, by the name that `direction` gives it. One name may have an address of each family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// The address that media is received on and sent from.
    pub local: IpAddr,
    /// The address that peers are told, of the same family.
    pub advertised: IpAddr,
}

/// Limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once. Above it, offers of new calls get the error that modules fail over on.
    pub calls: usize,
}

/// Timers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Without any media for so long, a call is deleted.
    pub media: Duration,
    /// A call whose offer was not answered is deleted after so long.
    pub offer: Duration,
    /// How long a deleted call still lives where the request does not say (`delete-delay`).
    pub delete_delay: Duration,
}

/// The dataplane's directories, as absolute paths: requests may name files in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// What may be played lies below it; `None`: nothing.
    pub announcements: Option<PathBuf>,
    /// Recordings go below it; `None`: nothing is recorded.
    pub recordings: Option<PathBuf>,
    /// The format of a recording whose name does not tell it.
    pub format: RecordingFormat,
}
