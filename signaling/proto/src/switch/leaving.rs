//! The clean end: nobody is registered at a provider any more whose calls would find nobody here.

use super::Switch;
use std::time::Instant;

impl Switch {
    /// The process is about to end: bindings at providers are removed (RFC 3261 section 10.2.2), and none is made.
    pub(super) fn leave(&mut self, now: Instant) {
        self.is_leaving = true;
        self.user_agent.unregister_all(now);
    }

    /// Whether nothing is left to be done after [`super::Input::Leave`]: providers have answered, or do not.
    pub fn has_left(&self) -> bool {
        self.is_leaving && self.user_agent.registrations() == 0
    }
}
