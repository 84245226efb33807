//! As much bencode as a client of rtpengine's NG protocol needs.

/// A dictionary entry's value.
pub(crate) enum Value<'a> {
    /// A string.
    Text(&'a str),
    /// A list of strings.
    List(&'a [&'a str]),
}

/// Encodes a dictionary. Keys must come sorted, as bencode wants them.
pub(crate) fn dictionary(entries: &[(&str, Value<'_>)]) -> String {
    let mut text = String::from("d");
    for (key, value) in entries {
        text += &string(key);
        match value {
            Value::Text(value) => text += &string(value),
            Value::List(values) => {
                text.push('l');
                values.iter().for_each(|value| text += &string(value));
                text.push('e');
            }
        }
    }
    text.push('e');
    text
}

fn string(text: &str) -> String {
    format!("{}:{text}", text.len())
}

/// The string value behind `key` in an encoded dictionary.
pub(crate) fn find<'a>(reply: &'a str, key: &str) -> Option<&'a str> {
    let marker = string(key);
    let (_, rest) = reply.split_once(&marker)?;
    let (length, rest) = rest.split_once(':')?;
    rest.get(..length.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_found() {
        let text = dictionary(&[("flags", Value::List(&["a", "bc"])), ("sdp", Value::Text("v=0\r\n"))]);
        assert_eq!(text, "d5:flagsl1:a2:bce3:sdp5:v=0\r\ne");
        assert_eq!(find(&text, "sdp"), Some("v=0\r\n"));
        assert_eq!(find(&text, "result"), None);
    }
}
