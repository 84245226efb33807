//! Suite `webrtc`: calls of browsers to telephones, through whole Tandem and through Janus with its SIP plugin, by the
//! same clients; and calls of browsers to each other, which Janus' SIP plugin would need a SIP server for.

use crate::measure::machine::Disturbance;
use crate::media::Codec;
use crate::suite::Context;
use crate::suite::figures::Figures;
use crate::webrtc::options::{Mode, Options};
use crate::webrtc::signaling::Protocol;
use crate::webrtc::{self, network};
use std::io;

/// Calls at once: Janus takes about half a core for them here.
const CALLS: usize = 40;
/// Logins and calls a second.
const RATE: f64 = 20.0;
const SECONDS: f64 = 10.0;

pub(super) fn run(context: &Context<'_>) -> io::Result<Figures> {
    let mut figures = Figures::default();
    let mut protocols = vec![Protocol::Sip, Protocol::Janus];
    let mut base = Options {
        calls: context.scale(CALLS, 3),
        rate: RATE,
        hold: context.scale(SECONDS, 1.0),
        ..Options::default()
    };
    match network::enter() {
        Ok(()) => base.local = network::ADDRESS,
        // Janus does not speak to loopback addresses.
        Err(error) if context.arguments.smoke => {
            println!("without Janus: {error}");
            protocols.truncate(1);
        }
        Err(error) => return Err(error),
    }
    if context.arguments.smoke && !context.arguments.janus.exists() {
        println!("without Janus: {} is not there", context.arguments.janus.display());
        protocols.truncate(1);
    }
    let between_browsers = [Protocol::Wcs];
    for (case, codec, mode, protocols) in [
        ("browser to telephone, PCMU", Codec::Pcmu, Mode::Phones, &protocols[..]),
        ("browser to telephone, Opus", Codec::Opus, Mode::Phones, &protocols[..]),
        ("browser to browser, Opus", Codec::Opus, Mode::Pairs, &between_browsers[..]),
    ] {
        for _ in 0..context.rounds() {
            for protocol in protocols {
                let program = match protocol {
                    Protocol::Janus => &context.arguments.janus,
                    _ => &context.arguments.programs.tandem,
                };
                let options = Options {
                    protocol: *protocol,
                    codec,
                    mode,
                    start: Some(program.clone()),
                    ..base.clone()
                };
                round(&mut figures, case, &options)?;
            }
        }
    }
    Ok(figures)
}

fn round(figures: &mut Figures, case: &str, options: &Options) -> io::Result<()> {
    let outcome = webrtc::measure(options)?;
    let relay = if options.protocol == Protocol::Janus { "janus" } else { "tandem" };
    let Some(cost) = outcome.cost.filter(|_| outcome.failed(options) == 0) else {
        return Err(io::Error::other(format!("{relay}:\n{}", outcome.table(options))));
    };
    let board = &outcome.board;
    let disturbance = Disturbance { others: cost.others, lateness: board.lateness.quantile(0.99) };
    let milliseconds = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    for (figure, value) in [
        ("CPU, % of a core a call", cost.core_percent_per_call(options.calls)),
        ("CPU, ms a set-up", cost.set_up_ms_per_call(options.calls)),
        ("memory, kB a call", cost.memory_kb_per_call(options.calls)),
        ("call to first media, median, ms", milliseconds(board.media.quantile(0.5))),
        ("latency to the browser, p99, ms", milliseconds(board.latency.quantile(0.99))),
    ] {
        figures.add(case, figure, relay, value, disturbance.is_noticeable());
    }
    Ok(())
}
