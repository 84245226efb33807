//! A request that waits for the dataplane, and what its reply will be made of.

use super::Relay;
use super::call::{CallKey, Dialogue};
use super::dataplane::Purpose;
use super::play::Starting;
use crate::ng::body::Draft;
use crate::ng::{Client, Encoding, Reply};
use std::sync::Arc;
use std::time::Instant;
use tandem_control::{LocalPorts, Refusal, SessionId, SessionStats, Side};

/// Who asked, and how the reply is written.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub client: Client,
    /// `None`: the transport tells replies apart.
    pub cookie: Option<Arc<[u8]>>,
    pub encoding: Encoding,
}

/// One request of a call that is being carried out.
#[derive(Debug)]
pub(super) struct Operation {
    pub asker: Asker,
    pub task: Task,
    /// Answers of the dataplane that are awaited.
    pub waiting: usize,
    /// The first refusal among those that came.
    pub refusal: Option<Refusal>,
}

/// What it is.
#[derive(Debug)]
pub(super) enum Task {
    /// An offer or an answer: this is what the party on `side` will be told.
    Exchange { dialogue: u32, side: Side, draft: Draft, warning: Option<String>, is_new: bool },
    /// The figures of these dialogues, which are gone from the call already if they are in here.
    Report { named: Vec<u32>, gone: Vec<Dialogue>, figures: Vec<(SessionId, SessionStats)>, is_fast: bool },
    /// Files that shall be played.
    Play(Starting),
    /// The files of the call's recording.
    Recording,
    /// Nothing but done.
    Control,
}

impl Relay {
    /// Begins what the call is busy with until [`Relay::step`] has counted every answer.
    pub(super) fn begin(&mut self, key: CallKey, asker: Asker, task: Task, waiting: usize) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.operation = Some(Operation { asker, task, waiting, refusal: None });
        }
    }

    /// Has the dataplane carry out all of these; the reply says no more than that it is done.
    pub(super) fn carry_out_all(
        &mut self,
        now: Instant,
        key: CallKey,
        asker: Asker,
        requests: Vec<tandem_control::Request>,
    ) {
        self.begin(key, asker, Task::Control, requests.len());
        if requests.is_empty() {
            return self.complete(now, key);
        }
        for request in requests {
            self.ask(now, request, Purpose::Step(key));
        }
    }

    /// One answer of the dataplane came for what the call is busy with.
    pub(super) fn step(&mut self, now: Instant, key: CallKey, refusal: Option<Refusal>) {
        let Some(operation) = self.calls.get_mut(&key).and_then(|call| call.operation.as_mut()) else {
            return;
        };
        operation.waiting = operation.waiting.saturating_sub(1);
        operation.refusal = operation.refusal.take().or(refusal);
        if operation.waiting == 0 {
            self.complete(now, key);
        }
    }

    /// Every answer came.
    pub(super) fn complete(&mut self, now: Instant, key: CallKey) {
        let unix = self.unix(now);
        let operation = self.calls.get_mut(&key).and_then(|call| call.operation.take());
        let Some(Operation { asker, task, refusal, .. }) = operation else { return };
        let Some(call) = self.calls.get(&key) else { return };
        let reply = match (task, refusal) {
            (Task::Exchange { dialogue, is_new, .. }, Some(refusal)) => {
                if is_new {
                    self.drop_dialogue(now, key, dialogue);
                }
                refused(&refusal)
            }
            (Task::Exchange { dialogue, side, draft, warning, .. }, None) => {
                let sdp = draft.fill(|section| ports(call.dialogue(dialogue)?, section, side));
                Reply::Sdp { sdp: sdp.into_bytes(), warning, recordings: self.recordings(call) }
            }
            (Task::Report { named, gone, figures, is_fast }, _) => {
                if is_fast {
                    Reply::Done { warning: None }
                } else {
                    let dialogues = gone
                        .iter()
                        .chain(call.dialogues.iter().filter(|dialogue| named.contains(&dialogue.id)));
                    let mut report = super::report::report(call, dialogues, &figures, unix);
                    report.recordings = self.recordings(call);
                    Reply::Call(Box::new(report))
                }
            }
            (Task::Play(starting), refusal) => self.played(&starting, refusal.as_ref().map(refused)),
            (Task::Recording, None) => Reply::Recording { recordings: self.recordings(call) },
            (Task::Recording | Task::Control, Some(refusal)) => refused(&refusal),
            (Task::Control, None) => Reply::Done { warning: None },
        };
        self.reply(&asker, &reply);
        self.next_of_backlog(now, key);
    }

    /// The call is free for what has waited, or is forgotten if nothing is left of it.
    pub(super) fn next_of_backlog(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        if call.operation.is_some() {
            return;
        }
        match call.backlog.pop_front() {
            Some((asker, command)) => {
                // What waits may find the call gone, and then begins another one.
                if call.dialogues.is_empty() && call.backlog.is_empty() {
                    self.forget(key);
                }
                self.carry_out(now, asker, command);
                self.next_of_backlog(now, key);
            }
            None if call.dialogues.is_empty() => self.forget(key),
            None => {}
        }
    }

    fn forget(&mut self, key: CallKey) {
        if let Some(call) = self.calls.remove(&key) {
            self.by_id.remove(&call.id);
        }
    }
}

/// The words that modules know, where there are such.
fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::OutOfPorts => Reply::Error(Reply::NO_PORTS.to_owned()),
        Refusal::TooManySessions => Reply::Error(Reply::SESSION_LIMIT.to_owned()),
        other => Reply::Error(other.to_string()),
    }
}

fn ports(dialogue: &Dialogue, section: usize, side: Side) -> Option<LocalPorts> {
    let media = dialogue.sections.get(section)?.as_ref()?;
    media.local.map(|local| local[side as usize])
}
