//! AES-128 in counter mode (NIST SP 800-38A section 6.5; RFC 3711 section 4.1.1).

use crate::CryptoError;
#[cfg(target_arch = "x86_64")]
use crate::x86::{AesNi, RoundKeys, Vaes256, Vaes512};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};

/// The most bytes that one initialisation vector encrypts: 2^16 blocks (RFC 3711 section 4.1.1).
pub const MAX_KEYSTREAM: usize = 16 << 16;

/// What computes a key stream.
#[derive(Clone, Copy, Debug)]
pub struct CounterKernel(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Blocks1(AesNi),
    #[cfg(target_arch = "x86_64")]
    Blocks2(AesNi, Vaes256),
    #[cfg(target_arch = "x86_64")]
    Blocks4(AesNi, Vaes512),
}

impl CounterKernel {
    /// Those that this CPU has, the fastest last. The first is the twin that every other must agree with.
    pub fn available() -> Vec<CounterKernel> {
        let mut kinds = vec![Kind::Portable];
        #[cfg(target_arch = "x86_64")]
        if let Some(aes) = AesNi::detect() {
            kinds.push(Kind::Blocks1(aes));
            kinds.extend(Vaes256::detect().map(|vaes| Kind::Blocks2(aes, vaes)));
            kinds.extend(Vaes512::detect().map(|vaes| Kind::Blocks4(aes, vaes)));
        }
        kinds.into_iter().map(CounterKernel).collect()
    }

    /// The name of it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "aws-lc",
            #[cfg(target_arch = "x86_64")]
            Kind::Blocks1(_) => "aes-ni",
            #[cfg(target_arch = "x86_64")]
            Kind::Blocks2(..) => "vaes-256",
            #[cfg(target_arch = "x86_64")]
            Kind::Blocks4(..) => "vaes-512",
        }
    }
}

/// A key for counter mode.
pub struct CounterKey(Expanded);

#[allow(clippy::large_enum_variant, reason = "in place on purpose: few CPUs lack the kernels")]
enum Expanded {
    Portable(Box<EncryptingKey>),
    #[cfg(target_arch = "x86_64")]
    Blocks1(AesNi, RoundKeys),
    #[cfg(target_arch = "x86_64")]
    Blocks2(Vaes256, RoundKeys),
    #[cfg(target_arch = "x86_64")]
    Blocks4(Vaes512, RoundKeys),
}

impl CounterKey {
    /// Expands a key, for the fastest kernel.
    ///
    /// # Errors
    /// [`CryptoError::Refused`] if AWS-LC does not take it.
    pub fn new(key: &[u8; 16]) -> Result<CounterKey, CryptoError> {
        let fastest = CounterKernel::available().pop().unwrap_or(CounterKernel(Kind::Portable));
        CounterKey::with_kernel(fastest, key)
    }

    /// Expands a key for that kernel.
    ///
    /// # Errors
    /// As of [`CounterKey::new`].
    pub fn with_kernel(kernel: CounterKernel, key: &[u8; 16]) -> Result<CounterKey, CryptoError> {
        Ok(CounterKey(match kernel.0 {
            Kind::Portable => {
                let key = UnboundCipherKey::new(&AES_128, key).and_then(EncryptingKey::ctr);
                Expanded::Portable(Box::new(key.map_err(|_| CryptoError::Refused)?))
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Blocks1(aes) => Expanded::Blocks1(aes, RoundKeys::new(aes, key)),
            #[cfg(target_arch = "x86_64")]
            Kind::Blocks2(aes, vaes) => Expanded::Blocks2(vaes, RoundKeys::new(aes, key)),
            #[cfg(target_arch = "x86_64")]
            Kind::Blocks4(aes, vaes) => Expanded::Blocks4(vaes, RoundKeys::new(aes, key)),
        }))
    }

    /// XORs the key stream of an initialisation vector, given as a big-endian number, into `data`. The last 16 bits of
    /// every block are its counter, from 0; those of `iv` do not count.
    ///
    /// # Errors
    /// [`CryptoError::TooLong`] if `data` has more than [`MAX_KEYSTREAM`] bytes; it is then as it was.
    pub fn apply_keystream(&self, iv: u128, data: &mut [u8]) -> Result<(), CryptoError> {
        if data.len() > MAX_KEYSTREAM {
            return Err(CryptoError::TooLong);
        }
        let counter = iv & !0xFFFF;
        match &self.0 {
            Expanded::Portable(key) => {
                let encrypted =
                    key.less_safe_encrypt(data, EncryptionContext::Iv128(counter.to_be_bytes().into()));
                return encrypted.map(|_| ()).map_err(|_| CryptoError::Refused);
            }
            #[cfg(target_arch = "x86_64")]
            Expanded::Blocks1(aes, keys) => aes.apply_keystream(keys, counter, data),
            #[cfg(target_arch = "x86_64")]
            Expanded::Blocks2(vaes, keys) => vaes.apply_keystream(keys, counter, data),
            #[cfg(target_arch = "x86_64")]
            Expanded::Blocks4(vaes, keys) => vaes.apply_keystream(keys, counter, data),
        }
        Ok(())
    }
}
