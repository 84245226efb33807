//! tandem-signaling.
fn main() {}
