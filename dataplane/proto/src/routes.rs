//! Which way each payload type goes from one leg to the other.

use tandem_control::{Codec, PayloadType};

/// What becomes of a payload type that a leg receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The other leg takes the same coding, under this payload type.
    Forward(u8),
    /// It is decoded and encoded anew.
    Transcode,
    /// A telephone event.
    Event,
    /// The other leg does not take it.
    NotTaken,
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
}

impl Routes {
    pub(crate) fn new(receive: &[PayloadType], send: &[PayloadType]) -> Routes {
        let audio_clock = send.iter().find(|to| is_speech(to.codec)).map(|to| to.clock);
        let events = || send.iter().filter(|to| to.codec == Codec::TelephoneEvent);
        let event = events().find(|to| Some(to.clock) == audio_clock).or_else(|| events().next());
        let target = send.iter().find(|to| is_transcodable(to)).cloned();
        let entries = receive.iter().map(|from| {
            let same = send.iter().find(|to| to.codec.same_coding(from.codec) && to.clock == from.clock);
            let route = match same {
                _ if from.codec == Codec::TelephoneEvent => Route::Event,
                Some(to) => Route::Forward(to.number),
                None if is_transcodable(from) && target.is_some() => Route::Transcode,
                None => Route::NotTaken,
            };
            Entry { number: from.number, codec: from.codec, clock: from.clock, route }
        });
        Routes { entries: entries.collect(), event: event.map(|to| (to.number, to.clock)), target }
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

fn is_transcodable(payload_type: &PayloadType) -> bool {
    match payload_type.codec {
        Codec::Opus { .. } => payload_type.clock == 48_000,
        Codec::Pcmu | Codec::Pcma => payload_type.clock == 8000,
        Codec::G722 | Codec::ComfortNoise | Codec::TelephoneEvent | Codec::Other(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPUS: Codec = Codec::Opus { inband_fec: true };

    fn list(types: &[(u8, Codec, u32)]) -> Vec<PayloadType> {
        types.iter().map(|&(number, codec, clock)| PayloadType { number, codec, clock }).collect()
    }

    #[test]
    fn one_coding_is_kept_and_the_rest_is_transcoded() {
        let browser = list(&[
            (111, OPUS, 48_000),
            (0, Codec::Pcmu, 8000),
            (9, Codec::G722, 8000),
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
        assert_eq!(route(9), Some(Route::NotTaken));
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
}
