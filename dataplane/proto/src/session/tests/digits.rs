//! Digits from every way in which they come into every way in which they go.

use super::*;
use crate::codecs;
use crate::dtmf::{Collector, Digit};
use tandem_codec::dtmf_detector::{DtmfDetector, Heard};
use tandem_codec::tones::{DIGIT_DBM0, Step, Tone};
use tandem_codec::{Decoder, Encoder};
use tandem_control::{DigitSound, Digits, OpusEncoding};

const G722: (u8, Codec, u32) = (9, Codec::G722, 8000);
const WAYS: [Digits; 3] = [Digits::Events, Digits::Tones, Digits::Told];

/// Who presses keys on side A: by telephone events, by tones in its audio, or by its signaling.
struct Caller {
    way: Digits,
    coding: (u8, Codec, u32),
    rate: u32,
    encoder: Box<dyn Encoder>,
    sequence: u16,
    /// Packets of 20 ms since the beginning.
    ticks: u32,
    noise: fastrand::Rng,
    /// The key that is held: since which tick, and for how long.
    key: Option<(u8, u32, u16, Tone)>,
    ends_left: u8,
}

impl Caller {
    fn new(way: Digits, coding: (u8, Codec, u32)) -> Caller {
        let rate = codecs::native_rate(coding.1, coding.2).unwrap_or(8000);
        Caller {
            way,
            coding,
            rate,
            encoder: codecs::encoder(coding.1, rate, &OpusEncoding::default()).unwrap(),
            sequence: 0,
            ticks: 0,
            noise: fastrand::Rng::with_seed(5),
            key: None,
            ends_left: 0,
        }
    }

    fn press(&mut self, fixture: &mut Fixture, event: u8, ms: u16) {
        if self.way == Digits::Told {
            return fixture
                .session
                .play_digit(fixture.now, Side::B, Digit { event, duration_ms: ms }, DigitSound::default())
                .unwrap();
        }
        let tone = Tone::new(self.rate, &Step::digit(event, DIGIT_DBM0, ms.into()).unwrap());
        self.key = Some((event, self.ticks, ms, tone));
        self.ends_left = 3;
    }

    /// What is sent in the next 20 ms.
    fn packet(&mut self) -> Vec<u8> {
        let unit = self.coding.2 / 50;
        let timestamp = self.ticks * unit;
        self.sequence = self.sequence.wrapping_add(1);
        self.ticks += 1;
        let (sequence, payload_type) = (self.sequence, self.coding.0);
        if let (Digits::Events, Some((event, since, ms, _))) = (self.way, &self.key) {
            let elapsed = ((self.ticks - since) * 20).min((*ms).into());
            let end = elapsed == u32::from(*ms);
            let payload = dtmf_payload(*event, end, (elapsed * 8) as u16);
            let packet = speech(sequence, since * 160, EVENT.0, 7, &payload);
            self.ends_left -= u8::from(end);
            if self.ends_left == 0 {
                self.key = None;
            }
            return packet;
        }
        let mut pcm = vec![0i16; self.rate as usize / 50];
        if let Some((.., tone)) = &mut self.key
            && tone.fill(&mut pcm) < self.rate as usize / 50
        {
            self.key = None;
        }
        pcm.iter_mut().for_each(|sample| *sample += self.noise.i16(-50..50));
        let mut payload = [0; 400];
        let len = self.encoder.encode(&pcm, &mut payload).unwrap();
        speech(sequence, timestamp, payload_type, 7, &payload[..len])
    }
}

/// What side B gets to know.
struct Callee {
    way: Digits,
    decoder: Box<dyn Decoder>,
    resampler: Option<tandem_codec::resampler::Resampler>,
    detector: DtmfDetector,
    collector: Collector,
    digits: Vec<Digit>,
    /// Digits in the audio of one who gets them otherwise.
    leaked: usize,
}

impl Callee {
    fn new(way: Digits, coding: (u8, Codec, u32)) -> Callee {
        let rate = codecs::native_rate(coding.1, coding.2).unwrap_or(8000);
        Callee {
            way,
            decoder: codecs::decoder(coding.1, rate).unwrap(),
            resampler: (rate != 8000).then(|| tandem_codec::resampler::Resampler::new(rate, 8000).unwrap()),
            detector: DtmfDetector::default(),
            collector: Collector::default(),
            digits: Vec::new(),
            leaked: 0,
        }
    }

