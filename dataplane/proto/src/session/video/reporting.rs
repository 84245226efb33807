//! The RTCP of video, and what the reports of audio beside video tell.

use tandem_control::Side;

use super::{FromVideoPorts, Video, interrupt};
use crate::Now;
use crate::drops::DropReason;
use crate::leg::Io;
use crate::limits::{MAX_RTCP, TAILROOM, VIDEO_RTCP_INTERVAL};
use crate::packet::Packet;
use crate::session::{Half, Outbox, Session, Verdict};

impl Session {
    /// Takes authentic RTCP of a leg with video, as far as it is about its video. It ends here: what the peer says is
    /// about our stream, not about the other leg's.
    pub(in crate::session) fn video_rtcp(
        &mut self,
        now: Now,
        side: Side,
        packet: &Packet<'_>,
        out: &mut dyn Outbox,
    ) -> Result<(), DropReason> {
        let (here, there) = self.split(side);
        let video = here.video.as_deref_mut().ok_or(DropReason::NotReady)?;
        if !video.is_bundled() {
            video.received.rtcp_packets += 1;
            video.received.rtcp_bytes += packet.len() as u64;
        }
        here.take_video_reports(now, there, packet)?;
        self.take_feedback(now, side, packet, out);
        Ok(())
    }

    /// The same for RTCP that came to the leg's own ports and is about its audio, perhaps about its video too.
    pub(in crate::session) fn rtcp_beside_video(
        &mut self,
        now: Now,
        side: Side,
        packet: &Packet<'_>,
        out: &mut dyn Outbox,
    ) -> Result<Verdict, DropReason> {
        let here = self.split(side).0;
        match &here.video {
            Some(video) if video.is_bundled() => self.video_rtcp(now, side, packet, out)?,
            _ => learn_clock(now, here),
        }
        Ok(Verdict::Consumed)
    }

    /// Does everything of video that is due on that side.
    pub(in crate::session) fn handle_video_timeout(&mut self, now: Now, side: Side, out: &mut dyn Outbox) {
        let Session { sides: [a, b], random, .. } = self;
        let here = if side == Side::A { a } else { b };
        let Some(video) = here.video.as_deref_mut() else { return };
        if let Some(own) = &mut video.transport {
            own.handle_timeout(
                now.instant,
                &mut Io { out: &mut FromVideoPorts(out), events: &mut video.untold },
            );
            video.untold.clear();
        }
        if video.reports.due() <= now.instant {
            video.reports.schedule(now.instant, VIDEO_RTCP_INTERVAL, random);
            self.send_video_rtcp(now, side, false, out);
        }
        self.handle_repair_timeout(now, side, out);
    }

    /// Reports to the peer on that side, as far as there is something to report.
    pub(in crate::session) fn send_video_rtcp(
        &mut self,
        now: Now,
        side: Side,
        goodbye: bool,
        out: &mut dyn Outbox,
    ) {
        let (here, there) = self.split(side);
        let has_video = here.leg.config().video.is_some();
        let Half { leg, video, .. } = here;
        let Some(video) = video.as_deref_mut().filter(|_| has_video) else { return };
        let reported = video.reception.report();
        // Before anything went either way there is nothing to tell.
        if reported.is_none() && video.outgoing.output.packets == 0 {
            return;
        }
        let timestamp = there.video.as_deref().and_then(|sender| picture_timestamp(now, sender, video));
        let mut buffer = [0; MAX_RTCP + TAILROOM];
        let room = buffer.get_mut(..MAX_RTCP).unwrap_or_default();
        let (reports, output) = (&mut video.reports, &mut video.outgoing.output);
        let Some(len) = reports.write(now, output, timestamp, reported, goodbye, room) else { return };
        video.send_rtcp(side, leg, &mut buffer, len, out);
    }
}

impl Half {
    /// Takes what its peer reports of its video, and of what it sees; nothing where there is no video.
    pub(in crate::session) fn take_video_reports(
        &mut self,
        now: Now,
        there: &mut Half,
        packet: &Packet<'_>,
    ) -> Result<(), DropReason> {
        let Some(video) = &mut self.video else { return Ok(()) };
        let (ours, theirs) = (video.outgoing.output.ssrc(), video.reception.ssrc());
        if video.reports.receive(now, packet.bytes(), ours, theirs)? {
            video.reception.forget();
            interrupt(there);
        }
        learn_clock(now, self);
        Ok(())
    }

    /// Knows of a sender's clock what another half was told that hears it.
    pub(in crate::session) fn adopt_clock(&mut self, other: &Half) {
        if let (Some(video), Some(other)) = (&mut self.video, &other.video) {
            video.clock = other.clock;
            video.reports.adopt(&other.reports);
        }
    }
}

/// Learns of a sender's clock from what it reported about its streams.
fn learn_clock(now: Now, here: &mut Half) {
    let Some(video) = &mut here.video else { return };
    let of_audio = here.reception.ssrc().and_then(|ssrc| here.reports.sender_report(ssrc));
    let of_video = video.reception.ssrc().and_then(|ssrc| video.reports.sender_report(ssrc));
    for report in [of_audio, of_video].into_iter().flatten().filter(|report| report.at == now.instant) {
        video.clock.learn(now, report);
    }
}

/// What the time line of the video that goes out has reached by the clock of its sender, if that is known.
fn picture_timestamp(now: Now, sender: &Video, receiver: &Video) -> Option<u32> {
    let report = sender.reports.sender_report(sender.reception.ssrc()?)?;
    sender.clock.timestamp(now, report, receiver.outgoing.reached?)
}

/// The same for the audio that `there` sends. Only a leg with video tells its clock: sound alone is in time with itself.
pub(in crate::session) fn sound_timestamp(now: Now, there: &Half) -> Option<u32> {
    let video = there.video.as_deref()?;
    // What is played here is not the sender's.
    if there.bridge.replaced().is_some() {
        return None;
    }
    let report = there.reports.sender_report(there.reception.ssrc()?)?;
    video.clock.timestamp(now, report, video.sound?)
}
