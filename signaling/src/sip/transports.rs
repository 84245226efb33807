//! Every path that a message can leave on. Owned by the event loop: nothing here waits.

use super::stream;
use super::udp::Udp;
use super::user_ports::UserPorts;
use crate::connection::{Frame, fail_queued, next_connection_id};
use crate::events::{Drop, Events};
use crate::limits;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use tandem_sip::switch::{Input, SendKey};
use tandem_sip::transport::{ConnectionId, Destination, Flow, Transport};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// What a connection can be used again for: its transport, its peer, and the name that the peer's certificate showed.
type Reusable = (Transport, SocketAddr, Option<String>);

struct Open {
    frames: mpsc::Sender<Frame>,
    reusable: Reusable,
    outgoing: bool,
}

/// The message could not be sent.
#[derive(Debug)]
pub(crate) struct NotSent;

/// All sockets and connections.
pub(crate) struct Transports {
    udp: Vec<Udp>,
    /// The ports that single accounts have for themselves.
    user_ports: UserPorts,
    tls: TlsConnector,
    events: Events,
    open: HashMap<ConnectionId, Open>,
    by_peer: HashMap<Reusable, ConnectionId>,
    outgoing: usize,
}

impl Transports {
    pub(crate) fn new(udp: Vec<Udp>, tls: TlsConnector, events: Events) -> Transports {
        let user_ports = UserPorts::new(&udp, events.clone());
        let (open, by_peer) = (HashMap::new(), HashMap::new());
        Transports { udp, user_ports, tls, events, open, by_peer, outgoing: 0 }
    }

    /// Binds a port for one account, at every address. False: it is taken.
    pub(crate) fn open_port(&mut self, port: u16) -> bool {
        match self.user_ports.open(port) {
            Ok(()) => true,
            Err(error) => {
                tracing::info!(port, %error, "a port for an account could not be bound");
                false
            }
        }
    }

    /// Closes a port of [`Transports::open_port`].
    pub(crate) fn close_port(&mut self, port: u16) {
        self.user_ports.close(port);
    }

    /// How many ports single accounts have for themselves.
    pub(crate) fn user_ports(&self) -> usize {
        self.user_ports.len()
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.open.len()
    }

    /// Takes over a connection that a peer opened.
    pub(crate) fn opened(&mut self, connection: ConnectionId, flow: Flow, frames: mpsc::Sender<Frame>) {
        self.insert(
            connection,
            Open { frames, reusable: (flow.transport, flow.remote, None), outgoing: false },
        );
    }

    fn insert(&mut self, connection: ConnectionId, open: Open) {
        self.outgoing += usize::from(open.outgoing);
        self.by_peer.insert(open.reusable.clone(), connection);
        self.open.insert(connection, open);
    }

    /// Forgets a connection: what is queued is still written, then it is closed.
    pub(crate) fn close(&mut self, connection: ConnectionId) {
        let Some(open) = self.open.remove(&connection) else { return };
        self.outgoing -= usize::from(open.outgoing);
        if self.by_peer.get(&open.reusable) == Some(&connection) {
            self.by_peer.remove(&open.reusable);
        }
    }

    /// Sends one SIP message. A failure that is only known later comes as [`Input::SendFailed`].
    pub(crate) fn send_sip(
        &mut self,
        destination: Destination,
        tls_name: Option<String>,
        key: SendKey,
        bytes: Vec<u8>,
    ) -> Result<(), NotSent> {
        let frame = |bytes| Frame::Sip { destination, key, bytes };
        match destination {
            Destination::Flow(Flow { transport: Transport::Udp, local, remote, .. }) => {
                let common = self.udp.iter().find(|udp| udp.local == local);
                let own = || self.user_ports.at(local.port()).iter().find(|udp| udp.local == local);
                send_datagram(common.or_else(own).ok_or(NotSent)?, remote, &bytes)
            }
            Destination::Flow(flow) => self.queue(flow.connection.ok_or(NotSent)?, frame(bytes)),
            Destination::Address { transport: Transport::Udp, remote, port } => {
                let sockets = port.map_or(self.udp.as_slice(), |port| self.user_ports.at(port));
                send_datagram(udp_towards(sockets, remote).ok_or(NotSent)?, remote, &bytes)
            }
            Destination::Address { transport, remote, .. } => {
                let connection = self.connection_to((transport, remote, tls_name))?;
                self.queue(connection, frame(bytes))
            }
        }
    }

