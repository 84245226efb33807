//! How the media of one side of a call is described: telephones and providers on one side, browsers on the other.

use std::time::Duration;
use tandem_control::OpusEncoding;

/// The packet times that can be configured, in milliseconds.
pub const PACKET_TIMES: [u8; 5] = [10, 20, 30, 40, 60];

/// A codec as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodecName {
    /// Opus.
    Opus,
    /// G.722.
    G722,
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.729 with Annex A, without Annex B.
    G729,
    /// Speex at 16 kHz.
    SpeexWide,
    /// Speex at 8 kHz.
    SpeexNarrow,
}

impl CodecName {
    /// Every codec, with the name that it has in the configuration file.
    pub const ALL: [(&'static str, CodecName); 7] = [
        ("opus", CodecName::Opus),
        ("G722", CodecName::G722),
        ("PCMU", CodecName::Pcmu),
        ("PCMA", CodecName::Pcma),
        ("G729", CodecName::G729),
        ("speex/16000", CodecName::SpeexWide),
        ("speex/8000", CodecName::SpeexNarrow),
    ];

    /// Its encoding name (RFC 8866 section 6.6), in lower case.
    pub fn encoding(self) -> &'static str {
        match self {
            CodecName::Opus => "opus",
            CodecName::G722 => "g722",
            CodecName::Pcmu => "pcmu",
            CodecName::Pcma => "pcma",
            CodecName::G729 => "g729",
            CodecName::SpeexWide | CodecName::SpeexNarrow => "speex",
        }
    }

    /// The sampling rate of its speech, in Hz; for Opus the highest.
    pub fn sampling_rate(self) -> u32 {
        match self {
            CodecName::Opus => 48_000,
            CodecName::G722 | CodecName::SpeexWide => 16_000,
            CodecName::Pcmu | CodecName::Pcma | CodecName::G729 | CodecName::SpeexNarrow => 8_000,
        }
    }
}

/// A video codec as configured. Video is forwarded, never transcoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCodecName {
    /// H.264.
    H264,
    /// VP8.
    Vp8,
}

impl VideoCodecName {
    /// Every codec, with the name that it has in the configuration file.
    pub const ALL: [(&'static str, VideoCodecName); 2] =
        [("H264", VideoCodecName::H264), ("VP8", VideoCodecName::Vp8)];
}

/// How the video of one side is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoProfile {
    /// The codecs that are switched on, in the order of preference; none: no video.
    pub codecs: Vec<VideoCodecName>,
    /// The most bits per second that this side is asked for, and is said to take; 0: no limit.
    pub max_bitrate: u32,
    /// Whether the parameter sets of H.264 are sent to this side again before each key frame that comes without them.
    pub repeat_parameter_sets: bool,
}

impl Default for VideoProfile {
    fn default() -> VideoProfile {
        let codecs = vec![VideoCodecName::H264, VideoCodecName::Vp8];
        VideoProfile { codecs, max_bitrate: 0, repeat_parameter_sets: true }
    }
}

/// How digits are sent to a party. From each party every way is understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtmfMethod {
    /// As telephone events where it described them; else by INFO where it allows that; else as tones.
    #[default]
    Auto,
    /// As telephone events (RFC 4733); as tones where it described none.
    Rfc4733,
    /// By SIP INFO.
    Info,
    /// As tones in its audio.
    Inband,
}

/// How the media of one side is described and made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaProfile {
    /// The codecs that are switched on, in the order of preference.
    pub codecs: Vec<CodecName>,
    /// Whether comfort noise (RFC 3389) is offered and accepted.
    pub comfort_noise: bool,
    /// The packet time that is asked for, and sent to who asks for none: one of [`PACKET_TIMES`]. `None`: what the far
    /// side of the call asks for, else 20 ms.
    pub ptime: Option<u8>,
    /// The longest packets that are accepted, in milliseconds; `None`: what the far side accepts.
    pub maxptime: Option<u8>,
    /// How digits are sent to this side.
    pub dtmf: DtmfMethod,
    /// How Opus is encoded for this side, and which of it this side is asked for.
    pub opus: OpusEncoding,
    /// Whether callers of this side hear a ring-back tone while the far side rings without early media.
    pub ring_back: bool,
    /// How long callers of this side hear the busy or congestion tone before they are refused; zero: not at all.
    pub failure_tone: Duration,
    /// What those hear whom this side puts on hold, in the place of what it sends: a file of announcements. `None`: what
    /// it sends.
    pub hold_music: Option<String>,
    /// The video.
    pub video: VideoProfile,
}

impl Default for MediaProfile {
    fn default() -> MediaProfile {
        MediaProfile {
            codecs: vec![CodecName::Opus, CodecName::G722, CodecName::Pcmu, CodecName::Pcma],
            comfort_noise: false,
            ptime: None,
            maxptime: None,
            dtmf: DtmfMethod::Auto,
            opus: OpusEncoding::default(),
            ring_back: false,
            failure_tone: Duration::ZERO,
            hold_music: None,
            video: VideoProfile::default(),
        }
    }
}
