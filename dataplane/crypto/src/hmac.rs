//! HMAC-SHA1 (RFC 2104, RFC 3174), from the hash states of the padded keys: of one message, or of many at once.

use sha1::Digest;
use sha1::block_api::compress;
use std::sync::LazyLock;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

#[cfg(target_arch = "x86_64")]
use crate::x86::{Avx2, Avx512, Avx512Half, ShaNi, sha_lanes::Lanes};

/// Bytes of the whole tag. SRTP sends the first 4 or 10.
pub const TAG_LEN: usize = 20;
/// RFC 3174 section 6.1: the state before the first block.
const INITIAL: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
/// Bits that the outer hash takes: the padded key and the inner hash.
const OUTER_BITS: u32 = (64 + TAG_LEN as u32) * 8;

/// A key: the states of SHA-1 after the inner and the outer padded key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct HmacKey {
    inner: [u32; 5],
    outer: [u32; 5],
}

/// What is to be authenticated: `data` and, behind it, what a packet implies but does not carry there (the roll-over
/// counter of SRTP, the index word of SRTCP).
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Under which key.
    pub key: &'a HmacKey,
    /// The packet.
    pub data: &'a [u8],
    /// What comes behind it.
    pub suffix: [u8; 4],
}

static NO_KEY: HmacKey = HmacKey { inner: [0; 5], outer: [0; 5] };

/// Nothing, under no key: to fill arrays.
impl Default for Message<'_> {
    fn default() -> Self {
        Message { key: &NO_KEY, data: &[], suffix: [0; 4] }
    }
}

impl HmacKey {
    /// Hashes a key of any length.
    pub fn new(key: &[u8]) -> HmacKey {
        // RFC 2104 section 2: a key longer than a block is hashed first.
        let mut padded = Zeroizing::new([0; 64]);
        if key.len() > padded.len() {
            padded[..TAG_LEN].copy_from_slice(&sha1::Sha1::digest(key));
        } else {
            padded[..key.len()].copy_from_slice(key);
        }
        let state = |pad: u8| {
            let mut state = INITIAL;
            compress(&mut state, &[*Zeroizing::new(padded.map(|byte| byte ^ pad))]);
            state
        };
        HmacKey { inner: state(0x36), outer: state(0x5C) }
    }

    /// The tag of one message.
    pub fn tag(&self, data: &[u8], suffix: [u8; 4]) -> [u8; TAG_LEN] {
        one(&Message { key: self, data, suffix })
    }
}

