//! The stream that a leg sends: one SSRC for the whole session, whatever feeds it.

use std::time::Instant;

use crate::limits::TIMESTAMP_JUMP;
use crate::rtcp::{self, SenderInfo};
use crate::rtp::Header;
use crate::{Now, rtp};

/// The outgoing stream of one leg.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    ssrc: u32,
    /// The sequence number of the next new packet, extended over roll-overs.
    next: u64,
    /// The time stamp of the newest packet sent, and when that was.
    timestamp: u32,
    sent_at: Option<Instant>,
    /// How long that packet is, as far as it was made here; in units of the time stamp.
    duration: u32,
    /// In Hz.
    clock: u32,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    reported: u64,
}

impl Output {
    /// Draws SSRC, sequence number and time stamp (RFC 3550 section 5.1).
    pub(crate) fn new(random: &mut fastrand::Rng) -> Output {
        Output {
            ssrc: random.u32(1..),
            // RFC 3711 section 3.3.1 advises a start below 2^15, so that the loss of the first packets does not
            // hide a roll-over.
            next: random.u64(0..0x8000),
            timestamp: random.u32(..),
            sent_at: None,
            duration: 0,
            clock: 8000,
            packets: 0,
            bytes: 0,
            reported: 0,
        }
    }

    /// The same with a given SSRC and clock.
    pub(crate) fn with_ssrc(ssrc: u32, clock: u32, random: &mut fastrand::Rng) -> Output {
        Output { ssrc, clock: clock.max(1), ..Output::new(random) }
    }

    /// The SSRC of what is sent from now on, where a description names it; 0 leaves it as it was drawn.
    pub(crate) fn set_ssrc(&mut self, ssrc: u32) {
        if ssrc != 0 {
            self.ssrc = ssrc;
        }
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The extended sequence number of the next new packet.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The time stamp of the newest packet.
    pub(crate) fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// When the newest packet was sent.
    pub(crate) fn sent_at(&self) -> Option<Instant> {
        self.sent_at
    }

    pub(crate) fn clock(&self) -> u32 {
        self.clock
    }

    /// The clock of what is sent from now on.
    pub(crate) fn set_clock(&mut self, clock: u32) {
        self.clock = clock.max(1);
    }

    /// The time stamp that the time line has reached by now.
    pub(crate) fn expected_timestamp(&self, now: Instant) -> u32 {
        let elapsed = self.sent_at.map_or(0, |sent_at| now.saturating_duration_since(sent_at).as_micros());
        self.timestamp.wrapping_add((elapsed * u128::from(self.clock) / 1_000_000) as u32)
    }

    /// The same, but not within the newest packet.
    pub(crate) fn free_timestamp(&self, now: Instant) -> u32 {
        later(self.timestamp.wrapping_add(self.duration), self.expected_timestamp(now))
    }

    /// Whether a time stamp goes on from the last one: neither far behind it nor far ahead of the time that passed.
    pub(crate) fn is_plausible(&self, now: Instant, timestamp: u32) -> bool {
        let limit = i64::from(self.clock) * i64::try_from(TIMESTAMP_JUMP.as_secs()).unwrap_or(1);
        let ahead = timestamp.wrapping_sub(self.expected_timestamp(now)).cast_signed();
        let behind = self.timestamp.wrapping_sub(timestamp).cast_signed();
        i64::from(ahead) <= limit && i64::from(behind) <= limit
    }

    /// The header of a packet of this stream.
    pub(crate) fn header(&self, index: u64, timestamp: u32, payload_type: u8, marker: bool) -> Header {
        Header { marker, payload_type, sequence: index as u16, timestamp, ssrc: self.ssrc }
    }

    /// Notes that a packet goes out; `len` counts its header too.
    pub(crate) fn sent(&mut self, now: Instant, header: &Header, index: u64, len: usize) {
        if index >= self.next {
            self.next = index + 1;
            self.timestamp = header.timestamp;
            self.sent_at = Some(now);
            self.duration = 0;
        }
        self.packets += 1;
        self.bytes += len.saturating_sub(rtp::HEADER_LEN) as u64;
    }

    /// The newest packet is so long, in units of the time stamp.
    pub(crate) fn lasts(&mut self, duration: u32) {
        self.duration = duration;
    }

    /// What a sender report tells; `None` if nothing was sent since the last one (RFC 3550 section 6.4). `timestamp` is
    /// what the time line has reached, if that is known.
    pub(crate) fn report(&mut self, now: Now, timestamp: Option<u32>) -> Option<SenderInfo> {
        let news = std::mem::replace(&mut self.reported, self.packets) != self.packets;
        news.then(|| SenderInfo {
            ntp: rtcp::ntp(now.unix),
            rtp: timestamp.unwrap_or_else(|| self.expected_timestamp(now.instant)),
            packets: self.packets as u32,
            octets: self.bytes as u32,
        })
    }
}

/// The later of two time stamps.
pub(crate) fn later(one: u32, other: u32) -> u32 {
    if other.wrapping_sub(one).cast_signed() > 0 { other } else { one }
}
