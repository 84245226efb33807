//! The four transactions of RFC 3261 section 17, with the corrections of RFC 6026. Pure state machines: they hold no
//! message and send none; they tell when to send again, what to pass on and when they are over.

mod client;
mod client_invite;
mod server;
mod server_invite;

pub use client::Client;
pub use client_invite::InviteClient;
pub use server::Server;
pub use server_invite::InviteServer;

use std::time::{Duration, Instant};

/// The base timers of RFC 3261 table 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseTimers {
    /// The round-trip estimate; retransmissions start with it.
    pub t1: Duration,
    /// The longest interval between retransmissions of a non-INVITE request or an INVITE's response.
    pub t2: Duration,
    /// The longest time a message stays in the network.
    pub t4: Duration,
}

impl BaseTimers {
    /// 64*T1: timers B, F, H, L and M, and the time that retransmissions of a request may come.
    pub fn transaction_timeout(&self) -> Duration {
        self.t1 * 64
    }
}

impl Default for BaseTimers {
    fn default() -> BaseTimers {
        BaseTimers { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

/// What a client transaction does with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseVerdict {
    /// The transaction user gets it.
    Pass,
    /// The transaction user gets it, and the transaction sends an ACK (the first final response of 300 and above).
    PassAndAck,
    /// A retransmission of a final response: only the ACK is sent again.
    Ack,
    /// A retransmission, absorbed.
    Absorb,
}

/// What a client transaction's timer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientTimeout {
    /// Send the request again (timers A and E).
    Retransmit,
    /// No final response came in time (timers B and F); the transaction is over.
    TimedOut,
    /// The transaction is over (timers D, K and M).
    Terminated,
}

/// What a server transaction's timer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerTimeout {
    /// Send 100 (Trying): the transaction user has not answered within 200 ms (section 17.2.1).
    Trying,
    /// Send the last response again (timer G).
    Retransmit,
    /// No ACK came to a final response (timer H); the transaction is over.
    TimedOut,
    /// The transaction is over (timers I, J and L).
    Terminated,
}

/// What a server transaction does with a request that matches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestVerdict {
    /// Send the last response again.
    Retransmit,
    /// Nothing to be done.
    Absorb,
    /// An ACK that belongs to the transaction user: it answers a 2xx (RFC 6026 section 7.1).
    Pass,
}

/// A retransmission timer whose interval doubles up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    interval: Duration,
    bound: Duration,
    /// When to send again.
    pub(crate) at: Instant,
}

impl Backoff {
    pub(crate) fn new(now: Instant, first: Duration, bound: Duration) -> Backoff {
        Backoff { interval: first, bound, at: now + first }
    }

    /// Takes one expiry: the next interval is twice as long.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.interval = (self.interval * 2).min(self.bound);
        self.at = now + self.interval;
    }

    /// RFC 3261 section 17.1.2.2: in Proceeding, timer E fires each T2.
    pub(crate) fn slow_down(&mut self) {
        self.interval = self.bound;
    }
}

/// The earlier of two deadlines.
pub(crate) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
