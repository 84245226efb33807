//! AES-128 counter mode over 1, 2 or 4 blocks a vector, several vectors at a time: an AES instruction takes some
//! cycles, and another can start in each of them.

use super::{
    AesNi, RoundKeys, Vaes256, Vaes512, load, load_256, load_512, load_part_512, store_512, store_part_512,
};
use core::arch::x86_64::*;

/// The kernel for one width of vector. What differs is given by name: the functions of the width.
macro_rules! counter_mode {
    (
        $token:ident, $features:literal, $vector:ty, $bytes:literal bytes, $at_once:literal at once,
        $apply:ident, $some:ident: $zero:ident, $add:ident, $shuffle:ident, $xor:ident, $round:ident, $last_round:ident,
        $broadcast:ident, $widen:ident, $set:expr, $xor_into:ident
    ) => {
        impl $token {
            /// XORs the key stream that begins with the block `counter`, as a number, into `data`. The counter proper
            /// is the last 32 bits of it, which must not overflow.
            pub(crate) fn apply_keystream(self, keys: &RoundKeys, counter: u128, data: &mut [u8]) {
                // SAFETY: the token proves the features.
                unsafe { $apply(keys, counter, data) }
            }
        }

        #[target_feature(enable = $features)]
        fn $apply(keys: &RoundKeys, counter: u128, data: &mut [u8]) {
            // Through registers: bytes written one by one could not be read as a vector without a wait.
            let first = _mm_set_epi64x((counter >> 64) as i64, counter as i64);
            let mut counter = $add($widen(first), $set);
            for part in data.chunks_mut($bytes * $at_once) {
                // As many vectors as the part needs: the last part of a packet is seldom a whole one.
                counter = match part.len().div_ceil($bytes) {
                    1 => $some::<1>(keys, counter, part),
                    2 => $some::<2>(keys, counter, part),
                    3 => $some::<3>(keys, counter, part),
                    4 => $some::<4>(keys, counter, part),
                    _ => $some::<$at_once>(keys, counter, part),
                };
            }
        }

        /// Up to `N` vectors of data; returns the counters behind them.
        #[target_feature(enable = $features)]
        #[inline]
        fn $some<const N: usize>(keys: &RoundKeys, mut counter: $vector, data: &mut [u8]) -> $vector {
            let [first, middle @ .., last] = &keys.0;
            let (first, reversed) = ($broadcast(first), $broadcast(&REVERSED));
            let step = $broadcast(&[($bytes / 16), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            let mut stream = [$zero(); N];
            for block in &mut stream {
                *block = $xor($shuffle(counter, reversed), first);
                counter = $add(counter, step);
            }
            for key in middle {
                let key = $broadcast(key);
                for block in &mut stream {
                    *block = $round(*block, key);
                }
            }
            let last = $broadcast(last);
            for (part, block) in data.chunks_mut($bytes).zip(stream) {
                $xor_into(part, $last_round(block, last));
            }
            counter
        }
    };
}

/// The order that makes the last byte the first: counters are big-endian.
pub(super) const REVERSED: [u8; 16] = [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0];

counter_mode! {
    AesNi, "aes,ssse3", __m128i, 16 bytes, 8 at once,
    apply_128, some_128: _mm_setzero_si128, _mm_add_epi32, _mm_shuffle_epi8, _mm_xor_si128, _mm_aesenc_si128,
    _mm_aesenclast_si128, load, same, _mm_setzero_si128(), xor_128
}

counter_mode! {
    Vaes256, "aes,vaes,avx2", __m256i, 32 bytes, 8 at once,
    apply_256, some_256: _mm256_setzero_si256, _mm256_add_epi32, _mm256_shuffle_epi8, _mm256_xor_si256,
    _mm256_aesenc_epi128, _mm256_aesenclast_epi128, broadcast_256, _mm256_broadcastsi128_si256, _mm256_set_epi64x(0, 1, 0, 0), xor_256
}

counter_mode! {
    Vaes512, "aes,vaes,avx512f,avx512bw", __m512i, 64 bytes, 8 at once,
    apply_512, some_512: _mm512_setzero_si512, _mm512_add_epi32, _mm512_shuffle_epi8, _mm512_xor_si512,
    _mm512_aesenc_epi128, _mm512_aesenclast_epi128, broadcast_512, _mm512_broadcast_i32x4, _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0), xor_512
}

fn same(block: __m128i) -> __m128i {
    block
}

#[target_feature(enable = "avx2")]
fn broadcast_256(bytes: &[u8; 16]) -> __m256i {
    _mm256_broadcastsi128_si256(load(bytes))
}

#[target_feature(enable = "avx512f")]
fn broadcast_512(bytes: &[u8; 16]) -> __m512i {
    _mm512_broadcast_i32x4(load(bytes))
}

/// XORs a vector into up to 16 bytes.
#[target_feature(enable = "sse2")]
fn xor_128(data: &mut [u8], stream: __m128i) {
    let stream = super::store(stream);
    if let Ok(data) = <&mut [u8; 16]>::try_from(&mut *data) {
        *data = super::store(_mm_xor_si128(load(data), load(&stream)));
    } else {
        data.iter_mut().zip(stream).for_each(|(byte, stream)| *byte ^= stream);
    }
}

/// XORs a vector into up to 32 bytes.
#[target_feature(enable = "avx2")]
fn xor_256(data: &mut [u8], stream: __m256i) {
    if let Ok(data) = <&mut [u8; 32]>::try_from(&mut *data) {
        super::store_256(data, _mm256_xor_si256(load_256(data), stream));
    } else {
        let mut bytes = [0; 32];
        super::store_256(&mut bytes, stream);
        data.iter_mut().zip(bytes).for_each(|(byte, stream)| *byte ^= stream);
    }
}

/// XORs a vector into up to 64 bytes.
#[target_feature(enable = "avx512f,avx512bw")]
fn xor_512(data: &mut [u8], stream: __m512i) {
    if let Ok(data) = <&mut [u8; 64]>::try_from(&mut *data) {
        store_512(data, _mm512_xor_si512(load_512(data), stream));
    } else {
        store_part_512(data, _mm512_xor_si512(load_part_512(data), stream));
    }
}
