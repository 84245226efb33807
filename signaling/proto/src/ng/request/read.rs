//! Values read as what a key wants.

use super::options::{AddressFamily, Dtls, DtmfSecurity, SdesOptions, SdesParameter, SipMessageType};
use super::tokens::{after, normal, same};
use crate::ng::{Fault, MAX_NAME, Value};
use std::net::IpAddr;

/// The tone in the place of a blocked digit where the request names none, in Hz.
const USUAL_TONE: u16 = 400;
/// Suites that one option may list.
const MAX_SUITES: usize = 16;

/// Sets what is known, and says whether it was.
pub(super) fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let known = value.is_some();
    if known {
        *place = value;
    }
    known
}

pub(super) fn bytes<'v>(key: &'static str, value: &'v Value<'_>) -> Result<&'v [u8], Fault> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(Fault::WrongType { key, wanted: "a string" }),
    }
}

pub(super) fn string<'v>(key: &'static str, value: &'v Value<'_>) -> Result<&'v str, Fault> {
    value.as_str().ok_or(Fault::WrongType { key, wanted: "a string of UTF-8" })
}

pub(super) fn name(key: &'static str, value: &Value<'_>) -> Result<String, Fault> {
    let name = string(key, value)?;
    if name.len() > MAX_NAME {
        return Err(Fault::WrongType { key, wanted: "at most 512 bytes long" });
    }
    Ok(name.to_owned())
}

pub(super) fn number<T: TryFrom<i64>>(
    key: &'static str,
    wanted: &'static str,
    value: &Value<'_>,
) -> Result<T, Fault> {
    let number = value.as_integer().and_then(|number| T::try_from(number).ok());
    number.ok_or(Fault::WrongType { key, wanted })
}

pub(super) fn address(key: &'static str, value: &Value<'_>) -> Result<IpAddr, Fault> {
    let text = string(key, value)?.trim_start_matches('[').trim_end_matches(']');
    text.parse().map_err(|_| Fault::WrongType { key, wanted: "an IP address" })
}

/// Calls `f` with each string of a list, or with the one that stands in its place.
pub(super) fn each(
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
pub(super) fn received_from(value: &Value<'_>) -> Result<IpAddr, Fault> {
    let wrong = Fault::WrongType { key: "received-from", wanted: "a list of a family and an address" };
    match value {
        Value::List(list) => match list.as_slice() {
            [_, item] => address("received-from", item),
            _ => Err(wrong),
        },
        _ => Err(wrong),
    }
}

pub(super) fn direction(value: &Value<'_>) -> Result<[String; 2], Fault> {
    if let Value::List(list) = value
        && let [from, to] = list.as_slice()
    {
        return Ok([name("direction", from)?, name("direction", to)?]);
    }
    Err(Fault::WrongType { key: "direction", wanted: "a list of two interfaces" })
}

pub(super) fn is_yes(value: &Value<'_>) -> bool {
    value == &Value::Integer(1)
        || value.as_str().is_some_and(|word| same(word, "yes") || same(word, "on") || same(word, "1"))
}

pub(super) fn is_no(value: &Value<'_>) -> bool {
    value == &Value::Integer(0)
        || value.as_str().is_some_and(|word| same(word, "none") || same(word, "no") || same(word, "off"))
}

pub(super) fn family(word: &str) -> Option<AddressFamily> {
    match normal(word).as_str() {
        "ip4" | "inet" => Some(AddressFamily::Ip4),
        "ip6" | "inet6" => Some(AddressFamily::Ip6),
        _ => None,
    }
}

pub(super) fn dtls(word: &str) -> Option<Dtls> {
    match normal(word).as_str() {
        "off" | "no" | "disable" => Some(Dtls::Off),
        "passive" => Some(Dtls::Passive),
        "active" => Some(Dtls::Active),
        _ => None,
    }
}

pub(super) fn dtmf_security(word: &str) -> Option<DtmfSecurity> {
    match normal(word).as_str() {
        "drop" => Some(DtmfSecurity::Drop),
        "off" => Some(DtmfSecurity::Off),
        "silence" => Some(DtmfSecurity::Silence),
        "tone" => Some(DtmfSecurity::Tone(USUAL_TONE)),
        "random" => Some(DtmfSecurity::Random),
        "zero" | "dtmf" => Some(DtmfSecurity::Digit(0)),
        _ => None,
    }
}

pub(super) fn sip_message_type(word: &str) -> Option<SipMessageType> {
    match normal(word).as_str() {
        "request" | "sip-request" => Some(SipMessageType::Request),
        "reply" | "response" | "sip-response" | "sip-reply" => Some(SipMessageType::Response),
        _ => None,
    }
}

/// One word of `SDES`; whether it is known.
pub(super) fn sdes(options: &mut SdesOptions, word: &str) -> bool {
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
pub(super) fn sdes_suites(options: &mut SdesOptions, word: &str) -> bool {
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
