//! What a peer described, in types.

mod reading;

use super::crypto::Crypto;
use super::{MAX_BYTES, MAX_LINES, MAX_SECTIONS, RemoteVideo, SdpError, candidate, malformed};
use sdp_types::Session;
use tandem_control::{Fingerprint, IceCredentials, PayloadType, Remote};

/// Which way media flows, seen by who wrote it (RFC 3264 section 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// From the writer only.
    SendOnly,
    /// To the writer only.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// From its two halves.
    pub fn new(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// Whether the writer sends.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the writer receives.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The same, seen by the other one.
    pub fn reversed(self) -> Direction {
        Direction::new(self.receives(), self.sends())
    }

    /// What is in both.
    pub fn and(self, other: Direction) -> Direction {
        Direction::new(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// The attribute's name.
    pub fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }
}

/// `a=setup` (RFC 4145, RFC 5763 section 5): who opens the DTLS association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The writer opens it.
    Active,
    /// The writer waits for it.
    Passive,
    /// Either; the answerer chooses.
    ActPass,
    /// None is to be opened for now.
    HoldConn,
}

impl Setup {
    /// Reads the attribute's value.
    pub(crate) fn parse(value: &str) -> Result<Setup, SdpError> {
        let all = [
            ("active", Setup::Active),
            ("passive", Setup::Passive),
            ("actpass", Setup::ActPass),
            ("holdconn", Setup::HoldConn),
        ];
        match all.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(value.trim())) {
            Some((_, setup)) => Ok(setup),
            None => malformed("a=setup with an unknown role"),
        }
    }
}

/// One media section, as far as an answer must mirror it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `audio`, `video`, `application` ...
    pub media: String,
    /// The transport protocol.
    pub protocol: String,
    /// The formats, as written.
    pub formats: String,
    /// `a=mid` (RFC 5888).
    pub mid: Option<String>,
    /// Port zero, and not because it shares a bundle's port (RFC 8843 section 6).
    pub rejected: bool,
}

/// A peer's ICE parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteIce {
    /// User fragment and password.
    pub credentials: IceCredentials,
    /// The peer is ICE-lite too, so that nobody sends checks.
    pub lite: bool,
}

impl RemoteIce {
    /// RFC 8839 section 5.4: 4 to 256 characters of user fragment, 22 to 256 of password, letters, digits, `+`, `/`.
    pub(crate) fn read(ufrag: &str, password: &str, lite: bool) -> Result<RemoteIce, SdpError> {
        // Some clients write "-", "_" and "=" as well; they do no harm.
        let is_ice_char = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
        if !(4..=256).contains(&ufrag.len()) || !ufrag.bytes().all(is_ice_char) {
            return malformed("a=ice-ufrag is not 4 to 256 ICE characters");
        }
        if !(22..=256).contains(&password.len()) || !password.bytes().all(is_ice_char) {
            return malformed("a=ice-pwd is not 22 to 256 ICE characters");
        }
        let credentials = IceCredentials { ufrag: ufrag.to_owned(), password: password.to_owned() };
        Ok(RemoteIce { credentials, lite })
    }
}

/// How one stream of a peer is transported.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteTransport {
    /// Where it wants its media; `None` where only ICE will tell, or media is on hold by address zero.
    pub remote: Option<Remote>,
    /// `a=rtcp-mux`.
    pub rtcp_mux: bool,
    /// Its usable `a=crypto` lines.
    pub crypto: Vec<Crypto>,
    /// Its certificate's fingerprints.
    pub fingerprints: Vec<Fingerprint>,
    /// Its role in DTLS.
    pub setup: Option<Setup>,
    /// Its ICE parameters.
    pub ice: Option<RemoteIce>,
}

/// The audio section of a peer's description.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteMedia {
    /// Where it stands among the sections.
    pub index: usize,
    /// How it is transported.
    pub transport: RemoteTransport,
    /// As the peer sees it; an address of zero counts as hold (RFC 3264 section 8.4).
    pub direction: Direction,
    /// The payload types that mean something here, in the peer's order.
    pub payloads: Vec<PayloadType>,
    /// The packet time it wants, in milliseconds.
    pub ptime: Option<u8>,
    /// The longest packet time it takes, in milliseconds.
    pub maxptime: Option<u8>,
}

/// A peer's description.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// All its sections, in order.
    pub sections: Vec<Section>,
    /// The identification tags of its BUNDLE group (RFC 8843).
    pub bundle: Vec<String>,
    /// The first audio section that can be used, if one can.
    pub audio: Option<RemoteMedia>,
    /// The first video section that can be used, if one can.
    pub video: Option<Box<RemoteVideo>>,
}

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// [`SdpError::Malformed`] for what is not SDP or is over a limit of this module, [`SdpError::NotAcceptable`] for
    /// an audio section that asks for what is not here.
    pub fn parse(bytes: &[u8]) -> Result<Description, SdpError> {
        if bytes.len() > MAX_BYTES {
            return malformed(format!("description longer than {MAX_BYTES} bytes"));
        }
        if bytes.iter().filter(|byte| **byte == b'\n').count() > MAX_LINES {
            return malformed(format!("description of more than {MAX_LINES} lines"));
        }
        let session = Session::parse(bytes.trim_ascii_end())
            .map_err(|error| SdpError::Malformed(format!("malformed description: {error}")))?;
        if session.medias.len() > MAX_SECTIONS {
            return malformed(format!("more than {MAX_SECTIONS} media sections"));
        }
        candidate::check(session.medias.iter().flat_map(|media| reading::values(media, "candidate")))?;
        let bundle = session
            .get_attribute_values("group")
            .flatten()
            .find_map(|group| group.trim().strip_prefix("BUNDLE"))
            .map(|mids| mids.split_ascii_whitespace().map(str::to_owned).collect())
            .unwrap_or_default();
        let sections: Vec<Section> = session.medias.iter().map(reading::section).collect();
        let audio = reading::audio(&session, &sections)?;
        let video = reading::video(&session, &sections)?.map(Box::new);
        Ok(Description { sections, bundle, audio, video })
    }
}

#[cfg(test)]
mod tests;
