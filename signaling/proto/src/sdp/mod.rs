//! Session descriptions: what a peer described, and what we describe to it (RFC 8866, RFC 3264).
//!
//! [`Description::parse`] turns a peer's text into types and checks it against hard limits; a [`Leg`] keeps both
//! descriptions of one side of a call, writes ours, and tells the dataplane what was agreed.

pub(crate) mod candidate;
mod choice;
pub(crate) mod codecs;
pub(crate) mod crypto;
mod description;
pub(crate) mod fingerprint;
pub(crate) mod fmtp;
mod h264;
mod leg;
mod local;
#[cfg(test)]
pub(crate) mod samples;
mod video;

pub use choice::{answer_codec, offer_codecs};
pub use description::{Description, Direction, RemoteIce, RemoteMedia, RemoteTransport, Section, Setup};
pub use leg::{FarSide, FarVideo, Kind, Leg, LegAddresses};
pub(crate) use local::new_credentials;
pub use video::{DescribedSets, RemoteVideo, VideoFormat};

use thiserror::Error;

/// The longest description that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most lines of a description.
pub const MAX_LINES: usize = 2_000;
/// The most media sections of a description.
pub const MAX_SECTIONS: usize = 16;
/// The most ICE candidates of a description.
pub const MAX_CANDIDATES: usize = 128;
/// The most formats of one media section.
pub const MAX_FORMATS: usize = 64;

/// Fills a buffer with random bytes that nobody can guess: keys and ICE passwords are made of them.
pub type Random<'a> = &'a mut dyn FnMut(&mut [u8]);

/// Why a description cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SdpError {
    /// Not a session description, or over one of the limits; the text says where.
    #[error("{0}")]
    Malformed(String),
    /// Understood, but there is no way to a session with it; the text says why.
    #[error("{0}")]
    NotAcceptable(String),
}

impl SdpError {
    /// The status of the response to a request that carried the description (RFC 3261 section 21.4).
    pub fn status(&self) -> u16 {
        match self {
            SdpError::Malformed(_) => 400,
            SdpError::NotAcceptable(_) => 488,
        }
    }
}

/// Shortens a refusal of [`SdpError::Malformed`].
pub(crate) fn malformed<T>(text: impl Into<String>) -> Result<T, SdpError> {
    Err(SdpError::Malformed(text.into()))
}

/// Shortens a refusal of [`SdpError::NotAcceptable`].
pub(crate) fn not_acceptable<T>(text: impl Into<String>) -> Result<T, SdpError> {
    Err(SdpError::NotAcceptable(text.into()))
}
