//! Talk-off: no digit may be heard in speech. The speech is what the Debian packages `asterisk-core-sounds-*-wav` say
//! (`make test` installs them): announcements by professional speakers, 8 kHz, in as many languages as are there.

use std::path::{Path, PathBuf};
use tandem_codec::dtmf_detector::{DtmfDetector, Heard};
use tandem_codec::g711::{alaw_compress, alaw_expand};

const CORPUS: &str = "/usr/share/asterisk/sounds";
/// These are not speech.
const TONES: [&str; 4] = ["beep", "beeperr", "ascending-2tone", "descending-2tone"];

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            found.push(path);
        }
    }
}

/// The samples of a WAV file of 16 bits, 8 kHz, one channel.
fn samples(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).expect("it was listed");
    assert_eq!(&bytes[22..36], [1, 0, 0x40, 0x1F, 0, 0, 0x80, 0x3E, 0, 0, 2, 0, 16, 0], "{}", path.display());
    let data = bytes.windows(4).position(|window| window == b"data").expect("a data chunk") + 8;
    bytes[data..].as_chunks().0.iter().map(|&sample| i16::from_le_bytes(sample)).collect()
}

/// How many digits are heard, and how many milliseconds a caller would have silenced.
fn heard(pcm: &[i16]) -> (Vec<u8>, usize) {
    let (mut detector, mut digits, mut silenced) = (DtmfDetector::default(), Vec::new(), 0);
    for packet in pcm.chunks(160) {
        let tone = detector.process(packet, |heard| {
            if let Heard::Began { event, .. } = heard {
                digits.push(event);
            }
        });
        silenced += tone.len();
    }
    (digits, silenced / 8)
}

#[test]
fn no_digit_is_heard_in_speech() {
    let mut paths = Vec::new();
    files(Path::new(CORPUS), &mut paths);
    paths.retain(|path| !TONES.iter().any(|tone| path.file_stem().is_some_and(|stem| stem == *tone)));
    if paths.is_empty() {
        println!("skipped: {CORPUS} is empty; `make deps-bench` installs it");
        return;
    }
    let (mut length, mut silenced, mut wrong) = (0, 0, Vec::new());
    for path in &paths {
        let clean = samples(path);
        // As loud as it came, as loud as a loud talker, and as A-law brings it.
        let loud = clean.iter().map(|&sample| sample.saturating_mul(3)).collect();
        let coded = clean.iter().map(|&sample| alaw_expand(alaw_compress(sample))).collect();
        for pcm in [clean, loud, coded] {
            let (digits, milliseconds) = heard(&pcm);
            length += pcm.len() / 8;
            silenced += milliseconds;
            if !digits.is_empty() {
                wrong.push((path.file_name().map(ToOwned::to_owned), digits));
            }
        }
    }
    println!(
        "{} files, {} s of speech in three versions, {silenced} ms silenced",
        paths.len(),
        length / 1000
    );
    assert!(wrong.is_empty(), "{} files with digits: {wrong:?}", wrong.len());
    assert!(silenced * 10_000 < length, "one part in ten thousand of the speech may be silenced by mistake");
}
