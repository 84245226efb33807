//! The non-INVITE client transaction (RFC 3261 section 17.1.2).

use super::{Backoff, BaseTimers, ClientTimeout, ResponseVerdict, earliest};
use std::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
}

/// The state of one non-INVITE request that was sent.
#[derive(Clone, Debug)]
pub struct Client {
    state: State,
    timers: BaseTimers,
    reliable: bool,
    /// Timer E; unreliable transports only.
    retransmit: Option<Backoff>,
    /// Timer F, then timer K.
    deadline: Instant,
}

impl Client {
    /// The request was just sent.
    pub fn new(now: Instant, timers: BaseTimers, reliable: bool) -> Client {
        Client {
            state: State::Trying,
            timers,
            reliable,
            retransmit: (!reliable).then(|| Backoff::new(now, timers.t1, timers.t2)),
            deadline: now + timers.transaction_timeout(),
        }
    }

    /// A response that matches came.
    pub fn receive(&mut self, now: Instant, status: u16) -> ResponseVerdict {
        match self.state {
            State::Completed => ResponseVerdict::Absorb,
            _ if status < 200 => {
                if self.state == State::Trying {
                    self.state = State::Proceeding;
                    if let Some(retransmit) = &mut self.retransmit {
                        retransmit.slow_down();
                    }
                }
                ResponseVerdict::Pass
            }
            _ => {
                self.state = State::Completed;
                self.retransmit = None;
                // Timer K: zero for reliable transports.
                self.deadline = if self.reliable { now } else { now + self.timers.t4 };
                ResponseVerdict::Pass
            }
        }
    }

    /// What is due, one thing at a time.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<ClientTimeout> {
        if now >= self.deadline {
            return Some(match self.state {
                State::Completed => ClientTimeout::Terminated,
                State::Trying | State::Proceeding => ClientTimeout::TimedOut,
            });
        }
        let retransmit = self.retransmit.as_mut().filter(|backoff| now >= backoff.at)?;
        retransmit.advance(now);
        Some(ClientTimeout::Retransmit)
    }

    /// When to call [`Client::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        earliest(Some(self.deadline), self.retransmit.map(|backoff| backoff.at))
    }

    /// Whether a final response came.
    pub fn is_completed(&self) -> bool {
        self.state == State::Completed
    }
}
