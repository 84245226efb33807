//! Codecs that nobody here wrote decode what ours encode, and ours decode what they encode: FFmpeg's own G.722, G.729,
//! Speex and Opus decoders, its G.722 encoder, libspeex and Debian's older libopus.
#![expect(clippy::unwrap_used, reason = "a test; its helpers are no test functions")]

mod support;

use support::{ffmpeg, loudness_correlation, ogg, signal_to_noise, speech};
use tandem_codec::comfort_noise::{ComfortNoise, NoiseAnalyser, PAYLOAD_LEN};
use tandem_codec::g722::{G722Decoder, G722Encoder};
use tandem_codec::g729::{G729Decoder, G729Encoder};
use tandem_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use tandem_codec::speex::{Band, SpeexDecoder, SpeexEncoder, SpeexSettings};
use tandem_codec::{Decoder, Encoder};

fn encode(encoder: &mut dyn Encoder, pcm: &[i16], packet: usize) -> Vec<Vec<u8>> {
    let mut room = [0; 1500];
    pcm.chunks_exact(packet)
        .map(|pcm| {
            let length = encoder.encode(pcm, &mut room).unwrap();
            room[..length].to_vec()
        })
        .collect()
}

fn decode(decoder: &mut dyn Decoder, payloads: &[Vec<u8>]) -> Vec<i16> {
    let (mut room, mut heard) = ([0; 5760], Vec::new());
    for payload in payloads {
        let samples = decoder.decode(payload, &mut room).unwrap();
        heard.extend_from_slice(&room[..samples]);
    }
    heard
}

/// Payloads as packets of Ogg, each of `samples` more.
fn packets(payloads: Vec<Vec<u8>>, samples: u64) -> impl Iterator<Item = ogg::Packet> {
    payloads.into_iter().zip(1..).map(move |(payload, number)| (number * samples, payload))
}

