//! Announcements and recordings: the housekeeping thread, which alone touches files.
//!
//! One thread for the whole process, on tokio-uring: each file is a task of its own, and one that waits for a slow disk
//! keeps nobody waiting. Workers reach it by bounded queues without locks: samples that were decoded ahead come out of
//! one, packets to be recorded go into another, and neither end ever waits for the other. Whatever happens here, calls
//! go on.

mod directories;
mod format;
pub mod limits;
mod ogg_opus;
mod ogg_writer;
mod player;
mod rate;
mod recorder;
mod recording;
mod tap;
mod track;
mod wav;

pub use format::{Announcement, FormatError};

use crossbeam::channel::{Sender, bounded};
use directories::{Directory, Identity, OpenError};
use limits::{MAX_ANNOUNCEMENT, MAX_LOADED, MAX_PLAYERS, MAX_RECORDINGS, REQUEST_QUEUE};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tandem_control::{Event, EventKind, MAX_INLINE, RecordingFormat, Refusal, SessionId, Side, Source};
use tandem_media::playing::PcmSource;
use tandem_media::recording::Tap;
use tokio::sync::{OnceCell, Semaphore, mpsc};

/// For what is under way at the end to be written.
const END_TIME: Duration = Duration::from_secs(3);
/// How often is looked whether it is.
const END_POLL: Duration = Duration::from_millis(10);

/// Where files are.
#[derive(Clone, Debug, Default)]
pub struct FileSettings {
    /// The directory below which announcements are; `None`: only tones, and what comes with its request, is played.
    pub announcements: Option<PathBuf>,
    /// The directory below which recordings are made; `None`: nothing is recorded.
    pub recordings: Option<PathBuf>,
}

/// The thread.
pub struct Files {
    requests: mpsc::Sender<Order>,
    limits: Limits,
    thread: JoinHandle<()>,
}

/// A worker's way to the thread.
#[derive(Clone)]
pub struct FilesHandle {
    requests: mpsc::Sender<Order>,
    limits: Limits,
    packets_lost: Arc<AtomicU64>,
    underruns: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Limits {
    players: Arc<Semaphore>,
    recordings: Arc<Semaphore>,
}

/// What a worker asks for.
enum Order {
    Play(player::Order),
    Record(recorder::Order),
}

impl Files {
    /// Opens the directories and starts the thread. What it has to tell goes to `events`.
    ///
    /// # Errors
    /// When a directory cannot be opened, or the system refuses a thread or io_uring.
    pub fn start(settings: &FileSettings, events: Sender<Event>) -> io::Result<Files> {
        let open = |path: &Option<PathBuf>| {
            let named = |path: &PathBuf| {
                let because = |error| io::Error::other(format!("{}: {error}", path.display()));
                Directory::open(path).map_err(because)
            };
            path.as_ref().map(named).transpose()
        };
        let (announcements, recordings) = (open(&settings.announcements)?, open(&settings.recordings)?);
        let (requests, orders) = mpsc::channel(REQUEST_QUEUE);
        let (ready, outcome) = bounded(1);
        let thread = std::thread::Builder::new().name("files".to_owned()).spawn(move || {
            let shared = Shared { announcements, recordings, events, loaded: RefCell::default() };
            // It cannot leave the thread that makes it.
            let runtime = tokio_uring::Runtime::new(&tokio_uring::builder());
            let (runtime, result) = match runtime {
                Ok(runtime) => (Some(runtime), Ok(())),
                Err(error) => (None, Err(error)),
            };
            if ready.send(result).is_ok()
                && let Some(runtime) = runtime
            {
                runtime.block_on(serve(Rc::new(shared), orders));
            }
        })?;
        outcome.recv().map_err(io::Error::other)??;
        let semaphore = |count| Arc::new(Semaphore::new(count));
        let limits = Limits { players: semaphore(MAX_PLAYERS), recordings: semaphore(MAX_RECORDINGS) };
        Ok(Files { requests, limits, thread })
    }

    /// A way to the thread, for one worker.
    pub fn handle(&self) -> FilesHandle {
        FilesHandle {
            requests: self.requests.clone(),
            limits: self.limits.clone(),
            packets_lost: Arc::default(),
            underruns: Arc::default(),
        }
    }

    /// Completes what is being written, and ends the thread. The workers must have let go of their handles.
    pub fn stop(self) {
        drop(self.requests);
        if self.thread.join().is_err() {
            tracing::error!("the thread for files panicked");
        }
    }
}

impl FilesHandle {
    /// Plays a file, `times` times (0: without end), to a side of a session, as samples at `rate`: 8000, 16000 or
    /// 48000 Hz. `id` is told again by [`EventKind::PlayStarted`].
    ///
    /// # Errors
    /// [`Refusal`]: too much is played already, or the file cannot be one.
    pub fn play(
        &self,
        (session, side, id): (SessionId, Side, u32),
        source: Source,
        times: u32,
        rate: u32,
    ) -> Result<Box<dyn PcmSource>, Refusal> {
        match &source {
            Source::File(path) => check(path)?,
            Source::Inline(bytes) if bytes.len() > MAX_INLINE => {
                return Err(Refusal::Invalid("the file is too long to come with its request".into()));
            }
            Source::Inline(_) | Source::Tone(_) => {}
        }
        let permit = Arc::clone(&self.limits.players).try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let (filler, samples) = player::queue(rate, Arc::clone(&self.underruns));
        self.order(Order::Play(player::Order { session, side, id, source, times, rate, filler, permit }))?;
        Ok(Box::new(samples))
    }

