//! SIP over UDP.

use crate::events::{Drop, Events};
use crate::limits;
use crate::readable::Readable;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use tandem_sip::switch::Input;
use tandem_sip::transport::{Flow, Transport};
use tokio::sync::mpsc::error::TrySendError;

/// A bound socket and its address.
#[derive(Clone)]
pub(crate) struct Udp {
    pub(crate) socket: Arc<Readable<UdpSocket>>,
    pub(crate) local: SocketAddr,
}

impl Udp {
    /// Sends a datagram at once, or not at all.
    pub(crate) fn send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<()> {
        self.socket.socket().send_to(bytes, remote).map(drop)
    }
}

/// Binds one address.
pub(crate) fn bind(address: SocketAddr) -> io::Result<Udp> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own on the same port.
        socket.set_only_v6(true)?;
    }
    // The kernel cuts it to net.core.rmem_max: less is no error.
    socket.set_recv_buffer_size(limits::UDP_RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    let local = socket.local_addr()?;
    Ok(Udp { socket: Arc::new(Readable::new(socket)?), local })
}

/// Reads datagrams until the event loop ends.
pub(crate) async fn receive(udp: Udp, events: Events) {
    let mut buffer = vec![0; limits::DATAGRAM];
    loop {
        // An error belongs to something sent before (an ICMP message, say): the next datagram is unharmed.
        let Ok((length, remote)) = udp.socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        if is_keep_alive(bytes) {
            continue;
        }
        let flow = Flow { transport: Transport::Udp, local: udp.local, remote, connection: None };
        match events.try_send(Input::Sip { flow, bytes: bytes.to_vec() }.into()) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => Drop::EventQueueFull.count(),
            Err(TrySendError::Closed(_)) => return,
        }
    }
}

/// What clients send to keep a NAT binding open: nothing, zeros, or line ends.
fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, 0 | b'\r' | b'\n'))
}
