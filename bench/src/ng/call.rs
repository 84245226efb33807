//! One call through a relay: offer, answer, delete.

use crate::media::{Codec, Keys};
use crate::ng::{Client, Value, sdp};
use crate::webrtc::description::{Local, Remote, Setup};
use crate::webrtc::peer::{Identity, Peer};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tandem_control::SrtpKey;

const FROM_TAG: &str = "caller";
const TO_TAG: &str = "callee";

/// How a side's media is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Transport {
    /// RTP/AVP.
    Rtp,
    /// RTP/SAVP with a key in the description (SDES).
    Sdes,
    /// UDP/TLS/RTP/SAVPF with ICE, as browsers have it; only for callees.
    Dtls,
}

impl Transport {
    fn protocol(self) -> &'static str {
        match self {
            Transport::Rtp => "RTP/AVP",
            Transport::Sdes => "RTP/SAVP",
            Transport::Dtls => "UDP/TLS/RTP/SAVPF",
        }
    }
}

/// What the two sides of a call speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The caller.
    pub(crate) a: (Codec, Transport),
    /// The callee.
    pub(crate) b: (Codec, Transport),
}

/// What one side must know to send media.
pub(crate) struct Opened {
    /// The relay's address for it.
    pub(crate) remote: SocketAddrV4,
    /// The payload type of its codec.
    pub(crate) payload_type: u8,
    /// The keys, where descriptions carry them.
    pub(crate) keys: Option<Keys>,
    /// What connects by ICE and DTLS, where that comes first.
    pub(crate) peer: Option<Box<Peer>>,
}

/// The offer of a call from `a`.
fn offer(shape: Shape, call_id: &str, a: SocketAddrV4, key: Option<&SrtpKey>) -> Value {
    let (codec, transport) = shape.a;
    let crypto = key.map(|key| sdp::crypto("1", key)).unwrap_or_default();
    let sdp = sdp::write(a, transport.protocol(), codec, codec.payload_type(), &crypto);
    let mut entries = common("offer", call_id, &sdp);
    match shape.b.1 {
        Transport::Dtls => {
            entries.push(("ICE", "force".into()));
            entries.push(("rtcp-mux", Value::list(&["offer"])));
        }
        Transport::Rtp | Transport::Sdes => {
            entries.push(("ICE", "remove".into()));
            entries.push(("DTLS", "off".into()));
        }
    }
    entries.push(("transport-protocol", shape.b.1.protocol().into()));
    if codec != shape.b.0 {
        let lists =
            [("mask", Value::list(&[codec.rtpmap()])), ("transcode", Value::list(&[shape.b.0.rtpmap()]))];
        entries.push(("codec", Value::dictionary(lists)));
    }
    Value::dictionary(entries)
}

/// The answer of the callee, who says `sdp`, to what the relay made of the offer.
fn answer(call_id: &str, sdp: &str) -> Value {
    let mut entries = common("answer", call_id, sdp);
    entries.push(("to-tag", TO_TAG.into()));
    Value::dictionary(entries)
}

/// The deletion of a call.
pub(crate) fn delete(call_id: &str) -> Value {
    let entries = [("command", "delete"), ("call-id", call_id), ("from-tag", FROM_TAG), ("to-tag", TO_TAG)];
    // Relays otherwise keep a deleted call for half a minute.
    let at_once = ("delete-delay", Value::Integer(0));
    Value::dictionary(entries.map(|(key, value)| (key, value.into())).into_iter().chain([at_once]))
}

fn common(command: &'static str, call_id: &str, sdp: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("command", command.into()),
        ("call-id", call_id.into()),
        ("from-tag", FROM_TAG.into()),
        ("flags", Value::list(&["trust-address"])),
        ("replace", Value::list(&["origin", "session-connection"])),
        ("sdp", sdp.into()),
    ]
}

