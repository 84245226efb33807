//! The process that decides: SIP, the browsers' WebSocket and the pages, on one tokio thread around the sans-IO switch.
//!
//! Invariant: signaling never sees a media packet.

pub mod config;