    /// Makes a recording that begins now.
    ///
    /// # Errors
    /// [`Refusal`]: too much is recorded already, or the path cannot be one.
    pub fn record(
        &self,
        now: Instant,
        session: SessionId,
        path: String,
        format: RecordingFormat,
    ) -> Result<Box<dyn Tap>, Refusal> {
        check(&path)?;
        let permit = Arc::clone(&self.limits.recordings).try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let (tap, queue) = tap::queue(now, Arc::clone(&self.packets_lost));
        self.order(Order::Record(recorder::Order { session, path, format, started: now, queue, permit }))?;
        Ok(Box::new(tap))
    }

    /// Packets that recordings have lost, because the thread did not take them in time.
    pub fn packets_lost(&self) -> u64 {
        self.packets_lost.load(Ordering::Relaxed)
    }

    /// How often what is played was not there in time.
    pub fn underruns(&self) -> u64 {
        self.underruns.load(Ordering::Relaxed)
    }

    fn order(&self, order: Order) -> Result<(), Refusal> {
        self.requests.try_send(order).map_err(|_| Refusal::Busy)
    }
}

fn check(path: &str) -> Result<(), Refusal> {
    directories::check(path).map_err(|error| Refusal::Invalid(error.to_string()))
}

/// The life of the thread.
async fn serve(shared: Rc<Shared>, mut orders: mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        let shared = Rc::clone(&shared);
        match order {
            Order::Play(order) => drop(tokio_uring::spawn(async move { player::play(&shared, order).await })),
            Order::Record(order) => {
                drop(tokio_uring::spawn(async move { recorder::record(&shared, order).await }));
            }
        }
    }
    let deadline = Instant::now() + END_TIME;
    while Rc::strong_count(&shared) > 1 && Instant::now() < deadline {
        tokio::time::sleep(END_POLL).await;
    }
}

/// What all tasks of the thread share.
struct Shared {
    announcements: Option<Directory>,
    recordings: Option<Directory>,
    events: Sender<Event>,
    /// The files that are being played, or read to be.
    loaded: RefCell<HashMap<Identity, Weak<Slot>>>,
}

/// The place of one file in memory. It counts from before the file is read until nobody plays it.
type Slot = OnceCell<Arc<[u8]>>;

impl Shared {
    /// Tells of a session. What nobody takes is lost: the queue is full only when nobody listens.
    fn tell(&self, session: SessionId, kind: EventKind) {
        if self.events.try_send(Event { session, kind }).is_err() {
            tracing::debug!("an event is lost");
        }
    }

    /// The content of an announcement, and its place, to be kept for as long. One that is played to many, or begins to
    /// be while it is still being read, is read once.
    async fn load(&self, path: &str) -> Result<(Arc<[u8]>, Rc<Slot>), player::Failure> {
        let directory = self.announcements.as_ref().ok_or(OpenError::NoDirectory)?;
        let file = directory.read(path)?;
        let identity = Identity::of(&file)?;
        if identity.size() > MAX_ANNOUNCEMENT {
            return Err(FormatError::TooLarge.into());
        }
        let slot = self.slot(identity)?;
        let bytes = Arc::clone(slot.get_or_try_init(|| read(file, identity.size() as usize)).await?);
        Ok((bytes, slot))
    }

    /// The place of a file: a new one, where it has none and there is room.
    fn slot(&self, identity: Identity) -> Result<Rc<Slot>, player::Failure> {
        let mut loaded = self.loaded.borrow_mut();
        loaded.retain(|_, slot| slot.strong_count() > 0);
        if let Some(slot) = loaded.get(&identity).and_then(Weak::upgrade) {
            return Ok(slot);
        }
        let all: u64 = loaded.keys().map(Identity::size).sum();
        if all + identity.size() > MAX_LOADED {
            return Err(player::Failure::TooMuch);
        }
        let slot = Rc::default();
        loaded.insert(identity, Rc::downgrade(&slot));
        Ok(slot)
    }
}

/// The first bytes of a file.
async fn read(file: File, len: usize) -> io::Result<Arc<[u8]>> {
    let file = tokio_uring::fs::File::from_std(file);
    let (result, bytes) = file.read_exact_at(vec![0; len], 0).await;
    let closed = file.close().await;
    result.and(closed)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests;
