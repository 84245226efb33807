//! The one string of `rtpp-flags`, in which newer Kamailios hand on what the script wrote, unread:
//! `replace-origin via-branch=auto transport-protocol=RTP/AVP codec=[strip=[PCMA] transcode=[opus]]`.

use crate::ng::value::Budget;
use crate::ng::{Dictionary, Fault, Value};

/// Reads it into what the module itself would have sent: keys with their values, and what stands alone in `flags`.
///
/// Brackets are lists; a list whose items are all `key=value` is a dictionary. Open ones wait on a stack of bounded
/// height.
pub(super) fn parse(text: &str) -> Result<Dictionary<'_>, Fault> {
    let mut budget = Budget::new();
    let mut stack = vec![Open::default()];
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
        budget.take()?;
        if let Some(after) = rest.strip_prefix('[') {
            // A bracket without a key, within a list.
            stack.push(Open::default());
            rest = after;
        } else if rest.is_empty() || rest.starts_with(']') {
            let closed = stack.pop().unwrap_or_default();
            match stack.last_mut() {
                Some(outer) => outer.items.push((closed.key, closed.value())),
                // The outermost: the end, or one bracket too many, which is passed over.
                None if rest.is_empty() => return Ok(closed.outermost()),
                None => stack.push(closed),
            }
            rest = rest.get(1..).unwrap_or("");
        } else {
            let end = rest.find([' ', '\t', '\r', '\n', ',', ']', '[']).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            rest = after;
            match (word.split_once('='), after.strip_prefix('[')) {
                (Some((key, "")), Some(inner)) => {
                    stack.push(Open { key: Some(key), items: Vec::new() });
                    rest = inner;
                }
                (Some((key, value)), _) => push(&mut stack, Some(key), value),
                (None, _) => push(&mut stack, None, word),
            }
        }
        Budget::open(stack.len() - 1)?;
    }
}

fn push<'a>(stack: &mut [Open<'a>], key: Option<&'a str>, value: &'a str) {
    if let Some(open) = stack.last_mut() {
        open.items.push((key, Value::text(value)));
    }
}

/// A bracket that is not closed yet.
#[derive(Default)]
struct Open<'a> {
    key: Option<&'a str>,
    items: Vec<(Option<&'a str>, Value<'a>)>,
}

impl<'a> Open<'a> {
    fn value(self) -> Value<'a> {
        if !self.items.is_empty() && self.items.iter().all(|(key, _)| key.is_some()) {
            let mut dictionary = Dictionary::new();
            for (key, value) in self.items {
                dictionary.push(key.unwrap_or("").as_bytes(), value);
            }
            return Value::Dictionary(dictionary);
        }
        Value::List(self.items.into_iter().map(|(_, value)| value).collect())
    }

    fn outermost(self) -> Dictionary<'a> {
        let mut dictionary = Dictionary::new();
        let mut flags = Vec::new();
        for (key, value) in self.items {
            match key {
                Some(key) => dictionary.push(key.as_bytes(), value),
                None => flags.push(value),
            }
        }
        dictionary.set("flags", Value::List(flags));
        dictionary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_lists_and_dictionaries() {
        let read = parse(
            "replace-origin ptime=20 OSRTP=[accept] codec=[transcode=[PCMA PCMU] strip=[EVS]] symmetric",
        )
        .unwrap();
        let list = |words: &[&'static str]| Value::List(words.iter().map(|word| Value::text(word)).collect());
        assert_eq!(read.get("flags"), Some(&list(&["replace-origin", "symmetric"])));
        assert_eq!(read.get("ptime"), Some(&Value::text("20")));
        assert_eq!(read.get("OSRTP"), Some(&list(&["accept"])));
        let mut codec = Dictionary::new();
        codec.set("transcode", list(&["PCMA", "PCMU"]));
        codec.set("strip", list(&["EVS"]));
        assert_eq!(read.get("codec"), Some(&Value::Dictionary(codec)));
    }

    #[test]
    fn brackets_that_do_not_match_end_somewhere() {
        assert_eq!(parse("a=[b").unwrap().get("a"), Some(&Value::List(vec![Value::text("b")])));
        assert_eq!(parse("] ]a").unwrap().get("flags"), Some(&Value::List(vec![Value::text("a")])));
        assert_eq!(parse(&"[".repeat(10_000)), Err(Fault::TooDeep));
        assert_eq!(parse(&"x ".repeat(10_000)), Err(Fault::TooManyValues));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-c=\\[\\], ]{0,60}|.{0,60}") {
            let _ = parse(&text);
        }
    }
}
