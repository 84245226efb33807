//! A party of a call: it talks every 20 milliseconds and checks what it hears.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tandem_control::{Codec, SrtpKey};
use tandem_media::srtp::{Inbound, Outbound, SrtpError};

const PACKET_TIME: Duration = Duration::from_millis(20);
const SAMPLES: u32 = 160;
/// Room for the tag.
const TRAILER: usize = 64;

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    rtcp: SocketAddr,
    payload_type: u8,
    keys: Option<(Outbound, Inbound)>,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    next: Instant,
}

impl Peer {
    /// `keys`: what it protects with, and what it expects.
    pub(crate) fn new(
        address: SocketAddr,
        codec: Codec,
        keys: Option<(&SrtpKey, &SrtpKey)>,
        begin: Instant,
        random: &mut fastrand::Rng,
    ) -> Peer {
        Peer {
            address,
            rtcp: SocketAddr::new(address.ip(), address.port() + 1),
            payload_type: if codec == Codec::Pcmu { 0 } else { 8 },
            keys: keys.map(|(send, receive)| (Outbound::new(send).unwrap(), Inbound::new(receive).unwrap())),
            sequence: random.u16(..),
            timestamp: random.u32(..),
            ssrc: random.u32(..),
            next: begin + Duration::from_millis(100),
        }
    }

    /// It goes on at another address, with the same stream and the same keys.
    pub(crate) fn move_to(&mut self, address: SocketAddr) {
        self.address = address;
        self.rtcp = SocketAddr::new(address.ip(), address.port() + 1);
    }

    /// Whether it receives there.
    pub(crate) fn is_at(&self, address: SocketAddr) -> bool {
        address == self.address || address == self.rtcp
    }

    /// What it says next, if it is time.
    pub(crate) fn next_packet(&mut self, now: Instant) -> Option<Vec<u8>> {
        if now < self.next {
            return None;
        }
        self.next += PACKET_TIME;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES);
        let mut packet = vec![0x80, self.payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend((0..SAMPLES).map(|sample| (sample as u8).wrapping_mul(self.sequence as u8)));
        if let Some((outbound, _)) = &mut self.keys {
            let length = packet.len();
            packet.resize(length + TRAILER, 0);
            let length = outbound.protect(&mut packet, length).unwrap();
            packet.truncate(length);
        }
        Some(packet)
    }

    /// What it hears must carry its keys. The network may have repeated or delayed it.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        let Some((_, inbound)) = &mut self.keys else { return };
        let mut packet = bytes.to_vec();
        let outcome =
            if is_rtcp(bytes) { inbound.unprotect_rtcp(&mut packet) } else { inbound.unprotect(&mut packet) };
        match outcome {
            Ok(_) => {}
            // The network repeats and delays.
            Err(SrtpError::Replayed | SrtpError::TooOld) => {}
            Err(error) => panic!("{} cannot take what it was sent: {error}", self.address),
        }
    }
}

/// RFC 5761 section 4: the packet types 64 to 95 in the place of marker and payload type are RTCP.
pub(crate) fn is_rtcp(packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|&second| (64..96).contains(&(second & 0x7F)))
}
