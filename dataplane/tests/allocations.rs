//! The packet path allocates nothing, whatever the call: counted by an allocator of our own.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{free_ports, local_queues, plain_leg, rtp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tandem_control::*;
use tandem_dataplane::driver::sim::SimDriver;
use tandem_dataplane::driver::uring::UringDriver;
use tandem_dataplane::driver::{Driver, Waker};
use tandem_dataplane::files::{FileSettings, Files};
use tandem_dataplane::ports::PortRange;
use tandem_dataplane::worker::{Worker, WorkerSettings};
use tandem_media::Now;
use tandem_media::dtls::Identity;
use tandem_media::srtp::Outbound;

struct Counting;

thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count_one() {
    if COUNTING.get() {
        COUNT.set(COUNT.get() + 1);
    }
}

// SAFETY: every call goes to the system's allocator as it is; counting touches only plain thread-local cells, which
// do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count_one();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A path that no other test uses.
fn scratch() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("tandem-allocations-{}-{number}", std::process::id()))
}

/// Runs `work` and says how often it went to the allocator.
fn allocations(work: impl FnOnce()) -> u64 {
    COUNT.set(0);
    COUNTING.set(true);
    work();
    COUNTING.set(false);
    COUNT.get()
}

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
const PACKETS: u16 = 10_000;
/// Packets that set things up: the first of a stream, the first reports.
const WARM_UP: u16 = 500;

fn settings(address: SocketAddr) -> WorkerSettings {
    WorkerSettings {
        index: 0,
        addresses: vec![address.ip()],
        ports: PortRange::new(address.port(), address.port() + 19).unwrap(),
        max_sessions: 4,
        identity: Arc::new(Identity::generate().unwrap()),
        seed: 1,
    }
}

fn set_up<D: Driver>(
    worker: &mut Worker<D>,
    now: Now,
    address: IpAddr,
    legs: [LegConfig; 2],
) -> (SessionId, [LocalPorts; 2]) {
    let port = PortRequest { address, kind: PortKind::Own, video: false };
    let legs = Box::new(legs);
    let create =
        Request::Create { ports: [port; 2], legs, note: Vec::new(), media_timeout_seconds: 60, near: None };
    let Ok(Reply::Created { session, local }) = worker.request(now, create) else { panic!("not created") };
    (session, local)
}

fn peers() -> [SocketAddr; 2] {
    ["192.0.2.1:4000".parse().unwrap(), "192.0.2.2:5000".parse().unwrap()]
}

/// Video on the same ports as the audio, or on those that the peer has for it.
fn video(own: Option<SocketAddr>) -> Box<Video> {
    let codec = VideoCodec::H264 { packetization_mode: 1, profile_level_id: [0x42, 0xe0, 0x1f] };
    let types = vec![VideoPayloadType { number: 102, codec, rtx: Some(103) }];
    let transport = own.map(|rtp| VideoTransport {
        security: Security::None,
        rtcp_mux: false,
        remote: Some(Remote { rtp, rtcp: SocketAddr::new(rtp.ip(), rtp.port() + 1) }),
        latch: Latch::Exact,
        asymmetric: false,
    });
    Box::new(Video {
        receive: types.clone(),
        send: types,
        may_receive: true,
        may_send: true,
        transport,
        ssrc: 0xabcd,
        rtx_ssrc: 0xabce,
        feedback: VideoFeedback { nack: true, pli: true, ..VideoFeedback::default() },
        max_bitrate: 0,
        repeat_parameter_sets: own.is_some(),
    })
}

/// A picture's packet.
fn picture(sequence: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = rtp(sequence, ssrc);
    packet[1] = 102;
    packet[4..8].copy_from_slice(&(u32::from(sequence) * 1800).to_be_bytes());
    packet.resize(1100, 0x55);
    // A key frame now and then, and before it what says how large it is, another size each time; other slices between.
    match sequence % 100 {
        0 | 50 => packet[12] = 0x65,
        49 => packet[12..21].copy_from_slice(&[0x67, 0x42, 0xc0, 0x16, 0xd9, 0x00, 0xa0, 0x3d, 0xb0]),
        99 => packet[12..21].copy_from_slice(&[0x67, 0x42, 0xc0, 0x0b, 0xd9, 0x01, 0x41, 0x9f, 0x9f]),
        _ => packet[12] = 0x41,
    }
    packet
}

