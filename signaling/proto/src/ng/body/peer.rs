//! What the writer of a description wants of one of its sections.

use super::{Format, Kind, Line, Protocol, Section, Text};
use crate::sdp::crypto::{self, Crypto};
use crate::sdp::{self, Direction, RemoteIce, SdpError, Setup, candidate, fingerprint};
use std::net::{IpAddr, SocketAddr};
use tandem_control::{Fingerprint, Remote};

/// The packet time where nobody asks for one (RFC 3551 section 4.2).
pub(in crate::ng) const USUAL_PTIME_MS: u8 = 20;

/// One section of a peer's description, in types.
#[derive(Clone, Debug)]
pub(in crate::ng) struct Peer<'a> {
    /// The profile.
    pub protocol: Protocol,
    /// The payload types, in the peer's order.
    pub formats: Vec<Format<'a>>,
    /// The connection address, whatever it is; `None` for a name.
    pub address: Option<IpAddr>,
    /// Where it wants its media, without multiplexing; `None` on hold by address zero, or where only ICE will tell.
    pub remote: Option<Remote>,
    /// `a=rtcp-mux`.
    pub rtcp_mux: bool,
    /// As the peer sees it; an address of zero counts as hold (RFC 3264 section 8.4).
    pub direction: Direction,
    /// Its usable `a=crypto` lines.
    pub crypto: Vec<Crypto>,
    /// Its certificate's fingerprints.
    pub fingerprints: Vec<Fingerprint>,
    /// Its role in DTLS.
    pub setup: Option<Setup>,
    /// Its ICE parameters.
    pub ice: Option<RemoteIce>,
    /// The packet time it wants, in milliseconds, not above the longest that it takes.
    pub ptime: Option<u8>,
    /// Its identification tag.
    pub mid: Option<&'a str>,
}

impl<'a> Peer<'a> {
    /// Reads a section of RTP in that profile.
    ///
    /// # Errors
    /// [`SdpError`] for what breaks its rules or cannot be reached.
    pub(crate) fn read(
        text: &Text<'a>,
        section: &Section<'a>,
        protocol: Protocol,
    ) -> Result<Peer<'a>, SdpError> {
        let lines = text.lines(section);
        candidate::check(values(lines, Kind::Candidate))?;
        let ice = read_ice(text, lines)?;
        let address = connection(text, lines)?;
        let remote = address
            .filter(|ip| !ip.is_unspecified() && section.port != 0 && (ice.is_none() || section.port != 9))
            .map(|ip| SocketAddr::new(ip, section.port));
        let mut direction = direction(lines).or_else(|| direction(text.session())).unwrap_or_default();
        if address.is_some_and(|ip| ip.is_unspecified()) && ice.is_none() {
            direction = Direction::new(direction.sends(), false);
        }
        let setup = both_levels(text, lines, Kind::Setup).next();
        Ok(Peer {
            protocol,
            formats: Format::read_all(section, lines)?,
            address,
            remote: remote.map(|rtp| Remote { rtp, rtcp: rtcp(lines, rtp) }),
            rtcp_mux: lines.iter().any(|line| line.kind == Kind::RtcpMux),
            direction,
            crypto: crypto::read_all(values(lines, Kind::Crypto))?,
            fingerprints: fingerprint::read_all(both_levels(text, lines, Kind::Fingerprint))?,
            setup: setup.map(Setup::parse).transpose()?,
            ice,
            ptime: ptime(lines),
            mid: values(lines, Kind::Mid).next(),
        })
    }
}

fn values<'t, 'a: 't>(lines: &'t [Line<'a>], kind: Kind) -> impl Iterator<Item = &'a str> + 't {
    lines.iter().filter(move |line| line.kind == kind).map(|line| line.value)
}

/// The values of the section or, where it has none, of the whole description.
fn both_levels<'t, 'a: 't>(
    text: &'t Text<'a>,
    lines: &'t [Line<'a>],
    kind: Kind,
) -> impl Iterator<Item = &'a str> + 't {
    let in_section = lines.iter().any(|line| line.kind == kind);
    values(if in_section { lines } else { text.session() }, kind)
}

