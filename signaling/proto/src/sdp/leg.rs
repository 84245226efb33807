//! One side of a call: both of its descriptions, and what they add up to for the dataplane.

mod audio;
mod kind;
mod streams;
mod transport;
mod video;

pub use audio::FarSide;
pub use kind::Kind;
pub use video::FarVideo;

use super::local::{AudioContent, Content, Local};
use super::{Description, Direction, Random, RemoteMedia, SdpError, Section, Setup, codecs, not_acceptable};
use crate::settings::{CodecName, MediaProfile};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tandem_control::{Codec, DtlsRole, Ice, Latch, LegConfig, PayloadType, Security};
use transport::Transport;
use video::Video;

/// The dynamic payload types (RFC 3551 section 6).
const DYNAMIC: RangeInclusive<u8> = 96..=127;
/// Those of them that are usually audio's (see [`codecs::usual_number`]).
const USUAL_OF_AUDIO: RangeInclusive<u8> = 96..=111;

/// Our addresses of a leg, as advertised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegAddresses {
    /// For RTP.
    pub rtp: SocketAddr,
    /// For RTCP.
    pub rtcp: SocketAddr,
}

/// One side of a call. Clone it before an offer and keep the clone: if the offer is refused, the clone is how the
/// session goes on (RFC 3261 section 14.1).
#[derive(Clone, Debug)]
pub struct Leg {
    kind: Kind,
    profile: Arc<MediaProfile>,
    local: Local,
    sections: Vec<Section>,
    index: usize,
    bundled: bool,
    /// The number of each payload type that either side has given: it must not change (RFC 3264 section 8.3.2).
    numbers: Vec<PayloadType>,
    /// In our last description; after an answer only what is in both.
    described: Vec<PayloadType>,
    direction: Direction,
    /// The packet time that we last asked for, in milliseconds.
    ptime: u8,
    /// Of the audio, and of video that is bundled with it.
    transport: Transport,
    /// The payload types of our last offer. They are kept: with a forked INVITE several answers may come.
    on_offer: Vec<PayloadType>,
    remote: Option<RemoteMedia>,
    /// The ports of its own that video has, as advertised.
    video_addresses: Option<LegAddresses>,
    video: Option<Box<Video>>,
}

impl Leg {
    /// A leg that nothing was said about yet.
    pub fn new(
        kind: Kind,
        profile: Arc<MediaProfile>,
        addresses: LegAddresses,
        fingerprint: [u8; 32],
        random: Random<'_>,
    ) -> Leg {
        let mid = (kind == Kind::WebRtc).then(|| "0".to_owned());
        let section = Section {
            media: "audio".to_owned(),
            protocol: kind.protocol().to_owned(),
            formats: String::new(),
            mid,
            rejected: false,
        };
        Leg {
            kind,
            profile,
            local: Local::new(addresses, fingerprint, random),
            sections: vec![section],
            index: 0,
            bundled: kind == Kind::WebRtc,
            numbers: Vec::new(),
            described: Vec::new(),
            direction: Direction::SendRecv,
            ptime: audio::USUAL_PTIME_MS,
            transport: Transport::new(kind),
            on_offer: Vec::new(),
            remote: None,
            video_addresses: None,
            video: None,
        }
    }

    /// How it is transported.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Which way the peer wants its media to flow, by its last description.
    pub fn peer_direction(&self) -> Direction {
        self.remote.as_ref().map_or(Direction::SendRecv, |remote| remote.direction)
    }

    /// Whether our last description says this direction of the far side, as far as the peer lets it.
    pub fn is_told(&self, far: Direction) -> bool {
        self.direction == far || self.direction == far.and(self.peer_direction().reversed())
    }

