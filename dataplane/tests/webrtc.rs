//! A browser's leg on the shared port, over the worker and the simulation: ICE, DTLS, SRTP, and strangers.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::browser::{Browser, check, is_success};
use common::{QueueEnds, create, local_queues, plain_leg, rtp};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_control::*;
use tandem_dataplane::driver::Driver;
use tandem_dataplane::driver::sim::SimDriver;
use tandem_dataplane::ports::PortRange;
use tandem_dataplane::worker::{PACKET_BUDGET, Worker, WorkerSettings};
use tandem_media::Now;
use tandem_media::drops::DropReason;
use tandem_media::dtls::Identity;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const BUFFERS: usize = 1024;

struct Setup {
    worker: Worker<SimDriver>,
    ends: QueueEnds,
    now: Now,
    session: SessionId,
    local: [LocalPorts; 2],
    browser: Browser,
    ours: IceCredentials,
    theirs: IceCredentials,
    browser_address: SocketAddr,
    phone: SocketAddr,
}

fn credentials(name: &str) -> IceCredentials {
    IceCredentials { ufrag: format!("{name}-ufrag"), password: format!("{name}-password-of-22-chars") }
}

fn setup() -> Setup {
    let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
    let identity = Arc::new(Identity::generate().unwrap());
    let gateway = identity.fingerprint_sha256();
    let settings = WorkerSettings {
        index: 0,
        addresses: vec![ADDRESS],
        ports: PortRange::new(31001, 31010).unwrap(),
        max_sessions: 2,
        identity,
        seed: 1,
    };
    let (queues, ends) = local_queues();
    let mut worker = Worker::new(settings, SimDriver::new(BUFFERS, now), queues).unwrap();
    let ports =
        [PortKind::Shared, PortKind::Own].map(|kind| PortRequest { address: ADDRESS, kind, video: false });
    let created = worker.request(now, create(ports, b""));
    let Ok(Reply::Created { session, local }) = created else { panic!("not created") };
    let mut setup = Setup {
        worker,
        ends,
        now,
        session,
        local,
        browser: Browser::new(now.instant, gateway),
        ours: credentials("ours"),
        theirs: credentials("theirs"),
        browser_address: "192.0.2.7:50000".parse().unwrap(),
        phone: "192.0.2.8:40000".parse().unwrap(),
    };
    let leg = setup.browser_leg();
    assert_eq!(setup.configure(Side::A, leg), Ok(Reply::Done));
    let leg = plain_leg(setup.phone);
    assert_eq!(setup.configure(Side::B, leg), Ok(Reply::Done));
    setup
}

impl Setup {
    fn browser_leg(&self) -> LegConfig {
        let digest = self.browser.identity.fingerprint_sha256().to_vec();
        let fingerprints = vec![Fingerprint { hash: FingerprintHash::Sha256, digest }];
        LegConfig {
            security: Security::Dtls { role: DtlsRole::Server, fingerprints },
            ice: Some(Ice { local: self.ours.clone(), remote: Some(self.theirs.clone()) }),
            rtcp_mux: true,
            remote: None,
            ..plain_leg(self.browser_address)
        }
    }

    fn configure(&mut self, side: Side, leg: LegConfig) -> Result<Reply, Refusal> {
        let session = self.session;
        self.worker.request(self.now, Request::configure(session, side, leg))
    }

    /// Sends a datagram to the worker, lets it work, and returns what it sent.
    fn send(&mut self, source: SocketAddr, side: usize, bytes: &[u8]) -> Vec<(SocketAddr, Vec<u8>)> {
        self.now.instant += Duration::from_millis(5);
        self.now.unix += Duration::from_millis(5);
        let driver = self.worker.driver_mut();
        driver.set_now(self.now);
        assert!(driver.deliver(source, self.local[side].rtp, bytes));
        self.worker.step(self.now);
        let look = |_, destination, bytes: &[u8]| (destination, bytes.to_vec());
        std::iter::from_fn(|| self.worker.driver_mut().take_sent(look)).collect()
    }

    fn check_from(&mut self, source: SocketAddr) {
        let request = check(9, &self.ours, &self.theirs);
        let sent = self.send(source, 0, &request);
        assert!(sent.iter().any(|(to, bytes)| *to == source && is_success(bytes, 9)), "{sent:?}");
    }

