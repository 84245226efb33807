//! The life of one recording's file.

use super::Shared;
use super::directories::OpenError;
use super::limits::{MAX_RECORDING, RECORD_INTERVAL, WRITE_INTERVAL};
use super::recording::{Recording, Written};
use super::tap::PacketQueue;
use nix::errno::Errno;
use std::io;
use std::time::Instant;
use tandem_codec::CodecError;
use tandem_control::{EventKind, RecordingFormat, RecordingOutcome, SessionId};
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;
use tokio_uring::fs::File;

/// What is recorded, and where.
pub(super) struct Order {
    pub(super) session: SessionId,
    pub(super) path: String,
    pub(super) format: RecordingFormat,
    pub(super) started: Instant,
    pub(super) queue: PacketQueue,
    /// To be one of those that record.
    pub(super) permit: OwnedSemaphorePermit,
}

/// Why a recording ended early.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Write(#[from] io::Error),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("larger than {MAX_RECORDING} bytes")]
    TooLarge,
}

impl Failure {
    fn outcome(&self) -> RecordingOutcome {
        let is_full = |error: &io::Error| {
            let full = [Errno::ENOSPC, Errno::EDQUOT, Errno::EFBIG].map(|errno| Some(errno as i32));
            full.contains(&error.raw_os_error())
        };
        match self {
            Failure::Write(error) | Failure::Open(OpenError::System(error)) if is_full(error) => {
                RecordingOutcome::DiskFull
            }
            Failure::TooLarge => RecordingOutcome::DiskFull,
            _ => RecordingOutcome::Failed,
        }
    }
}

/// Records until the session lets go of its end of the queue, or the file takes no more. Tells how it ended.
pub(super) async fn record(shared: &Shared, order: Order) {
    let Order { session, path, format, started, mut queue, permit: _permit } = order;
    let mut duration_ms = 0;
    let result = match create(shared, &path) {
        Ok(file) => {
            let mut writer = Writer { file, len: 0 };
            let result = follow(&mut writer, format, started, &mut queue, &mut duration_ms).await;
            // A disk may tell only now that it is full.
            let kept = writer.file.sync_data().await.map_err(Failure::from);
            let closed = writer.file.close().await.map_err(Failure::from);
            result.and(kept).and(closed)
        }
        Err(failure) => Err(failure),
    };
    // With its end of the queue the session learns that nobody listens.
    drop(queue);
    let outcome = match &result {
        Ok(()) => RecordingOutcome::Stopped,
        Err(failure) => {
            tracing::warn!(%failure, path, "a recording ended early");
            failure.outcome()
        }
    };
    shared.tell(session, EventKind::RecordingEnded { outcome, duration_ms });
}

fn create(shared: &Shared, path: &str) -> Result<File, Failure> {
    let directory = shared.recordings.as_ref().ok_or(OpenError::NoDirectory)?;
    Ok(File::from_std(directory.create(path)?))
}

/// Everything between the file's beginning and its end.
async fn follow(
    writer: &mut Writer,
    format: RecordingFormat,
    started: Instant,
    queue: &mut PacketQueue,
    duration_ms: &mut u64,
) -> Result<(), Failure> {
    let micros = |at: Instant| at.saturating_duration_since(started).as_micros() as u64;
    let mut recording = Recording::new(format, fastrand::u32(..))?;
    let mut write_at = Instant::now();
    loop {
        // Asked before the queue is read, lest something comes in between.
        let is_over = queue.is_abandoned();
        let now = Instant::now();
        recording.read(queue)?;
        if is_over {
            let (written, duration) = recording.finish(micros(now))?;
            writer.write(written).await?;
            *duration_ms = duration;
            return Ok(());
        }
        recording.advance(micros(now))?;
        if now >= write_at {
            write_at = now + WRITE_INTERVAL;
            writer.write(recording.written()).await?;
            *duration_ms = recording.duration_ms();
        }
        tokio::time::sleep(RECORD_INTERVAL).await;
    }
}

/// A file that grows.
struct Writer {
    file: File,
    len: u64,
}

impl Writer {
    async fn write(&mut self, Written { bytes, header }: Written) -> Result<(), Failure> {
        if self.len + bytes.len() as u64 > MAX_RECORDING {
            return Err(Failure::TooLarge);
        }
        self.len += bytes.len() as u64;
        let at = self.len - bytes.len() as u64;
        if !bytes.is_empty() {
            self.file.write_all_at(bytes, at).await.0?;
        }
        if let Some(header) = header {
            self.file.write_all_at(header, 0).await.0?;
        }
        Ok(())
    }
}
