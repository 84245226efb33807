//! Reads `[providers]`.

use super::domains;
use super::reader::Section;
use super::sections::seconds;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tandem_sip::settings::{MediaProfile, Providers};
use tandem_sip::sip::user_agent::{KeepAlive, KeepAliveMethod};

/// The longest time between two keep-alives that may be asked for, in seconds: no NAT keeps a binding longer.
const MAX_KEEP_ALIVE: u64 = 3_600;
/// The longest name of a header field, in characters.
const MAX_HEADER_NAME: usize = 64;

/// The rules for all providers.
pub(super) fn read(root: &Section<'_>, media: HashMap<String, Arc<MediaProfile>>) -> Providers {
    let section = root.section("providers");
    let allowed = section.list("allowed", "a domain name", domains::host_name).unwrap_or_default();
    let providers = Providers {
        allowed: allowed.into_iter().map(|name| name.value).collect(),
        allow_private: section.boolean("allow_private").unwrap_or(false),
        media,
        offer_security: domains::offer_security(&section, "srtp"),
        register_expires: seconds(&section, "register_expires", 60, 600),
        accept_transfers: section.boolean("accept_transfers").unwrap_or(false),
        keep_alive: keep_alive(&section),
        balance_header: section
            .parsed("balance_header", "the name of a header field", header_name)
            .map(|name| name.value),
    };
    section.finish();
    providers
}

/// RFC 3261 section 25.1: a `token`, without the rarer of its characters.
fn header_name(text: &str) -> Option<String> {
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    (is_name && !text.is_empty() && text.len() <= MAX_HEADER_NAME).then(|| text.to_owned())
}

/// `keep_alive` and `keep_alive_interval`.
pub(super) fn keep_alive(section: &Section<'_>) -> KeepAlive {
    let method = section.parsed("keep_alive", r#"one of "lines", "options" and "off""#, |text| match text {
        "lines" => Some(KeepAliveMethod::Lines),
        "options" => Some(KeepAliveMethod::Options),
        "off" => Some(KeepAliveMethod::Off),
        _ => None,
    });
    let interval = section.integer("keep_alive_interval", 1..=MAX_KEEP_ALIVE);
    KeepAlive {
        method: method.map(|method| method.value).unwrap_or_default(),
        interval: interval.map(|seconds| Duration::from_secs(seconds.value)),
    }
}
