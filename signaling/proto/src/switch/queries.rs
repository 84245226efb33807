//! What browsers wait for that a server of the operator's answers.

use super::browsers::BrowserId;
use crate::party::Cause;
use crate::table::shrink;
use std::collections::HashMap;

/// Requests of one kind that are open at once.
pub(super) const MAX_QUERIES: usize = 256;

/// The open requests of one kind, with something to know of each.
#[derive(Debug)]
pub(super) struct Queries<T> {
    last: u64,
    /// The most of one browser.
    most: usize,
    open: HashMap<u64, (BrowserId, T)>,
}

impl<T> Queries<T> {
    /// None are open. One browser may have so many at once, and all together [`MAX_QUERIES`].
    pub(super) fn new(most: usize) -> Queries<T> {
        Queries { last: 0, most, open: HashMap::new() }
    }

    /// Notes a request; its id. `None`: there are too many.
    pub(super) fn begin(&mut self, browser: BrowserId, of_it: T) -> Option<u64> {
        let of_browser = self.open.values().filter(|(each, _)| *each == browser).count();
        if self.open.len() >= MAX_QUERIES || of_browser >= self.most {
            return None;
        }
        self.last += 1;
        self.open.insert(self.last, (browser, of_it));
        Some(self.last)
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

/// Why a request is not carried out that would be one too many.
pub(super) fn too_many() -> Cause {
    Cause::new(503, "Too many requests wait for an answer; try again in a moment")
}
