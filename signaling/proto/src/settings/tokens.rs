//! Click to call: what a token in a page stands for. The account and the callee never reach the page.

mod answer;

pub use answer::{AnswerError, MAX_ANSWER};

use crate::wcs::Account;
use std::sync::Arc;
use std::time::Instant;

/// The most origins of one token.
pub const MAX_ORIGINS: usize = 64;
/// The most calls an hour that a token can be limited to.
pub const MAX_CALLS_PER_HOUR: usize = 10_000;

/// Click to call.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// The configured tokens.
    pub grants: Vec<Arc<Grant>>,
    /// Whether tokens that are not among them are asked for ([`crate::switch::Output::AskToken`]).
    pub asks: bool,
}

/// What one token allows: calls to one callee.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The token. It stands in a public page, so it is no secret.
    pub token: String,
    /// Whom it calls: an address, a number or a name.
    pub callee: String,
    /// Who calls.
    pub account: TokenAccount,
    /// The pages that it may be used on.
    pub origins: Origins,
    /// From when on it may not be used.
    pub expires: Option<Instant>,
    /// Its calls at once.
    pub calls: usize,
    /// Its calls in each hour, up to [`MAX_CALLS_PER_HOUR`].
    pub calls_per_hour: usize,
    /// Whether its calls may have video.
    pub video: bool,
    /// The caller's name, as the callee sees it.
    pub label: Option<String>,
}

impl Grant {
    /// Calls at once of a token that says nothing else.
    pub const USUAL_CALLS: usize = 10;
    /// Calls in an hour of a token that says nothing else.
    pub const USUAL_CALLS_PER_HOUR: usize = 100;
}

/// Who calls by a token.
#[derive(Clone, Debug)]
pub enum TokenAccount {
    /// A user of a local domain.
    Local {
        /// The user part of its address.
        user: String,
        /// The domain.
        domain: String,
    },
    /// A provider's user. It is not registered: it only calls.
    Provider(Box<Account>),
}

/// Where a page that uses a token may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// From anywhere, and clients that are no pages too.
    Any,
    /// From these.
    Of(Vec<Origin>),
}

impl Origins {
    /// Whether a page of this address (or the value of an `Origin` header field) is among them.
    pub fn allow(&self, url: &str) -> bool {
        match self {
            Origins::Any => true,
            Origins::Of(origins) => Origin::of(url).is_some_and(|origin| origins.contains(&origin)),
        }
    }
}

/// The origin of a page (RFC 6454): scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    is_secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an `http` or `https` URL, or of an `Origin` header field.
    pub fn of(url: &str) -> Option<Origin> {
        let (scheme, rest) = url.trim().split_once("://")?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        // Browsers take a backslash for a slash.
        let authority = rest.split(['/', '\\', '?', '#']).next()?;
        let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        // The colons of an IPv6 address stand in brackets.
        let port_from = host_and_port.rfind(']').unwrap_or(0);
        let (host, port) = match host_and_port.get(port_from..)?.rfind(':') {
            Some(at) => {
                let (host, port) = host_and_port.split_at_checked(port_from + at)?;
                (host, port.get(1..).filter(|port| !port.is_empty()))
            }
            None => (host_and_port, None),
        };
        let port = match port {
            Some(port) => port.parse().ok()?,
            None if is_secure => 443,
            None => 80,
        };
        let letter = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        let is_host = !host.is_empty() && host.len() <= 255 && host.chars().all(letter);
        is_host.then(|| Origin { is_secure, host: host.to_ascii_lowercase(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |one: &str, other: &str| Origin::of(one).is_some() && Origin::of(one) == Origin::of(other);
        assert!(same("https://shop.example", "HTTPS://Shop.Example:443/cart?a=b#c"));
        assert!(same("http://[2001:db8::1]:8080", "http://[2001:DB8::1]:8080/"));
        assert!(same("http://shop.example/", "http://user@shop.example:80"));
        assert!(!same("https://shop.example", "http://shop.example"));
        assert!(!same("https://shop.example", "https://shop.example:8443"));
        assert!(!same("https://shop.example", "https://shop.example.evil.example"));
        assert!(!same("https://shop.example", "https://evil.example/https://shop.example"));
        assert!(!same("https://shop.example", r"https://evil.example\@shop.example"));
        for url in ["null", "", "https://", "ftp://shop.example", "https://shop.example:x", "https://a b"] {
            assert_eq!(Origin::of(url), None, "{url}");
        }
    }

    #[test]
    fn only_the_listed_pages_are_allowed() {
        let shop = Origins::Of(vec![Origin::of("https://shop.example").unwrap()]);
        assert!(shop.allow("https://shop.example/contact.html"));
        assert!(!shop.allow("https://other.example/") && !shop.allow("null"));
        assert!(Origins::Any.allow("null"));
    }
}
