//! Speex, narrowband and wideband (RFC 5574), over libspeex.
//!
//! Frames of 20 ms; those of one packet are packed without gaps between their bits, and the last byte is padded with a
//! zero and ones (section 3.3).

mod ffi;
mod payload;

use core::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};

use crate::{CodecError, Decoder, Encoder, MAX_PAYLOAD};

/// Samples of the longest frame: wideband, 20 ms.
const MAX_FRAME: usize = 320;
/// Frames that are packed into one packet at most: 200 ms, which in no mode fill the 2000 bytes of libspeex's buffer.
const MAX_FRAMES: usize = 10;
/// Codes that [`CodecError::Library`] carries: no memory, and a setting without effect.
const OUT_OF_MEMORY: i32 = -1;

/// The audio bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// 8 kHz samples.
    Narrow,
    /// 16 kHz samples.
    Wide,
}

impl Band {
    /// Samples a second, in Hz.
    pub const fn sample_rate(self) -> u32 {
        match self {
            Band::Narrow => 8000,
            Band::Wide => 16_000,
        }
    }

    /// Samples of a frame: 20 ms.
    const fn frame_samples(self) -> usize {
        (self.sample_rate() / 50) as usize
    }

    fn mode(self) -> *const c_void {
        let id = match self {
            Band::Narrow => ffi::MODE_NARROW,
            Band::Wide => ffi::MODE_WIDE,
        };
        // SAFETY: gives a constant of the library for these two numbers.
        unsafe { ffi::mode(id) }
    }
}

/// How an encoder is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeexSettings {
    /// 0 to 10; sets the bit rate. 8 is 15 kbit/s narrowband and 27.8 kbit/s wideband.
    pub quality: u8,
    /// 1 (cheapest) to 10 (best).
    pub complexity: u8,
}

impl Default for SpeexSettings {
    fn default() -> SpeexSettings {
        SpeexSettings { quality: 8, complexity: 2 }
    }
}

/// The library's buffer of bits, freed when dropped.
struct Bits(ffi::Bits);

impl Bits {
    fn new() -> Bits {
        let mut bits = Bits(ffi::Bits::empty());
        // SAFETY: fills the whole structure.
        unsafe { ffi::bits_init(&raw mut bits.0) };
        bits
    }
}

impl Drop for Bits {
    fn drop(&mut self) {
        // SAFETY: was initialised by `bits_init` and is used no more.
        unsafe { ffi::bits_free(&raw mut self.0) }
    }
}

/// An encoder at a constant bit rate.
pub struct SpeexEncoder {
    library: NonNull<c_void>,
    bits: Bits,
    band: Band,
}

// SAFETY: libspeex keeps everything in the encoder's memory and the bits, which only their owner uses; no thread matters.
unsafe impl Send for SpeexEncoder {}

impl SpeexEncoder {
    /// An encoder.
    ///
    /// # Errors
    /// [`CodecError::Setting`] for a setting out of range, [`CodecError::Library`] if there is no memory.
    pub fn new(band: Band, settings: SpeexSettings) -> Result<SpeexEncoder, CodecError> {
        if settings.quality > 10 || !(1..=10).contains(&settings.complexity) {
            return Err(CodecError::Setting);
        }
        // SAFETY: the mode is a constant of the library; the memory is freed in `drop`.
        let library = NonNull::new(unsafe { ffi::encoder_new(band.mode()) });
        let library = library.ok_or(CodecError::Library(OUT_OF_MEMORY))?;
        let encoder = SpeexEncoder { library, bits: Bits::new(), band };
        encoder.set(ffi::SET_QUALITY, settings.quality)?;
        encoder.set(ffi::SET_COMPLEXITY, settings.complexity)?;
        Ok(encoder)
    }

    fn set(&self, request: c_int, value: u8) -> Result<(), CodecError> {
        let mut value = c_int::from(value);
        // SAFETY: the encoder is alive; both requests read one `int`.
        let result =
            unsafe { ffi::encoder_set(self.library.as_ptr(), request, (&raw mut value).cast::<c_void>()) };
        if result == 0 { Ok(()) } else { Err(CodecError::Library(result)) }
    }
}

