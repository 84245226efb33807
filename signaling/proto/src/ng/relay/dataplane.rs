//! The relay's side of the control protocol.

use super::call::CallKey;
use super::operation::Task;
use super::{Output, Relay, Timer};
use crate::control_client::{ControlClient, DELETE_AGAIN, ORPHAN_GRACE};
use std::time::Instant;
use tandem_control::{
    Event, EventKind, Hello, ListedSession, LocalPorts, MAX_NOTE, Message, PortRequest, Refusal, Reply,
    Request, RequestFrame, SessionId, SessionStats,
};

/// Requests that may wait for their answers.
const MAX_OPEN: usize = 16_384;
/// Marks the ids of the relay's requests; the switch and the process around both have others.
const ID_MARK: u8 = 1;
/// How notes of the relay's sessions begin; the switch leaves those alone.
pub(crate) const NOTE_MARK: &[u8] = b"ng\0";

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The session of a section.
    Create { call: CallKey, dialogue: u32, section: usize },
    /// A session with these ports, for an offer to come.
    Reserve([PortRequest; 2]),
    /// One step of what the call is busy with.
    Step(CallKey),
    /// The figures of a session, for what the call is busy with.
    Figures(CallKey, SessionId),
    /// A file that shall be played.
    Play(CallKey, u32),
    /// A recording; `is_step`: it is one step of what the call is busy with.
    Recording { call: CallKey, session: SessionId, is_step: bool },
    /// Which sessions are there.
    List,
    /// A session that nobody needs is deleted.
    Delete(SessionId),
    /// Nothing depends on its answer.
    Other,
}

/// The connection to the dataplane.
pub(super) type Dataplane = ControlClient<Purpose>;

pub(super) fn dataplane() -> Dataplane {
    ControlClient::new(ID_MARK, MAX_OPEN)
}

/// What a session is for, to be read by people who list the sessions.
pub(super) fn note(call_id: &str, from_tag: &str) -> Vec<u8> {
    let mut note = Vec::with_capacity(NOTE_MARK.len() + call_id.len() + from_tag.len() + 1);
    note.extend_from_slice(NOTE_MARK);
    note.extend_from_slice(call_id.as_bytes());
    note.push(0);
    note.extend_from_slice(from_tag.as_bytes());
    note.truncate(MAX_NOTE);
    note
}

impl Relay {
    /// Asks the dataplane. A request that cannot be sent is answered as busy.
    pub(super) fn ask(&mut self, now: Instant, request: Request, purpose: Purpose) {
        match self.dataplane.begin(now, purpose) {
            Ok(id) => self.outputs.push_back(Output::Dataplane(RequestFrame { id, request })),
            Err(purpose) => self.answered(now, purpose, Err(Refusal::Busy)),
        }
    }

    /// Whether a message of the dataplane is for the relay: a reply by the request's id, an event by its session.
    pub fn wants(&self, message: &Message) -> bool {
        match message {
            Message::Reply { id, .. } => self.dataplane.is_marked(*id),
            Message::Event(event) => self.sessions.contains_key(&event.session),
        }
    }

    pub(super) fn dataplane_said(&mut self, now: Instant, message: Message) {
        match message {
            Message::Event(Event { session, kind }) => self.media_event(now, session, &kind),
            Message::Reply { id, result } => match self.dataplane.finish(id) {
                Some(purpose) => self.answered(now, purpose, result),
                // The answer to a request that was given up: nobody waits for that session.
                None => self.delete_created(now, result),
            },
        }
    }

