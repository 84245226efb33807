//! Rules for messages, for those who watch others, and for whose word on identities counts.

use std::net::IpAddr;
use std::time::Duration;

/// Rules for messages to users of local domains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRules {
    /// The most messages that wait for one user.
    pub per_user: usize,
    /// The most that wait for all users together.
    pub total: usize,
    /// How long one waits for a user who is away; zero: it is refused at once.
    pub keep: Duration,
}

impl Default for MessageRules {
    fn default() -> MessageRules {
        MessageRules { per_user: 100, total: 5_000, keep: Duration::from_secs(7 * 24 * 3600) }
    }
}

/// Rules for subscriptions to the state of others (RFC 6665).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceRules {
    /// Whether users of a local domain may see whether the others of that domain are there (RFC 3856) and in a call (RFC
    /// 4235).
    pub busy_lamp: bool,
    /// Whether they may answer the calls that ring at the others (RFC 3891).
    pub pickup: bool,
    /// The most subscriptions of one user.
    pub per_user: usize,
    /// The most in all.
    pub total: usize,
    /// The longest that one lives without a refresh.
    pub max_expires: Duration,
}

impl Default for PresenceRules {
    fn default() -> PresenceRules {
        PresenceRules {
            busy_lamp: true,
            pickup: false,
            per_user: 100,
            total: 10_000,
            max_expires: Duration::from_secs(3_600),
        }
    }
}

/// A side that is trusted to say who calls, and told who calls although the caller wants privacy (RFC 3325 section 3: it
/// is of our Trust Domain).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// A provider, by its domain in lower case.
    Domain(String),
    /// The hosts of a network: its address, and how many of its bits count.
    Network(IpAddr, u8),
}

impl Trusted {
    /// Reads `provider.example`, `192.0.2.1` or `10.0.0.0/8`.
    pub fn parse(text: &str) -> Option<Trusted> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let Ok(address) = address.parse::<IpAddr>() else {
            let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            let is_name = bits.is_none() && !text.is_empty() && text.len() <= 255 && text.chars().all(letter);
            return is_name.then(|| Trusted::Domain(text.to_ascii_lowercase()));
        };
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(all), |bits| bits.parse().ok().filter(|bits| *bits <= all))?;
        Some(Trusted::Network(address, bits))
    }

    /// Whether it is this host.
    pub fn has_address(&self, address: IpAddr) -> bool {
        let Trusted::Network(network, bits) = self else { return false };
        match (network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*bits)).unwrap_or(0);
                (u32::from(*network) ^ u32::from(address)) & mask == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*bits)).unwrap_or(0);
                (u128::from(*network) ^ u128::from(address)) & mask == 0
            }
            _ => false,
        }
    }

    /// Whether it is the provider of this domain.
    pub fn has_domain(&self, domain: &str) -> bool {
        matches!(self, Trusted::Domain(name) if name.eq_ignore_ascii_case(domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusted_sides_are_named_by_domain_address_or_network() {
        let domain = Trusted::parse("SIP.Provider.example").unwrap();
        assert!(domain.has_domain("sip.provider.example") && !domain.has_domain("provider.example"));
        let network = Trusted::parse("10.1.0.0/16").unwrap();
        assert!(network.has_address("10.1.255.255".parse().unwrap()));
        assert!(network.has_address("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!network.has_address("10.2.0.0".parse().unwrap()));
        assert!(!network.has_address("::1".parse().unwrap()));
        let host = Trusted::parse("2001:db8::1").unwrap();
        assert!(host.has_address("2001:db8::1".parse().unwrap()));
        assert!(!host.has_address("2001:db8::2".parse().unwrap()));
        assert!(Trusted::parse("0.0.0.0/0").unwrap().has_address("192.0.2.1".parse().unwrap()));
        for wrong in ["", "10.0.0.0/33", "::/129", "a b", "provider.example/8", "10.0.0.0/"] {
            assert_eq!(Trusted::parse(wrong), None, "{wrong}");
        }
    }
}
