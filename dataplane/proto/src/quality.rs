//! The E-model (ITU-T G.107): from codec, loss and delay to the transmission rating R and the mean opinion score.
//!
//! What the network does not change, such as loudness, noise and echo, has the recommendation's default values (its
//! table 2). Wide band is rated on the same scale: it tells how much of the codec's own quality the way leaves.

use std::time::Duration;
use tandem_control::{Codec, Quality};

/// The basic signal-to-noise ratio Ro (equation 7-2) and what is simultaneous with speech, Is (7-8), of the default
/// values. Is depends on the delay by less than a ten-thousandth.
const SIGNAL_TO_NOISE: f64 = 94.769;
const SIMULTANEOUS: f64 = 1.4136;
/// The sum of all noise No (7-3), the receiver's loudness RLR, the loudness of the talker's echo TELR, and the loss of
/// the echo path WEPL, all in dB.
const NOISE: f64 = -61.179;
const RECEIVE_LOUDNESS: f64 = 2.0;
const TALKER_ECHO: f64 = 65.0;
const ECHO_LOSS: f64 = 110.0;
/// Delay below this is no impairment by itself, in milliseconds (mT).
const UNNOTICED_DELAY: f64 = 100.0;
/// The worst that equipment can do (7-29).
const WORST_EQUIPMENT: f64 = 95.0;

/// What a stream of speech went through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transmission {
    /// The part of the packets that is not heard: lost, or too late; 0 to 1.
    pub loss: f64,
    /// How much longer runs of lost packets are than random loss makes them; 1: random. See [`burst_ratio`].
    pub burst_ratio: f64,
    /// From mouth to ear, one way.
    pub delay: Duration,
}

/// What a codec does to speech (ITU-T G.113 appendix I).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Equipment {
    /// The impairment without loss, Ie.
    impairment: f64,
    /// How well it stands loss, Bpl.
    robustness: f64,
}

impl Equipment {
    /// `None` for what is no speech, or not known here.
    fn of(codec: Codec) -> Option<Equipment> {
        let (impairment, robustness) = match codec {
            // G.113 table I.4, with the concealment of G.711 appendix I. G.722 is no worse, and concealed alike.
            Codec::Pcmu | Codec::Pcma | Codec::G722 => (0.0, 25.1),
            Codec::G729 => (11.0, 19.0),
            // G.113 knows neither. In PESQ Opus loses two fifths of what G.729A loses against G.711, and Speex seven
            // tenths; both conceal as G.729 does, by their model of speech.
            Codec::Opus(_) => (4.5, 19.0),
            Codec::Speex => (7.7, 19.0),
            Codec::ComfortNoise | Codec::TelephoneEvent | Codec::Other(_) => return None,
        };
        Some(Equipment { impairment, robustness })
    }
}

/// The quality of speech in `codec`; `None` for what is no speech, or a codec that nothing is known of.
pub fn quality(codec: Codec, transmission: &Transmission) -> Option<Quality> {
    let rating = rating(Equipment::of(codec)?, transmission).clamp(0.0, 100.0);
    let hundredths = |value: f64| (value * 100.0).round() as u16;
    Some(Quality { rating_x100: hundredths(rating), mos_x100: hundredths(opinion(rating)) })
}

/// How much longer runs of lost packets are than random loss makes them (G.107 section 7.5), of `received` packets and
/// `lost` ones in so many `runs`.
pub fn burst_ratio(received: u64, lost: u64, runs: u64) -> f64 {
    if lost == 0 || runs == 0 {
        return 1.0;
    }
    // Random loss of probability p makes runs of 1 / (1 - p) packets on average.
    let mean_run = lost as f64 / runs as f64;
    (mean_run * received as f64 / (received + lost) as f64).max(1.0)
}

/// R (7-1), with no advantage of access.
fn rating(equipment: Equipment, transmission: &Transmission) -> f64 {
    let delay_ms = transmission.delay.as_secs_f64() * 1000.0;
    SIGNAL_TO_NOISE
        - SIMULTANEOUS
        - delay_impairment(delay_ms)
        - equipment_impairment(equipment, transmission)
}

