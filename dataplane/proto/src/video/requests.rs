//! What one sender of video is asked for and told: packets that are missing, key frames, what arrived when, how much it
//! may send; each in a way that it understands.

use std::time::{Duration, Instant};

use tandem_control::VideoFeedback;

use super::arrivals::Arrivals;
use super::bitrate::Bitrate;
use super::extension::transport_sequence;
use super::feedback::{Author, Limit};
use super::key_frames::KeyFrames;
use super::limits::{MAX_FEEDBACK, MAX_HOLES, NOTIFICATION_INTERVAL};
use super::missing::Missing;
use crate::rtcp::Writer;

/// The requests to one sender. Its memory is taken when it is made.
#[derive(Debug)]
pub struct Requests {
    understands: VideoFeedback,
    missing: Missing,
    arrivals: Arrivals,
    /// The key frames that are asked for.
    pub key_frames: KeyFrames,
    /// How much it may send.
    pub bitrate: Bitrate,
    /// Its own request for a limit on what it is sent, which it is to be told is obeyed.
    obeyed: Option<Limit>,
    obeyed_at: Option<Instant>,
}

impl Requests {
    /// Nothing came yet from a sender that understands this feedback.
    pub fn new(now: Instant, understands: VideoFeedback) -> Requests {
        Requests {
            understands,
            missing: Missing::default(),
            arrivals: Arrivals::new(now),
            key_frames: KeyFrames::default(),
            bitrate: Bitrate::default(),
            obeyed: None,
            obeyed_at: None,
        }
    }

    /// The sender understands this from now on.
    pub fn configure(&mut self, understands: VideoFeedback) {
        if !understands.nack {
            self.missing.restart();
        }
        if !understands.tmmbr {
            self.obeyed = None;
        }
        self.understands = understands;
    }

    /// Whether what is missing is asked for, so that waiting for it is of use.
    pub fn asks_for_packets(&self) -> bool {
        self.understands.nack
    }

    /// The peer asks for a limit on what it is sent; returns whether that was agreed on. It is told that the limit is
    /// obeyed (RFC 5104 section 4.2.2.2).
    pub fn obeys(&mut self, requester: u32, limit: Limit) -> bool {
        if self.understands.tmmbr {
            self.obeyed = Some(limit.obeyed(requester));
        }
        self.understands.tmmbr
    }

    /// Writes behind what is in `writer` already which limit is obeyed, if that is due; returns whether it was.
    pub fn notify(&mut self, now: Instant, author: Author, writer: &mut Writer<'_>) -> bool {
        let is_due = self.notification_due(now).is_some_and(|due| due <= now);
        let Some(limit) = self.obeyed.take_if(|_| is_due) else { return false };
        self.obeyed_at = Some(now);
        author.obeys(writer, limit).is_some()
    }

    fn notification_due(&self, now: Instant) -> Option<Instant> {
        let earliest = self.obeyed_at.map_or(now, |at| at + NOTIFICATION_INTERVAL);
        self.obeyed.map(|_| earliest)
    }

    /// Whether the sender can be told how much it may send.
    fn can_be_limited(&self) -> bool {
        self.understands.remb || self.understands.tmmbr
    }

    /// Lost packets that were asked for, and came.
    pub fn repaired(&self) -> u64 {
        self.missing.repaired
    }

    /// A packet of any stream of the sender's came: RTP as it was sent.
    pub fn note(&mut self, now: Instant, packet: &[u8]) {
        if let Some(number) = self.understands.transport_cc.and_then(|id| transport_sequence(packet, id)) {
            self.arrivals.note(now, number);
        }
    }

    /// A packet of the pictures' stream came, sent again or not, with its extended sequence number. `is_fresh`: a new
    /// run of the stream begins with it.
    pub fn arrived(&mut self, now: Instant, index: u64, is_fresh: bool, begins_key_frame: bool) {
        if begins_key_frame {
            self.key_frames.arrived();
        }
        if !self.understands.nack {
            return;
        }
        if is_fresh {
            self.missing.restart();
        }
        if self.missing.arrived(now, index) {
            self.key_frames.want();
        }
    }

    /// Writes what is due behind what is in `writer` already; returns whether there was something. `round_trip` is that
    /// to the sender, if it is known.
    pub fn write(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        author: Author,
        writer: &mut Writer<'_>,
    ) -> bool {
        let before = writer.len();
        if self.missing.give_up(now) {
            // Whoever waits for the packet sees nothing new without a key frame.
            self.key_frames.want();
        }
        let (mut sequences, mut count) = ([0; MAX_HOLES], 0);
        self.missing.ask(now, round_trip, |sequence| {
            if let Some(slot) = sequences.get_mut(count) {
                *slot = sequence;
                count += 1;
            }
        });
        // What does not fit, which the limits exclude, is asked for again later: nothing is owed to anyone.
        if let Some(sequences) = sequences.get(..count).filter(|sequences| !sequences.is_empty()) {
            let _ = author.missing(writer, sequences);
        }
        if let Some(number) = self.key_frames.ask(now) {
            // RFC 5104 section 3.5.1 lets both be asked for; the loss of pictures is what happened.
            let _ = match self.understands {
                VideoFeedback { pli: true, .. } => author.picture_loss(writer),
                VideoFeedback { fir: true, .. } => author.full_intra(writer, number),
                _ => None,
            };
        }
        if let Some(bitrate) = self.can_be_limited().then(|| self.bitrate.tell(now)).flatten() {
            // Either is said again at intervals: a request that is lost needs no notification to be missed.
            let _ = match self.understands.remb {
                true => author.bitrate(writer, bitrate),
                false => author.limit(writer, bitrate),
            };
        }
        if self.arrivals.next_timeout(now).is_some_and(|due| due <= now) {
            let mut report = [0; MAX_FEEDBACK];
            if let Some(report) = self.arrivals.report(now, &mut report).and_then(|len| report.get(..len)) {
                let _ = author.arrivals(writer, report);
            }
        }
        writer.len() > before
    }

