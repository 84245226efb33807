//! All keys of a request, before it is known which of them its command needs.

use super::codecs::{CodecSpec, MAX_CODECS};
use super::options::{
    AddressFamily, Dtls, DtmfSecurity, IceMode, Options, SdesOptions, SdesParameter, SipMessageType,
    TransportProtocol,
};
use super::tokens::{after, normal, same, shortened};
use super::{Action, Control, Delete, Exchange, Flag, Names, Party, flags, raw_flags};
use crate::ng::{Dictionary, Fault, MAX_NAME, Value};
use std::net::IpAddr;
use std::time::Duration;

/// Unknown words of one request that are told to the caller.
const MAX_UNKNOWN: usize = 32;
/// Suites that one option may list.
const MAX_SUITES: usize = 16;
/// The longest time that a deleted call may be kept.
const MAX_DELETE_DELAY: Duration = Duration::from_secs(3_600);
/// The most calls that `list` names, whatever it asks for.
const MAX_LIST: usize = 1_000;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) options: Options,
    pub(super) limit: Option<usize>,
    pub(super) unknown: Vec<String>,
    call_id: Option<String>,
    from_tag: Option<String>,
    to_tag: Option<String>,
    via_branch: Option<String>,
    sdp: Option<Vec<u8>>,
    address: Option<IpAddr>,
}

impl Fields {
    /// Reads every entry. Unknown keys are noted; a known one with a value of another kind is a fault.
    pub(super) fn read(dictionary: &Dictionary<'_>) -> Result<Fields, Fault> {
        let mut fields = Fields::default();
        for (key, value) in dictionary.iter() {
            match std::str::from_utf8(key) {
                Ok(key) => fields.entry(key, value)?,
                Err(_) => fields.note_unknown(&String::from_utf8_lossy(key)),
            }
        }
        Ok(fields)
    }

    fn note_unknown(&mut self, word: &str) {
        if self.unknown.len() < MAX_UNKNOWN {
            self.unknown.push(shortened(word));
        }
    }

    /// One key with its value.
    fn entry(&mut self, key: &str, value: &Value<'_>) -> Result<(), Fault> {
        match normal(key).as_str() {
            "command" => {}
            "sdp" => self.sdp = Some(bytes("sdp", value)?.to_vec()),
            "call-id" => self.call_id = Some(name("call-id", value)?),
            "from-tag" => self.from_tag = Some(name("from-tag", value)?),
            "to-tag" => self.to_tag = Some(name("to-tag", value)?),
            "via-branch" => self.via_branch = Some(name("via-branch", value)?),
            "label" | "from-label" => self.options.label = Some(name("label", value)?),
            "address" => self.address = Some(address("address", value)?),
            "limit" => {
                self.limit = Some(number::<usize>("limit", "a positive number", value)?.clamp(1, MAX_LIST))
            }
            "flags" => each("flags", value, |token| self.token(token))?,
            "rtpp-flags" => {
                let raw = raw_flags::parse(string("rtpp-flags", value)?)?;
                for (key, value) in raw.iter() {
                    self.entry(&String::from_utf8_lossy(key), value)?;
                }
            }
            "replace" => each("replace", value, |word| self.replace(word))?,
            "supports" => each("supports", value, |word| self.supports(word))?,
            "codec" => self.codecs(value)?,
            other => return self.option(key, other, value),
        }
        Ok(())
    }

