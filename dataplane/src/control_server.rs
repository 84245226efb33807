//! The control socket: one client at a time speaks [`tandem_control`] over it.
//!
//! The *server* thread accepts a client and hears its hello; further clients wait in the backlog until it has gone.
//! Then the first worker reads the requests in its own loop: it carries out what is its own, passes on what is another
//! worker's, and gives back to the server what is about all of them. Whoever has an answer writes it. The *writer*
//! sends events, and the answers that a full socket would not take at once: no worker waits for a client. Every queue
//! is bounded, and what finds a queue full is refused ([`Refusal::Busy`]) or counted. Sessions outlive their client:
//! without one, events are kept, the oldest dropped first.

mod client;
mod routing;
mod socket;
mod writer;

pub use client::{Attached, Client, Next};
pub use routing::{Router, WorkerHandle};
pub use socket::BindError;

use crate::worker::{Answer, Command};
use crossbeam::channel::{Receiver, Sender, bounded};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use socket2::Socket;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tandem_control::{
    CodingError, Event, MAX_RECORD, Message, Refusal, Request, RequestFrame, decode, encode,
};
use writer::{Change, Writer};

/// Answers that a client with a full socket may leave waiting; with one more it is given up.
pub const MAX_WAITING_ANSWERS: usize = 1024;
/// Requests about all workers that may wait for the server.
const SERVER_QUEUE: usize = 16;
/// Events on their way from the workers.
pub const EVENT_QUEUE: usize = 4096;
/// How long a client may take to say hello, or leave its socket full, before it is given up: others wait.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The ends that the workers hold.
#[derive(Clone)]
pub struct WorkerEnds {
    /// For answers that a client's socket does not take now.
    pub answers: Sender<Answer>,
    /// For events.
    pub events: Sender<Event>,
    /// Whether the client wants to hear of [`tandem_control::EventKind::is_progress`].
    pub progress: Arc<AtomicBool>,
}

/// What comes from the workers.
pub struct FromWorkers {
    answers: Receiver<Answer>,
    events: Receiver<Event>,
}

/// Makes the queues from the workers to the control server.
pub fn queues() -> (WorkerEnds, FromWorkers) {
    let (answers_in, answers) = bounded(MAX_WAITING_ANSWERS);
    let (events_in, events) = bounded(EVENT_QUEUE);
    (
        WorkerEnds { answers: answers_in, events: events_in, progress: Arc::default() },
        FromWorkers { answers, events },
    )
}

/// What a worker gives to the server.
#[derive(Debug)]
pub(crate) enum ToServer {
    /// A request about all workers.
    Request(RequestFrame),
}

/// What server and writer share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Events dropped because no client took them.
    events_dropped: AtomicU64,
    stopping: AtomicBool,
}