/// Sets up a call from `a` to `b`; gives what each must know.
///
/// # Errors
/// If the relay refuses or its descriptions lack something.
pub(crate) fn open(
    client: &mut Client,
    shape: Shape,
    call_id: &str,
    [a, b]: [SocketAddrV4; 2],
) -> io::Result<[Opened; 2]> {
    let a_key = key(shape.a.1);
    let offered = client.ask(&offer(shape, call_id, a, a_key.as_ref()))?;
    let offered = offered.text("sdp").unwrap_or_default();
    let (to_b, sdp) = match shape.b.1 {
        Transport::Dtls => browser(offered, shape.b.0, b)?,
        Transport::Rtp | Transport::Sdes => telephone(offered, shape, b)?,
    };
    let answered = client.ask(&answer(call_id, &sdp))?;
    let to_a = opened(answered.text("sdp").unwrap_or_default(), shape.a.0, a_key)?;
    Ok([to_a, to_b])
}

/// Sets up a call that no media will come to, so that nobody need listen where its sides say they are.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_silent(client: &mut Client, shape: Shape, call_id: &str) -> io::Result<()> {
    let sides = [10_000, 10_002].map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    open(client, shape, call_id, sides).map(drop)
}

/// What a telephone as the callee makes of an offer: what it must know, and its answer.
fn telephone(offered: &str, shape: Shape, b: SocketAddrV4) -> io::Result<(Opened, String)> {
    let (codec, transport) = shape.b;
    let key = key(transport);
    let to_b = opened(offered, codec, key.clone())?;
    let tag = sdp::key(offered).map(|(tag, _)| tag);
    let crypto = tag.zip(key.as_ref()).map(|(tag, key)| sdp::crypto(tag, key)).unwrap_or_default();
    let sdp = sdp::write(b, transport.protocol(), codec, to_b.payload_type, &crypto);
    Ok((to_b, sdp))
}

/// What a browser as the callee makes of an offer.
fn browser(offered: &str, codec: Codec, b: SocketAddrV4) -> io::Result<(Opened, String)> {
    let remote = Remote::read(offered, codec)
        .ok_or_else(|| io::Error::other(format!("not for browsers: {offered}")))?;
    let now = Instant::now();
    let identity = identity()?;
    // RFC 8445 section 6.1.1: beside a lite agent the full one controls, whoever offered.
    let mut peer = Peer::new(now, b.into(), Arc::clone(&identity), offered.contains("a=ice-lite"));
    peer.set_remote(now, &remote);
    let sdp = Local {
        address: b.into(),
        credentials: peer.credentials(),
        fingerprint: &identity.fingerprint,
        setup: Setup::Active,
        codec,
        payload_type: remote.payload_type,
        ssrc: fastrand::u32(..),
        mid: &remote.mid,
    }
    .write();
    let remote_address =
        sdp::address(offered).ok_or_else(|| io::Error::other("no address in the relay's description"))?;
    let (payload_type, peer) = (remote.payload_type, Some(Box::new(peer)));
    Ok((Opened { remote: remote_address, payload_type, keys: None, peer }, sdp))
}

/// The certificate that all browsers of a run show: making one for each would take the generator's time.
fn identity() -> io::Result<Arc<Identity>> {
    static IDENTITY: OnceLock<Arc<Identity>> = OnceLock::new();
    if let Some(identity) = IDENTITY.get() {
        return Ok(Arc::clone(identity));
    }
    let identity = Arc::new(Identity::generate().map_err(io::Error::other)?);
    Ok(Arc::clone(IDENTITY.get_or_init(|| identity)))
}

fn opened(sdp: &str, codec: Codec, send: Option<SrtpKey>) -> io::Result<Opened> {
    let missing = |what: &str| io::Error::other(format!("no {what} in the relay's description: {sdp}"));
    let keys = match send {
        None => None,
        Some(send) => {
            let (_, receive) = sdp::key(sdp).ok_or_else(|| missing("key"))?;
            Some(Keys { send, receive })
        }
    };
    Ok(Opened {
        remote: sdp::address(sdp).ok_or_else(|| missing("address"))?,
        payload_type: sdp::payload_type(sdp, codec).ok_or_else(|| missing("payload type"))?,
        keys,
        peer: None,
    })
}

fn key(transport: Transport) -> Option<SrtpKey> {
    let length = sdp::SUITE.key_len() + sdp::SUITE.salt_len();
    let key = || SrtpKey { suite: sdp::SUITE, key_and_salt: (0..length).map(|_| fastrand::u8(..)).collect() };
    (transport == Transport::Sdes).then(key)
}
