//! Which addresses of ours stand in descriptions, where media may be sent, and from where it may come.

use super::PartyMedia;
use crate::sdp::{Kind, LegAddresses, SdpError};
use crate::tones::Country;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tandem_control::{Latch, PortKind, PortRequest};

/// What all calls have in common.
#[derive(Clone, Debug)]
pub struct MediaRules {
    /// Our addresses, as advertised; never empty.
    pub advertised: Vec<IpAddr>,
    /// The dataplane's addresses; those of the same family as an advertised one stand behind it.
    pub local: Vec<IpAddr>,
    /// Media may go to loopback and link-local addresses (attacks.md row 7).
    pub allow_local: bool,
    /// SHA-256 of the dataplane's certificate.
    pub fingerprint: [u8; 32],
    /// Whose tones callers hear.
    pub tones: Country,
}

impl MediaRules {
    /// Our address toward a peer: of the same family where there is one.
    pub fn address_toward(&self, peer: Option<IpAddr>) -> Option<IpAddr> {
        let same = |ours: &&IpAddr| peer.is_some_and(|peer| peer.is_ipv4() == ours.is_ipv4());
        self.advertised.iter().find(same).or(self.advertised.first()).copied()
    }

    /// Addresses of the dataplane, as advertised.
    pub(crate) fn advertise(&self, rtp: SocketAddr, rtcp: SocketAddr) -> LegAddresses {
        let address = self.address_toward(Some(rtp.ip())).unwrap_or(rtp.ip());
        LegAddresses {
            rtp: SocketAddr::new(address, rtp.port()),
            rtcp: SocketAddr::new(address, rtcp.port()),
        }
    }

    /// The ports that a leg toward a peer needs, with or without video.
    pub fn ports(&self, kind: Kind, peer: Option<IpAddr>, video: bool) -> PortRequest {
        let advertised = self.address_toward(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let behind = self.local.iter().find(|local| local.is_ipv4() == advertised.is_ipv4());
        // Without one the dataplane refuses, and says why.
        PortRequest {
            address: behind.copied().unwrap_or(advertised),
            kind: kind.ports(),
            video: video && kind.ports() == PortKind::Own,
        }
    }

    /// A place for somebody who brings a leg along: it costs no port.
    pub fn place(&self) -> PortRequest {
        self.ports(Kind::WebRtc, None, false)
    }

    /// Refuses media toward this host and its link, unless that is where the party itself is or what is configured.
    pub(super) fn check_target(
        &self,
        target: Option<SocketAddr>,
        party: &PartyMedia,
    ) -> Result<(), SdpError> {
        let Some(target) = target.map(|address| address.ip().to_canonical()) else { return Ok(()) };
        let party_is_local = party.source.is_some_and(is_local);
        if is_local(target)
            && !party_is_local
            && !self.allow_local
            && !self.advertised.iter().any(|ip| is_local(*ip))
        {
            return Err(SdpError::NotAcceptable(format!("media may not be sent to {target}")));
        }
        Ok(())
    }
}

/// attacks.md row 1: the described host, at any port, as a NAT may map it. Any source only where the described
/// address cannot be reached from here and the signaling's can, so that a NAT must be between. Between two private
/// networks a NAT is as likely as a media server beside the signaling: then it is one of these two hosts.
pub(crate) fn latch_for(described: Option<IpAddr>, source: Option<IpAddr>) -> Latch {
    match (described, source) {
        (Some(described), Some(source)) if is_private(described) && !is_private(source) => Latch::Any,
        (Some(described), Some(source)) if is_private(described) && described != source => {
            Latch::Either(source)
        }
        _ => Latch::SameAddress,
    }
}

/// Whether an address is this host's loopback or of its link.
pub(crate) fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local(),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        // RFC 6598's shared address space is behind a NAT as well.
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || (first == 100 && second & 0xC0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
    }
}