    /// When [`Requests::write`] or [`Requests::notify`] has something, if nothing comes before.
    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        let bitrate = self.bitrate.next_timeout(now).filter(|_| self.can_be_limited());
        let timeouts = [
            self.missing.next_timeout(),
            self.key_frames.next_timeout(now),
            bitrate,
            self.notification_due(now),
            self.arrivals.next_timeout(now),
        ];
        timeouts.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::feedback::Feedback;
    use super::super::limits::{ARRIVALS_INTERVAL, KEY_FRAME_INTERVAL, LONGEST_ASK};
    use super::*;
    use crate::rtcp::{Compound, Item};

    const AUTHOR: Author = Author { sender: 1, media: 2 };
    const NOTHING: VideoFeedback =
        VideoFeedback { nack: false, pli: false, fir: false, remb: false, tmmbr: false, transport_cc: None };
    const BROWSER: VideoFeedback =
        VideoFeedback { nack: true, pli: true, fir: true, remb: true, tmmbr: false, transport_cc: Some(3) };

    /// What is written now, by its names.
    fn written(requests: &mut Requests, now: Instant) -> Vec<&'static str> {
        let mut buffer = [0; MAX_FEEDBACK];
        let mut writer = Writer::new(&mut buffer);
        if !requests.write(now, None, AUTHOR, &mut writer) {
            return Vec::new();
        }
        let len = writer.len();
        let name = |item| match item {
            Item::Feedback(Feedback::Missing { .. }) => "NACK",
            Item::Feedback(Feedback::PictureLoss { .. }) => "PLI",
            Item::Feedback(Feedback::FullIntra { .. }) => "FIR",
            Item::Feedback(Feedback::Bitrate { .. }) => "REMB",
            Item::Feedback(Feedback::LimitRequest { .. }) => "TMMBR",
            Item::Other(205) => "arrivals",
            other => panic!("{other:?}"),
        };
        Compound::parse(&buffer[..len]).unwrap().map(name).collect()
    }

    /// A packet with transport-wide number 5 under id 3.
    fn numbered() -> Vec<u8> {
        let builder = rtp_types::RtpPacketBuilder::<&[u8], &[u8]>::new()
            .payload_type(96)
            .extension(0xbede, &[0x31, 0, 5, 0][..])
            .payload(&b"picture"[..]);
        builder.write_vec().unwrap()
    }

    /// One packet is missing, a key frame is wanted, and there is a limit.
    fn in_need(now: Instant, understands: VideoFeedback) -> Requests {
        let mut requests = Requests::new(now, understands);
        requests.note(now, &numbered());
        requests.arrived(now, 1, true, true);
        requests.arrived(now, 3, false, false);
        requests.key_frames.want();
        requests.bitrate.describe(500_000);
        requests
    }

    #[test]
    fn each_sender_is_told_what_it_understands() {
        let start = Instant::now();
        let now = start + Duration::from_millis(20);
        let mut requests = in_need(start, BROWSER);
        assert!(requests.next_timeout(start).unwrap() <= start);
        assert_eq!(written(&mut requests, now), ["NACK", "PLI", "REMB", "arrivals"]);
        assert!(written(&mut requests, now).is_empty());
        for (understands, expected) in [
            (NOTHING, &[][..]),
            (VideoFeedback { fir: true, ..NOTHING }, &["FIR"]),
            (VideoFeedback { nack: true, ..NOTHING }, &["NACK"]),
            (VideoFeedback { remb: true, ..NOTHING }, &["REMB"]),
            (VideoFeedback { tmmbr: true, ..NOTHING }, &["TMMBR"]),
            (VideoFeedback { tmmbr: true, remb: true, ..NOTHING }, &["REMB"]),
            (VideoFeedback { transport_cc: Some(4), ..NOTHING }, &[]),
        ] {
            assert_eq!(written(&mut in_need(start, understands), now), expected, "{understands:?}");
        }
    }

    #[test]
    fn everything_is_due_when_it_says() {
        let start = Instant::now();
        let mut requests = in_need(start, BROWSER);
        written(&mut requests, start + Duration::from_millis(20));
        requests.note(start, &numbered());
        let mut seen = Vec::new();
        let mut now = start;
        while let Some(due) = requests.next_timeout(now).filter(|due| *due < start + LONGEST_ASK * 2) {
            now = now.max(due);
            seen.extend(written(&mut requests, now));
            assert!(requests.next_timeout(now).is_none_or(|due| due > now), "nothing is due for ever");
        }
        assert!(seen.contains(&"NACK") && seen.contains(&"PLI") && seen.contains(&"REMB"), "{seen:?}");
        const { assert!(ARRIVALS_INTERVAL.as_millis() < KEY_FRAME_INTERVAL.as_millis()) };
    }

    #[test]
    fn what_cannot_be_repaired_makes_a_key_frame_needed() {
        let start = Instant::now();
        let mut requests = Requests::new(start, BROWSER);
        requests.arrived(start, 1, true, true);
        requests.arrived(start, 3, false, false);
        assert_eq!(written(&mut requests, start + LONGEST_ASK), ["PLI"]);
        requests.arrived(start, 3000, false, false);
        assert!(requests.key_frames.is_wanted());
        requests.arrived(start, 3001, false, true);
        assert!(!requests.key_frames.is_wanted());
    }
}
