//! Which way each payload type goes from one leg to the other.

use tandem_control::{Audio, Codec, Digits, PayloadType, Treatment};

use crate::codecs::is_transcodable;
use crate::silence;

/// What becomes of a payload type that a leg receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The other leg takes the same coding, under this payload type.
    Forward(u8),
    /// As [`Route::Forward`], with silence in the place of what it carries.
    Silence(u8),
    /// It is decoded and encoded anew.
    Transcode,
    /// A telephone event.
    Event,
    /// The other leg does not take it.
    NotTaken,
    /// The other leg shall not hear it.
    Blocked,
}

/// One payload type that a leg receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u8,
    pub(crate) codec: Codec,
    /// In Hz.
    pub(crate) clock: u32,
    pub(crate) route: Route,
}

/// The routes of one direction.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    entries: Vec<Entry>,
    /// What is encoded for the other leg, where that is needed: the first it takes of those that can be.
    pub(crate) target: Option<PayloadType>,
    /// The telephone event of the other leg: the one in the clock of its audio, if it has that.
    pub(crate) event: Option<(u8, u32)>,
    /// What is transcoded becomes silence.
    pub(crate) silenced: bool,
    /// How digits reach the other leg.
    pub(crate) digits: Digits,
    /// The other leg's payload type of comfort noise in the clock of its audio, if it has that.
    pub(crate) noise: Option<u8>,
    /// Comfort noise is received that the other leg does not take.
    pub(crate) makes_noise: bool,
    /// Digits are looked for in the audio.
    pub(crate) detect_tones: bool,
    /// Their tones are taken out of it.
    pub(crate) erases_tones: bool,
    /// Digits go no further.
    pub(crate) events_blocked: bool,
}

impl Routes {
    /// From what one leg receives to what the other is sent.
    pub(crate) fn new(from: &Audio, to: &Audio) -> Routes {
        let (receive, send) = (&from.receive, &to.send);
        let audio_clock = send.iter().find(|to| is_speech(to.codec)).map(|to| to.clock);
        let events = || send.iter().filter(|to| to.codec == Codec::TelephoneEvent);
        let event = events().find(|to| Some(to.clock) == audio_clock).or_else(|| events().next());
        let event = event.filter(|_| to.digits == Digits::Events);
        let target = send.iter().find(|to| is_transcodable(to)).cloned();
        // Tones are put in and found where the audio is decoded and encoded.
        let always = from.always_transcode || from.detect_tones || to.digits == Digits::Tones;
        let noise_clock = target.as_ref().map_or(8000, |target| target.clock);
        let noise = send.iter().find(|to| to.codec == Codec::ComfortNoise && to.clock == noise_clock);
        let hears_noise = receive.iter().any(|payload| payload.codec == Codec::ComfortNoise);
        let entries = receive.iter().map(|payload| {
            let is_same =
                |to: &&PayloadType| to.codec.same_coding(payload.codec) && to.clock == payload.clock;
            let same = send.iter().find(is_same);
            let can_transcode = is_transcodable(payload) && target.is_some();
            let route = match same {
                _ if payload.codec == Codec::TelephoneEvent => {
                    if from.events_blocked {
                        Route::Blocked
                    } else {
                        Route::Event
                    }
                }
                _ if from.speech == Treatment::Blocked => Route::Blocked,
                Some(_) if always && can_transcode => Route::Transcode,
                Some(to) if from.speech == Treatment::Passed => Route::Forward(to.number),
                Some(to) if silence::is_known(payload.codec) => Route::Silence(to.number),
                Some(_) if can_transcode => Route::Transcode,
                Some(_) => Route::Blocked,
                None if can_transcode => Route::Transcode,
                None => Route::NotTaken,
            };
            Entry { number: payload.number, codec: payload.codec, clock: payload.clock, route }
        });
        let event = event.map(|to| (to.number, to.clock));
        Routes {
            entries: entries.collect(),
            event,
            silenced: from.speech == Treatment::Silenced,
            digits: to.digits,
            noise: noise.map(|noise| noise.number),
            makes_noise: hears_noise && noise.is_none() && target.is_some(),
            detect_tones: from.detect_tones,
            erases_tones: to.digits != Digits::Tones || from.events_blocked,
            events_blocked: from.events_blocked,
            target,
        }
    }

    /// Whether both transcode the same into the same.
    pub(crate) fn transcodes_as(&self, other: &Routes) -> bool {
        self.target == other.target
            && self.detect_tones == other.detect_tones
            && self.needs_encoding() == other.needs_encoding()
            && self.decoded().eq(other.decoded())
    }