    /// A key of an offer or answer.
    fn option(&mut self, key: &str, normal_key: &str, value: &Value<'_>) -> Result<(), Fault> {
        let options = &mut self.options;
        match normal_key {
            "received-from" => options.received_from = Some(received_from(value)?),
            "media-address" => options.media_address = Some(address("media-address", value)?),
            "direction" => options.direction = Some(direction(value)?),
            "ptime" => options.ptime = Some(number("ptime", "milliseconds", value)?),
            "ptime-reverse" => options.ptime_reverse = Some(number("ptime-reverse", "milliseconds", value)?),
            "sip-code" => options.sip_code = Some(number("sip-code", "a status", value)?),
            // Outside of a byte it means the default (too large) or what it was (negative).
            "tos" => options.tos = u8::try_from(number::<i64>("TOS", "a number", value)?).ok(),
            "delete-delay" => {
                let seconds = number("delete-delay", "a number of seconds", value)?;
                options.delete_delay = Some(Duration::from_secs(seconds).min(MAX_DELETE_DELAY));
            }
            "ice" => each("ICE", value, |word| self.ice(word))?,
            "rtcp-mux" => each("rtcp-mux", value, |word| self.rtcp_mux(word))?,
            "sdes" => each("SDES", value, |word| self.sdes(word))?,
            "from-interface" => self.interface(0, name("from-interface", value)?),
            "to-interface" => self.interface(1, name("to-interface", value)?),
            "digit" | "code" => {
                let digit =
                    string("digit", value)?.chars().next().filter(|c| "0123456789*#ABCDabcd".contains(*c));
                let digit = digit.ok_or(Fault::WrongType { key: "digit", wanted: "a DTMF digit" })?;
                options.dtmf_security = Some(DtmfSecurity::Digit(digit.to_ascii_uppercase()));
            }
            "record-call" if is_yes(value) => options.flags.insert(Flag::RecordCall),
            "record-call" => {}
            "all" if is_no(value) => {}
            "all" => options.flags.insert(Flag::All),
            other => return self.choice(key, other, value),
        }
        Ok(())
    }

    /// A key whose value is one of several words. A word that is none of them is noted.
    fn choice(&mut self, key: &str, normal_key: &str, value: &Value<'_>) -> Result<(), Fault> {
        let options = &mut self.options;
        let known = match normal_key {
            "transport-protocol" => {
                let word = string("transport-protocol", value)?;
                set(&mut options.transport_protocol, TransportProtocol::parse(word))
            }
            "address-family" => {
                let word = string("address-family", value)?;
                set(&mut options.address_family, family(word))
            }
            "dtls" => set(&mut options.dtls, dtls(string("DTLS", value)?)),
            "dtmf-security" => {
                // `digit` may stand before the mode that needs it.
                let digit = matches!(options.dtmf_security, Some(DtmfSecurity::Digit(_)));
                let mode = dtmf_security(string("DTMF-security", value)?);
                digit && mode.is_some() || set(&mut options.dtmf_security, mode)
            }
            "sip-message-type" => {
                let word = string("sip-message-type", value)?;
                set(&mut options.sip_message_type, sip_message_type(word))
            }
            _ => false,
        };
        if !known {
            match value.as_str() {
                Some(word) if !word.is_empty() => self.note_unknown(&format!("{key}={word}")),
                _ => self.note_unknown(key),
            }
        }
        Ok(())
    }

    /// One word of `flags`: a flag, or another key's value with that key before it, as OpenSIPS sends what it does not
    /// know itself.
    fn token(&mut self, token: &str) -> Result<(), Fault> {
        if let Some((key, value)) = token.split_once('=').filter(|(key, _)| !key.contains('/')) {
            return self.entry(key, &Value::text(value));
        }
        if let Some(flag) = flags::find(token) {
            self.options.flags.insert(flag);
            return Ok(());
        }
        if same(token, "webrtc") {
            return self.webrtc();
        }
        if same(token, "pad-crypto") {
            self.options.sdes.pad = true;
            return Ok(());
        }
        if let Some(rest) = after(token, "sdes-") {
            return self.sdes(rest);
        }
        if let Some(rest) = after(token, "rtcp-mux-") {
            return self.rtcp_mux(rest);
        }
        if let Some(rest) = after(token, "ice-") {
            return self.ice(rest);
        }
        if let Some(rest) = after(token, "replace-") {
            return self.replace(rest);
        }
        let codec = after(token, "codec-").or_else(|| after(token, "transcode-").map(|_| token));
        match codec.and_then(|rest| rest.split_once('-')) {
            Some((list, codec)) => self.codec(list, codec),
            None => {
                self.note_unknown(token);
                Ok(())
            }
        }
    }

