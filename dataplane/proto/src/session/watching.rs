//! Watching: what the peer of another session's leg sends comes in here as though the peer of one of the two legs had
//! sent it.
//!
//! The session of the source gives a copy of what it has taken, in the clear, to its [`Outbox`]; whoever drives it
//! hands the copy to each session that watches. From there on it is a call like any other: both sessions place,
//! repair and report on their own. Only what is said to the source is said by its own session.

use tandem_control::{EventKind, LegConfig, Refusal, Side};

use super::{Half, Outbox, Session, Verdict};
use crate::Now;
use crate::drops::DropReason;
use crate::packet::Packet;
use crate::rtp;

/// What a packet of a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// RTP of its audio.
    Sound,
    /// RTP of its video, sent again or not.
    Pictures,
    /// RTCP about either.
    Reports,
}

impl Half {
    /// Gives a copy of a packet to those who watch. There are none on most calls.
    pub(super) fn copy(&self, medium: Medium, packet: &Packet<'_>, out: &mut dyn Outbox) {
        if self.is_watched {
            out.copy(medium, packet.bytes());
        }
    }

    /// Whether a packet that the other side was not to have has nevertheless reached those who watch.
    pub(super) fn is_taken(&self, reason: DropReason) -> bool {
        use DropReason::{HearsRoom, NoDestination, NotTaken, NotWanted};
        self.is_watched && matches!(reason, NotWanted | NoDestination | NotTaken | HearsRoom)
    }

    /// What is told of the source is nothing to whoever comes next.
    fn forget_source(&mut self) {
        self.reception.forget();
        self.bridge.interrupt();
        self.forget_pictures();
    }
}

/// Whether a leg that stands for what is watched has no peer of its own.
///
/// # Errors
/// [`Refusal::Invalid`] if it has.
fn check_alone(config: &LegConfig) -> Result<(), Refusal> {
    if config.is_alone() {
        return Ok(());
    }
    Err(Refusal::Invalid("the other side of a session that watches has a peer of its own".into()))
}

/// Whether legs may be configured so in a session that watches, if it does.
///
/// # Errors
/// As [`check_alone`].
pub(super) fn check_legs(halves: [&Half; 2], legs: [Option<&LegConfig>; 2]) -> Result<(), Refusal> {
    let fed = halves.into_iter().zip(legs).filter(|(half, _)| half.is_fed);
    fed.filter_map(|(_, leg)| leg).try_for_each(check_alone)
}

impl Session {
    /// Lets the peer on `side` hear and see what the peer on a side of another session sends: its copies come by
    /// [`Session::receive_copy`] from now on.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] where [`tandem_control::Request::Watch`] says so; nothing has changed then.
    pub fn watch(&mut self, now: Now, side: Side, source: (&mut Session, Side)) -> Result<(), Refusal> {
        let refuse = |text: &str| Err(Refusal::Invalid(text.into()));
        let (session, its_side) = source;
        if self.is_watching() || session.is_watching() {
            return refuse("the session, or the one that it would watch, watches already");
        }
        if self.sides.iter().any(|half| half.is_watched) {
            return refuse("a session that is watched cannot watch");
        }
        if self.sides.iter().any(|half| half.seat.is_some()) {
            return refuse("a session with a side in a room cannot watch");
        }
        let fed = self.split(side).1;
        check_alone(fed.leg.config())?;
        let source = session.split(its_side).0;
        source.is_watched = true;
        fed.is_fed = true;
        fed.forget_source();
        // Sound and pictures are in step from the beginning, not only from the source's next reports on.
        fed.reports.adopt(&source.reports);
        fed.adopt_clock(source);
        self.interrupt_video();
        self.configure_repair(now);
        self.news = true;
        session.news = true;
        Ok(())
    }

    /// Ends what a peer of this session watches, if one does.
    pub fn unwatch(&mut self, now: Now) {
        for half in self.sides.iter_mut().filter(|half| half.is_fed) {
            half.is_fed = false;
            half.forget_source();
        }
        self.interrupt_video();
        self.configure_repair(now);
        self.news = true;
    }

    /// As [`Session::unwatch`], because the source is gone; [`EventKind::WatchEnded`] tells it.
    pub fn lose_source(&mut self, now: Now) {
        if let Some(fed) = self.sides.iter().find(|half| half.is_fed) {
            self.events.push(EventKind::WatchEnded { side: fed.side.other() });
        }
        self.unwatch(now);
    }

    /// Nobody watches the peer on that side any longer.
    pub fn stop_copies(&mut self, side: Side) {
        self.split(side).0.is_watched = false;
    }

    /// Whether one of its peers watches.
    pub(super) fn is_watching(&self) -> bool {
        self.sides.iter().any(|half| half.is_fed)
    }

    /// Takes a copy of what the source sent that the peer on `side` watches. As [`Session::receive`].
    ///
    /// # Errors
    /// Why it was dropped, to be counted.
    pub fn receive_copy(
        &mut self,
        now: Now,
        side: Side,
        medium: Medium,
        packet: &mut Packet<'_>,
        out: &mut impl Outbox,
    ) -> Result<Verdict, DropReason> {
        let from = side.other();
        let result = match medium {
            Medium::Sound => {
                rtp::parse(packet.bytes()).and_then(|parsed| self.rtp(now, from, &parsed, packet, out))
            }
            Medium::Pictures => {
                rtp::parse(packet.bytes()).and_then(|parsed| self.video_rtp(now, from, &parsed, packet, out))
            }
            Medium::Reports => self.hear_reports(now, from, packet),
        };
        self.news |= !matches!(result, Ok(Verdict::Forward { .. }));
        if result.is_err() {
            let here = self.split(from).0;
            *(if medium == Medium::Reports { &mut here.rtcp_dropped } else { &mut here.dropped }) += 1;
        }
        result
    }

    /// Takes the reports of the source, which tell of its clock. What it says of what *it* receives is not about
    /// anything here.
    fn hear_reports(&mut self, now: Now, side: Side, packet: &Packet<'_>) -> Result<Verdict, DropReason> {
        let (here, there) = self.split(side);
        here.received.rtcp_packets += 1;
        here.received.rtcp_bytes += packet.len() as u64;
        here.take_reports(now, there, packet)?;
        here.take_video_reports(now, there, packet)?;
        Ok(Verdict::Consumed)
    }

    /// Whether the peer that watches needs a key frame of the source. Asked for after [`Session::handle_timeout`].
    pub fn take_key_frame_wish(&mut self) -> bool {
        self.sides.iter_mut().any(|half| std::mem::take(&mut half.wishes_key_frame))
    }

    /// Somebody who watches the peer on that side needs a key frame: it is asked for, no oftener than for others.
    pub fn want_key_frame(&mut self, now: Now, side: Side) {
        if let Some(video) = &mut self.split(side).0.video {
            video.want_key_frame();
            self.rearm_repair(now);
        }
    }
}