    /// Sends one WCS message.
    pub(crate) fn send_text(&mut self, connection: ConnectionId, text: String) -> Result<(), NotSent> {
        self.queue(connection, Frame::Text(text))
    }

    fn queue(&mut self, connection: ConnectionId, frame: Frame) -> Result<(), NotSent> {
        let open = self.open.get(&connection).ok_or(NotSent)?;
        match open.frames.try_send(frame) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(NotSent),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Drop::SlowConsumer.count();
                self.close(connection);
                Err(NotSent)
            }
        }
    }

    /// An open connection to the peer, or a new one.
    fn connection_to(&mut self, reusable: Reusable) -> Result<ConnectionId, NotSent> {
        if let Some(connection) = self.by_peer.get(&reusable) {
            return Ok(*connection);
        }
        let (transport, remote, tls_name) = reusable.clone();
        // RFC 7118 section 5: a browser opens the WebSocket, never the server.
        if !matches!(transport, Transport::Tcp | Transport::Tls)
            || self.outgoing >= limits::OUTGOING_CONNECTIONS
        {
            return Err(NotSent);
        }
        let name = match (transport, tls_name) {
            (Transport::Tls, Some(name)) => Some(ServerName::try_from(name).map_err(|_| NotSent)?),
            (Transport::Tls, None) => Some(ServerName::from(remote.ip())),
            _ => None,
        };
        let connection = next_connection_id();
        let (frames, queue) = mpsc::channel(limits::FRAMES_PER_CONNECTION);
        let tls = name.map(|name| (self.tls.clone(), name));
        tokio::spawn(open(connection, transport, remote, tls, queue, self.events.clone()));
        self.insert(connection, Open { frames, reusable, outgoing: true });
        Ok(connection)
    }
}

/// The socket whose address the peer can answer to.
fn udp_towards(sockets: &[Udp], remote: SocketAddr) -> Option<&Udp> {
    let of_family = || sockets.iter().filter(|udp| udp.local.is_ipv4() == remote.is_ipv4());
    let same_scope = |udp: &&Udp| udp.local.ip().is_loopback() == remote.ip().is_loopback();
    of_family().find(same_scope).or_else(|| of_family().next())
}

fn send_datagram(udp: &Udp, remote: SocketAddr, bytes: &[u8]) -> Result<(), NotSent> {
    match udp.send(bytes, remote) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            // As if lost on the way: the transaction sends it again.
            Drop::UdpSendBufferFull.count();
            Ok(())
        }
        Err(error) => {
            tracing::debug!(%remote, %error, "a datagram could not be sent");
            Err(NotSent)
        }
    }
}

/// Opens a connection and runs it. What was queued meanwhile fails if it cannot be opened.
async fn open(
    connection: ConnectionId,
    transport: Transport,
    remote: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    frames: mpsc::Receiver<Frame>,
    events: Events,
) {
    let opening = async {
        let stream = TcpStream::connect(remote).await?;
        let local = stream.local_addr()?;
        stream.set_nodelay(true)?;
        // Without it, what is sent into a path that is gone is only missed after a quarter of an hour: keep-alives would
        // keep nothing alive.
        SockRef::from(&stream).set_tcp_user_timeout(Some(limits::UNACKNOWLEDGED))?;
        let secured = match tls {
            Some((tls, name)) => Secured::Tls(Box::new(tls.connect(name, stream).await?)),
            None => Secured::Plain(stream),
        };
        io::Result::Ok((secured, local))
    };
    let opened = timeout(limits::CONNECT_DEADLINE, opening).await;
    let (stream, local) = match opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(opened) => opened,
        Err(error) => {
            tracing::info!(%remote, transport = transport.via_name(), %error, "a connection could not be opened");
            fail_queued(frames, &events).await;
            let _ = events.send(Input::Closed { connection }.into()).await;
            return;
        }
    };
    let flow = Flow { transport, local, remote, connection: Some(connection) };
    match stream {
        Secured::Plain(stream) => stream::run(stream, flow, frames, events).await,
        Secured::Tls(stream) => stream::run(*stream, flow, frames, events).await,
    }
}

/// A stream that we opened.
enum Secured {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}
