//! Which way each payload type of video goes from one leg to the other.

use tandem_control::{Video, VideoCodec, VideoPayloadType};

/// What a payload type of the peer's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Pictures.
    Pictures {
        /// Their coding.
        codec: VideoCodec,
        /// What becomes of them.
        route: Route,
    },
    /// What is sent again (RFC 4588) of the payload type with this number.
    Again(u8),
}

/// What becomes of pictures. Another way than forwarding, through a decoder and an encoder, would stand here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The other leg takes the same coding, under this payload type.
    Forward(u8),
    /// The other leg does not take it.
    NotTaken,
}

/// The payload types that one peer may send, and where they go.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    entries: Vec<(u8, Entry)>,
    /// Bit n: payload type n is one of them.
    numbers: u128,
}

impl Routes {
    /// From what one leg receives to what the other is sent.
    pub(crate) fn new(from: Option<&Video>, to: Option<&Video>) -> Routes {
        let receive = from.map_or(&[][..], |from| &from.receive);
        let send = to.map_or(&[][..], |to| &to.send);
        let mut routes = Routes::default();
        for pictures in receive {
            let entry = Entry::Pictures { codec: pictures.codec, route: route(pictures.codec, send) };
            routes.add(pictures.number, entry);
            if let Some(again) = pictures.rtx {
                routes.add(again, Entry::Again(pictures.number));
            }
        }
        routes
    }

    fn add(&mut self, number: u8, entry: Entry) {
        if !self.has(number) {
            self.entries.push((number, entry));
            self.numbers |= bit(number);
        }
    }

    /// Whether the peer may send that payload type.
    pub(crate) fn has(&self, number: u8) -> bool {
        self.numbers & bit(number) != 0
    }

    /// What a payload type is, if the peer may send it.
    pub(crate) fn find(&self, number: u8) -> Option<Entry> {
        self.entries.iter().find(|(known, _)| *known == number).map(|(_, entry)| *entry)
    }
}

fn bit(number: u8) -> u128 {
    1 << (number & 0x7f)
}

/// Signaling has agreed on all of them; where several fit, that of the same profile and mode is the one.
fn route(codec: VideoCodec, send: &[VideoPayloadType]) -> Route {
    let fitting = send.iter().filter_map(|to| Some((distance(codec, to.codec)?, to.number)));
    fitting
        .min_by_key(|(distance, _)| *distance)
        .map_or(Route::NotTaken, |(_, number)| Route::Forward(number))
}

/// How far what is sent is from what the receiver says it takes: 0 is just that. `None`: it cannot take it.
fn distance(sent: VideoCodec, taken: VideoCodec) -> Option<u8> {
    match (sent, taken) {
        (VideoCodec::Vp8, VideoCodec::Vp8) => Some(0),
        (
            VideoCodec::H264 { packetization_mode: mode, profile_level_id: sent },
            VideoCodec::H264 { packetization_mode: taken_mode, profile_level_id: taken },
        ) => {
            // RFC 6184 section 5.4: the packets of mode 0 are packets of mode 1 too. Mode 2 interleaves.
            let fits = mode == taken_mode || mode == 0 && taken_mode == 1;
            let other_profile = u8::from(profile(sent) != profile(taken)) * 2;
            fits.then_some(other_profile + u8::from(mode != taken_mode))
        }
        _ => None,
    }
}

/// profile_idc and the constraints that make another profile of it (RFC 6184 section 8.1, table 5). The level is each
/// receiver's own limit.
fn profile([profile_idc, profile_iop, _]: [u8; 3]) -> (u8, u8) {
    (profile_idc, profile_iop & 0b0101_0000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h264(mode: u8, profile_level_id: [u8; 3]) -> VideoCodec {
        VideoCodec::H264 { packetization_mode: mode, profile_level_id }
    }

    fn types(codecs: &[(u8, VideoCodec)]) -> Vec<VideoPayloadType> {
        codecs.iter().map(|&(number, codec)| VideoPayloadType { number, codec, rtx: None }).collect()
    }

    const CONSTRAINED: [u8; 3] = [0x42, 0xe0, 0x1f];
    const HIGH: [u8; 3] = [0x64, 0x00, 0x1f];

    #[test]
    fn a_coding_goes_to_the_nearest_that_the_receiver_takes() {
        let send = types(&[
            (97, h264(0, CONSTRAINED)),
            (98, h264(1, HIGH)),
            (99, h264(1, CONSTRAINED)),
            (100, VideoCodec::Vp8),
        ]);
        let higher_level = [0x42, 0xe0, 0x28];
        assert_eq!(route(h264(1, higher_level), &send), Route::Forward(99));
        assert_eq!(route(h264(0, higher_level), &send), Route::Forward(97));
        assert_eq!(route(h264(1, HIGH), &send), Route::Forward(98));
        assert_eq!(route(VideoCodec::Vp8, &send), Route::Forward(100));
        assert_eq!(route(h264(0, CONSTRAINED), &send[1..]), Route::Forward(99));
    }

    #[test]
    fn packets_of_mode_1_do_not_go_to_a_receiver_of_mode_0() {
        let send = types(&[(97, h264(0, CONSTRAINED))]);
        assert_eq!(route(h264(1, CONSTRAINED), &send), Route::NotTaken);
        assert_eq!(route(h264(2, CONSTRAINED), &types(&[(97, h264(1, CONSTRAINED))])), Route::NotTaken);
        assert_eq!(route(VideoCodec::Vp8, &send), Route::NotTaken);
    }
}
