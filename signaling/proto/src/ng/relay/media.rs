//! One audio section of a dialogue: its two sides, and the session of the dataplane that joins them.

mod answer;
mod keys;
mod offer;

use super::codecs;
use super::latch::Whereabouts;
use super::leg::Leg;
use crate::ng::Interface;
use crate::ng::body::{Codings, KeyForm, Peer, Relayed, RtcpLines};
use crate::ng::request::{Flag, Options};
use crate::sdp::{Random, SdpError, not_acceptable};
use std::borrow::Cow;
use tandem_control::{
    Audio, Digits, LegConfig, LocalPorts, OpusEncoding, PayloadType, PortKind, PortRequest, SessionId, Side,
};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Media {
    /// The dataplane's session, once it is there.
    pub session: Option<SessionId>,
    /// What the session is for, while the dataplane has not been told.
    pub note: Option<Vec<u8>>,
    /// Our addresses, as bound.
    pub local: Option<[LocalPorts; 2]>,
    /// The kinds of ports that were asked for.
    pub ports: [PortKind; 2],
    /// As both descriptions have them; while an offer is open, as it would have them.
    legs: [Leg; 2],
    /// While a later offer is open: the legs as they are until it is answered. If it is rejected they stay (RFC 3264
    /// section 8).
    before: Option<Box<[Leg; 2]>>,
    codings: Codings,
    /// Both parties have agreed to it.
    is_agreed: bool,
    /// It is refused in the last description, with port zero.
    is_closed: bool,
}

/// What a description is read and rewritten by.
pub(super) struct Rules<'a> {
    pub options: &'a Options,
    pub interfaces: &'a [Interface],
    /// SHA-256 of the dataplane's certificate.
    pub fingerprint: [u8; 32],
    pub random: Random<'a>,
    /// How Opus is encoded where the request does not say.
    pub opus: OpusEncoding,
}

impl Rules<'_> {
    fn has(&self, flag: Flag) -> bool {
        self.options.flags.has(flag)
    }

    fn interface(&self, leg: &Leg) -> Option<&Interface> {
        self.interfaces.get(leg.interface)
    }
}

impl Media {
    /// Two sides on these interfaces, of which nothing is known yet.
    pub(super) fn new(interfaces: [usize; 2], opus: OpusEncoding) -> Media {
        Media {
            session: None,
            note: None,
            local: None,
            ports: [PortKind::Own; 2],
            legs: interfaces.map(|interface| Leg::new(interface, opus)),
            before: None,
            codings: Codings::default(),
            is_agreed: false,
            is_closed: false,
        }
    }

    /// One side.
    pub(super) fn leg(&self, side: Side) -> &Leg {
        &self.legs[index(side)]
    }

    fn leg_mut(&mut self, side: Side) -> &mut Leg {
        &mut self.legs[index(side)]
    }

    /// What the dataplane is asked for.
    pub(super) fn port_requests(&self, interfaces: &[Interface]) -> Option<[PortRequest; 2]> {
        let request = |side: Side| {
            let address = interfaces.get(self.leg(side).interface)?.local;
            Some(PortRequest { address, kind: self.ports[index(side)], video: false })
        };
        Some([request(Side::A)?, request(Side::B)?])
    }

    /// The section is refused; an offer may open it again (RFC 3264 section 8.2).
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Changes what becomes of the media of the party on `side`, whatever is offered meanwhile.
    pub(super) fn change(&mut self, side: Side, change: impl Fn(&mut Leg)) {
        change(self.leg_mut(side));
        if let Some(before) = &mut self.before {
            change(&mut before[index(side)]);
        }
    }

    /// Both sides, as the dataplane shall have them now; `None`: as it has it.
    pub(super) fn configs(&self) -> [Option<LegConfig>; 2] {
        if !self.is_agreed {
            return [None, None];
        }
        let legs = self.before.as_deref().unwrap_or(&self.legs);
        let config = |side: Side| {
            let [near, far] = [&legs[index(side)], &legs[index(side.other())]];
            let mut config = near.config(far.ptime_override.is_some());
            let has_events = |payloads: &[PayloadType]| payloads.iter().any(codecs::is_event);
            if has_events(&far.config(false).audio.receive) && !has_events(&config.audio.send) {
                config.audio.digits = Digits::Tones;
            }
            if self.is_closed {
                config.audio = Audio::idle();
            }
            // Who shares a port is known by its ICE alone: without it there is nothing to configure.
            let is_shared = self.ports[index(side)] == PortKind::Shared;
            Some(config).filter(|config| !is_shared || config.ice.is_some())
        };
        [config(Side::A), config(Side::B)]
    }

    /// Where a party is, and what it wants of our packets.
    fn take_place(
        &mut self,
        side: Side,
        peer: &Peer<'_>,
        uses_ice: bool,
        rules: &Rules<'_>,
    ) -> Result<(), SdpError> {
        let Some(interface) = rules.interface(self.leg(side)) else {
            return not_acceptable("the interface is gone");
        };
        let mut place = Whereabouts::new(peer, uses_ice, rules.options, interface.local)?;
        let leg = self.leg_mut(side);
        // A hold by address zero does not forget where the party was.
        place.remote = place.remote.or(leg.place.remote);
        leg.place = place;
        leg.direction = peer.direction;
        leg.ptime = peer.ptime;
        leg.detects_digits |= rules.has(Flag::DetectDtmf);
        if rules.has(Flag::BlockDtmf) || rules.options.dtmf_security.is_some() {
            leg.block_digits(rules.options.dtmf_security.unwrap_or_default());
        }
        Ok(())
    }

    /// The lines that offers and answers to the party on `side` have in common.
    fn relayed<'a>(&self, side: Side, from: &Peer<'a>, rules: &Rules<'_>) -> Relayed<'a> {
        let leg = self.leg(side);
        let options = rules.options;
        let advertised = rules.interface(leg).map(|interface| interface.advertised);
        let address = options.media_address.or(advertised);
        let is_zero = from.address.is_some_and(|ip| ip.is_unspecified());
        let keeps_zero = is_zero && from.ice.is_none() && !options.replace.zero_address;
        let mid = match (&leg.mid, from.mid) {
            (Some(known), _) => Some(Cow::Owned(known.to_string())),
            (None, Some(mid)) => Some(Cow::Borrowed(mid)),
            (None, None) => None,
        };
        Relayed {
            protocol: leg.protocol.unwrap_or(from.protocol),
            connection: address.filter(|_| !keeps_zero),
            formats: leg.ours.iter().map(|one| one.number).collect(),
            numbers: Vec::new(),
            added: Vec::new(),
            ptime: leg.ptime_override,
            mid,
            strip_extmap: rules.has(Flag::StripExtmap),
            rtcp: RtcpLines {
                mux: leg.rtcp_mux,
                one_port: false,
                no_attribute: rules.has(Flag::NoRtcpAttribute),
                full_attribute: rules.has(Flag::FullRtcpAttribute),
            },
            crypto: Vec::new(),
            key_form: KeyForm { pad: options.sdes.pad, lifetime: options.sdes.lifetime },
            dtls: None,
            ice: leg.ice.clone().zip(address),
            trickle: rules.has(Flag::TrickleIce),
        }
    }
}

pub(super) fn index(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}
