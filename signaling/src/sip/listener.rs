//! Accepts SIP over TCP and TLS.

use super::stream;
use crate::connection::{Admission, Frame, Permit, next_connection_id};
use crate::events::{Drop, Event, Events};
use crate::limits;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tandem_sip::transport::{Flow, Transport};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Connections that the kernel holds for us.
const BACKLOG: i32 = 1024;
/// After accept failed for want of descriptors, before it is tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds one address.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // After a restart, connections of the process before may still be in TIME-WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts one connection that the caps allow.
pub(crate) async fn accept(listener: &TcpListener, admission: &Admission) -> (TcpStream, SocketAddr, Permit) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                if let Some(permit) = admission.admit(remote.ip()) {
                    // Signalling messages are small and must not wait for each other's acknowledgements.
                    let _ = stream.set_nodelay(true);
                    return (stream, remote, permit);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a listener until the process ends; with an acceptor it speaks TLS.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    admission: Admission,
    events: Events,
) {
    loop {
        let (stream, remote, permit) = accept(&listener, &admission).await;
        let (tls, events) = (tls.clone(), events.clone());
        tokio::spawn(async move {
            let Ok(local) = stream.local_addr() else { return };
            match tls {
                None => start(stream, Transport::Tcp, local, remote, events).await,
                Some(tls) => match timeout(limits::CONNECT_DEADLINE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => start(stream, Transport::Tls, local, remote, events).await,
                    Ok(Err(_)) | Err(_) => Drop::TlsHandshake.count(),
                },
            }
            drop(permit);
        });
    }
}

async fn start<S>(stream: S, transport: Transport, local: SocketAddr, remote: SocketAddr, events: Events)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connection = next_connection_id();
    let flow = Flow { transport, local, remote, connection: Some(connection) };
    let (sender, frames): (_, mpsc::Receiver<Frame>) = mpsc::channel(limits::FRAMES_PER_CONNECTION);
    if events.send(Event::Opened { connection, flow, wcs: None, frames: sender }).await.is_ok() {
        stream::run(stream, flow, frames, events).await;
    }
}
