//! Documents that browsers get from the XCAP servers of their domains.

use super::browsers::BrowserId;
use super::queries::too_many;
use super::{Output, Switch};
use crate::party::Cause;
use crate::settings::XcapRoot;
use crate::wcs::ServerMessage;

/// The message that asks for one.
const REQUEST: &str = "sendXcapRequest";

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
        let query = self.xcap.begin(id, ()).ok_or_else(too_many)?;
        self.outputs.push_back(Output::GetXcap { query, domain, selector, user: user.to_string() });
        Ok(())
    }

    /// A document came, or did not.
    pub(super) fn xcap_answered(&mut self, query: u64, document: Result<String, Cause>) {
        let Some((id, ())) = self.xcap.end(query) else { return };
        match document {
            Ok(document) => self.say(id, &ServerMessage::XcapResponse(&document)),
            Err(cause) => self.say(id, &ServerMessage::RequestFailed { request: REQUEST, cause: &cause }),
        }
    }
}
