//! Parties that come from one call into another: how transfers are carried out. A party takes its leg with it, and the
//! dataplane lets the two legs change places (see `Request::Swap`), so that its peer notices nothing of it, but for an offer
//! where it was on hold.

use super::exchange::Exchange;
use super::media::index;
use super::pickup::Unanswered;
use super::{Action, Call, PartyMedia, Who};
use crate::party::{Cause, Signal};
use crate::sdp::{Leg, Random};
use crate::tones::Progress;
use std::time::Instant;
use tandem_control::Side;

/// A party with its leg, as another call takes it in.
#[derive(Clone, Debug)]
pub struct Moved {
    pub(super) party: PartyMedia,
    pub(super) leg: Leg,
    /// It holds the other one by a message.
    pub(super) holds: bool,
    /// It was told that it is on hold.
    pub(super) told_hold: bool,
    /// It is a caller whom nobody has answered.
    pub(super) unanswered: Option<Unanswered>,
}

impl Moved {
    /// What is known of its media.
    pub fn media(&self) -> PartyMedia {
        self.party.clone()
    }
}

/// A place in a call that somebody of another call takes later.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    pub(super) side: Side,
    /// Who will take it, as things stood last.
    pub(super) moved: Moved,
}

impl Call {
    /// Whether both sides are connected.
    pub fn is_answered(&self) -> bool {
        self.answered.is_some() && self.ended.is_none()
    }

    /// Whether it is answered, with no offer open between the parties.
    pub fn is_settled(&self) -> bool {
        self.is_answered() && matches!(self.exchange, Exchange::None)
    }

    /// Whom a party of an answered call talks to.
    pub fn other(&self, who: Who) -> Option<Who> {
        let side = self.side_of(who).filter(|_| self.is_answered())?;
        Some(self.who(side.other()))
    }

    /// The side of the session that a party is on.
    pub fn side(who: Who) -> Side {
        match who {
            Who::Caller => Side::A,
            Who::Callee(_) => Side::B,
        }
    }

    /// A party, so that it can be put into another call.
    pub fn moved(&self, who: Who) -> Option<Moved> {
        self.moved_from(Call::side(who))
    }

    pub(super) fn moved_from(&self, side: Side) -> Option<Moved> {
        let (party, leg, holds) = self.session_media()?.part(side);
        Some(Moved { party, leg, holds, told_hold: self.told_hold[index(side)], unanswered: None })
    }

    /// The caller, who has not been answered yet, goes; somebody else takes its place once the callee answers.
    pub fn await_caller(&mut self, moved: Moved) {
        self.offer = None;
        self.answer = None;
        for media in self.branches.iter_mut().filter_map(|slot| slot.media.as_mut()) {
            media.put(Side::A, &moved);
        }
        self.awaited = Some(Awaited { side: Side::A, moved });
    }

    /// Whether this place stands empty: it is not configured before somebody takes it.
    pub(super) fn is_awaited(&self, side: Side) -> bool {
        self.awaited.as_ref().is_some_and(|awaited| awaited.side == side)
    }

    /// Whether somebody can come in now: into an empty place, or while nothing is open.
    pub fn may_take_in(&self) -> bool {
        match &self.awaited {
            Some(awaited) => awaited.side == Side::B || self.is_answered(),
            None => self.is_settled(),
        }
    }

    /// Takes the callee's answer while the caller's place is still empty.
    pub(super) fn take_answer_alone(&mut self, branch: usize, sdp: &[u8]) -> Result<(), Cause> {
        let media = self.branches.get_mut(branch).and_then(|slot| slot.media.as_mut());
        let Some(media) = media else { return Err(Cause::new(500, "No media session")) };
        media.receive_answer(Side::B, sdp)?;
        self.configure(branch, Side::B);
        Ok(())
    }