    fn handshake(&mut self) {
        for _ in 0..100 {
            // Time for the retransmission of what was lost.
            self.now.instant += Duration::from_millis(100);
            let flight = self.browser.poll(self.now.instant);
            if flight.is_empty() && self.browser.is_connected() {
                return;
            }
            for packet in flight {
                let sent = self.send(self.browser_address, 0, &packet);
                // Reports to the telephone may come in between.
                for (_, answer) in sent.iter().filter(|(to, _)| *to == self.browser_address) {
                    self.browser.receive_dtls(self.now.instant, answer);
                }
            }
        }
        panic!("no keys after a hundred flights");
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.worker.counters().drops.get(reason)
    }
}

#[test]
fn a_browser_and_a_telephone_hear_each_other() {
    let mut setup = setup();
    setup.check_from(setup.browser_address);
    setup.handshake();
    let (browser, phone) = (setup.browser_address, setup.phone);
    for sequence in 0..50 {
        let said = rtp(sequence, 1);
        let packet = setup.browser.protect(said.clone());
        let heard = setup.send(browser, 0, &packet);
        let heard: Vec<_> = heard.iter().filter(|(to, _)| *to == phone).collect();
        assert_eq!(heard.len(), 1, "packet {sequence}: {:?}", setup.worker.counters());
        assert_eq!(heard[0].1[12..], said[12..]);
        let said = rtp(sequence, 2);
        let mut heard = setup.send(phone, 1, &said);
        heard.retain(|(to, bytes)| *to == browser && bytes[1] & 0x7F == 0);
        // The first packet of a source that nobody vouched for may be held on probation.
        if let Some((_, packet)) = heard.pop() {
            assert_eq!(setup.browser.unprotect(packet)[12..], said[12..]);
        } else {
            assert!(sequence < 2, "packet {sequence} was not heard");
        }
    }
    let kinds: Vec<EventKind> = setup.ends.events.try_iter().map(|event| event.kind).collect();
    for expected in [EventKind::Connected { side: Side::A }, EventKind::FirstMedia { side: Side::A }] {
        assert!(kinds.contains(&expected), "{kinds:?}");
    }
    let session = setup.session;
    assert!(setup.worker.request(setup.now, Request::Delete { session }).is_ok());
    assert_eq!(setup.worker.leftovers(), (0, 0));
    setup.send(browser, 0, b"late");
    assert_eq!(setup.worker.driver_mut().spare_buffers(), BUFFERS);
}

/// A transfer: the browser takes the place that was left idle for it in a session with another telephone.
#[test]
fn a_browser_goes_to_another_session_without_a_new_handshake() {
    let mut setup = setup();
    setup.check_from(setup.browser_address);
    setup.handshake();
    let ports = [(PortKind::Shared, false), (PortKind::Own, false)].map(|(kind, video)| PortRequest {
        address: ADDRESS,
        kind,
        video,
    });
    let Ok(Reply::Created { session: next, local }) = setup.worker.request(setup.now, create(ports, b""))
    else {
        panic!("not created")
    };
    let target: SocketAddr = "192.0.2.9:40000".parse().unwrap();
    let configured = Request::configure(next, Side::B, plain_leg(target));
    assert_eq!(setup.worker.request(setup.now, configured), Ok(Reply::Done));
    let before = setup.session;
    let swap = |first, second| Request::Swap { first: (first, Side::A), second: (second, Side::A) };
    assert_eq!(setup.worker.request(setup.now, swap(next, before)), Ok(Reply::Done));
    assert!(setup.worker.request(setup.now, Request::Delete { session: before }).is_ok());
    assert_eq!(
        setup.worker.request(setup.now, swap(next, before)),
        Err(Refusal::UnknownSession),
        "nothing is left to change places with"
    );
    (setup.session, setup.local[1]) = (next, local[1]);
    let (browser, said) = (setup.browser_address, rtp(1, 1));
    let packet = setup.browser.protect(said.clone());
    let heard = setup.send(browser, 0, &packet);
    let heard: Vec<_> = heard.iter().filter(|(to, _)| *to == target).collect();
    assert_eq!(heard[0].1[12..], said[12..]);
    let heard = (0..3).flat_map(|sequence| setup.send(target, 1, &rtp(sequence, 2)));
    let heard: Vec<_> = heard.filter(|(to, bytes)| *to == browser && bytes[1] & 0x7F == 0).collect();
    assert!(!heard.is_empty());
    for (_, packet) in heard {
        assert_eq!(setup.browser.unprotect(packet).len(), rtp(0, 2).len());
    }
    setup.check_from(browser);
    assert!(setup.worker.request(setup.now, Request::Delete { session: next }).is_ok());
    assert_eq!(setup.worker.leftovers(), (0, 0));
}

