//! The NG protocol: what Kamailio's and OpenSIPS' rtpengine modules send, and the relay that they drive.

mod io;
mod settings;

pub use io::{Client, Framing, Input, Output};
pub use settings::{Interface, Limits, Settings, Timers};
