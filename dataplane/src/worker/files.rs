//! The requests to play and to record.

use super::Worker;
use super::sessions::Entry;
use crate::driver::Driver;
use crate::files::FilesHandle;
use tandem_codec::tones::{Cadence, Step};
use tandem_control::{MAX_TONE_STEPS, PlayOutcome, RecordingFormat, Refusal, Reply, Request, Source, Tones};
use tandem_media::Now;
use tandem_media::playing::{PcmSource, Supply};

/// The level of each frequency of a tone of call progress: within the limits of ITU-T E.180 section 6.2.
const TONE_DBM0: f32 = -13.0;
/// What telephones carry, in Hz.
const TONE_HERTZ: std::ops::RangeInclusive<u16> = 200..=3400;

/// A tone needs no file and no thread.
struct ToneSource(Cadence);

impl PcmSource for ToneSource {
    fn read(&mut self, pcm: &mut [i16]) -> Supply {
        let made = self.0.fill(pcm);
        if made < pcm.len() { Supply::Ended(made, PlayOutcome::Finished) } else { Supply::Full }
    }
}

impl<D: Driver> Worker<D> {
    /// Carries out one of the requests to play and to record.
    pub(super) fn file_request(&mut self, now: Now, request: Request) -> Result<Reply, Refusal> {
        let id = match &request {
            Request::Play { session, .. }
            | Request::StopPlay { session, .. }
            | Request::Record { session, .. }
            | Request::PauseRecording { session }
            | Request::ResumeRecording { session }
            | Request::StopRecording { session } => *session,
            _ => return Err(Refusal::Invalid("neither played nor recorded".to_owned())),
        };
        let files = self.queues.files.clone();
        let (index, entry) = self.entry(id)?;
        carry_out(now, entry, files.as_ref(), request)?;
        self.settle_session(index);
        Ok(Reply::Done)
    }
}

fn carry_out(
    now: Now,
    entry: &mut Entry,
    files: Option<&FilesHandle>,
    request: Request,
) -> Result<(), Refusal> {
    let files = || files.ok_or_else(|| Refusal::Invalid("there are no files here".to_owned()));
    let (id, session) = (entry.id, &mut entry.session);
    match request {
        Request::Play { side, source, times, id: play, .. } => {
            let rate = session.play_rate(side)?;
            let samples: Box<dyn PcmSource> = match source {
                Source::Tone(tones) => Box::new(ToneSource(cadence(&tones, times, rate)?)),
                source => files()?.play((id, side, play), source, times, rate)?,
            };
            session.play(now, side, play, (samples, rate))
        }
        Request::StopPlay { side, .. } => {
            session.stop_play(side);
            Ok(())
        }
        Request::Record { path, format, .. } => start_recording(now, entry, files()?, path, format),
        Request::PauseRecording { .. } => session.pause_recording(now, true),
        Request::ResumeRecording { .. } => session.pause_recording(now, false),
        Request::StopRecording { .. } => session.stop_recording(),
        _ => Ok(()),
    }
}

fn start_recording(
    now: Now,
    entry: &mut Entry,
    files: &FilesHandle,
    path: String,
    format: RecordingFormat,
) -> Result<(), Refusal> {
    // Asked first: a file is made for nothing otherwise.
    entry.session.may_record()?;
    let tap = files.record(now.instant, entry.id, path, format)?;
    entry.session.record(tap)
}

fn cadence(tones: &Tones, times: u32, rate: u32) -> Result<Cadence, Refusal> {
    let is_tone = |hertz: &u16| *hertz == 0 || TONE_HERTZ.contains(hertz);
    let is_good = tones.steps.iter().all(|step| step.hertz.iter().all(is_tone));
    if !is_good || tones.steps.is_empty() || tones.steps.len() > MAX_TONE_STEPS {
        return Err(Refusal::Invalid("no tone that can be heard".to_owned()));
    }
    let step = |step: &tandem_control::ToneStep| Step {
        hertz: step.hertz,
        dbm0: [TONE_DBM0; 2],
        on_ms: step.on_ms.into(),
        off_ms: step.off_ms.into(),
    };
    let steps: Vec<Step> = tones.steps.iter().map(step).collect();
    Ok(Cadence::new(rate, &steps, times))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem_control::ToneStep;

    #[test]
    fn only_tones_that_can_be_heard_are_played() {
        let tones = |hertz, count| Tones { steps: vec![ToneStep { hertz, on_ms: 100, off_ms: 100 }; count] };
        assert!(cadence(&tones([425, 0], 1), 0, 8000).is_ok());
        for bad in [tones([425, 0], 0), tones([425, 0], 17), tones([10, 0], 1), tones([425, 4000], 1)] {
            assert!(cadence(&bad, 0, 8000).is_err());
        }
    }

    #[test]
    fn a_tone_ends_after_its_times() {
        let steps = vec![ToneStep { hertz: [425, 0], on_ms: 100, off_ms: 100 }];
        let mut source = ToneSource(cadence(&Tones { steps }, 2, 8000).unwrap());
        let mut pcm = [0; 1600];
        assert_eq!(source.read(&mut pcm), Supply::Full);
        assert!(
            pcm[..800].iter().any(|sample| *sample > 1000) && pcm[900..].iter().all(|sample| *sample == 0)
        );
        assert_eq!(source.read(&mut pcm), Supply::Full);
        assert_eq!(source.read(&mut pcm), Supply::Ended(0, PlayOutcome::Finished));
    }
}
