//! Video through the whole dataplane on the loopback interface: ffmpeg films, and ffmpeg shows what comes.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::browser::{Browser, check, is_success};
use common::pictures::{Camera, H264, SINGLE_UNITS, Screen, bundled, free_pair, video};
use common::{Client, plain_leg, settings, start_with_client};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tandem_control::*;
use tandem_dataplane::dataplane::Dataplane;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn start(name: &str) -> (Dataplane, Client) {
    start_with_client(&settings(name, 1, 4))
}

/// A session of which side A has ports of its own, and side B has some for video from the beginning.
fn create(client: &mut Client) -> (SessionId, [LocalPorts; 2]) {
    let ports = [false, true].map(|video| PortRequest { address: LOCALHOST, kind: PortKind::Own, video });
    match client.ask(common::create(ports, b"")) {
        Ok(Reply::Created { session, local }) => (session, local),
        other => panic!("not created: {other:?}"),
    }
}

/// One film from A, whose video comes in mid-call, to B: payload types and keys of both sides differ.
fn film(name: &str, [of_a, of_b]: [VideoCodec; 2], [a_is_secure, b_is_secure]: [bool; 2]) {
    let (dataplane, mut client) = start(name);
    let (session, local) = create(&mut client);
    let at_b = local[1].video.unwrap();
    assert_eq!((at_b.rtp.port() % 2, at_b.rtcp.port()), (0, at_b.rtp.port() + 1));
    let (camera, screen) = (free_pair(), free_pair());
    let too_early = LegConfig {
        video: Some(video(102, of_a, camera, None)),
        ..plain_leg("127.0.0.1:9".parse().unwrap())
    };
    let refused = client.ask(Request::configure(session, Side::A, too_early.clone()));
    assert!(matches!(refused, Err(Refusal::Invalid(_))), "it has no ports yet");
    let added = client.ask(Request::AddVideo { session, side: Side::A });
    let Ok(Reply::VideoAdded(at_a)) = added else { panic!("{added:?}") };
    assert_eq!(client.ask(Request::AddVideo { session, side: Side::A }), added, "it has them already");
    let keys = |is_secure: bool, keys: [u8; 2]| is_secure.then_some(keys);
    let a = LegConfig { video: Some(video(102, of_a, camera, keys(a_is_secure, [1, 2]))), ..too_early };
    let b = video(96, of_b, screen, keys(b_is_secure, [3, 4]));
    let b = LegConfig { video: Some(b), ..plain_leg("127.0.0.1:11".parse().unwrap()) };
    for (side, leg) in [(Side::A, a), (Side::B, b)] {
        assert_eq!(client.ask(Request::configure(session, side, leg)), Ok(Reply::Done));
    }
    let shown = Screen::start(name, 96, of_b, screen, b_is_secure.then_some(3));
    let camera = Camera::start(102, of_a, camera, at_a.rtp, a_is_secure.then_some(2));
    shown.watch().assert_red_and_moving();
    drop(camera);
    let Ok(Reply::Stats(stats)) = client.ask(Request::Delete { session }) else { panic!() };
    let [a, b] = stats.legs.map(|leg| leg.video.unwrap());
    assert_eq!((a.codec, a.lost < 20, b.sent.packets > 50), (Some(of_a), true, true));
    assert!(b.sent.rtcp_packets > 0 && a.received.rtcp_packets > 0, "{a:?} {b:?}");
    assert_eq!(client.counter("sessions"), 0);
    dataplane.stop();
}

#[test]
fn h264_goes_from_rtp_to_srtp() {
    film("h264", [H264; 2], [false, true]);
}

#[test]
fn h264_in_single_units_goes_from_srtp_to_a_receiver_of_mode_1() {
    film("single-units", [SINGLE_UNITS, H264], [true, false]);
}

#[test]
fn vp8_goes_from_srtp_to_srtp() {
    film("vp8", [VideoCodec::Vp8; 2], [true, true]);
}

/// A browser with its video bundled: what its camera films goes to the dataplane by SRTP, and what comes from there to
/// its screen.
struct Page {
    socket: UdpSocket,
    browser: Browser,
    gateway: SocketAddr,
    credentials: [IceCredentials; 2],
}

