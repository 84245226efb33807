//! The control socket: one client at a time speaks [`tandem_control`] over it.
//!
//! Two threads. The *reader* accepts a client, reads its requests and hands them to the workers; further clients
//! wait in the backlog until it has gone. The *writer* takes answers and events from the workers and sends them.
//! Neither waits for the other, and no worker waits for either: every queue is bounded, and what finds a queue full
//! is refused ([`Refusal::Busy`]) or counted. Sessions outlive their client: without one, events are kept, the
//! oldest dropped first.

mod routing;
mod socket;
mod writer;

pub use routing::{Router, WorkerHandle};
pub use socket::BindError;

use crate::worker::Answer;
use crossbeam::channel::{Receiver, Sender, bounded};
use routing::Routed;
use socket2::Socket;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tandem_control::{Event, MAX_RECORD, Message, Refusal, Request, RequestFrame, decode, encode};
use writer::{Change, Writer};

/// Requests that may wait for their answer.
pub const MAX_OPEN_REQUESTS: usize = 1024;
/// Events on their way from the workers.
pub const EVENT_QUEUE: usize = 4096;
/// How long a client may take to say hello, or leave its socket full, before it is given up: others wait.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The ends that the workers hold.
#[derive(Clone)]
pub struct WorkerEnds {
    /// For answers; never full, for the open requests are bounded.
    pub answers: Sender<Answer>,
    /// For events.
    pub events: Sender<Event>,
}

/// What comes from the workers.
pub struct FromWorkers {
    answers: Receiver<Answer>,
    events: Receiver<Event>,
}

/// Makes the queues from the workers to the control server.
pub fn queues() -> (WorkerEnds, FromWorkers) {
    let (answers_in, answers) = bounded(MAX_OPEN_REQUESTS);
    let (events_in, events) = bounded(EVENT_QUEUE);
    (WorkerEnds { answers: answers_in, events: events_in }, FromWorkers { answers, events })
}

/// What reader and writer share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Requests given to workers whose answers were not sent yet.
    open_requests: AtomicUsize,
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
    reader: JoinHandle<()>,
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
        // No room: what the reader does after a change, the writer sees after that change.
        let (changes, changes_out) = bounded(0);
        let writer = Writer::new(from, changes_out, Arc::clone(&shared));
        let reader = Reader {
            listener: Arc::clone(&listener),
            router,
            shared: Arc::clone(&shared),
            changes: changes.clone(),
        };
        let spawn = |name: &str| std::thread::Builder::new().name(name.to_owned());
        Ok(ControlServer {
            path: path.to_owned(),
            listener,
            shared,
            changes,
            reader: spawn("control-reader").spawn(move || reader.run())?,
            writer: spawn("control-writer").spawn(move || writer.run())?,
        })
    }

    /// Stops serving and removes the socket's file.
    pub fn stop(self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // The writer is first: it shuts the client's socket, which ends the reader's wait for requests.
        let _ = self.changes.send(Change::Stop);
        let _ = self.listener.shutdown(Shutdown::Both);
        for thread in [self.writer, self.reader] {
            if thread.join().is_err() {
                tracing::error!("a thread of the control server panicked");
            }
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the control socket");
        }
    }
}

struct Reader {
    listener: Arc<Socket>,
    router: Router,
    shared: Arc<Shared>,
    changes: Sender<Change>,
}

impl Reader {
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
            if let Err(error) = self.serve(connection, &client) {
                tracing::warn!(%error, "the control client is given up");
            }
            let _ = self.changes.send(Change::Disconnected { connection });
            tracing::info!("the control client has gone");
        }
    }

    /// Serves one client to its end.
    fn serve(&self, connection: u64, client: &Socket) -> io::Result<()> {
        client.set_write_timeout(Some(CLIENT_TIMEOUT))?;
        client.set_read_timeout(Some(CLIENT_TIMEOUT))?;
        let mut record = vec![0; MAX_RECORD + 1];
        let Some(first) = read_record(client, &mut record)? else { return Ok(()) };
        let result = match first.request {
            Request::Hello { version } => self.router.hello(version),
            _ => Err(Refusal::Invalid("say hello first".to_owned())),
        };
        let refused = result.is_err();
        write_record(client, &Message::Reply { id: first.id, result })?;
        if refused {
            return Ok(());
        }
        client.set_read_timeout(None)?;
        let socket = client.try_clone()?;
        let _ = self.changes.send(Change::Connected { connection, socket });
        while let Some(frame) = read_record(client, &mut record)? {
            self.dispatch(connection, frame);
        }
        Ok(())
    }

    fn dispatch(&self, connection: u64, frame: RequestFrame) {
        let id = frame.id;
        let result = if self.shared.open_requests.fetch_add(1, Ordering::Relaxed) >= MAX_OPEN_REQUESTS {
            Err(Refusal::Busy)
        } else {
            match self.router.route(connection, frame, self.shared.events_dropped.load(Ordering::Relaxed)) {
                Routed::ToWorker => return,
                Routed::Answered(result) => result,
            }
        };
        self.shared.open_requests.fetch_sub(1, Ordering::Relaxed);
        let _ = self.changes.send(Change::Answered(Answer { connection, id, result }));
    }
}

/// Reads one record; `None` at the end of the stream.
fn read_record(mut client: &Socket, record: &mut [u8]) -> io::Result<Option<RequestFrame>> {
    let length = loop {
        match client.read(record) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => break outcome?,
        }
    };
    if length == 0 {
        return Ok(None);
    }
    // The buffer is one byte longer than a record may be: what fills it was too long, and decodes to nothing.
    let bytes = record.get(..length).filter(|bytes| bytes.len() <= MAX_RECORD).unwrap_or_default();
    decode(bytes).map(Some).map_err(io::Error::other)
}

/// Writes one record.
fn write_record(mut client: &Socket, message: &Message) -> io::Result<()> {
    let record = encode(message).map_err(io::Error::other)?;
    let written = client.write(&record)?;
    if written == record.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

#[cfg(test)]
mod tests;
