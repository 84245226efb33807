//! `application/reginfo+xml` (RFC 3680 section 5): where a user is registered.

use crate::messaging::escape;

/// One place where a user is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its URI.
    pub uri: String,
    /// Seconds that are left.
    pub expires: u64,
}

/// The document: the full state, number `version` of those that this subscriber gets, of the user at the URI `aor`.
pub fn write_registration(version: u32, aor: &str, contacts: &[Contact]) -> String {
    let state = if contacts.is_empty() { "terminated" } else { "active" };
    let mut document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"{version}\" state=\"full\">\r\n\
         <registration aor=\"{}\" id=\"r\" state=\"{state}\">\r\n",
        escape(aor)
    );
    for (index, Contact { uri, expires }) in contacts.iter().enumerate() {
        document.push_str(&format!(
            "<contact id=\"c{index}\" state=\"active\" event=\"registered\" expires=\"{expires}\"><uri>{}</uri></contact>\r\n",
            escape(uri)
        ));
    }
    document.push_str("</registration>\r\n</reginfo>\r\n");
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_contact() {
        let contacts = [Contact { uri: "sip:a@192.0.2.1?x=1&y=2".to_owned(), expires: 60 }];
        let document = write_registration(0, "sip:alice@example.com", &contacts);
        assert!(document.contains("aor=\"sip:alice@example.com\" id=\"r\" state=\"active\""));
        assert!(document.contains("expires=\"60\"><uri>sip:a@192.0.2.1?x=1&amp;y=2</uri>"));
        assert!(write_registration(1, "sip:a@b", &[]).contains("state=\"terminated\""));
    }
}
