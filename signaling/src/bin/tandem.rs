//! tandem: starts both processes.
fn main() {}
