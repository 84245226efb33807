//! The host's own addresses, and networks of others'.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The addresses that share a prefix: one host, or a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// Bits of the prefix: up to 32, or 128 with IPv6.
    prefix: u8,
}

impl Network {
    /// The network that is one host.
    pub fn host(address: IpAddr) -> Network {
        Network { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// `ADDRESS` or `ADDRESS/PREFIX`.
    pub(super) fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
        let host = Network::host(address.parse().ok()?);
        let prefix = prefix.map_or(Some(host.prefix), |prefix| prefix.parse().ok())?;
        (prefix <= host.prefix).then_some(Network { prefix, ..host })
    }

    /// Whether it holds the address. An IPv4 address within IPv6 (RFC 4291 section 2.5.5.2) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        // A shift by all bits is none in Rust: a prefix of 0 holds every address of its family.
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                (ours.to_bits() ^ other.to_bits()).checked_shr(32 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                (ours.to_bits() ^ other.to_bits()).checked_shr(128 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// The host's addresses towards the rest of the world, IPv4 first; only loopback if there are no others.
///
/// They are the source addresses of the default routes: a connected UDP socket tells them without a packet sent.
pub fn host_addresses() -> Vec<IpAddr> {
    // TEST-NET-1 (RFC 5737) and the documentation prefix (RFC 3849): nobody is there, but they are routed.
    let towards_v4 = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9));
    let towards_v6 = SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9));
    let v4 = source_towards(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), towards_v4);
    let v6 = source_towards(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)), towards_v6);
    let found: Vec<IpAddr> = [v4, v6].into_iter().flatten().filter(|ip| !ip.is_loopback()).collect();
    if found.is_empty() { vec![IpAddr::V4(Ipv4Addr::LOCALHOST)] } else { found }
}

fn source_towards(local: SocketAddr, remote: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(local).ok()?;
    socket.connect(remote).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_prefix_and_no_more() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::"),
            ("::/0", "::1", "192.0.2.1"),
            ("192.0.2.0/24", "::ffff:192.0.2.1", "::192.0.2.1"),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{network} holds {inside}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{network} does not hold {outside}");
        }
        for wrong in ["", "192.0.2.0/33", "::/129", "192.0.2.0/-1", "192.0.2/24", "192.0.2.0/"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
