//! Which worker a request is for.

use crate::counters;
use crate::driver::Waker;
use crate::worker::Command;
use crossbeam::channel::{Receiver, Sender, bounded};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tandem_control::{Hello, ListedSession, MAX_LISTED, Near, Refusal, Reply, Request, SessionId, VERSION};

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

/// Who carries out a request.
#[derive(Debug, PartialEq)]
pub(super) enum Route {
    /// The worker with this number.
    Worker(usize),
    /// The control server: it is about all workers.
    Server,
    /// Nobody.
    Refused(Refusal),
}

/// Knows the workers.
pub struct Router {
    workers: Arc<[WorkerHandle]>,
    max_sessions: u32,
    fingerprint: [u8; 32],
    addresses: Vec<IpAddr>,
    /// As the client wants it.
    progress: Arc<AtomicBool>,
}

impl Router {
    /// Over these workers, in the order of their numbers.
    pub fn new(
        workers: Arc<[WorkerHandle]>,
        max_sessions: u32,
        fingerprint: [u8; 32],
        addresses: Vec<IpAddr>,
        progress: Arc<AtomicBool>,
    ) -> Router {
        Router { workers, max_sessions, fingerprint, addresses, progress }
    }

    pub(super) fn hello(&self, version: u16, progress: bool) -> Result<Reply, Refusal> {
        if version != VERSION {
            return Err(Refusal::Version { ours: VERSION });
        }
        self.progress.store(progress, Ordering::Relaxed);
        Ok(Reply::Hello(Hello {
            version: VERSION,
            workers: self.workers.len() as u16,
            sessions: self.sessions(),
            fingerprint: self.fingerprint,
            addresses: self.addresses.clone(),
        }))
    }

    /// Who carries out a request. A new session counts as a worker's own from now on.
    pub(super) fn route(&self, request: &Request) -> Route {
        match request {
            Request::Create { near, .. } => self.place(*near),
            Request::CreateRoom { near, .. } => match near {
                Some(near) => self.owner(near.worker(), Refusal::UnknownSession),
                None => self.idlest().map_or(Route::Refused(Refusal::Busy), Route::Worker),
            },
            Request::Swap { first: (first, _), second: (second, _) }
            | Request::Watch { session: first, source: (second, _), .. } => {
                match first.worker() == second.worker() {
                    true => self.owner(first.worker(), Refusal::UnknownSession),
                    false => {
                        Route::Refused(Refusal::Invalid("the two sessions have different workers".to_owned()))
                    }
                }
            }
            Request::DeleteRoom { room } => self.owner(room.worker(), Refusal::UnknownRoom),
            Request::Hello { .. } | Request::List { .. } | Request::Counters => Route::Server,
            Request::Configure { session, .. }
            | Request::AddVideo { session, .. }
            | Request::PlayDigit { session, .. }
            | Request::Play { session, .. }
            | Request::StopPlay { session, .. }
            | Request::Record { session, .. }
            | Request::PauseRecording { session }
            | Request::ResumeRecording { session }
            | Request::StopRecording { session }
            | Request::Join { session, .. }
            | Request::Leave { session, .. }
            | Request::Mute { session, .. }
            | Request::Unwatch { session, .. }
            | Request::Query { session }
            | Request::Delete { session } => self.owner(session.worker(), Refusal::UnknownSession),
        }
    }

    /// The worker whose number an id begins with.
    fn owner(&self, worker: usize, otherwise: Refusal) -> Route {
        if worker < self.workers.len() { Route::Worker(worker) } else { Route::Refused(otherwise) }
    }

    /// The worker with the fewest sessions.
    fn idlest(&self) -> Option<usize> {
        let loads = self.workers.iter().map(|worker| worker.load.load(Ordering::Relaxed));
        loads.enumerate().min_by_key(|&(_, load)| load).map(|(worker, _)| worker)
    }

    /// A new session goes to the worker of what it shall be near, else to the one with the fewest.
    fn place(&self, near: Option<Near>) -> Route {
        let worker = near.map(Near::worker).filter(|&worker| worker < self.workers.len());
        match worker.or_else(|| self.idlest()) {
            Some(worker) if self.sessions() < self.max_sessions => {
                self.workers[worker].load.fetch_add(1, Ordering::Relaxed);
                Route::Worker(worker)
            }
            _ => Route::Refused(Refusal::TooManySessions),
        }
    }

    /// A session that was placed never came to be.
    pub(super) fn unload(&self, worker: usize) {
        if let Some(worker) = self.workers.get(worker) {
            worker.load.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Queues a command for a worker; `false` if there is none or its queue is full.
    pub(super) fn command(&self, worker: usize, command: Command) -> bool {
        self.workers.get(worker).is_some_and(|worker| worker.command(command))
    }

    /// Carries out what is about all workers; may wait for them.
    pub(super) fn serve(&self, request: &Request, events_dropped: u64) -> Result<Reply, Refusal> {
        match request {
            Request::Hello { version, progress } => self.hello(*version, *progress),
            Request::List { after } => self.list(*after),
            Request::Counters => self.counters(events_dropped),
            _ => Err(Refusal::Invalid("not for the control server".to_owned())),
        }
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
