//! Requests as controllers send them.
