//! The thread for files, and what the tests of files share.

use super::limits::{MAX_ANNOUNCEMENT, MAX_LOADED};
use super::wav::stereo_header;
use super::*;
use crossbeam::channel::bounded;
use std::path::Path;
use tandem_control::{PlayOutcome, RecordingOutcome};
use tandem_media::playing::Supply;

/// A directory that goes with the test.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("tandem-files-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A sine with an amplitude of 8000.
pub(super) fn tone(frequency: f32, rate: u32, length: usize) -> Vec<i16> {
    let angle =
        |n: usize| (n as f64 * f64::from(frequency) / f64::from(rate)).fract() * std::f64::consts::TAU;
    (0..length).map(|n| (angle(n).sin() * 8000.0) as i16).collect()
}

/// The share of the energy of `pcm` at `frequency` (a Goertzel sum), 0 to 1.
pub(super) fn share(pcm: &[i16], frequency: f32, rate: u32) -> f64 {
    let (mut cosine, mut sine, mut energy) = (0.0, 0.0, 0.0);
    for (n, sample) in pcm.iter().enumerate() {
        let angle = n as f64 * f64::from(frequency) * std::f64::consts::TAU / f64::from(rate);
        cosine += f64::from(*sample) * angle.cos();
        sine += f64::from(*sample) * angle.sin();
        energy += f64::from(*sample).powi(2);
    }
    2.0 * (cosine * cosine + sine * sine) / (pcm.len() as f64 * energy)
}

/// What the thread's tasks share where announcements are in that directory.
fn shared(scratch: &Scratch) -> Shared {
    let announcements = Some(Directory::open(scratch.path()).unwrap());
    Shared { announcements, recordings: None, events: bounded(1).0, loaded: RefCell::default() }
}

/// All samples of something that is played, and how it ended.
fn hear(handle: &FilesHandle, path: &str, times: u32) -> (Vec<i16>, PlayOutcome) {
    let source = Source::File(path.to_owned());
    let mut samples = handle.play((SessionId(1), Side::A, 1), source, times, 8000).unwrap();
    let mut heard = Vec::new();
    let mut block = [0; 160];
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < deadline, "it never ended");
        match samples.read(&mut block) {
            Supply::Waiting => {}
            Supply::Full => heard.extend(block),
            Supply::Ended(count, outcome) => {
                heard.extend(&block[..count]);
                return (heard, outcome);
            }
        }
        // Slower than it can be read, faster than it would be heard.
        std::thread::sleep(Duration::from_millis(15));
    }
}

#[test]
fn files_are_played_whole_and_what_is_too_large_or_empty_is_not() {
    let scratch = Scratch::new("thread");
    let mut file = stereo_header(8000, 4 * 4000).to_vec();
    file.extend((0..4000u32).flat_map(|n| [(n % 251) as u8, 1, (n % 251) as u8, 1]));
    std::fs::write(scratch.path().join("good.wav"), &file).unwrap();
    std::fs::write(scratch.path().join("empty.wav"), stereo_header(8000, 0)).unwrap();
    let blip = [&stereo_header(8000, 4 * 100)[..], &[1; 4 * 100]].concat();
    std::fs::write(scratch.path().join("blip.wav"), blip).unwrap();
    let large = File::create(scratch.path().join("large.wav")).unwrap();
    large.set_len(MAX_ANNOUNCEMENT + 1).unwrap();
    let (events, told) = bounded(64);
    let settings = FileSettings { announcements: Some(scratch.path().to_owned()), recordings: None };
    let files = Files::start(&settings, events).unwrap();
    let handle = files.handle();
    let once: Vec<i16> = (0..4000).map(|n| 256 + n % 251).collect();
    assert_eq!(hear(&handle, "good.wav", 2), ([once.clone(), once].concat(), PlayOutcome::Finished));
    assert_eq!(handle.underruns(), 0);
    assert_eq!(hear(&handle, "blip.wav", 1).1, PlayOutcome::Finished);
    for bad in ["empty.wav", "blip.wav", "large.wav", "missing.wav"] {
        assert_eq!(hear(&handle, bad, 0), (Vec::new(), PlayOutcome::BadFile), "{bad}");
    }
    let tap =
        handle.record(Instant::now(), SessionId(1), "nowhere.wav".to_owned(), RecordingFormat::Wav).unwrap();
    let ended = |event: &Event| {
        matches!(event.kind, EventKind::RecordingEnded { outcome: RecordingOutcome::Failed, .. })
    };
    assert!(told.iter().any(|event| ended(&event)), "no directory is configured");
    assert!(tap.is_over());
    drop((handle, tap));
    files.stop();
}

#[test]
fn a_file_that_many_begin_to_play_at_once_is_read_once() {
    let scratch = Scratch::new("once");
    std::fs::write(scratch.path().join("a"), "content").unwrap();
    let shared = shared(&scratch);
    let (one, other) = tokio_uring::start(async { tokio::join!(shared.load("a"), shared.load("a")) });
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(&*one.0, b"content");
    assert!(Arc::ptr_eq(&one.0, &other.0) && Rc::ptr_eq(&one.1, &other.1));
}

#[test]
fn files_count_before_they_are_read_and_until_nobody_plays_them() {
    let scratch = Scratch::new("memory");
    let shared = shared(&scratch);
    let slot = |n: u64| {
        let file = File::create(scratch.path().join(n.to_string())).unwrap();
        file.set_len(MAX_ANNOUNCEMENT).unwrap();
        shared.slot(Identity::of(&file).unwrap())
    };
    let fitting = MAX_LOADED / MAX_ANNOUNCEMENT;
    let mut slots: Vec<_> = (0..fitting).map(|n| slot(n).unwrap()).collect();
    assert!(matches!(slot(fitting), Err(player::Failure::TooMuch)));
    slots.pop();
    assert!(slot(fitting).is_ok());
}
