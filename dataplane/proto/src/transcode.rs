//! What one leg sends, decoded to be encoded for the other: silenced where that is wanted, and its tones found.

use std::time::Duration;

use tandem_codec::CodecError;

use crate::decoding::{Decoding, Heard, time_of};
use crate::drops::DropReason;
use crate::routes::{Entry, Routes};
use crate::rtp::Header;
use crate::tone_detection::{Key, ToneDetection};

/// The decoding half of a transcoder.
pub(crate) struct Transcoder {
    pub(crate) decoding: Decoding,
    detection: Option<Box<ToneDetection>>,
    silenced: bool,
    rate: u32,
}

impl std::fmt::Debug for Transcoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transcoder").field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl Transcoder {
    /// A transcoder for what these routes transcode, into samples at `rate`.
    ///
    /// # Errors
    /// What the codecs say.
    pub(crate) fn new(routes: &Routes, rate: u32) -> Result<Transcoder, CodecError> {
        let detection = if routes.detect_tones { Some(Box::new(ToneDetection::new(rate)?)) } else { None };
        let decoding = Decoding::new(routes.decoded(), rate)?;
        let mut transcoder = Transcoder { decoding, detection, silenced: false, rate };
        transcoder.treat_as(routes);
        Ok(transcoder)
    }

    /// Does with what it hears as these routes say, which decode the same.
    pub(crate) fn treat_as(&mut self, routes: &Routes) {
        self.silenced = routes.silenced;
        if let Some(detection) = &mut self.detection {
            detection.erases = routes.erases_tones;
        }
    }

    /// How far what was heard until now reaches over the beginning of that packet.
    pub(crate) fn overlap(&self, entry: &Entry, header: &Header) -> Duration {
        let ahead = self.decoding.ahead(header.timestamp, entry.clock, 0).unwrap_or(0);
        time_of(usize::try_from(-ahead).unwrap_or(0), self.rate)
    }

    /// Whether digits are looked for, so that everything must be heard.
    pub(crate) fn detects_tones(&self) -> bool {
        self.detection.is_some()
    }

    /// Whatever comes next starts a new run.
    pub(crate) fn restart(&mut self, tell: impl FnMut(Key)) {
        self.decoding.restart();
        if let Some(detection) = &mut self.detection {
            detection.finish(tell);
        }
    }

    /// Hears one packet in its turn. See [`Decoding::packet`].
    ///
    /// # Errors
    /// [`DropReason::Undecodable`].
    pub(crate) fn hear(
        &mut self,
        entry: &Entry,
        (header, payload): (&Header, &[u8]),
        lost: u32,
        counts: bool,
        mut tell: impl FnMut(Key),
    ) -> Result<Heard<'_>, DropReason> {
        let heard = self.decoding.packet(entry, header, payload, lost, counts)?;
        if let Some(detection) = &mut self.detection {
            if heard.fresh || heard.silence > 0 {
                detection.finish(&mut tell);
            }
            detection.process_concealed(heard.concealed, &mut tell);
            detection.process(heard.speech, &mut tell);
        }
        if self.silenced {
            heard.concealed.fill(0);
            heard.speech.fill(0);
        }
        Ok(heard)
    }
}
