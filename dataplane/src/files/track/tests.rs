use super::*;
use crate::files::tap::Coding;
use crate::files::tests::{share, tone};
use tandem_codec::Encoder;
use tandem_codec::g711::{G711Encoder, Law};
use tandem_codec::opus::{OpusEncoder, OpusSettings};
use tandem_codec::tones::{Step, Tone};
use tandem_control::Side;

const PACKET: u64 = 20_000;

fn head(sequence: u16, timestamp: u32) -> PacketHead {
    let (side, coding, tones_are_digits) = (Side::A, Coding::Pcma, false);
    PacketHead { side, coding, clock: 8000, ssrc: 1, sequence, timestamp, tones_are_digits }
}

/// Packets of a tone of 500 Hz, A-law, 20 ms.
fn payloads(count: usize) -> Vec<Vec<u8>> {
    let encode = |block: &[i16]| {
        let mut payload = vec![0; block.len()];
        G711Encoder::new(Law::A).encode(block, &mut payload).unwrap();
        payload
    };
    tone(500.0, 8000, 160 * count).chunks(160).map(encode).collect()
}

/// Feeds packets (arrival, head, payload) and takes all that comes of them, 20 ms after 20 ms, up to `micros`.
fn record(packets: &[(u64, PacketHead, Vec<u8>)], micros: u64) -> Vec<i16> {
    let mut track = Track::new();
    let mut pcm = Vec::new();
    let mut packets = packets.iter().peekable();
    let mut now = 0;
    while now < micros {
        while let Some((arrived, head, payload)) = packets.next_if(|(arrived, ..)| *arrived <= now) {
            track.packet(*arrived, *head, payload);
        }
        track.advance(now);
        let heard = now.saturating_sub(320_000);
        track.take(heard * u64::from(RATE) / 1_000_000, &mut pcm);
        now += PACKET;
    }
    track.run_out();
    track.take(micros * u64::from(RATE) / 1_000_000, &mut pcm);
    pcm
}

/// Where sound begins and ends, in milliseconds.
fn bounds(pcm: &[i16]) -> (usize, usize) {
    let loud = |sample: &i16| sample.abs() > 1000;
    let per_ms = RATE as usize / 1000;
    (pcm.iter().position(loud).unwrap() / per_ms, pcm.iter().rposition(loud).unwrap() / per_ms)
}

#[test]
fn a_stream_stands_where_it_was_heard() {
    let packets: Vec<_> = (0..50u16)
        .zip(payloads(50))
        .map(|(n, payload)| {
            (1_000_000 + u64::from(n) * PACKET, head(65_530u16.wrapping_add(n), u32::from(n) * 160), payload)
        })
        .collect();
    let pcm = record(&packets, 3_000_000);
    assert_eq!(pcm.len(), 48_000);
    let (from, to) = bounds(&pcm);
    assert!((1000..1008).contains(&from) && (1990..2008).contains(&to), "{from} to {to}");
    assert!(share(&pcm[17_000..31_000], 500.0, RATE) > 0.99);
}

#[test]
fn jitter_and_disorder_leave_no_trace() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut packets: Vec<_> = (0..150u16)
        .zip(payloads(150))
        .map(|(n, payload)| {
            let arrived = 500_000 + u64::from(n) * PACKET + random.u64(0..60_000);
            (arrived, head(n, u32::from(n) * 160), payload)
        })
        .collect();
    packets.sort_by_key(|(arrived, ..)| *arrived);
    let pcm = record(&packets, 4_000_000);
    let (from, to) = bounds(&pcm);
    assert!((500..520).contains(&from) && (3490..3520).contains(&to), "{from} to {to}");
    for part in pcm[12_000..54_000].chunks_exact(1600) {
        assert!(share(part, 500.0, RATE) > 0.95, "{}", share(part, 500.0, RATE));
    }
}

#[test]
fn what_is_lost_is_concealed_and_what_is_left_out_is_silent() {
    let packets: Vec<_> = (0..100u16)
        .zip(payloads(100))
        .filter(|(n, _)| n % 10 != 5)
        .map(|(n, payload)| {
            // From the 50th packet on, half a second later, with the next sequence number.
            let pause = if n < 50 { 0 } else { 25 };
            let arrived = u64::from(n + pause) * PACKET;
            (arrived, head(n, u32::from(n + pause) * 160), payload)
        })
        .collect();
    let pcm = record(&packets, 2_600_000);
    assert!(pcm[16_200..23_800].iter().all(|sample| *sample == 0), "the pause");
    for (from, to) in [(800, 15_800), (24_800, 39_000)] {
        assert!(share(&pcm[from..to], 500.0, RATE) > 0.9, "{}", share(&pcm[from..to], 500.0, RATE));
        let quiet = pcm[from..to].chunks(64).filter(|part| part.iter().all(|sample| sample.abs() < 500));
        assert_eq!(quiet.count(), 0, "no holes");
    }
}

