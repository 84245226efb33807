//! One side of a relayed section: what its party described, what it was told, and what both add up to for the
//! dataplane.

use super::codecs::{Numbers, is_same};
use super::latch::Whereabouts;
use crate::ng::body::{Protocol, USUAL_PTIME_MS};
use crate::ng::request::DtmfSecurity;
use crate::sdp::crypto::Crypto;
use crate::sdp::{Direction, Setup};
use tandem_control::{
    Audio, Codec, Digits, DtlsRole, Fingerprint, Ice, IceCredentials, Latch, LegConfig, OpusEncoding,
    PayloadType, Remote, Security, Treatment,
};

/// The packet times that the dataplane encodes, in milliseconds.
const PTIME_MS: std::ops::RangeInclusive<u8> = 10..=60;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    /// Which of the settings' interfaces it is on.
    pub interface: usize,
    /// The profile that its party is told; `None` until there is one.
    pub protocol: Option<Protocol>,
    /// The party's identification tag of the section.
    pub mid: Option<Box<str>>,
    /// Where the party is.
    pub place: Whereabouts,
    /// As its party sees it.
    pub direction: Direction,
    /// What it can be sent, with its numbers.
    pub theirs: Vec<PayloadType>,
    /// What it was told it may send.
    pub ours: Vec<PayloadType>,
    /// Those of `theirs` that an answer to it may have although the other party does not take them.
    pub accepted: Numbers,
    /// RTCP shares the port of RTP.
    pub rtcp_mux: bool,
    /// What protects its media.
    pub security: Security,
    /// The tag of the key that was agreed on.
    pub crypto_tag: u32,
    /// The keys that it was offered last.
    pub offered_keys: Vec<Crypto>,
    /// It was offered DTLS.
    pub offered_dtls: bool,
    /// Our ICE credentials, where it has ICE from us.
    pub ice: Option<IceCredentials>,
    /// Its own.
    pub peer_ice: Option<IceCredentials>,
    /// The packet time that it wants, in milliseconds.
    pub ptime: Option<u8>,
    /// The packet time that the controller wants towards it.
    pub ptime_override: Option<u16>,
    /// The packet times of single codecs towards it, by their clocks.
    pub packet_times: Vec<(Codec, u32, u16)>,
    /// How Opus is encoded for it.
    pub opus: OpusEncoding,
    /// What it sends is decoded and encoded anew, whatever it is.
    pub always_transcode: bool,
    /// What becomes of the speech that it sends.
    pub speech: Treatment,
    /// That was asked for this party alone.
    pub is_treated_alone: bool,
    /// Its digits are blocked; what takes their place.
    pub dtmf_security: Option<DtmfSecurity>,
    /// That was asked for this party alone.
    pub is_blocked_alone: bool,
    /// Digits are looked for in its audio also.
    pub detects_digits: bool,
}

impl Leg {
    /// A side of which nothing is known yet.
    pub(super) fn new(interface: usize, opus: OpusEncoding) -> Leg {
        Leg {
            interface,
            protocol: None,
            mid: None,
            place: Whereabouts { remote: None, latch: Latch::Exact, asymmetric: false },
            direction: Direction::SendRecv,
            theirs: Vec::new(),
            ours: Vec::new(),
            accepted: Numbers::default(),
            rtcp_mux: false,
            security: Security::None,
            crypto_tag: 1,
            offered_keys: Vec::new(),
            offered_dtls: false,
            ice: None,
            peer_ice: None,
            ptime: None,
            ptime_override: None,
            packet_times: Vec::new(),
            opus,
            always_transcode: false,
            speech: Treatment::Passed,
            is_treated_alone: false,
            dtmf_security: None,
            is_blocked_alone: false,
            detects_digits: false,
        }
    }

    /// Digits that it presses do not reach the other side as they are.
    pub(super) fn block_digits(&mut self, security: DtmfSecurity) {
        self.dtmf_security = Some(security).filter(|security| *security != DtmfSecurity::Off);
    }

