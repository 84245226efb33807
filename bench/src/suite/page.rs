//! The page of a results folder: each suite's latest figures, its plot, and how to read them.

use crate::suite::figures::Figures;
use crate::suite::plot;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// The file of JSON lines, one a run of a suite.
pub(super) const LINES: &str = "suites.jsonl";

const EXPLANATION: &str = "\
- Each relay has one worker or thread, on a core of its own; the generator has the rest. Relays take turns, round by round.
- *median (min to max)* is over the rounds. *ratio* is Tandem's median as a share of the other relay's: below 1 is less
  CPU, memory or time; for *calls a core* and *calls a second*, above 1 is more. Ratios carry over to other machines;
  absolute figures do not.
- A round is *disturbed* when other programs used more than 5 % of a core meanwhile, or the hypervisor took as much, or when
  the generator itself was more than 2 ms late with one packet in a hundred. The kernel's own work for the load is no
  disturbance. Believe a figure only if most of its rounds are undisturbed.
- *calls a core* is taken from rounds that were clean: with a late or lost packet in a thousand or more, a round is repeated
  with fewer calls.
- CPU is that of all the relay's processes and threads (schedstat). On loopback the kernel charges the receive work to the
  sender, for every relay alike.
- Latency is one way, from the generator's send call to the kernel's receive time; for transcoded calls packets are
  matched by their time stamps. A packet is late after 50 ms: relays that are overloaded queue before they lose.
- Memory, slab and descriptors are what the calls added. Slab is the whole kernel's: small differences are noise.
- In the plots bars are medians, black lines go from the least to the greatest; each panel has its own scale.
";

#[derive(Deserialize)]
struct Line {
    suite: String,
    kernel: String,
    machine: String,
    #[serde(flatten)]
    figures: Figures,
}

/// Writes the page and the plots of a folder from its JSON lines.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    let mut latest = BTreeMap::new();
    for line in fs::read_to_string(folder.join(LINES))?.lines() {
        let line: Line = serde_json::from_str(line)?;
        latest.insert(line.suite.clone(), line);
    }
    let mut page = String::from("# Results\n\n");
    if let Some(line) = latest.values().next() {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "Kernel {}, {}. Made by `tandem-bench suite`.\n", line.kernel, line.machine);
    }
    page.push_str("## How to read them\n\n");
    page.push_str(EXPLANATION);
    for (suite, line) in &latest {
        let plot = format!("{suite}.svg");
        fs::write(folder.join(&plot), plot::svg(&line.figures))?;
        let _ = write!(page, "\n## {suite}\n\n{}\n![{suite}]({plot})\n", markdown(&line.figures.rows()));
    }
    fs::write(folder.join("README.md"), page)
}

fn markdown(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if index == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_latest_run_of_each_suite() {
        let folder = std::env::temp_dir().join(format!("tandem-bench-page-{:x}", fastrand::u64(..)));
        fs::create_dir(&folder).unwrap();
        let mut lines = String::new();
        for value in [7.25, 3.5] {
            let mut figures = Figures::default();
            figures.add("RTP", "us", "tandem", value, false);
            lines += &format!("{}\n", figures.json("forward"));
        }
        fs::write(folder.join(LINES), lines).unwrap();
        write(&folder).unwrap();
        let page = fs::read_to_string(folder.join("README.md")).unwrap();
        assert!(page.contains("| RTP | us | tandem | 3.50 (3.50 to 3.50) |"), "{page}");
        assert!(!page.contains("7.25"), "{page}");
        assert!(folder.join("forward.svg").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
