//! AES counter mode with HMAC-SHA1 (RFC 3711 sections 4.1.1 and 4.2.1).

use aes::Aes128;
use aes::cipher::KeyInit;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use ctr::cipher::{InnerIvInit, StreamCipher};
use ctr::{Ctr128BE, CtrCore, flavors};
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::SrtpError;
use super::kdf::{Label, Master};

/// The longest tag: all of the HMAC that is ever sent.
pub(super) const MAX_TAG_LEN: usize = 10;
const SHA1_BLOCK: usize = 64;

/// The session keys of RTP, or those of RTCP.
pub(super) struct AesCm {
    cipher: Aes128,
    /// The 112-bit salt, shifted left by the 16 bits of the block counter.
    salt: [u8; 16],
    hmac: HmacSha1,
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
        Ok(AesCm {
            cipher: Aes128::new((&*cipher_key).into()),
            salt,
            hmac: HmacSha1::new(&authentication_key),
        })
    }

    /// Encrypts or decrypts `data`. RFC 3711 section 4.1.1: IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16).
    pub(super) fn apply_keystream(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        let iv = u128::from_be_bytes(self.salt) ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16;
        let iv = iv.to_be_bytes();
        let core = CtrCore::<&Aes128, flavors::Ctr128BE>::inner_iv_init(&self.cipher, (&iv).into());
        Ctr128BE::from_core(core).apply_keystream(data);
    }

    /// The tag over `data` and the 32 bits behind it (roll-over counter of RTP, index word of RTCP).
    pub(super) fn tag(&self, data: &[u8], behind: &[u8]) -> [u8; MAX_TAG_LEN] {
        let mut tag = [0; MAX_TAG_LEN];
        tag.copy_from_slice(&self.hmac.digest(data, behind)[..MAX_TAG_LEN]);
        tag
    }

    /// Compares a received tag in constant time.
    pub(super) fn verify(&self, data: &[u8], behind: &[u8], tag: &[u8]) -> Result<(), SrtpError> {
        let expected = self.tag(data, behind);
        let expected = expected.get(..tag.len()).ok_or(SrtpError::Authentication)?;
        verify_slices_are_equal(expected, tag).map_err(|_| SrtpError::Authentication)
    }
}

/// HMAC (RFC 2104) with the block of the padded key hashed in advance, for both hashes.
struct HmacSha1 {
    inner: Sha1,
    outer: Sha1,
}

impl HmacSha1 {
    fn new(key: &[u8; 20]) -> HmacSha1 {
        let keyed = |pad: u8| {
            let mut block = Zeroizing::new([pad; SHA1_BLOCK]);
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Sha1::new_with_prefix(&block[..])
        };
        HmacSha1 { inner: keyed(0x36), outer: keyed(0x5C) }
    }

    fn digest(&self, data: &[u8], behind: &[u8]) -> [u8; 20] {
        let inner = self.inner.clone().chain_update(data).chain_update(behind).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::hex;

    /// RFC 3711 appendix B.2: the first blocks of the key stream, and those around the middle.
    #[test]
    fn published_keystream() {
        let key: [u8; 16] = hex("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap();
        let mut salt = [0; 16];
        salt[..14].copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"));
        let keys = AesCm { cipher: Aes128::new((&key).into()), salt, hmac: HmacSha1::new(&[0; 20]) };
        let mut stream = vec![0; 0xFF02 * 16];
        keys.apply_keystream(0, 0, &mut stream);
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

    /// RFC 2202 section 3, cases 1 and 3, whose keys are 20 bytes long.
    #[test]
    fn published_hmac() {
        let hmac = HmacSha1::new(&[0x0B; 20]);
        assert_eq!(hmac.digest(b"Hi T", b"here")[..], hex("B617318655057264E28BC0B6FB378C8EF146BE00"));
        let hmac = HmacSha1::new(&[0xAA; 20]);
        assert_eq!(hmac.digest(&[0xDD; 50], b"")[..], hex("125D7342B9AC11CD91A39AF48AA17B4F63F175D3"));
    }
}
