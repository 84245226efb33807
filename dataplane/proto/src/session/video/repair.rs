//! What one side of a session has for the repair of its video, and the feedback by which both sides repair it.

use std::time::{Duration, Instant};

use tandem_control::{Side, Video as Config, VideoFeedback};

use super::viewer::Viewer;
use super::{Half, Outbox, Session};
use crate::Now;
use crate::limits::TAILROOM;
use crate::packet::Packet;
use crate::rtcp::{Compound, Item, Writer};
use crate::video::feedback::{Author, Feedback};
use crate::video::hold::Hold;
use crate::video::limits::{MAX_FEEDBACK, MAX_RESENT};
use crate::video::parameter_sets::ParameterSets;
use crate::video::repeats::{Repeated, Repeats};
use crate::video::requests::Requests;

/// Of one side.
#[derive(Debug)]
pub(super) struct Repair {
    /// What the peer is asked for and told about what it sends.
    pub(super) requests: Requests,
    /// What it is sent again, if it asks for that.
    repeats: Option<Box<Repeats>>,
    /// What waits for being repaired before it sees it, if it does not.
    pub(super) hold: Option<Box<Hold>>,
    /// What it is sent before key frames.
    sets: Option<Box<ParameterSets>>,
    /// When something is due.
    due: Option<Instant>,
}

impl Repair {
    pub(super) fn new(now: Instant) -> Repair {
        let requests = Requests::new(now, VideoFeedback::default());
        Repair { requests, repeats: None, hold: None, sets: None, due: None }
    }

    /// Makes what the peer needs by its configuration. `other`: that of the one on the other side.
    fn configure(&mut self, config: Option<&Config>, other: Option<&Config>, random: &mut fastrand::Rng) {
        let feedback = config.map(|config| config.feedback).unwrap_or_default();
        self.requests.configure(feedback);
        self.requests.bitrate.describe(other.map_or(0, |other| other.max_bitrate));
        let rtx_ssrc = config.filter(|_| feedback.nack).map(|config| config.rtx_ssrc);
        let kept = self.repeats.take().filter(|repeats| Some(repeats.ssrc()) == rtx_ssrc);
        self.repeats = kept.or_else(|| rtx_ssrc.map(|ssrc| Box::new(Repeats::new(ssrc, random))));
        // Who asks for what it misses is shown everything at once; where nobody is asked, waiting is in vain.
        let waits = config.is_some() && !feedback.nack && other.is_some_and(|other| other.feedback.nack);
        self.hold = waits.then(|| self.hold.take().unwrap_or_default());
        let repeats_sets = config.is_some_and(|config| config.repeat_parameter_sets);
        self.sets = repeats_sets.then(|| self.sets.take().unwrap_or_default());
    }

    /// The input is not continuous here.
    pub(super) fn interrupt(&mut self) {
        if let Some(hold) = &mut self.hold {
            hold.restart();
        }
        if let Some(sets) = &mut self.sets {
            sets.forget();
        }
    }

    /// See [`ParameterSets::note`]. What is late has its place, with nothing in front.
    pub(super) fn needs_parameter_sets(&mut self, timestamp: u32, payload: &[u8], is_newest: bool) -> bool {
        self.sets.as_mut().is_some_and(|sets| sets.note(timestamp, payload) && is_newest)
    }

    /// See [`ParameterSets::write`].
    pub(super) fn write_parameter_sets(
        &self,
        aggregated: bool,
        part: usize,
        buffer: &mut [u8],
    ) -> Option<usize> {
        self.sets.as_ref()?.write(aggregated, part, buffer)
    }

    /// See [`Repeats::keep`].
    pub(super) fn keep(&mut self, sequence: u16, packet: &[u8]) {
        if let Some(repeats) = &mut self.repeats {
            repeats.keep(sequence, packet);
        }
    }

    /// See [`Repeats::repeat`].
    pub(super) fn repeat(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        sequence: u16,
        rtx: impl Fn(u8) -> Option<u8>,
        buffer: &mut [u8],
    ) -> Option<Repeated> {
        self.repeats.as_mut()?.repeat(now, round_trip, sequence, rtx, buffer)
    }

    /// Packets that the peer was sent again.
    pub(super) fn repeated(&self) -> u64 {
        self.repeats.as_ref().map_or(0, |repeats| repeats.sent)
    }

    /// When something is due, as of the last [`Repair::rearm`].
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Finds out when something is due; returns whether that is sooner than it was.
    fn rearm(&mut self, now: Instant) -> bool {
        let held = self.hold.as_ref().and_then(|hold| hold.next_timeout());
        let due = [held, self.requests.next_timeout(now)].into_iter().flatten().min();
        let before = std::mem::replace(&mut self.due, due);
        due.is_some_and(|due| before.is_none_or(|before| due < before))
    }
}

