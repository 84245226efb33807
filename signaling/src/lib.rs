//! The process that decides: SIP, the browsers' WebSocket and the pages, on one tokio thread around the sans-IO switch.
//!
//! Invariant: signaling never sees a media packet.

pub mod banner;
pub mod certificate;
pub mod config;
mod connection;
mod dataplane_client;
mod dns;
mod event_loop;
mod events;
mod http;
mod limits;
pub mod server;
mod sip;
mod websocket;
