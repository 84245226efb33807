//! The running process: workers and control server.

use crate::control_server::{self, BindError, ControlServer, FromWorkers, Router, WorkerEnds, WorkerHandle};
use crate::driver::Waker;
use crate::driver::uring::UringDriver;
use crate::files::{Files, FilesHandle};
use crate::settings::{Settings, SettingsError};
use crate::worker::{Command, Queues, StartError, Worker, WorkerSettings};
use core_affinity::CoreId;
use crossbeam::channel::{Sender, bounded};
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tandem_media::dtls::Identity;
use thiserror::Error;

/// Commands that wait for one worker.
const COMMAND_QUEUE: usize = 1024;
/// How often a full queue is tried again to tell a worker to stop.
const STOP_RETRY: Duration = Duration::from_millis(10);
/// How long the shared ports may still be held by a process that was here before.
const PREDECESSOR_TIME: Duration = Duration::from_secs(3);
/// How often they are tried.
const PREDECESSOR_RETRY: Duration = Duration::from_millis(20);

/// Why the dataplane could not start.
#[derive(Debug, Error)]
pub enum DataplaneError {
    /// The settings cannot work.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A worker could not open its ports.
    #[error(transparent)]
    Worker(#[from] StartError),
    /// The control socket is not to be had.
    #[error(transparent)]
    Control(#[from] BindError),
    /// There is no io_uring that serves.
    #[error("cannot set up io_uring (Linux 6.0 or newer is needed, and kernel.io_uring_disabled=0): {0}")]
    Ring(io::Error),
    /// The system refuses a thread or a descriptor.
    #[error("cannot start a worker: {0}")]
    System(#[from] io::Error),
    /// A directory for files cannot be opened.
    #[error("files: {0}")]
    Files(io::Error),
    /// A worker ended before it began.
    #[error("a worker ended at its start")]
    WorkerGone,
}

/// The running dataplane.
pub struct Dataplane {
    workers: Arc<[WorkerHandle]>,
    threads: Vec<JoinHandle<()>>,
    control: ControlServer,
    files: Files,
}

impl Dataplane {
    /// Starts workers and control server; when this returns they serve. `fingerprint` is the SHA-256 of the
    /// identity's certificate; `open_files` is the limit on open files.
    ///
    /// # Errors
    /// [`DataplaneError`]; nothing is left running then.
    pub fn start(
        settings: &Settings,
        identity: Arc<Identity>,
        open_files: u64,
    ) -> Result<Dataplane, DataplaneError> {
        settings.check(open_files)?;
        let fingerprint = identity.fingerprint_sha256();
        let (ends, from): (WorkerEnds, FromWorkers) = control_server::queues();
        let (progress, addresses) = (Arc::clone(&ends.progress), settings.addresses.clone());
        let mut handles = Vec::with_capacity(settings.workers);
        let mut threads = Vec::with_capacity(settings.workers);
        let files = Files::start(&settings.files, ends.events.clone()).map_err(DataplaneError::Files)?;
        for index in 0..settings.workers {
            match start_worker(settings, index, Arc::clone(&identity), ends.clone(), files.handle()) {
                Ok((handle, thread)) => {
                    handles.push(handle);
                    threads.push(thread);
                }
                Err(error) => {
                    stop_workers(&handles, threads);
                    return Err(error);
                }
            }
        }
        let workers: Arc<[WorkerHandle]> = handles.into();
        let router =
            Router::new(Arc::clone(&workers), settings.max_sessions, fingerprint, addresses, progress);
        match ControlServer::start(&settings.control, router, from) {
            Ok(control) => Ok(Dataplane { workers, threads, control, files }),
            Err(error) => {
                stop_workers(&workers, threads);
                Err(error.into())
            }
        }
    }

    /// Ends every session, says goodbye to the peers, and stops.
    pub fn stop(self) {
        stop_workers(&self.workers, self.threads);
        self.files.stop();
        self.control.stop();
    }
}

fn stop_workers(workers: &[WorkerHandle], threads: Vec<JoinHandle<()>>) {
    for worker in workers {
        while !worker.command(Command::Stop) {
            std::thread::sleep(STOP_RETRY);
        }
    }
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a worker panicked");
        }
    }
}

fn start_worker(
    settings: &Settings,
    index: usize,
    identity: Arc<Identity>,
    ends: WorkerEnds,
    files: FilesHandle,
) -> Result<(WorkerHandle, JoinHandle<()>), DataplaneError> {
    let ports = settings
        .media_ports
        .part(index, settings.workers)
        .ok_or(SettingsError::TooFewPorts { ports: settings.media_ports, workers: settings.workers })?;
    let worker = WorkerSettings {
        index,
        addresses: settings.addresses.clone(),
        ports,
        max_sessions: settings.sessions_per_worker(),
        identity,
        seed: fastrand::u64(..),
    };
    let core = settings.pin.then(core_affinity::get_core_ids).flatten().and_then(|cores| {
        let count = cores.len().max(1);
        cores.get(index % count).copied()
    });
    let gather = settings.gather;
    let waker = Waker::new()?;
    let (commands, commands_out) = bounded(COMMAND_QUEUE);
    let load = Arc::new(AtomicU32::new(0));
    let queues = Queues {
        load: Arc::clone(&load),
        progress: ends.progress,
        files: Some(files),
        ..Queues::new(commands_out, ends.answers, ends.events)
    };
    let (started, outcome) = bounded(1);
    let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn({
        let waker = waker.clone();
        move || worker_thread(core, worker, gather, waker, queues, &started)
    })?;
    outcome.recv().map_err(|_| DataplaneError::WorkerGone)??;
    Ok((WorkerHandle { commands, waker, load }, thread))
}

/// The whole life of a worker's thread. A driver that fails later takes the process with it: the service manager
/// starts it anew, which is better than calls that are dead on one core.
fn worker_thread(
    core: Option<CoreId>,
    settings: WorkerSettings,
    gather: Duration,
    waker: Waker,
    queues: Queues,
    started: &Sender<Result<(), DataplaneError>>,
) {
    if let Some(core) = core
        && !core_affinity::set_for_current(core)
    {
        tracing::warn!(worker = settings.index, core = core.id, "cannot pin the worker");
    }
    wait_for_predecessor(&settings);
    let index = settings.index;
    let worker = UringDriver::new(settings.max_sockets(), waker, gather)
        .map_err(DataplaneError::Ring)
        .and_then(|driver| Ok(Worker::new(settings, driver, queues)?));
    let worker = match worker {
        Ok(worker) => {
            let _ = started.send(Ok(()));
            worker
        }
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    if let Err(error) = worker.run() {
        tracing::error!(%error, worker = index, "the driver failed");
        std::process::abort();
    }
}

/// The kernel takes a ring and its sockets apart in the background after their process has gone: started at once
/// after it, we would find the shared ports taken.
fn wait_for_predecessor(settings: &WorkerSettings) {
    let deadline = Instant::now() + PREDECESSOR_TIME;
    for &address in &settings.addresses {
        while let Err(error) = UdpSocket::bind((address, settings.ports.first())) {
            if error.kind() != io::ErrorKind::AddrInUse || Instant::now() >= deadline {
                return;
            }
            std::thread::sleep(PREDECESSOR_RETRY);
        }
    }
}
