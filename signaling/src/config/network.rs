//! The host's own addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

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
