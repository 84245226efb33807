//! What the caller hears before the answer where the callee sends nothing: ring-back while it is alerted, the busy or the
//! congestion tone before the call is refused.

use super::{Action, BranchState, Call, Who};
use crate::party::{Cause, Signal};
use crate::tones::Progress;
use std::time::{Duration, Instant};
use tandem_control::Side;

/// What the caller hears before the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Hears {
    /// Nothing.
    #[default]
    Nothing,
    /// A ring-back tone of ours.
    RingBack,
    /// The callee's early media.
    Callee,
    /// A tone of ours that tells of this cause.
    Lament(Cause),
}

impl Call {
    /// The callee is alerted and sends no media: the progress that the caller is told, with an answer of ours where it is
    /// to hear a tone.
    pub(super) fn ring_back(&mut self, branch: usize, status: u16) -> (u16, Option<Vec<u8>>) {
        if self.hears == Hears::RingBack {
            // A 180 would make the caller's telephone ring back by itself.
            return (183, None);
        }
        let wanted = status == 180 && self.caller.profile.ring_back && self.hears == Hears::Nothing;
        let Some(answer) = wanted.then(|| self.open_early(branch)).flatten() else { return (status, None) };
        self.hears = Hears::RingBack;
        self.play(branch, Progress::RingBack);
        (183, Some(answer))
    }

    /// Our answer to the caller, given before the callee's is known: its side alone is set up. `None`: it cannot hear
    /// anything of us.
    fn open_early(&mut self, branch: usize) -> Option<Vec<u8>> {
        if self.hears == Hears::RingBack {
            return self.answer.clone();
        }
        let can_hear = self.has_early_media() && self.answer.is_none();
        let media = self.branches.get_mut(branch)?.media.as_mut().filter(|_| can_hear)?;
        let mut next = media.clone();
        let answer = next.write_early_answer(Side::A).ok()?;
        *media = next;
        let mut leg = media.config(Side::A);
        // What it says goes nowhere yet; and its silence must not end the call.
        leg.audio.may_receive = false;
        let session = media.session();
        self.actions.push_back(Action::Configure { session, side: Side::A, leg: Box::new(leg) });
        self.answer = Some(answer.clone());
        Some(answer)
    }

    /// Plays a tone to the caller.
    fn play(&mut self, branch: usize, progress: Progress) {
        let Some(media) = self.branches.get(branch).and_then(|slot| slot.media.as_ref()) else { return };
        let (session, tones) = (media.session(), self.rules.tones.tones(progress));
        self.actions.push_back(Action::PlayTone { session, side: Side::A, tones });
    }

    /// The callee's own media takes the place of our tone.
    pub(super) fn callee_is_heard(&mut self, branch: usize) {
        let had = std::mem::replace(&mut self.hears, Hears::Callee);
        if had == Hears::RingBack
            && let Some(media) = self.branches.get(branch).and_then(|slot| slot.media.as_ref())
        {
            self.actions.push_back(Action::StopTone { session: media.session(), side: Side::A });
        }
    }

    /// A callee refused. The caller is told at once, or after it has heard why for a while.
    pub(super) fn callee_failed(&mut self, now: Instant, branch: usize, cause: Cause) {
        let length = self.caller.profile.failure_tone;
        // Whoever sent early media has told by itself; 487 answers the caller's own wish.
        let wanted = length > Duration::ZERO && self.hears != Hears::Callee && cause.status != 487;
        let rang = self.hears == Hears::RingBack;
        let Some(answer) = wanted.then(|| self.open_early(branch)).flatten() else {
            return self.branch_failed(branch, cause);
        };
        if !rang {
            self.tell(Who::Caller, Signal::Progress { status: 183, sdp: Some(answer) });
        }
        let progress = match cause.status {
            486 | 600 | 603 => Progress::Busy,
            _ => Progress::Congestion,
        };
        if let Some(slot) = self.branches.get_mut(branch) {
            slot.state = BranchState::Over(cause.clone());
        }
        self.play(branch, progress);
        self.hears = Hears::Lament(cause);
        self.ring_until = Some(now + length);
    }

    /// The cause that the caller has been hearing of.
    pub(super) fn lamented(&self) -> Option<Cause> {
        match &self.hears {
            Hears::Lament(cause) => Some(cause.clone()),
            _ => None,
        }
    }
}
