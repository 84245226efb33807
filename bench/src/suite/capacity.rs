//! Suite `capacity`: the most calls that one core transcodes without a late or lost packet.

use crate::media::Codec;
use crate::ng::{Shape, Transport};
use crate::relay::Kind;
use crate::rtp_load::{self, Outcome, Plan};
use crate::suite::Context;
use crate::suite::figures::Figures;
use std::io;
use std::time::Duration;

/// Each probe's length, and of the rounds at the load found.
const LENGTH: Duration = Duration::from_secs(3);
/// Lost or late packets, as a share, that a load may have and still count as carried.
const TOLERATED: f64 = 1e-3;
/// The search ends when it knows the limit to this share, or after so many probes.
const PRECISION: f64 = 0.06;
const PROBES: usize = 8;
/// A round that was not carried is repeated with fewer calls, so many times; with as many calls, where it was disturbed.
const STEPS: usize = 40;
const REPEATS: usize = 3;

/// What PCMU becomes, and where the search begins: what rtpengine carried on the machine that this was written on.
const CASES: [(&str, Codec, usize); 3] = [
    ("PCMU to PCMA", Codec::Pcma, 200),
    ("PCMU to G.729", Codec::G729, 38),
    ("PCMU to Opus", Codec::Opus, 30),
];

pub(super) fn run(context: &Context<'_>) -> io::Result<Figures> {
    let mut figures = Figures::default();
    for (case, codec, first) in CASES {
        let shape = Shape { a: (Codec::Pcmu, Transport::Rtp), b: (codec, Transport::Rtp) };
        let mut limits = Vec::new();
        for kind in context.relays() {
            let limit = if context.arguments.smoke { 2 } else { search(context, kind, shape, first)? };
            println!("{case}, {}: {limit} calls", kind.name());
            limits.push((kind, limit));
        }
        context.interleaved(|kind| {
            let Some((_, calls)) = limits.iter_mut().find(|(other, _)| *other == kind) else { return Ok(()) };
            let outcome = clean_round(context, kind, shape, calls)?;
            add(&mut figures, (case, kind), *calls, &outcome);
            Ok(())
        })?;
    }
    Ok(figures)
}

/// A round at a load that is carried in this very round: what the search found, or less. `calls` goes down with it.
fn clean_round(context: &Context<'_>, kind: Kind, shape: Shape, calls: &mut usize) -> io::Result<Outcome> {
    if context.arguments.smoke {
        let outcome = attempt(context, kind, shape, *calls)?;
        context.check(kind, &outcome)?;
        return Ok(outcome);
    }
    for _ in 0..STEPS {
        for _ in 0..REPEATS {
            let outcome = attempt(context, kind, shape, *calls)?;
            if is_carried(&outcome) {
                return Ok(outcome);
            }
            if !outcome.disturbance.is_noticeable() {
                break;
            }
        }
        *calls = ((*calls as f64 * (1.0 - PRECISION)) as usize).clamp(1, calls.saturating_sub(1).max(1));
    }
    Err(io::Error::other(format!("{} does not even carry {calls} calls cleanly", kind.name())))
}

fn add(figures: &mut Figures, (case, kind): (&str, Kind), calls: usize, outcome: &Outcome) {
    let both = outcome.both();
    let cpu_per_call = outcome.cpu.as_secs_f64() / LENGTH.as_secs_f64() / calls.max(1) as f64;
    let bad = (both.lost() + both.late) as f64 / both.sent.max(1) as f64;
    let values = [
        ("calls a core, none late or lost", calls as f64),
        ("late or lost there, %", bad * 100.0),
        ("CPU, % of a core a call", cpu_per_call * 100.0),
        ("memory, kB a call", outcome.grown.resident as f64 / 1024.0 / calls.max(1) as f64),
        ("latency p50, us", both.latency.quantile(0.5).as_secs_f64() * 1e6),
        ("latency p99, us", both.latency.quantile(0.99).as_secs_f64() * 1e6),
    ];
    for (figure, value) in values {
        figures.add(case, figure, kind.name(), value, outcome.disturbance.is_noticeable());
    }
}

/// The highest load that was carried: doubled until one is not, then halved in between.
fn search(context: &Context<'_>, kind: Kind, shape: Shape, first: usize) -> io::Result<usize> {
    let (mut carried, mut refused) = (0, None);
    let mut next = first;
    for _ in 0..PROBES {
        let fits = is_carried(&attempt(context, kind, shape, next)?)
            // A disturbance of a moment must not decide.
            || is_carried(&attempt(context, kind, shape, next)?);
        if fits {
            carried = next;
        } else {
            refused = Some(next);
        }
        next = match refused {
            None => carried * 2,
            Some(refused) if (refused - carried) as f64 <= refused as f64 * PRECISION => break,
            Some(refused) => usize::midpoint(carried, refused).max(1),
        };
        if next == carried {
            break;
        }
    }
    Ok(carried)
}

fn is_carried(outcome: &Outcome) -> bool {
    let both = outcome.both();
    both.sent > 0 && (both.lost() + both.late) as f64 <= both.sent as f64 * TOLERATED
}

fn attempt(context: &Context<'_>, kind: Kind, shape: Shape, calls: usize) -> io::Result<Outcome> {
    let plan = Plan { shape, calls, pacing: context.pacing(), length: LENGTH };
    rtp_load::carry_out(kind, &context.arguments.programs, &plan)
}
