//! `play media`, `stop media` and `play DTMF`.

use super::call::{Call, CallKey};
use super::dataplane::Purpose;
use super::operation::{Asker, Task};
use super::{Relay, Timer, files};
use crate::ng::Reply;
use crate::ng::request::{Names, Party, Play, PlayDigit, PlaySource, StopPlay};
use std::time::{Duration, Instant};
use tandem_control::{PlayOutcome, Refusal, Request, SessionId, Side, Source};

/// How long the reply waits to hear that a file is played, and how long it is. Modules give an engine up that does not
/// answer for some hundreds of milliseconds; without this the reply has no duration.
const START_WAIT: Duration = Duration::from_millis(150);
/// The reply where no party is meant.
pub(super) const NOBODY: &str = "no party of the call is meant by this";

/// What is known of files that shall be played.
#[derive(Debug, Default)]
pub(super) struct Starting {
    /// The ids of requests whose files were not opened yet.
    ids: Vec<u32>,
    /// How many are played.
    started: usize,
    /// The longest of them, in milliseconds.
    duration_ms: Option<u64>,
    timer: Option<(Instant, Timer)>,
}

impl Relay {
    /// `play media`.
    pub(super) fn play(&mut self, now: Instant, asker: Asker, play: Play) {
        let Play { names, party, source, times } = play;
        let source = match source {
            PlaySource::Content(content) => Ok(Source::Inline(content)),
            PlaySource::File(name) => {
                let root = self.settings.files.announcements.as_deref();
                files::below(root, &name, "announcements").map(Source::File)
            }
        };
        let source = match source {
            Ok(source) => source,
            Err(reason) => return self.reply(&asker, &Reply::Error(reason)),
        };
        let Some((key, targets)) = self.targets(&asker, &names, &party) else { return };
        let timer = (now + START_WAIT, Timer::Play(key));
        let first = self.next_play;
        self.next_play = first.wrapping_add(u32::try_from(targets.len()).unwrap_or(0));
        let ids: Vec<u32> = (0..).map(|index| first.wrapping_add(index)).take(targets.len()).collect();
        self.timers.insert(timer);
        let starting = Starting { ids: ids.clone(), timer: Some(timer), ..Starting::default() };
        self.begin(key, asker, Task::Play(starting), targets.len());
        for ((session, side), id) in targets.into_iter().zip(ids) {
            let request = Request::Play { session, side, source: source.clone(), times, id };
            self.ask(now, request, Purpose::Play(key, id));
        }
    }

    /// `stop media`.
    pub(super) fn stop_play(&mut self, now: Instant, asker: Asker, stop: &StopPlay) {
        let Some((key, targets)) = self.targets(&asker, &stop.names, &stop.party) else { return };
        let requests = targets.into_iter().map(|(session, side)| Request::StopPlay { session, side });
        self.carry_out_all(now, key, asker, requests.collect());
    }

    /// `play DTMF`: the party that is named has pressed a key, its other side hears it.
    pub(super) fn play_digit(&mut self, now: Instant, asker: Asker, digit: &PlayDigit) {
        let PlayDigit { event, duration_ms, sound, .. } = *digit;
        let Some((key, targets)) = self.targets(&asker, &digit.names, &digit.party) else { return };
        let requests = targets.into_iter().map(|(session, side)| Request::PlayDigit {
            session,
            side: side.other(),
            event,
            duration_ms,
            sound,
        });
        self.carry_out_all(now, key, asker, requests.collect());
    }

    /// The sides that are meant, each in the first section of its dialogue. `None`: there are none, which is answered.
    fn targets(
        &mut self,
        asker: &Asker,
        names: &Names,
        party: &Party,
    ) -> Option<(CallKey, Vec<(SessionId, Side)>)> {
        let key = self.by_id.get(names.call_id.as_str()).copied();
        let Some((key, call)) = key.and_then(|key| Some((key, self.calls.get(&key)?))) else {
            self.reply(asker, &Relay::unknown_call(names));
            return None;
        };
        let targets = targets(call, party);
        if targets.is_empty() {
            self.reply(asker, &Reply::Error(NOBODY.to_owned()));
            return None;
        }
        Some((key, targets))
    }

    /// A request to play was answered: only a refusal says that nothing more is to come.
    pub(super) fn play_answered(&mut self, now: Instant, key: CallKey, id: u32, refusal: Option<Refusal>) {
        if let Some(refusal) = refusal
            && self.take_starting(key, id).is_some()
        {
            self.step(now, key, Some(refusal));
        }
    }

    /// A file is played.
    pub(super) fn play_started(
        &mut self,
        now: Instant,
        session: SessionId,
        id: u32,
        duration_ms: Option<u64>,
    ) {
        let Some(key) = self.sessions.get(&session).copied() else { return };
        if let Some(starting) = self.take_starting(key, id) {
            starting.started += 1;
            starting.duration_ms = starting.duration_ms.max(duration_ms);
            self.step(now, key, None);
        }
    }

    /// What was played has ended, perhaps before it could begin.
    pub(super) fn play_ended(&mut self, now: Instant, session: SessionId, id: u32, outcome: PlayOutcome) {
        let Some(key) = self.sessions.get(&session).copied() else { return };
        let refusal = match outcome {
            PlayOutcome::Finished | PlayOutcome::Stopped => None,
            PlayOutcome::BadFile => Some("the file is not there, may not be read, or is no WAV or Ogg/Opus"),
            PlayOutcome::NoCodec => Some("the party takes no codec that is encoded here"),
        };
        if let Some(starting) = self.take_starting(key, id) {
            starting.started += usize::from(refusal.is_none());
            self.step(now, key, refusal.map(|text| Refusal::Invalid(text.to_owned())));
        }
    }

    /// The reply waits no longer to hear of files.
    pub(super) fn play_waited(&mut self, now: Instant, key: CallKey) {
        if let Some(starting) = self.starting(key) {
            starting.started += starting.ids.len();
            starting.ids.clear();
            self.complete(now, key);
        }
    }

    /// What the call is busy with, if it is this.
    fn starting(&mut self, key: CallKey) -> Option<&mut Starting> {
        match &mut self.calls.get_mut(&key)?.operation.as_mut()?.task {
            Task::Play(starting) => Some(starting),
            _ => None,
        }
    }

    /// Takes an id off those that are waited for; `None`: it is not waited for.
    fn take_starting(&mut self, key: CallKey, id: u32) -> Option<&mut Starting> {
        let starting = self.starting(key)?;
        let at = starting.ids.iter().position(|one| *one == id)?;
        starting.ids.swap_remove(at);
        Some(starting)
    }

    /// What `play media` is answered with.
    pub(super) fn played(&mut self, starting: &Starting, refusal: Option<Reply>) -> Reply {
        if let Some(timer) = starting.timer {
            self.timers.remove(&timer);
        }
        match refusal.filter(|_| starting.started == 0) {
            Some(refusal) => refusal,
            None => Reply::Playing { duration_ms: starting.duration_ms },
        }
    }
}

fn targets(call: &Call, party: &Party) -> Vec<(SessionId, Side)> {
    let dialogues = call.dialogues.iter().filter(|dialogue| !dialogue.is_deleted);
    let sides = dialogues.flat_map(|dialogue| {
        let session = dialogue.sessions().next();
        let sides = [Side::A, Side::B].into_iter().filter(|side| dialogue.is_meant(*side, party));
        sides.filter_map(move |side| Some((session?, side)))
    });
    sides.collect()
}
