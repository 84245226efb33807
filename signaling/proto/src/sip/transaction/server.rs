//! The non-INVITE server transaction (RFC 3261 section 17.2.2).

use super::{BaseTimers, RequestVerdict, ServerTimeout};
use std::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
}

/// The state of one non-INVITE request that was received.
#[derive(Clone, Debug)]
pub struct Server {
    state: State,
    timers: BaseTimers,
    reliable: bool,
    /// Timer J. Before the final response: when the transaction user's time is up, so that nothing is kept for ever.
    deadline: Instant,
}

impl Server {
    /// The request was just received.
    pub fn new(now: Instant, timers: BaseTimers, reliable: bool) -> Server {
        Server { state: State::Trying, timers, reliable, deadline: now + timers.transaction_timeout() }
    }

    /// A retransmission of the request came.
    pub fn receive(&mut self) -> RequestVerdict {
        match self.state {
            State::Trying => RequestVerdict::Absorb,
            State::Proceeding | State::Completed => RequestVerdict::Retransmit,
        }
    }

    /// The transaction user answers. False: a final response went already.
    pub fn respond(&mut self, now: Instant, status: u16) -> bool {
        if self.state == State::Completed {
            return false;
        }
        if status < 200 {
            self.state = State::Proceeding;
        } else {
            self.state = State::Completed;
            self.deadline = if self.reliable { now } else { now + self.timers.transaction_timeout() };
        }
        true
    }

    /// What is due.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<ServerTimeout> {
        (now >= self.deadline).then_some(match self.state {
            State::Completed => ServerTimeout::Terminated,
            State::Trying | State::Proceeding => ServerTimeout::TimedOut,
        })
    }

    /// When to call [`Server::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        Some(self.deadline)
    }
}
