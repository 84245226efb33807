//! What one packet of 20 ms costs in the media core: header rewrite, forwarding in the clear and into SRTP,
//! transcoding.
#![allow(missing_docs, reason = "criterion_group! makes a public function without one")]
#![allow(clippy::unwrap_used, reason = "a bench; what it sets up is right or it cannot run")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use tandem_control::{Audio, Codec, LegConfig, PayloadType, Remote, Security, Side, SrtpKey, SrtpSuite};
use tandem_media::Now;
use tandem_media::drops::DropReason;
use tandem_media::dtls::Identity;
use tandem_media::limits::TAILROOM;
use tandem_media::packet::Packet;
use tandem_media::rtp::{self, HEADER_LEN, Header};
use tandem_media::session::{Component, Outbox, Session};

const PCMU: (u8, Codec, u32) = (0, Codec::Pcmu, 8000);
const PCMA: (u8, Codec, u32) = (8, Codec::Pcma, 8000);
const OPUS: (u8, Codec, u32) = (111, Codec::Opus { inband_fec: false }, 48_000);
/// 20 ms of G.711 behind its header.
const LEN: usize = HEADER_LEN + 160;

/// Takes what a session sends by itself.
struct Nowhere;

impl Outbox for Nowhere {
    fn send(&mut self, _: Side, _: Component, _: SocketAddr, bytes: &[u8]) {
        black_box(bytes);
    }

    fn dropped(&mut self, reason: DropReason) {
        black_box(reason);
    }
}

/// A call in virtual time: PCMU comes in on side A.
struct Call {
    session: Session,
    now: Now,
    source: SocketAddr,
    sequence: u16,
    timestamp: u32,
    buffer: Vec<u8>,
}

fn leg(host: u8, (number, codec, clock): (u8, Codec, u32), suite: Option<SrtpSuite>) -> LegConfig {
    let types = vec![PayloadType { number, codec, clock }];
    let rtp = SocketAddr::from(([192, 0, 2, host], 4000));
    let key = |suite: SrtpSuite| SrtpKey { suite, key_and_salt: vec![7; suite.key_len() + suite.salt_len()] };
    let sdes = |suite| Security::Sdes { send: key(suite), receive: Some(key(suite)) };
    LegConfig {
        security: suite.map_or(Security::None, sdes),
        remote: Some(Remote { rtp, rtcp: rtp }),
        audio: Audio {
            receive: types.clone(),
            send: types,
            may_receive: true,
            may_send: true,
            ..Audio::idle()
        },
        ..LegConfig::idle()
    }
}

impl Call {
    fn new(output: (u8, Codec, u32), suite: Option<SrtpSuite>) -> Call {
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let mut session = Session::new(now, 1, Arc::new(Identity::generate().unwrap()), None);
        let here = leg(1, PCMU, None);
        session.configure(now, [Some(&here), Some(&leg(2, output, suite))], &mut Nowhere).unwrap();
        let buffer = vec![0x55; LEN + TAILROOM];
        Call { session, now, source: here.remote.unwrap().rtp, sequence: 0, timestamp: 0, buffer }
    }

    fn packet(&mut self) {
        self.now.instant += Duration::from_millis(20);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 1 }.write(&mut self.buffer);
        let mut packet = Packet::new(&mut self.buffer, 0, LEN).unwrap();
        let arrived = (Side::A, Component::Rtp, self.source);
        let verdict =
            self.session.receive(self.now, arrived.0, arrived.1, arrived.2, &mut packet, &mut Nowhere);
        black_box(verdict.unwrap());
    }
}

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
    let calls = [
        ("forward", PCMU, None),
        ("forward-aes-cm-sha1-80", PCMU, Some(SrtpSuite::AesCm128HmacSha1_80)),
        ("forward-aes-128-gcm", PCMU, Some(SrtpSuite::AeadAes128Gcm)),
        ("pcmu-to-pcma", PCMA, None),
        ("pcmu-to-opus", OPUS, None),
    ];
    for (name, output, suite) in calls {
        let mut call = Call::new(output, suite);
        group.bench_function(name, |bencher| bencher.iter(|| call.packet()));
    }
    group.finish();
}

criterion_group!(benches, session);
criterion_main!(benches);