#[test]
fn g722_is_the_codec_that_ffmpeg_has_to_the_bit() {
    let pcm = speech(16_000);
    let ours = encode(&mut G722Encoder::new(), &pcm, 320).concat();
    let theirs = ffmpeg::encode(&pcm, 16_000, &["-c:a", "g722", "-f", "g722"]);
    assert!(ours[..] == theirs[..ours.len()]);
    // What never was encoded reaches what speech does not: every code, and the limits of scale and prediction.
    let any: Vec<u8> = (0..80_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    for stream in [ours, any] {
        let payloads: Vec<_> = stream.chunks_exact(160).map(<[u8]>::to_vec).collect();
        let heard = decode(&mut G722Decoder::new(), &payloads);
        let heard_there = ffmpeg::decode(&stream, 16_000, &["-f", "g722"]);
        assert!(heard[..] == heard_there[..heard.len()]);
    }
}

#[test]
fn comfort_noise_is_told_as_ffmpeg_tells_it() {
    for told in [&[30, 10, 150][..], &[45], &[40, 190, 140, 110]] {
        let mut generator = ComfortNoise::default();
        generator.update(told).unwrap();
        let mut pcm = vec![0; 32_000];
        generator.fill(&mut pcm);
        let mut analyser = NoiseAnalyser::default();
        pcm.chunks(160).skip(4).for_each(|frame| analyser.process(frame));
        let mut ours = [0; PAYLOAD_LEN];
        analyser.payload(&mut ours).unwrap();
        // FFmpeg has no container for it, but writes payloads of the same length, one after the other.
        let stream = ffmpeg::encode(&pcm, 8000, &["-c:a", "comfortnoise", "-f", "gsm"]);
        // It describes each frame on its own: the mean of many is compared.
        let frames: Vec<_> = stream.chunks_exact(PAYLOAD_LEN).skip(5).collect();
        for (index, one) in ours.iter().enumerate() {
            let mean = frames.iter().map(|frame| usize::from(frame[index])).sum::<usize>() / frames.len();
            assert!(usize::from(*one).abs_diff(mean) <= 12, "{index}: {ours:?}, there {mean}");
        }
    }
}

#[test]
fn ffmpeg_decodes_our_g729() {
    let pcm = speech(8000);
    let payloads = encode(&mut G729Encoder::new().unwrap(), &pcm, 160);
    let heard_there = ffmpeg::decode(&payloads.concat(), 8000, &["-f", "g729"]);
    let heard = decode(&mut G729Decoder::new().unwrap(), &payloads);
    assert!(heard_there.len().abs_diff(heard.len()) <= 160);
    let (alike, alike_there) =
        (loudness_correlation(&pcm, &heard, 8000), loudness_correlation(&pcm, &heard_there, 8000));
    println!("ours {alike:.3}, FFmpeg {alike_there:.3}");
    assert!(alike > 0.95 && alike_there > 0.95, "{alike} {alike_there}");
    // Both follow the Recommendation's fixed-point arithmetic; the postfilters differ a little.
    let ratio = signal_to_noise(&heard_there, &heard, 40);
    println!("between the decoders {ratio:.1} dB");
    assert!(ratio > 10.0, "{ratio}");
}

#[test]
fn speex_of_both_bands_is_understood_both_ways() {
    for (band, rate) in [(Band::Narrow, 8000), (Band::Wide, 16_000)] {
        let pcm = speech(rate);
        for frames in [1, 3] {
            let samples = frames as usize * rate as usize / 50;
            let mut encoder = SpeexEncoder::new(band, SpeexSettings::default()).unwrap();
            let ours = packets(encode(&mut encoder, &pcm, samples), samples as u64);
            let stream =
                ogg::write(&ogg::speex_headers(rate, frames).into_iter().chain(ours).collect::<Vec<_>>());
            // Their own decoder, not libspeex.
            let heard = ffmpeg::decode(&stream, rate, &["-c:a", "speex", "-f", "ogg"]);
            let alike = loudness_correlation(&pcm, &heard, rate);
            println!("{band:?}, {frames} frames: there {alike:.3}");
            assert!(alike > 0.95, "{band:?}, {frames} frames, decoded there: {alike}");

            let count = frames.to_string();
            let options = ["-c:a", "libspeex", "-frames_per_packet", &count, "-f", "ogg"];
            let theirs = ogg::read(&ffmpeg::encode(&pcm, rate, &options));
            let heard = decode(&mut SpeexDecoder::new(band).unwrap(), &theirs[2..]);
            let alike = loudness_correlation(&pcm, &heard, rate);
            println!("{band:?}, {frames} frames: here {alike:.3}");
            assert!(alike > 0.95, "{band:?}, {frames} frames, decoded here: {alike}");
        }
    }
}

#[test]
fn opus_with_fec_and_dtx_is_understood_by_two_other_decoders() {
    for rate in [8000, 16_000, 48_000] {
        let mut pcm = speech(rate);
        pcm[rate as usize * 4..rate as usize * 7].fill(0);
        let settings =
            OpusSettings { inband_fec: true, expected_loss: 10, dtx: true, ..OpusSettings::default() };
        let frame = rate as usize / 50;
        let payloads = encode(&mut OpusEncoder::new(rate, settings).unwrap(), &pcm, frame);
        // Ogg has no gaps: what DTX leaves out becomes an empty frame (a TOC byte: SILK, 20 ms).
        let sent: Vec<_> = payloads
            .into_iter()
            .map(|payload| if payload.is_empty() { vec![0x08] } else { payload })
            .collect();
        let stream =
            ogg::write(&ogg::opus_headers(rate).into_iter().chain(packets(sent, 960)).collect::<Vec<_>>());
        for decoder in ["opus", "libopus"] {
            let heard = ffmpeg::decode(&stream, rate, &["-c:a", decoder, "-f", "ogg"]);
            let alike = loudness_correlation(&pcm, &heard, rate);
            println!("{rate} Hz by FFmpeg's {decoder}: {alike:.3}");
            assert!(alike > 0.95, "{rate} Hz, {decoder}: {alike}");
        }
    }
}

#[test]
fn another_opus_with_fec_is_decoded_and_recovered_at_every_rate() {
    let options =
        ["-c:a", "libopus", "-application", "voip", "-b:a", "24k", "-fec", "1", "-packet_loss", "20"];
    let options = [&options[..], &["-f", "ogg"]].concat();
    for rate in [8000, 16_000, 48_000] {
        let pcm = speech(rate);
        let theirs = ogg::read(&ffmpeg::encode(&pcm, rate, &options));
        let mut decoder = OpusDecoder::new(rate).unwrap();
        let (whole, frame) = (decode(&mut decoder, &theirs[2..]), rate as usize / 50);
        let alike = loudness_correlation(&pcm, &whole, rate);
        assert!(alike > 0.95, "{rate} Hz: {alike}");

        // Every fifth packet is lost: once it is concealed, once recovered from the next.
        let repaired = [false, true].map(|recovers| {
            let mut decoder = OpusDecoder::new(rate).unwrap();
            let (mut heard, mut recovered) = (Vec::new(), 0);
            for (number, payload) in theirs[2..].iter().enumerate() {
                let mut room = vec![0; frame];
                if number % 5 != 4 {
                    decoder.decode(payload, &mut room).unwrap();
                } else {
                    let next = theirs.get(number + 3).filter(|_| recovers);
                    if next.is_some_and(|next| decoder.recover(next, &mut room)) {
                        recovered += 1;
                    } else {
                        decoder.conceal(&mut room);
                    }
                }
                heard.extend(room);
            }
            println!("{rate} Hz: {recovered} recovered");
            assert_eq!(recovers, recovered > 50, "{recovered}");
            signal_to_noise(&whole, &heard, 0)
        });
        println!("{rate} Hz: concealed {:.1} dB, recovered {:.1} dB", repaired[0], repaired[1]);
        assert!(repaired[1] > repaired[0] + 2.0, "{rate} Hz: {repaired:?}");
    }
}
