//! Finding the servers of a request, and going from one to the next (RFC 3263 section 4).

use super::outgoing::{Draft, Failure, Hop, Outcome};
use super::timer_queue::TimerOwner;
use super::{UserAgent, transport_of};
use crate::party::Cause;
use crate::sip::{Host, Uri, limits};
use crate::switch::Output;
use crate::transport::{Destination, Target, Transport};
use std::net::SocketAddr;
use std::time::Instant;

/// Bytes that Via, Contact and the fixed header fields add to a draft, at most.
const VIA_AND_CONTACT: usize = 400;

/// Where to look for the servers of a URI (RFC 3263 section 4).
struct Lookup {
    host: Host,
    port: Option<u16>,
    transport: Option<Transport>,
    secure: bool,
}

impl Lookup {
    fn new(uri: &Uri) -> Option<Lookup> {
        let uri = uri.as_sip()?;
        let host =
            uri.params.get("maddr").and_then(|maddr| maddr.parse().ok()).unwrap_or_else(|| uri.host.clone());
        // A WebSocket server is no target: browsers are reached along their own connections (RFC 7118).
        let transport = uri.transport().filter(|each| !matches!(each, Transport::Ws | Transport::Wss));
        Some(Lookup { host, port: uri.port, transport, secure: uri.secure })
    }

    /// RFC 3263 section 4.1: a literal address needs no look-up.
    fn literal(&self) -> Option<Target> {
        let address = self.host.ip()?;
        let transport = match (self.transport, self.secure) {
            (_, true) => Transport::Tls,
            (Some(transport), false) => transport,
            (None, false) => Transport::Udp,
        };
        let default_port = if transport == Transport::Tls { 5061 } else { 5060 };
        let address = SocketAddr::new(address, self.port.unwrap_or(default_port));
        Some(Target { transport, address, name: self.host.to_string() })
    }
}

impl UserAgent {
    pub(super) fn locate(&mut self, now: Instant, id: u64, uri: &Uri) {
        let Some(lookup) = Lookup::new(uri) else {
            return self.outgoing_failed(now, id, Failure::Unresolved);
        };
        if let Some(target) = lookup.literal() {
            return self.outgoing_resolved(now, id, vec![target]);
        }
        let query = self.next_id();
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.query = Some(query);
            self.outgoing_by_query.insert(query, id);
            // A resolver that never answers must not keep the request for ever.
            let deadline = now + self.settings.timers.transaction_timeout();
            self.timers.set(TimerOwner::Outgoing(id), Some(deadline));
        }
        self.outputs.push_back(Output::Resolve {
            query,
            host: lookup.host.to_string(),
            port: lookup.port,
            transport: lookup.transport,
            secure: lookup.secure,
        });
    }

    pub(super) fn outgoing_resolved(&mut self, now: Instant, id: u64, mut targets: Vec<Target>) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        if let Some(query) = outgoing.query.take() {
            self.outgoing_by_query.remove(&query);
        }
        if outgoing.is_cancelled() {
            let cause = Cause::new(487, "Request Terminated");
            return self.finish_outgoing(now, id, Outcome::Failed(cause));
        }
        targets.truncate(limits::TARGETS);
        self.servers.order(now, &mut targets);
        self.approach(now, id, targets);
    }

    /// Sends the request to the first of these servers that takes it.
    fn approach(&mut self, now: Instant, id: u64, targets: Vec<Target>) {
        let udp_only = !self.settings.sip.iter().any(|(transport, _)| *transport == Transport::Tcp);
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        // RFC 3261 section 18.1.1: a request that is too large for UDP goes by TCP, and by UDP where TCP fails.
        let large =
            outgoing.draft.request.to_bytes().len() + VIA_AND_CONTACT > limits::UDP_REQUEST && !udp_only;
        for target in targets {
            let by_tcp = Target { transport: Transport::Tcp, ..target.clone() };
            // Whoever takes no TCP is not asked every time: it may take seconds to find out.
            let may_take_tcp = !self.servers.is_resting(now, &by_tcp);
            let is_next = outgoing.targets.back() == Some(&by_tcp);
            if large && target.transport == Transport::Udp && may_take_tcp && !is_next {
                outgoing.targets.push_back(by_tcp);
            }
            outgoing.targets.push_back(target);
        }
        self.try_next_target(now, id, Failure::Unresolved);
    }

    /// Sends a request again, changed, to the server that answered it: no other knows the nonces of that one. The
    /// servers that were left stay behind it.
    pub(super) fn send_again(&mut self, now: Instant, before: u64, draft: Draft) -> u64 {
        let Some(outgoing) = self.outgoing.get_mut(&before) else { return self.send_request(now, draft) };
        let (challenges, left) = (outgoing.challenges + 1, std::mem::take(&mut outgoing.targets));
        let same = match outgoing.sent.as_ref().map(|sent| (sent.destination, sent.tls_name.clone())) {
            Some((Destination::Address { transport, remote, .. }, name)) => {
                Some(Target { transport, address: remote, name: name.unwrap_or_default() })
            }
            _ => None,
        };
        let id = match same {
            Some(same) => {
                let id = self.insert_outgoing(draft);
                self.approach(now, id, std::iter::once(same).chain(left).collect());
                id
            }
            None => self.send_request(now, draft),
        };
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.challenges = challenges;
        }
        id
    }

    /// RFC 3263 section 4.3: the next server gets the request in a transaction of its own.
    pub(super) fn try_next_target(&mut self, now: Instant, id: u64, failure: Failure) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        let Some(target) = outgoing.targets.pop_front() else {
            let cause = match failure {
                Failure::Timeout => Cause::new(408, "Request Timeout"),
                Failure::Transport => Cause::new(503, "The next hop cannot be reached"),
                Failure::Unresolved => Cause::new(503, "The next hop has no address"),
            };
            return self.finish_outgoing(now, id, Outcome::Failed(cause));
        };
        let port = match outgoing.draft.hop {
            Hop::UriFrom(_, port) => Some(port),
            _ => None,
        };
        let destination = Destination::Address { transport: target.transport, remote: target.address, port };
        let tls_name = (transport_of(&destination) == Transport::Tls).then_some(target.name);
        self.transmit(now, id, destination, tls_name, None);
    }
}
