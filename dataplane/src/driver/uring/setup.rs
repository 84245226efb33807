//! The ring itself.

use io_uring::IoUring;
use std::io;

/// Submission queue entries.
pub(super) const SUBMISSION_ENTRIES: u32 = 1024;
/// Completion queue entries: a burst of receives on every provided buffer fits.
const COMPLETION_ENTRIES: u32 = 8192;

/// The ring with what this kernel has: completions deferred to our own system calls where possible (Linux 6.1).
pub(super) fn build_ring() -> io::Result<IoUring> {
    let mut best = IoUring::builder();
    best.setup_cqsize(COMPLETION_ENTRIES).setup_submit_all();
    let mut deferred = best.clone();
    deferred.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
    let mut cooperative = best.clone();
    cooperative.setup_coop_taskrun().setup_taskrun_flag();
    deferred
        .build(SUBMISSION_ENTRIES)
        .or_else(|_| cooperative.build(SUBMISSION_ENTRIES))
        .or_else(|_| best.build(SUBMISSION_ENTRIES))
}
