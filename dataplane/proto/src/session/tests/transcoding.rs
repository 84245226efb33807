//! Every codec into every other, in every packet time.

use super::*;
use crate::codecs;
use tandem_codec::{Decoder, Encoder};
use tandem_control::OpusEncoding;

const G722: (u8, Codec, u32) = (9, Codec::G722, 8000);
const G729: (u8, Codec, u32) = (18, Codec::G729, 8000);
const SPEEX: (u8, Codec, u32) = (98, Codec::Speex, 8000);
const SPEEX_WIDE: (u8, Codec, u32) = (97, Codec::Speex, 16_000);
const ALL: [(u8, Codec, u32); 7] = [OPUS, PCMU, PCMA, G722, G729, SPEEX, SPEEX_WIDE];

/// The frequency of the tone that is sent.
const HERTZ: f32 = 800.0;

/// A telephone of one codec that says a tone.
struct Phone {
    coding: (u8, Codec, u32),
    rate: u32,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    spoken: usize,
    sequence: u16,
}

impl Phone {
    fn new(coding: (u8, Codec, u32)) -> Phone {
        let rate = codecs::native_rate(coding.1, coding.2).unwrap_or(48_000);
        let encoder = codecs::encoder(coding.1, rate, &OpusEncoding::default()).unwrap();
        Phone {
            coding,
            rate,
            encoder,
            decoder: codecs::decoder(coding.1, rate).unwrap(),
            spoken: 0,
            sequence: 65_500,
        }
    }

    /// The next packet of a tone, and how long it is in milliseconds.
    fn speak(&mut self, ptime_ms: usize) -> (Vec<u8>, u64) {
        let samples = self.encoder.packet_samples(self.rate as usize / 1000 * ptime_ms);
        let angle = |n: usize| n as f32 * HERTZ * std::f32::consts::TAU / self.rate as f32;
        let pcm: Vec<i16> =
            (self.spoken..self.spoken + samples).map(|n| (angle(n).sin() * 8000.0) as i16).collect();
        let mut payload = [0; 1400];
        let len = self.encoder.encode(&pcm, &mut payload).unwrap();
        let timestamp = (self.spoken as u64 * u64::from(self.coding.2) / u64::from(self.rate)) as u32;
        self.spoken += samples;
        self.sequence = self.sequence.wrapping_add(1);
        let packet = speech(self.sequence, timestamp, self.coding.0, 7, &payload[..len]);
        (packet, (samples * 1000 / self.rate as usize) as u64)
    }

    /// What it hears of packets, checked to be one stream in its packet time.
    fn listen(&mut self, packets: &[(Header, Vec<u8>)], ptime_ms: usize) -> Vec<i16> {
        let mut heard = Vec::new();
        let wanted = self.encoder.packet_samples(self.rate as usize / 1000 * ptime_ms);
        let units = (wanted as u64 * u64::from(self.coding.2) / u64::from(self.rate)) as u32;
        for pair in packets.windows(2) {
            assert_eq!(pair[1].0.sequence, pair[0].0.sequence.wrapping_add(1));
            assert_eq!(pair[1].0.timestamp, pair[0].0.timestamp.wrapping_add(units));
            assert!(!pair[1].0.marker);
        }
        for (header, payload) in packets {
            assert_eq!(header.payload_type, self.coding.0);
            let mut pcm = [0; 9600];
            let samples = self.decoder.decode(payload, &mut pcm).unwrap();
            assert_eq!(samples, wanted);
            heard.extend_from_slice(&pcm[..samples]);
        }
        heard
    }
}

/// The share of the energy of `pcm` at a frequency, 0 to 1.
fn share(pcm: &[i16], rate: u32) -> f32 {
    let (mut cosine, mut sine, mut energy) = (0.0, 0.0, 1.0);
    for (n, sample) in pcm.iter().enumerate() {
        let angle = n as f32 * HERTZ * std::f32::consts::TAU / rate as f32;
        cosine += f32::from(*sample) * angle.cos();
        sine += f32::from(*sample) * angle.sin();
        energy += f32::from(*sample).powi(2);
    }
    2.0 * (cosine * cosine + sine * sine) / (pcm.len() as f32 * energy)
}

/// A second from A to B; returns what B hears and the longest time that a sample waited, in milliseconds.
fn carry(from: (u8, Codec, u32), to: (u8, Codec, u32), ptimes: [usize; 2]) -> (Vec<i16>, u32) {
    let mut receiver = leg(Side::B, &[to]);
    receiver.audio.ptime_ms = ptimes[1] as u8;
    let mut sender = leg(Side::A, &[from]);
    sender.audio.always_transcode = true;
    let mut fixture = Fixture::between(&sender, &receiver);
    let (mut speaker, mut listener) = (Phone::new(from), Phone::new(to));
    let mut spoken_ms = 0;
    let mut waited = 0;
    while spoken_ms < 1000 {
        let (packet, ms) = speaker.speak(ptimes[0]);
        fixture.run(ms);
        assert_eq!(fixture.receive(Side::A, &packet), Ok(None), "{from:?} to {to:?}");
        spoken_ms += ms;
        let sent = fixture.sent.rtp();
        let samples = listener.encoder.packet_samples(listener.rate as usize / 1000 * ptimes[1]);
        let sent_ms = sent.len() * samples * 1000 / listener.rate as usize;
        waited = waited.max(spoken_ms as u32 - sent_ms as u32);
    }
    (listener.listen(&fixture.sent.rtp(), ptimes[1]), waited)
}

#[test]
fn every_codec_reaches_every_other() {
    for from in ALL {
        for to in ALL {
            let (heard, waited) = carry(from, to, [20, 20]);
            let rate = codecs::native_rate(to.1, to.2).unwrap_or(48_000);
            let share = share(&heard[heard.len() / 4..], rate);
            assert!(share > 0.9, "{from:?} to {to:?}: {share}");
            assert_eq!(waited, 0, "{from:?} to {to:?}: the same packet times wait for nothing");
        }
    }
}

#[test]
fn every_packet_time_becomes_every_other_within_one_packet() {
    for (from, to) in [(PCMA, OPUS), (OPUS, G729), (G722, PCMU), (G729, G722)] {
        for input in [10, 20, 30, 40, 60] {
            for output in [10, 20, 30, 40, 60] {
                if to == OPUS && output == 30 || from == OPUS && input == 30 {
                    continue; // no such frame: RFC 6716 section 2.1.4
                }
                let (heard, waited) = carry(from, to, [input, output]);
                let rate = codecs::native_rate(to.1, to.2).unwrap_or(48_000);
                let share = share(&heard[heard.len() / 4..], rate);
                assert!(share > 0.9, "{from:?} in {input} to {to:?} in {output}: {share}");
                assert!(waited < output as u32, "{from:?} in {input} to {to:?} in {output}: {waited}");
            }
        }
    }
}