/// RFC 8866 sections 6.4 and 6.5. What is no whole number of milliseconds is rounded down.
fn ptime(lines: &[Line<'_>]) -> Option<u8> {
    let milliseconds =
        |value: &str| value.split('.').next().and_then(|whole| whole.trim().parse::<u8>().ok());
    let wanted = values(lines, Kind::Ptime).next().and_then(milliseconds);
    let longest = lines.iter().find_map(|line| line.text.strip_prefix("a=maxptime:")).and_then(milliseconds);
    match (wanted, longest) {
        (Some(wanted), Some(longest)) => Some(wanted.min(longest)),
        (None, Some(longest)) if longest < USUAL_PTIME_MS => Some(longest),
        (wanted, _) => wanted,
    }
}

fn direction(lines: &[Line<'_>]) -> Option<Direction> {
    let line = lines.iter().rev().find(|line| line.kind == Kind::Direction)?;
    Some(match line.text {
        "a=sendonly" => Direction::SendOnly,
        "a=recvonly" => Direction::RecvOnly,
        "a=inactive" => Direction::Inactive,
        _ => Direction::SendRecv,
    })
}

/// The address of the section's own connection line or the session's; `None` for a name.
fn connection(text: &Text<'_>, lines: &[Line<'_>]) -> Result<Option<IpAddr>, SdpError> {
    let Some(value) = both_levels(text, lines, Kind::Connection).next() else {
        return sdp::malformed("no connection address (c=) for a media section");
    };
    let address = value.split_ascii_whitespace().nth(2).unwrap_or_default();
    let Ok(ip) = address.split('/').next().unwrap_or_default().parse::<IpAddr>() else { return Ok(None) };
    if ip.is_multicast() || ip == IpAddr::V4(std::net::Ipv4Addr::BROADCAST) {
        return sdp::not_acceptable("the connection address (c=) is not unicast");
    }
    Ok(Some(ip))
}

/// RFC 3605: the RTCP port, and perhaps another address; else the next higher port (RFC 3550 section 11).
fn rtcp(lines: &[Line<'_>], rtp: SocketAddr) -> SocketAddr {
    let mut fields = values(lines, Kind::Rtcp).next().unwrap_or_default().split_ascii_whitespace();
    let port = fields.next().and_then(|port| port.parse().ok()).unwrap_or(rtp.port().saturating_add(1));
    let ip = fields.nth(2).and_then(|ip| ip.parse().ok()).unwrap_or(rtp.ip());
    SocketAddr::new(ip, port)
}

fn read_ice(text: &Text<'_>, lines: &[Line<'_>]) -> Result<Option<RemoteIce>, SdpError> {
    let ufrag = both_levels(text, lines, Kind::IceUfrag).next();
    let password = both_levels(text, lines, Kind::IcePassword).next();
    let (Some(ufrag), Some(password)) = (ufrag, password) else { return Ok(None) };
    let lite = text.session().iter().any(|line| line.kind == Kind::IceLite);
    RemoteIce::read(ufrag, password, lite).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::samples;

    fn read(text: &str) -> Result<(Option<Remote>, Direction, bool, bool), SdpError> {
        let text = Text::parse(text)?;
        let section = &text.sections[0];
        let peer = Peer::read(&text, section, Protocol::parse(section.protocol).unwrap())?;
        Ok((peer.remote, peer.direction, peer.rtcp_mux, peer.ice.is_some()))
    }

    fn remote(rtp: &str, rtcp: &str) -> Option<Remote> {
        Some(Remote { rtp: rtp.parse().unwrap(), rtcp: rtcp.parse().unwrap() })
    }

    #[test]
    fn real_descriptions() {
        let both = Direction::SendRecv;
        let chromium = remote("192.0.2.10:46154", "0.0.0.0:9");
        assert_eq!(read(samples::CHROMIUM), Ok((chromium, both, true, true)));
        assert_eq!(read(samples::FIREFOX), Ok((None, both, true, true)));
        let baresip = remote("192.0.2.20:10018", "192.0.2.20:10019");
        assert_eq!(read(samples::BARESIP), Ok((baresip, both, false, false)));
        let sipp = remote("192.0.2.30:6000", "192.0.2.30:6001");
        assert_eq!(read(samples::SIPP), Ok((sipp, both, false, false)));
        let ipv6 = remote("[2001:db8::20]:7078", "[2001:db8::20]:7079");
        assert_eq!(read(samples::IPV6), Ok((ipv6, both, false, false)));
    }

    #[test]
    fn hold_by_direction_and_by_address_zero() {
        let held = samples::SIPP.replace("a=rtpmap", "a=sendonly\r\na=rtpmap");
        assert_eq!(read(&held).unwrap().1, Direction::SendOnly);
        let held = samples::SIPP.replace("c=IN IP4 192.0.2.30", "c=IN IP4 0.0.0.0");
        assert_eq!(read(&held), Ok((None, Direction::SendOnly, false, false)));
        let held = samples::SIPP.replace("t=0 0", "t=0 0\r\na=inactive");
        assert_eq!(read(&held).unwrap().1, Direction::Inactive);
    }

    #[test]
    fn rtcp_elsewhere() {
        let text = format!("{}a=rtcp:7001 IN IP4 192.0.2.31\r\n", samples::SIPP);
        assert_eq!(read(&text).unwrap().0, remote("192.0.2.30:6000", "192.0.2.31:7001"));
    }

    #[test]
    fn what_cannot_be_reached_is_refused() {
        assert!(read(&samples::SIPP.replace("c=IN IP4 192.0.2.30", "c=IN IP4 239.1.1.1")).is_err());
        assert!(read(&samples::SIPP.replace("c=IN IP4 192.0.2.30\r\n", "")).is_err());
        assert_eq!(
            read(&samples::SIPP.replace("IP4 192.0.2.30\r\nt", "IP4 a.example\r\nt")).unwrap().0,
            None
        );
    }
}
