//! Branches that fail, and the end of a call.

use super::{Action, BranchState, Call, Who};
use crate::party::{Cause, Signal};

impl Call {
    /// A branch will not answer. When none is left, the caller is told the best of their causes.
    pub(super) fn branch_failed(&mut self, branch: usize, cause: Cause) {
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
    pub(super) fn drop_branches(&mut self, but: Option<usize>, cause: &Cause) {
        for branch in (0..self.branches.len()).filter(|branch| Some(*branch) != but) {
            if self.branches.get(branch).is_some_and(|slot| slot.state == BranchState::Inviting) {
                self.tell(Who::Callee(branch), Signal::Hangup(cause.clone()));
            }
            self.end_branch(branch, cause.clone());
        }
    }

    /// The caller is refused, and whoever rings is cancelled.
    pub(super) fn fail(&mut self, cause: Cause) {
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
}
