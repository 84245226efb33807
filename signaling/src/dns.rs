//! Finds SIP servers (RFC 3263).
//!
//! Not done: NAPTR (section 4.1). Without its records the section's own fall-back is SRV for each transport, in our
//! order of preference, and that is what is asked at once.

use crate::events::{Drop, Events};
use crate::limits;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tandem_sip::switch::Input;
use tandem_sip::transport::{Target, Transport};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// One look-up, as the switch asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) transport: Option<Transport>,
    pub(crate) secure: bool,
}

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    priority: u16,
    weight: u16,
    port: u16,
    name: String,
}

/// The resolver, with its cache. `/etc/hosts` is asked first.
#[derive(Clone)]
pub(crate) struct Dns {
    resolver: TokioResolver,
    permits: Arc<Semaphore>,
    families: Families,
}

/// The families that we can send from.
#[derive(Clone, Copy, Debug)]
struct Families {
    v4: bool,
    v6: bool,
}

impl Dns {
    /// Asks the given name servers, or the system's.
    pub(crate) fn new(servers: &[IpAddr], local: &[IpAddr]) -> Result<Dns, String> {
        let mut builder = match servers {
            [] => TokioResolver::builder_tokio().unwrap_or_else(|error| {
                tracing::warn!(%error, "the system names no name server: only numeric hosts and /etc/hosts resolve");
                TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
            }),
            servers => {
                let servers = servers.iter().map(|ip| NameServerConfig::udp_and_tcp(*ip)).collect();
                let config = ResolverConfig::from_parts(None, Vec::new(), servers);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let families =
            Families { v4: local.iter().any(IpAddr::is_ipv4), v6: local.iter().any(IpAddr::is_ipv6) };
        builder.options_mut().ip_strategy = match (families.v4, families.v6) {
            (true, true) => LookupIpStrategy::Ipv4AndIpv6,
            (false, true) => LookupIpStrategy::Ipv6Only,
            _ => LookupIpStrategy::Ipv4Only,
        };
        let resolver = builder.build().map_err(|error| error.to_string())?;
        Ok(Dns { resolver, permits: Arc::new(Semaphore::new(limits::LOOKUPS)), families })
    }

    /// Starts a look-up; [`Input::Resolved`] answers it. Above the limit it has no targets.
    pub(crate) fn start(&self, query: Query, id: u64, events: Events) {
        let permit = self.permits.clone().try_acquire_owned();
        let dns = self.clone();
        tokio::spawn(async move {
            let targets = match permit {
                Ok(_) => timeout(limits::LOOKUP_DEADLINE, dns.resolve(&query)).await.unwrap_or_default(),
                Err(_) => {
                    Drop::TooManyLookups.count();
                    Vec::new()
                }
            };
            let _ = events.send(Input::Resolved { query: id, targets }.into()).await;
        });
    }

    /// RFC 3263 section 4: the targets in the order to be tried.
    async fn resolve(&self, query: &Query) -> Vec<Target> {
        let host = query.host.trim_start_matches('[').trim_end_matches(']');
        let fallback = query
            .transport
            .map_or_else(|| default_transport(query.secure), |given| secured(given, query.secure));
        if let Ok(ip) = host.parse::<IpAddr>() {
            return self.targets(vec![ip], query.port, fallback, host);
        }
        if query.port.is_none() {
            let found = self.servers(host, query).await;
            if !found.is_empty() {
                return found;
            }
        }
        // Section 4.2: without SRV records, or with a port, the host's addresses.
        self.targets(self.addresses(host).await, query.port, fallback, host)
    }

    fn targets(&self, ips: Vec<IpAddr>, port: Option<u16>, transport: Transport, name: &str) -> Vec<Target> {
        let port = port.unwrap_or(if transport == Transport::Tls { 5061 } else { 5060 });
        let usable = |ip: &IpAddr| if ip.is_ipv4() { self.families.v4 } else { self.families.v6 };
        ips.into_iter()
            .filter(usable)
            .take(limits::TARGETS)
            .map(|ip| Target { transport, address: SocketAddr::new(ip, port), name: name.to_owned() })
            .collect()
    }

    async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        match self.resolver.lookup_ip(host).await {
            Ok(found) => found.iter().collect(),
            Err(error) => {
                tracing::debug!(host, %error, "no address");
                Vec::new()
            }
        }
    }

    /// The targets of the SRV records of each transport that may be used.
    async fn servers(&self, host: &str, query: &Query) -> Vec<Target> {
        let transports = match (query.transport, query.secure) {
            (Some(transport), secure) => vec![secured(transport, secure)],
            (None, true) => vec![Transport::Tls],
            (None, false) => vec![Transport::Udp, Transport::Tcp],
        };
        let mut targets = Vec::new();
        for transport in transports {
            let Some(service) = service(transport) else { continue };
            let Ok(found) = self.resolver.srv_lookup(format!("{service}.{host}.")).await else { continue };
            let servers = found.answers().iter().filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(Server {
                    priority: srv.priority,
                    weight: srv.weight,
                    port: srv.port,
                    name: srv.target.to_ascii(),
                }),
                _ => None,
            });
            for server in in_order(servers.collect(), |bound| fastrand::u32(0..=bound)) {
                // RFC 5922 section 4: the certificate shows the domain that was asked for, not the server's name.
                let ips = self.addresses(&server.name).await;
                targets.extend(self.targets(ips, Some(server.port), transport, host));
            }
            if !targets.is_empty() {
                break;
            }
        }
        targets.truncate(limits::TARGETS);
        targets
    }
}

