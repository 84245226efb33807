//! Suite `thousands`: 5,000 calls of plain RTP set up, run and torn down in one Tandem, three times; descriptors and memory
//! must be flat afterwards. The packet rate is reduced, for two cores do not carry 500,000 packets a second.

use crate::measure::machine;
use crate::media::{Codec, Pacing};
use crate::ng::{Shape, Transport};
use crate::relay::{Kind, Relay};
use crate::rtp_load::{Calls, Plan};
use crate::suite::figures::Figures;
use crate::suite::{Context, LATE_AFTER};
use std::io;
use std::time::{Duration, Instant};

const CALLS: usize = 5000;
const ROUNDS: usize = 3;
/// Five packets a second each way, of 20 ms of speech each.
const INTERVAL_MS: u32 = 200;
const LENGTH: Duration = Duration::from_secs(5);
/// Longer than ports rest after a call, so that the next round has them all; and longer than signaling remembers replies for
/// requests that come again (15 s, and it looks each 10 s): those of 5,000 calls are some 15 MB, and how many of them are
/// left after a shorter rest depends on how fast the round was.
const REST: Duration = Duration::from_secs(27);
/// What the relay may have more after the last round than after the first: the allocator's pages that are in use here and
/// there.
const FLAT_BYTES: u64 = 8 << 20;
const FLAT_DESCRIPTORS: u64 = 16;

pub(super) fn run(context: &Context<'_>) -> io::Result<Figures> {
    let mut figures = Figures::default();
    let shape = Shape { a: (Codec::Pcmu, Transport::Rtp), b: (Codec::Pcmu, Transport::Rtp) };
    let plan = Plan {
        shape,
        calls: context.scale(CALLS, 50),
        pacing: Pacing { interval_ms: INTERVAL_MS, late_after: LATE_AFTER },
        length: context.scale(LENGTH, Duration::from_secs(1)),
    };
    let case = format!("{} calls, {} packets a second each way", plan.calls, 1000 / INTERVAL_MS);
    let mut relay = Relay::start(Kind::Tandem, &context.arguments.programs, plan.calls)?;
    let idle = (relay.usage()?, machine::slab()?);
    let mut after_rounds = Vec::new();
    for round in 0..ROUNDS {
        let start = Instant::now();
        let mut calls = Calls::open(&mut relay, &plan)?;
        let opened = start.elapsed();
        let outcome = calls.measure(&relay, &plan, idle)?;
        let start = Instant::now();
        calls.close(&mut relay)?;
        let closed = start.elapsed();
        std::thread::sleep(context.scale(REST, Duration::from_secs(1)));
        context.check(Kind::Tandem, &outcome)?;
        let left = relay.usage()?;
        let both = outcome.both();
        let values = [
            ("calls set up a second", plan.calls as f64 / opened.as_secs_f64()),
            ("calls torn down a second", plan.calls as f64 / closed.as_secs_f64()),
            ("lost or late packets", (both.lost() + both.late) as f64),
            ("latency p99, us", both.latency.quantile(0.99).as_secs_f64() * 1e6),
            ("descriptors, with calls", (idle.0.descriptors + outcome.grown.descriptors) as f64),
            ("descriptors, afterwards", left.descriptors as f64),
            ("memory with calls, MB", (idle.0.resident + outcome.grown.resident) as f64 / 1e6),
            ("memory afterwards, MB", left.resident as f64 / 1e6),
        ];
        for (figure, value) in values {
            figures.add(&case, figure, Kind::Tandem.name(), value, outcome.disturbance.is_noticeable());
        }
        println!(
            "round {}: {} packets, {} descriptors and {:.1} MB afterwards",
            round + 1,
            both.received,
            left.descriptors,
            left.resident as f64 / 1e6
        );
        after_rounds.push(left);
    }
    if let (Some(first), Some(last)) = (after_rounds.first(), after_rounds.last()) {
        let grown = *last - *first;
        if grown.resident > FLAT_BYTES || grown.descriptors > FLAT_DESCRIPTORS {
            return Err(io::Error::other(format!(
                "not flat: after the last round {grown:?} more than after the first"
            )));
        }
    }
    Ok(figures)
}
