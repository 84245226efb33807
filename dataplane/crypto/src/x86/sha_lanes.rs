//! SHA-1 of many messages at once, one in each 32-bit lane of a vector (FIPS 180-4 section 6.1.2).

use super::{Avx2, Avx512, Avx512Half, load, load_256, load_512};
use core::arch::x86_64::*;

/// A word of each lane, as they stand in memory.
pub(crate) type Words<const LANES: usize> = [u32; LANES];

/// SHA-1 in lanes, by a token that proves the instructions.
pub(crate) trait Lanes<const LANES: usize> {
    /// Takes one block into the state of each lane that has one; the others stay as they are.
    fn compress(self, states: &mut [Words<LANES>; 5], blocks: &[Option<&[u8; 64]>; LANES]);

    /// Takes into each state a last block of 20 bytes, given as words, after which the message has `bits`: the outer
    /// hash of HMAC.
    fn compress_digests(self, states: &mut [Words<LANES>; 5], digests: &[Words<LANES>; 5], bits: u32);
}

/// Twenty rounds written out: the places of their words are known then, and the words stay in registers.
macro_rules! rounds {
    ($round:ident, $function:ident, $constant:ident: $($t:literal)+) => {
        $($round!($function, $constant, $t);)+
    };
}

/// One width of vector. What differs is given by name: the operations of the width.
macro_rules! lanes {
    (
        $token:ident, $features:literal, $vector:ty, $lanes:literal lanes,
        $compress:ident, $digests:ident, $rounds:ident: $splat:ident, $add:ident, $xor:ident, $choose:ident, $parity:ident,
        $majority:ident, $rol:ident, $load:ident, $store:ident, $transposed:ident
    ) => {
        impl Lanes<$lanes> for $token {
            fn compress(self, states: &mut [Words<$lanes>; 5], blocks: &[Option<&[u8; 64]>; $lanes]) {
                // SAFETY: the token proves the features.
                unsafe { $compress(states, blocks) }
            }

            fn compress_digests(
                self,
                states: &mut [Words<$lanes>; 5],
                digests: &[Words<$lanes>; 5],
                bits: u32,
            ) {
                // SAFETY: the token proves the features.
                unsafe { $digests(states, digests, bits) }
            }
        }

        #[target_feature(enable = $features)]
        fn $digests(states: &mut [Words<$lanes>; 5], digests: &[Words<$lanes>; 5], bits: u32) {
            let mut words = [$splat(0); 16];
            for (word, digest) in words.iter_mut().zip(digests) {
                *word = $load(digest);
            }
            words[5] = $splat(1 << 31);
            words[15] = $splat(bits);
            $rounds(states, words, $splat(u32::MAX));
        }

        #[target_feature(enable = $features)]
        fn $compress(states: &mut [Words<$lanes>; 5], blocks: &[Option<&[u8; 64]>; $lanes]) {
            let mut active = [0; $lanes];
            let mut rows = [&[0; 64]; $lanes];
            for ((active, row), block) in active.iter_mut().zip(&mut rows).zip(blocks) {
                if let Some(block) = *block {
                    (*active, *row) = (u32::MAX, block);
                }
            }
            let words = $transposed(&rows);
            $rounds(states, words, $load(&active));
        }

        #[target_feature(enable = $features)]
        #[allow(unused_assignments, reason = "the last rounds make no further words")]
        fn $rounds(states: &mut [Words<$lanes>; 5], mut words: [$vector; 16], active: $vector) {
            let start = [
                $load(&states[0]),
                $load(&states[1]),
                $load(&states[2]),
                $load(&states[3]),
                $load(&states[4]),
            ];
            let [mut a, mut b, mut c, mut d, mut e] = start;
            macro_rules! round {
                ($function:ident, $constant:ident, $t:literal) => {
                    let word = words[$t % 16];
                    let sum = $add($add($rol::<5>(a), $function(b, c, d)), $add($add(e, $constant), word));
                    if $t < 64 {
                        let mixed = $parity(word, words[($t + 2) % 16], words[($t + 8) % 16]);
                        words[$t % 16] = $rol::<1>($xor(mixed, words[($t + 13) % 16]));
                    }
                    (e, d, c, b, a) = (d, c, $rol::<30>(b), a, sum);
                };
            }
            let [first, second, third, fourth] =
                [$splat(0x5A82_7999), $splat(0x6ED9_EBA1), $splat(0x8F1B_BCDC), $splat(0xCA62_C1D6)];
            rounds!(round, $choose, first: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
            rounds!(round, $parity, second: 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
            rounds!(round, $majority, third: 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59);
            rounds!(round, $parity, fourth: 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79);
            for ((state, start), end) in states.iter_mut().zip(start).zip([a, b, c, d, e]) {
                $store(state, $choose(active, $add(start, end), start));
            }
        }
    };
}

lanes! {
    Avx512, "avx512f,avx512bw", __m512i, 16 lanes,
    compress_16, digests_16, rounds_16: splat_16, _mm512_add_epi32, _mm512_xor_si512, choose_16, parity_16,
    majority_16, _mm512_rol_epi32, load_16, store_16, transposed_16
}

lanes! {
    Avx2, "avx2", __m256i, 8 lanes,
    compress_8, digests_8, rounds_8: splat_8, _mm256_add_epi32, _mm256_xor_si256, choose_8, parity_8,
    majority_8, rol_8, load_8, store_8, transposed_8
}

lanes! {
    Avx512Half, "avx512f,avx512vl", __m256i, 8 lanes,
    compress_half, digests_half, rounds_half: splat_8, _mm256_add_epi32, _mm256_xor_si256, choose_half, parity_half,
    majority_half, _mm256_rol_epi32, load_8, store_8, transposed_8
}

/// The functions of FIPS 180-4 section 4.1.1 as truth tables of three inputs: bits of the second where the first has
/// ones, of the third elsewhere; the XOR; what two or more of them have.
const CHOOSE: i32 = 0b1100_1010;
const PARITY: i32 = 0b1001_0110;
const MAJORITY: i32 = 0b1110_1000;

#[target_feature(enable = "avx512f")]
fn splat_16(word: u32) -> __m512i {
    _mm512_set1_epi32(word.cast_signed())
}

#[target_feature(enable = "avx512f")]
fn choose_16(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<CHOOSE>(a, b, c)
}

#[target_feature(enable = "avx512f")]
fn parity_16(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<PARITY>(a, b, c)
}

#[target_feature(enable = "avx512f")]
fn majority_16(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<MAJORITY>(a, b, c)
}

#[target_feature(enable = "avx512f")]
fn load_16(words: &Words<16>) -> __m512i {
    // SAFETY: 64 bytes are read from an array of 64, and no alignment is asked for.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
fn store_16(words: &mut Words<16>, vector: __m512i) {
    // SAFETY: 64 bytes are written to an array of 64, and no alignment is asked for.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) };
}

/// Word `t` of every block in vector `t`.
#[target_feature(enable = "avx512f,avx512bw")]
fn transposed_16(blocks: &[&[u8; 64]; 16]) -> [__m512i; 16] {
    let big_endian = _mm512_broadcast_i32x4(load(&BIG_ENDIAN));
    let mut rows = [_mm512_setzero_si512(); 16];
    for (row, block) in rows.iter_mut().zip(blocks) {
        *row = _mm512_shuffle_epi8(load_512(block), big_endian);
    }
    // Quarter k of vector 4j + c becomes word 4k + c of the rows 4j to 4j + 3.
    let mut quarters = rows;
    for (quarters, rows) in quarters.chunks_exact_mut(4).zip(rows.chunks_exact(4)) {
        let low = [_mm512_unpacklo_epi32(rows[0], rows[1]), _mm512_unpacklo_epi32(rows[2], rows[3])];
        let high = [_mm512_unpackhi_epi32(rows[0], rows[1]), _mm512_unpackhi_epi32(rows[2], rows[3])];
        quarters[0] = _mm512_unpacklo_epi64(low[0], low[1]);
        quarters[1] = _mm512_unpackhi_epi64(low[0], low[1]);
        quarters[2] = _mm512_unpacklo_epi64(high[0], high[1]);
        quarters[3] = _mm512_unpackhi_epi64(high[0], high[1]);
    }
    let mut words = quarters;
    for c in 0..4 {
        let even = [
            _mm512_shuffle_i32x4::<0x88>(quarters[c], quarters[4 + c]),
            _mm512_shuffle_i32x4::<0x88>(quarters[8 + c], quarters[12 + c]),
        ];
        let odd = [
            _mm512_shuffle_i32x4::<0xDD>(quarters[c], quarters[4 + c]),
            _mm512_shuffle_i32x4::<0xDD>(quarters[8 + c], quarters[12 + c]),
        ];
        words[c] = _mm512_shuffle_i32x4::<0x88>(even[0], even[1]);
        words[4 + c] = _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1]);
        words[8 + c] = _mm512_shuffle_i32x4::<0xDD>(even[0], even[1]);
        words[12 + c] = _mm512_shuffle_i32x4::<0xDD>(odd[0], odd[1]);
    }
    words
}

#[target_feature(enable = "avx512f,avx512vl")]
fn choose_half(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_ternarylogic_epi32::<CHOOSE>(a, b, c)
}

#[target_feature(enable = "avx512f,avx512vl")]
fn parity_half(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_ternarylogic_epi32::<PARITY>(a, b, c)
}

#[target_feature(enable = "avx512f,avx512vl")]
fn majority_half(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_ternarylogic_epi32::<MAJORITY>(a, b, c)
}

/// Turns each four bytes round.
const BIG_ENDIAN: [u8; 16] = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12];