/// Sound and pictures, from a leg that has both on its ports to one that has them apart, and back.
#[test]
fn a_call_with_video() {
    let mut now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
    let (queues, _ends) = local_queues();
    let driver = SimDriver::new(64, now);
    let mut worker = Worker::new(settings((ADDRESS, 31001).into()), driver, queues).unwrap();
    let (session, local) = set_up(&mut worker, now, ADDRESS, peers().map(plain_leg));
    let added = worker.request(now, Request::AddVideo { session, side: Side::B });
    let Ok(Reply::VideoAdded(apart)) = added else { panic!("{added:?}") };
    let [a, b] = peers();
    let seen_at = SocketAddr::new(b.ip(), 6000);
    for (side, video) in [(Side::A, video(None)), (Side::B, video(Some(seen_at)))] {
        let peer = if side == Side::A { a } else { b };
        let leg = LegConfig { video: Some(video), ..plain_leg(peer) };
        assert_eq!(worker.request(now, Request::configure(session, side, leg)), Ok(Reply::Done));
    }
    let (mut carried, mut allocated) = ([0u32; 4], 0);
    for sequence in 0..PACKETS {
        let step = Duration::from_millis(20);
        now = Now { instant: now.instant + step, unix: now.unix + step };
        let driver = worker.driver_mut();
        driver.set_now(now);
        assert!(driver.deliver(a, local[0].rtp, &rtp(sequence, 1)));
        assert!(driver.deliver(b, local[1].rtp, &rtp(sequence, 2)));
        // Some are lost, and asked for.
        if !sequence.is_multiple_of(37) {
            assert!(driver.deliver(a, local[0].rtp, &picture(sequence, 3)));
        }
        assert!(driver.deliver(seen_at, apart.rtp, &picture(sequence, 4)));
        let count = allocations(|| {
            worker.step(now);
        });
        allocated += if sequence >= WARM_UP { count } else { 0 };
        let look = |_, destination, bytes: &[u8]| (destination, bytes[1] & 0x7f == 102);
        while let Some((destination, is_picture)) = worker.driver_mut().take_sent(look) {
            let place = [(a, false), (b, false), (a, true), (seen_at, true)];
            let place = place.iter().position(|place| *place == (destination, is_picture));
            if let Some(place) = place {
                carried[place] += 1;
            }
        }
    }
    assert!(carried.iter().all(|&count| count > u32::from(PACKETS) * 9 / 10), "{carried:?}");
    assert_eq!(allocated, 0);
}

/// Sound and pictures of one leg, to one that watches as they are and to one for which the sound is transcoded.
#[test]
fn a_leg_that_is_watched() {
    let mut now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
    let (queues, _ends) = local_queues();
    let mut worker = Worker::new(settings((ADDRESS, 31001).into()), SimDriver::new(64, now), queues).unwrap();
    let [a, b] = peers();
    let c: SocketAddr = "192.0.2.3:6000".parse().unwrap();
    let seen = |peer| LegConfig { video: Some(video(None)), ..plain_leg(peer) };
    let (source, local) = set_up(&mut worker, now, ADDRESS, [seen(a), LegConfig::idle()]);
    for leg in [seen(b), audio(seen(c), 8, Codec::Pcma, 8000)] {
        let (session, _) = set_up(&mut worker, now, ADDRESS, [leg, seen(a).watched()]);
        let watch = Request::Watch { session, side: Side::A, source: (source, Side::A) };
        assert_eq!(worker.request(now, watch), Ok(Reply::Done));
    }
    let (mut carried, mut allocated) = ([0u32; 4], 0);
    for sequence in 0..PACKETS {
        let step = Duration::from_millis(20);
        now = Now { instant: now.instant + step, unix: now.unix + step };
        let driver = worker.driver_mut();
        driver.set_now(now);
        assert!(driver.deliver(a, local[0].rtp, &rtp(sequence, 1)));
        if !sequence.is_multiple_of(37) {
            assert!(driver.deliver(a, local[0].rtp, &picture(sequence, 3)));
        }
        let count = allocations(|| {
            worker.step(now);
        });
        allocated += if sequence >= WARM_UP { count } else { 0 };
        let look = |_, destination, bytes: &[u8]| (destination, bytes[1] & 0x7f);
        while let Some((destination, number)) = worker.driver_mut().take_sent(look) {
            let places = [(b, 0), (c, 8), (b, 102), (c, 102)];
            if let Some(place) = places.iter().position(|place| *place == (destination, number)) {
                carried[place] += 1;
            }
        }
    }
    assert!(carried.iter().all(|&count| count > u32::from(PACKETS) * 9 / 10), "{carried:?}");
    assert_eq!(allocated, 0);
}

