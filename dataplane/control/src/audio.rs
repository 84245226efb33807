//! The audio stream of a leg: its payload types and what is done with them.

#[cfg(doc)]
use crate::EventKind;
use serde::{Deserialize, Serialize};

/// The largest number of payload types in one direction of a leg.
pub const MAX_PAYLOAD_TYPES: usize = 16;

/// What becomes of the speech that a peer sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Treatment {
    /// It goes to the other side.
    #[default]
    Passed,
    /// The other side hears silence in the same coding and rhythm; where nobody here can make that, nothing.
    Silenced,
    /// It is dropped, and counted.
    Blocked,
}

/// The audio stream of a leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audio {
    /// What the peer may send, with the payload types of *our* description, in the order of preference.
    pub receive: Vec<PayloadType>,
    /// What we may send, with the payload types of the *peer's* description, in its order of preference.
    pub send: Vec<PayloadType>,
    /// Whether what the peer sends is taken (not on hold by us).
    pub may_receive: bool,
    /// Whether the peer wants to hear (not on hold by it).
    pub may_send: bool,
    /// The packet time in milliseconds that the peer wants, for what is encoded here: 10, 20, 30, 40 or 60; others
    /// become the next shorter one of these.
    pub ptime_ms: u8,
    /// What becomes of the speech that the peer sends.
    pub speech: Treatment,
    /// The telephone events (RFC 4733) that the peer sends are dropped, and counted.
    pub events_blocked: bool,
    /// What the peer sends is decoded and encoded anew, also where the other side takes the same coding, as far as
    /// its codec is one that can be.
    pub always_transcode: bool,
    /// How digits reach the peer.
    pub digits: Digits,
    /// Digits are also looked for in the peer's audio, which is decoded for that. One that is found is told as
    /// [`EventKind::Digit`], goes to the other side in that side's way, and its tone is taken out of the audio where
    /// that way is another than [`Digits::Tones`].
    pub detect_tones: bool,
    /// How Opus is encoded for the peer.
    pub opus: OpusEncoding,
    /// The SSRC of what is sent to the peer, where our description names it; 0: the dataplane draws one, once.
    pub ssrc: u32,
}

/// How digits reach a peer. Each key press reaches it exactly once, whatever way it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Digits {
    /// As telephone events (RFC 4733). To a peer that takes none nothing goes.
    #[default]
    Events,
    /// As tones in its audio.
    Tones,
    /// Not in the media: signaling hears of it by [`EventKind::Digit`] and tells the peer.
    Told,
}

/// How Opus is encoded. What the peer wants ([`OpusParameters`]) limits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpusEncoding {
    /// 0 (cheap) to 10.
    pub complexity: u8,
    /// The loss that is expected on the way to the peer, in percent: how much goes into in-band FEC.
    pub expected_loss: u8,
    /// Bits per second, 6000 to 510000; 0: what suits the bandwidth.
    pub bitrate: u32,
    /// Whether in-band FEC is sent to a peer that can use it.
    pub inband_fec: bool,
    /// Whether silence is left out for a peer that wants that.
    pub dtx: bool,
}

impl Default for OpusEncoding {
    fn default() -> OpusEncoding {
        OpusEncoding { complexity: 5, expected_loss: 0, bitrate: 0, inband_fec: true, dtx: true }
    }
}

impl Audio {
    /// The same payload types from the peer and to it, and nobody on hold.
    pub fn both_ways(types: Vec<PayloadType>) -> Audio {
        Audio { receive: types.clone(), send: types, may_receive: true, may_send: true, ..Audio::idle() }
    }

    /// Nothing, either way.
    pub fn idle() -> Audio {
        Audio {
            receive: Vec::new(),
            send: Vec::new(),
            may_receive: false,
            may_send: false,
            ptime_ms: 20,
            speech: Treatment::Passed,
            events_blocked: false,
            always_transcode: false,
            digits: Digits::Events,
            detect_tones: false,
            opus: OpusEncoding::default(),
            ssrc: 0,
        }
    }
}

/// One payload type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadType {
    /// Its number, 0 to 127.
    pub number: u8,
    /// What it carries.
    pub codec: Codec,
    /// Its RTP clock, in Hz.
    pub clock: u32,
}

/// What a payload type carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// Opus (RFC 7587), clock 48000.
    Opus(OpusParameters),
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722: sampled at 16 kHz, clock 8000 (RFC 3551 section 4.5.2).
    G722,
    /// G.729 with Annex A, clock 8000.
    G729,
    /// Speex (RFC 5574): the clock, 8000 or 16000, is the sampling rate; 32000 is forwarded only.
    Speex,
    /// Comfort noise (RFC 3389), clock 8000 or 16000.
    ComfortNoise,
    /// Telephone events (RFC 4733).
    TelephoneEvent,
    /// Any other coding, forwarded as it is. The number names it within the session: the same on both sides where
    /// it is the same coding.
    Other(u8),
}

/// What the receiver of an Opus stream wants (RFC 7587 section 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpusParameters {
    /// It can use in-band FEC (`useinbandfec=1`).
    pub inband_fec: bool,
    /// It prefers that silence is left out (`usedtx=1`).
    pub dtx: bool,
    /// The most bits per second (`maxaveragebitrate`); 0: no limit.
    pub max_bitrate: u32,
    /// The highest sampling rate that it can play, in Hz (`maxplaybackrate`).
    pub max_playback_rate: u32,
}

impl OpusParameters {
    /// What is so where a description says nothing (RFC 7587 section 6.1).
    pub const DEFAULT: OpusParameters =
        OpusParameters { inband_fec: false, dtx: false, max_bitrate: 0, max_playback_rate: 48_000 };
}

impl Default for OpusParameters {
    fn default() -> OpusParameters {
        OpusParameters::DEFAULT
    }
}

impl Codec {
    /// Opus with or without in-band FEC, and what RFC 7587 says by default.
    pub const fn opus(inband_fec: bool) -> Codec {
        Codec::Opus(OpusParameters { inband_fec, ..OpusParameters::DEFAULT })
    }

    /// Whether both are the same coding, whatever their parameters.
    pub fn same_coding(self, other: Codec) -> bool {
        match (self, other) {
            (Codec::Other(one), Codec::Other(two)) => one == two,
            _ => std::mem::discriminant(&self) == std::mem::discriminant(&other),
        }
    }
}
