//! JSON bodies, into and out of the same tree.

use super::value::Budget;
use super::{Dictionary, Encoding, Fault, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

/// Reads an object that is all of the body.
///
/// serde_json recurses, but never deeper than [`super::MAX_DEPTH`]: the visitor refuses to open more.
pub(super) fn parse(body: &[u8]) -> Result<Dictionary<'_>, Fault> {
    let state = State { budget: RefCell::new(Budget::new()), fault: RefCell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = Seed { state: &state, depth: 0 }.deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(Some(Value::Dictionary(dictionary))) => Ok(dictionary),
        Ok(_) => Err(Fault::NoDictionary),
        Err(error) => Err(state.fault.take().unwrap_or_else(|| syntax(body, &error))),
    }
}

/// A fault in JSON's own grammar.
fn syntax(body: &[u8], error: &serde_json::Error) -> Fault {
    let lines = body.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    let offset = lines.map(<[u8]>::len).sum::<usize>() + error.column();
    let problem = if error.is_eof() { "the message ends too early" } else { "not JSON" };
    Fault::Encoding { encoding: Encoding::Json, offset, problem }
}

/// What all values of one message share.
struct State {
    budget: RefCell<Budget>,
    /// Why reading was given up, where the fault is not in the grammar.
    fault: RefCell<Option<Fault>>,
}

impl State {
    fn check<E: Error>(&self, checked: Result<(), Fault>) -> Result<(), E> {
        checked.map_err(|fault| {
            let error = E::custom(&fault);
            self.fault.replace(Some(fault));
            error
        })
    }
}

/// Reads one value within `depth` others; `None` is JSON's `null`, whose key is as good as absent.
#[derive(Clone, Copy)]
struct Seed<'s> {
    state: &'s State,
    depth: usize,
}

impl Seed<'_> {
    fn inner(self) -> Self {
        Seed { depth: self.depth + 1, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Option<Value<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let taken = self.state.budget.borrow_mut().take();
        self.state.check(taken)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Option<Value<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a whole number, a list or an object")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::Integer(value.into())))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::Integer(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        // What is too large for the tree is too large for every key: it is refused there by its range.
        Ok(Some(Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::owned(value.to_string())))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Value::text(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::owned(value)))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        self.state.check(Budget::open(self.depth))?;
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(self.inner())? {
            list.extend(value);
        }
        Ok(Some(Value::List(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        self.state.check(Budget::open(self.depth))?;
        let mut dictionary = Dictionary::new();
        while let Some(Text(key)) = access.next_key()? {
            if let Some(value) = access.next_value_seed(self.inner())? {
                dictionary.push(key, value);
            }
        }
        Ok(Some(Value::Dictionary(dictionary)))
    }
}

/// A key, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, [u8]>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(key.as_bytes())))
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(key.as_bytes().to_vec())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Writes a dictionary.
pub(super) fn write(dictionary: &Dictionary<'_>, out: &mut Vec<u8>) {
    serde_json::to_writer(out, dictionary)
        .expect("strings, numbers, lists and objects with string keys always encode");
}

impl Serialize for Dictionary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(&String::from_utf8_lossy(key), value)?;
        }
        map.end()
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Bytes(bytes) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            Value::List(list) => {
                let mut sequence = serializer.serialize_seq(Some(list.len()))?;
                for value in list {
                    sequence.serialize_element(value)?;
                }
                sequence.end()
            }
            Value::Dictionary(dictionary) => dictionary.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::samples;
    use super::super::{MAX_DEPTH, MAX_VALUES};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_objects() {
        let body = br#"{"command":"offer", "sdp":"v=0\r\n", "flags":["trust-address"],
            "on":true, "off":false, "ptime":20, "half":0.5, "none":null, "huge":18446744073709551615}"#;
        let dictionary = parse(body).unwrap();
        assert_eq!(dictionary.get("command"), Some(&Value::text("offer")));
        assert_eq!(dictionary.get("sdp"), Some(&Value::text("v=0\r\n")));
        assert_eq!(dictionary.get("flags"), Some(&Value::List(vec![Value::text("trust-address")])));
        assert_eq!(dictionary.get("on"), Some(&Value::Integer(1)));
        assert_eq!(dictionary.get("off"), Some(&Value::Integer(0)));
        assert_eq!(dictionary.get("ptime"), Some(&Value::Integer(20)));
        assert_eq!(dictionary.get("half"), Some(&Value::text("0.5")));
        assert_eq!(dictionary.get("none"), None);
        assert_eq!(dictionary.get("huge"), Some(&Value::Integer(i64::MAX)));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let fault = |offset, problem| Err(Fault::Encoding { encoding: Encoding::Json, offset, problem });
        assert_eq!(parse(b"{\"command\":\"pi"), fault(14, "the message ends too early"));
        assert_eq!(parse(b"{\n\"a\":x}"), fault(7, "not JSON"));
        assert_eq!(parse(b"{} {"), fault(4, "not JSON"));
        assert_eq!(parse(b"{\"a\":\"\xff\"}"), fault(7, "not JSON"));
    }

    #[test]
    fn nesting_and_size_are_bounded() {
        let nested = |depth: usize| {
            format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1)).into_bytes()
        };
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(parse(&nested(MAX_DEPTH + 1)), Err(Fault::TooDeep));
        assert_eq!(parse(&nested(10_000)), Err(Fault::TooDeep));
        let many = format!("{{\"a\":[0{}]}}", ",0".repeat(MAX_VALUES));
        assert_eq!(parse(many.as_bytes()), Err(Fault::TooManyValues));
    }

    #[test]
    fn bytes_that_are_no_text_become_replacement_characters() {
        let mut dictionary = Dictionary::new();
        dictionary.set("tag", Value::Bytes(b"a\xff".as_slice().into()));
        assert_eq!(dictionary.encode(Encoding::Json), "{\"tag\":\"a\u{fffd}\"}".as_bytes());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(dictionary in samples::dictionaries(true)) {
            let written = dictionary.encode(Encoding::Json);
            prop_assert_eq!(parse(&written).unwrap(), dictionary);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&[b"{".as_slice(), &bytes].concat());
        }
    }
}
