//! Which worker a request is for.

use crate::counters;
use crate::driver::Waker;
use crate::worker::Command;
use crossbeam::channel::{Receiver, Sender, bounded};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tandem_control::{
    Hello, ListedSession, MAX_LISTED, Refusal, Reply, Request, RequestFrame, SessionId, VERSION,
};

/// How long the reader waits for a worker that is asked for a list or for counters.
const WORKER_TIMEOUT: Duration = Duration::from_secs(1);

/// What the control server holds of a worker.
pub struct WorkerHandle {
    /// Its queue.
    pub commands: Sender<Command>,
    /// Wakes it after something was put into the queue.
    pub waker: Waker,
    /// Its sessions, those under way included.
    pub load: Arc<AtomicU32>,
}

impl WorkerHandle {
    /// Queues a command; `false` if the queue is full.
    pub fn command(&self, command: Command) -> bool {
        let queued = self.commands.try_send(command).is_ok();
        self.waker.wake();
        queued
    }
}

/// What became of a request.
pub(super) enum Routed {
    /// A worker will answer.
    ToWorker,
    /// This is the answer.
    Answered(Result<Reply, Refusal>),
}

/// Knows the workers.
pub struct Router {
    workers: Arc<[WorkerHandle]>,
    max_sessions: u32,
    fingerprint: [u8; 32],
    addresses: Vec<IpAddr>,
}

impl Router {
    /// Over these workers, in the order of their numbers.
    pub fn new(
        workers: Arc<[WorkerHandle]>,
        max_sessions: u32,
        fingerprint: [u8; 32],
        addresses: Vec<IpAddr>,
    ) -> Router {
        Router { workers, max_sessions, fingerprint, addresses }
    }

    pub(super) fn hello(&self, version: u16) -> Result<Reply, Refusal> {
        if version != VERSION {
            return Err(Refusal::Version { ours: VERSION });
        }
        Ok(Reply::Hello(Hello {
            version: VERSION,
            workers: self.workers.len() as u16,
            sessions: self.sessions(),
            fingerprint: self.fingerprint,
            addresses: self.addresses.clone(),
        }))
    }

    pub(super) fn route(&self, connection: u64, frame: RequestFrame, events_dropped: u64) -> Routed {
        match frame.request {
            Request::Hello { version } => Routed::Answered(self.hello(version)),
            Request::Create { .. } => self.create(connection, frame),
            Request::List { after } => Routed::Answered(self.list(after)),
            Request::Counters => Routed::Answered(self.counters(events_dropped)),
            Request::Configure { session, .. }
            | Request::PlayDigit { session, .. }
            | Request::Query { session }
            | Request::Delete { session } => match self.workers.get(session.worker()) {
                Some(worker) if worker.command(Command::Request { connection, frame }) => Routed::ToWorker,
                Some(_) => Routed::Answered(Err(Refusal::Busy)),
                None => Routed::Answered(Err(Refusal::UnknownSession)),
            },
        }
    }

    /// A new session goes to the worker with the fewest.
    fn create(&self, connection: u64, frame: RequestFrame) -> Routed {
        let least = self.workers.iter().min_by_key(|worker| worker.load.load(Ordering::Relaxed));
        let Some(worker) = least.filter(|_| self.sessions() < self.max_sessions) else {
            return Routed::Answered(Err(Refusal::TooManySessions));
        };
        worker.load.fetch_add(1, Ordering::Relaxed);
        if worker.command(Command::Request { connection, frame }) {
            return Routed::ToWorker;
        }
        worker.load.fetch_sub(1, Ordering::Relaxed);
        Routed::Answered(Err(Refusal::Busy))
    }

    fn sessions(&self) -> u32 {
        self.workers.iter().map(|worker| worker.load.load(Ordering::Relaxed)).sum()
    }

    /// The number of the worker leads each id, so worker after worker gives the order of the ids.
    fn list(&self, after: Option<SessionId>) -> Result<Reply, Refusal> {
        let mut sessions: Vec<ListedSession> = Vec::new();
        for worker in self.workers.iter().skip(after.map_or(0, SessionId::worker)) {
            sessions.extend(ask(worker, |answer| Command::List { after, answer })?);
            if sessions.len() > MAX_LISTED {
                break;
            }
        }
        let more = sessions.len() > MAX_LISTED;
        sessions.truncate(MAX_LISTED);
        Ok(Reply::Sessions { sessions, more })
    }

    fn counters(&self, events_dropped: u64) -> Result<Reply, Refusal> {
        let ask_one = |worker| ask(worker, |answer| Command::Counters { answer });
        let workers = self.workers.iter().map(ask_one).collect::<Result<Vec<_>, _>>()?;
        let mut named = counters::sum(&workers);
        named.push(("events_dropped".to_owned(), events_dropped));
        Ok(Reply::Counters(named))
    }
}

/// Asks one worker and waits for its answer.
fn ask<T>(worker: &WorkerHandle, command: impl FnOnce(Sender<T>) -> Command) -> Result<T, Refusal> {
    let (answer, answered): (Sender<T>, Receiver<T>) = bounded(1);
    if !worker.command(command(answer)) {
        return Err(Refusal::Busy);
    }
    answered.recv_timeout(WORKER_TIMEOUT).map_err(|_| Refusal::Busy)
}
