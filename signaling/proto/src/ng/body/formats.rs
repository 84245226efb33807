//! The formats of a section: payload types with their names.

use super::{Kind, Line, Section};
use crate::ng::request::CodecSpec;
use crate::sdp::{self, MAX_FORMATS, SdpError, fmtp};
use tandem_control::{Codec, PayloadType};

/// The most codings of one section that the dataplane does not know: [`Codec::Other`] counts in 7 bits here, as
/// payload types do.
const MAX_CODINGS: usize = 128;

/// One payload type of a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ng) struct Format<'a> {
    /// Its number, 0 to 127.
    pub number: u8,
    /// Its encoding name, as written.
    pub name: &'a str,
    /// Its RTP clock, in Hz.
    pub clock: u32,
    /// Its channels.
    pub channels: u8,
    /// What it is to the dataplane; `None` until [`Codings::resolve`] has given a number to what that does not know.
    pub codec: Option<Codec>,
}

impl<'a> Format<'a> {
    /// Reads the formats of a section, in their order.
    pub(crate) fn read_all(section: &Section<'a>, lines: &[Line<'a>]) -> Result<Vec<Format<'a>>, SdpError> {
        let mut formats: Vec<Format<'a>> = Vec::with_capacity(8);
        for number in section.formats.split_ascii_whitespace() {
            if formats.len() >= MAX_FORMATS {
                return sdp::malformed(format!("more than {MAX_FORMATS} formats in one media section"));
            }
            let Some(number) = number.parse::<u8>().ok().filter(|number| *number < 128) else {
                return sdp::malformed(format!("payload type {number:?} is no number below 128"));
            };
            if formats.iter().all(|known| known.number != number) {
                formats.push(Format::of_static(number));
            }
        }
        for line in lines.iter().filter(|line| line.kind == Kind::Rtpmap) {
            let Some((number, mapped)) = numbered(line.value) else { continue };
            if let Some(format) = formats.iter_mut().find(|format| format.number == number) {
                format.map(mapped);
            }
        }
        for line in lines.iter().filter(|line| line.kind == Kind::Fmtp) {
            let Some((number, parameters)) = numbered(line.value) else { continue };
            if let Some(format) = formats.iter_mut().find(|format| format.number == number) {
                let clock = format.clock;
                // What its receiver does not take as it is encoded here is still forwarded.
                format.codec = format.codec.and_then(|codec| fmtp::read(codec, clock, parameters));
            }
        }
        Ok(formats)
    }

    /// RFC 3551 section 6: what a number means that has no `rtpmap`.
    fn of_static(number: u8) -> Format<'a> {
        let name = match number {
            0 => "PCMU",
            3 => "GSM",
            4 => "G723",
            7 => "LPC",
            8 => "PCMA",
            9 => "G722",
            12 => "QCELP",
            13 => "CN",
            15 => "G728",
            18 => "G729",
            _ => "",
        };
        let mut format = Format { number, name, clock: 8_000, channels: 1, codec: None };
        format.codec = codec_of(name, 8_000, 1);
        format
    }

    /// `PCMU/8000[/1]`
    fn map(&mut self, mapped: &'a str) {
        let mut fields = mapped.trim().split('/');
        self.name = fields.next().unwrap_or_default().trim();
        self.clock = fields.next().and_then(|clock| clock.trim().parse().ok()).unwrap_or(8_000);
        self.channels = fields.next().and_then(|channels| channels.trim().parse().ok()).unwrap_or(1);
        self.codec = codec_of(self.name, self.clock, self.channels);
        if self.codec == Some(Codec::G722) {
            self.clock = 8_000;
        }
    }

    /// What the dataplane is told; `None` for what it cannot carry.
    pub(crate) fn payload(&self) -> Option<PayloadType> {
        let clock = self.clock;
        // The dataplane refuses slower clocks.
        self.codec.filter(|_| clock >= 1_000).map(|codec| PayloadType { number: self.number, codec, clock })
    }

    /// Whether a codec option speaks of this format.
    pub(crate) fn is_meant(&self, option: &CodecSpec) -> bool {
        option.matches(self.number, self.name, self.clock, self.channels)
    }
}

/// The number that an `rtpmap`, `fmtp` or `rtcp-fb` speaks of, and what it says.
pub(in crate::ng) fn numbered(value: &str) -> Option<(u8, &str)> {
    let (number, rest) = value.split_once(' ')?;
    Some((number.parse().ok()?, rest))
}

fn codec_of(name: &str, clock: u32, channels: u8) -> Option<Codec> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match clock {
        _ if is("telephone-event") => Some(Codec::TelephoneEvent),
        _ if is("CN") => Some(Codec::ComfortNoise),
        _ => sdp::codecs::named_coding(name, clock, channels).map(|(codec, _)| codec),
    }
}

