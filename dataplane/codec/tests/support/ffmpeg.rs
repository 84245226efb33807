//! FFmpeg as the other end: a process that reads one stream and writes another.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// Runs `ffmpeg INPUT... OUTPUT...` and returns what it writes to its standard output, given `bytes` on its standard input.
pub(crate) fn run(input: &[&str], output: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(input)
        .args(output)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed: `make deps-test`");
    let mut written = Vec::new();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // FFmpeg may close its input before the end; what it then lacks, the caller sees in the output.
            let _ = stdin.write_all(bytes);
        });
        stdout.read_to_end(&mut written).unwrap();
    });
    assert!(child.wait().unwrap().success(), "ffmpeg {input:?} {output:?}");
    written
}

/// Encodes samples with FFmpeg.
pub(crate) fn encode(pcm: &[i16], rate: u32, output: &[&str]) -> Vec<u8> {
    let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let rate = rate.to_string();
    let output = [output, &["pipe:1"]].concat();
    run(&["-f", "s16le", "-ar", &rate, "-ac", "1", "-i", "pipe:0"], &output, &bytes)
}

/// Decodes a stream with FFmpeg.
pub(crate) fn decode(stream: &[u8], rate: u32, input: &[&str]) -> Vec<i16> {
    let rate = rate.to_string();
    let input = [input, &["-i", "pipe:0"]].concat();
    samples(&run(&input, &["-f", "s16le", "-ar", &rate, "-ac", "1", "pipe:1"], stream))
}

/// Samples out of their bytes.
pub(crate) fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks().0.iter().map(|&sample| i16::from_le_bytes(sample)).collect()
}
