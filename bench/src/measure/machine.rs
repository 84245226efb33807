//! The whole machine: its name, how busy it was, what the kernel's slab holds.

use crate::measure::process::kilobytes;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// Other processes' load, as a share of one core, that leaves a round undisturbed.
const QUIET: f64 = 0.05;
/// The lateness of the generator, 99th percentile, that leaves a round undisturbed.
const PUNCTUAL: Duration = Duration::from_millis(2);

/// The process whose children are the kernel's own threads. What those do is done for the load: they deliver its packets.
const KERNEL_THREADS: &str = "2";

/// The state of the machine at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    at: Instant,
    /// CPU time of all programs since they began.
    programs: Duration,
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
        // proc_stat(5): user nice system idle iowait irq softirq steal, in ticks.
        let stolen = stat.lines().next().and_then(|all| all.split_whitespace().nth(8)?.parse().ok());
        let stolen =
            stolen.ok_or_else(|| io::Error::other("/proc/stat is not as proc_stat(5) describes it"))?;
        let mut used = 0;
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(id) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else {
                continue;
            };
            // One that ended since the list was read is counted with its parent.
            let stat = fs::read_to_string(Path::new("/proc").join(id).join("stat")).unwrap_or_default();
            used += used_by_program(&stat).unwrap_or(0);
        }
        Ok(Machine { at: Instant::now(), programs: ticks(used), stolen: ticks(stolen) })
    }

    /// The load since then that was not by programs which used `known` CPU time, as a share of one core: that of other
    /// programs, or what the hypervisor took. The kernel's receive work, which it does in the name of nobody, is not in it.
    ///
    /// # Errors
    /// If /proc cannot be read.
    pub(crate) fn others_until_now(&self, known: Duration) -> io::Result<f64> {
        let now = Machine::now()?;
        let elapsed = now.at - self.at;
        let programs = now.programs.saturating_sub(self.programs);
        let others = programs.saturating_sub(known).max(now.stolen.saturating_sub(self.stolen));
        Ok(others.as_secs_f64() / elapsed.as_secs_f64().max(f64::MIN_POSITIVE))
    }
}

/// CPU time in ticks of a process with its threads and the children that it waited for, from its /proc/PID/stat; nothing for
/// the kernel's own threads.
fn used_by_program(stat: &str) -> Option<u64> {
    // The name, in parentheses, may hold anything. Behind it (proc_pid_stat(5), from field 3): state, parent; fields 14
    // to 17 are utime, stime, cutime, cstime.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if fields.get(1) == Some(&KERNEL_THREADS) {
        return None;
    }
    fields.get(11..15)?.iter().map(|text| text.parse::<u64>().ok()).sum()
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
        assert!(before.programs > Duration::ZERO);
        assert!(before.others_until_now(Duration::MAX).unwrap() >= 0.0);
        assert!(slab().unwrap() > 0);
    }

    #[test]
    fn programs_count_and_kernel_threads_do_not() {
        let of_child_of =
            |parent| format!("7 (a) b) S {parent} 1 1 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0");
        assert_eq!(used_by_program(&of_child_of(1)), Some(127));
        assert_eq!(used_by_program(&of_child_of(2)), None);
        assert_eq!(used_by_program(""), None);
    }

    #[test]
    fn a_name_becomes_part_of_a_path() {
        assert_eq!(dashed("AMD EPYC (7R13) @ 2.6"), "AMD-EPYC-7R13-2-6");
    }
}
