//! The callee's answer, and what the caller is answered.

use super::tones::Hears;
use super::{Call, Who};
use crate::party::{Cause, Signal};
use crate::sdp::Random;
use std::time::Instant;
use tandem_control::Side;

impl Call {
    /// Takes the callee's answer, configures both sides and returns what the caller is answered.
    pub(super) fn take_answer(&mut self, branch: usize, sdp: &[u8]) -> Result<Vec<u8>, Cause> {
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
        self.callee_is_heard(branch);
        self.configure(branch, Side::A);
        self.configure(branch, Side::B);
        Ok(answer)
    }

    pub(super) fn answer(&mut self, now: Instant, branch: usize, sdp: Option<Vec<u8>>, random: Random<'_>) {
        if self.answered.is_some() {
            return;
        }
        let answer = match (sdp, &self.answer) {
            (Some(sdp), _) if self.is_awaited(Side::A) => self.take_answer_alone(branch, &sdp).map(|()| None),
            (Some(sdp), _) if self.offer.is_some() => self.take_answer(branch, &sdp).map(Some),
            (Some(sdp), _) => self.offer_to_caller(branch, &sdp, &mut *random).map(Some),
            (None, Some(answer)) if self.hears == Hears::Callee => Ok(Some(answer.clone())),
            (None, _) => Err(Cause::new(488, "The callee answered without a session description")),
        };
        match answer {
            Ok(sdp) => {
                self.answered = Some(branch);
                self.ring_until = None;
                self.drop_branches(Some(branch), &Cause::new(200, "Call completed elsewhere"));
                self.tell(Who::Caller, Signal::Answer { sdp });
                // An answer that the caller was given earlier may lack the video that the callee has.
                if self.offer.is_some() {
                    self.level_video(now, Side::A);
                    self.settle_exchange(now, random);
                }
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

    pub(super) fn late_answer(&mut self, now: Instant, sdp: &[u8], random: Random<'_>) {
        if self.answer.is_some() {
            self.exchange_late_answer(now, Side::A, sdp);
            return self.settle_exchange(now, random);
        }
        let Some(media) = self.media_mut() else { return };
        match media.receive_answer(Side::A, sdp) {
            Ok(()) => {
                self.answer = Some(sdp.to_vec());
                self.configure_both();
                // What the callee was told before may not be what the caller wants.
                if self.media().is_some_and(|media| media.is_outdated(Side::B)) {
                    self.owe_offer(now, Side::B);
                }
                self.settle_exchange(now, random);
            }
            Err(error) => self.hang_up(None, error.into()),
        }
    }
}
