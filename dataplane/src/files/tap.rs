//! The queue from a session to its recording: a ring of bytes with one writer and one reader. Taken when a recording
//! begins; after that neither end allocates, locks or waits.

use super::limits::{MARK_ROOM, PACKET_QUEUE};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tandem_control::{Codec, Side};
use tandem_media::recording::{Heard, Tap};

/// A coding that recordings know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Opus,
    Pcmu,
    Pcma,
    G722,
    G729,
    Speex,
}

impl Coding {
    const ALL: [Coding; 6] =
        [Coding::Opus, Coding::Pcmu, Coding::Pcma, Coding::G722, Coding::G729, Coding::Speex];

    /// `None` for what is no speech, or none that can be decoded.
    fn of(codec: Codec) -> Option<Coding> {
        match codec {
            Codec::Opus(_) => Some(Coding::Opus),
            Codec::Pcmu => Some(Coding::Pcmu),
            Codec::Pcma => Some(Coding::Pcma),
            Codec::G722 => Some(Coding::G722),
            Codec::G729 => Some(Coding::G729),
            Codec::Speex => Some(Coding::Speex),
            Codec::ComfortNoise | Codec::TelephoneEvent | Codec::Other(_) => None,
        }
    }

    /// The same, for a decoder.
    pub(super) fn codec(self) -> Codec {
        match self {
            Coding::Opus => Codec::opus(true),
            Coding::Pcmu => Codec::Pcmu,
            Coding::Pcma => Codec::Pcma,
            Coding::G722 => Codec::G722,
            Coding::G729 => Codec::G729,
            Coding::Speex => Codec::Speex,
        }
    }
}

/// What a packet says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PacketHead {
    pub(super) side: Side,
    pub(super) coding: Coding,
    /// Of the time stamps, in Hz.
    pub(super) clock: u32,
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    /// See [`Heard::tones_are_digits`].
    pub(super) tones_are_digits: bool,
}

/// One entry of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Packet(PacketHead, &'a [u8]),
    Pause,
    Resume,
}

/// Kind, side, coding, whether tones are digits; payload length, sequence number; time stamp, SSRC, clock, microseconds.
const HEAD_LEN: usize = 28;
const PACKET: u8 = 0;
const PAUSE: u8 = 1;
const RESUME: u8 = 2;

/// The end of the session.
pub(super) struct PacketTap {
    queue: Producer<u8>,
    started: Instant,
    paused: bool,
    lost: Arc<AtomicU64>,
}

/// The end of the recording.
pub(super) struct PacketQueue {
    queue: Consumer<u8>,
    payload: Vec<u8>,
    /// Of the entry that has been read only half.
    head: Option<[u8; HEAD_LEN]>,
}

/// Makes a queue for a recording that has started at that time. What does not fit is counted in `lost`.
pub(super) fn queue(started: Instant, lost: Arc<AtomicU64>) -> (PacketTap, PacketQueue) {
    let (producer, consumer) = RingBuffer::new(PACKET_QUEUE);
    let tap = PacketTap { queue: producer, started, paused: false, lost };
    (tap, PacketQueue { queue: consumer, payload: Vec::new(), head: None })
}

impl PacketTap {
    fn micros(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_micros() as u64
    }

    /// Whether there was room for the entry with `reserve` bytes left behind it.
    fn push(&mut self, head: &[u8; HEAD_LEN], payload: &[u8], reserve: usize) -> bool {
        if self.queue.slots() < HEAD_LEN + payload.len() + reserve {
            return false;
        }
        // The reader takes an entry only when all of it is there. There is room, so neither is refused.
        self.queue.push_entire_slice(head).is_ok() && self.queue.push_entire_slice(payload).is_ok()
    }

    fn mark(&mut self, now: Instant, kind: u8) -> bool {
        let mut head = [0; HEAD_LEN];
        head[0] = kind;
        head[20..].copy_from_slice(&self.micros(now).to_le_bytes());
        self.push(&head, &[], 0)
    }
}

