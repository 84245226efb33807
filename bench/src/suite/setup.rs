//! Suite `setup`: what offer, answer and delete cost, over all processes of the relay.

use crate::measure::machine::{Disturbance, Machine};
use crate::measure::process::Usage;
use crate::media::Codec;
use crate::ng::{self, Client, Shape, Transport};
use crate::relay::{Kind, Relay};
use crate::suite::Context;
use crate::suite::figures::Figures;
use std::io;
use std::time::{Duration, Instant};

const CALLS: usize = 1500;
/// Calls that come and go before figures are taken.
const WARM_UP: usize = 200;
/// Calls that stand while others come and go, as in a relay at work.
const STANDING: usize = 100;

/// A SIP server's workers: each waits for the reply to its request, as Kamailio's do.
const BUSY: usize = 16;
const CASES: [(&str, Transport, usize); 4] = [
    ("RTP to RTP, one SIP worker", Transport::Rtp, 1),
    ("RTP to RTP, 16 SIP workers", Transport::Rtp, BUSY),
    ("RTP to SRTP, one SIP worker", Transport::Sdes, 1),
    ("RTP to SRTP, 16 SIP workers", Transport::Sdes, BUSY),
];

pub(super) fn run(context: &Context<'_>) -> io::Result<Figures> {
    let mut figures = Figures::default();
    for (case, transport, workers) in CASES {
        let shape = Shape { a: (Codec::Pcmu, Transport::Rtp), b: (Codec::Pcmu, transport) };
        context.interleaved(|kind| {
            let round = round(context, kind, shape, workers)?;
            let disturbed = round.disturbance.is_noticeable();
            figures.add(case, "CPU, us a call", kind.name(), round.cpu_per_call, disturbed);
            figures.add(case, "calls a second", kind.name(), round.calls_per_second, disturbed);
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

fn round(context: &Context<'_>, kind: Kind, shape: Shape, workers: usize) -> io::Result<Round> {
    let (share, standing) = (context.scale(CALLS, 32) / workers, context.scale(STANDING, 2));
    let calls = share * workers;
    let mut relay = Relay::start(kind, &context.arguments.programs, standing + calls)?;
    for index in 0..standing {
        ng::open_silent(&mut relay.client, shape, &format!("standing-{index}"))?;
    }
    let mut clients = (0..workers).map(|_| relay.client.another()).collect::<io::Result<Vec<Client>>>()?;
    come_and_go(&mut clients, shape, "warm", (context.scale(WARM_UP, 2) / workers).max(1))?;
    let (machine, before, own) = (Machine::now()?, relay.usage()?, Usage::of_self()?);
    let start = Instant::now();
    come_and_go(&mut clients, shape, "measured", share)?;
    let elapsed = start.elapsed();
    let cpu = (relay.usage()? - before).cpu;
    let others = machine.others_until_now(cpu + (Usage::of_self()? - own).cpu)?;
    Ok(Round {
        cpu_per_call: cpu.as_secs_f64() * 1e6 / calls as f64,
        calls_per_second: calls as f64 / elapsed.as_secs_f64(),
        disturbance: Disturbance { others, lateness: Duration::ZERO },
    })
}

/// Each client sets up and takes down so many calls, one after the other, beside the others.
fn come_and_go(clients: &mut [Client], shape: Shape, prefix: &str, share: usize) -> io::Result<()> {
    std::thread::scope(|scope| {
        let mut workers = Vec::with_capacity(clients.len());
        for (worker, client) in clients.iter_mut().enumerate() {
            workers.push(scope.spawn(move || {
                for index in 0..share {
                    let id = format!("{prefix}-{worker}-{index}");
                    ng::open_silent(client, shape, &id)?;
                    client.ask(&ng::delete(&id))?;
                }
                Ok(())
            }));
        }
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(io::Error::other("a SIP worker of the bench panicked")))
        })
    })
}
