//! Sockets whose task wakes up when something arrives, and for nothing else.
//!
//! tokio's own types also wait for room to write, which the kernel announces after every datagram that has left: each
//! message sent would wake the process once more. Whatever is sent here is sent at once or not at all.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The standard library's sockets: each owns one descriptor, and shows no other for as long as it lives.
pub(crate) trait StandardSocket: AsRawFd {}
impl StandardSocket for UdpSocket {}
impl StandardSocket for UnixDatagram {}

/// A socket that does not block.
pub(crate) struct Readable<S: StandardSocket>(AsyncFd<S>);

impl<S: StandardSocket> Readable<S> {
    /// Takes over a socket, which must be non-blocking.
    pub(crate) fn new(socket: S) -> io::Result<Readable<S>> {
        Ok(Readable(register(socket, Interest::READABLE)?))
    }

    /// The socket itself, to send.
    pub(crate) fn socket(&self) -> &S {
        self.0.get_ref()
    }
}

impl Readable<UdpSocket> {
    /// Waits for a datagram. Safe to be cancelled.
    pub(crate) async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.async_io(Interest::READABLE, |socket| socket.recv_from(buffer)).await
    }
}

impl Readable<UnixDatagram> {
    /// Waits for a record. Safe to be cancelled.
    pub(crate) async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.async_io(Interest::READABLE, |socket| socket.recv(buffer)).await
    }

    /// Sends a record; waits where the other side does not keep up.
    pub(crate) async fn send(&self, record: &[u8]) -> io::Result<()> {
        match self.socket().send(record) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let writable = register(self.socket().try_clone()?, Interest::WRITABLE)?;
                writable.async_io(Interest::WRITABLE, |socket| socket.send(record)).await.map(drop)
            }
            sent => sent.map(drop),
        }
    }
}

fn register<S: StandardSocket>(socket: S, interest: Interest) -> io::Result<AsyncFd<S>> {
    // SAFETY: a `StandardSocket` owns its descriptor, which stays the same and open until the AsyncFd drops it.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_full_socket_is_waited_for_and_no_record_is_lost() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        for socket in [&ours, &theirs] {
            socket.set_nonblocking(true).unwrap();
        }
        let (ours, theirs) = (Readable::new(ours).unwrap(), Readable::new(theirs).unwrap());
        let mut sent = 0_u32;
        let fill = async {
            loop {
                ours.send(&sent.to_be_bytes()).await.unwrap();
                sent += 1;
            }
        };
        // It ends by the clock: it waits for room that nobody makes.
        assert!(timeout(Duration::from_millis(50), fill).await.is_err());
        let mut buffer = [0; 4];
        for expected in 0..sent {
            assert_eq!(theirs.recv(&mut buffer).await.unwrap(), 4);
            assert_eq!(u32::from_be_bytes(buffer), expected);
        }
        ours.send(&[1, 2, 3]).await.unwrap();
        assert_eq!(theirs.recv(&mut buffer).await.unwrap(), 3);
    }
}