    /// What one flag stands for that talks to browsers.
    fn webrtc(&mut self) -> Result<(), Fault> {
        self.options.transport_protocol = Some(TransportProtocol::TlsSavpf);
        self.options.ice = Some(IceMode::Force);
        self.options.rtcp_mux.offer = true;
        self.options.rtcp_mux.require = true;
        self.options.sdes.off = true;
        for flag in [Flag::TrickleIce, Flag::NoRtcpAttribute, Flag::GenerateMid] {
            self.options.flags.insert(flag);
        }
        Ok(())
    }

    fn replace(&mut self, word: &str) -> Result<(), Fault> {
        let replace = &mut self.options.replace;
        match normal(word).as_str() {
            "origin" => replace.origin = true,
            "origin-full" => replace.origin_full = true,
            "session-connection" => replace.session_connection = true,
            "session-name" => replace.session_name = true,
            "sdp-version" => replace.sdp_version = true,
            "force-increment-sdp-ver" => replace.force_sdp_version = true,
            "username" => replace.username = true,
            "zero-address" => replace.zero_address = true,
            _ => self.note_unknown(&format!("replace={word}")),
        }
        Ok(())
    }

    fn supports(&mut self, word: &str) -> Result<(), Fault> {
        if same(word, "load-limit") {
            self.options.supports_load_limit = true;
        } else {
            self.note_unknown(&format!("supports={word}"));
        }
        Ok(())
    }

    fn ice(&mut self, word: &str) -> Result<(), Fault> {
        let mode = match normal(word).as_str() {
            "remove" => IceMode::Remove,
            "force" => IceMode::Force,
            "default" => IceMode::Default,
            "force-relay" => IceMode::ForceRelay,
            "optional" => IceMode::Optional,
            "trickle" => {
                self.options.flags.insert(Flag::TrickleIce);
                return Ok(());
            }
            _ => {
                self.note_unknown(&format!("ICE={word}"));
                return Ok(());
            }
        };
        self.options.ice = Some(mode);
        Ok(())
    }

    fn rtcp_mux(&mut self, word: &str) -> Result<(), Fault> {
        let mux = &mut self.options.rtcp_mux;
        match normal(word).as_str() {
            "offer" => mux.offer = true,
            "require" => mux.require = true,
            "demux" => mux.demux = true,
            "accept" => mux.accept = true,
            "reject" => mux.reject = true,
            _ => self.note_unknown(&format!("rtcp-mux={word}")),
        }
        Ok(())
    }

    fn sdes(&mut self, word: &str) -> Result<(), Fault> {
        if !sdes(&mut self.options.sdes, word) {
            self.note_unknown(&format!("SDES={word}"));
        }
        Ok(())
    }

    /// `codec`: a dictionary of lists.
    fn codecs(&mut self, value: &Value<'_>) -> Result<(), Fault> {
        let Value::Dictionary(lists) = value else {
            return Err(Fault::WrongType { key: "codec", wanted: "a dictionary of lists" });
        };
        for (list, codecs) in lists.iter() {
            let list = String::from_utf8_lossy(list);
            each("codec", codecs, |codec| self.codec(&list, codec))?;
        }
        Ok(())
    }

    fn codec(&mut self, list: &str, codec: &str) -> Result<(), Fault> {
        let spec = CodecSpec::parse(codec);
        match (self.options.codecs.list(&normal(list)), spec) {
            (Some(codecs), Some(spec)) if codecs.len() < MAX_CODECS => codecs.push(spec),
            (Some(_), Some(_)) => return Err(Fault::WrongType { key: "codec", wanted: "at most 64 codecs" }),
            _ => self.note_unknown(&format!("codec-{list}-{codec}")),
        }
        Ok(())
    }

    fn interface(&mut self, side: usize, interface: String) {
        let direction = self.options.direction.get_or_insert_default();
        if let Some(place) = direction.get_mut(side) {
            *place = interface;
        }
    }

