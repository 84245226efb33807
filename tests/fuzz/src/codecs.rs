//! Every decoder, fed with payloads and losses in any order.

use tandem_codec::comfort_noise::{ComfortNoise, NoiseAnalyser, PAYLOAD_LEN};
use tandem_codec::g711::{G711Decoder, Law};
use tandem_codec::g722::G722Decoder;
use tandem_codec::g729::G729Decoder;
use tandem_codec::opus::OpusDecoder;
use tandem_codec::speex::{Band, SpeexDecoder};
use tandem_codec::{CodecError, Decoder};

/// Samples of the longest packet: 120 ms of Opus at 48 kHz.
const ROOM: usize = 5760;

fn decoder(number: u8) -> Result<Box<dyn Decoder>, CodecError> {
    Ok(match number % 8 {
        0 => Box::new(G711Decoder::new(Law::Mu)),
        1 => Box::new(G722Decoder::new()),
        2 => Box::new(G729Decoder::new()?),
        3 => Box::new(SpeexDecoder::new(Band::Narrow)?),
        4 => Box::new(SpeexDecoder::new(Band::Wide)?),
        5 => Box::new(OpusDecoder::new(8000)?),
        6 => Box::new(OpusDecoder::new(16_000)?),
        _ => Box::new(OpusDecoder::new(48_000)?),
    })
}

/// The first byte chooses the decoder. Then come payloads, each behind its length: 0 is a lost packet, and lengths from
/// 128 are 128 less and tried for recovery first.
pub(crate) fn codecs(data: &[u8]) {
    let Some((&number, mut rest)) = data.split_first() else { return };
    let mut decoder = decoder(number).expect("there is memory");
    let (mut noise, mut analyser) = (ComfortNoise::default(), NoiseAnalyser::default());
    let mut pcm = [0; ROOM];
    while let Some((&head, after)) = rest.split_first() {
        let (payload, after) = after.split_at(usize::from(head & 127).min(after.len()));
        rest = after;
        if head == 0 {
            decoder.conceal(&mut pcm[..ROOM / 12]);
            continue;
        }
        if head >= 128 {
            decoder.recover(payload, &mut pcm[..ROOM / 12]);
        }
        if let Ok(samples) = decoder.decode(payload, &mut pcm) {
            assert!(samples <= ROOM, "{samples} samples");
            assert_eq!(samples % decoder.frame_samples(), 0);
            analyser.process(&pcm[..samples]);
        }
        if noise.update(payload).is_ok() {
            noise.fill(&mut pcm[..160]);
        }
    }
    assert_eq!(analyser.payload(&mut [0; PAYLOAD_LEN]), Ok(PAYLOAD_LEN));
}
