//! The switch's side of the control protocol.

use super::calls::CallId;
use super::{Output, Switch, Timer};
use crate::party::Cause;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use tandem_control::{Event, Hello, Message, Refusal, Reply, Request, RequestFrame, SessionId};

/// Requests that may wait for their answers.
const MAX_OPEN: usize = 8_192;
/// How long one may wait.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a session that no call knows is left alone: whoever made it may still tell of it.
const ORPHAN_GRACE: Duration = Duration::from_secs(30);
/// Our request ids go round below this; those above belong to the NG relay and to the process around us.
const ID_MASK: u32 = 0x3FFF_FFFF;

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A session of this branch.
    Create(CallId, usize),
    /// A session is configured; without it the call has no media.
    Configure(SessionId),
    /// Which sessions are there.
    List,
    /// Nothing depends on its answer.
    Other,
}

/// The connection to the dataplane.
#[derive(Debug, Default)]
pub(super) struct Dataplane {
    hello: Option<Hello>,
    next_id: u32,
    open: HashMap<u32, (Instant, Purpose)>,
    /// Our sessions when it came up, less those that it listed.
    missing: HashSet<SessionId>,
    orphans: Vec<SessionId>,
}

impl Dataplane {
    pub(super) fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }
}

impl Switch {
    /// Asks the dataplane. A request that cannot be sent is answered as busy.
    pub(super) fn ask(&mut self, now: Instant, request: Request, purpose: Purpose) {
        if self.dataplane.hello.is_none() || self.dataplane.open.len() >= MAX_OPEN {
            return self.answered(now, purpose, Err(Refusal::Busy));
        }
        let mut id = self.dataplane.next_id;
        while self.dataplane.open.contains_key(&id) {
            id = (id + 1) & ID_MASK;
        }
        self.dataplane.next_id = (id + 1) & ID_MASK;
        let deadline = now + REQUEST_TIMEOUT;
        self.dataplane.open.insert(id, (deadline, purpose));
        self.timers.insert((deadline, Timer::Request(id)));
        self.outputs.push_back(Output::Dataplane(RequestFrame { id, request }));
    }

    pub(super) fn dataplane_said(&mut self, now: Instant, message: Message) {
        match message {
            Message::Event(Event { session, kind }) => self.media_event(now, session, &kind),
            Message::Reply { id, result } => match self.dataplane.open.remove(&id) {
                Some((deadline, purpose)) => {
                    self.timers.remove(&(deadline, Timer::Request(id)));
                    self.answered(now, purpose, result);
                }
                // The answer to a request that was given up: nobody waits for that session.
                None => {
                    if let Ok(Reply::Created { session, .. }) = result {
                        self.ask(now, Request::Delete { session }, Purpose::Other);
                    }
                }
            },
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
            (Purpose::Configure(session), Err(refusal)) if self.dataplane.hello.is_some() => {
                self.configuration_refused(now, session, &refusal);
            }
            (Purpose::List, Ok(Reply::Sessions { sessions, more })) => {
                let last = sessions.last().map(|listed| listed.session);
                for listed in sessions {
                    self.dataplane.missing.remove(&listed.session);
                    let is_relayed = listed.note.starts_with(crate::ng::NOTE_MARK);
                    if !is_relayed && !self.calls.knows(listed.session) {
                        self.dataplane.orphans.push(listed.session);
                    }
                }
                match last.filter(|_| more) {
                    Some(last) => self.ask(now, Request::List { after: Some(last) }, Purpose::List),
                    None => self.listed(now),
                }
            }
            // Without the list nothing is known of what is missing; the next connection will ask again.
            (Purpose::List, _) => self.dataplane.missing.clear(),
            (Purpose::Configure(_) | Purpose::Other, _) => {}
        }
    }

    /// Every session was listed: calls whose session is gone end, sessions without a call have a grace.
    fn listed(&mut self, now: Instant) {
        for session in std::mem::take(&mut self.dataplane.missing) {
            self.session_lost(now, session, Cause::new(503, "The media session is lost"));
        }
        if !self.dataplane.orphans.is_empty() {
            self.timers.insert((now + ORPHAN_GRACE, Timer::Orphans));
        }
    }

    pub(super) fn delete_orphans(&mut self, now: Instant) {
        for session in std::mem::take(&mut self.dataplane.orphans) {
            if !self.calls.knows(session) {
                self.counters.orphans_deleted += 1;
                self.ask(now, Request::Delete { session }, Purpose::Other);
            }
        }
    }

    pub(super) fn dataplane_up(&mut self, now: Instant, hello: Hello) {
        self.dataplane_down(now);
        self.dataplane.hello = Some(hello);
        self.dataplane.missing = self.calls.all_sessions();
        self.dataplane.orphans.clear();
        self.ask(now, Request::List { after: None }, Purpose::List);
    }

    /// What was asked is not answered any more. Calls go on: so does the dataplane, if it lives.
    pub(super) fn dataplane_down(&mut self, now: Instant) {
        self.dataplane.hello = None;
        for (id, (deadline, purpose)) in std::mem::take(&mut self.dataplane.open) {
            self.timers.remove(&(deadline, Timer::Request(id)));
            self.answered(now, purpose, Err(Refusal::Busy));
        }
    }

    pub(super) fn request_timeout(&mut self, now: Instant, id: u32) {
        if let Some((_, purpose)) = self.dataplane.open.remove(&id) {
            self.counters.dataplane_timeouts += 1;
            self.answered(now, purpose, Err(Refusal::Busy));
        }
    }
}
