//! The `rtp` command, and a run of calls through a relay as suites use it.

use crate::measure::histogram::Histogram;
use crate::measure::machine::{self, Disturbance, Machine};
use crate::measure::process::{self, Usage};
use crate::measure::report::{self, progress, progress_done};
use crate::measure::stop;
use crate::media::{Codec, Direction, Engine, Leg, Pacing, Protection, SocketId};
use crate::ng::{self, Shape, Transport};
use crate::relay::{Kind, Programs, Relay};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

/// Before figures are taken, so that latching and caches are done.
const WARM_UP: Duration = Duration::from_millis(1500);
/// Sending goes on for so long after figures were taken: a transcoder gives a packet only when the next came.
const RUN_OUT: Duration = Duration::from_millis(100);
/// How long packets may still arrive after the last was sent.
const SETTLE: Duration = Duration::from_millis(500);
/// Calls share a pair of sockets by this many.
const CALLS_PER_SOCKET: usize = 500;
/// Calls between two lines of progress.
const PROGRESS_EACH: usize = 100;

/// Calls of RTP or SRTP through a relay.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which relay to start
    #[arg(long, default_value = "tandem")]
    relay: Kind,
    /// Calls at once, each both ways
    #[arg(long, default_value_t = 200)]
    calls: usize,
    /// Seconds that are measured
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Milliseconds between two packets of a stream
    #[arg(long, default_value_t = 20)]
    interval: u32,
    /// Milliseconds after which a packet is late
    #[arg(long, default_value_t = 50)]
    late: u64,
    /// The caller's codec
    #[arg(long, default_value = "pcmu")]
    codec_a: Codec,
    /// The callee's codec; another than the caller's is transcoded
    #[arg(long, default_value = "pcmu")]
    codec_b: Codec,
    /// How the caller's media is protected
    #[arg(long, default_value = "rtp")]
    transport_a: Transport,
    /// How the callee's media is protected
    #[arg(long, default_value = "rtp")]
    transport_b: Transport,
    /// Appends the JSON line to this file instead of printing it
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(flatten)]
    programs: Programs,
}

/// What a run offers to a relay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// What the calls speak.
    pub(crate) shape: Shape,
    /// Calls at once.
    pub(crate) calls: usize,
    /// How often each side sends.
    pub(crate) pacing: Pacing,
    /// How long figures are taken.
    pub(crate) length: Duration,
}

/// What came of a run.
pub(crate) struct Outcome {
    /// From the callers to the callees, and back.
    pub(crate) directions: [Direction; 2],
    /// The relay's, while figures were taken.
    pub(crate) cpu: Duration,
    /// What the relay had grown by since before the calls, at the end.
    pub(crate) grown: Usage,
    /// What the kernel's slab had grown by, in bytes.
    pub(crate) slab: i64,
    /// Lateness of the generator itself.
    pub(crate) lateness: Histogram,
    /// Packets that the generator's own sockets dropped.
    pub(crate) overflowed: u32,
    /// Other load.
    pub(crate) disturbance: Disturbance,
}

impl Outcome {
    /// Both directions together.
    pub(crate) fn both(&self) -> Direction {
        let mut both = self.directions[0].clone();
        both.merge(&self.directions[1]);
        both
    }

    /// The relay's CPU time for each packet that came through, in microseconds.
    pub(crate) fn cpu_per_packet(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.both().received.max(1) as f64
    }

    /// As results keep it.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "a_to_b": self.directions[0].json(), "b_to_a": self.directions[1].json(),
            "cpu_us_per_packet": self.cpu_per_packet(), "cpu_s": self.cpu.as_secs_f64(),
            "resident_bytes": self.grown.resident, "descriptors": self.grown.descriptors, "slab_bytes": self.slab,
            "generator_lateness": self.lateness.json(), "generator_overflowed": self.overflowed,
            "other_load": self.disturbance.others, "disturbed": self.disturbance.is_noticeable(),
        })
    }
}

/// A relay with calls set up in it, and the generator that is their two ends.
pub(crate) struct Calls {
    engine: Engine,
    ids: Vec<String>,
}

impl Calls {
    /// Sets them up.
    ///
    /// # Errors
    /// If the relay refuses one, or the user wants an end.
    pub(crate) fn open(relay: &mut Relay, plan: &Plan) -> io::Result<Calls> {
        let mut calls = Calls { engine: Engine::new(Ipv4Addr::LOCALHOST, plan.pacing), ids: Vec::new() };
        let mut sockets = None;
        for index in 0..plan.calls {
            if stop::requested() {
                return Err(io::Error::other("stopped"));
            }
            if index.is_multiple_of(PROGRESS_EACH) {
                progress(&format!("{index} of {} calls set up", plan.calls));
            }
            // A browser's handshake has a socket to itself, and its media the same one.
            if index.is_multiple_of(CALLS_PER_SOCKET) || plan.shape.b.1 == Transport::Dtls {
                sockets = None;
            }
            let pair = match sockets {
                Some(pair) => pair,
                None => *sockets.insert([calls.engine.socket(0)?, calls.engine.socket(1)?]),
            };
            calls.open_one(relay, plan.shape, pair)?;
        }
        progress_done();
        Ok(calls)
    }

