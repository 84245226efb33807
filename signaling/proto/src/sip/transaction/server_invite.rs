//! The INVITE server transaction (RFC 3261 section 17.2.1, RFC 6026 section 7.1).

use super::{Backoff, BaseTimers, RequestVerdict, ServerTimeout, earliest};
use std::time::{Duration, Instant};

/// The transaction user has so long before a 100 (Trying) is sent for it (section 17.2.1).
const TRYING_AFTER: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No response was sent yet.
    Received,
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
}

/// The state of one INVITE that was received.
#[derive(Clone, Debug)]
pub struct InviteServer {
    state: State,
    timers: BaseTimers,
    reliable: bool,
    /// Timer G; unreliable transports only.
    retransmit: Option<Backoff>,
    /// When 100 is due, then H, I or L.
    deadline: Option<Instant>,
}

impl InviteServer {
    /// The request was just received.
    pub fn new(now: Instant, timers: BaseTimers, reliable: bool) -> InviteServer {
        InviteServer {
            state: State::Received,
            timers,
            reliable,
            retransmit: None,
            deadline: Some(now + TRYING_AFTER),
        }
    }

    /// A retransmission of the request came.
    pub fn receive_invite(&mut self) -> RequestVerdict {
        match self.state {
            State::Proceeding | State::Completed => RequestVerdict::Retransmit,
            // RFC 6026 section 7.1: in Accepted, retransmissions of the INVITE are absorbed.
            State::Received | State::Confirmed | State::Accepted => RequestVerdict::Absorb,
        }
    }

    /// An ACK that matches this transaction came.
    pub fn receive_ack(&mut self, now: Instant) -> RequestVerdict {
        match self.state {
            State::Completed => {
                self.state = State::Confirmed;
                self.retransmit = None;
                // Timer I.
                self.deadline = Some(if self.reliable { now } else { now + self.timers.t4 });
                RequestVerdict::Absorb
            }
            State::Accepted => RequestVerdict::Pass,
            State::Received | State::Proceeding | State::Confirmed => RequestVerdict::Absorb,
        }
    }

    /// The transaction user answers. False: a final response went already. A 2xx is sent again by the transaction
    /// user (section 13.3.1.4), any other final response by this.
    pub fn respond(&mut self, now: Instant, status: u16) -> bool {
        if !matches!(self.state, State::Received | State::Proceeding) {
            return false;
        }
        match status {
            ..=199 => {
                self.state = State::Proceeding;
                self.deadline = None;
            }
            200..=299 => {
                self.state = State::Accepted;
                self.deadline = Some(now + self.timers.transaction_timeout());
            }
            _ => {
                self.state = State::Completed;
                self.retransmit = (!self.reliable).then(|| Backoff::new(now, self.timers.t1, self.timers.t2));
                self.deadline = Some(now + self.timers.transaction_timeout());
            }
        }
        true
    }

    /// What is due, one thing at a time.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<ServerTimeout> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return match self.state {
                State::Received => Some(ServerTimeout::Trying),
                State::Completed => Some(ServerTimeout::TimedOut),
                State::Confirmed | State::Accepted => Some(ServerTimeout::Terminated),
                State::Proceeding => None,
            };
        }
        let retransmit = self.retransmit.as_mut().filter(|backoff| now >= backoff.at)?;
        retransmit.advance(now);
        Some(ServerTimeout::Retransmit)
    }

    /// When to call [`InviteServer::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        earliest(self.deadline, self.retransmit.map(|backoff| backoff.at))
    }

    /// Whether no final response went yet.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Received | State::Proceeding)
    }
}