#[test]
fn drifting_clocks_are_followed() {
    // 1000 ppm for a minute: 60 ms.
    for drift in [-20_i64, 20] {
        let packets: Vec<_> = (0..3000u16)
            .zip(payloads(3000))
            .map(|(n, payload)| {
                let arrived = (i64::from(n) * (PACKET as i64 + drift)).cast_unsigned();
                (arrived, head(n, u32::from(n) * 160), payload)
            })
            .collect();
        let end = packets.last().unwrap().0 / 1000 + 20;
        let pcm = record(&packets, 62_000_000);
        let (_, to) = bounds(&pcm);
        assert!(to.abs_diff(end as usize) < 12, "{to} instead of {end}");
        let clicks = pcm.windows(2).filter(|pair| (pair[1] - pair[0]).abs() > 2500).count();
        assert_eq!(clicks, 0, "500 Hz at 8000 changes by 1571 between two samples");
    }
}

#[test]
fn another_codec_and_another_source_go_on() {
    let mut encoder = OpusEncoder::new(16_000, OpusSettings::default()).unwrap();
    let opus: Vec<Vec<u8>> = tone(500.0, 16_000, 16_000)
        .chunks(320)
        .map(|block| {
            let mut payload = vec![0; 1000];
            let len = encoder.encode(block, &mut payload).unwrap();
            payload.truncate(len);
            payload
        })
        .collect();
    let mut packets: Vec<_> = (0..50u16)
        .zip(payloads(50))
        .map(|(n, p)| (u64::from(n) * PACKET, head(n, u32::from(n) * 160), p))
        .collect();
    packets.extend((50..100u16).zip(opus).map(|(n, payload)| {
        let head = PacketHead { coding: Coding::Opus, clock: 48_000, ..head(n, u32::from(n) * 960) };
        (u64::from(n) * PACKET, head, payload)
    }));
    packets.extend((0..50u16).zip(payloads(50)).map(|(n, payload)| {
        let head = PacketHead { ssrc: 2, ..head(n, 77 + u32::from(n) * 160) };
        (u64::from(100 + n) * PACKET, head, payload)
    }));
    let pcm = record(&packets, 3_000_000);
    for second in pcm.chunks(16_000) {
        assert!(share(&second[1600..15_000], 500.0, RATE) > 0.98);
    }
    let (_, to) = bounds(&pcm);
    assert!((2980..3000).contains(&to), "{to}");
}

#[test]
fn nonsense_is_taken() {
    let mut random = fastrand::Rng::with_seed(9);
    let mut track = Track::new();
    let mut pcm = Vec::new();
    for now in 0..2000 {
        let head = PacketHead {
            coding: [Coding::Opus, Coding::Pcma, Coding::G729][random.usize(0..3)],
            clock: [0, 8000, u32::MAX][random.usize(0..3)],
            ssrc: random.u32(0..2),
            ..head(random.u16(..), random.u32(..))
        };
        let payload: Vec<u8> = (0..random.usize(0..300)).map(|_| random.u8(..)).collect();
        track.packet(now * 10_000, head, &payload);
        track.advance(now * 10_000);
        track.take(now * 160, &mut pcm);
        assert!(track.waiting.len() <= MAX_WAITING);
        assert!(track.decoded.len() < 16_000);
    }
}

#[test]
fn digits_in_the_audio_are_silent_where_they_are_digits() {
    let mut pcm = tone(500.0, 8000, 8000);
    let step = Step::digit(5, -9.0, 100).unwrap();
    Tone::new(8000, &step).fill(&mut pcm[4000..4800]);
    for tones_are_digits in [false, true] {
        let packets: Vec<_> = pcm
            .chunks(160)
            .enumerate()
            .map(|(n, block)| {
                let mut payload = vec![0; 160];
                G711Encoder::new(Law::A).encode(block, &mut payload).unwrap();
                let head = PacketHead { tones_are_digits, ..head(n as u16, n as u32 * 160) };
                (n as u64 * PACKET, head, payload)
            })
            .collect();
        let pcm = record(&packets, 1_300_000);
        // It takes a moment to tell a digit from speech.
        let loudest = pcm[8320..9500].iter().map(|sample| sample.abs()).max().unwrap();
        assert_eq!(loudest == 0, tones_are_digits, "{loudest}");
        assert!(share(&pcm[800..7600], 500.0, RATE) > 0.98);
        assert!(share(&pcm[10_000..15_000], 500.0, RATE) > 0.98);
    }
}

#[test]
fn every_coding_that_is_transcoded_is_recorded() {
    for (coding, clock) in [
        (Coding::Opus, 48_000),
        (Coding::Pcmu, 8000),
        (Coding::Pcma, 8000),
        (Coding::G722, 8000),
        (Coding::G729, 8000),
        (Coding::Speex, 8000),
        (Coding::Speex, 16_000),
    ] {
        let head = PacketHead { coding, clock, ..head(0, 0) };
        let mut decoding = Decoding::new(&head).unwrap_or_else(|| panic!("{coding:?} is not decoded"));
        let mut pcm = Vec::new();
        decoding.conceal(320, 2, &[], &mut pcm);
        assert_eq!(pcm.len(), 320, "{coding:?} at {clock}: 20 ms");
    }
    assert!(Decoding::new(&PacketHead { coding: Coding::Speex, clock: 32_000, ..head(0, 0) }).is_none());
}
