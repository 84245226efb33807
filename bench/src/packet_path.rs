//! Calls of the media core in virtual time, for what counts or times what one packet costs: criterion and callgrind.

use crate::speech::Codec;
use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_control::{
    Audio, Codec as Coding, LegConfig, PayloadType, Remote, Security, Side, SrtpKey, SrtpSuite,
};
use tandem_media::Now;
use tandem_media::drops::DropReason;
use tandem_media::dtls::Identity;
use tandem_media::limits::TAILROOM;
use tandem_media::packet::Packet;
use tandem_media::rtp::{HEADER_LEN, Header};
use tandem_media::session::{Component, Outbox, Session};

/// What happens to PCMU that comes in on side A, by name.
pub(crate) const CASES: [(&str, Kind); 5] = [
    ("forward", Kind { from: Codec::Pcmu, to: Codec::Pcmu, suite: None }),
    ("forward-aes-cm-sha1-80", protected(SrtpSuite::AesCm128HmacSha1_80)),
    ("forward-aes-128-gcm", protected(SrtpSuite::AeadAes128Gcm)),
    ("pcmu-to-pcma", Kind { from: Codec::Pcmu, to: Codec::Pcma, suite: None }),
    ("pcmu-to-opus", Kind { from: Codec::Pcmu, to: Codec::Opus, suite: None }),
];
/// 20 ms of G.711 behind its header.
pub(crate) const LEN: usize = HEADER_LEN + PAYLOAD;
/// 20 ms of G.711: the longest payload of all codecs here.
const PAYLOAD: usize = 160;
const PACKET_MS: u32 = 20;

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

/// What comes in on side A, what goes out on side B, and how B's is protected.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) from: Codec,
    pub(crate) to: Codec,
    pub(crate) suite: Option<SrtpSuite>,
}

const fn protected(suite: SrtpSuite) -> Kind {
    Kind { from: Codec::Pcmu, to: Codec::Pcmu, suite: Some(suite) }
}

/// A call in virtual time.
pub(crate) struct Call {
    session: Session,
    now: Now,
    source: SocketAddr,
    codec: Codec,
    sequence: u16,
    timestamp: u32,
    buffer: Vec<u8>,
}

fn coding(codec: Codec) -> PayloadType {
    let (known_as, clock) = match codec {
        Codec::Pcmu => (Coding::Pcmu, 8000),
        Codec::Pcma => (Coding::Pcma, 8000),
        Codec::G722 => (Coding::G722, 8000),
        Codec::G729 => (Coding::G729, 8000),
        Codec::SpeexNarrow => (Coding::Speex, 8000),
        Codec::SpeexWide => (Coding::Speex, 16_000),
        Codec::Opus => (Coding::opus(false), 48_000),
    };
    PayloadType { number: codec.payload_type(), codec: known_as, clock }
}

fn leg(host: u8, codec: Codec, suite: Option<SrtpSuite>) -> LegConfig {
    let rtp = SocketAddr::from(([192, 0, 2, host], 4000));
    let key = |suite: SrtpSuite| SrtpKey { suite, key_and_salt: vec![7; suite.key_len() + suite.salt_len()] };
    let sdes = |suite| Security::Sdes { send: key(suite), receive: Some(key(suite)) };
    LegConfig {
        security: suite.map_or(Security::None, sdes),
        remote: Some(Remote { rtp, rtcp: rtp }),
        audio: Audio::both_ways(vec![coding(codec)]),
        ..LegConfig::idle()
    }
}

impl Call {
    /// Sets one up.
    ///
    /// # Errors
    /// If the core refuses.
    pub(crate) fn new(kind: Kind) -> io::Result<Call> {
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let mut session =
            Session::new(now, 1, Arc::new(Identity::generate().map_err(io::Error::other)?), None);
        let here = leg(1, kind.from, None);
        session
            .configure(now, [Some(&here), Some(&leg(2, kind.to, kind.suite))], &mut Nowhere)
            .map_err(io::Error::other)?;
        let buffer = vec![0x55; LEN + TAILROOM];
        let source = here.remote.ok_or_else(|| io::Error::other("a leg without a peer"))?.rtp;
        Ok(Call { session, now, source, codec: kind.from, sequence: 0, timestamp: 0, buffer })
    }

    /// Passes the next packet through it, with the payload that the last one left in the buffer.
    ///
    /// # Errors
    /// If the core drops it.
    pub(crate) fn packet(&mut self) -> io::Result<()> {
        self.pass(LEN)
    }

    /// Passes the next packet through it.
    ///
    /// # Errors
    /// If the core drops it, or it is longer than any packet here.
    pub(crate) fn speech(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = HEADER_LEN + payload.len();
        let place = self.buffer.get_mut(HEADER_LEN..length).filter(|_| length <= LEN);
        place.ok_or_else(|| io::Error::other("no room"))?.copy_from_slice(payload);
        self.pass(length)
    }

    fn pass(&mut self, length: usize) -> io::Result<()> {
        self.now.instant += Duration::from_millis(PACKET_MS.into());
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(self.codec.ticks_per_ms() * PACKET_MS);
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        let payload_type = self.codec.payload_type();
        Header { marker: false, payload_type, sequence, timestamp, ssrc: 1 }.write(&mut self.buffer);
        let mut packet =
            Packet::new(&mut self.buffer, 0, length).ok_or_else(|| io::Error::other("no room"))?;
        let arrived = (Side::A, Component::Rtp, self.source);
        let verdict =
            self.session.receive(self.now, arrived.0, arrived.1, arrived.2, &mut packet, &mut Nowhere);
        black_box(verdict.map_err(|reason| io::Error::other(format!("{reason:?}")))?);
        Ok(())
    }
}
