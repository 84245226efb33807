//! What the dataplane tells unasked.

#[cfg(doc)]
use crate::{Audio, Digits, Request};
use crate::{PictureSize, PlayOutcome, RecordingOutcome, SessionId, Side};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Something that happened in a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Where.
    pub session: SessionId,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EventKind {
    /// ICE and DTLS, as far as the leg has them, are up: media can flow. A leg with neither does not tell.
    Connected {
        /// The leg.
        side: Side,
    },
    /// The first media packet arrived on this leg.
    FirstMedia {
        /// The leg.
        side: Side,
    },
    /// The leg's peer moved to another address (validated by ICE, or latched).
    Moved {
        /// The leg.
        side: Side,
        /// The new address.
        remote: SocketAddr,
    },
    /// The DTLS handshake failed for good, or the peer's certificate has another fingerprint.
    DtlsFailed {
        /// The leg.
        side: Side,
    },
    /// No consent check (RFC 7675) came for 30 seconds: the browser is gone.
    ConsentLost {
        /// The leg.
        side: Side,
    },
    /// No media from either side for the session's media time-out. The session stays until it is deleted.
    MediaTimeout,
    /// A whole digit came in from this leg, by RFC 4733 or in its audio ([`Audio::detect_tones`]); it has also gone on
    /// to the other side, unless it shall not ([`Audio::events_blocked`]) or that side's way is [`Digits::Told`]: then
    /// it is for signaling to tell it.
    Digit {
        /// The leg that pressed it.
        side: Side,
        /// As in [`Request::PlayDigit`].
        event: u8,
        /// Its length in milliseconds.
        duration_ms: u16,
    },
    /// The size of the pictures that the peer on this leg sends became known, or another one: its key frames say so,
    /// which nobody else has checked. Not told more often than once a second.
    PictureSize {
        /// The leg.
        side: Side,
        /// The new size.
        size: PictureSize,
    },
    /// A file that is to be played to the peer on this side ([`Request::Play`]) could be opened and is one that can be
    /// played. Tones do not tell.
    PlayStarted {
        /// The side that hears it.
        side: Side,
        /// The id of the request.
        id: u32,
        /// How long it lasts once, in milliseconds, where that is known.
        duration_ms: Option<u64>,
    },
    /// What was played to the peer on this side ([`Request::Play`]) has ended.
    PlayEnded {
        /// The side that heard it.
        side: Side,
        /// The id of the request.
        id: u32,
        /// How it ended.
        outcome: PlayOutcome,
    },
    /// The session's recording ([`Request::Record`]) has ended; its file is complete.
    RecordingEnded {
        /// How it ended.
        outcome: RecordingOutcome,
        /// How much was recorded, in milliseconds.
        duration_ms: u64,
    },
    /// What the peer on this side watched ([`Request::Watch`]) is gone: its session ended, or another leg has its
    /// place.
    WatchEnded {
        /// The side whose peer watched.
        side: Side,
    },
}

impl EventKind {
    /// Whether it tells only that all goes well.
    pub fn is_progress(&self) -> bool {
        matches!(self, EventKind::Connected { .. } | EventKind::FirstMedia { .. } | EventKind::Moved { .. })
    }
}
