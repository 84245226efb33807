//! The RTCP of one leg: our own reports, and what the peer's tell.

use std::time::{Duration, Instant};

use crate::Now;
use crate::drops::DropReason;
use crate::output::Output;
use crate::reception::Reported;
use crate::rtcp::{self, Compound, Item, ReportBlock, SenderInfo, Writer};

/// RFC 3550 section 6.3.1: the compensation for a timer that converges below its mean.
const COMPENSATION: f64 = std::f64::consts::E - 1.5;
/// A round trip longer than this is a mistake of the peer.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(60);

/// RFC 7022 section 4.2: 96 random bits, sent as hexadecimal digits.
const CANONICAL_NAME_BYTES: usize = 12;

/// What the peer's last sender report told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SenderReport {
    /// Whose it was.
    pub(crate) ssrc: u32,
    /// One instant as an NTP time stamp, and on the time line of the stream.
    pub(crate) ntp: u64,
    pub(crate) rtp: u32,
    /// When it came.
    pub(crate) at: Instant,
}

/// The state of one stream of a leg, each way.
#[derive(Debug)]
pub(crate) struct Reports {
    due: Instant,
    /// What the peer knows us by.
    canonical_name: [u8; CANONICAL_NAME_BYTES],
    sender_report: Option<SenderReport>,
    pub(crate) round_trip: Option<Duration>,
    pub(crate) peer_fraction_lost: u8,
    /// Our packets that the peer has lost in all, by its last report; `None` before the first.
    pub(crate) peer_lost: Option<u32>,
    /// The jitter of our stream at the peer, in units of its time stamp.
    pub(crate) peer_jitter: u32,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// Bytes of what was sent, without what protects them.
    pub(crate) sent_bytes: u64,
}

impl Reports {
    /// A packet is due each `interval`, before randomisation.
    pub(crate) fn new(now: Instant, interval: Duration, random: &mut fastrand::Rng) -> Reports {
        // RFC 3550 section 6.2: half the interval before the first packet.
        let due = now + interval.mul_f64((0.5 + random.f64()) / COMPENSATION / 2.0);
        Reports {
            due,
            canonical_name: std::array::from_fn(|_| random.u8(..)),
            sender_report: None,
            round_trip: None,
            peer_fraction_lost: 0,
            peer_lost: None,
            peer_jitter: 0,
            received: 0,
            sent: 0,
            sent_bytes: 0,
        }
    }

    /// When the next packet is due.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Draws the time of the next packet (RFC 3550 section 6.3.1).
    pub(crate) fn schedule(&mut self, now: Instant, interval: Duration, random: &mut fastrand::Rng) {
        self.due = now + interval.mul_f64((0.5 + random.f64()) / COMPENSATION);
    }

    /// Takes what the peer reports. `ours` is the SSRC that we send, `theirs` the one that we hear. Returns
    /// whether the source that we hear said BYE.
    pub(crate) fn receive(
        &mut self,
        now: Now,
        packet: &[u8],
        ours: u32,
        theirs: Option<u32>,
    ) -> Result<bool, DropReason> {
        let compound = Compound::parse(packet)?;
        self.received += 1;
        let mut goodbye = false;
        for item in compound {
            match item {
                Item::SenderReport { ssrc, info, blocks } => {
                    // Streams that are bundled share their packets of RTCP.
                    if theirs.is_none_or(|theirs| theirs == ssrc) {
                        let SenderInfo { ntp, rtp, .. } = info;
                        self.sender_report = Some(SenderReport { ssrc, ntp, rtp, at: now.instant });
                    }
                    self.read_blocks(now, blocks, ours);
                }
                Item::ReceiverReport { blocks, .. } => self.read_blocks(now, blocks, ours),
                Item::Goodbye(mut sources) => goodbye |= sources.any(|source| Some(source) == theirs),
                Item::Feedback(_) | Item::Other(_) => {}
            }
        }
        Ok(goodbye)
    }

    fn read_blocks(&mut self, now: Now, blocks: rtcp::Blocks<'_>, ours: u32) {
        for block in blocks.filter(|block| block.ssrc == ours) {
            self.peer_fraction_lost = block.fraction_lost;
            // RFC 3550 section 6.4.1: a signed number of 24 bits, below zero where packets came twice.
            self.peer_lost = Some(if block.lost > 0x7f_ffff { 0 } else { block.lost });
            self.peer_jitter = block.jitter;
            if block.last_report == 0 {
                continue;
            }
            // RFC 3550 section 6.4.1: A - LSR - DLSR, in 1/65536 seconds.
            let arrival = rtcp::middle(rtcp::ntp(now.unix));
            let units = arrival.wrapping_sub(block.last_report).wrapping_sub(block.delay);
            let round_trip = Duration::from_micros(u64::from(units) * 1_000_000 / 65_536);
            if round_trip <= MAX_ROUND_TRIP {
                self.round_trip = Some(round_trip);
            }
        }
    }

