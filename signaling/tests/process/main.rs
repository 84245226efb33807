//! The process from outside: started with a configuration on ports of its own, spoken to over sockets.
// A helper that fails fails its test; clippy only knows `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::panic)]

mod configuration;
mod dataplane;
mod http;
mod launcher;
mod ng;
mod relay;
mod sip;
mod support;
