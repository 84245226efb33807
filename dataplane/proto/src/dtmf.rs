//! Telephone events (RFC 4733): read, collected into digits, and generated.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::drops::DropReason;
use crate::limits::{DIGIT_END_PACKETS, DIGIT_PAUSE, DIGIT_SILENCE, LONGEST_FIRST, MAX_QUEUED_DIGITS};

/// Bytes of an event's payload.
pub const PAYLOAD_LEN: usize = 4;
/// The volume of generated events: -10 dBm0, a usual level of telephones.
const VOLUME: u8 = 10;

/// One payload (RFC 4733 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which event: 0 to 15 are the digits.
    pub event: u8,
    /// Whether it has ended.
    pub end: bool,
    /// Its volume in -dBm0.
    pub volume: u8,
    /// Its length so far, in the clock of its payload type.
    pub duration: u16,
}

impl Event {
    /// Reads the first event of a payload.
    ///
    /// # Errors
    /// [`DropReason::MalformedEvent`] if the payload is too short.
    pub fn parse(payload: &[u8]) -> Result<Event, DropReason> {
        let bytes = payload.first_chunk::<PAYLOAD_LEN>().ok_or(DropReason::MalformedEvent)?;
        Ok(Event {
            event: bytes[0],
            end: bytes[1] & 0x80 != 0,
            volume: bytes[1] & 0x3f,
            duration: u16::from_be_bytes([bytes[2], bytes[3]]),
        })
    }

    /// Its payload.
    pub fn to_bytes(self) -> [u8; PAYLOAD_LEN] {
        let duration = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & 0x3f, duration[0], duration[1]]
    }
}

/// A whole digit that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// 0 to 15.
    pub event: u8,
    /// Its length in milliseconds.
    pub duration_ms: u16,
}

/// The clock of an event's duration, read off the first packet of it that came. It should be that of the payload type
/// (RFC 4733 section 2.3.5), but telephones that agree on events at 8000 Hz beside Opus may count in the 48,000 Hz of
/// their audio (baresip does): then an event would be longer than [`LONGEST_FIRST`] when it is told for the first time.
pub fn clock_of(first: Event, clock: u32, audio_clock: u32) -> u32 {
    let longest = u64::from(clock) * LONGEST_FIRST.as_millis() as u64 / 1000;
    if audio_clock > clock && u64::from(first.duration) > longest { audio_clock } else { clock }
}

/// Makes one digit out of the many packets of an event: its time stamp identifies it (RFC 4733 section 2.5.1.2).
#[derive(Debug, Default)]
pub struct Collector {
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    duration: u16,
    clock: u32,
    told: bool,
    heard_at: Instant,
}

impl Current {
    fn tell(&mut self) -> Option<Digit> {
        // RFC 4733 section 3.2: events above 15 are tones and signals, not digits.
        if std::mem::replace(&mut self.told, true) || self.event > 15 {
            return None;
        }
        let duration_ms = u64::from(self.duration) * 1000 / u64::from(self.clock.max(1));
        Some(Digit { event: self.event, duration_ms: u16::try_from(duration_ms).unwrap_or(u16::MAX) })
    }
}

impl Collector {
    /// Takes one packet. Returns the digit that it completes: its own when it is the first with the end bit, or
    /// the one before it when that one's end was lost.
    pub fn receive(
        &mut self,
        now: Instant,
        ssrc: u32,
        timestamp: u32,
        event: Event,
        clock: u32,
    ) -> Option<Digit> {
        if let Some(current) = &mut self.current {
            let age = current.timestamp.wrapping_sub(timestamp).cast_signed();
            if current.ssrc == ssrc && age == 0 {
                current.duration = current.duration.max(event.duration);
                current.heard_at = now;
                return if event.end { current.tell() } else { None };
            }
            if current.ssrc == ssrc && (0..i32::MAX).contains(&age) && age < clock.cast_signed() {
                return None; // a late packet of an event before
            }
        }
        let before = self.current.as_mut().and_then(Current::tell);
        let duration = event.duration;
        let mut current =
            Current { ssrc, timestamp, event: event.event, duration, clock, told: false, heard_at: now };
        let own = if event.end && before.is_none() { current.tell() } else { None };
        self.current = Some(current);
        before.or(own)
    }

