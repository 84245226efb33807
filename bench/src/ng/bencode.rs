//! Bencode: as much of it as NG replies have, which is all but integers' finer points.

use std::collections::BTreeMap;

/// Replies nest no deeper than this.
const MAX_DEPTH: usize = 16;

/// A bencoded value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A byte string that is text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A list.
    List(Vec<Value>),
    /// A dictionary.
    Dictionary(BTreeMap<String, Value>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl Value {
    /// A dictionary with these entries.
    pub(crate) fn dictionary<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
        Value::Dictionary(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// A list of texts.
    pub(crate) fn list(texts: &[&str]) -> Value {
        Value::List(texts.iter().map(|text| Value::from(*text)).collect())
    }

    /// The text behind a dictionary's key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self {
            Value::Dictionary(entries) => match entries.get(key)? {
                Value::Text(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Appends its encoding.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Value::Text(text) => encode_text(text, bytes),
            Value::Integer(integer) => bytes.extend_from_slice(format!("i{integer}e").as_bytes()),
            Value::List(values) => {
                bytes.push(b'l');
                values.iter().for_each(|value| value.encode(bytes));
                bytes.push(b'e');
            }
            Value::Dictionary(entries) => {
                bytes.push(b'd');
                for (key, value) in entries {
                    encode_text(key, bytes);
                    value.encode(bytes);
                }
                bytes.push(b'e');
            }
        }
    }

    /// The value that `bytes` hold; `None` if they are something else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Value> {
        let (value, rest) = decode(bytes, MAX_DEPTH)?;
        rest.is_empty().then_some(value)
    }
}

fn encode_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(format!("{}:{text}", text.len()).as_bytes());
}

fn decode(bytes: &[u8], depth: usize) -> Option<(Value, &[u8])> {
    let depth = depth.checked_sub(1)?;
    match bytes.first()? {
        b'i' => {
            let (integer, rest) = number(&bytes[1..], b'e')?;
            Some((Value::Integer(integer), rest))
        }
        b'l' => {
            let (mut values, mut rest) = (Vec::new(), &bytes[1..]);
            while *rest.first()? != b'e' {
                let (value, after) = decode(rest, depth)?;
                values.push(value);
                rest = after;
            }
            Some((Value::List(values), &rest[1..]))
        }
        b'd' => {
            let (mut entries, mut rest) = (BTreeMap::new(), &bytes[1..]);
            while *rest.first()? != b'e' {
                let (key, after) = text(rest)?;
                let (value, after) = decode(after, depth)?;
                entries.insert(key, value);
                rest = after;
            }
            Some((Value::Dictionary(entries), &rest[1..]))
        }
        _ => text(bytes).map(|(text, rest)| (Value::Text(text), rest)),
    }
}

fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = number(bytes, b':')?;
    let (text, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((String::from_utf8_lossy(text).into_owned(), rest))
}

fn number(bytes: &[u8], end: u8) -> Option<(i64, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == end)?;
    let digits = std::str::from_utf8(&bytes[..end]).ok()?;
    Some((digits.parse().ok()?, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let value = Value::dictionary([
            ("sdp", "v=0\r\n".into()),
            ("flags", Value::list(&["a", "bc"])),
            ("created", Value::Integer(-7)),
        ]);
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        assert_eq!(bytes, b"d7:createdi-7e5:flagsl1:a2:bce3:sdp5:v=0\r\ne");
        assert_eq!(Value::decode(&bytes), Some(value.clone()));
        assert_eq!(value.text("sdp"), Some("v=0\r\n"));
        assert_eq!(value.text("flags"), None);
    }

    #[test]
    fn anything_else_is_refused() {
        for bytes in [&b""[..], b"d", b"5:abc", b"i5", b"l1:a", b"1:aa", b"d1:ae", &[b'l'; 100]] {
            assert_eq!(Value::decode(bytes), None, "{bytes:?}");
        }
    }
}
