//! Where a party's media is sent, and which sources may be the party.

use crate::call::media;
use crate::ng::body::Peer;
use crate::ng::request::{Flag, Options};
use crate::sdp::{SdpError, not_acceptable};
use std::net::{IpAddr, SocketAddr};
use tandem_control::{Latch, Remote};

/// Where a party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whereabouts {
    /// Where it wants its media.
    pub remote: Option<Remote>,
    /// Which sources may be it.
    pub latch: Latch,
    /// It sends from elsewhere.
    pub asymmetric: bool,
}

impl Whereabouts {
    /// What a description and the options that came with it say. `local` is our own address on that side.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`] where there is no address, or media would go to this host or its link from an interface that is elsewhere
    /// (attacks.md row 7).
    pub(super) fn new(
        peer: &Peer<'_>,
        uses_ice: bool,
        options: &Options,
        local: IpAddr,
    ) -> Result<Whereabouts, SdpError> {
        let source = options.received_from;
        let from_source = source.filter(|_| options.flags.has(Flag::SipSourceAddress));
        let at = |address: SocketAddr, ip: IpAddr| SocketAddr::new(ip, address.port());
        let remote = match (peer.remote, from_source) {
            (Some(remote), Some(ip)) => Some(Remote { rtp: at(remote.rtp, ip), rtcp: at(remote.rtcp, ip) }),
            (remote, _) => remote,
        };
        if !uses_ice && peer.address.is_none() {
            return not_acceptable("the connection address (c=) is no IP address");
        }
        // With ICE nothing is sent to a described address, only to one that checks came from.
        let rtcp = |remote: Remote| if peer.rtcp_mux { remote.rtp } else { remote.rtcp };
        let targets = remote.filter(|_| !uses_ice).map(|remote| [remote.rtp.ip(), rtcp(remote).ip()]);
        for target in targets.into_iter().flatten() {
            if media::is_local(target) && !media::is_local(local) && source != Some(target) {
                return not_acceptable(format!("media may not be sent to {target}"));
            }
        }
        let asymmetric = options.flags.has(Flag::Asymmetric);
        let latch = if options.flags.has(Flag::MediaHandover) {
            Latch::Handover
        } else if asymmetric || options.flags.has(Flag::Symmetric) {
            Latch::Any
        } else {
            media::latch_for(remote.map(|remote| remote.rtp.ip()), source)
        };
        Ok(Whereabouts { remote, latch, asymmetric })
    }
}
