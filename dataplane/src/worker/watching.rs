//! Who watches whom among the sessions of a worker, and the way of copies from a source to those who watch it.

use super::Worker;
use super::packets::{Copied, WorkerOutbox};
use super::sessions::{Entry, SIDES, index};
use crate::demux::Leg;
use crate::driver::Driver;
use tandem_control::{MAX_WATCHERS, Refusal, Reply, SessionId, Side};
use tandem_media::Now;
use tandem_media::packet::Packet;

/// What one session has to do with watching.
#[derive(Default)]
pub(super) struct Watching {
    /// The side whose peer watches, and what.
    source: Option<(Side, Leg)>,
    /// The legs whose peers watch the peer on side A, and on side B. Their memory is taken when the first comes.
    watchers: [Vec<Leg>; 2],
}

impl<D: Driver> Worker<D> {
    /// Lets a peer watch that of another session.
    ///
    /// # Errors
    /// As [`tandem_control::Request::Watch`] says; nothing has changed then.
    pub(super) fn watch(
        &mut self,
        now: Now,
        (session, side): (SessionId, Side),
        (source, its_side): (SessionId, Side),
    ) -> Result<Reply, Refusal> {
        let find = |id| self.sessions.find(id).ok_or(Refusal::UnknownSession);
        let (watcher, source) = (find(session)?, find(source)?);
        let is_itself = || Refusal::Invalid("a session cannot watch itself".to_owned());
        let (one, other) = self.sessions.get_two_mut(watcher, source).ok_or_else(is_itself)?;
        let watchers = &mut other.watching.watchers[index(its_side)];
        if watchers.len() >= MAX_WATCHERS {
            return Err(Refusal::Busy);
        }
        one.session.watch(now, side, (&mut other.session, its_side))?;
        watchers.push(Leg { session: watcher, side });
        one.watching.source = Some((side, Leg { session: source, side: its_side }));
        self.watchers += 1;
        self.settle_session(watcher);
        self.settle_session(source);
        Ok(Reply::Done)
    }

    /// Ends what a peer watches, if it does.
    ///
    /// # Errors
    /// [`Refusal::UnknownSession`].
    pub(super) fn unwatch(&mut self, now: Now, id: SessionId, side: Side) -> Result<Reply, Refusal> {
        let (session, entry) = self.entry(id)?;
        if entry.watching.source.is_some_and(|(watching, _)| watching == side) {
            self.leave_source(session);
            if let Some(entry) = self.sessions.get_mut(session) {
                entry.session.unwatch(now);
            }
            self.settle_session(session);
        }
        Ok(Reply::Done)
    }

    /// A session is about to end: it watches nobody and is watched by nobody any longer.
    pub(super) fn end_watching(&mut self, now: Now, session: usize) {
        self.leave_source(session);
        for side in SIDES {
            self.dismiss_watchers(now, Leg { session, side });
        }
    }

    /// Ends the watching of all who watch the peer of a leg, and tells them.
    pub(super) fn dismiss_watchers(&mut self, now: Now, source: Leg) {
        let Some(entry) = self.sessions.get_mut(source.session) else { return };
        entry.session.stop_copies(source.side);
        let watchers = std::mem::take(&mut entry.watching.watchers[index(source.side)]);
        for watcher in watchers {
            let Some(entry) = self.sessions.get_mut(watcher.session) else { continue };
            entry.watching.source = None;
            self.watchers -= 1;
            entry.session.lose_source(now);
            self.settle_session(watcher.session);
        }
    }

    /// Takes a session off the list of the source that it watches.
    fn leave_source(&mut self, session: usize) {
        let Some(entry) = self.sessions.get_mut(session) else { return };
        let Some((_, source)) = entry.watching.source.take() else { return };
        self.watchers -= 1;
        let Some(entry) = self.sessions.get_mut(source.session) else { return };
        let watchers = &mut entry.watching.watchers[index(source.side)];
        watchers.retain(|watcher| watcher.session != session);
        if watchers.is_empty() {
            entry.session.stop_copies(source.side);
        }
    }

    /// Asks a session's source for the key frame that its peer needs, if it does.
    pub(super) fn pass_on_wishes(&mut self, now: Now, session: usize) {
        let Some(Entry { session, watching, .. }) = self.sessions.get_mut(session) else { return };
        let Some((_, source)) = watching.source.filter(|_| session.take_key_frame_wish()) else { return };
        if let Some(entry) = self.sessions.get_mut(source.session) {
            entry.session.want_key_frame(now, source.side);
            self.settle_session(source.session);
        }
    }

    /// Hands a packet of a source to all who watch it; returns to how many.
    pub(super) fn hand_out(&mut self, now: Now, source: Leg, copied: Copied) -> usize {
        let mut handed = 0;
        while let Some(entry) = self.sessions.get(source.session)
            && let Some(&watcher) = entry.watching.watchers[index(source.side)].get(handed)
        {
            self.hand_to(now, watcher, &copied);
            handed += 1;
        }
        self.driver.release(copied.buffer);
        handed
    }

    fn hand_to(&mut self, now: Now, watcher: Leg, copied: &Copied) {
        let Some(Entry { session, legs, .. }) = self.sessions.get_mut(watcher.session) else { return };
        let mut outbox = WorkerOutbox::new(&mut self.driver, &mut self.departures, &mut self.counters, legs);
        let Some(mut buffer) = outbox.buffer_with(copied.bytes()) else { return };
        // A packet that was received has the room behind it that the buffers of all packets have.
        let Some(mut packet) = Packet::in_batch(&mut buffer, 0..copied.len, None) else {
            return self.driver.release(buffer);
        };
        let outcome = session.receive_copy(now, watcher.side, copied.medium, &mut packet, &mut outbox);
        let (datagram, due) = (packet.range(), packet.take_due_tag());
        outbox.finish(outcome, buffer, datagram, due);
        if session.take_news() {
            self.settle_session(watcher.session);
        }
    }
}
