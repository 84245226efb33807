//! Video that a party wants and does not offer: its protocol has a word for it, and no description.

use super::exchange::Exchange;
use super::media::index;
use super::{Action, Call, Media, Who};
use crate::party::{Cause, Signal};
use crate::sdp::Random;
use tandem_control::Side;

impl Call {
    /// A party wants video. The other one is asked first: it is offered all that is switched on; what it takes is then
    /// offered to the party. If it takes none, the party hears [`Signal::OfferReject`].
    ///
    /// # Errors
    /// 491: the call is not answered, or another offer is open; 488: one of the parties cannot have video.
    pub fn want_video(&mut self, from: Who, random: Random<'_>) -> Result<(), Cause> {
        let Some(side) = self.side_of(from).filter(|_| self.is_settled()) else {
            return Err(Cause::new(491, "Request Pending"));
        };
        let Some(media) = self.media() else { return Err(Cause::new(481, "There is no such call")) };
        if media.has_video() {
            return Ok(());
        }
        if !media.may_have_video() {
            return Err(no_video());
        }
        let (session, waiting) = (media.session(), media.video_ports_lacking());
        if !waiting.contains(&true) {
            self.ask_for_video(side, random);
            return Ok(());
        }
        for side in [Side::A, Side::B].into_iter().filter(|side| waiting[index(*side)]) {
            self.actions.push_back(Action::AddVideo { session, side });
        }
        self.exchange = Exchange::Reserving { from: side, offer: None, waiting };
        Ok(())
    }

    /// Offers video to the other one of a party that wants it; there are ports, or there never will be.
    pub(super) fn ask_for_video(&mut self, from: Side, random: Random<'_>) {
        let to = from.other();
        let Some(media) = self.media_mut() else { return };
        if !media.may_have_video() {
            return self.refuse_video(from);
        }
        let before = Box::new(media.clone());
        let sdp = media.write_video_offer(to, random);
        self.exchange = Exchange::Told { to, before, wants_video: true };
        let who = self.who(to);
        self.tell(who, Signal::Offer { sdp: Some(sdp), update: false });
    }

    /// The other one of a party that wants video has answered; if it takes none, there is none.
    pub(super) fn video_answered(&mut self, by: Side) {
        if !self.media().is_some_and(|media| media.leg(by).has_video()) {
            self.refuse_video(by.other());
        }
    }

    fn refuse_video(&mut self, to: Side) {
        let who = self.who(to);
        self.tell(who, Signal::OfferReject(no_video()));
    }
}

impl Media {
    /// Whether both parties can come to have video in mid-call.
    fn may_have_video(&self) -> bool {
        [Side::A, Side::B].into_iter().all(|side| {
            self.leg(side).may_have_video() && self.takes_offers(side) && !self.was_refused_video(side)
        })
    }

    /// The legs that must have ports of their own before.
    fn video_ports_lacking(&self) -> [bool; 2] {
        [Side::A, Side::B].map(|side| self.leg(side).needs_video_ports())
    }
}

fn no_video() -> Cause {
    Cause::new(488, "Video cannot be had in this call")
}
