//! Lines that lose, swap, pause and drift, where the audio is decoded.

use super::*;
use crate::codecs;
use tandem_control::{OpusEncoding, OpusParameters};

const NOISE: (u8, Codec, u32) = (13, Codec::ComfortNoise, 8000);
const G722: (u8, Codec, u32) = (9, Codec::G722, 8000);

/// The payloads of a tone of 400 Hz in packets of 20 ms.
fn tone(coding: (u8, Codec, u32), packets: usize, settings: OpusEncoding) -> Vec<Vec<u8>> {
    let rate = codecs::native_rate(coding.1, coding.2).unwrap_or(8000);
    let mut encoder = codecs::encoder(coding.1, rate, &settings).unwrap();
    let samples = rate as usize / 50;
    let angle = |n: usize| n as f32 * 400.0 * std::f32::consts::TAU / rate as f32;
    let payload = |packet: usize| {
        let pcm = (0..samples).map(|n| (angle(packet * samples + n).sin() * 8000.0) as i16);
        let mut payload = [0; 400];
        let len = encoder.encode(&pcm.collect::<Vec<i16>>(), &mut payload).unwrap();
        payload[..len].to_vec()
    };
    (0..packets).map(payload).collect()
}

fn packet(coding: (u8, Codec, u32), n: u16, payload: &[u8]) -> Vec<u8> {
    speech(n, u32::from(n) * (coding.2 / 50), coding.0, 7, payload)
}

fn is_continuous(sent: &[(Header, Vec<u8>)], units: u32) -> bool {
    sent.windows(2).all(|pair| {
        let (one, next) = (&pair[0].0, &pair[1].0);
        next.sequence == one.sequence.wrapping_add(1) && next.timestamp == one.timestamp.wrapping_add(units)
    })
}

#[test]
fn what_the_next_packet_carries_is_recovered() {
    let opus = (111, Codec::opus(true), 48_000);
    let fec = OpusEncoding { expected_loss: 20, ..OpusEncoding::default() };
    let mut fixture = Fixture::between(&leg(Side::A, &[opus]), &leg(Side::B, &[PCMU]));
    for (n, payload) in (0u16..).zip(tone(opus, 100, fec)) {
        if n % 20 != 10 {
            fixture.receive(Side::A, &packet(opus, n, &payload)).unwrap();
        }
        fixture.run(20);
    }
    let sent = fixture.sent.rtp();
    assert_eq!(sent.len(), 100);
    assert!(is_continuous(&sent, 160));
    let stats = &fixture.session.stats(fixture.now).legs[0];
    // The encoder copies what it takes for speech.
    assert!(stats.recovered > 0, "{stats:?}");
    assert_eq!((stats.recovered + stats.concealed, stats.lost), (5, 5));
}

#[test]
fn a_swapped_packet_is_put_right_and_a_late_one_is_counted() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMA]));
    let payloads = tone(PCMU, 20, OpusEncoding::default());
    let mut order: Vec<u16> = (0..20).collect();
    order.swap(5, 6);
    // Number 10 comes when three behind it have come.
    order.remove(10);
    order.insert(13, 10);
    for n in order {
        let _ = fixture.receive(Side::A, &packet(PCMU, n, &payloads[usize::from(n)]));
        fixture.run(20);
    }
    let sent = fixture.sent.rtp();
    assert!(is_continuous(&sent, 160));
    assert_eq!(sent.len(), 20);
    let stats = &fixture.session.stats(fixture.now).legs[0];
    assert_eq!((stats.late, stats.concealed, stats.lost), (1, 1, 0));
}