    /// Whether something is encoded for the other leg, or may have to be at any time.
    pub(crate) fn needs_encoding(&self) -> bool {
        self.makes_noise || self.digits == Digits::Tones || self.decoded().next().is_some()
    }

    pub(crate) fn find(&self, payload_type: u8) -> Option<Entry> {
        self.entries.iter().find(|entry| entry.number == payload_type).copied()
    }

    /// Those that are to be decoded.
    pub(crate) fn decoded(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.route == Route::Transcode)
    }
}

/// Whether it is speech, not an event or noise beside it.
pub(crate) fn is_speech(codec: Codec) -> bool {
    !matches!(codec, Codec::TelephoneEvent | Codec::ComfortNoise)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPUS: Codec = Codec::opus(true);

    fn list(types: &[(u8, Codec, u32)]) -> Audio {
        let types = types.iter().map(|&(number, codec, clock)| PayloadType { number, codec, clock });
        let types: Vec<PayloadType> = types.collect();
        Audio { receive: types.clone(), send: types, ..Audio::idle() }
    }

    fn routes_of(from: &Audio, to: &Audio) -> Vec<Route> {
        let routes = Routes::new(from, to);
        from.receive.iter().map(|payload| routes.find(payload.number).unwrap().route).collect()
    }

    #[test]
    fn one_coding_is_kept_and_the_rest_is_transcoded() {
        let browser = list(&[
            (111, OPUS, 48_000),
            (0, Codec::Pcmu, 8000),
            (9, Codec::G722, 8000),
            (18, Codec::Other(3), 8000),
            (13, Codec::ComfortNoise, 8000),
            (110, Codec::TelephoneEvent, 48_000),
            (126, Codec::TelephoneEvent, 8000),
        ]);
        let phone =
            list(&[(8, Codec::Pcma, 8000), (0, Codec::Pcmu, 8000), (101, Codec::TelephoneEvent, 8000)]);
        let routes = Routes::new(&browser, &phone);
        let route = |number| routes.find(number).map(|entry| entry.route);
        assert_eq!(route(111), Some(Route::Transcode));
        assert_eq!(route(0), Some(Route::Forward(0)));
        assert_eq!(route(9), Some(Route::Transcode));
        assert_eq!(route(18), Some(Route::NotTaken));
        assert_eq!(route(13), Some(Route::NotTaken));
        assert_eq!(route(110), Some(Route::Event));
        assert_eq!(route(1), None);
        assert_eq!(routes.event, Some((101, 8000)));
        assert_eq!(routes.target.as_ref().map(|target| target.number), Some(8));
        let back = Routes::new(&phone, &browser);
        assert_eq!(back.event, Some((110, 48_000)), "in the clock of the audio");
        assert_eq!(back.find(8).unwrap().route, Route::Transcode);
        assert_eq!(back.target.unwrap().number, 111);
    }

    #[test]
    fn other_codings_are_the_same_by_their_number_and_clock_only() {
        let here =
            list(&[(18, Codec::Other(1), 8000), (96, Codec::Other(2), 16_000), (0, Codec::Pcmu, 8000)]);
        let there = list(&[(97, Codec::Other(2), 16_000), (98, Codec::Other(1), 16_000)]);
        assert_eq!(routes_of(&here, &there), [Route::NotTaken, Route::Forward(97), Route::NotTaken]);
    }

    #[test]
    fn what_shall_not_be_heard_is_blocked_or_silenced() {
        let types = [
            (0, Codec::Pcmu, 8000),
            (9, Codec::G722, 8000),
            (13, Codec::ComfortNoise, 8000),
            (101, Codec::TelephoneEvent, 8000),
        ];
        let there = list(&types);
        let treated =
            |speech, events_blocked| routes_of(&Audio { speech, events_blocked, ..list(&types) }, &there);
        use Route::{Blocked, Event, Forward, Silence, Transcode};
        assert_eq!(treated(Treatment::Passed, true), [Forward(0), Forward(9), Forward(13), Blocked]);
        assert_eq!(treated(Treatment::Silenced, false), [Silence(0), Transcode, Blocked, Event]);
        assert_eq!(treated(Treatment::Blocked, false), [Blocked, Blocked, Blocked, Event]);
    }

    #[test]
    fn the_same_coding_is_transcoded_where_that_is_wanted_and_possible() {
        let types = [(0, Codec::Pcmu, 8000), (9, Codec::Other(1), 8000)];
        let here = Audio { always_transcode: true, ..list(&types) };
        assert_eq!(routes_of(&here, &list(&types)), [Route::Transcode, Route::Forward(9)]);
        assert_eq!(routes_of(&list(&types), &here), [Route::Forward(0), Route::Forward(9)]);
    }
}