/// Ie-eff (7-29).
fn equipment_impairment(equipment: Equipment, transmission: &Transmission) -> f64 {
    let loss = transmission.loss.clamp(0.0, 1.0) * 100.0;
    let spread = loss / transmission.burst_ratio.max(1.0) + equipment.robustness;
    equipment.impairment + (WORST_EQUIPMENT - equipment.impairment) * loss / spread
}

/// Id (7-18): what delay does to talkers, by their echo, to listeners, and to conversation.
fn delay_impairment(delay_ms: f64) -> f64 {
    talker_echo(delay_ms) + listener_echo(2.0 * delay_ms) + absolute_delay(delay_ms)
}

/// Idte (7-19 to 7-22).
fn talker_echo(delay_ms: f64) -> f64 {
    let heard = TALKER_ECHO - 40.0 * ((1.0 + delay_ms / 10.0) / (1.0 + delay_ms / 150.0)).log10()
        + 6.0 * (-0.3 * delay_ms * delay_ms).exp();
    let without = -1.5 * (NOISE - RECEIVE_LOUDNESS);
    let with = 80.0 + 2.5 * (heard - 14.0);
    let half = (without - with) / 2.0;
    (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-delay_ms).exp())
}

/// Idle (7-25, 7-26).
fn listener_echo(round_trip_ms: f64) -> f64 {
    let with = 10.5 * (ECHO_LOSS + 7.0) * (round_trip_ms + 1.0).powf(-0.25);
    let half = (SIGNAL_TO_NOISE - with) / 2.0;
    half + (half * half + 169.0).sqrt()
}

/// Idd (7-27, 7-28), for conversations of ordinary sensitivity.
fn absolute_delay(delay_ms: f64) -> f64 {
    if delay_ms <= UNNOTICED_DELAY {
        return 0.0;
    }
    let x = (delay_ms / UNNOTICED_DELAY).log2();
    let sixth = |value: f64| (1.0 + value.powi(6)).powf(1.0 / 6.0);
    25.0 * (sixth(x) - 3.0 * sixth(x / 3.0) + 2.0)
}

