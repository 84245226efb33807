//! The control protocol between **signaling** and **dataplane**.
//!
//! A record of a Unix SEQPACKET socket carries one [`RequestFrame`] or [`Message`] or several, encoded by postcard, one
//! behind the other: those that come together cost one system call, and the other side wakes up once. Each request
//! is answered by one [`Message::Reply`] with the same id; [`Message::Event`]s come unasked. The first request
//! on a connection is [`Request::Hello`]. The dataplane outlives its client: sessions stay when the connection
//! closes, and a new client finds them with [`Request::List`].
//!
//! Invariant: nothing here knows SIP or SDP. Addresses are addresses, keys are bytes.
#![forbid(unsafe_code)]

mod audio;
mod event;
mod leg;
mod media;
mod request;
mod stats;
mod video;

pub use audio::*;
pub use event::*;
pub use leg::*;
pub use media::*;
pub use request::*;
pub use stats::*;
pub use video::*;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::net::IpAddr;
use thiserror::Error;

/// The version of the protocol; both sides must say the same in [`Request::Hello`].
pub const VERSION: u16 = 5;
/// The largest record, in bytes. A longer one is refused by [`encode`] and never sent.
pub const MAX_RECORD: usize = 64 * 1024;
/// The largest opaque note of a session, in bytes.
pub const MAX_NOTE: usize = 8 * 1024;
/// How many sessions one [`Reply::Sessions`] carries at most, so that it fits [`MAX_RECORD`] with full notes.
pub const MAX_LISTED: usize = 6;
/// How many sessions may watch one side of a session ([`Request::Watch`]): each packet of it is copied as often.
pub const MAX_WATCHERS: usize = 64;

const _: () = assert!(MAX_LISTED * (MAX_NOTE + 256) < MAX_RECORD);

/// Names one session of the dataplane: the worker in the top 8 bits, a random number below. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(pub u64);

impl SessionId {
    /// The worker that owns the session.
    pub fn worker(self) -> usize {
        (self.0 >> 56) as usize
    }
}

/// Names one room of the dataplane: the worker in the top 8 bits, a random number below. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoomId(pub u64);

impl RoomId {
    /// The worker that owns the room.
    pub fn worker(self) -> usize {
        (self.0 >> 56) as usize
    }
}

/// One of the two sides of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Side {
    /// The side whose party placed the call.
    A,
    /// The side that was called.
    B,
}

impl Side {
    /// The other side.
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// A request with the id that its reply will carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestFrame {
    /// Chosen by the client; unique among its open requests.
    pub id: u32,
    /// The request.
    pub request: Request,
}

/// What the dataplane sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "it lives only while it is encoded or read, one at a time")]
pub enum Message {
    /// The answer to the request with this id.
    Reply {
        /// The id of the [`RequestFrame`].
        id: u32,
        /// What came of it.
        result: Result<Reply, Refusal>,
    },
    /// Something happened in a session.
    Event(Event),
}

/// A successful answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Request::Hello`].
    Hello(Hello),
    /// To [`Request::Create`].
    Created {
        /// The new session.
        session: SessionId,
        /// The local addresses of the sides A and B, as bound (not as advertised).
        local: [LocalPorts; 2],
    },
    /// To [`Request::CreateRoom`].
    RoomCreated {
        /// The new room.
        room: RoomId,
    },
    /// To requests that have nothing to tell.
    Done,
    /// To [`Request::AddVideo`]: the ports of the leg's video, as bound.
    VideoAdded(StreamPorts),
    /// To [`Request::Query`] and [`Request::Delete`].
    Stats(Box<SessionStats>),
    /// To [`Request::List`].
    Sessions {
        /// At most [`MAX_LISTED`], in the order of their ids.
        sessions: Vec<ListedSession>,
        /// Whether there are more behind the last one.
        more: bool,
    },
    /// To [`Request::Counters`]: name (with a `reason` after a dot where it has one) and value.
    Counters(Vec<(String, u64)>),
}

/// What a dataplane says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Its [`VERSION`].
    pub version: u16,
    /// How many workers it has.
    pub workers: u16,
    /// How many sessions are alive.
    pub sessions: u32,
    /// SHA-256 of the certificate that its DTLS endpoints show.
    pub fingerprint: [u8; 32],
    /// Its local addresses, in the order of its settings.
    pub addresses: Vec<IpAddr>,
}

