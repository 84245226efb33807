//! Transport protocols of media sections.

/// A profile of RTP over UDP (RFC 3551, 3711, 4585, 5124, 5764).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ng) struct Protocol {
    /// Keyed by DTLS (`UDP/TLS/...`).
    pub tls: bool,
    /// Encrypted (`SAVP`, `SAVPF`).
    pub secure: bool,
    /// With timely feedback (`AVPF`, `SAVPF`).
    pub feedback: bool,
}

impl Protocol {
    /// Reads the protocol field of a media line; `None` for what is no RTP over UDP.
    pub(crate) fn parse(text: &str) -> Option<Protocol> {
        let (tls, profile) = match text.strip_prefix("UDP/TLS/") {
            Some(profile) => (true, profile),
            None => (false, text),
        };
        let (secure, feedback) = match profile {
            "RTP/AVP" => (false, false),
            "RTP/AVPF" => (false, true),
            "RTP/SAVP" => (true, false),
            "RTP/SAVPF" => (true, true),
            _ => return None,
        };
        (secure || !tls).then_some(Protocol { tls, secure, feedback })
    }

    /// As the media line has it.
    pub(crate) fn name(self) -> &'static str {
        match (self.tls, self.secure, self.feedback) {
            (_, false, false) => "RTP/AVP",
            (_, false, true) => "RTP/AVPF",
            (false, true, false) => "RTP/SAVP",
            (false, true, true) => "RTP/SAVPF",
            (true, true, false) => "UDP/TLS/RTP/SAVP",
            (true, true, true) => "UDP/TLS/RTP/SAVPF",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_reads_back() {
        let names = ["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"];
        for name in names {
            assert_eq!(Protocol::parse(name).map(Protocol::name), Some(name));
        }
        for other in ["udptl", "UDP/TLS/RTP/AVP", "TCP/RTP/AVP", "UDP/DTLS/SCTP", ""] {
            assert_eq!(Protocol::parse(other), None, "{other}");
        }
    }
}
