//! Hold: one party does not want to hear the other one for a while.
//!
//! A party may say so in a new offer of its own, which [`super::exchange`] passes on; or by [`Signal::Hold`], without one:
//! its own description stays then, what it sends is dropped here, and the other side is offered what is left.

use super::media::index;
use super::{Call, Who};
use crate::party::Signal;
use crate::sdp::Random;
use tandem_control::Side;

impl Call {
    /// A party holds the other one, or takes it back, without a description of its own.
    pub(super) fn hold(&mut self, from: Who, on: bool, random: Random<'_>) {
        let Some(side) = self.side_of(from).filter(|_| self.answered.is_some()) else { return };
        let Some(media) = self.media_mut() else { return };
        if !media.set_hold(side, on) {
            return;
        }
        self.configure_both();
        self.owe_offer(side.other());
        self.settle_exchange(random);
    }

    /// Tells each party that has been put on hold, or taken back, since it was last told.
    pub(super) fn tell_hold(&mut self) {
        for side in [Side::A, Side::B] {
            let is_held =
                self.answered.is_some() && self.media().is_some_and(|media| media.holds(side.other()));
            if std::mem::replace(&mut self.told_hold[index(side)], is_held) != is_held {
                let who = self.who(side);
                self.tell(who, Signal::Hold { on: is_held });
            }
        }
    }
}
