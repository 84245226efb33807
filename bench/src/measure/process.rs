//! A measured process: pinned to one core, its CPU time, memory and descriptors read from /proc, ended by its id.

use std::fs;
use std::io;
use std::ops::{Add, Sub};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The core that relays run on; generators keep to the others.
pub(crate) const RELAY_CORE: usize = 0;
/// How long a process may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// Keeps the calling process off the relay's core, where there is another.
pub(crate) fn leave_relay_core() {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    if cores > 1 {
        pin((0..cores).filter(|core| *core != RELAY_CORE));
    }
}

fn pin(cores: impl Iterator<Item = usize>) {
    // SAFETY: a zeroed cpu_set_t is the empty set; CPU_SET and sched_setaffinity only touch it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for core in cores {
            libc::CPU_SET(core, &mut set);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

/// The CPU time that the calling thread has used, to the nanosecond.
pub(crate) fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call only writes into the structure.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// What this process has allocated and not freed, in bytes; that of C libraries too. Resident memory does not tell: what is
/// freed is kept for the next.
pub(crate) fn allocated() -> u64 {
    // SAFETY: the call takes nothing and gives plain integers.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd) as u64
}

/// What one process or several have used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// CPU time of all threads since they began.
    pub(crate) cpu: Duration,
    /// Resident memory now, in bytes.
    pub(crate) resident: u64,
    /// Open descriptors now.
    pub(crate) descriptors: u64,
}

impl Usage {
    /// Of this process itself.
    ///
    /// # Errors
    /// If /proc cannot be read.
    pub(crate) fn of_self() -> io::Result<Usage> {
        Usage::of(std::process::id())
    }

    /// Of a process and all its descendants.
    fn of_tree(id: u32) -> io::Result<Usage> {
        let mut total = Usage::of(id)?;
        for thread in fs::read_dir(format!("/proc/{id}/task"))? {
            let children = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
                // One that ended since the list was read counts no more.
                total = total + Usage::of_tree(child).unwrap_or_default();
            }
        }
        Ok(total)
    }

    fn of(id: u32) -> io::Result<Usage> {
        let process = Path::new("/proc").join(id.to_string());
        let mut nanoseconds = 0;
        for thread in fs::read_dir(process.join("task"))? {
            // The first figure of schedstat. A thread that ended since the directory was read counts no more.
            let figures = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += figures.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        }
        let status = fs::read_to_string(process.join("status"))?;
        Ok(Usage {
            cpu: Duration::from_nanos(nanoseconds),
            resident: kilobytes(&status, "VmRSS:").ok_or_else(|| io::Error::other("no VmRSS"))? * 1024,
            descriptors: fs::read_dir(process.join("fd"))?.count() as u64,
        })
    }
}

impl Add for Usage {
    type Output = Usage;

    fn add(self, other: Usage) -> Usage {
        Usage {
            cpu: self.cpu + other.cpu,
            resident: self.resident + other.resident,
            descriptors: self.descriptors + other.descriptors,
        }
    }
}

impl Sub for Usage {
    type Output = Usage;

    /// What came since `before`; never below zero.
    fn sub(self, before: Usage) -> Usage {
        Usage {
            cpu: self.cpu.saturating_sub(before.cpu),
            resident: self.resident.saturating_sub(before.resident),
            descriptors: self.descriptors.saturating_sub(before.descriptors),
        }
    }
}

/// The figure behind `key` in a text of /proc, of lines like `VmRSS:   1234 kB`.
pub(super) fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// A child on the relay's core.
pub(crate) struct Measured(Child);

impl Measured {
    /// Starts `command` on the relay's core. What it prints goes into `log`, or is thrown away.
    ///
    /// # Errors
    /// If it cannot be started or the log not written.
    pub(crate) fn start(mut command: Command, log: Option<&Path>) -> io::Result<Measured> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(path) = log {
            let file = fs::File::create(path)?;
            command.stdout(file.try_clone()?).stderr(file);
        }
        // SAFETY: between fork and exec only sched_setaffinity is called, which is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                pin(std::iter::once(RELAY_CORE));
                Ok(())
            });
        }
        let program = command.get_program().to_owned();
        let child = command.spawn();
        child.map(Measured).map_err(|error| io::Error::other(format!("{}: {error}", program.display())))
    }

    /// What it and its descendants have used.
    ///
    /// # Errors
    /// If it is no longer there.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        Usage::of_tree(self.0.id())
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // SAFETY: kill takes plain integers; the child is ours and not yet waited for, so its id is still its own.
        unsafe { libc::kill(self.0.id().cast_signed(), libc::SIGTERM) };
        let patience = Instant::now() + GRACE;
        while Instant::now() < patience {
            if let Ok(Some(_)) = self.0.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let usage = Usage::of_self().unwrap();
        assert!(usage.cpu > Duration::ZERO && usage.resident > 0 && usage.descriptors > 2, "{usage:?}");
    }
}
