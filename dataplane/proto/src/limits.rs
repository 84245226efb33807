//! Every bound of the media core in one place.

use std::time::Duration;

/// Bytes of the largest datagram that is handled; longer ones are dropped.
pub const MAX_DATAGRAM: usize = 1500;
/// Bytes that must be free behind a datagram in its buffer, for the SRTP trailer.
pub const TAILROOM: usize = 64;
/// Bytes by which silence may be longer than the speech that it replaces.
pub const SILENCE_ROOM: usize = 32;
/// RTP and RTCP packets a second that one leg may receive, and how many may come at once. Audio in packets of
/// 10 ms takes 100.
pub const MAX_PACKETS_PER_SECOND: u32 = 300;
/// Bytes a second that one leg may receive, and how many may come at once. Opus takes 64,000 at the very most, linear
/// stereo at 48 kHz, which may be forwarded, 192,000 and its headers.
pub const MAX_BYTES_PER_SECOND: u32 = 240_000;
/// The same for video, beside the audio: 15 Mbit/s, which is more than any browser sends.
pub const MAX_VIDEO_PACKETS_PER_SECOND: u32 = 2_000;
/// See [`MAX_VIDEO_PACKETS_PER_SECOND`].
pub const MAX_VIDEO_BYTES_PER_SECOND: u32 = 1_900_000;
/// How long after its configuration a leg with [`tandem_control::Latch::Any`] takes an unknown source.
pub const LATCH_WINDOW: Duration = Duration::from_secs(15);
/// How long the latched source of a leg with [`tandem_control::Latch::Handover`] must have been silent before another
/// one may take its place.
pub const HANDOVER_SILENCE: Duration = Duration::from_millis(500);
/// Consecutive packets that an unknown source must send in the clear before it is latched (RFC 3550 appendix A.1
/// calls it MIN_SEQUENTIAL): spraying one packet at each port gains nothing.
pub const LATCH_PROBATION: u8 = 2;
/// Events that wait for [`crate::session::Session::poll_event`]; further ones are lost.
pub const MAX_EVENTS: usize = 32;
/// Report blocks that are read from one RTCP report (RFC 3550 section 6.4.1: a 5-bit count).
pub const MAX_REPORT_BLOCKS: usize = 31;
/// Bytes of the largest RTCP packet written here, trailer not included.
pub const MAX_RTCP: usize = 256;
/// The mean time between two RTCP packets of one leg, before randomisation (RFC 3550 section 6.2).
pub const RTCP_INTERVAL: Duration = Duration::from_secs(5);
/// The same of a leg's video. RFC 3550 section 6.2 lets it be 360 divided by the kilobits a second of the session; a
/// receiver plays sound and picture together only from the first reports on.
pub const VIDEO_RTCP_INTERVAL: Duration = Duration::from_secs(1);
/// A forward jump of the sequence number from which a stream counts as restarted (RFC 3550 appendix A.1).
pub const MAX_DROPOUT: u16 = 3000;
/// How far behind the newest packet a late one may be (RFC 3550 appendix A.1).
pub const MAX_MISORDER: u16 = 100;
/// The same for video: what was sent again comes a round trip later, in which a thousand packets may come.
pub const MAX_VIDEO_MISORDER: u16 = 1000;
/// How far a time stamp may lie from the expected one before the time line is started anew.
pub const TIMESTAMP_JUMP: Duration = Duration::from_secs(3);
/// Packets held back behind a gap before it counts as loss, in transcoding.
pub const REORDER_DEPTH: usize = 2;
/// How long a packet is held back behind a gap, in transcoding.
pub const REORDER_WAIT: Duration = Duration::from_millis(40);
/// How much lost audio is concealed in one piece; a longer gap stays silent.
pub const MAX_CONCEALMENT: Duration = Duration::from_millis(120);
/// Digits that wait to be played towards one peer.
pub const MAX_QUEUED_DIGITS: usize = 32;
/// How much longer than was told a key that is held may sound, without news of it.
pub const OPEN_TONE_AHEAD: Duration = Duration::from_millis(120);
/// How many times the last packet of a telephone event is sent (RFC 4733 section 2.5.1.4).
pub const DIGIT_END_PACKETS: u8 = 3;
/// A telephone event without news for this long has ended although its end was lost.
pub const DIGIT_SILENCE: Duration = Duration::from_millis(500);
/// How long a telephone event may have lasted by its first packet that comes, some lost before it included.
pub const LONGEST_FIRST: Duration = Duration::from_millis(100);
/// For how long comfort noise is made without news of it.
pub const LONGEST_NOISE: Duration = Duration::from_secs(60);
/// Samples of noise that may be missing when speech comes: 40 ms at 8 kHz.
pub const NOISE_BEFORE_SPEECH: usize = 320;
/// The rate at which tones and noise are made for a peer with Opus, where nothing else asks for one, in Hz.
pub const TONE_RATE: u32 = 8000;
/// Digits that were found in the audio of one leg and not yet told.
pub const MAX_FOUND_DIGITS: usize = 8;
/// The length of a digit that may be played, in milliseconds.
pub const DIGIT_MS: std::ops::RangeInclusive<u16> = 40..=6000;
/// The packet times that are encoded, in milliseconds.
pub const PTIME_MS: std::ops::RangeInclusive<u8> = 10..=60;
/// The longest packet that is decoded.
pub const MAX_PACKET_TIME: Duration = Duration::from_millis(200);
/// How far the time stamps of two packets in sequence may overlap; further back the time line is started anew.
pub const MAX_OVERLAP: Duration = Duration::from_millis(500);
/// The longest that a packet waits in a jitter buffer.
pub const MAX_PLAYOUT_DELAY: Duration = Duration::from_millis(400);
/// Packets that wait in one jitter buffer: those of 10 ms in its longest delay.
pub const JITTER_PACKETS: usize = 40;
/// The clock of a room: a part of every packet time.
pub const ROOM_TICK: Duration = Duration::from_millis(10);
/// How many may be in one room: what a worker decodes, mixes and encodes in one go.
pub const MAX_ROOM_MEMBERS: usize = 64;

const _: () = assert!(TAILROOM >= SILENCE_ROOM + crate::srtp::MAX_TRAILER);
const _: () = assert!(MAX_RTCP + TAILROOM <= MAX_DATAGRAM);
const _: () = assert!(MAX_BYTES_PER_SECOND as usize > MAX_DATAGRAM);