    pub(super) fn into_names(self) -> Result<Names, Fault> {
        Ok(Names {
            call_id: self.call_id.filter(|id| !id.is_empty()).ok_or(Fault::Missing("call-id"))?,
            from_tag: self.from_tag.unwrap_or_default(),
            to_tag: self.to_tag.filter(|tag| !tag.is_empty()),
            via_branch: self.via_branch.filter(|branch| !branch.is_empty()),
        })
    }

    pub(super) fn into_exchange(mut self) -> Result<Exchange, Fault> {
        let sdp = self.sdp.take().filter(|sdp| !sdp.is_empty());
        let options = std::mem::take(&mut self.options);
        let names = self.into_names()?;
        if names.from_tag.is_empty() {
            return Err(Fault::Missing("from-tag"));
        }
        Ok(Exchange { names, sdp: sdp.ok_or(Fault::Missing("sdp"))?, options })
    }

    pub(super) fn into_delete(self) -> Result<Delete, Fault> {
        let flags = self.options.flags;
        Ok(Delete {
            delay: self.options.delete_delay,
            is_fatal: flags.has(Flag::Fatal),
            is_fast: flags.has(Flag::Fast),
            honours_to_tag: flags.has(Flag::ToTag),
            names: self.into_names()?,
        })
    }

    pub(super) fn into_control(mut self, action: Action) -> Result<Control, Fault> {
        let flags = self.options.flags;
        let (label, address) = (self.options.label.take(), self.address);
        let names = self.into_names()?;
        let party = match (address, label) {
            (Some(address), _) => Party::Address(address),
            (None, Some(label)) => Party::Label(label),
            (None, None) if flags.has(Flag::Directional) => match names.from_tag.as_str() {
                "" => return Err(Fault::Missing("from-tag")),
                tag => Party::Tag(tag.to_owned()),
            },
            (None, None) => Party::All,
        };
        Ok(Control { action, names, party, for_all: flags.has(Flag::All) })
    }
}

/// Sets what is known, and says whether it was.
fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let known = value.is_some();
    if known {
        *place = value;
    }
    known
}

fn bytes<'v>(key: &'static str, value: &'v Value<'_>) -> Result<&'v [u8], Fault> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(Fault::WrongType { key, wanted: "a string" }),
    }
}

fn string<'v>(key: &'static str, value: &'v Value<'_>) -> Result<&'v str, Fault> {
    value.as_str().ok_or(Fault::WrongType { key, wanted: "a string of UTF-8" })
}

fn name(key: &'static str, value: &Value<'_>) -> Result<String, Fault> {
    let name = string(key, value)?;
    if name.len() > MAX_NAME {
        return Err(Fault::WrongType { key, wanted: "at most 512 bytes long" });
    }
    Ok(name.to_owned())
}

fn number<T: TryFrom<i64>>(key: &'static str, wanted: &'static str, value: &Value<'_>) -> Result<T, Fault> {
    let number = value.as_integer().and_then(|number| T::try_from(number).ok());
    number.ok_or(Fault::WrongType { key, wanted })
}

fn address(key: &'static str, value: &Value<'_>) -> Result<IpAddr, Fault> {
    let text = string(key, value)?.trim_start_matches('[').trim_end_matches(']');
    text.parse().map_err(|_| Fault::WrongType { key, wanted: "an IP address" })
}

