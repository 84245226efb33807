//! The tree that both encodings become.

use super::{Fault, MAX_DEPTH, MAX_VALUES, bencode, json};
use std::borrow::Cow;
use std::fmt;

/// How a message's body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `d7:command4:pinge`.
    Bencode,
    /// `{"command":"ping"}`.
    Json,
}

impl Encoding {
    /// The encoding of a body, told by its first byte; whatever is no JSON object is answered in bencode.
    pub fn of(body: &[u8]) -> Encoding {
        if body.first() == Some(&b'{') { Encoding::Json } else { Encoding::Bencode }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Encoding::Bencode => "bencode",
            Encoding::Json => "JSON",
        })
    }
}

/// A value. Strings are bytes, borrowed from the message where they stand in it as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A whole number; JSON's `true` and `false` are 1 and 0.
    Integer(i64),
    /// A string, of any bytes.
    Bytes(Cow<'a, [u8]>),
    /// A list.
    List(Vec<Value<'a>>),
    /// A dictionary.
    Dictionary(Dictionary<'a>),
}

impl<'a> Value<'a> {
    /// A string that lives elsewhere.
    pub fn text(text: &'a str) -> Value<'a> {
        Value::Bytes(Cow::Borrowed(text.as_bytes()))
    }

    /// A string of its own.
    pub fn owned(text: impl Into<String>) -> Value<'a> {
        Value::Bytes(Cow::Owned(text.into().into_bytes()))
    }

    /// The string, where this is one and UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The number, or the one that a string writes in decimal digits: controllers send both.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(*number),
            _ => self.as_str()?.trim().parse().ok(),
        }
    }
}

/// A dictionary, in the order of the message. A key that comes twice counts the first time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary<'a>(Vec<(Cow<'a, [u8]>, Value<'a>)>);

impl<'a> Dictionary<'a> {
    /// An empty one.
    pub fn new() -> Dictionary<'a> {
        Dictionary::default()
    }

    /// Reads a message's body, in whichever encoding it is.
    pub fn parse(body: &'a [u8]) -> Result<Dictionary<'a>, Fault> {
        match body.first() {
            Some(b'd') => bencode::parse(body),
            Some(b'{') => json::parse(body),
            _ => Err(Fault::NoDictionary),
        }
    }

    /// Writes it, behind what is in `out`. Bytes that are no UTF-8 become U+FFFD in JSON, which has no way to carry them.
    pub fn write(&self, encoding: Encoding, out: &mut Vec<u8>) {
        match encoding {
            Encoding::Bencode => bencode::write(self, out),
            Encoding::Json => json::write(self, out),
        }
    }

    /// The same, alone.
    pub fn encode(&self, encoding: Encoding) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(encoding, &mut out);
        out
    }

    /// Adds an entry at the end.
    pub fn push(&mut self, key: impl Into<Cow<'a, [u8]>>, value: Value<'a>) {
        self.0.push((key.into(), value));
    }

    /// Adds an entry with a key that is known at compile time.
    pub fn set(&mut self, key: &'static str, value: Value<'a>) {
        self.push(key.as_bytes(), value);
    }

    /// The value of this very key.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(found, _)| found.as_ref() == key.as_bytes()).map(|(_, value)| value)
    }

    /// Keys and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Value<'a>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a parser may still take: bounds the tree while it grows.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    values: usize,
}

impl Budget {
    pub(super) fn new() -> Budget {
        Budget { values: MAX_VALUES }
    }

    /// Accounts for one value at this depth; the outermost dictionary has depth 1, what is in it stands at depth 1 too.
    pub(super) fn take(&mut self) -> Result<(), Fault> {
        self.values = self.values.checked_sub(1).ok_or(Fault::TooManyValues)?;
        Ok(())
    }

    /// Whether a list or dictionary may be opened within `depth` others.
    pub(super) fn open(depth: usize) -> Result<(), Fault> {
        if depth < MAX_DEPTH { Ok(()) } else { Err(Fault::TooDeep) }
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = Cow<'static, [u8]>> {
        "[a-z -]{0,12}".prop_map(|key| Cow::Owned(key.into_bytes()))
    }

    /// Any tree; its strings are of any bytes, or UTF-8 where `utf8` asks for it.
    pub(in super::super) fn dictionaries(utf8: bool) -> impl Strategy<Value = Dictionary<'static>> {
        let bytes = if utf8 {
            any::<String>().prop_map(Value::owned).boxed()
        } else {
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Bytes(bytes.into())).boxed()
        };
        let leaf = prop_oneof![any::<i64>().prop_map(Value::Integer), bytes];
        let tree = leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
                prop::collection::vec((key(), inner), 0..8)
                    .prop_map(|entries| Value::Dictionary(Dictionary(entries))),
            ]
        });
        prop::collection::vec((key(), tree), 0..8).prop_map(Dictionary)
    }
}