/// One line of [`Reply::Sessions`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListedSession {
    /// The session.
    pub session: SessionId,
    /// Its note, as last set.
    pub note: Vec<u8>,
    /// Its age in seconds.
    pub age_seconds: u32,
    /// Its local addresses.
    pub local: [LocalPorts; 2],
}

/// Why a request was not carried out. The session, if there is one, is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Refusal {
    /// The two sides speak different versions.
    #[error("the dataplane speaks version {ours} of the control protocol")]
    Version {
        /// What the dataplane speaks.
        ours: u16,
    },
    /// No session has this id.
    #[error("no such session")]
    UnknownSession,
    /// No room has this id.
    #[error("no such room")]
    UnknownRoom,
    /// The limit on sessions is reached.
    #[error("the limit of sessions is reached")]
    TooManySessions,
    /// The media port range is used up.
    #[error("no free media port is left in the configured range")]
    OutOfPorts,
    /// The wanted address is none of the local ones.
    #[error("not one of the local addresses")]
    NoAddress,
    /// The request contradicts itself; the text says how.
    #[error("bad request: {0}")]
    Invalid(String),
    /// A queue is full; try again later.
    #[error("the dataplane is overloaded")]
    Busy,
}

/// Why a record could not be encoded or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodingError {
    /// Longer than [`MAX_RECORD`].
    #[error("record longer than {MAX_RECORD} bytes")]
    TooLong,
    /// Not a record of this version.
    #[error("malformed record")]
    Malformed,
}

/// Encodes a record of one message.
///
/// # Errors
/// [`CodingError::TooLong`] if it would be longer than [`MAX_RECORD`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodingError> {
    let mut record = Vec::new();
    append(&mut record, message)?;
    Ok(record)
}

/// Adds a message to a record.
///
/// # Errors
/// [`CodingError::TooLong`] if it would be longer than [`MAX_RECORD`]; the record is as it was then.
pub fn append<T: Serialize>(record: &mut Vec<u8>, message: &T) -> Result<(), CodingError> {
    let before = record.len();
    // On an error the buffer is lost with what was in it, but no message of ours is one that postcard cannot write.
    let longer = postcard::to_extend(message, std::mem::take(record));
    *record = longer.map_err(|_| CodingError::Malformed)?;
    if record.len() > MAX_RECORD {
        record.truncate(before);
        return Err(CodingError::TooLong);
    }
    Ok(())
}

/// Decodes a record of one message.
///
/// # Errors
/// [`CodingError::Malformed`] for anything else.
pub fn decode<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, CodingError> {
    match take(&mut bytes)? {
        Some(message) if bytes.is_empty() => Ok(message),
        _ => Err(CodingError::Malformed),
    }
}

/// Takes the next message out of a record; `None` at its end.
///
/// # Errors
/// [`CodingError::Malformed`] for anything that is no message.
pub fn take<T: DeserializeOwned>(rest: &mut &[u8]) -> Result<Option<T>, CodingError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let (message, behind) = postcard::take_from_bytes(rest).map_err(|_| CodingError::Malformed)?;
    *rest = behind;
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let frame = RequestFrame { id: 7, request: Request::Hello { version: VERSION, progress: false } };
        assert_eq!(decode::<RequestFrame>(&encode(&frame).unwrap()), Ok(frame));
    }

    #[test]
    fn a_record_carries_several_messages_up_to_its_limit() {
        let frame = |id| RequestFrame { id, request: Request::Query { session: SessionId(u64::MAX) } };
        let mut record = Vec::new();
        let count = (0..).take_while(|id| append(&mut record, &frame(*id)).is_ok()).count();
        assert!(record.len() <= MAX_RECORD && record.len() + 20 > MAX_RECORD);
        let mut rest = record.as_slice();
        for id in 0..count {
            assert_eq!(take(&mut rest), Ok(Some(frame(id as u32))));
        }
        assert_eq!(take::<RequestFrame>(&mut rest), Ok(None));
        assert_eq!(decode::<RequestFrame>(&record), Err(CodingError::Malformed));
    }

    #[test]
    fn trailing_bytes_and_truncation_are_malformed() {
        let mut bytes = encode(&RequestFrame { id: 1, request: Request::Counters }).unwrap();
        bytes.push(0);
        assert_eq!(decode::<RequestFrame>(&bytes), Err(CodingError::Malformed));
        assert_eq!(decode::<RequestFrame>(&bytes[..1]), Err(CodingError::Malformed));
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        let key = SrtpKey { suite: SrtpSuite::AeadAes128Gcm, key_and_salt: vec![0xAB; 28] };
        assert!(!format!("{key:?}").contains("171"));
    }
}
