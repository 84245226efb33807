//! What is known of the stream that a peer sends: order, loss and jitter (RFC 3550 appendix A).

use std::time::Instant;

use crate::drops::DropReason;
use crate::limits::{MAX_DROPOUT, MAX_MISORDER, MAX_VIDEO_MISORDER};
use crate::rtp::Header;

/// Where a packet stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its sequence number, extended over roll-overs; comparable within one run of the stream.
    pub(crate) index: u64,
    /// Whether it is the newest so far.
    pub(crate) newest: bool,
    /// Whether a new run begins with it: another SSRC, or a restart. Indexes of before mean nothing now.
    pub(crate) fresh: bool,
    /// Whether packets before it are missing.
    pub(crate) skipped: bool,
}

/// What a reception report tells (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reported {
    /// The source.
    pub(crate) ssrc: u32,
    /// Lost since the report before, in 1/256.
    pub(crate) fraction_lost: u8,
    /// Lost in all.
    pub(crate) lost: u32,
    /// Extended highest sequence number.
    pub(crate) highest: u32,
    /// Jitter in units of the time stamp.
    pub(crate) jitter: u32,
}

/// Which of the newest packets have come.
pub(crate) trait Seen: Default {
    /// How far behind the newest packet a late one may be.
    const MISORDER: u16;

    /// A packet that is so far ahead of the newest one is it now.
    fn advance(&mut self, ahead: u16);

    /// Notes the packet so far behind the newest, at most [`Seen::MISORDER`]; `false` if it has come before.
    fn note(&mut self, behind: u16) -> bool;
}

impl Seen for u128 {
    const MISORDER: u16 = MAX_MISORDER;

    fn advance(&mut self, ahead: u16) {
        *self = self.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
    }

    fn note(&mut self, behind: u16) -> bool {
        let bit = 1u128.checked_shl(u32::from(behind)).unwrap_or(0);
        let is_new = *self & bit == 0;
        *self |= bit;
        is_new
    }
}

/// Of video, where many packets come before one that was sent again.
#[derive(Debug)]
pub(crate) struct SeenVideo {
    bits: [u64; SeenVideo::WORDS],
    /// Where the newest packet stands in this ring of bits.
    newest: usize,
}

impl SeenVideo {
    const WORDS: usize = 16;
    const BITS: usize = Self::WORDS * 64;

    fn bit(place: usize) -> (usize, u64) {
        (place / 64 % Self::WORDS, 1 << (place % 64))
    }
}

impl Default for SeenVideo {
    fn default() -> SeenVideo {
        SeenVideo { bits: [0; Self::WORDS], newest: 0 }
    }
}

impl Seen for SeenVideo {
    const MISORDER: u16 = MAX_VIDEO_MISORDER;

    fn advance(&mut self, ahead: u16) {
        for _ in 0..usize::from(ahead).min(Self::BITS) {
            self.newest = (self.newest + 1) % Self::BITS;
            let (word, bit) = Self::bit(self.newest);
            self.bits[word] &= !bit;
        }
        self.note(0);
    }

    fn note(&mut self, behind: u16) -> bool {
        let (word, bit) = Self::bit(self.newest + Self::BITS - usize::from(behind) % Self::BITS);
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        is_new
    }
}

const _: () = assert!(MAX_MISORDER < 128 && (MAX_VIDEO_MISORDER as usize) < SeenVideo::BITS);

/// The reception of a leg's audio.
pub(crate) type Reception = ReceptionOf<u128>;
/// The reception of a leg's video.
pub(crate) type VideoReception = ReceptionOf<SeenVideo>;

/// The reception of one stream at a time.
#[derive(Debug, Default)]
pub(crate) struct ReceptionOf<S> {
    stream: Option<Stream<S>>,
    /// Of the runs before: packets lost, and received.
    lost_before: u64,
    received_before: u64,
    /// How often one or more packets in a row were missing when the next one came.
    gaps: u64,
}

#[derive(Debug)]
struct Stream<S> {
    ssrc: u32,
    /// The first and the newest index of this run.
    base: u64,
    newest: u64,
    seen: S,
    received: u64,
    /// The sequence number that would confirm a restart.
    restart: Option<u16>,
    /// The transit time of the packet before, in units of the time stamp, and the clock it was taken with.
    transit: Option<(u32, u32)>,
    /// Jitter times 16 (RFC 3550 appendix A.8).
    jitter: u32,
    clock: u32,
    expected_prior: u64,
    received_prior: u64,
}

impl<S: Seen> Stream<S> {
    fn new(header: &Header) -> Stream<S> {
        let mut seen = S::default();
        seen.note(0);
        // One roll-over ahead, so that packets from before the first one have an index too.
        let base = 0x1_0000 + u64::from(header.sequence);
        Stream {
            ssrc: header.ssrc,
            base,
            newest: base,
            seen,
            received: 1,
            restart: None,
            transit: None,
            jitter: 0,
            clock: 0,
            expected_prior: 0,
            received_prior: 0,
        }
    }

