//! G.729 Annex A at 8 kbit/s (ITU-T Recommendation G.729) over bcg729.
//!
//! RFC 3551 section 4.5.6: frames of 10 ms in 10 octets, any number in a packet; a packet may end with a comfort noise
//! frame of 2 octets (Annex B). This side sends none (`annexb=no`) but accepts them.

mod ffi;

use core::ffi::c_void;
use std::ptr::{self, NonNull};

use crate::{CodecError, Decoder, Encoder};

/// The sample rate of G.729, in Hz.
pub const SAMPLE_RATE: u32 = 8000;
/// Samples of a frame: 10 ms.
pub const FRAME_SAMPLES: usize = 80;
/// Bytes of a frame of speech.
const FRAME_LEN: usize = 10;
/// Bytes of a silence insertion descriptor (Annex B).
const SID_LEN: usize = 2;

/// The code that [`CodecError::Library`] carries when bcg729 has no memory for a channel.
const OUT_OF_MEMORY: i32 = -1;

/// An encoder; it sends silence like speech.
pub struct G729Encoder {
    library: NonNull<c_void>,
}

// SAFETY: bcg729 keeps everything in the channel, which only its owner uses; no thread matters to it.
unsafe impl Send for G729Encoder {}

impl G729Encoder {
    /// An encoder.
    ///
    /// # Errors
    /// [`CodecError::Library`] if there is no memory.
    pub fn new() -> Result<G729Encoder, CodecError> {
        // SAFETY: takes a flag and gives memory that is freed in `drop`.
        let library = unsafe { ffi::encoder_new(0) };
        NonNull::new(library).map(|library| G729Encoder { library }).ok_or(CodecError::Library(OUT_OF_MEMORY))
    }
}

impl Drop for G729Encoder {
    fn drop(&mut self) {
        // SAFETY: came from `encoder_new` and is used no more.
        unsafe { ffi::encoder_free(self.library.as_ptr()) }
    }
}

impl Encoder for G729Encoder {
    fn frame_samples(&self) -> usize {
        FRAME_SAMPLES
    }

    fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> Result<usize, CodecError> {
        let (frames, []) = pcm.as_chunks::<FRAME_SAMPLES>() else { return Err(CodecError::FrameLength) };
        let (codes, _) = payload.as_chunks_mut::<FRAME_LEN>();
        if frames.is_empty() || frames.len() > codes.len() {
            return Err(CodecError::FrameLength);
        }
        for (frame, code) in frames.iter().zip(codes) {
            let mut length = 0;
            // SAFETY: the channel is alive; 80 samples are read, and at most 10 bytes written.
            unsafe {
                ffi::encode(self.library.as_ptr(), frame.as_ptr(), code.as_mut_ptr(), &raw mut length);
            }
        }
        Ok(frames.len() * FRAME_LEN)
    }
}

/// A decoder, with the standard's own concealment (G.729 section 4.4).
pub struct G729Decoder {
    library: NonNull<c_void>,
}

// SAFETY: as for the encoder.
unsafe impl Send for G729Decoder {}

impl G729Decoder {
    /// A decoder.
    ///
    /// # Errors
    /// [`CodecError::Library`] if there is no memory.
    pub fn new() -> Result<G729Decoder, CodecError> {
        // SAFETY: gives memory that is freed in `drop`.
        let library = unsafe { ffi::decoder_new() };
        NonNull::new(library).map(|library| G729Decoder { library }).ok_or(CodecError::Library(OUT_OF_MEMORY))
    }

    /// Decodes one frame, of speech or comfort noise by its length; an empty one was lost.
    fn decode_frame(&mut self, frame: &[u8], pcm: &mut [i16; FRAME_SAMPLES]) {
        debug_assert!([0, SID_LEN, FRAME_LEN].contains(&frame.len()));
        let start = if frame.is_empty() { ptr::null() } else { frame.as_ptr() };
        let (is_erased, is_sid) = (u8::from(frame.is_empty()), u8::from(frame.len() == SID_LEN));
        // SAFETY: the channel is alive; as many bytes are read as the flags say (none of an erased frame, 2 of a
        // comfort noise frame, else 10), and 80 samples are written.
        unsafe {
            let pcm = pcm.as_mut_ptr();
            ffi::decode(self.library.as_ptr(), start, frame.len() as u8, is_erased, is_sid, 0, pcm);
        }
    }
}

impl Drop for G729Decoder {
    fn drop(&mut self) {
        // SAFETY: came from `decoder_new` and is used no more.
        unsafe { ffi::decoder_free(self.library.as_ptr()) }
    }
}

impl Decoder for G729Decoder {
    fn frame_samples(&self) -> usize {
        FRAME_SAMPLES
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if payload.is_empty() || ![0, SID_LEN].contains(&(payload.len() % FRAME_LEN)) {
            return Err(CodecError::Malformed);
        }
        let frames = payload.len().div_ceil(FRAME_LEN);
        let (room, _) = pcm.as_chunks_mut::<FRAME_SAMPLES>();
        let room = room.get_mut(..frames).ok_or(CodecError::FrameLength)?;
        for (frame, pcm) in payload.chunks(FRAME_LEN).zip(room) {
            self.decode_frame(frame, pcm);
        }
        Ok(frames * FRAME_SAMPLES)
    }

    fn announces_silence(&self, payload: &[u8]) -> bool {
        payload.len() % FRAME_LEN == SID_LEN
    }

    fn conceal(&mut self, pcm: &mut [i16]) {
        for chunk in pcm.chunks_mut(FRAME_SAMPLES) {
            let mut frame = [0; FRAME_SAMPLES];
            self.decode_frame(&[], &mut frame);
            chunk.copy_from_slice(&frame[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests;
