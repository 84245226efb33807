//! The process that moves packets: drivers, workers, and the control server. It knows no SIP and no SDP.
//!
//! `unsafe` lives in [`driver::uring`] alone.
#![deny(unsafe_code)]

pub mod buffers;
pub mod driver;
pub mod timers;
