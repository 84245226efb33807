//! The part of libspeex's interface that is used (`speex/speex.h`, `speex/speex_bits.h`, version 1.2).

use core::ffi::{c_char, c_int, c_void};

/// `SPEEX_MODEID_NB` and `SPEEX_MODEID_WB`.
pub(super) const MODE_NARROW: c_int = 0;
pub(super) const MODE_WIDE: c_int = 1;
/// `SPEEX_SET_QUALITY` and `SPEEX_SET_COMPLEXITY`.
pub(super) const SET_QUALITY: c_int = 4;
pub(super) const SET_COMPLEXITY: c_int = 16;

/// `SpeexBits`: bits on their way in or out. May be moved.
#[repr(C)]
pub(super) struct Bits {
    characters: *mut c_char,
    bits: c_int,
    character: c_int,
    bit: c_int,
    owns: c_int,
    overflow: c_int,
    size: c_int,
    reserved1: c_int,
    reserved2: *mut c_void,
}

impl Bits {
    /// Not yet initialised: `bits_init` comes next.
    pub(super) const fn empty() -> Bits {
        Bits {
            characters: core::ptr::null_mut(),
            bits: 0,
            character: 0,
            bit: 0,
            owns: 0,
            overflow: 0,
            size: 0,
            reserved1: 0,
            reserved2: core::ptr::null_mut(),
        }
    }
}

unsafe extern "C" {
    #[link_name = "speex_lib_get_mode"]
    pub(super) fn mode(id: c_int) -> *const c_void;

    /// Takes memory for 2000 bytes.
    #[link_name = "speex_bits_init"]
    pub(super) fn bits_init(bits: *mut Bits);

    #[link_name = "speex_bits_destroy"]
    pub(super) fn bits_free(bits: *mut Bits);

    #[link_name = "speex_bits_reset"]
    pub(super) fn bits_reset(bits: *mut Bits);

    /// Copies `length` bytes in, to be read; takes more memory for more than 2000.
    #[link_name = "speex_bits_read_from"]
    pub(super) fn bits_read_from(bits: *mut Bits, bytes: *const c_char, length: c_int);

    /// Copies the bits out, the last byte padded; returns the bytes written, `room` at most.
    #[link_name = "speex_bits_write"]
    pub(super) fn bits_write(bits: *mut Bits, bytes: *mut c_char, room: c_int) -> c_int;

    /// The bytes that the bits fill, the last one counted whole.
    #[link_name = "speex_bits_nbytes"]
    pub(super) fn bits_bytes(bits: *mut Bits) -> c_int;

    /// Makes an encoder; null if there is no memory.
    #[link_name = "speex_encoder_init"]
    pub(super) fn encoder_new(mode: *const c_void) -> *mut c_void;

    #[link_name = "speex_encoder_destroy"]
    pub(super) fn encoder_free(encoder: *mut c_void);

    #[link_name = "speex_encoder_ctl"]
    pub(super) fn encoder_set(encoder: *mut c_void, request: c_int, value: *mut c_void) -> c_int;

    /// Adds one frame to `bits`; overwrites the samples.
    #[link_name = "speex_encode_int"]
    pub(super) fn encode(encoder: *mut c_void, pcm: *mut i16, bits: *mut Bits) -> c_int;

    /// Makes a decoder; null if there is no memory.
    #[link_name = "speex_decoder_init"]
    pub(super) fn decoder_new(mode: *const c_void) -> *mut c_void;

    #[link_name = "speex_decoder_destroy"]
    pub(super) fn decoder_free(decoder: *mut c_void);

    /// Writes one frame of samples: 0 if there was one, -1 at the stream's end, -2 if it is corrupt. Conceals a lost
    /// frame if `bits` is null.
    #[link_name = "speex_decode_int"]
    pub(super) fn decode(decoder: *mut c_void, bits: *mut Bits, pcm: *mut i16) -> c_int;
}
