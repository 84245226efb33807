//! The arguments of a message.

use super::{FrameError, MAX_NAME, MAX_SDP};
use serde_json::{Map, Value};

/// The arguments of a message by name. Reading a field takes it out, so that a password is in no second place.
pub(super) struct Fields {
    object: Map<String, Value>,
}

impl Fields {
    /// One object with everything in it, or, from the oldest clients, values in the order of `names`.
    pub(super) fn new(arguments: Vec<Value>, names: &[&str]) -> Fields {
        let mut arguments = arguments.into_iter();
        let object = match arguments.next() {
            Some(Value::Object(object)) => object,
            Some(first) => {
                let values = std::iter::once(first).chain(arguments);
                names.iter().map(|name| (*name).to_owned()).zip(values).collect()
            }
            None => Map::new(),
        };
        Fields { object }
    }

    /// A text, or a number in its place; `None` where it is missing, null or empty.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, FrameError> {
        self.long_text(key, MAX_NAME)
    }

    /// The same of up to `limit` bytes.
    pub(super) fn long_text(&mut self, key: &str, limit: usize) -> Result<Option<String>, FrameError> {
        match self.object.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() <= limit => {
                Ok(Some(text).filter(|text| !text.is_empty()))
            }
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(FrameError::Malformed("a field is no text, or too long")),
        }
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, key: &str, missing: &'static str) -> Result<String, FrameError> {
        self.text(key)?.ok_or(FrameError::Malformed(missing))
    }

    /// A list of texts, or one text with commas between them; an absent one is empty.
    pub(super) fn texts(&mut self, key: &str, most: usize) -> Result<Vec<String>, FrameError> {
        let wrong = || FrameError::Malformed("a list is too long, or holds something else than texts");
        let texts: Vec<String> = match self.object.remove(key) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => text.split(',').map(|each| each.trim().to_owned()).collect(),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(wrong()),
        };
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        if texts.len() > most || texts.iter().any(|text| text.len() > MAX_NAME) {
            return Err(wrong());
        }
        Ok(texts)
    }

    pub(super) fn call_id(&mut self) -> Result<String, FrameError> {
        self.required("callId", "callId is missing")
    }

    /// A description that must be there.
    pub(super) fn sdp(&mut self) -> Result<String, FrameError> {
        self.optional_sdp()?.ok_or(FrameError::Malformed("sdp is missing"))
    }

    pub(super) fn optional_sdp(&mut self) -> Result<Option<String>, FrameError> {
        match self.object.remove("sdp") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(sdp)) if sdp.len() <= MAX_SDP && !sdp.is_empty() => Ok(Some(sdp)),
            Some(_) => Err(FrameError::Malformed("sdp is no text, empty or too long")),
        }
    }

    /// A description, where there is one that can be read at all.
    pub(super) fn usable_sdp(&mut self) -> Option<String> {
        self.optional_sdp().ok().flatten()
    }

    /// Any value, of up to `limit` bytes of JSON.
    pub(super) fn small_value(&mut self, key: &str, limit: usize) -> Result<Option<Value>, FrameError> {
        match self.value(key) {
            Value::Null => Ok(None),
            value if value.to_string().len() <= limit => Ok(Some(value)),
            _ => Err(FrameError::Malformed("a field is too long")),
        }
    }

    /// A whole number up to `most`, as a number or as a text.
    pub(super) fn number(&mut self, key: &str, most: u32) -> Result<Option<u32>, FrameError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let number = text.trim().parse().ok().filter(|number| *number <= most);
        number.map(Some).ok_or(FrameError::Malformed("a field is no number, or too large"))
    }

    /// A port, as a number or as the text of an input field.
    pub(super) fn port(&mut self, key: &str) -> Result<Option<u16>, FrameError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match text.trim().parse() {
            Ok(0) | Err(_) => Err(FrameError::Malformed("the port is malformed")),
            Ok(port) => Ok(Some(port)),
        }
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> Result<bool, FrameError> {
        match self.object.remove(key) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
            Some(_) => Err(FrameError::Malformed("a field is neither true nor false")),
        }
    }

    /// Whatever is there; null where nothing is.
    pub(super) fn value(&mut self, key: &str) -> Value {
        self.object.remove(key).unwrap_or_default()
    }

    /// The fields of an object inside; an absent one, or what is no object, reads as empty.
    pub(super) fn object(&mut self, key: &str) -> Fields {
        match self.object.remove(key) {
            Some(Value::Object(object)) => Fields { object },
            _ => Fields { object: Map::new() },
        }
    }
}
