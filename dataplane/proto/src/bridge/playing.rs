//! What is played to the receiver of a bridge in the place of the other side's speech: taken from its source a packet
//! at a time, by a timer.

use std::time::{Duration, Instant};

use tandem_codec::CodecError;
use tandem_codec::resampler::Resampler;
use tandem_control::{Audio, DigitSound, Digits, PayloadType, PlayOutcome};

use super::Bridge;
use crate::codecs;
use crate::dtmf::Digit;
use crate::encoding::{Encoding, Sink, Target};
use crate::playing::{PcmSource, Supply};

/// How often a source that has nothing yet is asked again.
const WAIT: Duration = Duration::from_millis(10);
/// How far the timer may be late for packets to be made up for; later, the time line starts anew.
const LATEST: Duration = Duration::from_millis(200);
/// Files are played at the rate of wide-band telephony, to receivers that would take any.
const WIDE_BAND: u32 = 16_000;

/// Something that is played.
pub(super) struct Playing {
    id: u32,
    source: Box<dyn PcmSource>,
    /// Samples a second that the source gives.
    rate: u32,
    output: PlayOutput,
    /// When the next packet is due.
    due: Instant,
    /// Whether the receiver has heard something of it.
    pub(super) begun: bool,
    /// Whether the next packet follows the one before.
    continuous: bool,
}

/// From samples to packets.
pub(super) struct PlayOutput {
    encoding: Encoding,
    resampler: Option<Resampler>,
    /// The samples of one packet, from the source, and as they are encoded.
    pcm: Box<[i16]>,
    resampled: Box<[i16]>,
    packet_time: Duration,
}

impl std::fmt::Debug for Playing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playing").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is encoded for a peer that is sent this, and the rate at which samples are wanted for it, in Hz; `None` if
/// nothing that it takes is encoded here.
pub(crate) fn target(audio: &Audio) -> Option<(&PayloadType, u32)> {
    let target = audio.send.iter().find(|target| codecs::is_transcodable(target))?;
    Some((target, codecs::encoded_rate(target, [Some(WIDE_BAND)].into_iter())))
}

impl PlayOutput {
    /// For samples at `rate`; `None` if nothing that the peer takes is encoded here.
    fn new(rate: u32, audio: &Audio) -> Result<Option<PlayOutput>, CodecError> {
        let Some((target, encoded)) = target(audio) else { return Ok(None) };
        let encoding = Encoding::new(target, encoded, audio)?;
        let packet_time = encoding.packet_time();
        let samples = (u64::from(rate) * packet_time.as_micros() as u64 / 1_000_000) as usize;
        let resampler = if rate == encoded { None } else { Some(Resampler::new(rate, encoded)?) };
        let resampled = resampler.as_ref().map_or(0, |resampler| resampler.output_len(samples));
        Ok(Some(PlayOutput {
            encoding,
            resampler,
            pcm: vec![0; samples].into(),
            resampled: vec![0; resampled].into(),
            packet_time,
        }))
    }

    /// Encodes the first samples of `pcm`.
    fn push(&mut self, samples: usize, to: &mut Target<'_>) {
        let pcm = self.pcm.get(..samples).unwrap_or_default();
        let result = match &mut self.resampler {
            None => self.encoding.push(pcm, to),
            Some(resampler) => {
                let made = resampler.process(pcm, &mut self.resampled);
                self.encoding.push(self.resampled.get(..made).unwrap_or_default(), to)
            }
        };
        if let Err(reason) = result {
            to.sink.dropped(reason);
        }
    }
}

impl Playing {
    /// Sends what is due; says how it ended when there is no more.
    fn tick(&mut self, may_be_heard: bool, to: &mut Target<'_>) -> Option<PlayOutcome> {
        if to.now.saturating_duration_since(self.due) > LATEST {
            self.due = to.now;
            self.continuous = false;
        }
        while self.due <= to.now {
            match self.source.read(&mut self.output.pcm) {
                Supply::Waiting => {
                    self.due = to.now + WAIT;
                    return None;
                }
                Supply::Full => {
                    self.send(self.output.pcm.len(), may_be_heard, to);
                    self.due += self.output.packet_time;
                }
                Supply::Ended(samples, outcome) => {
                    self.send(samples, may_be_heard, to);
                    if self.continuous {
                        self.output.encoding.complete(to);
                    }
                    return Some(outcome);
                }
            }
        }
        None
    }

