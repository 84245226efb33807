//! One call through a relay: offer, answer, delete.

use crate::media::{Codec, Keys};
use crate::ng::{Client, Value, sdp};
use std::io;
use std::net::SocketAddrV4;
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
}

impl Transport {
    fn protocol(self) -> &'static str {
        match self {
            Transport::Rtp => "RTP/AVP",
            Transport::Sdes => "RTP/SAVP",
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
    /// The keys, where its media is protected.
    pub(crate) keys: Option<Keys>,
}

/// The offer of a call from `a`.
pub(crate) fn offer(shape: Shape, call_id: &str, a: SocketAddrV4, key: Option<&SrtpKey>) -> Value {
    let (codec, transport) = shape.a;
    let crypto = key.map(|key| sdp::crypto("1", key)).unwrap_or_default();
    let sdp = sdp::write(a, transport.protocol(), codec, codec.payload_type(), &crypto);
    let mut entries = common("offer", call_id, &sdp);
    entries.push(("ICE", "remove".into()));
    entries.push(("DTLS", "off".into()));
    entries.push(("transport-protocol", shape.b.1.protocol().into()));
    if codec != shape.b.0 {
        let lists = [("mask", Value::list(&[codec.name()])), ("transcode", Value::list(&[shape.b.0.name()]))];
        entries.push(("codec", Value::dictionary(lists)));
    }
    Value::dictionary(entries)
}

/// The answer of `b` to what the relay made of the offer.
pub(crate) fn answer(
    shape: Shape,
    call_id: &str,
    b: SocketAddrV4,
    payload_type: u8,
    crypto: Option<(&str, &SrtpKey)>,
) -> Value {
    let (codec, transport) = shape.b;
    let crypto = crypto.map(|(tag, key)| sdp::crypto(tag, key)).unwrap_or_default();
    let sdp = sdp::write(b, transport.protocol(), codec, payload_type, &crypto);
    let mut entries = common("answer", call_id, &sdp);
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
    let (a_key, b_key) = (key(shape.a.1), key(shape.b.1));
    let offered = client.ask(&offer(shape, call_id, a, a_key.as_ref()))?;
    let offered = offered.text("sdp").unwrap_or_default();
    let to_b = opened(offered, shape.b.0, b_key.clone())?;
    let tag = sdp::key(offered).map(|(tag, _)| tag);
    let answered = client.ask(&answer(shape, call_id, b, to_b.payload_type, tag.zip(b_key.as_ref())))?;
    let to_a = opened(answered.text("sdp").unwrap_or_default(), shape.a.0, a_key)?;
    Ok([to_a, to_b])
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
    })
}

fn key(transport: Transport) -> Option<SrtpKey> {
    let length = sdp::SUITE.key_len() + sdp::SUITE.salt_len();
    let key = || SrtpKey { suite: sdp::SUITE, key_and_salt: (0..length).map(|_| fastrand::u8(..)).collect() };
    (transport == Transport::Sdes).then(key)
}
