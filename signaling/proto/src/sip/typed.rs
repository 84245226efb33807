//! Typed reading of header fields.

use super::header_name::HeaderName;
use super::headers::{HeaderError, Headers};
use super::lexer::{Problem, is_token, split_commas};
use super::limits;
use super::message::Method;
use super::values::{
    Challenge, Contacts, ContentType, NameAddr, RAck, SessionExpires, Via, parse_number, parse_seconds,
};

/// Each of these names the header field in its error. A missing header field is an error where the value is returned
/// plainly, and `None` where it is an `Option`.
impl Headers {
    /// The topmost Via.
    pub fn via(&self) -> Result<Via, HeaderError> {
        self.required(HeaderName::Via, Via::parse)
    }

    /// Every Via, the topmost first.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        self.list(HeaderName::Via, Via::parse)
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.required(HeaderName::From, NameAddr::parse)
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.required(HeaderName::To, NameAddr::parse)
    }

    /// Call-ID.
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        self.get(HeaderName::CallId).ok_or(HeaderError::new(HeaderName::CallId, MISSING))
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<(u32, Method), HeaderError> {
        self.required(HeaderName::CSeq, parse_cseq)
    }

    /// Max-Forwards; `None` from a client of RFC 2543.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        self.optional(HeaderName::MaxForwards, |value| {
            u8::try_from(parse_number(value)?).map_err(|_| "the number is above 255")
        })
    }

    /// Every Contact.
    pub fn contacts(&self) -> Result<Contacts, HeaderError> {
        let mut values = self.all(HeaderName::Contact);
        match (values.next(), values.next()) {
            (Some("*"), None) => Ok(Contacts::All),
            _ => self.list(HeaderName::Contact, NameAddr::parse).map(Contacts::List),
        }
    }

    /// Every Route, the topmost first.
    pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(HeaderName::Route, NameAddr::parse)
    }

    /// Every Record-Route, the topmost first.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(HeaderName::RecordRoute, NameAddr::parse)
    }

    /// Every address of a list of them: Path, Service-Route, P-Asserted-Identity ...
    pub fn addresses(&self, name: HeaderName) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(name, NameAddr::parse)
    }

    /// The address in a header field of one: Refer-To, Referred-By, Reply-To ...
    pub fn address(&self, name: HeaderName) -> Result<Option<NameAddr>, HeaderError> {
        self.optional(name, NameAddr::parse)
    }

    /// Expires, in seconds.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(HeaderName::Expires, parse_seconds)
    }

    /// Min-Expires, in seconds.
    pub fn min_expires(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(HeaderName::MinExpires, parse_seconds)
    }

    /// Min-SE, in seconds.
    pub fn min_se(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(HeaderName::MinSe, |value| {
            SessionExpires::parse(value).map(|interval| interval.seconds)
        })
    }

    /// Session-Expires.
    pub fn session_expires(&self) -> Result<Option<SessionExpires>, HeaderError> {
        self.optional(HeaderName::SessionExpires, SessionExpires::parse)
    }

    /// Retry-After, in seconds; its comment and parameters are not read.
    pub fn retry_after(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(HeaderName::RetryAfter, |value| {
            parse_seconds(value.split([' ', '\t', ';', '(']).next().unwrap_or(""))
        })
    }

    /// RSeq.
    pub fn rseq(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(HeaderName::RSeq, parse_number)
    }

    /// RAck.
    pub fn rack(&self) -> Result<Option<RAck>, HeaderError> {
        self.optional(HeaderName::RAck, RAck::parse)
    }

    /// Content-Type.
    pub fn content_type(&self) -> Result<Option<ContentType>, HeaderError> {
        self.optional(HeaderName::ContentType, ContentType::parse)
    }

    /// The option tags of Supported.
    pub fn supported(&self) -> Result<Vec<&str>, HeaderError> {
        self.tokens(HeaderName::Supported)
    }

    /// The option tags of Require.
    pub fn require(&self) -> Result<Vec<&str>, HeaderError> {
        self.tokens(HeaderName::Require)
    }

    /// Whether Supported or Require lists this option tag.
    pub fn supports(&self, option: &str) -> bool {
        let lists = |name| {
            self.tokens(name).is_ok_and(|tags| tags.iter().any(|tag| tag.eq_ignore_ascii_case(option)))
        };
        lists(HeaderName::Supported) || lists(HeaderName::Require)
    }

    /// The tokens of every header field of this name: Supported, Require, Allow, Allow-Events ... An empty header field
    /// has none (RFC 3261 section 20.5).
    pub fn tokens(&self, name: HeaderName) -> Result<Vec<&str>, HeaderError> {
        let mut tokens = Vec::new();
        for value in self.all(name.clone()).filter(|value| !value.is_empty()) {
            let elements = split_commas(value).map_err(|problem| HeaderError::new(name.clone(), problem))?;
            if !elements.iter().all(|token| is_token(token))
                || tokens.len() + elements.len() > limits::HEADERS
            {
                return Err(HeaderError::new(name, "a token is malformed, or there are too many"));
            }
            tokens.extend(elements);
        }
        Ok(tokens)
    }

    /// The challenges of WWW-Authenticate, in order.
    pub fn www_authenticate(&self) -> Result<Vec<Challenge>, HeaderError> {
        self.list(HeaderName::WwwAuthenticate, Challenge::parse)
    }

    /// The challenges of Proxy-Authenticate, in order.
    pub fn proxy_authenticate(&self) -> Result<Vec<Challenge>, HeaderError> {
        self.list(HeaderName::ProxyAuthenticate, Challenge::parse)
    }

    /// The credentials of Authorization or Proxy-Authorization, in order.
    pub fn credentials(&self, name: HeaderName) -> Result<Vec<Challenge>, HeaderError> {
        self.list(name, Challenge::parse)
    }

    fn required<T>(&self, name: HeaderName, parse: fn(&str) -> Result<T, Problem>) -> Result<T, HeaderError> {
        self.optional(name.clone(), parse)?.ok_or(HeaderError::new(name, MISSING))
    }

    fn optional<T>(
        &self,
        name: HeaderName,
        parse: fn(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, HeaderError> {
        self.get(name.clone()).map(parse).transpose().map_err(|problem| HeaderError::new(name, problem))
    }

    fn list<T>(
        &self,
        name: HeaderName,
        parse: fn(&str) -> Result<T, Problem>,
    ) -> Result<Vec<T>, HeaderError> {
        self.all(name.clone())
            .map(parse)
            .collect::<Result<_, _>>()
            .map_err(|problem| HeaderError::new(name, problem))
    }
}

const MISSING: Problem = "the header field is missing";

fn parse_cseq(value: &str) -> Result<(u32, Method), Problem> {
    let mut parts = value.split([' ', '\t']).filter(|part| !part.is_empty());
    let (Some(number), Some(method), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err("not a number and a method");
    };
    // RFC 3261 section 8.1.1.5: "MUST be less than 2**31".
    let number = parse_number(number)?;
    if number >= 1 << 31 {
        return Err("the number is not below 2**31");
    }
    if !is_token(method) {
        return Err("the method is malformed");
    }
    Ok((number, Method::from(method)))
}
