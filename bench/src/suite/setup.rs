//! Suite `setup`: what offer, answer and delete cost, over all processes of the relay.

use crate::measure::machine::{Disturbance, Machine};
use crate::measure::process::Usage;
use crate::media::Codec;
use crate::ng::{self, Shape, Transport};
use crate::relay::{Kind, Relay};
use crate::suite::Context;
use crate::suite::figures::Figures;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

const CALLS: usize = 1500;
/// Calls that come and go before figures are taken.
const WARM_UP: usize = 200;
/// Calls that stand while others come and go, as in a relay at work.
const STANDING: usize = 100;

pub(super) fn run(context: &Context<'_>) -> io::Result<Figures> {
    let mut figures = Figures::default();
    for (case, transport) in [("RTP to RTP", Transport::Rtp), ("RTP to SRTP", Transport::Sdes)] {
        let shape = Shape { a: (Codec::Pcmu, Transport::Rtp), b: (Codec::Pcmu, transport) };
        context.interleaved(|kind| {
            let round = round(context, kind, shape)?;
            let disturbed = round.disturbance.is_noticeable();
            figures.add(case, "CPU, us a call", kind.name(), round.cpu_per_call, disturbed);
            figures.add(
                case,
                "calls a second, one after the other",
                kind.name(),
                round.calls_per_second,
                disturbed,
            );
            Ok(())
        })?;
    }
    Ok(figures)
}

struct Round {
    cpu_per_call: f64,
    calls_per_second: f64,
    disturbance: Disturbance,
}

fn round(context: &Context<'_>, kind: Kind, shape: Shape) -> io::Result<Round> {
    let (calls, standing) = (context.scale(CALLS, 20), context.scale(STANDING, 2));
    let mut relay = Relay::start(kind, &context.arguments.programs, standing + calls)?;
    for index in 0..standing {
        open(&mut relay, shape, &format!("standing-{index}"))?;
    }
    come_and_go(&mut relay, shape, "warm", context.scale(WARM_UP, 2))?;
    let (machine, before, own) = (Machine::now()?, relay.usage()?, Usage::of_self()?);
    let start = Instant::now();
    come_and_go(&mut relay, shape, "measured", calls)?;
    let elapsed = start.elapsed();
    let cpu = (relay.usage()? - before).cpu;
    let others = machine.others_until_now(cpu + (Usage::of_self()? - own).cpu)?;
    Ok(Round {
        cpu_per_call: cpu.as_secs_f64() * 1e6 / calls as f64,
        calls_per_second: calls as f64 / elapsed.as_secs_f64(),
        disturbance: Disturbance { others, lateness: Duration::ZERO },
    })
}

fn come_and_go(relay: &mut Relay, shape: Shape, prefix: &str, calls: usize) -> io::Result<()> {
    for index in 0..calls {
        let id = format!("{prefix}-{index}");
        open(relay, shape, &id)?;
        relay.client.ask(&ng::delete(&id))?;
    }
    Ok(())
}

fn open(relay: &mut Relay, shape: Shape, id: &str) -> io::Result<()> {
    // No media comes, so nobody need listen there.
    let sides = [10_000, 10_002].map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    ng::open(&mut relay.client, shape, id, sides).map(drop)
}
