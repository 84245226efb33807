//! How an SDP is to be rewritten and its media relayed.

use super::codecs::CodecOptions;
use super::flags::Flags;
use super::media::RecordingNames;
use std::net::IpAddr;
use std::time::Duration;

/// The options of an offer or answer. What is `None` or empty was not asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Flags that are there or not.
    pub flags: Flags,
    /// What of the origin and session lines is replaced.
    pub replace: Replace,
    /// Where the SIP message came from.
    pub received_from: Option<IpAddr>,
    /// Stands for every address in the SDP and for `received_from`.
    pub media_address: Option<IpAddr>,
    /// The family of our address in the rewritten SDP.
    pub address_family: Option<AddressFamily>,
    /// Interfaces by their names: towards whoever sent the SDP, and towards the other side.
    pub direction: Option<[String; 2]>,
    /// The protocol of the rewritten SDP.
    pub transport_protocol: Option<TransportProtocol>,
    /// What becomes of ICE.
    pub ice: Option<IceMode>,
    /// What becomes of DTLS-SRTP.
    pub dtls: Option<Dtls>,
    /// What becomes of SDES.
    pub sdes: SdesOptions,
    /// What becomes of opportunistic SRTP.
    pub osrtp: Osrtp,
    /// What becomes of rtcp-mux.
    pub rtcp_mux: RtcpMux,
    /// What becomes of the codecs.
    pub codecs: CodecOptions,
    /// Milliseconds of a packet towards whoever gets the rewritten SDP.
    pub ptime: Option<u16>,
    /// Milliseconds of a packet towards whoever sent the SDP.
    pub ptime_reverse: Option<u16>,
    /// The TOS byte of all packets of the call.
    pub tos: Option<u8>,
    /// Whether the call is recorded; `None`: as before.
    pub record_call: Option<bool>,
    /// How a recording that begins is named.
    pub recording: RecordingNames,
    /// A name for this party.
    pub label: Option<String>,
    /// How telephone events are blocked.
    pub dtmf_security: Option<DtmfSecurity>,
    /// How long the call is kept after its deletion.
    pub delete_delay: Option<Duration>,
    /// What kind of SIP message brought the SDP.
    pub sip_message_type: Option<SipMessageType>,
    /// The status of the SIP response that brought the SDP.
    pub sip_code: Option<u16>,
    /// The controller understands the result `load limit`.
    pub supports_load_limit: bool,
}

/// What is replaced besides the media's own lines (`replace`). Where `c=` stands it is always replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replace {
    /// The address in `o=`.
    pub origin: bool,
    /// The whole of `o=`: the same in every SDP towards one party.
    pub origin_full: bool,
    /// The address of the session's `c=`: as rtpengine does, always replaced where there is one.
    pub session_connection: bool,
    /// The contents of `s=`.
    pub session_name: bool,
    /// The version in `o=`, which then grows with each change.
    pub sdp_version: bool,
    /// The version grows even without a change.
    pub force_sdp_version: bool,
    /// The user name in `o=`.
    pub username: bool,
    /// Addresses of zeros also, which otherwise mean hold and stay.
    pub zero_address: bool,
}

/// A family of addresses, as SDP names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFamily {
    /// `IP4`
    Ip4,
    /// `IP6`
    Ip6,
}

/// The protocol of a media line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportProtocol {
    /// `RTP/AVP`
    Avp,
    /// `RTP/AVPF`
    Avpf,
    /// `RTP/SAVP`: SRTP by SDES, or by DTLS where SDES is off.
    Savp,
    /// `RTP/SAVPF`
    Savpf,
    /// `UDP/TLS/RTP/SAVP`
    TlsSavp,
    /// `UDP/TLS/RTP/SAVPF`
    TlsSavpf,
    /// In an answer: the one of the answer, even where it was not offered.
    Accept,
}