/// Carries a call over the simulation, 20 ms after 20 ms, and demands that most packets come out, without a
/// single allocation.
fn carries_without_allocating(legs: [LegConfig; 2], packet: impl FnMut(usize, u16) -> Vec<u8>) {
    carries_what_is_asked(legs, |_, _, _| {}, packet);
}

/// The same for a call of which something is asked before.
fn carries_what_is_asked(
    legs: [LegConfig; 2],
    ask: impl FnOnce(&mut Worker<SimDriver>, Now, SessionId),
    mut packet: impl FnMut(usize, u16) -> Vec<u8>,
) {
    let mut now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
    let (mut queues, ends) = local_queues();
    let directory = scratch();
    std::fs::create_dir_all(&directory).unwrap();
    let directories = FileSettings { announcements: None, recordings: Some(directory.clone()) };
    let files = Files::start(&directories, ends.files_events.clone()).unwrap();
    queues.files = Some(files.handle());
    let driver = SimDriver::new(64, now);
    let mut worker = Worker::new(settings((ADDRESS, 31001).into()), driver, queues).unwrap();
    let (session, local) = set_up(&mut worker, now, ADDRESS, legs);
    ask(&mut worker, now, session);
    let mut carried = [0u32; 2];
    let mut allocated = 0;
    for sequence in 0..PACKETS {
        now = Now {
            instant: now.instant + Duration::from_millis(20),
            unix: now.unix + Duration::from_millis(20),
        };
        worker.driver_mut().set_now(now);
        for (side, peer) in peers().into_iter().enumerate() {
            assert!(worker.driver_mut().deliver(peer, local[side].rtp, &packet(side, sequence)));
        }
        let count = allocations(|| {
            worker.step(now);
        });
        if sequence >= WARM_UP {
            allocated += count;
        }
        let look = |_, destination, _: &[u8]| destination;
        while let Some(destination) = worker.driver_mut().take_sent(look) {
            for (side, peer) in peers().into_iter().enumerate() {
                carried[side] += u32::from(destination == peer);
            }
        }
    }
    assert!(carried.iter().all(|&count| count > u32::from(PACKETS) * 9 / 10), "{carried:?}");
    assert_eq!(allocated, 0);
    drop(worker);
    files.stop();
    std::fs::remove_dir_all(&directory).unwrap();
}

fn audio(leg: LegConfig, number: u8, codec: Codec, clock: u32) -> LegConfig {
    let types = vec![PayloadType { number, codec, clock }];
    LegConfig { audio: Audio { receive: types.clone(), send: types, ..leg.audio.clone() }, ..leg }
}

#[test]
fn a_plain_call() {
    carries_without_allocating(peers().map(plain_leg), |side, sequence| rtp(sequence, side as u32));
}

#[test]
fn a_call_with_srtp_on_both_sides() {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let key = |byte| SrtpKey { suite, key_and_salt: vec![byte; suite.key_len() + suite.salt_len()] };
    let secure = |side: usize| {
        let security = Security::Sdes { send: key(10), receive: Some(key(side as u8)) };
        LegConfig { security, ..plain_leg(peers()[side]) }
    };
    let mut senders = [0u8, 1].map(|side| Outbound::new(&key(side)).unwrap());
    carries_without_allocating([secure(0), secure(1)], |side, sequence| {
        let mut packet = rtp(sequence, side as u32);
        let length = packet.len();
        packet.resize(length + 64, 0);
        let length = senders[side].protect(&mut packet, length).unwrap();
        packet.truncate(length);
        packet
    });
}

#[test]
fn a_call_between_the_two_laws() {
    let [a, b] = peers().map(plain_leg);
    let b = audio(b, 8, Codec::Pcma, 8000);
    carries_without_allocating([a, b], |side, sequence| {
        let mut packet = rtp(sequence, side as u32);
        packet[1] = if side == 0 { 0 } else { 8 };
        packet
    });
}

#[test]
fn a_call_between_opus_and_g711() {
    let [a, b] = peers().map(plain_leg);
    let a = audio(a, 111, Codec::opus(false), 48_000);
    carries_without_allocating([a, b], |side, sequence| {
        let mut packet = rtp(sequence, side as u32);
        if side == 0 {
            packet[1] = 111;
            packet[4..8].copy_from_slice(&(u32::from(sequence) * 960).to_be_bytes());
            packet.truncate(12);
            // A frame of 20 ms that is silent (RFC 6716: full band, CELT, one frame).
            packet.extend([0xF8, 0xFF, 0xFE]);
        }
        packet
    });
}

