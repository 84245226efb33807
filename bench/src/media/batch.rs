//! Many datagrams a system call: sendmmsg and recvmmsg, with the kernel's own receive time.

use std::io;
use std::mem::zeroed;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

/// Datagrams a call.
pub(super) const BATCH: usize = 32;
/// The longest datagram that media or a handshake has.
pub(super) const MAX_DATAGRAM: usize = 2048;
/// Room for the ancillary data: a time stamp and a drop counter.
const CONTROL: usize = 64;

/// Datagrams to be sent over one socket.
pub(super) struct Outbox {
    packets: Vec<(Vec<u8>, SocketAddrV4)>,
    filled: usize,
}

impl Outbox {
    pub(super) fn new() -> Outbox {
        let empty = (Vec::with_capacity(MAX_DATAGRAM), SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
        Outbox { packets: vec![empty; BATCH], filled: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == self.packets.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Takes one more datagram; it must not be full.
    pub(super) fn push(&mut self, bytes: &[u8], to: SocketAddrV4) {
        let (buffer, address) = &mut self.packets[self.filled];
        buffer.clear();
        buffer.extend_from_slice(bytes);
        *address = to;
        self.filled += 1;
    }

    /// Sends all; returns how many the kernel did not take.
    ///
    /// # Errors
    /// If the kernel refuses for another reason than a full queue or a port that nobody listens on.
    pub(super) fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<u64> {
        let count = std::mem::take(&mut self.filled);
        let mut addresses = [raw_address(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)); BATCH];
        // SAFETY: iovec and mmsghdr are plain C structures for which all zeroes are valid.
        let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        for (index, (bytes, to)) in self.packets[..count].iter_mut().enumerate() {
            addresses[index] = raw_address(*to);
            vectors[index] = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
            let header = &mut headers[index].msg_hdr;
            header.msg_name = (&raw mut addresses[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut vectors[index];
            header.msg_iovlen = 1;
        }
        let (mut done, mut refused) = (0, 0);
        while done < count {
            let rest = &mut headers[done..count];
            // SAFETY: every header points to an address, a vector and a buffer that outlive the call.
            let sent = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, libc::MSG_DONTWAIT)
            };
            match usize::try_from(sent) {
                Ok(sent) => done += sent,
                Err(_) => match io::Error::last_os_error().raw_os_error() {
                    Some(libc::EAGAIN | libc::ENOBUFS) => return Ok(refused + (count - done) as u64),
                    // An error of an earlier datagram, told late: this one is tried again.
                    Some(libc::ECONNREFUSED | libc::EINTR) => {}
                    Some(libc::EPERM) => {
                        refused += 1;
                        done += 1;
                    }
                    _ => return Err(io::Error::last_os_error()),
                },
            }
        }
        Ok(refused)
    }
}

/// A datagram that came in.
pub(super) struct Received<'a> {
    pub(super) source: SocketAddrV4,
    /// When the kernel took it in, since the Unix epoch.
    pub(super) at: Duration,
    pub(super) bytes: &'a [u8],
}

/// Datagrams received over one socket.
pub(super) struct Inbox {
    buffers: Vec<[u8; MAX_DATAGRAM]>,
    controls: Vec<[u64; CONTROL / 8]>,
    results: Vec<(SocketAddrV4, Duration, usize)>,
    /// Datagrams that the kernel dropped because this socket's queue was full, since it was opened.
    overflowed: u32,
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox {
            buffers: vec![[0; MAX_DATAGRAM]; BATCH],
            controls: vec![[0; CONTROL / 8]; BATCH],
            results: Vec::with_capacity(BATCH),
            overflowed: 0,
        }
    }

    /// Receives what is there, at most [`BATCH`]; returns how many.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.results.clear();
        let mut addresses = [raw_address(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)); BATCH];
        // SAFETY: iovec and mmsghdr are plain C structures for which all zeroes are valid.
        let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        for index in 0..BATCH {
            let base = self.buffers[index].as_mut_ptr().cast();
            vectors[index] = libc::iovec { iov_base: base, iov_len: MAX_DATAGRAM };
            let header = &mut headers[index].msg_hdr;
            header.msg_name = (&raw mut addresses[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut vectors[index];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[index].as_mut_ptr().cast();
            header.msg_controllen = CONTROL;
        }
        // SAFETY: every header points to an address, a vector, a buffer and control room that outlive the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            return match io::Error::last_os_error().raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR | libc::ECONNREFUSED) => Ok(0),
                _ => Err(io::Error::last_os_error()),
            };
        };
        for (header, address) in headers[..count].iter().zip(&addresses) {
            let (at, overflowed) = ancillary(&header.msg_hdr);
            self.overflowed = overflowed.unwrap_or(self.overflowed);
            let source = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            let source = SocketAddrV4::new(source, u16::from_be(address.sin_port));
            self.results.push((source, at.unwrap_or_default(), header.msg_len as usize));
        }
        Ok(count)
    }

    /// What the last call received.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = Received<'_>> {
        let packets = self.results.iter().zip(&self.buffers);
        packets.map(|(&(source, at, length), buffer)| Received { source, at, bytes: &buffer[..length] })
    }

    pub(super) fn overflowed(&self) -> u32 {
        self.overflowed
    }
}

/// The receive time (SO_TIMESTAMPNS) and the drop counter (SO_RXQ_OVFL) that came with a datagram.
fn ancillary(header: &libc::msghdr) -> (Option<Duration>, Option<u32>) {
    let (mut at, mut overflowed) = (None, None);
    // SAFETY: the kernel filled the control room that the header points to; the CMSG macros walk inside it, and
    // each value is read only for the type that the kernel writes with it.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while !control.is_null() {
            let data = libc::CMSG_DATA(control);
            match ((*control).cmsg_level, (*control).cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time: libc::timespec = ptr::read_unaligned(data.cast());
                    at = Some(Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32));
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => overflowed = Some(ptr::read_unaligned(data.cast())),
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    (at, overflowed)
}

fn raw_address(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::sockets::Sockets;

    #[test]
    fn a_batch_arrives_with_its_times() {
        let mut sockets = Sockets::new(Ipv4Addr::LOCALHOST);
        let (a, b) = (sockets.open().unwrap(), sockets.open().unwrap());
        let mut outbox = Outbox::new();
        while !outbox.is_full() {
            outbox.push(&[outbox.filled as u8; 3], sockets.address(b));
        }
        assert_eq!(outbox.flush(sockets.descriptor(a)).unwrap(), 0);
        let mut inbox = Inbox::new();
        assert_eq!(inbox.receive(sockets.descriptor(b)).unwrap(), BATCH);
        for (index, datagram) in inbox.datagrams().enumerate() {
            assert_eq!(datagram.bytes, [index as u8; 3]);
            assert_eq!(datagram.source, sockets.address(a));
            assert!(datagram.at > Duration::ZERO);
        }
        assert_eq!(inbox.receive(sockets.descriptor(b)).unwrap(), 0);
    }
}
