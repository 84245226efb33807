//! What is played to peers and recorded of them.

use super::*;
use crate::playing::{PcmSource, Supply};
use tandem_codec::Decoder;
use tandem_codec::g711::{G711Decoder, Law};
use tandem_control::{Digits, PlayOutcome, Treatment};

const G722: (u8, Codec, u32) = (9, Codec::G722, 8000);

/// So many samples of 4000, after being waited for a few times.
pub(super) struct Ramp {
    waits: usize,
    left: usize,
}

impl Ramp {
    pub(super) fn new(samples: usize) -> Ramp {
        Ramp { waits: 0, left: samples }
    }
}

impl PcmSource for Ramp {
    fn read(&mut self, pcm: &mut [i16]) -> Supply {
        if self.waits > 0 {
            self.waits -= 1;
            return Supply::Waiting;
        }
        let read = pcm.len().min(self.left);
        pcm[..read].fill(4000);
        self.left -= read;
        if read < pcm.len() { Supply::Ended(read, PlayOutcome::Finished) } else { Supply::Full }
    }
}

fn both(types: &[(u8, Codec, u32)]) -> Fixture {
    Fixture::between(&leg(Side::A, types), &leg(Side::B, types))
}

fn play(fixture: &mut Fixture, side: Side, ms: usize, id: u32) {
    let rate = fixture.session.play_rate(side).unwrap();
    let source = Box::new(Ramp::new(ms * rate as usize / 1000));
    fixture.session.play(fixture.now, side, id, (source, rate)).unwrap();
}

fn nth(n: u16) -> Vec<u8> {
    speech(n, u32::from(n) * 160, 8, 7, &[0x55; 160])
}

/// Lets both the other side speak and what is played go on for so many packets of 20 ms; what the peer on side B got.
fn talk(fixture: &mut Fixture, numbers: std::ops::Range<u16>) -> Vec<(Header, Vec<u8>)> {
    let mut got = Vec::new();
    for n in numbers {
        fixture.run(20);
        got.append(&mut fixture.sent.rtp());
        fixture.sent.packets.clear();
        match fixture.receive(Side::A, &nth(n)) {
            Ok(Some((_, bytes))) => {
                let parsed = rtp::parse(&bytes).unwrap();
                got.push((parsed.header, parsed.payload(&bytes).to_vec()));
            }
            other => assert!(matches!(other, Err(DropReason::ReplacedByPlay | DropReason::ReplacedByDigit))),
        }
        got.append(&mut fixture.sent.rtp());
        fixture.sent.packets.clear();
    }
    got
}

fn is_played(payload: &[u8]) -> bool {
    let mut pcm = [0; 1000];
    let samples = G711Decoder::new(Law::A).decode(payload, &mut pcm).unwrap();
    pcm[..samples].iter().filter(|sample| (3800..4200).contains(*sample)).count() * 2 >= samples
}

#[test]
fn a_file_takes_the_place_of_speech_and_speech_goes_on_after_it() {
    let mut fixture = both(&[PCMA]);
    let mut got = talk(&mut fixture, 0..10);
    play(&mut fixture, Side::B, 210, 5);
    got.append(&mut talk(&mut fixture, 10..30));
    for (n, pair) in got.windows(2).enumerate() {
        assert_eq!(pair[1].0.sequence, pair[0].0.sequence.wrapping_add(1), "packet {n}");
        let step = pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp);
        assert!(step > 0 && step <= 480, "packet {n}: {step}");
        let changes = is_played(&pair[0].1) != is_played(&pair[1].1);
        assert_eq!(pair[1].0.marker, changes, "packet {n}: a mark where another begins");
    }
    let played: Vec<bool> = got.iter().map(|(_, payload)| is_played(payload)).collect();
    let count = played.iter().filter(|played| **played).count();
    assert_eq!(count, 11, "210 ms in packets of 20, the last filled up with silence");
    assert!(!played[0] && !played[9] && !played[played.len() - 1]);
    let ended = EventKind::PlayEnded { side: Side::B, id: 5, outcome: PlayOutcome::Finished };
    assert!(fixture.events().contains(&ended));
    assert!(got.len() >= 29, "nothing but the packet in hand is missing: {}", got.len());
}

