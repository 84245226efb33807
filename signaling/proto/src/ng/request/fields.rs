//! All keys of a request, before it is known which of them its command needs.

use super::media::MediaFields;
use super::options::{DtmfSecurity, Options, TransportProtocol};
use super::read::{
    address, bytes, direction, dtls, dtmf_security, each, family, is_no, is_yes, name, number, received_from,
    set, sip_message_type, string,
};
use super::tokens::{normal, shortened};
use super::{
    Action, Control, Delete, Exchange, Flag, Names, Party, Play, PlayDigit, RecordingControl, RecordingStep,
    StopPlay, raw_flags,
};
use crate::ng::{Dictionary, Fault, Value};
use std::net::IpAddr;
use std::time::Duration;

/// Unknown words of one request that are told to the caller.
const MAX_UNKNOWN: usize = 32;
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
    media: MediaFields,
    /// `pause=yes`.
    pauses: bool,
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

    pub(super) fn note_unknown(&mut self, word: &str) {
        if self.unknown.len() < MAX_UNKNOWN {
            self.unknown.push(shortened(word));
        }
    }

    /// One key with its value.
    pub(super) fn entry(&mut self, key: &str, value: &Value<'_>) -> Result<(), Fault> {
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
            "ptime" | "repacketize" => options.ptime = Some(number("ptime", "milliseconds", value)?),
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
            "osrtp" => each("OSRTP", value, |word| self.osrtp(word))?,
            "from-interface" => self.interface(0, name("from-interface", value)?),
            "to-interface" => self.interface(1, name("to-interface", value)?),
            "record-call" if is_yes(value) => options.record_call = Some(true),
            "record-call" if is_no(value) => options.record_call = Some(false),
            // Of a recording; as a number it is the pause behind a digit.
            "pause" if value.as_integer().is_none() => self.pauses = is_yes(value),
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
                let word = string("DTMF-security", value)?;
                set(&mut options.dtmf_security, dtmf_security(word))
            }
            "sip-message-type" => {
                let word = string("sip-message-type", value)?;
                set(&mut options.sip_message_type, sip_message_type(word))
            }
            _ => self.media.entry(normal_key, value)?,
        };
        if !known {
            match value.as_str() {
                Some(word) if !word.is_empty() => self.note_unknown(&format!("{key}={word}")),
                _ => self.note_unknown(key),
            }
        }
        Ok(())
    }

    fn interface(&mut self, side: usize, interface: String) {
        let direction = self.options.direction.get_or_insert_default();
        if let Some(place) = direction.get_mut(side) {
            *place = interface;
        }
    }

    pub(super) fn into_names(mut self) -> Result<Names, Fault> {
        self.take_names()
    }

    fn take_names(&mut self) -> Result<Names, Fault> {
        Ok(Names {
            call_id: self.call_id.take().filter(|id| !id.is_empty()).ok_or(Fault::Missing("call-id"))?,
            from_tag: self.from_tag.take().unwrap_or_default(),
            to_tag: self.to_tag.take().filter(|tag| !tag.is_empty()),
            via_branch: self.via_branch.take().filter(|branch| !branch.is_empty()),
        })
    }

    pub(super) fn into_exchange(mut self) -> Result<Exchange, Fault> {
        let sdp = self.sdp.take().filter(|sdp| !sdp.is_empty());
        let dtmf_security = self.dtmf_security();
        let mut options = std::mem::take(&mut self.options);
        options.dtmf_security = dtmf_security;
        options.recording = std::mem::take(&mut self.media.naming);
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

    /// How telephone events are blocked, with the digit or tone that takes their place.
    pub(super) fn dtmf_security(&self) -> Option<DtmfSecurity> {
        Some(match self.options.dtmf_security? {
            DtmfSecurity::Digit(usual) => DtmfSecurity::Digit(self.media.digit.unwrap_or(usual)),
            DtmfSecurity::Tone(usual) => DtmfSecurity::Tone(self.media.frequency.unwrap_or(usual)),
            other => other,
        })
    }

    /// Whether `stop recording` means `pause recording`.
    pub(super) fn pauses(&self) -> bool {
        self.pauses || self.options.flags.has(Flag::Pause)
    }

    pub(super) fn into_control(mut self, action: Action) -> Result<Control, Fault> {
        let for_all = self.options.flags.has(Flag::All);
        let by_tag = self.options.flags.has(Flag::Directional);
        let (names, party) = self.take_party(by_tag)?;
        Ok(Control { action, names, party, for_all })
    }

    pub(super) fn into_play(mut self) -> Result<Play, Fault> {
        let (names, party) = self.take_one_or_all()?;
        self.media.into_play(names, party)
    }

    pub(super) fn into_stop(mut self) -> Result<StopPlay, Fault> {
        let (names, party) = self.take_one_or_all()?;
        Ok(StopPlay { names, party })
    }

    pub(super) fn into_digit(mut self) -> Result<PlayDigit, Fault> {
        let (names, party) = self.take_one_or_all()?;
        self.media.into_digit(names, party)
    }

    pub(super) fn into_recording(mut self, step: RecordingStep) -> Result<RecordingControl, Fault> {
        let naming = std::mem::take(&mut self.media.naming);
        Ok(RecordingControl { names: self.into_names()?, step, naming })
    }

    /// Who is meant by a command that must say so.
    fn take_one_or_all(&mut self) -> Result<(Names, Party), Fault> {
        let all = self.options.flags.has(Flag::All);
        self.take_party(!all)
    }

    /// The call and who is meant: by the address, by the label, by the from-tag where that counts, else everybody.
    fn take_party(&mut self, by_tag: bool) -> Result<(Names, Party), Fault> {
        let (label, address) = (self.options.label.take(), self.address);
        let names = self.take_names()?;
        let party = match (address, label) {
            (Some(address), _) => Party::Address(address),
            (None, Some(label)) => Party::Label(label),
            (None, None) if by_tag => match names.from_tag.as_str() {
                "" => return Err(Fault::Missing("from-tag")),
                tag => Party::Tag(tag.to_owned()),
            },
            (None, None) => Party::All,
        };
        Ok((names, party))
    }
}
