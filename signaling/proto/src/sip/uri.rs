//! URIs: `sip:` and `sips:` (RFC 3261 section 19.1), `tel:` (RFC 3966), and any other scheme as text.

use super::lexer::Problem;
use super::limits;
use super::params::Params;
use crate::transport::Transport;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A URI.
///
/// Equality is RFC 3261 section 19.1.4's for `sip:` and `sips:`, RFC 3966 section 4's for `tel:`, and by text for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uri {
    /// `sip:` or `sips:`.
    Sip(SipUri),
    /// `tel:`.
    Tel(TelUri),
    /// Another scheme, as received. A Request-URI of this kind is answered by 416 (RFC 3261 section 8.2.2.1).
    Other(String),
}

/// The text is no URI; the words say why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UriError(pub &'static str);

/// A `sip:` or `sips:` URI.
///
/// Everything but the host is kept escaped, in normal form: unreserved characters are never escaped and hexadecimal
/// digits are upper case, so that equal parts have equal text.
#[derive(Clone, Debug)]
pub struct SipUri {
    /// `sips:`.
    pub secure: bool,
    /// The user part, escaped; see [`SipUri::user_name`] and [`SipUri::new`].
    pub user: Option<String>,
    /// The password, escaped. Deprecated by RFC 3261 section 19.1.1; read, and written back, only for equality's sake.
    pub password: Option<String>,
    /// The host.
    pub host: Host,
    /// The port.
    pub port: Option<u16>,
    /// Parameters, escaped.
    pub params: Params,
    /// Header fields, escaped: name and value.
    pub headers: Vec<(String, String)>,
}

/// A `tel:` URI.
#[derive(Clone, Debug)]
pub struct TelUri {
    /// The number as received, visual separators included; see [`TelUri::digits`].
    pub number: String,
    /// Parameters, such as `phone-context` and `ext`.
    pub params: Params,
}

/// The host of a URI or a Via.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain name, in lower case.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, in brackets on the wire.
    V6(Ipv6Addr),
}

impl Host {
    /// The address, unless it is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(address) => Some(IpAddr::V4(*address)),
            Host::V6(address) => Some(IpAddr::V6(*address)),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Host {
        match address {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        }
    }
}

impl FromStr for Host {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Host, UriError> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner =
                inner.strip_suffix(']').ok_or(UriError("an IPv6 address lacks its closing bracket"))?;
            return parse_v6(inner).map(Host::V6).ok_or(UriError("an IPv6 address is malformed"));
        }
        if let Ok(address) = text.parse() {
            return Ok(Host::V4(address));
        }
        // RFC 3261 section 25.1 allows no underscore, but names with one are in use.
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if text.len() <= 255 && text.strip_suffix('.').unwrap_or(text).split('.').all(label) {
            Ok(Host::Name(text.to_ascii_lowercase()))
        } else {
            Err(UriError("the host is malformed"))
        }
    }
}

fn parse_v6(text: &str) -> Option<Ipv6Addr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    // RFC 5118 section 4.10: RFC 3261's grammar wrongly makes three colons before an IPv4 address, which an implementation
    // must tolerate.
    let (before, after) = text.split_once(":::")?;
    after.parse::<Ipv4Addr>().ok()?;
    format!("{before}::{after}").parse().ok()
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => address.fmt(f),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// `hostport`: a host with or without a port.
pub(super) fn parse_host_port(text: &str) -> Result<(Host, Option<u16>), Problem> {
    // A colon inside brackets belongs to the address.
    let host_end = text.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match text.get(host_end..).and_then(|rest| rest.find(':')) {
        Some(colon) => text.split_at_checked(host_end + colon).ok_or("the host is malformed")?,
        None => (text, ""),
    };
    let port = match port.trim_start_matches(':').trim_matches([' ', '\t']) {
        _ if port.is_empty() => None,
        digits if port.starts_with("::") || !digits.bytes().all(|b| b.is_ascii_digit()) => {
            return Err("the port is malformed");
        }
        digits => Some(digits.parse().map_err(|_| "the port is malformed")?),
    };
    let host = host.trim_end_matches([' ', '\t']).parse().map_err(|UriError(problem)| problem)?;
    Ok((host, port))
}

impl Uri {
    /// The `sip:` or `sips:` URI, if it is one.
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Uri::Sip(uri) => Some(uri),
            _ => None,
        }
    }
}