impl Tap for PacketTap {
    fn packet(&mut self, now: Instant, heard: &Heard<'_>) {
        let Some(coding) = Coding::of(heard.codec).filter(|_| !self.paused) else { return };
        let Ok(len) = u16::try_from(heard.payload.len()) else { return };
        let header = heard.header;
        let mut head = [0; HEAD_LEN];
        head[..4].copy_from_slice(&[PACKET, heard.side as u8, coding as u8, heard.tones_are_digits.into()]);
        head[4..6].copy_from_slice(&len.to_le_bytes());
        head[6..8].copy_from_slice(&header.sequence.to_le_bytes());
        head[8..12].copy_from_slice(&header.timestamp.to_le_bytes());
        head[12..16].copy_from_slice(&header.ssrc.to_le_bytes());
        head[16..20].copy_from_slice(&heard.clock.to_le_bytes());
        head[20..].copy_from_slice(&self.micros(now).to_le_bytes());
        if !self.push(&head, heard.payload, MARK_ROOM) && !self.queue.is_abandoned() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn pause(&mut self, now: Instant) -> bool {
        if !self.paused {
            self.paused = self.mark(now, PAUSE);
        }
        self.paused
    }

    fn resume(&mut self, now: Instant) -> bool {
        if self.paused {
            self.paused = !self.mark(now, RESUME);
        }
        !self.paused
    }

    fn is_over(&self) -> bool {
        self.queue.is_abandoned()
    }
}

impl PacketQueue {
    /// The next entry and when it came, in microseconds since the start.
    pub(super) fn pop(&mut self) -> Option<(u64, Entry<'_>)> {
        let head = match self.head {
            Some(head) => head,
            None => {
                let mut head = [0; HEAD_LEN];
                self.queue.pop_entire_slice(&mut head).ok()?;
                *self.head.insert(head)
            }
        };
        let word = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let double = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let micros = u64::from(double(20)) | u64::from(double(24)) << 32;
        self.payload.resize(word(4).into(), 0);
        self.queue.pop_entire_slice(&mut self.payload).ok()?;
        self.head = None;
        let entry = match (head[0], Coding::ALL.get(usize::from(head[2]))) {
            (PAUSE, _) => Entry::Pause,
            (RESUME, _) => Entry::Resume,
            (_, coding) => {
                let side = if head[1] == Side::A as u8 { Side::A } else { Side::B };
                let head = PacketHead {
                    side,
                    coding: *coding?,
                    clock: double(16),
                    ssrc: double(12),
                    sequence: word(6),
                    timestamp: double(8),
                    tones_are_digits: head[3] != 0,
                };
                Entry::Packet(head, &self.payload)
            }
        };
        Some((micros, entry))
    }

    /// Whether the session has let go of its end: nothing comes behind what is in the queue.
    pub(super) fn is_abandoned(&self) -> bool {
        self.queue.is_abandoned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tandem_media::rtp::Header;

    fn heard<'a>(header: &'a Header, payload: &'a [u8]) -> Heard<'a> {
        Heard { side: Side::B, codec: Codec::G722, clock: 8000, header, payload, tones_are_digits: true }
    }

    #[test]
    fn entries_come_out_as_they_went_in() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let (mut tap, mut queue) = queue(start, Arc::default());
        let header = Header { marker: false, payload_type: 9, sequence: 65_535, timestamp: 7, ssrc: 8 };
        tap.packet(at(3), &heard(&header, &[1, 2, 3]));
        assert!(tap.pause(at(4)));
        tap.packet(at(5), &heard(&header, &[4]));
        assert!(tap.resume(at(6)));
        tap.packet(at(7), &heard(&header, &[]));
        tap.packet(at(7), &Heard { codec: Codec::TelephoneEvent, ..heard(&header, &[5]) });
        let head = PacketHead {
            side: Side::B,
            coding: Coding::G722,
            clock: 8000,
            ssrc: 8,
            sequence: 65_535,
            timestamp: 7,
            tones_are_digits: true,
        };
        assert_eq!(queue.pop(), Some((3000, Entry::Packet(head, &[1, 2, 3]))));
        assert_eq!(queue.pop(), Some((4000, Entry::Pause)));
        assert_eq!(queue.pop(), Some((6000, Entry::Resume)));
        assert_eq!(queue.pop(), Some((7000, Entry::Packet(head, &[]))));
        assert_eq!(queue.pop(), None);
        assert!(!queue.is_abandoned());
        drop(tap);
        assert!(queue.is_abandoned());
    }

    #[test]
    fn a_full_queue_loses_packets_and_counts_them_but_takes_a_pause() {
        let lost = Arc::new(AtomicU64::new(0));
        let now = Instant::now();
        let (mut tap, mut queue) = queue(now, Arc::clone(&lost));
        let header = Header { marker: false, payload_type: 9, sequence: 0, timestamp: 0, ssrc: 0 };
        let fitting = (PACKET_QUEUE - MARK_ROOM) / (HEAD_LEN + 160);
        for _ in 0..fitting + 10 {
            tap.packet(now, &heard(&header, &[0; 160]));
        }
        assert_eq!(lost.load(Ordering::Relaxed), 10);
        assert!(tap.pause(now));
        let mut packets = 0;
        while let Some((_, Entry::Packet(..))) = queue.pop() {
            packets += 1;
        }
        assert_eq!(packets, fitting);
        drop(queue);
        assert!(tap.is_over());
    }
}
