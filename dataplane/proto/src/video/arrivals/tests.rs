use super::*;
use proptest::prelude::*;
use std::time::Duration;

/// A report, read as the draft says: its count, and each number that arrived with its time in ticks.
fn read(report: &[u8]) -> (u8, Vec<(u16, Option<i64>)>) {
    let number = |at: usize| u16::from_be_bytes([report[at], report[at + 1]]);
    let (base, count) = (number(0), usize::from(number(2)));
    let reference = u32::from_be_bytes([0, report[4], report[5], report[6]]);
    let (mut symbols, mut at) = (Vec::new(), 8);
    while symbols.len() < count {
        let chunk = number(at);
        at += 2;
        match chunk >> 14 {
            0 | 1 => symbols.extend(vec![chunk >> 13 & 3; usize::from(chunk & 0x1fff)]),
            2 => panic!("one-bit vectors are not written"),
            _ => symbols.extend((0..7).rev().map(|place| chunk >> (2 * place) & 3)),
        }
    }
    let mut ticks = i64::from(reference) * 256;
    let numbers = (0..).map(|place| base.wrapping_add(place));
    let arrived = numbers.zip(symbols.into_iter().take(count)).map(|(number, symbol)| {
        let delta = match symbol {
            0 => return (number, None),
            1 => i64::from(report[at]),
            _ => i64::from(i16::from_be_bytes([report[at], report[at + 1]])),
        };
        at += usize::from(symbol);
        ticks += delta;
        (number, Some(ticks))
    });
    let arrived = arrived.collect();
    assert_eq!(report.len(), at.next_multiple_of(4));
    (report[7], arrived)
}

#[test]
fn what_arrived_is_told_with_its_time() {
    let epoch = Instant::now();
    let at = |millisecond| epoch + Duration::from_millis(millisecond);
    let mut arrivals = Arrivals::new(epoch);
    let mut buffer = [0; 256];
    assert_eq!(arrivals.report(epoch, &mut buffer), None);
    // The second is late, the fourth comes long after, the third not at all.
    arrivals.note(at(1000), 10);
    arrivals.note(at(1005), 12);
    arrivals.note(at(1010), 11);
    arrivals.note(at(1200), 14);
    let len = arrivals.report(at(1200), &mut buffer).unwrap();
    let (report, arrived) = read(&buffer[..len]);
    assert_eq!(report, 0);
    assert_eq!(arrived, [(10, Some(4000)), (11, Some(4040)), (12, Some(4020)), (13, None), (14, Some(4800))]);
    assert_eq!(arrivals.report(at(1300), &mut buffer), None, "nothing is told twice");
    arrivals.note(at(1300), 13);
    assert_eq!(arrivals.next_timeout(at(1300)), None, "it is too late for that one");
    arrivals.note(at(1300), 16);
    let len = arrivals.report(at(1400), &mut buffer).unwrap();
    assert_eq!(read(&buffer[..len]), (1, vec![(15, None), (16, Some(5200))]));
}

#[test]
fn a_report_is_due_at_intervals_or_when_there_is_much_to_tell() {
    let now = Instant::now();
    let mut arrivals = Arrivals::new(now);
    assert_eq!(arrivals.next_timeout(now), None);
    arrivals.note(now, 1);
    assert_eq!(arrivals.next_timeout(now), Some(now));
    arrivals.report(now, &mut [0; 64]).unwrap();
    arrivals.note(now, 2);
    assert_eq!(arrivals.next_timeout(now), Some(now + ARRIVALS_INTERVAL));
    arrivals.note(now, 1 + MAX_ARRIVALS as u16 / 2);
    assert_eq!(arrivals.next_timeout(now), Some(now));
}

#[test]
fn a_leap_of_the_numbers_begins_anew_and_little_room_gives_up() {
    let now = Instant::now();
    let mut arrivals = Arrivals::new(now);
    let mut buffer = [0; 64];
    arrivals.note(now, 0);
    arrivals.note(now, 0x1000);
    let len = arrivals.report(now, &mut buffer).unwrap();
    assert_eq!(read(&buffer[..len]).1, [(0x1000, Some(0))]);
    arrivals.note(now, 0x1001);
    assert_eq!(arrivals.report(now, &mut [0; 8]), None);
    arrivals.note(now, 0x1002);
    let len = arrivals.report(now, &mut buffer).unwrap();
    assert_eq!(read(&buffer[..len]).1.len(), 1);
}

proptest! {
    #[test]
    fn every_report_says_what_came_since_the_one_before(
        packets in proptest::collection::vec((0u16..6, 0u64..90_000), 1..300), start in any::<u16>()
    ) {
        let epoch = Instant::now();
        let mut now = epoch;
        let mut arrivals = Arrivals::new(epoch);
        let mut number = start;
        let (mut came, mut told) = (Vec::new(), Vec::new());
        let mut buffer = [0; super::super::limits::MAX_FEEDBACK];
        for (skipped, wait) in packets {
            now += Duration::from_micros(wait);
            number = number.wrapping_add(skipped + 1);
            arrivals.note(now, number);
            came.push((number, Some(((now - epoch).as_micros() / TICK_US) as i64)));
            if arrivals.next_timeout(now).is_some_and(|due| due <= now) {
                let len = arrivals.report(now, &mut buffer).unwrap();
                told.extend(read(&buffer[..len]).1.into_iter().filter(|(_, at)| at.is_some()));
            }
        }
        if let Some(len) = arrivals.report(now, &mut buffer) {
            told.extend(read(&buffer[..len]).1.into_iter().filter(|(_, at)| at.is_some()));
        }
        prop_assert_eq!(told, came);
    }
}
