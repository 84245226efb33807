//! The packet path allocates nothing after set-up: counted, on every kind of bridge and on lines that lose packets.

#![expect(clippy::unwrap_used, reason = "a test; its helpers are no test functions")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_codec::Encoder;
use tandem_codec::g711::{G711Encoder, Law};
use tandem_codec::g722::G722Encoder;
use tandem_codec::g729::G729Encoder;
use tandem_codec::opus::{OpusEncoder, OpusSettings};
use tandem_codec::speex::{Band, SpeexEncoder, SpeexSettings};
use tandem_codec::tones::{Step, Tone};
use tandem_control::{
    Audio, Codec, DigitSound, Digits, Latch, LegConfig, PayloadType, Remote, Security, Side, SrtpKey,
    SrtpSuite, Video, VideoCodec, VideoFeedback, VideoPayloadType,
};
use tandem_media::Now;
use tandem_media::drops::DropReason;
use tandem_media::dtls::Identity;
use tandem_media::dtmf::Digit;
use tandem_media::limits::TAILROOM;
use tandem_media::packet::Packet;
use tandem_media::rtcp::Writer;
use tandem_media::rtp::{HEADER_LEN, Header};
use tandem_media::session::{Component, Outbox, Session};
use tandem_media::srtp::Outbound;
use tandem_media::video::feedback::Author;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, with a count for each thread.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter is a thread-local without a destructor
// and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// Counts what is sent.
#[derive(Default)]
struct Sent(usize);

impl Outbox for Sent {
    fn send(&mut self, _: Side, _: Component, _: SocketAddr, _: &[u8]) {
        self.0 += 1;
    }

    fn dropped(&mut self, _: DropReason) {}
}

const OPUS: (u8, Codec, u32) = (111, Codec::opus(false), 48_000);
const PCMU: (u8, Codec, u32) = (0, Codec::Pcmu, 8000);
const PCMA: (u8, Codec, u32) = (8, Codec::Pcma, 8000);
const G722: (u8, Codec, u32) = (9, Codec::G722, 8000);
const G729: (u8, Codec, u32) = (18, Codec::G729, 8000);
const SPEEX: (u8, Codec, u32) = (97, Codec::Speex, 16_000);
const EVENT: (u8, Codec, u32) = (101, Codec::TelephoneEvent, 8000);
const NOISE: (u8, Codec, u32) = (13, Codec::ComfortNoise, 8000);

fn key(suite: SrtpSuite) -> SrtpKey {
    SrtpKey { suite, key_and_salt: vec![5; suite.key_len() + suite.salt_len()] }
}

fn leg(host: u8, types: &[(u8, Codec, u32)], suite: Option<SrtpSuite>) -> LegConfig {
    let types: Vec<_> =
        types.iter().map(|&(number, codec, clock)| PayloadType { number, codec, clock }).collect();
    let security =
        suite.map_or(Security::None, |suite| Security::Sdes { send: key(suite), receive: Some(key(suite)) });
    LegConfig {
        security,
        remote: Some(Remote { rtp: address(host, 4000), rtcp: address(host, 4001) }),
        latch: Latch::Exact,
        audio: Audio::both_ways(types),
        ..LegConfig::idle()
    }
}

fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], port))
}

/// A second of a key that is held and of quiet, in packets of 20 ms.
fn packets_of(coding: (u8, Codec, u32)) -> Vec<Vec<u8>> {
    let mut encoder: Box<dyn Encoder> = match coding.1 {
        Codec::Pcmu => Box::new(G711Encoder::new(Law::Mu)),
        Codec::Pcma => Box::new(G711Encoder::new(Law::A)),
        Codec::G722 => Box::new(G722Encoder::new()),
        Codec::G729 => Box::new(G729Encoder::new().unwrap()),
        Codec::Speex => Box::new(SpeexEncoder::new(Band::Wide, SpeexSettings::default()).unwrap()),
        _ => Box::new(OpusEncoder::new(8000, OpusSettings::default()).unwrap()),
    };
    let rate = if matches!(coding.1, Codec::G722 | Codec::Speex) { 16_000 } else { 8000 };
    let step = Step { off_ms: 500, ..Step::digit(5, -9.0, 500).unwrap() };
    let mut tone = Tone::new(rate, &step);
    let mut payload = [0; 400];
    let packets = (0..50).map(|_| {
        let mut pcm = vec![0; rate as usize / 50];
        tone.fill(&mut pcm);
        let len = encoder.encode(&pcm, &mut payload).unwrap();
        payload[..len].to_vec()
    });
    packets.collect()
}

/// What is unusual about a call.
#[derive(Clone, Copy, Debug, Default)]
struct Case {
    suite: Option<SrtpSuite>,
    digits: Digits,
    detect_tones: bool,
}

