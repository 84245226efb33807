//! One side of a call: both of its descriptions, and what they add up to for the dataplane.

mod audio;
mod kind;

pub use audio::FarSide;
pub use kind::Kind;

use super::crypto::{self, Crypto};
use super::local::{Content, Local};
use super::{Description, Direction, Random, RemoteMedia, SdpError, Section, Setup, codecs, not_acceptable};
use crate::settings::{CodecName, MediaProfile};
use std::net::SocketAddr;
use std::sync::Arc;
use tandem_control::{Codec, DtlsRole, Ice, Latch, LegConfig, PayloadType, Remote, Security};

/// The dynamic payload types (RFC 3551 section 6).
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

/// Our addresses of a leg, as advertised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegAddresses {
    /// For RTP.
    pub rtp: SocketAddr,
    /// For RTCP.
    pub rtcp: SocketAddr,
}

#[derive(Clone, Debug, Default)]
struct OnOffer {
    payloads: Vec<PayloadType>,
    keys: Vec<Crypto>,
    rtcp_mux: bool,
}

/// One side of a call. Clone it before an offer and keep the clone: if the offer is refused, the clone is how the
/// session goes on (RFC 3261 section 14.1).
#[derive(Clone, Debug)]
pub struct Leg {
    kind: Kind,
    profile: Arc<MediaProfile>,
    local: Local,
    sections: Vec<Section>,
    index: usize,
    bundled: bool,
    /// The number of each payload type that either side has given: it must not change (RFC 3264 section 8.3.2).
    numbers: Vec<PayloadType>,
    /// In our last description; after an answer only what is in both.
    described: Vec<PayloadType>,
    direction: Direction,
    /// The packet time that we last asked for, in milliseconds.
    ptime: u8,
    rtcp_mux: bool,
    /// The key that we agreed on.
    keys: Vec<Crypto>,
    /// What our last offer left to choose. It is kept: with a forked INVITE several answers may come.
    on_offer: OnOffer,
    role: Option<DtlsRole>,
    remote: Option<RemoteMedia>,
    /// The last address that the peer described; a hold by address zero does not forget it.
    address: Option<Remote>,
}

impl Leg {
    /// A leg that nothing was said about yet.
    pub fn new(
        kind: Kind,
        profile: Arc<MediaProfile>,
        addresses: LegAddresses,
        fingerprint: [u8; 32],
        random: Random<'_>,
    ) -> Leg {
        let mid = (kind == Kind::WebRtc).then(|| "0".to_owned());
        let section = Section {
            media: "audio".to_owned(),
            protocol: kind.protocol().to_owned(),
            formats: String::new(),
            mid,
            rejected: false,
        };
        Leg {
            kind,
            profile,
            local: Local::new(addresses, fingerprint, random),
            sections: vec![section],
            index: 0,
            bundled: kind == Kind::WebRtc,
            numbers: Vec::new(),
            described: Vec::new(),
            direction: Direction::SendRecv,
            ptime: audio::USUAL_PTIME_MS,
            rtcp_mux: matches!(kind, Kind::Dtls | Kind::WebRtc),
            keys: Vec::new(),
            on_offer: OnOffer::default(),
            role: None,
            remote: None,
            address: None,
        }
    }

    /// How it is transported.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Which way the peer wants its media to flow, by its last description.
    pub fn peer_direction(&self) -> Direction {
        self.remote.as_ref().map_or(Direction::SendRecv, |remote| remote.direction)
    }

