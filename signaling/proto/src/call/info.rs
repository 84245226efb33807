//! INFO requests that are no digits: passed from one party to the other, and the answer back.

use super::{Call, Who};
use crate::party::{Cause, Signal};

impl Call {
    /// A party sends an INFO. It gets the other one's answer, or is told that there is nobody who could take it.
    pub(super) fn info_told(&mut self, from: Who, content_type: String, body: Vec<u8>) {
        let Some(side) = self.side_of(from).filter(|_| self.answered.is_some()) else {
            return self.tell(from, Signal::InfoDone(Cause::new(480, "Nobody has answered yet")));
        };
        if !self.media().is_some_and(|media| media.takes_messages(side.other())) {
            return self.tell(from, Signal::InfoDone(Cause::new(415, "The other party takes no INFO")));
        }
        let other = self.who(side.other());
        self.tell(other, Signal::Info { content_type, body });
    }

    /// A party has answered an INFO of the other's.
    pub(super) fn info_done(&mut self, from: Who, cause: Cause) {
        if let Some(side) = self.side_of(from) {
            let other = self.who(side.other());
            self.tell(other, Signal::InfoDone(cause));
        }
    }
}
