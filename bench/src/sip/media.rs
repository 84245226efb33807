//! The sound of calls: one socket for each, as a telephone has; packets are sent evenly over the packet time.

use super::options::Sound;
use crate::measure::histogram::Histogram;
use crate::measure::pace::Pace;
use crate::media::Codec;
use crate::stamp;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// One packet time is cut into this many bursts.
const SLOTS: u32 = 20;
/// Between two bursts.
const SLOT: Duration = Duration::from_millis(1);
/// The packet time of all calls, in milliseconds.
pub(crate) const PTIME_MS: u32 = 20;
/// Packets read from one socket before others have their turn.
const BUDGET: usize = 16;
const HEADER: usize = 12;
const PAYLOAD: usize = 160;

/// What a codec's packets carry, before the stamp.
pub(crate) fn payload(codec: Codec) -> Vec<u8> {
    match codec {
        // RFC 6716 section 3.2.5: a code 3 packet (CELT, 20 ms) of one frame with `stamp::LENGTH` bytes of padding,
        // so that the stamp does not touch what a decoder reads.
        Codec::Opus => {
            let mut packet = vec![0xFB, 0x41, stamp::LENGTH as u8, 0xFF, 0xFE];
            packet.resize(80 + stamp::LENGTH, 0);
            packet
        }
        // Nobody decodes it.
        _ => vec![0xD5; PAYLOAD],
    }
}

/// What all calls' media did.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// By the gaps in sequence numbers (RFC 3550 appendix A.3).
    pub(crate) lost: u64,
    pub(crate) reordered: u64,
    /// One way; only of packets that came through unchanged.
    pub(crate) latency: Histogram,
    /// How late packets were sent.
    pub(crate) lateness: Histogram,
    /// Calls that ended without one packet.
    pub(crate) silent: u64,
}

/// A receiver's view of sequence numbers.
#[derive(Default)]
pub(crate) struct Reception {
    first: Option<u64>,
    highest: u64,
    pub(crate) received: u64,
    pub(crate) reordered: u64,
}

impl Reception {
    /// Counts the packet with this sequence number.
    pub(crate) fn count(&mut self, sequence: u16) {
        self.received += 1;
        if self.first.is_none() {
            self.highest = u64::from(sequence) + 65_536;
            self.first = Some(self.highest);
            return;
        }
        let step = sequence.wrapping_sub(self.highest as u16).cast_signed();
        if step > 0 {
            self.highest += step as u64;
        } else {
            self.reordered += 1;
        }
    }

    /// Packets that never came.
    pub(crate) fn lost(&self) -> u64 {
        let expected = self.first.map_or(0, |first| self.highest - first + 1);
        expected.saturating_sub(self.received)
    }
}

struct Leg {
    socket: UdpSocket,
    remote: Option<SocketAddr>,
    payload_type: u8,
    sending: bool,
    /// Nothing is sent: the call is not answered yet.
    muted: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    sent: u64,
    reception: Reception,
}

/// The media of all calls of a generator.
pub(crate) struct Media {
    sound: Sound,
    codec: Codec,
    thin: u32,
    legs: HashMap<u64, Leg>,
    slots: Vec<Vec<u64>>,
    slot: usize,
    turn: u32,
    pace: Pace,
    packet: Vec<u8>,
    figures: Figures,
}

impl Media {
    pub(crate) fn new(sound: Sound, codec: Codec, thin: u32) -> Media {
        let mut packet = vec![0; HEADER];
        packet.extend(payload(codec));
        Media {
            sound,
            codec,
            thin: thin.max(1),
            legs: HashMap::new(),
            slots: vec![Vec::new(); SLOTS as usize],
            slot: 0,
            turn: 0,
            pace: Pace::new(Instant::now(), SLOT),
            packet,
            figures: Figures::default(),
        }
    }

