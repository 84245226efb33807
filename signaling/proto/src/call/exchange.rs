//! Offers inside a call.
//!
//! An offer that changes which way media flows is passed on: the other side is sent an offer of ours, and its answer
//! decides ours. Anything else (another address, an ICE restart, a refresh) concerns one leg only and is answered here.

use super::media::index;
use super::{Call, Media, Who};
use crate::party::{Cause, Signal};
use crate::sdp::{Random, SdpError};
use tandem_control::Side;

/// What of an offer/answer exchange inside the call is open.
#[derive(Debug)]
pub(super) enum Exchange {
    /// Nothing.
    None,
    /// `from` offered, and the other side was sent ours.
    PassedOn {
        /// Who offered first.
        from: Side,
        /// How both legs were before.
        before: Box<Media>,
    },
    /// This side asked for an offer and was given one.
    Offered {
        /// Which.
        to: Side,
        /// How both legs were before.
        before: Box<Media>,
    },
    /// This side was sent an offer because the other one changed its direction without an offer of its own.
    Told {
        /// Which.
        to: Side,
        /// How both legs were before.
        before: Box<Media>,
    },
}

impl Call {
    pub(super) fn side_of(&self, who: Who) -> Option<Side> {
        match who {
            Who::Caller => Some(Side::A),
            Who::Callee(branch) => (self.answered.unwrap_or(0) == branch).then_some(Side::B),
        }
    }

    pub(super) fn who(&self, side: Side) -> Who {
        match side {
            Side::A => Who::Caller,
            Side::B => Who::Callee(self.answered.unwrap_or(0)),
        }
    }

    pub(super) fn exchange_signal(&mut self, from: Who, signal: Signal, random: Random<'_>) {
        let Some(side) = self.side_of(from) else { return };
        match signal {
            Signal::Offer { sdp, update } => self.offered(side, sdp, update, &mut *random),
            Signal::OfferAnswer { sdp } => self.offer_answered(side, &sdp),
            Signal::OfferReject(cause) => self.offer_rejected(side, cause),
            Signal::LateAnswer { sdp } => self.exchange_late_answer(side, &sdp),
            // What only a callee says of itself, from the caller; or what comes too late.
            _ => {}
        }
        self.settle_exchange(random);
    }

    /// A new offer, or the wish for one.
    fn offered(&mut self, side: Side, sdp: Option<Vec<u8>>, update: bool, random: Random<'_>) {
        let who = self.who(side);
        // RFC 3264 section 4: one exchange at a time; RFC 3261 section 14.2: 491 for the others.
        let is_free = matches!(self.exchange, Exchange::None) && self.answer.is_some();
        let Some(before) = self.media().filter(|_| is_free).cloned().map(Box::new) else {
            return self.tell(who, Signal::OfferReject(Cause::new(491, "Request Pending")));
        };
        let Some(media) = self.media_mut() else { return };
        let Some(sdp) = sdp else {
            let sdp = media.write_offer(side, random);
            self.exchange = Exchange::Offered { to: side, before };
            return self.tell(who, Signal::OfferAnswer { sdp });
        };
        if let Err(error) = media.receive_offer(side, &sdp, &mut *random) {
            *media = *before;
            return self.tell(who, Signal::OfferReject(error.into()));
        }
        let turned = media.wish(side) != before.wish(side);
        if turned && media.takes_offers(side.other()) {
            let sdp = media.write_offer(side.other(), random);
            self.exchange = Exchange::PassedOn { from: side, before };
            let other = self.who(side.other());
            return self.tell(other, Signal::Offer { sdp: Some(sdp), update });
        }
        self.answer_offer(side, before);
    }

    /// Answers the offer of one side, as things stand with the other.
    fn answer_offer(&mut self, side: Side, before: Box<Media>) {
        let who = self.who(side);
        let Some(media) = self.media_mut() else { return };
        match media.write_answer(side) {
            Ok(sdp) => {
                self.configure_both();
                self.tell(who, Signal::OfferAnswer { sdp });
            }
            Err(error) => {
                *media = *before;
                self.tell(who, Signal::OfferReject(error.into()));
            }
        }
    }

