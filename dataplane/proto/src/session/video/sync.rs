//! Sound and picture together: the sender reports that go out tell the time lines as the sender told them.
//!
//! A receiver plays two streams of one sender together by their sender reports, each of which names one instant of the
//! sender's clock on the stream's time line (RFC 3550 section 6.4.1). Each stream gets another time line here, so the
//! reports are made here; but they must name the instants of the *sender's* clock. When a packet came here says too
//! little: pictures take longer to be encoded and sent than sound. What is told is the sender's clock, put forward by
//! one span for both streams so that it agrees with ours: round trips are measured by ours.

use crate::Now;
use crate::reports::SenderReport;
use crate::rtcp;

/// How far the sender's clock may drift or jump before the span is taken anew, in seconds.
const LARGEST_DRIFT: u64 = 1;

/// A sender's clock beside ours, in units of NTP time stamps: 2^-32 seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SenderClock {
    /// What ours is ahead.
    ahead: Option<u64>,
}

/// One packet on both time lines: the sender's and the one that goes out. Clocks in Hz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) input: u32,
    pub(crate) output: u32,
    pub(crate) clocks: [u32; 2],
}

impl SenderClock {
    /// A report of the sender, about whichever stream, came just now.
    pub(crate) fn learn(&mut self, now: Now, report: &SenderReport) {
        let ahead = rtcp::ntp(now.unix).wrapping_sub(report.ntp);
        let is_near =
            |known: &u64| known.wrapping_sub(ahead).cast_signed().unsigned_abs() < LARGEST_DRIFT << 32;
        self.ahead = self.ahead.filter(is_near).or(Some(ahead));
    }

    /// The time stamp of the outgoing stream that belongs to now, by the sender's last report about the stream that
    /// came in. `None` until the sender's clock is known.
    pub(crate) fn timestamp(&self, now: Now, report: &SenderReport, reached: Reached) -> Option<u32> {
        let theirs = rtcp::ntp(now.unix).wrapping_sub(self.ahead?);
        let [clock_in, clock_out] = reached.clocks.map(|clock| i128::from(clock.max(1)));
        let since_report = i128::from(reached.input.wrapping_sub(report.rtp).cast_signed());
        // When the sender captured what is in that packet, after its report; and now, both in its clock.
        let captured = (since_report << 32) / clock_in;
        let present = i128::from(theirs.wrapping_sub(report.ntp).cast_signed());
        let ahead = ((present - captured) * clock_out) >> 32;
        Some(reached.output.wrapping_add(ahead as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    /// A sender whose clock is 1000 seconds behind reports both streams; what is heard and seen at one instant of its
    /// clock must be so at one instant of ours.
    #[test]
    fn both_streams_name_one_instant_however_late_the_picture_is() {
        let base = Instant::now();
        let unix = Duration::from_secs(1_700_000_000);
        let at = |ms: u64| Now {
            instant: base + Duration::from_millis(ms),
            unix: unix + Duration::from_millis(ms),
        };
        let theirs = |ms: u64| rtcp::ntp(unix - Duration::from_secs(1000) + Duration::from_millis(ms));
        let mut clock = SenderClock::default();
        let audio = SenderReport { ssrc: 1, ntp: theirs(0), rtp: 48_000, at: at(20).instant };
        let video = SenderReport { ssrc: 2, ntp: theirs(500), rtp: 900_000, at: at(540).instant };
        let reached_audio = Reached { input: 96_000, output: 5_000, clocks: [48_000, 8_000] };
        let reached_video = Reached { input: 900_000 + 45_000 - 9_000, output: 77, clocks: [90_000; 2] };
        assert_eq!(clock.timestamp(at(1000), &audio, reached_audio), None);
        clock.learn(at(20), &audio);
        clock.learn(at(540), &video);
        // Sound of the sender's second 1, and a picture of 100 ms before, have come. By the clock that is told, now is
        // 20 ms before their second 1: the way of the first report.
        let sound = clock.timestamp(at(1000), &audio, reached_audio).unwrap();
        let picture = clock.timestamp(at(1000), &video, reached_video).unwrap();
        assert_eq!(sound.wrapping_sub(5_000).cast_signed(), -160);
        assert!((picture.wrapping_sub(77).cast_signed() - (9_000 - 1_800)).abs() <= 1, "{picture}");
    }

    #[test]
    fn a_clock_that_jumps_is_learnt_anew_and_one_that_jitters_is_not() {
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let mut clock = SenderClock::default();
        let report = |ntp| SenderReport { ssrc: 1, ntp, rtp: 0, at: now.instant };
        clock.learn(now, &report(1000 << 32));
        let before = clock.ahead;
        clock.learn(now, &report((1000 << 32) + (1 << 31)));
        assert_eq!(clock.ahead, before);
        clock.learn(now, &report(5000 << 32));
        assert_eq!(clock.ahead, before.map(|ahead| ahead - (4000 << 32)));
    }
}
