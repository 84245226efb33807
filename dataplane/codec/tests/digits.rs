//! Digits as tones through each codec: what our own detector makes of what comes out at the other end.
#![allow(clippy::unwrap_used)]

use tandem_codec::dtmf_detector::{DtmfDetector, Heard};
use tandem_codec::g711::{G711Decoder, G711Encoder, Law};
use tandem_codec::g722::{G722Decoder, G722Encoder};
use tandem_codec::g729::{G729Decoder, G729Encoder};
use tandem_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use tandem_codec::resampler::Resampler;
use tandem_codec::speex::{Band, SpeexDecoder, SpeexEncoder, SpeexSettings};
use tandem_codec::tones::{DIGIT_DBM0, Step, Tone};
use tandem_codec::{Decoder, Encoder};

type Codec = (&'static str, u32, Box<dyn Encoder>, Box<dyn Decoder>);

fn waveform_codecs() -> Vec<Codec> {
    let opus = |rate| -> (Box<dyn Encoder>, Box<dyn Decoder>) {
        let encoder = OpusEncoder::new(rate, OpusSettings::default()).unwrap();
        (Box::new(encoder), Box::new(OpusDecoder::new(rate).unwrap()))
    };
    let ((narrow, narrow_back), (wide, wide_back)) = (opus(8000), opus(16_000));
    vec![
        ("PCMU", 8000, Box::new(G711Encoder::new(Law::Mu)), Box::new(G711Decoder::new(Law::Mu))),
        ("PCMA", 8000, Box::new(G711Encoder::new(Law::A)), Box::new(G711Decoder::new(Law::A))),
        ("G722", 16_000, Box::new(G722Encoder::new()), Box::new(G722Decoder::new())),
        ("Opus at 8 kHz", 8000, narrow, narrow_back),
        ("Opus at 16 kHz", 16_000, wide, wide_back),
    ]
}

/// These follow a model of speech; two tones are none.
fn voice_codecs() -> Vec<Codec> {
    let speex = |band| -> (Box<dyn Encoder>, Box<dyn Decoder>) {
        let encoder = SpeexEncoder::new(band, SpeexSettings::default()).unwrap();
        (Box::new(encoder), Box::new(SpeexDecoder::new(band).unwrap()))
    };
    let ((narrow, narrow_back), (wide, wide_back)) = (speex(Band::Narrow), speex(Band::Wide));
    let g729 = (G729Encoder::new().unwrap(), G729Decoder::new().unwrap());
    vec![
        ("G729", 8000, Box::new(g729.0), Box::new(g729.1)),
        ("Speex at 8 kHz", 8000, narrow, narrow_back),
        ("Speex at 16 kHz", 16_000, wide, wide_back),
    ]
}

/// All 16 digits one after the other, each of that length, through a codec: what is heard.
fn heard(codec: Codec, on_ms: u32) -> Vec<u8> {
    let (_, rate, mut encoder, mut decoder) = codec;
    let mut pcm = vec![0; rate as usize / 4];
    for event in 0..16 {
        let step = Step { off_ms: 80, ..Step::digit(event, DIGIT_DBM0, on_ms).unwrap() };
        let start = pcm.len();
        pcm.resize(start + (rate / 1000 * (on_ms + step.off_ms)) as usize, 0);
        Tone::new(rate, &step).fill(&mut pcm[start..]);
    }
    let mut to_8000 = (rate != 8000).then(|| Resampler::new(rate, 8000).unwrap());
    let (mut detector, mut digits) = (DtmfDetector::default(), Vec::new());
    for frame in pcm.chunks_exact(rate as usize / 50) {
        let (mut payload, mut back, mut narrow) = ([0; 1500], vec![0; frame.len()], [0; 160]);
        let len = encoder.encode(frame, &mut payload).unwrap();
        decoder.decode(&payload[..len], &mut back).unwrap();
        let samples = match &mut to_8000 {
            Some(resampler) => {
                let len = resampler.process(&back, &mut narrow);
                &narrow[..len]
            }
            None => &back[..],
        };
        detector.process(samples, |heard| {
            if let Heard::Began { event, .. } = heard {
                digits.push(event);
            }
        });
    }
    digits
}

#[test]
fn every_digit_of_40_ms_passes_a_waveform_codec() {
    for on_ms in [40, 100] {
        for codec in waveform_codecs() {
            let name = codec.0;
            assert_eq!(heard(codec, on_ms), (0..16).collect::<Vec<_>>(), "{name}, {on_ms} ms");
        }
    }
}

/// Speex keeps short tones well enough; of what G.729 makes of less than 100 ms not every digit is left.
#[test]
fn longer_digits_pass_a_voice_codec() {
    for on_ms in [40, 60, 100, 200, 500] {
        for codec in voice_codecs() {
            let name = codec.0;
            if name == "G729" && on_ms < 100 {
                continue;
            }
            assert_eq!(heard(codec, on_ms), (0..16).collect::<Vec<_>>(), "{name}, {on_ms} ms");
        }
    }
}