/// The running server.
pub struct ControlServer {
    path: PathBuf,
    listener: Arc<Socket>,
    shared: Arc<Shared>,
    changes: Sender<Change>,
    server: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl ControlServer {
    /// Binds the socket, with mode 0600, and starts to serve.
    ///
    /// # Errors
    /// [`BindError`] if another process serves there, or the system refuses.
    pub fn start(path: &Path, router: Router, from: FromWorkers) -> Result<ControlServer, BindError> {
        let listener = Arc::new(socket::listen(path)?);
        let shared = Arc::new(Shared::default());
        // No room: what the server does after a change, the writer sees after that change.
        let (changes, changes_out) = bounded(0);
        let writer = Writer::new(from, changes_out, Arc::clone(&shared));
        let server = Server {
            listener: Arc::clone(&listener),
            router: Arc::new(router),
            shared: Arc::clone(&shared),
            changes: changes.clone(),
        };
        let spawn = |name: &str| std::thread::Builder::new().name(name.to_owned());
        Ok(ControlServer {
            path: path.to_owned(),
            listener,
            shared,
            changes,
            server: spawn("control-server").spawn(move || server.run())?,
            writer: spawn("control-writer").spawn(move || writer.run())?,
        })
    }

    /// Stops serving and removes the socket's file.
    pub fn stop(self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // The writer is first: it shuts the client's socket, which ends the worker's part in it, and so the server's.
        let _ = self.changes.send(Change::Stop);
        let _ = self.listener.shutdown(Shutdown::Both);
        for thread in [self.writer, self.server] {
            if thread.join().is_err() {
                tracing::error!("a thread of the control server panicked");
            }
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the control socket");
        }
    }
}

struct Server {
    listener: Arc<Socket>,
    router: Arc<Router>,
    shared: Arc<Shared>,
    changes: Sender<Change>,
}

impl Server {
    fn run(self) {
        for connection in 0.. {
            let client = match self.listener.accept() {
                Ok((client, _)) => client,
                Err(_) if self.shared.stopping.load(Ordering::Relaxed) => return,
                Err(error) => {
                    tracing::error!(%error, "cannot accept a control client");
                    // Above all a lack of descriptors: it may pass, and must not keep a core busy.
                    std::thread::sleep(Duration::from_millis(100));
                    continue;
                }
            };
            tracing::info!("a control client has connected");
            if let Err(error) = self.serve(connection, client) {
                tracing::warn!(%error, "the control client is given up");
            }
            let _ = self.changes.send(Change::Disconnected { connection });
            tracing::info!("the control client has gone");
        }
    }

    /// Serves one client to its end.
    fn serve(&self, connection: u64, socket: Socket) -> io::Result<()> {
        socket.set_write_timeout(Some(CLIENT_TIMEOUT))?;
        socket.set_read_timeout(Some(CLIENT_TIMEOUT))?;
        let mut record = vec![0; MAX_RECORD + 1];
        let Some(length) = read_record(&socket, &mut record, MsgFlags::empty())? else { return Ok(()) };
        let hello = record.get(..length).unwrap_or_default();
        let first: RequestFrame = decode(hello).map_err(io::Error::other)?;
        let result = match first.request {
            Request::Hello { version, progress } => self.router.hello(version, progress),
            _ => Err(Refusal::Invalid("say hello first".to_owned())),
        };
        let refused = result.is_err();
        let answer = encode(&Message::Reply { id: first.id, result }).map_err(io::Error::other)?;
        write_record(&socket, &answer, MsgFlags::empty())?;
        if refused {
            return Ok(());
        }
        let _ = self.changes.send(Change::Connected { connection, socket: socket.try_clone()? });
        let client = Arc::new(Client::new(connection, socket));
        let (to_server, requests) = bounded(SERVER_QUEUE);
        let attached = Attached::new(Arc::clone(&client), Arc::clone(&self.router), to_server);
        if !self.router.command(0, Command::Attach(Box::new(attached))) {
            return Err(io::Error::other("the first worker is overloaded"));
        }
        // Ends when the worker drops its end: the client has gone.
        for ToServer::Request(frame) in requests {
            let events_dropped = self.shared.events_dropped.load(Ordering::Relaxed);
            let result = self.router.serve(&frame.request, events_dropped);
            if let Some(answer) = client.answer(frame.id, result) {
                let _ = self.changes.send(Change::Answered(answer));
            }
        }
        Ok(())
    }
}

/// Reads one record and tells its length; `None` at the end of the stream.
fn read_record(client: &Socket, record: &mut [u8], flags: MsgFlags) -> io::Result<Option<usize>> {
    let length = loop {
        match recv(client.as_raw_fd(), record, flags) {
            Err(Errno::EINTR) => {}
            outcome => break outcome?,
        }
    };
    match length {
        0 => Ok(None),
        // The buffer is one byte longer than a record may be: what fills it was too long.
        length if length > MAX_RECORD => Err(io::Error::other(CodingError::TooLong)),
        length => Ok(Some(length)),
    }
}

/// Writes one record.
fn write_record(client: &Socket, record: &[u8], flags: MsgFlags) -> io::Result<()> {
    let written = send(client.as_raw_fd(), record, flags | MsgFlags::MSG_NOSIGNAL)?;
    if written == record.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

#[cfg(test)]
mod tests;
