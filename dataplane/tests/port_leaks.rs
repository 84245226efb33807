//! Ports that others hold, and ports of sessions that never came to be (attacks.md row 19).
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::local_queues;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_control::*;
use tandem_dataplane::driver::Driver;
use tandem_dataplane::driver::sim::SimDriver;
use tandem_dataplane::ports::{PortRange, QUIET_TIME};
use tandem_dataplane::worker::{Worker, WorkerSettings};
use tandem_media::Now;
use tandem_media::dtls::Identity;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const OWN: PortRequest = PortRequest { address: ADDRESS, kind: PortKind::Own, video: false };
const SHARED: PortRequest = PortRequest { address: ADDRESS, kind: PortKind::Shared, video: false };

fn create(ports: [PortRequest; 2]) -> Request {
    let legs = Box::new([LegConfig::idle(), LegConfig::idle()]);
    Request::Create { ports, legs, note: Vec::new(), media_timeout_seconds: 0, near: None }
}

fn now() -> Now {
    Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) }
}

/// A worker with the pairs 31002, 31004 and 31006; another program holds the given ports.
fn worker(held: &[u16], now: Now) -> Worker<SimDriver> {
    let settings = WorkerSettings {
        index: 0,
        addresses: vec![ADDRESS],
        ports: PortRange::new(31001, 31007).unwrap(),
        max_sessions: 4,
        identity: Arc::new(Identity::generate().unwrap()),
        seed: 1,
    };
    let mut driver = SimDriver::new(8, now);
    for &port in held {
        driver.open((settings.addresses[0], port).into(), false).unwrap();
    }
    Worker::new(settings, driver, local_queues().0).unwrap()
}

#[test]
fn a_port_that_is_taken_is_skipped() {
    let now = now();
    let mut worker = worker(&[31002, 31005], now);
    let Ok(Reply::Created { local, .. }) = worker.request(now, create([SHARED, OWN])) else { panic!() };
    assert_eq!((local[0].rtp.port(), local[1].rtp.port(), local[1].rtcp.port()), (31001, 31006, 31007));
    assert_eq!(worker.request(now, create([SHARED, OWN])), Err(Refusal::OutOfPorts));
    // The shared port, the two that are held, and the pair: what was tried in vain is closed.
    assert_eq!(worker.driver_mut().open_sockets(), 5);
}

#[test]
fn a_session_that_lacks_ports_for_one_side_gives_back_the_other() {
    let now = now();
    let mut worker = worker(&[], now);
    let Ok(Reply::Created { session, .. }) = worker.request(now, create([OWN, OWN])) else { panic!() };
    assert_eq!(worker.request(now, create([OWN, OWN])), Err(Refusal::OutOfPorts));
    assert_eq!(worker.driver_mut().open_sockets(), 5);
    assert_eq!(worker.counters().port_pairs_resting, 1);
    assert!(worker.request(now, Request::Delete { session }).is_ok());
    assert_eq!(worker.request(now, create([OWN, OWN])), Err(Refusal::OutOfPorts), "the ports rest first");
    worker.step(now);
    worker.step(Now { instant: now.instant + QUIET_TIME, ..now });
    assert_eq!(worker.counters().port_pairs_free, 3);
    assert_eq!((worker.driver_mut().open_sockets(), worker.leftovers()), (1, (0, 0)));
    assert!(worker.request(now, create([OWN, OWN])).is_ok());
}

#[test]
fn ports_of_video_go_with_their_leg_and_are_given_back() {
    let now = now();
    let mut worker = worker(&[], now);
    let with_video = PortRequest { video: true, ..OWN };
    let Ok(Reply::Created { session: one, local }) = worker.request(now, create([with_video, SHARED])) else {
        panic!()
    };
    let video = local[0].video.unwrap();
    assert_ne!(video.rtp, local[0].rtp);
    let add = |session, side| Request::AddVideo { session, side };
    assert_eq!(worker.request(now, add(one, Side::A)), Ok(Reply::VideoAdded(video)));
    assert!(matches!(worker.request(now, add(one, Side::B)), Err(Refusal::Invalid(_))), "it needs none");
    // One pair is left: enough for the audio, not for the video.
    assert_eq!(worker.request(now, create([with_video, SHARED])), Err(Refusal::OutOfPorts));
    assert_eq!(worker.driver_mut().open_sockets(), 5);
    let Ok(Reply::Created { session: other, .. }) = worker.request(now, create([SHARED, SHARED])) else {
        panic!()
    };
    let swap = Request::Swap { first: (one, Side::A), second: (other, Side::B) };
    assert_eq!(worker.request(now, swap), Ok(Reply::Done));
    assert!(worker.request(now, Request::Delete { session: one }).is_ok());
    assert_eq!(worker.driver_mut().open_sockets(), 5, "they live with the other session now");
    let listed = &worker.list(now, None)[0];
    assert_eq!((listed.session, listed.local[1].video), (other, Some(video)));
    assert!(worker.request(now, Request::Delete { session: other }).is_ok());
    assert_eq!((worker.driver_mut().open_sockets(), worker.leftovers()), (1, (0, 0)));
    worker.step(now);
    worker.step(Now { instant: now.instant + QUIET_TIME, ..now });
    assert_eq!(worker.counters().port_pairs_free, 3);
}
