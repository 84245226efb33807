//! Suite `sip`: telephones that register at Tandem and call each other: what calls, re-INVITEs, holds and CANCELs cost,
//! and how long they take.

use crate::measure::machine::{Disturbance, Machine};
use crate::measure::process::Usage;
use crate::sip::generator::{Control, Generator};
use crate::sip::options::{Options, Scenario, Sound};
use crate::suite::Context;
use crate::suite::figures::Figures;
use crate::webrtc::gateway::{Gateway, Kind, Place};
use crate::webrtc::network;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

const USERS: usize = 100;
/// Calls a second.
const RATE: f64 = 100.0;
const CALLS: u64 = 1000;
/// Seconds.
const HOLD: f64 = 1.0;
/// Milliseconds.
const RING: u64 = 50;

pub(super) fn run(context: &Context<'_>) -> io::Result<Figures> {
    let mut figures = Figures::default();
    // Without the privilege the ports must be free that a gateway takes.
    let local = network::enter().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |()| network::ADDRESS);
    for (case, scenario) in [
        ("calls", Scenario::Basic),
        ("calls with a re-INVITE", Scenario::Reinvite),
        ("calls with hold", Scenario::Hold),
        ("cancelled calls", Scenario::Cancel),
    ] {
        for _ in 0..context.rounds() {
            let options = Options {
                local,
                quiet: true,
                users: context.scale(USERS, 5),
                rate: context.scale(RATE, 10.0),
                calls: context.scale(CALLS, 10),
                hold: HOLD,
                ring: RING,
                scenario,
                // In a smoke test it matters that media flows; else signaling is what is measured.
                media: context.scale(Sound::None, Sound::Generate),
                ..Options::default()
            };
            round(context, &mut figures, case, options)?;
        }
    }
    Ok(figures)
}

fn round(context: &Context<'_>, figures: &mut Figures, case: &str, mut options: Options) -> io::Result<()> {
    let place = Place { address: options.local, domain: &options.domain, password: &options.password };
    let gateway = Gateway::start(Kind::Tandem, &context.arguments.programs.tandem, &place, options.users)?;
    options.server = gateway.sip;
    let (machine, before, own) = (Machine::now()?, gateway.usage()?, Usage::of_self()?);
    let report = Generator::new(options.clone())?.run(&Control::default())?;
    let cpu = (gateway.usage()? - before).cpu;
    let others = machine.others_until_now(cpu + (Usage::of_self()? - own).cpu)?;
    if report.failed() > 0 || report.succeeded() != options.calls {
        return Err(io::Error::other(format!("{case}:\n{}", report.table())));
    }
    let disturbed = Disturbance { others, lateness: report.media.lateness.quantile(0.99) }.is_noticeable();
    let milliseconds = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    for (figure, value) in [
        ("CPU, us a call, registrations included", cpu.as_secs_f64() * 1e6 / options.calls as f64),
        ("INVITE to ringing, median, ms", milliseconds(report.ringing.quantile(0.5))),
        ("INVITE to ringing, p99, ms", milliseconds(report.ringing.quantile(0.99))),
        ("calls a second", report.rate()),
    ] {
        figures.add(case, figure, "tandem", value, disturbed);
    }
    Ok(())
}