impl From<SipUri> for Uri {
    fn from(uri: SipUri) -> Uri {
        Uri::Sip(uri)
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Uri, UriError> {
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || b"<>\"".contains(&byte)) {
            return Err(UriError("a URI holds a blank, a bracket, a quote or a control character"));
        }
        let (scheme, rest) = text.split_once(':').ok_or(UriError("a URI has no scheme"))?;
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(valid) {
            return Err(UriError("the scheme of a URI is malformed"));
        }
        if scheme.eq_ignore_ascii_case("sip") {
            parse_sip(rest, false).map(Uri::Sip).map_err(UriError)
        } else if scheme.eq_ignore_ascii_case("sips") {
            parse_sip(rest, true).map(Uri::Sip).map_err(UriError)
        } else if scheme.eq_ignore_ascii_case("tel") {
            parse_tel(rest).map(Uri::Tel).map_err(UriError)
        } else {
            Ok(Uri::Other(text.to_owned()))
        }
    }
}

fn parse_sip(text: &str, secure: bool) -> Result<SipUri, Problem> {
    // The user part may hold `;` and `?`, so its end is found first (RFC 3261 section 25.1, user-unreserved).
    let (user_info, rest) = match text.split_once('@') {
        Some((user_info, rest)) => (Some(user_info), rest),
        None => (None, text),
    };
    let (user, password) = match user_info.map(|info| info.split_once(':').unwrap_or((info, ""))) {
        None => (None, None),
        Some(("", _)) => return Err("the user part of a URI is empty"),
        Some((user, password)) => {
            let has_password = user_info.is_some_and(|info| info.contains(':'));
            let password = if has_password { Some(normalise(password, b"&=+$,")?) } else { None };
            (Some(normalise(user, b"&=+$,;?/#")?), password)
        }
    };
    let (rest, headers) = match rest.split_once('?') {
        Some((rest, headers)) => (rest, parse_uri_headers(headers)?),
        None => (rest, Vec::new()),
    };
    let (host_port, params) = match rest.split_once(';') {
        Some((host_port, params)) => (host_port, parse_uri_params(params)?),
        None => (rest, Params::new()),
    };
    let (host, port) = parse_host_port(host_port)?;
    Ok(SipUri { secure, user, password, host, port, params, headers })
}

fn parse_uri_params(text: &str) -> Result<Params, Problem> {
    const ALLOWED: &[u8] = b"[]/:&+$";
    let mut params = Params::new();
    for param in text.split(';') {
        let (name, value) = match param.split_once('=') {
            Some((name, value)) => (name, Some(normalise(value, b"[]/:&+$=@,")?)),
            None => (param, None),
        };
        if name.is_empty() {
            return Err("a URI has an empty parameter");
        }
        params.add(normalise(name, ALLOWED)?, value, false)?;
    }
    Ok(params)
}

fn parse_uri_headers(text: &str) -> Result<Vec<(String, String)>, Problem> {
    const ALLOWED: &[u8] = b"[]/?:+$";
    let mut headers = Vec::new();
    for header in text.split('&') {
        let (name, value) = header.split_once('=').ok_or("a header of a URI has no value")?;
        if name.is_empty() || headers.len() >= limits::URI_HEADERS {
            return Err("a URI has an empty header or too many");
        }
        headers.push((normalise(name, ALLOWED)?, normalise(value, b"[]/?:+$=@;,")?));
    }
    Ok(headers)
}

fn parse_tel(text: &str) -> Result<TelUri, Problem> {
    let (number, params) = match text.split_once(';') {
        Some((number, params)) => (number, parse_uri_params(params)?),
        None => (text, Params::new()),
    };
    let digits = number.strip_prefix('+').unwrap_or(number);
    let global = number.starts_with('+');
    let valid = |byte: u8| match byte {
        b'0'..=b'9' | b'-' | b'.' | b'(' | b')' => true,
        // RFC 3966 section 3: only local numbers hold these.
        b'*' | b'#' | b'a'..=b'f' | b'A'..=b'F' => !global,
        _ => false,
    };
    if !digits.bytes().any(|byte| byte.is_ascii_hexdigit() || byte == b'*' || byte == b'#')
        || !digits.bytes().all(valid)
    {
        return Err("the number of a tel URI is malformed");
    }
    Ok(TelUri { number: number.to_owned(), params })
}

/// RFC 3261 section 25.1, `unreserved`.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)
}

/// Checks a part of a URI that may hold unreserved, escaped and these characters, and brings its escapes to normal form.
fn normalise(text: &str, also: &[u8]) -> Result<String, Problem> {
    let mut normal = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
            let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
                return Err("an escape in a URI is malformed");
            };
            // Two digits of 4 bits.
            let escaped = (high * 16 + low) as u8;
            push_escaped(&mut normal, escaped, b"");
        } else if byte == b'#' && also.contains(&byte) {
            // Outside the grammar, but dialled; its escape is what the grammar knows.
            push_escaped(&mut normal, byte, b"");
        } else if is_unreserved(byte) || also.contains(&byte) {
            normal.push(char::from(byte));
        } else {
            return Err("a URI holds a character that must be escaped");
        }
    }
    Ok(normal)
}

