//! The client of the dataplane's control socket. It connects again whenever the dataplane comes back.

use crate::events::{Drop, Event, Events};
use crate::limits;
use crate::readable::Readable;
use socket2::{Domain, SockAddr, Socket, Type};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tandem_control::{
    Hello, MAX_RECORD, Message, Refusal, Reply, Request, RequestFrame, VERSION, decode, encode,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// The ids of our own requests: those of the switch and of the relay stay below.
const HELLO_ID: u32 = u32::MAX;
const FIRST_OWN_ID: u32 = u32::MAX - 1024;
/// Own requests that may wait for an answer.
const OWN_REQUESTS: u32 = HELLO_ID - FIRST_OWN_ID;

/// The control socket.
type Control = Readable<UnixDatagram>;

enum Command {
    Request(RequestFrame),
    Counters(oneshot::Sender<Vec<(String, u64)>>),
}

/// The way to the dataplane.
#[derive(Clone)]
pub(crate) struct DataplaneClient {
    commands: mpsc::Sender<Command>,
    up: Arc<AtomicBool>,
}

impl DataplaneClient {
    /// Starts the client; it tells `events` when the dataplane comes and goes.
    pub(crate) fn start(path: PathBuf, events: Events) -> DataplaneClient {
        let (commands, queue) = mpsc::channel(limits::DATAPLANE_REQUESTS);
        let up = Arc::new(AtomicBool::new(false));
        tokio::spawn(run(path, queue, up.clone(), events));
        DataplaneClient { commands, up }
    }

    /// Whether the dataplane is there.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// The dataplane's answer where it cannot be asked: [`Refusal::Busy`].
    pub(crate) fn request(&self, frame: RequestFrame) -> Result<(), Refusal> {
        if self.is_up() {
            match self.commands.try_send(Command::Request(frame)) {
                Ok(()) => return Ok(()),
                Err(_) => Drop::DataplaneQueueFull.count(),
            }
        }
        Err(Refusal::Busy)
    }
}

/// The dataplane's own counters, if it is there.
pub(crate) async fn counters(client: &DataplaneClient) -> Option<Vec<(String, u64)>> {
    if !client.is_up() {
        return None;
    }
    let (answer, counters) = oneshot::channel();
    client.commands.try_send(Command::Counters(answer)).ok()?;
    counters.await.ok()
}

async fn run(path: PathBuf, mut commands: mpsc::Receiver<Command>, up: Arc<AtomicBool>, events: Events) {
    let (mut wait, longest) = limits::RECONNECT;
    loop {
        match timeout(limits::HELLO_DEADLINE, greet(&path)).await {
            Ok(Ok((socket, hello))) => {
                tracing::info!(workers = hello.workers, sessions = hello.sessions, "the dataplane is there");
                wait = limits::RECONNECT.0;
                // What was asked of the dataplane before was answered by DataplaneDown.
                while commands.try_recv().is_ok() {}
                up.store(true, Ordering::Relaxed);
                if events.send(Event::DataplaneUp(hello)).await.is_err() {
                    return;
                }
                let error = converse(&socket, &mut commands, &events).await;
                up.store(false, Ordering::Relaxed);
                tracing::warn!(%error, "the dataplane is gone");
                if events.send(Event::DataplaneDown).await.is_err() {
                    return;
                }
            }
            Ok(Err(error)) => tracing::debug!(%error, path = %path.display(), "the dataplane is not there"),
            Err(_) => tracing::warn!("the dataplane does not answer"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(longest);
        if events.is_closed() {
            return;
        }
    }
}

/// Connects and says hello.
async fn greet(path: &Path) -> io::Result<(Control, Hello)> {
    let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    // Nobody has a type for SEQPACKET. Send and receive, one record each, are the same calls as on a datagram socket.
    let socket = Readable::new(UnixDatagram::from(OwnedFd::from(socket)))?;
    let request = Request::Hello { version: VERSION, progress: false };
    send(&socket, &RequestFrame { id: HELLO_ID, request }).await?;
    let mut buffer = vec![0; MAX_RECORD];
    match receive(&socket, &mut buffer).await? {
        Message::Reply { id: HELLO_ID, result: Ok(Reply::Hello(hello)) } => Ok((socket, hello)),
        Message::Reply { result: Err(refusal), .. } => Err(io::Error::other(refusal)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Carries requests and answers until the connection ends; returns why.
async fn converse(socket: &Control, commands: &mut mpsc::Receiver<Command>, events: &Events) -> io::Error {
    let mut own: HashMap<u32, oneshot::Sender<Vec<(String, u64)>>> = HashMap::new();
    let mut next_own = 0;
    let mut buffer = vec![0; MAX_RECORD];
    loop {
        tokio::select! {
            received = receive(socket, &mut buffer) => match received {
                Ok(Message::Reply { id, result }) if id >= FIRST_OWN_ID => {
                    if let (Some(answer), Ok(Reply::Counters(counters))) = (own.remove(&id), result) {
                        // Whoever asked may have given up.
                        let _ = answer.send(counters);
                    }
                }
                Ok(message) => {
                    if events.send(Event::Dataplane(message)).await.is_err() {
                        return io::ErrorKind::BrokenPipe.into();
                    }
                }
                Err(error) => return error,
            },
            command = commands.recv() => {
                let frame = match command {
                    Some(Command::Request(frame)) => frame,
                    Some(Command::Counters(answer)) => {
                        let id = FIRST_OWN_ID + next_own;
                        next_own = (next_own + 1) % OWN_REQUESTS;
                        own.insert(id, answer);
                        RequestFrame { id, request: Request::Counters }
                    }
                    None => return io::ErrorKind::BrokenPipe.into(),
                };
                if let Err(error) = send(socket, &frame).await {
                    return error;
                }
            }
        }
    }
}

async fn send(socket: &Control, frame: &RequestFrame) -> io::Result<()> {
    let record = encode(frame).map_err(io::Error::other)?;
    socket.send(&record).await
}

/// Safe to be cancelled: a record is taken whole or not at all.
async fn receive(socket: &Control, buffer: &mut [u8]) -> io::Result<Message> {
    let length = socket.recv(buffer).await?;
    match buffer.get(..length) {
        None | Some([]) => Err(io::ErrorKind::UnexpectedEof.into()),
        Some(record) => decode(record).map_err(io::Error::other),
    }
}