/// The tags of all messages, each under its own key; most of them at once if there are many of one length. What
/// `tags` has beyond them stays as it was; messages beyond it are left out.
pub fn tags(messages: &[Message<'_>], tags: &mut [[u8; TAG_LEN]]) {
    let (mut messages, mut tags) = same_length(messages, tags);
    for Choice { at_least, at_most, kernel } in &*CHOICES {
        while messages.len() >= *at_least {
            let count = messages.len().min(*at_most);
            let (now, later) = messages.split_at(count);
            let (tags_now, tags_later) = tags.split_at_mut(count);
            kernel.tags(now, tags_now);
            (messages, tags) = (later, tags_later);
        }
    }
}

/// What computes tags.
#[derive(Clone, Copy, Debug)]
pub struct HmacKernel(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    TwoByTwo(ShaNi),
    #[cfg(target_arch = "x86_64")]
    Lanes8(Avx2),
    #[cfg(target_arch = "x86_64")]
    Lanes8Avx512(Avx512Half),
    #[cfg(target_arch = "x86_64")]
    Lanes16(Avx512),
}

/// With how many messages a kernel is worth its while, and how many it takes at once.
struct Choice {
    at_least: usize,
    at_most: usize,
    kernel: HmacKernel,
}

/// The kernels of this CPU, the best for many messages first, the last for any.
///
/// Measured on Zen 4 with 172 bytes: a pass costs 785 ns in 16 lanes of AVX-512, 425 in 8 (AVX2: 570), however many of
/// the lanes are empty; SHA-NI takes 128 for a message alone and 92 for each of two.
static CHOICES: LazyLock<Vec<Choice>> = LazyLock::new(|| {
    let mut choices = Vec::new();
    let mut choose = |at_least, at_most, kind: Option<Kind>| {
        choices.extend(kind.map(|kind| Choice { at_least, at_most, kernel: HmacKernel(kind) }));
    };
    #[cfg(target_arch = "x86_64")]
    {
        choose(12, 16, Avx512::detect().map(Kind::Lanes16));
        choose(5, 8, Avx512Half::detect().map(Kind::Lanes8Avx512));
        choose(7, 8, Avx2::detect().map(Kind::Lanes8));
        choose(2, usize::MAX, ShaNi::detect().map(Kind::TwoByTwo));
    }
    choose(1, usize::MAX, Some(Kind::Portable));
    choices
});

impl HmacKernel {
    /// Those that this CPU has. The first is the twin that every other must agree with.
    pub fn available() -> Vec<HmacKernel> {
        let mut kinds = vec![Kind::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            kinds.extend(ShaNi::detect().map(Kind::TwoByTwo));
            kinds.extend(Avx2::detect().map(Kind::Lanes8));
            kinds.extend(Avx512Half::detect().map(Kind::Lanes8Avx512));
            kinds.extend(Avx512::detect().map(Kind::Lanes16));
        }
        kinds.into_iter().map(HmacKernel).collect()
    }

    /// The name of it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "rustcrypto",
            #[cfg(target_arch = "x86_64")]
            Kind::TwoByTwo(_) => "sha-ni-2",
            #[cfg(target_arch = "x86_64")]
            Kind::Lanes8(_) => "avx2-8",
            #[cfg(target_arch = "x86_64")]
            Kind::Lanes8Avx512(_) => "avx512-8",
            #[cfg(target_arch = "x86_64")]
            Kind::Lanes16(_) => "avx512-16",
        }
    }

    /// As [`tags`].
    pub fn tags(self, messages: &[Message<'_>], tags: &mut [[u8; TAG_LEN]]) {
        let (messages, tags) = same_length(messages, tags);
        match self.0 {
            Kind::Portable => {
                for (message, tag) in messages.iter().zip(tags) {
                    *tag = one(message);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Kind::TwoByTwo(sha) => two_by_two(sha, messages, tags),
            #[cfg(target_arch = "x86_64")]
            Kind::Lanes8(avx2) => in_lanes(avx2, messages, tags),
            #[cfg(target_arch = "x86_64")]
            Kind::Lanes8Avx512(avx512) => in_lanes(avx512, messages, tags),
            #[cfg(target_arch = "x86_64")]
            Kind::Lanes16(avx512) => in_lanes(avx512, messages, tags),
        }
    }
}

fn same_length<'a, A, B>(first: &'a [A], second: &'a mut [B]) -> (&'a [A], &'a mut [B]) {
    let length = first.len().min(second.len());
    (first.get(..length).unwrap_or_default(), second.get_mut(..length).unwrap_or_default())
}

/// The end of a message (FIPS 180-4 section 5.1.1): one or two blocks, and in front of them room for a whole one.
struct Tail {
    bytes: [u8; 3 * 64],
    blocks: usize,
}

impl Tail {
    const EMPTY: Tail = Tail { bytes: [0; 3 * 64], blocks: 0 };

    /// Writes what the whole blocks of a message leave over, its suffix, the end mark and the length. The tail was
    /// empty.
    fn write(&mut self, message: &Message<'_>) {
        let rest = message.data.len() % 64;
        match message.data.last_chunk::<64>() {
            // The rest comes to stand where it should, what is before it in front: a copy of known length is a
            // single move.
            Some(last) => self.bytes[rest..][..64].copy_from_slice(last),
            None => self.bytes[64..][..rest].copy_from_slice(message.data),
        }
        let end = 64 + rest;
        self.bytes[end..][..4].copy_from_slice(&message.suffix);
        self.bytes[end + 4] = 0x80;
        self.blocks = (rest + 4 + 1 + 8).div_ceil(64);
        // The padded key counts as a block.
        let bits = (64 + message.data.len() as u64 + 4) * 8;
        self.bytes[64 * self.blocks + 56..][..8].copy_from_slice(&bits.to_be_bytes());
    }

    fn blocks(&self) -> &[[u8; 64]] {
        self.bytes.as_chunks().0.get(1..=self.blocks).unwrap_or_default()
    }
}

/// The blocks of a message: those that stand whole in its data, then its tail.
fn blocks<'a>(message: &Message<'a>, tail: &'a Tail) -> impl Iterator<Item = &'a [u8; 64]> {
    message.data.as_chunks().0.iter().chain(tail.blocks())
}

/// The block that the outer hash takes: the inner hash, padded.
fn outer_block(inner: &[u32; 5]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..TAG_LEN].copy_from_slice(&to_bytes(inner));
    block[TAG_LEN] = 0x80;
    block[60..].copy_from_slice(&OUTER_BITS.to_be_bytes());
    block
}

