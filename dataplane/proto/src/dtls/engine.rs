//! The DTLS engine behind a second line of defence: where it panics it has failed, and the thread goes on.
//!
//! The engine reads what a peer sent before anybody has proven who that is. A panic of it would otherwise end the worker, and
//! every call on it. A broken engine is never used again: whoever gets [`Fault::Panicked`] drops it.

use dimpl::{Dtls, Error as EngineError, Output};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside the DTLS engine, whose panics are caught: a panic hook that ends the process for any other
/// panic reports this one and returns.
pub fn is_engine_guarded() -> bool {
    IS_GUARDED.get()
}

/// Why the engine did not do what it was told.
#[derive(Debug)]
pub(super) enum Fault {
    /// It refused.
    Refused(EngineError),
    /// It panicked, and is not to be used again.
    Panicked,
}

/// dimpl.
pub(super) struct Engine(Box<Dtls>);

impl Engine {
    pub(super) fn new(engine: Dtls) -> Engine {
        Engine(Box::new(engine))
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), Fault> {
        guarded(|| self.0.handle_timeout(now))?.map_err(Fault::Refused)
    }

    pub(super) fn handle_packet(&mut self, packet: &[u8]) -> Result<(), Fault> {
        guarded(|| self.0.handle_packet(packet))?.map_err(Fault::Refused)
    }

    pub(super) fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> Result<Output<'a>, Fault> {
        guarded(|| self.0.poll_output(buffer))
    }
}

/// What a panic left half done is in the engine alone, which is dropped then: nothing else sees it.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Fault> {
    IS_GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    IS_GUARDED.set(false);
    result.map_err(|_| Fault::Panicked)
}
