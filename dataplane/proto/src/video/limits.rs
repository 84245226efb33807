//! Every bound of the repair of video in one place.

use std::time::Duration;

/// Parameter sets that are kept of one stream, and bytes of the longest one.
pub const MAX_PARAMETER_SETS: usize = 6;
/// See [`MAX_PARAMETER_SETS`]: all of them fit one packet.
pub const MAX_PARAMETER_SET: usize = 160;
/// Packets and bytes that are kept of one stream for being sent again: a second of 2 Mbit/s.
pub const STORED_PACKETS: usize = 512;
/// See [`STORED_PACKETS`].
pub const STORED_BYTES: usize = 256 * 1024;
/// Packets that wait behind a gap for a receiver that asks for nothing again.
pub const HELD_PACKETS: usize = 128;
/// How long a packet waits behind a gap. A phone shows its pictures so much later at the worst.
pub const LONGEST_HOLD: Duration = Duration::from_millis(250);
/// Lost packets of one stream that are asked for. More of them are beyond repair: a key frame is asked for instead.
pub const MAX_HOLES: usize = 128;
/// How often a lost packet is asked for, and how old it may be.
pub const MAX_ASKS: u8 = 10;
/// See [`MAX_ASKS`].
pub const LONGEST_ASK: Duration = Duration::from_millis(1000);
/// How long a packet may be late before it is asked for: those that only changed places come by themselves.
pub const REORDER_PATIENCE: Duration = Duration::from_millis(8);
/// The time between two requests for one packet, and between two answers with it, where no round trip is known and
/// at least.
pub const SHORTEST_ASK: Duration = Duration::from_millis(20);
/// The same where the round trip is not known yet.
pub const FIRST_ASK: Duration = Duration::from_millis(100);
/// Packets that one RTCP packet may have sent again, and bytes a second of that for one stream.
pub const MAX_RESENT: usize = 128;
/// See [`MAX_RESENT`].
pub const RESENT_BYTES_PER_SECOND: usize = 250_000;
/// The time between two requests for a key frame: less would only make the sender's rate worse (RFC 5104 section
/// 4.3.1.2 lets a sender wait between two).
pub const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(300);
/// How often a key frame is asked for until somebody wants one anew.
pub const MAX_KEY_FRAME_ASKS: u8 = 10;
/// Time between two reports of arrivals (transport-wide-cc), and packets that are reported at once.
pub const ARRIVALS_INTERVAL: Duration = Duration::from_millis(100);
/// See [`ARRIVALS_INTERVAL`].
pub const MAX_ARRIVALS: usize = 128;
/// Time between two messages that tell a sender how much it may send.
pub const BITRATE_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two notifications that a peer's limit is obeyed (TMMBN): of several requests in between the last counts.
pub const NOTIFICATION_INTERVAL: Duration = Duration::from_millis(100);
/// How long what a receiver said of its line is believed.
pub const BITRATE_MEMORY: Duration = Duration::from_secs(10);
/// The least that a sender is told to send, in bits a second: below that there is no picture.
pub const LEAST_BITRATE: u32 = 50_000;
/// Time between two events that tell of the size of one peer's pictures.
pub const PICTURE_SIZE_INTERVAL: Duration = Duration::from_secs(1);
/// Macroblocks of 16 pixels that lie along one edge of the largest picture of the highest level of H.264: the square
/// root of eight times its MaxFS (ITU-T H.264 section A.3.1). VP8 has 14 bits for the pixels, which is less.
pub const MAX_MACROBLOCKS: u16 = 1055;
/// Bytes of the largest RTCP packet with feedback written here, trailer not included.
pub const MAX_FEEDBACK: usize = 768;

const _: () = assert!(STORED_PACKETS.is_power_of_two() && HELD_PACKETS.is_power_of_two());
const _: () = assert!(1 + MAX_PARAMETER_SETS * (2 + MAX_PARAMETER_SET) < 1200);
// Sixteen bits may be asked for by each entry of a NACK beside its first.
const _: () = assert!(MAX_HOLES * 4 < MAX_FEEDBACK - 128);
