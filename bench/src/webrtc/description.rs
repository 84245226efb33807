//! Session descriptions of browsers (RFC 8829): one bundled audio section with ICE, DTLS and rtcp-mux.

use crate::media::Codec;
use is::{Candidate, IceCreds};
use std::net::SocketAddr;

/// Who begins the DTLS handshake (RFC 8842 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    ActPass,
    Active,
    Passive,
}

impl Setup {
    fn name(self) -> &'static str {
        match self {
            Setup::ActPass => "actpass",
            Setup::Active => "active",
            Setup::Passive => "passive",
        }
    }
}

/// What a client says of itself.
pub(crate) struct Local<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) credentials: &'a IceCreds,
    /// SHA-256 of the certificate, as `AB:CD:...`.
    pub(crate) fingerprint: &'a str,
    pub(crate) setup: Setup,
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    pub(crate) ssrc: u32,
    pub(crate) mid: &'a str,
}

impl Local<'_> {
    /// The description, with all candidates: nothing trickles later.
    pub(crate) fn write(&self) -> String {
        let Local { address, credentials, fingerprint, payload_type, ssrc, mid, .. } = self;
        let (ip, port) = (address.ip(), address.port());
        let family = if address.is_ipv4() { "IP4" } else { "IP6" };
        format!(
            "v=0\r\no=- {ssrc} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mid}\r\n\
             m=audio {port} UDP/TLS/RTP/SAVPF {payload_type}\r\nc=IN {family} {ip}\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
             a=candidate:1 1 udp 2130706431 {ip} {port} typ host\r\na=end-of-candidates\r\n\
             a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {fingerprint}\r\na=setup:{}\r\na=mid:{mid}\r\n\
             a=sendrecv\r\na=rtcp-mux\r\na=rtpmap:{payload_type} {}\r\na=ssrc:{ssrc} cname:bench\r\n",
            credentials.ufrag,
            credentials.pass,
            self.setup.name(),
            self.codec.rtpmap(),
        )
    }
}

/// What a gateway says.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) credentials: IceCreds,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) fingerprint: String,
    pub(crate) setup: Setup,
    pub(crate) payload_type: u8,
    pub(crate) mid: String,
}

impl Remote {
    /// Reads a description. `None`: it lacks ICE, a SHA-256 fingerprint, or the codec.
    pub(crate) fn read(text: &str, codec: Codec) -> Option<Remote> {
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let section = value("m=audio ")?;
        let types: Vec<u8> = section.split(' ').skip(2).filter_map(|word| word.parse().ok()).collect();
        let mapped = text.lines().find_map(|line| {
            let (number, name) = line.strip_prefix("a=rtpmap:")?.trim().split_once(' ')?;
            name.eq_ignore_ascii_case(codec.rtpmap()).then(|| number.parse().ok())?
        });
        let payload_type = mapped.or(codec.static_payload_type()).filter(|number| types.contains(number))?;
        let candidates = text.lines().filter(|line| line.starts_with("a=candidate:"));
        let (hash, fingerprint) = value("a=fingerprint:")?.split_once(' ')?;
        hash.eq_ignore_ascii_case("sha-256").then_some(())?;
        Some(Remote {
            credentials: IceCreds {
                ufrag: value("a=ice-ufrag:")?.to_owned(),
                pass: value("a=ice-pwd:")?.to_owned(),
            },
            candidates: candidates
                .filter_map(|line| Candidate::from_sdp_string(line.trim().trim_start_matches("a=")).ok())
                .collect(),
            fingerprint: fingerprint.trim().to_ascii_uppercase(),
            setup: match value("a=setup:")? {
                "active" => Setup::Active,
                "passive" => Setup::Passive,
                _ => Setup::ActPass,
            },
            payload_type,
            mid: value("a=mid:").unwrap_or("0").to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let credentials = IceCreds::new();
        let local = Local {
            address: "127.0.0.1:4000".parse().unwrap(),
            credentials: &credentials,
            fingerprint: "AB:CD",
            setup: Setup::ActPass,
            codec: Codec::Opus,
            payload_type: 111,
            ssrc: 1,
            mid: "0",
        };
        let remote = Remote::read(&local.write(), Codec::Opus).unwrap();
        assert_eq!(remote.credentials, credentials);
        assert_eq!(remote.candidates.len(), 1);
        assert_eq!(remote.candidates[0].addr(), local.address);
        assert_eq!(
            (remote.fingerprint.as_str(), remote.setup, remote.payload_type),
            ("AB:CD", Setup::ActPass, 111)
        );
        assert!(Remote::read(&local.write(), Codec::Pcmu).is_none());
    }
}
