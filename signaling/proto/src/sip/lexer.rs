//! A cursor over one unfolded header field value.

/// The value does not follow its grammar; the words say how.
pub(super) type Problem = &'static str;

/// RFC 3261 section 25.1, `token`.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// Whether the text is a `token`.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// A place in a text. It moves only forward, over whole characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { rest: text }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    /// Linear white space; folds are already blanks.
    pub(super) fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// Takes this ASCII character, with the white space around it (`SEMI`, `EQUAL`, `SLASH`, `COLON` ... of the grammar).
    pub(super) fn eat(&mut self, character: char) -> bool {
        match self.rest.trim_start_matches([' ', '\t']).strip_prefix(character) {
            Some(rest) => {
                self.rest = rest.trim_start_matches([' ', '\t']);
                true
            }
            None => false,
        }
    }

    /// Takes the longest run of such bytes, all of them ASCII.
    pub(super) fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a str {
        let end =
            self.rest.bytes().position(|byte| !byte.is_ascii() || !accept(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Leaves one character out.
    pub(super) fn skip_character(&mut self) {
        let mut characters = self.rest.chars();
        characters.next();
        self.rest = characters.as_str();
    }

    pub(super) fn token(&mut self) -> Result<&'a str, Problem> {
        match self.take_while(is_token_byte) {
            "" => Err("a token is missing"),
            token => Ok(token),
        }
    }

    /// Only white space is left.
    pub(super) fn end(mut self) -> Result<(), Problem> {
        self.skip_space();
        if self.rest.is_empty() { Ok(()) } else { Err("something follows the value") }
    }

    /// A quoted string, unescaped. The cursor stands on its opening quote.
    pub(super) fn quoted_string(&mut self) -> Result<String, Problem> {
        let inner = self.rest.strip_prefix('"').ok_or("a quoted string is missing")?;
        let mut text = String::new();
        let mut characters = inner.char_indices();
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = inner.get(index + 1..).unwrap_or("");
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    // RFC 3261 section 25.1: quoted-pair escapes any character of 7 bits but CR and LF.
                    Some((_, escaped)) if escaped.is_ascii() => text.push(escaped),
                    Some(_) => return Err("a backslash stands before a character beyond ASCII"),
                    None => break,
                },
                '\t' => text.push(' '),
                _ if character.is_ascii_control() => return Err("a quoted string holds a control character"),
                _ => text.push(character),
            }
        }
        Err("a quoted string is not closed")
    }
}

/// Writes a quoted string, escaped.
pub(super) fn write_quoted(f: &mut impl std::fmt::Write, text: &str) -> std::fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            // A quoted-pair cannot carry these two.
            '\r' | '\n' => f.write_char(' ')?,
            '"' | '\\' => write!(f, "\\{character}")?,
            _ if character.is_ascii_control() => write!(f, "\\{character}")?,
            _ => f.write_char(character)?,
        }
    }
    f.write_char('"')
}

/// Splits a list at its commas, but not inside quoted strings or angle brackets. Elements are trimmed, none is empty.
pub(super) fn split_commas(text: &str) -> Result<Vec<&str>, Problem> {
    let mut elements = Vec::new();
    let (mut start, mut quoted, mut escaped, mut angle) = (0, false, false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'<' => angle = true,
            b'>' => angle = false,
            b',' if !angle => {
                elements.push(text.get(start..index).unwrap_or(""));
                start = index + 1;
            }
            _ => {}
        }
    }
    if quoted || angle {
        return Err("a quoted string or an angle bracket is not closed");
    }
    elements.push(text.get(start..).unwrap_or(""));
    for element in &mut elements {
        *element = element.trim_matches([' ', '\t']);
        if element.is_empty() {
            return Err("a list has an empty element");
        }
    }
    Ok(elements)
}
