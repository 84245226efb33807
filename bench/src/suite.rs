//! The `suite` command: named sets of measurements, relays side by side in one run and taking turns, medians over rounds,
//! results kept with plots and a page that explains them.

mod capacity;
mod codecs;
mod figures;
mod forward;
mod page;
mod plot;
mod setup;
mod sip;
mod thousands;
mod webrtc;

use crate::measure::{machine, process, stop};
use crate::media::Pacing;
use crate::relay::{Kind, Programs};
use crate::rtp_load::Outcome;
use figures::Figures;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A packet is late when it takes longer: what a telephone's jitter buffer commonly bears.
const LATE_AFTER: Duration = Duration::from_millis(50);

/// A named set of measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// CPU per packet, memory per call and latency of RTP to RTP and RTP to SRTP
    Forward,
    /// CPU per offer, answer and delete
    Setup,
    /// Calls per core with transcoding
    Capacity,
    /// What 20 ms of speech cost in each pair of codecs
    Codecs,
    /// 5,000 calls set up, run and torn down, three times
    Thousands,
    /// Telephones that register and call each other through Tandem
    Sip,
    /// Browsers that call telephones, beside Janus; needs root
    Webrtc,
}

impl Name {
    fn text(self) -> &'static str {
        match self {
            Name::Forward => "forward",
            Name::Setup => "setup",
            Name::Capacity => "capacity",
            Name::Codecs => "codecs",
            Name::Thousands => "thousands",
            Name::Sip => "sip",
            Name::Webrtc => "webrtc",
        }
    }
}

/// Named measurements of Tandem beside rtpengine.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which suites; all if none is named
    names: Vec<Name>,
    /// Rounds of each relay in each case; the relays take turns
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where results, plots and their page are kept, in a folder named after the day, the kernel and the machine
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// Which relays
    #[arg(long, value_delimiter = ',', default_values = ["tandem", "rtpengine"])]
    relays: Vec<Kind>,
    /// Some seconds in all: only whether everything works, with any build and on a busy machine; nothing is kept
    #[arg(long)]
    smoke: bool,
    /// Janus
    #[arg(long, default_value = "/usr/bin/janus")]
    janus: PathBuf,
    #[command(flatten)]
    programs: Programs,
}

/// What all suites need to know.
struct Context<'a> {
    arguments: &'a Arguments,
}

impl Context<'_> {
    /// How often each relay is measured in each case.
    fn rounds(&self) -> usize {
        if self.arguments.smoke { 1 } else { self.arguments.rounds }
    }

    /// `full`, or `small` for a smoke test.
    fn scale<T>(&self, full: T, small: T) -> T {
        if self.arguments.smoke { small } else { full }
    }

    /// The relays to measure; in a smoke test those that are installed.
    fn relays(&self) -> impl Iterator<Item = Kind> {
        let Arguments { relays, smoke, programs, .. } = self.arguments;
        relays.iter().copied().filter(move |kind| !smoke || programs.has(*kind))
    }

    /// Calls `measure` for each relay in each round, the relays taking turns; stops when the user wants an end.
    fn interleaved(&self, mut measure: impl FnMut(Kind) -> io::Result<()>) -> io::Result<()> {
        for _ in 0..self.rounds() {
            for kind in self.relays() {
                if stop::requested() {
                    return Err(io::Error::other("stopped"));
                }
                measure(kind)?;
            }
        }
        Ok(())
    }

    /// Packets each 20 ms.
    fn pacing(&self) -> Pacing {
        Pacing { interval_ms: 20, late_after: LATE_AFTER }
    }

    /// What must hold of each run, however slow the machine is.
    fn check(&self, kind: Kind, outcome: &Outcome) -> io::Result<()> {
        let both = outcome.both();
        let wrong = both.corrupt + both.unauthentic + both.duplicates;
        // In a smoke test there is next to no load, so nothing may be lost; elsewhere losses are among the figures.
        if both.received == 0 || wrong > 0 || self.arguments.smoke && both.lost() > 0 {
            let text = format!(
                "{}: of {} packets {} lost, {} corrupt, {} not authentic, {} twice",
                kind.name(),
                both.sent,
                both.lost(),
                both.corrupt,
                both.unauthentic,
                both.duplicates
            );
            return Err(io::Error::other(text));
        }
        Ok(())
    }
}

/// Runs the suites.
///
/// # Errors
/// If a relay cannot be started or driven, or loses packets at a load that it should carry.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    process::leave_relay_core();
    // The last moves this process into a network of its own.
    let all =
        [Name::Codecs, Name::Forward, Name::Setup, Name::Capacity, Name::Thousands, Name::Sip, Name::Webrtc];
    let names = if arguments.names.is_empty() { all.to_vec() } else { arguments.names.clone() };
    let context = Context { arguments };
    for name in names {
        println!("suite {}", name.text());
        let figures = match name {
            Name::Forward => forward::run(&context),
            Name::Setup => setup::run(&context),
            Name::Capacity => capacity::run(&context),
            Name::Codecs => codecs::run(&context),
            Name::Thousands => thousands::run(&context),
            Name::Sip => sip::run(&context),
            Name::Webrtc => webrtc::run(&context),
        }?;
        println!("{}", figures.table());
        if !arguments.smoke {
            keep(&arguments.results, name.text(), &figures)?;
        }
    }
    Ok(())
}

/// Adds the results to the day's folder, and writes its plots and page anew.
pub(crate) fn keep(results: &Path, suite: &str, figures: &Figures) -> io::Result<()> {
    let folder = results.join(format!("{}-{}-{}", today(), machine::kernel(), machine::name()));
    fs::create_dir_all(&folder)?;
    crate::measure::report::json_line(Some(&folder.join(page::LINES)), &figures.json(suite))?;
    page::write(&folder)?;
    println!("kept in {}", folder.display());
    Ok(())
}

/// The day, as 2026-11-22, by UTC.
fn today() -> String {
    let now =
        std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
    date(now.as_secs() / 86_400)
}

/// A day counted from 1970-01-01, in the Gregorian calendar: years are taken from March, so that leap days end them.
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        for (days, text) in [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_779, "2026-11-22")] {
            assert_eq!(date(days), text);
        }
    }
}
