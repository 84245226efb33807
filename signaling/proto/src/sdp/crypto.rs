//! Keys in descriptions (SDES, RFC 4568; RFC 7714 section 14.3 for the AEAD suites).

use super::{Random, SdpError, malformed};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use tandem_control::{SrtpKey, SrtpSuite};
use zeroize::Zeroizing;

/// The most `a=crypto` lines that are looked at.
const MAX_LINES: usize = 16;
/// The suites that we offer, in the order of preference. The first is what every telephone has.
pub(crate) const OFFERED: [SrtpSuite; 4] = [
    SrtpSuite::AesCm128HmacSha1_80,
    SrtpSuite::AeadAes128Gcm,
    SrtpSuite::AeadAes256Gcm,
    SrtpSuite::AesCm128HmacSha1_32,
];

/// One `a=crypto` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// Its tag, which the answer repeats (RFC 4568 section 5.1.2).
    pub tag: u32,
    /// Its suite and key.
    pub key: SrtpKey,
}

impl Crypto {
    /// The value of the line.
    pub(crate) fn write(&self) -> String {
        self.write_as(true, false)
    }

    /// The value of the line, with or without base64's padding, with or without the longest lifetime (RFC 4568
    /// section 6.1).
    pub(crate) fn write_as(&self, padded: bool, with_lifetime: bool) -> String {
        let engine = if padded { STANDARD } else { STANDARD_NO_PAD };
        let key = Zeroizing::new(engine.encode(&self.key.key_and_salt));
        let lifetime = if with_lifetime { "|2^31" } else { "" };
        format!("{} {} inline:{}{lifetime}", self.tag, suite_name(self.key.suite), key.as_str())
    }
}

/// A line for each suite, with fresh keys.
pub(crate) fn offer(random: Random<'_>) -> Vec<Crypto> {
    (1..).zip(OFFERED).map(|(tag, suite)| Crypto { tag, key: new_key(suite, random) }).collect()
}

/// A fresh key for one suite.
pub(crate) fn new_key(suite: SrtpSuite, random: Random<'_>) -> SrtpKey {
    let mut key_and_salt = vec![0; suite.key_len() + suite.salt_len()];
    random(&mut key_and_salt);
    SrtpKey { suite, key_and_salt }
}

/// The lines that can be used, in the peer's order. A line with an unknown suite, a session parameter that we do
/// not honour or several keys is passed over (RFC 4568 section 5.1.2); one that is malformed is an error.
pub(crate) fn read_all<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Crypto>, SdpError> {
    let mut all = Vec::new();
    for line in lines.take(MAX_LINES) {
        let mut fields = line.split_ascii_whitespace();
        let (Some(tag), Some(suite), Some(keys)) = (fields.next(), fields.next(), fields.next()) else {
            return malformed("a=crypto without tag, suite and key");
        };
        let Some(tag) = tag.parse().ok().filter(|_| tag.len() <= 9) else {
            return malformed("the tag of a=crypto is no number of one to nine digits");
        };
        let Some(suite) = suite_of(suite) else { continue };
        if keys.contains(';') || !fields.all(is_harmless) {
            continue;
        }
        let Some(key_and_salt) = read_key(keys, suite) else {
            return malformed("the key of a=crypto is malformed or of the wrong length");
        };
        if let Some(key_and_salt) = key_and_salt {
            all.push(Crypto { tag, key: SrtpKey { suite, key_and_salt } });
        }
    }
    Ok(all)
}

/// Session parameters that change nothing for us: a window size is advice (RFC 4568 section 6.3.6), and a `-`
/// says that the parameter may be ignored (section 6.3.7).
fn is_harmless(parameter: &str) -> bool {
    parameter.starts_with("WSH=") || parameter.starts_with('-')
}

/// `inline:key||salt[|lifetime][|mki:length]`. The outer `None` is a malformed key; the inner one asks for a
/// master key identifier, which we do not send.
fn read_key(text: &str, suite: SrtpSuite) -> Option<Option<Vec<u8>>> {
    let (method, information) = text.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") {
        return None;
    }
    let mut parts = information.split('|');
    let encoded = parts.next()?.trim_end_matches('=');
    let key = STANDARD_NO_PAD.decode(encoded).ok()?;
    if key.len() != suite.key_len() + suite.salt_len() {
        return None;
    }
    Some(if parts.any(|part| part.contains(':')) { None } else { Some(key) })
}

/// The suite's name in a description (RFC 4568 section 6.2, RFC 7714 section 14.3.1).
pub(crate) fn suite_name(suite: SrtpSuite) -> &'static str {
    match suite {
        SrtpSuite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
        SrtpSuite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        SrtpSuite::AeadAes128Gcm => "AEAD_AES_128_GCM",
        SrtpSuite::AeadAes256Gcm => "AEAD_AES_256_GCM",
    }
}

/// The suite with that name, whatever its case.
pub(crate) fn suite_of(name: &str) -> Option<SrtpSuite> {
    OFFERED.into_iter().find(|suite| suite_name(*suite).eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting() -> impl FnMut(&mut [u8]) {
        let mut next = 0u8;
        move |bytes: &mut [u8]| {
            for byte in bytes {
                next = next.wrapping_add(1);
                *byte = next;
            }
        }
    }

    #[test]
    fn what_we_offer_reads_back() {
        let offered = offer(&mut counting());
        let lines: Vec<String> = offered.iter().map(Crypto::write).collect();
        assert_eq!(read_all(lines.iter().map(String::as_str)).unwrap(), offered);
    }

    #[test]
    fn the_example_of_rfc_4568_is_read_without_its_unsupported_parameters() {
        let line = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4";
        assert_eq!(read_all([line].into_iter()), Ok(vec![]));
        let line = "2 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20 WSH=64";
        assert_eq!(read_all([line].into_iter()).unwrap()[0].key.suite, SrtpSuite::AesCm128HmacSha1_32);
    }

    #[test]
    fn unencrypted_and_unknown_offers_are_passed_over() {
        let lines = [
            "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz UNENCRYPTED_SRTP",
            "2 F8_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
        ];
        assert_eq!(read_all(lines.into_iter()), Ok(vec![]));
    }

    #[test]
    fn short_keys_are_malformed() {
        let error = read_all(["1 AES_CM_128_HMAC_SHA1_80 inline:WVNf"].into_iter()).unwrap_err();
        assert_eq!(error.status(), 400);
        assert!(!error.to_string().contains("WVNf"));
    }
}
