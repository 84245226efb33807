//! One audio section of a dialogue: its two sides, and the session of the dataplane that joins them.

use super::codecs;
use super::latch::Whereabouts;
use super::leg::{self, Leg};
use crate::ng::body::{Codings, KeyForm, Peer, Protocol, Relayed, RtcpLines};
use crate::ng::request::{Dtls, Flag, IceMode, Options, TransportProtocol};
use crate::ng::settings::Interface;
use crate::sdp::crypto::{self, Crypto};
use crate::sdp::{self, Random, SdpError, not_acceptable};
use std::borrow::Cow;
use tandem_control::{LegConfig, LocalPorts, PortKind, PortRequest, Security, SessionId, Side};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Media {
    /// The dataplane's session, once it is there.
    pub session: Option<SessionId>,
    /// Our addresses, as bound.
    pub local: Option<[LocalPorts; 2]>,
    /// The kinds of ports that were asked for.
    pub ports: [PortKind; 2],
    pub legs: [Leg; 2],
    codings: Codings,
    /// It is in both parties' descriptions.
    pub is_active: bool,
}

/// What a description is read and rewritten by.
pub(super) struct Rules<'a> {
    pub options: &'a Options,
    pub interfaces: &'a [Interface],
    /// SHA-256 of the dataplane's certificate.
    pub fingerprint: [u8; 32],
    pub random: Random<'a>,
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
    pub(super) fn new(interfaces: [usize; 2]) -> Media {
        Media {
            session: None,
            local: None,
            ports: [PortKind::Own; 2],
            legs: interfaces.map(Leg::new),
            codings: Codings::default(),
            is_active: false,
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
            Some(PortRequest { address, kind: self.ports[index(side)] })
        };
        Some([request(Side::A)?, request(Side::B)?])
    }

    /// Both sides, as the dataplane shall have them.
    pub(super) fn configs(&self) -> [LegConfig; 2] {
        if !self.is_active {
            return [LegConfig::idle(), LegConfig::idle()];
        }
        let config = |side: Side| self.leg(side).config(self.leg(side.other()).ptime_override.is_some());
        [config(Side::A), config(Side::B)]
    }

    /// Takes an offer from the party on `side`; what is written is for the other.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`]; nothing has changed that matters.
    pub(super) fn offer<'a>(
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
        let accepts_all = rules.has(Flag::AlwaysTranscode);
        let running = self.leg(side.other()).running();
        let offered = codecs::offer(&peer.formats, &options.codecs, accepts_all, &running);
        let changes_protocol = self.leg(side).protocol != Some(peer.protocol);
        self.take(side, &peer, rules)?;
        let offerer = self.leg_mut(side);
        offerer.protocol = Some(peer.protocol);
        offerer.theirs = offered.theirs;
        offerer.accepted = offered.accepted;
        offerer.rtcp_mux = peer.rtcp_mux && (!options.rtcp_mux.reject || offerer.ice.is_some());
        offerer.ptime_override = options.ptime_reverse.or(offerer.ptime_override);
        offerer.mid = peer.mid.map(Box::from);
        if self.session.is_none() && self.leg(side).ice.is_some() {
            self.ports[index(side)] = PortKind::Shared;
        }

        let kept = self.leg(side.other()).protocol.filter(|_| !changes_protocol);
        let asked = options.transport_protocol.and_then(TransportProtocol::name).and_then(Protocol::parse);
        let protocol = asked.or(kept).unwrap_or(peer.protocol);
        let wants_ice = match options.ice {
            Some(IceMode::Remove) => false,
            Some(IceMode::Force | IceMode::ForceRelay | IceMode::Optional) => true,
            Some(IceMode::Default) | None => peer.ice.is_some(),
        };
        let mux = &options.rtcp_mux;
        let one_port = mux.require;
        // ICE has one component here, so that RTCP must be multiplexed with it.
        let offers_mux = mux.offer || one_port || wants_ice || (peer.rtcp_mux && !mux.demux && !mux.reject);
        let keys = self.offer_keys(side.other(), protocol, &peer, rules);
        let answerer = self.leg_mut(side.other());
        answerer.protocol = Some(protocol);
        answerer.ours = offered.ours;
        answerer.rtcp_mux = offers_mux;
        answerer.offered_dtls = protocol.secure && options.dtls != Some(Dtls::Off);
        answerer.offered_keys = keys;
        answerer.ptime_override = options.ptime.or(answerer.ptime_override);
        if !wants_ice {
            answerer.ice = None;
        } else if answerer.ice.is_none() {
            answerer.ice = Some(sdp::new_credentials(&mut *rules.random));
        }
        if self.session.is_none() && wants_ice && one_port {
            self.ports[index(side.other())] = PortKind::Shared;
        }
        let force = rules.has(Flag::ForceTranscoding);
        self.legs.iter_mut().for_each(|leg| leg.always_transcode = force);
        let numbers: Vec<(u8, u8)> = {
            let kept = |one: &&tandem_control::PayloadType| !offered.added.contains(one);
            self.leg(side.other()).ours.iter().filter(kept).map(|one| (one.number, one.number)).collect()
        };
        let mut relayed = self.relayed(side.other(), &peer, rules);
        relayed.numbers = numbers;
        relayed.added = offered.added;
        relayed.crypto = self.leg(side.other()).offered_keys.clone();
        relayed.rtcp.one_port = one_port;
        if self.leg(side.other()).offered_dtls {
            let setup = match (options.dtls, &self.leg(side.other()).security) {
                // RFC 8842 section 5.2: an offer leaves the choice to the answerer, where nothing else is asked for.
                (Some(Dtls::Passive), _) => "passive",
                (Some(Dtls::Active), _) => "active",
                _ => "actpass",
            };
            relayed.dtls = Some((rules.fingerprint, setup));
        }
        Ok(relayed)
    }

    /// Takes the answer of the party on `side`; what is written is for the offerer.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`] if the answer leaves out what the offer needs.
    pub(super) fn answer<'a>(
        &mut self,
        side: Side,
        mut peer: Peer<'a>,
        rules: &mut Rules<'_>,
    ) -> Result<Relayed<'a>, SdpError> {
        self.codings.resolve(&mut peer.formats);
        let offerer = self.leg(side.other());
        let single = rules.has(Flag::SingleCodec);
        let ours = &self.leg(side).ours;
        let Some(answered) = codecs::answer(&peer.formats, ours, &offerer.theirs, offerer.accepted, single)
        else {
            return not_acceptable("no common codec");
        };
        self.take_answer(side, &peer, rules)?;
        let answerer = self.leg_mut(side);
        answerer.theirs = answered.theirs;
        answerer.rtcp_mux = answerer.rtcp_mux && peer.rtcp_mux;
        answerer.mid = peer.mid.map(Box::from);
        // Without multiplexed RTCP there is no ICE here: the described addresses are used.
        if !answerer.rtcp_mux {
            answerer.peer_ice = None;
        }
        let offerer = self.leg_mut(side.other());
        offerer.ours = answered.ours;
        if rules.options.ice == Some(IceMode::Remove) {
            offerer.ice = None;
        }
        if rules.options.transport_protocol == Some(TransportProtocol::Accept) {
            let tls = offerer.protocol.is_some_and(|protocol| protocol.tls);
            // The keys were agreed with the offer; only the feedback may follow the answer.
            offerer.protocol = offerer.protocol.map(|protocol| Protocol {
                feedback: peer.protocol.feedback,
                tls,
                ..protocol
            });
        }
        self.is_active = true;
        let offerer = self.leg(side.other());
        let mut relayed = self.relayed(side.other(), &peer, rules);
        relayed.numbers = answered.numbers;
        relayed.added = answered.added;
        relayed.rtcp.one_port = offerer.rtcp_mux;
        match &offerer.security {
            Security::None => {}
            Security::Sdes { send, .. } => {
                relayed.crypto = vec![Crypto { tag: offerer.crypto_tag, key: send.clone() }];
            }
            Security::Dtls { .. } => relayed.dtls = Some((rules.fingerprint, offerer.setup())),
        }
        Ok(relayed)
    }

    /// What every offerer says of itself.
    fn take(&mut self, side: Side, peer: &Peer<'_>, rules: &mut Rules<'_>) -> Result<(), SdpError> {
        let security = self.offerers_security(side, peer, rules)?;
        self.take_place(side, peer, rules)?;
        let leg = self.leg_mut(side);
        leg.security = security;
        // RFC 8839 section 4.4.1.1.1: other credentials than before restart ICE, and are answered with others.
        let theirs = peer.ice.as_ref().filter(|ice| !ice.lite && peer.rtcp_mux);
        let theirs = theirs.filter(|_| !rules.has(Flag::RejectIce)).map(|ice| ice.credentials.clone());
        if theirs.is_none() {
            leg.ice = None;
        } else if leg.ice.is_none() || theirs != leg.peer_ice {
            leg.ice = Some(sdp::new_credentials(&mut *rules.random));
        }
        leg.peer_ice = theirs;
        Ok(())
    }

    /// Where a party is, and what it wants of our packets.
    fn take_place(&mut self, side: Side, peer: &Peer<'_>, rules: &Rules<'_>) -> Result<(), SdpError> {
        let Some(interface) = rules.interface(self.leg(side)) else {
            return not_acceptable("the interface is gone");
        };
        let mut place = Whereabouts::new(peer, rules.options, interface.local)?;
        let leg = self.leg_mut(side);
        // A hold by address zero does not forget where the party was.
        place.remote = place.remote.or(leg.place.remote);
        leg.place = place;
        leg.direction = peer.direction;
        leg.ptime = peer.ptime;
        leg.events_blocked |= rules.has(Flag::BlockDtmf);
        Ok(())
    }

    /// RFC 4568 section 5.1.2 and RFC 5763: how an offerer's media will be protected. A key of ours stays the same as long
    /// as the party's does, or it would lose its roll-over counter.
    fn offerers_security(
        &mut self,
        side: Side,
        peer: &Peer<'_>,
        rules: &mut Rules<'_>,
    ) -> Result<Security, SdpError> {
        if !peer.protocol.secure {
            return Ok(Security::None);
        }
        let sdes = &rules.options.sdes;
        let dtls = !peer.fingerprints.is_empty()
            && rules.options.dtls != Some(Dtls::Off)
            && (!sdes.prefer || peer.crypto.is_empty());
        if dtls {
            let prefers_client = rules.options.dtls == Some(Dtls::Active);
            return Ok(leg::dtls(peer.setup, &peer.fingerprints, prefers_client));
        }
        let rank = |crypto: &&Crypto| {
            let name = crypto::suite_name(crypto.key.suite);
            let preferred = &sdes.offerer_preference;
            preferred.iter().position(|wanted| wanted.eq_ignore_ascii_case(name)).unwrap_or(usize::MAX)
        };
        let before = self.leg(side);
        let agreed = peer.crypto.iter().find(|theirs| {
            matches!(&before.security, Security::Sdes { receive: Some(key), .. } if *key == theirs.key)
        });
        let Some(theirs) = agreed.or_else(|| peer.crypto.iter().min_by_key(rank)) else {
            return not_acceptable(format!(
                "{} without a key or fingerprint that can be used",
                peer.protocol.name()
            ));
        };
        let send = match &before.security {
            Security::Sdes { send, .. } if agreed.is_some() && send.suite == theirs.key.suite => send.clone(),
            _ => crypto::new_key(theirs.key.suite, &mut *rules.random),
        };
        self.leg_mut(side).crypto_tag = theirs.tag;
        Ok(Security::Sdes { send, receive: Some(theirs.key.clone()) })
    }

    /// The keys that the other party is offered: what is agreed stays; else those of the suites that the options leave.
    fn offer_keys(
        &self,
        side: Side,
        protocol: Protocol,
        offer: &Peer<'_>,
        rules: &mut Rules<'_>,
    ) -> Vec<Crypto> {
        let sdes = &rules.options.sdes;
        // RFC 5764 section 4.1: with UDP/TLS it is DTLS that gives the keys.
        if !protocol.secure || protocol.tls || sdes.off {
            return Vec::new();
        }
        let leg = self.leg(side);
        if let Security::Sdes { send, .. } = &leg.security {
            return vec![Crypto { tag: leg.crypto_tag, key: send.clone() }];
        }
        if !leg.offered_keys.is_empty() {
            return leg.offered_keys.clone();
        }
        let listed = |list: &[String], name: &str| list.iter().any(|one| one.eq_ignore_ascii_case(name));
        let mut suites: Vec<_> = crypto::OFFERED
            .into_iter()
            .filter(|suite| {
                let name = crypto::suite_name(*suite);
                if sdes.no_new {
                    offer.crypto.iter().any(|theirs| theirs.key.suite == *suite)
                } else if !sdes.only.is_empty() {
                    listed(&sdes.only, name)
                } else {
                    !listed(&sdes.no, name)
                }
            })
            .collect();
        suites.sort_by_key(|suite| {
            let name = crypto::suite_name(*suite);
            sdes.order.iter().position(|one| one.eq_ignore_ascii_case(name)).unwrap_or(usize::MAX)
        });
        let mut key = |(tag, suite)| Crypto { tag, key: crypto::new_key(suite, &mut *rules.random) };
        (1..).zip(suites).map(&mut key).collect()
    }

    /// What an answerer says of itself.
    fn take_answer(&mut self, side: Side, peer: &Peer<'_>, rules: &Rules<'_>) -> Result<(), SdpError> {
        let leg = self.leg(side);
        let secure = leg.protocol.is_some_and(|protocol| protocol.secure);
        let chosen = |ours: &&Crypto| {
            peer.crypto.iter().find(|theirs| theirs.tag == ours.tag && theirs.key.suite == ours.key.suite)
        };
        let mut tag = leg.crypto_tag;
        let security = if !secure {
            Security::None
        } else if leg.offered_dtls && !peer.fingerprints.is_empty() {
            leg::dtls(peer.setup, &peer.fingerprints, false)
        } else if let Some((ours, theirs)) =
            leg.offered_keys.iter().find_map(|ours| Some((ours, chosen(&ours)?)))
        {
            tag = ours.tag;
            Security::Sdes { send: ours.key.clone(), receive: Some(theirs.key.clone()) }
        } else {
            return not_acceptable("the answer has no key or fingerprint for what was offered");
        };
        self.take_place(side, peer, rules)?;
        let leg = self.leg_mut(side);
        leg.security = security;
        leg.crypto_tag = tag;
        let theirs = peer.ice.as_ref().filter(|ice| !ice.lite && leg.ice.is_some());
        leg.peer_ice = theirs.map(|ice| ice.credentials.clone());
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
