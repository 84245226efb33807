//! Session descriptions of one audio stream: those that the generator's telephones send, and what it needs to know of
//! the relay's.

use crate::media::Codec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use tandem_control::{SrtpKey, SrtpSuite};

/// The suite that all SDES calls use.
pub(super) const SUITE: SrtpSuite = SrtpSuite::AesCm128HmacSha1_80;
const SUITE_NAME: &str = "AES_CM_128_HMAC_SHA1_80";

/// A description of one stream of `codec`.
pub(super) fn write(
    address: SocketAddrV4,
    protocol: &str,
    codec: Codec,
    payload_type: u8,
    attributes: &str,
) -> String {
    let (ip, port, rtpmap) = (address.ip(), address.port(), codec.rtpmap());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} {protocol} {payload_type}\r\n\
         a=rtpmap:{payload_type} {rtpmap}\r\na=ptime:20\r\n{attributes}"
    )
}

/// The attribute that offers or answers `key` (RFC 4568 section 9.1).
pub(super) fn crypto(tag: &str, key: &SrtpKey) -> String {
    let mut line = String::new();
    // Writing to a string cannot fail.
    let _ =
        write!(line, "a=crypto:{tag} {SUITE_NAME} inline:{}\r\n", STANDARD_NO_PAD.encode(&key.key_and_salt));
    line
}

/// Where the description says that media is received.
pub(super) fn address(sdp: &str) -> Option<SocketAddrV4> {
    let port = value(sdp, "m=audio ")?.split(' ').next()?.parse().ok()?;
    let ip: Ipv4Addr = value(sdp, "c=IN IP4 ")?.parse().ok()?;
    Some(SocketAddrV4::new(ip, port))
}

/// The payload type that the description gives `codec`.
pub(super) fn payload_type(sdp: &str, codec: Codec) -> Option<u8> {
    let mapped = sdp.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' '));
    let mut found = mapped.filter(|(_, name)| {
        // RFC 8866 section 6.6: encoding names are compared without regard to case.
        name.get(..codec.rtpmap().len()).is_some_and(|name| name.eq_ignore_ascii_case(codec.rtpmap()))
    });
    // RFC 3551: the static types need no a=rtpmap.
    found.next().and_then(|(number, _)| number.parse().ok()).or(codec.static_payload_type())
}

/// The key that the description has for [`SUITE`], with its tag.
pub(super) fn key(sdp: &str) -> Option<(&str, SrtpKey)> {
    let attributes = sdp.lines().filter_map(|line| line.strip_prefix("a=crypto:"));
    let mut ours = attributes.filter_map(|attribute| {
        let mut words = attribute.split(' ');
        let (tag, suite, parameters) = (words.next()?, words.next()?, words.next()?);
        let text = parameters.strip_prefix("inline:")?.split('|').next()?.trim_end_matches('=');
        let key_and_salt = STANDARD_NO_PAD.decode(text).ok()?;
        (suite == SUITE_NAME).then_some((tag, SrtpKey { suite: SUITE, key_and_salt }))
    });
    ours.next()
}

fn value<'a>(sdp: &'a str, start: &str) -> Option<&'a str> {
    sdp.lines().find_map(|line| line.strip_prefix(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let key = SrtpKey { suite: SUITE, key_and_salt: (0..30).collect() };
        let here = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4000);
        let sdp = write(here, "RTP/SAVP", Codec::Opus, 100, &crypto("3", &key));
        assert_eq!(address(&sdp), Some(here));
        assert_eq!(payload_type(&sdp, Codec::Opus), Some(100));
        assert_eq!(payload_type(&sdp, Codec::Pcma), Some(8));
        assert_eq!(super::key(&sdp), Some(("3", key)));
    }
}
