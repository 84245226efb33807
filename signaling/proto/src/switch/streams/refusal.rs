//! Why a stream is not to be had, each with the words that the browser is told; where the npm client has a constant for
//! them (`STREAM_STATUS_INFO`), these are its words.

use crate::sdp::SdpError;
use tandem_control::Refusal;

/// Why a stream is not published or played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::switch) enum StreamRefusal {
    /// The operator does not want streams.
    #[error("Streams are switched off on this server")]
    SwitchedOff,
    /// Nobody knows who it is: it has not logged in, holds a token only, or its provider has not registered it.
    #[error("Log in first")]
    NotLoggedIn,
    /// See [`super::table::StreamName::new`].
    #[error("The name of a stream is 1 to 128 printable characters")]
    BadName,
    /// Somebody of the domain publishes under it.
    #[error("Stream name is already in use")]
    NameInUse,
    /// The browser has a stream with this identifier.
    #[error("MediaSessionId is already in use")]
    IdentifierInUse,
    /// Nobody of the domain publishes under the name; or the browser has no stream with this identifier.
    #[error("Stream not found")]
    NotFound,
    /// It will be there soon.
    #[error("Publish stream is not ready")]
    NotReady,
    /// Who plays a stream has nothing to say about it.
    #[error("Only who publishes a stream can do that")]
    NotPublisher,
    /// It says more than its players may be told.
    #[error("Too many events")]
    TooManyEvents,
    /// The limit of one user.
    #[error("Your limit of streams is reached")]
    UserFull,
    /// The limit of the server.
    #[error("The server's limit of streams is reached")]
    ServerFull,
    /// The limit of one stream.
    #[error("The stream has as many players as it may have")]
    StreamFull,
    /// Its offer cannot be used; the text says why.
    #[error("{0}")]
    Media(String),
    /// No picture is decoded here.
    #[error("This server forwards pictures undecoded, and makes no image of them")]
    NoSnapshots,
    /// The dataplane cannot, or will not; the text says why.
    #[error("{0}")]
    Dataplane(String),
}

impl StreamRefusal {
    /// Its name among the counters.
    pub(in crate::switch) fn reason(&self) -> &'static str {
        match self {
            StreamRefusal::SwitchedOff => "SwitchedOff",
            StreamRefusal::NotLoggedIn => "NotLoggedIn",
            StreamRefusal::BadName => "BadName",
            StreamRefusal::NameInUse => "NameInUse",
            StreamRefusal::IdentifierInUse => "IdentifierInUse",
            StreamRefusal::NotFound => "NotFound",
            StreamRefusal::NotReady => "NotReady",
            StreamRefusal::NotPublisher => "NotPublisher",
            StreamRefusal::TooManyEvents => "TooManyEvents",
            StreamRefusal::UserFull => "UserFull",
            StreamRefusal::ServerFull => "ServerFull",
            StreamRefusal::StreamFull => "StreamFull",
            StreamRefusal::Media(_) => "Media",
            StreamRefusal::NoSnapshots => "NoSnapshots",
            StreamRefusal::Dataplane(_) => "Dataplane",
        }
    }

    /// The dataplane is not there.
    pub(super) fn no_dataplane() -> StreamRefusal {
        StreamRefusal::Dataplane("The media server is not available".to_owned())
    }
}

impl From<SdpError> for StreamRefusal {
    fn from(error: SdpError) -> StreamRefusal {
        StreamRefusal::Media(error.to_string())
    }
}

impl From<Refusal> for StreamRefusal {
    fn from(refusal: Refusal) -> StreamRefusal {
        StreamRefusal::Dataplane(refusal.to_string())
    }
}
