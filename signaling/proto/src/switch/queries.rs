//! What browsers wait for that a server of the operator's answers.

use super::browsers::BrowserId;
use crate::party::Cause;
use crate::table::shrink;
use std::collections::HashMap;

/// Requests of one kind that are open at once, and those of one browser.
const MAX_QUERIES: usize = 256;
const MAX_OF_BROWSER: usize = 2;

/// The open requests of one kind, with something to know of each.
#[derive(Debug)]
pub(super) struct Queries<T> {
    last: u64,
    open: HashMap<u64, (BrowserId, T)>,
}

impl<T> Default for Queries<T> {
    fn default() -> Queries<T> {
        Queries { last: 0, open: HashMap::new() }
    }
}

impl<T> Queries<T> {
    /// Notes a request; its id.
    ///
    /// # Errors
    /// 503: there are too many.
    pub(super) fn begin(&mut self, browser: BrowserId, of_it: T) -> Result<u64, Cause> {
        let of_browser = self.open.values().filter(|(each, _)| *each == browser).count();
        if self.open.len() >= MAX_QUERIES || of_browser >= MAX_OF_BROWSER {
            return Err(Cause::new(503, "Too many requests wait for an answer; try again in a moment"));
        }
        self.last += 1;
        self.open.insert(self.last, (browser, of_it));
        Ok(self.last)
    }

    /// A request is answered: who waits for it.
    pub(super) fn end(&mut self, query: u64) -> Option<(BrowserId, T)> {
        self.open.remove(&query)
    }

    /// Gives back memory that was needed in busier times.
    pub(super) fn shrink(&mut self) {
        shrink(&mut self.open);
    }
}