fn to_bytes(state: &[u32; 5]) -> [u8; TAG_LEN] {
    let mut bytes = [0; TAG_LEN];
    for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    bytes
}

/// RustCrypto's compression picks SHA-NI or plain code by itself.
fn one(message: &Message<'_>) -> [u8; TAG_LEN] {
    let (mut inner, mut outer) = (message.key.inner, message.key.outer);
    let mut tail = Tail::EMPTY;
    tail.write(message);
    compress(&mut inner, message.data.as_chunks().0);
    compress(&mut inner, tail.blocks());
    compress(&mut outer, &[outer_block(&inner)]);
    to_bytes(&outer)
}

#[cfg(target_arch = "x86_64")]
fn two_by_two(sha: ShaNi, messages: &[Message<'_>], tags: &mut [[u8; TAG_LEN]]) {
    let (pairs, last) = messages.as_chunks::<2>();
    let (tag_pairs, last_tag) = tags.as_chunks_mut::<2>();
    for (pair, tags) in pairs.iter().zip(tag_pairs) {
        let mut tails = [Tail::EMPTY; 2];
        tails.iter_mut().zip(pair).for_each(|(tail, message)| tail.write(message));
        let mut states = [pair[0].key.inner, pair[1].key.inner];
        let [mut first, mut second] = [blocks(&pair[0], &tails[0]), blocks(&pair[1], &tails[1])];
        loop {
            match (first.next(), second.next()) {
                (Some(first), Some(second)) => sha.compress(&mut states, [first, second]),
                (Some(block), None) => compress(&mut states[0], std::slice::from_ref(block)),
                (None, Some(block)) => compress(&mut states[1], std::slice::from_ref(block)),
                (None, None) => break,
            }
        }
        let blocks = [outer_block(&states[0]), outer_block(&states[1])];
        let mut states = [pair[0].key.outer, pair[1].key.outer];
        sha.compress(&mut states, [&blocks[0], &blocks[1]]);
        *tags = [to_bytes(&states[0]), to_bytes(&states[1])];
    }
    last.iter().zip(last_tag).for_each(|(message, tag)| *tag = one(message));
}

#[cfg(target_arch = "x86_64")]
fn in_lanes<const LANES: usize>(
    kernel: impl Lanes<LANES> + Copy,
    messages: &[Message<'_>],
    tags: &mut [[u8; TAG_LEN]],
) {
    for (messages, tags) in messages.chunks(LANES).zip(tags.chunks_mut(LANES)) {
        let mut tails = [Tail::EMPTY; LANES];
        let (mut inner, mut outer) = ([[0; LANES]; 5], [[0; LANES]; 5]);
        let mut most = 0;
        for (lane, (message, tail)) in messages.iter().zip(&mut tails).enumerate() {
            tail.write(message);
            most = most.max(message.data.len() / 64 + tail.blocks);
            for word in 0..5 {
                inner[word][lane] = message.key.inner[word];
                outer[word][lane] = message.key.outer[word];
            }
        }
        for place in 0..most {
            let mut row = [None; LANES];
            for ((row, message), tail) in row.iter_mut().zip(messages).zip(&tails) {
                let whole = message.data.as_chunks().0;
                *row = whole.get(place).or_else(|| tail.blocks().get(place - whole.len()));
            }
            kernel.compress(&mut inner, &row);
        }
        kernel.compress_digests(&mut outer, &inner, OUTER_BITS);
        for (lane, tag) in tags.iter_mut().enumerate() {
            *tag =
                to_bytes(&[outer[0][lane], outer[1][lane], outer[2][lane], outer[3][lane], outer[4][lane]]);
        }
    }
}
