//! Documents that browsers get from the XCAP servers of their domains.

use super::browsers::BrowserId;
use super::{Output, Switch};
use crate::party::Cause;
use crate::settings::XcapRoot;
use crate::table::shrink;
use crate::wcs::ServerMessage;
use std::collections::HashMap;

/// Documents that are asked for at once, and those of one browser.
const MAX_QUERIES: usize = 256;
const MAX_OF_BROWSER: usize = 2;
/// The message that asks for one.
const REQUEST: &str = "sendXcapRequest";

/// Who waits for documents.
#[derive(Debug, Default)]
pub(super) struct XcapQueries {
    last: u64,
    open: HashMap<u64, BrowserId>,
}

impl XcapQueries {
    fn begin(&mut self, browser: BrowserId) -> Result<u64, Cause> {
        let of_browser = self.open.values().filter(|each| **each == browser).count();
        if self.open.len() >= MAX_QUERIES || of_browser >= MAX_OF_BROWSER {
            return Err(Cause::new(503, "Too many documents are asked for; try again in a moment"));
        }
        self.last += 1;
        self.open.insert(self.last, browser);
        Ok(self.last)
    }

    pub(super) fn shrink(&mut self) {
        shrink(&mut self.open);
    }
}

impl Switch {
    /// A browser wants a document; it gets it later, or is told why not.
    pub(super) fn browser_wants_document(&mut self, id: BrowserId, url: &str) {
        if let Err(cause) = self.ask_for_document(id, url) {
            self.say(id, &ServerMessage::RequestFailed { request: REQUEST, cause: &cause });
        }
    }

    fn ask_for_document(&mut self, id: BrowserId, url: &str) -> Result<(), Cause> {
        let user = self.browsers.get(&id).and_then(|browser| browser.proven_address());
        let user = user.ok_or_else(|| Cause::new(403, "Log in first"))?;
        let domain = user.host.to_string();
        let is_of_domain = |root: &&XcapRoot| root.domain.eq_ignore_ascii_case(&domain);
        let Some(root) = self.settings.xcap.iter().find(is_of_domain) else {
            return Err(Cause::new(
                501,
                format!("{REQUEST} is not available here: {domain} has no XCAP server"),
            ));
        };
        let address = format!("{}@{domain}", user.user_name().unwrap_or_default());
        let selector = root.selector(url, &address).map_err(|error| Cause::new(403, error.to_string()))?;
        let (domain, selector) = (root.domain.clone(), selector.to_owned());
        let query = self.xcap.begin(id)?;
        self.outputs.push_back(Output::GetXcap { query, domain, selector, user: user.to_string() });
        Ok(())
    }

    /// A document came, or did not.
    pub(super) fn xcap_answered(&mut self, query: u64, document: Result<String, Cause>) {
        let Some(id) = self.xcap.open.remove(&query) else { return };
        match document {
            Ok(document) => self.say(id, &ServerMessage::XcapResponse(&document)),
            Err(cause) => self.say(id, &ServerMessage::RequestFailed { request: REQUEST, cause: &cause }),
        }
    }
}
