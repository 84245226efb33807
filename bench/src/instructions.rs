//! The `instructions` command: how many instructions one packet takes in the media core, counted by callgrind and compared
//! with what is committed. Unlike times, counts hold on a busy machine; they are those of a debug build, as tests have it
//! at hand.

use crate::measure::report;
use crate::packet_path::{CASES, Call};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

/// Before packets are counted, so that first packets' work is done.
const WARM_UP: usize = 200;
const PACKETS: usize = 1000;
/// More than the expected count by this share is a regression. Compilers and random keys move counts by a little.
const TOLERANCE: f64 = 0.05;

/// Instructions per packet of the media core, beside the committed counts.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The committed counts
    #[arg(long, default_value = "bench/instructions.txt")]
    expected: PathBuf,
    /// Write the counts there instead of comparing
    #[arg(long)]
    update: bool,
    /// Only pass packets through this case: what callgrind runs
    #[arg(long, hide = true)]
    case: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// If valgrind does not run, or a case takes more instructions than it should.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    if let Some(case) = &arguments.case {
        let found = CASES.iter().find(|(name, _)| name == case);
        let (_, kind) = found.ok_or_else(|| io::Error::other("no such case"))?;
        let mut call = Call::new(*kind)?;
        (0..WARM_UP).try_for_each(|_| call.packet())?;
        return counted_packets(&mut call);
    }
    if !cfg!(debug_assertions) {
        return Err(io::Error::other("the counts are those of a debug build"));
    }
    let mut counts = Vec::new();
    for (name, _) in CASES {
        counts.push((name, count(name)?));
    }
    if arguments.update {
        let lines: String = counts.iter().map(|(name, count)| format!("{name} {count:.0}\n")).collect();
        return fs::write(&arguments.expected, lines);
    }
    let expected = fs::read_to_string(&arguments.expected)?;
    let expected = |case: &str| {
        let mut lines = expected.lines().filter_map(|line| line.split_once(' '));
        lines.find_map(|(name, count)| (name == case).then(|| count.parse::<f64>().ok())?)
    };
    let mut rows =
        vec![["instructions a packet", "expected", "counted", "ratio"].map(str::to_owned).to_vec()];
    let mut regressions = Vec::new();
    for (name, count) in counts {
        let expected =
            expected(name).ok_or_else(|| io::Error::other(format!("no expected count of {name}")))?;
        let ratio = count / expected;
        rows.push(vec![
            name.to_owned(),
            format!("{expected:.0}"),
            format!("{count:.0}"),
            format!("{ratio:.3}"),
        ]);
        if ratio > 1.0 + TOLERANCE {
            regressions.push(name);
        }
    }
    print!("{}", report::table(&rows));
    match regressions.as_slice() {
        [] => Ok(()),
        names => Err(io::Error::other(format!(
            "more instructions than before: {}; where that is right: tandem-bench instructions --update",
            names.join(", ")
        ))),
    }
}

/// What callgrind counts; the command names this function to it.
#[inline(never)]
fn counted_packets(call: &mut Call) -> io::Result<()> {
    (0..PACKETS).try_for_each(|_| call.packet())
}

fn count(case: &str) -> io::Result<f64> {
    let mut command = Command::new("valgrind");
    command.args([
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        "--toggle-collect=*counted_packets*",
    ]);
    command.arg(std::env::current_exe()?).args(["instructions", "--case", case]);
    let output = command.output().map_err(|error| io::Error::other(format!("valgrind: {error}")))?;
    let printed = String::from_utf8_lossy(&output.stderr);
    let collected =
        printed.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse::<f64>().ok());
    match collected {
        Some(collected) if output.status.success() && collected > 0.0 => Ok(collected / PACKETS as f64),
        _ => Err(io::Error::other(format!("callgrind on {case}: {printed}"))),
    }
}
