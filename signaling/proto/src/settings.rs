//! What the call logic must know of the configuration. The configuration file itself is the process's business.

mod lines;
mod media;
mod messages;
mod tokens;
mod xcap;

pub use lines::Line;
pub use media::{CodecName, DtmfMethod, MediaProfile, PACKET_TIMES, VideoCodecName, VideoProfile};
pub use messages::{MessageRules, PresenceRules, Trusted};
pub use tokens::{
    AnswerError, Grant, MAX_ANSWER, MAX_CALLS_PER_HOUR, MAX_ORIGINS, Origin, Origins, TokenAccount, Tokens,
};
pub use xcap::{XcapError, XcapRoot};

use crate::sip::user_agent::KeepAlive;
use crate::tones::Country;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The settings of the switch.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The addresses that peers are told: one for each family in use (the manual's `ip`).
    pub advertised: Vec<IpAddr>,
    /// The advertised SIP address of each transport that is listened on.
    pub sip: Vec<(crate::transport::Transport, SocketAddr)>,
    /// The first and the last UDP port of those that provider accounts get each for itself (the manual's 30000-31000);
    /// `None`: all share the common port.
    pub user_ports: Option<(u16, u16)>,
    /// Local domains with their users.
    pub domains: Vec<Domain>,
    /// The accounts at providers that users of these have.
    pub lines: Vec<Line>,
    /// Rules for domains that are registered and called at their own registrar.
    pub providers: Providers,
    /// Click to call.
    pub tokens: Tokens,
    /// Where users of these domains have their documents.
    pub xcap: Vec<XcapRoot>,
    /// Whether the operator has an application that users of browsers may talk to.
    pub has_application: bool,
    /// Media of telephones and providers.
    pub sip_media: Arc<MediaProfile>,
    /// Media of browsers, on either protocol.
    pub browser_media: Arc<MediaProfile>,
    /// Whose tones callers hear.
    pub tones: Country,
    /// Limits on the calls, registrations and rates.
    pub limits: Limits,
    /// Timers a person may notice.
    pub timers: Timers,
    /// Messages to users of local domains.
    pub messages: MessageRules,
    /// Who may watch whom.
    pub presence: PresenceRules,
    /// Whether users may publish streams, and play those of their domain.
    pub streams: bool,
    /// Whose word on who calls counts; nobody's where it is empty.
    pub trusted: Vec<Trusted>,
    /// Sent in User-Agent and Server.
    pub product: String,
}

/// A domain whose users are in the configuration.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its name, which is also the digest realm.
    pub name: String,
    /// Its users.
    pub users: Vec<User>,
}

/// A user of a local domain.
#[derive(Clone, Debug)]
pub struct User {
    /// The user part of its address.
    pub name: String,
    /// A name for people.
    pub display_name: Option<String>,
    /// What its credentials hash to.
    pub ha1: Ha1,
    /// How media is offered to its telephones; browsers always get DTLS-SRTP.
    pub offer_security: OfferSecurity,
}

/// H(user:realm:password), per algorithm (RFC 7616 section 3.4.2). Absent from debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    /// MD5, 32 hexadecimal digits.
    pub md5: Option<Zeroizing<String>>,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ha1(..)")
    }
}

/// How an offer to a telephone protects its media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OfferSecurity {
    /// RTP/AVP.
    #[default]
    None,
    /// RTP/SAVP with `a=crypto` (RFC 4568).
    Sdes,
    /// UDP/TLS/RTP/SAVP with a fingerprint (RFC 5764).
    Dtls,
}

/// Rules for provider domains.
#[derive(Clone, Debug)]
pub struct Providers {
    /// Domains that browsers may log in to; empty: any that is not local.
    pub allowed: Vec<String>,
    /// Whether providers may stand on loopback, link-local and private addresses (attacks.md row 7).
    pub allow_private: bool,
    /// Media of single providers, by their domains in lower case; that of all others is [`Settings::sip_media`].
    pub media: HashMap<String, Arc<MediaProfile>>,
    /// How media is offered to providers.
    pub offer_security: OfferSecurity,
    /// The registration's lifetime that is asked for.
    pub register_expires: Duration,
    /// Whether whoever is at a provider may transfer our user, who then calls the target on its account there, and
    /// join two whom it talks to.
    pub accept_transfers: bool,
    /// How the paths from providers are kept open.
    pub keep_alive: KeepAlive,
    /// The header field in which registrars say what is left of a user's money; `None`: they do not.
    pub balance_header: Option<String>,
}

/// Limits.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Calls at once.
    pub calls: usize,
    /// Calls at once of one user.
    pub calls_per_user: usize,
    /// Contacts of one address of record.
    pub contacts_per_user: usize,
    /// Registrations at providers at once, of browsers and of the configuration together.
    pub registrations: usize,
    /// Streams at once that browsers publish or play.
    pub streams: usize,
    /// Of them, of one user.
    pub streams_per_user: usize,
    /// Browsers that play one stream at once, at most [`tandem_control::MAX_WATCHERS`].
    pub players_per_stream: usize,
    /// Transactions at once; above it requests get a stateless 503 (attacks.md row 8).
    pub transactions: usize,
    /// Requests a second from one source address, and the burst above it.
    pub requests_per_source: u32,
    /// Wrong passwords of one user from one source before it must wait.
    pub wrong_passwords: u32,
    /// How long it must wait.
    pub lockout: Duration,
}

/// Timers.
#[derive(Clone, Debug)]
pub struct Timers {
    /// How long a callee may ring.
    pub ring: Duration,
    /// Session-Expires that is asked for (RFC 4028).
    pub session_expires: Duration,
    /// The smallest that is accepted (Min-SE).
    pub min_session_expires: Duration,
    /// Without any media for so long, the call ends.
    pub media: Duration,
    /// For so long a browser that lost its connection may come back to its calls; zero: not at all.
    pub reconnect: Duration,
    /// Bounds of a registrar's binding.
    pub registration_min: Duration,
    /// Its default and upper bound.
    pub registration_max: Duration,
}
