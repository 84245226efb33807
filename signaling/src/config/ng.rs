//! Reads `[ng]` and the `[[interface]]`s.

use super::network::Network;
use super::reader::{Placed, Section};
use super::sections::{count, seconds};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tandem_control::OpusEncoding;
use tandem_sip::ng::{Files, Interface, Limits, Settings, Timers};

/// Where a relay listens for NG if nothing else is said.
pub const DEFAULT_UDP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2223);
/// Where a relay listens for HTTP, which tells its health and figures, if nothing else is said.
const DEFAULT_HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2225);
/// The name of the interface that is made of `ip` and `ip_local`.
const DEFAULT_INTERFACE: &str = "default";
/// Interfaces at most, each with one address.
const MAX_INTERFACES: usize = 64;

/// The NG protocol's listeners, and what the relay must know.
#[derive(Clone, Debug)]
pub struct Ng {
    /// UDP addresses.
    pub udp: Vec<SocketAddr>,
    /// TCP addresses.
    pub tcp: Vec<SocketAddr>,
    /// Addresses of HTTP and WebSocket.
    pub http: Vec<SocketAddr>,
    /// Who may send requests.
    pub allowed: Vec<Network>,
    /// For the relay.
    pub settings: Settings,
}

impl Ng {
    /// Whether the address may send requests.
    pub fn allows(&self, source: IpAddr) -> bool {
        self.allowed.iter().any(|network| network.contains(source))
    }
}

/// Reads both. `local` and `advertised` make the interface that holds where none is given.
pub(super) fn read(
    root: &Section<'_>,
    relay: bool,
    local: &[IpAddr],
    advertised: &[IpAddr],
    media_timeout: Duration,
    files: &Files,
    opus: OpusEncoding,
) -> Ng {
    let section = root.section("ng");
    let default = |address: SocketAddr| if relay { vec![address] } else { Vec::new() };
    let udp = listeners(&section, "udp", default(DEFAULT_UDP));
    let tcp = listeners(&section, "tcp", Vec::new());
    let http = listeners(&section, "http", default(DEFAULT_HTTP));
    let allowed = allowed(&section);
    let all = [&udp, &tcp, &http];
    let open = all.into_iter().flatten().find(|address| !address.value.ip().is_loopback());
    if let (Some(open), None) = (open, &allowed) {
        // Whoever reaches these sockets commands the relay: opening them must be meant.
        section.problem(
            open.offset,
            "`allowed` in [ng] must name who may send requests to an address that others reach",
        );
    }
    for (index, address) in tcp.iter().chain(&http).enumerate() {
        if tcp.iter().chain(&http).take(index).any(|earlier| earlier.value == address.value) {
            section.problem(address.offset, "`tcp` and `http` in [ng] need an address of their own each");
        }
    }
    let settings = Settings {
        interfaces: interfaces(root, local, advertised),
        limits: Limits { calls: count(&section, "calls", 1_000_000, 10_000) },
        timers: Timers {
            media: media_timeout,
            offer: seconds(&section, "offer_timeout", 5, 180),
            delete_delay: seconds(&section, "delete_delay", 0, 30),
        },
        files: files.clone(),
        opus,
    };
    section.finish();
    let loopback =
        || [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(Network::host).to_vec();
    let values = |list: Vec<Placed<SocketAddr>>| list.into_iter().map(|address| address.value).collect();
    Ng {
        udp: values(udp),
        tcp: values(tcp),
        http: values(http),
        allowed: allowed.unwrap_or_else(loopback),
        settings,
    }
}

/// Addresses with ports, or `false`.
fn listeners(section: &Section<'_>, key: &'static str, default: Vec<SocketAddr>) -> Vec<Placed<SocketAddr>> {
    if section.is_false(key) {
        return Vec::new();
    }
    let wanted = r#"an address with a port like "127.0.0.1:2223", or false to switch it off"#;
    let parse = |text: &str| text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    section.list(key, wanted, parse).unwrap_or_else(|| {
        default.into_iter().map(|value| Placed { value, offset: section.offset() }).collect()
    })
}

fn allowed(section: &Section<'_>) -> Option<Vec<Network>> {
    let wanted = r#"an IP address or a network like "192.0.2.0/24""#;
    let list = section.list("allowed", wanted, Network::parse)?;
    Some(list.into_iter().map(|network| network.value).collect())
}

fn interfaces(root: &Section<'_>, local: &[IpAddr], advertised: &[IpAddr]) -> Vec<Interface> {
    let sections = root.sections("interface");
    if sections.is_empty() {
        let told = |local: &IpAddr| advertised.iter().find(|ip| ip.is_ipv4() == local.is_ipv4()).copied();
        let interface = |local: &IpAddr| {
            let (local, advertised) = (*local, told(local)?);
            Some(Interface { name: DEFAULT_INTERFACE.to_owned(), local, advertised })
        };
        return local.iter().filter_map(interface).collect();
    }
    let mut interfaces: Vec<Interface> = Vec::new();
    for section in sections {
        let one = interface(&section);
        if interfaces.len() == MAX_INTERFACES {
            section.problem(section.offset(), format!("more than {MAX_INTERFACES} [[interface]]s"));
        }
        if let Some(one) = one {
            let same =
                |other: &&Interface| other.name == one.name && other.local.is_ipv4() == one.local.is_ipv4();
            if interfaces.iter().any(|other| same(&other)) {
                let text = "a second address of this family for the [[interface]] of the same `name`";
                section.problem(section.offset(), text);
            }
            interfaces.push(one);
        }
        section.finish();
    }
    interfaces
}

fn interface(section: &Section<'_>) -> Option<Interface> {
    let name = section.parsed("name", "made of letters, digits and - . _, at most 64", |text| {
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        (!text.is_empty() && text.len() <= 64 && text.chars().all(letter)).then(|| text.to_owned())
    });
    let address = |key, wanted| section.parsed(key, wanted, |text| text.parse::<IpAddr>().ok());
    let local = address("local", "an IP address of this host");
    let advertised = address("advertised", "the IP address that peers are told");
    for key in ["name", "local"] {
        if !section.has(key) {
            section.problem(section.offset(), format!("an [[interface]] must have a `{key}`"));
        }
    }
    if let Some(local) =
        local.as_ref().filter(|local| local.value.is_unspecified() || local.value.is_multicast())
    {
        section
            .problem(local.offset, "`local` in [interface] must be one address of this host, not a wildcard");
    }
    if let (Some(local), Some(told)) = (&local, &advertised) {
        if told.value.is_unspecified() || told.value.is_multicast() {
            section
                .problem(told.offset, "`advertised` in [interface] must be an address that peers can reach");
        } else if told.value.is_ipv4() != local.value.is_ipv4() {
            section.problem(told.offset, "`advertised` in [interface] must be of the same family as `local`");
        }
    }
    let local = local?.value;
    Some(Interface { name: name?.value, local, advertised: advertised.map_or(local, |told| told.value) })
}
