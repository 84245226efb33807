//! The header fields of a message, in their order, as text.

use super::header_name::HeaderName;

/// A header field that is missing or does not follow its grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{header}: {problem}")]
pub struct HeaderError {
    /// Which.
    pub header: HeaderName,
    /// What is wrong with it: words for a reason phrase or a log, none of them the sender's.
    pub problem: &'static str,
}

impl HeaderError {
    /// An error.
    pub fn new(header: HeaderName, problem: &'static str) -> HeaderError {
        HeaderError { header, problem }
    }
}

/// The header fields of a message in their order.
///
/// Lists of hops and addresses (Via, Route, Record-Route, Contact, Path ...) are kept one element an entry, whether they
/// came on one line or on several; other comma lists stay as they came (see [`Headers::tokens`]). Content-Length is not
/// kept: the body's length is the truth, and [`super::Message::to_bytes`] writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    fields: Vec<(HeaderName, String)>,
}

impl Headers {
    /// No header fields.
    pub fn new() -> Headers {
        Headers::default()
    }

    /// The first value of this name.
    pub fn get(&self, name: HeaderName) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }

    /// Every value of this name, in order.
    pub fn all(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(field, _)| *field == name).map(|(_, value)| value.as_str())
    }

    /// Every header field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.fields.iter().map(|(name, value)| (name, value.as_str()))
    }

    /// How many header fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Adds a header field after all others. `value` is one element where the name is a list of addresses or hops.
    pub fn push(&mut self, name: HeaderName, value: impl ToString) {
        self.fields.push((name, one_line(value.to_string())));
    }

    /// Adds a header field before all others: a Via, or a Record-Route above those present.
    pub fn push_front(&mut self, name: HeaderName, value: impl ToString) {
        self.fields.insert(0, (name, one_line(value.to_string())));
    }

    /// Replaces every value of this name by one, in the place of the first; adds it at the end where there was none.
    pub fn set(&mut self, name: HeaderName, value: impl ToString) {
        let value = one_line(value.to_string());
        match self.fields.iter().position(|(field, _)| *field == name) {
            Some(first) => {
                let mut index = 0;
                self.fields.retain(|(field, _)| {
                    index += 1;
                    index - 1 <= first || *field != name
                });
                if let Some(field) = self.fields.get_mut(first) {
                    field.1 = value;
                }
            }
            None => self.fields.push((name, value)),
        }
    }

    /// Replaces the first value of this name (the topmost Via, say) and keeps the others. False where there is none.
    pub fn set_first(&mut self, name: HeaderName, value: impl ToString) -> bool {
        match self.fields.iter_mut().find(|(field, _)| *field == name) {
            Some(field) => {
                field.1 = one_line(value.to_string());
                true
            }
            None => false,
        }
    }

    /// Removes every value of this name; true if there was one.
    pub fn remove(&mut self, name: HeaderName) -> bool {
        let before = self.fields.len();
        self.fields.retain(|(field, _)| *field != name);
        self.fields.len() != before
    }

    /// Keeps only the header fields whose names are accepted.
    pub(super) fn retain(&mut self, accept: impl Fn(&HeaderName) -> bool) {
        self.fields.retain(|(name, _)| accept(name));
    }

    /// Removes and returns the first value of this name: the topmost Via of a response on its way back.
    pub fn remove_first(&mut self, name: HeaderName) -> Option<String> {
        let index = self.fields.iter().position(|(field, _)| *field == name)?;
        Some(self.fields.remove(index).1)
    }
}

/// A value never holds a line end: otherwise what one peer sent in a display name would be a header field to another.
fn one_line(mut value: String) -> String {
    if value.contains(['\r', '\n']) {
        value = value.replace(['\r', '\n'], " ");
    }
    value
}
