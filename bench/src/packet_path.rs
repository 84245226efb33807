//! Calls of the media core in virtual time, for what counts or times what one packet costs: criterion and callgrind.

use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_control::{Audio, Codec, LegConfig, PayloadType, Remote, Security, Side, SrtpKey, SrtpSuite};
use tandem_media::Now;
use tandem_media::drops::DropReason;
use tandem_media::dtls::Identity;
use tandem_media::limits::TAILROOM;
use tandem_media::packet::Packet;
use tandem_media::rtp::{HEADER_LEN, Header};
use tandem_media::session::{Component, Outbox, Session};

const PCMU: (u8, Codec, u32) = (0, Codec::Pcmu, 8000);
const PCMA: (u8, Codec, u32) = (8, Codec::Pcma, 8000);
const OPUS: (u8, Codec, u32) = (111, Codec::opus(false), 48_000);
/// What happens to PCMU that comes in on side A, by name.
pub(crate) const CASES: [(&str, Kind); 5] = [
    ("forward", Kind(PCMU, None)),
    ("forward-aes-cm-sha1-80", Kind(PCMU, Some(SrtpSuite::AesCm128HmacSha1_80))),
    ("forward-aes-128-gcm", Kind(PCMU, Some(SrtpSuite::AeadAes128Gcm))),
    ("pcmu-to-pcma", Kind(PCMA, None)),
    ("pcmu-to-opus", Kind(OPUS, None)),
];
/// 20 ms of G.711 behind its header.
pub(crate) const LEN: usize = HEADER_LEN + 160;

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

/// What side B is: its codec (payload type, codec, clock) and its protection.
#[derive(Clone, Copy)]
pub(crate) struct Kind((u8, Codec, u32), Option<SrtpSuite>);

/// A call in virtual time: PCMU comes in on side A.
pub(crate) struct Call {
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
        audio: Audio::both_ways(types),
        ..LegConfig::idle()
    }
}

impl Call {
    /// Sets one up.
    ///
    /// # Errors
    /// If the core refuses.
    pub(crate) fn new(Kind(output, suite): Kind) -> io::Result<Call> {
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let mut session =
            Session::new(now, 1, Arc::new(Identity::generate().map_err(io::Error::other)?), None);
        let here = leg(1, PCMU, None);
        session
            .configure(now, [Some(&here), Some(&leg(2, output, suite))], &mut Nowhere)
            .map_err(io::Error::other)?;
        let buffer = vec![0x55; LEN + TAILROOM];
        let source = here.remote.ok_or_else(|| io::Error::other("a leg without a peer"))?.rtp;
        Ok(Call { session, now, source, sequence: 0, timestamp: 0, buffer })
    }

    /// Passes the next packet through it.
    ///
    /// # Errors
    /// If the core drops it.
    pub(crate) fn packet(&mut self) -> io::Result<()> {
        self.now.instant += Duration::from_millis(20);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 1 }.write(&mut self.buffer);
        let mut packet = Packet::new(&mut self.buffer, 0, LEN).ok_or_else(|| io::Error::other("no room"))?;
        let arrived = (Side::A, Component::Rtp, self.source);
        let verdict =
            self.session.receive(self.now, arrived.0, arrived.1, arrived.2, &mut packet, &mut Nowhere);
        black_box(verdict.map_err(|reason| io::Error::other(format!("{reason:?}")))?);
        Ok(())
    }
}
