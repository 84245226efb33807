//! How a leg is transported and protected.

use crate::sdp::{Description, RemoteTransport, SdpError, Section, not_acceptable};
use crate::settings::OfferSecurity;
use tandem_control::PortKind;

/// How a leg is transported and protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RTP in the clear.
    Rtp,
    /// SRTP with keys in the description (RFC 4568).
    Sdes,
    /// DTLS-SRTP without ICE (RFC 5763).
    Dtls,
    /// DTLS-SRTP with ICE and multiplexed RTCP, as browsers have it (RFC 8829).
    WebRtc,
}

impl Kind {
    /// What a peer's offer asks for.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`] if no audio section of the offer can be used.
    pub fn of_offer(offer: &Description) -> Result<Kind, SdpError> {
        let Some(audio) = &offer.audio else {
            return not_acceptable("the offer has no audio section with a known codec over RTP");
        };
        match offer.sections.get(audio.index) {
            Some(section) => Kind::of_section(section, &audio.transport),
            None => not_acceptable("the audio section is none of the description's"),
        }
    }

    /// What one section asks for.
    pub(super) fn of_section(section: &Section, transport: &RemoteTransport) -> Result<Kind, SdpError> {
        let protocol = section.protocol.as_str();
        let secure = protocol.ends_with("/SAVP") || protocol.ends_with("/SAVPF");
        if secure && !transport.fingerprints.is_empty() {
            // With two lite agents nobody would send checks: the described addresses are used then.
            let full_ice = transport.ice.as_ref().is_some_and(|ice| !ice.lite);
            return Ok(if full_ice && transport.rtcp_mux { Kind::WebRtc } else { Kind::Dtls });
        }
        if !transport.crypto.is_empty() {
            return Ok(Kind::Sdes);
        }
        if secure {
            return not_acceptable(format!("{protocol} without a key or fingerprint that can be used"));
        }
        Ok(Kind::Rtp)
    }

    /// How a telephone is offered media.
    pub fn of_security(security: OfferSecurity) -> Kind {
        match security {
            OfferSecurity::None => Kind::Rtp,
            OfferSecurity::Sdes => Kind::Sdes,
            OfferSecurity::Dtls => Kind::Dtls,
        }
    }

    /// The ports that such a leg needs.
    pub fn ports(self) -> PortKind {
        if self == Kind::WebRtc { PortKind::Shared } else { PortKind::Own }
    }

    pub(super) fn protocol(self) -> &'static str {
        match self {
            Kind::Rtp => "RTP/AVP",
            Kind::Sdes => "RTP/SAVP",
            Kind::Dtls => "UDP/TLS/RTP/SAVP",
            Kind::WebRtc => "UDP/TLS/RTP/SAVPF",
        }
    }
}
