//! What a session tells, until it is asked.

use std::collections::VecDeque;

use tandem_control::EventKind;

use crate::limits::MAX_EVENTS;

/// Room for what one packet may tell: whoever drives the session asks after each.
const USUAL: usize = 4;

/// A bounded queue; what does not fit is lost.
#[derive(Debug)]
pub(crate) struct Events(VecDeque<EventKind>);

impl Events {
    pub(crate) fn new() -> Events {
        Events(VecDeque::with_capacity(USUAL))
    }

    pub(crate) fn push(&mut self, event: EventKind) {
        if self.0.len() < MAX_EVENTS {
            self.0.push_back(event);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn pop(&mut self) -> Option<EventKind> {
        self.0.pop_front()
    }
}
