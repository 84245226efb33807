//! The parsers of signaling.

use std::net::SocketAddr;
use std::sync::Arc;
use tandem_control::Latch;
use tandem_sip::messaging::{Cpim, KeptMessage, Notification, UnixSeconds};
use tandem_sip::ng::{self, Dictionary, Encoding};
use tandem_sip::sdp::{Description, Kind, Leg, LegAddresses};
use tandem_sip::settings::{CodecName, MediaProfile, XcapRoot};
use tandem_sip::sip::user_agent::{Digit, Refer, Replaces};
use tandem_sip::sip::{Frame, HeaderName, Headers, Message, StreamBuffer};
use tandem_sip::wcs::Connection;

/// What parses can be written, and what was written parses.
pub(crate) fn sip(data: &[u8]) {
    if let Ok(message) = Message::parse(data) {
        let written = message.to_bytes();
        if let Err(error) = Message::parse(&written) {
            panic!("{error:?}: {:?}", String::from_utf8_lossy(&written));
        }
    }
}

/// An offer that parses is answered, with each of its codecs and one way, by what parses too.
pub(crate) fn sdp(data: &[u8]) {
    let Ok(offer) = Description::parse(data) else { return };
    let Ok(kind) = Kind::of_offer(&offer) else { return };
    let address = |port| SocketAddr::from(([192, 0, 2, 1], port));
    let addresses = LegAddresses { rtp: address(4000), rtcp: address(4001) };
    let codecs = CodecName::ALL.map(|(_, codec)| codec).to_vec();
    let profile = Arc::new(MediaProfile { codecs, comfort_noise: true, ..MediaProfile::default() });
    let mut random = |bytes: &mut [u8]| bytes.fill(0x5A);
    let mut leg = Leg::new(kind, profile, addresses, [0xAB; 32], &mut random);
    if leg.receive_offer(&offer, &mut random).is_err() {
        return;
    }
    for codec in leg.codecs() {
        check_answer(&leg.write_answer(codec, &leg.far_side()).expect("it was offered"));
        let _ = leg.config(Latch::SameAddress);
    }
    let mut player = leg.clone();
    if let Ok(answer) = leg.write_publisher_answer() {
        check_answer(&answer);
        let watched = leg.config(Latch::SameAddress).watched();
        assert!(!watched.audio.may_send && watched.video.is_none_or(|video| !video.may_send));
        if let Ok(answer) = player.write_player_answer(&leg) {
            check_answer(&answer);
            assert!(!player.config(Latch::SameAddress).audio.may_receive);
        }
    }
}

fn check_answer(answer: &[u8]) {
    if let Err(error) = Description::parse(answer) {
        panic!("{error}: {:?}", String::from_utf8_lossy(answer));
    }
}

/// A digit that is read is written as what reads the same; the first byte says in which format.
pub(crate) fn info(data: &[u8]) {
    let Some((format, body)) = data.split_first() else { return };
    let kind = if format % 2 == 0 { "application/dtmf-relay" } else { "application/dtmf" };
    if let Some(Some(digit)) = Digit::read(kind, body) {
        let (kind, body) = digit.write();
        assert_eq!(Digit::read(kind, &body), Some(Some(digit)));
    }
}

/// What a REFER or a Replaces asks for, line by line: `R` and a Refer-To, or a Replaces. No header field that a URI names gets
/// through but Replaces, and what names a dialog is written as what names the same one.
pub(crate) fn refer(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines() {
        let mut headers = Headers::new();
        let replaces = match line.strip_prefix('R') {
            Some(refer_to) => {
                headers.push(HeaderName::ReferTo, refer_to);
                let Ok(refer) = Refer::of(&headers) else { continue };
                assert!(refer.target.as_sip().is_none_or(|uri| uri.headers.is_empty()), "{refer:?}");
                refer.replaces
            }
            None => {
                headers.push(HeaderName::Replaces, line);
                Replaces::of(&headers).ok().flatten()
            }
        };
        if let Some(replaces) = replaces {
            let mut again = Headers::new();
            again.push(HeaderName::Replaces, &replaces);
            assert_eq!(Replaces::of(&again), Ok(Some(replaces)));
        }
    }
}