    /// Knows of the sender what another leg was told that hears it.
    pub(crate) fn adopt(&mut self, other: &Reports) {
        self.sender_report = other.sender_report;
    }

    /// The last sender report of the source that we hear.
    pub(crate) fn sender_report(&self, theirs: u32) -> Option<&SenderReport> {
        self.sender_report.as_ref().filter(|report| report.ssrc == theirs)
    }

    /// Begins a compound packet that is sent out of turn: an empty report, the canonical name.
    pub(crate) fn open(&self, ssrc: u32, writer: &mut Writer<'_>) -> Option<()> {
        writer.report(ssrc, None, None)?;
        writer.canonical_name(ssrc, &hexadecimal(self.canonical_name))
    }

    /// A packet of so many bytes was sent out of turn.
    pub(crate) fn count(&mut self, len: usize) {
        self.sent += 1;
        self.sent_bytes += len as u64;
    }

    /// Writes a compound packet: a report, the canonical name, BYE at the end. Returns its length. `timestamp` is what
    /// the stream's time line has reached by now, where that is known better than by the packets that were sent.
    pub(crate) fn write(
        &mut self,
        now: Now,
        output: &mut Output,
        timestamp: Option<u32>,
        reported: Option<Reported>,
        goodbye: bool,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let block = reported.map(|reported| {
            let heard = self.sender_report(reported.ssrc);
            let delay = heard.map_or(Duration::ZERO, |heard| now.instant.saturating_duration_since(heard.at));
            ReportBlock {
                ssrc: reported.ssrc,
                fraction_lost: reported.fraction_lost,
                lost: reported.lost,
                highest: reported.highest,
                jitter: reported.jitter,
                last_report: heard.map_or(0, |heard| rtcp::middle(heard.ntp)),
                delay: u32::try_from(delay.as_micros() * 65_536 / 1_000_000).unwrap_or(u32::MAX),
            }
        });
        let mut writer = Writer::new(buffer);
        writer.report(output.ssrc(), output.report(now, timestamp), block)?;
        writer.canonical_name(output.ssrc(), &hexadecimal(self.canonical_name))?;
        if goodbye {
            writer.goodbye(output.ssrc())?;
        }
        self.count(writer.len());
        Some(writer.len())
    }
}

fn hexadecimal(bytes: [u8; CANONICAL_NAME_BYTES]) -> [u8; 2 * CANONICAL_NAME_BYTES] {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    let digits = bytes.map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    std::array::from_fn(|place| digits[place / 2][place % 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RTCP_INTERVAL;
    use crate::reception::Reception;
    use crate::rtp::Header;

    fn now(base: Instant, seconds: u64) -> Now {
        Now {
            instant: base + Duration::from_secs(seconds),
            unix: Duration::from_secs(1_700_000_000 + seconds),
        }
    }

    #[test]
    fn two_ends_learn_loss_and_round_trip_of_each_other() {
        let base = Instant::now();
        let mut random = fastrand::Rng::with_seed(1);
        let (mut ours, mut theirs) =
            (Reports::new(base, RTCP_INTERVAL, &mut random), Reports::new(base, RTCP_INTERVAL, &mut random));
        let (mut output, mut other) = (Output::new(&mut random), Output::new(&mut random));
        let (mut reception, mut nothing) = (Reception::default(), Reception::default());
        for index in [0u16, 1, 3, 4] {
            let header = output.header(output.next(), 0, 0, false);
            output.sent(base, &header, output.next(), 172);
            let header = Header { sequence: index, ..header };
            reception.receive(base, base, &header, Some(8000)).unwrap();
        }
        let mut buffer = [0; 128];
        let len = ours.write(now(base, 1), &mut output, None, nothing.report(), false, &mut buffer).unwrap();
        // Their report comes 2 seconds later, of which it waited 1 second at their side.
        assert_eq!(
            theirs.receive(now(base, 1), &buffer[..len], other.ssrc(), Some(output.ssrc())),
            Ok(false)
        );
        let len =
            theirs.write(now(base, 2), &mut other, None, reception.report(), true, &mut buffer).unwrap();
        assert_eq!(ours.receive(now(base, 3), &buffer[..len], output.ssrc(), Some(other.ssrc())), Ok(true));
        assert_eq!(ours.round_trip, Some(Duration::from_secs(1)));
        assert_eq!(ours.peer_fraction_lost, 51);
        assert_eq!(output.report(now(base, 4), None), None, "nothing was sent since");
    }

    #[test]
    fn the_interval_is_drawn_around_five_seconds() {
        let base = Instant::now();
        let mut random = fastrand::Rng::with_seed(7);
        let mut reports = Reports::new(base, RTCP_INTERVAL, &mut random);
        let waits = (0..200).map(|_| {
            reports.schedule(base, RTCP_INTERVAL, &mut random);
            (reports.due() - base).as_secs_f64()
        });
        let waits: Vec<f64> = waits.collect();
        assert!(waits.iter().all(|wait| (2.0..6.2).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 3.0) && waits.iter().any(|wait| *wait > 5.0));
    }
}
