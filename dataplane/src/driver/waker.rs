//! What ends a worker's sleep from another thread.

use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

/// Wakes a worker that sleeps in [`super::Driver::wait`].
#[derive(Clone, Debug)]
pub struct Waker(Arc<EventFd>);

impl Waker {
    /// A waker for one driver.
    ///
    /// # Errors
    /// When no file descriptor is left.
    pub fn new() -> io::Result<Waker> {
        Ok(Waker(Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?)))
    }

    /// Wakes the worker, or keeps it from falling asleep next.
    pub fn wake(&self) {
        // Fails only when the counter is at its limit; then the worker is due to wake anyhow.
        let _ = self.0.write(1);
    }

    /// Takes note of all calls of [`Waker::wake`] so far.
    pub(super) fn clear(&self) {
        // Fails only when there is nothing to clear.
        let _ = self.0.read();
    }

    /// What becomes readable when the worker is to wake.
    pub(super) fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
