//! The ciphers of SRTP, each by the fastest kernel that this CPU has: AES-128 counter mode, HMAC-SHA1 alone and in
//! batches, AES-128-GCM.
//!
//! A key is a small value without anything on the heap where a kernel of ours serves it: round keys, hash states or
//! powers of the hash key, and nothing else, so that a thousand calls fit into a cache. Without a kernel the twin
//! from AWS-LC or RustCrypto does the same work.
//!
//! All `unsafe` is in `x86`: loads and stores through checked references, and calls of kernels for which a token
//! proves that the CPU has the instructions.

mod counter;
mod gcm;
mod hmac;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use counter::{CounterKernel, CounterKey, MAX_KEYSTREAM};
pub use gcm::GcmKey;
pub use hmac::{HmacKernel, HmacKey, Message, TAG_LEN, tags};

/// An input that no standard allows, or a tag that is not that of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CryptoError {
    /// More bytes than one initialisation vector may encrypt.
    TooLong,
    /// The tag is not that of this message under this key.
    Authentication,
    /// AWS-LC did not do what was asked.
    Refused,
}

/// Whether two tags are the same, in a time that depends on their lengths alone.
pub fn same_tag(expected: &[u8], received: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(expected, received).is_ok()
}
