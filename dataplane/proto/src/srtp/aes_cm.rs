//! AES counter mode with HMAC-SHA1 (RFC 3711 sections 4.1.1 and 4.2.1).

use tandem_crypto::{CounterKey, HmacKey, same_tag};
use zeroize::Zeroizing;

use super::SrtpError;
use super::kdf::{Label, Master};

/// The longest tag: all of the HMAC that is ever sent.
pub(super) const MAX_TAG_LEN: usize = 10;

/// The session keys of RTP, or those of RTCP: all in one place, a few cache lines.
pub(super) struct AesCm {
    cipher: CounterKey,
    /// The 112-bit salt, shifted left by the 16 bits of the block counter.
    salt: Zeroizing<u128>,
    hmac: HmacKey,
}

impl AesCm {
    /// Derives the keys with the labels for encryption, authentication and salt.
    pub(super) fn new(master: &Master, labels: [Label; 3]) -> Result<AesCm, SrtpError> {
        let [encryption, authentication, salting] = labels;
        let mut cipher_key = Zeroizing::new([0; 16]);
        master.derive(encryption, &mut cipher_key[..])?;
        let mut authentication_key = Zeroizing::new([0; 20]);
        master.derive(authentication, &mut authentication_key[..])?;
        let mut salt = Zeroizing::new([0; 16]);
        master.derive(salting, &mut salt[..14])?;
        let salt = Zeroizing::new(u128::from_be_bytes(*salt));
        let cipher = CounterKey::new(&cipher_key)?;
        Ok(AesCm { cipher, salt, hmac: HmacKey::new(&authentication_key[..]) })
    }

    /// Encrypts or decrypts `data`. RFC 3711 section 4.1.1: IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16), the
    /// last 16 bits of which are the block counter.
    pub(super) fn apply_keystream(&self, ssrc: u32, index: u64, data: &mut [u8]) -> Result<(), SrtpError> {
        let iv = *self.salt ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16;
        self.cipher.apply_keystream(iv, data)?;
        Ok(())
    }

    /// The key for tags.
    pub(super) fn hmac(&self) -> &HmacKey {
        &self.hmac
    }

    /// The tag over `data` and the 32 bits behind it (roll-over counter of RTP, index word of RTCP).
    pub(super) fn tag(&self, data: &[u8], behind: [u8; 4]) -> [u8; MAX_TAG_LEN] {
        shortened(&self.hmac.tag(data, behind))
    }
}

/// The part of the HMAC that is sent at most (RFC 3711 section 5.2).
pub(super) fn shortened(tag: &[u8; tandem_crypto::TAG_LEN]) -> [u8; MAX_TAG_LEN] {
    std::array::from_fn(|place| tag[place])
}

/// Compares a received tag in constant time.
pub(super) fn verify(expected: &[u8; MAX_TAG_LEN], received: &[u8]) -> Result<(), SrtpError> {
    let expected = expected.get(..received.len()).ok_or(SrtpError::Authentication)?;
    if same_tag(expected, received) { Ok(()) } else { Err(SrtpError::Authentication) }
}
