//! The generator's sockets: each on an even port, with the odd one above it held for RTCP (RFC 3550 section 11), so
//! that a relay's reports are not answered with ICMP errors.

use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Asked for; the kernel gives what net.core.rmem_max allows to those without CAP_NET_ADMIN.
const RECEIVE_BUFFER: libc::c_int = 8 << 20;
/// Where pairs are looked for: below the kernel's ephemeral ports and above those of the relays under test.
const PORTS: std::ops::Range<u16> = 10_000..20_000;
/// How many pairs are tried before giving up.
const TRIES: usize = 200;

/// One of the generator's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SocketId(pub(super) usize);

pub(super) struct Sockets {
    host: Ipv4Addr,
    /// The socket for RTP, its address, and the one that RTCP falls into.
    pairs: Vec<(UdpSocket, SocketAddrV4, UdpSocket)>,
}

impl Sockets {
    pub(super) fn new(host: Ipv4Addr) -> Sockets {
        Sockets { host, pairs: Vec::new() }
    }

    /// Opens one more.
    ///
    /// # Errors
    /// If no pair of ports is free, or the kernel refuses.
    pub(super) fn open(&mut self) -> io::Result<SocketId> {
        let mut last = io::Error::other("no pair of ports is free");
        for _ in 0..TRIES {
            let port = fastrand::u16(PORTS) & !1;
            let pair = bind(SocketAddrV4::new(self.host, port))
                .and_then(|rtp| Ok((rtp, bind(SocketAddrV4::new(self.host, port + 1))?)));
            match pair {
                Ok((rtp, rtcp)) => {
                    self.pairs.push((rtp, SocketAddrV4::new(self.host, port), rtcp));
                    return Ok(SocketId(self.pairs.len() - 1));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(super) fn address(&self, SocketId(index): SocketId) -> SocketAddrV4 {
        self.pairs[index].1
    }

    pub(super) fn descriptor(&self, SocketId(index): SocketId) -> BorrowedFd<'_> {
        self.pairs[index].0.as_fd()
    }

    pub(super) fn send_to(&self, SocketId(index): SocketId, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.pairs[index].0.send_to(bytes, to).map(drop)
    }

    pub(super) fn receive_from(
        &self,
        SocketId(index): SocketId,
        buffer: &mut [u8],
    ) -> io::Result<(usize, SocketAddr)> {
        self.pairs[index].0.recv_from(buffer)
    }

    /// Throws away what came for RTCP.
    pub(super) fn discard_rtcp(&self) {
        let mut buffer = [0; 64];
        self.pairs.iter().for_each(|(_, _, rtcp)| while rtcp.recv(&mut buffer).is_ok() {});
    }
}

fn bind(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    if set_option(&socket, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER).is_err() {
        set_option(&socket, libc::SO_RCVBUF, RECEIVE_BUFFER)?;
    }
    set_option(&socket, libc::SO_TIMESTAMPNS, 1)?;
    set_option(&socket, libc::SO_RXQ_OVFL, 1)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn set_option(socket: &Socket, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the option's value is one int, which outlives the call.
    let result = unsafe {
        let size = size_of_val(&value) as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const value).cast(), size)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
