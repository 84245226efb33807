//! What stays the same in the descriptions for one party, where `replace` asks for it.

use crate::ng::body::Draft;
use crate::ng::request::Replace;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

/// The origin and session name that a party was told first, and the version that it was told last (RFC 3264 section 8).
#[derive(Clone, Debug)]
pub(super) struct Origin {
    user: Box<str>,
    id: Box<str>,
    version: u64,
    /// The value of `s=`.
    pub name: Box<str>,
    digest: u64,
}

impl Origin {
    /// Whether the options ask for anything to stay.
    pub(super) fn is_kept(replace: &Replace) -> bool {
        replace.origin_full
            || replace.session_name
            || replace.sdp_version
            || replace.force_sdp_version
            || replace.username
    }

    /// From the first description that the party is told.
    pub(super) fn new(origin: &str, name: &str) -> Origin {
        let mut fields = origin.split_ascii_whitespace();
        let user = fields.next().unwrap_or("-").into();
        let id = fields.next().unwrap_or("0").into();
        let version = fields.next().and_then(|version| version.parse().ok()).unwrap_or(0);
        Origin { user, id, version, name: name.into(), digest: 0 }
    }

    /// The value of `o=`, from what came and what stays.
    pub(super) fn value(&self, came: &str, address: Option<IpAddr>, replace: &Replace) -> String {
        let mut fields = came.split_ascii_whitespace();
        let mut next = |usual: &'static str| fields.next().unwrap_or(usual);
        let (user, id, version) = (next("-"), next("0"), next("0"));
        let (network, family, host) = (next("IN"), next("IP4"), next("0.0.0.0"));
        let user = if replace.username || replace.origin_full { &*self.user } else { user };
        let id = if replace.origin_full { &*self.id } else { id };
        let version = match replace.sdp_version || replace.force_sdp_version || replace.origin_full {
            true => self.version.to_string(),
            false => version.to_owned(),
        };
        match address {
            Some(ip) => {
                let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
                format!("{user} {id} {version} IN {family} {ip}")
            }
            None => format!("{user} {id} {version} {network} {family} {host}"),
        }
    }

    /// Whether this description, written with the last version, needs another one; then that is counted.
    pub(super) fn changes(&mut self, draft: &Draft, replace: &Replace) -> bool {
        let is_first = self.digest == 0;
        let changed = digest(draft) != self.digest || replace.force_sdp_version;
        if is_first {
            self.remember(draft);
            return false;
        }
        if changed {
            self.version = self.version.wrapping_add(1);
        }
        changed
    }

    /// This is what the party is told now.
    pub(super) fn remember(&mut self, draft: &Draft) {
        self.digest = digest(draft);
    }
}

fn digest(draft: &Draft) -> u64 {
    let mut hasher = DefaultHasher::new();
    draft.hash(&mut hasher);
    hasher.finish().max(1)
}
