//! Certificate fingerprints (RFC 8122 section 5).

use super::{SdpError, malformed};
use std::fmt::Write;
use tandem_control::{Fingerprint, FingerprintHash, MAX_FINGERPRINTS};

/// Our certificate's fingerprint, as the value of an `a=fingerprint` line.
pub(crate) fn write(sha256: &[u8; 32]) -> String {
    let mut text = String::from("sha-256 ");
    for (index, byte) in sha256.iter().enumerate() {
        let colon = if index == 0 { "" } else { ":" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}

/// The fingerprints with a hash that is accepted; weaker ones beside them are passed over.
pub(crate) fn read_all<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Fingerprint>, SdpError> {
    let mut fingerprints = Vec::new();
    for line in lines {
        let Some((name, digest)) = line.trim().split_once(' ') else {
            return malformed("a=fingerprint without a digest");
        };
        let hash = match name.to_ascii_lowercase().as_str() {
            "sha-256" => FingerprintHash::Sha256,
            "sha-384" => FingerprintHash::Sha384,
            "sha-512" => FingerprintHash::Sha512,
            _ => continue,
        };
        let digest = digest.trim().split(':').map(hex_byte).collect::<Option<Vec<u8>>>();
        let Some(digest) = digest.filter(|digest| digest.len() == digest_len(hash)) else {
            return malformed(format!("a=fingerprint has no {name} digest"));
        };
        if fingerprints.len() < MAX_FINGERPRINTS {
            fingerprints.push(Fingerprint { hash, digest });
        }
    }
    Ok(fingerprints)
}

fn digest_len(hash: FingerprintHash) -> usize {
    match hash {
        FingerprintHash::Sha256 => 32,
        FingerprintHash::Sha384 => 48,
        FingerprintHash::Sha512 => 64,
    }
}

fn hex_byte(text: &str) -> Option<u8> {
    let hexadecimal = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal { u8::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_reads_back() {
        let digest: [u8; 32] = std::array::from_fn(|index| index as u8 * 7);
        let read = read_all([write(&digest).as_str()].into_iter()).unwrap();
        assert_eq!(read, [Fingerprint { hash: FingerprintHash::Sha256, digest: digest.to_vec() }]);
    }

    #[test]
    fn sha1_is_passed_over_and_a_short_digest_refused() {
        assert_eq!(read_all(["sha-1 AB:CD"].into_iter()), Ok(vec![]));
        assert_eq!(read_all(["sha-256 AB:CD"].into_iter()).unwrap_err().status(), 400);
        assert_eq!(read_all(["sha-256"].into_iter()).unwrap_err().status(), 400);
    }
}