    fn offer_answered(&mut self, side: Side, sdp: &[u8]) {
        match std::mem::replace(&mut self.exchange, Exchange::None) {
            Exchange::PassedOn { from, before } if from == side.other() => {
                match self.receive_answer(side, sdp) {
                    Ok(()) => self.answer_offer(from, before),
                    Err(error) => self.undo(before, Some((from, error.into()))),
                }
            }
            Exchange::Told { to, before } if to == side => match self.receive_answer(side, sdp) {
                Ok(()) => self.configure_both(),
                Err(_) => self.undo(before, None),
            },
            other => self.exchange = other,
        }
    }

    fn receive_answer(&mut self, side: Side, sdp: &[u8]) -> Result<(), SdpError> {
        match self.media_mut() {
            Some(media) => media.receive_answer(side, sdp),
            None => Err(SdpError::NotAcceptable("no media session".to_owned())),
        }
    }

    fn offer_rejected(&mut self, side: Side, cause: Cause) {
        match std::mem::replace(&mut self.exchange, Exchange::None) {
            Exchange::PassedOn { from, before } if from == side.other() => {
                self.undo(before, Some((from, cause)));
            }
            Exchange::Told { to, before } if to == side => self.undo(before, None),
            // The answer that an offer of ours in a 200 was to get in the ACK never came.
            Exchange::Offered { to, before } if to == side => self.undo(before, None),
            other => self.exchange = other,
        }
    }

    /// RFC 3261 section 14.1: the session goes on as if the offer had not been made.
    fn undo(&mut self, before: Box<Media>, refused: Option<(Side, Cause)>) {
        if let Some(media) = self.media_mut() {
            *media = *before;
        }
        if let Some((side, cause)) = refused {
            let who = self.who(side);
            self.tell(who, Signal::OfferReject(cause));
        }
    }

    /// The answer to [`Exchange::Offered`]. If the party turned its direction with it, the other one is told.
    pub(super) fn exchange_late_answer(&mut self, side: Side, sdp: &[u8]) {
        let before = match std::mem::replace(&mut self.exchange, Exchange::None) {
            Exchange::Offered { to, before } if to == side => before,
            other => {
                self.exchange = other;
                return;
            }
        };
        if self.receive_answer(side, sdp).is_err() {
            return self.undo(before, None);
        }
        self.configure_both();
        let turned = |media: &Media| media.wish(side) != before.wish(side);
        if self.media().is_some_and(turned) {
            self.owe_offer(side.other());
        }
    }

    /// This side is to be offered what it may do now that the other one turned its direction.
    pub(super) fn owe_offer(&mut self, to: Side) {
        if self.media().is_some_and(|media| media.takes_offers(to)) {
            self.owed[index(to)] = true;
        }
    }

    /// Makes the next offer that waited for the end of an exchange, and tells who is on hold now.
    pub(super) fn settle_exchange(&mut self, random: Random<'_>) {
        if self.ended.is_some() || !matches!(self.exchange, Exchange::None) || self.answer.is_none() {
            return;
        }
        self.tell_hold();
        let Some(to) = [Side::A, Side::B].into_iter().find(|side| self.owed[index(*side)]) else { return };
        self.owed[index(to)] = false;
        let Some(media) = self.media_mut() else { return };
        let before = Box::new(media.clone());
        let sdp = media.write_offer(to, random);
        self.exchange = Exchange::Told { to, before };
        let who = self.who(to);
        self.tell(who, Signal::Offer { sdp: Some(sdp), update: false });
    }

    pub(super) fn configure_both(&mut self) {
        let branch = self.answered.unwrap_or(0);
        self.configure(branch, Side::A);
        self.configure(branch, Side::B);
    }
}