/// The mean opinion score (equation B-4), which has a dip below 1 near R = 0.
fn opinion(rating: f64) -> f64 {
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rated(codec: Codec, loss: f64, burst_ratio: f64, delay_ms: u64) -> f64 {
        let transmission = Transmission { loss, burst_ratio, delay: Duration::from_millis(delay_ms) };
        f64::from(quality(codec, &transmission).unwrap().rating_x100) / 100.0
    }

    /// All constants from table 2 by the equations of section 7, so that a wrong digit in one of them is found.
    #[test]
    fn the_constants_follow_from_the_default_values() {
        let power = |decibels: f64| 10f64.powf(decibels / 10.0);
        let (send, receive, side_tone, room) = (8.0, RECEIVE_LOUDNESS, 15.0, 35.0);
        let overall: f64 = send + receive;
        let at_sender = room - send - 3.0 - 100.0 + 0.004 * (room - overall - 3.0 - 14.0f64).powi(2);
        let at_ear = room + 10.0 * (1.0 + power(10.0 - (side_tone + 3.0))).log10();
        let at_receiver = receive - 121.0 + at_ear + 0.008 * (at_ear - 35.0f64).powi(2);
        let noises = power(-70.0) + power(at_sender) + power(at_receiver) + power(-64.0 + receive);
        let noise = 10.0 * noises.log10();
        assert!((noise - NOISE).abs() < 0.001, "{noise}");
        let signal = 15.0 - 1.5 * (send + noise);
        assert!((signal - SIGNAL_TO_NOISE).abs() < 0.001, "{signal}");
        let loud: f64 = (overall + 0.2 * (64.0 + noise - receive)) / 8.0;
        let too_loud = 20.0 * ((1.0 + loud.powi(8)).powf(1.0 / 8.0) - loud);
        let tone = -10.0 * (power(-side_tone) + power(-TALKER_ECHO)).log10();
        let root = |value: f64, degree: i32| (1.0 + value.powi(degree)).powf(1.0 / f64::from(degree));
        let side = 12.0 * root((tone - 13.0) / 6.0, 8)
            - 28.0 * root((tone + 1.0) / 19.4, 35)
            - 13.0 * root((tone - 3.0) / 33.0, 13)
            + 29.0;
        let q = 37.0;
        let g = 1.07 + 0.258 * q + 0.0602 * q * q;
        let y = (signal - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0;
        let quantising = 15.0 * (1.0 + 10f64.powf(y) + 10f64.powf(46.0 / 30.0 - g / 40.0)).log10();
        let simultaneous = too_loud + side + quantising;
        assert!((simultaneous - SIMULTANEOUS).abs() < 0.001, "{simultaneous}");
    }

    /// "These default values result in a very high quality with a rating factor of R = 93.2" (section 7.7).
    #[test]
    fn the_default_rating_is_93_2() {
        assert!((rated(Codec::Pcma, 0.0, 1.0, 0) - 93.2).abs() < 0.05);
        assert!((rated(Codec::G729, 0.0, 1.0, 0) - 82.2).abs() < 0.05);
    }

    /// Table B.1 of annex B: the limits of satisfaction.
    #[test]
    fn ratings_have_the_scores_of_annex_b() {
        for (rating, score) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            assert!((opinion(rating) - score).abs() < 0.01, "{rating}: {}", opinion(rating));
        }
        assert_eq!((opinion(0.0), opinion(3.0), opinion(100.0)), (1.0, 1.0, 4.5));
    }

    /// The curve of G.107 over delay (that of G.114, figure 1): hardly a loss to 150 ms, near 70 at 320 ms.
    #[test]
    fn delay_costs_as_in_g114() {
        for (delay_ms, rating) in
            [(50, 91.8), (100, 90.7), (150, 89.5), (200, 85.8), (300, 72.7), (400, 62.2)]
        {
            let got = rated(Codec::Pcmu, 0.0, 1.0, delay_ms);
            assert!((got - rating).abs() < 0.1, "{delay_ms} ms: {got}");
        }
    }

    #[test]
    fn loss_costs_as_the_codec_stands_it_and_bursts_cost_more() {
        // Ie-eff of G.711 with concealment at 3 %: 95 * 3 / (3 + 25.1) = 10.14.
        assert!((rated(Codec::Pcmu, 0.03, 1.0, 0) - (93.21 - 10.14)).abs() < 0.02);
        // Of G.729A: 11 + 84 * 3 / (3 + 19) = 22.45; in bursts of twice the length 11 + 84 * 3 / (1.5 + 19) = 23.29.
        assert!((rated(Codec::G729, 0.03, 1.0, 0) - (93.21 - 22.45)).abs() < 0.02);
        assert!((rated(Codec::G729, 0.03, 2.0, 0) - (93.21 - 23.29)).abs() < 0.02);
    }

    #[test]
    fn bursts_are_measured_against_random_loss() {
        assert_eq!(burst_ratio(100, 0, 0), 1.0);
        // One in ten lost at random: runs of 10/9.
        assert!((burst_ratio(900, 100, 90) - 1.0).abs() < 1e-9);
        assert!((burst_ratio(900, 100, 25) - 3.6).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn more_loss_and_delay_are_never_better(
            loss in 0.0..1.0f64, more in 0.0..0.5f64, burst in 1.0..8.0f64, delay in 0u64..2000, later in 0u64..500
        ) {
            for codec in [Codec::Pcmu, Codec::G722, Codec::G729, Codec::Speex, Codec::opus(true)] {
                let better = rated(codec, loss, burst, delay);
                prop_assert!(rated(codec, loss + more, burst, delay + later) <= better + 0.01);
            }
            prop_assert_eq!(quality(Codec::TelephoneEvent, &Transmission {
                loss, burst_ratio: burst, delay: Duration::from_millis(delay)
            }), None);
        }
    }
}
