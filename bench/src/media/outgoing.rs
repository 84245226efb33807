//! The stream that a leg sends.

use crate::media::marker::{self, Marker};
use crate::media::protection::Protection;
use crate::speech::{Codec, Speech};
use rtp::header::Header;
use std::io;
use std::time::Duration;
use webrtc_util::marshal::Marshal;

/// Send times kept, for receivers that find no marker; a packet later than that many is not timed.
const LOG: usize = 64;
/// First sequence numbers stay below this, so that none wraps during a run: webrtc-srtp guesses a wrong roll-over
/// counter when packets are lost around a wrap that follows a high first number.
const FIRST_SEQUENCE: u16 = 1 << 12;
const HEADER: usize = 12;

/// A stream of one codec's speech.
pub(super) struct Outgoing {
    codec: Codec,
    header: Header,
    step: u32,
    next: u32,
    log: [Duration; LOG],
}

impl Outgoing {
    /// A packet of 20 ms of speech each `interval_ms`: time stamps advance by the interval.
    pub(super) fn new(codec: Codec, payload_type: u8, interval_ms: u32) -> Outgoing {
        let header = Header {
            version: 2,
            payload_type,
            sequence_number: fastrand::u16(..FIRST_SEQUENCE),
            timestamp: fastrand::u32(..),
            ssrc: fastrand::u32(..),
            ..Header::default()
        };
        // Streams begin at different places of the speech, as calls do.
        Outgoing {
            codec,
            header,
            step: codec.ticks_per_ms() * interval_ms,
            next: 0,
            log: [Duration::ZERO; LOG],
        }
    }

    /// Builds the next packet, sent at `now`, and hands it to `send`.
    ///
    /// # Errors
    /// If the crates refuse.
    pub(super) fn packet(
        &mut self,
        speech: &Speech,
        now: Duration,
        protection: Option<&mut Protection>,
        send: impl FnOnce(&[u8]),
    ) -> io::Result<()> {
        let frame = self.next.wrapping_add(self.header.ssrc % 256);
        let payload = speech.frame(frame);
        let mut packet = [0; HEADER + 1500];
        let packet = &mut packet[..HEADER + payload.len()];
        self.header.marshal_to(&mut packet[..HEADER]).map_err(io::Error::other)?;
        packet[HEADER..].copy_from_slice(payload);
        if self.codec.carries_marker() && payload.len() >= marker::LENGTH {
            Marker { frame, sent: now }.write(packet);
        }
        match protection {
            Some(protection) => send(protection.protect(packet, &self.header)?.as_ref()),
            None => send(packet),
        }
        self.log[self.next as usize % LOG] = now;
        self.next = self.next.wrapping_add(1);
        self.header.sequence_number = self.header.sequence_number.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(self.step);
        Ok(())
    }

    /// The codec.
    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    /// When packet `number` (from 0) was sent, if that is not too long ago.
    pub(super) fn sent_at(&self, number: u32) -> Option<Duration> {
        let age = self.next.checked_sub(number)?;
        (1..=LOG as u32).contains(&age).then(|| self.log[number as usize % LOG])
    }
}