fn push_escaped(text: &mut String, byte: u8, also: &[u8]) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    if is_unreserved(byte) || also.contains(&byte) {
        text.push(char::from(byte));
    } else {
        let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or('0');
        text.extend(['%', digit(byte >> 4), digit(byte & 15)]);
    }
}

/// Undoes escapes. Bytes that are no UTF-8 become U+FFFD.
fn unescape(text: &str) -> String {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = after.get(2..).unwrap_or("");
            }
            None => {
                plain.push(b'%');
                rest = after;
            }
        }
    }
    plain.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&plain).into_owned()
}

impl SipUri {
    /// A `sip:` URI of a plain (not escaped) user name and a host.
    pub fn new(user: Option<&str>, host: Host, port: Option<u16>) -> SipUri {
        let user = user.map(|user| {
            let mut escaped = String::new();
            user.bytes().for_each(|byte| push_escaped(&mut escaped, byte, b"&=+$,;?/"));
            escaped
        });
        SipUri { secure: false, user, password: None, host, port, params: Params::new(), headers: Vec::new() }
    }

    /// The user part without escapes: what a user or a number is compared with.
    pub fn user_name(&self) -> Option<String> {
        self.user.as_deref().map(unescape)
    }

    /// The `transport` parameter. `None` also for one that is not known here.
    pub fn transport(&self) -> Option<Transport> {
        Transport::from_name(self.params.get("transport")?)
    }

    /// The first header field of this name that the URI wants in the request, without escapes.
    pub fn header(&self, name: &str) -> Option<String> {
        let named = self.headers.iter().find(|(each, _)| each.eq_ignore_ascii_case(name));
        named.map(|(_, value)| unescape(value))
    }

    /// The `lr` parameter: a loose router (RFC 3261 section 19.1.1).
    pub fn is_loose_router(&self) -> bool {
        self.params.has("lr")
    }
}

impl TelUri {
    /// The number without visual separators: a `+` where it is global, digits, `*`, `#` and `A` to `F`.
    pub fn digits(&self) -> String {
        self.number.chars().filter(|c| !"-.()".contains(*c)).map(|c| c.to_ascii_uppercase()).collect()
    }
}

impl PartialEq for SipUri {
    fn eq(&self, other: &SipUri) -> bool {
        self.secure == other.secure
            && self.user == other.user
            && self.password == other.password
            && self.host == other.host
            // An explicit default port is not equal to none (RFC 3261 section 19.1.4).
            && self.port == other.port
            && params_agree(&self.params, &other.params)
            && headers_agree(&self.headers, &other.headers)
    }
}

impl Eq for SipUri {}

/// RFC 3261 section 19.1.4: a parameter in both must match; user, ttl, method, maddr and (by the errata's reading of the
/// examples) transport must be in both or in none; any other in one only is ignored.
fn params_agree(left: &Params, right: &Params) -> bool {
    const IN_BOTH: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    let agrees = |one: &Params, name: &str, value: Option<&str>| match (one.has(name), one.get(name), value) {
        (false, ..) => !IN_BOTH.iter().any(|known| known.eq_ignore_ascii_case(name)),
        (true, None, None) => true,
        (true, Some(one), Some(value)) => one.eq_ignore_ascii_case(value),
        (true, ..) => false,
    };
    left.iter().all(|(name, value)| agrees(right, name, value))
        && right.iter().all(|(name, value)| agrees(left, name, value))
}

/// RFC 3261 section 19.1.4: header components are never ignored; their order does not matter.
fn headers_agree(left: &[(String, String)], right: &[(String, String)]) -> bool {
    let count = |list: &[(String, String)], (name, value): &(String, String)| {
        list.iter().filter(|(n, v)| n.eq_ignore_ascii_case(name) && v == value).count()
    };
    left.len() == right.len() && left.iter().all(|header| count(left, header) == count(right, header))
}

impl PartialEq for TelUri {
    fn eq(&self, other: &TelUri) -> bool {
        // RFC 3966 section 4: visual separators do not count, parameters do in any order.
        let find = |params: &Params, name: &str, value: Option<&str>| match (params.get(name), value) {
            (None, None) => params.has(name),
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            _ => false,
        };
        self.digits() == other.digits()
            && self.params.len() == other.params.len()
            && self.params.iter().all(|(name, value)| find(&other.params, name, value))
    }
}

impl Eq for TelUri {}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)?;
        for (index, (name, value)) in self.headers.iter().enumerate() {
            write!(f, "{}{name}={value}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uri::Sip(uri) => uri.fmt(f),
            Uri::Tel(uri) => write!(f, "tel:{}{}", uri.number, uri.params),
            Uri::Other(text) => f.write_str(text),
        }
    }
}
