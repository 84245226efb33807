//! The part of bcg729's interface that is used (`bcg729/encoder.h`, `bcg729/decoder.h`, version 1.1.1).

use core::ffi::c_void;

unsafe extern "C" {
    /// Makes an encoder; null if there is no memory.
    #[link_name = "initBcg729EncoderChannel"]
    pub(super) fn encoder_new(enable_vad: u8) -> *mut c_void;

    #[link_name = "closeBcg729EncoderChannel"]
    pub(super) fn encoder_free(encoder: *mut c_void);

    /// Reads 80 samples, writes at most 10 bytes and the number of bytes written.
    #[link_name = "bcg729Encoder"]
    pub(super) fn encode(encoder: *mut c_void, pcm: *const i16, frame: *mut u8, length: *mut u8);

    /// Makes a decoder; null if there is no memory.
    #[link_name = "initBcg729DecoderChannel"]
    pub(super) fn decoder_new() -> *mut c_void;

    #[link_name = "closeBcg729DecoderChannel"]
    pub(super) fn decoder_free(decoder: *mut c_void);

    /// Reads a frame of 10 bytes, or of 2 if `is_sid`, and writes 80 samples. `frame` may be null if it is erased.
    #[link_name = "bcg729Decoder"]
    pub(super) fn decode(
        decoder: *mut c_void,
        frame: *const u8,
        length: u8,
        is_erased: u8,
        is_sid: u8,
        is_rfc3389: u8,
        pcm: *mut i16,
    );
}
