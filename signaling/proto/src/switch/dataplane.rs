//! The switch's side of the control protocol.

use super::calls::CallId;
use super::streams::StreamId;
use super::{Output, Switch, Timer};
use crate::control_client::{ControlClient, DELETE_AGAIN, ORPHAN_GRACE};
use crate::party::Cause;
use std::time::Instant;
use tandem_control::{Event, Hello, Message, Refusal, Reply, Request, RequestFrame, SessionId, Side};

/// Requests that may wait for their answers.
const MAX_OPEN: usize = 8_192;
/// Marks the ids of the switch's requests; the NG relay and the process around both have others.
const ID_MARK: u8 = 0;

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A session of this branch.
    Create(CallId, usize),
    /// A session is configured; without it the call has no media.
    Configure(SessionId),
    /// A leg is given ports for video; without them the call goes on.
    AddVideo(SessionId, Side),
    /// Legs of the sessions of two calls change places: of the one that somebody is transferred from, and the other.
    Swap(CallId, CallId),
    /// A session that nobody needs is deleted.
    Delete(SessionId),
    /// A session of an end of a stream.
    Stream(StreamId),
    /// Its leg is configured.
    StreamConfigured(StreamId),
    /// It watches its publisher.
    StreamWatches(StreamId),
    /// Which sessions are there.
    List,
    /// Nothing depends on its answer.
    Other,
}

/// The connection to the dataplane.
pub(super) type Dataplane = ControlClient<Purpose>;

pub(super) fn dataplane() -> Dataplane {
    ControlClient::new(ID_MARK, MAX_OPEN)
}

impl Switch {
    /// Asks the dataplane. A request that cannot be sent is answered as busy.
    pub(super) fn ask(&mut self, now: Instant, request: Request, purpose: Purpose) {
        match self.dataplane.begin(now, purpose) {
            Ok(id) => self.outputs.push_back(Output::Dataplane(RequestFrame { id, request })),
            Err(purpose) => self.answered(now, purpose, Err(Refusal::Busy)),
        }
    }

    pub(super) fn dataplane_said(&mut self, now: Instant, message: Message) {
        match message {
            Message::Event(Event { session, kind }) => self.media_event(now, session, &kind),
            Message::Reply { id, result } => match self.dataplane.finish(id) {
                Some(purpose) => self.answered(now, purpose, result),
                // The answer to a request that was given up: nobody waits for that session.
                None => {
                    if let Ok(Reply::Created { session, .. }) = result {
                        self.delete_session(now, session);
                    }
                }
            },
        }
    }

    /// Deletes a session that nobody needs; later, if the dataplane is too busy.
    pub(super) fn delete_session(&mut self, now: Instant, session: SessionId) {
        self.ask(now, Request::Delete { session }, Purpose::Delete(session));
    }

    /// A session could not be deleted. One of a lost connection is among the orphans of the next.
    fn delete_again(&mut self, now: Instant, session: SessionId) {
        if self.dataplane.hello().is_some() {
            self.timers.insert((now + DELETE_AGAIN, Timer::DeleteAgain(session)));
        }
    }

    fn answered(&mut self, now: Instant, purpose: Purpose, result: Result<Reply, Refusal>) {
        match (purpose, result) {
            (Purpose::Create(call, branch), Ok(Reply::Created { session, local })) => {
                self.session_created(now, call, branch, session, local);
            }
            (Purpose::Create(call, branch), Ok(_)) => {
                let refusal = Refusal::Invalid("unexpected answer".to_owned());
                self.session_refused(now, call, branch, &refusal);
            }
            (Purpose::Create(call, branch), Err(refusal)) => {
                self.session_refused(now, call, branch, &refusal);
            }
            (Purpose::Stream(stream), result) => {
                let created = result.and_then(|reply| match reply {
                    Reply::Created { session, local } => Ok((session, local)),
                    _ => Err(Refusal::Invalid("unexpected answer".to_owned())),
                });
                self.stream_created(now, stream, created);
            }
            (Purpose::StreamConfigured(stream), result) => {
                self.stream_configured(now, stream, result.map(|_| ()));
            }
            (Purpose::StreamWatches(stream), result) => self.stream_set_up(now, stream, result.map(|_| ())),
            (Purpose::AddVideo(session, side), result) => {
                let ports = match result {
                    Ok(Reply::VideoAdded(ports)) => Some(ports),
                    _ => None,
                };
                self.video_added(now, session, side, ports);
            }
            (Purpose::Configure(session), Err(refusal)) if self.dataplane.hello().is_some() => {
                self.configuration_refused(now, session, &refusal);
            }
            (Purpose::Swap(call, target), Ok(_)) => self.swapped(now, call, target),
            (Purpose::Swap(call, target), Err(refusal)) => self.swap_refused(now, call, target, &refusal),
            (Purpose::List, Ok(Reply::Sessions { sessions, more })) => {
                let last = sessions.last().map(|listed| listed.session);
                let (calls, streams) = (&self.calls, &self.streams);
                self.dataplane.listed(&sessions, |listed| {
                    let is_known = calls.knows(listed.session) || streams.knows(listed.session);
                    !listed.note.starts_with(crate::ng::NOTE_MARK) && !is_known
                });
                match last.filter(|_| more) {
                    Some(last) => self.ask(now, Request::List { after: Some(last) }, Purpose::List),
                    None => self.listed(now),
                }
            }
            // Without the list nothing is known of what is missing; the next connection will ask again.
            (Purpose::List, _) => drop(self.dataplane.take_missing()),
            (Purpose::Delete(session), Err(Refusal::Busy)) => self.delete_again(now, session),
            (Purpose::Configure(_) | Purpose::Delete(_) | Purpose::Other, _) => {}
        }
    }

    /// Every session was listed: calls whose session is gone end, sessions without a call have a grace.
    fn listed(&mut self, now: Instant) {
        for session in self.dataplane.take_missing() {
            self.session_lost(now, session, Cause::new(503, "The media session is lost"));
        }
        if self.dataplane.has_orphans() {
            self.timers.insert((now + ORPHAN_GRACE, Timer::Orphans));
        }
    }

    pub(super) fn delete_orphans(&mut self, now: Instant) {
        for session in self.dataplane.take_orphans() {
            if !self.calls.knows(session) && !self.streams.knows(session) {
                self.counters.orphans_deleted += 1;
                self.delete_session(now, session);
            }
        }
    }

    pub(super) fn dataplane_up(&mut self, now: Instant, hello: Hello) {
        self.dataplane_down(now);
        let sessions = self.calls.all_sessions().into_iter().chain(self.streams.all_sessions()).collect();
        self.dataplane.up(hello, sessions);
        self.ask(now, Request::List { after: None }, Purpose::List);
    }

    /// What was asked is not answered any more. Calls go on: so does the dataplane, if it lives.
    pub(super) fn dataplane_down(&mut self, now: Instant) {
        for purpose in self.dataplane.down() {
            self.answered(now, purpose, Err(Refusal::Busy));
        }
    }

    /// Gives up the requests that have waited for too long.
    pub(super) fn expire_requests(&mut self, now: Instant) {
        while let Some(purpose) = self.dataplane.expire(now) {
            self.counters.dataplane_timeouts += 1;
            self.answered(now, purpose, Err(Refusal::Busy));
        }
    }
}
