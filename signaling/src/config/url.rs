//! URLs of servers that are asked by HTTP.

use super::domains::host_name;
use super::reader::Section;
use super::sections::seconds;
use std::time::Duration;

/// The longest that such a server may take to answer: a user waits.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);
/// The usual time, in seconds.
const USUAL_TIMEOUT: u64 = 5;

/// Reads how long a server may take to answer; `name` is the section's.
pub(super) fn answer_timeout(section: &Section<'_>, name: &str) -> Duration {
    let timeout = seconds(section, "timeout", 1, USUAL_TIMEOUT);
    if timeout > MAX_TIMEOUT {
        let most = MAX_TIMEOUT.as_secs();
        section.problem(section.offset(), format!("`timeout` in {name} may be {most} at most"));
    }
    timeout
}

/// A URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    /// Whether it is asked over TLS.
    pub is_secure: bool,
    /// Its host's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Both, as in a Host header field.
    pub authority: String,
    /// The path, with the query where it has one.
    pub path: String,
}

impl HttpUrl {
    /// Reads a URL without user, password and fragment.
    pub(super) fn parse(text: &str) -> Option<HttpUrl> {
        let (is_secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, rest) => (false, rest?),
        };
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at_checked(at)?,
            None => (rest, "/"),
        };
        let is_visible = |c: char| c.is_ascii_graphic() && c != '#';
        if !path.starts_with('/') || !path.chars().all(is_visible) {
            return None;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, if is_secure { 443 } else { 80 }),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let (authority, path) = (authority.to_owned(), path.to_owned());
        Some(HttpUrl { is_secure, host: host_name(bare)?, port, authority, path })
    }
}