    fn hear(&mut self, now: Instant, packets: &[(Header, Vec<u8>)]) {
        for (header, payload) in packets {
            if header.payload_type == EVENT.0 {
                assert_eq!(self.way, Digits::Events);
                let event = crate::dtmf::Event::parse(payload).unwrap();
                self.digits.extend(self.collector.receive(now, header.ssrc, header.timestamp, event, 8000));
                continue;
            }
            let (mut pcm, mut narrow) = ([0; 2000], [0; 2000]);
            let len = self.decoder.decode(payload, &mut pcm).unwrap();
            let pcm = match &mut self.resampler {
                Some(resampler) => {
                    let len = resampler.process(&pcm[..len], &mut narrow);
                    &narrow[..len]
                }
                None => &pcm[..len],
            };
            let (digits, leaked, way) = (&mut self.digits, &mut self.leaked, self.way);
            self.detector.process(pcm, |heard| match heard {
                Heard::Ended { event, start, end } if way == Digits::Tones => {
                    digits.push(Digit { event, duration_ms: ((end - start) / 8) as u16 });
                }
                Heard::Began { .. } if way != Digits::Tones => *leaked += 1,
                _ => {}
            });
        }
    }
}

/// Presses all keys for so long each, by one way into another, on a line that loses every packet for which `is_lost`.
/// Returns what arrives at the callee, and what signaling is told of.
fn press_all(
    ways: [Digits; 2],
    codings: [(u8, Codec, u32); 2],
    ms: u16,
    mut is_lost: impl FnMut() -> bool,
) -> (Vec<Digit>, Vec<Digit>) {
    let types = |coding, way| if way == Digits::Events { vec![coding, EVENT] } else { vec![coding] };
    let mut a = leg(Side::A, &types(codings[0], ways[0]));
    a.audio.detect_tones = ways[0] == Digits::Tones;
    let mut b = leg(Side::B, &types(codings[1], ways[1]));
    b.audio.digits = ways[1];
    let mut fixture = Fixture::between(&a, &b);
    let (mut caller, mut callee) = (Caller::new(ways[0], codings[0]), Callee::new(ways[1], codings[1]));
    let mut told = Vec::new();
    for event in 0..16 {
        for tick in 0..(u32::from(ms) / 20 + 12) {
            if tick == 2 {
                caller.press(&mut fixture, event, ms);
            }
            let packet = caller.packet();
            let forwarded = match is_lost() {
                true => Ok(None),
                false => fixture.receive(Side::A, &packet),
            };
            let forwarded = match forwarded {
                Err(DropReason::ReplacedByDigit) => None,
                other => other.unwrap(),
            };
            fixture.run(20);
            let mut heard = fixture.sent.rtp();
            if let Some((_, bytes)) = forwarded {
                let parsed = rtp::parse(&bytes).unwrap();
                heard.insert(0, (parsed.header, parsed.payload(&bytes).to_vec()));
            }
            heard.retain(|_| !is_lost());
            callee.hear(fixture.now.instant, &heard);
            fixture.sent.packets.clear();
            told.extend(fixture.events().into_iter().filter_map(|event| match event {
                EventKind::Digit { event, duration_ms, .. } => Some(Digit { event, duration_ms }),
                _ => None,
            }));
        }
    }
    assert_eq!(callee.leaked, 0, "{ways:?}: no tone beside the event");
    (callee.digits, told)
}

fn check(digits: &[Digit], ms: u16, tolerance: u16, what: &str) {
    let events: Vec<u8> = digits.iter().map(|digit| digit.event).collect();
    assert_eq!(events, (0..16).collect::<Vec<u8>>(), "{what}");
    for digit in digits {
        assert!(digit.duration_ms.abs_diff(ms) <= tolerance, "{what}: {digit:?}, not {ms} ms");
    }
}