impl Drop for SpeexEncoder {
    fn drop(&mut self) {
        // SAFETY: came from `encoder_new` and is used no more.
        unsafe { ffi::encoder_free(self.library.as_ptr()) }
    }
}

impl Encoder for SpeexEncoder {
    fn frame_samples(&self) -> usize {
        self.band.frame_samples()
    }

    fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> Result<usize, CodecError> {
        let frame_samples = self.band.frame_samples();
        let frames = pcm.len() / frame_samples;
        if !(1..=MAX_FRAMES).contains(&frames) || !pcm.len().is_multiple_of(frame_samples) {
            return Err(CodecError::FrameLength);
        }
        // SAFETY: the bits are initialised.
        unsafe { ffi::bits_reset(&raw mut self.bits.0) };
        for frame in pcm.chunks_exact(frame_samples) {
            let mut scratch = [0; MAX_FRAME];
            scratch[..frame_samples].copy_from_slice(frame);
            // SAFETY: encoder and bits are alive; one frame of samples is read and overwritten. `MAX_FRAMES` keeps
            // the bits within their buffer.
            unsafe {
                ffi::encode(self.library.as_ptr(), scratch.as_mut_ptr(), &raw mut self.bits.0);
            }
        }
        // SAFETY: the bits are initialised.
        let length = unsafe { ffi::bits_bytes(&raw mut self.bits.0) };
        if usize::try_from(length).map_or(true, |length| length > payload.len()) {
            return Err(CodecError::FrameLength);
        }
        // SAFETY: the bits are initialised; `length` bytes are written, which `payload` has room for.
        let written = unsafe { ffi::bits_write(&raw mut self.bits.0, payload.as_mut_ptr().cast(), length) };
        usize::try_from(written).map_err(|_| CodecError::Library(written))
    }
}

/// A decoder, with the codec's own concealment.
pub struct SpeexDecoder {
    library: NonNull<c_void>,
    bits: Bits,
    band: Band,
}

// SAFETY: as for the encoder.
unsafe impl Send for SpeexDecoder {}

impl SpeexDecoder {
    /// A decoder. A narrowband one also decodes the lower half of wideband frames.
    ///
    /// # Errors
    /// [`CodecError::Library`] if there is no memory.
    pub fn new(band: Band) -> Result<SpeexDecoder, CodecError> {
        // SAFETY: the mode is a constant of the library; the memory is freed in `drop`.
        let library = NonNull::new(unsafe { ffi::decoder_new(band.mode()) });
        let library = library.ok_or(CodecError::Library(OUT_OF_MEMORY))?;
        Ok(SpeexDecoder { library, bits: Bits::new(), band })
    }
}

impl Drop for SpeexDecoder {
    fn drop(&mut self) {
        // SAFETY: came from `decoder_new` and is used no more.
        unsafe { ffi::decoder_free(self.library.as_ptr()) }
    }
}

impl Decoder for SpeexDecoder {
    fn frame_samples(&self) -> usize {
        self.band.frame_samples()
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(CodecError::Malformed);
        }
        let samples = payload::frames(payload).ok_or(CodecError::Malformed)? * self.band.frame_samples();
        let room = pcm.get_mut(..samples).ok_or(CodecError::FrameLength)?;
        // SAFETY: the bits are initialised, and the length is that of the payload and below the buffer's 2000.
        unsafe {
            ffi::bits_read_from(&raw mut self.bits.0, payload.as_ptr().cast(), payload.len() as c_int);
        }
        for frame in room.chunks_exact_mut(self.band.frame_samples()) {
            // SAFETY: decoder and bits are alive; one frame of samples is written.
            let result =
                unsafe { ffi::decode(self.library.as_ptr(), &raw mut self.bits.0, frame.as_mut_ptr()) };
            if result != 0 {
                return Err(CodecError::Malformed);
            }
        }
        Ok(samples)
    }

    fn conceal(&mut self, pcm: &mut [i16]) {
        for chunk in pcm.chunks_mut(self.band.frame_samples()) {
            let mut frame = [0; MAX_FRAME];
            // SAFETY: the decoder is alive; one frame of samples is written, and no bits are read.
            unsafe { ffi::decode(self.library.as_ptr(), ptr::null_mut(), frame.as_mut_ptr()) };
            chunk.copy_from_slice(&frame[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests;