impl TransportProtocol {
    /// The protocol with this name.
    pub fn parse(name: &str) -> Option<TransportProtocol> {
        let names = [
            ("RTP/AVP", TransportProtocol::Avp),
            ("RTP/AVPF", TransportProtocol::Avpf),
            ("RTP/SAVP", TransportProtocol::Savp),
            ("RTP/SAVPF", TransportProtocol::Savpf),
            ("UDP/TLS/RTP/SAVP", TransportProtocol::TlsSavp),
            ("UDP/TLS/RTP/SAVPF", TransportProtocol::TlsSavpf),
            ("accept", TransportProtocol::Accept),
        ];
        names.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, protocol)| protocol)
    }

    /// Its name in SDP; `None` for [`TransportProtocol::Accept`], which is none.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            TransportProtocol::Avp => "RTP/AVP",
            TransportProtocol::Avpf => "RTP/AVPF",
            TransportProtocol::Savp => "RTP/SAVP",
            TransportProtocol::Savpf => "RTP/SAVPF",
            TransportProtocol::TlsSavp => "UDP/TLS/RTP/SAVP",
            TransportProtocol::TlsSavpf => "UDP/TLS/RTP/SAVPF",
            TransportProtocol::Accept => return None,
        })
    }
}

/// What becomes of ICE in the rewritten SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IceMode {
    /// None, whatever came.
    Remove,
    /// Ours, whatever came.
    Force,
    /// Ours, where some came.
    Default,
    /// Theirs stays, but for relays; ours is added as a relay.
    ForceRelay,
    /// Ours where none came; added with low priority to theirs otherwise.
    Optional,
}

/// What becomes of DTLS-SRTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtls {
    /// It is neither offered nor accepted.
    Off,
    /// We are the server where we may choose.
    Passive,
    /// We are the client where we may choose.
    Active,
}

/// What becomes of SDES (RFC 4568).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SdesOptions {
    /// It is not offered.
    pub off: bool,
    /// Suites that are not offered, by their names.
    pub no: Vec<String>,
    /// The only suites that are offered; empty: any.
    pub only: Vec<String>,
    /// Only suites that came are offered on.
    pub no_new: bool,
    /// The suites that stand first in our offer, in this order.
    pub order: Vec<String>,
    /// The suites that we choose first out of an offer, in this order.
    pub offerer_preference: Vec<String>,
    /// Keys are written with the padding of base64.
    pub pad: bool,
    /// Keys are written with the lifetime 2^31.
    pub lifetime: bool,
    /// A re-INVITE leaves the agreed suite alone.
    pub is_static: bool,
    /// It is preferred to DTLS where both are offered.
    pub prefer: bool,
    /// Session parameters that are asked for (`true`) or refused (RFC 4568 section 6.3).
    pub parameters: Vec<(SdesParameter, bool)>,
}

/// What becomes of opportunistic SRTP (RFC 8643): keys in a description whose profile is not a secure one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Osrtp {
    /// It is offered on, whether it came or not.
    pub offer: bool,
    /// Where it came it is accepted.
    pub accept: bool,
}

/// A session parameter that weakens SRTP (RFC 4568 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdesParameter {
    /// `UNENCRYPTED_SRTP`
    UnencryptedSrtp,
    /// `UNENCRYPTED_SRTCP`
    UnencryptedSrtcp,
    /// `UNAUTHENTICATED_SRTP`
    UnauthenticatedSrtp,
}

/// What becomes of rtcp-mux (RFC 5761).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtcpMux {
    /// It is offered on, whether it came or not.
    pub offer: bool,
    /// It is offered as if it were agreed already: there is no port for RTCP.
    pub require: bool,
    /// Where it came it is accepted, but not offered on.
    pub demux: bool,
    /// Where it came it is accepted, and offered on.
    pub accept: bool,
    /// Where it came it is refused.
    pub reject: bool,
}

/// How telephone events are blocked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtmfSecurity {
    /// They are dropped.
    #[default]
    Drop,
    /// They are not blocked.
    Off,
    /// Silence takes their place.
    Silence,
    /// A tone of so many Hz takes their place.
    Tone(u16),
    /// Other digits take their place.
    Random,
    /// This digit takes their place: its event (RFC 4733 section 3.2).
    Digit(u8),
}

/// What kind of SIP message an SDP came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SipMessageType {
    /// A request.
    Request,
    /// A response.
    Response,
}
