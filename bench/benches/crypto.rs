//! Each kernel beside its scalar twin: key streams, HMACs by the size of their batch, AES-GCM.
#![allow(missing_docs, reason = "criterion_group! makes a public function without one")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tandem_crypto::{CounterKernel, CounterKey, GcmKey, HmacKernel, HmacKey, Message, TAG_LEN, tags};

/// Payloads of 20 ms of G.711, and of video.
const PAYLOADS: [usize; 2] = [160, 1188];
/// A packet with 20 ms of G.711.
const PACKET: usize = 172;
const BATCHES: [usize; 7] = [1, 2, 4, 5, 8, 16, 32];

fn counter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("crypto/aes-128-cm");
    for kernel in CounterKernel::available() {
        let key = CounterKey::with_kernel(kernel, &[7; 16]).expect("a key of the right length");
        for len in PAYLOADS {
            let mut data = vec![0x55; len];
            group.bench_function(BenchmarkId::new(kernel.name(), len), |bencher| {
                bencher.iter(|| key.apply_keystream(black_box(3 << 64), black_box(&mut data)));
            });
        }
    }
    group.finish();
}

/// The time is of the whole batch; divide by its size.
fn hmac(criterion: &mut Criterion) {
    let keys: Vec<_> = (0..32u8).map(|byte| HmacKey::new(&[byte; 20])).collect();
    let packets: Vec<_> = (0..32u8).map(|byte| [byte; PACKET]).collect();
    let messages: Vec<_> =
        keys.iter().zip(&packets).map(|(key, data)| Message { key, data, suffix: [0; 4] }).collect();
    let mut results = [[0; TAG_LEN]; 32];
    let mut group = criterion.benchmark_group("crypto/hmac-sha1");
    for count in BATCHES {
        group.throughput(Throughput::Elements(count as u64));
        for kernel in HmacKernel::available() {
            group.bench_function(BenchmarkId::new(kernel.name(), count), |bencher| {
                bencher.iter(|| kernel.tags(black_box(&messages[..count]), black_box(&mut results)));
            });
        }
        group.bench_function(BenchmarkId::new("chosen", count), |bencher| {
            bencher.iter(|| tags(black_box(&messages[..count]), black_box(&mut results)));
        });
    }
    group.finish();
}

fn gcm(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("crypto/aes-128-gcm");
    let chosen = GcmKey::new(&[7; 16]).expect("a key of the right length");
    let twin = GcmKey::portable(&[7; 16]).expect("a key of the right length");
    for (name, key) in [("chosen", chosen), ("aws-lc", twin)] {
        for len in PAYLOADS {
            let mut data = vec![0x55; len];
            group.bench_function(BenchmarkId::new(format!("{name}/seal"), len), |bencher| {
                bencher.iter(|| key.seal(black_box([3; 12]), &[5; 12], black_box(&mut data)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, counter, hmac, gcm);
criterion_main!(benches);
