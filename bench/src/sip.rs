//! The SIP generator: users that register, call, answer, and do what telephones do, at a set rate.

pub(crate) mod agent;
mod call;
pub(crate) mod event;
pub(crate) mod message;
mod transaction;
