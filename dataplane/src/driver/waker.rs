//! What ends a worker's sleep from another thread.

use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Wakes a worker that sleeps in [`super::Driver::wait`].
#[derive(Clone, Debug)]
pub struct Waker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    event: EventFd,
    /// Woken, and not yet cleared: to wake it again would be a system call for nothing.
    woken: AtomicBool,
}

impl Waker {
    /// A waker for one driver.
    ///
    /// # Errors
    /// When no file descriptor is left.
    pub fn new() -> io::Result<Waker> {
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Waker(Arc::new(Shared { event, woken: AtomicBool::new(false) })))
    }

    /// Wakes the worker, or keeps it from falling asleep next.
    pub fn wake(&self) {
        if !self.0.woken.swap(true, Ordering::AcqRel) {
            // Fails only when the counter is at its limit; then the worker is due to wake anyhow.
            let _ = self.0.event.write(1);
        }
    }

    /// Takes note of all calls of [`Waker::wake`] so far.
    pub(super) fn clear(&self) {
        // Fails only when there is nothing to clear.
        let _ = self.0.event.read();
        // What was queued before a call that found the flag set is seen by whoever looks after this.
        self.0.woken.swap(false, Ordering::AcqRel);
    }

    /// What becomes readable when the worker is to wake.
    pub(super) fn descriptor(&self) -> RawFd {
        self.0.event.as_raw_fd()
    }
}
