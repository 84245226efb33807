//! Offers.

use super::{Media, Rules, index};
use crate::ng::body::{Peer, Protocol, Relayed};
use crate::ng::relay::codecs::{self, Offered};
use crate::ng::relay::leg::Leg;
use crate::ng::request::{Dtls, Flag, IceMode, TransportProtocol};
use crate::sdp::{self, SdpError};
use tandem_control::{PayloadType, PortKind, Side};

impl Media {
    /// Takes an offer from the party on `side`; what is written is for the other.
    ///
    /// # Errors
    /// [`SdpError`]; nothing has changed then.
    pub(in crate::ng::relay) fn offer<'a>(
        &mut self,
        side: Side,
        peer: Peer<'a>,
        rules: &mut Rules<'_>,
    ) -> Result<Relayed<'a>, SdpError> {
        // An offer that is still open was rejected: this one starts from what is agreed.
        let agreed = self.before.take().unwrap_or_else(|| Box::new(self.legs.clone()));
        self.legs.clone_from(&agreed);
        let offered = self.try_offer(side, peer, rules);
        if offered.is_err() {
            self.legs.clone_from(&agreed);
        } else {
            self.is_closed = false;
        }
        self.before = Some(agreed).filter(|_| self.is_agreed && offered.is_ok());
        offered
    }

    fn try_offer<'a>(
        &mut self,
        side: Side,
        mut peer: Peer<'a>,
        rules: &mut Rules<'_>,
    ) -> Result<Relayed<'a>, SdpError> {
        if rules.has(Flag::Reset) {
            self.legs.iter_mut().for_each(Leg::reset);
        }
        self.codings.resolve(&mut peer.formats);
        let options = rules.options;
        let changes_protocol = self.leg(side).protocol != Some(peer.protocol);
        self.take(side, &peer, rules)?;
        let accepts_all = rules.has(Flag::AlwaysTranscode);
        let running = self.leg(side.other()).running();
        let mut offered = codecs::offer(&peer.formats, &options.codecs, accepts_all, &running);
        let offerer = self.leg_mut(side);
        offerer.protocol = Some(peer.protocol);
        offerer.theirs = std::mem::take(&mut offered.theirs);
        offerer.accepted = offered.accepted;
        offerer.rtcp_mux = peer.rtcp_mux && (!options.rtcp_mux.reject || offerer.ice.is_some());
        offerer.ptime_override = options.ptime_reverse.or(offerer.ptime_override);
        offerer.opus = codecs::opus_encoding(offerer.opus, options.codecs.set.iter());
        offerer.mid = peer.mid.map(Box::from);
        if self.session.is_none() {
            let shares = self.leg(side).ice.is_some();
            self.ports[index(side)] = if shares { PortKind::Shared } else { PortKind::Own };
        }
        for leg in &mut self.legs {
            leg.always_transcode = rules.has(Flag::ForceTranscoding);
        }
        let known = self.leg(side.other()).protocol.filter(|_| !changes_protocol);
        let asked = options.transport_protocol.and_then(TransportProtocol::name).and_then(Protocol::parse);
        let protocol = asked.or(known).unwrap_or(peer.protocol);
        Ok(self.offer_on(side.other(), protocol, &peer, offered, rules))
    }

    /// Makes of an offer the one to the party on `side`.
    fn offer_on<'a>(
        &mut self,
        side: Side,
        protocol: Protocol,
        peer: &Peer<'a>,
        offered: Offered,
        rules: &mut Rules<'_>,
    ) -> Relayed<'a> {
        let options = rules.options;
        let wants_ice = match options.ice {
            Some(IceMode::Remove) => false,
            Some(IceMode::Force | IceMode::ForceRelay | IceMode::Optional) => true,
            Some(IceMode::Default) | None => peer.ice.is_some(),
        };
        let mux = &options.rtcp_mux;
        let keys = self.offer_keys(side, protocol, peer, rules);
        let leg = self.leg_mut(side);
        leg.protocol = Some(protocol);
        leg.ours = offered.ours;
        // ICE has one component here, so that RTCP must be multiplexed with it.
        leg.rtcp_mux = mux.offer || mux.require || wants_ice || (peer.rtcp_mux && !mux.demux && !mux.reject);
        leg.offered_dtls = (protocol.secure || options.osrtp.offer) && options.dtls != Some(Dtls::Off);
        leg.offered_keys = keys;
        leg.ptime_override = options.ptime.or(leg.ptime_override);
        leg.packet_times = codecs::packet_times(&options.codecs);
        let specs = options.codecs.set.iter().chain(&options.codecs.transcode);
        leg.opus = codecs::opus_encoding(leg.opus, specs);
        if !wants_ice {
            leg.ice = None;
        } else if leg.ice.is_none() {
            leg.ice = Some(sdp::new_credentials(&mut *rules.random));
        }
        if self.session.is_none() {
            let shares = wants_ice && mux.require;
            self.ports[index(side)] = if shares { PortKind::Shared } else { PortKind::Own };
        }
        let mut relayed = self.relayed(side, peer, rules);
        let leg = self.leg(side);
        let is_added = |one: &&PayloadType| offered.added.iter().any(|added| added.payload == **one);
        let came = leg.ours.iter().filter(|one| !is_added(one));
        relayed.numbers = came.map(|one| (one.number, one.number)).collect();
        relayed.added = offered.added;
        relayed.crypto = leg.offered_keys.clone();
        relayed.rtcp.one_port = mux.require;
        // RFC 8842 section 5.2: an offer leaves the choice to the answerer, unless it is asked for.
        let setup = match options.dtls {
            Some(Dtls::Passive) => "passive",
            Some(Dtls::Active) => "active",
            Some(Dtls::Off) | None => "actpass",
        };
        relayed.dtls = leg.offered_dtls.then_some((rules.fingerprint, setup));
        relayed
    }

    /// What every offerer says of itself.
    fn take(&mut self, side: Side, peer: &Peer<'_>, rules: &mut Rules<'_>) -> Result<(), SdpError> {
        let security = self.offerers_security(side, peer, rules)?;
        // Two lite agents send no checks (RFC 8445 section 6.1.1): then the described addresses are used.
        let theirs = peer.ice.as_ref().filter(|ice| !ice.lite && peer.rtcp_mux);
        let theirs = theirs.filter(|_| !rules.has(Flag::RejectIce)).map(|ice| ice.credentials.clone());
        self.take_place(side, peer, theirs.is_some(), rules)?;
        let leg = self.leg_mut(side);
        leg.security = security;
        // RFC 8839 section 4.4.1.1.1: other credentials than before restart ICE, and are answered with others.
        if theirs.is_none() {
            leg.ice = None;
        } else if leg.ice.is_none() || theirs != leg.peer_ice {
            leg.ice = Some(sdp::new_credentials(&mut *rules.random));
        }
        leg.peer_ice = theirs;
        Ok(())
    }
}
