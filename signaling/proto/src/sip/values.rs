//! The structured values of header fields.

use super::lexer::{Cursor, Problem, is_token, is_token_byte, write_quoted};
use super::message::Method;
use super::params::Params;
use super::uri::{Host, Uri, UriError, parse_host_port};
use crate::transport::Transport;
use std::fmt;
use std::net::IpAddr;

/// `name-addr` or `addr-spec` with the header field's parameters: From, To, Contact, Route, Refer-To ...
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, without quotes and escapes.
    pub display_name: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// The parameters outside the angle brackets.
    pub params: Params,
}

impl NameAddr {
    /// A URI without display name and parameters.
    pub fn new(uri: impl Into<Uri>) -> NameAddr {
        NameAddr { display_name: None, uri: uri.into(), params: Params::new() }
    }

    /// The `tag` parameter of From and To.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }

    /// Sets the `tag` parameter.
    pub fn set_tag(&mut self, tag: &str) {
        self.params.set("tag", Some(tag));
    }

    /// The `expires` parameter of a Contact, in seconds. `None` also where it is malformed (RFC 3261 section 10.3 treats
    /// it as 3600, or the registrar's default).
    pub fn expires(&self) -> Option<u32> {
        parse_seconds(self.params.get("expires")?).ok()
    }

    pub(super) fn parse(text: &str) -> Result<NameAddr, Problem> {
        let mut cursor = Cursor::new(text);
        let value = NameAddr::parse_at(&mut cursor)?;
        cursor.end()?;
        Ok(value)
    }

    fn parse_at(cursor: &mut Cursor<'_>) -> Result<NameAddr, Problem> {
        cursor.skip_space();
        let display_name = if cursor.peek() == Some(b'"') {
            let name = cursor.quoted_string()?;
            cursor.skip_space();
            Some(name)
        } else {
            // RFC 3261 section 25.1: display-name is *( token LWS ); characters beyond UTF-8's ASCII must be quoted, but
            // often are not.
            let (before, has_angle) = match cursor.rest().split_once('<') {
                Some((before, _)) => (before.trim_end_matches([' ', '\t']), true),
                None => ("", false),
            };
            let valid = |byte: u8| is_token_byte(byte) || byte == b' ' || byte == b'\t' || byte >= 0x80;
            if has_angle && !before.bytes().all(valid) {
                return Err("a display name needs quotes");
            }
            while cursor.peek().is_some_and(|byte| has_angle && byte != b'<') {
                cursor.skip_character();
            }
            Some(before.to_owned()).filter(|name| !name.is_empty())
        };
        let uri = if cursor.peek() == Some(b'<') {
            cursor.skip_character();
            let (uri, rest) = cursor.rest().split_once('>').ok_or("an angle bracket is not closed")?;
            *cursor = Cursor::new(rest);
            uri
        } else if display_name.is_some() {
            return Err("an address is missing");
        } else {
            // RFC 3261 section 20: without brackets, `;` starts the header field's parameters, and a URI with a comma,
            // a question mark or a semicolon must stand in brackets.
            let end = cursor.rest().find([';', ' ', '\t']).unwrap_or(cursor.rest().len());
            let (uri, rest) = cursor.rest().split_at_checked(end).unwrap_or((cursor.rest(), ""));
            if uri.contains([',', '?']) {
                return Err("an address needs angle brackets");
            }
            *cursor = Cursor::new(rest);
            uri
        };
        let uri = uri.parse().map_err(|UriError(problem)| problem)?;
        Ok(NameAddr { display_name, uri, params: Params::parse(cursor)? })
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.display_name {
            write_quoted(f, name)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// The values of Contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: all bindings, in a REGISTER with `Expires: 0` (RFC 3261 section 10.2.2).
    All,
    /// Addresses, in order; none where there is no Contact.
    List(Vec<NameAddr>),
}

/// One value of Via.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The transport's name in upper case: `UDP`, `TCP`, `TLS`, `WS`, `WSS`, or any other token (see [`Via::known_transport`]).
    pub transport: String,
    /// The host of sent-by.
    pub host: Host,
    /// The port of sent-by.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params,
}

impl Via {
    /// A Via for a request of ours; asks for `rport` (RFC 3581 section 3).
    pub fn new(transport: Transport, host: Host, port: Option<u16>, branch: &str) -> Via {
        let params = Params::new().with("branch", Some(branch)).with("rport", None);
        Via { transport: transport.via_name().to_owned(), host, port, params }
    }

    /// The transport, if it is one of ours.
    pub fn known_transport(&self) -> Option<Transport> {
        Transport::from_name(&self.transport)
    }

    /// The `branch` parameter; `None` from a client of RFC 2543.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// The `received` parameter: an address, in brackets or not (RFC 5118 section 4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse().ok()
    }

