//! Suite `forward`: packets that pass unchanged, and packets that are protected on the way.

use crate::media::Codec;
use crate::ng::{Shape, Transport};
use crate::rtp_load::{self, Plan};
use crate::suite::Context;
use crate::suite::figures::Figures;
use std::io;
use std::time::Duration;

/// About half of what rtpengine carries on one core of the machine that this was written on.
const CALLS: usize = 400;
const LENGTH: Duration = Duration::from_secs(4);

pub(super) fn run(context: &Context<'_>) -> io::Result<Figures> {
    let mut figures = Figures::default();
    let pcmu = |transport| (Codec::Pcmu, transport);
    for (case, transport) in [("RTP to RTP", Transport::Rtp), ("RTP to SRTP", Transport::Sdes)] {
        let calls = context.scale(CALLS, 4);
        let plan = Plan {
            shape: Shape { a: pcmu(Transport::Rtp), b: pcmu(transport) },
            calls,
            pacing: context.pacing(),
            length: context.scale(LENGTH, Duration::from_secs(1)),
        };
        let case = format!("{case}, {calls} calls");
        context.interleaved(|kind| {
            let outcome = rtp_load::carry_out(kind, &context.arguments.programs, &plan)?;
            context.check(kind, &outcome)?;
            let both = outcome.both();
            let latency = |share| both.latency.quantile(share).as_secs_f64() * 1e6;
            let per_call = |bytes: f64| bytes / 1024.0 / calls as f64;
            let values = [
                ("CPU, us a packet", outcome.cpu_per_packet()),
                ("latency p50, us", latency(0.5)),
                ("latency p99, us", latency(0.99)),
                ("latency p99.9, us", latency(0.999)),
                ("latency max, us", latency(1.0)),
                ("late or lost packets", (both.late + both.lost()) as f64),
                ("memory, kB a call", per_call(outcome.grown.resident as f64)),
                ("kernel slab, kB a call", per_call(outcome.slab as f64)),
                ("descriptors a call", outcome.grown.descriptors as f64 / calls as f64),
            ];
            for (figure, value) in values {
                figures.add(&case, figure, kind.name(), value, outcome.disturbance.is_noticeable());
            }
            Ok(())
        })?;
    }
    Ok(figures)
}