#[test]
fn each_key_arrives_once_by_every_way_with_its_length() {
    for codings in [[PCMU, PCMU], [PCMA, PCMU], [G722, PCMA], [OPUS, PCMU], [PCMU, G722]] {
        for ways in WAYS.into_iter().flat_map(|from| WAYS.map(|to| [from, to])) {
            if ways == [Digits::Told, Digits::Told] {
                continue; // signaling alone
            }
            for ms in [40, 100, 1000] {
                let (arrived, told) = press_all(ways, codings, ms, || false);
                let what = format!("{ways:?} {codings:?} {ms} ms");
                if ways[0] != Digits::Told {
                    check(&told, ms, 8, &what);
                }
                if ways[1] != Digits::Told {
                    check(&arrived, ms, 22, &what);
                }
            }
        }
    }
}

#[test]
fn five_percent_loss_doubles_no_key_and_loses_none_that_redundancy_can_save() {
    for seed in 0..4 {
        let mut line = fastrand::Rng::with_seed(seed);
        for ways in WAYS.into_iter().flat_map(|from| WAYS.map(|to| [from, to])) {
            if ways == [Digits::Told, Digits::Told] {
                continue;
            }
            for (codings, ms) in [([PCMU, PCMU], 100), ([PCMA, PCMU], 60)] {
                let (arrived, told) = press_all(ways, codings, ms, || line.u8(0..20) == 0);
                let events = |digits: &[Digit]| digits.iter().map(|digit| digit.event).collect::<Vec<u8>>();
                let all: Vec<u8> = (0..16).collect();
                let what = format!("{ways:?} {codings:?} {ms} ms, seed {seed}");
                if ways[0] == Digits::Events {
                    assert_eq!(events(&told), all, "{what}");
                }
                // A tone has no redundancy: where it is heard, a loss in a short one may hide it, but never doubles it.
                for digits in [events(&arrived), events(&told)] {
                    assert!(digits.windows(2).all(|pair| pair[0] < pair[1]), "{what}: {digits:?}");
                }
                if ways[1] == Digits::Events && ways[0] != Digits::Tones {
                    assert_eq!(events(&arrived), all, "{what}");
                }
            }
        }
    }
}

#[test]
fn tones_that_leak_beside_events_are_no_keys_of_their_own() {
    let mut a = leg(Side::A, &[PCMU, EVENT]);
    a.audio.detect_tones = true;
    let mut fixture = Fixture::between(&a, &leg(Side::B, &[PCMU, EVENT]));
    let mut events = Caller::new(Digits::Events, PCMU);
    let mut tones = Caller::new(Digits::Tones, PCMU);
    for event in 0..16 {
        for tick in 0..40 {
            // From the second key on, the tone is heard before the telephone notices that it sends an event.
            if tick == 5 && event > 0 {
                tones.press(&mut fixture, event, 60);
            }
            if tick == 8 {
                events.press(&mut fixture, event, 100);
            }
            let packet = if events.key.is_some() { events.packet() } else { tones.packet() };
            (tones.sequence, events.sequence) =
                (tones.sequence.max(events.sequence), tones.sequence.max(events.sequence));
            (tones.ticks, events.ticks) = (tones.ticks.max(events.ticks), tones.ticks.max(events.ticks));
            fixture.receive(Side::A, &packet).unwrap();
            fixture.run(20);
        }
    }
    let keys = fixture.events().into_iter().filter_map(|told| match told {
        EventKind::Digit { event, .. } => Some(event),
        _ => None,
    });
    assert_eq!(keys.collect::<Vec<u8>>(), (0..16).collect::<Vec<u8>>());
}

#[test]
fn a_key_pressed_while_nobody_listens_is_not_heard_later() {
    let mut b = leg(Side::B, &[PCMU]);
    b.audio.digits = Digits::Tones;
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU, EVENT]), &b);
    let mut held = b.clone();
    held.audio.may_send = false;
    fixture.configure(Side::B, &held);
    let mut caller = Caller::new(Digits::Events, PCMU);
    for tick in 0..50 {
        if tick == 5 {
            caller.press(&mut fixture, 3, 100);
        }
        let packet = caller.packet();
        assert_eq!(fixture.receive(Side::A, &packet), Err(DropReason::NotWanted));
        fixture.run(20);
    }
    fixture.configure(Side::B, &b);
    fixture.run(1000);
    assert!(fixture.sent.rtp().is_empty());
}
