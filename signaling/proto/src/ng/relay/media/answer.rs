//! Answers.

use super::{Media, Rules};
use crate::ng::body::{Added, Peer, Protocol, Relayed};
use crate::ng::relay::{codecs, leg};
use crate::ng::request::{Flag, IceMode, TransportProtocol};
use crate::sdp::crypto::Crypto;
use crate::sdp::{SdpError, not_acceptable};
use tandem_control::{Security, Side};

impl Media {
    /// Takes the answer of the party on `side`; what is written is for the offerer.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`] if the answer leaves out what the offer needs.
    pub(in crate::ng::relay) fn answer<'a>(
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
        let offerer = self.leg_mut(side.other());
        offerer.ours = answered.ours;
        if rules.options.ice == Some(IceMode::Remove) {
            offerer.ice = None;
        }
        if rules.options.transport_protocol == Some(TransportProtocol::Accept) {
            // The keys were agreed with the offer; only the feedback may follow the answer.
            let feedback = peer.protocol.feedback;
            offerer.protocol = offerer.protocol.map(|protocol| Protocol { feedback, ..protocol });
        }
        self.is_agreed = true;
        self.is_closed = false;
        self.before = None;
        let offerer = self.leg(side.other());
        let mut relayed = self.relayed(side.other(), &peer, rules);
        relayed.numbers = answered.numbers;
        relayed.added =
            answered.added.into_iter().map(|payload| Added { payload, parameters: None }).collect();
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

    /// What an answerer says of itself.
    fn take_answer(&mut self, side: Side, peer: &Peer<'_>, rules: &Rules<'_>) -> Result<(), SdpError> {
        let leg = self.leg(side);
        let secure = leg.protocol.is_some_and(|protocol| protocol.secure);
        let chosen = |ours: &&Crypto| {
            peer.crypto.iter().find(|theirs| theirs.tag == ours.tag && theirs.key.suite == ours.key.suite)
        };
        let mut tag = leg.crypto_tag;
        let security = if leg.offered_dtls && !peer.fingerprints.is_empty() {
            leg::dtls(peer.setup, &peer.fingerprints, false)
        } else if let Some((ours, theirs)) =
            leg.offered_keys.iter().find_map(|ours| Some((ours, chosen(&ours)?)))
        {
            tag = ours.tag;
            Security::Sdes { send: ours.key.clone(), receive: Some(theirs.key.clone()) }
        } else if !secure {
            Security::None
        } else {
            return not_acceptable("the answer has no key or fingerprint for what was offered");
        };
        // Without multiplexed RTCP there is no ICE here: the described addresses are used.
        let has_ice = leg.ice.is_some() && peer.rtcp_mux;
        let theirs = peer.ice.as_ref().filter(|ice| has_ice && !ice.lite);
        let theirs = theirs.map(|ice| ice.credentials.clone());
        self.take_place(side, peer, theirs.is_some(), rules)?;
        let leg = self.leg_mut(side);
        leg.security = security;
        leg.crypto_tag = tag;
        leg.peer_ice = theirs;
        Ok(())
    }
}