/// The codings of one section that the dataplane does not know by name, in the order of their [`Codec::Other`].
#[derive(Clone, Debug, Default)]
pub(in crate::ng) struct Codings(Vec<Coding>);

#[derive(Clone, Debug)]
struct Coding {
    name: Box<str>,
    clock: u32,
    channels: u8,
    number: u8,
}

impl Coding {
    fn is(&self, format: &Format<'_>) -> bool {
        self.name.eq_ignore_ascii_case(format.name)
            && self.clock == format.clock
            && self.channels == format.channels
    }
}

impl Codings {
    /// Names every coding of a description. One that either party has described before keeps its name; of several that
    /// differ in their parameters only, the payload type's number tells which is meant (RFC 3264 section 6.1).
    pub(crate) fn resolve(&mut self, formats: &mut [Format<'_>]) {
        let mut used = 0u128;
        for format in formats.iter_mut().filter(|format| format.codec.is_none() && !format.name.is_empty()) {
            let mut known = self
                .0
                .iter()
                .enumerate()
                .filter(|(index, coding)| used & (1 << index) == 0 && coding.is(format));
            let first = known.next();
            let same_number = first
                .into_iter()
                .chain(known)
                .find(|(_, coding)| coding.number == format.number)
                .or(first)
                .map(|(index, _)| index);
            let Some(index) = same_number.or_else(|| self.add(format)) else { continue };
            used |= 1 << index;
            format.codec = u8::try_from(index).ok().map(Codec::Other);
        }
    }

    fn add(&mut self, format: &Format<'_>) -> Option<usize> {
        if self.0.len() >= MAX_CODINGS {
            return None;
        }
        let Format { number, clock, channels, .. } = *format;
        self.0.push(Coding { name: format.name.into(), clock, channels, number });
        Some(self.0.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Text;
    use super::*;
    use crate::sdp::samples;

    fn formats(text: &str) -> Vec<Format<'_>> {
        let text = Text::parse(text).unwrap();
        let section = text.sections.first().unwrap();
        Format::read_all(section, text.lines(section)).unwrap()
    }

    #[test]
    fn a_browsers_formats_are_read_with_their_codecs() {
        let formats = formats(samples::CHROMIUM);
        let read: Vec<_> = formats.iter().map(|format| (format.number, format.name, format.codec)).collect();
        assert_eq!(
            read,
            [
                (111, "opus", Some(Codec::opus(true))),
                (63, "red", None),
                (9, "G722", Some(Codec::G722)),
                (0, "PCMU", Some(Codec::Pcmu)),
                (8, "PCMA", Some(Codec::Pcma)),
                (13, "CN", Some(Codec::ComfortNoise)),
                (110, "telephone-event", Some(Codec::TelephoneEvent)),
                (126, "telephone-event", Some(Codec::TelephoneEvent)),
            ]
        );
    }

    #[test]
    fn static_numbers_need_no_map() {
        let formats = formats("v=0\r\nm=audio 4000 RTP/AVP 18 8 0 35\r\n");
        let names: Vec<_> = formats.iter().map(|format| format.name).collect();
        assert_eq!(names, ["G729", "PCMA", "PCMU", ""]);
        assert!(formats[3].payload().is_none());
    }

    #[test]
    fn the_same_coding_has_the_same_name_on_both_sides() {
        let offer = "v=0\r\nm=audio 4000 RTP/AVP 18 97 98\r\n\
            a=rtpmap:97 AMR/8000\r\na=rtpmap:98 AMR/8000\r\na=fmtp:98 octet-align=1\r\n";
        let answer =
            "v=0\r\nm=audio 4000 RTP/AVP 98 18\r\na=rtpmap:98 amr/8000/1\r\na=rtpmap:18 G729/8000\r\n";
        let mut codings = Codings::default();
        let (mut offer, mut answer) = (formats(offer), formats(answer));
        codings.resolve(&mut offer);
        codings.resolve(&mut answer);
        let codecs = |formats: &[Format<'_>]| formats.iter().map(|f| f.codec.unwrap()).collect::<Vec<_>>();
        assert_eq!(codecs(&offer), [Codec::G729, Codec::Other(0), Codec::Other(1)]);
        assert_eq!(codecs(&answer), [Codec::Other(1), Codec::G729]);
    }

    #[test]
    fn too_many_formats_and_bad_numbers_are_refused() {
        let refused = |formats: &str| {
            let text = format!("v=0\r\nm=audio 4000 RTP/AVP {formats}\r\n");
            let text = Text::parse(&text).unwrap();
            Format::read_all(&text.sections[0], &[]).is_err()
        };
        assert!(refused("128") && refused("x"));
        assert!(!refused(&"0 ".repeat(MAX_FORMATS + 200)), "repeated numbers count once");
        let many: Vec<String> = (0..=MAX_FORMATS).map(|number| number.to_string()).collect();
        assert!(refused(&many.join(" ")));
    }
}
