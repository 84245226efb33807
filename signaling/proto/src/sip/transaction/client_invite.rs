//! The INVITE client transaction (RFC 3261 section 17.1.1, RFC 6026 section 7.2).

use super::{Backoff, BaseTimers, ClientTimeout, ResponseVerdict, earliest};
use std::time::{Duration, Instant};

/// Timer D for unreliable transports: at least 32 s (RFC 3261 section 17.1.1.2).
const TIMER_D: Duration = Duration::from_secs(32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calling,
    Proceeding,
    Completed,
    Accepted,
}

/// The state of one INVITE that was sent.
#[derive(Clone, Debug)]
pub struct InviteClient {
    state: State,
    timers: BaseTimers,
    reliable: bool,
    /// Timer A; unreliable transports only.
    retransmit: Option<Backoff>,
    /// Timer B, then D or M; none in Proceeding, unless the request was cancelled.
    deadline: Option<Instant>,
}

impl InviteClient {
    /// The request was just sent.
    pub fn new(now: Instant, timers: BaseTimers, reliable: bool) -> InviteClient {
        InviteClient {
            state: State::Calling,
            timers,
            reliable,
            // Timer A doubles without bound; timer B ends it.
            retransmit: (!reliable).then(|| Backoff::new(now, timers.t1, timers.transaction_timeout())),
            deadline: Some(now + timers.transaction_timeout()),
        }
    }

    /// A response that matches came.
    pub fn receive(&mut self, now: Instant, status: u16) -> ResponseVerdict {
        match (self.state, status) {
            (State::Calling | State::Proceeding, 100..=199) => {
                if self.state == State::Calling {
                    self.state = State::Proceeding;
                    self.retransmit = None;
                    self.deadline = None;
                }
                ResponseVerdict::Pass
            }
            (State::Calling | State::Proceeding, 200..=299) => {
                self.state = State::Accepted;
                self.retransmit = None;
                self.deadline = Some(now + self.timers.transaction_timeout());
                ResponseVerdict::Pass
            }
            (State::Calling | State::Proceeding, _) => {
                self.state = State::Completed;
                self.retransmit = None;
                let linger = if self.reliable { Duration::ZERO } else { TIMER_D };
                self.deadline = Some(now + linger);
                ResponseVerdict::PassAndAck
            }
            (State::Completed, 300..) => ResponseVerdict::Ack,
            // RFC 6026 section 7.2: each 2xx, also a retransmission or from another fork, goes to the user.
            (State::Accepted, 200..=299) => ResponseVerdict::Pass,
            (State::Completed | State::Accepted, _) => ResponseVerdict::Absorb,
        }
    }

    /// The request was cancelled: RFC 3261 section 9.1 gives it 64*T1 to end.
    pub fn cancelled(&mut self, now: Instant) {
        if self.state == State::Proceeding {
            self.deadline = Some(now + self.timers.transaction_timeout());
        }
    }

    /// What is due, one thing at a time.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<ClientTimeout> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Some(match self.state {
                State::Calling | State::Proceeding => ClientTimeout::TimedOut,
                State::Completed | State::Accepted => ClientTimeout::Terminated,
            });
        }
        let retransmit = self.retransmit.as_mut().filter(|backoff| now >= backoff.at)?;
        retransmit.advance(now);
        Some(ClientTimeout::Retransmit)
    }

    /// When to call [`InviteClient::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        earliest(self.deadline, self.retransmit.map(|backoff| backoff.at))
    }

    /// Whether a provisional response came, and no final one: only then a CANCEL may be sent (section 9.1).
    pub fn is_proceeding(&self) -> bool {
        self.state == State::Proceeding
    }

    /// Whether a final response came.
    pub fn is_completed(&self) -> bool {
        matches!(self.state, State::Completed | State::Accepted)
    }
}