    /// The session for a callee who is awaited is there: it can come, unless the two have no codec in common. Of a caller
    /// who made no offer that shows later.
    pub(super) fn callee_may_come(&mut self, branch: usize) {
        let media = self.branches.get(branch).and_then(|slot| slot.media.clone());
        let Some(mut media) = media else { return };
        let answered = self.offer.is_some().then(|| media.write_answer(Side::A)).transpose();
        match answered {
            Ok(_) => self.actions.push_back(Action::Ready),
            Err(error) => self.branch_failed(branch, error.into()),
        }
    }

    /// Puts somebody into the call: into an empty place, or in the place of a party. The dataplane has let the legs change
    /// places.
    pub fn take_in(&mut self, now: Instant, who: Who, moved: &Moved, random: Random<'_>) {
        if self.ended.is_some() {
            return;
        }
        let side = Call::side(who);
        let known = match who {
            Who::Caller => Some(&mut self.caller),
            Who::Callee(branch) => self.branches.get_mut(branch).map(|slot| &mut slot.party),
        };
        if let Some(known) = known {
            known.clone_from(&moved.party);
        }
        self.awaited = None;
        let had_offer = self.offer.take().is_some();
        // What was open is nobody's any more; and what the departed party pressed is not the echo of the new one's keys.
        self.exchange = Exchange::None;
        self.owed = Default::default();
        self.heard = Default::default();
        self.told_hold[index(side)] = moved.told_hold;
        // What was played to one of the legs stopped when they changed places.
        self.has_music = [false; 2];
        if let Some(media) = self.media_mut() {
            media.put(side, moved);
        }
        let is_described = self.answered.is_some() || had_offer;
        if self.answered.is_none() && !self.answer_with(who, moved, had_offer, &mut *random) {
            return;
        }
        if is_described {
            // Who came in has its description already.
            self.answer.get_or_insert_default();
        }
        // Whoever was on hold in the call that it came from is to be told otherwise.
        for side in [Side::A, Side::B] {
            if self.media().is_some_and(|media| media.is_outdated(side)) {
                self.owe_offer(now, side);
            }
        }
        self.level_video(now, side.other());
        self.configure_both();
        self.settle_exchange(now, random);
    }

    /// The caller takes somebody's place in another call: it is answered with whom that talked to, or who called it and is
    /// answered now. RFC 3261 section 13.2.1: if it made no offer, its answer carries ours.
    fn answer_with(&mut self, who: Who, moved: &Moved, had_offer: bool, random: Random<'_>) -> bool {
        let Who::Callee(branch) = who else { return false };
        let Some(media) = self.media_mut() else { return false };
        let described = match had_offer {
            true => media.write_answer(Side::A),
            false => Ok(media.write_offer(Side::A, random)),
        };
        let answers = described.and_then(|described| {
            let unanswered = moved.unanswered.as_ref();
            Ok((described, unanswered.map(|each| each.answer(media, Side::B)).transpose()?))
        });
        match answers {
            Ok((described, to_callee)) => {
                self.answered = Some(branch);
                self.ring_until = None;
                self.answer = had_offer.then(|| described.clone());
                self.tell(Who::Caller, Signal::Answer { sdp: Some(described) });
                if to_callee.is_some() {
                    self.tell(who, Signal::Answer { sdp: to_callee });
                }
                true
            }
            Err(error) => {
                let cause = Cause::from(error);
                self.tell(who, Signal::Hangup(cause.clone()));
                self.branch_failed(branch, cause);
                false
            }
        }
    }

    /// Lets a party of an answered call hear that somebody is alerted, or ends that.
    pub fn ring_back_to(&mut self, who: Who, on: bool) {
        let (Some(session), side) = (self.session(), Call::side(who)) else { return };
        let tones = self.rules.tones.tones(Progress::RingBack);
        // Music on hold gives way to it, and comes back after it.
        self.has_music[index(side)] = false;
        if on {
            return self.actions.push_back(Action::PlayTone { session, side, tones });
        }
        self.actions.push_back(Action::StopTone { session, side });
        self.tell_hold();
    }
}
