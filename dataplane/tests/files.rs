//! Announcements and recordings through the whole program, on the loopback interface: files that ffmpeg made are
//! heard at the far end, and ffmpeg reads what was recorded.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::peers::{Phone, share, tone};
use common::{Client, SLOT, control_path, free_ports};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tandem_control::*;

/// A dataplane with a directory of its own, which both go with the test.
struct Server {
    process: Child,
    directory: PathBuf,
    client: Client,
}

impl Server {
    /// Started by a shell that does `before` first.
    fn start(name: &str, before: &str) -> Server {
        let directory = std::env::temp_dir().join(format!("tandem-{name}-files-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let control = control_path(name);
        let first = free_ports();
        let script = format!(
            "{before} exec {} --control {} --ip-local 127.0.0.1 --media-ports {first}-{} --workers 1 \
             --announcements {dir} --recordings {dir} --log warn",
            env!("CARGO_BIN_EXE_tandem-dataplane"),
            control.display(),
            first + SLOT - 1,
            dir = directory.display(),
        );
        let process = Command::new("sh").args(["-c", &script]).stderr(Stdio::inherit()).spawn().unwrap();
        let (client, _) = Client::connect(&control);
        Server { process, directory, client }
    }

    /// A call of two telephones that send and take A-law.
    fn call(&mut self) -> (SessionId, Phone, Phone) {
        let (session, local) = self.client.create(b"");
        let phones = local.map(|local| Phone::new(local.rtp));
        for (side, phone) in [Side::A, Side::B].into_iter().zip(&phones) {
            self.ask(Request::configure(session, side, phone.leg()));
        }
        let [a, b] = phones;
        (session, a, b)
    }

    fn ask(&mut self, request: Request) {
        let said = format!("{request:?}");
        assert_eq!(self.client.ask(request), Ok(Reply::Done), "{said}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Waits for an event that `wanted` takes.
    fn event<T>(&mut self, wanted: impl Fn(&EventKind) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(found) = self.client.events.iter().find_map(|event| wanted(&event.kind)) {
                return found;
            }
            assert!(Instant::now() < deadline, "it never came: {:?}", self.client.events);
            std::thread::sleep(Duration::from_millis(5));
            // Events come with answers.
            self.client.counter("sessions");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Makes a file of a tone with ffmpeg.
fn ffmpeg_tone(path: &Path, hertz: u32, seconds: u32, options: &[&str]) {
    let source = format!("sine=frequency={hertz}:duration={seconds}");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", &source, "-af", "volume=12dB"]);
    assert!(command.args(options).arg(path).status().unwrap().success());
}

/// The channels of a file as ffmpeg decodes it, at 16 kHz.
fn ffmpeg_channels(path: &Path) -> [Vec<i16>; 2] {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-f", "s16le", "-ar", "16000", "-ac", "2", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let samples: Vec<i16> =
        output.stdout.chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect();
    [0, 1].map(|channel| samples.iter().skip(channel).step_by(2).copied().collect())
}

fn play(session: SessionId, side: Side, source: Source, times: u32, id: u32) -> Request {
    Request::Play { session, side, source, times, id }
}

/// What the dataplane does with ffmpeg's files: the peer hears their tone and not the other side, which is heard
/// again right after the end.
#[test]
fn files_of_ffmpeg_are_heard_at_the_far_end() {
    let mut server = Server::start("play", "");
    let files: [(&str, &[&str]); 5] = [
        ("pcm.wav", &["-ar", "44100", "-ac", "2", "-c:a", "pcm_s16le"]),
        ("alaw.wav", &["-ar", "8000", "-ac", "1", "-c:a", "pcm_alaw"]),
        ("mulaw.wav", &["-ar", "16000", "-ac", "1", "-c:a", "pcm_mulaw"]),
        ("stereo.ogg", &["-ar", "48000", "-ac", "2", "-c:a", "libopus"]),
        ("mono.opus", &["-ar", "16000", "-ac", "1", "-c:a", "libopus", "-application", "voip"]),
    ];
    for (id, (name, options)) in files.into_iter().enumerate() {
        ffmpeg_tone(&server.path(name), 700, 1, options);
        let (session, caller, mut called) = server.call();
        let other = std::thread::spawn(move || {
            caller.say(&tone(1500.0, 8000, 8000 * 3));
        });
        server.ask(play(session, Side::B, Source::File(name.into()), 1, id as u32));
        let heard = called.hear(Duration::from_millis(2700));
        other.join().unwrap();
        let ended = server.event(|kind| match kind {
            EventKind::PlayEnded { side: Side::B, id: of, outcome } if *of == id as u32 => Some(*outcome),
            _ => None,
        });
        assert_eq!(ended, PlayOutcome::Finished, "{name}");
        let length = server.event(|kind| match kind {
            EventKind::PlayStarted { side: Side::B, id: of, duration_ms } if *of == id as u32 => *duration_ms,
            _ => None,
        });
        assert!((990..1050).contains(&length), "{name}: {length} ms");
        let parts = heard.pcm.chunks_exact(400);
        let of_tone = |hertz| parts.clone().filter(move |part| share(part, hertz, 8000) > 0.9).count();
        let (played, other) = (of_tone(700.0), of_tone(1500.0));
        assert!((18..=22).contains(&played), "{name}: {played} times 50 ms of 20");
        assert!(other > 20, "{name}: {other} times 50 ms of the other side");
        assert_eq!(heard.gaps, 0, "{name}: sequence numbers without a gap");
        server.client.ask(Request::Delete { session }).unwrap();
    }
    assert_eq!(server.client.counter("play_underruns"), 0);
}

#[test]
fn what_is_played_is_heard_early_repeated_stopped_and_replaced() {
    let mut server = Server::start("verbs", "");
    ffmpeg_tone(&server.path("short.wav"), 700, 1, &["-ar", "8000", "-t", "0.3"]);
    let inline = std::fs::read(server.path("short.wav")).unwrap();
    let (session, local) = server.client.create(b"");
    let mut caller = Phone::new(local[0].rtp);
    // Only the caller's leg is known yet.
    server.ask(Request::configure(session, Side::A, caller.leg()));
    server.ask(play(session, Side::A, Source::Inline(inline.clone()), 3, 1));
    let heard = caller.hear(Duration::from_millis(1300));
    let loud = heard.pcm.chunks_exact(400).filter(|part| share(part, 700.0, 8000) > 0.9).count();
    assert!((16..=18).contains(&loud), "three times 300 ms: {loud}");

    let ring = Tones { steps: vec![ToneStep { hertz: [425, 0], on_ms: 200, off_ms: 100 }] };
    server.ask(play(session, Side::A, Source::Tone(ring), 0, 2));
    let heard = caller.hear(Duration::from_millis(900));
    let loud = heard.pcm.chunks_exact(160).filter(|part| share(part, 425.0, 8000) > 0.9).count();
    assert!((24..=32).contains(&loud), "two thirds of 45: {loud}");
    server.ask(play(session, Side::A, Source::File("short.wav".into()), 0, 3));
    caller.hear(Duration::from_millis(500));
    server.ask(Request::StopPlay { session, side: Side::A });
    caller.hear(Duration::from_millis(100));
    assert!(caller.hear(Duration::from_millis(200)).pcm.is_empty(), "nothing comes any more");

    for (id, bad) in [(4, "nothing.wav"), (5, "short.txt")] {
        std::fs::write(server.path("short.txt"), "no sound").unwrap();
        server.ask(play(session, Side::A, Source::File(bad.into()), 1, id));
        server.event(|kind| matches!(kind, EventKind::PlayEnded { id: of, .. } if *of == id).then_some(()));
    }
    let outcomes = server.client.events.iter().filter_map(|event| match event.kind {
        EventKind::PlayEnded { id, outcome, .. } => Some((id, outcome)),
        _ => None,
    });
    use PlayOutcome::{BadFile, Finished, Stopped};
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        [(1, Finished), (2, Stopped), (3, Stopped), (4, BadFile), (5, BadFile)]
    );
    for bad in ["../short.wav", "/etc/passwd", ""] {
        let refused = server.client.ask(play(session, Side::A, Source::File(bad.into()), 1, 9));
        assert!(matches!(refused, Err(Refusal::Invalid(_))), "{bad}");
    }
    let refused = server.client.ask(play(session, Side::B, Source::Inline(inline), 1, 9));
    assert!(matches!(refused, Err(Refusal::Invalid(_))), "the called side takes no codec yet");
}

/// Both talk for a while: the caller 400 Hz, the called side 1000 Hz from half a second later on. Returns how much later
/// that was: a busy machine sleeps longer than it is told.
fn talk(caller: &Phone, called: &Phone, seconds: usize) -> Duration {
    let [first, second] = [tone(400.0, 8000, 8000 * seconds), tone(1000.0, 8000, 8000 * seconds - 4000)];
    std::thread::scope(|scope| {
        let first = scope.spawn(move || {
            let began = Instant::now();
            caller.say(&first);
            began
        });
        let second = scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(500));
            let began = Instant::now();
            called.say(&second);
            began
        });
        let [first, second] = [first, second].map(|speaker| speaker.join().unwrap());
        second - first
    })
}

/// Whether a tone is heard from one sample to another, at 16 kHz: packets that came late on a busy machine may shift it.
fn is_tone(pcm: &[i16], from: usize, to: usize, hertz: f32) -> bool {
    let parts = pcm[from..to].chunks_exact(800);
    let (all, heard) = (parts.len(), parts.filter(|part| share(part, hertz, 16_000) > 0.9).count());
    heard * 100 >= all * 95
}

fn ended(kind: &EventKind) -> Option<(RecordingOutcome, u64)> {
    match kind {
        EventKind::RecordingEnded { outcome, duration_ms } => Some((*outcome, *duration_ms)),
        _ => None,
    }
}

#[test]
fn a_recording_has_both_sides_in_their_channels_aligned() {
    let mut server = Server::start("record", "");
    for (name, format) in [("call.ogg", RecordingFormat::OggOpus), ("call.wav", RecordingFormat::Wav)] {
        server.client.events.clear();
        let (session, caller, called) = server.call();
        server.ask(Request::Record { session, path: name.into(), format });
        let again = server.client.ask(Request::Record { session, path: "again".into(), format });
        assert!(matches!(again, Err(Refusal::Invalid(_))), "one recording at a time");
        let apart = talk(&caller, &called, 3).as_millis() as usize;
        // The call's end closes the file.
        server.client.ask(Request::Delete { session }).unwrap();
        let (outcome, duration_ms) = server.event(ended);
        assert_eq!(outcome, RecordingOutcome::Stopped);
        assert!((2950..3500).contains(&duration_ms), "{duration_ms}");
        let [left, right] = ffmpeg_channels(&server.path(name));
        assert!(left.len().abs_diff(duration_ms as usize * 16) < 160, "{}", left.len());
        assert!(is_tone(&left, 8000, 44_000, 400.0), "{name}");
        assert!(is_tone(&right, 16_000, 44_000, 1000.0), "{name}");
        let begins =
            [&left, &right].map(|pcm| pcm.iter().position(|sample| sample.abs() > 1500).unwrap() / 16);
        let recorded = begins[1] - begins[0];
        assert!(recorded.abs_diff(apart) <= 20, "{name}: {apart} ms apart, not {recorded}");
    }
}

#[test]
fn what_was_heard_is_there_after_a_kill() {
    for (name, format) in [("call.ogg", RecordingFormat::OggOpus), ("call.wav", RecordingFormat::Wav)] {
        let mut server = Server::start(&format!("kill-{}", &name[5..]), "");
        let (session, caller, called) = server.call();
        server.ask(Request::Record { session, path: name.into(), format });
        talk(&caller, &called, 4);
        kill(Pid::from_raw(server.process.id() as i32), Signal::SIGKILL).unwrap();
        server.process.wait().unwrap();
        let [left, right] = ffmpeg_channels(&server.path(name));
        let seconds = left.len() as f32 / 16_000.0;
        assert!(seconds > 2.9, "{name}: only {seconds} of 4 seconds");
        assert!(is_tone(&left, 8000, 44_000, 400.0), "{name}");
        assert!(is_tone(&right, 16_000, 44_000, 1000.0), "{name}");
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_call() {
    // In units of 512 bytes.
    let mut server = Server::start("full", "ulimit -f 100;");
    let (session, caller, mut called) = server.call();
    server.ask(Request::Record { session, path: "full.wav".into(), format: RecordingFormat::Wav });
    std::thread::scope(|scope| {
        scope.spawn(|| caller.say(&tone(400.0, 8000, 8000 * 3)));
        let heard = called.hear(Duration::from_millis(2900));
        assert!(heard.pcm.len() > 8000 * 5 / 2, "{}", heard.pcm.len());
        assert!(share(&heard.pcm, 400.0, 8000) > 0.95, "the call goes on");
    });
    assert_eq!(server.event(ended).0, RecordingOutcome::DiskFull);
    let stopped = server.client.ask(Request::StopRecording { session });
    assert!(matches!(stopped, Err(Refusal::Invalid(_))), "it has ended");
    // What fitted is there.
    let [left, _] = ffmpeg_channels(&server.path("full.wav"));
    assert!(left.len() > 8000 && is_tone(&left, 1600, 6400, 400.0), "{}", left.len());
}