#[target_feature(enable = "avx2")]
fn splat_8(word: u32) -> __m256i {
    _mm256_set1_epi32(word.cast_signed())
}

/// Bits of `b` where `a` has ones, of `c` elsewhere.
#[target_feature(enable = "avx2")]
fn choose_8(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(c, _mm256_and_si256(a, _mm256_xor_si256(b, c)))
}

#[target_feature(enable = "avx2")]
fn parity_8(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(a, _mm256_xor_si256(b, c))
}

#[target_feature(enable = "avx2")]
fn majority_8(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)))
}

#[target_feature(enable = "avx2")]
fn rol_8<const BITS: i32>(word: __m256i) -> __m256i {
    let (left, right) = (_mm_cvtsi32_si128(BITS), _mm_cvtsi32_si128(32 - BITS));
    _mm256_or_si256(_mm256_sll_epi32(word, left), _mm256_srl_epi32(word, right))
}

#[target_feature(enable = "avx2")]
fn load_8(words: &Words<8>) -> __m256i {
    // SAFETY: 32 bytes are read from an array of 32, and no alignment is asked for.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn store_8(words: &mut Words<8>, vector: __m256i) {
    // SAFETY: 32 bytes are written to an array of 32, and no alignment is asked for.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), vector) };
}

/// Word `t` of every block in vector `t`.
#[target_feature(enable = "avx2")]
fn transposed_8(blocks: &[&[u8; 64]; 8]) -> [__m256i; 16] {
    let big_endian = _mm256_broadcastsi128_si256(load(&BIG_ENDIAN));
    let mut words = [_mm256_setzero_si256(); 16];
    for (half, words) in words.chunks_exact_mut(8).enumerate() {
        let mut rows = [_mm256_setzero_si256(); 8];
        for (row, block) in rows.iter_mut().zip(blocks) {
            *row = _mm256_shuffle_epi8(load_256(&block.as_chunks().0[half]), big_endian);
        }
        // Half k of vector 4j + c becomes word 4k + c of the rows 4j to 4j + 3.
        let mut halves = rows;
        for (halves, rows) in halves.chunks_exact_mut(4).zip(rows.chunks_exact(4)) {
            let low = [_mm256_unpacklo_epi32(rows[0], rows[1]), _mm256_unpacklo_epi32(rows[2], rows[3])];
            let high = [_mm256_unpackhi_epi32(rows[0], rows[1]), _mm256_unpackhi_epi32(rows[2], rows[3])];
            halves[0] = _mm256_unpacklo_epi64(low[0], low[1]);
            halves[1] = _mm256_unpackhi_epi64(low[0], low[1]);
            halves[2] = _mm256_unpacklo_epi64(high[0], high[1]);
            halves[3] = _mm256_unpackhi_epi64(high[0], high[1]);
        }
        for c in 0..4 {
            words[c] = _mm256_permute2x128_si256::<0x20>(halves[c], halves[4 + c]);
            words[4 + c] = _mm256_permute2x128_si256::<0x31>(halves[c], halves[4 + c]);
        }
    }
    words
}
