//! Which servers failed lately (RFC 3263 section 4.3). They are asked last for a while, so that not every request waits
//! anew for a server that is down.

use crate::sip::limits;
use crate::transport::{Destination, Target, Transport};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a server that failed is asked after the others, unless its Retry-After says more.
const REST: Duration = Duration::from_secs(120);
/// The longest Retry-After that is believed.
const MAX_REST: Duration = Duration::from_secs(1_800);

/// The servers that failed, and until when they rest.
#[derive(Debug, Default)]
pub(super) struct Servers {
    resting: HashMap<(Transport, SocketAddr), Instant>,
}

fn key(destination: &Destination) -> Option<(Transport, SocketAddr)> {
    match destination {
        Destination::Address { transport, remote, .. } => Some((*transport, *remote)),
        // A client's own path is no server.
        Destination::Flow(_) => None,
    }
}

impl Servers {
    /// A server did not answer, could not be reached, or said 503.
    pub(super) fn failed(&mut self, now: Instant, destination: &Destination, retry_after: Option<u32>) {
        let Some(key) = key(destination) else { return };
        let asked = Duration::from_secs(u64::from(retry_after.unwrap_or(0))).min(MAX_REST);
        if self.resting.len() >= limits::RESTING_SERVERS {
            self.resting.retain(|_, until| *until > now);
        }
        if self.resting.len() < limits::RESTING_SERVERS {
            self.resting.insert(key, now + REST.max(asked));
        }
    }

    /// A server answered.
    pub(super) fn answered(&mut self, destination: &Destination) {
        if let Some(key) = key(destination) {
            self.resting.remove(&key);
        }
    }

    /// Puts those that rest behind the others; otherwise the order stays.
    pub(super) fn order(&self, now: Instant, targets: &mut [Target]) {
        targets.sort_by_key(|target| self.is_resting(now, target));
    }

    /// Whether this one failed lately.
    pub(super) fn is_resting(&self, now: Instant, target: &Target) -> bool {
        self.resting.get(&(target.transport, target.address)).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(last: u8) -> Target {
        let address = SocketAddr::from(([192, 0, 2, last], 5060));
        Target { transport: Transport::Udp, address, name: "example.org".to_owned() }
    }

    fn destination(last: u8) -> Destination {
        let Target { transport, address, .. } = target(last);
        Destination::Address { transport, remote: address, port: None }
    }

    fn order(servers: &Servers, now: Instant) -> Vec<u8> {
        let mut targets = [target(1), target(2), target(3)];
        servers.order(now, &mut targets);
        let last = |target: &Target| {
            if let std::net::IpAddr::V4(ip) = target.address.ip() { ip.octets()[3] } else { 0 }
        };
        targets.iter().map(last).collect()
    }

    #[test]
    fn a_server_that_failed_is_asked_last_until_it_answers_or_has_rested() {
        let (mut servers, now) = (Servers::default(), Instant::now());
        servers.failed(now, &destination(1), None);
        servers.failed(now, &destination(2), Some(600));
        assert_eq!(order(&servers, now), [3, 1, 2]);
        assert_eq!(order(&servers, now + REST), [1, 3, 2]);
        servers.answered(&destination(2));
        assert_eq!(order(&servers, now + REST), [1, 2, 3]);
    }

    #[test]
    fn the_servers_that_are_remembered_are_bounded() {
        let (mut servers, now) = (Servers::default(), Instant::now());
        for port in 0..=u16::MAX {
            let remote = SocketAddr::from(([192, 0, 2, 9], port));
            let destination = Destination::Address { transport: Transport::Udp, remote, port: None };
            servers.failed(now, &destination, Some(u32::MAX));
        }
        assert_eq!(servers.resting.len(), limits::RESTING_SERVERS);
        servers.failed(now + MAX_REST, &destination(1), None);
        assert_eq!(servers.resting.len(), 1, "what has rested makes room");
    }
}
