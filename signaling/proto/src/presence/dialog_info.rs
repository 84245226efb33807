//! `application/dialog-info+xml` (RFC 4235 section 4): the calls of a user.
//!
//! It says that there are calls, which way they go and how far they are, and not with whom: what lights a lamp, and no more.
//! Only who may answer a call that rings is told by which dialog, so that it can (RFC 3891).

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

/// Names a dialog, as the telephone of the user who is watched sees it (RFC 4235 section 4.1.1). Whoever takes the
/// telephone's place names its peer's view: the `to-tag` of its Replaces is `remote_tag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: String,
    /// The telephone's tag.
    pub local_tag: String,
    /// The tag of the telephone's peer.
    pub remote_tag: String,
}

/// One call of the user who is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// Names it among the user's calls.
    pub id: u64,
    /// Whether the user made it.
    pub is_caller: bool,
    /// How far it is.
    pub stage: Stage,
    /// The dialog that somebody else may answer.
    pub early: Option<DialogId>,
}

/// The document: the full state, number `version` of those that this subscriber gets, of the user at the URI `entity`.
pub fn write_dialogs(version: u32, entity: &str, dialogs: &[Dialog]) -> String {
    let mut document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" state=\"full\" \
         entity=\"{}\">\r\n",
        escape(entity)
    );
    for Dialog { id, is_caller, stage, early } in dialogs {
        let direction = if *is_caller { "initiator" } else { "recipient" };
        let state = match stage {
            Stage::Trying => "trying",
            Stage::Early => "early",
            Stage::Confirmed => "confirmed",
        };
        let names = early.as_ref().map(attributes).unwrap_or_default();
        document.push_str(&format!(
            "<dialog id=\"{id}\"{names} direction=\"{direction}\"><state>{state}</state></dialog>\r\n"
        ));
    }
    document.push_str("</dialog-info>\r\n");
    document
}

fn attributes(dialog: &DialogId) -> String {
    let DialogId { call_id, local_tag, remote_tag } = dialog;
    let [call_id, local_tag, remote_tag] = [call_id, local_tag, remote_tag].map(|text| escape(text));
    format!(" call-id=\"{call_id}\" local-tag=\"{local_tag}\" remote-tag=\"{remote_tag}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_call_and_nothing_to_take_it_over_by() {
        let dialogs = [
            Dialog { id: 7, is_caller: true, stage: Stage::Confirmed, early: None },
            Dialog { id: 8, is_caller: false, stage: Stage::Early, early: None },
        ];
        let document = write_dialogs(3, "sip:a&b@example.com", &dialogs);
        assert!(document.contains("version=\"3\" state=\"full\" entity=\"sip:a&amp;b@example.com\""));
        assert!(document.contains("<dialog id=\"7\" direction=\"initiator\"><state>confirmed</state>"));
        assert!(document.contains("<dialog id=\"8\" direction=\"recipient\"><state>early</state>"));
        assert!(!document.contains("tag") && !document.contains("call-id"));
    }

    #[test]
    fn a_dialog_that_may_be_answered_has_its_names() {
        let early =
            DialogId { call_id: "a<b@c".into(), local_tag: "theirs".into(), remote_tag: "ours".into() };
        let dialog = Dialog { id: 8, is_caller: false, stage: Stage::Early, early: Some(early) };
        let document = write_dialogs(3, "sip:bob@example.com", &[dialog]);
        let names =
            "<dialog id=\"8\" call-id=\"a&lt;b@c\" local-tag=\"theirs\" remote-tag=\"ours\" direction=";
        assert!(document.contains(names), "{document}");
    }
}
