//! Two legs of two sessions change places.

use std::mem::swap;

use tandem_control::{Audio, PlayOutcome, Refusal, Side};

use super::{Half, Session};
use crate::Now;
use crate::bridge::Bridge;

impl Session {
    /// The leg on `side` and that of another session change places, with all that belongs to them: keys, ICE, latches,
    /// streams and figures. The bridges of both sessions are made anew from the configurations; what was played and
    /// recorded in either ends, and nobody watches these legs any longer.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if one of the four legs is in a room, one of the sessions watches, or a codec says so;
    /// nothing has changed then.
    pub fn swap(&mut self, now: Now, side: Side, other: (&mut Session, Side)) -> Result<(), Refusal> {
        let (session, its_side) = other;
        let sides = self.sides.iter().chain(&session.sides);
        if sides.into_iter().any(|half| half.seat.is_some()) {
            return Err(Refusal::Invalid("a leg in a room cannot change places".into()));
        }
        if self.is_watching() || session.is_watching() {
            return Err(Refusal::Invalid("a leg of a session that watches cannot change places".into()));
        }
        let (ours, we_keep) = self.split(side);
        let (theirs, they_keep) = session.split(its_side);
        // Each goes on with the stream that its peer knows; that is in the bridge of who is on the other side.
        let from_ours = bridge(ours, they_keep, theirs)?;
        let to_ours = bridge(they_keep, ours, we_keep)?;
        let from_theirs = bridge(theirs, we_keep, ours)?;
        let to_theirs = bridge(we_keep, theirs, they_keep)?;
        for half in [&mut *ours, &mut *we_keep, &mut *theirs, &mut *they_keep] {
            half.bridge.stop_playing(PlayOutcome::Stopped);
        }
        self.tell_what_was_played();
        session.tell_what_was_played();
        let (ours, we_keep) = self.split(side);
        let (theirs, they_keep) = session.split(its_side);
        we_keep.bridge = to_theirs;
        they_keep.bridge = to_ours;
        ours.bridge = from_ours;
        theirs.bridge = from_theirs;
        swap(ours, theirs);
        for (half, side) in [(ours, side), (theirs, its_side)] {
            half.side = side;
            half.leg.sit_on(side);
            half.is_watched = false;
        }
        for session in [self, session] {
            session.interrupt_video();
            session.route_video(now);
            session.tap = None;
            session.media_at = now.instant;
            session.media_timed_out = false;
            session.news = true;
        }
        Ok(())
    }
}

/// From `from` to `to`, whose stream is that of `before`, who was heard there until now.
fn bridge(from: &Half, to: &Half, before: &Half) -> Result<Bridge, Refusal> {
    let mut bridge = from.bridge.toward(before.bridge.output.clone());
    let idle = Audio::idle();
    let audio = [&from.leg.config().audio, &to.leg.config().audio];
    let prepared = bridge.prepare([&idle, &idle], audio);
    let prepared = prepared.map_err(|error| Refusal::Invalid(format!("codec: {error}")))?;
    if let Some(prepared) = prepared {
        bridge.configure(prepared);
    }
    Ok(bridge)
}
