//! Digits in the audio that a leg sends, and what becomes of their tones.

use tandem_codec::CodecError;
use tandem_codec::dtmf_detector::{DtmfDetector, Heard, ToneEraser};
use tandem_codec::resampler::Resampler;

use crate::decoding::{at_rate, samples};
use crate::dtmf::Digit;
use crate::limits::{MAX_CONCEALMENT, MAX_PACKET_TIME};

/// The rate at which digits are looked for, in Hz.
const RATE: u32 = 8000;
const SAMPLES_PER_MS: u64 = RATE as u64 / 1000;
/// The delay of the resampler, in samples of [`RATE`]: see [`Resampler`].
const RESAMPLER_DELAY: usize = 32;

/// What is heard of a key. A [`Digit`] has its length so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// It was pressed.
    Pressed(Digit),
    /// It is still held.
    Held(Digit),
    /// It was released.
    Released(Digit),
}

/// The detector of one direction.
pub(crate) struct ToneDetection {
    detector: DtmfDetector,
    eraser: ToneEraser,
    /// From the rate of the audio to [`RATE`], where that is another; and its samples.
    resampled: Option<(Resampler, Box<[i16]>)>,
    rate: u32,
    /// Samples that the detector has heard.
    position: u64,
    /// The digit that sounds, and where it began.
    sounding: Option<(u8, u64)>,
    /// Whether tones are taken out of the audio.
    pub(crate) erases: bool,
}

impl ToneDetection {
    /// For audio at that rate.
    ///
    /// # Errors
    /// What the resampler says.
    pub(crate) fn new(rate: u32) -> Result<ToneDetection, CodecError> {
        let resampled = if rate == RATE {
            None
        } else {
            let longest = samples(MAX_PACKET_TIME + MAX_CONCEALMENT, RATE);
            Some((Resampler::new(rate, RATE)?, vec![0; longest].into()))
        };
        Ok(ToneDetection {
            detector: DtmfDetector::default(),
            eraser: ToneEraser::default(),
            resampled,
            rate,
            position: 0,
            sounding: None,
            erases: false,
        })
    }

    /// The same for samples that stand for lost ones.
    pub(crate) fn process_concealed(&mut self, pcm: &mut [i16], tell: impl FnMut(Key)) {
        if !pcm.is_empty() {
            self.detector.doubt(at_rate(pcm.len(), self.rate, RATE));
            self.process(pcm, tell);
        }
    }

    /// Takes the next samples, and tells of keys. Takes tones out where that is wanted.
    pub(crate) fn process(&mut self, pcm: &mut [i16], mut tell: impl FnMut(Key)) {
        let (sounding, position) = (&mut self.sounding, self.position);
        let hear = |heard| follow(sounding, position, heard, &mut tell);
        let (tone, heard_until) = match &mut self.resampled {
            None => {
                self.position += pcm.len() as u64;
                let tone = self.detector.process(pcm, hear);
                let heard_until = Some(tone.end).filter(|_| !tone.is_empty());
                (tone, heard_until)
            }
            Some((resampler, narrow)) => {
                let len = resampler.process(pcm, narrow);
                let narrow = narrow.get(..len).unwrap_or_default();
                self.position += len as u64;
                let tone = self.detector.process(narrow, hear);
                let heard_until = Some(tone.end).filter(|_| !tone.is_empty());
                let place = |at: usize| at_rate(at.saturating_sub(RESAMPLER_DELAY), RATE, self.rate);
                let end = if tone.end == len { pcm.len() } else { place(tone.end) };
                (if tone.is_empty() { 0..0 } else { place(tone.start)..end }, heard_until)
            }
        };
        // In a pause that may turn out to be its end, the key is not known to be held.
        if let (Some((event, start)), Some(end)) = (self.sounding, heard_until) {
            tell(Key::Held(digit(event, start, position + end as u64)));
        }
        if self.erases {
            self.eraser.erase(pcm, tone);
        }
    }

    /// The audio breaks off here.
    pub(crate) fn finish(&mut self, mut tell: impl FnMut(Key)) {
        let (sounding, position) = (&mut self.sounding, self.position);
        self.detector.finish(|heard| follow(sounding, position, heard, &mut tell));
    }
}

fn follow(sounding: &mut Option<(u8, u64)>, position: u64, heard: Heard, tell: &mut impl FnMut(Key)) {
    match heard {
        Heard::Began { event, start } => {
            *sounding = Some((event, start));
            tell(Key::Pressed(digit(event, start, position.max(start))));
        }
        Heard::Ended { event, start, end } => {
            *sounding = None;
            tell(Key::Released(digit(event, start, end)));
        }
    }
}

fn digit(event: u8, start: u64, end: u64) -> Digit {
    let duration_ms = end.saturating_sub(start) / SAMPLES_PER_MS;
    Digit { event, duration_ms: u16::try_from(duration_ms).unwrap_or(u16::MAX) }
}
