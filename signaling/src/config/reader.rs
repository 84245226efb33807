//! Reads TOML tables key by key and remembers everything that is wrong with them, each with its line.
//!
//! Values are never quoted back where they could be secrets: a problem names the key, what it must be, and the line.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How far a misspelt name may be from a known one to be suggested, in edits.
const MAX_SUGGESTION_DISTANCE: usize = 3;

/// One thing that is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what would be right.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.text)
    }
}

/// A file's text, and the problems found in it so far.
pub(super) struct Document<'a> {
    file: &'a Path,
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Document<'a> {
        Document { file, text, problems: RefCell::default() }
    }

    /// Notes a problem at a byte offset of the text.
    pub(super) fn problem(&self, offset: usize, text: impl Into<String>) {
        let line = 1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        let problem = Problem { file: self.file.to_owned(), line, text: text.into() };
        self.problems.borrow_mut().push(problem);
    }

    /// The problems in the order of their lines.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    /// The value.
    pub(super) value: T,
    /// Where it stands, for [`Document::problem`].
    pub(super) offset: usize,
}

/// One table. Keys that were never asked for are unknown: [`Section::finish`] reports them.
pub(super) struct Section<'a> {
    document: &'a Document<'a>,
    name: String,
    offset: usize,
    table: Option<&'a DeTable<'a>>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    pub(super) fn root(document: &'a Document<'a>, table: &'a Spanned<DeTable<'a>>) -> Section<'a> {
        Section::new(document, String::new(), table.span().start, Some(table.get_ref()))
    }

    fn new(
        document: &'a Document<'a>,
        name: String,
        offset: usize,
        table: Option<&'a DeTable<'a>>,
    ) -> Section<'a> {
        Section { document, name, offset, table, asked: RefCell::default() }
    }

    /// Where the table begins.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Whether the key is present.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.table?.get(key)
    }

    /// Notes a problem in the document.
    pub(super) fn problem(&self, offset: usize, text: impl Into<String>) {
        self.document.problem(offset, text);
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let found = value.get_ref().type_str();
        self.problem(
            value.span().start,
            format!("{} must be {wanted}, not of type {found}", self.title(key)),
        );
    }

    /// The key, as problems name it.
    pub(super) fn title(&self, key: &str) -> String {
        if self.name.is_empty() { format!("`{key}`") } else { format!("`{key}` in [{}]", self.name) }
    }

    pub(super) fn string(&self, key: &'static str) -> Option<Placed<String>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Placed { value: text.to_string(), offset: value.span().start }),
            _ => {
                self.wrong_type(key, value, "a string in quotes");
                None
            }
        }
    }

    /// A string for which `parse` gives a value; `wanted` says what it must be.
    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Placed<T>> {
        let text = self.string(key)?;
        let value = parse(&text.value);
        if value.is_none() {
            self.problem(text.offset, format!("{} must be {wanted}", self.title(key)));
        }
        Some(Placed { value: value?, offset: text.offset })
    }

    /// One string or a list of strings, each of which `parse` understands.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<Placed<T>>> {
        let value = self.get(key)?;
        let one = std::slice::from_ref(value);
        let items = match value.get_ref() {
            DeValue::String(_) => one,
            DeValue::Array(items) => items.as_ref(),
            _ => {
                self.wrong_type(key, value, &format!("a list of strings, each {wanted}"));
                return None;
            }
        };
        let mut list = Vec::new();
        for item in items {
            match item.get_ref().as_str().and_then(&parse) {
                Some(value) => list.push(Placed { value, offset: item.span().start }),
                None => self.problem(item.span().start, format!("{} must be {wanted}", self.title(key))),
            }
        }
        Some(list)
    }

    pub(super) fn boolean(&self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        if let DeValue::Boolean(value) = value.get_ref() {
            return Some(*value);
        }
        self.wrong_type(key, value, "true or false");
        None
    }

    /// A date, or a date with a time and its offset from UTC; without them midnight and UTC are meant.
    pub(super) fn moment(&self, key: &'static str) -> Option<Placed<SystemTime>> {
        let value = self.get(key)?;
        let DeValue::Datetime(moment) = value.get_ref() else {
            self.wrong_type(key, value, "a date like 2030-12-31 or 2030-12-31T18:00:00Z, without quotes");
            return None;
        };
        let offset = value.span().start;
        let seconds = moment.date.map(|date| {
            let time = moment.time.map_or(0, |time| {
                i64::from(time.hour) * 3600
                    + i64::from(time.minute) * 60
                    + i64::from(time.second.unwrap_or_default())
            });
            let east = match moment.offset {
                Some(toml::value::Offset::Custom { minutes }) => i64::from(minutes) * 60,
                Some(toml::value::Offset::Z) | None => 0,
            };
            days_from_1970(i64::from(date.year), i64::from(date.month), i64::from(date.day)) * 86_400 + time
                - east
        });
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        if seconds.is_none() {
            self.problem(offset, format!("{} must have a date after 1970", self.title(key)));
        }
        Some(Placed { value: UNIX_EPOCH + Duration::from_secs(seconds?), offset })
    }

    pub(super) fn integer(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<Placed<u64>> {
        let value = self.get(key)?;
        self.in_range(key, value, range)
    }

    /// A number that is one of these.
    pub(super) fn one_of(&self, key: &'static str, known: &[u8]) -> Option<Placed<u8>> {
        let number = self.integer(key, 0..=u64::from(u8::MAX))?;
        let value = known.iter().copied().find(|known| u64::from(*known) == number.value);
        if value.is_none() {
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            self.problem(number.offset, format!("{} must be one of {}", self.title(key), known.join(", ")));
        }
        Some(Placed { value: value?, offset: number.offset })
    }

    fn in_range(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        range: RangeInclusive<u64>,
    ) -> Option<Placed<u64>> {
        let (low, high) = (range.start(), range.end());
        let DeValue::Integer(digits) = value.get_ref() else {
            self.wrong_type(key, value, &format!("a number from {low} to {high}"));
            return None;
        };
        let number = u64::from_str_radix(digits.as_str(), digits.radix()).ok();
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let title = self.title(key);
            self.problem(value.span().start, format!("{title} must be a number from {low} to {high}"));
        }
        Some(Placed { value: number?, offset: value.span().start })
    }

    /// A port, or `false`: do not listen. The outer `None`: not said (or wrong).
    pub(super) fn port(&self, key: &'static str) -> Option<Option<Placed<u16>>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(false) => Some(None),
            DeValue::Integer(_) => {
                let Placed { value, offset } = self.in_range(key, value, 1..=65535)?;
                Some(Some(Placed { value: u16::try_from(value).ok()?, offset }))
            }
            _ => {
                self.wrong_type(key, value, "a port from 1 to 65535, or false to switch it off");
                None
            }
        }
    }

    /// Whether the key is there and has an empty list.
    pub(super) fn is_empty_list(&self, key: &'static str) -> bool {
        self.get(key)
            .is_some_and(|value| matches!(value.get_ref(), DeValue::Array(items) if items.is_empty()))
    }

    /// Whether the key is there and says `false`.
    pub(super) fn is_false(&self, key: &'static str) -> bool {
        self.get(key).is_some_and(|value| matches!(value.get_ref(), DeValue::Boolean(false)))
    }

    /// The table of that name; an absent one reads as empty.
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        let Some(value) = self.get(key) else {
            return Section::new(self.document, key.to_owned(), self.offset, None);
        };
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, value, &format!("a table: [{key}]"));
        }
        Section::new(self.document, key.to_owned(), value.span().start, table)
    }

    /// The tables of an array of tables (`[[key]]`); an absent one reads as empty.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let name = if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) };
        let wrong = |value| self.wrong_type(key, value, &format!("an array of tables: [[{name}]]"));
        let DeValue::Array(items) = value.get_ref() else {
            wrong(value);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items.as_ref() {
            match item.get_ref() {
                DeValue::Table(table) => {
                    sections.push(Section::new(self.document, name.clone(), item.span().start, Some(table)));
                }
                _ => wrong(item),
            }
        }
        sections
    }

    /// Reports every key that was not asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if asked.contains(&name) {
                continue;
            }
            let mut text = format!("unknown setting {}", self.title(name));
            match closest(name, &asked) {
                Some(known) => text += &format!("; did you mean `{known}`?"),
                None => text += &format!("; known here: {}", asked.join(", ")),
            }
            self.problem(key.span().start, text);
        }
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that a leap day is the last
/// of its year; 400 of them have 146,097 days.
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

/// The known name that is the fewest edits away, if any is near.
pub(super) fn closest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let limit = MAX_SUGGESTION_DISTANCE.min(name.chars().count().div_ceil(2));
    known
        .iter()
        .map(|known| (distance(name, known), *known))
        .min()
        .filter(|(distance, _)| *distance <= limit)
        .map(|(_, known)| known)
}

/// The Levenshtein distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&right) {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *cell;
            *cell = replaced.min(before + 1).min(*cell + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar() {
        assert_eq!(days_from_1970(1970, 1, 1), 0);
        assert_eq!(days_from_1970(2000, 2, 29), 11_016);
        assert_eq!(days_from_1970(2000, 3, 1), 11_017);
        assert_eq!(days_from_1970(2026, 12, 31), 20_818);
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("port", "port"), 0);
    }

    #[test]
    fn a_misspelling_is_recognised_and_a_stranger_is_not() {
        assert_eq!(closest("ip_locl", &["ip", "ip_local", "sip"]), Some("ip_local"));
        assert_eq!(closest("weather", &["ip", "ip_local", "sip"]), None);
    }
}
