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
    CodingError, Hello, MAX_RECORD, Message, Refusal, Reply, Request, RequestFrame, VERSION, append, decode,
    encode, take,
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
    let hello = encode(&RequestFrame { id: HELLO_ID, request }).map_err(io::Error::other)?;
    socket.send(&hello).await?;
    let mut buffer = vec![0; MAX_RECORD];
    let length = socket.recv(&mut buffer).await?;
    match decode(buffer.get(..length).unwrap_or_default()).map_err(io::Error::other)? {
        Message::Reply { id: HELLO_ID, result: Ok(Reply::Hello(hello)) } => Ok((socket, hello)),
        Message::Reply { result: Err(refusal), .. } => Err(io::Error::other(refusal)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Carries requests and answers until the connection ends; returns why.
async fn converse(socket: &Control, commands: &mut mpsc::Receiver<Command>, events: &Events) -> io::Error {
    let mut own = Own::default();
    let (mut buffer, mut record) = (vec![0; MAX_RECORD], Vec::new());
    loop {
        tokio::select! {
            received = socket.recv(&mut buffer) => {
                let heard = match received {
                    Ok(length) => hear(buffer.get(..length).unwrap_or_default(), &mut own, events).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = heard {
                    return error;
                }
            }
            command = commands.recv() => {
                let Some(command) = command else { return io::ErrorKind::BrokenPipe.into() };
                let mut next = Some(command);
                while let Some(command) = next {
                    let frame = own.frame(command);
                    let added = match append(&mut record, &frame) {
                        // The record is full: this one begins the next.
                        Err(CodingError::TooLong) if !record.is_empty() => {
                            let sent = socket.send(&record).await;
                            record.clear();
                            sent.and(append(&mut record, &frame).map_err(io::Error::other))
                        }
                        added => added.map_err(io::Error::other),
                    };
                    if let Err(error) = added {
                        return error;
                    }
                    // Whatever else was asked meanwhile goes with it.
                    next = commands.try_recv().ok();
                }
                if let Err(error) = socket.send(&record).await {
                    return error;
                }
                record.clear();
            }
        }
    }
}

/// Our own requests.
#[derive(Default)]
struct Own {
    open: HashMap<u32, oneshot::Sender<Vec<(String, u64)>>>,
    next: u32,
}

impl Own {
    fn frame(&mut self, command: Command) -> RequestFrame {
        match command {
            Command::Request(frame) => frame,
            Command::Counters(answer) => {
                let id = FIRST_OWN_ID + self.next;
                self.next = (self.next + 1) % OWN_REQUESTS;
                self.open.insert(id, answer);
                RequestFrame { id, request: Request::Counters }
            }
        }
    }

    fn answered(&mut self, id: u32, result: Result<Reply, Refusal>) {
        if let (Some(answer), Ok(Reply::Counters(counters))) = (self.open.remove(&id), result) {
            // Whoever asked may have given up.
            let _ = answer.send(counters);
        }
    }
}

/// Passes on what a record says; one without bytes is the end.
async fn hear(mut record: &[u8], own: &mut Own, events: &Events) -> io::Result<()> {
    if record.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    while let Some(message) = take(&mut record).map_err(io::Error::other)? {
        match message {
            Message::Reply { id, result } if id >= FIRST_OWN_ID => own.answered(id, result),
            message => {
                let passed_on = events.send(Event::Dataplane(message)).await;
                passed_on.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            }
        }
    }
    Ok(())
}
