//! Kernels in `core::arch` intrinsics.
//!
//! A kernel is reached only through a *token*, a value of no size that exists only if the CPU has every instruction
//! that the kernel uses. All that is unsafe beside calling a kernel is to read and to write memory, done by the few
//! functions at the end of this file and by the masked ones beside their kernels.

pub(crate) mod counter;
pub(crate) mod gcm;
pub(crate) mod sha_lanes;
pub(crate) mod sha_ni;

use core::arch::x86_64::*;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The key schedule of AES-128 (FIPS 197 section 5.2).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[repr(C, align(16))]
pub(crate) struct RoundKeys([[u8; 16]; 11]);

/// Proves AES-NI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AesNi(());
/// Proves VAES on 256 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vaes256(());
/// Proves VAES on 512 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vaes512(());
/// Proves VAES and VPCLMULQDQ on 512 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gcm512(());
/// Proves SHA-NI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShaNi(());
/// Proves AVX2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());
/// Proves AVX-512 on 256 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512Half(());
/// Proves AVX-512 F and BW.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

macro_rules! detect {
    ($($token:ident: $($feature:tt),+;)+) => {
        $(impl $token {
            /// The token, if the CPU and the system offer all of it.
            pub(crate) fn detect() -> Option<$token> {
                ($(is_x86_feature_detected!($feature))&&+).then_some($token(()))
            }
        })+
    };
}

detect! {
    AesNi: "aes", "ssse3";
    Vaes256: "aes", "vaes", "avx2";
    Vaes512: "aes", "vaes", "avx512f", "avx512bw";
    Gcm512: "aes", "vaes", "pclmulqdq", "vpclmulqdq", "avx512f", "avx512bw";
    ShaNi: "sha", "ssse3", "sse4.1";
    Avx2: "avx2";
    Avx512Half: "avx512f", "avx512vl";
    Avx512: "avx512f", "avx512bw";
}

impl RoundKeys {
    /// Expands a key.
    pub(crate) fn new(_: AesNi, key: &[u8; 16]) -> RoundKeys {
        // SAFETY: the token proves the features.
        unsafe { expand(key) }
    }

    /// Encrypts one block.
    pub(crate) fn encrypt(&self, _: AesNi, block: &[u8; 16]) -> [u8; 16] {
        // SAFETY: the token proves the features.
        store(unsafe { encrypt(self, load(block)) })
    }
}

#[target_feature(enable = "aes")]
fn expand(key: &[u8; 16]) -> RoundKeys {
    let mut keys = RoundKeys([[0; 16]; 11]);
    let mut last = load(key);
    keys.0[0] = *key;
    macro_rules! rounds {
        ($($round:literal: $constant:literal),+) => {
            $(last = next_key(last, _mm_aeskeygenassist_si128::<$constant>(last));
            keys.0[$round] = store(last);)+
        };
    }
    rounds!(1: 1, 2: 2, 3: 4, 4: 8, 5: 0x10, 6: 0x20, 7: 0x40, 8: 0x80, 9: 0x1B, 10: 0x36);
    keys
}

/// FIPS 197 section 5.2: each word is the XOR of the one before and the one four before.
#[target_feature(enable = "aes")]
fn next_key(last: __m128i, assist: __m128i) -> __m128i {
    let one = _mm_xor_si128(last, _mm_slli_si128::<4>(last));
    let all = _mm_xor_si128(one, _mm_slli_si128::<8>(one));
    _mm_xor_si128(all, _mm_shuffle_epi32::<0xFF>(assist))
}

#[target_feature(enable = "aes")]
pub(crate) fn encrypt(keys: &RoundKeys, block: __m128i) -> __m128i {
    let [first, middle @ .., last] = &keys.0;
    let mut block = _mm_xor_si128(block, load(first));
    for key in middle {
        block = _mm_aesenc_si128(block, load(key));
    }
    _mm_aesenclast_si128(block, load(last))
}

#[inline(always)]
fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: SSE2 is part of x86-64; 16 bytes are read from an array of 16, and no alignment is asked for.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline(always)]
fn store(vector: __m128i) -> [u8; 16] {
    let mut bytes = [0; 16];
    // SAFETY: SSE2 is part of x86-64; 16 bytes are written to an array of 16, and no alignment is asked for.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), vector) };
    bytes
}

#[target_feature(enable = "avx2")]
fn load_256(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes are read from an array of 32, and no alignment is asked for.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn store_256(bytes: &mut [u8; 32], vector: __m256i) {
    // SAFETY: 32 bytes are written to an array of 32, and no alignment is asked for.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), vector) };
}

#[target_feature(enable = "avx512f")]
fn load_512(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes are read from an array of 64, and no alignment is asked for.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
fn store_512(bytes: &mut [u8; 64], vector: __m512i) {
    // SAFETY: 64 bytes are written to an array of 64, and no alignment is asked for.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), vector) };
}

/// The first bytes of a vector from up to 64; zeros behind.
#[target_feature(enable = "avx512f,avx512bw")]
fn load_part_512(bytes: &[u8]) -> __m512i {
    // SAFETY: the mask leaves out what is behind the slice, and what is left out is not read.
    unsafe { _mm512_maskz_loadu_epi8(first_bytes(bytes.len()), bytes.as_ptr().cast()) }
}

/// The first bytes of a vector to up to 64.
#[target_feature(enable = "avx512f,avx512bw")]
fn store_part_512(bytes: &mut [u8], vector: __m512i) {
    // SAFETY: the mask leaves out what is behind the slice, and what is left out is not written.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), first_bytes(bytes.len()), vector) };
}

/// A mask of that many bytes, at most all 64.
fn first_bytes(count: usize) -> u64 {
    1u64.checked_shl(count as u32).map_or(u64::MAX, |bit| bit - 1)
}
