//! What one receiver of video is sent again: as RTX (RFC 4588) where it takes that, else as it was.

use std::time::{Duration, Instant};

use super::rtx;
use super::store::Store;
use crate::rtp::{self, Header};

/// A packet that is sent again, in the buffer that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// So many bytes of the retransmission stream.
    OnItsOwnStream(usize),
    /// So many bytes, as they were sent first.
    AsItWas(usize),
}

/// The packets that one receiver was sent, and the stream on which they are sent again. Its memory is taken when it is
/// made.
#[derive(Debug)]
pub struct Repeats {
    store: Store,
    ssrc: u32,
    /// The sequence number of the next packet of the retransmission stream.
    next: u16,
    /// Packets that were sent again.
    pub sent: u64,
}

impl Repeats {
    /// Sends again under `ssrc`.
    pub fn new(ssrc: u32, random: &mut fastrand::Rng) -> Repeats {
        // RFC 3711 section 3.3.1: a start below 2^15, as in every stream.
        Repeats { store: Store::default(), ssrc, next: random.u16(..0x8000), sent: 0 }
    }

    /// The SSRC of the retransmission stream.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Keeps a packet as it is sent, before it is protected.
    pub fn keep(&mut self, sequence: u16, packet: &[u8]) {
        self.store.keep(sequence, packet);
    }

    /// Writes a packet that the receiver asks for in front of `buffer`. `rtx` gives the payload type
    /// of the retransmissions of another one, if the receiver takes them. `None` as [`Store::resend`] says.
    pub fn repeat(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        sequence: u16,
        rtx: impl Fn(u8) -> Option<u8>,
        buffer: &mut [u8],
    ) -> Option<Repeated> {
        let original = self.store.resend(now, round_trip, sequence)?;
        let header = rtp::parse(original).ok()?.header;
        let repeated = match rtx(header.payload_type) {
            Some(payload_type) => {
                let again = Header { payload_type, sequence: self.next, ssrc: self.ssrc, ..header };
                let len = rtx::wrap(&again, original, buffer)?;
                self.next = self.next.wrapping_add(1);
                Repeated::OnItsOwnStream(len)
            }
            None => {
                buffer.get_mut(..original.len())?.copy_from_slice(original);
                Repeated::AsItWas(original.len())
            }
        };
        self.sent += 1;
        Some(repeated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::HEADER_LEN;

    const HEADER: Header =
        Header { marker: true, payload_type: 102, sequence: 500, timestamp: 9000, ssrc: 1 };

    fn repeated(repeats: &mut Repeats, now: Instant, rtx: Option<u8>) -> Option<(Header, Vec<u8>)> {
        let mut buffer = [0; 64];
        let rtx = |number| rtx.filter(|_| number == 102);
        let (Repeated::OnItsOwnStream(len) | Repeated::AsItWas(len)) =
            repeats.repeat(now, None, 500, rtx, &mut buffer)?;
        let parsed = rtp::parse(&buffer[..len]).unwrap();
        Some((parsed.header, parsed.payload(&buffer[..len]).to_vec()))
    }

    #[test]
    fn a_packet_is_repeated_in_the_receivers_way() {
        let mut now = Instant::now();
        let mut repeats = Repeats::new(9, &mut fastrand::Rng::with_seed(1));
        assert_eq!(repeated(&mut repeats, now, Some(103)), None);
        let mut packet = [0; HEADER_LEN + 2];
        HEADER.write(&mut packet);
        packet[HEADER_LEN..].copy_from_slice(b"hi");
        repeats.keep(500, &packet);
        assert_eq!(repeated(&mut repeats, now, None), Some((HEADER, b"hi".to_vec())));
        for expected in 0..2 {
            now += Duration::from_secs(1);
            let (header, payload) = repeated(&mut repeats, now, Some(103)).unwrap();
            let sequence = repeats.next.wrapping_sub(1);
            assert_eq!(header, Header { payload_type: 103, ssrc: 9, sequence, ..HEADER });
            assert_eq!(payload, b"\x01\xf4hi");
            assert_eq!(repeats.sent, 2 + expected);
        }
    }
}
