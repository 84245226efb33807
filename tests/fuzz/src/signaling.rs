//! The parsers of signaling.

use tandem_sip::ng::{self, Dictionary, Encoding};
use tandem_sip::sdp::Description;
use tandem_sip::sip::{Frame, Message, StreamBuffer};
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

pub(crate) fn sdp(data: &[u8]) {
    let _ = Description::parse(data);
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
