//! AES-128-GCM (NIST SP 800-38D, RFC 7714) in place, with the tag apart.

#[cfg(target_arch = "x86_64")]
use crate::x86::{AesNi, Gcm512, RoundKeys, Vaes512, gcm::HashKey};
use crate::{CryptoError, MAX_KEYSTREAM, same_tag};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// A key for AES-128-GCM.
pub struct GcmKey(Expanded);

#[allow(clippy::large_enum_variant, reason = "in place on purpose: few CPUs lack the kernels")]
enum Expanded {
    Portable(Box<LessSafeKey>),
    #[cfg(target_arch = "x86_64")]
    Kernel(Kernel),
}

#[cfg(target_arch = "x86_64")]
struct Kernel {
    aes: AesNi,
    vaes: Vaes512,
    gcm: Gcm512,
    keys: RoundKeys,
    hash_key: HashKey,
}

impl GcmKey {
    /// Expands a key, for our kernel if the CPU has what that needs.
    ///
    /// # Errors
    /// [`CryptoError::Refused`] if AWS-LC does not take it.
    pub fn new(key: &[u8; 16]) -> Result<GcmKey, CryptoError> {
        #[cfg(target_arch = "x86_64")]
        if let Some(key) = GcmKey::with_kernel(key) {
            return Ok(key);
        }
        GcmKey::portable(key)
    }

    /// Expands a key for AWS-LC: the twin that the kernel must agree with.
    ///
    /// # Errors
    /// As of [`GcmKey::new`].
    pub fn portable(key: &[u8; 16]) -> Result<GcmKey, CryptoError> {
        let key = UnboundKey::new(&AES_128_GCM, key).map_err(|_| CryptoError::Refused)?;
        Ok(GcmKey(Expanded::Portable(Box::new(LessSafeKey::new(key)))))
    }

    #[cfg(target_arch = "x86_64")]
    fn with_kernel(key: &[u8; 16]) -> Option<GcmKey> {
        let (aes, vaes, gcm) = (AesNi::detect()?, Vaes512::detect()?, Gcm512::detect()?);
        let keys = RoundKeys::new(aes, key);
        let hash_key = gcm.hash_key(&keys.encrypt(aes, &[0; 16]));
        Some(GcmKey(Expanded::Kernel(Kernel { aes, vaes, gcm, keys, hash_key })))
    }

    /// Encrypts `data`; returns the tag over that and `associated`. No nonce may be used twice under a key.
    ///
    /// # Errors
    /// [`CryptoError::TooLong`] if `data` has more than [`MAX_KEYSTREAM`] bytes.
    pub fn seal(&self, nonce: [u8; 12], associated: &[u8], data: &mut [u8]) -> Result<[u8; 16], CryptoError> {
        if data.len() > MAX_KEYSTREAM {
            return Err(CryptoError::TooLong);
        }
        match &self.0 {
            Expanded::Portable(key) => {
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), data);
                let tag = tag.map_err(|_| CryptoError::Refused)?;
                tag.as_ref().try_into().map_err(|_| CryptoError::Refused)
            }
            #[cfg(target_arch = "x86_64")]
            Expanded::Kernel(kernel) => {
                kernel.apply_keystream(&nonce, data);
                Ok(kernel.tag(&nonce, associated, data))
            }
        }
    }

    /// Decrypts `data` if `tag` is that of it and `associated`.
    ///
    /// # Errors
    /// [`CryptoError::Authentication`]; the contents of `data` are then undefined.
    pub fn open(
        &self,
        nonce: [u8; 12],
        associated: &[u8],
        data: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), CryptoError> {
        if data.len() > MAX_KEYSTREAM {
            return Err(CryptoError::TooLong);
        }
        match &self.0 {
            Expanded::Portable(key) => {
                let nonce = Nonce::assume_unique_for_key(nonce);
                let opened = key.open_in_place_separate_tag(nonce, Aad::from(associated), tag, data);
                opened.map(|_| ()).map_err(|_| CryptoError::Authentication)
            }
            #[cfg(target_arch = "x86_64")]
            Expanded::Kernel(kernel) => {
                if !same_tag(&kernel.tag(&nonce, associated, data), tag) {
                    return Err(CryptoError::Authentication);
                }
                kernel.apply_keystream(&nonce, data);
                Ok(())
            }
        }
    }
}

/// SP 800-38D section 7.1: with a nonce of 96 bits, J0 is it and a counter of 1; the data begins at 2.
#[cfg(target_arch = "x86_64")]
fn counter_block(nonce: &[u8; 12], counter: u8) -> [u8; 16] {
    let mut block = [0; 16];
    block[..12].copy_from_slice(nonce);
    block[15] = counter;
    block
}

#[cfg(target_arch = "x86_64")]
impl Kernel {
    fn apply_keystream(&self, nonce: &[u8; 12], data: &mut [u8]) {
        self.vaes.apply_keystream(&self.keys, u128::from_be_bytes(counter_block(nonce, 2)), data);
    }

    fn tag(&self, nonce: &[u8; 12], associated: &[u8], ciphertext: &[u8]) -> [u8; 16] {
        let mask = self.keys.encrypt(self.aes, &counter_block(nonce, 1));
        self.gcm.tag(&self.hash_key, &mask, associated, ciphertext)
    }
}
