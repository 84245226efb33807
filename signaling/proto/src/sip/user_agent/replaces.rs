//! Replaces (RFC 3891): a new dialog takes the place of one that there is.

use super::call::Stage;
use super::{CallHandle, UserAgent};
use crate::presence::DialogId;
use crate::sip::lexer::{Cursor, Problem, is_token};
use crate::sip::{HeaderError, HeaderName, Headers, Params};
use std::fmt;

/// Bytes of a Call-ID in a Replaces header field.
const MAX_CALL_ID: usize = 512;

/// Names a dialog, as whoever receives it sees it: the To tag is the receiver's own (RFC 3891 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Call-ID.
    pub call_id: String,
    /// The receiver's tag.
    pub to_tag: String,
    /// The tag of the receiver's peer.
    pub from_tag: String,
    /// Only a dialog that is not answered yet may be replaced.
    pub early_only: bool,
}

impl Replaces {
    /// Reads a value: `callid *( SEMI replaces-param )` (RFC 3891 section 6.1).
    pub(super) fn parse(text: &str) -> Result<Replaces, Problem> {
        let (call_id, params) = match text.split_once(';') {
            Some((call_id, _)) => (call_id.trim(), text.get(call_id.len()..).unwrap_or("")),
            None => return Err("the tags are missing"),
        };
        if call_id.is_empty() || call_id.len() > MAX_CALL_ID || !call_id.bytes().all(is_word_byte) {
            return Err("the Call-ID is malformed");
        }
        let mut cursor = Cursor::new(params);
        let params = Params::parse(&mut cursor)?;
        cursor.end()?;
        let tag = |name| params.get(name).filter(|tag| is_token(tag)).map(str::to_owned);
        let (Some(to_tag), Some(from_tag)) = (tag("to-tag"), tag("from-tag")) else {
            return Err("a tag is missing or malformed");
        };
        let early_only = params.has("early-only");
        Ok(Replaces { call_id: call_id.to_owned(), to_tag, from_tag, early_only })
    }

    /// The Replaces header field of an INVITE.
    ///
    /// # Errors
    /// It is malformed, or there are two, which is the same (RFC 3891 section 3).
    pub fn of(headers: &Headers) -> Result<Option<Replaces>, HeaderError> {
        let mut all = headers.all(HeaderName::Replaces);
        let Some(value) = all.next() else { return Ok(None) };
        let parsed = match all.next() {
            Some(_) => Err("a dialog can be replaced by one only"),
            None => Replaces::parse(value),
        };
        parsed.map(Some).map_err(|problem| HeaderError::new(HeaderName::Replaces, problem))
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        f.write_str(if self.early_only { ";early-only" } else { "" })
    }
}

/// RFC 3261 section 25.1: `callid = word [ "@" word ]`.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~()<>:\\\"/[]?{}@".contains(&byte)
}

/// What a dialog of ours is, that somebody names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Answered.
    Confirmed(CallHandle),
    /// Not answered yet; we called.
    Calling(CallHandle),
    /// Not answered yet; we are called.
    Called(CallHandle),
}

impl Named {
    /// The call.
    pub fn handle(self) -> CallHandle {
        match self {
            Named::Confirmed(call) | Named::Calling(call) | Named::Called(call) => call,
        }
    }
}

impl UserAgent {
    /// The call whose dialog with the peer this names.
    pub fn named(&self, replaces: &Replaces) -> Option<Named> {
        let key = (replaces.call_id.clone(), replaces.to_tag.clone());
        let handle = *self.calls_by_dialog.get(&key)?;
        let call = self.calls.get(&handle).filter(|call| call.is_ended.is_none())?;
        let is_with = |tag: &str| call.forks.iter().any(|fork| fork.dialog.remote_tag() == tag);
        // RFC 3891 section 3: a tag of zero matches a peer that has none.
        let matches = is_with(&replaces.from_tag) || (replaces.from_tag == "0" && is_with(""));
        matches.then_some(match call.stage {
            Stage::Calling => Named::Calling(handle),
            Stage::Ringing => Named::Called(handle),
            Stage::AwaitingAck | Stage::Established => Named::Confirmed(handle),
        })
    }

    /// The early dialog of a call that we make, as whoever is called sees it. `None` before it has sent a tag.
    pub fn early_dialog(&self, call: CallHandle) -> Option<DialogId> {
        let call = self.calls.get(&call).filter(|call| call.stage == Stage::Calling)?;
        let dialog = call.dialog()?;
        Some(DialogId {
            call_id: dialog.call_id.clone(),
            local_tag: dialog.remote_tag().to_owned(),
            remote_tag: dialog.local_tag().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_dialog_is_read_from_its_value() {
        // The example of RFC 3891 section 6.1, and one as clients write it.
        let read = Replaces::parse("98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff").unwrap();
        assert_eq!((read.call_id.as_str(), read.to_tag.as_str()), ("98732@sip.example.com", "ff87ff"));
        assert!(read.from_tag == "r33th4x0r" && !read.early_only);
        let early = Replaces::parse("12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only").unwrap();
        assert!(early.early_only);
        assert_eq!(early.to_string(), "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only");
    }

    #[test]
    fn what_names_no_dialog_is_refused() {
        for value in [
            "",
            "a",
            "a;to-tag=1",
            "a;from-tag=1",
            ";to-tag=1;from-tag=2",
            "a b;to-tag=1;from-tag=2",
            "a;to-tag=1;from-tag=2;to-tag=3",
            "a;to-tag=1;from-tag=\"2\"\"",
            "a;to-tag=;from-tag=2",
        ] {
            assert!(Replaces::parse(value).is_err(), "{value}");
        }
        let mut headers = Headers::new();
        assert_eq!(Replaces::of(&headers), Ok(None));
        headers.push(HeaderName::Replaces, "a;to-tag=1;from-tag=2");
        assert!(Replaces::of(&headers).is_ok_and(|each| each.is_some()));
        headers.push(HeaderName::Replaces, "b;to-tag=1;from-tag=2");
        assert!(Replaces::of(&headers).is_err(), "two of them");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(
            call_id in "[a-zA-Z0-9.@-]{1,40}", to_tag in "[a-z0-9.-]{1,20}", from_tag in "[a-z0-9.-]{1,20}", early_only in any::<bool>(),
        ) {
            let replaces = Replaces { call_id, to_tag, from_tag, early_only };
            prop_assert_eq!(Replaces::parse(&replaces.to_string()), Ok(replaces));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            if let Ok(replaces) = Replaces::parse(&text) {
                prop_assert_eq!(Replaces::parse(&replaces.to_string()), Ok(replaces));
            }
        }
    }
}
