//! Browsers that publish and browsers that watch them, over the worker and the simulation, in virtual time.

use super::browser::{Browser, check, is_success};
use super::{QueueEnds, local_queues};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_control::*;
use tandem_dataplane::driver::sim::SimDriver;
use tandem_dataplane::ports::PortRange;
use tandem_dataplane::worker::{Worker, WorkerSettings};
use tandem_media::Now;
use tandem_media::dtls::Identity;
use tandem_media::rtcp::{self, Compound, Item, Writer};
use tandem_media::rtp::{self, HEADER_LEN, Header};
use tandem_media::video::feedback::Feedback;

pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
pub(crate) const BUFFERS: usize = 512;
/// Payload types of sound, pictures and what of them is sent again: the publisher's and the players'.
pub(crate) const PUBLISHED: [u8; 3] = [111, 96, 97];
pub(crate) const PLAYED: [u8; 3] = [109, 100, 101];
/// The SSRCs of the publisher's sound, its pictures, and what of them is sent again.
pub(crate) const SOUND: u32 = 1000;
pub(crate) const PICTURES: u32 = 2000;
pub(crate) const AGAIN: u32 = 3000;

/// A browser with its session.
pub(crate) struct Page {
    pub(crate) browser: Browser,
    pub(crate) address: SocketAddr,
    pub(crate) credentials: [IceCredentials; 2],
    pub(crate) session: SessionId,
    pub(crate) types: [u8; 3],
    /// Of its handshake.
    pub(crate) answers: Vec<Vec<u8>>,
    /// The packets of RTP that it was sent, and of RTCP, in the clear.
    pub(crate) media: Vec<(Header, Vec<u8>)>,
    pub(crate) reports: Vec<Vec<u8>>,
}

pub(crate) struct World {
    pub(crate) worker: Worker<SimDriver>,
    pub(crate) ends: QueueEnds,
    pub(crate) now: Now,
    pub(crate) shared: SocketAddr,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) pages: Vec<Page>,
}

pub(crate) fn credentials(name: &str, page: usize) -> IceCredentials {
    IceCredentials { ufrag: format!("{name}-ufrag-{page}"), password: format!("{name}-password-of-22-chars") }
}

impl Page {
    /// What signaling says of it: it sends as a publisher does, or only hears and sees.
    pub(crate) fn leg(&self) -> LegConfig {
        let digest = self.browser.identity.fingerprint_sha256().to_vec();
        let fingerprints = vec![Fingerprint { hash: FingerprintHash::Sha256, digest }];
        let [ours, theirs] = self.credentials.clone();
        let [sound, pictures, again] = self.types;
        let audio =
            Audio::both_ways(vec![PayloadType { number: sound, codec: Codec::opus(true), clock: 48_000 }]);
        let publishes = self.types == PUBLISHED;
        let types = vec![VideoPayloadType { number: pictures, codec: VideoCodec::Vp8, rtx: Some(again) }];
        let video = Video {
            receive: types.clone(),
            send: types,
            may_receive: publishes,
            may_send: !publishes,
            transport: None,
            ssrc: 7,
            rtx_ssrc: 8,
            feedback: VideoFeedback { nack: true, pli: true, remb: true, ..VideoFeedback::default() },
            max_bitrate: 0,
            repeat_parameter_sets: false,
        };
        LegConfig {
            security: Security::Dtls { role: DtlsRole::Server, fingerprints },
            ice: Some(Ice { local: ours, remote: Some(theirs) }),
            rtcp_mux: true,
            audio: Audio { may_receive: publishes, may_send: !publishes, ..audio },
            video: Some(Box::new(video)),
            ..LegConfig::idle()
        }
    }

    /// The packets with that payload type, and forgets them.
    pub(crate) fn take(&mut self, number: u8) -> Vec<(Header, Vec<u8>)> {
        self.media.extract_if(.., |(header, _)| header.payload_type == number).collect()
    }

    /// What it was asked for, and forgets it: by the names of RFC 4585.
    pub(crate) fn take_feedback(&mut self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for report in self.reports.drain(..) {
            names.extend(Compound::parse(&report).unwrap().filter_map(|item| match item {
                Item::Feedback(Feedback::PictureLoss { .. }) => Some("PLI"),
                Item::Feedback(Feedback::Missing { .. }) => Some("NACK"),
                Item::Feedback(Feedback::Bitrate { .. }) => Some("REMB"),
                Item::Feedback(_) => Some("other"),
                _ => None,
            }));
        }
        names
    }
}

