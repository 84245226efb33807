//! What one packet of 20 ms costs in the media core: header rewrite, forwarding in the clear and into SRTP,
//! transcoding.
#![allow(missing_docs, reason = "criterion_group! makes a public function without one")]
#![allow(clippy::unwrap_used, reason = "a bench; what it sets up is right or it cannot run")]

use criterion::{Criterion, criterion_group, criterion_main};
use packet_path::{CASES, Call, LEN};
use std::hint::black_box;
use tandem_media::limits::TAILROOM;
use tandem_media::packet::Packet;
use tandem_media::rtp::{self, Header};

#[path = "../src/packet_path.rs"]
#[allow(dead_code, reason = "shared with the suites, which use more of it")]
mod packet_path;
#[path = "../src/speech.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the suites, which use more of it")]
mod speech;

fn session(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    let mut buffer = vec![0x80; LEN + TAILROOM];
    group.bench_function("header-rewrite", |bencher| {
        bencher.iter(|| {
            let mut packet = Packet::new(&mut buffer, 0, LEN).unwrap();
            packet.bytes_mut()[0] = 0x80;
            let parsed = rtp::parse(packet.bytes()).unwrap();
            let sequence = parsed.header.sequence.wrapping_add(1);
            rtp::rewrite(&mut packet, &parsed, &Header { sequence, ..parsed.header });
            black_box(packet.bytes());
        });
    });
    for (name, kind) in CASES {
        let mut call = Call::new(kind).unwrap();
        group.bench_function(name, |bencher| bencher.iter(|| call.packet().unwrap()));
    }
    group.finish();
}

criterion_group!(benches, session);
criterion_main!(benches);