    fn media_event(&mut self, now: Instant, session: SessionId, kind: &EventKind) {
        match *kind {
            EventKind::MediaTimeout => self.media_timeout(now, session),
            EventKind::Digit { side, event, duration_ms } => {
                self.digit_pressed(now, session, side, (event, duration_ms));
            }
            EventKind::PlayStarted { id, duration_ms, .. } => {
                self.play_started(now, session, id, duration_ms);
            }
            EventKind::PlayEnded { id, outcome, .. } => self.play_ended(now, session, id, outcome),
            EventKind::RecordingEnded { outcome, .. } => self.recording_ended(session, outcome),
            // The proxy hears by its own ways whether a call goes on.
            EventKind::Connected { .. }
            | EventKind::FirstMedia { .. }
            | EventKind::Moved { .. }
            | EventKind::PictureSize { .. }
            | EventKind::DtlsFailed { .. }
            | EventKind::ConsentLost { .. }
            | EventKind::WatchEnded { .. } => {}
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

    fn delete_created(&mut self, now: Instant, result: Result<Reply, Refusal>) {
        if let Ok(Reply::Created { session, .. }) = result {
            self.delete_session(now, session);
        }
    }

    fn answered(&mut self, now: Instant, purpose: Purpose, result: Result<Reply, Refusal>) {
        match (purpose, result) {
            (Purpose::Create { call, dialogue, section }, Ok(Reply::Created { session, local })) => {
                self.created(now, call, (dialogue, section), session, local);
            }
            (Purpose::Create { call, .. }, Err(refusal)) => {
                self.give_up_reserve(now);
                self.step(now, call, Some(refusal));
            }
            (Purpose::Step(call), Err(refusal)) => self.step(now, call, Some(refusal)),
            (Purpose::Reserve(ports), result) => self.restocked(now, &ports, result),
            (Purpose::Create { call, .. }, Ok(_)) => {
                self.step(now, call, Some(Refusal::Invalid("unexpected answer".to_owned())));
            }
            (Purpose::Step(call), Ok(_)) => self.step(now, call, None),
            (Purpose::Figures(call, session), result) => {
                match result {
                    Ok(Reply::Stats(figures)) => self.figures(call, session, *figures),
                    // Asked about and not among ours: it was to be deleted.
                    Err(Refusal::Busy) if !self.sessions.contains_key(&session) => {
                        self.delete_again(now, session);
                    }
                    _ => {}
                }
                // Figures of a session that is gone are nothing; the others are told all the same.
                self.step(now, call, None);
            }
            (Purpose::Play(call, id), result) => self.play_answered(now, call, id, result.err()),
            (Purpose::Recording { call, session, is_step }, result) => {
                self.recording_answered(now, (call, session, is_step), result.err());
            }
            (Purpose::List, Ok(Reply::Sessions { sessions, more })) => self.listed(now, &sessions, more),
            // Without the list nothing is known of what is missing; the next connection will ask again.
            (Purpose::List, _) => drop(self.dataplane.take_missing()),
            (Purpose::Delete(session), Err(Refusal::Busy)) => self.delete_again(now, session),
            (Purpose::Delete(_) | Purpose::Other, _) => {}
        }
    }

    fn created(
        &mut self,
        now: Instant,
        key: CallKey,
        (dialogue, section): (u32, usize),
        session: SessionId,
        local: [LocalPorts; 2],
    ) {
        let call = self.calls.get_mut(&key);
        let dialogue = call.and_then(|call| call.dialogue_mut(dialogue));
        let media = dialogue.and_then(|dialogue| dialogue.sections.get_mut(section)?.as_mut());
        match media {
            Some(media) => {
                media.session = Some(session);
                media.local = Some(local);
                self.sessions.insert(session, key);
            }
            None => self.delete_session(now, session),
        }
        self.step(now, key, None);
    }

    fn figures(&mut self, key: CallKey, session: SessionId, stats: SessionStats) {
        let operation = self.calls.get_mut(&key).and_then(|call| call.operation.as_mut());
        if let Some(Task::Report { figures, .. }) = operation.map(|operation| &mut operation.task) {
            figures.push((session, stats));
        }
    }

    fn listed(&mut self, now: Instant, sessions: &[ListedSession], more: bool) {
        let (known, reserve) = (&self.sessions, &self.reserve);
        self.dataplane.listed(sessions, |listed| {
            let is_known = known.contains_key(&listed.session) || reserve.has(listed.session);
            listed.note.starts_with(NOTE_MARK) && !is_known
        });
        if let Some(last) = sessions.last().filter(|_| more) {
            return self.ask(now, Request::List { after: Some(last.session) }, Purpose::List);
        }
        // Every session was listed: dialogues whose session is gone end, sessions without one have a grace.
        for session in self.dataplane.take_missing() {
            self.counters.sessions_lost += 1;
            self.end_session(now, session);
        }
        if self.dataplane.has_orphans() {
            self.timers.insert((now + ORPHAN_GRACE, Timer::Orphans));
        }
    }

    pub(super) fn delete_orphans(&mut self, now: Instant) {
        for session in self.dataplane.take_orphans() {
            if !self.sessions.contains_key(&session) && !self.reserve.has(session) {
                self.counters.orphans_deleted += 1;
                self.delete_session(now, session);
            }
        }
    }

    pub(super) fn dataplane_up(&mut self, now: Instant, hello: Hello) {
        self.dataplane_down(now);
        self.dataplane.up(hello, self.sessions.keys().copied().collect());
        self.ask(now, Request::List { after: None }, Purpose::List);
    }

    /// What was asked is not answered any more. Calls go on: so does the dataplane, if it lives.
    pub(super) fn dataplane_down(&mut self, now: Instant) {
        for purpose in self.dataplane.down() {
            self.answered(now, purpose, Err(Refusal::Busy));
        }
        self.forget_reserve();
    }

    /// Gives up the requests that have waited for too long.
    pub(super) fn expire_requests(&mut self, now: Instant) {
        while let Some(purpose) = self.dataplane.expire(now) {
            self.counters.dataplane_timeouts += 1;
            self.answered(now, purpose, Err(Refusal::Busy));
        }
    }
}
