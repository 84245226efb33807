//! SHA-1 by the SHA instructions: messages interleaved, since one alone waits for the latency of its rounds.

use super::{ShaNi, load};
use core::arch::x86_64::*;

impl ShaNi {
    /// Takes one block into each of `N` states (FIPS 180-4 section 6.1.2).
    pub(crate) fn compress<const N: usize>(self, states: &mut [[u32; 5]; N], blocks: [&[u8; 64]; N]) {
        // SAFETY: the token proves the features.
        unsafe { compress(states, blocks) }
    }
}

/// Four words as the SHA instructions want them, the first in the highest place.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn load_words(words: &[u32; 4]) -> __m128i {
    // SAFETY: 16 bytes are read from an array of 16, and no alignment is asked for.
    _mm_shuffle_epi32::<0b00_01_10_11>(unsafe { _mm_loadu_si128(words.as_ptr().cast()) })
}

/// The inverse of [`load_words`].
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn store_words(words: &mut [u32; 4], vector: __m128i) {
    let vector = _mm_shuffle_epi32::<0b00_01_10_11>(vector);
    // SAFETY: 16 bytes are written to an array of 16, and no alignment is asked for.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) };
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress<const N: usize>(states: &mut [[u32; 5]; N], blocks: [&[u8; 64]; N]) {
    // Turns four big-endian words into four numbers, the first in the highest place.
    let reversed = load(&[15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    let zero = _mm_setzero_si128();
    let (mut first, mut first_e) = ([zero; N], [zero; N]);
    let mut schedule = [[zero; 4]; N];
    for n in 0..N {
        let [abcd @ .., e] = &states[n];
        first[n] = load_words(abcd);
        first_e[n] = _mm_set_epi32(e.cast_signed(), 0, 0, 0);
        let (quarters, _) = blocks[n].as_chunks::<16>();
        for (word, quarter) in schedule[n].iter_mut().zip(quarters) {
            *word = _mm_shuffle_epi8(load(quarter), reversed);
        }
    }
    let (mut abcd, mut last) = (first, first);
    // Four rounds: of each message in turn, so that the processor always has one that need not wait.
    macro_rules! four_rounds {
        ($function:literal: $($group:literal)+) => {
            $(for n in 0..N {
                let word = schedule[n][$group % 4];
                let e = if $group == 0 {
                    _mm_add_epi32(first_e[n], word)
                } else {
                    _mm_sha1nexte_epu32(last[n], word)
                };
                last[n] = abcd[n];
                abcd[n] = _mm_sha1rnds4_epu32::<$function>(abcd[n], e);
                if $group < 16 {
                    let [w0, w1, w2, w3] =
                        [word, schedule[n][($group + 1) % 4], schedule[n][($group + 2) % 4], schedule[n][($group + 3) % 4]];
                    schedule[n][$group % 4] = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w0, w1), w2), w3);
                }
            })+
        };
    }
    four_rounds!(0: 0 1 2 3 4);
    four_rounds!(1: 5 6 7 8 9);
    four_rounds!(2: 10 11 12 13 14);
    four_rounds!(3: 15 16 17 18 19);
    for n in 0..N {
        let e = _mm_sha1nexte_epu32(last[n], first_e[n]);
        let [abcd_place @ .., e_place] = &mut states[n];
        store_words(abcd_place, _mm_add_epi32(abcd[n], first[n]));
        *e_place = _mm_extract_epi32::<3>(e).cast_unsigned();
    }
}