/// What messages carry, and how they are kept: what is read is written as what reads the same; the first byte says which.
pub(crate) fn messages(data: &[u8]) {
    let Some((form, body)) = data.split_first() else { return };
    match form % 3 {
        0 => {
            if let Ok(message) = Cpim::parse(body) {
                let written = message.write(UnixSeconds::new(0));
                // A line at its limit may grow beyond it by the blank behind the colon.
                if let Ok(again) = Cpim::parse(&written) {
                    assert_eq!((again.media_type(), again.content), (message.media_type(), message.content));
                }
            }
        }
        1 => {
            if let Some(notification) = Notification::parse(body) {
                let written = notification.write("sip:bob@example.com", UnixSeconds::new(0));
                // Characters that XML does not know are left out.
                let again = Notification::parse(written.as_bytes()).map(|again| again.status);
                assert!(again.is_none_or(|status| status == notification.status));
            }
        }
        _ => {
            if let Some(bytes) = KeptMessage::parse(body).ok().and_then(|message| message.to_bytes()) {
                assert!(KeptMessage::parse(&bytes).is_ok());
            }
        }
    }
}

/// A stream gives the same frames however it was cut into reads; the first byte says how.
pub(crate) fn sip_stream(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else { return };
    let cut = usize::from(*cut) + 1;
    assert_eq!(frames(stream.chunks(cut)), frames(stream.chunks(stream.len().max(1))));
}

fn frames<'a>(reads: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut buffer = StreamBuffer::new();
    let mut messages = Vec::new();
    for read in reads {
        buffer.push(read);
        loop {
            match buffer.next_frame() {
                Ok(Some(Frame::Message(message))) => messages.push(message),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return messages,
            }
        }
    }
    messages
}

/// The lines are the frames of one connection.
pub(crate) fn wcs(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut connection = Connection::new();
    for frame in text.lines() {
        let _ = connection.receive(frame);
    }
}

/// What parses is written as what parses to the same, and every request is read or refused.
pub(crate) fn ng(data: &[u8]) {
    let Ok(frame) = ng::Frame::parse(data) else { return };
    let parsed = Dictionary::parse(frame.body);
    if let Ok(dictionary) = &parsed {
        let encoding = Encoding::of(frame.body);
        assert_eq!(Dictionary::parse(&dictionary.encode(encoding)).as_ref(), Ok(dictionary));
    }
    if ng::request::parse(frame.body).is_ok() {
        assert!(parsed.is_ok());
    }
}

/// A stream gives the same messages however it was cut into reads; the first byte says how.
pub(crate) fn ng_stream(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else { return };
    let cut = usize::from(*cut) + 1;
    assert_eq!(ng_messages(stream.chunks(cut)), ng_messages(stream.chunks(stream.len().max(1))));
}

fn ng_messages<'a>(reads: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut buffer = ng::StreamBuffer::new();
    let mut messages = Vec::new();
    for read in reads {
        buffer.push(read);
        loop {
            match buffer.next_message() {
                Ok(Some(message)) => messages.push(message.to_vec()),
                Ok(None) => break,
                Err(_) => return messages,
            }
        }
    }
    messages
}

/// What a client asks of an XCAP server: what is let through fits into a request line, stays beneath the root, and is a
/// document of everybody's or of the user's own.
pub(crate) fn xcap(data: &[u8]) {
    let Ok(path) = std::str::from_utf8(data) else { return };
    let (domain, root) = ("a.example".to_owned(), "https://x.example/root".to_owned());
    let url = format!("{root}{path}");
    if let Ok(selector) = (XcapRoot { domain, root }).selector(&url, "alice@a.example") {
        assert!(
            selector.starts_with('/') && selector.bytes().all(|byte| byte.is_ascii_graphic()),
            "{selector}"
        );
        let path = selector.split('?').next().unwrap_or_default().to_ascii_lowercase().replace("%2e", ".");
        let segments: Vec<&str> = path.split('/').collect();
        assert!(!segments.contains(&".."), "{selector}");
        assert!(!matches!(segments.as_slice(), [_, _, "users", "bob@a.example", ..]), "{selector}");
    }
}
