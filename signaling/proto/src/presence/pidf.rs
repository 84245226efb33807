//! `application/pidf+xml` (RFC 3863): whether a user can be reached, and (RFC 4480) whether it is in a call.

use crate::messaging::escape;

/// What those who watch a user see of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// It is registered or logged in somewhere.
    pub is_open: bool,
    /// It talks, or calls somebody.
    pub is_on_the_phone: bool,
}

/// The document of the user at the URI `entity`. It names no contact but that address: where somebody is concerns nobody.
pub fn write_presence(entity: &str, presence: Presence) -> String {
    let entity = escape(entity);
    let basic = if presence.is_open { "open" } else { "closed" };
    // RFC 4480 section 3.2: an activity is one of the person's, not of a way to reach it.
    let person = match presence.is_on_the_phone {
        true => "<dm:person id=\"p\"><rpid:activities><rpid:on-the-phone/></rpid:activities></dm:person>\r\n",
        false => "",
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"{entity}\">\r\n\
         <tuple id=\"t\"><status><basic>{basic}</basic></status><contact>{entity}</contact></tuple>\r\n\
         {person}</presence>\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_tells_whether_somebody_is_there_and_talks() {
        let document = |is_open, is_on_the_phone| {
            write_presence("sip:a&b@example.com", Presence { is_open, is_on_the_phone })
        };
        let free = document(true, false);
        assert!(free.contains("entity=\"sip:a&amp;b@example.com\"") && free.contains("<basic>open</basic>"));
        assert!(!free.contains("on-the-phone"));
        assert!(document(true, true).contains("<rpid:activities><rpid:on-the-phone/></rpid:activities>"));
        assert!(document(false, false).contains("<basic>closed</basic>"));
    }
}
