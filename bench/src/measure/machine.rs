//! The whole machine: its name, how busy it was, what the kernel's slab holds.

use crate::measure::process::kilobytes;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

/// Other processes' load, as a share of one core, that leaves a round undisturbed.
const QUIET: f64 = 0.05;
/// The lateness of the generator, 99th percentile, that leaves a round undisturbed.
const PUNCTUAL: Duration = Duration::from_millis(2);

/// The state of the machine at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    at: Instant,
    cores: u32,
    /// CPU time of all cores that was idle, since boot.
    idle: Duration,
    /// CPU time that the hypervisor gave to others, since boot.
    stolen: Duration,
}

/// What disturbed a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disturbance {
    /// Other processes' load and stolen time, as a share of one core.
    pub(crate) others: f64,
    /// The generator's lateness, 99th percentile.
    pub(crate) lateness: Duration,
}

impl Disturbance {
    /// Whether the round counts as disturbed.
    pub(crate) fn is_noticeable(&self) -> bool {
        self.others > QUIET || self.lateness > PUNCTUAL
    }
}

impl Machine {
    /// Now.
    ///
    /// # Errors
    /// If /proc cannot be read.
    pub(crate) fn now() -> io::Result<Machine> {
        let stat = fs::read_to_string("/proc/stat")?;
        let all = stat.lines().next().unwrap_or_default();
        // proc_stat(5): user nice system idle iowait irq softirq steal, in ticks.
        let figures: Vec<u64> = all.split_whitespace().skip(1).filter_map(|text| text.parse().ok()).collect();
        let &[_, _, _, idle, waiting, _, _, stolen, ..] = figures.as_slice() else {
            return Err(io::Error::other("/proc/stat is not as proc_stat(5) describes it"));
        };
        Ok(Machine {
            at: Instant::now(),
            cores: stat.lines().skip(1).take_while(|line| line.starts_with("cpu")).count() as u32,
            idle: ticks(idle + waiting),
            stolen: ticks(stolen),
        })
    }

    /// The load since then that was not by processes which used `known` CPU time, as a share of one core. Idle time
    /// is what the kernel counts exactly, so the busy time is taken as what is left of the whole.
    ///
    /// # Errors
    /// If /proc cannot be read.
    pub(crate) fn others_until_now(&self, known: Duration) -> io::Result<f64> {
        let now = Machine::now()?;
        let elapsed = now.at - self.at;
        let busy = (elapsed * now.cores).saturating_sub(now.idle.saturating_sub(self.idle));
        let others = busy.saturating_sub(known).max(now.stolen.saturating_sub(self.stolen));
        Ok(others.as_secs_f64() / elapsed.as_secs_f64().max(f64::MIN_POSITIVE))
    }
}

fn ticks(count: u64) -> Duration {
    // SAFETY: sysconf takes and gives plain integers.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Duration::from_secs_f64(count as f64 / per_second.max(1) as f64)
}

/// What the kernel's slab allocator holds, in bytes: sockets and their queues are in it.
///
/// # Errors
/// If /proc cannot be read.
pub(crate) fn slab() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    kilobytes(&text, "Slab:").map(|kilobytes| kilobytes * 1024).ok_or_else(|| io::Error::other("no Slab"))
}

/// The CPU's name, with only letters, digits and dashes.
pub(crate) fn name() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    dashed(model.map_or("unknown", |(_, name)| name))
}

/// The kernel's release, as `uname -r` prints it.
pub(crate) fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

fn dashed(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_what_is_asked_of_it() {
        let before = Machine::now().unwrap();
        assert!(before.cores > 0);
        assert!(before.others_until_now(Duration::MAX).unwrap() >= 0.0);
        assert!(slab().unwrap() > 0);
    }

    #[test]
    fn a_name_becomes_part_of_a_path() {
        assert_eq!(dashed("AMD EPYC (7R13) @ 2.6"), "AMD-EPYC-7R13-2-6");
    }
}
