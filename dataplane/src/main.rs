//! tandem-dataplane.
fn main() {}