#[test]
fn a_codec_that_changes_in_mid_stream_leaves_no_gap() {
    let codings = [OPUS, PCMU, G722];
    let mut fixture = Fixture::between(&leg(Side::A, &codings), &leg(Side::B, &[PCMA]));
    let payloads = codings.map(|coding| tone(coding, 30, OpusEncoding::default()));
    let mut timestamp = 1000;
    for n in 0..90u16 {
        let at = usize::from(n / 30);
        let coding = codings[at];
        let packet = speech(n, timestamp, coding.0, 7, &payloads[at][usize::from(n) % 30]);
        fixture.receive(Side::A, &packet).unwrap();
        timestamp += coding.2 / 50;
        fixture.run(20);
    }
    let sent = fixture.sent.rtp();
    assert_eq!(sent.len(), 90);
    assert!(is_continuous(&sent, 160));
    assert_eq!(sent.iter().filter(|(header, _)| header.marker).count(), 1);
}

#[test]
fn payload_types_may_differ_by_direction() {
    let numbered = |number, coding: (u8, Codec, u32)| (number, coding.1, coding.2);
    let mut browser = leg(Side::A, &[numbered(96, OPUS)]);
    browser.audio.send[0].number = 120;
    let mut phone = leg(Side::B, &[numbered(8, PCMA)]);
    phone.audio.send[0].number = 100;
    let mut fixture = Fixture::between(&browser, &phone);
    let opus = tone(OPUS, 1, OpusEncoding::default());
    fixture.receive(Side::A, &speech(1, 0, 96, 7, &opus[0])).unwrap();
    fixture.receive(Side::B, &speech(1, 0, 8, 8, &[0xD5; 160])).unwrap();
    let types: Vec<u8> = fixture.sent.rtp().iter().map(|(header, _)| header.payload_type).collect();
    assert_eq!(types, [100, 120]);
    let refused = fixture.receive(Side::A, &speech(2, 960, 120, 7, &opus[0]));
    assert_eq!(refused, Err(DropReason::UnknownPayloadType));
}

/// How loud a payload of mu-law is.
fn loudness(payload: &[u8]) -> f64 {
    let energy = payload.iter().map(|&code| f64::from(tandem_codec::g711::ulaw_expand(code)).powi(2));
    (energy.sum::<f64>() / payload.len() as f64).sqrt()
}

#[test]
fn comfort_noise_is_made_for_a_peer_that_has_none_until_speech_comes() {
    for from in [PCMU, PCMA] {
        let mut fixture = Fixture::between(&leg(Side::A, &[from, NOISE]), &leg(Side::B, &[PCMU]));
        let speech_at = |n: u16| packet(from, n, &[0x90; 160]);
        for n in 0..10 {
            let forwarded = fixture.receive(Side::A, &speech_at(n)).unwrap();
            assert_eq!(forwarded.is_some(), from == PCMU);
            fixture.run(20);
        }
        fixture.sent.packets.clear();
        // -50 dBov, then nothing for a second.
        fixture.receive(Side::A, &speech(10, 10 * 160, 13, 7, &[50])).unwrap();
        fixture.run(1000);
        let noise = fixture.sent.rtp();
        assert!((48..=51).contains(&noise.len()), "{from:?}: {}", noise.len());
        assert!(is_continuous(&noise, 160), "{from:?}");
        let level = noise[5..].iter().map(|(_, payload)| loudness(payload)).sum::<f64>() / 45.0;
        assert!((50.0..200.0).contains(&level), "{from:?}: {level}");
        fixture.sent.packets.clear();
        let last = noise.last().unwrap().0;
        let forwarded = fixture.receive(Side::A, &speech(11, 60 * 160, from.0, 7, &[0x90; 160])).unwrap();
        let first = match &forwarded {
            Some((_, bytes)) => rtp::parse(bytes).unwrap().header,
            None => fixture.sent.rtp()[0].0,
        };
        assert_eq!(first.sequence, last.sequence.wrapping_add(1));
        let step = first.timestamp.wrapping_sub(last.timestamp);
        assert!((160..=320).contains(&step), "{from:?}: {step}");
        fixture.sent.packets.clear();
        fixture.run(500);
        assert!(fixture.sent.rtp().is_empty(), "no noise behind speech");
    }
}

