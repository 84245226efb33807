//! What is played to a peer in the place of the other side's speech.

use tandem_control::PlayOutcome;

/// Where samples come from.
pub trait PcmSource: Send {
    /// Takes the next samples into `pcm`. Neither allocates nor waits.
    fn read(&mut self, pcm: &mut [i16]) -> Supply;
}

/// What came of asking for samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// The first are not there yet.
    Waiting,
    /// All that were asked for; what was not there in time is silent.
    Full,
    /// So many, and no more will come.
    Ended(usize, PlayOutcome),
}