    fn open_one(&mut self, relay: &mut Relay, shape: Shape, sockets: [SocketId; 2]) -> io::Result<()> {
        let id = format!("bench-{:016x}", fastrand::u64(..));
        let addresses = sockets.map(|socket| self.engine.address(socket));
        let opened = ng::open(&mut relay.client, shape, &id, addresses)?;
        self.ids.push(id);
        let mut legs = Vec::new();
        for (side, (opened, socket)) in opened.into_iter().zip(sockets).enumerate() {
            let (remote, protection) = match opened.peer {
                Some(mut peer) => {
                    self.engine.connect_peer(socket, &mut peer)?;
                    let path = peer.into_path().ok_or_else(|| io::Error::other("DTLS gave no keys"))?;
                    (ipv4(path.0)?, Some(Protection::of_handshake(path.1, path.2)))
                }
                None => (opened.remote, opened.keys.as_ref().map(Protection::new).transpose()?),
            };
            let codec = [shape.a.0, shape.b.0][side];
            let payload_type = opened.payload_type;
            legs.push(self.engine.add(Leg { socket, remote, codec, payload_type, protection, side })?);
        }
        self.engine.connect(legs[0], legs[1]);
        Ok(())
    }

    /// Takes them down.
    ///
    /// # Errors
    /// If the relay does not know one.
    pub(crate) fn close(&mut self, relay: &mut Relay) -> io::Result<()> {
        for id in self.ids.drain(..) {
            relay.client.ask(&ng::delete(&id))?;
        }
        Ok(())
    }

    /// Sends media and measures.
    ///
    /// # Errors
    /// If something cannot be read or sent.
    pub(crate) fn measure(&mut self, relay: &Relay, plan: &Plan, idle: (Usage, u64)) -> io::Result<Outcome> {
        progress("warming up");
        self.engine.run(WARM_UP)?;
        progress(&format!("measuring {} calls for {:?}", plan.calls, plan.length));
        let (machine, before, own) = (Machine::now()?, relay.usage()?, Usage::of_self()?);
        self.engine.count_from_now();
        self.engine.run(plan.length)?;
        let after = relay.usage()?;
        let cpu = (after - before).cpu;
        let known = cpu + (Usage::of_self()? - own).cpu;
        let others = machine.others_until_now(known)?;
        let slab = machine::slab()?.cast_signed() - idle.1.cast_signed();
        let lateness = self.engine.lateness().clone();
        self.engine.count_until_now();
        self.engine.run(RUN_OUT)?;
        self.engine.settle(SETTLE)?;
        progress_done();
        Ok(Outcome {
            directions: self.engine.directions(),
            cpu,
            grown: after - idle.0,
            slab,
            overflowed: self.engine.overflowed(),
            disturbance: Disturbance { others, lateness: lateness.quantile(0.99) },
            lateness,
        })
    }
}

fn ipv4(address: SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => Err(io::Error::other("the generator has IPv4 only")),
    }
}

/// Starts a relay, carries out `plan` and ends the relay.
///
/// # Errors
/// As [`Calls::open`] and [`Calls::measure`].
pub(crate) fn carry_out(kind: Kind, programs: &Programs, plan: &Plan) -> io::Result<Outcome> {
    let mut relay = Relay::start(kind, programs, plan.calls)?;
    let idle = (relay.usage()?, machine::slab()?);
    let mut calls = Calls::open(&mut relay, plan)?;
    let outcome = calls.measure(&relay, plan, idle)?;
    calls.close(&mut relay)?;
    Ok(outcome)
}

/// Runs the command.
///
/// # Errors
/// If the relay cannot be started or driven.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    process::leave_relay_core();
    let plan = Plan {
        shape: Shape {
            a: (arguments.codec_a, arguments.transport_a),
            b: (arguments.codec_b, arguments.transport_b),
        },
        calls: arguments.calls,
        pacing: Pacing { interval_ms: arguments.interval, late_after: Duration::from_millis(arguments.late) },
        length: Duration::from_secs(arguments.seconds),
    };
    let outcome = carry_out(arguments.relay, &arguments.programs, &plan)?;
    print!("{}", table(arguments.relay, &plan, &outcome));
    let mut line = outcome.json();
    line["bench"] = "rtp".into();
    line["relay"] = arguments.relay.name().into();
    line["calls"] = plan.calls.into();
    line["shape"] = format!("{:?}", plan.shape).into();
    report::json_line(arguments.json.as_deref(), &line)
}

fn table(kind: Kind, plan: &Plan, outcome: &Outcome) -> String {
    let heads = [
        "direction",
        "sent",
        "lost",
        "late",
        "reordered",
        "corrupt",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "max us",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for (name, direction) in ["a to b", "b to a"].iter().zip(&outcome.directions) {
        let time = |share| format!("{:.0}", direction.latency.quantile(share).as_secs_f64() * 1e6);
        let mut row = vec![(*name).to_owned()];
        let bad = direction.corrupt + direction.unauthentic;
        let counts = [direction.sent, direction.lost(), direction.late, direction.reordered, bad];
        row.extend(counts.map(|count| count.to_string()));
        row.extend([0.5, 0.99, 0.999, 1.0].map(time));
        rows.push(row);
    }
    let calls = plan.calls.max(1) as f64;
    format!(
        "{}, {} calls\n{}CPU {:.2} us a packet; memory {:.1} kB a call; {:.1} descriptors a call; kernel slab {:.1} kB a \
         call\ngenerator: p99 {:.0} us late, {} dropped; other load {:.1} % of a core{}\n",
        kind.name(),
        plan.calls,
        report::table(&rows),
        outcome.cpu_per_packet(),
        outcome.grown.resident as f64 / 1024.0 / calls,
        outcome.grown.descriptors as f64 / calls,
        outcome.slab as f64 / 1024.0 / calls,
        outcome.lateness.quantile(0.99).as_secs_f64() * 1e6,
        outcome.overflowed,
        outcome.disturbance.others * 100.0,
        if outcome.disturbance.is_noticeable() { ": disturbed" } else { "" },
    )
}
