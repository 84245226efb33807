//! The comparison: rounds of each relay, taking turns, and a table of medians and ratios.

use crate::RelayArguments;
use crate::load::{self, Load};
use crate::measure::process::{self, Measured};
use crate::{rtpengine::Rtpengine, tandem::Tandem};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use tandem_control::SrtpKey;

/// What the second leg of each call speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// RTP/AVP.
    Rtp,
    /// SRTP with `AES_CM_128_HMAC_SHA1_80` by SDES.
    Srtp,
}

/// A call set up in a relay.
pub(crate) struct Call {
    /// Where side A (always RTP) sends to.
    pub(crate) a: SocketAddr,
    /// Where side B sends to.
    pub(crate) b: SocketAddr,
    /// What protects side B's packets to the relay.
    pub(crate) b_key: Option<SrtpKey>,
}

/// A relay under measurement.
pub(crate) trait Relay {
    /// Its process.
    fn process(&self) -> &Measured;
    /// Sets up one call between two addresses of the generator.
    fn open(&mut self, mode: Mode, a: SocketAddr, b: SocketAddr) -> io::Result<Call>;
}

/// The figures of one round.
struct Round {
    cpu_per_packet_us: f64,
    memory_per_call_kb: f64,
    lost: f64,
}

/// Runs all rounds and prints the table.
///
/// # Errors
/// If a relay cannot be started or driven, or loses more than one packet in a hundred.
pub(crate) fn run(arguments: &RelayArguments) -> io::Result<()> {
    process::leave_relay_core();
    println!(
        "{} calls, 50 packets/s each way, {} s a round, {} rounds; medians (min to max)",
        arguments.calls, arguments.seconds, arguments.rounds
    );
    println!("{:12} {:10} {:>26} {:>26} {:>8}", "mode", "relay", "CPU us/packet", "memory kB/call", "lost");
    for mode in [Mode::Rtp, Mode::Srtp] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..arguments.rounds {
            ours.push(round(arguments, mode, Tandem::start(&arguments.dataplane)?)?);
            theirs.push(round(arguments, mode, Rtpengine::start(&arguments.rtpengine)?)?);
        }
        print_rows(mode, &ours, &theirs);
        if let Some(path) = &arguments.json {
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            writeln!(file, "{}", json(arguments, mode, &ours, &theirs))?;
        }
    }
    Ok(())
}

fn round(arguments: &RelayArguments, mode: Mode, mut relay: impl Relay) -> io::Result<Round> {
    let mut load = Load::new(mode);
    let idle = relay.process().usage()?.resident;
    for _ in 0..arguments.calls {
        let (a, b) = load.next_addresses()?;
        load.add(relay.open(mode, a, b)?)?;
    }
    load.run(load::WARM_UP)?;
    let before = relay.process().usage()?.cpu;
    let counts = load.run(std::time::Duration::from_secs(arguments.seconds))?;
    let cpu = relay.process().usage()?.cpu.saturating_sub(before);
    let memory = relay.process().usage()?.resident.saturating_sub(idle);
    let lost = 1.0 - counts.received as f64 / counts.sent.max(1) as f64;
    if lost > 0.01 {
        return Err(io::Error::other(format!(
            "{:.1} % of the packets were lost: take fewer calls",
            lost * 100.0
        )));
    }
    Ok(Round {
        cpu_per_packet_us: cpu.as_secs_f64() * 1e6 / counts.received.max(1) as f64,
        memory_per_call_kb: memory as f64 / 1024.0 / arguments.calls as f64,
        lost,
    })
}

/// Median, least and greatest.
fn spread(rounds: &[Round], figure: impl Fn(&Round) -> f64) -> [f64; 3] {
    let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
    [at(figures.len() / 2), at(0), at(figures.len().saturating_sub(1))]
}

fn print_rows(mode: Mode, ours: &[Round], theirs: &[Round]) {
    let name = match mode {
        Mode::Rtp => "RTP-RTP",
        Mode::Srtp => "RTP-SRTP",
    };
    let text = |[median, least, most]: [f64; 3]| format!("{median:.2} ({least:.2} to {most:.2})");
    for (relay, rounds) in [("tandem", ours), ("rtpengine", theirs)] {
        let cpu = text(spread(rounds, |round| round.cpu_per_packet_us));
        let memory = text(spread(rounds, |round| round.memory_per_call_kb));
        println!(
            "{name:12} {relay:10} {cpu:>26} {memory:>26} {:>7.2}%",
            spread(rounds, |round| round.lost)[2] * 100.0
        );
    }
    let ratio = |figure: fn(&Round) -> f64| spread(ours, figure)[0] / spread(theirs, figure)[0];
    let (cpu, memory) = (ratio(|round| round.cpu_per_packet_us), ratio(|round| round.memory_per_call_kb));
    println!("{name:12} {:10} {cpu:>26.2} {memory:>26.2}", "ratio");
}

fn json(arguments: &RelayArguments, mode: Mode, ours: &[Round], theirs: &[Round]) -> serde_json::Value {
    let figures = |rounds: &[Round]| {
        serde_json::json!({
            "cpu_us_per_packet": spread(rounds, |round| round.cpu_per_packet_us),
            "memory_kb_per_call": spread(rounds, |round| round.memory_per_call_kb),
        })
    };
    serde_json::json!({
        "bench": "relay", "mode": format!("{mode:?}"), "calls": arguments.calls, "seconds": arguments.seconds,
        "rounds": arguments.rounds, "order": "median, min, max", "tandem": figures(ours), "rtpengine": figures(theirs),
    })
}
