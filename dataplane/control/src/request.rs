//! What signaling asks of the dataplane.

#[cfg(doc)]
use crate::{Audio, Digits, EventKind, MAX_NOTE, MAX_PATH, MAX_WATCHERS, PortKind, Refusal, Reply};
use crate::{DigitSound, LegConfig, PortRequest, RecordingFormat, RoomId, SessionId, Side, Source};
use serde::{Deserialize, Serialize};

/// What signaling asks of the dataplane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Opens the conversation; answered by [`Reply::Hello`] or [`Refusal::Version`].
    Hello {
        /// [`VERSION`] of the client.
        version: u16,
        /// Whether the client wants to hear of [`EventKind::is_progress`] too. Each event wakes both processes.
        progress: bool,
    },
    /// Makes a session with two legs; answered by [`Reply::Created`].
    Create {
        /// What ports each side (A, then B) needs.
        ports: [PortRequest; 2],
        /// Each leg as it shall be at first; [`LegConfig::idle`] while nothing is known of its peer.
        legs: Box<[LegConfig; 2]>,
        /// An opaque note that signaling reads back with [`Request::List`].
        note: Vec<u8>,
        /// Seconds without any media from either side before [`EventKind::MediaTimeout`]; 0: never.
        media_timeout_seconds: u32,
        /// What it shall share its worker with; `None` leaves the choice to the dataplane.
        near: Option<Near>,
    },
    /// Sets legs to the given configurations, whole: what is not in them is no longer so. What did not change goes
    /// on undisturbed (SRTP contexts with equal keys, DTLS with equal fingerprints, latched addresses). Where one
    /// is refused, nothing changes. See [`Request::configure`] for one leg alone.
    Configure {
        /// The session.
        session: SessionId,
        /// The sides A and B as they shall be; `None` leaves that one as it is.
        legs: Box<[Option<LegConfig>; 2]>,
        /// The session's new note, at most [`MAX_NOTE`] bytes; `None` leaves the note as it is.
        note: Option<Vec<u8>>,
    },
    /// Gives a leg on ports of its own two more for video, unless it has them; answered by [`Reply::VideoAdded`]. They
    /// stay until the session ends. Refused for a leg on a shared port, which needs none.
    AddVideo {
        /// The session.
        session: SessionId,
        /// The leg.
        side: Side,
    },
    /// Lets two legs of two sessions change places, with ports, keys, ICE, latches and streams: each peer goes on with
    /// the sequence numbers and time stamps that it knows, and hears the peer of its new session. Each leg keeps
    /// its configuration. Both sessions must have the same worker (see [`Near`]), no leg of theirs may be in a room.
    /// What is played in either session is stopped, and so is its recording; nobody watches these legs any longer.
    Swap {
        /// The one leg.
        first: (SessionId, Side),
        /// The other one, of another session.
        second: (SessionId, Side),
    },
    /// Lets the peer on `side` hear and see what the peer of a side of another session sends, sound and pictures, as
    /// though the peer on its session's other side had sent it. That other side has no peer of its own and cannot be
    /// given one meanwhile: its leg is [`LegConfig::watched`] of the source's leg, configured before, and anew with each change of that one;
    /// its ports are [`PortKind::Shared`], which costs none.
    ///
    /// The watching session repairs, transcodes, reports and names its streams for its own peer. What is lost between
    /// source and dataplane is asked for once, by the source's session; a key frame that a watcher needs is asked of
    /// the source at the limits that hold for all together; what watchers say of their lines does not limit the source.
    ///
    /// Both sessions must have the same worker (see [`Near`]). Refused for a session that watches already, is watched
    /// itself or has a side in a room, for a source whose session watches, and beyond [`MAX_WATCHERS`]. Ends by
    /// [`Request::Unwatch`], with either session, and when a leg of the source's place changes it
    /// ([`Request::Swap`]); [`EventKind::WatchEnded`] tells the latter two of the watcher. A session that watches can
    /// neither join a room nor swap a leg.
    Watch {
        /// The session whose peer watches.
        session: SessionId,
        /// The side of that peer.
        side: Side,
        /// Whose peer it watches.
        source: (SessionId, Side),
    },
    /// Ends what the peer on `side` watches; nothing where it watches nothing.
    Unwatch {
        /// The session.
        session: SessionId,
        /// The side whose peer watches.
        side: Side,
    },
    /// Sends one digit towards the peer on `side`, in the place of its audio, in the way that
    /// [`Audio::digits`] says; refused where that is [`Digits::Told`].
    PlayDigit {
        /// The session.
        session: SessionId,
        /// The side whose peer hears the digit.
        side: Side,
        /// The event: 0 to 9, 10 for `*`, 11 for `#`, 12 to 15 for A to D.
        event: u8,
        /// Its length, 40 to 6000 milliseconds.
        duration_ms: u16,
        /// How it sounds.
        sound: DigitSound,
    },
    /// Plays to the peer on `side`, in the place of what the other side says; ends what was played to it before.
    /// [`EventKind::PlayStarted`] tells that a file is played, [`EventKind::PlayEnded`] when and how it ended.
    Play {
        /// The session.
        session: SessionId,
        /// The side whose peer hears it.
        side: Side,
        /// What is played.
        source: Source,
        /// How often; 0: until it is stopped.
        times: u32,
        /// Chosen by the client, told again by [`EventKind::PlayEnded`].
        id: u32,
    },
    /// Ends what is played to the peer on `side`; nothing where nothing is.
    StopPlay {
        /// The session.
        session: SessionId,
        /// The side whose peer hears it.
        side: Side,
    },
    /// Records what both peers say, side A on the left channel, side B on the right one. One recording at a time.
    /// [`EventKind::RecordingEnded`] tells when and how it ended.
    Record {
        /// The session.
        session: SessionId,
        /// The file, relative to the dataplane's directory of recordings; at most [`MAX_PATH`] bytes.
        path: String,
        /// Its format.
        format: RecordingFormat,
    },
    /// Leaves out what is said from now on.
    PauseRecording {
        /// The session.
        session: SessionId,
    },
    /// Goes on with a recording that was paused.
    ResumeRecording {
        /// The session.
        session: SessionId,
    },
    /// Ends a recording; the session's end does so too.
    StopRecording {
        /// The session.
        session: SessionId,
    },
    /// Makes a room that mixes; answered by [`Reply::RoomCreated`].
    CreateRoom {
        /// What it shall share its worker with; `None` leaves the choice to the dataplane.
        near: Option<Near>,
        /// The rate at which it mixes: 8000, 16000 or 48000 Hz.
        rate: u32,
        /// How many of those who speak are mixed at most, the loudest first; 0: all.
        loudest: u8,
    },
    /// Puts a side into a room: its peer is heard there, and hears the room in the place of the other side. Session
    /// and room must have the same worker (see [`Near`]). A side that is in another room leaves that first.
    Join {
        /// The session.
        session: SessionId,
        /// The side.
        side: Side,
        /// The room.
        room: RoomId,
    },
    /// Takes a side out of its room.
    Leave {
        /// The session.
        session: SessionId,
        /// The side.
        side: Side,
    },
    /// Whether a side's peer is heard in its room.
    Mute {
        /// The session.
        session: SessionId,
        /// The side.
        side: Side,
        /// It is not heard.
        muted: bool,
    },
    /// Ends a room; whoever is in it leaves it.
    DeleteRoom {
        /// The room.
        room: RoomId,
    },
    /// Asks for the figures of a session; answered by [`Reply::Stats`].
    Query {
        /// The session.
        session: SessionId,
    },
    /// Lists sessions in the order of their ids; answered by [`Reply::Sessions`].
    List {
        /// Only those after this one; `None` starts at the first.
        after: Option<SessionId>,
    },
    /// Ends a session and frees its ports; answered by [`Reply::Stats`], the last figures.
    Delete {
        /// The session.
        session: SessionId,
    },
    /// Asks for the counters of the whole dataplane; answered by [`Reply::Counters`].
    Counters,
}

impl Request {
    /// Sets one leg, leaving the other and the note as they are.
    pub fn configure(session: SessionId, side: Side, leg: LegConfig) -> Request {
        let legs = match side {
            Side::A => [Some(leg), None],
            Side::B => [None, Some(leg)],
        };
        Request::Configure { session, legs: Box::new(legs), note: None }
    }
}

/// What a new session or room shall share its worker with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Near {
    /// A session.
    Session(SessionId),
    /// A room.
    Room(RoomId),
}

impl Near {
    /// The worker.
    pub fn worker(self) -> usize {
        match self {
            Near::Session(session) => session.worker(),
            Near::Room(room) => room.worker(),
        }
    }
}