    /// Where the peer last said it is.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.address.map(|remote| remote.rtp)
    }

    /// Takes the peer's offer; [`Leg::write_answer`] follows.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`]; the leg must then be put back to what it was.
    pub fn receive_offer(&mut self, offer: &Description, random: Random<'_>) -> Result<(), SdpError> {
        let kind = Kind::of_offer(offer)?;
        if kind != self.kind {
            return not_acceptable("the protection of the media cannot change within a call");
        }
        let Some(audio) = &offer.audio else { return not_acceptable("the offer has no audio section") };
        // RFC 8839 section 4.4.1.1.1: other credentials than before restart ICE, and are answered with others.
        let before = self.remote.as_ref().and_then(|remote| remote.ice.as_ref());
        let restarted = before.is_some_and(|before| {
            audio.ice.as_ref().is_some_and(|now| now.credentials != before.credentials)
        });
        if restarted {
            self.local.restart_ice(&mut *random);
        }
        self.choose_key(audio, random);
        self.role = match audio.setup.unwrap_or(Setup::Active) {
            Setup::ActPass => self.role.or(Some(DtlsRole::Server)),
            Setup::Active => Some(DtlsRole::Server),
            Setup::Passive => Some(DtlsRole::Client),
            Setup::HoldConn => None,
        };
        self.sections = offer.sections.clone();
        self.index = audio.index;
        let mid = offer.sections.get(audio.index).and_then(|section| section.mid.as_ref());
        self.bundled = mid.is_some_and(|mid| offer.bundle.contains(mid));
        self.rtcp_mux = audio.rtcp_mux;
        for payload in &audio.payloads {
            self.numbers.retain(|known| !is_same(known, payload) && known.number != payload.number);
            self.numbers.push(payload.clone());
        }
        self.set_remote(audio);
        Ok(())
    }

    /// RFC 4568 section 5.1.2: the first line that can be used is answered, with a key of ours. It stays the same
    /// as long as the peer's does, or the receiver would lose its roll-over counter.
    fn choose_key(&mut self, audio: &RemoteMedia, random: Random<'_>) {
        let Some(theirs) = audio.crypto.first().filter(|_| self.kind == Kind::Sdes) else { return };
        let before = self.remote.as_ref().and_then(|remote| remote.crypto.first());
        let unchanged = before.is_some_and(|before| before.key == theirs.key);
        let ours = match self.keys.first() {
            Some(ours) if unchanged && ours.key.suite == theirs.key.suite => ours.key.clone(),
            _ => crypto::new_key(theirs.key.suite, random),
        };
        self.keys = vec![Crypto { tag: theirs.tag, key: ours }];
    }

    fn set_remote(&mut self, audio: &RemoteMedia) {
        self.address = audio.remote.or(self.address);
        self.remote = Some(audio.clone());
    }

    /// Writes the answer to the peer's last offer: one codec, so that neither side changes it in mid-call, and the
    /// telephone events and the comfort noise that go with it.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`] if the peer did not offer the codec.
    pub fn write_answer(&mut self, codec: CodecName, far: &FarSide) -> Result<Vec<u8>, SdpError> {
        self.described = self.chosen(codec, far)?;
        self.direction = far.direction.and(self.peer_direction().reversed());
        Ok(self.write(far, self.setup_of_role(), &self.keys.clone()))
    }

    /// Writes an offer to the peer.
    pub fn write_offer(&mut self, codecs: &[CodecName], far: &FarSide, random: Random<'_>) -> Vec<u8> {
        let keys = match self.kind {
            Kind::Sdes if self.keys.is_empty() => crypto::offer(random),
            Kind::Sdes => self.keys.clone(),
            _ => Vec::new(),
        };
        let wanted = self.wanted(codecs, far);
        self.described = wanted.into_iter().map(|(codec, clock)| self.number(codec, clock)).collect();
        self.direction = far.direction;
        self.on_offer = OnOffer { payloads: self.described.clone(), keys, rtcp_mux: self.rtcp_mux };
        // RFC 8842 section 5.2: an offer leaves the choice to the answerer; what exists is kept by it.
        self.write(far, "actpass", &self.on_offer.keys.clone())
    }

    /// Takes the peer's answer to our last offer.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`] if the answer refuses the audio or leaves out what the offer needs.
    pub fn receive_answer(&mut self, answer: &Description) -> Result<(), SdpError> {
        let Some(audio) = answer.audio.as_ref().filter(|audio| audio.index == self.index) else {
            return not_acceptable("the answer refuses the audio or has no common codec");
        };
        let needs_fingerprint = matches!(self.kind, Kind::Dtls | Kind::WebRtc);
        if needs_fingerprint && audio.fingerprints.is_empty() {
            return not_acceptable("the answer has no fingerprint that can be used");
        }
        if self.kind == Kind::WebRtc && (audio.ice.is_none() || !audio.rtcp_mux) {
            return not_acceptable("the answer has no ICE credentials or no multiplexed RTCP");
        }
        if self.kind == Kind::Sdes {
            let chosen = |ours: &&Crypto| {
                audio.crypto.iter().any(|theirs| theirs.tag == ours.tag && theirs.key.suite == ours.key.suite)
            };
            let Some(ours) = self.on_offer.keys.iter().find(chosen).cloned() else {
                return not_acceptable("the answer has no key for a suite that was offered");
            };
            self.keys = vec![ours];
        }
        // RFC 5763 section 5; what an answer must not say or leaves out is read as the usual choice.
        self.role = match audio.setup.unwrap_or(Setup::Active) {
            Setup::Active | Setup::ActPass => Some(DtlsRole::Server),
            Setup::Passive => Some(DtlsRole::Client),
            Setup::HoldConn => None,
        };
        // RFC 3264 section 6.1: from now on only what is in both descriptions is sent, either way.
        let is_answered = |ours: &&PayloadType| audio.payloads.iter().any(|theirs| is_same(theirs, ours));
        self.described = self.on_offer.payloads.iter().filter(is_answered).cloned().collect();
        if !self.described.iter().any(|payload| codecs::name_of(payload).is_some()) {
            return not_acceptable("no common codec");
        }
        self.rtcp_mux = self.on_offer.rtcp_mux && audio.rtcp_mux;
        let direction = self.will(audio.direction);
        self.set_remote(&RemoteMedia { direction, ..audio.clone() });
        Ok(())
    }

    /// RFC 3264 section 6.1: an answer has no more than the offer had. Of what that left out its writer says nothing, and
    /// wants what it wanted before: an answer must not be read as a hold that outlives ours, nor as the end of its own.
    fn will(&self, answered: Direction) -> Direction {
        let (ours, before) = (self.direction, self.peer_direction());
        let sends = if ours.receives() { answered.sends() } else { before.sends() };
        let receives = if ours.sends() { answered.receives() } else { before.receives() };
        Direction::new(sends, receives)
    }

    fn setup_of_role(&self) -> &'static str {
        match self.role {
            Some(DtlsRole::Server) => "passive",
            Some(DtlsRole::Client) => "active",
            None => "holdconn",
        }
    }

    fn write(&mut self, far: &FarSide, setup: &'static str, keys: &[Crypto]) -> Vec<u8> {
        let maxptime = self.longest_packets(far);
        self.ptime = self.packets_asked(far, maxptime);
        let mid = self.sections.get(self.index).and_then(|section| section.mid.as_deref());
        let content = Content {
            sections: &self.sections,
            index: self.index,
            bundled: mid.filter(|_| self.bundled),
            kind: self.kind,
            payloads: &self.described,
            direction: self.direction,
            ptime: self.ptime,
            maxptime,
            rtcp_mux: self.rtcp_mux,
            crypto: keys,
            setup,
        };
        self.local.write(&content)
    }

    /// The number that a coding has on this leg, given now if it had none.
    fn number(&mut self, codec: Codec, clock: u32) -> PayloadType {
        let known = self.numbers.iter().find(|known| known.codec.same_coding(codec) && known.clock == clock);
        if let Some(known) = known {
            return PayloadType { codec, ..known.clone() };
        }
        let is_free = |number: &u8| self.numbers.iter().all(|known| known.number != *number);
        let usual = codecs::usual_number(codec, clock);
        let number = std::iter::once(usual).chain(DYNAMIC).find(is_free).unwrap_or(usual);
        let payload = PayloadType { number, codec, clock };
        self.numbers.push(payload.clone());
        payload
    }

    /// The leg, as the dataplane shall have it.
    pub fn config(&self, latch: Latch) -> LegConfig {
        let Some(remote) = &self.remote else { return self.offered() };
        let Some(security) = self.security(remote) else { return LegConfig::idle() };
        LegConfig {
            security,
            ice: (self.kind == Kind::WebRtc).then(|| Ice {
                local: self.local.ice.clone(),
                remote: remote.ice.as_ref().map(|ice| ice.credentials.clone()),
            }),
            rtcp_mux: self.rtcp_mux,
            remote: self.address,
            latch,
            audio: self.audio(remote),
            asymmetric: false,
            video: None,
        }
    }

    /// The leg between our offer and the answer. RFC 8445 section 7.3: a browser's checks may come before its answer does,
    /// and are answered with our own credentials alone; a leg without them would make it wait for its next check.
    fn offered(&self) -> LegConfig {
        if self.kind != Kind::WebRtc || self.described.is_empty() {
            return LegConfig::idle();
        }
        LegConfig {
            security: Security::Dtls { role: DtlsRole::Server, fingerprints: Vec::new() },
            ice: Some(Ice { local: self.local.ice.clone(), remote: None }),
            rtcp_mux: true,
            ..LegConfig::idle()
        }
    }

    /// `None`: the leg must be protected and has no key yet.
    fn security(&self, remote: &RemoteMedia) -> Option<Security> {
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

fn is_same(one: &PayloadType, other: &PayloadType) -> bool {
    one.codec.same_coding(other.codec) && one.clock == other.clock
}

#[cfg(test)]
mod tests;
