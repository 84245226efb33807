//! What protecting one packet costs, by suite and size.
//!
//! Each round trip is measured as a whole (`protect` and `unprotect` of fresh sequence numbers) and `protect`
//! alone, so that the difference is `unprotect`: a packet can be unprotected only once.
#![allow(missing_docs, reason = "criterion_group! makes a public function without one")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tandem_control::{SrtpKey, SrtpSuite};
use tandem_media::srtp::{Inbound, MAX_TRAILER, Outbound};

/// Whole RTP packets: 20 ms of G.711, and video.
const SIZES: [usize; 2] = [172, 1200];
const SUITES: [(&str, SrtpSuite); 3] = [
    ("aes-cm-sha1-80", SrtpSuite::AesCm128HmacSha1_80),
    ("aes-128-gcm", SrtpSuite::AeadAes128Gcm),
    ("aes-256-gcm", SrtpSuite::AeadAes256Gcm),
];

/// A sender of packets with rising sequence numbers.
struct Sender {
    outbound: Outbound,
    sequence: u16,
    buffer: Vec<u8>,
    length: usize,
}

impl Sender {
    fn new(key: &SrtpKey, length: usize) -> Sender {
        let mut buffer = vec![0x55; length + MAX_TRAILER];
        buffer[..12].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 160, 0, 0, 0xCA, 0xFE]);
        Sender {
            outbound: Outbound::new(key).expect("a key of the right length"),
            sequence: 0,
            buffer,
            length,
        }
    }

    fn protect(&mut self) -> &mut [u8] {
        self.sequence = self.sequence.wrapping_add(1);
        self.buffer[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        let length = self.outbound.protect(black_box(&mut self.buffer), self.length);
        let length = length.expect("sequence numbers rise");
        &mut self.buffer[..length]
    }
}

fn srtp(criterion: &mut Criterion) {
    for (name, suite) in SUITES {
        let mut group = criterion.benchmark_group(format!("srtp/{name}"));
        let key = SrtpKey { suite, key_and_salt: vec![7; suite.key_len() + suite.salt_len()] };
        for size in SIZES {
            group.throughput(Throughput::Bytes(size as u64));
            let mut sender = Sender::new(&key, size);
            group.bench_function(BenchmarkId::new("protect", size), |bencher| {
                bencher.iter(|| black_box(sender.protect().len()));
            });
            let mut sender = Sender::new(&key, size);
            let mut inbound = Inbound::new(&key).expect("a key of the right length");
            group.bench_function(BenchmarkId::new("protect-unprotect", size), |bencher| {
                bencher.iter(|| inbound.unprotect(black_box(sender.protect())).expect("authentic"));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, srtp);
criterion_main!(benches);
