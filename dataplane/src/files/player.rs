//! The life of something that is played: a file is brought into memory, and decoded a little ahead of what is heard.

use super::directories::OpenError;
use super::format::{Announcement, FormatError};
use super::limits::{AHEAD, FILL_INTERVAL, READS_IN_A_ROW, SHORTEST_REPEATED};
use super::{Shared, Slot};
use rtrb::{Consumer, Producer, RingBuffer};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;
use tandem_control::{EventKind, PlayOutcome, SessionId, Side, Source};
use tandem_media::playing::{PcmSource, Supply};
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;

/// What is played, and to whom.
pub(super) struct Order {
    pub(super) session: SessionId,
    pub(super) side: Side,
    pub(super) id: u32,
    pub(super) source: Source,
    /// 0: without end.
    pub(super) times: u32,
    /// Of the samples that are wanted, in Hz.
    pub(super) rate: u32,
    pub(super) filler: Filler,
    /// To be one of those that play.
    pub(super) permit: OwnedSemaphorePermit,
}

/// Why something is not played.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("too many files are being played")]
    TooMuch,
    #[error("it holds no sound, or too little to be repeated")]
    Empty,
}

/// Nothing has come yet.
const WAITING: u8 = 0;
/// Samples have come.
const PLAYING: u8 = 1;
/// All samples have come.
const COMPLETE: u8 = 2;
/// None will come.
const FAILED: u8 = 3;

/// The thread's end of the queue of samples.
pub(super) struct Filler {
    queue: Producer<i16>,
    state: Arc<AtomicU8>,
    /// Samples of the shortest sound that is repeated.
    shortest: usize,
}

/// The session's end.
pub(super) struct Samples {
    queue: Consumer<i16>,
    state: Arc<AtomicU8>,
    underruns: Arc<AtomicU64>,
}

/// A queue for samples at `rate`. When the session finds too few in it, that is counted in `underruns`.
pub(super) fn queue(rate: u32, underruns: Arc<AtomicU64>) -> (Filler, Samples) {
    let samples = |time: Duration| rate as usize * time.as_millis() as usize / 1000;
    let (producer, consumer) = RingBuffer::new(samples(AHEAD));
    let state = Arc::new(AtomicU8::new(WAITING));
    let filler = Filler { queue: producer, state: Arc::clone(&state), shortest: samples(SHORTEST_REPEATED) };
    (filler, Samples { queue: consumer, state, underruns })
}

impl PcmSource for Samples {
    fn read(&mut self, pcm: &mut [i16]) -> Supply {
        // Asked first: what is complete then is in the queue.
        let state = self.state.load(Ordering::Acquire);
        let read = self.queue.pop_partial_slice(pcm).0.len();
        match state {
            FAILED => Supply::Ended(read, PlayOutcome::BadFile),
            COMPLETE if read < pcm.len() => Supply::Ended(read, PlayOutcome::Finished),
            WAITING if read == 0 => Supply::Waiting,
            _ => {
                if let Some(missing) = pcm.get_mut(read..).filter(|missing| !missing.is_empty()) {
                    self.underruns.fetch_add(1, Ordering::Relaxed);
                    missing.fill(0);
                }
                Supply::Full
            }
        }
    }
}

impl Drop for Filler {
    /// A thread that ends in the middle leaves nobody waiting.
    fn drop(&mut self) {
        if self.state.load(Ordering::Relaxed) != COMPLETE {
            self.state.store(FAILED, Ordering::Release);
        }
    }
}

/// Plays until the end, or until the session lets go of its end of the queue.
pub(super) async fn play(shared: &Shared, order: Order) {
    let Order { session, side, id, source, times, rate, mut filler, permit: _permit } = order;
    let name = match &source {
        Source::File(path) => path.clone(),
        Source::Inline(_) | Source::Tone(_) => "inline".to_owned(),
    };
    let (announcement, _slot) = match open(shared, source, rate).await {
        Ok(opened) => opened,
        Err(failure) => {
            tracing::warn!(%failure, name, "nothing is played");
            return;
        }
    };
    let duration_ms = announcement.duration_ms();
    shared.tell(session, EventKind::PlayStarted { side, id, duration_ms });
    if let Err(failure) = filler.run(announcement, times).await {
        tracing::warn!(%failure, name, "the rest is not played");
    }
}

/// What is played, and its file's place in memory.
async fn open(
    shared: &Shared,
    source: Source,
    rate: u32,
) -> Result<(Announcement, Option<Rc<Slot>>), Failure> {
    let (bytes, slot) = match source {
        Source::File(path) => shared.load(&path).await.map(|(bytes, slot)| (bytes, Some(slot)))?,
        Source::Inline(bytes) => (bytes.into(), None),
        Source::Tone(_) => return Err(FormatError::Unknown.into()),
    };
    Ok((Announcement::open(bytes, rate)?, slot))
}

impl Filler {
    async fn run(&mut self, mut announcement: Announcement, times: u32) -> Result<(), Failure> {
        let mut pcm = Vec::new();
        let (mut played, mut of_pass, mut reads) = (0, 0, 0u32);
        while !self.queue.is_abandoned() {
            while pcm.len() < self.queue.slots() {
                reads = reads.wrapping_add(1);
                if reads.is_multiple_of(READS_IN_A_ROW) {
                    tokio::task::yield_now().await;
                }
                let before = pcm.len();
                let goes_on = announcement.read(&mut pcm);
                of_pass += pcm.len() - before;
                if goes_on {
                    continue;
                }
                played += 1;
                if of_pass == 0 || played != times && of_pass < self.shortest {
                    return Err(Failure::Empty);
                }
                if played == times {
                    self.complete(pcm).await;
                    return Ok(());
                }
                of_pass = 0;
                announcement.rewind()?;
            }
            self.push(&mut pcm);
            tokio::time::sleep(FILL_INTERVAL).await;
        }
        Ok(())
    }

    /// The last samples.
    async fn complete(&mut self, mut pcm: Vec<i16>) {
        self.push(&mut pcm);
        while !pcm.is_empty() && !self.queue.is_abandoned() {
            tokio::time::sleep(FILL_INTERVAL).await;
            self.push(&mut pcm);
        }
        self.state.store(COMPLETE, Ordering::Release);
    }

    fn push(&mut self, pcm: &mut Vec<i16>) {
        let pushed = self.queue.push_partial_slice(pcm).0.len();
        pcm.drain(..pushed);
        if pushed > 0 {
            self.state.store(PLAYING, Ordering::Release);
        }
    }
}
