//! What is to be written in the place of a description's own lines.

use super::Protocol;
use crate::sdp::crypto::Crypto;
use std::borrow::Cow;
use std::net::IpAddr;
use tandem_control::{IceCredentials, PayloadType};

/// What is written before the sections.
#[derive(Clone, Debug)]
pub(in crate::ng) struct SessionPlan<'a> {
    /// Our address for the connection line; `None` leaves it as it is: on hold by address zero.
    pub connection: Option<IpAddr>,
    /// The value of `o=`.
    pub origin: Option<Cow<'a, str>>,
    /// The value of `s=`.
    pub name: Option<&'a str>,
    /// We are an ICE-lite agent (RFC 8839 section 5.3).
    pub ice_lite: bool,
    /// Header extensions are left out.
    pub strip_extmap: bool,
    /// The description is marked as written here.
    pub mark: bool,
}

/// What becomes of one section.
#[derive(Clone, Debug)]
pub(in crate::ng) enum SectionPlan<'a> {
    /// Port zero (RFC 3264 section 6).
    Refused,
    /// It is relayed.
    Relayed(Box<Relayed<'a>>),
}

/// What is written of a section that is relayed.
#[derive(Clone, Debug)]
pub(in crate::ng) struct Relayed<'a> {
    /// The profile.
    pub protocol: Protocol,
    /// Our address; `None` leaves the connection line as it is: on hold by address zero.
    pub connection: Option<IpAddr>,
    /// The payload types of the media line, in order.
    pub formats: Vec<u8>,
    /// Payload types that came, and the numbers that they get. What is not here is left out.
    pub numbers: Vec<(u8, u8)>,
    /// Payload types that did not come.
    pub added: Vec<Added>,
    /// Another packet time than what came, in milliseconds.
    pub ptime: Option<u16>,
    /// The identification tag.
    pub mid: Option<Cow<'a, str>>,
    /// Header extensions are left out.
    pub strip_extmap: bool,
    /// RTCP's port and multiplexing.
    pub rtcp: RtcpLines,
    /// Keys.
    pub crypto: Vec<Crypto>,
    /// How keys are written.
    pub key_form: KeyForm,
    /// The DTLS certificate's SHA-256 and our role.
    pub dtls: Option<([u8; 32], &'static str)>,
    /// Our ICE credentials, and our address for the candidate.
    pub ice: Option<(IceCredentials, IpAddr)>,
    /// More candidates may be awaited from us.
    pub trickle: bool,
}

/// A payload type that did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ng) struct Added {
    pub payload: PayloadType,
    /// The value of its `fmtp`; `None`: the usual one.
    pub parameters: Option<String>,
}

/// How RTCP is written of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ng) struct RtcpLines {
    /// `a=rtcp-mux`.
    pub mux: bool,
    /// RTCP has no port but that of RTP.
    pub one_port: bool,
    /// `a=rtcp` is left out.
    pub no_attribute: bool,
    /// `a=rtcp` has the address too (RFC 3605).
    pub full_attribute: bool,
}

/// How keys are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ng) struct KeyForm {
    /// With base64's padding.
    pub pad: bool,
    /// With the lifetime of 2^31 packets.
    pub lifetime: bool,
}
