//! Just enough XML for disposition notifications: elements and text are read; attributes, comments and processing
//! instructions are passed over. A document type is refused, so that there are no entities to expand.

/// Elements and texts of one document, at most: a notification has a dozen.
const MAX_EVENTS: usize = 256;

/// What is found in a document, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// An element begins. Its name without the prefix of its namespace.
    Start(&'a str),
    /// An element ends.
    End(&'a str),
    /// An element that is empty.
    Empty(&'a str),
    /// Text between tags, not unescaped, without the white space around it; never empty.
    Text(&'a str),
}

/// The events of a document. `None`: it is not XML as it is read here, or has too many.
pub(super) fn events(mut document: &str) -> Option<Vec<Event<'_>>> {
    let mut events = Vec::new();
    while let Some((text, rest)) = document.split_once('<') {
        let text = text.trim();
        if !text.is_empty() {
            events.push(Event::Text(text));
        }
        if let Some(comment) = rest.strip_prefix("!--") {
            document = comment.split_once("-->")?.1;
            continue;
        }
        if let Some(instruction) = rest.strip_prefix('?') {
            document = instruction.split_once("?>")?.1;
            continue;
        }
        let (tag, rest) = split_tag(rest)?;
        document = rest;
        events.push(match (tag.strip_prefix('/'), tag.strip_suffix('/')) {
            (Some(name), _) => Event::End(local_name(name)?),
            (None, Some(name)) => Event::Empty(local_name(name)?),
            (None, None) => Event::Start(local_name(tag)?),
        });
        if events.len() > MAX_EVENTS {
            return None;
        }
    }
    Some(events)
}

/// The inside of a tag and what follows it. A quoted attribute may hold the closing bracket.
fn split_tag(rest: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (index, byte) in rest.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            (None, b'>') => return Some((rest.get(..index)?, rest.get(index + 1..)?)),
            (None, b'<') => return None,
            _ => {}
        }
    }
    None
}

/// The name that a tag begins with; `!DOCTYPE` and the like are none.
fn local_name(tag: &str) -> Option<&str> {
    let name = tag.split([' ', '\t', '\r', '\n']).next().unwrap_or("");
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if name.is_empty() || !name.chars().all(letter) {
        return None;
    }
    Some(name.rsplit_once(':').map_or(name, |(_, local)| local)).filter(|local| !local.is_empty())
}

/// Text with the five predefined entities resolved; others stay as they are.
pub(super) fn unescape(text: &str) -> String {
    // The ampersand last, so that what it yields is not resolved again.
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

/// Text as it may stand in an element or a quoted attribute. Characters that XML 1.0 does not know are left out.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            // Section 2.2: Char.
            '\u{0}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => {}
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_and_texts_are_found() {
        let document = "<?xml version='1.0'?><!-- <no/> --><a:b x='1>2' y=\"<\"> text &amp; more <c/></a:b>";
        let expected =
            [Event::Start("b"), Event::Text("text &amp; more"), Event::Empty("c"), Event::End("b")];
        assert_eq!(events(document).unwrap(), expected);
    }

    #[test]
    fn what_could_be_expanded_is_refused() {
        assert_eq!(events("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), None);
        assert_eq!(events("<![CDATA[x]]>"), None);
        assert_eq!(events("<a"), None);
        assert_eq!(events("<a b='>"), None);
        assert_eq!(events(&"<a>".repeat(MAX_EVENTS + 1)), None);
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_one_text_that_reads_the_same(text in "[^\\x00-\\x1F\\x7F\u{FFFE}\u{FFFF}]{1,40}") {
            let document = format!("<a>.{}.</a>", escape(&text));
            let events = events(&document).unwrap();
            let Some(Event::Text(read)) = events.get(1) else { panic!("no text in {events:?}") };
            prop_assert_eq!(unescape(read), format!(".{text}."));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "[<>/!?a-c:\"'& -]{0,60}") {
            let _ = events(&text);
        }
    }
}