/// Runs a call of 20 seconds whose input loses and swaps packets, presses keys and falls silent; returns what it
/// allocated and sent.
fn call(input: (u8, Codec, u32), output: (u8, Codec, u32), case: Case) -> (u64, usize) {
    let Case { suite, digits, detect_tones } = case;
    let mut now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
    let identity = Arc::new(Identity::generate().unwrap());
    let mut session = Session::new(now, 1, identity, Some(Duration::from_secs(60)));
    let mut sent = Sent::default();
    let mut legs = [leg(1, &[input, EVENT, NOISE], suite), leg(2, &[output, EVENT], suite)];
    legs[0].audio.detect_tones = detect_tones;
    legs[1].audio.digits = digits;
    session.configure(now, legs.each_ref().map(Some), &mut sent).unwrap();
    let mut peer = suite.map(|suite| Outbound::new(&key(suite)).unwrap());
    let mut buffer = vec![0; 400 + TAILROOM];
    let payloads = packets_of(input);
    let before = allocations();
    assert!(before > 0, "set-up allocates, so the counter works");
    for n in 0..1000u16 {
        now.instant += Duration::from_millis(20);
        now.unix += Duration::from_millis(20);
        let is_event = n % 100 >= 95;
        let is_noise = n % 200 == 150;
        let sequence = if n % 50 == 9 {
            n + 1
        } else if n % 50 == 10 {
            n - 1
        } else {
            n
        };
        let timestamp = u32::from(if is_event { n - n % 100 + 95 } else { sequence }) * (input.2 / 50);
        let (payload_type, payload) = match (is_event, is_noise) {
            (true, _) => (EVENT.0, &[5, u8::from(n % 100 > 97) << 7, 3, 32][..]),
            (_, true) => (NOISE.0, &[60][..]),
            _ => (input.0, &payloads[usize::from(n) % payloads.len()][..]),
        };
        // Behind comfort noise it is silent for a while.
        if n % 31 != 7 && !(151..170).contains(&(n % 200)) {
            let mut len = HEADER_LEN + payload.len();
            Header { marker: false, payload_type, sequence, timestamp, ssrc: 9 }.write(&mut buffer);
            buffer[HEADER_LEN..len].copy_from_slice(payload);
            if let Some(peer) = &mut peer {
                len = peer.protect(&mut buffer, len).unwrap();
            }
            let mut packet = Packet::new(&mut buffer, 0, len).unwrap();
            let verdict =
                session.receive(now, Side::A, Component::Rtp, address(1, 4000), &mut packet, &mut sent);
            sent.0 += usize::from(matches!(verdict, Ok(tandem_media::session::Verdict::Forward { .. })));
        }
        if n == 500 && digits != Digits::Told {
            session
                .play_digit(now, Side::B, Digit { event: 4, duration_ms: 100 }, DigitSound::default())
                .unwrap();
        }
        if session.next_timeout() <= now.instant {
            session.handle_timeout(now, &mut sent);
        }
        while session.poll_event().is_some() {}
        let _ = session.stats(now);
    }
    (allocations() - before, sent.0)
}

#[test]
fn the_packet_path_allocates_nothing_after_set_up() {
    let suites = [None, Some(SrtpSuite::AesCm128HmacSha1_80), Some(SrtpSuite::AeadAes128Gcm)];
    let pairs = [
        (PCMU, PCMU),
        (PCMU, PCMA),
        (OPUS, PCMA),
        (PCMU, OPUS),
        (OPUS, OPUS),
        (G722, PCMA),
        (PCMA, G722),
        (G722, OPUS),
        (G729, PCMU),
        (PCMU, G729),
        (SPEEX, G729),
        (OPUS, SPEEX),
    ];
    for suite in suites {
        for (input, output) in pairs {
            let (allocated, sent) = call(input, output, Case { suite, ..Case::default() });
            assert!(sent > 700, "{input:?} to {output:?} {suite:?}: only {sent} packets came out");
            assert_eq!(allocated, 0, "{input:?} to {output:?} {suite:?}");
        }
    }
}

#[test]
fn digits_allocate_nothing_in_any_way() {
    for digits in [Digits::Events, Digits::Tones, Digits::Told] {
        for (input, output) in [(PCMU, PCMU), (G722, PCMA), (OPUS, G729), (SPEEX, OPUS)] {
            let case = Case { digits, detect_tones: true, ..Case::default() };
            let (allocated, sent) = call(input, output, case);
            assert!(sent > 500, "{input:?} to {output:?} {case:?}: only {sent} packets came out");
            assert_eq!(allocated, 0, "{input:?} to {output:?} {case:?}");
        }
    }
}

