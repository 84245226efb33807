//! Reads the media sections of a peer's description.

use super::{Direction, RemoteIce, RemoteMedia, RemoteTransport, Section, Setup};
use crate::sdp::{RemoteVideo, SdpError, codecs, crypto, fingerprint, malformed, not_acceptable, video};
use sdp_types::{Media, Rtcp, Session};
use std::net::{IpAddr, SocketAddr};
use tandem_control::Remote;

/// What an answer must mirror of a section.
pub(super) fn section(media: &Media) -> Section {
    Section {
        media: media.media.clone(),
        protocol: media.proto.clone(),
        formats: media.fmt.clone(),
        mid: values(media, "mid").next().map(|mid| mid.trim().to_owned()),
        rejected: media.port == 0 && !media.has_attribute("bundle-only"),
    }
}

/// The first audio section that can be used.
pub(super) fn audio(session: &Session, sections: &[Section]) -> Result<Option<RemoteMedia>, SdpError> {
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

/// The first video section with something that can be forwarded. One that asks for what is not here is none: the call goes
/// on with its audio.
pub(super) fn video(session: &Session, sections: &[Section]) -> Result<Option<RemoteVideo>, SdpError> {
    for (index, (media, section)) in session.medias.iter().zip(sections).enumerate() {
        if section.media != "video" || section.rejected || !is_rtp(&section.protocol) {
            continue;
        }
        let read = read_transport(session, media)
            .and_then(|(transport, direction)| video::read(media, index, transport, direction));
        match read {
            Ok(video) if !video.formats.is_empty() => return Ok(Some(video)),
            Ok(_) | Err(SdpError::NotAcceptable(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn read_section(session: &Session, media: &Media, index: usize) -> Result<RemoteMedia, SdpError> {
    let (transport, direction) = read_transport(session, media)?;
    Ok(RemoteMedia {
        index,
        transport,
        direction,
        payloads: codecs::read_payloads(media)?,
        ptime: read_milliseconds(media, "ptime"),
        maxptime: read_milliseconds(media, "maxptime"),
    })
}

/// How a section is transported, and which way its media flows.
fn read_transport(session: &Session, media: &Media) -> Result<(RemoteTransport, Direction), SdpError> {
    let ice = read_ice(session, media)?;
    let address = read_address(session, media, ice.is_some())?;
    let mut direction = read_direction(session, media);
    if address.is_none() && ice.is_none() {
        // RFC 3264 section 8.4: the older way to put a stream on hold.
        direction = Direction::new(direction.sends(), false);
    }
    let rtcp_mux = media.has_attribute("rtcp-mux");
    let transport = RemoteTransport {
        remote: address.map(|rtp| Remote { rtp, rtcp: read_rtcp(media, rtp, rtcp_mux) }),
        rtcp_mux,
        crypto: crypto::read_all(values(media, "crypto"))?,
        fingerprints: fingerprint::read_all(both_levels(session, media, "fingerprint"))?,
        setup: read_setup(session, media)?,
        ice,
    };
    Ok((transport, direction))
}

/// `None` for address zero, port 9 (RFC 8839 section 4.2.1) and, with ICE, for a name.
fn read_address(session: &Session, media: &Media, with_ice: bool) -> Result<Option<SocketAddr>, SdpError> {
    let Some(connection) = media.connections.first().or(session.connection.as_ref()) else {
        return if with_ice { Ok(None) } else { malformed("no connection address (c=) for a media section") };
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
pub(super) fn values<'a>(media: &'a Media, name: &'static str) -> impl Iterator<Item = &'a str> {
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
