//! Messages for users who are away, on disk: one file for each, readable by this process's user alone.
//!
//! A message is told to be kept once its file and the file's name are on the disk, so that it survives the process, and
//! the machine. A thread of its own writes: the event loop waits for no disk.

use crate::events::{Event, Events};
use crate::limits;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::SystemTime;
use tandem_sip::messaging::{KeptMessage, MessageId, UnixSeconds};
use tandem_sip::switch::Input;

/// The end of the name of a file that is whole, and of one that is being written.
const WHOLE: &str = "message";
const UNFINISHED: &str = "new";

/// The store, as the event loop knows it.
#[derive(Debug)]
pub(crate) struct MessageStore {
    jobs: mpsc::Sender<Job>,
    /// Messages that wait to be written.
    waiting: Arc<AtomicUsize>,
}

/// What the thread does, one after the other.
enum Job {
    Keep(Box<KeptMessage>),
    /// There are no more of these than messages that were kept, so their number needs no bound of its own.
    Drop(MessageId),
}

impl MessageStore {
    /// Opens the store in a directory, which is made if it is not there, and returns what is kept in it.
    ///
    /// # Errors
    /// The directory cannot be made, read or written.
    pub(crate) fn open(
        directory: &Path,
        now: SystemTime,
        events: Events,
    ) -> io::Result<(MessageStore, Vec<KeptMessage>)> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let kept = load(directory, UnixSeconds::from(now))?;
        let (jobs, queue) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Writer { directory: directory.to_owned(), waiting: waiting.clone(), events };
        std::thread::Builder::new().name("messages".to_owned()).spawn(move || writer.run(&queue))?;
        Ok((MessageStore { jobs, waiting }, kept))
    }

    /// Writes a message; [`Input::MessageKept`] tells when it is safe. False: there are too many to be written already.
    pub(crate) fn keep(&self, message: Box<KeptMessage>) -> bool {
        if self.waiting.load(Ordering::Relaxed) >= limits::MESSAGES_TO_WRITE {
            return false;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.jobs.send(Job::Keep(message)).is_ok()
    }

    /// Removes a message, after what was asked for before.
    pub(crate) fn drop_message(&self, id: MessageId) {
        // Without its thread the store refuses messages, so that the loss is known.
        let _ = self.jobs.send(Job::Drop(id));
    }
}

/// The thread's own.
struct Writer {
    directory: PathBuf,
    waiting: Arc<AtomicUsize>,
    events: Events,
}

impl Writer {
    fn run(&self, queue: &mpsc::Receiver<Job>) {
        for job in queue {
            match job {
                Job::Keep(message) => {
                    let written = write(&self.directory, &message);
                    if let Err(error) = &written {
                        tracing::warn!(id = %message.id, %error, "a message cannot be kept");
                    }
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    let kept = Input::MessageKept { id: message.id, is_kept: written.is_ok() };
                    if self.events.blocking_send(Event::Switch(kept)).is_err() {
                        return;
                    }
                }
                Job::Drop(id) => match fs::remove_file(path(&self.directory, id, WHOLE)) {
                    // One that could not be written is not there.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        tracing::warn!(%id, %error, "a message that was delivered cannot be removed");
                    }
                    _ => {}
                },
            }
        }
    }
}

fn path(directory: &Path, id: MessageId, end: &str) -> PathBuf {
    directory.join(format!("{id}.{end}"))
}

/// Writes a message beside its place and renames it: what has the right name is whole.
fn write(directory: &Path, message: &KeptMessage) -> io::Result<()> {
    let bytes = message.to_bytes().ok_or_else(|| io::Error::other("the recipient's name fits no URI"))?;
    let unfinished = path(directory, message.id, UNFINISHED);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written = file.write_all(&bytes).and_then(|()| file.sync_all());
    let named = written.and_then(|()| fs::rename(&unfinished, path(directory, message.id, WHOLE)));
    if named.is_err() {
        // It would only be removed at the next start.
        let _ = fs::remove_file(&unfinished);
    }
    named?;
    // The name is on the disk when its directory is.
    File::open(directory)?.sync_all()
}

/// The messages that are kept. What is older than it may be, or was never finished, is removed.
fn load(directory: &Path, now: UnixSeconds) -> io::Result<Vec<KeptMessage>> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file = entry?.path();
        let end = file.extension().and_then(|end| end.to_str());
        let id = file.file_stem().and_then(|stem| stem.to_str()).and_then(MessageId::parse);
        // What is not ours is left alone.
        let (Some(id), Some(end)) = (id, end) else { continue };
        match end {
            UNFINISHED => fs::remove_file(&file)?,
            WHOLE if kept.len() < limits::KEPT_MESSAGES => match read(&file) {
                Ok(message) if message.id == id && message.until > now => kept.push(message),
                Ok(message) if message.id == id => fs::remove_file(&file)?,
                Ok(_) => tracing::warn!(%id, "a kept message has another message's name; it is left alone"),
                Err(error) => tracing::warn!(%id, %error, "a kept message cannot be read; it is left alone"),
            },
            WHOLE => tracing::warn!(%id, "there are more kept messages than may be; this one is left alone"),
            _ => {}
        }
    }
    Ok(kept)
}