    /// The port in the `rport` parameter, where a server put one (RFC 3581 section 4).
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport")?.parse().ok()
    }

    pub(super) fn parse(text: &str) -> Result<Via, Problem> {
        let mut cursor = Cursor::new(text);
        cursor.skip_space();
        let protocol = cursor.token()?;
        // Any version: a request of another one still has to be answered by 505.
        if !protocol.eq_ignore_ascii_case("SIP")
            || !cursor.eat('/')
            || cursor.token().is_err()
            || !cursor.eat('/')
        {
            return Err("the protocol is not SIP");
        }
        let transport = cursor.token()?.to_ascii_uppercase();
        if !cursor.peek().is_some_and(|byte| byte == b' ' || byte == b'\t') {
            return Err("the host is missing");
        }
        cursor.skip_space();
        let sent_by = cursor.take_while(|byte| byte != b';');
        let (host, port) = parse_host_port(sent_by.trim_end_matches([' ', '\t']))?;
        let params = Params::parse(&mut cursor)?;
        cursor.end()?;
        Ok(Via { transport, host, port, params })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}

/// Content-Type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// The type and subtype in lower case: `application/sdp`.
    pub media_type: String,
    /// Parameters, such as `boundary`.
    pub params: Params,
}

impl ContentType {
    pub(super) fn parse(text: &str) -> Result<ContentType, Problem> {
        let mut cursor = Cursor::new(text);
        cursor.skip_space();
        let kind = cursor.token()?;
        if !cursor.eat('/') {
            return Err("the subtype is missing");
        }
        let media_type = format!("{kind}/{}", cursor.token()?).to_ascii_lowercase();
        let params = Params::parse(&mut cursor)?;
        cursor.end()?;
        Ok(ContentType { media_type, params })
    }
}

/// RAck (RFC 3262 section 7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// The RSeq of the response that is acknowledged.
    pub rseq: u32,
    /// Its CSeq number.
    pub cseq: u32,
    /// Its CSeq method.
    pub method: Method,
}

impl RAck {
    pub(super) fn parse(text: &str) -> Result<RAck, Problem> {
        let mut parts = text.split([' ', '\t']).filter(|part| !part.is_empty());
        let (Some(rseq), Some(cseq), Some(method), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("not two numbers and a method");
        };
        if !is_token(method) {
            return Err("the method is malformed");
        }
        Ok(RAck { rseq: parse_number(rseq)?, cseq: parse_number(cseq)?, method: Method::from(method) })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, self.method)
    }
}

/// Who refreshes a session (RFC 4028 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The client of the transaction that carries it.
    Uac,
    /// Its server.
    Uas,
}

/// Session-Expires (RFC 4028 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// The interval in seconds.
    pub seconds: u32,
    /// The `refresher` parameter.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    pub(super) fn parse(text: &str) -> Result<SessionExpires, Problem> {
        let mut cursor = Cursor::new(text);
        cursor.skip_space();
        let seconds = parse_seconds(cursor.take_while(|byte| byte.is_ascii_digit()))?;
        let params = Params::parse(&mut cursor)?;
        cursor.end()?;
        let refresher = match params.get("refresher") {
            Some(name) if name.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(name) if name.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err("the refresher is neither uac nor uas"),
            None => None,
        };
        Ok(SessionExpires { seconds, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refresher = match self.refresher {
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
            None => "",
        };
        write!(f, "{}{refresher}", self.seconds)
    }
}

/// One challenge of WWW-Authenticate or Proxy-Authenticate, or the credentials of their counterparts.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme: `Digest`.
    pub scheme: String,
    /// The comma-separated parameters.
    pub params: Params,
}

impl Challenge {
    pub(super) fn parse(text: &str) -> Result<Challenge, Problem> {
        let mut cursor = Cursor::new(text);
        cursor.skip_space();
        let scheme = cursor.token()?.to_owned();
        cursor.skip_space();
        let mut params = Params::new();
        if !cursor.rest().is_empty() {
            loop {
                params.parse_one(&mut cursor)?;
                if !cursor.eat(',') {
                    break;
                }
            }
        }
        cursor.end()?;
        Ok(Challenge { scheme, params })
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Credentials can be attacked offline, so the parameters stay out of logs.
        write!(f, "Challenge({})", self.scheme)
    }
}

/// A decimal number of at most 32 bits.
pub(super) fn parse_number(text: &str) -> Result<u32, Problem> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a number is malformed");
    }
    text.parse().map_err(|_| "a number is too large")
}

/// `delta-seconds`; a number above 32 bits counts as the largest (RFC 3261 section 20.19 asks for no more than that range).
pub(super) fn parse_seconds(text: &str) -> Result<u32, Problem> {
    match parse_number(text) {
        Err("a number is too large") => Ok(u32::MAX),
        other => other,
    }
}
