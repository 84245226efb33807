//! Offers inside a call.
//!
//! An offer that changes which way media flows is passed on: the other side is sent an offer of ours, and its answer
//! decides ours. Anything else (another address, an ICE restart, a refresh) concerns one leg only and is answered here.

use super::media::index;
use super::{Action, Call, Media, Who};
use crate::party::{Cause, Signal};
use crate::sdp::{Random, SdpError};
use std::time::{Duration, Instant};
use tandem_control::{SessionId, Side, StreamPorts};

/// How long an offer of ours that met another request waits before it is made again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How often it is made again. The user agent itself has tried each time for as long as RFC 3261 section 14.1 wants it.
const MAX_TRIES: u8 = 5;

/// What of an offer/answer exchange inside the call is open.
#[derive(Debug)]
pub(super) enum Exchange {
    /// Nothing.
    None,
    /// `from` offered video, or wants it, and the dataplane is asked for ports.
    Reserving {
        /// Who.
        from: Side,
        /// Its offer, and whether it came by UPDATE; `None` of who only wants video.
        offer: Option<(Vec<u8>, bool)>,
        /// The sides whose ports have not come yet.
        waiting: [bool; 2],
    },
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
    /// This side was sent an offer because the other one changed its direction, or wants video, without an offer of its
    /// own.
    Told {
        /// Which.
        to: Side,
        /// How both legs were before.
        before: Box<Media>,
        /// The other one wants video.
        wants_video: bool,
    },
}

/// An offer that a side is to be sent as soon as no other exchange is open.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Owed {
    /// Not before this time.
    at: Option<Instant>,
    tries: u8,
}

impl Call {
    pub(super) fn side_of(&self, who: Who) -> Option<Side> {
        match who {
            Who::Caller => Some(Side::A),
            Who::Callee(branch) => (self.answered.unwrap_or(0) == branch).then_some(Side::B),
        }
    }

    /// Who is on one side of the media.
    pub(crate) fn who(&self, side: Side) -> Who {
        match side {
            Side::A => Who::Caller,
            Side::B => Who::Callee(self.answered.unwrap_or(0)),
        }
    }

    pub(super) fn exchange_signal(&mut self, now: Instant, from: Who, signal: Signal, random: Random<'_>) {
        let Some(side) = self.side_of(from) else { return };
        match signal {
            Signal::Offer { sdp, update } => self.offered(side, sdp, update, &mut *random),
            Signal::OfferAnswer { sdp } => self.offer_answered(now, side, &sdp),
            Signal::OfferReject(cause) => self.offer_rejected(now, side, cause),
            Signal::LateAnswer { sdp } => self.exchange_late_answer(now, side, &sdp),
            // What only a callee says of itself, from the caller; or what comes too late.
            _ => {}
        }
        self.settle_exchange(now, random);
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
        let waiting = media.lacks_video_ports(side, &sdp);
        if waiting.contains(&true) {
            return self.reserve(side, sdp, update, waiting);
        }
        if let Err(error) = media.receive_offer(side, &sdp, &mut *random) {
            media.restore(*before);
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

    /// Asks for the ports without which an offer's video could not be had.
    fn reserve(&mut self, from: Side, sdp: Vec<u8>, update: bool, waiting: [bool; 2]) {
        let Some(session) = self.media().map(Media::session) else { return };
        for side in [Side::A, Side::B].into_iter().filter(|side| waiting[index(*side)]) {
            self.actions.push_back(Action::AddVideo { session, side });
        }
        self.exchange = Exchange::Reserving { from, offer: Some((sdp, update)), waiting };
    }

    /// A leg was given ports for video, or cannot have any: then its call goes on without.
    pub fn video_added(
        &mut self,
        now: Instant,
        session: SessionId,
        side: Side,
        ports: Option<StreamPorts>,
        random: Random<'_>,
    ) {
        let Some(media) = self.media_mut().filter(|media| media.session() == session) else { return };
        match ports {
            Some(ports) => media.add_video(side, ports),
            None => media.refuse_video(side),
        }
        let Exchange::Reserving { waiting, .. } = &mut self.exchange else { return };
        waiting[index(side)] = false;
        if waiting.contains(&true) {
            return;
        }
        if let Exchange::Reserving { from, offer, .. } = std::mem::replace(&mut self.exchange, Exchange::None)
        {
            match offer {
                Some((sdp, update)) => self.offered(from, Some(sdp), update, &mut *random),
                None => self.ask_for_video(from, &mut *random),
            }
            self.settle_exchange(now, random);
        }
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
                media.restore(*before);
                self.tell(who, Signal::OfferReject(error.into()));
            }
        }
    }