fn read(file: &Path) -> io::Result<KeptMessage> {
    let mut bytes = Vec::new();
    File::open(file)?.take(limits::KEPT_MESSAGE as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limits::KEPT_MESSAGE {
        return Err(io::Error::other("it is too large"));
    }
    KeptMessage::parse(&bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;
    use tandem_sip::registrar::AddressOfRecord;
    use tandem_sip::sip::NameAddr;
    use tokio::sync::mpsc as tokio_mpsc;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Directory {
            let path = std::env::temp_dir().join(format!("tandem-messages-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Directory(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
    }

    fn message(id: u128) -> KeptMessage {
        let user = |name: &str| AddressOfRecord { user: name.to_owned(), domain: "example.com".to_owned() };
        KeptMessage {
            id: MessageId(id),
            to: user("bob"),
            from: NameAddr::new(user("alice").uri().unwrap()),
            content_type: "text/plain;charset=utf-8".to_owned(),
            body: "Grüße\r\n\r\n日本".as_bytes().to_vec(),
            received: UnixSeconds::from(now()),
            until: UnixSeconds::from(now()).after(Duration::from_secs(60)),
        }
    }

    fn open(
        directory: &Directory,
        at: SystemTime,
    ) -> (MessageStore, Vec<KeptMessage>, tokio_mpsc::Receiver<Event>) {
        let (events, queue) = tokio_mpsc::channel(8);
        let (store, kept) = MessageStore::open(&directory.0, at, events).unwrap();
        (store, kept, queue)
    }

    fn told(queue: &mut tokio_mpsc::Receiver<Event>) -> (MessageId, bool) {
        match queue.blocking_recv() {
            Some(Event::Switch(Input::MessageKept { id, is_kept })) => (id, is_kept),
            _ => panic!("nothing was told"),
        }
    }

    #[test]
    fn what_is_kept_survives_and_is_closed_to_others() {
        let directory = Directory::new("kept");
        let (store, kept, mut queue) = open(&directory, now());
        assert!(kept.is_empty());
        for id in [1, 2] {
            assert!(store.keep(Box::new(message(id))));
            assert_eq!(told(&mut queue), (MessageId(id), true));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory.0), 0o700);
        for file in fs::read_dir(&directory.0).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
        // Nothing was closed in order: the process was killed.
        let (second, mut kept, mut queue) = open(&directory, now());
        kept.sort_by_key(|message| message.id);
        assert_eq!(kept, [message(1), message(2)]);
        second.drop_message(MessageId(1));
        assert!(second.keep(Box::new(message(3))));
        assert_eq!(told(&mut queue), (MessageId(3), true), "and what was asked for before it is done");
        let (_, kept, _) = open(&directory, now());
        assert!(kept.iter().all(|message| message.id != MessageId(1)) && kept.len() == 2);
    }

    #[test]
    fn what_is_unfinished_old_foreign_or_damaged_is_not_delivered() {
        let directory = Directory::new("damaged");
        let (store, _, mut queue) = open(&directory, now());
        assert!(store.keep(Box::new(message(1))));
        told(&mut queue);
        let file = |id, end| path(&directory.0, MessageId(id), end);
        fs::write(file(2, UNFINISHED), "MESSAGE").unwrap();
        fs::write(file(3, WHOLE), "MESSAGE sip:bob@example.com SIP/2.0\r\n").unwrap();
        fs::write(file(4, WHOLE), message(5).to_bytes().unwrap()).unwrap();
        fs::write(file(6, WHOLE), vec![b'x'; limits::KEPT_MESSAGE + 1]).unwrap();
        fs::write(directory.0.join("README"), "not ours").unwrap();
        let (_, kept, _) = open(&directory, now());
        assert_eq!(kept, [message(1)]);
        assert!(!file(2, UNFINISHED).exists());
        assert!(directory.0.join("README").exists() && file(3, WHOLE).exists());
        let (_, kept, _) = open(&directory, now() + Duration::from_secs(60));
        assert!(kept.is_empty() && !file(1, WHOLE).exists(), "its time is over");
    }

    #[test]
    fn a_full_disk_is_told() {
        let directory = Directory::new("full");
        let (store, _, mut queue) = open(&directory, now());
        // A name that is taken stands for any failure to write: as root no directory is closed to us.
        fs::write(path(&directory.0, MessageId(1), UNFINISHED), "").unwrap();
        assert!(store.keep(Box::new(message(1))));
        assert_eq!(told(&mut queue), (MessageId(1), false));
    }
}