    fn expected(&self) -> u64 {
        self.newest - self.base + 1
    }

    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// RFC 3550 appendix A.1, with a bit map that finds duplicates.
    fn place(&mut self, sequence: u16) -> Result<Place, DropReason> {
        let ahead = sequence.wrapping_sub(self.newest as u16);
        if (1..MAX_DROPOUT).contains(&ahead) {
            self.newest += u64::from(ahead);
            self.seen.advance(ahead);
        } else if ahead != 0 && ahead <= u16::MAX - S::MISORDER {
            return Err(DropReason::SequenceJump);
        }
        let behind = (self.newest as u16).wrapping_sub(sequence);
        let index = self.newest - u64::from(behind);
        if behind > 0 || ahead == 0 {
            if !self.seen.note(behind) {
                return Err(DropReason::Duplicate);
            }
            self.base = self.base.min(index);
        }
        self.received += 1;
        self.restart = None;
        let skipped = behind == 0 && ahead > 1;
        Ok(Place { index, newest: behind == 0, fresh: false, skipped })
    }

    /// RFC 3550 section 6.4.1; `arrival` in units of the time stamp.
    fn update_jitter(&mut self, arrival: u32, timestamp: u32, clock: u32) {
        self.clock = clock;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some((before, before_clock)) = self.transit
            && before_clock == clock
        {
            let difference = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            // A jump of the time line is no jitter.
            if difference < clock {
                self.jitter = self.jitter.saturating_add(difference).saturating_sub((self.jitter + 8) >> 4);
            }
        }
        self.transit = Some((transit, clock));
    }
}