impl World {
    pub(crate) fn new() -> World {
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let identity = Arc::new(Identity::generate().unwrap());
        let fingerprint = identity.fingerprint_sha256();
        let settings = WorkerSettings {
            index: 0,
            addresses: vec![ADDRESS],
            ports: PortRange::new(31001, 31010).unwrap(),
            max_sessions: MAX_WATCHERS + 8,
            identity,
            seed: 1,
        };
        let (queues, ends) = local_queues();
        let worker = Worker::new(settings, SimDriver::new(BUFFERS, now), queues).unwrap();
        let shared = SocketAddr::new(ADDRESS, 31001);
        World { worker, ends, now, shared, fingerprint, pages: Vec::new() }
    }

    pub(crate) fn ask(&mut self, request: Request) -> Result<Reply, Refusal> {
        self.worker.request(self.now, request)
    }

    /// A session on the shared port, whose side B has no peer.
    pub(crate) fn create(&mut self, legs: [LegConfig; 2]) -> SessionId {
        let port = PortRequest { address: ADDRESS, kind: PortKind::Shared, video: false };
        let (note, legs) = (Vec::new(), Box::new(legs));
        let create = Request::Create { ports: [port; 2], legs, note, media_timeout_seconds: 0, near: None };
        match self.ask(create) {
            Ok(Reply::Created { session, local }) => {
                self.shared = local[0].rtp;
                session
            }
            other => panic!("not created: {other:?}"),
        }
    }

    /// A browser that is connected, with payload types of its own; what it watches stands for side B.
    pub(crate) fn connect(&mut self, types: [u8; 3], other: LegConfig) -> usize {
        let index = self.pages.len();
        let mut page = Page {
            browser: Browser::new(self.now.instant, self.fingerprint),
            address: SocketAddr::from(([192, 0, 2, 1], 50_000 + index as u16)),
            credentials: [credentials("ours", index), credentials("theirs", index)],
            session: SessionId(0),
            types,
            answers: Vec::new(),
            media: Vec::new(),
            reports: Vec::new(),
        };
        page.session = self.create([page.leg(), other]);
        let [ours, theirs] = &page.credentials;
        let request = check(9, ours, theirs);
        self.pages.push(page);
        self.deliver(index, &request);
        assert!(self.pages[index].answers.iter().any(|answer| is_success(answer, 9)));
        for _ in 0..100 {
            self.pass(100);
            let now = self.now.instant;
            let page = &mut self.pages[index];
            for answer in page.answers.drain(..).filter(|answer| (20..64).contains(&answer[0])) {
                page.browser.receive_dtls(now, &answer);
            }
            let flight = page.browser.poll(now);
            if flight.is_empty() && page.browser.is_connected() {
                return index;
            }
            flight.iter().for_each(|packet| self.deliver(index, packet));
        }
        panic!("no keys after a hundred flights");
    }

    pub(crate) fn publisher(&mut self) -> usize {
        self.connect(PUBLISHED, LegConfig::idle())
    }

    /// A browser that watches the publisher.
    pub(crate) fn player(&mut self, publisher: usize) -> usize {
        let other = self.pages[publisher].leg().watched();
        let player = self.connect(PLAYED, other);
        assert_eq!(self.watch(player, publisher), Ok(Reply::Done));
        player
    }

    pub(crate) fn watch(&mut self, player: usize, publisher: usize) -> Result<Reply, Refusal> {
        let source = (self.pages[publisher].session, Side::A);
        self.ask(Request::Watch { session: self.pages[player].session, side: Side::A, source })
    }

    pub(crate) fn delete(&mut self, page: usize) {
        let session = self.pages[page].session;
        assert!(matches!(self.ask(Request::Delete { session }), Ok(Reply::Stats(_))));
        self.collect();
    }

    /// A datagram of a page arrives.
    pub(crate) fn deliver(&mut self, page: usize, bytes: &[u8]) {
        let (source, shared) = (self.pages[page].address, self.shared);
        assert!(self.worker.driver_mut().deliver(source, shared, bytes));
        self.pass(0);
    }