#[test]
fn a_call_between_wide_band_and_g729_whose_keys_are_looked_for_and_heard() {
    let [a, b] = peers().map(plain_leg);
    let (mut a, mut b) = (audio(a, 9, Codec::G722, 8000), audio(b, 18, Codec::G729, 8000));
    a.audio.receive.push(PayloadType { number: 101, codec: Codec::TelephoneEvent, clock: 8000 });
    a.audio.detect_tones = true;
    b.audio.digits = Digits::Tones;
    carries_without_allocating([a, b], |side, sequence| {
        let mut packet = rtp(sequence, side as u32);
        let key = sequence % 100;
        match (side, key) {
            // Now and then a key is pressed for 100 ms.
            (0, 90..95) => {
                packet[1] = 101;
                packet[4..8].copy_from_slice(&(u32::from(sequence - key + 90) * 160).to_be_bytes());
                packet.truncate(12);
                let duration = (key - 89) * 160;
                packet.extend([5, if key == 94 { 0x8A } else { 10 }]);
                packet.extend(duration.to_be_bytes());
            }
            (0, _) => packet[1] = 9,
            _ => {
                packet[1] = 18;
                packet.truncate(12 + 20);
            }
        }
        packet
    });
}

#[test]
fn a_room_with_both_sides_of_a_call_in_it() {
    let [a, b] = peers().map(plain_leg);
    let b = audio(b, 8, Codec::Pcma, 8000);
    let ask = |worker: &mut Worker<SimDriver>, now, session| {
        let create = Request::CreateRoom { near: None, rate: 16_000, loudest: 1 };
        let Ok(Reply::RoomCreated { room }) = worker.request(now, create) else { panic!("no room") };
        for side in [Side::A, Side::B] {
            worker.request(now, Request::Join { session, side, room }).unwrap();
        }
    };
    carries_what_is_asked([a, b], ask, |side, sequence| {
        let mut packet = rtp(sequence, side as u32);
        packet[1] = if side == 0 { 0 } else { 8 };
        packet
    });
}

#[test]
fn a_call_that_is_recorded_and_hears_a_file_and_a_tone() {
    // A WAV file of mu-law, a second long.
    let mut file =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0"
            .to_vec();
    file.extend((0..8000).map(|n| n as u8));
    let ring = Tones { steps: vec![ToneStep { hertz: [425, 0], on_ms: 1000, off_ms: 4000 }] };
    let packet = |side, sequence| rtp(sequence, side as u32);
    let ask = |worker: &mut Worker<SimDriver>, now, session| {
        let play = |side, source| Request::Play { session, side, source, times: 0, id: 1 };
        let path = "recording.ogg".to_owned();
        let record = Request::Record { session, path, format: RecordingFormat::OggOpus };
        for request in [play(Side::A, Source::Inline(file)), play(Side::B, Source::Tone(ring)), record] {
            assert_eq!(worker.request(now, request), Ok(Reply::Done));
        }
    };
    carries_what_is_asked(peers().map(plain_leg), ask, packet);
}

#[test]
fn a_plain_call_over_the_real_driver() {
    let sockets = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    sockets.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
    let addresses = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    let settings = settings((Ipv4Addr::LOCALHOST, free_ports()).into());
    let driver = UringDriver::new(settings.max_sockets(), Waker::new().unwrap(), Duration::ZERO).unwrap();
    let (queues, _ends) = local_queues();
    let mut worker = Worker::new(settings, driver, queues).unwrap();
    let start = worker.driver_mut().now();
    let (_, local) = set_up(&mut worker, start, Ipv4Addr::LOCALHOST.into(), addresses.map(plain_leg));
    let mut received = [0; 1500];
    let (mut carried, mut allocated) = (0u32, 0);
    for sequence in 0..2000 {
        // The clock of the session is ours: 20 ms a packet, as a rate limit demands.
        let elapsed = Duration::from_millis(20) * u32::from(sequence);
        let now = Now { instant: start.instant + elapsed, unix: start.unix + elapsed };
        for side in 0..2 {
            sockets[side].send_to(&rtp(sequence, side as u32), local[side].rtp).unwrap();
        }
        let count = allocations(|| {
            for _ in 0..2 {
                worker.driver_mut().wait(Some(Instant::now())).unwrap();
                worker.step(now);
            }
            worker.driver_mut().wait(Some(Instant::now())).unwrap();
        });
        if sequence >= WARM_UP {
            allocated += count;
        }
        carried +=
            sockets.iter().map(|socket| u32::from(socket.recv_from(&mut received).is_ok())).sum::<u32>();
    }
    assert!(carried > 3600, "{carried}");
    assert_eq!(allocated, 0);
}
