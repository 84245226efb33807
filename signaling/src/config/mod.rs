//! The configuration: one TOML file, or none at all.
//!
//! Every setting has a default. What is unknown, of the wrong type, out of range or contradicts something else is
//! refused with file and line before anything is started.

mod accounts;
mod audio;
mod data;
mod domains;
mod lines;
mod messages;
mod network;
mod ng;
mod providers;
mod reader;
mod sections;
mod tokens;
mod url;
mod video;
mod xcap;

pub(crate) use accounts::create_state_directory;
pub use accounts::{DEFAULT_DOMAIN, DefaultAccount, default_accounts};
pub use data::DataHook;
pub use network::{Network, host_addresses};
pub use ng::{DEFAULT_UDP, Ng};
pub use reader::Problem;
pub use tokens::TokenHook;
pub use url::HttpUrl;
pub use xcap::XcapServer;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use tandem_sip::ng::Files;
use tandem_sip::settings::Settings;
use thiserror::Error;

/// The largest configuration file that is read, in bytes.
pub const MAX_FILE: u64 = 4 * 1024 * 1024;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The addresses that peers are told (`ip`), at most one of each family.
    pub advertised: Vec<IpAddr>,
    /// The addresses that media is received on (`ip_local`), at most one of each family.
    pub local: Vec<IpAddr>,
    /// Whether this is a relay for those who bring their own SIP server: what is not set has other defaults.
    pub relay: bool,
    /// The addresses that SIP and HTTP listen on: `ip_local`, and without one loopback too.
    pub listen: Vec<IpAddr>,
    /// Where keys, certificates, generated passwords and the control socket are kept.
    pub state_directory: PathBuf,
    /// SIP listeners.
    pub sip: Sip,
    /// The HTTP server.
    pub http: Http,
    /// The NG protocol, by which SIP servers of others have their media relayed.
    pub ng: Ng,
    /// What the dataplane is started with.
    pub media: Media,
    /// Name servers; empty: the system's.
    pub name_servers: Vec<IpAddr>,
    /// The filter for logs, as `tracing` understands it.
    pub log_level: String,
    /// Without a domain in the file: the embedded one is used, with generated passwords; never by a relay.
    pub uses_default_domain: bool,
    /// Whom to ask about click-to-call tokens that are not configured.
    pub token_hook: Option<TokenHook>,
    /// The application that WCS clients talk to.
    pub data_hook: Option<DataHook>,
    /// Where users have their documents.
    pub xcap: Vec<XcapServer>,
    /// What the switch must know.
    pub settings: Settings,
}

/// SIP listeners; `None`: not listened on.
#[derive(Clone, Debug)]
pub struct Sip {
    /// The UDP port.
    pub udp: Option<u16>,
    /// The TCP port.
    pub tcp: Option<u16>,
    /// The TLS port.
    pub tls: Option<u16>,
    /// The first and the last UDP port of those that provider accounts get each for itself.
    pub user_ports: Option<(u16, u16)>,
    /// The certificates that the servers we call over TLS are checked against, in PEM.
    pub tls_roots: PathBuf,
    /// TCP, TLS and WebSocket connections at once.
    pub connections: usize,
    /// Of them, from one source address.
    pub connections_per_source: usize,
}

impl Sip {
    /// Whether anything is listened on.
    pub fn is_on(&self) -> bool {
        self.udp.is_some() || self.tcp.is_some() || self.tls.is_some()
    }
}

/// The HTTP server: the page, WebSocket, metrics.
#[derive(Clone, Debug)]
pub struct Http {
    /// The plain port.
    pub port: Option<u16>,
    /// The TLS port.
    pub tls_port: Option<u16>,
    /// A certificate chain and its key, in PEM; without them a self-signed one is made. For SIP over TLS too.
    pub certificate: Option<CertificateFiles>,
    /// The source addresses that may read `/metrics`.
    pub metrics: Vec<IpAddr>,
}

impl Http {
    /// Whether anything is listened on.
    pub fn is_on(&self) -> bool {
        self.port.is_some() || self.tls_port.is_some()
    }
}

/// Where a configured certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What the dataplane is started with.
#[derive(Clone, Debug)]
pub struct Media {
    /// The first and the last media port.
    pub ports: (u16, u16),
    /// Workers; `None`: one for each core.
    pub workers: Option<usize>,
    /// Whether each worker is pinned to a core of its own.
    pub pin: bool,
    /// The most sessions.
    pub sessions: usize,
    /// The control socket.
    pub control: PathBuf,
    /// Where files are that may be played, and where recordings go.
    pub files: Files,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file, or one that it names, cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is wrong: one line for each problem.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Problem>),
}

/// What is said beside the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Instead of the file's `state_directory`.
    pub state_directory: Option<PathBuf>,
    /// Whether to be a relay only: see [`Config::relay`].
    pub relay: bool,
}

impl Config {
    /// Reads a file; `None` gives the embedded defaults.
    ///
    /// # Errors
    /// [`ConfigError`]: everything that is wrong with the file at once.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Config, ConfigError> {
        let Some(path) = file else { return Config::parse("", Path::new("defaults"), overrides) };
        Config::parse(&read_text(path)?, path, overrides)
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// [`ConfigError`]: everything that is wrong with it at once.
    pub fn parse(text: &str, path: &Path, overrides: &Overrides) -> Result<Config, ConfigError> {
        let document = reader::Document::new(path, text);
        let (table, syntax) = toml::de::DeTable::parse_recoverable(text);
        for error in syntax {
            // The error's Display would quote the line, which may hold a password.
            document.problem(error.span().map_or(0, |span| span.start), error.message());
        }
        let root = reader::Section::root(&document, &table);
        let config = sections::read(&root, path, overrides);
        root.finish();
        let problems = document.into_problems();
        if problems.is_empty() { config } else { Err(ConfigError::Wrong(problems)) }
    }

    /// Every address that media is received on: those of the switch, where it is in use, and of the interfaces.
    pub fn media_addresses(&self) -> Vec<IpAddr> {
        let switch = self.sip.is_on() || self.http.is_on();
        let mut addresses = if switch { self.local.clone() } else { Vec::new() };
        for interface in &self.ng.settings.interfaces {
            if !addresses.contains(&interface.local) {
                addresses.push(interface.local);
            }
        }
        addresses
    }

    /// Whether anything needs a certificate.
    pub(crate) fn uses_tls(&self) -> bool {
        self.sip.tls.is_some() || self.http.tls_port.is_some()
    }
}

/// Reads a text file of at most [`MAX_FILE`] bytes.
fn read_text(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_FILE {
        let error =
            std::io::Error::new(std::io::ErrorKind::FileTooLarge, "larger than a configuration may be");
        return Err(unreadable(error));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

#[cfg(test)]
mod tests;