impl Session {
    /// Makes what both sides need by their configurations.
    pub(in crate::session) fn configure_repair(&mut self, now: Now) {
        let Session { sides: [a, b], random, .. } = self;
        let configs = [&*a, &*b].map(|half| half.leg.config().video.as_deref());
        let [of_a, of_b] = configs.map(Option::<&Config>::cloned);
        for (half, config, other) in [(a, &of_a, &of_b), (b, &of_b, &of_a)] {
            if let Some(video) = &mut half.video {
                // Nothing is asked of a source that is watched, but by its own session.
                let config = config.as_ref().filter(|_| !half.is_fed);
                video.repair.configure(config, other.as_ref(), random);
            }
        }
        self.rearm_repair(now);
    }

    /// After anything that may have made something due.
    pub(in crate::session) fn rearm_repair(&mut self, now: Now) {
        for half in &mut self.sides {
            self.news |= half.video.as_mut().is_some_and(|video| video.repair.rearm(now.instant));
        }
    }

    /// Takes what the peer on that side says of what it is shown; the RTCP is known to be well formed.
    pub(super) fn take_feedback(&mut self, now: Now, side: Side, packet: &Packet<'_>, out: &mut dyn Outbox) {
        let Ok(compound) = Compound::parse(packet.bytes()) else { return };
        let (here, there) = self.split(side);
        let Some(ours) = here.video.as_ref().map(|video| video.outgoing.output.ssrc()) else { return };
        for item in compound {
            if let Item::Feedback(Feedback::Missing { media, sequences }) = item {
                if let Some(mut viewer) = Viewer::of(here).ok().filter(|_| media == ours) {
                    viewer.repeat(now, sequences.take(MAX_RESENT), out);
                }
            } else if let Some(sender) = &mut there.video {
                let of_receiver = here.video.as_mut().map(|video| &mut video.repair.requests);
                pass_on(now, item, ours, of_receiver, &mut sender.repair.requests);
            }
        }
        self.rearm_repair(now);
    }

    /// Does what is due of the repair of what the peer on that side sends, and of what waits for it.
    pub(super) fn handle_repair_timeout(&mut self, now: Now, side: Side, out: &mut dyn Outbox) {
        let (here, there) = self.split(side);
        let has_due = |half: &Half| {
            half.video.as_ref().is_some_and(|video| video.repair.due.is_some_and(|due| due <= now.instant))
        };
        let (sends, waits) = (has_due(here), has_due(there));
        if let Some(sender) = here.video.as_deref_mut().filter(|_| waits)
            && let Ok(mut viewer) = Viewer::of(there)
        {
            viewer.release(now, sender, out);
        }
        if sends {
            send_requests(now, here, out);
        }
        self.rearm_repair(now);
    }
}

/// Passes on to the sender what the receiver of `ours` says.
fn pass_on(now: Now, item: Item<'_>, ours: u32, receiver: Option<&mut Requests>, requests: &mut Requests) {
    match item {
        Item::SenderReport { blocks, .. } | Item::ReceiverReport { blocks, .. } => {
            for block in blocks.filter(|block| block.ssrc == ours) {
                requests.bitrate.lost(block.fraction_lost);
            }
        }
        Item::Feedback(Feedback::PictureLoss { media }) if media.is_none_or(|media| media == ours) => {
            requests.key_frames.want();
        }
        Item::Feedback(Feedback::FullIntra { sender, demands }) => {
            for (_, number) in demands.filter(|(media, _)| *media == ours) {
                requests.key_frames.demand(sender, number);
            }
        }
        Item::Feedback(Feedback::Bitrate { bitrate }) => requests.bitrate.told(now.instant, bitrate),
        Item::Feedback(Feedback::LimitRequest { sender, mut limits }) => {
            if let Some(limit) = limits.find(|limit| limit.ssrc == ours)
                && receiver.is_some_and(|receiver| receiver.obeys(sender, limit))
            {
                requests.bitrate.requested(limit.bitrate());
            }
        }
        _ => {}
    }
}

/// Sends to a peer what it is to be asked for and told now.
fn send_requests(now: Now, here: &mut Half, out: &mut dyn Outbox) {
    let Half { side, leg, video, is_fed, wishes_key_frame, .. } = here;
    let Some(video) = video.as_deref_mut() else { return };
    if *is_fed {
        *wishes_key_frame |= video.repair.requests.key_frames.ask(now.instant).is_some();
        return;
    }
    let (sender, media) = (video.outgoing.output.ssrc(), video.reception.ssrc());
    let mut buffer = [0; MAX_FEEDBACK + TAILROOM];
    let mut writer = Writer::new(buffer.get_mut(..MAX_FEEDBACK).unwrap_or_default());
    // RFC 4585 section 3.1: behind a report, which may be empty (RFC 3550 section 6.1), and the canonical name.
    if video.reports.open(sender, &mut writer).is_none() {
        return;
    }
    let round_trip = video.reports.round_trip;
    let author = Author { sender, media: media.unwrap_or(0) };
    let has_notified = video.repair.requests.notify(now.instant, author, &mut writer);
    let notified = writer.len();
    let has_asked = video.repair.requests.write(now.instant, round_trip, author, &mut writer);
    // A sender of which nothing came yet has no stream to speak of.
    let len = match media {
        Some(_) if has_asked => writer.len(),
        _ if has_notified => notified,
        _ => return,
    };
    video.reports.count(len);
    video.send_rtcp(*side, leg, &mut buffer, len, out);
}
