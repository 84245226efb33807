//! What 20 ms of real speech cost in each codec, encoded and decoded. Opus is opened at the rate of its other side.
#![allow(missing_docs, reason = "criterion_group! makes a public function without one")]
#![allow(clippy::unwrap_used, reason = "a bench; what it sets up is right or it cannot run")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use speech::{Codec, Speech, frame_samples, samples};
use std::hint::black_box;
use tandem_codec::MAX_PAYLOAD;
use tandem_codec::resampler::Resampler;

#[path = "../src/speech.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the suites, which use more of it")]
mod speech;

const CODECS: [(Codec, u32); 8] = [
    (Codec::Pcmu, 8000),
    (Codec::Pcma, 8000),
    (Codec::G722, 16_000),
    (Codec::G729, 8000),
    (Codec::SpeexNarrow, 8000),
    (Codec::SpeexWide, 16_000),
    (Codec::Opus, 8000),
    (Codec::Opus, 16_000),
];

fn codecs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    for (codec, rate) in CODECS {
        let name = format!("{codec:?} at {rate}");
        let speech = samples(rate).unwrap();
        let mut frames = speech.chunks_exact(frame_samples(rate)).cycle();
        let mut encoder = codec.encoder(rate).unwrap();
        let mut payload = [0; MAX_PAYLOAD];
        group.bench_function(BenchmarkId::new("encode", &name), |bencher| {
            bencher.iter(|| encoder.encode(frames.next().unwrap(), black_box(&mut payload)).unwrap());
        });
        let speech = Speech::load(codec).unwrap();
        let mut decoder = codec.decoder(rate).unwrap();
        let mut pcm = vec![0; frame_samples(rate)];
        let mut index = 0;
        group.bench_function(BenchmarkId::new("decode", &name), |bencher| {
            bencher.iter(|| {
                index += 1;
                decoder.decode(speech.frame(index), black_box(&mut pcm)).unwrap()
            });
        });
    }
    for (from, to) in [(8000, 16_000), (16_000, 8000)] {
        let mut resampler = Resampler::new(from, to).unwrap();
        let speech = samples(from).unwrap();
        let mut frames = speech.chunks_exact(frame_samples(from)).cycle();
        let mut output = vec![0; resampler.output_len(frame_samples(from))];
        group.bench_function(BenchmarkId::new("resample", format!("{from} to {to}")), |bencher| {
            bencher.iter(|| resampler.process(frames.next().unwrap(), black_box(&mut output)));
        });
    }
    group.finish();
}

criterion_group!(benches, codecs);
criterion_main!(benches);