#[test]
fn the_peer_of_the_only_leg_that_is_known_hears_it_in_each_codec_and_packet_time() {
    for (types, ptime, samples) in
        [([PCMA], 20, 160), ([PCMA], 60, 480), ([G722], 30, 240), ([OPUS], 20, 960), ([OPUS], 30, 960)]
    {
        let mut fixture = Fixture::new(1);
        let mut known = leg(Side::A, &types);
        known.audio.ptime_ms = ptime;
        fixture.configure(Side::A, &known);
        play(&mut fixture, Side::A, 600, 1);
        fixture.run(700);
        let sent = fixture.sent.rtp();
        for pair in sent.windows(2) {
            assert_eq!(pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp), samples, "{types:?} {ptime}");
        }
        let clock = types[0].2;
        assert_eq!(sent.len() as u32 * samples, clock * 6 / 10, "{types:?} {ptime}: 600 ms");
        assert!(sent.iter().all(|(header, _)| header.payload_type == types[0].0));
        assert!(fixture.session.play_rate(Side::B).is_err(), "nothing is known of the other");
    }
}

#[test]
fn each_end_is_told_once() {
    let mut fixture = both(&[PCMA]);
    play(&mut fixture, Side::A, 10_000, 1);
    fixture.run(100);
    play(&mut fixture, Side::A, 10_000, 2);
    fixture.run(100);
    fixture.session.stop_play(Side::A);
    fixture.session.stop_play(Side::A);
    play(&mut fixture, Side::A, 10_000, 3);
    fixture.run(100);
    fixture.configure(Side::A, &leg(Side::A, &[(13, Codec::Other(1), 8000)]));
    fixture.run(100);
    let of = |id, outcome| EventKind::PlayEnded { side: Side::A, id, outcome };
    use PlayOutcome::{NoCodec, Stopped};
    assert_eq!(fixture.events(), [of(1, Stopped), of(2, Stopped), of(3, NoCodec)]);
}

#[test]
fn it_goes_on_in_another_codec_and_waits_while_nobody_listens() {
    let mut fixture = both(&[PCMA]);
    play(&mut fixture, Side::A, 1000, 1);
    fixture.run(395);
    assert_eq!(fixture.sent.rtp().len(), 20);
    let mut held = leg(Side::A, &[PCMA]);
    held.audio.may_send = false;
    fixture.configure(Side::A, &held);
    fixture.run(5000);
    assert_eq!(fixture.sent.rtp().len(), 20, "on hold");
    fixture.configure(Side::A, &leg(Side::A, &[G722]));
    fixture.run(1000);
    let sent = fixture.sent.rtp();
    let after: Vec<_> = sent.iter().filter(|(header, _)| header.payload_type == 9).collect();
    assert_eq!((sent.len(), after.len()), (50, 30));
    assert!(after[0].0.marker);
    assert_eq!(after[0].0.sequence, sent[19].0.sequence.wrapping_add(1));
}

#[test]
fn a_digit_of_the_other_side_is_heard_in_between_once() {
    let mut fixture = both(&[PCMA, EVENT]);
    talk(&mut fixture, 0..3);
    play(&mut fixture, Side::B, 2000, 1);
    talk(&mut fixture, 3..10);
    for (n, end) in (10..17).zip([0, 0, 0, 0, 0x80, 0x80, 0x80]) {
        let payload = [5, end | 10, 0, (n - 9).min(5) as u8 * 40];
        assert!(fixture.receive(Side::A, &speech(n, 1600, 101, 7, &payload)).is_err());
    }
    let got = talk(&mut fixture, 17..60);
    let events: Vec<_> = got.iter().filter(|(header, _)| header.payload_type == 101).collect();
    assert!(events.len() > 3 && events.iter().all(|(header, _)| header.timestamp == events[0].0.timestamp));
    let digits = fixture.events().into_iter().filter(|event| matches!(event, EventKind::Digit { .. }));
    assert_eq!(digits.count(), 1);
    for pair in got.windows(2) {
        assert_eq!(pair[1].0.sequence, pair[0].0.sequence.wrapping_add(1));
    }
    assert!(is_played(&got[got.len() - 1].1), "what is played goes on behind it");
}

