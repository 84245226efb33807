//! AES counter mode with HMAC-SHA1 (RFC 3711 sections 4.1.1 and 4.2.1).

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::SrtpError;
use super::kdf::{Label, Master};

/// The longest tag: all of the HMAC that is ever sent.
pub(super) const MAX_TAG_LEN: usize = 10;

/// The session keys of RTP, or those of RTCP.
pub(super) struct AesCm {
    cipher: CounterMode,
    /// The 112-bit salt, shifted left by the 16 bits of the block counter.
    salt: [u8; 16],
    /// Holds the hash states of both padded keys, computed once.
    hmac: hmac::Key,
}

impl AesCm {
    /// Derives the keys with the labels for encryption, authentication and salt.
    pub(super) fn new(master: &Master, labels: [Label; 3]) -> Result<AesCm, SrtpError> {
        let [encryption, authentication, salting] = labels;
        let mut cipher_key = Zeroizing::new([0; 16]);
        master.derive(encryption, &mut cipher_key[..])?;
        let mut authentication_key = Zeroizing::new([0; 20]);
        master.derive(authentication, &mut authentication_key[..])?;
        let mut salt = [0; 16];
        master.derive(salting, &mut salt[..14])?;
        let hmac = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &authentication_key[..]);
        Ok(AesCm { cipher: CounterMode::new(&cipher_key[..])?, salt, hmac })
    }

    /// Encrypts or decrypts `data`. RFC 3711 section 4.1.1: IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16).
    pub(super) fn apply_keystream(&self, ssrc: u32, index: u64, data: &mut [u8]) -> Result<(), SrtpError> {
        let iv = u128::from_be_bytes(self.salt) ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16;
        self.cipher.apply_keystream(iv, data)
    }

    /// The tag over `data` and the 32 bits behind it (roll-over counter of RTP, index word of RTCP).
    pub(super) fn tag(&self, data: &[u8], behind: &[u8]) -> [u8; MAX_TAG_LEN] {
        let mut context = hmac::Context::with_key(&self.hmac);
        context.update(data);
        context.update(behind);
        let mut tag = [0; MAX_TAG_LEN];
        tag.copy_from_slice(&context.sign().as_ref()[..MAX_TAG_LEN]);
        tag
    }

    /// Compares a received tag in constant time.
    pub(super) fn verify(&self, data: &[u8], behind: &[u8], tag: &[u8]) -> Result<(), SrtpError> {
        let expected = self.tag(data, behind);
        let expected = expected.get(..tag.len()).ok_or(SrtpError::Authentication)?;
        verify_slices_are_equal(expected, tag).map_err(|_| SrtpError::Authentication)
    }
}

/// AES in counter mode, with a counter of 128 bits that starts at the IV.
pub(super) struct CounterMode {
    key: EncryptingKey,
}

impl CounterMode {
    /// Takes a key of 16 or 32 bytes.
    pub(super) fn new(key: &[u8]) -> Result<CounterMode, SrtpError> {
        let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
        let key = UnboundCipherKey::new(algorithm, key).and_then(EncryptingKey::ctr);
        Ok(CounterMode { key: key.map_err(|_| SrtpError::BadKey)? })
    }

    /// XORs the key stream into `data`.
    pub(super) fn apply_keystream(&self, iv: u128, data: &mut [u8]) -> Result<(), SrtpError> {
        let iv = EncryptionContext::Iv128(iv.to_be_bytes().into());
        let encrypted = self.key.less_safe_encrypt(data, iv);
        encrypted.map(|_| ()).map_err(|_| SrtpError::BadKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::hex;

    /// RFC 3711 appendix B.2: the first blocks of the key stream, and those around the middle.
    #[test]
    fn published_keystream() {
        let cipher = CounterMode::new(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
        let mut salt = [0; 16];
        salt[..14].copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"));
        let hmac = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[0; 20]);
        let keys = AesCm { cipher, salt, hmac };
        let mut stream = vec![0; 0xFF02 * 16];
        keys.apply_keystream(0, 0, &mut stream).unwrap();
        assert_eq!(
            stream[..48],
            hex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
                 41E95B3BB0A2E8DD477901E4FCA894C0")
        );
        assert_eq!(
            stream[0xFEFF * 16..],
            hex("EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE
                 6A2CC3787889374FBEB4C81B17BA6C44")
        );
    }
}
