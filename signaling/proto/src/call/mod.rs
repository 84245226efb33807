//! A call: the B2BUA between two parties, with one media session.
//!
//! Sans-IO. What the parties signal and what the dataplane tells goes in; [`Action`]s come out. Each callee that is
//! rung is a *branch* with a media session of its own, so that a browser and a telephone of the same user can be
//! offered different media; the first that answers keeps its session, the others are cancelled.

mod answer;
mod digits;
mod ending;
mod exchange;
mod hold;
mod info;
mod join;
pub(crate) mod media;
mod media_events;
mod pickup;
#[cfg(test)]
mod tests;
mod tones;
mod video;

pub use join::Moved;
pub use media::{Media, MediaRules, PartyMedia, TakesInfo};

use crate::party::{Cause, Shortage, Signal};
use crate::sdp::{Description, Kind, Random};
use digits::{Heard, KeyPress};
use exchange::{Exchange, Owed};
use join::Awaited;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tandem_control::{LegConfig, LocalPorts, PortRequest, Refusal, SessionId, Side, Tones};
use tones::Hears;

/// The most callees that one call rings.
pub const MAX_BRANCHES: usize = 16;

/// A party of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The caller.
    Caller,
    /// The callee on this branch.
    Callee(usize),
}

/// What a call wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ring this branch's callee with an offer.
    Invite {
        /// Which.
        branch: usize,
        /// Our offer.
        sdp: Vec<u8>,
    },
    /// The session is there in which the callee of [`Setup::awaited`] is to take its place.
    Ready,
    /// Tell a party that was rung, or the caller.
    Signal(Who, Signal),
    /// Make a session for this branch; answered by [`Call::created`] or [`Call::refused`].
    Create {
        /// Which.
        branch: usize,
        /// For the caller's side and for the callee's.
        ports: [PortRequest; 2],
    },
    /// Configure one side of a session.
    Configure {
        /// Which session.
        session: SessionId,
        /// Which side.
        side: Side,
        /// How it shall be.
        leg: Box<LegConfig>,
    },
    /// Play a digit to the peer of one side.
    PlayDigit {
        /// Which session.
        session: SessionId,
        /// Who hears it.
        side: Side,
        /// As in RFC 4733.
        event: u8,
        /// Milliseconds.
        duration_ms: u16,
    },
    /// Play a tone to the peer of one side until [`Action::StopTone`] or the session's end.
    PlayTone {
        /// Which session.
        session: SessionId,
        /// Who hears it.
        side: Side,
        /// The tone.
        tones: Tones,
    },
    /// Play music on hold to the peer of one side until [`Action::StopTone`] or the session's end.
    PlayMusic {
        /// Which session.
        session: SessionId,
        /// Who hears it.
        side: Side,
        /// A file of announcements.
        path: String,
    },
    /// Give a leg ports for video; answered by [`Call::video_added`].
    AddVideo {
        /// Which session.
        session: SessionId,
        /// Which leg.
        side: Side,
    },
    /// End the tone or the music that the peer of one side hears.
    StopTone {
        /// Which session.
        session: SessionId,
        /// Who heard it.
        side: Side,
    },
    /// End a session.
    Delete {
        /// Which.
        session: SessionId,
    },
}

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What all calls have in common.
    pub rules: MediaRules,
    /// The caller. Its `kind` is only used if it made no offer.
    pub caller: PartyMedia,
    /// The caller's offer.
    pub offer: Option<Vec<u8>>,
    /// Who is rung: one to [`MAX_BRANCHES`].
    pub callees: Vec<PartyMedia>,
    /// How long they may ring.
    pub ring: Duration,
    /// Somebody of another call, who takes this place later: the caller's when the callee answers, or that of the only
    /// callee at once. [`Call::take_in`] puts it there.
    pub awaited: Option<(Who, Moved)>,
}

#[derive(Debug)]
struct Branch {
    party: PartyMedia,
    media: Option<Media>,
    state: BranchState,
}

#[derive(Clone, Debug, PartialEq)]
enum BranchState {
    /// Waits for its session.
    Creating,
    /// Rings, or is about to.
    Inviting,
    /// Refused, failed or cancelled.
    Over(Cause),
}

/// See the module.
#[derive(Debug)]
pub struct Call {
    rules: MediaRules,
    caller: PartyMedia,
    offer: Option<Vec<u8>>,
    branches: Vec<Branch>,
    /// The branch that answered.
    answered: Option<usize>,
    /// The answer that the caller was given, early or not. It does not change until the next offer.
    answer: Option<Vec<u8>>,
    exchange: Exchange,
    /// The offers that each side is to be sent.
    owed: [Owed; 2],
    awaited: Option<Awaited>,
    /// Sides that were told that they are on hold.
    told_hold: [bool; 2],
    /// Sides that hear music on hold.
    has_music: [bool; 2],
    /// What the caller hears before the answer.
    hears: Hears,
    /// The digits of the caller, and those of the callee.
    heard: [Heard; 2],
    /// When the call is given up for want of an answer, or has been lamented for long enough.
    ring_until: Option<Instant>,
    ended: Option<Cause>,
    actions: VecDeque<Action>,
}