#[test]
fn a_digit_that_signaling_tells_is_left_to_it() {
    let mut told = leg(Side::B, &[PCMA, EVENT]);
    told.audio.digits = Digits::Told;
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMA, EVENT]), &told);
    talk(&mut fixture, 0..3);
    play(&mut fixture, Side::B, 2000, 1);
    talk(&mut fixture, 3..10);
    let _ = fixture.receive(Side::A, &speech(10, 1600, 101, 7, &[5, 0x8A, 3, 32]));
    let got = talk(&mut fixture, 11..60);
    assert!(got.iter().all(|(header, _)| header.payload_type == 8));
}

#[test]
fn the_noise_of_a_pause_makes_way() {
    let noise = (13, Codec::ComfortNoise, 8000);
    let mut fixture = Fixture::between(&leg(Side::A, &[PCMU, noise]), &leg(Side::B, &[PCMA]));
    let _ = fixture.receive(Side::A, &speech(1, 160, 0, 7, &[0x55; 160]));
    let _ = fixture.receive(Side::A, &speech(2, 320, 13, 7, &[40]));
    fixture.run(200);
    assert!(fixture.sent.rtp().len() >= 9, "noise is made");
    play(&mut fixture, Side::B, 400, 1);
    fixture.run(20);
    fixture.sent.packets.clear();
    fixture.run(400);
    let sent = fixture.sent.rtp();
    assert!((18..=20).contains(&sent.len()), "{}", sent.len());
    assert!(sent.iter().all(|(_, payload)| is_played(payload)));
}

/// Notes what it is given.
#[derive(Clone, Default)]
struct Notes(Arc<std::sync::Mutex<Vec<(Side, Codec, u16)>>>);

impl Tap for Notes {
    fn packet(&mut self, _: Instant, heard: &crate::recording::Heard<'_>) {
        self.0.lock().unwrap().push((heard.side, heard.codec, heard.header.sequence));
    }

    fn pause(&mut self, _: Instant) -> bool {
        true
    }

    fn resume(&mut self, _: Instant) -> bool {
        true
    }

    fn is_over(&self) -> bool {
        false
    }
}

#[test]
fn what_each_side_may_let_the_other_hear_is_recorded() {
    let mut fixture = both(&[PCMA]);
    let notes = Notes::default();
    assert!(
        fixture.session.stop_recording().is_err()
            && fixture.session.pause_recording(fixture.now, true).is_err()
    );
    fixture.session.record(Box::new(notes.clone())).unwrap();
    assert!(fixture.session.record(Box::new(notes.clone())).is_err(), "one at a time");
    let say = |fixture: &mut Fixture, side, n| {
        fixture.pass(20);
        let _ = fixture.receive(side, &nth(n));
    };
    say(&mut fixture, Side::A, 1);
    say(&mut fixture, Side::A, 1);
    say(&mut fixture, Side::B, 2);
    assert!(fixture.receive_at(Side::B, Component::Rtp, stranger(), &nth(3)).is_err());
    let mut blocked = leg(Side::A, &[PCMA]);
    blocked.audio.speech = Treatment::Silenced;
    fixture.configure(Side::A, &blocked);
    say(&mut fixture, Side::A, 4);
    let mut held = leg(Side::A, &[PCMA]);
    held.audio.may_receive = false;
    fixture.configure(Side::A, &held);
    say(&mut fixture, Side::A, 5);
    fixture.configure(Side::A, &leg(Side::A, &[PCMA]));
    play(&mut fixture, Side::B, 1000, 1);
    say(&mut fixture, Side::A, 6);
    fixture.session.stop_recording().unwrap();
    say(&mut fixture, Side::A, 7);
    let noted = notes.0.lock().unwrap().clone();
    let pcma = |side, n| (side, Codec::Pcma, n);
    assert_eq!(noted, [pcma(Side::A, 1), pcma(Side::B, 2), pcma(Side::A, 6)]);
}