    /// Opens the socket of call `key`; its events will carry `key`.
    pub(crate) fn open(&mut self, key: u64, local: IpAddr, epoll: &Epoll) -> io::Result<SocketAddr> {
        if self.legs.is_empty() {
            // Nothing was due while there were no calls.
            self.figures.lateness.merge(&self.pace.take_lateness());
            self.pace = Pace::new(Instant::now(), SLOT);
        }
        let socket = UdpSocket::bind((local, 0))?;
        socket.set_nonblocking(true)?;
        epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, key))?;
        let address = socket.local_addr()?;
        let leg = Leg {
            socket,
            remote: None,
            payload_type: self.codec.payload_type(),
            sending: false,
            muted: false,
            sequence: fastrand::u16(..),
            timestamp: fastrand::u32(..),
            ssrc: fastrand::u32(..),
            sent: 0,
            reception: Reception::default(),
        };
        self.legs.insert(key, leg);
        let emptiest = self.slots.iter_mut().min_by_key(|slot| slot.len());
        emptiest.into_iter().for_each(|slot| slot.push(key));
        Ok(address)
    }

    /// Where a call's packets go from now on, and whether it sends.
    pub(crate) fn aim(&mut self, key: u64, remote: SocketAddr, payload_type: u8, sending: bool) {
        if let Some(leg) = self.legs.get_mut(&key) {
            leg.remote = Some(remote);
            leg.payload_type = payload_type;
            leg.sending = sending && self.sound == Sound::Generate;
        }
    }

    /// Keeps a call silent, or lets it speak.
    pub(crate) fn mute(&mut self, key: u64, muted: bool) {
        if let Some(leg) = self.legs.get_mut(&key) {
            leg.muted = muted;
        }
    }

    /// Ends a call's media. Whether it heard anything; `None` if it was never told where to send.
    pub(crate) fn close(&mut self, key: u64) -> Option<bool> {
        let leg = self.legs.remove(&key)?;
        self.slots.iter_mut().for_each(|slot| slot.retain(|other| *other != key));
        self.figures.sent += leg.sent;
        self.figures.received += leg.reception.received;
        self.figures.lost += leg.reception.lost();
        self.figures.reordered += leg.reception.reordered;
        let heard = leg.reception.received > 0;
        leg.remote?;
        self.figures.silent += u64::from(!heard && self.sound != Sound::None);
        Some(heard || self.sound == Sound::None)
    }

    /// When [`Media::send_due`] is due.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let sends = self.sound == Sound::Generate && !self.legs.is_empty();
        sends.then(|| self.pace.next())
    }

    /// Sends what is due.
    pub(crate) fn send_due(&mut self, now: Instant) {
        if self.legs.is_empty() || self.sound != Sound::Generate {
            return;
        }
        while self.pace.take(now).is_some() {
            if self.slot == 0 {
                self.turn = (self.turn + 1) % self.thin;
            }
            for key in &self.slots[self.slot] {
                let Some(leg) = self.legs.get_mut(key) else { continue };
                leg.timestamp = leg.timestamp.wrapping_add(PTIME_MS * self.codec.ticks_per_ms());
                if self.turn == 0 {
                    leg.send(&mut self.packet);
                }
            }
            self.slot = (self.slot + 1) % self.slots.len();
        }
    }

    /// Reads what came for a call; whether it was the call's first packet.
    pub(crate) fn receive(&mut self, key: u64) -> bool {
        let Some(leg) = self.legs.get_mut(&key) else { return false };
        let had_none = leg.reception.received == 0;
        let mut buffer = [0; 2048];
        for _ in 0..BUDGET {
            let Ok((length, from)) = leg.socket.recv_from(&mut buffer) else { break };
            // RFC 5761 section 4: 192 to 223 in the second byte is RTCP.
            if length < HEADER || (192..=223).contains(&buffer[1]) {
                continue;
            }
            leg.reception.count(u16::from_be_bytes([buffer[2], buffer[3]]));
            if self.sound == Sound::Echo {
                leg.sent += u64::from(leg.socket.send_to(&buffer[..length], from).is_ok());
            } else if let Some(age) = stamp::age(&buffer[HEADER..length], Instant::now()) {
                self.figures.latency.record(age);
            }
        }
        had_none && leg.reception.received > 0
    }

    /// What all calls did that have ended.
    pub(crate) fn into_figures(mut self) -> Figures {
        self.figures.lateness.merge(&self.pace.take_lateness());
        self.figures
    }

    /// Packets received so far, of calls that have ended.
    pub(crate) fn received(&self) -> u64 {
        self.figures.received
    }
}

impl Leg {
    fn send(&mut self, packet: &mut [u8]) {
        let Some(remote) = self.remote.filter(|_| self.sending && !self.muted) else { return };
        // The marker opens the first talkspurt (RFC 3551 section 4.1).
        let marker = if self.sent == 0 { 0x80 } else { 0 };
        packet[..2].copy_from_slice(&[0x80, marker | self.payload_type]);
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        packet[8..HEADER].copy_from_slice(&self.ssrc.to_be_bytes());
        stamp::put(&mut packet[HEADER..], Instant::now());
        self.sequence = self.sequence.wrapping_add(1);
        self.sent += u64::from(self.socket.send_to(packet, remote).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_losses_and_the_wrap_is_none() {
        let mut reception = Reception::default();
        for sequence in [65_534, 65_535, 1, 0, 4] {
            reception.count(sequence);
        }
        assert_eq!((reception.received, reception.lost(), reception.reordered), (5, 2, 1));
    }
}
