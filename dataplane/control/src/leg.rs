//! A leg as signaling describes it to the dataplane.

#[cfg(doc)]
use crate::Request;
use crate::{Audio, Video};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The largest number of certificate fingerprints that a leg may name.
pub const MAX_FINGERPRINTS: usize = 4;

/// The ports that a leg needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRequest {
    /// On which of the dataplane's local addresses ([`crate::Hello::addresses`]).
    pub address: IpAddr,
    /// What ports.
    pub kind: PortKind,
    /// Whether it also needs ports for video: two more of its own. On a shared port video is bundled and needs none.
    pub video: bool,
}

/// How a leg is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortKind {
    /// The worker's one WebRTC port: the leg must have ICE and multiplexed RTCP, or no peer at all
    /// ([`LegConfig::watched`]).
    Shared,
    /// Two ports of its own from the media range: even for RTP, the next for RTCP.
    Own,
}

/// The local addresses of a leg, as bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalPorts {
    /// For RTP, and for RTCP too where it is multiplexed.
    pub rtp: SocketAddr,
    /// For RTCP; equal to `rtp` on a shared port.
    pub rtcp: SocketAddr,
    /// For video, where it has ports of its own: as asked for with the leg, or by [`Request::AddVideo`].
    pub video: Option<StreamPorts>,
}

/// The local addresses of a stream on ports of its own, as bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPorts {
    /// For RTP, and for RTCP too where it is multiplexed.
    pub rtp: SocketAddr,
    /// For RTCP.
    pub rtcp: SocketAddr,
}

/// A leg, whole. [`LegConfig::idle`] is how each leg starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegConfig {
    /// How its media is protected.
    pub security: Security,
    /// ICE-lite (RFC 8445), if the leg uses it.
    pub ice: Option<Ice>,
    /// RTCP on the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// Where the peer says it is; with ICE only a hint that is not sent to.
    pub remote: Option<Remote>,
    /// Which sources may become the peer's address on a leg without ICE.
    pub latch: Latch,
    /// Media goes to [`LegConfig::remote`] whatever source was latched: the peer sends and receives at different
    /// addresses. Without meaning on a leg with ICE.
    pub asymmetric: bool,
    /// The audio stream.
    pub audio: Audio,
    /// The video stream, if it has one.
    pub video: Option<Box<Video>>,
}

impl LegConfig {
    /// A leg that receives nothing and sends nothing.
    pub fn idle() -> LegConfig {
        LegConfig {
            security: Security::None,
            ice: None,
            rtcp_mux: false,
            remote: None,
            latch: Latch::Exact,
            asymmetric: false,
            audio: Audio::idle(),
            video: None,
        }
    }

    /// Whether it has no peer: nothing finds it, and it sends nowhere.
    pub fn is_alone(&self) -> bool {
        self.ice.is_none() && self.remote.is_none() && self.security == Security::None
    }

    /// The leg that stands for the peer of this one in a session that watches it ([`Request::Watch`]): it takes the
    /// same payload types, and is reached by nobody. Payload types of sound and pictures must not be the same, also
    /// where this leg has ports of its own for video.
    pub fn watched(&self) -> LegConfig {
        let (receive, may_receive) = (self.audio.receive.clone(), self.audio.may_receive);
        let video = self.video.as_deref().map(|video| Video {
            send: Vec::new(),
            may_send: false,
            transport: None,
            max_bitrate: 0,
            repeat_parameter_sets: false,
            ..video.clone()
        });
        LegConfig {
            rtcp_mux: true,
            audio: Audio { receive, may_receive, ..Audio::idle() },
            video: video.map(Box::new),
            ..LegConfig::idle()
        }
    }
}

/// How media is protected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Security {
    /// RTP/AVP in the clear.
    None,
    /// SDP security descriptions (RFC 4568): both keys are known.
    Sdes {
        /// Protects what we send.
        send: SrtpKey,
        /// Protects what the peer sends; `None` until its answer is known: then nothing is accepted.
        receive: Option<SrtpKey>,
    },
    /// DTLS-SRTP (RFC 5764).
    Dtls {
        /// Who sends the ClientHello.
        role: DtlsRole,
        /// The peer's certificate must match one of these; empty until its description is known: then no
        /// DTLS packet is answered.
        fingerprints: Vec<Fingerprint>,
    },
}

/// The SRTP protection profiles spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80` (RFC 3711, RFC 4568).
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: 80-bit tags on SRTCP all the same (RFC 3711, RFC 4568).
    AesCm128HmacSha1_32,
    /// `AEAD_AES_128_GCM` (RFC 7714).
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM` (RFC 7714).
    AeadAes256Gcm,
}

impl SrtpSuite {
    /// Bytes of the master key.
    pub const fn key_len(self) -> usize {
        match self {
            SrtpSuite::AeadAes256Gcm => 32,
            _ => 16,
        }
    }

    /// Bytes of the master salt.
    pub const fn salt_len(self) -> usize {
        match self {
            SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm128HmacSha1_32 => 14,
            SrtpSuite::AeadAes128Gcm | SrtpSuite::AeadAes256Gcm => 12,
        }
    }
}

/// A master key followed by its salt. Wiped when dropped, absent from debug output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct SrtpKey {
    /// The profile.
    #[zeroize(skip)]
    pub suite: SrtpSuite,
    /// `suite.key_len()` bytes of key, then `suite.salt_len()` bytes of salt.
    pub key_and_salt: Vec<u8>,
}

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// Our side of a DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DtlsRole {
    /// We send the ClientHello (`a=setup:active`).
    Client,
    /// We wait for it (`a=setup:passive`).
    Server,
}

/// The digest of a certificate (RFC 8122).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The hash.
    pub hash: FingerprintHash,
    /// The digest.
    pub digest: Vec<u8>,
}

/// Hashes accepted for fingerprints; SHA-1 and MD5 are not (RFC 8122 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FingerprintHash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// ICE-lite on a leg. New local credentials restart ICE (RFC 8445 section 9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ice {
    /// Ours: 8 to 32 characters of user fragment, unique among live sessions, and 22 to 256 of password.
    pub local: IceCredentials,
    /// The peer's, once its description is known.
    pub remote: Option<IceCredentials>,
}

/// A user fragment and a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct IceCredentials {
    /// The user fragment.
    pub ufrag: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// Where a peer says it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// RTP.
    pub rtp: SocketAddr,
    /// RTCP; equal to `rtp` where it is multiplexed.
    pub rtcp: SocketAddr,
}

/// Which source addresses may become the peer's on a leg without ICE (symmetric RTP, RFC 4961).
///
/// After the first authentic packet from an allowed source the leg sends there (unless it is
/// [asymmetric](LegConfig::asymmetric)) and drops every other source for the rest of the call, until signaling
/// configures another [`LegConfig::remote`] (attacks.md rows 1 and 2). Only [`Latch::Handover`] moves without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Latch {
    /// Only the described address and port.
    Exact,
    /// The described address, any port.
    SameAddress,
    /// The described address or this one, where its signaling comes from, any port; for peers behind NAT.
    Either(IpAddr),
    /// Any source within a short window after the leg was configured; for peers behind NAT.
    Any,
    /// As [`Latch::Any`]; and once the latched source has been silent for a while, another one takes its place. For
    /// peers that change their address without telling: whoever finds the port while the peer is silent gets its
    /// stream, unless SRTP tells them apart.
    Handover,
}
