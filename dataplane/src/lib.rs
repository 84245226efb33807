//! The processes that move packets.