    fn offer_answered(&mut self, now: Instant, side: Side, sdp: &[u8]) {
        match std::mem::replace(&mut self.exchange, Exchange::None) {
            Exchange::PassedOn { from, before } if from == side.other() => {
                match self.receive_answer(side, sdp) {
                    Ok(()) => self.answer_offer(from, before),
                    Err(error) => self.undo(before, Some((from, error.into()))),
                }
            }
            Exchange::Told { to, before, wants_video } if to == side => {
                self.owed[index(to)].tries = 0;
                match self.receive_answer(side, sdp) {
                    Ok(()) => self.configure_both(),
                    Err(_) => self.undo(before, None),
                }
                if wants_video {
                    self.video_answered(to);
                }
                self.level_video(now, side.other());
            }
            other => self.exchange = other,
        }
    }

    fn receive_answer(&mut self, side: Side, sdp: &[u8]) -> Result<(), SdpError> {
        match self.media_mut() {
            Some(media) => media.receive_answer(side, sdp),
            None => Err(SdpError::NotAcceptable("no media session".to_owned())),
        }
    }

    fn offer_rejected(&mut self, now: Instant, side: Side, cause: Cause) {
        match std::mem::replace(&mut self.exchange, Exchange::None) {
            Exchange::PassedOn { from, before } if from == side.other() => {
                self.undo(before, Some((from, cause)));
            }
            Exchange::Told { to, before, wants_video } if to == side => {
                self.undo(before, None);
                if wants_video {
                    self.video_answered(to);
                } else if cause.status == 491 {
                    self.owe_again(now, to);
                }
            }
            // The answer that an offer of ours in a 200 was to get in the ACK never came.
            Exchange::Offered { to, before } if to == side => self.undo(before, None),
            other => self.exchange = other,
        }
    }

    /// RFC 3261 section 14.1: the session goes on as if the offer had not been made.
    fn undo(&mut self, before: Box<Media>, refused: Option<(Side, Cause)>) {
        if let Some(media) = self.media_mut() {
            media.restore(*before);
        }
        if let Some((side, cause)) = refused {
            let who = self.who(side);
            self.tell(who, Signal::OfferReject(cause));
        }
    }

    /// The answer to [`Exchange::Offered`]. If the party turned its direction with it, the other one is told.
    pub(super) fn exchange_late_answer(&mut self, now: Instant, side: Side, sdp: &[u8]) {
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
            self.owe_offer(now, side.other());
        }
    }

    /// This side is to be offered what it may do now that the other one wants something else.
    pub(super) fn owe_offer(&mut self, now: Instant, to: Side) {
        if self.media().is_some_and(|media| media.takes_offers(to)) {
            self.owed[index(to)] = Owed { at: Some(now), tries: 0 };
        }
    }

    /// Our offer met one of the peer's, or something else that must come first.
    fn owe_again(&mut self, now: Instant, to: Side) {
        let owed = &mut self.owed[index(to)];
        if owed.tries < MAX_TRIES {
            *owed = Owed { at: Some(now + TRY_AGAIN), tries: owed.tries + 1 };
        }
    }

    /// Where only one side has video, or each another one (they have come together by a transfer), one of them is offered
    /// what both can have: `to`, unless that takes no offers.
    pub(super) fn level_video(&mut self, now: Instant, to: Side) {
        let Some(media) = self.media() else { return };
        let (a, b) = (media.leg(Side::A), media.leg(Side::B));
        let has_video = a.has_video() || b.has_video();
        if has_video && !(a.has_video() && b.has_video() && a.shares_video(b)) {
            let to = if media.takes_offers(to) { to } else { to.other() };
            self.owe_offer(now, to);
        }
    }

    /// When the next owed offer may be made.
    pub(super) fn owed_at(&self) -> Option<Instant> {
        let is_free = matches!(self.exchange, Exchange::None) && self.is_talking();
        self.owed.iter().filter_map(|owed| owed.at).min().filter(|_| is_free)
    }

    /// Makes the next offer that waited for the end of an exchange, and tells who is on hold now.
    pub(super) fn settle_exchange(&mut self, now: Instant, random: Random<'_>) {
        let is_free = matches!(self.exchange, Exchange::None) && self.is_talking();
        if self.ended.is_some() || !is_free {
            return;
        }
        self.tell_hold();
        let is_due = |side: &Side| self.owed[index(*side)].at.is_some_and(|at| at <= now);
        let Some(to) = [Side::A, Side::B].into_iter().find(is_due) else { return };
        self.owed[index(to)].at = None;
        let Some(media) = self.media_mut() else { return };
        let before = Box::new(media.clone());
        let sdp = media.write_offer(to, random);
        self.exchange = Exchange::Told { to, before, wants_video: false };
        let who = self.who(to);
        self.tell(who, Signal::Offer { sdp: Some(sdp), update: false });
    }

    /// Whether the call is answered, and both sides have both descriptions.
    fn is_talking(&self) -> bool {
        self.answered.is_some() && self.answer.is_some()
    }

    pub(super) fn configure_both(&mut self) {
        let branch = self.answered.unwrap_or(0);
        self.configure(branch, Side::A);
        self.configure(branch, Side::B);
    }
}
