//! The process that moves packets: drivers, workers, and the control server. It knows no SIP and no SDP.
//!
//! `unsafe` lives in [`driver::uring`] alone.
#![deny(unsafe_code)]

pub mod buffers;
pub mod control_server;
pub mod counters;
pub mod dataplane;
pub mod demux;
pub mod driver;
pub mod files;
pub mod ports;
pub mod settings;
pub mod timers;
pub mod worker;