    /// The clock in which the event with that time stamp counts its duration, if it is the one of now.
    pub fn clock(&self, ssrc: u32, timestamp: u32) -> Option<u32> {
        let current = self.current.as_ref();
        current
            .filter(|current| current.ssrc == ssrc && current.timestamp == timestamp)
            .map(|current| current.clock)
    }

    /// The digit whose end was lost, once nothing more came of it.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Digit> {
        if self.next_timeout()? > now {
            return None;
        }
        self.current.as_mut()?.tell()
    }

    /// When [`Collector::handle_timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.current.as_ref().filter(|current| !current.told).map(|current| current.heard_at + DIGIT_SILENCE)
    }
}

/// Generates the packets of digits, one after the other.
#[derive(Debug)]
pub struct Player {
    queue: VecDeque<Digit>,
    playing: Option<Playing>,
    due: Option<Instant>,
}

#[derive(Debug)]
struct Playing {
    digit: Digit,
    elapsed_ms: u16,
    ends_left: u8,
}

/// One packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tone {
    /// The first packet of its event: it takes a new time stamp and the marker bit (RFC 4733 section 2.5.1.1).
    pub first: bool,
    /// Its payload.
    pub event: Event,
}

impl Default for Player {
    fn default() -> Player {
        Player { queue: VecDeque::with_capacity(MAX_QUEUED_DIGITS), playing: None, due: None }
    }
}

impl Player {
    /// Puts a digit behind those that play. Returns whether there was room.
    pub fn push(&mut self, now: Instant, digit: Digit) -> bool {
        if self.queue.len() >= MAX_QUEUED_DIGITS {
            return false;
        }
        self.queue.push_back(digit);
        self.due.get_or_insert(now);
        true
    }

    /// Whether a digit stands in the place of the audio.
    pub fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// Forgets everything that plays or waits.
    pub fn stop(&mut self) {
        self.queue.clear();
        self.playing = None;
        self.due = None;
    }

    /// When [`Player::next`] has a packet.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The packet that is due, if one is. `clock` is that of the payload type; a packet is due every `ptime`.
    pub fn next(&mut self, now: Instant, ptime: Duration, clock: u32) -> Option<Tone> {
        let due = self.due.filter(|&due| due <= now)?;
        let first = self.playing.is_none();
        let playing = match &mut self.playing {
            Some(playing) => playing,
            none => {
                let Some(digit) = self.queue.pop_front() else {
                    self.due = None;
                    return None;
                };
                none.insert(Playing { digit, elapsed_ms: 0, ends_left: DIGIT_END_PACKETS })
            }
        };
        // A late call does not make a burst: the next packet counts from now when a whole interval was missed.
        let base = if now.duration_since(due) > ptime { now } else { due };
        let step = u16::try_from(ptime.as_millis()).unwrap_or(20);
        playing.elapsed_ms = playing.elapsed_ms.saturating_add(step).min(playing.digit.duration_ms);
        let end = playing.elapsed_ms >= playing.digit.duration_ms;
        // RFC 4733 section 2.5.1.3: an event longer than its 16 bits tell stays at the largest duration.
        let duration = u64::from(playing.elapsed_ms) * u64::from(clock) / 1000;
        let duration = u16::try_from(duration).unwrap_or(u16::MAX);
        let event = Event { event: playing.digit.event, end, volume: VOLUME, duration };
        playing.ends_left -= u8::from(end);
        if playing.ends_left == 0 {
            self.playing = None;
            self.due = Some(base + DIGIT_PAUSE);
        } else {
            self.due = Some(base + ptime);
        }
        Some(Tone { first, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        assert!(player.push(start, Digit { event: 9, duration_ms: 100 }));
        assert!(player.push(start, Digit { event: 9, duration_ms: 70 }));
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
    fn the_queue_is_bounded() {
        let mut player = Player::default();
        let digit = Digit { event: 1, duration_ms: 100 };
        let taken = (0..100).filter(|_| player.push(Instant::now(), digit)).count();
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
}
