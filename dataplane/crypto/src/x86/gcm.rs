//! AES-128-GCM (NIST SP 800-38D) for packets: VAES and VPCLMULQDQ on 512 bits.
//!
//! GHASH is computed as POLYVAL (RFC 8452 appendix A): with the bytes of all blocks turned round and the hash key
//! multiplied by x, its products need no shift. Up to [`POWERS`] products are added up before the one reduction.

use super::counter::REVERSED;
use super::{Gcm512, load, load_512, load_part_512, store};
use core::arch::x86_64::*;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Blocks whose products share a reduction: an audio packet's ciphertext and the block of lengths.
const POWERS: usize = 12;

/// The hash key's powers, the highest first.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[repr(C, align(16))]
pub(crate) struct HashKey([u8; 16 * POWERS]);

impl Gcm512 {
    /// The powers of the hash key, which is the encryption of zeros.
    pub(crate) fn hash_key(self, zeros: &[u8; 16]) -> HashKey {
        // SAFETY: the token proves the features.
        unsafe { hash_key(zeros) }
    }

    /// The tag of a ciphertext and its associated data. `mask` is the encryption of the first counter block.
    pub(crate) fn tag(
        self,
        key: &HashKey,
        mask: &[u8; 16],
        associated: &[u8],
        ciphertext: &[u8],
    ) -> [u8; 16] {
        // SAFETY: the token proves the features.
        unsafe { tag(key, mask, associated, ciphertext) }
    }
}

/// A product of two polynomials before its reduction, in up to four places: bits 0 to 127, 64 to 191, 128 to 255.
#[derive(Clone, Copy)]
struct Product {
    low: __m512i,
    middle: __m512i,
    high: __m512i,
}

#[target_feature(enable = "aes,vaes,pclmulqdq,vpclmulqdq,avx512f,avx512bw")]
fn hash_key(zeros: &[u8; 16]) -> HashKey {
    // RFC 8452 appendix A: mulX_POLYVAL, the shift by one bit with its reduction; no branch on the key.
    let value = u128::from_be_bytes(*zeros);
    let reduction = (value >> 127).wrapping_neg() & 0xC200_0000_0000_0000_0000_0000_0000_0001;
    let first = value << 1 ^ reduction;
    let mut key = HashKey([0; 16 * POWERS]);
    let mut power = load(&first.to_le_bytes());
    let one = _mm512_zextsi128_si512(power);
    for place in key.0.as_chunks_mut::<16>().0.iter_mut().rev() {
        *place = store(power);
        power = reduce(multiply(_mm512_zextsi128_si512(power), one));
    }
    key
}

#[target_feature(enable = "aes,vaes,pclmulqdq,vpclmulqdq,avx512f,avx512bw")]
fn tag(key: &HashKey, mask: &[u8; 16], associated: &[u8], ciphertext: &[u8]) -> [u8; 16] {
    let lengths = (associated.len() as u128 * 8) << 64 | (ciphertext.len() as u128 * 8);
    let lengths = load(&lengths.to_le_bytes());
    let mut hash = _mm_setzero_si128();
    for group in associated.chunks(16 * POWERS) {
        hash = reduce(absorb(key, hash, group, 0));
    }
    // The lengths are hashed with the last of the ciphertext, if there is a power left for them.
    let last = ciphertext.len() - ciphertext.len() % (16 * POWERS);
    let (groups, mut last) = ciphertext.split_at(last);
    for group in groups.chunks_exact(16 * POWERS) {
        hash = reduce(absorb(key, hash, group, 0));
    }
    if last.len() > 16 * (POWERS - 1) {
        hash = reduce(absorb(key, hash, last, 0));
        last = &[];
    }
    if last.is_empty() {
        // Nothing carries the hash on: it meets the lengths instead.
        let of_lengths = _mm512_zextsi128_si512(_mm_xor_si128(lengths, hash));
        hash = reduce(multiply(of_lengths, power(key, 1)));
    } else {
        let of_lengths = multiply(_mm512_zextsi128_si512(lengths), power(key, 1));
        hash = reduce(add(absorb(key, hash, last, 1), of_lengths));
    }
    let hash = _mm_shuffle_epi8(hash, load(&REVERSED));
    store(_mm_xor_si128(hash, load(mask)))
}

