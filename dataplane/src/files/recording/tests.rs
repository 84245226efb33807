use super::*;
use crate::files::ogg_opus::OggOpus;
use crate::files::tap::{self, PacketTap};
use crate::files::tests::{share, tone};
use crate::files::wav::HEADER_LEN;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_codec::Encoder;
use tandem_codec::g711::{G711Encoder, Law};
use tandem_control::Codec;
use tandem_media::recording::{Heard, Tap};
use tandem_media::rtp::Header;

/// A call of two who send A-law packets of 20 ms: a tone each.
struct Call {
    start: Instant,
    tap: PacketTap,
    queue: PacketQueue,
    recording: Recording,
    file: Vec<u8>,
}

impl Call {
    fn new(format: RecordingFormat) -> Call {
        let start = Instant::now();
        let (tap, queue) = tap::queue(start, Arc::default());
        Call { start, tap, queue, recording: Recording::new(format, 1).unwrap(), file: Vec::new() }
    }

    fn say(&mut self, ms: u64, side: Side, hertz: f32) {
        let number = (ms / 20) as u32;
        let (from, header) = (
            number as usize * 160,
            Header {
                marker: false,
                payload_type: 8,
                sequence: number as u16,
                timestamp: number * 160,
                ssrc: side as u32,
            },
        );
        let mut payload = [0; 160];
        let pcm = &tone(hertz, 8000, from + 160)[from..];
        G711Encoder::new(Law::A).encode(pcm, &mut payload).unwrap();
        let heard = Heard {
            side,
            codec: Codec::Pcma,
            clock: 8000,
            header: &header,
            payload: &payload,
            tones_are_digits: false,
        };
        self.tap.packet(self.start + Duration::from_millis(ms), &heard);
    }

    /// What the thread does every 50 ms.
    fn tick(&mut self, ms: u64) {
        self.recording.read(&mut self.queue).unwrap();
        self.recording.advance(ms * 1000).unwrap();
        let Written { bytes, header } = self.recording.written();
        self.file.extend(bytes);
        if let Some(header) = header {
            self.file[..header.len()].copy_from_slice(&header);
        }
    }

    /// Both speak until `end`, the called side from `answer` on.
    fn talk(&mut self, from: u64, answer: u64, end: u64) {
        for ms in (from..end).step_by(20) {
            self.say(ms, Side::A, 400.0);
            if ms >= answer {
                self.say(ms, Side::B, 1000.0);
            }
            if ms % 100 == 0 {
                self.tick(ms);
            }
        }
    }

    fn finish(mut self, ms: u64) -> (Vec<u8>, u64) {
        self.recording.read(&mut self.queue).unwrap();
        let (Written { bytes, header }, duration) = self.recording.finish(ms * 1000).unwrap();
        self.file.extend(bytes);
        if let Some(header) = header {
            self.file[..header.len()].copy_from_slice(&header);
        }
        (self.file, duration)
    }
}

/// The channels of a WAV file that was written here.
fn channels(file: &[u8]) -> [Vec<i16>; 2] {
    let samples: Vec<i16> =
        file[HEADER_LEN..].chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect();
    [0, 1].map(|channel| samples.iter().skip(channel).step_by(2).copied().collect())
}

#[test]
fn each_side_has_its_channel_and_both_are_aligned() {
    let mut call = Call::new(RecordingFormat::Wav);
    call.talk(0, 1000, 3000);
    let (file, duration) = call.finish(3000);
    assert_eq!(duration, 3000);
    assert_eq!(wav::stereo_header(RATE, 4 * 48_000), file[..HEADER_LEN]);
    let [left, right] = channels(&file);
    assert!(share(&left[1600..46_000], 400.0, RATE) > 0.99);
    assert!(share(&right[17_600..46_000], 1000.0, RATE) > 0.99);
    let begin = right.iter().position(|sample| sample.abs() > 500).unwrap() / 16;
    assert!((1000..1010).contains(&begin), "{begin}");
}

#[test]
fn a_pause_is_not_in_the_file() {
    let mut call = Call::new(RecordingFormat::Wav);
    call.talk(0, 0, 1000);
    assert!(call.tap.pause(call.start + Duration::from_millis(1000)));
    call.talk(1000, 1000, 3000);
    assert!(call.tap.resume(call.start + Duration::from_millis(3000)));
    call.talk(3000, 3000, 4000);
    let (file, duration) = call.finish(4000);
    assert_eq!(duration, 2000);
    let [left, right] = channels(&file);
    assert_eq!(left.len(), 32_000);
    for (channel, hertz) in [(left, 400.0), (right, 1000.0)] {
        assert!(share(&channel[800..15_000], hertz, RATE) > 0.99);
        assert!(share(&channel[17_000..31_000], hertz, RATE) > 0.99);
    }
}

#[test]
fn an_ogg_file_is_playable_at_every_moment() {
    let mut call = Call::new(RecordingFormat::OggOpus);
    call.talk(0, 0, 2000);
    call.tick(2000);
    let length = |file: &[u8]| {
        let mut pcm = Vec::new();
        let mut ogg = OggOpus::open(file.into(), RATE).unwrap();
        while ogg.read(&mut pcm) {}
        pcm.len() / 16
    };
    let so_far = length(&call.file);
    assert!((1600..2000).contains(&so_far), "{so_far}");
    let (file, duration) = call.finish(2000);
    assert_eq!((length(&file), duration), (2000, 2000));
}
