//! A call: the B2BUA between two parties, with one media session.
//!
//! Sans-IO. What the parties signal and what the dataplane tells goes in; [`Action`]s come out. Each callee that is
//! rung is a *branch* with a media session of its own, so that a browser and a telephone of the same user can be
//! offered different media; the first that answers keeps its session, the others are cancelled.

mod exchange;
pub(crate) mod media;
#[cfg(test)]
mod tests;

pub use media::{Media, MediaRules, PartyMedia, TakesInfo};

use crate::party::{Cause, Signal};
use crate::sdp::{Description, Kind, Random};
use exchange::Exchange;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tandem_control::{EventKind, LegConfig, LocalPorts, PortRequest, Refusal, SessionId, Side};

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
        let Setup { rules, mut caller, offer, callees, ring } = setup;
        let mut described = caller.source;
        if let Some(sdp) = &offer {
            let description = Description::parse(sdp)?;
            caller.kind = Kind::of_offer(&description)?;
            let remote = description.audio.and_then(|audio| audio.remote);
            described = remote.map(|remote| remote.rtp.ip()).or(described);
        }
        let mut actions = VecDeque::new();
        let mut branches = Vec::new();
        for (branch, party) in callees.into_iter().take(MAX_BRANCHES).enumerate() {
            let ports = [rules.ports(caller.kind, described), rules.ports(party.kind, party.source)];
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
        self.ring_until.filter(|_| self.ended.is_none())
    }

    /// Nobody answered in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_some_and(|at| at <= now) {
            self.fail(Cause::new(408, "No answer"));
        }
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
        slot.state = BranchState::Inviting;
        match taken {
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
        let status = match refusal {
            Refusal::Invalid(_) => 500,
            _ => 503,
        };
        self.branch_failed(branch, Cause::new(status, refusal.to_string()));
    }

    /// The dataplane would not do with a session what it was told: the call has no media then.
    pub fn configuration_refused(&mut self, session: SessionId, refusal: &Refusal) {
        self.media_failed(session, Cause::new(500, format!("The media session failed: {refusal}")));
    }

    /// A party signals.
    pub fn signal(&mut self, from: Who, signal: Signal, random: Random<'_>) {
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
            (Who::Callee(branch), Signal::Answer { sdp }) => self.answer(branch, sdp, random),
            (Who::Callee(branch), Signal::Reject(cause)) => self.branch_failed(branch, cause),
            (Who::Callee(branch), Signal::Hangup(cause)) if self.answered.is_none() => {
                self.branch_failed(branch, cause);
            }
            (from, Signal::Hangup(cause)) => self.hang_up(Some(from), cause),
            (Who::Caller, Signal::LateAnswer { sdp }) if self.answered.is_some() && self.offer.is_none() => {
                self.late_answer(&sdp, random);
            }
            (from, Signal::Digit { digit, duration_ms }) => self.digit(from, digit, duration_ms),
            (from, signal) => self.exchange_signal(from, signal, random),
        }
    }

    fn progress(&mut self, branch: usize, status: u16, sdp: Option<Vec<u8>>) {
        if self.answered.is_some() {
            return;
        }
        // With several branches, or without an offer of the caller, there is nobody to whom early media could go.
        let early = sdp.filter(|_| self.branches.len() == 1 && self.offer.is_some());
        let answer = early.and_then(|sdp| self.take_answer(branch, &sdp).ok());
        self.tell(Who::Caller, Signal::Progress { status, sdp: answer });
    }

    /// Takes the callee's answer, configures both sides and returns what the caller is answered.
    fn take_answer(&mut self, branch: usize, sdp: &[u8]) -> Result<Vec<u8>, Cause> {
        let Some(media) = self.branches.get_mut(branch).and_then(|slot| slot.media.as_mut()) else {
            return Err(Cause::new(500, "No media session"));
        };
        let mut next = media.clone();
        next.receive_answer(Side::B, sdp)?;
        // What went with a provisional response is what goes with the final one (RFC 3261 section 13.2.1).
        let answer = match self.answer.take() {
            Some(answer) => answer,
            None => next.write_answer(Side::A)?,
        };
        *media = next;
        self.answer = Some(answer.clone());
        self.configure(branch, Side::A);
        self.configure(branch, Side::B);
        Ok(answer)
    }

    fn answer(&mut self, branch: usize, sdp: Option<Vec<u8>>, random: Random<'_>) {
        if self.answered.is_some() {
            return;
        }
        let answer = match (sdp, &self.answer) {
            (Some(sdp), _) if self.offer.is_some() => self.take_answer(branch, &sdp),
            (Some(sdp), _) => self.offer_to_caller(branch, &sdp, random),
            (None, Some(answer)) => Ok(answer.clone()),
            (None, None) => Err(Cause::new(488, "The callee answered without a session description")),
        };
        match answer {
            Ok(sdp) => {
                self.answered = Some(branch);
                self.ring_until = None;
                self.drop_branches(Some(branch), &Cause::new(200, "Call completed elsewhere"));
                self.tell(Who::Caller, Signal::Answer { sdp: Some(sdp) });
            }
            Err(cause) => {
                self.tell(Who::Callee(branch), Signal::Hangup(cause.clone()));
                self.branch_failed(branch, cause);
            }
        }
    }

    /// The caller made no offer: the answer to it carries ours (RFC 3261 section 13.2.1).
    fn offer_to_caller(&mut self, branch: usize, sdp: &[u8], random: Random<'_>) -> Result<Vec<u8>, Cause> {
        let Some(media) = self.branches.get_mut(branch).and_then(|slot| slot.media.as_mut()) else {
            return Err(Cause::new(500, "No media session"));
        };
        media.receive_answer(Side::B, sdp)?;
        let offer = media.write_offer(Side::A, random);
        self.configure_offered(branch, Side::A);
        self.configure(branch, Side::B);
        Ok(offer)
    }

    fn late_answer(&mut self, sdp: &[u8], random: Random<'_>) {
        if self.answer.is_some() {
            return self.exchange_late_answer(Side::A, sdp, random);
        }
        let Some(media) = self.media_mut() else { return };
        match media.receive_answer(Side::A, sdp) {
            Ok(()) => {
                self.answer = Some(sdp.to_vec());
                self.configure_answered(Side::A);
                self.configure_answered(Side::B);
            }
            Err(error) => self.hang_up(None, error.into()),
        }
    }

    /// A branch will not answer. When none is left, the caller is told the best of their causes.
    fn branch_failed(&mut self, branch: usize, cause: Cause) {
        if self.ended.is_some() || self.answered.is_some() {
            return;
        }
        self.end_branch(branch, cause.clone());
        // RFC 3261 section 16.7, step 5: a 6xx speaks for all of them.
        if cause.status >= 600 {
            return self.fail(cause);
        }
        let causes: Option<Vec<&Cause>> = self
            .branches
            .iter()
            .map(|slot| match &slot.state {
                BranchState::Over(cause) => Some(cause),
                _ => None,
            })
            .collect();
        // Step 6: the lowest class is chosen.
        if let Some(cause) = causes.and_then(|all| all.into_iter().min_by_key(|cause| cause.status / 100)) {
            let cause = cause.clone();
            self.fail(cause);
        }
    }

    /// Takes a branch's session away.
    fn end_branch(&mut self, branch: usize, cause: Cause) {
        let Some(slot) = self.branches.get_mut(branch) else { return };
        slot.state = BranchState::Over(cause);
        if let Some(media) = slot.media.take() {
            self.actions.push_back(Action::Delete { session: media.session() });
        }
    }

    /// Cancels every branch but one.
    fn drop_branches(&mut self, but: Option<usize>, cause: &Cause) {
        for branch in (0..self.branches.len()).filter(|branch| Some(*branch) != but) {
            if self.branches.get(branch).is_some_and(|slot| slot.state == BranchState::Inviting) {
                self.tell(Who::Callee(branch), Signal::Hangup(cause.clone()));
            }
            self.end_branch(branch, cause.clone());
        }
    }

    /// The caller is refused, and whoever rings is cancelled.
    fn fail(&mut self, cause: Cause) {
        if self.ended.is_some() {
            return;
        }
        self.drop_branches(None, &cause);
        self.tell(Who::Caller, Signal::Reject(cause.clone()));
        self.ended = Some(cause);
    }

    /// Ends the call, at the wish of one party or our own.
    pub fn hang_up(&mut self, from: Option<Who>, cause: Cause) {
        if self.ended.is_some() {
            return;
        }
        let Some(answered) = self.answered else {
            if from != Some(Who::Caller) {
                return self.fail(cause);
            }
            self.drop_branches(None, &cause);
            self.ended = Some(cause);
            return;
        };
        for who in [Who::Caller, Who::Callee(answered)] {
            if Some(who) != from {
                self.tell(who, Signal::Hangup(cause.clone()));
            }
        }
        self.end_branch(answered, cause.clone());
        self.ended = Some(cause);
    }

    fn tell(&mut self, who: Who, signal: Signal) {
        self.actions.push_back(Action::Signal(who, signal));
    }

    fn configure(&mut self, branch: usize, side: Side) {
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

    fn configure_answered(&mut self, side: Side) {
        if let Some(branch) = self.answered {
            self.configure(branch, side);
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

    /// The dataplane tells something of one of this call's sessions.
    pub fn media_event(&mut self, session: SessionId, kind: &EventKind) {
        match kind {
            EventKind::MediaTimeout if self.media().is_some_and(Media::is_on_hold) => {}
            EventKind::MediaTimeout => {
                self.media_failed(session, Cause::new(408, "No media from either side"))
            }
            EventKind::DtlsFailed { side } => {
                let text = format!("The DTLS handshake with the {} failed", name(*side));
                self.media_failed(session, Cause::new(488, text));
            }
            EventKind::ConsentLost { side } => {
                let text = format!("The browser of the {} no longer answers (ICE consent lost)", name(*side));
                self.media_failed(session, Cause::new(480, text));
            }
            EventKind::Digit { side, event, duration_ms } => self.digit_heard(*side, *event, *duration_ms),
            EventKind::Connected { .. } | EventKind::FirstMedia { .. } | EventKind::Moved { .. } => {}
            EventKind::PlayStarted { .. }
            | EventKind::PlayEnded { .. }
            | EventKind::RecordingEnded { .. } => {}
        }
    }

    /// A session is gone, or of no use.
    pub fn media_failed(&mut self, session: SessionId, cause: Cause) {
        let of = |slot: &Branch| slot.media.as_ref().is_some_and(|media| media.session() == session);
        let Some(branch) = self.branches.iter().position(of) else { return };
        if self.answered == Some(branch) {
            return self.hang_up(None, cause);
        }
        self.tell(Who::Callee(branch), Signal::Hangup(cause.clone()));
        self.branch_failed(branch, cause);
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::A => "caller",
        Side::B => "callee",
    }
}
