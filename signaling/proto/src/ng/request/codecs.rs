//! What is to be done to the codecs of an offer.

use super::tokens::same;

/// Codecs that one option may list.
pub(super) const MAX_CODECS: usize = 64;

/// A codec as an option names it: `PCMU`, `opus/48000/2`, `opus/48000/2/32000`, `0`, `all`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodecSpec {
    /// The encoding name of its rtpmap, a payload type in digits, or one of the words `all`, `full` and `any`.
    pub name: String,
    /// Its clock rate in Hz; `None`: any, or the usual one.
    pub clock_rate: Option<u32>,
    /// Its channels; `None`: any, or the usual number.
    pub channels: Option<u8>,
    /// Bits a second to encode with.
    pub bitrate: Option<u32>,
    /// Milliseconds of a packet.
    pub ptime: Option<u16>,
    /// The parameters of its fmtp.
    pub fmtp: Option<String>,
    /// What its encoder shall be like: `compression_level=5 packet_loss=10`.
    pub encoder: Option<String>,
}

impl CodecSpec {
    /// Reads `NAME[/RATE[/CHANNELS[/BITRATE[/PTIME[/FMTP[/ENCODER]]]]]]`, of which any but the name may be empty. `None`
    /// where a number is none.
    pub fn parse(text: &str) -> Option<CodecSpec> {
        fn number<T: std::str::FromStr>(part: Option<&str>) -> Option<Option<T>> {
            match part {
                None | Some("") => Some(None),
                Some(digits) => digits.parse().ok().map(Some),
            }
        }
        // Where `=` would be read as the end of a key, controllers write it `--`. A line's end would end the line of the
        // description that the text goes into.
        fn free(part: Option<&str>) -> Option<String> {
            let text = part.filter(|part| !part.is_empty())?.replace("--", "=");
            Some(text.chars().filter(|c| !c.is_control()).collect())
        }
        let mut parts = text.splitn(8, '/');
        let name = parts.next().filter(|name| !name.is_empty())?.to_owned();
        let clock_rate = number(parts.next())?;
        let channels = number(parts.next())?;
        let bitrate = number(parts.next())?;
        let ptime = number(parts.next())?;
        let fmtp = free(parts.next());
        let encoder = free(parts.next());
        Some(CodecSpec { name, clock_rate, channels, bitrate, ptime, fmtp, encoder })
    }

    /// Whether it means telephone events (RFC 4733).
    pub fn is_events(&self) -> bool {
        self.name.eq_ignore_ascii_case("telephone-event")
    }

    /// Whether it is the word for every codec: `all` or `full`.
    pub fn is_all(&self) -> bool {
        same(&self.name, "all") || same(&self.name, "full")
    }

    /// Whether it means this codec of a description. Encoding names know no case (RFC 4855 section 3).
    pub fn matches(&self, payload_type: u8, name: &str, clock_rate: u32, channels: u8) -> bool {
        let named = self.name.eq_ignore_ascii_case(name) || self.name.parse() == Ok(payload_type);
        named
            && self.clock_rate.is_none_or(|wanted| wanted == clock_rate)
            && self.channels.is_none_or(|wanted| wanted == channels)
    }
}

/// The codec options of an offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodecOptions {
    /// Left out of the rewritten description.
    pub strip: Vec<CodecSpec>,
    /// Left out of it too, but accepted towards whoever offered, by transcoding.
    pub mask: Vec<CodecSpec>,
    /// Added, by transcoding, where it was not offered; goes first.
    pub transcode: Vec<CodecSpec>,
    /// Of those offered the ones that stay despite `strip` and `mask`, and their order.
    pub offer: Vec<CodecSpec>,
    /// The ones that stay, the order as offered.
    pub except: Vec<CodecSpec>,
    /// Offered on, and accepted towards whoever offered even if the other side does not take it.
    pub accept: Vec<CodecSpec>,
    /// As `mask`, but asks for transcoding by itself.
    pub consume: Vec<CodecSpec>,
    /// Taken as never offered.
    pub ignore: Vec<CodecSpec>,
    /// How codecs are encoded that come in by transcoding.
    pub set: Vec<CodecSpec>,
}

impl CodecOptions {
    /// The list with this name.
    pub(super) fn list(&mut self, name: &str) -> Option<&mut Vec<CodecSpec>> {
        Some(match name {
            "strip" => &mut self.strip,
            "mask" => &mut self.mask,
            "transcode" => &mut self.transcode,
            "offer" => &mut self.offer,
            "except" => &mut self.except,
            "accept" => &mut self.accept,
            "consume" => &mut self.consume,
            "ignore" => &mut self.ignore,
            "set" => &mut self.set,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_parts_that_are_there() {
        let plain = CodecSpec { name: "PCMU".into(), ..CodecSpec::default() };
        assert_eq!(CodecSpec::parse("PCMU"), Some(plain));
        let opus = CodecSpec {
            name: "opus".into(),
            clock_rate: Some(48_000),
            channels: Some(2),
            bitrate: Some(32_000),
            ptime: Some(20),
            fmtp: Some("useinbandfec=1".into()),
            encoder: Some("compression_level=2 packet_loss=5".into()),
        };
        let text = "opus/48000/2/32000/20/useinbandfec--1/compression_level--2 packet_loss--5";
        assert_eq!(CodecSpec::parse(text), Some(opus));
        let bare = CodecSpec::parse("opus/48000/2////compression_level=2").unwrap();
        assert_eq!((bare.fmtp, bare.encoder.as_deref()), (None, Some("compression_level=2")));
        let lines = CodecSpec::parse("opus/48000/2///a=1\r\na=sendonly").unwrap();
        assert_eq!(lines.fmtp.as_deref(), Some("a=1a=sendonly"));
        let ilbc = CodecSpec::parse("iLBC/8000/1///mode=30").unwrap();
        assert_eq!((ilbc.bitrate, ilbc.ptime, ilbc.fmtp.as_deref()), (None, None, Some("mode=30")));
        for bad in ["", "/8000", "opus/x", "opus/48000/300", "opus/48000/2/-1"] {
            assert_eq!(CodecSpec::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn matches_by_name_or_payload_type() {
        let matches = |text: &str| CodecSpec::parse(text).unwrap().matches(9, "G722", 8_000, 1);
        assert!(["G722", "g722", "9", "G722/8000", "G722/8000/1"].into_iter().all(matches));
        assert!(!["G7221", "8", "G722/16000", "G722/8000/2", "all"].into_iter().any(matches));
        assert!(CodecSpec::parse("all").unwrap().is_all() && CodecSpec::parse("full").unwrap().is_all());
    }
}
