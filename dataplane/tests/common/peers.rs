//! Telephones that say and hear A-law.

use super::plain_leg;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use tandem_codec::g711::{G711Decoder, G711Encoder, Law};
use tandem_codec::{Decoder, Encoder};
use tandem_control::*;

/// Samples of a packet of 20 ms.
const PACKET: usize = 160;

/// A telephone that talks to one port of the dataplane.
pub(crate) struct Phone {
    socket: UdpSocket,
    remote: SocketAddr,
}

/// What a telephone has heard.
pub(crate) struct Heard {
    /// The samples, one packet after the other.
    pub(crate) pcm: Vec<i16>,
    /// Packets whose sequence number was not the next.
    pub(crate) gaps: usize,
}

impl Phone {
    pub(crate) fn new(remote: SocketAddr) -> Phone {
        Phone { socket: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), remote }
    }

    /// Its leg, as the dataplane is told.
    pub(crate) fn leg(&self) -> LegConfig {
        let audio = Audio::both_ways(vec![PayloadType { number: 8, codec: Codec::Pcma, clock: 8000 }]);
        LegConfig { audio, ..plain_leg(self.socket.local_addr().unwrap()) }
    }

    /// Says something, 20 ms after 20 ms.
    pub(crate) fn say(&self, pcm: &[i16]) {
        let start = Instant::now();
        let ssrc = fastrand::u32(..);
        for (number, block) in pcm.chunks_exact(PACKET).enumerate() {
            let due = start + Duration::from_millis(20) * number as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let mut packet = vec![0x80, 8];
            packet.extend((number as u16).to_be_bytes());
            packet.extend(((number * PACKET) as u32).to_be_bytes());
            packet.extend(ssrc.to_be_bytes());
            packet.resize(12 + PACKET, 0);
            G711Encoder::new(Law::A).encode(block, &mut packet[12..]).unwrap();
            self.socket.send_to(&packet, self.remote).unwrap();
        }
    }

    /// Hears what comes for so long.
    pub(crate) fn hear(&mut self, time: Duration) -> Heard {
        let deadline = Instant::now() + time;
        let mut heard = Heard { pcm: Vec::new(), gaps: 0 };
        let mut next: Option<u16> = None;
        let mut packet = [0; 1500];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return heard;
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let Ok((length, _)) = self.socket.recv_from(&mut packet) else { return heard };
            assert_eq!(packet[1] & 0x7F, 8);
            let sequence = u16::from_be_bytes([packet[2], packet[3]]);
            heard.gaps += usize::from(next.is_some_and(|next| next != sequence));
            next = Some(sequence.wrapping_add(1));
            let mut pcm = [0; 2000];
            let samples = G711Decoder::new(Law::A).decode(&packet[12..length], &mut pcm).unwrap();
            heard.pcm.extend(&pcm[..samples]);
        }
    }
}

/// A sine with an amplitude of 8000.
pub(crate) fn tone(frequency: f32, rate: u32, length: usize) -> Vec<i16> {
    let angle = |n: usize| n as f32 * frequency * std::f32::consts::TAU / rate as f32;
    (0..length).map(|n| (angle(n).sin() * 8000.0) as i16).collect()
}

/// The share of the energy of `pcm` at `frequency` (a Goertzel sum), 0 to 1.
pub(crate) fn share(pcm: &[i16], frequency: f32, rate: u32) -> f32 {
    let (mut cosine, mut sine, mut energy) = (0.0, 0.0, 1.0);
    for (n, sample) in pcm.iter().enumerate() {
        let angle = n as f32 * frequency * std::f32::consts::TAU / rate as f32;
        cosine += f32::from(*sample) * angle.cos();
        sine += f32::from(*sample) * angle.sin();
        energy += f32::from(*sample).powi(2);
    }
    2.0 * (cosine * cosine + sine * sine) / (pcm.len() as f32 * energy)
}
