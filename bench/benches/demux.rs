//! What it costs to find a datagram's session: by its socket, by its source, by its STUN user name.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::SocketAddr;
use tandem_control::Side;
use tandem_dataplane::demux::{Demux, Leg, SharedEntries, Ufrag};
use tandem_dataplane::driver::SocketId;
use tandem_media::session::Component;

const SESSIONS: u16 = 1000;
const SHARED: SocketId = SocketId(0);

fn source(index: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 1024 + index))
}

fn demux(criterion: &mut Criterion) {
    let mut table = Demux::new(4 * usize::from(SESSIONS), usize::from(SESSIONS));
    for index in 0..SESSIONS {
        let leg = |side| Leg { session: usize::from(index), side };
        let mut entries = SharedEntries::default();
        let ufrag = Ufrag::new(&format!("user-{index}")).expect("it is short");
        table.own(SocketId(u32::from(index) + 1), leg(Side::A), Component::Rtp);
        table.register(ufrag, leg(Side::B), &mut entries);
        table.bind(source(index), leg(Side::B), &mut entries);
    }
    let mut index = 0;
    let mut next = || {
        index = (index + 7) % SESSIONS;
        index
    };
    criterion.bench_function("demux: by socket", |bencher| {
        bencher.iter(|| black_box(table.route(SocketId(u32::from(next()) + 1), source(0), None)));
    });
    criterion.bench_function("demux: by source, 1,000 sessions on a shared port", |bencher| {
        bencher.iter(|| black_box(table.route(SHARED, source(next()), None)));
    });
    criterion.bench_function("demux: by STUN user name", |bencher| {
        bencher.iter(|| black_box(table.route(SHARED, source(0), Ufrag::new(black_box("user-500")))));
    });
}

criterion_group!(benches, demux);
criterion_main!(benches);
