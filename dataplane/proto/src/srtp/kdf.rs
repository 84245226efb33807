//! Session keys from a master key (RFC 3711 section 4.3, with the AES-256 function of RFC 6188).

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use tandem_control::SrtpKey;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::SrtpError;

/// What a session key is for (RFC 3711 section 4.3.1).
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// A master key and its salt.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Master {
    /// 16 or 32 bytes.
    key: Vec<u8>,
    /// 14 bytes; the 12 of the AEAD suites with zeros behind (RFC 7714 section 11).
    salt: [u8; 14],
}

impl Master {
    pub(super) fn new(key: &SrtpKey) -> Result<Master, SrtpError> {
        if key.key_and_salt.len() != key.suite.key_len() + key.suite.salt_len() {
            return Err(SrtpError::BadKey);
        }
        let (master_key, master_salt) = key.key_and_salt.split_at(key.suite.key_len());
        let mut salt = [0; 14];
        salt[..master_salt.len()].copy_from_slice(master_salt);
        Ok(Master { key: master_key.to_vec(), salt })
    }

    /// Fills `output` with the session key for `label`; the key derivation rate is 0, so that r is 0.
    pub(super) fn derive(&self, label: Label, output: &mut [u8]) -> Result<(), SrtpError> {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        iv[7] ^= label as u8;
        output.fill(0);
        let algorithm = if self.key.len() == 16 { &AES_128 } else { &AES_256 };
        let cipher = UnboundCipherKey::new(algorithm, &self.key).and_then(EncryptingKey::ctr);
        let cipher = cipher.map_err(|_| SrtpError::BadKey)?;
        let derived = cipher.less_safe_encrypt(output, EncryptionContext::Iv128(iv.into()));
        derived.map(|_| ()).map_err(|_| SrtpError::BadKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::hex;
    use tandem_control::SrtpSuite;

    /// RFC 3711 appendix B.3.
    #[test]
    fn published_key_derivation() {
        let key = SrtpKey {
            suite: SrtpSuite::AesCm128HmacSha1_80,
            key_and_salt: hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6"),
        };
        let master = Master::new(&key).unwrap();
        let mut cipher_key = [0xFF; 16];
        master.derive(Label::RtpEncryption, &mut cipher_key).unwrap();
        assert_eq!(cipher_key[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
        let mut salt = [0; 14];
        master.derive(Label::RtpSalt, &mut salt).unwrap();
        assert_eq!(salt[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
        let mut authentication_key = [0; 94];
        master.derive(Label::RtpAuthentication, &mut authentication_key).unwrap();
        let published = "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
            E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
            6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2";
        assert_eq!(authentication_key[..], hex(published));
    }

    #[test]
    fn a_key_of_the_wrong_length_is_refused() {
        let key = SrtpKey { suite: SrtpSuite::AeadAes256Gcm, key_and_salt: vec![0; 28] };
        assert!(matches!(Master::new(&key), Err(SrtpError::BadKey)));
    }
}