    /// A page sends RTP.
    pub(crate) fn send(&mut self, page: usize, packet: Vec<u8>) {
        let packet = self.pages[page].browser.protect(packet);
        self.deliver(page, &packet);
    }

    /// A page sends RTCP that `write` makes behind an empty report.
    pub(crate) fn report(&mut self, page: usize, ssrc: u32, write: impl FnOnce(&mut Writer<'_>)) {
        let mut buffer = [0; 500];
        let mut writer = Writer::new(&mut buffer);
        writer.report(ssrc, None, None).unwrap();
        writer.canonical_name(ssrc, b"page").unwrap();
        write(&mut writer);
        let len = writer.len();
        let packet = self.pages[page].browser.protect_rtcp(buffer[..len].to_vec());
        self.deliver(page, &packet);
    }

    /// Time passes, and everything due in it is done.
    pub(crate) fn pass(&mut self, ms: u64) {
        for step in (0..=ms).map(|step| u64::from(step > 0)) {
            self.now.instant += Duration::from_millis(step);
            self.now.unix += Duration::from_millis(step);
            self.worker.driver_mut().set_now(self.now);
            while self.worker.step(self.now).is_some_and(|until| until <= self.now.instant) {}
            self.collect();
        }
    }

    /// Gives the pages what the worker sent.
    pub(crate) fn collect(&mut self) {
        let World { worker, pages, .. } = self;
        let look = |_, to: SocketAddr, bytes: &[u8]| (to, bytes.to_vec());
        while let Some((to, bytes)) = worker.driver_mut().take_sent(look) {
            let page = pages.iter_mut().find(|page| page.address == to).expect("sent to a page");
            if !(128..192).contains(&bytes[0]) {
                page.answers.push(bytes);
            } else if rtcp::is_rtcp(&bytes) {
                page.reports.push(page.browser.unprotect_rtcp(bytes));
            } else {
                let packet = page.browser.unprotect(bytes);
                let parsed = rtp::parse(&packet).unwrap();
                page.media.push((parsed.header, parsed.payload(&packet).to_vec()));
            }
        }
    }

    /// The publisher says and shows something for each of these numbers, 20 ms after 20 ms, beginning with a key frame
    /// where that is asked for.
    pub(crate) fn publish(&mut self, publisher: usize, numbers: std::ops::Range<u16>, begins_with_key: bool) {
        for number in numbers.clone() {
            self.send(publisher, sound(number));
            self.send(publisher, picture(number, begins_with_key && number == numbers.start));
            self.pass(20);
        }
    }

    /// Who was told that what it watched is gone.
    pub(crate) fn ended(&mut self) -> Vec<SessionId> {
        let events = self.ends.events.try_iter();
        events
            .filter(|event| event.kind == EventKind::WatchEnded { side: Side::A })
            .map(|event| event.session)
            .collect()
    }
}

pub(crate) fn packet(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    header.write(&mut bytes);
    bytes.extend(payload);
    bytes
}

/// 20 ms of Opus: silence, with the number as padding (RFC 6716 section 3.2.5).
pub(crate) fn sound(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let timestamp = u32::from(number) * 960;
    let header = Header { marker: false, payload_type: 111, sequence: number, timestamp, ssrc: SOUND };
    packet(header, &[0xf8, 0xff, 0xfe, high, low])
}

/// What a picture of VP8 (RFC 7741) of one packet carries.
pub(crate) fn frame(number: u16, is_key: bool) -> Vec<u8> {
    let mut payload = vec![0x10, u8::from(!is_key), 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0];
    payload.extend(number.to_be_bytes());
    payload
}

pub(crate) fn picture(number: u16, is_key: bool) -> Vec<u8> {
    let timestamp = u32::from(number) * 1800;
    let header = Header { marker: true, payload_type: 96, sequence: number, timestamp, ssrc: PICTURES };
    packet(header, &frame(number, is_key))
}

pub(crate) fn payloads(packets: &[(Header, Vec<u8>)]) -> Vec<Vec<u8>> {
    packets.iter().map(|(_, payload)| payload.clone()).collect()
}

pub(crate) fn is_gapless(packets: &[(Header, Vec<u8>)]) -> bool {
    packets.windows(2).all(|pair| pair[1].0.sequence == pair[0].0.sequence.wrapping_add(1))
}
