//! A measured process: pinned to one core, its CPU time and its memory read from /proc, ended by its id.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The core that relays run on; the generator keeps to the others.
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

/// A child on the relay's core.
pub(crate) struct Measured(Child);

impl Measured {
    /// Starts `command` on the relay's core, its output thrown away.
    pub(crate) fn start(mut command: Command) -> io::Result<Measured> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // SAFETY: between fork and exec only sched_setaffinity is called, which is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                pin(std::iter::once(RELAY_CORE));
                Ok(())
            });
        }
        command.spawn().map(Measured)
    }

    /// CPU time of all its threads so far (schedstat's first figure, nanoseconds).
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let mut total = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            let figures = fs::read_to_string(thread?.path().join("schedstat"))?;
            total += figures.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(total))
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| io::Error::other("no VmRSS"))
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
