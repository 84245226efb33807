//! A description, cut into lines.

use crate::sdp::{self, MAX_BYTES, MAX_LINES, MAX_SECTIONS, SdpError};
use std::ops::Range;

/// What a line is, as far as a relay must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ng) enum Kind {
    /// `o=`
    Origin,
    /// `c=`
    Connection,
    /// `m=`
    Media,
    /// `a=rtpmap`
    Rtpmap,
    /// `a=fmtp`
    Fmtp,
    /// `a=rtcp-fb`
    RtcpFeedback,
    /// `a=ptime`
    Ptime,
    /// `a=extmap`, `a=extmap-allow-mixed`
    Extmap,
    /// `a=mid`
    Mid,
    /// `a=sendrecv`, `a=sendonly`, `a=recvonly`, `a=inactive`
    Direction,
    /// `a=rtcp`
    Rtcp,
    /// `a=rtcp-mux`
    RtcpMux,
    /// `a=crypto`
    Crypto,
    /// `a=fingerprint`
    Fingerprint,
    /// `a=setup`
    Setup,
    /// `a=ice-ufrag`
    IceUfrag,
    /// `a=ice-pwd`
    IcePassword,
    /// `a=ice-lite`
    IceLite,
    /// `a=candidate`
    Candidate,
    /// The other attributes of ICE and DTLS, which speak of the writer's own transport; and the BUNDLE group, because each
    /// section has a transport of its own here.
    OtherTransport,
    /// `a=ssrc`, `a=ssrc-group` (RFC 5576): what is relayed has sources of our own, and a browser plays no other than those
    /// that its peer named.
    Source,
    /// The attribute that marks descriptions which this relay has written.
    LoopMark,
    /// Anything else.
    Other,
}

/// The name of [`Kind::LoopMark`].
pub(in crate::ng) const LOOP_MARK: &str = "tandem-relay";

impl Kind {
    fn of(letter: u8, value: &str) -> Kind {
        match letter {
            b'a' => Kind::of_attribute(value.split(':').next().unwrap_or_default(), value),
            b'o' => Kind::Origin,
            b'c' => Kind::Connection,
            b'm' => Kind::Media,
            _ => Kind::Other,
        }
    }

    fn of_attribute(name: &str, value: &str) -> Kind {
        match name {
            "rtpmap" => Kind::Rtpmap,
            "fmtp" => Kind::Fmtp,
            "rtcp-fb" => Kind::RtcpFeedback,
            "ptime" => Kind::Ptime,
            "extmap" | "extmap-allow-mixed" => Kind::Extmap,
            "mid" => Kind::Mid,
            "sendrecv" | "sendonly" | "recvonly" | "inactive" => Kind::Direction,
            "rtcp" => Kind::Rtcp,
            "rtcp-mux" => Kind::RtcpMux,
            "crypto" => Kind::Crypto,
            "fingerprint" => Kind::Fingerprint,
            "setup" => Kind::Setup,
            "ice-ufrag" => Kind::IceUfrag,
            "ice-pwd" => Kind::IcePassword,
            "ice-lite" => Kind::IceLite,
            "candidate" => Kind::Candidate,
            "end-of-candidates" | "remote-candidates" | "ice-options" | "ice-mismatch" | "ice-pacing"
            | "tls-id" | "connection" | "rtcp-mux-only" | "bundle-only" => Kind::OtherTransport,
            "group" if value.starts_with("group:BUNDLE") => Kind::OtherTransport,
            "ssrc" | "ssrc-group" => Kind::Source,
            LOOP_MARK => Kind::LoopMark,
            _ => Kind::Other,
        }
    }
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub(in crate::ng) struct Line<'a> {
    pub kind: Kind,
    /// The whole line, without its end.
    pub text: &'a str,
    /// What follows the attribute's colon, or the `=` of another line.
    pub value: &'a str,
}

impl<'a> Line<'a> {
    fn parse(text: &'a str) -> Result<Line<'a>, SdpError> {
        let Some((letter, value)) = text.split_once('=').filter(|(letter, _)| letter.len() == 1) else {
            let shown: String = text.chars().take(40).collect();
            return sdp::malformed(format!("{shown:?} is no line of a description"));
        };
        let letter = letter.bytes().next().unwrap_or_default();
        let kind = Kind::of(letter, value);
        let value = match letter {
            b'a' => value.split_once(':').map_or("", |(_, value)| value.trim()),
            _ => value,
        };
        Ok(Line { kind, text, value })
    }
}

/// One media section: its media line, taken apart, and where its lines are.
#[derive(Clone, Debug)]
pub(in crate::ng) struct Section<'a> {
    /// `audio`, `video`, ...
    pub media: &'a str,
    /// Zero: refused, or not in use.
    pub port: u16,
    /// The transport protocol.
    pub protocol: &'a str,
    /// The formats, separated by spaces.
    pub formats: &'a str,
    /// The lines behind the media line.
    lines: Range<usize>,
}

/// A description.
#[derive(Clone, Debug)]
pub(in crate::ng) struct Text<'a> {
    lines: Vec<Line<'a>>,
    /// The lines before the first section.
    session: Range<usize>,
    /// The media sections.
    pub sections: Vec<Section<'a>>,
}

