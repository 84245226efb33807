//! How media is protected: SDES (RFC 4568) and DTLS (RFC 5763).

use super::{Media, Rules};
use crate::ng::body::{Peer, Protocol};
use crate::ng::relay::leg;
use crate::ng::request::Dtls;
use crate::sdp::crypto::{self, Crypto};
use crate::sdp::{SdpError, not_acceptable};
use tandem_control::{DtlsRole, Security, Side};

impl Media {
    /// RFC 4568 section 5.1.2 and RFC 5763: how an offerer's media will be protected. A key of ours stays the same as long
    /// as the party's does, or it would lose its roll-over counter.
    pub(super) fn offerers_security(
        &mut self,
        side: Side,
        peer: &Peer<'_>,
        rules: &mut Rules<'_>,
    ) -> Result<Security, SdpError> {
        // RFC 8643 section 3.1: keys in a profile that is not secure are an offer that may be passed over.
        let is_opportunistic = !peer.protocol.secure;
        if is_opportunistic && !rules.options.osrtp.accept {
            return Ok(Security::None);
        }
        let sdes = &rules.options.sdes;
        let dtls = !peer.fingerprints.is_empty()
            && rules.options.dtls != Some(Dtls::Off)
            && (!sdes.prefer || peer.crypto.is_empty());
        if dtls {
            // Who may choose keeps the role that it has, so that the association goes on (RFC 8842 section 5.3).
            let was_client = matches!(self.leg(side).security, Security::Dtls { role: DtlsRole::Client, .. });
            let prefers_client = was_client || rules.options.dtls == Some(Dtls::Active);
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
            if is_opportunistic {
                return Ok(Security::None);
            }
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
    pub(super) fn offer_keys(
        &self,
        side: Side,
        protocol: Protocol,
        offer: &Peer<'_>,
        rules: &mut Rules<'_>,
    ) -> Vec<Crypto> {
        let sdes = &rules.options.sdes;
        // RFC 5764 section 4.1: with UDP/TLS it is DTLS that gives the keys.
        let is_secure = protocol.secure || rules.options.osrtp.offer;
        if !is_secure || protocol.tls || sdes.off {
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
}
