//! The bindings that `audiopus` asks for, over the libopus 1.6.1 that `opusic-sys` builds.
//!
//! The published `audiopus_sys` links any libopus that pkg-config finds: Debian 12's 1.3.1 costs
//! twice the CPU.
#![no_std]
pub use opusic_sys::*;
