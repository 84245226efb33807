//! `application/dialog-info+xml` (RFC 4235 section 4): the calls of a user.
//!
//! It says that there are calls, which way they go and how far they are, and neither with whom nor by which dialog: what
//! lights a lamp, and no more.

use crate::messaging::escape;

/// How far a call is (RFC 4235 section 3.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody rings yet.
    Trying,
    /// Somebody rings.
    Early,
    /// It is answered.
    Confirmed,
}

/// One call of the user who is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// Names it among the user's calls.
    pub id: u64,
    /// Whether the user made it.
    pub is_caller: bool,
    /// How far it is.
    pub stage: Stage,
}

/// The document: the full state, number `version` of those that this subscriber gets, of the user at the URI `entity`.
pub fn write_dialogs(version: u32, entity: &str, dialogs: &[Dialog]) -> String {
    let mut document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" state=\"full\" \
         entity=\"{}\">\r\n",
        escape(entity)
    );
    for Dialog { id, is_caller, stage } in dialogs {
        let direction = if *is_caller { "initiator" } else { "recipient" };
        let state = match stage {
            Stage::Trying => "trying",
            Stage::Early => "early",
            Stage::Confirmed => "confirmed",
        };
        document.push_str(&format!(
            "<dialog id=\"{id}\" direction=\"{direction}\"><state>{state}</state></dialog>\r\n"
        ));
    }
    document.push_str("</dialog-info>\r\n");
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_call_and_nothing_to_take_it_over_by() {
        let dialogs = [
            Dialog { id: 7, is_caller: true, stage: Stage::Confirmed },
            Dialog { id: 8, is_caller: false, stage: Stage::Early },
        ];
        let document = write_dialogs(3, "sip:a&b@example.com", &dialogs);
        assert!(document.contains("version=\"3\" state=\"full\" entity=\"sip:a&amp;b@example.com\""));
        assert!(document.contains("<dialog id=\"7\" direction=\"initiator\"><state>confirmed</state>"));
        assert!(document.contains("<dialog id=\"8\" direction=\"recipient\"><state>early</state>"));
        assert!(!document.contains("tag") && !document.contains("call-id"));
    }
}
