//! Hold: one party does not want to hear the other one for a while.
//!
//! A party may say so in a new offer of its own, which [`super::exchange`] passes on; or by [`Signal::Hold`], without one:
//! its own description stays then, what it sends is dropped here, and the other side is offered what is left.

use super::media::index;
use super::{Action, Call, Media, Who};
use crate::party::Signal;
use crate::sdp::Random;
use std::time::Instant;
use tandem_control::Side;

impl Call {
    /// A party holds the other one, or takes it back, without a description of its own.
    pub(super) fn hold(&mut self, now: Instant, from: Who, on: bool, random: Random<'_>) {
        let Some(side) = self.side_of(from).filter(|_| self.answered.is_some()) else { return };
        let Some(media) = self.media_mut() else { return };
        if !media.set_hold(side, on) {
            return;
        }
        self.configure_both();
        self.owe_offer(now, side.other());
        self.settle_exchange(now, random);
    }

    /// Tells each party that has been put on hold, or taken back, since it was last told, and plays to it.
    pub(super) fn tell_hold(&mut self) {
        for side in [Side::A, Side::B] {
            let is_held = self.media().is_some_and(|media| media.holds(side.other()));
            if std::mem::replace(&mut self.told_hold[index(side)], is_held) != is_held {
                let who = self.who(side);
                self.tell(who, Signal::Hold { on: is_held });
            }
            self.play_music(side);
        }
    }

    /// Music on hold, as long as one is held and would hear it.
    fn play_music(&mut self, side: Side) {
        let Some(media) = self.media() else { return };
        let (session, music) = (media.session(), media.hold_music(side.other()).map(str::to_owned));
        let music = music.filter(|_| self.media().is_some_and(|media| media.direction(side).receives()));
        let was = std::mem::replace(&mut self.has_music[index(side)], music.is_some());
        match music {
            Some(path) if !was => self.actions.push_back(Action::PlayMusic { session, side, path }),
            None if was => self.actions.push_back(Action::StopTone { session, side }),
            _ => {}
        }
    }
}

impl Media {
    /// What those hear whom this side's party holds, if it holds the other one: a file.
    pub(super) fn hold_music(&self, holder: Side) -> Option<&str> {
        let party = &self.parties[index(holder)];
        party.profile.hold_music.as_deref().filter(|_| self.holds(holder))
    }
}
