//! Every bound of announcements and recordings in one place.

use std::time::Duration;

/// Requests that wait for the thread.
pub const REQUEST_QUEUE: usize = 256;
/// What is played at once, over all workers.
pub const MAX_PLAYERS: usize = 1024;
/// Recordings at once, over all workers. One of a telephone call costs the thread 0.5 % of a core as Ogg/Opus (0.1 % as
/// WAV), one of a costly codec twice that.
pub const MAX_RECORDINGS: usize = 128;
/// Bytes of the largest file that is played: ten minutes of linear PCM at 16 kHz.
pub const MAX_ANNOUNCEMENT: u64 = 20 * 1024 * 1024;
/// Bytes of all files that are being played. One that is played to many is in memory once.
pub const MAX_LOADED: u64 = 256 * 1024 * 1024;
/// Bytes of the largest recording; the sizes in a WAV file have 32 bits.
pub const MAX_RECORDING: u64 = 2 * 1024 * 1024 * 1024;
/// How much is decoded ahead of what is heard.
pub const AHEAD: Duration = Duration::from_millis(500);
/// How often what has been heard of it is filled up.
pub const FILL_INTERVAL: Duration = Duration::from_millis(100);
/// Packets of a file that are read before others have their turn.
pub const READS_IN_A_ROW: u32 = 64;
/// The shortest sound that is repeated: a shorter one would be begun anew all the time.
pub const SHORTEST_REPEATED: Duration = Duration::from_millis(20);
/// Bytes of the queue of packets from a session to its recording: more than a second of the largest streams that a leg
/// may receive, several of G.711.
pub const PACKET_QUEUE: usize = 256 * 1024;
/// Of them, those that only a pause or its end may use.
pub const MARK_ROOM: usize = 1024;
/// How often the packets of a recording are looked at.
pub const RECORD_INTERVAL: Duration = Duration::from_millis(50);
/// How long a recording waits for packets that are late.
pub const LATEST_PACKET: Duration = Duration::from_millis(200);
/// How far what is encoded stays behind what is heard: [`LATEST_PACKET`], and the longest packet.
pub const RECORDING_DELAY: Duration = Duration::from_millis(320);
/// How often what is encoded goes into the file. With the delay and the interval it is there within a second.
pub const WRITE_INTERVAL: Duration = Duration::from_millis(500);
/// Packets of one side that wait for their turn.
pub const MAX_WAITING: usize = 64;

const _: () = assert!(MARK_ROOM < PACKET_QUEUE);
const _: () = assert!(
    RECORDING_DELAY.as_millis() + WRITE_INTERVAL.as_millis() + 2 * RECORD_INTERVAL.as_millis() < 1000,
    "what was heard a second ago is in the file"
);
const _: () = assert!(MAX_RECORDING < u32::MAX as u64);