#[test]
fn comfort_noise_goes_on_to_a_peer_that_takes_it() {
    let numbered = (77, Codec::ComfortNoise, 8000);
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMA, NOISE]), &leg(Side::B, &[PCMU, numbered]));
    for n in 0..3 {
        fixture.receive(Side::A, &packet(PCMA, n, &[0xD5; 160])).unwrap();
    }
    fixture.receive(Side::A, &speech(3, 480, 13, 7, &[50, 1, 2])).unwrap();
    fixture.run(200);
    fixture.receive(Side::A, &speech(4, 480 + 1600, 8, 7, &[0xD5; 160])).unwrap();
    let sent = fixture.sent.rtp();
    let [_, _, third, noise, after] = &sent[..] else { panic!("{}", sent.len()) };
    assert_eq!((noise.0.payload_type, &noise.1[..]), (77, &[50, 1, 2][..]));
    assert_eq!(noise.0.timestamp, third.0.timestamp.wrapping_add(160));
    assert_eq!(after.0.timestamp, noise.0.timestamp.wrapping_add(1600));
    assert!(after.0.marker);
}

#[test]
fn silence_is_left_out_for_a_peer_that_prefers_that() {
    let wants = OpusParameters { dtx: true, ..OpusParameters::DEFAULT };
    let opus = (111, Codec::Opus(wants), 48_000);
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[opus]));
    let speech = tone(PCMU, 250, OpusEncoding::default());
    for (n, payload) in (0u16..).zip(&speech) {
        let silent = vec![0xFF; 160];
        let payload = if (50..200).contains(&n) { &silent } else { payload };
        fixture.receive(Side::A, &packet(PCMU, n, payload)).unwrap();
        fixture.run(20);
    }
    let sent = fixture.sent.rtp();
    assert!((100..170).contains(&sent.len()), "{}", sent.len());
    assert_eq!(sent.last().unwrap().0.timestamp, sent[0].0.timestamp.wrapping_add(249 * 960));
    for pair in sent.windows(2) {
        let step = pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp);
        assert_eq!(pair[1].0.marker, step != 960, "a talkspurt begins behind silence");
    }
    // What one left out the other does not conceal.
    let mut back = Fixture::between(&leg(Side::A, &[opus]), &leg(Side::B, &[PCMU]));
    for (header, payload) in &sent {
        let mut bytes = vec![0; HEADER_LEN];
        header.write(&mut bytes);
        bytes.extend_from_slice(payload);
        back.receive(Side::A, &bytes).unwrap();
        back.run(20);
    }
    let stats = &back.session.stats(back.now).legs[0];
    assert_eq!((stats.concealed, stats.recovered, stats.late), (0, 0, 0));
}

#[test]
fn clocks_that_drift_apart_add_no_delay_in_ten_minutes() {
    // The sender's clock is 100 ppm slow, then fast: its packets of 20 ms come every 20.002 or 19.998 ms.
    for interval_us in [20_002, 19_998] {
        for (from, to, ptime) in [(PCMU, PCMA, 20), (G722, PCMU, 30)] {
            let mut receiver = leg(Side::B, &[to]);
            receiver.audio.ptime_ms = ptime;
            let mut fixture = Fixture::between(&leg(Side::A, &[from]), &receiver);
            let payloads = tone(from, 50, OpusEncoding::default());
            let mut longest = 0;
            let mut carried_ms = 0;
            for n in 0..30_000u32 {
                let payload = &payloads[n as usize % 50];
                let bytes = speech(n as u16, n * (from.2 / 50), from.0, 7, payload);
                assert_eq!(fixture.receive(Side::A, &bytes), Ok(None));
                carried_ms += fixture.sent.rtp().len() as u32 * u32::from(ptime);
                longest = longest.max((n + 1) * 20 - carried_ms);
                fixture.sent.packets.clear();
                fixture.now.instant += Duration::from_micros(interval_us);
                fixture.now.unix += Duration::from_micros(interval_us);
            }
            assert!(longest < u32::from(ptime), "{from:?} to {to:?}: {longest} ms wait");
            let stats = &fixture.session.stats(fixture.now).legs[0];
            assert_eq!((stats.concealed, stats.late, stats.lost), (0, 0, 0), "nothing is repaired");
        }
    }
}

