//! No codec allocates after it was made: counted over coding, loss, recovery and refused payloads.
#![expect(clippy::unwrap_used, reason = "a test; its helpers are no test functions")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tandem_codec::comfort_noise::{ComfortNoise, NoiseAnalyser, PAYLOAD_LEN};
use tandem_codec::g711::{G711Decoder, G711Encoder, Law};
use tandem_codec::g722::{G722Decoder, G722Encoder};
use tandem_codec::g729::{G729Decoder, G729Encoder};
use tandem_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use tandem_codec::speex::{Band, SpeexDecoder, SpeexEncoder, SpeexSettings};
use tandem_codec::{Decoder, Encoder};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, with a count for each thread.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter is a thread-local without a destructor
// and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the foreign libraries hold, in bytes: Rust's allocator does not see them.
fn foreign() -> usize {
    // SAFETY: reads the C library's own statistics.
    unsafe { libc::mallinfo2() }.uordblks
}

fn counts() -> (u64, usize) {
    (ALLOCATIONS.with(Cell::get), foreign())
}

fn run(encoder: &mut dyn Encoder, decoder: &mut dyn Decoder) {
    let (mut pcm, mut payload, mut heard) = ([0i16; 960], [0; 1500], [0; 5760]);
    for number in 0..200i16 {
        for (index, sample) in pcm.iter_mut().enumerate() {
            *sample = number.wrapping_mul(331).wrapping_mul(index as i16) / 4;
        }
        let samples = encoder.packet_samples(960);
        let length = encoder.encode(&pcm[..samples], &mut payload).unwrap();
        match number % 8 {
            3 => decoder.conceal(&mut heard[..samples]),
            4 => {
                decoder.recover(&payload[..length], &mut heard[..samples]);
            }
            5 => {
                let _ = decoder.decode(&payload[..length / 2], &mut heard);
            }
            _ => assert_eq!(decoder.decode(&payload[..length], &mut heard), Ok(samples)),
        }
    }
}

#[test]
fn codecs_allocate_nothing_after_they_were_made() {
    let fec = OpusSettings { inband_fec: true, expected_loss: 20, dtx: false, ..OpusSettings::default() };
    let mut codecs: Vec<(Box<dyn Encoder>, Box<dyn Decoder>)> = vec![
        (Box::new(G711Encoder::new(Law::Mu)), Box::new(G711Decoder::new(Law::Mu))),
        (Box::new(G722Encoder::new()), Box::new(G722Decoder::new())),
        (Box::new(G729Encoder::new().unwrap()), Box::new(G729Decoder::new().unwrap())),
    ];
    for band in [Band::Narrow, Band::Wide] {
        let encoder = SpeexEncoder::new(band, SpeexSettings::default()).unwrap();
        codecs.push((Box::new(encoder), Box::new(SpeexDecoder::new(band).unwrap())));
    }
    for rate in [8000, 16_000, 48_000] {
        let encoder = OpusEncoder::new(rate, fec).unwrap();
        codecs.push((Box::new(encoder), Box::new(OpusDecoder::new(rate).unwrap())));
    }
    assert!(counts().0 > 0 && counts().1 > 0, "the counters work");
    for (index, (encoder, decoder)) in codecs.iter_mut().enumerate() {
        let before = counts();
        run(encoder.as_mut(), decoder.as_mut());
        assert_eq!(counts(), before, "codec {index}");
    }
    let (mut noise, mut analyser) = (ComfortNoise::default(), NoiseAnalyser::default());
    let mut payload = [0; PAYLOAD_LEN];
    let before = counts();
    for _ in 0..100 {
        let mut pcm = [0; 160];
        noise.update(&[40, 100, 150]).unwrap();
        noise.fill(&mut pcm);
        analyser.process(&pcm);
        analyser.payload(&mut payload).unwrap();
    }
    assert_eq!(counts(), before);
}
