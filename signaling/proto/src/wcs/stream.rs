//! Streams of WCS 5: what clients ask of them, and what they are told.

use super::client::{ClientMessage, FrameError, Unsupported};
use super::fields::Fields;
use serde_json::Value;
use tandem_control::PictureSize;

/// Bytes of what an event of a stream carries, as JSON: it goes to everybody who plays the stream.
pub const MAX_STREAM_EVENT: usize = 4_096;

/// Something that a client asks of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamRequest {
    /// The client's identifier of its end of the stream (`mediaSessionId`).
    pub id: String,
    /// What.
    pub verb: StreamVerb,
}

/// What is asked of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamVerb {
    /// `publishStream`: what the client sends from now on has this name.
    Publish {
        /// The stream's name, as typed.
        name: String,
        /// The client's offer; `None`: its media does not go by descriptions.
        sdp: Option<String>,
    },
    /// `playStream`: the client wants what is published under this name.
    Play {
        /// The stream's name, as typed.
        name: String,
        /// The client's offer; `None`: its media does not go by descriptions.
        sdp: Option<String>,
    },
    /// `unPublishStream`: the end of what it publishes.
    Unpublish,
    /// `stopStream`: the end of what it plays.
    Stop,
    /// `availableStream`: whether this is published.
    Available {
        /// The stream's name, as typed.
        name: String,
    },
    /// `sendStreamEvent`: for everybody who plays what it publishes.
    Event(StreamEvent),
    /// `snapshot`: a picture of what is published, as an image.
    Snapshot,
}

impl StreamVerb {
    /// The message that asks for it.
    pub fn message(&self) -> &'static str {
        match self {
            StreamVerb::Publish { .. } => "publishStream",
            StreamVerb::Play { .. } => "playStream",
            StreamVerb::Unpublish => "unPublishStream",
            StreamVerb::Stop => "stopStream",
            StreamVerb::Available { .. } => "availableStream",
            StreamVerb::Event(_) => "sendStreamEvent",
            StreamVerb::Snapshot => "snapshot",
        }
    }
}

impl StreamRequest {
    /// The same for a generation that has no streams.
    pub(super) fn unsupported(self) -> Unsupported {
        Unsupported { name: self.verb.message() }
    }
}

/// What a publisher tells those who play its stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamEvent {
    /// What happened.
    pub kind: StreamEventKind,
    /// What the client adds, up to [`MAX_STREAM_EVENT`] bytes of JSON.
    pub payload: Option<Value>,
}

/// The kinds of [`StreamEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEventKind {
    /// The microphone is off, or on again.
    AudioMuted(bool),
    /// The camera is off, or on again.
    VideoMuted(bool),
    /// The payload says it.
    Data,
}

impl StreamEventKind {
    const ALL: [StreamEventKind; 5] = [
        StreamEventKind::AudioMuted(true),
        StreamEventKind::AudioMuted(false),
        StreamEventKind::VideoMuted(true),
        StreamEventKind::VideoMuted(false),
        StreamEventKind::Data,
    ];

    /// Its `type`.
    pub fn word(self) -> &'static str {
        match self {
            StreamEventKind::AudioMuted(true) => "audioMuted",
            StreamEventKind::AudioMuted(false) => "audioUnmuted",
            StreamEventKind::VideoMuted(true) => "videoMuted",
            StreamEventKind::VideoMuted(false) => "videoUnmuted",
            StreamEventKind::Data => "data",
        }
    }
}

/// Where a client's end of a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStatus {
    /// What it sends can be played.
    Publishing,
    /// It no longer publishes.
    Unpublished,
    /// What is published comes to it.
    Playing,
    /// It no longer plays.
    Stopped,
    /// It never came about, or broke.
    Failed,
}

impl StreamStatus {
    pub(super) fn word(self) -> &'static str {
        match self {
            StreamStatus::Publishing => "PUBLISHING",
            StreamStatus::Unpublished => "UNPUBLISHED",
            StreamStatus::Playing => "PLAYING",
            StreamStatus::Stopped => "STOPPED",
            StreamStatus::Failed => "FAILED",
        }
    }
}

/// A client's end of a stream, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// The client's identifier of it.
    pub id: String,
    /// The stream's name; empty where it is not known.
    pub name: String,
    /// Where it stands.
    pub status: StreamStatus,
    /// Whether the client is the one that publishes it.
    pub published: bool,
    /// Whether it has pictures.
    pub has_video: bool,
    /// Whether the publisher's microphone, and its camera, are off.
    pub muted: [bool; 2],
    /// Why, in words.
    pub info: Option<String>,
}

/// Something to tell a client of its end of a stream.
#[derive(Clone, Copy, Debug)]
pub enum StreamMessage<'a> {
    /// Where it stands.
    Status(&'a StreamInfo),
    /// Our answer to the client's offer; send it before the status that says that media flows.
    Sdp {
        /// The client's identifier.
        id: &'a str,
        /// The answer.
        sdp: &'a str,
    },
    /// Whether it could be played.
    Available {
        /// The client's identifier.
        id: &'a str,
        /// Why not.
        refusal: Option<&'a str>,
    },
    /// Its publisher says something.
    Event {
        /// The client's identifier.
        id: &'a str,
        /// What.
        event: &'a StreamEvent,
    },
    /// What the client plays has pictures of this size.
    PictureSize {
        /// The client's identifier.
        id: &'a str,
        /// The size.
        size: PictureSize,
    },
    /// There is no image of it.
    SnapshotFailed {
        /// The client's identifier.
        id: &'a str,
        /// Why.
        info: &'a str,
    },
}

/// Reads a message of this name; `None`: it is none of streams.
pub(super) fn read(message: &str, fields: &mut Fields) -> Result<Option<ClientMessage>, FrameError> {
    // What is no name is refused in words, as is a client whose media goes another way.
    let name = |fields: &mut Fields| Ok::<_, FrameError>(fields.text("name")?.unwrap_or_default());
    let verb = match message {
        "publishStream" => StreamVerb::Publish { name: name(fields)?, sdp: fields.usable_sdp() },
        "playStream" => StreamVerb::Play { name: name(fields)?, sdp: fields.usable_sdp() },
        "unPublishStream" => StreamVerb::Unpublish,
        "stopStream" => StreamVerb::Stop,
        "availableStream" => StreamVerb::Available { name: name(fields)? },
        "sendStreamEvent" => StreamVerb::Event(event(fields)?),
        "snapshot" => StreamVerb::Snapshot,
        _ => return Ok(None),
    };
    let id = fields.required("mediaSessionId", "mediaSessionId is missing")?;
    Ok(Some(ClientMessage::Stream(StreamRequest { id, verb })))
}

fn event(fields: &mut Fields) -> Result<StreamEvent, FrameError> {
    let word = fields.required("type", "the type of the event is missing")?;
    let kind = StreamEventKind::ALL.into_iter().find(|kind| kind.word() == word);
    let kind = kind.ok_or(FrameError::Malformed("the type of the event is unknown"))?;
    Ok(StreamEvent { kind, payload: fields.small_value("payload", MAX_STREAM_EVENT)? })
}