/// Calls `f` with each string of a list, or with the one that stands in its place.
fn each(
    key: &'static str,
    value: &Value<'_>,
    mut f: impl FnMut(&str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    const WANTED: &str = "a list of strings";
    match value {
        Value::List(list) => list
            .iter()
            .try_for_each(|item| f(item.as_str().ok_or(Fault::WrongType { key, wanted: WANTED })?)),
        _ => f(value.as_str().ok_or(Fault::WrongType { key, wanted: WANTED })?),
    }
}

/// `[IP4, 192.0.2.1]`.
fn received_from(value: &Value<'_>) -> Result<IpAddr, Fault> {
    let wrong = Fault::WrongType { key: "received-from", wanted: "a list of a family and an address" };
    match value {
        Value::List(list) => match list.as_slice() {
            [_, item] => address("received-from", item),
            _ => Err(wrong),
        },
        _ => Err(wrong),
    }
}

fn direction(value: &Value<'_>) -> Result<[String; 2], Fault> {
    if let Value::List(list) = value
        && let [from, to] = list.as_slice()
    {
        return Ok([name("direction", from)?, name("direction", to)?]);
    }
    Err(Fault::WrongType { key: "direction", wanted: "a list of two interfaces" })
}

fn is_yes(value: &Value<'_>) -> bool {
    value == &Value::Integer(1)
        || value.as_str().is_some_and(|word| same(word, "yes") || same(word, "on") || same(word, "1"))
}

fn is_no(value: &Value<'_>) -> bool {
    value == &Value::Integer(0)
        || value.as_str().is_some_and(|word| same(word, "none") || same(word, "no") || same(word, "off"))
}

fn family(word: &str) -> Option<AddressFamily> {
    match normal(word).as_str() {
        "ip4" | "inet" => Some(AddressFamily::Ip4),
        "ip6" | "inet6" => Some(AddressFamily::Ip6),
        _ => None,
    }
}

fn dtls(word: &str) -> Option<Dtls> {
    match normal(word).as_str() {
        "off" | "no" | "disable" => Some(Dtls::Off),
        "passive" => Some(Dtls::Passive),
        "active" => Some(Dtls::Active),
        _ => None,
    }
}

fn dtmf_security(word: &str) -> Option<DtmfSecurity> {
    match normal(word).as_str() {
        "drop" => Some(DtmfSecurity::Drop),
        "off" => Some(DtmfSecurity::Off),
        "silence" => Some(DtmfSecurity::Silence),
        "tone" => Some(DtmfSecurity::Tone),
        "random" => Some(DtmfSecurity::Random),
        "zero" | "dtmf" => Some(DtmfSecurity::Zero),
        _ => None,
    }
}

fn sip_message_type(word: &str) -> Option<SipMessageType> {
    match normal(word).as_str() {
        "request" | "sip-request" => Some(SipMessageType::Request),
        "reply" | "response" | "sip-response" | "sip-reply" => Some(SipMessageType::Response),
        _ => None,
    }
}

/// One word of `SDES`; whether it is known.
fn sdes(options: &mut SdesOptions, word: &str) -> bool {
    let parameter = |name: &str| match name {
        "unencrypted-srtp" | "encrypted-srtp" => SdesParameter::UnencryptedSrtp,
        "unencrypted-srtcp" | "encrypted-srtcp" => SdesParameter::UnencryptedSrtcp,
        _ => SdesParameter::UnauthenticatedSrtp,
    };
    match normal(word).as_str() {
        "off" | "no" | "disable" => options.off = true,
        "nonew" => options.no_new = true,
        "pad" => options.pad = true,
        "lifetime" => options.lifetime = true,
        "static" => options.is_static = true,
        "prefer" => options.prefer = true,
        name @ ("unencrypted-srtp" | "unencrypted-srtcp" | "unauthenticated-srtp") => {
            options.parameters.push((parameter(name), true));
        }
        name @ ("encrypted-srtp" | "encrypted-srtcp" | "authenticated-srtp") => {
            options.parameters.push((parameter(name), false));
        }
        _ => return sdes_suites(options, word),
    }
    options.parameters.truncate(MAX_SUITES);
    true
}

/// `no-SUITE`, `only-SUITE`, `order:SUITE;SUITE`, `offerer_pref:SUITE;SUITE`.
fn sdes_suites(options: &mut SdesOptions, word: &str) -> bool {
    let (list, suites) = if let Some(suite) = after(word, "no-") {
        (&mut options.no, suite)
    } else if let Some(suite) = after(word, "only-") {
        (&mut options.only, suite)
    } else if let Some(suites) = after(word, "order:") {
        (&mut options.order, suites)
    } else if let Some(suites) = after(word, "offerer-pref:") {
        (&mut options.offerer_preference, suites)
    } else {
        return false;
    };
    let suites = suites.split(';').filter(|suite| !suite.is_empty() && suite.len() <= MAX_NAME);
    list.extend(suites.map(str::to_ascii_uppercase));
    list.truncate(MAX_SUITES);
    true
}
