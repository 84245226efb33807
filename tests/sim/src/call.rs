//! One call: its kind, its peers, its life.

use crate::peer::Peer;
use crate::{LOCAL, SIDES};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tandem_control::{
    Audio, Codec, Latch, LegConfig, LocalPorts, PayloadType, PortKind, PortRequest, Refusal, Remote, Reply,
    Request, Security, SessionId, SrtpKey, SrtpSuite, Treatment,
};

/// What is done with the packets of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Whether each side speaks SRTP.
    secure: [bool; 2],
    /// Whether what one side sends is encoded anew for the other.
    pub(crate) transcoded: bool,
    latch: Latch,
}

impl Kind {
    pub(crate) fn pick(random: &mut fastrand::Rng) -> Kind {
        Kind {
            secure: random.choice([[false, false], [true, false], [true, true]]).unwrap_or_default(),
            transcoded: random.bool(),
            latch: if random.bool() { Latch::Exact } else { Latch::SameAddress },
        }
    }

    /// Whether both sides speak SRTP.
    pub(crate) fn is_secure(self) -> bool {
        self.secure == [true, true]
    }
}

pub(crate) struct Call {
    pub(crate) kind: Kind,
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
    pub(crate) ended: bool,
    pub(crate) session: Option<SessionId>,
    pub(crate) local: [LocalPorts; 2],
    pub(crate) peers: [Peer; 2],
    legs: [LegConfig; 2],
}

impl Call {
    pub(crate) fn new(index: usize, kind: Kind, start: Instant, random: &mut fastrand::Rng) -> Call {
        let begin = start + Duration::from_millis(random.u64(..2000));
        let end = begin + Duration::from_millis(random.u64(500..4000));
        let port = 10_000 + 4 * index as u16;
        let addresses = [1, 2].map(|host| SocketAddr::from(([192, 0, 2, host], port)));
        // What is transcoded is so by different codings, or because signaling wants it.
        let differs = kind.transcoded && random.bool();
        let codecs = [Codec::Pcmu, if differs { Codec::Pcma } else { Codec::Pcmu }];
        let keys: [[SrtpKey; 2]; 2] = [[key(random), key(random)], [key(random), key(random)]];
        let peers = [0, 1].map(|side| {
            let of_side = kind.secure[side].then_some((&keys[side][0], &keys[side][1]));
            Peer::new(addresses[side], codecs[side], of_side, begin, random)
        });
        let legs = [0, 1].map(|side| {
            let [from_peer, to_peer] = keys[side].clone();
            let security = match kind.secure[side] {
                true => Security::Sdes { send: to_peer, receive: Some(from_peer) },
                false => Security::None,
            };
            let mut leg = leg(addresses[side], codecs[side], security, kind.latch);
            leg.audio.always_transcode = kind.transcoded;
            leg
        });
        let nowhere = LocalPorts { rtp: addresses[0], rtcp: addresses[0], video: None };
        Call { kind, begin, end, ended: false, session: None, local: [nowhere; 2], peers, legs }
    }

    /// Asks for the session and configures its legs.
    pub(crate) fn set_up(&mut self, mut request: impl FnMut(Request) -> Result<Reply, Refusal>) {
        let port = PortRequest { address: LOCAL, kind: PortKind::Own, video: false };
        let legs = Box::new(self.legs.clone());
        let create = Request::Create {
            ports: [port; 2],
            legs,
            note: Vec::new(),
            media_timeout_seconds: 1,
            near: None,
        };
        let Ok(Reply::Created { session, local }) = request(create) else { panic!("no session") };
        self.session = Some(session);
        self.local = local;
    }

    /// Now and then one side goes on hold for a moment, or is silenced, or its peer moves to another port, as signaling
    /// tells.
    pub(crate) fn change(
        &mut self,
        random: &mut fastrand::Rng,
        mut request: impl FnMut(Request) -> Result<Reply, Refusal>,
    ) {
        let Some(session) = self.session else { return };
        let side = random.usize(..2);
        let leg = &mut self.legs[side];
        match (leg.audio.may_send, random.u16(..1000)) {
            (true, 0) => (leg.audio.may_send, leg.audio.may_receive) = (false, random.bool()),
            (false, 0..50) => (leg.audio.may_send, leg.audio.may_receive) = (true, true),
            // With another latch a late packet from the old port would rightly win it back.
            (true, 1) if self.kind.latch == Latch::Exact => {
                let moved = SocketAddr::new(self.peers[side].address.ip(), random.u16(30_000..60_000) & !1);
                self.peers[side].move_to(moved);
                leg.remote = Some(remote(moved));
            }
            // What is silenced goes on; what is blocked here are events, of which peers send none.
            (true, 2..6) => {
                leg.audio.speech =
                    random.choice([Treatment::Passed, Treatment::Silenced]).unwrap_or_default();
                leg.audio.events_blocked = random.bool();
            }
            _ => return,
        }
        let configure = Request::configure(session, SIDES[side], leg.clone());
        assert_eq!(request(configure), Ok(Reply::Done));
    }

    /// The side that this local address belongs, or belonged, to.
    pub(crate) fn side_at(&self, local: SocketAddr) -> Option<usize> {
        self.local.iter().position(|ports| ports.rtp == local || ports.rtcp == local)
    }
}

fn key(random: &mut fastrand::Rng) -> SrtpKey {
    let suites = [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AesCm128HmacSha1_32, SrtpSuite::AeadAes128Gcm];
    let suite = random.choice(suites).unwrap_or(SrtpSuite::AeadAes256Gcm);
    let length = suite.key_len() + suite.salt_len();
    SrtpKey { suite, key_and_salt: (0..length).map(|_| random.u8(..)).collect() }
}

fn remote(rtp: SocketAddr) -> Remote {
    Remote { rtp, rtcp: SocketAddr::new(rtp.ip(), rtp.port() + 1) }
}

fn leg(peer: SocketAddr, codec: Codec, security: Security, latch: Latch) -> LegConfig {
    let number = if codec == Codec::Pcmu { 0 } else { 8 };
    let types = vec![
        PayloadType { number, codec, clock: 8000 },
        PayloadType { number: 101, codec: Codec::TelephoneEvent, clock: 8000 },
    ];
    LegConfig {
        security,
        remote: Some(remote(peer)),
        latch,
        audio: Audio::both_ways(types),
        ..LegConfig::idle()
    }
}