impl Page {
    fn new(gateway: SocketAddr, fingerprint: [u8; 32]) -> Page {
        let credentials = ["ours", "theirs"].map(|name| IceCredentials {
            ufrag: format!("{name}-ufrag"),
            password: format!("{name}-password-of-22-chars"),
        });
        let socket = UdpSocket::bind((LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Page { socket, browser: Browser::new(Instant::now(), fingerprint), gateway, credentials }
    }

    fn leg(&self) -> LegConfig {
        let digest = self.browser.identity.fingerprint_sha256().to_vec();
        let fingerprints = vec![Fingerprint { hash: FingerprintHash::Sha256, digest }];
        let [ours, theirs] = self.credentials.clone();
        LegConfig {
            security: Security::Dtls { role: DtlsRole::Server, fingerprints },
            ice: Some(Ice { local: ours, remote: Some(theirs) }),
            rtcp_mux: true,
            remote: None,
            video: Some(Box::new(bundled(102, H264))),
            ..plain_leg("127.0.0.1:9".parse().unwrap())
        }
    }

    /// Checks its way and shakes hands.
    fn connect(&mut self) {
        let [ours, theirs] = &self.credentials;
        self.socket.send_to(&check(9, ours, theirs), self.gateway).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut bytes = [0; 2048];
        let mut is_checked = false;
        while !self.browser.is_connected() {
            assert!(Instant::now() < deadline, "not connected");
            if is_checked {
                for packet in self.browser.poll(Instant::now()) {
                    self.socket.send_to(&packet, self.gateway).unwrap();
                }
            }
            let Ok((len, _)) = self.socket.recv_from(&mut bytes) else { continue };
            match bytes[0] {
                0..=3 => is_checked |= is_success(&bytes[..len], 9),
                20..=63 => self.browser.receive_dtls(Instant::now(), &bytes[..len]),
                _ => {}
            }
        }
        for packet in self.browser.poll(Instant::now()) {
            self.socket.send_to(&packet, self.gateway).unwrap();
        }
    }

    /// Carries packets between the dataplane and camera and screen, until it is stopped.
    fn carry(mut self, camera: &UdpSocket, screen: SocketAddr, stop: &AtomicBool) {
        self.socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        camera.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let mut bytes = [0; 2048];
        while !stop.load(Ordering::Relaxed) {
            while let Ok((len, _)) = camera.recv_from(&mut bytes) {
                let protected = self.browser.protect(bytes[..len].to_vec());
                self.socket.send_to(&protected, self.gateway).unwrap();
            }
            while let Ok((len, _)) = self.socket.recv_from(&mut bytes) {
                if bytes[0] >> 6 == 2 && bytes[1] & 0x7f == 102 {
                    let plain = self.browser.unprotect(bytes[..len].to_vec());
                    camera.send_to(&plain, screen).unwrap();
                }
            }
        }
    }
}

#[test]
fn a_browser_and_a_telephone_see_each_other() {
    let (dataplane, mut client) = start("seeing");
    let hello = client.ask(Request::Hello { version: VERSION, progress: false });
    let Ok(Reply::Hello(hello)) = hello else { panic!("{hello:?}") };
    let ports = [(PortKind::Shared, false), (PortKind::Own, true)].map(|(kind, video)| PortRequest {
        address: LOCALHOST,
        kind,
        video,
    });
    let created = client.ask(common::create(ports, b""));
    let Ok(Reply::Created { session, local }) = created else { panic!("{created:?}") };
    let at_phone = local[1].video.unwrap();
    let mut page = Page::new(local[0].rtp, hello.fingerprint);
    let (phone_camera, phone_screen, page_screen) = (free_pair(), free_pair(), free_pair());
    // The telephone films from one port and shows what comes to another.
    let mut of_phone = video(96, H264, phone_screen, None);
    of_phone.transport.as_mut().unwrap().asymmetric = true;
    let phone = LegConfig { video: Some(of_phone), ..plain_leg("127.0.0.1:11".parse().unwrap()) };
    for (side, leg) in [(Side::A, page.leg()), (Side::B, phone)] {
        assert_eq!(client.ask(Request::configure(session, side, leg)), Ok(Reply::Done));
    }
    page.connect();
    let page_camera = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    let into_page = page_camera.local_addr().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| page.carry(&page_camera, page_screen, &stop));
        let screens = [
            Screen::start("page-sees", 102, H264, page_screen, None),
            Screen::start("phone-sees", 96, H264, phone_screen, None),
        ];
        let cameras = [
            Camera::start(96, H264, phone_camera, at_phone.rtp, None),
            Camera::start(102, H264, free_pair(), into_page, None),
        ];
        let watched = screens.map(|screen| scope.spawn(|| screen.watch()));
        let watched = watched.map(std::thread::ScopedJoinHandle::join);
        drop(cameras);
        stop.store(true, Ordering::Relaxed);
        watched.into_iter().for_each(|watched| watched.unwrap().assert_red_and_moving());
    });
    let Ok(Reply::Stats(stats)) = client.ask(Request::Delete { session }) else { panic!() };
    let [a, b] = stats.legs.map(|leg| leg.video.unwrap());
    assert!(a.received.packets > 50 && b.received.packets > 50, "{a:?} {b:?}");
    dataplane.stop();
}
