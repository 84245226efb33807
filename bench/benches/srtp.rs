//! What protecting one packet costs, by suite and size.
//!
//! Each round trip is measured as a whole (`protect` and `unprotect` of fresh sequence numbers) and `protect`
//! alone, so that the difference is `unprotect`: a packet can be unprotected only once.
#![allow(missing_docs, reason = "criterion_group! makes a public function without one")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tandem_control::{SrtpKey, SrtpSuite};
use tandem_media::srtp::{Inbound, MAX_BATCH, MAX_TRAILER, Outbound, TagBatch};

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

/// As the worker does it: a batch of packets, each under a key of its own, protected with their tags left due, and
/// taken off again. The time is of the whole batch; divide by [`MAX_BATCH`].
fn batches(criterion: &mut Criterion) {
    for (name, suite) in SUITES {
        let mut group = criterion.benchmark_group(format!("srtp/{name}"));
        group.throughput(Throughput::Elements(MAX_BATCH as u64));
        let keys: Vec<_> = (0..MAX_BATCH as u8)
            .map(|byte| SrtpKey { suite, key_and_salt: vec![byte; suite.key_len() + suite.salt_len()] })
            .collect();
        let senders = || keys.iter().map(|key| Sender::new(key, SIZES[0])).collect::<Vec<_>>();
        let mut batch = senders();
        group.bench_function("protect-batch-of-32/172", |bencher| {
            bencher.iter(|| black_box(protect_batch(&mut batch)));
        });
        let (mut batch, inbound) = (senders(), keys.iter().map(Inbound::new).collect::<Result<Vec<_>, _>>());
        let mut inbound = inbound.expect("keys of the right length");
        group.bench_function("protect-unprotect-batch-of-32/172", |bencher| {
            bencher.iter(|| {
                let length = protect_batch(&mut batch);
                unprotect_batch(&mut inbound, &mut batch, length);
            });
        });
        group.finish();
    }
}

/// Returns the length of each packet.
fn protect_batch(senders: &mut [Sender]) -> usize {
    let mut length = 0;
    let mut due = [const { None }; MAX_BATCH];
    for (sender, due) in senders.iter_mut().zip(&mut due) {
        sender.sequence = sender.sequence.wrapping_add(1);
        sender.buffer[2..4].copy_from_slice(&sender.sequence.to_be_bytes());
        let protected = sender.outbound.protect_but_tag(black_box(&mut sender.buffer), sender.length);
        (length, *due) = protected.expect("sequence numbers rise");
    }
    let mut batch = TagBatch::new();
    for (sender, due) in senders.iter().zip(&due) {
        if let Some(due) = due {
            batch.push(due, &sender.buffer[..length]);
        }
    }
    let tags = batch.compute();
    for (tag, sender) in tags.zip(senders) {
        tag.write(&mut sender.buffer[..length]);
    }
    length
}

fn unprotect_batch(inbound: &mut [Inbound], senders: &mut [Sender], length: usize) {
    let mut due = [const { None }; MAX_BATCH];
    for ((due, inbound), sender) in due.iter_mut().zip(&*inbound).zip(&*senders) {
        *due = inbound.due_tag(&sender.buffer[..length]);
    }
    let mut batch = TagBatch::new();
    for (due, sender) in due.iter().zip(&*senders) {
        if let Some(due) = due {
            batch.push(due, &sender.buffer[..length]);
        }
    }
    let mut tags = batch.compute();
    for ((due, inbound), sender) in due.iter().zip(inbound).zip(senders) {
        let computed = due.as_ref().and_then(|_| tags.next());
        inbound.unprotect_with(&mut sender.buffer[..length], computed).expect("authentic");
    }
}

criterion_group!(benches, srtp, batches);
criterion_main!(benches);