    /// What was learned of the party is forgotten (the flag `reset`): its ICE and its keys begin anew.
    pub(super) fn reset(&mut self) {
        self.ice = None;
        self.peer_ice = None;
        self.security = Security::None;
        self.offered_keys.clear();
    }

    /// The codings that it may be told of again under the same numbers: both descriptions'.
    pub(super) fn running(&self) -> Vec<PayloadType> {
        let new = self.ours.iter().filter(|one| !self.theirs.iter().any(|known| is_same(known, one)));
        self.theirs.iter().chain(new).cloned().collect()
    }

    /// RFC 5763 section 5: what it is told of our role.
    pub(super) fn setup(&self) -> &'static str {
        match self.security {
            Security::Dtls { role: DtlsRole::Client, .. } => "active",
            _ => "passive",
        }
    }

    /// The side, as the dataplane shall have it. `repacketizes`: the other side wants another packet time.
    pub(super) fn config(&self, repacketizes: bool) -> LegConfig {
        let in_both = |one: &&PayloadType, other: &[PayloadType]| other.iter().any(|two| is_same(two, one));
        let receive = self.ours.iter().filter(|one| in_both(one, &self.theirs)).cloned().collect();
        let send: Vec<PayloadType> =
            self.theirs.iter().filter(|one| in_both(one, &self.ours)).cloned().collect();
        let of_codec = send.first().and_then(|first| {
            let is_it = |(codec, clock, _): &&(Codec, u32, u16)| {
                first.codec.same_coding(*codec) && first.clock == *clock
            };
            self.packet_times.iter().find(is_it).map(|(.., time)| *time)
        });
        // What does not fit into a byte is longer than any that can be had.
        let asked = self.ptime_override.or(of_codec).map(|ptime| u8::try_from(ptime).unwrap_or(u8::MAX));
        let ptime = asked.or(self.ptime);
        LegConfig {
            security: self.security.clone(),
            ice: self
                .ice
                .clone()
                .filter(|_| self.peer_ice.is_some())
                .map(|local| Ice { local, remote: self.peer_ice.clone() }),
            rtcp_mux: self.rtcp_mux,
            remote: self.place.remote.map(|remote| match self.rtcp_mux {
                true => Remote { rtcp: remote.rtp, ..remote },
                false => remote,
            }),
            latch: self.place.latch,
            asymmetric: self.place.asymmetric,
            audio: Audio {
                receive,
                send,
                may_receive: self.direction.sends(),
                may_send: self.direction.receives(),
                ptime_ms: ptime.unwrap_or(USUAL_PTIME_MS).clamp(*PTIME_MS.start(), *PTIME_MS.end()),
                speech: self.speech,
                events_blocked: self.dtmf_security.is_some(),
                always_transcode: self.always_transcode || repacketizes,
                digits: Digits::Events,
                detect_tones: self.detects_digits,
                opus: self.opus,
                ssrc: 0,
            },
            video: None,
        }
    }
}

/// Our role towards a party that described itself so. RFC 5763 section 5: to `actpass` we may choose; what an answer must
/// not say or leaves out is read as the usual choice.
pub(super) fn role(theirs: Option<Setup>, prefers_client: bool) -> DtlsRole {
    match theirs {
        Some(Setup::Passive) => DtlsRole::Client,
        Some(Setup::ActPass) if prefers_client => DtlsRole::Client,
        _ => DtlsRole::Server,
    }
}

/// DTLS with a party; while it holds the connection (RFC 4145 section 4.1) nothing is answered.
pub(super) fn dtls(setup: Option<Setup>, fingerprints: &[Fingerprint], prefers_client: bool) -> Security {
    let held = setup == Some(Setup::HoldConn);
    let fingerprints = if held { Vec::new() } else { fingerprints.to_vec() };
    Security::Dtls { role: role(setup, prefers_client), fingerprints }
}