const H264: VideoCodec = VideoCodec::H264 { packetization_mode: 1, profile_level_id: [0x42, 0xe0, 0x1f] };
/// What a browser understands, and what an old telephone does.
const BROWSER: VideoFeedback =
    VideoFeedback { nack: true, pli: true, fir: true, remb: true, tmmbr: false, transport_cc: Some(3) };
const PHONE: VideoFeedback =
    VideoFeedback { nack: false, pli: false, fir: true, remb: false, tmmbr: true, transport_cc: None };

/// A leg with video in the clear beside its audio.
fn showing(host: u8, feedback: VideoFeedback) -> LegConfig {
    let types = vec![VideoPayloadType { number: 96, codec: H264, rtx: feedback.nack.then_some(97) }];
    let video = Video {
        receive: types.clone(),
        send: types,
        may_receive: true,
        may_send: true,
        transport: None,
        ssrc: u32::from(host) * 1000,
        rtx_ssrc: u32::from(host) * 1000 + 1,
        feedback,
        max_bitrate: 500_000,
        repeat_parameter_sets: !feedback.nack,
    };
    LegConfig { video: Some(Box::new(video)), ..leg(host, &[PCMU], None) }
}

/// Ten seconds of video, of which every 17th packet is lost on its way here and comes again, and whose viewer asks for
/// much of it again and for key frames; returns what was allocated and sent.
fn video_call(viewer: VideoFeedback) -> (u64, usize) {
    let mut now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
    let identity = Arc::new(Identity::generate().unwrap());
    let mut session = Session::new(now, 1, identity, None);
    let mut sent = Sent::default();
    let legs = [showing(1, BROWSER), showing(2, viewer)];
    session.configure(now, legs.each_ref().map(Some), &mut sent).unwrap();
    let mut buffer = vec![0; 1300 + TAILROOM];
    let before = allocations();
    let receive = |session: &mut Session, now, host, port, buffer: &mut [u8], len, sent: &mut Sent| {
        let (side, component) = match (host, port) {
            (1, 4000) => (Side::A, Component::Rtp),
            (_, 4000) => (Side::B, Component::Rtp),
            _ => (Side::B, Component::Rtcp),
        };
        let mut packet = Packet::new(buffer, 0, len).unwrap();
        let verdict = session.receive(now, side, component, address(host, port), &mut packet, sent);
        sent.0 += usize::from(matches!(verdict, Ok(tandem_media::session::Verdict::Forward { .. })));
    };
    for n in 0..1000u16 {
        now.instant += Duration::from_millis(10);
        now.unix += Duration::from_millis(10);
        let timestamp = u32::from(n / 3) * 2700;
        let payload: &[u8] = if n % 100 == 0 { &[0x7c, 0x85] } else { &[0x41, 0x9a] };
        if n % 17 != 5 {
            Header { marker: n % 3 == 2, payload_type: 96, sequence: n, timestamp, ssrc: 9 }
                .write(&mut buffer);
            buffer[HEADER_LEN..HEADER_LEN + 2].copy_from_slice(payload);
            receive(&mut session, now, 1, 4000, &mut buffer, 1200, &mut sent);
        }
        if n % 17 == 10 {
            let lost = n - 5;
            let timestamp = u32::from(lost / 3) * 2700;
            Header { marker: false, payload_type: 97, sequence: n, timestamp, ssrc: 10 }.write(&mut buffer);
            buffer[HEADER_LEN..HEADER_LEN + 2].copy_from_slice(&lost.to_be_bytes());
            receive(&mut session, now, 1, 4000, &mut buffer, 1200, &mut sent);
        }
        if n % 10 == 9 {
            let author = Author { sender: 7, media: 2000 };
            let mut writer = Writer::new(&mut buffer);
            let wanted: [u16; 8] = std::array::from_fn(|place| n.wrapping_add(place as u16));
            author.missing(&mut writer, &wanted).unwrap();
            author.picture_loss(&mut writer).unwrap();
            author.bitrate(&mut writer, 400_000).unwrap();
            let len = writer.len();
            receive(&mut session, now, 2, 4001, &mut buffer, len, &mut sent);
        }
        if session.next_timeout() <= now.instant {
            session.handle_timeout(now, &mut sent);
        }
        while session.poll_event().is_some() {}
    }
    (allocations() - before, sent.0)
}

#[test]
fn video_and_its_repair_allocate_nothing() {
    for viewer in [BROWSER, PHONE] {
        let (allocated, sent) = video_call(viewer);
        assert!(sent > 950, "{viewer:?}: only {sent} packets came out");
        assert_eq!(allocated, 0, "{viewer:?}");
    }
}
