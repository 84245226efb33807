//! Telephone events and digits.

use super::*;
use crate::limits::MAX_QUEUED_DIGITS;
use proptest::prelude::*;
use std::time::{Duration, Instant};
use tandem_control::DigitSound;

fn event(event: u8, end: bool, duration: u16) -> Event {
    Event { event, end, volume: 10, duration }
}

#[test]
fn a_payload_comes_back_as_it_was() {
    let whole = Event { event: 11, end: true, volume: 63, duration: 0x1234 };
    assert_eq!(Event::parse(&whole.to_bytes()), Ok(whole));
    assert_eq!(Event::parse(&[1, 2, 3]), Err(DropReason::MalformedEvent));
}

#[test]
fn three_end_packets_make_one_digit() {
    let now = Instant::now();
    let mut collector = Collector::default();
    let mut receive = |event| collector.receive(now, 1, 800, event, 8000);
    assert_eq!(receive(event(5, false, 160)), None);
    assert_eq!(receive(event(5, true, 800)), Some(Digit { event: 5, duration_ms: 100 }));
    assert_eq!(receive(event(5, true, 800)), None);
    assert_eq!(receive(event(5, true, 800)), None);
    assert_eq!(collector.next_timeout(), None);
    // The same digit again has another time stamp; a late packet of the first is not one more.
    assert_eq!(collector.receive(now, 1, 2400, event(5, false, 160), 8000), None);
    assert_eq!(collector.receive(now, 1, 800, event(5, true, 800), 8000), None);
    assert_eq!(
        collector.receive(now, 1, 2400, event(5, true, 400), 8000),
        Some(Digit { event: 5, duration_ms: 50 })
    );
}

#[test]
fn a_digit_whose_end_was_lost_is_told_by_the_next_or_by_time() {
    let now = Instant::now();
    let mut collector = Collector::default();
    assert_eq!(collector.receive(now, 1, 0, event(1, false, 480), 48_000), None);
    assert_eq!(
        collector.receive(now, 1, 9600, event(2, false, 960), 48_000),
        Some(Digit { event: 1, duration_ms: 10 })
    );
    assert_eq!(collector.handle_timeout(now), None);
    let later = collector.next_timeout().unwrap();
    assert_eq!(collector.handle_timeout(later), Some(Digit { event: 2, duration_ms: 20 }));
    assert_eq!(collector.handle_timeout(later), None);
}

#[test]
fn a_played_digit_is_collected_as_one() {
    let start = Instant::now();
    let (mut player, mut collector) = (Player::default(), Collector::default());
    assert!(player.push(start, Digit { event: 9, duration_ms: 100 }, DigitSound::default()));
    assert!(player.push(start, Digit { event: 9, duration_ms: 70 }, DigitSound::default()));
    let (mut tones, mut digits, mut timestamp) = (Vec::new(), Vec::new(), 0);
    while let Some(now) = player.next_timeout() {
        let Some(tone) = player.next(now, Duration::from_millis(20), 8000) else { continue };
        timestamp += if tone.first { 10_000 } else { 0 };
        digits.extend(collector.receive(now, 1, timestamp, tone.event, 8000));
        tones.push(tone);
    }
    assert_eq!(tones.len(), 5 + 2 + 4 + 2);
    assert_eq!(tones.iter().filter(|tone| tone.event.end).count(), 6);
    assert_eq!(
        tones.iter().map(|tone| tone.event.duration).take(4).collect::<Vec<_>>(),
        [160, 320, 480, 640]
    );
    assert_eq!(digits, [Digit { event: 9, duration_ms: 100 }, Digit { event: 9, duration_ms: 70 }]);
    assert!(!player.is_playing());
}

#[test]
fn volume_and_pause_are_as_asked_for() {
    let digit = Digit { event: 1, duration_ms: 100 };
    let sound = DigitSound { volume: 30, pause_ms: 400 };
    let (start, mut player) = (Instant::now(), Player::default());
    assert!(player.push(start, digit, sound) && player.push(start, digit, DigitSound::default()));
    let mut packets = Vec::new();
    while let Some(now) = player.next_timeout() {
        packets.extend(player.next(now, Duration::from_millis(20), 8000).map(|packet| (now - start, packet)));
    }
    let firsts: Vec<_> = packets.iter().filter(|(_, packet)| packet.first).collect();
    let [(_, one), (at, two)] = firsts[..] else { panic!("{firsts:?}") };
    assert_eq!((one.event.volume, two.event.volume), (30, 10));
    // Five packets and the end told twice more lie between the first one and the pause.
    assert_eq!(*at, Duration::from_millis(6 * 20 + 400));

    let mut player = Player::default();
    player.push(start, digit, sound);
    player.push(start, digit, DigitSound { volume: 0, ..sound });
    let mut pcm = [0; 8 * 1_000];
    assert!(player.sound(&mut pcm, 8_000));
    let loudest =
        |from: usize, to: usize| pcm[8 * from..8 * to].iter().map(|sample| sample.unsigned_abs()).max();
    let (soft, silence, loud) = (loudest(0, 100), loudest(101, 499), loudest(500, 600));
    assert_eq!(silence, Some(0));
    assert!(soft > Some(1_000) && soft < Some(3_000), "{soft:?}");
    assert!(loud > Some(29_000) && loud < Some(u16::MAX / 2), "{loud:?}");
}

#[test]
fn the_queue_is_bounded() {
    let mut player = Player::default();
    let digit = Digit { event: 1, duration_ms: 100 };
    let taken = (0..100).filter(|_| player.push(Instant::now(), digit, DigitSound::default())).count();
    assert_eq!(taken, MAX_QUEUED_DIGITS);
}

proptest! {
    #[test]
    fn any_payload_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..8)) {
        if let Ok(event) = Event::parse(&bytes) {
            let mut expected = [0; 4];
            expected.copy_from_slice(&bytes[..4]);
            expected[1] &= 0xbf; // the reserved bit
            prop_assert_eq!(event.to_bytes(), expected);
        }
    }
}