    fn send(&mut self, samples: usize, may_be_heard: bool, to: &mut Target<'_>) {
        if !may_be_heard || samples == 0 {
            self.continuous &= samples == 0;
            return;
        }
        self.begun = true;
        if !std::mem::replace(&mut self.continuous, true) {
            self.output.encoding.begin(to.now, to.output);
        }
        self.output.push(samples, to);
    }
}

impl Bridge {
    /// Plays samples at `rate` to the receiver, who wants `audio`, in the place of what was played before. `false` if
    /// nothing that it takes is encoded here.
    ///
    /// # Errors
    /// What the codecs say.
    pub(crate) fn play_samples(
        &mut self,
        now: Instant,
        id: u32,
        (source, rate): (Box<dyn PcmSource>, u32),
        audio: &Audio,
    ) -> Result<bool, CodecError> {
        let Some(output) = PlayOutput::new(rate, audio)? else { return Ok(false) };
        self.stop_playing(PlayOutcome::Stopped);
        self.playing =
            Some(Box::new(Playing { id, source, rate, output, due: now, begun: false, continuous: false }));
        Ok(true)
    }

    /// Ends what is played; the other side's speech goes on.
    pub(crate) fn stop_playing(&mut self, outcome: PlayOutcome) {
        let Some(playing) = self.playing.take() else { return };
        self.play_ended = Some((playing.id, outcome));
        self.interrupt();
    }

    /// Something that was played and has ended: its id and how.
    pub(crate) fn take_play_ended(&mut self) -> Option<(u32, PlayOutcome)> {
        self.play_ended.take()
    }

    /// Whether the receiver hears something in the place of speech.
    pub(crate) fn is_playing(&self) -> bool {
        self.playing.as_ref().is_some_and(|playing| playing.begun)
    }

    /// A whole digit that the other side pressed by telephone events. Those end here while something is played, so the
    /// receiver gets the digit from here.
    pub(super) fn press_beside_play(&mut self, now: Instant, digit: Digit) {
        if self.is_playing() && self.routes.digits == Digits::Events && self.presses_keys() {
            // One too many is lost.
            let _ = self.play_digit(now, digit, DigitSound::default());
        }
    }

    /// What is needed to go on playing to a receiver who wants something else now. The outer `None`: nothing is played.
    ///
    /// # Errors
    /// What the codecs say.
    pub(super) fn prepare_playing(&self, audio: &Audio) -> Result<Option<Option<PlayOutput>>, CodecError> {
        self.playing.as_ref().map(|playing| PlayOutput::new(playing.rate, audio)).transpose()
    }

    /// Goes on as prepared.
    pub(super) fn configure_playing(&mut self, output: Option<PlayOutput>) {
        match (&mut self.playing, output) {
            (Some(playing), Some(output)) => {
                playing.output = output;
                playing.continuous = false;
            }
            _ => self.stop_playing(PlayOutcome::NoCodec),
        }
    }

    /// Sends what is due of what is played. While the receiver cannot be reached, or does not want to hear, it waits.
    pub(crate) fn go_on_playing(&mut self, now: Instant, is_reachable: bool, sink: &mut dyn Sink) {
        let Some(mut playing) = self.playing.take() else { return };
        if playing.due > now {
            self.playing = Some(playing);
            return;
        }
        if !is_reachable {
            playing.due = now + WAIT;
            playing.continuous = false;
            self.playing = Some(playing);
            return;
        }
        let begun = playing.begun;
        // A digit takes the place of what would be heard meanwhile.
        let may_be_heard = !self.is_digit_playing();
        let mut to = Target::new(now, &mut self.output, sink);
        let ended = playing.tick(may_be_heard, &mut to);
        if !begun && playing.begun {
            // Of the noise that stood for a pause there is no more need.
            let _ = self.made.end_noise();
            self.interrupt();
            self.made.end_noise();
        }
        self.playing = Some(playing);
        if let Some(outcome) = ended {
            self.stop_playing(outcome);
        }
    }

    /// When [`Bridge::go_on_playing`] has something to do.
    pub(super) fn playing_due(&self) -> Option<Instant> {
        self.playing.as_ref().map(|playing| playing.due)
    }
}
