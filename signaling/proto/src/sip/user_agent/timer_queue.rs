//! The deadlines of everything the user agent keeps, one for each.

use crate::table::shrink;
use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

/// What a deadline belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum TimerOwner {
    Outgoing(u64),
    Incoming(u64),
    Call(u64),
    Registration(u64),
    Subscription(u64),
}

/// Deadlines in order. An owner has one or none.
#[derive(Debug, Default)]
pub(super) struct TimerQueue {
    by_time: BTreeSet<(Instant, TimerOwner)>,
    by_owner: HashMap<TimerOwner, Instant>,
}

impl TimerQueue {
    /// Sets or (with `None`) clears the deadline of an owner.
    pub(super) fn set(&mut self, owner: TimerOwner, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.by_owner.insert(owner, at),
            None => self.by_owner.remove(&owner),
        };
        if let Some(before) = before {
            self.by_time.remove(&(before, owner));
        }
        if let Some(at) = at {
            self.by_time.insert((at, owner));
        }
    }

    /// Takes the next owner whose deadline has passed.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<TimerOwner> {
        let &(at, owner) = self.by_time.first()?;
        if at > now {
            return None;
        }
        self.set(owner, None);
        Some(owner)
    }

    /// See [`super::UserAgent::shrink`].
    pub(super) fn shrink(&mut self) {
        shrink(&mut self.by_owner);
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }
}