impl<S: Seen> ReceptionOf<S> {
    /// Takes the header of an authentic packet. `epoch` is any fixed instant, `clock` that of the payload type;
    /// without one the packet counts but says nothing of jitter.
    ///
    /// # Errors
    /// [`DropReason::Duplicate`], or [`DropReason::SequenceJump`] for the first packet after a jump.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        epoch: Instant,
        header: &Header,
        clock: Option<u32>,
    ) -> Result<Place, DropReason> {
        let place = match &mut self.stream {
            Some(stream) if stream.ssrc == header.ssrc => match stream.place(header.sequence) {
                // RFC 3550 appendix A.1: two sequential packets make a restart.
                Err(DropReason::SequenceJump) if stream.restart == Some(header.sequence) => {
                    self.start(header)
                }
                Err(DropReason::SequenceJump) => {
                    stream.restart = Some(header.sequence.wrapping_add(1));
                    return Err(DropReason::SequenceJump);
                }
                placed => placed?,
            },
            _ => self.start(header),
        };
        self.gaps += u64::from(place.skipped);
        if let (Some(stream), Some(clock)) = (&mut self.stream, clock)
            && place.newest
        {
            let elapsed = now.saturating_duration_since(epoch).as_micros();
            let arrival = (elapsed * u128::from(clock) / 1_000_000) as u32;
            stream.update_jitter(arrival, header.timestamp, clock);
        }
        Ok(place)
    }

    fn start(&mut self, header: &Header) -> Place {
        self.forget();
        let stream = self.stream.insert(Stream::new(header));
        Place { index: stream.base, newest: true, fresh: true, skipped: false }
    }

    /// Ends the run: the source said BYE, or another peer takes its place.
    pub(crate) fn forget(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.lost_before += stream.lost();
            self.received_before += stream.received;
        }
    }

    /// Packets received in all runs.
    pub(crate) fn received(&self) -> u64 {
        self.received_before + self.stream.as_ref().map_or(0, |stream| stream.received)
    }

    /// How often packets were missing, one or more in a row, in all runs.
    pub(crate) fn gaps(&self) -> u64 {
        self.gaps
    }

    /// The SSRC that is heard, if a packet with that sequence number may still be missing of it.
    pub(crate) fn may_miss(&self, sequence: u16) -> Option<u32> {
        let stream = self.stream.as_ref()?;
        let behind = (stream.newest as u16).wrapping_sub(sequence);
        (1..=S::MISORDER).contains(&behind).then_some(stream.ssrc)
    }

    /// The SSRC that is heard.
    pub(crate) fn ssrc(&self) -> Option<u32> {
        self.stream.as_ref().map(|stream| stream.ssrc)
    }

    /// Packets lost in all runs.
    pub(crate) fn lost(&self) -> u32 {
        let lost = self.lost_before + self.stream.as_ref().map_or(0, Stream::lost);
        u32::try_from(lost).unwrap_or(u32::MAX)
    }

    /// Jitter in microseconds.
    pub(crate) fn jitter_us(&self) -> u32 {
        self.stream.as_ref().filter(|stream| stream.clock > 0).map_or(0, |stream| {
            let jitter = u64::from(stream.jitter >> 4) * 1_000_000 / u64::from(stream.clock);
            u32::try_from(jitter).unwrap_or(u32::MAX)
        })
    }

    /// What the next report tells (RFC 3550 appendix A.3); starts a new interval.
    pub(crate) fn report(&mut self) -> Option<Reported> {
        let stream = self.stream.as_mut()?;
        let expected = stream.expected() - stream.expected_prior.min(stream.expected());
        let received = stream.received - stream.received_prior.min(stream.received);
        stream.expected_prior = stream.expected();
        stream.received_prior = stream.received;
        let fraction = expected.saturating_sub(received) * 256 / expected.max(1);
        Some(Reported {
            ssrc: stream.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: u32::try_from(stream.lost().min(0x7f_ffff)).unwrap_or(0x7f_ffff),
            highest: (stream.newest - 0x1_0000) as u32,
            jitter: stream.jitter >> 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn header(ssrc: u32, sequence: u16) -> Header {
        Header { marker: false, payload_type: 0, sequence, timestamp: u32::from(sequence) * 160, ssrc }
    }

    fn receive(reception: &mut Reception, sequence: u16) -> Result<Place, DropReason> {
        let now = Instant::now();
        reception.receive(now, now, &header(1, sequence), Some(8000))
    }

    #[test]
    fn order_duplicates_and_roll_over() {
        let mut reception = Reception::default();
        let first = receive(&mut reception, 65_534).unwrap();
        assert!(first.fresh && first.newest);
        let next = receive(&mut reception, 1).unwrap();
        assert_eq!(next, Place { index: first.index + 3, newest: true, fresh: false, skipped: true });
        assert_eq!(reception.lost(), 2);
        let late = receive(&mut reception, 65_535).unwrap();
        assert_eq!(late, Place { index: first.index + 1, newest: false, fresh: false, skipped: false });
        assert_eq!((reception.gaps(), reception.received()), (1, 3));
        for again in [65_534, 65_535, 1] {
            assert_eq!(receive(&mut reception, again), Err(DropReason::Duplicate));
        }
        assert_eq!(reception.lost(), 1);
    }

    #[test]
    fn video_that_is_sent_again_has_its_place_after_a_thousand_packets() {
        let now = Instant::now();
        let mut reception = VideoReception::default();
        let mut receive = |sequence| reception.receive(now, now, &header(1, sequence), Some(90_000));
        let first = receive(60_000).unwrap();
        for sequence in (60_002..=u16::MAX).chain(0..0xe000) {
            let place = receive(sequence).unwrap();
            assert!(place.newest);
            if !(60_000..=61_001).contains(&sequence) {
                let again = sequence.wrapping_sub(MAX_VIDEO_MISORDER);
                assert_eq!(receive(again), Err(DropReason::Duplicate));
            }
            if sequence == 61_000 {
                let late = receive(60_001).unwrap();
                assert_eq!((late.index, late.newest), (first.index + 1, false));
            }
        }
        assert_eq!(receive(0xe000 - 2 - MAX_VIDEO_MISORDER), Err(DropReason::SequenceJump));
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn packets_from_before_the_first_are_placed_too() {
        let mut reception = Reception::default();
        let first = receive(&mut reception, 3).unwrap();
        let before = receive(&mut reception, 65_535).unwrap();
        assert_eq!(before.index, first.index - 4);
        assert_eq!(reception.lost(), 3);
    }

    #[test]
    fn a_jump_needs_a_second_packet_to_be_a_restart() {
        let mut reception = Reception::default();
        receive(&mut reception, 10).unwrap();
        assert_eq!(receive(&mut reception, 20_000), Err(DropReason::SequenceJump));
        assert!(!receive(&mut reception, 11).unwrap().fresh);
        assert_eq!(receive(&mut reception, 20_001), Err(DropReason::SequenceJump));
        assert!(receive(&mut reception, 20_002).unwrap().fresh);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn another_source_starts_anew_and_losses_add_up() {
        let now = Instant::now();
        let mut reception = Reception::default();
        receive(&mut reception, 10).unwrap();
        receive(&mut reception, 15).unwrap();
        let place = reception.receive(now, now, &header(2, 900), Some(8000)).unwrap();
        assert!(place.fresh);
        assert_eq!((reception.ssrc(), reception.lost()), (Some(2), 4));
    }

    #[test]
    fn reports_tell_the_loss_of_their_interval() {
        let mut reception = Reception::default();
        assert_eq!(reception.report(), None);
        for sequence in [100, 101, 103, 104] {
            receive(&mut reception, sequence).unwrap();
        }
        let report = reception.report().unwrap();
        assert_eq!((report.fraction_lost, report.lost, report.highest), (51, 1, 104));
        receive(&mut reception, 105).unwrap();
        let report = reception.report().unwrap();
        assert_eq!((report.fraction_lost, report.lost), (0, 1));
    }

    #[test]
    fn jitter_follows_the_rule_of_appendix_a_8() {
        let epoch = Instant::now();
        let mut reception = Reception::default();
        // Every other packet is 10 ms late: each transit differs by 80 units from the one before.
        for n in 0..200u16 {
            let late = u64::from(n % 2) * 10;
            let now = epoch + Duration::from_millis(u64::from(n) * 20 + late);
            reception.receive(now, epoch, &header(1, n), Some(8000)).unwrap();
        }
        let jitter = reception.jitter_us();
        assert!((9_000..=10_500).contains(&jitter), "{jitter}");
    }
}
