//! What a peer described, in types.

use super::crypto::{self, Crypto};
use super::{
    MAX_BYTES, MAX_LINES, MAX_SECTIONS, SdpError, candidate, codecs, fingerprint, malformed, not_acceptable,
};
use sdp_types::{Media, Rtcp, Session};
use std::net::{IpAddr, SocketAddr};
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

/// The audio section of a peer's description.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteMedia {
    /// Where it stands among the sections.
    pub index: usize,
    /// Where it wants its media; `None` where only ICE will tell, or media is on hold by address zero.
    pub remote: Option<Remote>,
    /// `a=rtcp-mux`.
    pub rtcp_mux: bool,
    /// As the peer sees it; an address of zero counts as hold (RFC 3264 section 8.4).
    pub direction: Direction,
    /// The payload types that mean something here, in the peer's order.
    pub payloads: Vec<PayloadType>,
    /// The packet time it wants, in milliseconds.
    pub ptime: Option<u8>,
    /// The longest packet time it takes, in milliseconds.
    pub maxptime: Option<u8>,
    /// Its usable `a=crypto` lines.
    pub crypto: Vec<Crypto>,
    /// Its certificate's fingerprints.
    pub fingerprints: Vec<Fingerprint>,
    /// Its role in DTLS.
    pub setup: Option<Setup>,
    /// Its ICE parameters.
    pub ice: Option<RemoteIce>,
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
        candidate::check(session.medias.iter().flat_map(|media| values(media, "candidate")))?;
        let bundle = session
            .get_attribute_values("group")
            .flatten()
            .find_map(|group| group.trim().strip_prefix("BUNDLE"))
            .map(|mids| mids.split_ascii_whitespace().map(str::to_owned).collect())
            .unwrap_or_default();
        let sections: Vec<Section> = session.medias.iter().map(section).collect();
        let audio = read_audio(&session, &sections)?;
        Ok(Description { sections, bundle, audio })
    }
}

fn section(media: &Media) -> Section {
    Section {
        media: media.media.clone(),
        protocol: media.proto.clone(),
        formats: media.fmt.clone(),
        mid: values(media, "mid").next().map(|mid| mid.trim().to_owned()),
        rejected: media.port == 0 && !media.has_attribute("bundle-only"),
    }
}

fn read_audio(session: &Session, sections: &[Section]) -> Result<Option<RemoteMedia>, SdpError> {
    for (index, (media, section)) in session.medias.iter().zip(sections).enumerate() {
        if section.media == "audio" && !section.rejected && is_rtp(&section.protocol) {
            let audio = read_section(session, media, index)?;
            if audio.payloads.iter().any(|payload| codecs::name_of(payload).is_some()) {
                return Ok(Some(audio));
            }
        }
    }
    Ok(None)
}

/// The profiles of RTP over UDP (RFC 3551, 3711, 4585, 5124, 5764).
fn is_rtp(protocol: &str) -> bool {
    let profile = protocol.strip_prefix("UDP/TLS/").unwrap_or(protocol);
    matches!(profile, "RTP/AVP" | "RTP/AVPF" | "RTP/SAVP" | "RTP/SAVPF")
}

fn read_section(session: &Session, media: &Media, index: usize) -> Result<RemoteMedia, SdpError> {
    let ice = read_ice(session, media)?;
    let address = read_address(session, media, ice.is_some())?;
    let mut direction = read_direction(session, media);
    if address.is_none() && ice.is_none() {
        // RFC 3264 section 8.4: the older way to put a stream on hold.
        direction = Direction::new(direction.sends(), false);
    }
    let rtcp_mux = media.has_attribute("rtcp-mux");
    Ok(RemoteMedia {
        index,
        remote: address.map(|rtp| Remote { rtp, rtcp: read_rtcp(media, rtp, rtcp_mux) }),
        rtcp_mux,
        direction,
        payloads: codecs::read_payloads(media)?,
        ptime: read_milliseconds(media, "ptime"),
        maxptime: read_milliseconds(media, "maxptime"),
        crypto: crypto::read_all(values(media, "crypto"))?,
        fingerprints: fingerprint::read_all(both_levels(session, media, "fingerprint"))?,
        setup: read_setup(session, media)?,
        ice,
    })
}

/// `None` for address zero, port 9 (RFC 8839 section 4.2.1) and, with ICE, for a name.
fn read_address(session: &Session, media: &Media, with_ice: bool) -> Result<Option<SocketAddr>, SdpError> {
    let Some(connection) = media.connections.first().or(session.connection.as_ref()) else {
        return if with_ice {
            Ok(None)
        } else {
            malformed("no connection address (c=) for the audio section")
        };
    };
    let text = connection.connection_address.as_str();
    let ip = match text.split('/').next().unwrap_or_default().parse::<IpAddr>() {
        Ok(ip) => ip,
        Err(_) if with_ice => return Ok(None),
        Err(_) => return not_acceptable("the connection address (c=) is no IP address"),
    };
    if ip.is_multicast() || ip == IpAddr::V4(std::net::Ipv4Addr::BROADCAST) {
        return not_acceptable("the connection address (c=) is not unicast");
    }
    let described = !ip.is_unspecified() && media.port != 0 && media.port != 9;
    Ok(described.then(|| SocketAddr::new(ip, media.port)))
}

/// RFC 3605: the RTCP port, and perhaps another address; else the next higher port (RFC 3550 section 11).
fn read_rtcp(media: &Media, rtp: SocketAddr, mux: bool) -> SocketAddr {
    if mux {
        return rtp;
    }
    let attribute = media.attributes_typed::<Rtcp>().find_map(Result::ok);
    let port = attribute.as_ref().map_or(rtp.port().saturating_add(1), |rtcp| rtcp.port);
    let ip = attribute.and_then(|rtcp| rtcp.connection_address?.parse().ok()).unwrap_or(rtp.ip());
    SocketAddr::new(ip, port)
}

fn read_direction(session: &Session, media: &Media) -> Direction {
    let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let of_media = all.into_iter().find(|direction| media.has_attribute(direction.name()));
    let of_session = || all.into_iter().find(|direction| session.has_attribute(direction.name()));
    of_media.or_else(of_session).unwrap_or_default()
}

fn read_setup(session: &Session, media: &Media) -> Result<Option<Setup>, SdpError> {
    both_levels(session, media, "setup").next().map(Setup::parse).transpose()
}

fn read_ice(session: &Session, media: &Media) -> Result<Option<RemoteIce>, SdpError> {
    let ufrag = both_levels(session, media, "ice-ufrag").next().map(str::trim);
    let password = both_levels(session, media, "ice-pwd").next().map(str::trim);
    let (Some(ufrag), Some(password)) = (ufrag, password) else { return Ok(None) };
    RemoteIce::read(ufrag, password, session.has_attribute("ice-lite")).map(Some)
}

fn read_milliseconds(media: &Media, name: &'static str) -> Option<u8> {
    values(media, name).next()?.trim().parse().ok().filter(|milliseconds| *milliseconds > 0)
}

/// The values of an attribute in one section.
fn values<'a>(media: &'a Media, name: &'static str) -> impl Iterator<Item = &'a str> {
    media.get_attribute_values(name).flatten()
}

/// The values of an attribute in the section or, where it has none, of the whole session.
fn both_levels<'a>(
    session: &'a Session,
    media: &'a Media,
    name: &'static str,
) -> impl Iterator<Item = &'a str> {
    let in_media = media.has_attribute(name);
    let of_session = session.get_attribute_values(name).flatten().filter(move |_| !in_media);
    values(media, name).chain(of_session)
}

#[cfg(test)]
mod tests;