/// The hash so far added to the first block, and each block multiplied by the power that its place asks for, with
/// `behind` more blocks to come. `data` is not empty and has at most `POWERS - behind` blocks.
#[target_feature(enable = "vpclmulqdq,avx512f,avx512bw")]
fn absorb(key: &HashKey, hash: __m128i, data: &[u8], behind: usize) -> Product {
    let reversed = _mm512_broadcast_i32x4(load(&REVERSED));
    let blocks = data.len().div_ceil(16);
    let powers = key.0.get(16 * (POWERS - blocks - behind)..16 * (POWERS - behind)).unwrap_or_default();
    let mut carried = _mm512_zextsi128_si512(hash);
    let zero = _mm512_setzero_si512();
    let mut sum = Product { low: zero, middle: zero, high: zero };
    for (part, powers) in data.chunks(64).zip(powers.chunks(64)) {
        let block = _mm512_shuffle_epi8(load_up_to_512(part), reversed);
        sum = add(sum, multiply(_mm512_xor_si512(block, carried), load_up_to_512(powers)));
        carried = zero;
    }
    sum
}

#[target_feature(enable = "avx512f,avx512bw")]
fn load_up_to_512(bytes: &[u8]) -> __m512i {
    match <&[u8; 64]>::try_from(bytes) {
        Ok(bytes) => load_512(bytes),
        Err(_) => load_part_512(bytes),
    }
}

#[target_feature(enable = "avx512f")]
fn power(key: &HashKey, exponent: usize) -> __m512i {
    let power = key.0.as_chunks::<16>().0.get(POWERS - exponent).unwrap_or(&[0; 16]);
    _mm512_zextsi128_si512(load(power))
}

#[target_feature(enable = "vpclmulqdq,avx512f")]
fn multiply(a: __m512i, b: __m512i) -> Product {
    let crossed = _mm512_clmulepi64_epi128::<0x01>(a, b);
    Product {
        low: _mm512_clmulepi64_epi128::<0x00>(a, b),
        middle: _mm512_xor_si512(crossed, _mm512_clmulepi64_epi128::<0x10>(a, b)),
        high: _mm512_clmulepi64_epi128::<0x11>(a, b),
    }
}

#[target_feature(enable = "avx512f")]
fn add(a: Product, b: Product) -> Product {
    Product {
        low: _mm512_xor_si512(a.low, b.low),
        middle: _mm512_xor_si512(a.middle, b.middle),
        high: _mm512_xor_si512(a.high, b.high),
    }
}

/// The sum of the four places, divided by x^128 modulo the polynomial: 64 bits at a time, each time the lowest bits
/// are cancelled by a multiple of it.
#[target_feature(enable = "pclmulqdq,vpclmulqdq,avx512f")]
fn reduce(product: Product) -> __m128i {
    let (low, middle, high) = (folded(product.low), folded(product.middle), folded(product.high));
    let polynomial = _mm_set_epi64x(0xC200_0000_0000_0000_u64.cast_signed(), 1);
    let cancelled = _mm_clmulepi64_si128::<0x01>(polynomial, low);
    let middle = _mm_xor_si128(_mm_xor_si128(middle, cancelled), _mm_shuffle_epi32::<0x4E>(low));
    let cancelled = _mm_clmulepi64_si128::<0x01>(polynomial, middle);
    _mm_xor_si128(_mm_xor_si128(high, cancelled), _mm_shuffle_epi32::<0x4E>(middle))
}

/// The XOR of the four quarters.
#[target_feature(enable = "avx512f")]
fn folded(vector: __m512i) -> __m128i {
    let half = _mm256_xor_si256(_mm512_castsi512_si256(vector), _mm512_extracti64x4_epi64::<1>(vector));
    _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half))
}