/// B reports what it has heard of our stream so far; its jitter is 10 ms at 8 kHz.
fn report_from_b(fixture: &mut Fixture, fraction_lost: u8, lost: u32, highest: u32) {
    let ssrc = fixture.session.sides[0].bridge.output.ssrc();
    let mut report = [0; 64];
    let mut writer = rtcp::Writer::new(&mut report);
    let block =
        rtcp::ReportBlock { ssrc, fraction_lost, lost, highest, jitter: 80, last_report: 0, delay: 0 };
    writer.report(9, None, Some(block)).unwrap();
    let len = writer.len();
    let source = SocketAddr::new(peer(Side::B).ip(), 4001);
    fixture.receive_at(Side::B, Component::Rtcp, source, &report[..len]).unwrap();
}

#[test]
fn quality_falls_with_loss_and_is_told_for_both_directions() {
    let rate = |lost: bool| {
        let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[PCMU]));
        for n in 0..200 {
            if !(lost && n % 10 == 5) {
                fixture.receive(Side::A, &packet(PCMU, n, &[0xFF; 160])).unwrap();
            }
            fixture.run(20);
        }
        let (fraction_lost, total_lost) = if lost { (26, 20) } else { (0, 0) };
        report_from_b(&mut fixture, fraction_lost, total_lost, 200);
        let stats = fixture.session.stats(fixture.now);
        assert_eq!((stats.legs[1].peer_lost, stats.legs[1].peer_jitter_us), (total_lost, 10_000));
        (stats.legs[0].quality.unwrap(), stats.legs[1].peer_quality.unwrap())
    };
    let ((clean, clean_peer), (lossy, lossy_peer)) = (rate(false), rate(true));
    assert!(clean.mos_x100 > 420 && clean_peer.mos_x100 > 420, "{clean:?} {clean_peer:?}");
    for quality in [lossy, lossy_peer] {
        assert!((250..400).contains(&quality.mos_x100), "{quality:?}");
    }
}

#[test]
fn concealed_time_sounds_like_what_was_lost() {
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMA]), &leg(Side::B, &[G722]));
    for (n, payload) in (0u16..).zip(tone(PCMA, 100, OpusEncoding::default())) {
        if n % 10 != 5 {
            fixture.receive(Side::A, &packet(PCMA, n, &payload)).unwrap();
        }
        fixture.run(20);
    }
    let sent = fixture.sent.rtp();
    assert!(sent.len() == 100 && is_continuous(&sent, 160));
    let mut decoder = codecs::decoder(Codec::G722, 16_000).unwrap();
    for (n, (_, payload)) in sent.iter().enumerate() {
        let mut pcm = [0; 320];
        decoder.decode(payload, &mut pcm).unwrap();
        let energy: f64 = pcm.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        assert!(n < 2 || (energy / 320.0).sqrt() > 3000.0, "packet {n} is no gap");
    }
}

#[test]
fn loss_that_the_peer_reports_makes_opus_carry_copies() {
    let opus = (111, Codec::opus(true), 48_000);
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU]), &leg(Side::B, &[opus]));
    let payloads = tone(PCMU, 200, OpusEncoding::default());
    let mut carried = [0; 2];
    for (n, payload) in (0u16..).zip(&payloads) {
        if n == 100 {
            report_from_b(&mut fixture, 51, 20, 100);
        }
        // In syllables: a steady tone is noise to the encoder, and noise is not copied.
        let payload = if n / 8 % 2 == 0 { &vec![0xFF; 160] } else { payload };
        fixture.receive(Side::A, &packet(PCMU, n, payload)).unwrap();
        let mut decoder = codecs::decoder(opus.1, 8000).unwrap();
        for (_, payload) in fixture.sent.rtp() {
            carried[usize::from(n >= 100)] += usize::from(decoder.recover(&payload, &mut [0; 160]));
        }
        fixture.sent.packets.clear();
        fixture.run(20);
    }
    assert!(carried[0] == 0 && carried[1] > 5, "{carried:?}");
}