impl<'a> Text<'a> {
    /// Cuts a description into lines.
    ///
    /// # Errors
    /// [`SdpError::Malformed`] for what is no description, or over a limit.
    pub(crate) fn parse(text: &'a str) -> Result<Text<'a>, SdpError> {
        if text.len() > MAX_BYTES {
            return sdp::malformed(format!("description longer than {MAX_BYTES} bytes"));
        }
        if !text.starts_with("v=0") {
            return sdp::malformed("a description starts with v=0");
        }
        let mut lines: Vec<Line<'a>> = Vec::with_capacity(text.len() / 24);
        let mut sections: Vec<Section<'a>> = Vec::with_capacity(2);
        for line in text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
            if line.is_empty() {
                continue;
            }
            if lines.len() >= MAX_LINES {
                return sdp::malformed(format!("description of more than {MAX_LINES} lines"));
            }
            let line = Line::parse(line)?;
            if line.kind == Kind::Media {
                if sections.len() >= MAX_SECTIONS {
                    return sdp::malformed(format!("more than {MAX_SECTIONS} media sections"));
                }
                let start = lines.len() + 1;
                sections.push(media_line(line.value, start)?);
            } else if let Some(section) = sections.last_mut() {
                section.lines.end = lines.len() + 1;
            }
            lines.push(line);
        }
        let end = sections.first().map_or(lines.len(), |section| section.lines.start - 1);
        Ok(Text { lines, session: 0..end, sections })
    }

    /// The lines before the first section.
    pub(crate) fn session(&self) -> &[Line<'a>] {
        self.lines.get(self.session.clone()).unwrap_or_default()
    }

    /// The lines of a section behind its media line.
    pub(crate) fn lines(&self, section: &Section<'_>) -> &[Line<'a>] {
        self.lines.get(section.lines.clone()).unwrap_or_default()
    }

    /// Whether this relay wrote the description, or handed it on.
    pub(crate) fn is_marked(&self) -> bool {
        self.lines.iter().any(|line| line.kind == Kind::LoopMark)
    }
}

/// `audio 49170[/2] RTP/AVP 0 8`
fn media_line(value: &str, start: usize) -> Result<Section<'_>, SdpError> {
    let mut fields = value.splitn(4, ' ');
    let (Some(media), Some(port), Some(protocol)) = (fields.next(), fields.next(), fields.next()) else {
        return sdp::malformed("a media line without media, port and protocol");
    };
    let port = port.split('/').next().unwrap_or_default();
    let Ok(port) = port.parse() else { return sdp::malformed("the port of a media line is no port") };
    Ok(Section { media, port, protocol, formats: fields.next().unwrap_or_default(), lines: start..start })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::samples;

    #[test]
    fn sections_have_their_lines() {
        let text = format!("{}{}", samples::CHROMIUM, samples::CHROMIUM_VIDEO);
        let text = Text::parse(&text).unwrap();
        let [audio, video] = text.sections.as_slice() else { panic!("{:?}", text.sections) };
        assert_eq!((audio.media, audio.port, audio.protocol), ("audio", 46154, "UDP/TLS/RTP/SAVPF"));
        assert_eq!(audio.formats, "111 63 9 0 8 13 110 126");
        assert_eq!((video.media, video.port), ("video", 9));
        assert_eq!(
            text.session().last().map(|line| line.text),
            Some("a=msid-semantic: WMS 5c8f4b0e-1d7e-4f7e-a0c6-111111111111")
        );
        let mids = |section| text.lines(section).iter().filter(|line| line.kind == Kind::Mid).count();
        assert_eq!((mids(audio), mids(video)), (1, 1));
        assert_eq!(text.lines(video).last().map(|line| line.text), Some("a=fmtp:97 apt=96"));
    }

    #[test]
    fn a_value_is_what_follows_the_name() {
        let line = Line::parse("a=mid: audio").unwrap();
        assert_eq!((line.kind, line.value), (Kind::Mid, "audio"));
        let line = Line::parse("a=sendonly").unwrap();
        assert_eq!((line.kind, line.value), (Kind::Direction, ""));
        assert_eq!(Line::parse("c=IN IP4 192.0.2.1").unwrap().value, "IN IP4 192.0.2.1");
    }

    #[test]
    fn what_is_no_description_or_too_long_is_refused() {
        for text in
            ["", "hello", "v=0\r\nnonsense\r\n", "v=0\r\nm=audio\r\n", "v=0\r\nm=audio x RTP/AVP 0\r\n"]
        {
            assert!(Text::parse(text).is_err(), "{text:?}");
        }
        let long = |line: &str, times: usize| format!("v=0\r\n{}", line.repeat(times));
        assert!(Text::parse(&long("a=x\r\n", MAX_LINES - 1)).is_ok());
        assert!(Text::parse(&long("a=x\r\n", MAX_LINES)).is_err());
        assert!(Text::parse(&long("m=audio 9 RTP/AVP 0\r\n", MAX_SECTIONS + 1)).is_err());
        assert!(Text::parse(&long("a=x\r\n", MAX_BYTES)).is_err());
    }
}
