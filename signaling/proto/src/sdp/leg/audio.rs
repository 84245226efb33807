//! What a leg describes of its audio, and what the dataplane is told of it.

use super::{FarVideo, Leg, is_same};
use crate::sdp::{Direction, Kind, RemoteMedia, SdpError, codecs, not_acceptable};
use crate::settings::{CodecName, PACKET_TIMES};
use tandem_control::{Audio, Codec, OpusParameters, PayloadType};

/// The packet time where nobody asks for another, in milliseconds (RFC 3551 section 4.2).
pub(super) const USUAL_PTIME_MS: u8 = 20;

/// What the far side of the call is like, as far as its description matters to this one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FarSide {
    /// Which way its media flows, as it sees that.
    pub direction: Direction,
    /// Its `a=ptime`, in milliseconds.
    pub ptime: Option<u8>,
    /// Its `a=maxptime`, in milliseconds.
    pub maxptime: Option<u8>,
    /// What it wants of an Opus stream, where it has Opus.
    pub opus: Option<OpusParameters>,
    /// The highest sampling rate of its codecs in Hz, once it described any.
    pub sampling_rate: Option<u32>,
    /// Its video, if it wants any.
    pub video: Option<FarVideo>,
}

impl Leg {
    /// The codecs that it may have at all, in the order of preference.
    pub fn allowed(&self) -> &[CodecName] {
        &self.profile.codecs
    }

    /// The codecs of the peer's last description that it may have, in the peer's order.
    pub fn codecs(&self) -> Vec<CodecName> {
        self.peer_payloads()
            .filter_map(codecs::name_of)
            .filter(|codec| self.allowed().contains(codec))
            .collect()
    }

    /// This leg, as the other side of the call has to know it.
    pub fn far_side(&self) -> FarSide {
        let Some(remote) = &self.remote else { return FarSide::default() };
        let codecs = self.codecs();
        let opus = self.peer_payloads().find_map(|payload| match payload.codec {
            Codec::Opus(parameters) if codecs.contains(&CodecName::Opus) => Some(parameters),
            _ => None,
        });
        FarSide {
            direction: remote.direction,
            ptime: remote.ptime,
            maxptime: remote.maxptime,
            opus,
            sampling_rate: codecs.iter().map(|codec| codec.sampling_rate()).max(),
            video: self.far_video(),
        }
    }

    /// Whether both descriptions have telephone events.
    pub fn has_events(&self) -> bool {
        let is_event = |payload: &PayloadType| payload.codec == Codec::TelephoneEvent;
        self.sent().any(is_event)
    }

    /// Whether streams to the far side must be packed anew because a packet time is configured and the peer is asked for
    /// another one than `far` wants.
    pub fn repacks_for(&self, far: &Leg) -> bool {
        let is_configured = self.profile.ptime.is_some() || far.profile.ptime.is_some();
        is_configured && self.ptime != far.packets_sent()
    }

    fn peer_payloads(&self) -> impl Iterator<Item = &PayloadType> {
        self.remote.iter().flat_map(|remote| &remote.payloads)
    }

    /// What of the peer's description is in ours too.
    fn sent(&self) -> impl Iterator<Item = &PayloadType> {
        self.peer_payloads().filter(|theirs| self.described.iter().any(|ours| is_same(ours, theirs)))
    }

    /// What we want of an Opus stream: what the far side wants where it may be the one that hears it, else what is
    /// configured, at no higher a rate than the far side hears (RFC 7587 section 6.1).
    fn opus(&self, far: &FarSide) -> OpusParameters {
        far.opus.unwrap_or(OpusParameters {
            inband_fec: self.profile.opus.inband_fec,
            dtx: self.profile.opus.dtx,
            max_bitrate: self.profile.opus.bitrate,
            max_playback_rate: far.sampling_rate.unwrap_or(OpusParameters::DEFAULT.max_playback_rate),
        })
    }

    /// What an offer has: the codecs, and telephone events for each of their clocks (RFC 4733 section 2.1).
    pub(super) fn wanted(&self, codecs: &[CodecName], far: &FarSide) -> Vec<(Codec, u32)> {
        let opus = self.opus(far);
        let speech: Vec<(Codec, u32)> = codecs.iter().map(|codec| codecs::coding_of(*codec, opus)).collect();
        let mut clocks: Vec<u32> = speech.iter().map(|(_, clock)| *clock).collect();
        clocks.sort_unstable();
        clocks.dedup();
        let noise =
            (self.profile.comfort_noise && clocks.contains(&8_000)).then_some((Codec::ComfortNoise, 8_000));
        let events = clocks.into_iter().map(|clock| (Codec::TelephoneEvent, clock));
        speech.into_iter().chain(noise).chain(events).collect()
    }

    /// What an answer has, with the peer's numbers.
    pub(super) fn chosen(&self, codec: CodecName, far: &FarSide) -> Result<Vec<PayloadType>, SdpError> {
        let speech = self.peer_payloads().find(|payload| codecs::name_of(payload) == Some(codec));
        let Some(speech) = speech else { return not_acceptable("no common codec") };
        let (coding, clock) = codecs::coding_of(codec, self.opus(far));
        let speech = PayloadType { codec: coding, ..speech.clone() };
        let events = || self.peer_payloads().filter(|payload| payload.codec == Codec::TelephoneEvent);
        let event = events().find(|event| event.clock == clock).or_else(|| events().next());
        let is_noise =
            |payload: &&PayloadType| payload.codec == Codec::ComfortNoise && payload.clock == clock;
        let noise = self.peer_payloads().find(is_noise).filter(|_| self.profile.comfort_noise);
        Ok(std::iter::once(speech).chain(noise.cloned()).chain(event.cloned()).collect())
    }

    /// The `a=maxptime` that the peer is told, in milliseconds.
    pub(super) fn longest_packets(&self, far: &FarSide) -> Option<u8> {
        self.profile.maxptime.into_iter().chain(far.maxptime).min()
    }

    /// The `a=ptime` that the peer is told, in milliseconds.
    pub(super) fn packets_asked(&self, far: &FarSide, maxptime: Option<u8>) -> u8 {
        let wanted = self.profile.ptime.or(far.ptime).unwrap_or(USUAL_PTIME_MS);
        wanted.min(maxptime.unwrap_or(u8::MAX))
    }

    /// The packet time that the peer is sent, in milliseconds: what it asks for, as far as it can be made.
    pub(super) fn packets_sent(&self) -> u8 {
        let (ptime, maxptime) = self.remote.as_ref().map_or((None, None), |each| (each.ptime, each.maxptime));
        let wanted = ptime.or(self.profile.ptime).unwrap_or(USUAL_PTIME_MS);
        let wanted = wanted.min(maxptime.unwrap_or(u8::MAX));
        let [shortest, ..] = PACKET_TIMES;
        PACKET_TIMES.into_iter().rfind(|each| *each <= wanted).unwrap_or(shortest)
    }

    /// The audio, as far as this side alone decides it.
    pub(super) fn audio(&self, remote: &RemoteMedia) -> Audio {
        let peer = remote.direction;
        Audio {
            receive: self.described.clone(),
            send: self.sent().cloned().collect(),
            may_receive: self.direction.receives() && peer.sends(),
            may_send: self.direction.sends() && peer.receives(),
            ptime_ms: self.packets_sent(),
            opus: self.profile.opus,
            ssrc: if self.kind == Kind::WebRtc { self.local.ssrc } else { 0 },
            ..Audio::idle()
        }
    }
}

#[cfg(test)]
mod tests;
