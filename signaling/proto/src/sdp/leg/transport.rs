//! How one stream of a leg is reached and protected: what both descriptions agree on.

use super::{Kind, Setup};
use crate::sdp::crypto::{self, Crypto};
use crate::sdp::{Random, RemoteTransport, SdpError, not_acceptable};
use std::net::SocketAddr;
use tandem_control::{DtlsRole, Remote, Security};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    kind: Kind,
    rtcp_mux: bool,
    /// The key that we agreed on.
    keys: Vec<Crypto>,
    /// What our last offer left to choose. It is kept: with a forked INVITE several answers may come.
    offered_keys: Vec<Crypto>,
    offered_mux: bool,
    role: Option<DtlsRole>,
    remote: Option<RemoteTransport>,
    /// The last address that the peer described; a hold by address zero does not forget it.
    address: Option<Remote>,
}

impl Transport {
    /// A stream that nothing was said about yet.
    pub(super) fn new(kind: Kind) -> Transport {
        Transport {
            kind,
            rtcp_mux: matches!(kind, Kind::Dtls | Kind::WebRtc),
            keys: Vec::new(),
            offered_keys: Vec::new(),
            offered_mux: false,
            role: None,
            remote: None,
            address: None,
        }
    }

    /// What the peer last described.
    pub(super) fn remote(&self) -> Option<&RemoteTransport> {
        self.remote.as_ref()
    }

    /// Where the peer last said it is.
    pub(super) fn address(&self) -> Option<Remote> {
        self.address
    }

    /// The same for RTP.
    pub(super) fn rtp_address(&self) -> Option<SocketAddr> {
        self.address.map(|remote| remote.rtp)
    }

    pub(super) fn rtcp_mux(&self) -> bool {
        self.rtcp_mux
    }

    /// Takes what an offer says.
    pub(super) fn receive_offer(&mut self, offered: &RemoteTransport, random: Random<'_>) {
        self.choose_key(offered, random);
        self.role = match offered.setup.unwrap_or(Setup::Active) {
            Setup::ActPass => self.role.or(Some(DtlsRole::Server)),
            Setup::Active => Some(DtlsRole::Server),
            Setup::Passive => Some(DtlsRole::Client),
            Setup::HoldConn => None,
        };
        self.rtcp_mux = offered.rtcp_mux;
        self.set_remote(offered);
    }

    /// RFC 4568 section 5.1.2: the first line that can be used is answered, with a key of ours. It stays the same
    /// as long as the peer's does, or the receiver would lose its roll-over counter.
    fn choose_key(&mut self, offered: &RemoteTransport, random: Random<'_>) {
        let Some(theirs) = offered.crypto.first().filter(|_| self.kind == Kind::Sdes) else { return };
        let before = self.remote.as_ref().and_then(|remote| remote.crypto.first());
        let unchanged = before.is_some_and(|before| before.key == theirs.key);
        let ours = match self.keys.first() {
            Some(ours) if unchanged && ours.key.suite == theirs.key.suite => ours.key.clone(),
            _ => crypto::new_key(theirs.key.suite, random),
        };
        self.keys = vec![Crypto { tag: theirs.tag, key: ours }];
    }

    /// Begins an offer.
    pub(super) fn offer(&mut self, random: Random<'_>) {
        self.offered_keys = match self.kind {
            Kind::Sdes if self.keys.is_empty() => crypto::offer(random),
            Kind::Sdes => self.keys.clone(),
            _ => Vec::new(),
        };
        self.offered_mux = self.rtcp_mux;
    }

    /// Takes what the answer to our last offer says.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`] if it leaves out what the offer needs; nothing has changed then.
    pub(super) fn receive_answer(&mut self, answered: &RemoteTransport) -> Result<(), SdpError> {
        let needs_fingerprint = matches!(self.kind, Kind::Dtls | Kind::WebRtc);
        if needs_fingerprint && answered.fingerprints.is_empty() {
            return not_acceptable("the answer has no fingerprint that can be used");
        }
        if self.kind == Kind::WebRtc && (answered.ice.is_none() || !answered.rtcp_mux) {
            return not_acceptable("the answer has no ICE credentials or no multiplexed RTCP");
        }
        if self.kind == Kind::Sdes {
            let chosen = |ours: &&Crypto| {
                let fits = |theirs: &Crypto| theirs.tag == ours.tag && theirs.key.suite == ours.key.suite;
                answered.crypto.iter().any(fits)
            };
            let Some(ours) = self.offered_keys.iter().find(chosen).cloned() else {
                return not_acceptable("the answer has no key for a suite that was offered");
            };
            self.keys = vec![ours];
        }
        // RFC 5763 section 5; what an answer must not say or leaves out is read as the usual choice.
        self.role = match answered.setup.unwrap_or(Setup::Active) {
            Setup::Active | Setup::ActPass => Some(DtlsRole::Server),
            Setup::Passive => Some(DtlsRole::Client),
            Setup::HoldConn => None,
        };
        self.rtcp_mux = self.offered_mux && answered.rtcp_mux;
        self.set_remote(answered);
        Ok(())
    }

    fn set_remote(&mut self, remote: &RemoteTransport) {
        self.address = remote.remote.or(self.address);
        self.remote = Some(remote.clone());
    }

    /// The keys of our answer, and the value of its `a=setup`.
    pub(super) fn answered(&self) -> (&[Crypto], &'static str) {
        let setup = match self.role {
            Some(DtlsRole::Server) => "passive",
            Some(DtlsRole::Client) => "active",
            None => "holdconn",
        };
        (&self.keys, setup)
    }

    /// The same of our offer. RFC 8842 section 5.2: it leaves the choice to the answerer; what exists is kept by it.
    pub(super) fn offered(&self) -> (&[Crypto], &'static str) {
        (&self.offered_keys, "actpass")
    }

    /// `None`: nothing is agreed, or the stream must be protected and has no key yet.
    pub(super) fn security(&self) -> Option<Security> {
        let remote = self.remote.as_ref()?;
        match self.kind {
            Kind::Rtp => Some(Security::None),
            Kind::Sdes => {
                let ours = self.keys.first()?;
                let theirs = remote.crypto.iter().find(|theirs| theirs.tag == ours.tag)?;
                let receive = Some(theirs.key.clone()).filter(|key| key.suite == ours.key.suite);
                Some(Security::Sdes { send: ours.key.clone(), receive })
            }
            Kind::Dtls | Kind::WebRtc => Some(Security::Dtls {
                role: self.role.unwrap_or(DtlsRole::Server),
                fingerprints: if self.role.is_some() { remote.fingerprints.clone() } else { Vec::new() },
            }),
        }
    }
}