impl Call {
    /// A new call; its first actions create the sessions.
    ///
    /// # Errors
    /// The cause for which the caller is to be refused.
    pub fn new(now: Instant, setup: Setup) -> Result<Call, Cause> {
        let Setup { rules, mut caller, offer, callees, ring, awaited } = setup;
        let awaited = awaited.map(|(who, moved)| Awaited { side: Call::side(who), moved });
        let mut described = caller.source;
        let mut has_video = awaited.as_ref().is_some_and(|awaited| awaited.moved.leg.has_video());
        if let Some(sdp) = &offer {
            let description = Description::parse(sdp)?;
            caller.kind = Kind::of_offer(&description)?;
            has_video = description.video.is_some() && caller.may_have_video();
            let remote = description.audio.and_then(|audio| audio.transport.remote);
            described = remote.map(|remote| remote.rtp.ip()).or(described);
        }
        let mut actions = VecDeque::new();
        let mut branches = Vec::new();
        for (branch, party) in callees.into_iter().take(MAX_BRANCHES).enumerate() {
            let video = has_video && party.may_have_video();
            let mut ports =
                [rules.ports(caller.kind, described, video), rules.ports(party.kind, party.source, video)];
            if let Some(awaited) = &awaited {
                ports[media::index(awaited.side)] = rules.place();
            }
            actions.push_back(Action::Create { branch, ports });
            branches.push(Branch { party, media: None, state: BranchState::Creating });
        }
        Ok(Call {
            rules,
            caller,
            offer,
            branches,
            answered: None,
            answer: None,
            exchange: Exchange::None,
            owed: Default::default(),
            awaited,
            told_hold: [false; 2],
            has_music: [false; 2],
            hears: Hears::default(),
            heard: Default::default(),
            ring_until: Some(now + ring),
            ended: None,
            actions,
        })
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Why the call is over; then nothing more comes of it than what [`Call::poll_action`] still has.
    pub fn ended(&self) -> Option<&Cause> {
        self.ended.as_ref()
    }

    /// When to call [`Call::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        let digits = self.heard.iter().filter_map(Heard::next_timeout);
        digits.chain(self.ring_until).chain(self.owed_at()).min().filter(|_| self.ended.is_none())
    }

    /// Nobody answered in time, or something else has waited for long enough.
    pub fn handle_timeout(&mut self, now: Instant, random: Random<'_>) {
        if self.ended.is_some() {
            return;
        }
        if self.ring_until.is_some_and(|at| at <= now) {
            let cause = self.lamented().unwrap_or_else(|| Cause::new(408, "No answer"));
            return self.fail(cause);
        }
        self.pass_waiting_digits(now);
        self.settle_exchange(now, random);
    }

    /// A branch has its session.
    pub fn created(&mut self, branch: usize, session: SessionId, local: [LocalPorts; 2], random: Random<'_>) {
        let Some(slot) = self.branches.get_mut(branch).filter(|slot| slot.state == BranchState::Creating)
        else {
            return self.actions.push_back(Action::Delete { session });
        };
        let parties = [self.caller.clone(), slot.party.clone()];
        let mut media = Media::new(session, local, self.rules.clone(), parties, &mut *random);
        let taken = match &self.offer {
            Some(offer) => media.receive_offer(Side::A, offer, &mut *random),
            None => Ok(()),
        };
        if let Some(awaited) = &self.awaited {
            media.put(awaited.side, &awaited.moved);
        }
        slot.state = BranchState::Inviting;
        match taken {
            Ok(()) if self.awaited.as_ref().is_some_and(|awaited| awaited.side == Side::B) => {
                slot.media = Some(media);
                self.callee_may_come(branch);
            }
            Ok(()) => {
                let sdp = media.write_offer(Side::B, random);
                slot.media = Some(media);
                self.configure_offered(branch, Side::B);
                self.actions.push_back(Action::Invite { branch, sdp });
            }
            Err(error) => {
                slot.media = Some(media);
                self.branch_failed(branch, error.into());
            }
        }
    }

    /// A branch gets no session.
    pub fn refused(&mut self, branch: usize, refusal: &Refusal) {
        let words = refusal.to_string();
        let cause = match refusal {
            Refusal::Invalid(_) => Cause::new(500, words),
            Refusal::OutOfPorts => Cause::short_of(Shortage::MediaPorts, 503, words),
            Refusal::TooManySessions => Cause::short_of(Shortage::Calls, 503, words),
            _ => Cause::new(503, words),
        };
        self.branch_failed(branch, cause);
    }

