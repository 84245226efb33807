//! Thousands of calls. `TANDEM_SIM_SEED` runs one seed alone, to look at a failure.
#![allow(missing_docs)]

use std::time::Duration;
use tandem_dataplane::driver::sim::Impairment;
use tandem_sim::{Scenario, World};

const CALLS: usize = 50;

fn run(seeds: std::ops::Range<u64>, impairment: Impairment, least_delivered: u64) {
    let only = std::env::var("TANDEM_SIM_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    for seed in seeds.filter(|&seed| only.is_none_or(|only| only == seed)) {
        eprintln!("seed {seed}");
        let outcome = World::new(Scenario { seed, calls: CALLS, impairment, least_delivered }).run();
        assert!(outcome.sent > 1000, "{outcome:?}");
    }
}

#[test]
fn on_a_good_network_nearly_everything_arrives() {
    let impairment = Impairment { delay: Duration::from_millis(20), ..Impairment::default() };
    run(0..15, impairment, 900);
}

#[test]
fn on_a_bad_network_the_promises_hold() {
    let impairment = Impairment {
        loss: 50,
        duplication: 30,
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(45),
    };
    run(100..115, impairment, 700);
}

#[test]
fn on_a_terrible_network_the_promises_hold() {
    let impairment = Impairment {
        loss: 300,
        duplication: 300,
        delay: Duration::from_millis(100),
        jitter: Duration::from_millis(400),
    };
    run(200..215, impairment, 100);
}
