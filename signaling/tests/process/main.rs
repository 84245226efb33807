//! The process from outside: started with a configuration on ports of its own, spoken to over sockets.

mod configuration;
mod dataplane;
mod http;
mod sip;
mod support;
