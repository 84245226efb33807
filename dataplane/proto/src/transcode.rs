//! From one coding to another: decode in order, conceal what is lost, encode in the packet time of the receiver.

use tandem_codec::CodecError;

use crate::decoding::Decoding;
use crate::drops::DropReason;
use crate::encoding::{Encoding, Target, later};
use crate::routes::{Entry, Routes};
use crate::rtp::Header;

/// What one leg sends, decoded for the encoder of the other.
#[derive(Debug)]
pub(crate) struct Transcoder {
    decoding: Decoding,
    /// Whether what is decoded becomes silence.
    pub(crate) silenced: bool,
}

impl Transcoder {
    /// A transcoder for what these routes transcode, into samples at `rate`.
    ///
    /// # Errors
    /// What the codecs say.
    pub(crate) fn new(routes: &Routes, rate: u32) -> Result<Transcoder, CodecError> {
        Ok(Transcoder { decoding: Decoding::new(routes.decoded(), rate)?, silenced: routes.silenced })
    }

    /// Whatever comes next starts a new run.
    pub(crate) fn restart(&mut self) {
        self.decoding.restart();
    }

    /// Lost packets that were concealed.
    pub(crate) fn concealed(&self) -> u64 {
        self.decoding.concealed
    }

    /// Takes one packet of speech in its turn; `lost` packets before it are missing.
    ///
    /// # Errors
    /// [`DropReason::Undecodable`]; its time is then concealed with the next one. [`DropReason::Unencodable`].
    pub(crate) fn speech(
        &mut self,
        entry: &Entry,
        header: &Header,
        payload: &[u8],
        lost: u32,
        encoding: &mut Encoding,
        to: &mut Target<'_>,
    ) -> Result<(), DropReason> {
        let heard = self.decoding.packet(entry, header, payload, lost)?;
        if self.silenced {
            heard.concealed.fill(0);
            heard.speech.fill(0);
        }
        if heard.fresh {
            encoding.begin(to);
        }
        let before = encoding.push(heard.concealed, to);
        if heard.silence > 0 {
            encoding.skip(heard.silence, to);
        }
        before.and(encoding.push(heard.speech, to))
    }

    /// The time stamp, on the output's time line, for an event with that time stamp. Completes a started packet, so
    /// that the time line does not go back behind the event.
    pub(crate) fn event_timestamp(
        &mut self,
        entry: &Entry,
        timestamp: u32,
        encoding: &mut Encoding,
        to: &mut Target<'_>,
    ) -> u32 {
        let padding = encoding.complete(to);
        self.decoding.pass(padding);
        match self.decoding.gap(timestamp, entry.clock, 0) {
            Some(gap) => encoding.timestamp_after(gap),
            None => later(encoding.timestamp_after(0), to.output.expected_timestamp(to.now)),
        }
    }
}
