//! Bencode: `i42e`, `3:abc`, `l...e`, `d...e`.

use super::value::Budget;
use super::{Dictionary, Encoding, Fault, Value};
use std::borrow::Cow;

/// A list or dictionary that is not closed yet.
enum Open<'a> {
    List(Vec<Value<'a>>),
    /// With the key whose value comes next.
    Dictionary(Dictionary<'a>, Option<Cow<'a, [u8]>>),
}

/// Reads a dictionary that is all of the body. Open lists and dictionaries wait on a stack of bounded height, so that
/// no input makes this recurse.
pub(super) fn parse(body: &[u8]) -> Result<Dictionary<'_>, Fault> {
    let mut reader = Reader { body, at: 0 };
    let mut budget = Budget::new();
    let mut stack: Vec<Open<'_>> = Vec::new();
    loop {
        budget.take()?;
        let value = match reader.peek() {
            Some(b'l') => {
                reader.at += 1;
                Budget::open(stack.len())?;
                stack.push(Open::List(Vec::new()));
                continue;
            }
            Some(b'd') => {
                reader.at += 1;
                Budget::open(stack.len())?;
                stack.push(Open::Dictionary(Dictionary::new(), None));
                continue;
            }
            Some(b'e') => {
                reader.at += 1;
                match stack.pop() {
                    Some(Open::List(list)) => Value::List(list),
                    Some(Open::Dictionary(dictionary, None)) => Value::Dictionary(dictionary),
                    Some(Open::Dictionary(_, Some(_))) => return reader.fault("a key has no value"),
                    None => return reader.fault("nothing is open that could end"),
                }
            }
            Some(b'i') => Value::Integer(reader.integer()?),
            Some(b'0'..=b'9') => Value::Bytes(Cow::Borrowed(reader.string()?)),
            Some(_) => return reader.fault("no value starts with this byte"),
            None => return reader.fault("the message ends too early"),
        };
        match stack.last_mut() {
            Some(Open::List(list)) => list.push(value),
            Some(Open::Dictionary(dictionary, key)) => match (key.take(), value) {
                (Some(key), value) => dictionary.push(key, value),
                (None, Value::Bytes(bytes)) => *key = Some(bytes),
                (None, _) => return reader.fault("a key is no string"),
            },
            None => return reader.finish(value),
        }
    }
}

struct Reader<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn fault<T>(&self, problem: &'static str) -> Result<T, Fault> {
        Err(Fault::Encoding { encoding: Encoding::Bencode, offset: self.at, problem })
    }

    /// The digits up to this byte, which is passed over.
    fn number_before(&mut self, end: u8) -> Result<i64, Fault> {
        let rest = self.body.get(self.at..).unwrap_or(&[]);
        // The longest number is -9223372036854775808.
        let Some(length) = rest.iter().take(21).position(|byte| *byte == end) else {
            return self.fault("a number does not end");
        };
        let digits = rest.get(..length).and_then(|digits| std::str::from_utf8(digits).ok());
        let is_number = digits
            .map(|digits| digits.strip_prefix('-').unwrap_or(digits))
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        match digits.filter(|_| is_number).and_then(|digits| digits.parse().ok()) {
            Some(number) => {
                self.at += length + 1;
                Ok(number)
            }
            None => self.fault("not a number of 64 bits"),
        }
    }

    fn integer(&mut self) -> Result<i64, Fault> {
        self.at += 1;
        self.number_before(b'e')
    }

    fn string(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.number_before(b':')?;
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        match end.and_then(|end| self.body.get(self.at..end)) {
            Some(bytes) => {
                self.at += bytes.len();
                Ok(bytes)
            }
            None => self.fault("a string is longer than the message"),
        }
    }

    /// The outermost value, which must be a dictionary with nothing but line ends behind it.
    fn finish(&self, value: Value<'a>) -> Result<Dictionary<'a>, Fault> {
        if !self.body.get(self.at..).unwrap_or(&[]).iter().all(u8::is_ascii_whitespace) {
            return self.fault("something follows the dictionary");
        }
        match value {
            Value::Dictionary(dictionary) => Ok(dictionary),
            _ => Err(Fault::NoDictionary),
        }
    }
}

