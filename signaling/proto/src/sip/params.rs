//! Parameters: `;name=value` of a header field value or of a URI.

use super::lexer::{Cursor, Problem, is_token_byte, write_quoted};
use super::limits;
use std::fmt;

/// Parameters in their order. Names compare without case (RFC 3261 section 7.3.1); the first of a name counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    list: Vec<Param>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Param {
    name: String,
    value: Option<String>,
    quoted: bool,
}

impl Params {
    /// No parameters.
    pub fn new() -> Params {
        Params::default()
    }

    /// The value of this parameter, unquoted; `None` also for one without a value (see [`Params::has`]).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).and_then(|param| param.value.as_deref())
    }

    /// Whether this parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets a parameter: replaces its value, or adds it at the end. Written in quotes only where it must be.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        let quoted =
            value.as_deref().is_some_and(|value| value.is_empty() || !value.bytes().all(is_value_byte));
        match self.list.iter_mut().find(|param| param.name.eq_ignore_ascii_case(name)) {
            Some(param) => (param.value, param.quoted) = (value, quoted),
            None => self.list.push(Param { name: name.to_owned(), value, quoted }),
        }
    }

    /// The same with `self` passed on: `Params::new().with("branch", Some("z9hG4bK1"))`.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<&str>) -> Params {
        self.set(name, value);
        self
    }

    /// Removes a parameter.
    pub fn remove(&mut self, name: &str) {
        self.list.retain(|param| !param.name.eq_ignore_ascii_case(name));
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.list.iter().map(|param| (param.name.as_str(), param.value.as_deref()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    fn find(&self, name: &str) -> Option<&Param> {
        self.list.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// Adds one as parsed. A parameter must not appear twice (RFC 3261 section 7.3.1).
    pub(super) fn add(&mut self, name: String, value: Option<String>, quoted: bool) -> Result<(), Problem> {
        if self.list.len() >= limits::PARAMS {
            return Err("too many parameters");
        }
        if self.has(&name) {
            return Err("a parameter appears twice");
        }
        self.list.push(Param { name, value, quoted });
        Ok(())
    }

    /// `*( SEMI generic-param )` (RFC 3261 section 25.1).
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Params, Problem> {
        let mut params = Params::new();
        while cursor.eat(';') {
            params.parse_one(cursor)?;
        }
        Ok(params)
    }

    /// `generic-param`: a name, with or without a value.
    pub(super) fn parse_one(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
        let name = cursor.token()?.to_owned();
        if !cursor.eat('=') {
            return self.add(name, None, false);
        }
        if cursor.peek() == Some(b'"') {
            let value = cursor.quoted_string()?;
            return self.add(name, Some(value), true);
        }
        match cursor.take_while(is_value_byte) {
            "" => Err("a parameter has an empty value"),
            value => self.add(name, Some(value.to_owned()), false),
        }
    }
}

/// `token`, and `host` with its IPv6 references; RFC 5118 section 4.5 also shows an address without brackets. The last
/// three stand outside the grammar, but in tags and branches in use.
fn is_value_byte(byte: u8) -> bool {
    is_token_byte(byte) || b"[]:/=@".contains(&byte)
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for param in &self.list {
            write!(f, ";{}", param.name)?;
            match &param.value {
                Some(value) if param.quoted => {
                    f.write_str("=")?;
                    write_quoted(f, value)?;
                }
                Some(value) => write!(f, "={value}")?,
                None => {}
            }
        }
        Ok(())
    }
}
