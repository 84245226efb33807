//! Suite `codecs`: what 20 ms of speech cost in each pair of codecs, through the whole media core and in the codecs alone;
//! the calls that one core could carry by that; memory.

use crate::measure::machine::{Disturbance, Machine};
use crate::measure::process::{Usage, allocated, thread_cpu};
use crate::packet_path::{Call, Kind};
use crate::speech::{Codec, Speech, frame_samples};
use crate::suite::Context;
use crate::suite::figures::Figures;
use std::hint::black_box;
use std::io;
use std::time::Duration;
use tandem_codec::resampler::Resampler;
use tandem_codec::{Decoder, Encoder, MAX_PAYLOAD};

const CODECS: [Codec; 7] =
    [Codec::Opus, Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::G729, Codec::SpeexNarrow, Codec::SpeexWide];
/// Frames that each round times; before them some that it does not, so that caches and first packets are no part of it.
const FRAMES: u32 = 500;
const WARM_UP: u32 = 50;
/// Calls that are made to see how much memory one takes.
const STANDING: usize = 20;
const FRAME: Duration = Duration::from_millis(crate::speech::FRAME_MS as u64);

pub(super) fn run(context: &Context<'_>) -> io::Result<Figures> {
    let mut figures = Figures::default();
    let frames = context.scale(FRAMES, 2);
    for from in CODECS {
        let speech = Speech::load(from)?;
        for to in CODECS.into_iter().filter(|to| *to != from) {
            let case = format!("{from:?} to {to:?}");
            for _ in 0..context.rounds() {
                let machine = Machine::now()?;
                let own = Usage::of_self()?;
                let core = time(frames, through_core(from, to)?, &speech)?;
                let alone = time(frames, Alone::new(from, to)?, &speech)?;
                let others = machine.others_until_now((Usage::of_self()? - own).cpu)?;
                let disturbed = Disturbance { others, lateness: Duration::ZERO }.is_noticeable();
                let microseconds = |time: Duration| time.as_secs_f64() * 1e6;
                let values = [
                    ("through the core, us per 20 ms", microseconds(core)),
                    ("the codecs alone, us per 20 ms", microseconds(alone)),
                    ("the core's part, %", (core.as_secs_f64() / alone.as_secs_f64() - 1.0) * 100.0),
                    ("streams a core", FRAME.as_secs_f64() / core.as_secs_f64()),
                ];
                for (figure, value) in values {
                    figures.add(&case, figure, "tandem", value, disturbed);
                }
            }
            let memory = memory(from, to, &speech, context.scale(STANDING, 2))? / 1024.0;
            figures.add(&case, "memory, kB a call", "tandem", memory, false);
        }
    }
    Ok(figures)
}

/// Something that takes one payload after the other.
trait Path {
    fn take(&mut self, payload: &[u8]) -> io::Result<()>;
}

impl Path for Call {
    fn take(&mut self, payload: &[u8]) -> io::Result<()> {
        self.speech(payload)
    }
}

fn through_core(from: Codec, to: Codec) -> io::Result<Call> {
    Call::new(Kind { from, to, suite: None })
}

/// The CPU time that a frame takes, on average.
fn time(frames: u32, mut path: impl Path, speech: &Speech) -> io::Result<Duration> {
    (0..WARM_UP).try_for_each(|index| path.take(speech.frame(index)))?;
    let start = thread_cpu();
    (WARM_UP..WARM_UP + frames).try_for_each(|index| path.take(speech.frame(index)))?;
    Ok((thread_cpu() - start) / frames)
}

/// Decoder, resampler where rates differ, encoder, and nothing else.
struct Alone {
    decoder: Box<dyn Decoder>,
    resampler: Option<Resampler>,
    encoder: Box<dyn Encoder>,
    decoded: Vec<i16>,
    resampled: Vec<i16>,
}

impl Alone {
    fn new(from: Codec, to: Codec) -> io::Result<Alone> {
        // Opus takes the rate of the other side.
        let rates = (from.rate(to.rate(8000)), to.rate(from.rate(8000)));
        let differ = rates.0 != rates.1;
        let resampler = differ.then(|| Resampler::new(rates.0, rates.1)).transpose();
        Ok(Alone {
            decoder: from.decoder(rates.0).map_err(io::Error::other)?,
            resampler: resampler.map_err(io::Error::other)?,
            encoder: to.encoder(rates.1).map_err(io::Error::other)?,
            decoded: vec![0; frame_samples(rates.0)],
            resampled: vec![0; frame_samples(rates.1)],
        })
    }
}

impl Path for Alone {
    fn take(&mut self, payload: &[u8]) -> io::Result<()> {
        self.decoder.decode(payload, &mut self.decoded).map_err(io::Error::other)?;
        let pcm = match &mut self.resampler {
            Some(resampler) => {
                resampler.process(&self.decoded, &mut self.resampled);
                &self.resampled
            }
            None => &self.decoded,
        };
        let mut coded = [0; MAX_PAYLOAD];
        black_box(self.encoder.encode(pcm, &mut coded).map_err(io::Error::other)?);
        Ok(())
    }
}

/// What one call allocates, in bytes, once speech went through it. Both of its directions have codecs.
fn memory(from: Codec, to: Codec, speech: &Speech, calls: usize) -> io::Result<f64> {
    let before = allocated();
    let mut standing = Vec::with_capacity(calls);
    for _ in 0..calls {
        let mut call = through_core(from, to)?;
        (0..WARM_UP).try_for_each(|index| call.take(speech.frame(index)))?;
        standing.push(call);
    }
    Ok(allocated().saturating_sub(before) as f64 / calls.max(1) as f64)
}
