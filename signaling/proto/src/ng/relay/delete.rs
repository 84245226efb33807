//! How dialogues end: by request, by time, with the dataplane.

use super::call::{CallKey, Dialogue};
use super::dataplane::Purpose;
use super::operation::{Asker, Task};
use super::{Output, Relay, Timer};
use crate::ng::Reply;
use crate::ng::request::{Delete, Names};
use std::time::Instant;
use tandem_control::{Request, SessionId};

/// What a delete is answered with that meets nothing; modules look for nothing in it.
const NOTHING_TO_DELETE: &str = "Call-ID not found or tags didn't match";

impl Relay {
    /// `delete`.
    pub(super) fn delete(&mut self, now: Instant, asker: Asker, delete: &Delete) {
        let key = self.by_id.get(delete.names.call_id.as_str()).copied();
        let named = key
            .and_then(|key| self.calls.get(&key))
            .map(|call| call.named(&delete.names, delete.honours_to_tag))
            .unwrap_or_default();
        let Some(key) = key.filter(|_| !named.is_empty()) else {
            let reply = match delete.is_fatal {
                true => Reply::Error(NOTHING_TO_DELETE.to_owned()),
                false => Reply::Done { warning: Some(NOTHING_TO_DELETE.to_owned()) },
            };
            return self.reply(&asker, &reply);
        };
        self.counters.calls_deleted += 1;
        let delay = delete.delay.unwrap_or(self.settings.timers.delete_delay);
        if delay.is_zero() {
            let gone = self.take_dialogues(key, &named);
            return self.report(now, key, asker, Task::report(Vec::new(), gone, delete.is_fast));
        }
        if let Some(call) = self.calls.get_mut(&key) {
            for dialogue in call.dialogues.iter_mut().filter(|dialogue| named.contains(&dialogue.id)) {
                dialogue.is_deleted = true;
                let timer = (now + delay, Timer::Delete(key, dialogue.id));
                if let Some(before) = dialogue.timer.replace(timer) {
                    self.timers.remove(&before);
                }
                self.timers.insert(timer);
            }
        }
        self.report(now, key, asker, Task::report(named, Vec::new(), delete.is_fast));
    }

    /// `query`.
    pub(super) fn query(&mut self, now: Instant, asker: Asker, names: &Names) {
        let key = self.by_id.get(names.call_id.as_str()).copied();
        let Some((key, call)) = key.and_then(|key| Some((key, self.calls.get(&key)?))) else {
            return self.reply(&asker, &Relay::unknown_call(names));
        };
        let named = call.named(names, true);
        self.report(now, key, asker, Task::report(named, Vec::new(), false));
    }

    /// Asks for the figures of the dialogues; the sessions of those that are gone are deleted with it.
    fn report(&mut self, now: Instant, key: CallKey, asker: Asker, task: Task) {
        let Task::Report { named, gone, is_fast, .. } = &task else { return };
        let is_fast = *is_fast;
        let ended: Vec<SessionId> = gone.iter().flat_map(Dialogue::sessions).collect();
        let asked: Vec<SessionId> = match self.calls.get(&key).filter(|_| !is_fast) {
            Some(call) => {
                let of_named = call.dialogues.iter().filter(|dialogue| named.contains(&dialogue.id));
                of_named.flat_map(Dialogue::sessions).collect()
            }
            None => Vec::new(),
        };
        let waiting = ended.len() + asked.len();
        self.begin(key, asker, task, waiting);
        if waiting == 0 {
            return self.complete(now, key);
        }
        for session in ended {
            self.sessions.remove(&session);
            self.ask(now, Request::Delete { session }, Purpose::Figures(key, session));
        }
        for session in asked {
            self.ask(now, Request::Query { session }, Purpose::Figures(key, session));
        }
    }

    /// Takes dialogues out of their call, with their timers. Their sessions are still there.
    fn take_dialogues(&mut self, key: CallKey, named: &[u32]) -> Vec<Dialogue> {
        let Some(call) = self.calls.get_mut(&key) else { return Vec::new() };
        let (gone, stay) = std::mem::take(&mut call.dialogues)
            .into_iter()
            .partition::<Vec<Dialogue>, _>(|dialogue| named.contains(&dialogue.id));
        call.dialogues = stay;
        for timer in gone.iter().filter_map(|dialogue| dialogue.timer) {
            self.timers.remove(&timer);
        }
        gone
    }

    /// Ends a dialogue that nobody is answered about.
    pub(super) fn drop_dialogue(&mut self, now: Instant, key: CallKey, dialogue: u32) {
        for gone in self.take_dialogues(key, &[dialogue]) {
            for session in gone.sessions() {
                self.sessions.remove(&session);
                self.delete_session(now, session);
            }
        }
    }

    /// The delay of a delete has passed.
    pub(super) fn delete_now(&mut self, now: Instant, key: CallKey, dialogue: u32) {
        self.drop_dialogue(now, key, dialogue);
        self.next_of_backlog(now, key);
    }

    /// Nobody answered an offer.
    pub(super) fn offer_timeout(&mut self, now: Instant, key: CallKey, dialogue: u32) {
        self.counters.offer_timeouts += 1;
        self.delete_now(now, key, dialogue);
    }

    /// No media came from either party for too long: the proxy has missed the end of the call.
    pub(super) fn media_timeout(&mut self, now: Instant, session: SessionId) {
        let Some(call) = self.sessions.get(&session).and_then(|key| self.calls.get(key)) else { return };
        let seconds = self.settings.timers.media.as_secs();
        let text = format!("NG: call {:?} had no media for {seconds} s and is deleted", call.id);
        self.outputs.push_back(Output::Warn(text));
        self.counters.media_timeouts += 1;
        self.end_session(now, session);
    }

    /// Ends the dialogue that a session belongs to.
    pub(super) fn end_session(&mut self, now: Instant, session: SessionId) {
        let Some(key) = self.sessions.get(&session).copied() else { return };
        let has = |dialogue: &&Dialogue| dialogue.sessions().any(|one| one == session);
        let dialogue = self.calls.get(&key).and_then(|call| call.dialogues.iter().find(has));
        if let Some(dialogue) = dialogue.map(|dialogue| dialogue.id) {
            self.delete_now(now, key, dialogue);
        }
    }
}

impl Task {
    fn report(named: Vec<u32>, gone: Vec<Dialogue>, is_fast: bool) -> Task {
        Task::Report { named, gone, figures: Vec::new(), is_fast }
    }
}