    /// A party said, in the headers of its messages, whether it can be sent INFO requests.
    pub fn note_info(&mut self, who: Who, info: TakesInfo) {
        let (side, branch) = match who {
            Who::Caller => (Side::A, None),
            Who::Callee(branch) => (Side::B, Some(branch)),
        };
        let before = self.media().map(|media| media.digits(side));
        let party = match branch {
            None => Some(&mut self.caller),
            Some(branch) => self.branches.get_mut(branch).map(|slot| &mut slot.party),
        };
        if let Some(party) = party {
            party.info = info;
        }
        for (index, slot) in self.branches.iter_mut().enumerate() {
            if let Some(media) = slot.media.as_mut().filter(|_| branch.is_none_or(|branch| branch == index)) {
                media.note_info(side, info);
            }
        }
        let digits = self.media().map(|media| media.digits(side));
        if self.has_speech() && digits != before {
            self.configure_both();
        }
    }

    /// A party signals.
    pub fn signal(&mut self, now: Instant, from: Who, signal: Signal, random: Random<'_>) {
        if self.ended.is_some() {
            return;
        }
        if let Who::Callee(branch) = from {
            let is_live = self.branches.get(branch).is_some_and(|slot| slot.state == BranchState::Inviting);
            if !is_live {
                return;
            }
        }
        match (from, signal) {
            (Who::Callee(branch), Signal::Progress { status, sdp }) => self.progress(branch, status, sdp),
            (Who::Callee(branch), Signal::Answer { sdp }) => self.answer(now, branch, sdp, random),
            (Who::Callee(branch), Signal::Reject(cause)) => self.callee_failed(now, branch, cause),
            (Who::Callee(branch), Signal::Hangup(cause)) if self.answered.is_none() => {
                self.callee_failed(now, branch, cause);
            }
            (from, Signal::Hangup(cause)) => self.hang_up(Some(from), cause),
            (Who::Caller, Signal::LateAnswer { sdp }) if self.answered.is_some() && self.offer.is_none() => {
                self.late_answer(now, &sdp, random);
            }
            (from, Signal::Digit { digit, duration_ms, format }) => {
                self.digit_told(now, from, KeyPress { digit, duration_ms, format });
            }
            (from, Signal::Hold { on }) => self.hold(now, from, on, random),
            (from, Signal::Info { content_type, body }) => self.info_told(from, content_type, body),
            (from, Signal::InfoDone(cause)) => self.info_done(from, cause),
            (from, signal) => self.exchange_signal(now, from, signal, random),
        }
    }

    fn progress(&mut self, branch: usize, status: u16, sdp: Option<Vec<u8>>) {
        if self.answered.is_some() {
            return;
        }
        // With several branches, or without an offer of the caller, there is nobody to whom early media could go.
        let early = sdp.filter(|_| self.has_early_media());
        let (status, sdp) = match early.and_then(|sdp| self.take_answer(branch, &sdp).ok()) {
            Some(answer) => (status, Some(answer)),
            None => self.ring_back(branch, status),
        };
        self.tell(Who::Caller, Signal::Progress { status, sdp });
    }

    /// Whether both sides are set up: the call is answered, or has early media of the callee.
    fn has_speech(&self) -> bool {
        self.answered.is_some() || self.hears == Hears::Callee
    }

    /// Whether the caller can hear something before the answer: of one callee, by its own offer.
    fn has_early_media(&self) -> bool {
        self.branches.len() == 1 && self.offer.is_some()
    }

    fn tell(&mut self, who: Who, signal: Signal) {
        self.actions.push_back(Action::Signal(who, signal));
    }

    fn configure(&mut self, branch: usize, side: Side) {
        if self.is_awaited(side) {
            return;
        }
        if let Some(media) = self.branches.get(branch).and_then(|slot| slot.media.as_ref()) {
            let (session, leg) = (media.session(), Box::new(media.config(side)));
            self.actions.push_back(Action::Configure { session, side, leg });
        }
    }

    /// Configures a side that was offered media, if it may send checks before its answer.
    fn configure_offered(&mut self, branch: usize, side: Side) {
        let media = self.branches.get(branch).and_then(|slot| slot.media.as_ref());
        if media.is_some_and(|media| media.config(side).ice.is_some()) {
            self.configure(branch, side);
        }
    }

    /// The dataplane's session of the answered call, or of the first branch that has one.
    pub fn session(&self) -> Option<SessionId> {
        self.session_media().map(Media::session)
    }

    fn session_media(&self) -> Option<&Media> {
        match self.answered {
            Some(branch) => self.branches.get(branch)?.media.as_ref(),
            None => self.branches.iter().find_map(|slot| slot.media.as_ref()),
        }
    }

    /// The media of the answered call, or of the only branch while it rings.
    fn media(&self) -> Option<&Media> {
        let branch = self.answered.or((self.branches.len() == 1).then_some(0))?;
        self.branches.get(branch)?.media.as_ref()
    }

    fn media_mut(&mut self) -> Option<&mut Media> {
        let branch = self.answered.or((self.branches.len() == 1).then_some(0))?;
        self.branches.get_mut(branch)?.media.as_mut()
    }
}
