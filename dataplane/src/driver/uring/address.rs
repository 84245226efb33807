//! Socket addresses as the kernel reads and writes them, and what it writes in front of a datagram.

use crate::buffers::{HEADROOM, MAX_DATAGRAM};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ops::Range;

/// Room for an address of either family.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) union Storage {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// An address, to be handed to the kernel; good as long as its [`Storage`].
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) address: *const libc::sockaddr,
    pub(super) len: libc::socklen_t,
}

impl Name {
    /// None: a connected socket needs no address.
    pub(super) const NONE: Name = Name { address: std::ptr::null(), len: 0 };
}

impl Storage {
    pub(super) fn new() -> Storage {
        // SAFETY: both kinds are plain data for which all zeros is valid.
        unsafe { std::mem::zeroed() }
    }

    /// Stores `address`; without one, what dissolves a connection (`AF_UNSPEC`, connect(2)).
    pub(super) fn store(&mut self, address: Option<SocketAddr>) -> Name {
        *self = Storage::new();
        let len = match address {
            Some(SocketAddr::V4(address)) => {
                self.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                    sin_zero: [0; 8],
                };
                size_of::<libc::sockaddr_in>()
            }
            Some(SocketAddr::V6(address)) => {
                self.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
                size_of::<libc::sockaddr_in6>()
            }
            None => size_of::<libc::sockaddr_in>(),
        };
        Name { address: (&raw const *self).cast(), len: len as libc::socklen_t }
    }
}

/// Reads a `sockaddr_in` or `sockaddr_in6`.
pub(super) fn parse(name: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(*name.first_chunk()?);
    let port = u16::from_be_bytes(*name.get(2..)?.first_chunk()?);
    match i32::from(family) {
        libc::AF_INET => {
            let address: [u8; 4] = *name.get(4..)?.first_chunk()?;
            Some(SocketAddrV4::new(Ipv4Addr::from(address), port).into())
        }
        libc::AF_INET6 => {
            let address: [u8; 16] = *name.get(8..)?.first_chunk()?;
            let scope = u32::from_ne_bytes(*name.get(24..)?.first_chunk()?);
            Some(SocketAddrV6::new(Ipv6Addr::from(address), port, 0, scope).into())
        }
        _ => None,
    }
}

/// The source and the place of a datagram in a buffer that a multishot receive filled; `None` if it was cut off
/// or did not come over IP.
pub(super) fn parse_received(filled: &[u8], template: &libc::msghdr) -> Option<(SocketAddr, Range<usize>)> {
    if filled.len() < HEADROOM {
        return None;
    }
    let parsed = io_uring::types::RecvMsgOut::parse(filled, template).ok()?;
    if parsed.is_payload_truncated() || parsed.payload_data().len() > MAX_DATAGRAM {
        return None;
    }
    let source = parse(parsed.name_data())?;
    Some((source, HEADROOM..HEADROOM + parsed.payload_data().len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would read.
    fn bytes(name: Name) -> Vec<u8> {
        // SAFETY: the storage that the name points into is alive and at least that long.
        unsafe { std::slice::from_raw_parts(name.address.cast(), name.len as usize) }.to_vec()
    }

    #[test]
    fn addresses_of_both_families_make_the_round_trip() {
        for text in ["192.0.2.1:5060", "[2001:db8::1]:5060", "0.0.0.0:1"] {
            let address: SocketAddr = text.parse().unwrap();
            let mut storage = Storage::new();
            assert_eq!(parse(&bytes(storage.store(Some(address)))), Some(address));
        }
        let mut name = [0; 28];
        name[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        name[2..4].copy_from_slice(&5060u16.to_be_bytes());
        name[4..8].copy_from_slice(&[192, 0, 2, 1]);
        assert_eq!(parse(&name[..16]), Some("192.0.2.1:5060".parse().unwrap()));
    }

    #[test]
    fn other_families_and_short_names_are_no_addresses() {
        let mut storage = Storage::new();
        assert_eq!(parse(&bytes(storage.store(None))), None);
        let name = bytes(storage.store(Some("[::1]:1".parse().unwrap())));
        assert_eq!(parse(&name[..10]), None);
        let mut name = [0; 28];
        name[..2].copy_from_slice(&(libc::AF_UNIX as u16).to_ne_bytes());
        assert_eq!(parse(&name), None);
    }
}