/// Writes a dictionary. Its order is kept: no known reader asks for sorted keys.
pub(super) fn write(dictionary: &Dictionary<'_>, out: &mut Vec<u8>) {
    out.push(b'd');
    for (key, value) in dictionary.iter() {
        write_bytes(out, key);
        write_value(out, value);
    }
    out.push(b'e');
}

fn write_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Integer(number) => {
            out.push(b'i');
            if *number < 0 {
                out.push(b'-');
            }
            write_digits(out, number.unsigned_abs());
            out.push(b'e');
        }
        Value::Bytes(bytes) => write_bytes(out, bytes),
        Value::List(list) => {
            out.push(b'l');
            list.iter().for_each(|value| write_value(out, value));
            out.push(b'e');
        }
        Value::Dictionary(dictionary) => write(dictionary, out),
    }
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_digits(out, bytes.len() as u64);
    out.push(b':');
    out.extend_from_slice(bytes);
}

/// The number in decimal, without the allocation of a text: the figures of one call are some hundred numbers.
fn write_digits(out: &mut Vec<u8>, mut number: u64) {
    let start = out.len();
    loop {
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}

#[cfg(test)]
mod tests {
    use super::super::value::samples;
    use super::super::{MAX_DEPTH, MAX_VALUES};
    use super::*;
    use proptest::prelude::*;

    fn problem(body: &[u8]) -> (usize, &'static str) {
        match parse(body) {
            Err(Fault::Encoding { encoding: Encoding::Bencode, offset, problem }) => (offset, problem),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_what_the_modules_write() {
        let dictionary = parse(b"d8:supportsl10:load limite4:porti-12e0:0:7:command4:pinge").unwrap();
        assert_eq!(dictionary.get("supports"), Some(&Value::List(vec![Value::text("load limit")])));
        assert_eq!(dictionary.get("port"), Some(&Value::Integer(-12)));
        assert_eq!(dictionary.get(""), Some(&Value::text("")));
        assert_eq!(dictionary.get("command"), Some(&Value::text("ping")));
        assert_eq!(parse(b"de\r\n").unwrap(), Dictionary::new());
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        assert_eq!(problem(b"d7:command4:pin"), (12, "a string is longer than the message"));
        assert_eq!(problem(b"d7:command"), (10, "the message ends too early"));
        assert_eq!(problem(b"d7:commande"), (11, "a key has no value"));
        assert_eq!(problem(b"di1e1:ae"), (4, "a key is no string"));
        assert_eq!(problem(b"d1:ai1"), (5, "a number does not end"));
        assert_eq!(problem(b"d1:ai--1ee"), (5, "not a number of 64 bits"));
        assert_eq!(problem(b"d1:ai9223372036854775808ee"), (5, "not a number of 64 bits"));
        assert_eq!(problem(b"d1:aie"), (5, "not a number of 64 bits"));
        assert_eq!(problem(b"d1:ax"), (4, "no value starts with this byte"));
        assert_eq!(problem(b"dede"), (2, "something follows the dictionary"));
        assert_eq!(problem(b"d99999999999999999999999:"), (1, "a number does not end"));
    }

    #[test]
    fn nesting_and_size_are_bounded() {
        let nested = |depth: usize| [b"d1:a".to_vec(), vec![b'l'; depth - 1], vec![b'e'; depth]].concat();
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(parse(&nested(MAX_DEPTH + 1)), Err(Fault::TooDeep));
        assert_eq!(parse(&nested(10_000)), Err(Fault::TooDeep));
        let many = [b"d1:al".to_vec(), b"0:".repeat(MAX_VALUES), b"ee".to_vec()].concat();
        assert_eq!(parse(&many), Err(Fault::TooManyValues));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(dictionary in samples::dictionaries(false)) {
            let written = dictionary.encode(Encoding::Bencode);
            prop_assert_eq!(parse(&written).unwrap(), dictionary);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&[b"d".as_slice(), &bytes].concat());
        }

        #[test]
        fn no_likely_bytes_panic(text in "d[0-9dlie:-]{0,60}") {
            let _ = parse(text.as_bytes());
        }
    }
}
