//! Recordings: `start recording` and its like, and `record-call` in offers and answers. The whole call is recorded, each
//! of its sessions into a file of its own.

use super::Relay;
use super::call::{Call, CallKey};
use super::dataplane::Purpose;
use super::files::RecordingPath;
use super::operation::{Asker, Task};
use crate::ng::Reply;
use crate::ng::request::{Options, RecordingControl, RecordingNames, RecordingStep};
use std::time::Instant;
use tandem_control::{RecordingOutcome, Refusal, Request, SessionId};

/// The recording of a call.
#[derive(Debug)]
pub(super) struct Recording {
    path: RecordingPath,
    is_paused: bool,
    /// Sessions that are recorded.
    sessions: Vec<SessionId>,
    /// Every file that was begun.
    pub files: Vec<String>,
}

impl Recording {
    fn new(path: RecordingPath) -> Recording {
        Recording { path, is_paused: false, sessions: Vec::new(), files: Vec::new() }
    }
}

impl Call {
    /// What the dataplane is asked for so that every session of the call is recorded, or paused.
    fn recording_requests(&mut self) -> Vec<(SessionId, Request)> {
        let Some(recording) = &mut self.recording else { return Vec::new() };
        let sessions: Vec<SessionId> = self
            .dialogues
            .iter()
            .filter(|dialogue| !dialogue.is_deleted)
            .flat_map(super::call::Dialogue::sessions)
            .collect();
        recording.sessions.retain(|session| sessions.contains(session));
        let mut requests = Vec::new();
        for session in sessions {
            if recording.sessions.contains(&session) {
                continue;
            }
            let path = recording.path.file(recording.files.len());
            recording.sessions.push(session);
            recording.files.push(path.clone());
            let format = recording.path.format;
            requests.push((session, Request::Record { session, path, format }));
            if recording.is_paused {
                requests.push((session, Request::PauseRecording { session }));
            }
        }
        requests
    }
}

impl Relay {
    /// `start recording`, `pause recording`, `stop recording`.
    pub(super) fn control_recording(&mut self, now: Instant, asker: Asker, control: &RecordingControl) {
        let key = self.by_id.get(control.names.call_id.as_str()).copied();
        let Some(key) = key else {
            return self.reply(&asker, &Relay::unknown_call(&control.names));
        };
        let requests = match control.step {
            RecordingStep::Start => match self.start_recording(key, &control.naming) {
                Ok(()) => self.resume(key),
                Err(reason) => return self.reply(&asker, &Reply::Error(reason)),
            },
            RecordingStep::Pause => self.pause(key),
            RecordingStep::Stop => self.stop(key),
        };
        self.begin(key, asker, Task::Recording, requests.len());
        if requests.is_empty() {
            return self.complete(now, key);
        }
        for (session, request) in requests {
            self.ask(now, request, Purpose::Recording { call: key, session, is_step: true });
        }
    }

    /// What an offer or answer says of it; sessions that are there will be recorded with the next answer. Whatever
    /// hinders that, the call goes on; the text is a warning.
    pub(super) fn record_call(&mut self, now: Instant, key: CallKey, options: &Options) -> Option<String> {
        match options.record_call {
            Some(true) => self.start_recording(key, &options.recording).err(),
            Some(false) => {
                for (session, request) in self.stop(key) {
                    self.ask(now, request, Purpose::Recording { call: key, session, is_step: false });
                }
                None
            }
            None => None,
        }
    }

    /// Records the sessions of a call that is to be recorded and was just agreed on.
    pub(super) fn record_agreed(&mut self, now: Instant, key: CallKey) {
        let requests = self.calls.get_mut(&key).map(Call::recording_requests).unwrap_or_default();
        for (session, request) in requests {
            self.ask(now, request, Purpose::Recording { call: key, session, is_step: false });
        }
    }

    /// From now on the call is to be recorded.
    fn start_recording(&mut self, key: CallKey, naming: &RecordingNames) -> Result<(), String> {
        let mut unique = [0; 4];
        (self.random)(&mut unique);
        let unique = u32::from_be_bytes(unique);
        let Some(call) = self.calls.get_mut(&key) else { return Ok(()) };
        if call.recording.is_none() {
            let path = RecordingPath::new(&self.settings.files, naming, &call.id, unique)?;
            call.recording = Some(Recording::new(path));
        }
        if naming.metadata.is_some() {
            self.warn_once("NG: metadata of recordings is not kept: name the file instead");
        }
        Ok(())
    }

    /// Begins what is not recorded yet, goes on with what is paused.
    fn resume(&mut self, key: CallKey) -> Vec<(SessionId, Request)> {
        let Some(call) = self.calls.get_mut(&key) else { return Vec::new() };
        let mut requests = Vec::new();
        if let Some(recording) = &mut call.recording
            && std::mem::take(&mut recording.is_paused)
        {
            let paused = recording.sessions.iter();
            requests.extend(paused.map(|session| (*session, Request::ResumeRecording { session: *session })));
        }
        requests.extend(call.recording_requests());
        requests
    }

    fn pause(&mut self, key: CallKey) -> Vec<(SessionId, Request)> {
        let recording = self.calls.get_mut(&key).and_then(|call| call.recording.as_mut());
        let Some(recording) = recording else { return Vec::new() };
        if std::mem::replace(&mut recording.is_paused, true) {
            return Vec::new();
        }
        let sessions = recording.sessions.iter();
        sessions.map(|session| (*session, Request::PauseRecording { session: *session })).collect()
    }

    fn stop(&mut self, key: CallKey) -> Vec<(SessionId, Request)> {
        let recording = self.calls.get_mut(&key).and_then(|call| call.recording.take());
        let sessions = recording.map(|recording| recording.sessions).unwrap_or_default();
        sessions.into_iter().map(|session| (session, Request::StopRecording { session })).collect()
    }

    /// A request about a recording was answered.
    pub(super) fn recording_answered(
        &mut self,
        now: Instant,
        (key, session, is_step): (CallKey, SessionId, bool),
        refusal: Option<Refusal>,
    ) {
        if let Some(refusal) = &refusal
            && !is_step
        {
            self.warn_once(&format!("NG: a call is not recorded: {refusal}"));
        }
        if refusal.is_some() {
            self.not_recorded(key, session);
        }
        if is_step {
            self.step(now, key, refusal);
        }
    }

    /// A recording has ended: by request, with its session, or because it could not go on.
    pub(super) fn recording_ended(&mut self, session: SessionId, outcome: RecordingOutcome) {
        let Some(key) = self.sessions.get(&session).copied() else { return };
        let why = match outcome {
            RecordingOutcome::Stopped => return,
            RecordingOutcome::DiskFull => "the disk is full",
            RecordingOutcome::Failed => "its file cannot be made or written",
        };
        self.counters.recordings_failed += 1;
        self.warn_once(&format!("NG: the recording of a call ended: {why}"));
        self.not_recorded(key, session);
    }

    fn not_recorded(&mut self, key: CallKey, session: SessionId) {
        if let Some(recording) = self.calls.get_mut(&key).and_then(|call| call.recording.as_mut()) {
            recording.sessions.retain(|one| *one != session);
        }
    }

    /// The files of a call's recording, in full.
    pub(super) fn recordings(&self, call: &Call) -> Vec<String> {
        let files = call.recording.iter().flat_map(|recording| &recording.files);
        let root = self.settings.files.recordings.as_deref();
        files
            .map(|file| {
                root.map_or_else(|| file.clone(), |root| root.join(file).to_string_lossy().into_owned())
            })
            .collect()
    }
}