/// RFC 3263 section 4.1: for a numeric host or a port without a transport.
fn default_transport(secure: bool) -> Transport {
    if secure { Transport::Tls } else { Transport::Udp }
}

/// `sips:` turns TCP into TLS (RFC 3261 section 26.2.2).
fn secured(transport: Transport, secure: bool) -> Transport {
    if secure && transport == Transport::Tcp { Transport::Tls } else { transport }
}

/// The SRV service (RFC 3263 section 4.1); nothing is registered for WebSocket servers.
fn service(transport: Transport) -> Option<&'static str> {
    match transport {
        Transport::Udp => Some("_sip._udp"),
        Transport::Tcp => Some("_sip._tcp"),
        Transport::Tls => Some("_sips._tcp"),
        Transport::Ws | Transport::Wss => None,
    }
}

/// RFC 2782: by priority, and within one at random in the proportion of the weights. `random` gives 0 to its bound.
fn in_order(mut servers: Vec<Server>, random: impl Fn(u32) -> u32) -> Vec<Server> {
    // A single record with the root as its target says that there is no such service.
    servers.retain(|server| server.name != ".");
    // "all those with weight 0 are placed at the beginning of the list"
    servers.sort_by_key(|server| (server.priority, server.weight != 0));
    let mut ordered = Vec::new();
    while let Some(first) = servers.first() {
        let priority = first.priority;
        let equal = servers.iter().take_while(|server| server.priority == priority);
        let total: u32 = equal.clone().map(|server| u32::from(server.weight)).sum();
        let chosen = random(total);
        let mut running = 0;
        let position = equal.into_iter().position(|server| {
            running += u32::from(server.weight);
            running >= chosen
        });
        ordered.push(servers.remove(position.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(priority: u16, weight: u16, name: &str) -> Server {
        Server { priority, weight, port: 5060, name: name.to_owned() }
    }

    fn query(host: &str) -> Query {
        Query { host: host.to_owned(), port: None, transport: None, secure: false }
    }

    fn names(servers: Vec<Server>) -> Vec<String> {
        servers.into_iter().map(|server| server.name).collect()
    }

    #[test]
    fn priority_comes_first_and_weight_divides() {
        let servers = vec![server(20, 0, "d"), server(10, 60, "b"), server(10, 0, "a"), server(10, 40, "c")];
        assert_eq!(names(in_order(servers.clone(), |_| 0)), ["a", "b", "c", "d"]);
        assert_eq!(names(in_order(servers, |bound| bound)), ["c", "b", "a", "d"]);
    }

    #[test]
    fn the_root_as_target_means_no_service() {
        assert!(in_order(vec![server(0, 0, ".")], |_| 0).is_empty());
    }

    #[tokio::test]
    async fn numeric_hosts_need_no_dns() {
        let local = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let dns = Dns::new(&["127.0.0.1".parse().unwrap()], &local).unwrap();
        let target = |transport, address: &str, name: &str| {
            vec![Target { transport, address: address.parse().unwrap(), name: name.to_owned() }]
        };
        let plain = dns.resolve(&query("192.0.2.7")).await;
        assert_eq!(plain, target(Transport::Udp, "192.0.2.7:5060", "192.0.2.7"));
        let secure = Query { secure: true, transport: Some(Transport::Tcp), ..query("[2001:db8::7]") };
        assert_eq!(dns.resolve(&secure).await, target(Transport::Tls, "[2001:db8::7]:5061", "2001:db8::7"));
        let port = Query { port: Some(5080), transport: Some(Transport::Tcp), ..query("192.0.2.7") };
        assert_eq!(dns.resolve(&port).await, target(Transport::Tcp, "192.0.2.7:5080", "192.0.2.7"));
    }

    #[tokio::test]
    async fn a_family_that_we_cannot_send_from_is_left_out() {
        let dns = Dns::new(&["127.0.0.1".parse().unwrap()], &["192.0.2.1".parse().unwrap()]).unwrap();
        assert!(dns.resolve(&query("2001:db8::7")).await.is_empty());
    }
}
