//! What browsers and the operator's application say to each other (`sendData` of WCS 5).

use super::browsers::BrowserId;
use super::queries::too_many;
use super::{Output, Switch};
use crate::party::Cause;
use crate::wcs::ServerMessage;
use serde_json::{Value, json};

/// The longest that a browser may say, in bytes of JSON.
const MAX_PAYLOAD: usize = 16_384;

impl Switch {
    /// A browser has something for the application; it is told later whether that took it.
    pub(super) fn browser_sends_data(&mut self, id: BrowserId, operation: String, payload: &Value) {
        if let Err(cause) = self.pass_data(id, &operation, payload) {
            self.say(id, &ServerMessage::DataStatus { operation: &operation, cause: Some(&cause) });
        }
    }

    fn pass_data(&mut self, id: BrowserId, operation: &str, payload: &Value) -> Result<(), Cause> {
        if !self.settings.has_application {
            return Err(Cause::new(501, "There is no application behind this server"));
        }
        let user = self.browsers.get(&id).and_then(|browser| browser.proven_address());
        let user = user.ok_or_else(|| Cause::new(403, "Log in first"))?.to_string();
        let json = json!({ "user": user, "operationId": operation, "payload": payload }).to_string();
        if json.len() > MAX_PAYLOAD {
            return Err(Cause::new(413, format!("It is longer than {MAX_PAYLOAD} bytes")));
        }
        let query = self.data.begin(id, operation.to_owned()).ok_or_else(too_many)?;
        self.outputs.push_back(Output::PostData { query, json });
        Ok(())
    }

    /// The application took what a browser said, and may have answered; or did not.
    pub(super) fn data_answered(&mut self, query: u64, answer: Result<Vec<u8>, Cause>) {
        let Some((id, operation)) = self.data.end(query) else { return };
        let operation = operation.as_str();
        let answer = answer.and_then(|json| spoken(&json));
        self.say(id, &ServerMessage::DataStatus { operation, cause: answer.as_ref().err() });
        if let Ok(Some(payload)) = &answer {
            self.say(id, &ServerMessage::Data { operation, payload });
        }
    }
}

/// What the application says; `None` where it says nothing.
fn spoken(json: &[u8]) -> Result<Option<Value>, Cause> {
    if json.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(json).map(Some).map_err(|_| Cause::new(500, "The application answered no JSON"))
}