    /// Where the peer last said it is.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.transport.rtp_address()
    }

    /// Takes the peer's offer; [`Leg::write_answer`] follows.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`]; the leg must then be put back to what it was.
    pub fn receive_offer(&mut self, offer: &Description, random: Random<'_>) -> Result<(), SdpError> {
        let kind = Kind::of_offer(offer)?;
        if kind != self.kind {
            return not_acceptable("the protection of the media cannot change within a call");
        }
        let Some(audio) = &offer.audio else { return not_acceptable("the offer has no audio section") };
        // RFC 8839 section 4.4.1.1.1: other credentials than before restart ICE, and are answered with others.
        let before = self.transport.remote().and_then(|remote| remote.ice.as_ref());
        let restarted = before.is_some_and(|before| {
            audio.transport.ice.as_ref().is_some_and(|now| now.credentials != before.credentials)
        });
        if restarted {
            self.local.restart_ice(&mut *random);
        }
        self.transport.receive_offer(&audio.transport, &mut *random);
        self.sections = offer.sections.clone();
        self.index = audio.index;
        let mid = offer.sections.get(audio.index).and_then(|section| section.mid.as_ref());
        self.bundled = mid.is_some_and(|mid| offer.bundle.contains(mid));
        for payload in &audio.payloads {
            self.numbers.retain(|known| !is_same(known, payload) && known.number != payload.number);
            self.numbers.push(payload.clone());
        }
        self.remote = Some(audio.clone());
        self.receive_video_offer(offer, random);
        Ok(())
    }

    /// Writes the answer to the peer's last offer: one codec, so that neither side changes it in mid-call, and the
    /// telephone events and the comfort noise that go with it.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`] if the peer did not offer the codec.
    pub fn write_answer(&mut self, codec: CodecName, far: &FarSide) -> Result<Vec<u8>, SdpError> {
        self.described = self.chosen(codec, far)?;
        self.direction = far.direction.and(self.peer_direction().reversed());
        self.answer_video(far);
        Ok(self.write(far, false))
    }

    /// Writes an offer to the peer.
    pub fn write_offer(&mut self, codecs: &[CodecName], far: &FarSide, random: Random<'_>) -> Vec<u8> {
        self.transport.offer(&mut *random);
        let wanted = self.wanted(codecs, far);
        self.described = wanted.into_iter().map(|(codec, clock)| self.number(codec, clock)).collect();
        self.direction = far.direction;
        self.on_offer.clone_from(&self.described);
        self.offer_video(far, random);
        self.write(far, true)
    }

    /// Takes the peer's answer to our last offer.
    ///
    /// # Errors
    /// [`SdpError::NotAcceptable`] if the answer refuses the audio or leaves out what the offer needs.
    pub fn receive_answer(&mut self, answer: &Description) -> Result<(), SdpError> {
        let Some(audio) = answer.audio.as_ref().filter(|audio| audio.index == self.index) else {
            return not_acceptable("the answer refuses the audio or has no common codec");
        };
        // RFC 3264 section 6.1: from now on only what is in both descriptions is sent, either way.
        let is_answered = |ours: &&PayloadType| audio.payloads.iter().any(|theirs| is_same(theirs, ours));
        self.described = self.on_offer.iter().filter(is_answered).cloned().collect();
        if !self.described.iter().any(|payload| codecs::name_of(payload).is_some()) {
            return not_acceptable("no common codec");
        }
        self.transport.receive_answer(&audio.transport)?;
        let direction = will(self.direction, self.peer_direction(), audio.direction);
        self.remote = Some(RemoteMedia { direction, ..audio.clone() });
        self.receive_video_answer(answer);
        Ok(())
    }

    fn write(&mut self, far: &FarSide, is_offer: bool) -> Vec<u8> {
        let maxptime = self.longest_packets(far);
        self.ptime = self.packets_asked(far, maxptime);
        let (crypto, setup) = if is_offer { self.transport.offered() } else { self.transport.answered() };
        let mid = self.sections.get(self.index).and_then(|section| section.mid.as_deref());
        let audio = AudioContent {
            index: self.index,
            mid: mid.filter(|_| self.bundled),
            payloads: &self.described,
            direction: self.direction,
            ptime: self.ptime,
            maxptime,
            rtcp_mux: self.transport.rtcp_mux(),
            crypto,
            setup,
        };
        let video = self.video_content(is_offer);
        let text = self.local.text(&Content { sections: &self.sections, kind: self.kind, audio, video });
        self.local.keep(&text);
        text
    }

    /// The number that a coding has on this leg, given now if it had none.
    fn number(&mut self, codec: Codec, clock: u32) -> PayloadType {
        let known = self.numbers.iter().find(|known| known.codec.same_coding(codec) && known.clock == clock);
        if let Some(known) = known {
            return PayloadType { codec, ..known.clone() };
        }
        let is_free = |number: &u8| {
            self.numbers.iter().all(|known| known.number != *number)
                && self.video.as_ref().is_none_or(|video| !video.uses(*number))
        };
        let usual = codecs::usual_number(codec, clock);
        let number = std::iter::once(usual).chain(DYNAMIC).find(is_free).unwrap_or(usual);
        let payload = PayloadType { number, codec, clock };
        self.numbers.push(payload.clone());
        payload
    }

    /// The leg, as the dataplane shall have it.
    pub fn config(&self, latch: Latch) -> LegConfig {
        let Some(remote) = &self.remote else { return self.offered() };
        let Some(security) = self.transport.security() else { return LegConfig::idle() };
        LegConfig {
            security,
            ice: (self.kind == Kind::WebRtc).then(|| Ice {
                local: self.local.ice.clone(),
                remote: remote.transport.ice.as_ref().map(|ice| ice.credentials.clone()),
            }),
            rtcp_mux: self.transport.rtcp_mux(),
            remote: self.transport.address(),
            latch,
            audio: self.audio(remote),
            asymmetric: false,
            video: self.video_config(latch),
        }
    }

    /// The leg between our offer and the answer. RFC 8445 section 7.3: a browser's checks may come before its answer does,
    /// and are answered with our own credentials alone; a leg without them would make it wait for its next check.
    fn offered(&self) -> LegConfig {
        if self.kind != Kind::WebRtc || self.described.is_empty() {
            return LegConfig::idle();
        }
        LegConfig {
            security: Security::Dtls { role: DtlsRole::Server, fingerprints: Vec::new() },
            ice: Some(Ice { local: self.local.ice.clone(), remote: None }),
            rtcp_mux: true,
            ..LegConfig::idle()
        }
    }
}

/// RFC 3264 section 6.1: an answer has no more than the offer had. Of what that left out its writer says nothing, and
/// wants what it wanted before: an answer must not be read as a hold that outlives ours, nor as the end of its own.
fn will(offered: Direction, before: Direction, answered: Direction) -> Direction {
    let sends = if offered.receives() { answered.sends() } else { before.sends() };
    let receives = if offered.sends() { answered.receives() } else { before.receives() };
    Direction::new(sends, receives)
}

fn is_same(one: &PayloadType, other: &PayloadType) -> bool {
    one.codec.same_coding(other.codec) && one.clock == other.clock
}

#[cfg(test)]
mod tests;
