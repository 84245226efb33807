//! The process that decides: SIP, the browsers' WebSocket and the pages around the sans-IO switch, NG around the sans-IO
//! relay, all on one tokio thread.
//!
//! Invariant: signaling never sees a media packet.

pub mod banner;
pub mod certificate;
pub mod config;
mod connection;
mod data_hook;
mod dataplane_client;
mod dns;
mod event_loop;
mod events;
mod http;
mod http_client;
mod limits;
mod message_store;
mod ng;
pub mod options;
mod readable;
pub mod server;
mod sip;
mod token_hook;
mod websocket;
mod xcap_client;