/// attacks.md row 4: DTLS only from a pair that ICE has validated.
#[test]
fn strangers_on_the_shared_port_reach_no_session() {
    let mut setup = setup();
    let stranger: SocketAddr = "203.0.113.66:6".parse().unwrap();
    for hello in setup.browser.poll(setup.now.instant) {
        assert_eq!(setup.send(stranger, 0, &hello), []);
    }
    assert_eq!(setup.send(stranger, 0, &rtp(1, 1)), []);
    let unknown = check(1, &credentials("unknown"), &setup.theirs);
    assert_eq!(setup.send(stranger, 0, &unknown), []);
    assert!(setup.dropped(DropReason::NoSession) >= 3);
    // A check with the right name and the wrong password validates nothing.
    let mut wrong = setup.ours.clone();
    wrong.password = "guessed-password-of-22-chars".to_owned();
    let forged = check(2, &wrong, &setup.theirs);
    let answers = setup.send(stranger, 0, &forged);
    assert!(!answers.iter().any(|(_, bytes)| is_success(bytes, 2)));
    let before = setup.dropped(DropReason::NoSession);
    setup.send(stranger, 0, &rtp(1, 1));
    assert_eq!(setup.dropped(DropReason::NoSession), before + 1);
    setup.check_from(setup.browser_address);
    setup.handshake();
}

#[test]
fn a_restart_of_ice_takes_the_old_and_the_new_name() {
    let mut setup = setup();
    setup.check_from(setup.browser_address);
    let old = setup.ours.clone();
    setup.ours = credentials("newer");
    let leg = setup.browser_leg();
    assert_eq!(setup.configure(Side::A, leg), Ok(Reply::Done));
    setup.check_from("192.0.2.7:50001".parse().unwrap());
    let before = setup.dropped(DropReason::NoSession);
    let late = check(3, &old, &setup.theirs);
    setup.send(setup.browser_address, 0, &late);
    assert_eq!(setup.dropped(DropReason::NoSession), before, "the old name still leads to the session");
}

#[test]
fn a_name_in_use_is_refused_to_another_session() {
    let mut setup = setup();
    let ports =
        [PortKind::Shared, PortKind::Shared].map(|kind| PortRequest { address: ADDRESS, kind, video: false });
    let created = setup.worker.request(setup.now, create(ports, b""));
    let Ok(Reply::Created { session, .. }) = created else { panic!() };
    let first = std::mem::replace(&mut setup.session, session);
    let leg = setup.browser_leg();
    assert!(matches!(setup.configure(Side::B, leg.clone()), Err(Refusal::Invalid(_))));
    assert!(setup.worker.request(setup.now, Request::Delete { session: first }).is_ok());
    assert_eq!(setup.configure(Side::B, leg), Ok(Reply::Done));
}

#[test]
fn a_flood_of_packets_keeps_no_request_waiting() {
    let mut setup = setup();
    let flood: SocketAddr = "203.0.113.66:6".parse().unwrap();
    for _ in 0..3 * PACKET_BUDGET {
        let shared = setup.local[0].rtp;
        assert!(setup.worker.driver_mut().deliver(flood, shared, b"noise"));
    }
    let (answer, answered) = crossbeam::channel::bounded(1);
    let command = tandem_dataplane::worker::Command::Counters { answer };
    setup.ends.commands.send(command).unwrap();
    let until = setup.worker.step(setup.now);
    assert!(answered.try_recv().is_ok(), "the request was carried out in the first turn");
    assert_eq!(
        setup.dropped(DropReason::NoSession),
        PACKET_BUDGET as u64,
        "no more than a budget of packets"
    );
    assert_eq!(until, Some(setup.now.instant), "the worker does not sleep on the rest");
}
